//! What each format of `check` makes of the same items, harmful names among them.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, TestCaseStatus};
use serde_json::{Value, json};

use super::{nagios, summary};
use crate::error::{Code, Error, Layer};
use crate::model::item::object;
use crate::model::threshold::{Threshold, Thresholds};
use crate::model::{Schema, item};
use crate::render::{Format, Item, Report, Shape, sanitize};

/// A name that would break each of the formats where it is not escaped.
const HARMFUL: &str = "a\n::error::b|c]]>&<d>\"'e#SKIP\\ \u{1b}[31m\u{202e}%0A,:=`*_[x](y)\u{ffff}\u{0}";

fn case(target: Value, state: &str, ok: Option<bool>, more: Value) -> Item {
    let known = json!({
        "backend": "home", "vendor": "freebox", "target": target, "state": state, "ip_address": null,
        "connected_since": null, "traffic": null, "last_error": null, "observed_at": "2026-11-21T19:00:00Z",
        "error": null, "expect": "connected", "ok": ok,
    });
    let mut item = object(known);
    item.extend(object(more));
    item
}

fn named(id: &str, name: &str) -> Value {
    json!({"kind": "tunnel", "id": id, "name": name, "type": null})
}

fn fault(code: Code, message: &str) -> Value {
    let error = Error::new(code, Layer::Api, message).hint("look again").backend("home");
    json!({"error": error.report()})
}

/// One target of each kind of verdict, all of them called by a harmful name or not.
fn items(name: &str) -> Vec<Item> {
    let up = json!({
        "ip_address": "10.0.0.2", "connected_since": "2026-11-21T18:58:20Z",
        "traffic": {"rx_bytes": 94, "tx_bytes": 95, "rx_rate": 10, "tx_rate": null},
    });
    vec![
        case(named("1", name), "connected", Some(true), up),
        case(
            named("2", name),
            "failed",
            Some(false),
            json!({"last_error": {"code": "x", "message": name, "at": null}}),
        ),
        case(named("3", name), "unknown", None, fault(Code::NetRefused, name)),
        case(named("4", name), "unknown", None, fault(Code::Unsupported, name)),
        case(Value::Null, "disconnected", Some(false), json!({})),
    ]
}

fn thresholds(warn: &[&str], crit: &[&str]) -> Thresholds {
    let parse = |all: &[&str]| all.iter().map(|text| Threshold::parse(text).expect("a threshold")).collect();
    Thresholds { warn: parse(warn), crit: parse(crit) }
}

fn render(format: Format, items: Vec<Item>, thresholds: Thresholds) -> String {
    let shape = Shape { format, fields: Vec::new(), no_header: false, color: false, pretty: false, thresholds };
    let mut bytes = Vec::new();
    let mut report = Report::new(&mut bytes, Schema::Check, &shape, None);
    for item in items {
        report.row(Some(item.into()), None).expect("written");
    }
    report.finish().expect("written");
    drop(report);
    String::from_utf8(bytes).expect("text")
}

#[test]
fn no_format_lets_harmful_characters_through() {
    let all = [Format::Text, Format::Nagios, Format::Junit, Format::Tap, Format::Github, Format::Prometheus];
    let table = summary(items(HARMFUL), &Thresholds::default());
    for text in all.map(|format| render(format, items(HARMFUL), Thresholds::default())).into_iter().chain([table]) {
        let harmful: Vec<char> = text.chars().filter(|c| sanitize::is_harmful(*c) && *c != '\n').collect();
        assert!(harmful.is_empty(), "{harmful:?} in {text}");
        assert!(!text.lines().any(|line| line.starts_with("::error::")), "{text}");
    }
}

#[test]
fn text_is_a_line_for_each_target() {
    let text = render(Format::Text, items("Office"), thresholds(&["60"], &[]));
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "warn  home/Office  connected (age 100s is outside 60)  10.0.0.2",
            "no    home/Office (2)  failed (expected connected): Office",
            "??    home/Office (3)  could not be told: Office",
            "??    home/Office (4)  could not be told: Office",
            "no    home  disconnected (expected connected)",
        ]
    );
    let crit = case(named("1", "Office"), "connected", Some(false), json!({"connected_since": "2026-11-21T18:58:20Z"}));
    let text = render(Format::Text, vec![crit], thresholds(&[], &["60"]));
    assert_eq!(text, "no    home/Office  connected (age 100s is outside 60)\n");
    assert_eq!(render(Format::Text, items(HARMFUL), Thresholds::default()).lines().count(), 5);
}

