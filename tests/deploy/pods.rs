//! What runs in the pods: the arguments, the variables, the configuration, and what they may.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::bare;
use crate::kinds::{
    ConfigMap, Container, CronJob, Deployment, Job, NetworkPolicy, Secret, Service, Template, pods, the,
};

/// Gives the value of a flag, in the form of two arguments.
fn value_of<'a>(arguments: &'a [String], flag: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|word| word == flag)?;
    arguments.get(at + 1).map(String::as_str)
}

fn container(template: &Template) -> &Container {
    let [one] = template.spec.containers.as_slice() else { panic!("{template:?}") };
    one
}

/// Makes the binary's command as a pod would, with its files in a folder.
fn command(folder: &std::path::Path, container: &Container) -> Command {
    let config: ConfigMap = the("config.yaml", "ConfigMap");
    for (name, text) in &config.data {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let secrets: Secret = the("secret.example.yaml", "Secret");
    let mut command = bare(folder);
    for variable in &container.env {
        let value = match (&variable.value, &variable.value_from) {
            (Some(value), None) => match value.strip_prefix("/etc/vpnctl/") {
                Some(file) => folder.join(file).to_str().unwrap().to_owned(),
                None => value.replace("/var/lib/vpnctl", folder.to_str().unwrap()),
            },
            (None, Some(from)) => {
                assert_eq!(from.secret_key_ref.name, "vpnctl");
                secrets.string_data[&from.secret_key_ref.key].clone()
            }
            _ => panic!("{variable:?}"),
        };
        command.env(&variable.name, value);
    }
    command
}

#[test]
fn vpnctl_takes_the_arguments_of_every_pod() {
    for (manifest, template) in pods() {
        let container = container(&template);
        assert_eq!(container.name, "vpnctl", "{manifest}");
        let words = std::iter::once("vpnctl").chain(container.args.iter().map(String::as_str));
        let parsed = vpnctl::cli::command_tree().try_get_matches_from(words);
        assert!(parsed.is_ok(), "{manifest}: {}", parsed.unwrap_err());
    }
}

#[test]
fn a_sweep_has_as_many_pods_as_parts() {
    let sweep: Job = the("sweep.yaml", "Job");
    let spec = &sweep.spec;
    assert_eq!(spec.completion_mode.as_deref(), Some("Indexed"));
    let count = spec.completions.expect("completions");
    assert_eq!(spec.parallelism, Some(count));
    let arguments = &container(&spec.template).args;
    assert_eq!(value_of(arguments, "--shard"), Some(format!("/{count}").as_str()), "{arguments:?}");
    assert_eq!(value_of(arguments, "--output"), Some("ndjson"), "only lines can be put one after the other");
    // A part whose devices failed must end neither the others nor be asked for again.
    assert_eq!((spec.backoff_limit_per_index, spec.backoff_limit), (Some(0), None));
    assert!(spec.ttl_seconds_after_finished.is_some_and(|seconds| seconds >= 3600), "the rows are in the logs");
}

#[test]
fn a_check_is_not_overtaken_by_the_next() {
    let check: CronJob = the("check.yaml", "CronJob");
    assert_eq!(check.spec.concurrency_policy, "Forbid");
    assert_eq!(check.spec.schedule.split(' ').count(), 5);
    let job = &check.spec.job_template.spec;
    assert_eq!(job.backoff_limit, Some(0));
    let bound = value_of(&container(&job.template).args, "--timeout").and_then(|bound| bound.strip_suffix('m'));
    let seconds = 60 * bound.expect("minutes").parse::<u32>().unwrap();
    assert!(seconds < job.active_deadline_seconds, "it is killed before it can tell what it found");
    assert!(job.active_deadline_seconds <= 300 && check.spec.schedule.starts_with("*/5 "), "it may outlast its turn");
}

#[test]
fn what_runs_for_ever_is_found_where_it_listens() {
    let deployment: Deployment = the("metrics.yaml", "Deployment");
    let service: Service = the("metrics.yaml", "Service");
    let policy: NetworkPolicy = the("metrics.yaml", "NetworkPolicy");
    let labels = &deployment.spec.template.metadata.labels;
    let selects = |selector: &BTreeMap<String, String>| {
        !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    assert!(selects(&deployment.spec.selector.match_labels));
    assert!(selects(&service.spec.selector));
    assert!(selects(&policy.spec.pod_selector.match_labels));
    assert_eq!((deployment.spec.replicas, deployment.spec.strategy.r#type.as_str()), (1, "Recreate"));
    assert_eq!(policy.spec.policy_types, ["Ingress"]);
    let container = container(&deployment.spec.template);
    let [port] = container.ports.as_slice() else { panic!("{container:?}") };
    let listen = value_of(&container.args, "--listen").expect("--listen");
    assert_eq!(listen, format!("0.0.0.0:{}", port.container_port));
    let [outside] = service.spec.ports.as_slice() else { panic!("{service:?}") };
    assert_eq!((outside.target_port.as_str(), outside.port), (port.name.as_str(), port.container_port));
    assert_eq!(policy.spec.ingress[0].ports[0].port, port.name);
    assert_eq!(policy.spec.ingress[0].from.len(), 1, "everybody may ask");
    for probe in [&container.readiness_probe, &container.liveness_probe] {
        assert_eq!(probe.as_ref().expect("a probe").http_get.port, port.name);
    }
    let scraped: Value = serde_saphyr::from_str(&crate::read("deploy/prometheus/scrape.yml")).unwrap();
    let targets = &scraped["scrape_configs"][0]["static_configs"][0]["targets"];
    assert_eq!(*targets, serde_json::json!([format!("vpnctl-metrics:{}", outside.port)]));
}

#[test]
fn no_pod_may_more_than_it_needs() {
    for (manifest, template) in pods() {
        let (spec, container) = (&template.spec, container(&template));
        let forever = manifest == "metrics.yaml";
        assert_eq!(spec.restart_policy.as_deref(), (!forever).then_some("Never"), "{manifest}");
        assert!(!spec.automount_service_account_token && !spec.enable_service_links, "{manifest}");
        let pod = &spec.security_context;
        assert!(pod.run_as_non_root && pod.run_as_user > 0, "{manifest}");
        // What the volume of the state belongs to is who runs.
        assert_eq!((pod.run_as_group, pod.fs_group), (pod.run_as_user, pod.run_as_user), "{manifest}");
        assert_eq!(pod.seccomp_profile.r#type, "RuntimeDefault");
        let own = &container.security_context;
        assert!(!own.allow_privilege_escalation && own.read_only_root_filesystem, "{manifest}");
        assert_eq!(own.capabilities.drop, ["ALL"], "{manifest}");
        let mib = |texts: &BTreeMap<String, String>| -> u32 {
            texts["memory"].strip_suffix("Mi").expect("mebibytes").parse().unwrap()
        };
        // 14 MB is what a fleet may take; the volume in memory counts too.
        let volume: u32 = spec
            .volumes
            .iter()
            .filter_map(|one| one.empty_dir.as_ref())
            .map(|one| one.size_limit.strip_suffix("Mi").unwrap().parse::<u32>().unwrap())
            .sum();
        assert!(mib(&container.resources.requests) > 14, "{manifest}");
        assert!(mib(&container.resources.limits) >= 2 * 14 + volume, "{manifest}");
        assert!(spec.volumes.iter().filter_map(|one| one.empty_dir.as_ref()).all(|one| one.medium == "Memory"));
    }
}

#[test]
fn every_pod_has_its_files_where_its_variables_say() {
    let config: ConfigMap = the("config.yaml", "ConfigMap");
    for (manifest, template) in pods() {
        let (spec, container) = (&template.spec, container(&template));
        let mount = |volume: &str| container.volume_mounts.iter().find(|mount| mount.name == volume).expect("mounted");
        let variable = |name: &str| {
            container.env.iter().find(|one| one.name == name).and_then(|one| one.value.as_deref()).expect("a variable")
        };
        let mounted: BTreeSet<&str> = container.volume_mounts.iter().map(|mount| mount.name.as_str()).collect();
        let volumes: BTreeSet<&str> = spec.volumes.iter().map(|volume| volume.name.as_str()).collect();
        assert_eq!(mounted, volumes, "{manifest}");
        for volume in &spec.volumes {
            let mount = mount(&volume.name);
            match (&volume.config_map, &volume.empty_dir) {
                (Some(map), None) => {
                    assert_eq!(map.name, "vpnctl");
                    assert!(mount.read_only, "{manifest}");
                    let file =
                        variable("VPNCTL_CONFIG").strip_prefix(&format!("{}/", mount.mount_path)).expect("below");
                    assert!(config.data.contains_key(file), "{manifest}: {file}");
                }
                (None, Some(_)) => {
                    assert!(!mount.read_only, "{manifest}");
                    // Below it, so that vpnctl makes the folder, with its own rights.
                    assert!(variable("VPNCTL_STATE_DIR").starts_with(&format!("{}/", mount.mount_path)), "{manifest}");
                }
                _ => panic!("{volume:?}"),
            }
        }
    }
}

#[test]
fn the_configuration_is_valid_and_the_secret_comes_by_its_variable() {
    for (manifest, template) in pods() {
        let folder = tempfile::tempdir().unwrap();
        let run = |line: &[&str]| {
            let done = command(folder.path(), container(&template)).args(line).output().unwrap();
            let told = String::from_utf8(done.stderr).unwrap();
            let worried = ["warning", "error"].iter().any(|word| told.contains(word));
            assert!(done.status.success() && !worried, "{manifest}: {told}");
            String::from_utf8(done.stdout).unwrap()
        };
        run(&["config", "validate"]);
        let shown: Value = serde_json::from_str(&run(&["config", "show", "-o", "json"])).unwrap();
        let items = shown["items"].as_array().unwrap();
        let key = items.iter().find(|item| item["key"] == "backend.plant.api_key").expect("the key");
        assert_eq!(key["origin"], "$VPNCTL_BACKEND_PLANT_API_KEY", "{manifest}");
        for variable in container(&template).env.iter().filter(|one| !one.name.starts_with("VPNCTL_BACKEND_")) {
            let known = vpnctl::config::variables::VARIABLES.iter().any(|(name, _)| *name == variable.name);
            assert!(known, "{manifest}: vpnctl does not read {}", variable.name);
        }
    }
}
