//! `with`: a command runs while a target is connected, and what was there before is there afterwards, whatever ended it.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bench::Bench;
use crate::run::Run;

const TARGETS: [(&str, &str); 3] = [("freebox", "Office PPTP"), ("ixon", "Press 7"), ("everyware", "gw-lyon-03")];
/// Says that it runs, and goes on until it is told to end.
pub(crate) const UNTIL_GO: &str = ": > began; while [ ! -e go ]; do sleep 0.02; done; ";

/// Starts all vendors with nothing connected that these tests connect.
pub(crate) fn idle() -> Bench {
    let bench = Bench::new();
    bench.run("disconnect -b freebox").ends(0);
    bench.context("freebox").log.clear();
    bench
}

/// Gives the state of a backend's one VPN, and whose it is.
#[track_caller]
pub(crate) fn now(bench: &Bench, line: &str) -> (String, Option<String>) {
    let item = bench.run(&format!("status -b {line} -o json")).ends(0).item();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    (text(&item["state"]).unwrap(), text(&item["target"]["id"]))
}

/// Gives what the box was told to switch on and off, in order.
pub(crate) fn switched(bench: &Bench) -> Vec<String> {
    let entries = bench.context("freebox").log.entries();
    let puts = entries.iter().filter(|entry| entry.method == "PUT");
    puts.map(|entry| {
        let body: Value = serde_json::from_str(&entry.body).unwrap();
        let id = entry.path.rsplit('/').next().unwrap();
        format!("{id} {}", if body["active"] == true { "on" } else { "off" })
    })
    .collect()
}

/// Counts the writes that a vendor got, logins apart.
pub(crate) fn writes(bench: &Bench, vendor: &str) -> usize {
    let asked = bench.asked(vendor);
    asked.iter().filter(|line| !line.starts_with("GET") && !line.contains("login") && !line.contains("auth")).count()
}

