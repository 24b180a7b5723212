//! `connect`, `disconnect`, `reconnect`: idempotent, truthful, and at an end when it is over.

use serde_json::Value;

use crate::bench::Bench;

const TARGETS: [(&str, &str); 3] = [("freebox", "'Office PPTP'"), ("ixon", "'Press 7'"), ("everyware", "gw-lyon-03")];

/// Counts the writes that a vendor got, logins apart.
fn writes(bench: &Bench, vendor: &str) -> usize {
    let asked = bench.asked(vendor);
    asked.iter().filter(|line| !line.starts_with("GET") && !line.contains("login") && !line.contains("auth")).count()
}

#[track_caller]
fn is(item: &Value, state: &str, changed: bool) {
    assert_eq!((&item["state"], &item["changed"]), (&state.into(), &changed.into()), "{item}");
}

#[test]
fn each_is_idempotent_and_waits_for_its_end() {
    let bench = Bench::new();
    bench.run("disconnect -b freebox").ends(0);
    for (vendor, target) in TARGETS {
        let act = |verb: &str| {
            bench.context(vendor).log.clear();
            let item = bench.run(&format!("{verb} -b {vendor} {target} -o json")).ends(0).quietly().item();
            (item, writes(&bench, vendor))
        };
        let (item, sent) = act("connect");
        is(&item, "connected", true);
        assert_eq!(sent, 1, "{vendor}");
        assert!(item["ip_address"].is_string() || vendor == "ixon", "{item}");
        let (item, sent) = act("connect");
        is(&item, "connected", false);
        assert_eq!(sent, 0, "{vendor}");
        let (item, sent) = act("reconnect");
        is(&item, "connected", true);
        assert_eq!(sent, 2, "{vendor}");
        let (item, sent) = act("disconnect");
        is(&item, "disconnected", true);
        assert_eq!(sent, 1, "{vendor}");
        let (item, sent) = act("disconnect");
        is(&item, "disconnected", false);
        assert_eq!(sent, 0, "{vendor}");
        let (item, sent) = act("reconnect");
        is(&item, "connected", true);
        assert_eq!(sent, 1, "{vendor}");
    }
}

#[test]
fn the_tables_say_what_was_done() {
    let bench = Bench::new();
    let run = bench.run("disconnect -b freebox").ends(0).quietly();
    let rows: Vec<Vec<&str>> = run.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["BACKEND", "TARGET", "ACTION", "CHANGED", "STATE", "ADDRESS", "DETAIL"], "{run}");
    assert_eq!(rows[1], ["freebox", "Downloads", "disconnect", "true", "disconnected", "-", "-"], "{run}");
    assert_eq!(bench.run("connect -b freebox vpn1 -o value").ends(0).stdout, "connected\n");
}

#[test]
fn no_wait_returns_at_once() {
    let bench = Bench::new();
    // Nothing of this ever ends, so who waits would be seen to.
    bench.fault("freebox", "stays-going-up");
    bench.fault("ixon", "never-connects");
    bench.run("disconnect -b freebox --timeout 5s").ends(0);
    for (vendor, target) in &TARGETS[..2] {
        let item = bench.run(&format!("connect -b {vendor} {target} --no-wait -o json")).ends(0).item();
        is(&item, "connecting", true);
        let again = bench.run(&format!("connect -b {vendor} {target} --no-wait -o json")).ends(0).item();
        is(&again, "connecting", false);
        assert_eq!(
            bench.count(vendor, "PUT") + bench.count(vendor, "POST /connect"),
            1 + usize::from(*vendor == "freebox")
        );
    }
}

#[test]
fn an_attempt_under_way_is_joined() {
    let bench = Bench::new();
    bench.run("disconnect -b freebox").ends(0);
    for (vendor, target) in &TARGETS[..2] {
        bench.run(&format!("connect -b {vendor} {target} --no-wait")).ends(0);
        bench.context(vendor).log.clear();
        let item = bench.run(&format!("connect -b {vendor} {target} -o json")).ends(0).item();
        is(&item, "connected", false);
        assert_eq!(writes(&bench, vendor), 0, "{vendor}");
    }
}

