//! `help TOPIC` and the man page: nothing of the tables is missing.

use std::collections::BTreeSet;
use std::path::Path;

use clap::ValueEnum as _;
use vpnctl::backend::registry::VENDORS;
use vpnctl::config::COMMON;
use vpnctl::config::variables::VARIABLES;
use vpnctl::error::{Code, EXITS};
use vpnctl::render::Format;

use crate::bench::bare;
use crate::run::{Run, words};

const TOPICS: [(&str, &str); 5] = [
    ("exit-codes", "EXIT STATUS"),
    ("errors", "ERRORS"),
    ("environment", "ENVIRONMENT"),
    ("formats", "FORMATS"),
    ("config", "CONFIGURATION"),
];

fn run(line: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bare(folder.path());
    // It needs no configuration, so it finds no fault with one.
    command.env("VPNCTL_CONFIG", folder.path().join("there-is-none"));
    command.args(words(line));
    Run::of(command, "")
}

/// Gives the text of a topic, with each run of spaces as one.
fn topic(name: &str) -> String {
    let run = run(&format!("help {name}")).ends(0).quietly();
    for line in run.stdout.lines() {
        assert!(line.chars().count() <= 100 && !line.ends_with(' '), "{name}: `{line}`");
        assert!(!line.chars().any(char::is_control), "{name}: {line:?}");
    }
    run.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Gives the man page as it is read, with each run of spaces as one.
fn page() -> String {
    let page = run("man").ends(0).quietly().stdout;
    assert!(page.is_ascii(), "not every formatter knows the encoding");
    let plain = page.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "");
    let plain = plain.replace("\\*(Aq", "'").replace("\\(aq", "'").replace("\\\\", "\\");
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_row_of_every_table_is_explained_and_in_the_man_page() {
    let page = page();
    let has = |name: &str, part: &str| {
        assert!(topic(name).contains(part), "help {name} says nothing of `{part}`");
        // The page is ASCII, for it is read everywhere.
        assert!(page.contains(&part.replace('…', "...")), "the man page says nothing of `{part}`");
    };
    for (_, number, name, when) in EXITS {
        has("exit-codes", &format!("{number} {name}"));
        has("exit-codes", &when[1..]);
    }
    for code in Code::ALL {
        has("errors", &format!("{} ({} {})", code.as_str(), code.exit().number(), code.exit().name()));
        has("errors", &format!("{} {}", code.meaning(), code.remedy()));
        assert!(code.remedy().ends_with('.') && code.remedy() != code.meaning(), "{code:?}");
    }
    for (name, means) in VARIABLES {
        has("environment", name);
        has("environment", means);
    }
    for format in Format::value_variants().iter().filter_map(Format::to_possible_value) {
        has("formats", &format!("-o {}", format.get_name()));
    }
    for key in COMMON.iter().chain(VENDORS.iter().flat_map(|vendor| vendor.keys)) {
        assert!(!key.means.is_empty() && !key.means.ends_with('.'), "{} means nothing", key.name);
        has("config", &format!("{} (", key.name));
        has("config", &key.means[1..]);
        if let Some(default) = key.default {
            has("config", &format!("[default: {default}]"));
        }
    }
    for (_, section) in TOPICS {
        assert!(page.contains(&format!(".SH \"{section}\"")) || page.contains(&format!(".SH {section}")), "{section}");
    }
}

#[test]
fn every_schema_is_told_with_its_fields() {
    let text = topic("formats");
    for name in [
        "status", "list", "action", "wait", "event", "tunnel", "log", "settings", "auth", "trust", "backends", "config",
    ] {
        assert!(text.contains(&format!("(vpnctl.{name}/v1)")), "{name}");
    }
    for field in ["traffic.rx_bytes", "waited_s", "changed", "found.api_version", "fingerprint", "those of status"] {
        assert!(text.contains(field), "{field}");
    }
}

/// Finds what looks like a variable that is read: a name of ours, or one that is asked of the process.
fn read_in(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let name_at = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_').collect()
    };
    for (at, _) in code.match_indices("\"VPNCTL_") {
        found.insert(name_at(&code[at + 1..]));
    }
    for call in ["env::var(\"", "env::var_os(\"", "env!(\""] {
        for (at, _) in code.match_indices(call) {
            found.insert(name_at(&code[at + call.len()..]));
        }
    }
    for name in ["HOSTNAME", "COMPUTERNAME", "GITHUB_STEP_SUMMARY", "NO_COLOR", "CLICOLOR_FORCE"] {
        if code.contains(&format!("\"{name}\"")) {
            found.insert(name.to_owned());
        }
    }
    // Cargo's own are read when it is built.
    found.retain(|name| !name.is_empty() && name != "VPNCTL_" && name != "OUT_DIR" && !name.starts_with("CARGO_"));
    found
}

