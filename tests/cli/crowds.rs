//! Fifty processes on one account, and a lock that somebody holds for too long.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bench::Bench;
use crate::run::Run;

/// As many as a monitoring system or a pipeline may start in one moment.
const CROWD: usize = 50;

const LOGINS: [(&str, &str); 3] = [
    ("freebox", "POST /api/v16/login/session/"),
    ("ixon", "POST /api/access-tokens"),
    ("everyware", "POST /v1/authentication/user"),
];

/// A bench in which each vendor needs a login of its own making.
pub(crate) fn bench() -> Bench {
    let mut bench = Bench::new();
    let text = bench.config_without(&["ixon-token"]);
    bench.write("vpnctl.toml", &text);
    bench.set("VPNCTL_BACKEND_IXON_EMAIL", "demo@example.org");
    bench.set("VPNCTL_BACKEND_IXON_PASSWORD", "demo:pässword>>?~");
    bench
}

fn crowd(bench: &Bench, line: &str, code: i32) -> Vec<Run> {
    let children: Vec<Child> = (0..CROWD).map(|_| bench.start(&format!("{line} --timeout 5m"))).collect();
    children.into_iter().map(|child| Run::end_of(child, line.to_owned()).ends(code)).collect()
}

/// Holds the state folder to whole documents, each its owner's alone, and nothing beside them.
pub(crate) fn is_whole(bench: &Bench) {
    for path in files(&bench.state()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(crate::bench::mode(&path), 0o600, "{name}");
        match name.rsplit('.').next() {
            Some("json") => {
                let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(document.is_object(), "{name}: {text}");
            }
            Some("ndjson") => {
                for line in text.lines() {
                    let _: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}"));
                }
            }
            Some("lock") => assert_eq!(text, "", "{name}"),
            _ => panic!("{name} is left behind"),
        }
    }
}

/// Lists the files of a folder and of those in it.
pub(crate) fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .collect()
}

/// Makes the login that is kept one that has ended.
fn end_login(bench: &Bench, vendor: &str) {
    match vendor {
        "freebox" => bench.fault("freebox", "expire-sessions*1"),
        "everyware" => bench.fault("everyware", "invalidate-tokens"),
        _ => {
            let path = bench.state().join("ixon.json");
            let mut kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            kept["token"]["expires_on"] = "2026-01-01T00:00:00Z".into();
            std::fs::write(&path, kept.to_string()).unwrap();
        }
    }
}

#[test]
fn fifty_processes_make_one_login_and_one_more_when_it_has_ended() {
    let bench = bench();
    for (vendor, login) in LOGINS {
        let line = if vendor == "ixon" { "list -b ixon".to_owned() } else { format!("status -b {vendor}") };
        for made in 1..=2 {
            let runs = crowd(&bench, &line, 0);
            assert!(runs.iter().all(|run| run.stdout == runs[0].stdout), "{vendor}: not all see the same");
            assert_eq!(bench.count(vendor, login), made, "{vendor}: {:?}", bench.asked(vendor));
            is_whole(&bench);
            end_login(&bench, vendor);
        }
        // The login that they share is kept.
        bench.run(&line).ends(0).quietly();
        bench.run(&line).ends(0).quietly();
        assert_eq!(bench.count(vendor, login), 3, "{vendor}");
    }
}

#[test]
fn a_refused_login_is_sent_by_one_of_fifty_and_told_to_all() {
    let mut bench = bench();
    bench.set("VPNCTL_BACKEND_IXON_PASSWORD", "wrong");
    bench.fault("everyware", "refuse-login");
    bench.fault("freebox", "invalid-token");
    for (vendor, login) in LOGINS {
        let line = if vendor == "ixon" { "list -b ixon".to_owned() } else { format!("status -b {vendor}") };
        let runs = crowd(&bench, &format!("{line} -o json"), 4);
        assert!(runs.iter().all(|run| run.fails("auth.rejected")["hint"].is_string()));
        let told = runs.iter().filter(|run| run.stderr.contains("so it is not tried again")).count();
        assert_eq!((bench.count(vendor, login), told), (1, CROWD - 1), "{vendor}: {:?}", bench.asked(vendor));
        is_whole(&bench);
        // Nor is it sent by those who come later.
        bench.run(&line).ends(4);
        assert_eq!(bench.count(vendor, login), 1, "{vendor}");
        // Nor by those who ask for it; what a box has in its memory is another matter, for it locks nobody.
        let line = format!("auth login -b {vendor}");
        if vendor == "freebox" {
            bench.run(&line).ends(4);
            assert_eq!(bench.count(vendor, login), 2, "{vendor}");
        } else {
            crowd(&bench, &line, 4);
            assert_eq!(bench.count(vendor, login), 1, "{vendor}");
        }
    }
}

#[test]
fn fifty_who_find_a_spoilt_record_of_logins_send_none() {
    let mut bench = bench();
    bench.set("VPNCTL_BACKEND_IXON_PASSWORD", "wrong");
    bench.fault("everyware", "refuse-login");
    for (vendor, login) in &LOGINS[1..] {
        let line = if *vendor == "ixon" { "list -b ixon".to_owned() } else { format!("status -b {vendor}") };
        let before = files(&bench.state());
        bench.run(&line).ends(4);
        let is_record = |path: &std::path::PathBuf| {
            let text = path.to_string_lossy();
            text.contains("login-") && text.ends_with(".json") && !before.contains(path)
        };
        let record = files(&bench.state()).into_iter().find(is_record).unwrap();
        std::fs::write(&record, "").unwrap();
        let runs = crowd(&bench, &format!("{line} -o json"), 4);
        assert!(runs.iter().all(|run| run.fails("auth.rejected")["hint"].is_string()));
        let aside = runs.iter().filter(|run| run.stderr.contains("it is set aside")).count();
        assert_eq!((bench.count(vendor, login), aside), (1, 1), "{vendor}: {:?}", bench.asked(vendor));
        std::fs::remove_file(record.with_extension("json.corrupt")).unwrap();
        is_whole(&bench);
    }
}

