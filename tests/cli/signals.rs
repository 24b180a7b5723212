//! What a signal does to a command that waits.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::run::Run;

/// Sends a signal to one process.
pub(crate) fn send(signal: &str, child: &Child) {
    // The shell has its own `kill`; not every machine has one beside it.
    let sent = Command::new("sh").args(["-c", &format!("kill -s {signal} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

/// The signals that end a command, with its codes. That of a terminal's end is caught where it can be seen that it is not
/// ignored.
const ENDS: &[(&str, i32)] = if cfg!(target_os = "linux") {
    &[("INT", 130), ("TERM", 143), ("HUP", 129)]
} else {
    &[("INT", 130), ("TERM", 143)]
};

/// Starts a command that waits, and gives it once its write was sent and its wait has begun.
fn waiting(bench: &Bench, line: &str) -> Child {
    let child = bench.start(line);
    let started = Instant::now();
    let asked = || {
        let asked = bench.asked("freebox");
        let write = asked.iter().position(|line| line.starts_with("PUT"));
        write.is_some_and(|at| asked[at..].iter().any(|line| line.ends_with("/status")))
    };
    while !asked() {
        assert!(started.elapsed() < Duration::from_secs(30), "it never waits: {:?}", bench.asked("freebox"));
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn a_wait_ends_by_a_signal_with_its_code() {
    for (signal, code) in ENDS.iter().copied() {
        let bench = Bench::new();
        bench.run("disconnect -b freebox").ends(0);
        bench.context("freebox").log.clear();
        bench.fault("freebox", "stays-going-up");
        let child = waiting(&bench, "connect -b freebox vpn0 --interval 20ms");
        send(signal, &child);
        let run = Run::end_of(child, signal.to_owned()).ends(code).prints("Office PPTP");
        run.tells("interrupted").tells("hint: look with: vpnctl status \"freebox/Office PPTP\"\n");
        assert_eq!(bench.count("freebox", "PUT"), 1);
    }
}

#[test]
fn an_error_object_tells_of_a_signal_too() {
    let bench = Bench::new();
    bench.run("disconnect -b freebox").ends(0);
    bench.context("freebox").log.clear();
    bench.fault("freebox", "stays-going-up");
    let child = waiting(&bench, "connect -b freebox vpn0 --interval 20ms -o json");
    send("TERM", &child);
    let run = Run::end_of(child, "TERM".to_owned()).ends(143);
    run.fails("interrupted");
    // What is known is told, in a whole document: that it was asked for, and not how it went.
    let item = run.item();
    assert_eq!((&item["state"], &item["changed"]), (&"unknown".into(), &true.into()), "{run}");
    assert_eq!((&item["target"]["id"], &item["error"]["code"]), (&"vpn0".into(), &"interrupted".into()), "{run}");
    // Nothing is left behind that the next command would stumble over.
    bench.context("freebox").faults.clear_all();
    bench.run("disconnect -b freebox").ends(0).quietly();
}

#[test]
fn a_wait_that_is_interrupted_tells_what_it_has_seen() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    bench.context("freebox").log.clear();
    let child = bench.start("wait -b freebox vpn0 vpn1 --for failed -o json --interval 20ms");
    let started = Instant::now();
    while bench.count("freebox", "GET") < 3 {
        assert!(started.elapsed() < Duration::from_secs(30), "it never looks: {:?}", bench.asked("freebox"));
        std::thread::sleep(Duration::from_millis(5));
    }
    send("INT", &child);
    let run = Run::end_of(child, "INT".to_owned()).ends(130);
    run.fails("interrupted");
    let items = run.items();
    let states: Vec<&str> = items.iter().filter_map(|item| item["state"].as_str()).collect();
    assert_eq!(states, ["disconnected", "connected"], "{run}");
    assert!(items.iter().all(|item| item["held"] == false && item["error"]["code"] == "interrupted"), "{run}");
    assert_eq!(run.json()["summary"]["failed"], 2, "{run}");
}

#[test]
fn what_is_followed_ends_by_a_signal_with_its_document() {
    for (signal, code) in ENDS.iter().copied() {
        for line in ["watch -b freebox -o json", "wait -b freebox vpn0 --for connected -o json"] {
            let bench = Bench::new();
            let child = bench.start(line);
            let started = Instant::now();
            while bench.count("freebox", "GET") < 4 {
                assert!(started.elapsed() < Duration::from_secs(30), "{line} never asks");
                std::thread::sleep(Duration::from_millis(5));
            }
            send(signal, &child);
            let run = Run::end_of(child, line.to_owned()).ends(code);
            run.fails("interrupted");
        }
    }
}

#[test]
fn a_call_that_is_interrupted_on_its_way_may_have_been_carried_out() {
    for (verb, told) in [("GET", false), ("PUT", true)] {
        let bench = Bench::new();
        bench.run("status -b freebox").ends(0);
        bench.context("freebox").log.clear();
        bench.fault("freebox", "silent");
        let data = if told { " --data {}" } else { "" };
        let child = bench.start(&format!("api -b freebox {verb} vpn_client/config/vpn0{data} -o json"));
        let started = Instant::now();
        while bench.context("freebox").log.connections() == 0 {
            assert!(started.elapsed() < Duration::from_secs(30), "it never comes");
            std::thread::sleep(Duration::from_millis(5));
        }
        send("INT", &child);
        let run = Run::end_of(child, verb.to_owned()).ends(130);
        run.fails("interrupted");
        assert_eq!(run.stderr.contains("read what it was to change"), told, "{run}");
    }
}

/// Ends a command by a signal while its request is under way that a pattern finds.
fn interrupted(bench: &Bench, vendor: &str, pattern: &str, line: &str) -> Run {
    bench.context(vendor).log.clear();
    bench.fault(vendor, &format!("wire=silent@{pattern}"));
    let child = bench.start(line);
    let started = Instant::now();
    while !bench.asked(vendor).iter().any(|asked| asked.contains(pattern)) {
        assert!(started.elapsed() < Duration::from_secs(30), "{line} never asks: {:?}", bench.asked(vendor));
        std::thread::sleep(Duration::from_millis(5));
    }
    send("TERM", &child);
    let run = Run::end_of(child, line.to_owned()).ends(143);
    bench.context(vendor).faults.clear_all();
    run
}

#[test]
fn a_change_that_is_interrupted_names_what_shows_it() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    let password = bench.write("password", "Pw-s3cr3t");
    let add = format!(
        "tunnel add -b freebox --type pptp --name New --host 192.0.2.7 --username me --mppe require --auth mschapv2 \
         --password-file {}",
        password.display()
    );
    for (vendor, pattern, line, look) in [
        ("freebox", "POST /", add.as_str(), "tunnel list -b freebox"),
        ("freebox", "PUT /", "tunnel edit freebox/vpn0 --host 192.0.2.8", "tunnel show \"freebox/Office PPTP\""),
        ("freebox", "DELETE /", "tunnel rm freebox/vpn0 --yes", "tunnel list -b freebox"),
        ("ixon", "PUT /", "settings set simulatedConnectionType=tun --yes -b ixon", "settings show -b ixon"),
        ("ixon", "POST /", "settings reset --yes -b ixon", "settings show -b ixon"),
        ("ixon", "POST /connect", "connect 'Press 7' -b ixon", "status \"ixon/Press 7\""),
        ("freebox", "PUT /", "disconnect -b freebox", "status -b freebox"),
        ("freebox", "/logout", "auth logout -A", "auth status -A"),
        ("freebox", "/logout", "auth logout -b freebox -b ixon", "auth status -b freebox -b ixon"),
    ] {
        let run = interrupted(&bench, vendor, pattern, line).tells("may go on at the vendor");
        run.tells(&format!("hint: look with: vpnctl {look}\n"));
    }
}

#[test]
fn what_changes_nothing_leaves_nothing_to_look_for() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    for (vendor, line) in [
        ("freebox", "tunnel list -b freebox"),
        ("freebox", "tunnel edit freebox/vpn0 --host 192.0.2.8 --dry-run"),
        ("freebox", "auth status -b freebox"),
        ("ixon", "settings show -b ixon"),
        ("ixon", "settings set simulatedConnectionType=tun --dry-run -b ixon"),
        ("ixon", "connect 'Press 7' -b ixon --dry-run"),
    ] {
        let run = interrupted(&bench, vendor, "GET /", line).tells("error: interrupted\n");
        assert!(!run.stderr.contains("hint: "), "{run}");
    }
}
