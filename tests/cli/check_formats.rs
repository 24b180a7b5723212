//! The formats that only `check` has, read as their consumers read them.

use std::collections::BTreeMap;

use prometheus_parse::{Scrape, Value};
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};

use crate::bench::Bench;
use crate::run::Run;

/// What a tunnel may be called that breaks a careless format.
const HARMFUL: &str = "x\n::error::y|c]]>\"=#SKIP\\ \u{1b}[31m\u{202e}%0A<b>`'";

/// The port that nothing listens at.
const NOWHERE: &str = "http://127.0.0.1:1";

/// The whole world, with one backend that can't be reached.
const MIXED: &str = "check -b freebox -b ixon -b everyware --sort --timeout 5s";

fn harmful() -> Bench {
    Bench::with_faults(&[&format!("freebox:status-description={HARMFUL}")])
}

fn mixed(bench: &Bench, format: &str) -> Run {
    bench.run_where("VPNCTL_BACKEND_IXON_URL", NOWHERE, &format!("{MIXED} -o {format}"))
}

/// Holds a report for monitors to the guidelines, and gives its state, its text and its performance data.
#[track_caller]
fn monitored(run: &Run) -> (String, String, BTreeMap<String, String>) {
    assert_eq!(run.stderr, "", "{run}");
    let first = run.stdout.lines().next().unwrap_or_else(|| panic!("nothing: {run}"));
    let (text, data) = first.split_once('|').unwrap_or((first, ""));
    let (state, text) = text.strip_prefix("VPN ").and_then(|rest| rest.split_once(" - ")).unwrap();
    let code = ["OK", "WARNING", "CRITICAL", "UNKNOWN"].iter().position(|word| *word == state);
    assert_eq!(code, usize::try_from(run.code).ok(), "{run}");
    assert!(run.stdout.matches('|').count() <= 1, "{run}");
    let mut found = BTreeMap::new();
    let mut rest = data.trim();
    while let Some(begun) = rest.strip_prefix('\'') {
        // A quote inside of a label is doubled, so the label ends before the first `'=`.
        let (label, after) = begun.split_once("'=").unwrap_or_else(|| panic!("no end of a label: {run}"));
        assert!(!label.contains('=') && !label.replace("''", "").contains('\''), "{label}: {run}");
        let (value, after) = after.split_once(' ').unwrap_or((after, ""));
        let parts: Vec<&str> = value.split(';').collect();
        let number = parts[0].trim_end_matches(['s', 'c']);
        assert!((number == "U" || number.parse::<f64>().is_ok()) && parts.len() <= 5, "{value}: {run}");
        assert!(found.insert(label.to_owned(), value.to_owned()).is_none(), "{label} twice: {run}");
        rest = after;
    }
    assert_eq!(rest, "", "{run}");
    (state.to_owned(), text.trim().to_owned(), found)
}

#[test]
fn a_monitor_is_told_by_the_code_and_the_first_line() {
    let bench = Bench::new();
    let (_, text, data) = monitored(&bench.run("check -b freebox -o nagios").ends(0));
    assert_eq!(text, "freebox/Downloads: connected");
    assert!(data["freebox/Downloads age"].ends_with("s;;;0"), "{data:?}");
    assert_eq!(data["freebox/Downloads rx_rate"], "125000;;;0");
    let (_, text, data) = monitored(&bench.run("check -b freebox -o nagios --warn 60 --crit rx_rate=1:").ends(1));
    assert!(text.contains("is outside 60") && data["freebox/Downloads age"].ends_with(";60;;0"), "{text}");
    assert_eq!(data["freebox/Downloads rx_rate"], "125000;;1:;0");
    monitored(&bench.run("check -b freebox -o nagios --warn 60 --crit rx_rate=1").ends(2));
    let run = bench.run("check -b everyware -o nagios").ends(2);
    let (_, text, data) = monitored(&run);
    assert!(text.starts_with("2 of 7 ok; everyware/gw-"), "{text}");
    assert_eq!((data["ok"].as_str(), data["everyware/gw-lyon-03 age"].as_str()), ("2;;;0;7", "U;;;0"));
    assert_eq!(run.stdout.lines().count(), 8, "{run}");
    monitored(&bench.run("check -b everyware gw-turin-04 gw-lyon-02 -o nagios").ends(3));
    // What is known to be wrong is graver than what is not known.
    monitored(&bench.run("check -b everyware gw-turin-04 gw-lyon-03 -o nagios").ends(2));
    monitored(&bench.run("check everyware/gw-turin-04 freebox/Downloads -o nagios --warn 60").ends(1));
}

