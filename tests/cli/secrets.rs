//! Secrets show up nowhere but in files that only their owner can read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bench::Bench;
#[cfg(unix)]
use crate::bench::VENDORS;

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

/// Gives a file the rights that others have by many systems' default.
#[cfg(unix)]
fn expose(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_can_read_is_refused_with_what_mends_it() {
    let bench = Bench::new();
    bench.write("password", "canary-of-a-file\n");
    bench.write("wg.conf", "[Interface]\nPrivateKey = canary-of-a-key\n[Peer]\n");
    expose(&bench.path("password"));
    expose(&bench.path("wg.conf"));
    expose(&bench.path("vpnctl.everyware-password"));
    expose(&bench.path("vpnctl.ixon-token"));
    expose(&bench.path("vpnctl.freebox-app-token"));
    for (line, file) in [
        ("status -b freebox", "vpnctl.freebox-app-token"),
        ("list -b ixon", "vpnctl.ixon-token"),
        ("status -b everyware", "vpnctl.everyware-password"),
        ("auth login -b everyware", "vpnctl.everyware-password"),
        (
            "tunnel add -b freebox --type pptp --name A --host vpn.example.org --username me --password-file password",
            "password",
        ),
        ("tunnel import -b freebox wg.conf", "wg.conf"),
    ] {
        let run = bench.run(&format!("{line} -o json")).ends(13);
        let error = run.fails("config.invalid");
        let (message, hint) = (error["message"].as_str().unwrap(), error["hint"].as_str().unwrap());
        assert!(message.contains(file) && message.contains("others can read it (mode 0644)"), "{run}");
        assert!(hint.contains("chmod 600 ") && hint.contains(file), "{run}");
        assert!(!run.to_string().contains("canary"), "{run}");
    }
    assert!(VENDORS.iter().all(|vendor| bench.count(vendor, "POST") == 0), "nothing is sent");
    // What the hint says helps.
    let run = bench.run("status -b everyware -o json");
    let hint = run.fails("config.invalid")["hint"].as_str().unwrap().to_owned();
    let mend = hint.strip_prefix("run: ").unwrap().split(';').next().unwrap().to_owned();
    assert!(std::process::Command::new("sh").args(["-c", &mend]).status().unwrap().success());
    bench.run("status -b everyware").ends(0).quietly();
}

#[cfg(unix)]
#[test]
fn a_configuration_with_a_secret_is_refused_where_others_can_read_it_and_one_without_is_not() {
    let bench = Bench::new();
    expose(&bench.path("vpnctl.toml"));
    bench.run("status -b everyware").ends(0).quietly();
    let text = bench.config();
    let line = text.lines().find(|line| line.starts_with("password = ")).unwrap();
    let written = text.replace(line, "password = \"canary-written-out\"");
    std::fs::write(bench.path("vpnctl.toml"), written).unwrap();
    let run = bench.run("status -b everyware -o json").ends(13);
    let error = run.fails("config.invalid");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("vpnctl.toml:") && message.contains("`password` is written out"), "{run}");
    assert!(!run.to_string().contains("canary"), "{run}");
}

#[cfg(unix)]
#[test]
fn a_secret_comes_by_a_pipe_that_has_no_owner() {
    let bench = Bench::new();
    let text = bench.config();
    let line = text.lines().find(|line| line.starts_with("password = ")).unwrap();
    bench.write("vpnctl.toml", &text.replace(line, "password = { file = \"/dev/stdin\" }"));
    let password = format!("{}\n", vpnctl::simulate::everyware::PASSWORD);
    bench.run_with("status -b everyware", &password).ends(0).quietly();
    // The session that it gave serves those who come without it.
    bench.run("status -b everyware").ends(0).quietly();
    let added =
        "tunnel add -b freebox --type pptp --name A --host vpn.example.org --username me --password-file /dev/stdin";
    bench.run_with(added, "of-a-tunnel\n").ends(0);
}
