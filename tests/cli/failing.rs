//! What servers and networks do wrong: each has its own code, and part of a report is still a report.

use crate::bench::Bench;

/// The port that nothing listens at.
const NOWHERE: &str = "http://127.0.0.1:1";

#[test]
fn a_state_that_could_be_read_is_no_failure() {
    let bench = Bench::new();
    for fault in ["waiting-wan", "unknown-state=dreaming", "old-last-error=auth_failed"] {
        bench.fault("freebox", fault);
        bench.run("status -b freebox").ends(0).quietly();
        bench.context("freebox").faults.clear_all();
    }
    bench.fault("freebox", "tunnel-fails=auth_failed");
    bench.run("disconnect -b freebox").ends(0);
    bench.run("connect -b freebox vpn0").ends(7);
    let item = bench.until("failed", "status -b freebox");
    assert_eq!(item["last_error"]["code"], "auth_failed", "{item}");
    assert!(item["next_retry_s"].is_u64() && item["error"].is_null(), "{item}");
    bench.run("status -b ixon").ends(0).quietly().prints("disconnected");
}

#[test]
fn exit_code_asks_whether_all_are_connected() {
    let bench = Bench::new();
    bench.run("status -b freebox --exit-code").ends(0).quietly();
    bench.run("status -b freebox vpn0 --exit-code").ends(3).quietly().prints("disconnected");
    bench.run("status -b ixon --exit-code -o json").ends(3).quietly();
    bench.run("status -b everyware --exit-code").ends(3).quietly();
    bench.run("status -b everyware gw-lyon-02 --exit-code").ends(0).quietly();
    // What could not be read has its own code, which says more than no.
    bench.run("status -b everyware gw-turin-04 --exit-code").ends(5);
    bench.run("status -A --exit-code -b ixon").ends(2);
}

#[test]
fn different_outcomes_are_partial_and_all_are_told() {
    let bench = Bench::new();
    let mut command = bench.command("status -A --sort -o json --timeout 2s");
    command.env("VPNCTL_BACKEND_IXON_URL", NOWHERE);
    let run = crate::run::Run::of(command, "");
    run.fails("partial");
    let run = run.ends(10);
    let states: Vec<String> = run.items().iter().map(|item| item["state"].to_string()).collect();
    assert_eq!(states.len(), 9, "{run}");
    assert_eq!(states.iter().filter(|state| *state == "\"unknown\"").count(), 1, "{run}");
    assert_eq!(run.json()["summary"]["by_code"], serde_json::json!({"net.refused": 1}), "{run}");
    let mixed = bench.run("status -b everyware gw-lyon-02 gw-turin-04 gw-oslo-06 --sort").ends(10);
    mixed.prints("gw-lyon-02").tells("gw-turin-04").tells("gw-oslo-06").tells("2 of 3 failed");
}

#[test]
fn one_shared_outcome_gives_its_own_code() {
    let bench = Bench::new();
    let run = bench.run("status -b everyware gw-turin-04 gw-spare-05 gw-bergen-07 -o json").ends(5);
    run.fails("device.offline");
    assert_eq!(run.json()["summary"]["failed"], 3);
    bench.run("status -b everyware nobody neither -o json").ends(6).fails("target.not_found");
}

#[test]
fn a_backend_that_is_not_set_up_hides_no_other() {
    let bench = Bench::new();
    let text = bench.config_without(&["/v1\""]);
    let run = bench.run_by(&text, "status -A -o json").ends(10);
    let items = run.items();
    let wrong = items.iter().find(|item| item["backend"] == "everyware").unwrap();
    assert_eq!((&wrong["state"], &wrong["error"]["code"]), (&"unknown".into(), &"config.invalid".into()), "{run}");
    assert!(items.iter().any(|item| item["backend"] == "freebox" && item["state"] == "connected"), "{run}");
}

#[test]
fn a_server_that_is_down_is_unreachable() {
    let bench = Bench::new();
    for vendor in ["freebox", "ixon", "everyware"] {
        let variable = format!("VPNCTL_BACKEND_{}_URL", vendor.to_uppercase());
        for verb in ["status", "disconnect --id x"] {
            let line = format!("{verb} -b {vendor} -o json --timeout 1s");
            let line = if verb == "status" && vendor == "everyware" { format!("{line} --id x") } else { line };
            let run = bench.run_where(&variable, NOWHERE, &line).ends(5);
            let error = run.fails("net.refused");
            assert_eq!(error["layer"], "tcp", "{run}");
            assert_eq!(error["retryable"], true, "{run}");
            assert!(error["message"].as_str().unwrap().contains("127.0.0.1:1"), "{run}");
            assert_eq!(run.item()["state"], "unknown", "{run}");
        }
    }
    let line = "status -b everyware --id x -o json --timeout 1s";
    // No name has so long a part, so the system refuses it without asking anybody.
    let nowhere = format!("http://{}.invalid/v1", "x".repeat(64));
    let dns = bench.run_where("VPNCTL_BACKEND_EVERYWARE_URL", &nowhere, line).ends(5);
    dns.fails("net.dns");
    let ca = bench.path("vpnctl.ixon-token");
    let tls = bench.run_where("VPNCTL_BACKEND_IXON_TLS_CA_FILE", &ca.to_string_lossy(), "status -b ixon -o json");
    assert_eq!(tls.error()["exit"], 13, "{tls}");
    let other = Bench::new();
    let ca = other.path("vpnctl.ca.pem");
    let tls = bench.run_where("VPNCTL_BACKEND_IXON_TLS_CA_FILE", &ca.to_string_lossy(), "status -b ixon -o json");
    assert_eq!(tls.fails("net.tls_untrusted")["layer"], "tls", "{tls}");
}