#[test]
fn an_attempt_that_fails_ends_at_once_with_the_vendors_reason() {
    let bench = Bench::new();
    bench.run("disconnect -b freebox").ends(0);
    for (word, code) in [
        ("auth_failed", "tunnel.auth_failed"),
        ("resolv_failed", "tunnel.resolv_failed"),
        ("connect_timeout", "tunnel.connect_timeout"),
        ("connect_failed", "tunnel.connect_failed"),
        ("setup_control_failed", "tunnel.protocol"),
        ("setup_call_failed", "tunnel.protocol"),
        ("remote_terminated", "tunnel.remote_closed"),
        ("remote_disconnect", "tunnel.remote_closed"),
    ] {
        bench.fault("freebox", &format!("tunnel-fails={word}"));
        let run = bench.run("connect -b freebox vpn0 -o json").ends(7);
        let error = run.fails(code);
        assert_eq!((&error["vendor_code"], &error["layer"]), (&word.into(), &"tunnel".into()), "{run}");
        is(&run.item(), "failed", true);
        assert_eq!(run.item()["last_error"]["code"], word);
        bench.run("disconnect -b freebox").ends(0);
    }
    for (fault, code, word) in [
        ("failed-keeps-request", "tunnel.step_failed", "No route."),
        ("unknown-steps", "tunnel.step_failed", "No route."),
        // The client forgets at once what went wrong, so nobody can tell.
        ("failed-goes-idle", "tunnel.connect_failed", "gives no reason"),
    ] {
        bench.fault("ixon", fault);
        bench.fault("ixon", "step-fails=openvpn.connection:203:No route.");
        let run = bench.run("connect -b ixon 'Press 7' --interval 10ms -o json").ends(7);
        let error = run.fails(code);
        assert!(error["message"].as_str().unwrap().contains(word), "{run}");
        assert!(error["vendor_code"] == "203" || code == "tunnel.connect_failed", "{run}");
        bench.run("disconnect -b ixon").ends(0);
        bench.context("ixon").faults.clear_all();
    }
}

#[test]
fn an_old_error_is_not_the_new_attempts() {
    let bench = Bench::new();
    bench.run("disconnect -b freebox").ends(0);
    bench.fault("freebox", "tunnel-fails=auth_failed*1");
    bench.run("connect -b freebox vpn0").ends(7);
    // The state still shows the failure of before; the next attempt is another one.
    bench.run("disconnect -b freebox").ends(0);
    bench.fault("freebox", "old-last-error=connect_failed");
    let item = bench.run("connect -b freebox vpn0 -o json").ends(0).item();
    is(&item, "connected", true);
    let bench = Bench::new();
    bench.fault("ixon", "failed-goes-idle");
    bench.fault("ixon", "step-fails=3:203*1");
    bench.run("connect -b ixon 'Press 7' --interval 10ms").ends(7);
    is(&bench.run("connect -b ixon 'Press 7' -o json").ends(0).item(), "connected", true);
}

#[test]
fn another_vpn_in_the_way_is_a_conflict_unless_it_is_switched() {
    let bench = Bench::new();
    bench.run("connect -b ixon 'Press 7'").ends(0);
    for (vendor, target, other) in [("freebox", "'Office PPTP'", "Downloads"), ("ixon", "CUTTERLINE04", "Press 7")] {
        bench.context(vendor).log.clear();
        let run = bench.run(&format!("connect -b {vendor} {target} -o json")).ends(9);
        let error = run.fails("conflict.active");
        assert!(error["message"].as_str().unwrap().contains(&format!("`{other}`")), "{run}");
        assert!(error["hint"].as_str().unwrap().contains("--switch"), "{run}");
        assert_eq!(writes(&bench, vendor), 0, "{run}");
        is(&run.item(), "disconnected", false);
        let item = bench.run(&format!("connect -b {vendor} {target} --switch -o json")).ends(0).item();
        is(&item, "connected", true);
        assert_eq!(writes(&bench, vendor), 2, "{item}");
        assert_eq!(bench.run(&format!("status -b {vendor} -o json")).ends(0).item()["target"], item["target"]);
    }
    // To disconnect what is not connected disturbs nobody.
    is(&bench.run("disconnect -b freebox vpn1 -o json").ends(0).item(), "disconnected", false);
    bench.run("status -b freebox").ends(0).prints("connected");
}

