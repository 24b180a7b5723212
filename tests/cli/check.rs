//! `check`: yes, no, or why it could not be told.

use serde_json::{Value, json};

use crate::bench::Bench;

/// The port that nothing listens at.
const NOWHERE: &str = "http://127.0.0.1:1";

#[test]
fn all_that_hold_are_0_and_one_that_does_not_is_3_without_an_error() {
    let bench = Bench::new();
    let run = bench.run("check -b freebox").ends(0).quietly();
    assert_eq!(run.stdout, "ok    freebox/Downloads  connected  10.8.0.6\n");
    let run = bench.run("check -b freebox vpn0").ends(3).quietly();
    assert_eq!(run.stdout, "no    freebox/Office PPTP  disconnected (expected connected)\n");
    bench.run("check -b freebox vpn0 --expect disconnected").ends(0).quietly();
    bench.run("check -b ixon").ends(3).quietly().prints("no    ixon  disconnected (expected connected)\n");
    let run = bench.run("check -A --sort").ends(3).quietly();
    let marks: Vec<&str> = run.stdout.lines().map(|line| &line[..4]).collect();
    assert_eq!(marks, ["ok  ", "no  ", "ok  ", "no  ", "no  ", "no  ", "no  ", "ok  ", "no  "], "{run}");
    for format in ["table", "wide", "json", "ndjson", "yaml", "csv", "tsv", "value", "junit", "tap", "github"] {
        bench.run(&format!("check -b ixon -o {format}")).ends(3).quietly();
    }
    bench.run("check -b ixon -o prometheus").ends(3).quietly();
}

