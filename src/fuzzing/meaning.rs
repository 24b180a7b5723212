//! What holds of whatever a vendor's document comes to: contract section 5.

use jiff::Timestamp;
use serde_json::Value;

use crate::backend::naming;
use crate::backends::fuzzing::Meaning;
use crate::error::Error;
use crate::model::item::{Schema, status};
use crate::model::{Source, State, Status};
use crate::render::{Format, Item, Report, Row, Shape, fault, sanitize};

/// Tells whether a character moves a cursor or turns a line around; said anew, so that the program's own idea is checked.
fn is_harmful(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

/// Checks that a text may go to a terminal, as lines of their own or with tabs where a format has those.
pub(super) fn harmless(text: &str, allowed: &[char], what: &str) {
    let bad = text.chars().find(|c| is_harmful(*c) && !allowed.contains(c));
    assert!(bad.is_none(), "{what} holds {bad:?}: {text:?}");
}

/// Checks what a document came to.
pub(super) fn check(vendor: &'static str, met: &Meaning) {
    match met {
        Meaning::Status(status) => of_status(vendor, status),
        Meaning::Target(target, labels) => {
            let status = Status { target: Some(target.clone()), ..Status::new(State::Unknown, Source::Server) };
            rendered(&item(vendor, &status), &[Format::Table, Format::Csv, Format::Value]);
            assert!(naming::argument("bench", target).starts_with(['b', '"', '\'']));
            assert!(labels.values().all(|value| !value.trim().is_empty()), "an empty label: {labels:?}");
        }
        Meaning::Error(error) => of_error(error),
        Meaning::Text(text) => harmless(&sanitize::line(text), &[], "a line"),
    }
}

fn item(vendor: &'static str, of: &Status) -> Item {
    status("bench", vendor, of, Timestamp::UNIX_EPOCH, true)
}

fn of_status(vendor: &'static str, status: &Status) {
    let item = item(vendor, status);
    // Unknown is null, never "", "0.0.0.0" or an object of nulls.
    let is_linked = item["state"] == "connected";
    for key in ["ip_address", "connected_since", "network", "traffic"] {
        assert!(is_linked || item[key].is_null(), "{key} of {item:?}");
    }
    let whole = Value::Object(item.clone());
    for pointer in ["/target/name", "/target/type", "/raw_state", "/ip_address", "/last_error/code"] {
        assert_ne!(whole.pointer(pointer), Some(&Value::from("")), "{pointer} of {item:?}");
    }
    assert_ne!(item["ip_address"], "0.0.0.0");
    for key in ["network", "traffic"] {
        let is_empty = item[key].as_object().is_some_and(|map| map.values().all(Value::is_null));
        assert!(!is_empty, "{key} of {item:?}");
    }
    rendered(&item, &[Format::Table, Format::Json, Format::Csv]);
}

/// Checks an error as people and scripts see it.
pub(super) fn of_error(error: &Error) {
    let lines = fault::lines(error, Format::Table);
    lines.iter().for_each(|line| harmless(line, &[], "an error"));
    assert!(lines[0].starts_with("error: ") && !error.message().is_empty(), "{error:?}");
    let json = fault::lines(error, Format::Json);
    assert_eq!(json.len(), 1, "{json:?}");
    harmless(&json[0], &[], "an error object");
    let read: Value = serde_json::from_str(&json[0]).expect("an error object is JSON");
    assert_eq!((&read["message"], &read["code"]), (&error.message().into(), &error.code().as_str().into()));
}

/// Writes an item in some formats, and checks what each promises; gives what was written.
pub(super) fn rendered(item: &Item, formats: &[Format]) -> Vec<String> {
    formats.iter().map(|format| written(item, *format)).collect()
}

fn written(item: &Item, format: Format) -> String {
    let shape = Shape {
        format,
        fields: Vec::new(),
        no_header: false,
        color: false,
        pretty: false,
        thresholds: crate::model::threshold::Thresholds::default(),
    };
    let schema = if format.is_of_check() { Schema::Check } else { Schema::Status };
    let mut out = Vec::new();
    let mut report = Report::new(&mut out, schema, &shape, None);
    report.row(Some(Row::Item(item.clone())), None).expect("written");
    report.finish().expect("written");
    drop(report);
    let text = String::from_utf8(out).expect("what is written is text");
    let allowed: &[char] = if format == Format::Tsv { &['\n', '\t'] } else { &['\n'] };
    harmless(&text, allowed, &format!("{format:?}"));
    match format {
        Format::Json => {
            // What is as deep as it may be stands a little deeper here, and this reader goes no further.
            let read: serde_json::Result<Value> = serde_json::from_str(&text);
            let is_deep = |error: &serde_json::Error| error.to_string().contains("recursion limit");
            match read {
                Ok(read) => assert_eq!(read["items"][0], Value::Object(item.clone()), "JSON keeps texts as they are"),
                Err(error) => assert!(is_deep(&error) && !item["native"].is_null(), "{error}: {text:?}"),
            }
        }
        Format::Csv => delimited(&text, b','),
        Format::Tsv => delimited(&text, b'\t'),
        Format::Table | Format::Wide => assert_eq!(text.lines().count(), 2, "a row is one line: {text:?}"),
        Format::Ndjson => assert_eq!(text.lines().count(), 2, "an item is one line: {text:?}"),
        _ => {}
    }
    text
}

/// Checks that a spreadsheet reads one row, as many cells as columns, and runs none of them.
fn delimited(text: &str, delimiter: u8) {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("rows of one length");
    assert_eq!(rows.len(), 2, "{text:?}");
    for cell in rows.iter().flatten() {
        // Numbers that follow each other are no formula either.
        let are_numbers = cell.split([',', ';']).all(|part| part.parse::<f64>().is_ok());
        let runs = cell.starts_with(['=', '+', '-', '@']) && !are_numbers && cell.trim() != "-";
        assert!(!runs, "a formula: {cell:?}");
    }
}