#[test]
fn at_the_deadline_it_is_a_timeout() {
    let bench = Bench::new();
    bench.run("disconnect -b freebox").ends(0);
    bench.fault("freebox", "stays-going-up");
    bench.fault("ixon", "never-connects");
    bench.fault("everyware", "connect-never");
    for ((vendor, target), state) in TARGETS.iter().zip(["connecting", "connecting", "disconnected"]) {
        // Time enough to get there, also where much else runs.
        let line = format!("connect -b {vendor} {target} --timeout 4s -o json");
        let run = bench.run(&line).ends(8);
        let error = run.fails("timeout.deadline");
        assert_eq!(error["retryable"], true, "{run}");
        is(&run.item(), state, true);
        assert_eq!(run.item()["error"]["code"], "timeout.deadline", "{run}");
    }
}

#[test]
fn a_write_whose_outcome_is_unknown_is_sent_once() {
    let bench = Bench::new();
    bench.run("disconnect -b freebox").ends(0);
    for (vendor, target) in TARGETS {
        bench.run(&format!("status -b {vendor} {target}")).ends(0);
    }
    for (vendor, target, fault, path) in [
        ("freebox", "vpn0", "http-status=502@config/vpn0", "PUT "),
        ("ixon", "'Press 7'", "http-status=504@/connect", "POST /connect"),
        ("everyware", "gw-lyon-03", "device-timeout=gw-lyon-03*1", "POST "),
    ] {
        bench.context(vendor).log.clear();
        bench.fault(vendor, fault);
        // The read before the write has to get through.
        if vendor == "everyware" {
            bench.context(vendor).faults.clear_all();
            bench.fault(vendor, "http-status=502@_connect");
        }
        let run = bench.run(&format!("connect -b {vendor} {target} -o json")).ends(8);
        let error = run.fails("timeout.unknown_outcome");
        assert!(error["message"].as_str().unwrap().contains("disconnected"), "{run}");
        assert_eq!(bench.count(vendor, path), 1, "{run}");
        bench.context(vendor).faults.clear_all();
    }
}

#[test]
fn a_write_that_was_done_although_its_answer_was_lost_is_done() {
    let bench = Bench::new();
    for fault in ["proxy-page=504@_connect*1", "timeout-but-done*1"] {
        bench.run("disconnect -b everyware gw-lyon-03").ends(0);
        bench.context("everyware").log.clear();
        bench.fault("everyware", fault);
        is(&bench.run("connect -b everyware gw-lyon-03 -o json").ends(0).item(), "connected", true);
        assert_eq!(bench.count("everyware", "POST /v1/_/devices"), 1, "{fault}");
    }
}

#[test]
fn a_device_that_answers_late_is_waited_for() {
    let bench = Bench::new();
    bench.fault("everyware", "connect-late=2");
    let item = bench.run("connect -b everyware gw-lyon-03 --interval 20ms -o json").ends(0).item();
    is(&item, "connected", true);
    assert_eq!(bench.count("everyware", "POST /v1/_/devices"), 1);
}