/// Takes performance data apart as the guidelines say: labels in quotes, in which a quote is doubled.
fn performance(text: &str) -> BTreeMap<String, String> {
    let mut data = BTreeMap::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let mut label = String::new();
        let mut characters = rest.strip_prefix('\'').expect("a quote").char_indices().peekable();
        let end = loop {
            match characters.next().expect("a quote at the end") {
                (_, '\'') if characters.peek().is_some_and(|(_, c)| *c == '\'') => {
                    characters.next();
                    label.push('\'');
                }
                (at, '\'') => break at + 2,
                (_, c) => {
                    assert!(c != '=' && c != '|', "{text}");
                    label.push(c);
                }
            }
        };
        let value = rest[end..].strip_prefix('=').expect("a value");
        let (value, after) = value.split_once(' ').unwrap_or((value, ""));
        assert!(data.insert(label, value.to_owned()).is_none(), "a label twice in {text}");
        rest = after.trim_start();
    }
    data
}

#[test]
fn nagios_has_one_line_with_the_gravest_and_performance_data() {
    let text = render(Format::Nagios, items("Office"), thresholds(&["60", "rx_rate=5:"], &["tx_rate=@0"]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{text}");
    let (first, data) = lines[0].split_once(" | ").expect("performance data");
    assert_eq!(first, "VPN CRITICAL - 1 of 5 ok; home/Office (2): failed (expected connected): Office");
    assert_eq!(lines[1], "WARNING: home/Office (1): connected (age 100s is outside 60), 10.0.0.2");
    assert_eq!(lines[3], "UNKNOWN: home/Office (3): could not be told: Office");
    let data = performance(data);
    for (label, value) in [
        ("ok", "1;;;0;5"),
        ("home/Office (1) age", "100s;60;;0"),
        ("home/Office (1) rx_rate", "10;5:;;0"),
        ("home/Office (1) tx_rate", "U;;@0;0"),
        ("home/Office (1) rx_bytes", "94c;;;0"),
        ("home/Office (2) age", "U;60;;0"),
        ("home age", "U;60;;0"),
    ] {
        assert_eq!(data.get(label).map(String::as_str), Some(value), "{label} in {data:?}");
    }
}

#[test]
fn nagios_is_broken_by_no_name() {
    let text = render(Format::Nagios, items(HARMFUL), Thresholds::default());
    assert_eq!(text.lines().count(), 6, "{text}");
    assert_eq!(text.matches('|').count(), 1, "{text}");
    let data = performance(text.lines().next().expect("a line").split_once(" | ").expect("performance data").1);
    assert_eq!(data.len(), 1 + 5 + 3, "{data:?}");
    let quoted = render(
        Format::Nagios,
        vec![case(named("1", "it's"), "connected", Some(true), json!({}))],
        Thresholds::default(),
    );
    assert_eq!(
        quoted,
        "VPN OK - home/it's: connected | 'ok'=1;;;0;1 'home/it''s age'=U;;;0\nOK: home/it's: connected\n"
    );
}

#[test]
fn the_gravest_is_told_first() {
    let one = |at: usize, warn: &[&str]| {
        let text = render(Format::Nagios, items("x").into_iter().skip(at).take(1).collect(), thresholds(warn, &[]));
        text.split(" - ").next().expect("a word").to_owned()
    };
    assert_eq!(
        [one(0, &[]), one(0, &["60"]), one(1, &[]), one(2, &[])],
        ["VPN OK", "VPN WARNING", "VPN CRITICAL", "VPN UNKNOWN"]
    );
    let told = |from: usize, to: usize, warn: &[&str]| {
        let mut some = items("x");
        some.drain(..from);
        some.truncate(to - from);
        render(Format::Nagios, some, thresholds(warn, &[])).split(" - ").next().expect("a word").to_owned()
    };
    assert_eq!(told(1, 4, &[]), "VPN CRITICAL");
    let mut warned = items("x");
    warned.remove(1);
    warned.truncate(2);
    let both = render(Format::Nagios, warned, thresholds(&["60"], &[]));
    assert!(both.starts_with("VPN WARNING - 1 of 2 ok; home/x (1): connected (age"), "{both}");
}

#[test]
fn nagios_is_told_that_there_is_no_verdict() {
    let error = Error::config("no key `x|y`\nat line 1").backend("home").hint("mend it");
    assert_eq!(nagios::unknown(&error), "VPN UNKNOWN - home: no key `x¦y`\\nat line 1 (mend it)");
    assert_eq!(render(Format::Nagios, Vec::new(), Thresholds::default()), "");
}

#[test]
fn junit_has_a_case_for_each_target_and_is_broken_by_no_name() {
    for name in ["Office", HARMFUL] {
        let mut all = items(name);
        all.extend(items(name).into_iter().take(1).map(|mut item| {
            item.insert("backend".to_owned(), "plant".into());
            item
        }));
        let text = render(Format::Junit, all, thresholds(&["60"], &[]));
        let report = quick_junit::Report::deserialize_from_str(&text).expect("JUnit");
        assert_eq!(
            (report.tests, report.failures, report.errors, report.test_suites[0].skipped),
            (6, 2, 1, 1),
            "{text}"
        );
        let suites: Vec<&str> = report.test_suites.iter().map(|suite| suite.name.as_str()).collect();
        assert_eq!(suites, ["home", "plant"]);
        let cases = &report.test_suites[0].test_cases;
        let status = |at: usize| &cases[at].status;
        assert!(matches!(status(0), TestCaseStatus::Success { .. }), "{text}");
        assert!(cases[0].system_out.as_ref().is_some_and(|out| out.contains("age 100s")), "{text}");
        assert!(matches!(status(1), TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. }), "{text}");
        let TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, ty, description, .. } = status(2) else {
            panic!("no error: {text}")
        };
        assert_eq!((ty.as_deref(), description.as_deref()), (Some("net.refused"), Some("look again")));
        let TestCaseStatus::Skipped { ty, .. } = status(3) else { panic!("not skipped: {text}") };
        assert_eq!(ty.as_deref(), Some("unsupported"));
        assert_eq!(cases[4].name.as_str(), "vpn");
        assert!(cases[0].time.is_some() && report.test_suites[0].timestamp.is_some(), "{text}");
        assert!(!text.contains("]]>") && !text.contains('\u{ffff}'), "{text}");
    }
}