#[test]
fn an_answer_that_is_no_json_is_the_vendors() {
    let bench = Bench::new();
    for vendor in ["freebox", "ixon", "everyware"] {
        bench.run(&format!("status -b {vendor}")).ends(0);
        for fault in ["not-json", "empty", "body=[1,2", "body={\"a\":1} x"] {
            bench.fault(vendor, fault);
            let run = bench.run(&format!("status -b {vendor} -o json")).ends(14);
            run.fails("vendor.protocol");
            assert_eq!(run.item()["state"], "unknown", "{vendor} {fault}: {run}");
            bench.context(vendor).faults.clear_all();
        }
    }
}

#[test]
fn what_no_api_sends_is_told_and_not_followed() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    let elsewhere = Bench::new();
    let url = elsewhere.url("freebox", "api");
    bench.fault("freebox", &format!("redirect={url}/"));
    let run = bench.run("status -b freebox -o json").ends(14);
    assert!(run.fails("vendor.protocol")["message"].as_str().unwrap().contains(&url), "{run}");
    assert_eq!(elsewhere.requests(), 0, "a session is taken nowhere else");
    bench.context("freebox").faults.clear_all();
    bench.fault("freebox", "reset");
    bench.run("status -b freebox -o json --timeout 1s").ends(5).fails("net.reset");
}

#[test]
fn a_success_of_http_that_is_a_failure_is_one() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    for (body, code, exit) in [
        (r#"{"success":false,"msg":"Oups","error_code":"internal_error"}"#, "vendor.error", 14),
        (r#"{"success":false,"msg":"Oups"}"#, "vendor.error", 14),
        (r#"{"success":false,"error_code":"insufficient_rights","missing_right":"vpn"}"#, "auth.forbidden", 11),
        (r#"{"success":false,"error_code":"busy"}"#, "conflict.busy", 9),
        (r#"{"success":false,"error_code":"service_down"}"#, "http.server_error", 5),
        (r#"{"success":false,"error_code":"never_heard_of"}"#, "vendor.error", 14),
    ] {
        bench.fault("freebox", &format!("body={body}"));
        let run = bench.run("status -b freebox -o json --timeout 1s").ends(exit);
        run.fails(code);
        bench.context("freebox").faults.clear_all();
    }
}

#[test]
fn the_vendors_codes_have_the_contracts() {
    let bench = Bench::new();
    bench.run("disconnect -b freebox").ends(0);
    for (word, code, exit) in [
        ("busy", "conflict.busy", 9),
        ("exist", "conflict.exists", 9),
        ("inval", "usage", 2),
        ("notsupp", "unsupported", 12),
        ("nomem", "vendor.error", 14),
        ("nodev", "vendor.error", 14),
    ] {
        bench.fault("freebox", &format!("activation={word}"));
        let run = bench.run("connect -b freebox vpn0 -o json").ends(exit);
        assert_eq!(run.fails(code)["vendor_code"], word, "{run}");
    }
    bench.fault("freebox", "vpn-client=notsupp");
    bench.run("status -b freebox -o json").ends(12).fails("unsupported");
    bench.context("freebox").faults.clear_all();
    bench.fault("freebox", "api-version=1.0");
    bench.run("status -b freebox -o json").ends(12).fails("unsupported");
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    bench.fault("freebox", "http-status=503@status*2");
    bench.requests();
    bench.run("status -b freebox").ends(0).quietly();
    assert_eq!(bench.requests(), 3);
    bench.fault("freebox", "http-status=503@status");
    let run = bench.run("status -b freebox -o json").ends(5);
    assert_eq!(run.fails("http.server_error")["http_status"], 503);
    assert_eq!(bench.requests(), 4);
    bench.fault("freebox", "http-status=429@status");
    bench.fault("freebox", "retry-after=120");
    let run = bench.run("status -b freebox -o json").ends(5);
    assert_eq!(run.fails("http.rate_limited")["retry_after_s"], 120.0);
    assert_eq!(bench.requests(), 1, "a wait that is too long is the user's affair");
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_longer_than_asked() {
    let bench = Bench::with_faults(&["silent"]);
    for vendor in ["freebox", "ixon"] {
        let run = bench.run(&format!("status -b {vendor} -o json --request-timeout 100ms --timeout 250ms"));
        assert!([5, 8].contains(&run.code), "{run}");
        assert_eq!(run.error()["retryable"], true, "{run}");
    }
}

#[test]
fn a_wrong_secret_is_told_by_each_vendor() {
    let bench = Bench::new();
    for (variable, line, code) in [
        ("VPNCTL_BACKEND_FREEBOX_APP_TOKEN", "status -b freebox", "auth.rejected"),
        ("VPNCTL_BACKEND_IXON_TOKEN", "list -b ixon", "auth.expired"),
        ("VPNCTL_BACKEND_EVERYWARE_PASSWORD", "status -b everyware", "auth.rejected"),
        ("VPNCTL_BACKEND_EVERYWARE_API_KEY", "status -b everyware", "auth.rejected"),
    ] {
        let run = bench.run_where(variable, "wrong-canary-9", &format!("{line} -o json")).ends(4);
        let error = run.fails(code);
        assert_eq!(error["layer"], "auth", "{run}");
        assert!(!error["hint"].is_null(), "{run}");
        assert!(!run.to_string().contains("wrong-canary"), "{run}");
    }
    assert_eq!(bench.count("everyware", "POST /v1/authentication"), 2, "each was sent once");
    assert_eq!(bench.count("freebox", "POST"), 1, "it was sent once");
    let gone = bench.config().replace("vpnctl.freebox-app-token", "there-is-none");
    let run = bench.run_by(&gone, "status -b freebox -o json").ends(13);
    assert!(run.fails("config.invalid")["message"].as_str().unwrap().contains("there-is-none"), "{run}");
}