#[test]
fn devices_fail_for_reasons_of_their_own() {
    let bench = Bench::new();
    for (line, code, exit) in [
        ("connect -b everyware gw-turin-04", "device.offline", 5),
        ("disconnect -b everyware gw-bergen-07", "device.offline", 5),
        ("connect -b everyware gw-oslo-06", "device.no_vpn", 7),
        ("connect -b ixon 'Boiler 3'", "tunnel.step_failed", 7),
    ] {
        let run = bench.run(&format!("{line} -o json")).ends(exit);
        let error = run.fails(code);
        assert!(!error["hint"].is_null(), "{run}");
        assert_eq!(run.item()["changed"], code == "tunnel.step_failed", "{run}");
    }
    bench.fault("everyware", "device-fails=No server.");
    let run = bench.run("connect -b everyware gw-lyon-03 -o json").ends(7);
    assert!(run.fails("device.failed")["message"].as_str().unwrap().contains("No server."), "{run}");
    bench.context("everyware").faults.clear_all();
    bench.fault("everyware", "no-permission=device_management:execute");
    let run = bench.run("connect -b everyware gw-lyon-03 -o json").ends(11);
    assert!(run.fails("auth.forbidden")["message"].as_str().unwrap().contains("device_management:execute"), "{run}");
    let bench = Bench::with_faults(&["freebox:no-settings-right"]);
    let run = bench.run("disconnect -b freebox -o json").ends(11);
    let error = run.fails("auth.forbidden");
    assert!(error["message"].as_str().unwrap().contains("settings"), "{run}");
    assert_eq!(error["vendor_code"], "insufficient_rights", "{run}");
    bench.run("status -b freebox").ends(0);
}

#[test]
fn without_a_target_one_has_to_be_meant() {
    let bench = Bench::new();
    bench.run("connect -b freebox").ends(2).tells("Office PPTP, Downloads, Lyon WireGuard");
    bench.run("connect -b everyware").ends(2).tells("which target?").without_output();
    bench.run("disconnect -b everyware").ends(2).tells("which target?").without_output();
    let item = bench.run("disconnect -b freebox -o json").ends(0).item();
    assert_eq!(item["target"]["id"], "vpn1");
    is(&item, "disconnected", true);
    is(&bench.run("disconnect -b freebox -o json").ends(0).item(), "disconnected", false);
    let agent = bench.run_where("VPNCTL_BACKEND_IXON_AGENT", "Press 7", "connect -b ixon -o json").ends(0).item();
    assert_eq!(agent["target"]["id"], "AAAAAAAAAAAA");
    let again = bench.run("reconnect -b ixon -o json").ends(0).item();
    assert_eq!(again["target"]["id"], "AAAAAAAAAAAA");
    is(&bench.run("disconnect -b ixon -o json").ends(0).item(), "disconnected", true);
}

#[test]
fn a_tunnel_that_is_up_is_kept_where_no_login_is_there_to_bring_one_up() {
    let bench = Bench::new();
    bench.run("connect -b ixon 'Press 7'").ends(0);
    let whole = bench.config();
    bench.write("vpnctl.toml", &bench.config_without(&["token = {"]));
    for line in ["reconnect --id AAAAAAAAAAAA", "connect --id BBBBBBBBBBBB --switch"] {
        bench.context("ixon").log.clear();
        let run = bench.run(&format!("{line} -b ixon -o json")).ends(4);
        run.fails("auth.required");
        is(&run.item(), if line.starts_with("re") { "connected" } else { "disconnected" }, false);
        assert_eq!(writes(&bench, "ixon"), 0, "{run}");
    }
    bench.write("vpnctl.toml", &whole);
    assert_eq!(bench.run("status -b ixon -o json").ends(0).item()["state"], "connected");
}

#[test]
fn an_old_ixon_client_is_warned_about_once_and_before_the_write() {
    let bench = Bench::with_faults(&["ixon:version=1.4.2", "ixon:old-accepted"]);
    for line in ["status -b ixon", "list -b ixon", "connect -b ixon 'Press 7'", "disconnect -b ixon"] {
        let run = bench.run(line).ends(0);
        assert_eq!(run.stderr.lines().count(), 1, "{run}");
        run.tells("1.4.7");
        let quiet = bench.run(&format!("{line} -q")).ends(0);
        assert_eq!(quiet.stderr, "", "{quiet}");
    }
}
