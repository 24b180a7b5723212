//! The kinds of Kubernetes that the manifests use, with the fields that these use: any other one is refused.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::read;

/// The apiVersion, kind and name of a document.
type Head = (&'static str, &'static str, &'static str);

/// The manifests, and what is in each.
pub(crate) const MANIFESTS: &[(&str, &[Head])] = &[
    ("config.yaml", &[("v1", "ConfigMap", "vpnctl")]),
    ("secret.example.yaml", &[("v1", "Secret", "vpnctl")]),
    ("sweep.yaml", &[("batch/v1", "Job", "vpnctl-sweep")]),
    ("check.yaml", &[("batch/v1", "CronJob", "vpnctl-check")]),
    (
        "metrics.yaml",
        &[
            ("apps/v1", "Deployment", "vpnctl-metrics"),
            ("v1", "Service", "vpnctl-metrics"),
            ("networking.k8s.io/v1", "NetworkPolicy", "vpnctl-metrics"),
        ],
    ),
    ("kustomization.yaml", &[("kustomize.config.k8s.io/v1beta1", "Kustomization", "")]),
];

type Texts = BTreeMap<String, String>;

macro_rules! kinds {
    ($($(#[$meta:meta])* $name:ident { $($(#[$on:meta])* $field:ident: $kind:ty),* $(,)? })*) => {
        $(
            $(#[$meta])*
            // Of some fields it is enough that they are there and of their type.
            #[allow(dead_code)]
            #[derive(Debug, Deserialize)]
            #[serde(rename_all = "camelCase", deny_unknown_fields)]
            pub(crate) struct $name { $($(#[$on])* pub(crate) $field: $kind),* }
        )*
    };
}

kinds! {
    Meta { name: Option<String>, labels: Texts }
    ConfigMap { data: Texts }
    Secret { r#type: String, string_data: Texts }
    Kustomization { resources: Vec<String> }
    Job { spec: JobSpec }
    /// Of any Job; `completionMode` and what goes with it are of an Indexed one.
    JobSpec {
        completion_mode: Option<String>,
        completions: Option<u32>,
        parallelism: Option<u32>,
        backoff_limit: Option<u32>,
        backoff_limit_per_index: Option<u32>,
        active_deadline_seconds: u32,
        ttl_seconds_after_finished: Option<u32>,
        template: Template,
    }
    CronJob { spec: CronJobSpec }
    CronJobSpec {
        schedule: String,
        concurrency_policy: String,
        starting_deadline_seconds: u32,
        successful_jobs_history_limit: u32,
        failed_jobs_history_limit: u32,
        job_template: Job,
    }
    Deployment { spec: DeploymentSpec }
    DeploymentSpec { replicas: u32, strategy: Strategy, selector: Selector, template: Template }
    Strategy { r#type: String }
    Selector { match_labels: Texts }
    Service { spec: ServiceSpec }
    ServiceSpec { selector: Texts, ports: Vec<ServicePort> }
    ServicePort { name: String, port: u16, target_port: String }
    NetworkPolicy { spec: NetworkPolicySpec }
    NetworkPolicySpec { pod_selector: Selector, policy_types: Vec<String>, ingress: Vec<Ingress> }
    Ingress { from: Vec<Peer>, ports: Vec<PolicyPort> }
    Peer { namespace_selector: Everything, pod_selector: Selector }
    Everything {}
    PolicyPort { port: String }
    Template { metadata: Meta, spec: PodSpec }
    PodSpec {
        restart_policy: Option<String>,
        automount_service_account_token: bool,
        enable_service_links: bool,
        security_context: PodSecurity,
        containers: Vec<Container>,
        volumes: Vec<Volume>,
    }
    PodSecurity {
        run_as_non_root: bool,
        run_as_user: u32,
        run_as_group: u32,
        fs_group: u32,
        seccomp_profile: Seccomp,
    }
    Seccomp { r#type: String }
    Container {
        name: String,
        image: String,
        args: Vec<String>,
        env: Vec<Variable>,
        #[serde(default)]
        ports: Vec<Port>,
        readiness_probe: Option<Probe>,
        liveness_probe: Option<Probe>,
        resources: Resources,
        security_context: ContainerSecurity,
        volume_mounts: Vec<Mount>,
    }
    Variable { name: String, value: Option<String>, value_from: Option<ValueFrom> }
    ValueFrom { secret_key_ref: SecretKey }
    SecretKey { name: String, key: String }
    Port { name: String, container_port: u16 }
    Probe { http_get: HttpGet, period_seconds: u32, failure_threshold: Option<u32> }
    HttpGet { path: String, port: String }
    Resources { requests: Texts, limits: Texts }
    ContainerSecurity { allow_privilege_escalation: bool, read_only_root_filesystem: bool, capabilities: Capabilities }
    Capabilities { drop: Vec<String> }
    Mount { name: String, mount_path: String, #[serde(default)] read_only: bool }
    Volume { name: String, config_map: Option<Named>, empty_dir: Option<EmptyDir> }
    Named { name: String }
    EmptyDir { medium: String, size_limit: String }
}

/// One document of a manifest.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    rest: Value,
}

impl Document {
    fn of(text: &str) -> Self {
        let mut value: Value = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let object = value.as_object_mut().unwrap_or_else(|| panic!("no document: {text}"));
        let mut word = |key: &str| object.remove(key).and_then(|word| Some(word.as_str()?.to_owned()));
        let (version, kind) = (word("apiVersion").expect("an apiVersion"), word("kind").expect("a kind"));
        let meta = object.remove("metadata").map(|meta| serde_json::from_value::<Meta>(meta).expect("metadata"));
        if let Some(meta) = &meta {
            assert_eq!(meta.labels["app.kubernetes.io/name"], "vpnctl", "{meta:?}");
        }
        Self { version, kind, name: meta.and_then(|meta| meta.name).unwrap_or_default(), rest: value }
    }

    /// Reads what is behind kind, version and metadata; a field that the kind here has not fails.
    #[track_caller]
    pub(crate) fn get<T: DeserializeOwned>(&self) -> T {
        serde_json::from_value(self.rest.clone())
            .unwrap_or_else(|error| panic!("{} {}: {error}\n{:#}", self.kind, self.name, self.rest))
    }
}

/// Reads the documents of a manifest.
pub(crate) fn documents(manifest: &str) -> Vec<Document> {
    let text = read(&format!("deploy/kubernetes/{manifest}"));
    text.split("\n---\n").map(Document::of).collect()
}

/// Reads the one document of a kind.
pub(crate) fn the<T: DeserializeOwned>(manifest: &str, kind: &str) -> T {
    documents(manifest).iter().find(|document| document.kind == kind).unwrap_or_else(|| panic!("no {kind}")).get()
}

/// Gives the pods of all workloads, each with the manifest that has it.
pub(crate) fn pods() -> Vec<(&'static str, Template)> {
    vec![
        ("sweep.yaml", the::<Job>("sweep.yaml", "Job").spec.template),
        ("check.yaml", the::<CronJob>("check.yaml", "CronJob").spec.job_template.spec.template),
        ("metrics.yaml", the::<Deployment>("metrics.yaml", "Deployment").spec.template),
    ]
}

#[test]
fn each_manifest_holds_the_kinds_that_it_should_and_fields_that_these_have() {
    let mut there: Vec<String> = std::fs::read_dir(crate::path("deploy/kubernetes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
        .collect();
    there.sort();
    let mut listed: Vec<&str> = MANIFESTS.iter().map(|(manifest, _)| *manifest).collect();
    listed.sort_unstable();
    assert_eq!(there, listed, "a manifest that nothing holds, or one that is gone");
    for (manifest, expected) in MANIFESTS {
        let found = documents(manifest);
        let heads: Vec<(&str, &str, &str)> =
            found.iter().map(|one| (one.version.as_str(), one.kind.as_str(), one.name.as_str())).collect();
        assert_eq!(&heads, expected, "{manifest}");
        for document in &found {
            match document.kind.as_str() {
                "ConfigMap" => drop(document.get::<ConfigMap>()),
                "Secret" => assert_eq!(document.get::<Secret>().r#type, "Opaque"),
                "Job" => drop(document.get::<Job>()),
                "CronJob" => drop(document.get::<CronJob>()),
                "Deployment" => drop(document.get::<Deployment>()),
                "Service" => drop(document.get::<Service>()),
                "NetworkPolicy" => drop(document.get::<NetworkPolicy>()),
                "Kustomization" => drop(document.get::<Kustomization>()),
                other => panic!("nothing holds a {other}"),
            }
        }
    }
}

#[test]
fn a_field_that_is_misspelt_is_refused() {
    let text = read("deploy/kubernetes/sweep.yaml");
    for (right, wrong) in
        [("completionMode", "completionMod"), ("readOnly: true", "readonly: true"), ("- name: config", "- nam: config")]
    {
        assert!(text.contains(right), "{right}");
        let document = Document::of(&text.replace(right, wrong));
        assert!(serde_json::from_value::<Job>(document.rest).is_err(), "{wrong}");
    }
}

#[test]
fn the_kustomization_has_all_that_stays_and_neither_the_sweep_nor_the_example() {
    let kustomization: Kustomization = the("kustomization.yaml", "Kustomization");
    assert_eq!(kustomization.resources, ["config.yaml", "check.yaml", "metrics.yaml"]);
}
