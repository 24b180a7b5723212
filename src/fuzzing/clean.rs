//! A text that strangers wrote, in every place of a status and in every format.

use jiff::Timestamp;

use super::meaning::{harmless, of_error, rendered};
use crate::error::{Code, Error, Layer};
use crate::model::item::{marked, status};
use crate::model::{LastError, Link, Network, Source, State, Status, Target, TargetKind};
use crate::render::{Format, sanitize};

pub(super) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let line = sanitize::line(&text);
    harmless(&line, &[], "a line");
    assert_eq!(sanitize::line(&line), line, "what is clean stays as it is");
    harmless(&sanitize::cell(&text), &[], "a cell");
    let error = Error::new(Code::VendorError, Layer::Api, format!("it said {text}"));
    of_error(&error.clone().hint(text.clone()).backend("bench").target(text.clone()).vendor_code(text.clone()));
    let item = status("bench", "vendor", &everywhere(&text), Timestamp::UNIX_EPOCH, true);
    let formats = [Format::Table, Format::Wide, Format::Json, Format::Ndjson, Format::Yaml, Format::Csv, Format::Tsv];
    rendered(&item, &formats);
    let verdict = marked(item, &serde_json::json!({"expect": "connected", "ok": false}));
    let verdicts = [Format::Text, Format::Nagios, Format::Junit, Format::Tap, Format::Github, Format::Prometheus];
    rendered(&verdict, &verdicts);
}

fn everywhere(text: &str) -> Status {
    let some = || Some(text.to_owned());
    let network = Network { mask: some(), gateway: some(), dns: Some(vec![text.to_owned(); 2]), domain: some() };
    let link = Link { ip_address: some(), network: Some(network), ..Link::default() };
    let id = text.to_owned();
    Status {
        target: Some(Target { kind: TargetKind::Device, id, name: some(), kind_word: some(), scope: some() }),
        raw_state: some(),
        last_error: Some(LastError { code: text.to_owned(), message: text.to_owned(), at: None }),
        native: Some(serde_json::json!({ text: [text] })),
        ..Status::new(State::Connected(link), Source::Client)
    }
}
