//! The signals that come to `with`: before its command runs, while it runs, and while what was there is brought back.

use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::Duration;

use crate::bench::Bench;
use crate::signals::send;
use crate::with::{UNTIL_GO, end, idle, now, running, start, switched, until};

#[test]
fn a_signal_while_it_connects_takes_back_what_was_begun() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131)] {
        let bench = idle();
        bench.fault("freebox", "stays-going-up");
        let child = start(&bench, "with -b freebox vpn0 -o json -- sh -c ': > ran'");
        until("it waits", || {
            bench.asked("freebox").last().is_some_and(|last| last.ends_with("/status")) && !switched(&bench).is_empty()
        });
        send(signal, &child);
        let run = end(child).ends(code).without_output();
        assert_eq!(run.fails("interrupted")["exit"], code);
        assert_eq!(switched(&bench), ["vpn0 on", "vpn0 off"], "{signal}");
        assert_eq!(now(&bench, "freebox").0, "disconnected", "{signal}");
        assert!(!bench.path("ran").exists());
    }
}

#[test]
fn a_signal_while_a_device_comes_up_tells_it_to_disconnect() {
    let bench = Bench::with_faults(&["everyware:connect-late=100000"]);
    let child = start(&bench, "with everyware/gw-lyon-03 -- sh -c ': > ran'");
    let asked = |end: &str| bench.asked("everyware").iter().filter(|line| line.ends_with(end)).count();
    until("it waits", || asked("/vpn/_connect") == 1 && asked("/vpn") > 1);
    send("INT", &child);
    end(child).ends(130);
    assert_eq!((asked("/vpn/_connect"), asked("/vpn/_disconnect")), (1, 1));
    assert!(!bench.path("ran").exists());
}

#[test]
fn a_signal_after_a_switch_brings_back_what_was_displaced() {
    let bench = Bench::new();
    bench.fault("freebox", "stays-going-up");
    let child = start(&bench, "with -b freebox vpn0 --switch -- true");
    until("it has switched", || switched(&bench).len() == 2);
    bench.context("freebox").faults.clear_all();
    send("TERM", &child);
    end(child).ends(143).tells("brought back");
    assert_eq!(switched(&bench), ["vpn1 off", "vpn0 on", "vpn0 off", "vpn1 on"]);
    assert_eq!(now(&bench, "freebox"), ("connected".to_owned(), Some("vpn1".to_owned())));
}

#[test]
fn a_signal_while_a_write_is_under_way_waits_for_its_answer() {
    let bench = idle();
    bench.run("list -b freebox").ends(0);
    bench.context("freebox").log.clear();
    bench.fault("freebox", "slow=900@config/vpn0");
    let child = start(&bench, "with -b freebox vpn0 -- true");
    until("the state was read", || bench.count("freebox", "GET") >= 1);
    std::thread::sleep(Duration::from_millis(300));
    send("INT", &child);
    end(child).ends(130);
    assert_eq!(switched(&bench), ["vpn0 on", "vpn0 off"]);
    assert_eq!(now(&bench, "freebox").0, "disconnected");
}

#[test]
fn a_signal_before_anything_was_changed_changes_nothing() {
    let bench = idle();
    bench.fault("freebox", "silent");
    let child = start(&bench, "with -b freebox vpn0 -- true");
    until("it has asked", || bench.context("freebox").log.connections() > 0);
    send("INT", &child);
    end(child).ends(130).tells("nothing was changed");
    bench.context("freebox").faults.clear_all();
    assert!(switched(&bench).is_empty());
}

#[test]
fn a_signal_while_the_command_runs_is_the_commands() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131), ("USR1", 138)] {
        let bench = Bench::new();
        let child = running(&bench, "-b freebox vpn0 --switch", ": > began; exec sleep 30");
        send(signal, &child);
        end(child).ends(code).quietly().without_output();
        assert_eq!(switched(&bench), ["vpn1 off", "vpn0 on", "vpn0 off", "vpn1 on"], "{signal}");
        assert_eq!(now(&bench, "freebox").1.as_deref(), Some("vpn1"), "{signal}");
    }
}

#[test]
fn a_command_that_handles_a_signal_ends_as_it_likes() {
    let bench = idle();
    let script = "trap 'echo bye; exit 7' TERM; : > began; while :; do sleep 0.02; done";
    let child = running(&bench, "-b freebox vpn0", script);
    send("TERM", &child);
    let run = end(child).ends(7).quietly();
    assert_eq!(run.stdout, "bye\n");
    assert_eq!(switched(&bench), ["vpn0 on", "vpn0 off"]);
}

#[test]
fn a_command_that_ignores_signals_is_waited_for() {
    let bench = idle();
    let script = format!("trap '' INT TERM HUP; {UNTIL_GO} exit 5");
    let child = running(&bench, "-b freebox vpn0", &script);
    for signal in ["INT", "TERM", "HUP", "INT"] {
        send(signal, &child);
    }
    bench.write("go", "");
    end(child).ends(5).quietly();
    assert_eq!(switched(&bench), ["vpn0 on", "vpn0 off"]);
}

