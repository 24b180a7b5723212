//! What the vendors' APIs do besides what is documented: the commands work all the same.

use crate::bench::Bench;

/// Runs a line under a fault and holds it to its exit code and to the state of its one item.
#[track_caller]
fn holds(bench: &Bench, vendor: &str, fault: &str, line: &str, code: i32, state: &str) {
    bench.fault(vendor, fault);
    let run = bench.run(&format!("{line} -b {vendor} --interval 20ms -o json")).ends(code);
    assert_eq!(run.item()["state"], state, "{fault}: {run}");
    bench.context(vendor).faults.clear_all();
}

#[test]
fn a_freebox_with_its_quirks() {
    let bench = Bench::new();
    for (fault, line, code, state) in [
        ("ipv4-attribute=IPv4", "status", 0, "connected"),
        ("partial-api-version", "status", 0, "connected"),
        ("typographic", "status", 0, "connected"),
        ("put-without-result", "disconnect", 0, "disconnected"),
        ("put-without-result", "connect vpn0", 0, "connected"),
        ("merge-conf", "reconnect vpn0", 0, "connected"),
        ("keeps-others-active", "connect vpn2 --switch", 0, "connected"),
        ("no-error-code", "status", 0, "connected"),
        ("expire-sessions*1", "disconnect", 0, "disconnected"),
        ("challenge-consumed*1", "status", 0, "disconnected"),
        ("plain-400=status", "status", 14, "unknown"),
        ("waiting-wan", "connect vpn0 --timeout 1500ms", 8, "waiting"),
    ] {
        holds(&bench, "freebox", fault, line, code, state);
    }
    for form in ["array", "null", "absent"] {
        let bench = Bench::with_faults(&["freebox:no-tunnels", &format!("freebox:empty-list={form}")]);
        bench.run("list -b freebox").ends(0).tells("nothing to show").without_output();
        bench.run("status -b freebox").ends(0).quietly();
        bench.run("connect -b freebox").ends(2).tells("there is none");
        bench.run("disconnect -b freebox").ends(0).quietly();
    }
}

#[test]
fn a_box_that_was_updated_or_exchanged_is_found_anew() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    bench.fault("freebox", "api-version=4.0");
    bench.run("status -b freebox").ends(0).quietly();
    bench.run("status -b freebox").ends(0).quietly();
    assert!(bench.asked("freebox").last().unwrap().starts_with("GET /api/v4/"));
    bench.context("freebox").faults.clear_all();
    bench.run("status -b freebox").ends(0).quietly();
}

#[test]
fn an_attempt_after_one_that_failed() {
    let bench = Bench::new();
    bench.run("disconnect -b freebox").ends(0);
    for (vendor, fault, target) in
        [("freebox", "tunnel-fails=auth_failed*1", "vpn0"), ("ixon", "step-fails=4:203*1", "'Press 7'")]
    {
        for verb in ["connect", "reconnect"] {
            holds(&bench, vendor, fault, &format!("connect {target}"), 7, "failed");
            // Nothing is taken down in between, and what is shown now is of the attempt before.
            holds(&bench, vendor, "slow=1", &format!("{verb} {target}"), 0, "connected");
            bench.run(&format!("disconnect -b {vendor}")).ends(0);
        }
        holds(&bench, vendor, fault, &format!("connect {target}"), 7, "failed");
        bench.run(&format!("disconnect -b {vendor} -o json")).ends(0);
        let item = bench.run(&format!("status -b {vendor} -o json")).ends(0).item();
        assert_eq!(item["state"], "disconnected", "{item}");
    }
}

#[test]
fn an_ixon_client_with_its_quirks() {
    let bench = Bench::new();
    for fault in [
        "stringified-request",
        "numeric-codes",
        "unpadded-codes",
        "escaped-slashes",
        "unknown-steps",
        "null-request",
        "missing-request",
        "idle-with-request",
        "strict-sector",
        "single-object",
        "no-moreafter",
        "version=garbage",
    ] {
        holds(&bench, "ixon", fault, "connect 'Press 7'", 0, "connected");
        holds(&bench, "ixon", fault, "status", 0, "connected");
        holds(&bench, "ixon", fault, "disconnect", 0, "disconnected");
        holds(&bench, "ixon", fault, "status", 0, "disconnected");
    }
    holds(&bench, "ixon", "unknown-status=dreaming", "status", 0, "unknown");
    holds(&bench, "ixon", "connect-refused=409:Already busy.", "connect 'Press 7'", 14, "disconnected");
    let refused = Bench::with_faults(&["ixon:foreign-hrefs=example.org"]);
    let run = refused.run("status -b ixon -o json").ends(14);
    assert!(run.fails("vendor.protocol")["message"].as_str().unwrap().contains("example.org"), "{run}");
    let endless = Bench::with_faults(&["ixon:cursor-repeats"]);
    let run = endless.run("list -b ixon -o json");
    assert!([0, 14].contains(&run.code), "{run}");
}

