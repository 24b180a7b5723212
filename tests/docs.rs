//! The generated pages under `docs/`; `UPDATE_DOCS=1 cargo test --test docs` writes them anew.

#![allow(clippy::expect_used)]

use std::path::Path;

/// What begins a part of a page that another test writes and holds.
const ELSEWHERE: &str = "\n# The matrix\n";

fn held(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    let page = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let (committed, rest) = page.split_at(page.find(ELSEWHERE).unwrap_or(page.len()));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        return std::fs::write(&path, format!("{text}{rest}")).expect("written");
    }
    assert_eq!(committed, text, "docs/{name} is not what the code says; run: UPDATE_DOCS=1 cargo test --test docs");
}

#[test]
fn capabilities_are_those_of_the_code() {
    let page = vpnctl::app::backends::page().expect("every vendor opens");
    for vendor in vpnctl::backend::registry::VENDORS {
        assert!(page.contains(vendor.title), "{} is missing", vendor.title);
    }
    held("capabilities.md", &page);
}

/// What heads a table of faults.
const FAULTS: &str = "| fault | what happens |";

/// Takes the tables out of the documentation of a source file: those of what its world holds, then its faults in one.
fn tables(source: &str) -> String {
    let mut worlds = String::new();
    let mut faults = format!("{FAULTS}\n| --- | --- |\n");
    let mut head = None;
    for line in source.lines() {
        let row = line.strip_prefix("//! ").or_else(|| line.strip_prefix("/// ")).filter(|line| line.starts_with('|'));
        let Some(row) = row else {
            head = None;
            continue;
        };
        let is_first = head.is_none();
        let head = *head.get_or_insert(row);
        assert_eq!(cells(row), cells(head), "another number of cells than the head of the table has: {row}");
        if head != FAULTS {
            worlds.push_str(&format!("{}{row}\n", if is_first && !worlds.is_empty() { "\n" } else { "" }));
        } else if row.starts_with("| `") {
            faults.push_str(&format!("{row}\n"));
        }
    }
    assert!(faults.lines().count() > 5, "no table of faults was found");
    if worlds.is_empty() { faults } else { format!("{worlds}\n{faults}") }
}

/// Counts the cells of a row.
fn cells(row: &str) -> usize {
    row.replace("\\|", "").matches('|').count() - 1
}

#[test]
fn faults_are_those_that_the_simulators_document() {
    let mut page = String::from(
        "# Faults of the simulators\n\nGenerated from `src/simulate` and held by a test.\n\n\
        `vpnctl simulate --fault NAME[=ARG]` switches one on from the start, `VENDOR:NAME[=ARG]` for one vendor. Each\n\
        simulated server has a control endpoint besides: `PUT /__simulate/faults/NAME=ARG` switches a fault on while it\n\
        runs, `DELETE /__simulate/faults/NAME` one and `DELETE /__simulate/faults` all of them off, `GET` lists them;\n\
        `GET /__simulate/requests` tells what was asked, `DELETE` forgets it. With `*N` behind it a fault that counts\n\
        happens N times: `--fault http-status=503*2`.\n",
    );
    for (title, source) in [
        ("Of every server", include_str!("../src/simulate/server.rs")),
        ("Freebox", include_str!("../src/simulate/freebox/mod.rs")),
        ("IXON", include_str!("../src/simulate/ixon/mod.rs")),
        ("Everyware Cloud", include_str!("../src/simulate/everyware/mod.rs")),
    ] {
        page.push_str(&format!("\n## {title}\n\n{}", tables(source)));
    }
    for known in ["`http-status=503", "`tunnel-fails=WORD`", "`ws-refused[=STATUS]`", "`mfa`"] {
        assert!(page.contains(known), "{known} is missing");
    }
    held("faults.md", &page);
}

/// Gives the tests that a text names: a path, then names of tests in it, up to the next path.
fn tests_of(text: &str) -> Vec<(String, String)> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"_./".contains(c));
    let mut path = None;
    let mut named = Vec::new();
    for word in words.map(|word| word.trim_matches('.')).filter(|word| !word.is_empty()) {
        if (word.starts_with("tests/") || word.starts_with("src/")) && word.ends_with(".rs") {
            path = Some(word.to_owned());
        } else if let Some(path) = &path {
            named.push((path.clone(), word.to_owned()));
        }
    }
    named
}

/// Fails unless a promise names at least one test, and each that it names exists and is run.
fn is_held(promise: &str, by: &str) {
    let named = tests_of(by);
    assert!(!named.is_empty(), "no test holds: {promise}");
    for (path, test) in named {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(&path);
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}: {promise}"));
        let (before, _) =
            text.split_once(&format!("fn {test}(")).unwrap_or_else(|| panic!("{path} has no test {test}: {promise}"));
        // A sentence of the contract suite is named once more, in the list of those that are run for every vendor.
        let attributes =
            before.trim_end_matches("async ").lines().rev().map(str::trim).skip_while(|line| line.is_empty());
        let is_run = attributes
            .take_while(|line| line.starts_with("#["))
            .any(|line| ["#[test]", "#[tokio::test]"].contains(&line) || line.starts_with("#[tokio::test("))
            || text.matches(&test).count() > 1;
        assert!(is_run, "{path}: {test} is no test: {promise}");
    }
}

#[test]
fn every_promise_of_security_names_tests_that_exist() {
    let text = include_str!("../SECURITY.md");
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| --- ") && *line != HEAD);
    let mut count = 0;
    for row in rows {
        let (promise, by) = row.trim_matches('|').rsplit_once('|').expect("two columns");
        is_held(promise, by);
        count += 1;
    }
    assert!(count > 15, "only {count} promises");
    assert!(text.contains("private vulnerability reporting") && !text.contains('@'), "how to report");
}

/// What heads each table of SECURITY.md.
const HEAD: &str = "| promise | held by |";

#[test]
fn every_promise_of_the_readme_names_tests_that_exist() {
    let text = include_str!("../README.md");
    let section = text.split("\n## ").find_map(|section| section.strip_prefix("Promises\n")).expect("the section");
    let promises: Vec<&str> = section.split("\n- ").skip(1).collect();
    assert!(promises.len() > 5 && section.contains("(SECURITY.md)"), "{section}");
    for promise in promises {
        let (said, by) = promise.split_once("<!--").unwrap_or_else(|| panic!("no test holds: {promise}"));
        is_held(said, by);
    }
}

#[test]
fn what_names_a_test_is_read() {
    let named = tests_of(" `tests/a.rs` `one`, `two_more`; `src/b/c.rs` `three` ");
    let named: Vec<(&str, &str)> = named.iter().map(|(path, test)| (path.as_str(), test.as_str())).collect();
    assert_eq!(named, [("tests/a.rs", "one"), ("tests/a.rs", "two_more"), ("src/b/c.rs", "three")]);
}