/// Starts the binary in a group of its own, so that what it gets does not look typed.
pub(crate) fn start(bench: &Bench, line: &str) -> Child {
    let mut command = bench.command(line);
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[track_caller]
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(30), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Starts a script below the binary, and waits until it runs.
pub(crate) fn running(bench: &Bench, flags: &str, script: &str) -> Child {
    bench.write("script", script);
    let child = start(bench, &format!("with {flags} -- sh script"));
    until("the command runs", || bench.path("began").exists());
    child
}

pub(crate) fn end(child: Child) -> Run {
    Run::end_of(child, "with".to_owned())
}

#[test]
fn each_vendor_is_connected_for_as_long_as_the_command_runs() {
    let bench = idle();
    bench.write("script", "env | grep ^VPNCTL_ | grep -v -e CONFIG -e STATE | sort; exit $1");
    for (vendor, target) in TARGETS {
        for code in [0, 3] {
            bench.context(vendor).log.clear();
            let line = format!("with '{vendor}/{target}' -- sh script {code}");
            let run = bench.run_where("VPNCTL_IP_ADDRESS", "192.0.2.1", &line).ends(code).quietly();
            let address = match vendor {
                "freebox" => "VPNCTL_IP_ADDRESS=192.168.27.65\n",
                "everyware" => "VPNCTL_IP_ADDRESS=10.200.12.51\n",
                // The client tells none, and what was there before is not the VPN's.
                _ => "",
            };
            assert_eq!(run.stdout, format!("VPNCTL_BACKEND={vendor}\n{address}VPNCTL_TARGET={target}\n"));
            assert_eq!(writes(&bench, vendor), 2, "{vendor}: {:?}", bench.asked(vendor));
            let state = if vendor == "everyware" { format!("{vendor} '{target}'") } else { vendor.to_owned() };
            assert_eq!(now(&bench, &state).0, "disconnected", "{vendor}");
        }
    }
}

#[test]
fn the_state_while_the_command_runs_is_connected() {
    let mut bench = idle();
    bench.set("TOOL", env!("CARGO_BIN_EXE_vpnctl"));
    bench.write("script", "\"$TOOL\" status \"$VPNCTL_TARGET\" -o value");
    for (vendor, target) in TARGETS {
        // Inside, the backend is the one that is meant by itself.
        let run = bench.run(&format!("with '{vendor}/{target}' -- sh script")).ends(0).quietly();
        assert_eq!(run.stdout, "connected\n", "{vendor}");
    }
}

#[test]
fn a_command_that_a_signal_ends_has_the_code_that_shells_give() {
    let bench = idle();
    for (signal, code) in [("KILL", 137), ("TERM", 143), ("ABRT", 134)] {
        bench.run(&format!("with -b freebox vpn0 -- sh -c 'kill -s {signal} $$'")).ends(code).quietly();
        assert_eq!(now(&bench, "freebox").0, "disconnected");
    }
    bench.run("with -b freebox vpn0 -- sh -c 'exit 255'").ends(255).quietly();
}

#[test]
fn standard_input_is_the_commands() {
    let bench = idle();
    let run = bench.run_with("with -b freebox vpn0 -- cat", "one\ntwo").ends(0).quietly();
    assert_eq!(run.stdout, "one\ntwo");
}

#[test]
fn what_cannot_run_is_told_before_any_request() {
    let bench = Bench::new();
    let file = bench.write("plain", "no program");
    std::fs::create_dir(bench.path("folder")).unwrap();
    bench.requests();
    for (command, code) in
        [("there-is-none", 127), ("./there-is-none", 127), ("''", 127), ("./plain", 126), ("./folder", 126)]
    {
        bench.run(&format!("with -b freebox vpn0 --switch -- {command}")).ends(code).without_output().tells("hint: ");
    }
    let run = bench.run(&format!("with -b freebox vpn0 -o json -- {}", file.display())).ends(126);
    assert_eq!(run.fails("usage")["exit"], 126);
    assert_eq!(bench.requests(), 0);
}

#[test]
fn a_command_that_is_found_and_cannot_be_started_leaves_nothing_behind() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = idle();
    for (text, code) in [("#!/there/is/none\n", 127), ("\u{1}\u{2}\u{3}\n", 126)] {
        let path = bench.write("odd", text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        bench.context("freebox").log.clear();
        bench.run("with -b freebox vpn0 -- ./odd").ends(code).without_output();
        assert_eq!(switched(&bench), ["vpn0 on", "vpn0 off"]);
    }
}

#[test]
fn vpnctls_own_failures_have_one_code() {
    let bench = Bench::new();
    for (line, code) in [
        ("with -o json", "usage"),
        ("with -o json freebox/vpn0", "usage"),
        ("with -o json freebox/vpn0 freebox/vpn2 -- true", "usage"),
        ("with -o json freebox/vpn0 --nonsense -- true", "usage"),
        ("-o json -b freebox --nonsense with vpn0 -- true", "usage"),
        ("with -o json -b everyware -- true", "usage"),
        ("with -o json -b freebox -- true", "usage"),
        ("with -o json 'everyware/gw-*' -- true", "usage"),
        ("with -o json vpn0 -b nobody -- true", "backend.unknown"),
        ("with -o json freebox/nope -- true", "target.not_found"),
        ("with -o json freebox/vpn0 -- true", "conflict.active"),
        ("with -o json freebox/vpn0 --config there-is-none -- true", "config.invalid"),
    ] {
        bench.run(line).ends(125).without_output().fails(code);
    }
    assert_eq!((writes(&bench, "freebox"), writes(&bench, "everyware")), (0, 0));
    // Other verbs have their own codes, whatever stands behind `--`.
    bench.run("status --nonsense -- with").ends(2);
    bench.run("-b with status").ends(6);
    bench.run("with --help").ends(0).prints("VPNCTL_IP_ADDRESS");
}

#[test]
fn guards_refuse_before_any_request() {
    let mut bench = Bench::new();
    bench.requests();
    bench.run("with -b freebox vpn0 --switch --read-only -o json -- true").ends(125).fails("conflict.guard");
    bench.set("VPNCTL_BACKEND_FREEBOX_READ_ONLY", "true");
    bench.run("with freebox/vpn0 --switch -o json -- true").ends(125).fails("conflict.guard");
    assert_eq!(bench.requests(), 0);
}

#[test]
fn a_dry_run_tells_and_neither_changes_nor_runs_anything() {
    let bench = Bench::new();
    let run = bench.run("with -b freebox 'Office PPTP' --switch --dry-run -- sh -c ': > ran'").ends(0).without_output();
    run.tells("would disconnect `Downloads`")
        .tells("would connect `Office PPTP`")
        .tells("would run `sh`, then disconnect `Office PPTP` and connect `Downloads` again");
    bench.run("with -b freebox Downloads --dry-run -- true").ends(0).tells("leave `Downloads` on");
    bench.run("with -b freebox vpn0 --dry-run -- true").ends(125).tells("--switch");
    assert!(!bench.path("ran").exists());
    assert_eq!(writes(&bench, "freebox"), 0);
}

#[test]
fn what_was_connected_before_stays() {
    let bench = Bench::new();
    let run = bench.run("with -b freebox Downloads -- sh -c 'echo $VPNCTL_IP_ADDRESS; exit 4'").ends(4).quietly();
    assert_eq!(run.stdout, "10.8.0.6\n");
    assert_eq!(now(&bench, "freebox"), ("connected".to_owned(), Some("vpn1".to_owned())));
    assert_eq!(writes(&bench, "freebox"), 0);
    bench.run("with everyware/gw-lyon-02 -- true").ends(0).quietly();
    assert_eq!((now(&bench, "everyware gw-lyon-02").0.as_str(), writes(&bench, "everyware")), ("connected", 0));
    // One that is coming up is joined.
    bench.run("connect -b ixon 'Press 7' --no-wait").ends(0);
    bench.run("with 'ixon/Press 7' -- true").ends(0).quietly();
    assert_eq!((now(&bench, "ixon").0.as_str(), writes(&bench, "ixon")), ("connected", 1));
}

#[test]
fn what_a_switch_displaced_comes_back() {
    let bench = Bench::new();
    for (script, code) in [("exit 0", 0), ("exit 9", 9), ("kill -s KILL $$", 137)] {
        bench.context("freebox").log.clear();
        bench.run(&format!("with -b freebox vpn0 --switch -- sh -c '{script}'")).ends(code).quietly();
        assert_eq!(switched(&bench), ["vpn1 off", "vpn0 on", "vpn0 off", "vpn1 on"]);
        assert_eq!(now(&bench, "freebox"), ("connected".to_owned(), Some("vpn1".to_owned())));
    }
    bench.run("connect -b ixon 'Press 7'").ends(0);
    let before = now(&bench, "ixon");
    bench.run("with -b ixon CUTTERLINE04 --switch -- true").ends(0).quietly();
    assert_eq!((now(&bench, "ixon"), writes(&bench, "ixon")), (before, 5));
}

#[test]
fn a_connect_that_fails_brings_back_what_it_displaced_and_tells_the_vendors_reason() {
    let bench = Bench::new();
    bench.fault("freebox", "tunnel-fails=auth_failed*1");
    let run = bench.run("with -b freebox vpn0 --switch -o json -- sh -c ': > ran'").ends(125).without_output();
    assert_eq!(run.fails("tunnel.auth_failed")["vendor_code"], "auth_failed");
    assert_eq!(switched(&bench), ["vpn1 off", "vpn0 on", "vpn0 off", "vpn1 on"]);
    assert_eq!(now(&bench, "freebox"), ("connected".to_owned(), Some("vpn1".to_owned())));
    bench.fault("freebox", "activation=inval*1");
    bench.context("freebox").log.clear();
    bench.run("with -b freebox vpn0 --switch -o json -- sh -c ': > ran'").ends(125).fails("usage");
    assert_eq!(switched(&bench), ["vpn1 off", "vpn0 on", "vpn1 on"]);
    assert_eq!(now(&bench, "freebox"), ("connected".to_owned(), Some("vpn1".to_owned())));
    assert!(!bench.path("ran").exists());
}

#[test]
fn a_refused_connect_that_changed_nothing_is_not_followed_by_writes() {
    let bench = idle();
    bench.fault("freebox", "activation=inval");
    bench.run("with -b freebox vpn0 -o json -- true").ends(125).fails("usage");
    assert_eq!(switched(&bench), ["vpn0 on"]);
}

#[test]
fn a_connect_whose_answer_is_lost_is_not_repeated_and_what_it_displaced_comes_back() {
    let bench = Bench::new();
    bench.fault("freebox", "slow=1500@config/vpn0");
    let line = "with -b freebox vpn0 --switch --request-timeout 400ms --timeout 5s -o json -- sh -c ': > ran'";
    let error = bench.run(line).ends(125).without_output().fails("timeout.unknown_outcome");
    // More time would not have brought the answer.
    assert_eq!(error["hint"], "the command was not run; look with `vpnctl status -b freebox`, and try again");
    let on = switched(&bench).iter().filter(|line| *line == "vpn0 on").count();
    assert!(on <= 1, "{:?}", switched(&bench));
    assert_eq!(now(&bench, "freebox"), ("connected".to_owned(), Some("vpn1".to_owned())));
    assert!(!bench.path("ran").exists());
}

#[test]
fn the_deadline_bounds_connecting_and_what_was_begun_is_taken_back() {
    let bench = idle();
    bench.fault("freebox", "stays-going-up");
    bench.fault("ixon", "never-connects");
    for (vendor, target) in &TARGETS[..2] {
        let line = format!("with '{vendor}/{target}' --timeout 700ms -o json -- sh -c ': > ran'");
        let run = bench.run(&line).ends(125).without_output();
        assert!(run.fails("timeout.deadline")["hint"].as_str().unwrap().contains("--timeout"), "{run}");
        assert_eq!((now(&bench, vendor).0.as_str(), writes(&bench, vendor)), ("disconnected", 2), "{vendor}");
    }
    assert!(!bench.path("ran").exists());
}

#[test]
fn a_device_that_comes_up_late_is_told_to_disconnect_though_it_reads_so() {
    let bench = Bench::with_faults(&["everyware:connect-late=100000"]);
    for flags in ["--timeout 700ms", "--no-wait"] {
        bench.context("everyware").log.clear();
        let run = bench.run(&format!("with everyware/gw-lyon-03 {flags} -- sh -c ': > ran'"));
        run.ends(125).without_output();
        let asked = bench.asked("everyware");
        let told: Vec<&str> =
            asked.iter().filter_map(|line| line.rsplit_once("/vpn/_").map(|(_, verb)| verb)).collect();
        assert_eq!(told, ["connect", "disconnect"], "{flags}: {asked:?}");
        assert!(!bench.path("ran").exists());
    }
    // What was refused was never begun, so nothing is taken back.
    bench.fault("everyware", "device-fails=no");
    bench.context("everyware").log.clear();
    bench.run("with everyware/gw-lyon-03 -- true").ends(125);
    assert_eq!(writes(&bench, "everyware"), 1, "{:?}", bench.asked("everyware"));
}

#[test]
fn where_the_first_step_and_bringing_back_fail_the_line_that_repairs_it_is_last() {
    let bench = Bench::new();
    bench.run("list -b freebox").ends(0);
    bench.context("freebox").log.clear();
    bench.fault("freebox", "slow=1500@config/vpn1");
    let child = start(&bench, "with -b freebox vpn0 --switch --request-timeout 400ms --timeout 2s -- true");
    until("the state was read", || bench.asked("freebox").iter().any(|line| line.ends_with("/status")));
    bench.fault("freebox", "http-status=503");
    let run = end(child).ends(125).without_output().tells("whether `Downloads` will disconnect is not known");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.last(), Some(&"hint: run: vpnctl connect --switch freebox/Downloads"), "{run}");
    assert_eq!(run.stderr.matches("not brought back").count(), 1, "{run}");
    assert_eq!(run.stderr.matches("hint: ").count(), 1, "{run}");
    assert!(!run.stderr.contains("--timeout"), "{run}");
}

