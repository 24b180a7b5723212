//! The documents of contract section 5: every key in every state.

use serde_json::Value;

use crate::bench::Bench;
use crate::run::Run;

const STATUS: [&str; 16] = [
    "backend",
    "vendor",
    "target",
    "state",
    "raw_state",
    "ip_address",
    "connected_since",
    "network",
    "traffic",
    "last_error",
    "last_attempt_at",
    "next_retry_s",
    "observed_at",
    "source",
    "error",
    "native",
];
const ERROR: [&str; 12] = [
    "type",
    "code",
    "exit",
    "layer",
    "backend",
    "target",
    "retryable",
    "retry_after_s",
    "http_status",
    "vendor_code",
    "message",
    "hint",
];

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().map(String::as_str).collect()
}

/// Holds an item to a state and to the keys of a status item.
#[track_caller]
fn is_status(item: &Value, state: &str) {
    assert_eq!(keys(item), STATUS, "{item}");
    assert_eq!(item["state"], state, "{item}");
    if !item["target"].is_null() {
        assert_eq!(keys(&item["target"]), ["kind", "id", "name", "type"], "{item}");
    }
    for (key, inner) in [
        ("network", &["mask", "gateway", "dns", "domain"][..]),
        ("traffic", &["rx_bytes", "tx_bytes", "rx_rate", "tx_rate"]),
        ("last_error", &["code", "message", "at"]),
        ("error", &ERROR),
    ] {
        if !item[key].is_null() {
            assert_eq!(keys(&item[key]), inner, "{key}: {item}");
        }
    }
    says_nothing_by_null(item);
}

/// Holds a document to the rule that what is not known is null, and nothing else.
#[track_caller]
fn says_nothing_by_null(value: &Value) {
    match value {
        Value::String(text) => assert!(!text.is_empty() && text != "0.0.0.0", "{value}"),
        Value::Array(values) => values.iter().for_each(says_nothing_by_null),
        Value::Object(map) => {
            assert!(map.is_empty() || map.values().any(|value| !value.is_null()), "an object of nulls: {value}");
            map.values().for_each(says_nothing_by_null);
        }
        _ => {}
    }
}

#[test]
fn a_status_item_has_every_key_in_every_state() {
    let bench = Bench::new();
    let item = |line: &str, code: i32| bench.run(&format!("{line} -o json")).ends(code).item();
    for vendor in ["freebox", "ixon", "everyware"] {
        let name = match vendor {
            "freebox" => "'Office PPTP'",
            "ixon" => "'Press 7'",
            _ => "gw-lyon-03",
        };
        bench.run(&format!("connect --switch -b {vendor} {name}")).ends(0);
        is_status(&item(&format!("status -b {vendor} {name}"), 0), "connected");
        bench.run(&format!("disconnect -b {vendor} {name}")).ends(0);
        is_status(&item(&format!("status -b {vendor} {name}"), 0), "disconnected");
    }
    is_status(&item("status -b freebox", 0), "disconnected");
    is_status(&item("status -b ixon", 0), "disconnected");
    bench.fault("freebox", "tunnel-fails=auth_failed");
    bench.run("connect -b freebox vpn0").ends(7);
    is_status(&bench.until("failed", "status -b freebox"), "failed");
    bench.fault("freebox", "unknown-state=dreaming");
    is_status(&item("status -b freebox", 0), "unknown");
    bench.fault("freebox", "http-status=500@status");
    is_status(&item("status -b freebox --timeout 1s", 5), "unknown");
    is_status(&item("status -b everyware gw-turin-04", 5), "unknown");
    is_status(&item("status -b everyware nobody", 6), "unknown");
}

