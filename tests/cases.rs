//! Holds each vendor's answers to what they mean: `tests/cases/<vendor>/<operation>/<case>/`.
//!
//! A case is the vendor's reply and the expected result, written by hand from the contract and the vendors' documents.
//! A case is added by adding a folder; what no operation knows fails, so that nothing lies there unread.
#![allow(clippy::unwrap_used, reason = "the lint's exemption for tests does not reach their helpers")]

#[path = "cases_harness/documents.rs"]
mod documents;
#[path = "cases_harness/folder.rs"]
mod folder;
#[path = "cases_harness/imported.rs"]
mod imported;
#[path = "cases_harness/server.rs"]
mod server;
#[path = "cases_harness/vendors.rs"]
mod vendors;

use documents::Documents;
use folder::{Case, cases};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};
use vpnctl::backend::Listed;
use vpnctl::backends::{everyware, freebox, ixon};
use vpnctl::error::Error;
use vpnctl::model::{Source, State, Status, Target, TargetKind, item};

/// When all states of the cases were observed.
const OBSERVED_AT: &str = "2026-11-21T19:00:00Z";
/// The device that the cases of Everyware Cloud ask.
const DEVICE: &str = "WyczTs_GuDM";

/// Makes the item that the contract describes, as a verb does.
fn item_of(vendor: &str, status: &Status) -> Value {
    let observed_at: Timestamp = OBSERVED_AT.parse().unwrap();
    Value::Object(item::status("here", vendor, status, observed_at, false))
}

fn device() -> Target {
    Target::by_id(TargetKind::Device, DEVICE)
}

/// Runs the vendor's pure conversion, without any network.
fn converted(vendor: &str, reply: Value) -> serde_json::Result<Status> {
    Ok(match vendor {
        "freebox" => freebox::convert::status(serde_json::from_value(reply["result"].clone())?),
        "ixon" => ixon::convert::status(serde_json::from_value(reply)?),
        _ => {
            let document: everyware::wire::VpnClientStatus = serde_json::from_value(reply)?;
            Status { target: Some(device()), ..everyware::convert::device(&document.unwrapped()) }
        }
    })
}

/// Fails with all differences at once.
fn none_differs(differences: Vec<String>) {
    let differences: Vec<String> = differences.into_iter().filter(|difference| !difference.is_empty()).collect();
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}

fn difference(case: &Case, way: &str, expected: &Value, found: &Value) -> String {
    if expected == found {
        return String::new();
    }
    format!("{} ({way}):\n  expected {expected}\n     found {found}", case.name)
}

/// Checks the state that each reply means: by the pure conversion, and by a backend that is sent the reply.
async fn status_cases(vendor: &'static str) {
    let work = cases(vendor, "status", &["reply.json", "expected.json"]).into_iter().map(|case| async move {
        let expected = case.json("expected.json");
        let pure = match converted(vendor, case.json("reply.json")) {
            Ok(status) => item_of(vendor, &status),
            Err(error) => json!(error.to_string()),
        };
        let opened = vendors::open(vendor, &case, &[]).await;
        let target = (vendor == "everyware").then(device);
        let sent = match opened.backend.status(target.as_ref()).await {
            Ok(status) => item_of(vendor, &status),
            Err(error) => json!(error.report()),
        };
        difference(&case, "converted", &expected, &pure) + &difference(&case, "sent", &expected, &sent)
    });
    none_differs(join_all(work).await);
}

#[tokio::test]
async fn freebox_status() {
    status_cases("freebox").await;
}

#[tokio::test]
async fn ixon_status() {
    status_cases("ixon").await;
}

#[tokio::test]
async fn everyware_status() {
    status_cases("everyware").await;
}

/// Checks the targets of each list, and what the list tells of their states.
async fn list_cases(vendor: &'static str, files: &[&str]) {
    let work = cases(vendor, "list", files).into_iter().map(|case| async move {
        let opened = vendors::open(vendor, &case, &[]).await;
        let mut found = Vec::new();
        let mut each = |listed: Listed| {
            let item = listed.status.as_ref().map(|status| item_of(vendor, status));
            let of = |key: &str| item.as_ref().map_or(Value::Null, |item| item[key].clone());
            found.push(json!({
                "target": listed.target,
                "state": of("state"),
                "ip_address": of("ip_address"),
                "connected_since": of("connected_since"),
                "source": of("source"),
            }));
        };
        let found = match opened.backend.targets().unwrap().list(&mut each).await {
            Ok(()) => json!(found),
            Err(error) => json!(error.report()),
        };
        difference(&case, "listed", &case.json("expected.json"), &found)
    });
    none_differs(join_all(work).await);
}

#[tokio::test]
async fn freebox_list() {
    list_cases("freebox", &["configs.json", "status.json", "expected.json"]).await;
}

#[tokio::test]
async fn ixon_list() {
    list_cases("ixon", &["companies.json", "agents.json", "agents-2.json", "status.json", "expected.json"]).await;
}

#[tokio::test]
async fn everyware_list() {
    let files = ["devices.json", "devices-2.json", "connections.json", "connections-2.json", "expected.json"];
    list_cases("everyware", &files).await;
}

/// What a failure's expectation always names, and what it may name besides.
const REQUIRED: [&str; 5] = ["code", "exit", "layer", "retryable", "vendor_code"];
const OPTIONAL: [&str; 3] = ["http_status", "retry_after_s", "outcome_unknown"];

