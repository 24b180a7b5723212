//! What each format makes of the same items, harmful text among them.

use jiff::Timestamp;
use serde_json::Value;

use super::{Format, Report, Shape};
use crate::model::threshold::Thresholds;
use crate::model::{Link, Schema, Source, State, Status, Target, TargetKind, item};

fn shape(format: Format, fields: &[&str]) -> Shape {
    Shape {
        format,
        fields: fields.iter().map(|name| (*name).to_owned()).collect(),
        no_header: false,
        color: false,
        pretty: false,
        thresholds: Thresholds::default(),
    }
}

fn items() -> Vec<super::Item> {
    let now: Timestamp = "2026-11-21T19:00:00Z".parse().expect("a time");
    let link = Link { ip_address: Some("10.0.0.2".to_owned()), ..Link::default() };
    let up = Status {
        target: Some(Target {
            kind: TargetKind::Tunnel,
            id: "vpn0".to_owned(),
            name: Some("a\u{1b}]0;x\u{7}\u{202e}b,\"c\"\nd".to_owned()),
            kind_word: Some("=1+1".to_owned()),
            scope: None,
        }),
        ..Status::new(State::Connected(link), Source::Client)
    };
    let down = Status::new(State::Disconnected, Source::Client);
    [up, down].iter().map(|status| item::status("home", "freebox", status, now, false)).collect()
}

fn render(shape: &Shape) -> String {
    let mut bytes = Vec::new();
    let mut report = Report::new(&mut bytes, Schema::Status, shape, None);
    for item in items() {
        report.row(Some(item.into()), None).expect("written");
    }
    report.finish().expect("written");
    drop(report);
    String::from_utf8(bytes).expect("text")
}

#[test]
fn no_format_lets_harmful_characters_through() {
    for format in [Format::Table, Format::Wide, Format::Json, Format::Ndjson, Format::Yaml, Format::Csv, Format::Tsv] {
        let text = render(&shape(format, &[]));
        let harmful: Vec<char> =
            text.chars().filter(|c| super::sanitize::is_harmful(*c) && !matches!(c, '\n' | '\t')).collect();
        assert!(harmful.is_empty(), "{format:?}: {harmful:?} in {text}");
        assert!(text.contains("vpn0") || format == Format::Table, "{format:?}: {text}");
    }
}

#[test]
fn json_keeps_vendor_text_byte_for_byte() {
    let document: Value = serde_json::from_str(&render(&shape(Format::Json, &[]))).expect("JSON");
    assert_eq!(document["schema"], "vpnctl.status/v1");
    assert_eq!(document["items"][0]["target"]["name"], "a\u{1b}]0;x\u{7}\u{202e}b,\"c\"\nd");
    assert_eq!(document["items"][1]["target"], Value::Null);
    assert_eq!(document["summary"]["total"], 2);
    assert_eq!(document["summary"]["by_state"]["connected"], 1);
}

#[test]
fn a_document_that_is_indented_is_the_same_document() {
    let plain: Value = serde_json::from_str(&render(&shape(Format::Json, &[]))).expect("JSON");
    let pretty = Shape { pretty: true, ..shape(Format::Json, &[]) };
    let text = render(&pretty);
    assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), plain);
    assert!(text.lines().count() > 20, "{text}");
}

#[test]
fn ndjson_is_a_line_an_item_and_one_for_the_summary() {
    let text = render(&shape(Format::Ndjson, &["state"]));
    let kinds: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["type"].as_str().expect("a type").to_owned())
        .collect();
    assert_eq!(kinds, ["status", "status", "summary"]);
    assert_eq!(text.lines().next(), Some(r#"{"type":"status","state":"connected"}"#));
}

#[test]
fn csv_has_the_columns_of_the_contract_and_runs_nothing() {
    let text = render(&shape(Format::Csv, &[]));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    assert_eq!(
        &header[..8],
        ["backend", "vendor", "target.kind", "target.id", "target.name", "target.type", "state", "raw_state"]
    );
    assert!(!header.iter().any(|name| name.starts_with("native")));
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(&rows[0][5], "'=1+1");
    assert_eq!(&rows[1][4], "");
}

#[test]
fn fields_are_the_columns_of_tables_and_lines_of_values() {
    let text = render(&shape(Format::Table, &["target.id", "state"]));
    assert_eq!(text, "TARGET.ID  STATE\nvpn0       connected\n-          disconnected\n");
    assert_eq!(render(&shape(Format::Value, &[])), "connected\ndisconnected\n");
    assert_eq!(render(&shape(Format::Value, &["target.id", "ip_address"])), "vpn0\n10.0.0.2\n\n\n");
}

#[test]
fn yaml_is_the_document_of_json() {
    let text = render(&shape(Format::Yaml, &["backend", "state", "ip_address"]));
    assert_eq!(
        text.lines().take(8).collect::<Vec<_>>(),
        [
            "schema: vpnctl.status/v1",
            "items:",
            "- backend: home",
            "  state: connected",
            "  ip_address: \"10.0.0.2\"",
            "- backend: home",
            "  state: disconnected",
            "  ip_address: null"
        ]
    );
}