#[test]
fn a_monitor_is_told_what_vpnctl_itself_stumbles_over() {
    let bench = Bench::new();
    for line in [
        "check -b freebox -o nagios --nonsense",
        "check -b freebox --format nagios --expect up",
        "check -b freebox --format=nagios --expect unknown",
        "check -b nowhere -onagios",
        "check --output=nagios",
        "check -b freebox 'nothing*' -o nagios",
        "check -b freebox -o nagios --fields state",
        "check -b freebox --format nagios -o json",
    ] {
        let run = bench.run(line).ends(3);
        let (state, text, _) = monitored(&run);
        assert_eq!((state.as_str(), run.stdout.lines().count()), ("UNKNOWN", 1), "{line}: {run}");
        assert!(text.len() > 20, "{line}: {run}");
    }
    monitored(&bench.run_by("nonsense = 1\n", "check -o nagios").ends(3));
    monitored(&bench.run_where("VPNCTL_OUTPUT", "nagios", "check -b freebox --nonsense").ends(3));
    monitored(&bench.run_where("VPNCTL_TIMEOUT", "soon", "check -b freebox -o nagios").ends(3));
    // Another verb has no such format, and tells it as it tells everything.
    bench.run("status -b freebox check -o nagios").ends(2).without_output().tells("only `check`");
    // Who asks for help gets it.
    bench.run("check -o nagios --help").ends(0).prints("Usage:");
}