#[test]
fn a_backend_that_cannot_be_looked_at_is_told_and_not_taken_for_a_second_target() {
    let bench = idle();
    bench.fault("ixon", "http-status=500");
    for name in ["vpn0", "nope"] {
        let run = bench.run(&format!("with -A {name} -o json -- true")).ends(125).without_output();
        let message = run.error()["message"].as_str().unwrap().to_owned();
        assert!(!message.contains("are meant"), "{run}");
        assert_eq!(run.error()["backend"], if name == "nope" { "everyware" } else { "ixon" }, "{run}");
        assert_eq!(message.contains("ixon: "), name == "nope", "{run}");
    }
    assert_eq!(writes(&bench, "freebox"), 0);
}

#[test]
fn the_deadline_does_not_bound_the_command_and_bringing_back_has_its_own() {
    let bench = idle();
    bench.run("with -b freebox vpn0 --timeout 1500ms -- sleep 1.7").ends(0).quietly();
    assert_eq!(switched(&bench), ["vpn0 on", "vpn0 off"]);
}

#[test]
fn without_waiting_the_command_runs_at_once() {
    let bench = idle();
    bench.fault("freebox", "stays-going-up");
    let run = bench.run("with -b freebox vpn0 --no-wait -- sh -c 'echo ${VPNCTL_IP_ADDRESS-none}'").ends(0).quietly();
    assert_eq!(run.stdout, "none\n");
    assert_eq!(switched(&bench), ["vpn0 on", "vpn0 off"]);
    assert_eq!(now(&bench, "freebox").0, "disconnected");
}

