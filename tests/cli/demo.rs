//! `--demo`: everything works on a fresh machine, whatever stands there.

use crate::bench::bare;
use crate::run::{Run, words};

/// Runs a line where everything that `--demo` must not read is garbage.
fn run(line: &str) -> (Run, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("garbage.toml");
    std::fs::write(&garbage, "this is = no [toml").unwrap();
    for place in ["config/vpnctl", "state"] {
        std::fs::create_dir_all(folder.path().join(place)).unwrap();
    }
    std::fs::write(folder.path().join("config/vpnctl/config.toml"), "nonsense").unwrap();
    std::fs::write(folder.path().join("state/freebox.json"), "{\"owner\":").unwrap();
    let mut command = bare(folder.path());
    command
        .env("VPNCTL_CONFIG", &garbage)
        .env("HOME", &garbage)
        .env("VPNCTL_BACKEND", "nobody")
        .env("VPNCTL_BACKEND_FREEBOX_URL", "http://127.0.0.1:1")
        .env("VPNCTL_BACKEND_FREEBOX_JOBS", "many")
        .env("VPNCTL_BACKEND_PLANT_VENDOR", "nonsense")
        .args(words(line));
    let run = Run::of(command, "");
    let mut files: Vec<String> = Vec::new();
    for place in [".", "config/vpnctl", "state"] {
        let entries = std::fs::read_dir(folder.path().join(place)).unwrap();
        files.extend(entries.map(|entry| format!("{place}/{}", entry.unwrap().file_name().to_string_lossy())));
    }
    files.sort();
    (run, files)
}

#[test]
fn it_reads_and_touches_nothing_of_the_users_before_and_after_the_verb() {
    for line in ["--demo status --all -o json", "status --all -o json --demo", "status --demo --all -o json"] {
        let (run, files) = run(line);
        let run = run.ends(0).quietly();
        let report = run.json();
        assert_eq!(report["summary"]["total"], 9, "{run}");
        assert_eq!(report["summary"]["failed"], 0, "{run}");
        let kept = ["./config", "./garbage.toml", "./state", "config/vpnctl/config.toml", "state/freebox.json"];
        assert_eq!(files, kept, "{run}");
    }
}

#[test]
fn every_verb_runs_in_it() {
    for (line, code) in [
        ("list -A --demo", 0),
        ("--demo connect -b freebox --switch 'Office PPTP' --interval 100ms", 0),
        ("connect -b everyware gw-lyon-03 --demo", 0),
        ("disconnect --demo -b freebox", 0),
        ("auth status -A --demo", 0),
        ("backends --demo", 0),
        ("config show --demo", 0),
        ("config validate --demo", 0),
        ("wait -b everyware gw-lyon-02 --for connected --demo", 0),
        ("watch -A --count 4 --demo", 0),
        ("tunnel list -b freebox --demo", 0),
        ("tunnel rm vpn0 -b freebox --demo", 2),
        ("tunnel rm vpn0 -b freebox --yes --demo", 0),
        ("settings show -b ixon --demo", 0),
        ("settings show -b everyware --demo", 12),
        ("trust show -b ixon --demo", 0),
        ("trust show -b freebox --demo", 2),
        ("list -b everyware --recursive --demo", 0),
        ("log -b freebox -n 2 --demo", 0),
        ("api -b ixon GET Status --demo", 0),
        ("status -A --exit-code --demo", 3),
        ("status --demo", 2),
        ("status -b nobody --demo", 6),
    ] {
        run(line).0.ends(code);
    }
}

#[test]
fn its_table_is_the_one_of_the_contracts_first_command() {
    let (run, _) = run("--demo status --all --sort");
    let run = run.ends(0).quietly();
    insta::assert_snapshot!("demo_status", crate::redact::plain(&run.stdout));
}

#[test]
fn boxes_that_announce_themselves_are_found_on_this_computer_alone() {
    let run = run("--demo backends --discover -o json").0.ends(0);
    assert_eq!(run.json()["schema"], "vpnctl.backends/v1");
    // Nothing is announced where the machine carries no multicast over loopback; the simulators' tests hold that.
    for item in run.items() {
        let (url, found) = (item["url"].as_str().unwrap(), &item["found"]);
        assert!(url.starts_with("http://127.0.0.1:"), "{item}");
        assert_eq!((&item["vendor"], &found["address"]), (&"freebox".into(), &"127.0.0.1".into()), "{item}");
        assert!(found["remote_url"].as_str().unwrap().starts_with("https://example.fbxos.fr:"), "{item}");
        assert!(item["capabilities"]["tunnel"]["support"] == "native", "{item}");
    }
}