#[cfg(unix)]
#[test]
fn a_check_that_is_interrupted_has_no_verdict() {
    for (format, code) in [("nagios", 3), ("tap", 143), ("prometheus", 143)] {
        let bench = Bench::new();
        bench.run("check -b freebox").ends(0);
        bench.fault("freebox", "slow=30000");
        bench.requests();
        let child = bench.start(&format!("check -b everyware -b freebox -o {format}"));
        let started = std::time::Instant::now();
        while bench.asked("everyware").is_empty() {
            assert!(started.elapsed() < std::time::Duration::from_secs(30), "it asks nothing");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        crate::signals::send("TERM", &child);
        let run = Run::end_of(child, format.to_owned()).ends(code);
        match format {
            "nagios" => assert!(run.stdout.starts_with("VPN UNKNOWN - interrupted"), "{run}"),
            _ => assert!(!run.stdout.contains("1..") && !run.stdout.contains("vpnctl_"), "{run}"),
        }
    }
}

#[test]
fn junit_tells_failures_from_errors() {
    let bench = Bench::new();
    let run = mixed(&bench, "junit").ends(5);
    let report = Report::deserialize_from_str(&run.stdout).unwrap();
    assert_eq!((report.tests, report.failures, report.errors, report.skipped), (9, 5, 1, 0), "{run}");
    let suites: Vec<&str> = report.test_suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(suites, ["everyware", "freebox", "ixon"], "{run}");
    for suite in &report.test_suites {
        assert_eq!(suite.tests, suite.test_cases.len(), "{run}");
        assert!(suite.time.is_some() && suite.timestamp.is_some(), "{run}");
        for case in &suite.test_cases {
            assert!(case.time.is_some(), "{run}");
            assert_eq!(case.classname.as_deref(), Some(format!("vpnctl.{}", suite.name.as_str()).as_str()), "{run}");
        }
    }
    assert_eq!(report.test_suites[1].test_cases[0].name.as_str(), "Downloads");
    let TestCaseStatus::NonSuccess { kind, ty, message, .. } = &report.test_suites[2].test_cases[0].status else {
        panic!("no error: {run}")
    };
    assert_eq!((*kind, ty.as_deref()), (NonSuccessKind::Error, Some("net.refused")), "{run}");
    assert!(message.is_some(), "{run}");
    run.tells("error: ixon: nothing listens");
}

#[test]
fn junit_skips_what_the_vendor_cannot_answer() {
    let bench = Bench::with_faults(&["freebox:api-version=1.0"]);
    let run = bench.run("check -b freebox -o junit").ends(12);
    let report = Report::deserialize_from_str(&run.stdout).unwrap();
    assert_eq!((report.tests, report.test_suites[0].skipped), (1, 1), "{run}");
    bench.run("check -b freebox -o tap").ends(12).prints("ok 1 - freebox # SKIP ");
}

/// Holds a stream to TAP 13, and gives its test points: whether it is ok, its description and its directive.
#[track_caller]
fn points(run: &Run) -> Vec<(bool, String, Option<String>)> {
    let mut points = Vec::new();
    let mut plan = None;
    let mut inside = false;
    let mut lines = run.stdout.lines();
    assert_eq!(lines.next(), Some("TAP version 13"), "{run}");
    for line in lines {
        assert!(plan.is_none(), "something after the plan: {run}");
        if inside || line == "  ---" {
            assert!(inside || !points.is_empty(), "{run}");
            inside = line != "  ...";
            assert!(line.starts_with("  "), "{line}: {run}");
        } else if let Some(count) = line.strip_prefix("1..") {
            plan = Some(count.parse::<usize>().unwrap());
        } else {
            let (ok, rest) = line.strip_prefix("not ").map_or((true, line), |rest| (false, rest));
            let rest = rest.strip_prefix("ok ").unwrap_or_else(|| panic!("{line}: {run}"));
            let (number, text) = rest.split_once(" - ").unwrap();
            assert_eq!(number.parse(), Ok(points.len() + 1), "{run}");
            let (text, directive) =
                text.split_once(" # ").map_or((text, None), |(text, it)| (text, Some(it.to_owned())));
            assert!(!text.contains('#'), "{line}");
            points.push((ok, text.to_owned(), directive));
        }
    }
    assert!(!inside, "{run}");
    assert_eq!(plan, Some(points.len()), "{run}");
    points
}

#[test]
fn tap_has_a_point_for_each_target_and_a_plan() {
    let bench = Bench::new();
    let run = mixed(&bench, "tap").ends(5);
    let points = points(&run);
    assert_eq!(points.len(), 9, "{run}");
    assert_eq!(points[2], (true, "everyware/gw-lyon-02".to_owned(), None), "{run}");
    assert_eq!(points[3], (false, "everyware/gw-lyon-03".to_owned(), None), "{run}");
    run.prints("  code: \"net.refused\"\n").prints("  message: \"disconnected (expected connected)\"\n");
}

#[test]
fn github_gets_annotations_and_a_table() {
    let mut bench = Bench::new();
    let table = bench.path("summary.md");
    bench.set("GITHUB_STEP_SUMMARY", table.to_string_lossy());
    std::fs::write(&table, "# What was there before\n").unwrap();
    let run = bench.run("check -b freebox -o github --warn 60").ends(0).quietly();
    assert!(run.stdout.starts_with("::warning title=freebox/Downloads::connected (age "), "{run}");
    assert_eq!(bench.run("check -b freebox -o github").ends(0).quietly().stdout, "");
    let run = bench.run("check -b everyware -o github").ends(3).quietly();
    assert_eq!(run.stdout.matches("::error title=everyware/gw-").count(), 5, "{run}");
    assert_eq!(run.stdout.lines().count(), 5, "{run}");
    let written = std::fs::read_to_string(&table).unwrap();
    assert!(written.starts_with("# What was there before\n"), "{written}");
    assert_eq!(written.matches("### vpnctl check: ").count(), 3, "{written}");
    assert!(written.contains("\n| **no** | everyware/gw-lyon-03 | disconnected | connected |"), "{written}");
    // Only GitHub reads it.
    bench.run("check -b freebox -o tap").ends(0).quietly();
    assert_eq!(std::fs::read_to_string(&table).unwrap(), written);
    bench.run_where("GITHUB_STEP_SUMMARY", "no/such/folder", "check -b freebox -o github").ends(0).tells("warning: ");
    bench.run_where("GITHUB_STEP_SUMMARY", "", "check -b freebox -o github").ends(0).quietly();
}

/// Reads metrics with a Prometheus parser, and gives each sample by its name, target and further label.
#[track_caller]
fn samples(run: &Run) -> BTreeMap<(String, String, String), f64> {
    let scrape = Scrape::parse(run.stdout.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let mut found = BTreeMap::new();
    for sample in scrape.samples {
        let (Value::Gauge(value) | Value::Counter(value)) = sample.value else { panic!("{sample:?}: {run}") };
        let label = |name: &str| sample.labels.get(name).unwrap_or_default().to_owned();
        let place = format!("{}/{}", label("backend"), label("target"));
        let key = (sample.metric.clone(), place, label("state") + &label("expect"));
        assert!(found.insert(key, value).is_none(), "{sample:?} twice: {run}");
    }
    found
}

#[test]
fn prometheus_reads_states_and_verdicts() {
    let bench = Bench::new();
    let run = mixed(&bench, "prometheus").ends(5);
    let samples = samples(&run);
    let get = |name: &str, place: &str, more: &str| {
        samples.get(&(name.to_owned(), place.to_owned(), more.to_owned())).copied()
    };
    assert_eq!(get("vpnctl_connected", "freebox/Downloads", ""), Some(1.0), "{run}");
    assert_eq!(get("vpnctl_connected", "everyware/gw-lyon-03", ""), Some(0.0), "{run}");
    assert_eq!(get("vpnctl_connected", "ixon/", ""), None, "{run}");
    assert_eq!(get("vpnctl_state", "ixon/", "unknown"), Some(1.0), "{run}");
    assert_eq!(get("vpnctl_state", "freebox/Downloads", "connected"), Some(1.0), "{run}");
    assert_eq!(get("vpnctl_check_ok", "freebox/Downloads", "connected"), Some(1.0), "{run}");
    assert_eq!(get("vpnctl_check_ok", "everyware/gw-lyon-03", "connected"), Some(0.0), "{run}");
    assert_eq!(get("vpnctl_check_ok", "ixon/", "connected"), None, "{run}");
    assert!(get("vpnctl_rx_bytes_total", "freebox/Downloads", "").is_some_and(|bytes| bytes > 1e6), "{run}");
    assert!(run.stdout.contains("# TYPE vpnctl_rx_bytes_total counter\n"), "{run}");
    run.tells("error: ixon: ");
}

/// Takes the labels of a sample apart, strictly by the text format: the parser takes no brace inside of a value.
#[track_caller]
fn labels(sample: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (_, mut rest) = sample.split_once('{').unwrap();
    loop {
        let (name, after) = rest.split_once("=\"").unwrap();
        assert!(name.chars().all(|c| c.is_ascii_lowercase()), "{sample}");
        let (mut value, mut characters) = (String::new(), after.chars());
        loop {
            match characters.next().unwrap() {
                '"' => break,
                '\\' => value.push(match characters.next().unwrap() {
                    'n' => '\n',
                    c @ ('"' | '\\') => c,
                    c => panic!("\\{c} is no escape: {sample}"),
                }),
                c => value.push(c),
            }
        }
        found.push((name.to_owned(), value));
        rest = characters.as_str();
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    assert!(rest.strip_prefix("} ").unwrap().parse::<f64>().is_ok(), "{sample}");
    found
}

#[test]
fn a_harmful_name_breaks_no_format() {
    let bench = harmful();
    let name = bench.run("check -b freebox -o json").ends(0).item()["target"]["name"].clone();
    assert!(name.as_str().unwrap().contains("::error::y|c"), "{name}");
    let (_, text, data) = monitored(&bench.run("check -b freebox -o nagios").ends(0));
    assert!(text.contains("::error::y¦c"), "{text}");
    assert_eq!(data.len(), 6, "{data:?}");
    let run = bench.run("check -b freebox -o junit").ends(0).quietly();
    let report = Report::deserialize_from_str(&run.stdout).unwrap();
    assert!(report.test_suites[0].test_cases[0].name.as_str().contains("::error::y|c]]>"), "{run}");
    let run = bench.run("check -b freebox -o tap --warn 60").ends(0).quietly();
    assert_eq!(points(&run).len(), 1, "{run}");
    let run = bench.run("check -b freebox -o github --crit 60").ends(3).quietly();
    assert_eq!(run.stdout.lines().filter(|line| line.starts_with("::error title=freebox/x")).count(), 1, "{run}");
    assert_eq!(run.stdout.lines().count(), 1, "{run}");
    let run = bench.run("check -b freebox -o prometheus").ends(0).quietly();
    let samples: Vec<&str> = run.stdout.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(samples.len(), 1 + 1 + 1 + 7 + 2, "{run}");
    for sample in samples {
        let target = labels(sample).into_iter().find(|(name, _)| name == "target").unwrap().1;
        assert_eq!(
            target,
            name.as_str().unwrap().replace('\n', "\\n").replace('\u{1b}', "\\u{1b}").replace('\u{202e}', "\\u{202e}")
        );
    }
    for format in ["text", "nagios", "junit", "tap", "github", "prometheus"] {
        let run = bench.run(&format!("check -b freebox -o {format} --warn 60"));
        let harmless = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
        assert!(run.stdout.chars().all(harmless), "{format}: {run}");
    }
}

#[test]
fn whatever_is_wrong_a_monitor_is_told_so_where_it_looks() {
    let bench = Bench::new();
    for line in
        ["check -o nagios --jq .", "check -qonagios --bogus", "check -Aonagios --bogus", "check -qo nagios --bogus"]
    {
        bench.run(line).ends(3).prints("VPN UNKNOWN - ");
    }
}

#[test]
fn two_targets_of_one_name_are_told_apart_as_they_come() {
    let bench = Bench::new();
    for format in ["text", "tap", "github"] {
        let run = bench.run(&format!("check ixon/AAAAAAAAAAAD ixon/AAAAAAAAAAAE -o {format}"));
        let lines: std::collections::BTreeSet<&str> = run.stdout.lines().filter(|line| line.contains("Pump")).collect();
        assert_eq!(lines.len(), 2, "{run}");
        assert!(lines.iter().any(|line| line.contains("Pump (AAAAAAAAAAA")), "{run}");
    }
}