/// Compares an error with what is expected of it, key by key.
fn error_difference(case: &Case, error: &Error) -> String {
    let expected = case.json("expected.json");
    let expected = expected.as_object().unwrap();
    for key in REQUIRED {
        assert!(expected.contains_key(key), "{}: expected.json has no `{key}`", case.name);
    }
    let mut report = json!(error.report());
    report["outcome_unknown"] = json!(error.outcome_is_unknown());
    let mut found = serde_json::Map::new();
    for key in expected.keys() {
        assert!(REQUIRED.contains(&&**key) || OPTIONAL.contains(&&**key), "{}: unknown key `{key}`", case.name);
        found.insert(key.clone(), report[key].clone());
    }
    difference(case, error.message(), &json!(expected), &Value::Object(found))
}

/// Checks the error that each failure means, by a backend that meets it.
async fn failure_cases(vendor: &'static str) {
    let files = ["case.toml", "reply.json", "reply.txt", "reply.html", "expected.json"];
    let work = cases(vendor, "failure", &files).into_iter().map(|case| async move {
        let script = vendors::Failing::read(&case);
        let opened = vendors::open(vendor, &case, std::slice::from_ref(&script)).await;
        match vendors::operate(&*opened.backend, &script.operation).await {
            Err(_) if opened.server.times_met() == 0 => format!("{}: its reply was never sent", case.name),
            Err(error) => error_difference(&case, &error),
            Ok(()) => format!("{}: did not fail", case.name),
        }
    });
    none_differs(join_all(work).await);
}

#[tokio::test]
async fn freebox_failure() {
    failure_cases("freebox").await;
}

#[tokio::test]
async fn ixon_failure() {
    failure_cases("ixon").await;
}

#[tokio::test]
async fn everyware_failure() {
    failure_cases("everyware").await;
}

#[tokio::test]
async fn freebox_import() {
    let files = ["file.conf", "file.ovpn", "ca.crt", "expected.json"];
    let work = cases("freebox", "import", &files).into_iter().map(|case| async move {
        let opened = vendors::open("freebox", &case, &[]).await;
        let found = imported::read(&*opened.backend, &case);
        difference(&case, "imported", &case.json("expected.json"), &found)
    });
    none_differs(join_all(work).await);
}

#[test]
fn every_folder_belongs_to_an_operation() {
    assert_eq!(folder::names(""), ["everyware", "freebox", "ixon"]);
    for vendor in folder::names("") {
        let own: &[&str] = if vendor == "freebox" { &["import"] } else { &[] };
        let names: Vec<String> = folder::names(&vendor).into_iter().filter(|name| !own.contains(&&**name)).collect();
        assert_eq!(names, ["failure", "list", "status"], "{vendor}");
    }
}

/// Feeds a conversion with arbitrary documents and checks what holds of every item; gives how many were readable.
fn bombard(vendor: &str, convert: impl Fn(Value) -> Option<Status>) {
    let (mut documents, replies) = Documents::like(vendor);
    let mut read = 0;
    for round in 0..20_000 {
        let document = if round % 2 == 0 {
            documents.value(4)
        } else {
            let mut reply = replies[documents.below(replies.len())].clone();
            documents.bend(&mut reply);
            reply
        };
        let Some(status) = convert(document.clone()) else { continue };
        read += 1;
        let item = item_of(vendor, &status);
        // Contract section 5: unknown is null, never "", "0.0.0.0" or an object of nulls.
        let linked = item["state"] == "connected";
        for key in ["ip_address", "connected_since", "network", "traffic"] {
            assert!(linked || item[key].is_null(), "{key} of {document}");
        }
        for pointer in ["/target/id", "/target/name", "/target/type", "/raw_state", "/ip_address", "/last_error/code"] {
            assert_ne!(item.pointer(pointer), Some(&json!("")), "{pointer} of {document}");
        }
        assert_ne!(item["ip_address"], "0.0.0.0", "{document}");
        for key in ["network", "traffic"] {
            let empty = item[key].as_object().is_some_and(|map| map.values().all(Value::is_null));
            assert!(!empty, "{key} of {document}");
        }
    }
    assert!(read > 1000, "only {read} documents of 20000 were readable, so this shows little");
}

#[test]
fn freebox_conversion_takes_any_document() {
    bombard("freebox", |document| {
        let result = document.get("result").cloned().unwrap_or(document);
        serde_json::from_value(result).ok().map(freebox::convert::status)
    });
}

#[test]
fn ixon_conversion_takes_any_document() {
    bombard("ixon", |document| serde_json::from_value(document).ok().map(ixon::convert::status));
}

#[test]
fn everyware_conversion_takes_any_document() {
    bombard("everyware", |document| {
        let document: everyware::wire::VpnClientStatus = serde_json::from_value(document).ok()?;
        Some(everyware::convert::device(&document.unwrapped()))
    });
}

#[test]
fn the_items_of_the_cases_have_every_key_of_the_contract() {
    let item = item_of("freebox", &Status::new(State::Disconnected, Source::Client));
    let keys: Vec<&String> = item.as_object().unwrap().keys().collect();
    for vendor in ["freebox", "ixon", "everyware"] {
        for case in cases(vendor, "status", &["reply.json", "expected.json"]) {
            let expected = case.json("expected.json");
            assert_eq!(expected.as_object().unwrap().keys().collect::<Vec<_>>(), keys, "{}", case.name);
        }
    }
}
