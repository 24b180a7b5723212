//! Secrets show up nowhere but in files that only their owner can read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bench::Bench;

/// Collects what of the state is as secret as what it was made from.
fn remembered(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let Ok(document) = serde_json::from_slice::<Value>(&std::fs::read(entry.unwrap().path()).unwrap()) else {
            continue;
        };
        for place in [
            "/session/token",
            "/token/token",
            "/token/refresh",
            "/token/secret",
            "/app_token",
            "/api_key",
            "/trust_key",
        ] {
            let text = document.pointer(place).and_then(Value::as_str);
            found.extend(text.map(str::to_owned));
        }
    }
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Runs what uses, shows, makes and refuses logins, as loudly as it can be, and gives all that was written.
fn everything(bench: &Bench, secrets: &mut BTreeSet<String>) -> String {
    let mut told = String::new();
    for line in [
        "status -A --native -o json",
        "list -A -o yaml",
        "connect -b freebox vpn0 --switch",
        "connect -b ixon 'Press 7' --native -o json",
        "connect -b everyware gw-lyon-03",
        "status -A --native -o wide",
        "auth login -b freebox",
        "auth login -b everyware",
        "auth login -b ixon",
        "auth status -A -o json",
        "config show -o json",
        "backends -o json",
        "disconnect -b ixon",
        "reconnect -b everyware gw-lyon-03",
        "disconnect -A --dry-run",
    ] {
        for flags in ["-vvv", "-vvv --log-format json"] {
            let line = line.replace("--native -o", "-o");
            told.push_str(&bench.run(&format!("{line} {flags}")).to_string());
            secrets.extend(remembered(&bench.state()));
        }
    }
    told
}

#[test]
fn no_secret_is_told_however_loud() {
    let bench = Bench::new();
    let mut secrets: BTreeSet<String> = BTreeSet::new();
    for name in ["freebox-app-token", "ixon-token", "everyware-password"] {
        secrets.insert(bench.secret(name));
    }
    let mut told = everything(&bench, &mut secrets);
    // So that failures are heard as well.
    for fault in ["expire-sessions", "not-json=status", "http-status=500@status", "invalid-token"] {
        bench.fault("freebox", fault);
        told.push_str(&bench.run("status -b freebox -vvv --timeout 1s").to_string());
        bench.context("freebox").faults.clear_all();
    }
    for fault in ["invalidate-tokens", "empty-401", "refuse-login", "mfa"] {
        bench.fault("everyware", fault);
        bench.fault("everyware", "invalidate-tokens");
        told.push_str(&bench.run("status -b everyware -vvv --timeout 1s").to_string());
        bench.context("everyware").faults.clear_all();
    }
    assert!(secrets.len() >= 6, "the state is known to hold secrets: {}", secrets.len());
    assert!(told.contains("POST") && told.contains("DEBUG"), "it was not loud");
    for secret in &secrets {
        assert!(secret.len() > 8 && !told.contains(secret.as_str()), "a secret was told: {secret}");
    }
}

#[cfg(unix)]
#[test]
fn files_that_hold_secrets_are_private() {
    let bench = Bench::new();
    let mut secrets: BTreeSet<String> = BTreeSet::new();
    everything(&bench, &mut secrets);
    let mut holders = 0;
    for path in files(bench.folder.path()) {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        if secrets.iter().any(|secret| text.contains(secret.as_str())) {
            holders += 1;
            assert_eq!(crate::bench::mode(&path), 0o600, "{}", path.display());
        }
    }
    assert!(holders >= 2, "the state is known to hold secrets");
    // What the configuration names is read, and not copied.
    for (name, vendor) in
        [("freebox-app-token", "freebox"), ("ixon-token", "ixon"), ("everyware-password", "everyware")]
    {
        let text = std::fs::read_to_string(bench.state().join(format!("{vendor}.json"))).unwrap();
        assert!(!text.contains(&bench.secret(name)), "{vendor} keeps a copy of its secret");
    }
}

#[test]
fn secrets_by_variable_and_standard_input_are_told_as_little() {
    let mut bench = Bench::new();
    let key = vpnctl::simulate::everyware::API_KEY;
    let login = bench.run_with("auth login -b everyware --api-key-stdin -vvv", &format!("{key}\n")).ends(0);
    assert!(!login.to_string().contains(key), "{login}");
    bench.set("VPNCTL_BACKEND_EVERYWARE_API_KEY", key);
    for line in ["status -b everyware -vvv", "config show -o json -vvv", "auth status -b everyware -vvv"] {
        let run = bench.run(line).ends(0);
        assert!(!run.to_string().contains(key), "{run}");
    }
    // A value that no header can carry is not shown either.
    let odd = "canary\nof two lines";
    let run = bench.run_where("VPNCTL_BACKEND_IXON_TOKEN", odd, "list -b ixon -vvv");
    assert_ne!(run.code, 0, "{run}");
    assert!(!run.to_string().contains("canary"), "{run}");
}