#[test]
fn fifty_who_ask_for_a_login_that_is_refused_are_refused_once() {
    let mut bench = bench();
    bench.set("VPNCTL_BACKEND_IXON_PASSWORD", "wrong");
    bench.set("VPNCTL_BACKEND_EVERYWARE_PASSWORD", "wrong");
    for (vendor, login) in &LOGINS[1..] {
        crowd(&bench, &format!("auth login -b {vendor}"), 4);
        assert_eq!(bench.count(vendor, login), 1, "{vendor}: {:?}", bench.asked(vendor));
        is_whole(&bench);
    }
}

#[test]
fn a_login_that_was_killed_on_its_way_counts_as_one_that_may_have_been_refused() {
    let bench = bench();
    bench.fault("everyware", "slow=600000@/authentication/user");
    let attempts = |bench: &Bench| {
        let kept = files(&bench.state()).into_iter().find(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("login-") && name.ends_with(".json")
        });
        let text = kept.map(|path| std::fs::read_to_string(path).unwrap()).unwrap_or_default();
        text.matches("\"at\"").count()
    };
    for count in 1..=2 {
        let mut child = bench.start("status -b everyware");
        let started = Instant::now();
        while attempts(&bench) < count {
            assert!(started.elapsed() < Duration::from_secs(60), "no login is sent");
            std::thread::sleep(Duration::from_millis(3));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    bench.context("everyware").faults.clear_all();
    let before = bench.count("everyware", "POST /v1/authentication");
    let run = bench.run("status -b everyware -o json").ends(4);
    let message = run.fails("auth.rejected")["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("brought no answer that tells how they ended") && message.contains("by itself until 20"),
        "{run}"
    );
    assert_eq!(bench.count("everyware", "POST /v1/authentication"), before, "a third refusal would lock the user");
    bench.run("auth login -b everyware").ends(0);
    bench.run("status -b everyware").ends(0).quietly();
}

/// Holds the lock of a backend, as a process that hangs does.
fn hold(bench: &Bench, vendor: &str) -> File {
    std::fs::create_dir_all(bench.state()).unwrap();
    let path = bench.state().join(format!("{vendor}.lock"));
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).unwrap();
    file.lock().unwrap();
    file
}

#[test]
fn a_lock_that_is_held_is_waited_for_with_a_word_about_who_holds_it() {
    for (vendor, _) in LOGINS {
        let bench = bench();
        let held = hold(&bench, vendor);
        let verb = if vendor == "ixon" { "list" } else { "status" };
        let mut command = bench.command(&format!("{verb} -b {vendor} --timeout 5m"));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut told).unwrap();
        assert!(told.starts_with("warning: waiting for "), "{told}");
        assert!(told.contains(&format!("{vendor}.lock")) && told.contains("for 20 s at most"), "{told}");
        if cfg!(target_os = "linux") {
            assert!(told.contains(&format!("process {} (", std::process::id())), "{told}");
        }
        assert!(child.try_wait().unwrap().is_none(), "it does not wait");
        drop(held);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{vendor}");
    }
}

#[test]
fn a_lock_that_is_never_freed_ends_a_command_with_what_to_do() {
    let bench = bench();
    let _held = hold(&bench, "freebox");
    // As many as come wait side by side, and not one after the other.
    let children: Vec<Child> = (0..3).map(|_| bench.start("status -b freebox -o json --timeout 5m")).collect();
    let soon = bench.run("status -b freebox -o json --timeout 500ms");
    let error = soon.fails("timeout.deadline");
    assert!(error["message"].as_str().unwrap().contains("freebox.lock"), "{soon}");
    for child in children {
        let run = Run::end_of(child, "status".to_owned()).ends(9);
        let error = run.fails("conflict.busy");
        assert!(error["message"].as_str().unwrap().contains("freebox.lock"), "{run}");
        assert!(error["hint"].as_str().unwrap().contains("end the process"), "{run}");
    }
    assert_eq!(bench.count("freebox", "POST"), 0);
    // What needs no login is not held up.
    bench.run("status -b everyware").ends(0);
}

#[test]
fn a_login_that_hangs_elsewhere_holds_up_nobody_twice_and_is_told_of_the_backend() {
    let bench = bench();
    bench.run("status -b everyware").ends(0);
    let lock = files(&bench.state()).into_iter().find(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("login-") && name.ends_with(".lock")
    });
    let held = OpenOptions::new().write(true).open(lock.unwrap()).unwrap();
    held.lock().unwrap();
    bench.fault("everyware", "invalidate-tokens");
    let run = bench.run("status -b everyware -o json --timeout 5m").ends(9);
    assert_eq!(run.fails("conflict.busy")["backend"], "everyware", "{run}");
    // Of the calls that need a login one waits for it, and not one after the other.
    assert_eq!(run.stderr.matches("waiting for ").count(), 1, "{run}");
    if cfg!(target_os = "linux") {
        assert!(run.stderr.contains(&format!("process {} (", std::process::id())), "{run}");
    }
}
