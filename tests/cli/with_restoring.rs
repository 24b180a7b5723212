//! What `with` brings back: what others did meanwhile, what fails for a moment, what can't be told.

use crate::bench::Bench;
use crate::with::{UNTIL_GO, end, idle, now, running, switched, writes};

#[test]
fn what_others_did_meanwhile_is_respected() {
    let mut bench = idle();
    bench.set("TOOL", env!("CARGO_BIN_EXE_vpnctl"));
    let tool = |line: &str| format!("\"$TOOL\" {line} --interval 20ms > out 2>&1 || exit 99; exit 2");
    // Disconnected already: nothing is left to do.
    bench.write("script", &tool("disconnect -b freebox"));
    bench.run("with -b freebox vpn0 -- sh script").ends(2).quietly();
    assert_eq!(switched(&bench), ["vpn0 on", "vpn0 off"]);
    // Somebody has connected another one: that is theirs.
    bench.context("freebox").log.clear();
    bench.write("script", &tool("connect -b freebox vpn2 --switch"));
    bench.run("with -b freebox vpn0 -- sh script").ends(2).tells("left alone");
    assert_eq!(switched(&bench), ["vpn0 on", "vpn0 off", "vpn2 on"]);
    // The displaced one is back already.
    bench.context("freebox").log.clear();
    bench.run("with -b freebox vpn0 --switch -- sh script").ends(2).quietly();
    assert_eq!(switched(&bench), ["vpn2 off", "vpn0 on", "vpn0 off", "vpn2 on"]);
    assert_eq!(now(&bench, "freebox"), ("connected".to_owned(), Some("vpn2".to_owned())));
}

#[test]
fn what_was_on_before_and_went_down_comes_back() {
    let mut bench = Bench::new();
    bench.set("TOOL", env!("CARGO_BIN_EXE_vpnctl"));
    bench.write("script", "\"$TOOL\" disconnect \"$VPNCTL_TARGET\" --interval 20ms > out");
    for (vendor, target, state) in
        [("freebox", "Downloads", "freebox"), ("everyware", "gw-lyon-02", "everyware gw-lyon-02")]
    {
        bench.run(&format!("with '{vendor}/{target}' -- sh script")).ends(0).quietly();
        assert_eq!((now(&bench, state).0.as_str(), writes(&bench, vendor)), ("connected", 2), "{vendor}");
    }
}

#[test]
fn where_bringing_back_fails_it_is_told_what_is_left_and_how_to_repair_it() {
    for (script, code) in [("exit 0", 125), ("exit 3", 3)] {
        let bench = idle();
        let child = running(&bench, "-b freebox vpn0 --timeout 2s -o json", &format!("{UNTIL_GO} {script}"));
        bench.fault("freebox", "http-status=503");
        bench.write("go", "");
        let run = end(child).ends(code).without_output();
        let error = run.error();
        assert_eq!((&error["layer"], &error["target"]), (&"http".into(), &"Office PPTP".into()), "{run}");
        assert!(error["message"].as_str().unwrap().contains("was not brought back"), "{run}");
        assert_eq!(error["hint"], "run: vpnctl disconnect \"freebox/Office PPTP\"");
        assert_eq!(switched(&bench).len(), 1);
    }
    let bench = Bench::new();
    let child = running(&bench, "-b freebox vpn0 --switch", &format!("{UNTIL_GO} exit 0"));
    bench.fault("freebox", "tunnel-fails=remote_terminated");
    bench.write("go", "");
    let run = end(child)
        .ends(125)
        .tells("`Downloads` is failed now")
        .tells("hint: run: vpnctl connect --switch freebox/Downloads");
    assert!(run.stderr.lines().count() == 2, "{run}");
}

#[test]
fn a_write_of_unknown_outcome_is_not_repeated_while_bringing_back() {
    for (vendor, target, fault) in [
        ("freebox", "Office PPTP", "http-status=503@config/vpn0"),
        ("everyware", "gw-lyon-03", "http-status=503@_disconnect"),
    ] {
        let bench = idle();
        let child =
            running(&bench, &format!("'{vendor}/{target}' --timeout 3s -o json"), &format!("{UNTIL_GO} exit 0"));
        bench.fault(vendor, fault);
        bench.write("go", "");
        let error = end(child).ends(125).without_output().fails("timeout.unknown_outcome");
        assert!(error["hint"].as_str().unwrap().starts_with("run: vpnctl disconnect "), "{error}");
        assert_eq!(writes(&bench, vendor), 2, "{:?}", bench.asked(vendor));
    }
}

#[test]
fn what_was_refused_for_a_moment_is_tried_again() {
    let bench = Bench::new();
    let child = running(&bench, "-b freebox vpn0 --switch", &format!("{UNTIL_GO} exit 0"));
    bench.fault("freebox", "activation=busy*2");
    bench.write("go", "");
    end(child).ends(0).tells("tried again");
    assert_eq!(switched(&bench)[2..], ["vpn0 off", "vpn1 on", "vpn1 on", "vpn1 on"]);
    assert_eq!(now(&bench, "freebox"), ("connected".to_owned(), Some("vpn1".to_owned())));
}

#[test]
fn a_vendor_that_is_away_for_a_moment_is_asked_again() {
    let bench = idle();
    let child = running(&bench, "-b freebox vpn0", &format!("{UNTIL_GO} exit 0"));
    // More than one reading's repeats.
    bench.fault("freebox", "http-status=503*6");
    bench.write("go", "");
    end(child).ends(0).tells("tried again");
    assert_eq!(switched(&bench), ["vpn0 on", "vpn0 off"]);
    assert_eq!(now(&bench, "freebox").0, "disconnected");
}

#[test]
fn a_session_that_ended_meanwhile_is_no_obstacle() {
    let bench = idle();
    let child = running(&bench, "-b freebox vpn0", &format!("{UNTIL_GO} exit 0"));
    bench.fault("freebox", "expire-sessions*1");
    bench.write("go", "");
    end(child).ends(0).quietly();
    assert_eq!(switched(&bench), ["vpn0 on", "vpn0 off"]);
}

#[test]
fn it_is_brought_back_also_where_nobody_reads_what_is_told() {
    let bench = idle();
    let mut child = running(&bench, "-b freebox vpn0 -v", &format!("{UNTIL_GO} exit 4"));
    drop(child.stderr.take());
    drop(child.stdout.take());
    // So that there is something to tell.
    bench.fault("freebox", "http-status=503*6");
    bench.write("go", "");
    end(child).ends(4);
    assert_eq!(now(&bench, "freebox").0, "disconnected");
}