#[test]
fn the_target_is_named_so_that_it_is_found_by_it() {
    let bench = idle();
    for (target, name) in [
        ("freebox/vpn0", "Office PPTP"),
        ("freebox/office pptp", "Office PPTP"),
        ("ixon/AAAAAAAAAAAA", "Press 7"),
        // Two have the name.
        ("ixon/AAAAAAAAAAAD", "AAAAAAAAAAAD"),
        // It has none.
        ("ixon/AAAAAAAAAAAB", "AAAAAAAAAAAB"),
    ] {
        let line = format!("with '{target}' -- sh -c 'echo $VPNCTL_TARGET'");
        assert_eq!(bench.run(&line).ends(0).quietly().stdout, format!("{name}\n"), "{target}");
    }
    let run = bench.run("with -b ixon --id AAAAAAAAAAAD -- sh -c 'echo $VPNCTL_TARGET'").ends(0).quietly();
    assert_eq!(run.stdout, "AAAAAAAAAAAD\n");
}

#[test]
fn an_outdated_client_is_told_once() {
    let bench = Bench::with_faults(&["ixon:version=1.4.2", "ixon:old-accepted"]);
    let run = bench.run("with 'ixon/Press 7' -- true").ends(0).tells("1.4.2 is outdated");
    assert_eq!(run.stderr.lines().count(), 1, "{run}");
}

#[test]
fn one_that_had_failed_before_is_switched_on_again_and_not_waited_for() {
    let bench = idle();
    bench.fault("freebox", "tunnel-fails=auth_failed");
    bench.run("connect -b freebox vpn1").ends(7);
    bench.context("freebox").faults.clear_all();
    bench.fault("freebox", "stays-going-up");
    bench.context("freebox").log.clear();
    // The other one comes up only when the command is over, and nobody waits for it.
    let run = bench.run("with -b freebox vpn0 --switch --no-wait -- true").ends(0).without_output();
    assert_eq!(switched(&bench), ["vpn1 off", "vpn0 on", "vpn0 off", "vpn1 on"], "{run}");
    assert_eq!(now(&bench, "freebox"), ("connecting".to_owned(), Some("vpn1".to_owned())));
}

#[test]
fn a_demonstration_needs_nothing() {
    let bench = Bench::new();
    let run = bench.run("--demo with 'ixon/Press 7' -- sh -c 'echo $VPNCTL_BACKEND $VPNCTL_TARGET; exit 3'").ends(3);
    assert_eq!(run.quietly().stdout, "ixon Press 7\n");
}
