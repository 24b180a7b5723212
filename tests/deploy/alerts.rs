//! The alerts: only metrics and labels that a real scrape has, and a test of each.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::metrics::Endpoint;
use crate::read;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    #[serde(rename = "for")]
    lasting: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn rules() -> Vec<Rule> {
    let rules: Rules = serde_saphyr::from_str(&read("deploy/prometheus/alerts.yml")).unwrap();
    rules
        .groups
        .into_iter()
        .flat_map(|group| {
            assert_eq!(group.name, "vpnctl");
            group.rules
        })
        .collect()
}

/// Takes the texts out of an expression, for they are values of labels.
fn without_texts(expression: &str) -> String {
    expression.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// Gives the words of an expression, each with what comes right behind it.
fn words(expression: &str) -> Vec<(&str, char)> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = rest.find(part) {
        let tail = &rest[at..];
        let end = tail.find(|c| !part(c)).unwrap_or(tail.len());
        found.push((&tail[..end], tail[end..].chars().next().unwrap_or(' ')));
        rest = &tail[end..];
    }
    found
}

/// Gives the names of labels: those that are matched, and those in the brackets behind `by` and `on`.
fn labels(expression: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for inside in expression.split('{').skip(1) {
        for matcher in inside.split('}').next().unwrap().split(',') {
            found.insert(matcher.split(['=', '!']).next().unwrap().trim().to_owned());
        }
    }
    for keyword in ["by (", "on ("] {
        for inside in expression.split(keyword).skip(1) {
            found.extend(inside.split(')').next().unwrap().split(',').map(|name| name.trim().to_owned()));
        }
    }
    found
}

/// Gives what an annotation shows of the labels.
fn shown(annotation: &str) -> impl Iterator<Item = &str> {
    annotation.split("$labels.").skip(1).map(|rest| rest.split([' ', '}']).next().unwrap())
}

#[test]
fn alerts_ask_for_metrics_and_labels_that_are_served() {
    let served = Endpoint::start().samples();
    assert!(served["vpnctl_state"].contains("state"), "{served:?}");
    for rule in rules() {
        let expression = without_texts(&rule.expr);
        let asked: BTreeSet<&str> =
            words(&expression).into_iter().map(|(word, _)| word).filter(|word| word.starts_with("vpnctl_")).collect();
        assert!(!asked.is_empty(), "{rule:?}");
        let mut known = BTreeSet::new();
        for name in asked {
            known.extend(served.get(name).unwrap_or_else(|| panic!("{}: nothing serves {name}", rule.alert)).clone());
        }
        for label in labels(&expression) {
            assert!(known.contains(&label), "{}: no label {label} in {known:?}", rule.alert);
        }
        for label in rule.annotations.values().flat_map(|text| shown(text)) {
            assert!(known.contains(label), "{}: no label {label} to show", rule.alert);
        }
    }
}

#[test]
fn an_alert_says_what_is_wrong_and_how_bad_it_is() {
    let rules = rules();
    assert!(rules.len() >= 8, "{}", rules.len());
    let names: BTreeSet<&str> = rules.iter().map(|rule| rule.alert.as_str()).collect();
    assert_eq!(names.len(), rules.len(), "two are called the same");
    for rule in &rules {
        assert!(["warning", "critical"].contains(&rule.labels["severity"].as_str()), "{rule:?}");
        assert!(rule.annotations.contains_key("summary") && rule.annotations.contains_key("description"), "{rule:?}");
        // What is up for a moment wakes nobody, unless the expression has its own patience.
        assert!(rule.lasting.is_some() || rule.expr.contains("time()"), "{rule:?}");
    }
}

#[test]
fn commands_that_an_alert_names_are_commands() {
    let mut seen = 0;
    for rule in rules() {
        for text in rule.annotations.values() {
            for part in text.split("vpnctl ").skip(1) {
                let line = part.split(['.', ';', ',']).next().unwrap().replace("{{ $labels", "x").replace(" }}", "");
                // A label in a template was cut at its dot.
                let words: Vec<&str> = line.split_whitespace().collect();
                let known = vpnctl::cli::command_tree();
                assert!(known.find_subcommand(words[0]).is_some(), "{}: vpnctl {line}", rule.alert);
                seen += 1;
            }
        }
    }
    assert!(seen >= 6, "only {seen}");
}

#[test]
fn each_alert_has_a_test() {
    #[derive(Debug, Deserialize)]
    struct Tests {
        rule_files: Vec<String>,
        tests: Vec<Test>,
    }
    #[derive(Debug, Deserialize)]
    struct Test {
        #[serde(default)]
        input_series: Vec<Series>,
        alert_rule_test: Vec<Expected>,
    }
    #[derive(Debug, Deserialize)]
    struct Series {
        series: String,
    }
    #[derive(Debug, Deserialize)]
    struct Expected {
        alertname: String,
        #[serde(default)]
        exp_alerts: Vec<serde_json::Value>,
    }
    let tests: Tests = serde_saphyr::from_str(&read("deploy/prometheus/alerts_test.yml")).unwrap();
    assert_eq!(tests.rule_files, ["alerts.yml"]);
    let fired: BTreeSet<&str> = tests
        .tests
        .iter()
        .flat_map(|test| &test.alert_rule_test)
        .filter(|expected| !expected.exp_alerts.is_empty())
        .map(|expected| expected.alertname.as_str())
        .collect();
    let rules = rules();
    assert_eq!(fired, rules.iter().map(|rule| rule.alert.as_str()).collect(), "an alert that no test sees");
    let served = Endpoint::start().samples();
    for series in tests.tests.iter().flat_map(|test| &test.input_series) {
        let (name, inside) = series.series.split_once('{').unwrap();
        let labels: BTreeSet<String> =
            inside.trim_end_matches('}').split(',').map(|pair| pair.split('=').next().unwrap().to_owned()).collect();
        assert_eq!(served.get(name), Some(&labels), "{}", series.series);
    }
}