#[test]
fn every_variable_that_the_code_reads_is_told() {
    let known: BTreeSet<&str> = VARIABLES.iter().map(|(name, _)| *name).collect();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut seen = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.ends_with("tests.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let told = |name: &str| known.contains(name) || name == "VPNCTL_BACKEND_";
            for name in read_in(code) {
                assert!(told(&name), "{} reads {name}, and `help environment` does not tell it", path.display());
                seen.insert(name);
            }
        }
    }
    for ours in ["VPNCTL_CONFIG", "VPNCTL_TIMEOUT", "VPNCTL_LOG", "TERM", "HOSTNAME"] {
        assert!(seen.contains(ours), "{ours} was not found: the search is broken");
    }
}

#[test]
fn what_names_a_proxy_is_told() {
    let (text, page) = (topic("environment"), page());
    for name in vpnctl::http::proxy::VARIABLES {
        assert!(text.contains(&format!(" {name} ")) && page.contains(name), "{name}");
    }
    assert!(text.contains("may be in lower case"), "{text}");
}

#[test]
fn help_of_a_command_is_its_own() {
    for command in ["status", "auth login", "tunnel add", "config show", "completion"] {
        let help = run(&format!("help {command}")).ends(0).quietly();
        assert_eq!(help.stdout, run(&format!("{command} --help")).ends(0).stdout, "{command}");
    }
    let all = run("help").ends(0).quietly();
    assert_eq!(all.stdout, run("--help").ends(0).stdout);
    for (topic, _) in TOPICS {
        assert!(all.stdout.contains(&format!("  {topic} ")), "{topic}");
    }
}

#[test]
fn what_there_is_no_help_for_is_a_usage_error_with_the_nearest() {
    for (line, near) in [
        ("help statsu", "`status`"),
        ("help exit-code", "`exit-codes`"),
        ("help auth logn", "`login`"),
        ("help nothing-like-it", "there are status"),
        ("help status more", "vpnctl status --help"),
    ] {
        run(line).ends(2).without_output().tells(near);
    }
    assert_eq!(run("help statsu -o json").ends(2).error()["code"], "usage");
    run("help errors --jq .").ends(2).without_output().fails("usage");
}

#[test]
fn the_man_page_has_each_command_with_its_own_options() {
    let page = page();
    for (command, part) in [
        ("vpnctl wait", "--stable DURATION"),
        ("vpnctl auth login", "--otp-stdin"),
        ("vpnctl tunnel import", "--password-file"),
        ("vpnctl api", "vpnctl api -b bench GET Status"),
        ("vpnctl help", "exit-codes"),
    ] {
        let own = page.split(&format!(".SS \"{command}\" ")).nth(1).unwrap_or_else(|| panic!("no {command}: {page}"));
        let own = own.split(".SS ").next().unwrap();
        assert!(own.contains(part), "{command}: {own}");
        assert!(!own.contains("--log-format"), "{command} repeats the global options");
    }
}
