//! Several processes at once, and the simulators as a process of their own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::bench::{Bench, bare};
use crate::run::{Run, words};

/// Starts as many processes and holds each to 0.
fn at_once(bench: &Bench, line: &str, count: usize) {
    let children: Vec<Child> = (0..count).map(|_| bench.start(line)).collect();
    for child in children {
        Run::end_of(child, line.to_owned()).ends(0);
    }
}

#[test]
fn two_processes_make_one_login() {
    let bench = Bench::new();
    at_once(&bench, "status -b freebox", 2);
    assert_eq!(bench.asked("freebox").iter().filter(|line| line.ends_with("/login/session/")).count(), 1);
    at_once(&bench, "status -b everyware", 2);
    assert_eq!(bench.count("everyware", "POST /v1/authentication/user"), 1);
}

#[test]
fn twenty_processes_make_one_login() {
    let bench = Bench::new();
    at_once(&bench, "status -b freebox", 20);
    assert_eq!(bench.asked("freebox").iter().filter(|line| line.ends_with("/login/session/")).count(), 1);
    // A session that ends for all of them is renewed once, too.
    bench.fault("freebox", "expire-sessions*1");
    at_once(&bench, "status -b freebox", 8);
    assert_eq!(bench.asked("freebox").iter().filter(|line| line.ends_with("/login/session/")).count(), 2);
}

#[test]
fn a_login_by_mail_is_made_once_for_all() {
    let mut bench = Bench::new();
    let text = bench.config_without(&["token = { file"]);
    bench.write("vpnctl.toml", &text);
    bench.set("VPNCTL_BACKEND_IXON_EMAIL", "demo@example.org");
    bench.set("VPNCTL_BACKEND_IXON_PASSWORD", "demo:pässword>>?~");
    at_once(&bench, "list -b ixon", 4);
    assert_eq!(bench.count("ixon", "POST /api/access-tokens"), 1);
}

#[test]
fn a_refused_login_is_sent_by_one_of_many() {
    let bench = Bench::with_faults(&["everyware:refuse-login"]);
    let children: Vec<Child> = (0..6).map(|_| bench.start("status -b everyware")).collect();
    for child in children {
        Run::end_of(child, "status".to_owned()).ends(4);
    }
    assert_eq!(bench.count("everyware", "POST /v1/authentication/user"), 1);
}

/// A simulator in a process of its own; it ends with this.
struct Simulator {
    child: Child,
    told: String,
}

impl Simulator {
    /// Starts one and waits until its configuration is written.
    fn start(mut command: Command, line: &str) -> Self {
        command.args(words(line)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut told = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut told).unwrap();
        Self { child, told }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has seen.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_simulators_run_as_a_process_with_a_configuration_that_drives_them() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| {
        let mut command = bare(folder.path());
        command.args(words(line));
        Run::of(command, "")
    };
    let simulator = Simulator::start(bare(folder.path()), "simulate --write-config sim.toml");
    assert!(simulator.told.contains("vpnctl --config sim.toml status --all"), "{}", simulator.told);
    let report = run("--config sim.toml status -A -o json").ends(0).quietly().json();
    assert_eq!((&report["summary"]["total"], &report["summary"]["failed"]), (&9.into(), &0.into()));
    run("--config sim.toml connect -b freebox --switch 'Office PPTP' --interval 100ms").ends(0);
    run("--config sim.toml connect -b everyware gw-lyon-03 --interval 100ms").ends(0);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            #[cfg(unix)]
            assert_eq!(crate::bench::mode(&entry.path()), 0o600, "{:?}", entry.path());
            names.push(entry.file_name().into_string().unwrap());
        }
    }
    names.sort();
    let expected = [
        "sim.ca.pem",
        "sim.everyware-password",
        "sim.freebox-app-token",
        "sim.freebox-ca.pem",
        "sim.ixon-token",
        "sim.toml",
    ];
    assert_eq!(names, expected);
}

#[test]
fn the_simulators_take_faults_vendors_and_devices() {
    let folder = tempfile::tempdir().unwrap();
    let line = "simulate --vendor everyware --devices 30 --fault refuse-login --write-config sim.toml";
    let _simulator = Simulator::start(bare(folder.path()), line);
    let run = |line: &str| {
        let mut command = bare(folder.path());
        command.args(words(line));
        Run::of(command, "")
    };
    // It is the only backend, so nobody has to choose.
    run("--config sim.toml status -o json").ends(4).fails("auth.rejected");
    let mut wrong = bare(folder.path());
    wrong.args(["simulate", "--vendor", "nonsense"]);
    Run::of(wrong, "").ends(2).tells("freebox, ixon, everyware");
}

#[cfg(unix)]
#[test]
fn the_simulators_end_by_a_signal_and_say_where_they_listen() {
    let folder = tempfile::tempdir().unwrap();
    let mut simulator = Simulator::start(bare(folder.path()), "simulate --vendor ixon --write-config sim.toml");
    crate::signals::send("TERM", &simulator.child);
    let status = simulator.child.wait().unwrap();
    assert_eq!(status.code(), Some(143));
    let mut printed = String::new();
    std::io::Read::read_to_string(&mut simulator.child.stdout.take().unwrap(), &mut printed).unwrap();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    assert!(lines[0].starts_with("ixon\tclient\thttps://localhost:"), "{printed}");
    assert!(lines[1].starts_with("ixon\tcloud\thttps://localhost:"), "{printed}");
}