#[test]
fn an_item_is_a_status_item_with_what_is_expected_and_whether_it_holds() {
    let bench = Bench::new();
    let keys = |item: &Value| item.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut expected = keys(&bench.run("status -b freebox -o json").ends(0).item());
    expected.extend(["expect".to_owned(), "ok".to_owned()]);
    let run = bench.run("check -b freebox -o json").ends(0).quietly();
    let item = run.item();
    assert_eq!(keys(&item), expected);
    assert_eq!(
        (&item["expect"], &item["ok"], &item["state"]),
        (&json!("connected"), &json!(true), &json!("connected"))
    );
    assert_eq!(run.json()["schema"], "vpnctl.check/v1");
    let run = bench.run("check -b everyware -o json --expect disconnected").ends(3).quietly();
    let item = run.items().into_iter().find(|item| item["state"] == "connected").unwrap();
    assert_eq!((&item["expect"], &item["ok"], &item["error"]), (&json!("disconnected"), &json!(false), &Value::Null));
    let summary = &run.json()["summary"];
    assert_eq!((&summary["total"], &summary["ok"], &summary["failed"]), (&json!(7), &json!(5), &json!(2)), "{run}");
    assert_eq!(summary["by_code"], json!({}), "{run}");
    assert_eq!(bench.run("check -b freebox -o value").ends(0).stdout, "connected\n");
    let csv = bench.run("check -b freebox -o csv").ends(0).stdout;
    assert!(csv.lines().next().unwrap().ends_with(",expect,ok"), "{csv}");
    assert!(csv.lines().nth(1).unwrap().ends_with(",connected,true"), "{csv}");
    let first = bench.run("check -b freebox -o ndjson").ends(0).stdout;
    assert!(first.starts_with(r#"{"type":"check","backend":"freebox""#), "{first}");
    let table = bench.run("check -b freebox --fields target.name,ok").ends(0).stdout;
    assert_eq!(table, "TARGET.NAME  OK\nDownloads    true\n");
}

#[test]
fn what_could_not_be_told_has_its_own_code_whatever_holds_beside_it() {
    let bench = Bench::new();
    let run = bench.run("check -b everyware gw-lyon-02 gw-turin-04 --sort").ends(5).tells("gw-turin-04");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines[0], "ok    everyware/gw-lyon-02  connected  10.200.12.50");
    assert!(lines[1].starts_with("??    everyware/gw-turin-04  could not be told: the device has"), "{run}");
    let run = bench.run("check -b everyware gw-lyon-02 gw-turin-04 -o json").ends(5);
    run.fails("device.offline");
    let item = run.items().into_iter().find(|item| item["state"] == "unknown").unwrap();
    assert_eq!((&item["ok"], &item["error"]["code"]), (&Value::Null, &json!("device.offline")), "{run}");
    assert_eq!(run.json()["summary"]["failed"], 1, "{run}");
    // A no beside it does not make it one.
    bench.run("check -b everyware gw-lyon-03 gw-turin-04").ends(5);
    bench.run("check -b everyware gw-turin-04 gw-spare-05").ends(5);
    bench.run("check -b everyware gw-lyon-02 gw-turin-04 nobody -o json").ends(10).fails("partial");
    bench.run("check -b everyware nobody -o json").ends(6).fails("target.not_found");
}

#[test]
fn a_backend_that_cannot_be_opened_or_read_could_not_be_told() {
    let bench = Bench::new();
    let config = bench.config_without(&["url = \"https", "url = \"http"]);
    let run = bench.run_by(&config, "check -b everyware -o json").ends(13);
    run.fails("config.invalid");
    let item = run.item();
    assert_eq!((&item["backend"], &item["ok"], &item["target"]), (&json!("everyware"), &Value::Null, &Value::Null));
    let run =
        bench.run_where("VPNCTL_BACKEND_IXON_URL", NOWHERE, "check -b freebox -b ixon --sort --timeout 5s").ends(5);
    assert!(run.stdout.contains("ok    freebox/Downloads"), "{run}");
    assert!(run.stdout.contains("??    ixon  could not be told: "), "{run}");
    bench.run_by("default_backend = 1\n", "check").ends(13).without_output();
}

#[test]
fn a_state_that_this_version_does_not_know_is_no_answer() {
    let bench = Bench::with_faults(&["freebox:unknown-state=dreaming"]);
    bench.run("status -b freebox").ends(0);
    let run = bench.run("check -b freebox -o json").ends(14);
    run.fails("vendor.protocol");
    let item = run.item();
    assert_eq!((&item["ok"], &item["raw_state"]), (&Value::Null, &json!("dreaming")), "{run}");
    assert_eq!((&item["error"]["code"], &item["error"]["backend"]), (&json!("vendor.protocol"), &json!("freebox")));
    bench.run("check -b freebox").ends(14).prints("could not be told: the state is `dreaming`").tells("hint: ");
}

#[test]
fn a_selection_that_selects_nothing_is_6() {
    let bench = Bench::new();
    bench.run("check -b freebox 'nothing*' -o json").ends(6).without_output().fails("selection.empty");
    bench.run("check -b everyware -l site=nowhere").ends(6).without_output().tells("no target fulfils");
    // An account without a device is nothing that holds.
    let bench = Bench::with_devices(0);
    let run = bench.run("check -b everyware -o json").ends(6);
    run.fails("selection.empty");
    assert_eq!(run.json()["items"], json!([]));
    bench.run("check -b everyware").ends(6).without_output().tells("there is no target");
}

#[test]
fn it_costs_what_status_costs() {
    let bench = Bench::new();
    for line in ["-b freebox", "-b ixon", "-b everyware", "-b everyware gw-lyon-02", "-A"] {
        bench.run(&format!("status {line}"));
        bench.requests();
        bench.run(&format!("status {line}"));
        let status = bench.requests();
        bench.run(&format!("check {line}"));
        assert_eq!(bench.requests(), status, "{line}");
        assert!(status > 0, "{line}");
    }
    let source = |line: &str| bench.run(line).items()[0]["source"].clone();
    assert_eq!(source("check -b everyware -o json"), "server");
    assert_eq!(source("check -b everyware gw-lyon-02 -o json"), "device");
}

#[test]
fn thresholds_make_warnings_and_failures_of_what_is_connected() {
    let bench = Bench::new();
    // The tunnel of the simulated box came up hours ago and receives 125 kB a second.
    for (line, code, mark) in [
        ("--warn age=60:", 0, "ok    "),
        ("--warn 60", 0, "warn  "),
        ("--crit age=60", 3, "no    "),
        ("--crit @~:60", 0, "ok    "),
        ("--crit rx_rate=1000", 3, "no    "),
        ("--warn tx_rate=@1000: --warn age=60: --crit rx_rate=1:", 0, "warn  "),
    ] {
        let run = bench.run(&format!("check -b freebox {line}")).ends(code).quietly();
        assert!(run.stdout.starts_with(mark), "{line}: {run}");
    }
    bench.run("check -b freebox --crit rx_rate=1000").prints("rx_rate 125000 B/s is outside 1000");
    let run = bench.run("check -b freebox --crit 60 -o json").ends(3).quietly();
    assert_eq!((&run.item()["ok"], &run.item()["state"]), (&json!(false), &json!("connected")), "{run}");
    // A document has no place for a warning.
    for format in ["json", "table", "csv", "prometheus"] {
        let run = bench.run(&format!("check -b freebox --warn 60 -o {format}")).ends(0);
        run.tells("warning: freebox/Downloads: age ").tells("is outside 60");
    }
    assert_eq!(bench.run("check -b freebox --warn 60 -o json -q").ends(0).quietly().item()["ok"], true);
    // What is not known alerts nothing.
    // What the vendor does not tell can't be held to a range, and is no yes.
    for line in ["-b freebox vpn0 --expect disconnected --crit 60", "everyware/gw-lyon-02 --warn rx_rate=1:"] {
        bench.run(&format!("check {line} -o json")).ends(12).fails("unsupported");
        bench.run(&format!("check {line} -o nagios")).ends(3).prints("VPN UNKNOWN - ");
    }
    bench.run("check -b freebox vpn0 --crit 60").ends(3);
}

#[test]
fn what_cannot_be_asked_is_refused_before_any_request() {
    let bench = Bench::new();
    for (line, told) in [
        ("--expect unknown", "could not be told"),
        ("--expect up", "there is no state"),
        ("--crit 20:10", "below its start"),
        ("--warn speed=1", "there is no metric"),
        ("--crit 1 --crit age=2", "twice"),
        ("--format json -o json", "both are given"),
        ("-o junit --fields state", "--fields"),
        ("--format xml", "xml"),
    ] {
        bench.run(&format!("check -b freebox {line}")).ends(2).without_output().tells(told);
    }
    bench.run("--json check -b freebox --format csv").ends(2).without_output().tells("both are given");
    assert_eq!(bench.requests(), 0);
}

#[test]
fn formats_of_verdicts_are_only_for_check() {
    let bench = Bench::new();
    for format in ["text", "nagios", "junit", "tap", "github", "prometheus"] {
        for verb in ["status -b freebox", "list -b freebox", "backends", "config show"] {
            let run = bench.run(&format!("{verb} -o {format}")).ends(2).without_output();
            run.tells("only `check`").tells(&format!("vpnctl check -o {format}"));
            bench.run_where("VPNCTL_OUTPUT", format, verb).ends(2).without_output().tells("only `check`");
        }
        let flag = bench.run(&format!("check -b ixon -o {format}"));
        let other = bench.run(&format!("check -b ixon --format {format}")).ends(flag.code);
        let variable = bench.run_where("VPNCTL_OUTPUT", format, "check -b ixon").ends(flag.code);
        // JUnit tells how long it took.
        if format != "junit" {
            assert_eq!((&flag.stdout, &flag.stdout), (&other.stdout, &variable.stdout), "{format}");
        }
    }
    assert_eq!(bench.run_where("VPNCTL_OUTPUT", "csv", "check -b freebox -o value").ends(0).stdout, "connected\n");
    assert!(bench.run_where("VPNCTL_OUTPUT", "table", "check -b freebox").ends(0).stdout.starts_with("BACKEND "));
}