#[test]
fn an_ixon_client_that_somebody_else_uses() {
    let bench = Bench::with_faults(&["ixon:start-connected=AAAAAAAAAAAC"]);
    let item = bench.run("status -b ixon -o json").ends(0).item();
    assert_eq!((&item["state"], &item["target"]["id"]), (&"connected".into(), &"AAAAAAAAAAAC".into()), "{item}");
    bench.run("connect -b ixon 'Press 7' -o json").ends(9).fails("conflict.active");
    bench.run("status -b ixon 'Press 7' --exit-code").ends(3);
    let item = bench.run("connect -b ixon 'Press 8' -o json").ends(0).item();
    assert_eq!(item["changed"], false, "{item}");
    let item = bench.run("disconnect -b ixon -o json").ends(0).item();
    assert_eq!((&item["changed"], &item["target"]["name"]), (&true.into(), &"Press 8".into()), "{item}");
    // A router whose own VPN is off has to be switched on first.
    bench.run("connect -b ixon 'Press 8'").ends(7);
    bench.run("disconnect -b ixon").ends(0);
    let item = bench.run("connect -b ixon 'Press 8' --wake -o json").ends(0).item();
    assert_eq!(item["state"], "connected", "{item}");
}

#[test]
fn an_everyware_cloud_with_its_quirks() {
    let bench = Bench::new();
    for (fault, line, code, state) in [
        ("no-address=empty", "status gw-lyon-03", 0, "disconnected"),
        ("no-address=absent", "status gw-lyon-03", 0, "disconnected"),
        ("not-connected-answer*1", "connect gw-lyon-03", 0, "connected"),
        ("wrapped-disconnect", "disconnect gw-lyon-03", 0, "disconnected"),
        ("connect-late=1", "connect gw-lyon-03", 0, "connected"),
        ("disconnect-path=wrong", "disconnect gw-lyon-03", 0, "disconnected"),
        ("disconnect-path=both", "disconnect gw-lyon-02", 0, "disconnected"),
        ("disconnect-path=neither", "disconnect 00:60:0C:81:5F:2A", 14, "connected"),
        ("offline-as-500", "status gw-turin-04", 5, "unknown"),
        ("no-bundle-as-500", "status gw-oslo-06", 7, "unknown"),
        ("device-timeout=gw-lyon-03", "status gw-lyon-03", 5, "unknown"),
        ("empty-401", "status gw-lyon-03", 0, "disconnected"),
        ("invalidate-tokens", "connect gw-lyon-03", 0, "connected"),
        ("null-display-name", "status gw-oslo-06", 7, "unknown"),
    ] {
        holds(&bench, "everyware", fault, line, code, state);
    }
    for (fault, total) in
        [("legacy-items", 7), ("page-size=2", 7), ("missing-items", 0), ("vpn-connections-status=404", 7)]
    {
        bench.fault("everyware", fault);
        let report = bench.run("list -b everyware -o json").ends(0).json();
        assert_eq!(report["summary"]["total"], total, "{fault}: {report}");
        bench.context("everyware").faults.clear_all();
    }
    bench.fault("everyware", "vpn-connections-status=403");
    bench.run("list -b everyware").ends(0).tells("states are left out");
    // Without the server's list each device is asked, so those that can't answer are told.
    bench.run("status -b everyware").ends(10).prints("gw-lyon-02");
}

#[test]
fn a_freebox_whose_status_names_tunnels_differently_than_its_list() {
    let bench = Bench::with_faults(&["freebox:status-description=test vpn"]);
    for line in ["status vpn1", "status Downloads", "status -b freebox --id vpn1"] {
        for _ in 0..2 {
            let item = bench.run(&format!("{line} -b freebox -o json")).ends(0).item();
            assert_eq!((&item["state"], &item["target"]["id"]), (&"connected".into(), &"vpn1".into()), "{item}");
        }
    }
    bench.context("freebox").log.clear();
    let item = bench.run("reconnect -b freebox -o json").ends(0).item();
    assert_eq!((&item["state"], &item["target"]["id"]), (&"connected".into(), &"vpn1".into()), "{item}");
    assert_eq!(bench.count("freebox", "PUT"), 2, "{:?}", bench.asked("freebox"));
    assert_eq!(bench.run("status -b freebox '*' -o json").ends(0).json()["summary"]["total"], 3);
    assert_eq!(bench.run("disconnect -b freebox Downloads -o json").ends(0).item()["state"], "disconnected");
}

#[test]
fn several_backends_with_one_user_are_refused_once() {
    let bench = Bench::new();
    let url = bench.url("everyware", "api");
    let ca = bench.path("vpnctl.ca.pem");
    let backend = |name: &str, scope: &str| {
        format!(
            "[backend.{name}]\nvendor = \"everyware\"\nurl = \"{url}\"\nscope = \"{scope}\"\nusername = \"operator\"\n\
             password = {{ env = \"EC_WRONG\" }}\ntls.ca_file = \"{}\"\n",
            ca.display()
        )
    };
    let text = [backend("one", "_"), backend("two", "AQ"), backend("three", "Ag")].concat();
    let file = bench.path("three.toml");
    std::fs::write(&file, text).unwrap();
    bench.context("everyware").log.clear();
    for _ in 0..2 {
        bench.run_where("EC_WRONG", "wrong", &format!("status -A --config {} -o json", file.display())).ends(4);
    }
    assert_eq!(bench.count("everyware", "POST"), 1, "{:?}", bench.asked("everyware"));
}

#[test]
fn a_password_manager_that_hangs_ends_with_the_command() {
    let bench = Bench::new();
    let file = bench.path("slow.toml");
    let text = "[backend.home]\nvendor = \"freebox\"\nurl = \"http://127.0.0.1:1\"\napi_version = 8\n\
                app_token = { command = [\"sleep\", \"20\"] }\n";
    std::fs::write(&file, text).unwrap();
    let run = bench.run(&format!("status --config {} --timeout 300ms -o json", file.display())).ends(8);
    run.fails("timeout.deadline");
}