// Elsewhere a process can't see what it ignores.
#[cfg(target_os = "linux")]
#[test]
fn what_ignores_the_end_of_its_terminal_goes_on() {
    let bench = idle();
    bench.write("script", &format!("{UNTIL_GO} exit 6"));
    // What `nohup` does.
    let outer =
        format!("trap '' HUP; exec {} with -b freebox vpn0 --interval 20ms -- sh script", env!("CARGO_BIN_EXE_vpnctl"));
    let mut command = bench.command("status");
    let variables: Vec<_> =
        command.get_envs().map(|(name, value)| (name.to_owned(), value.unwrap().to_owned())).collect();
    command = std::process::Command::new("sh");
    command.args(["-c", &outer]).env_clear().envs(variables).current_dir(bench.folder.path());
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    until("the command runs", || bench.path("began").exists());
    send("HUP", &child);
    std::thread::sleep(Duration::from_millis(100));
    bench.write("go", "");
    end(child).ends(6).quietly();
    assert_eq!(switched(&bench), ["vpn0 on", "vpn0 off"]);
}

#[test]
fn a_second_signal_gives_up_and_tells_what_is_left() {
    for (script, code) in [("exit 0", 130), ("exit 3", 3)] {
        let bench = idle();
        let child = running(&bench, "-b freebox vpn0", &format!("{UNTIL_GO} {script}"));
        bench.fault("freebox", "http-status=503");
        bench.context("freebox").log.clear();
        bench.write("go", "");
        until("it is being brought back", || bench.count("freebox", "GET") > 0);
        send("INT", &child);
        // Sooner it would be the same one.
        std::thread::sleep(Duration::from_millis(700));
        send("INT", &child);
        let run = end(child).ends(code).tells("interrupt again to give up").tells("may still be connected");
        run.tells("hint: run: vpnctl disconnect \"freebox/Office PPTP\"");
    }
}

#[test]
fn one_signal_does_not_stop_what_is_being_brought_back() {
    let bench = idle();
    let child = running(&bench, "-b freebox vpn0", &format!("{UNTIL_GO} exit 0"));
    bench.fault("freebox", "http-status=503*6");
    bench.context("freebox").log.clear();
    bench.write("go", "");
    until("it is being brought back", || bench.count("freebox", "GET") > 0);
    send("TERM", &child);
    end(child).ends(0).tells("interrupt again to give up");
    assert_eq!(now(&bench, "freebox").0, "disconnected");
}

/// Sends a signal to a process, and to its whole group, as `timeout` does.
fn send_twice(signal: &str, child: &std::process::Child) {
    // Each has to be seen by itself, so the second one comes a moment later.
    let line = format!("kill -s {signal} {id}; sleep 0.02; kill -s {signal} -- -{id}", id = child.id());
    assert!(std::process::Command::new("sh").args(["-c", &line]).status().unwrap().success());
}

#[test]
fn what_the_whole_group_gets_is_not_passed_on_too() {
    let bench = idle();
    let script = "trap ': > got; echo got' TERM; : > began; while [ ! -e go ]; do sleep 0.02; done; exit 7";
    let child = running(&bench, "-b freebox vpn0", script);
    send_twice("TERM", &child);
    until("the command got it", || bench.path("got").exists());
    // For as long as it would be held.
    std::thread::sleep(Duration::from_millis(300));
    bench.write("go", "");
    // The shell tells what became of its own commands, which are in the group too.
    let run = end(child).ends(7);
    assert_eq!(run.stdout, "got\n");
    assert_eq!(switched(&bench), ["vpn0 on", "vpn0 off"]);
}

#[test]
fn two_equal_signals_at_once_are_one() {
    let bench = Bench::new();
    // While it connects.
    bench.fault("freebox", "slow=600@config/vpn0");
    let child = start(&bench, "with -b freebox vpn0 --switch -- true");
    until("it has switched off what was on", || switched(&bench).len() == 1);
    send_twice("TERM", &child);
    let run = end(child).ends(143);
    assert!(!run.stderr.contains("before what was there was brought back"), "{run}");
    assert_eq!(now(&bench, "freebox"), ("connected".to_owned(), Some("vpn1".to_owned())));
    bench.context("freebox").faults.clear_all();
    // While what was there is brought back.
    let child = running(&bench, "-b freebox vpn0 --switch", &format!("{UNTIL_GO} exit 0"));
    bench.fault("freebox", "http-status=503*6");
    bench.context("freebox").log.clear();
    bench.write("go", "");
    until("it is being brought back", || bench.count("freebox", "GET") > 0);
    send_twice("TERM", &child);
    end(child).ends(0).tells("interrupt again to give up");
    assert_eq!(now(&bench, "freebox"), ("connected".to_owned(), Some("vpn1".to_owned())));
}