#[test]
fn a_connected_item_tells_what_the_contract_shows() {
    let bench = Bench::new();
    bench.run("connect --switch -b freebox vpn0").ends(0);
    let item = bench.run("status -b freebox -o json").ends(0).item();
    let target = serde_json::json!({"kind": "tunnel", "id": "vpn0", "name": "Office PPTP", "type": "pptp"});
    assert_eq!(item["target"], target);
    assert_eq!(item["raw_state"], "up");
    assert_eq!(item["ip_address"], "192.168.27.65");
    let network = serde_json::json!({
        "mask": "255.255.255.255", "gateway": "212.27.38.253", "dns": ["212.27.38.253"], "domain": null
    });
    assert_eq!(item["network"], network);
    assert_eq!(item["source"], "client");
    for key in ["connected_since", "observed_at"] {
        let time = item[key].as_str().unwrap();
        assert!(time.len() == 20 && time.ends_with('Z'), "{key} is no RFC 3339 in UTC: {time}");
    }
    assert_eq!(bench.run("status -b everyware --id WyczTs_GuDM -o json").ends(0).item()["source"], "device");
    assert_eq!(bench.run("status -b everyware -o json").ends(0).items()[0]["source"], "server");
}

#[test]
fn an_action_is_a_status_item_and_what_was_done() {
    let bench = Bench::new();
    let expected = [&STATUS[..], &["action", "changed"]].concat();
    for (line, code) in [
        ("connect -b freebox vpn0", 9),
        ("connect -b freebox vpn1", 0),
        ("disconnect -b freebox", 0),
        ("reconnect -b freebox vpn1", 0),
        ("connect -b everyware gw-turin-04", 5),
        ("connect -b everyware nobody", 6),
    ] {
        let run = bench.run(&format!("{line} -o json")).ends(code);
        assert_eq!(run.json()["schema"], "vpnctl.action/v1");
        let item = run.item();
        assert_eq!(keys(&item), expected, "{run}");
        assert_eq!(item["action"], line.split(' ').next().unwrap());
        assert!(item["changed"].is_boolean(), "{run}");
    }
}

#[test]
fn an_error_has_every_key_and_is_the_same_in_the_item() {
    let bench = Bench::new();
    for (line, code) in [
        ("status -b everyware gw-turin-04 -o json", "device.offline"),
        ("status -b everyware nobody -o json", "target.not_found"),
        ("connect -b freebox vpn0 -o json", "conflict.active"),
    ] {
        let run = bench.run(line);
        let error = run.fails(code);
        assert_eq!(keys(&error), ERROR, "{run}");
        assert_eq!(run.item()["error"], error, "{run}");
        says_nothing_by_null(&error);
    }
    for line in ["status --nonsense -o json", "status -b nobody -o json", "status -o json", "status -o ndjson"] {
        let run = bench.run(line);
        assert_eq!(keys(&run.error()), ERROR, "{run}");
        run.without_output();
    }
}

#[test]
fn a_report_has_the_same_shape_in_every_state() {
    let bench = Bench::new();
    let summary = ["total", "ok", "failed", "changed", "by_state", "by_code"];
    for line in ["status -b freebox", "status -A", "status -b everyware nobody", "disconnect -b freebox", "list -A"] {
        let run = bench.run(&format!("{line} -o json"));
        let report = run.json();
        assert_eq!(keys(&report), ["schema", "items", "summary"], "{run}");
        assert_eq!(keys(&report["summary"]), summary, "{run}");
        assert_eq!(report["summary"]["total"], report["items"].as_array().unwrap().len(), "{run}");
    }
}

#[test]
fn a_line_of_ndjson_says_what_it_is_and_the_last_sums_up() {
    let bench = Bench::new();
    let lines =
        |run: &Run| -> Vec<Value> { run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    for (line, kind) in [("status -A", "status"), ("list -A", "list"), ("disconnect -b freebox", "action")] {
        let run = bench.run(&format!("{line} -o ndjson")).ends(0).quietly();
        let lines = lines(&run);
        let (last, items) = lines.split_last().unwrap();
        assert_eq!(last["type"], "summary", "{run}");
        assert_eq!(last["total"], items.len(), "{run}");
        assert!(items.iter().all(|item| item["type"] == kind), "{run}");
    }
    let run = bench.run("status -b everyware nobody -o ndjson").ends(6);
    assert_eq!(lines(&run)[0]["error"], run.error(), "{run}");
}