#[test]
fn tap_has_no_directive_but_its_own() {
    let text = render(Format::Tap, items("a#SKIP\\"), Thresholds::default());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["TAP version 13", r"ok 1 - home/a＃SKIP\", r"not ok 2 - home/a＃SKIP\ (2)"]);
    assert_eq!(lines[3], "  ---");
    assert_eq!(lines[4], r#"  message: "failed (expected connected): a#SKIP\\""#);
    assert!(lines.contains(&r"ok 4 - home/a＃SKIP\ (4) # SKIP a＃SKIP\"), "{text}");
    assert_eq!(lines.last(), Some(&"1..5"));
    assert_eq!(
        render(Format::Tap, Vec::new(), Thresholds::default()),
        "TAP version 13\n1..0 # SKIP there is no target\n"
    );
    let begins = ["TAP version 13", "ok ", "not ok ", "  ", "1..5"];
    let harmful = render(Format::Tap, items(HARMFUL), Thresholds::default());
    assert!(harmful.lines().all(|line| begins.iter().any(|begin| line.starts_with(begin))), "{harmful}");
}

#[test]
fn github_is_told_of_what_is_not_well() {
    let text = render(Format::Github, items("a,b: 5%"), thresholds(&["60"], &[]));
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "::warning title=home/a%2Cb%3A 5%25::connected (age 100s is outside 60)",
            "::error title=home/a%2Cb%3A 5%25 (2)::failed (expected connected): a,b: 5%25",
            "::error title=home/a%2Cb%3A 5%25 (3)::could not be told: a,b: 5%25%0Ahint: look again",
            "::error title=home/a%2Cb%3A 5%25 (4)::could not be told: a,b: 5%25%0Ahint: look again",
            "::error title=home::disconnected (expected connected)",
        ]
    );
    let harmful = render(Format::Github, items(HARMFUL), Thresholds::default());
    assert_eq!(harmful.lines().filter(|line| line.starts_with("::error title=home")).count(), 4, "{harmful}");
    assert_eq!(harmful.lines().count(), 4, "{harmful}");
}

#[test]
fn the_table_of_a_job_has_a_row_for_each_target_and_runs_nothing() {
    let text = summary(items("www.x"), &thresholds(&["60"], &[]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "### vpnctl check: 1 of 5 ok");
    assert_eq!(
        lines[4],
        "| **no** | home/www&#46;x (2) | failed | connected |  | failed (expected connected)&#58; www&#46;x |"
    );
    assert_eq!(lines.len(), 10, "{text}");
    let harmful = summary(items(HARMFUL), &Thresholds::default());
    for row in harmful.lines().skip(4).filter(|row| !row.is_empty()) {
        assert_eq!(row.matches('|').count(), 7, "{row}");
        let text = row.replace("| **no** |", "").replace("| **??** |", "");
        assert!(!text.contains(['<', '>', '`', '*', '[', '"', '\\', '_', '@']), "{row}");
    }
    let many = vec![case(Value::Null, "connected", Some(true), json!({})); 501];
    assert!(summary(many, &Thresholds::default()).ends_with("\n… and 1 more\n\n"));
}

#[test]
fn prometheus_has_a_verdict_where_there_is_one() {
    let text = render(Format::Prometheus, items("Office"), Thresholds::default());
    let mut found: Vec<&str> = text.lines().filter(|line| line.starts_with("vpnctl_check_ok{")).collect();
    found.sort_unstable();
    let own = |target: &str, ok: u8| {
        format!("vpnctl_check_ok{{backend=\"home\",expect=\"connected\",target=\"{target}\",vendor=\"freebox\"}} {ok}")
    };
    assert_eq!(found, [own("", 0), own("Office (1)", 1), own("Office (2)", 0)]);
}

#[test]
fn a_summary_counts_what_does_not_hold_as_failed_without_a_code() {
    let mut counts = item::Summary::default();
    for item in items("x").iter().take(2) {
        counts.count(Some(item), None);
    }
    assert_eq!((counts.total, counts.ok, counts.failed, counts.by_code.len()), (2, 1, 1, 0));
}
