//! Text that strangers wrote: whatever a vendor answers, no format lets it drive a terminal, break a line or a cell, or
//! begin a formula, and JSON keeps it byte for byte.

use std::collections::BTreeSet;

use quick_junit::Report;
use serde_json::Value;

use crate::planted::{HOSTILE, all, freebox, names, strangers};
use crate::run::Run;
use crate::stranger::{Answer, Stranger};

/// Formats of every verb.
const FORMATS: [&str; 8] = ["table", "wide", "json", "ndjson", "yaml", "csv", "tsv", "value"];

/// Gives a few texts with all of it, for where each needs a run of its own.
fn bundles() -> Vec<String> {
    HOSTILE
        .chunks(20)
        .map(|some| some.concat().replace(['\0', '\''], ""))
        .chain(["a\nerror: forged".to_owned()])
        .collect()
}

/// Tells whether a character may not reach a terminal; said here once more, and not as the code says it.
pub(crate) fn drives(c: char) -> bool {
    let code = u32::from(c);
    let ranges: [(u32, u32); 11] = [
        (0, 0x1f),
        (0x7f, 0x9f),
        (0x61c, 0x61c),
        (0x180e, 0x180e),
        (0x200b, 0x200b),
        (0x200e, 0x200f),
        (0x2028, 0x202e),
        (0x2060, 0x206f),
        (0xfeff, 0xfeff),
        (0xfff9, 0xfffb),
        (0xe0000, 0xe007f),
    ];
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&code))
}

/// Holds a stream to have nothing in it but lines of text; `also` may be in it too.
#[track_caller]
fn is_calm(run: &Run, stream: &str, also: &[char]) {
    let wild: BTreeSet<char> = stream.chars().filter(|c| drives(*c) && *c != '\n' && !also.contains(c)).collect();
    assert!(wild.is_empty(), "{wild:?} in {}: {stream:.2000}", run.what);
}

/// Holds standard error to be messages and hints, each on its line.
#[track_caller]
fn tells_calmly(run: &Run) {
    is_calm(run, &run.stderr, &[]);
    for line in run.stderr.lines() {
        if line == "partial" || line.split('.').all(|part| part.chars().all(|c| c.is_ascii_lowercase() || c == '_')) {
            // The code alone, as `-o value` tells it.
            continue;
        }
        let known = ["error: ", "hint: ", "warning: ", "info: ", "debug: ", "trace: ", "{\""];
        assert!(known.iter().any(|word| line.starts_with(word)), "{line}: {}", run.what);
        assert!(!line.starts_with("error: forged"), "{}", run.stderr);
        if line.starts_with('{') {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        }
    }
}

/// Tells whether a spreadsheet would run a cell, whatever it takes for the end of one.
fn is_formula(cell: &str) -> bool {
    cell.split([',', ';', '\t', '\r', '\n']).any(|part| {
        let part = part.trim_start_matches(|c: char| c.is_whitespace() || c == '"');
        let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
        part.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) && part != "-" && !digits(&part[1..])
    })
}

#[track_caller]
fn is_table(run: &Run, delimiter: u8) {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(run.stdout.as_bytes());
    let columns = reader.headers().unwrap().len();
    let mut rows = 0;
    for row in reader.records() {
        let row = row.unwrap_or_else(|error| panic!("{error}: {}", run.what));
        assert_eq!(row.len(), columns, "{row:?}: {}", run.what);
        assert!(!row.iter().any(is_formula), "{row:?}: {}", run.what);
        rows += 1;
    }
    // A row is a line, also for a reader that knows nothing of quotes.
    assert_eq!(run.stdout.lines().count(), rows + 1, "{}", run.what);
}

