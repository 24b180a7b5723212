//! The script and the CI job of the README, run as they stand there.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::bench::Bench;
use crate::run::Run;

const README: &str = include_str!("../../README.md");

/// Gives the one block of a language that holds a text.
fn block(language: &str, part: &str) -> &'static str {
    let blocks = README.split("```").skip(1).step_by(2);
    let mut found = blocks.filter_map(|block| block.strip_prefix(language)).filter(|block| block.contains(part));
    let one = found.next().unwrap_or_else(|| panic!("README.md has no {language} with {part}"));
    assert!(found.next().is_none(), "README.md has several {language} with {part}");
    one.trim_start_matches('\n')
}

/// Makes what runs a script as a user of this bench would: vpnctl and some programs of ours are on the path.
fn shell(bench: &Bench, script: &str) -> Command {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_vpnctl"));
    let mut folders = vec![bench.path("bin"), binary.parent().unwrap().to_owned()];
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let of_vpnctl = bench.command("status");
    let mut command = Command::new("sh");
    command.env_clear().current_dir(bench.folder.path());
    command.envs(of_vpnctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", std::env::join_paths(folders).unwrap());
    command.args(["-c", script]);
    command
}

/// Puts a program on the path that does what a script says.
fn program(bench: &Bench, place: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = bench.path(place);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A world whose account is called as in the README.
fn plant() -> Bench {
    let bench = Bench::new();
    bench.write("vpnctl.toml", &bench.config().replace("[backend.everyware", "[backend.plant"));
    bench
}

#[test]
fn the_script_brings_the_vpn_up_for_as_long_as_it_needs_it() {
    let bench = plant();
    let behind = TcpListener::bind("127.0.0.1:0").unwrap();
    let script = block("sh", "#!/bin/sh");
    let script = script.replace("tcp:$VPNCTL_IP_ADDRESS:22", &format!("tcp:{}", behind.local_addr().unwrap()));
    assert!(script.contains("tcp:127.0.0.1:"), "{script}");
    program(
        &bench,
        "bin/rsync",
        r#"echo "$@" > rsync.txt; vpnctl status "$VPNCTL_TARGET" -o value > during.txt; exit "${RSYNC_ENDS:-0}""#,
    );
    let read = |name: &str| std::fs::read_to_string(bench.path(name)).unwrap();

    Run::of(shell(&bench, &script), "").ends(0);
    assert!(read("rsync.txt").contains("backup@10.200."), "{}", read("rsync.txt"));
    assert_eq!(read("during.txt"), "connected\n");
    bench.run("status plant/gw-lyon-03 -o value").ends(0).prints("disconnected");

    let mut failing = shell(&bench, &script);
    failing.env("RSYNC_ENDS", "23");
    Run::of(failing, "").ends(23);
    bench.run("status plant/gw-lyon-03 -o value").ends(0).prints("disconnected");
}

#[test]
fn the_job_checks_and_tests_through_the_vpn() {
    let bench = Bench::new();
    let job: Value = serde_saphyr::from_str(block("yaml", "jobs:")).unwrap();
    let job = &job["jobs"]["gateways"];
    assert_eq!(job["env"]["VPNCTL_BACKEND"], "everyware");
    program(&bench, "acceptance-test.sh", "echo tested through $VPNCTL_IP_ADDRESS");
    let steps = job["steps"].as_array().unwrap();
    let runs: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    let run = |line: &str| {
        let mut command = shell(&bench, line);
        command.env("VPNCTL_BACKEND", "everyware").env("GITHUB_STEP_SUMMARY", bench.path("summary.md"));
        Run::of(command, "")
    };
    let mut seen = 0;
    for line in runs.iter().filter(|line| line.starts_with("vpnctl ")) {
        seen += 1;
        match line.split(' ').nth(1).unwrap() {
            "wait" => drop(run(line).ends(0)),
            "with" => drop(run(line).ends(0).prints("tested through 10.200.")),
            // Not all of the simulated gateways are up.
            "check" if line.contains("github") => {
                run(line).ends(3).prints("::error ");
                let summary = std::fs::read_to_string(bench.path("summary.md")).unwrap();
                assert!(summary.contains("gw-lyon-02") && summary.contains("| --- |"), "{summary}");
            }
            "check" => {
                run(line).ends(3);
                let xml = std::fs::read_to_string(bench.path("vpn.xml")).unwrap();
                assert!(xml.starts_with("<?xml") && xml.contains("<failure"), "{xml}");
            }
            other => panic!("nothing holds `{other}`"),
        }
    }
    assert_eq!(seen, 4);
}