/// Reads a sample strictly by the rules of the exposition format; gives its name and the values of its labels.
#[track_caller]
fn sample(line: &str) -> (&str, Vec<String>) {
    let (name, mut rest) = line.split_once('{').unwrap_or_else(|| panic!("no labels: {line}"));
    assert!(name.starts_with("vpnctl_") && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{line}");
    let mut values = Vec::new();
    loop {
        let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        assert!(label.chars().all(|c| c.is_ascii_lowercase()), "{label}: {line}");
        let mut value = String::new();
        let mut characters = after.chars();
        loop {
            match characters.next().unwrap_or_else(|| panic!("no end: {line}")) {
                '"' => break,
                '\\' => value.push(match characters.next() {
                    Some('n') => '\n',
                    Some(c @ ('"' | '\\')) => c,
                    other => panic!("no escape: {other:?} in {line}"),
                }),
                c => value.push(c),
            }
        }
        values.push(value);
        rest = characters.as_str();
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    let number = rest.strip_prefix("} ").unwrap_or_else(|| panic!("no end of the labels: {line}"));
    assert!(number.parse::<f64>().is_ok(), "{number}: {line}");
    (name, values)
}

/// Holds what a format printed to what its readers expect.
#[track_caller]
fn reads_well(run: &Run, format: &str) {
    tells_calmly(run);
    is_calm(run, &run.stdout, if format == "tsv" { &['\t'] } else { &[] });
    match format {
        "json" => {
            run.json();
        }
        "ndjson" => run.stdout.lines().for_each(|line| {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(line["type"].is_string(), "{line}");
        }),
        "yaml" => {
            let document: Value = serde_saphyr::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", run.what));
            assert!(document["items"].is_array() && document["summary"].is_object(), "{}", run.what);
        }
        "csv" => is_table(run, b','),
        "tsv" => is_table(run, b'\t'),
        "prometheus" => {
            let samples = run.stdout.lines().filter(|line| !line.starts_with("# "));
            let seen: BTreeSet<(&str, Vec<String>)> = samples.clone().map(sample).collect();
            assert_eq!(seen.len(), samples.count(), "a sample is there twice: {}", run.what);
        }
        "junit" => {
            let report = Report::deserialize_from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"));
            assert!(report.tests > 0, "{run}");
        }
        "github" => run.stdout.lines().for_each(|line| assert!(line.starts_with("::error title="), "{line}")),
        "tap" => run.stdout.lines().for_each(|line| {
            let known = ["TAP version 13", "1..", "ok ", "not ok ", "  "];
            assert!(known.iter().any(|begin| line.starts_with(begin)), "{line}");
            // The one directive is vpnctl's own.
            assert!(
                line.starts_with("  ") || line.matches('#').count() <= usize::from(line.contains("# SKIP the state")),
                "{line}"
            );
        }),
        "nagios" => assert!(run.stdout.matches('|').count() <= 1, "{}", run.stdout),
        _ => {}
    }
}

/// Runs a line in formats, and holds each to be read well.
#[track_caller]
fn in_formats(stranger: &Stranger, line: &str, formats: &[&str]) {
    for format in formats {
        let run = stranger.run(&format!("{line} -o {format}"));
        assert!(!run.stdout.is_empty(), "nothing is printed: {run}");
        reads_well(&run, format);
    }
}

#[test]
fn no_format_does_what_a_vendor_wrote() {
    let stranger = strangers();
    for line in [
        "list -A",
        "status -A",
        "status -b freebox --native",
        "tunnel list -b freebox",
        "tunnel show -b freebox --id vpn0",
        "log -b freebox",
        "settings show -b ixon",
        "auth status -A",
        "watch -A --count 3 --interval 1s",
        "connect -b everyware --id d1 --no-wait",
        "backends",
    ] {
        in_formats(&stranger, line, &FORMATS);
    }
}

#[test]
fn no_verdict_does_what_a_vendor_wrote() {
    let stranger = strangers();
    let formats = ["text", "nagios", "junit", "tap", "github", "prometheus"];
    in_formats(&stranger, "check -A --warn 60", &formats);
    in_formats(&stranger, "check -A --expect disconnected", &formats[..4]);
}

#[test]
fn json_keeps_what_a_vendor_wrote_byte_for_byte() {
    let stranger = strangers();
    for vendor in ["freebox", "ixon", "everyware"] {
        let items = stranger.run(&format!("list -b {vendor} -o json")).ends(0).items();
        let listed: Vec<&str> = items.iter().filter_map(|item| item["target"]["name"].as_str()).collect();
        let planted: Vec<String> = names().collect();
        assert_eq!(listed, planted, "{vendor}");
        let lines = stranger.run(&format!("list -b {vendor} -o ndjson")).ends(0);
        assert_eq!(lines.stdout.lines().count(), planted.len() + 1, "a line an item: {lines}");
        for (line, name) in lines.stdout.lines().zip(&planted) {
            let item: Value = serde_json::from_str(line).unwrap();
            assert_eq!(item["target"]["name"], name.as_str(), "{vendor}");
        }
    }
    let status = stranger.run("status -b freebox --native -o json").ends(0).item();
    assert_eq!(status["native"][all()], all());
    assert_eq!(status["raw_state"], all());
    let logged: String =
        stranger.run("log -b freebox -n 1000 -o json").items().iter().map(|line| line["text"].to_string()).collect();
    assert!(logged.contains(r"\u001b]0;owned\u0007"), "{logged}");
    // A filter gets the same, and what it prints is as harmless.
    let counted = stranger.run("list -b everyware --jq '[.items[].target.name|length]|add'").ends(0);
    assert_eq!(counted.stdout.trim(), names().map(|name| name.chars().count()).sum::<usize>().to_string());
    let raw = stranger.run("list -b everyware --jq '.items[].target.name'").ends(0);
    is_calm(&raw, &raw.stdout, &['\t']);
    assert!(raw.stdout.contains("\\u{1b}]0;owned\\u{7}"), "{raw}");
}

#[test]
fn messages_and_traces_do_nothing_of_what_they_tell() {
    let stranger = strangers();
    for line in [
        "connect -b freebox --id vpn7",
        "disconnect -b everyware --id d1",
        "connect -b ixon --id AAAAAAAAAAAA",
        "connect -b ixon --id AAAAAAAAAAAA --switch",
        "wait -b ixon --for connected --timeout 300ms",
        "status -b everyware nobody",
        "settings set -b ixon a=1 --yes",
        "api GET vpn_client/nothing -b freebox",
        "connect -b everyware '*' --dry-run --yes",
    ] {
        for format in ["", "-o json", "-vvv", "-vvv --log-format json", "-o nagios"] {
            stranger.forget();
            let run = stranger.run(&format!("{line} {format}"));
            is_calm(&run, &run.stderr, &[]);
            assert!(!run.stderr.lines().any(|line| line.starts_with("error: forged")), "{run}");
            assert!(!run.stderr.is_empty(), "{run}");
        }
    }
}

#[test]
fn an_answer_that_is_asked_for_stays_untouched_where_it_is_kept() {
    let stranger = strangers();
    let run = stranger.run("api GET vpn_client/log -b freebox").ends(0);
    let log: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(log["result"], names().map(|name| format!("{name}\n")).collect::<String>());
    assert!(run.stdout.contains('\u{202e}'), "it is as it came: {run}");
}

#[test]
fn text_that_is_none_is_refused_and_shown_without_harm() {
    for body in [
        r#"{"success":true,"result":[{"id":"vpn0","description":"\ud800","type":"pptp"}]}"#.as_bytes(),
        b"{\"success\":true,\"result\":[{\"id\":\"vpn0\",\"description\":\"\xff\xfe\x9b2J\"}]}",
        b"\x1b]0;owned\x07<html>\xe2\x80\xae</html>",
    ] {
        let stranger = Stranger::answering(move |method, path| match path {
            "/api/v16/vpn_client/config/" => Answer { status: 200, headers: String::new(), body: body.to_vec() },
            path => freebox(method, path),
        });
        for format in ["table", "json"] {
            let run = stranger.run(&format!("list -b freebox -o {format}")).ends(14);
            is_calm(&run, &run.stderr, &[]);
            is_calm(&run, &run.stdout, &[]);
        }
    }
}

#[test]
fn what_users_give_is_told_without_doing_it() {
    let stranger = strangers();
    for text in bundles() {
        let fields = format!("--fields 'native.{}'", text.replace([',', '\n', '\r'], " "));
        for line in [
            format!("'{text}'"),
            format!("status '--{text}'"),
            format!("status -b '{text}'"),
            format!("status --timeout '{text}'"),
            format!("status --timeout='{text}'"),
            format!("status -b everyware --id -- '{text}'"),
            format!("status --config '{text}'"),
            format!("help '{text}'"),
            format!("api '{text}' x -b freebox"),
            format!("api GET '{text}' -b freebox"),
            format!("api POST x -b freebox --data '@{text}'"),
            format!("tunnel import '{text}' -b freebox"),
            format!("status -b freebox -l '{text}'"),
            format!("with -b freebox '{text}' -- true"),
            format!("with -b freebox -- '{text}'"),
            format!("status -b freebox {fields} -o csv"),
        ] {
            for format in ["", "-o json"] {
                let mut command = stranger.command(&stranger.config(), "");
                let (before, after) = line.split_once(" -- ").map_or((line.as_str(), None), |(a, b)| (a, Some(b)));
                command.args(crate::run::words(before)).args(crate::run::words(format));
                if line.contains("-o csv") && !format.is_empty() {
                    continue;
                }
                if let Some(after) = after {
                    command.arg("--").args(crate::run::words(after));
                }
                let run = Run::of(command, "");
                is_calm(&run, &run.stderr, &[]);
                assert!(!run.stderr.lines().any(|line| line.starts_with("error: forged")), "{run}");
                if !line.starts_with("api GET") {
                    is_calm(&run, &run.stdout, &[]);
                }
            }
        }
    }
}

#[test]
fn variables_and_values_of_the_configuration_are_told_without_doing_them() {
    let stranger = strangers();
    for text in bundles() {
        let quoted = serde_json::to_string(&text).unwrap().replace('\u{7f}', "\\u007f");
        for variable in [
            "VPNCTL_BACKEND",
            "VPNCTL_TIMEOUT",
            "VPNCTL_OUTPUT",
            "VPNCTL_LOG",
            "VPNCTL_BACKEND_FREEBOX_URL",
            "VPNCTL_BACKEND_FREEBOX_RATE",
            "VPNCTL_BACKEND_FREEBOX_VENDOR",
            "VPNCTL_BACKEND_FREEBOX_LABELS",
        ] {
            let mut command = stranger.command(&stranger.config(), "config show -o table");
            command.env(variable, &text);
            let run = Run::of(command, "");
            is_calm(&run, &run.stderr, &[]);
            is_calm(&run, &run.stdout, &[]);
        }
        for part in [
            format!("{quoted} = 1\n"),
            format!("[backend.x]\nvendor = {quoted}\n"),
            format!("[backend.x]\nvendor = \"freebox\"\n{quoted} = 1\n"),
            format!("[backend.x]\nvendor = \"freebox\"\nurl = {quoted}\n"),
            format!("[backend.x]\nvendor = \"freebox\"\nlabels = {{ {quoted} = {quoted} }}\n"),
            format!("[backend.{quoted}]\nvendor = \"freebox\"\n"),
            format!("default_backend = {quoted}\n"),
            format!("[group.{quoted}]\nselect = {quoted}\n"),
            format!("{text}\n"),
        ] {
            let run = stranger.run_by(&part, "config show");
            is_calm(&run, &run.stderr, &[]);
            is_calm(&run, &run.stdout, &[]);
            assert!(!run.stderr.lines().any(|line| line.starts_with("error: forged")), "{run}");
        }
    }
}
