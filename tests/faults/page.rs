//! The page that shows the matrix: the second part of `docs/faults.md`, behind what the simulators can do.

use std::fmt::Write as _;
use std::path::Path;

use crate::cell::{Cell, Count, Truth, exit_of};
use crate::exceptions;
use crate::rows::{Disk, FAULTS, How};
use crate::verbs;

/// What the part begins with.
const TITLE: &str = "\n# The matrix\n";

/// Holds the page to the matrix; with `UPDATE_DOCS` set it is written.
pub(crate) fn held() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/faults.md");
    let page = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    let (first, committed) = page.split_at(page.find(TITLE).unwrap_or(page.len()));
    let text = text();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return std::fs::write(&path, format!("{first}{text}")).unwrap();
    }
    let differing = committed.lines().zip(text.lines()).find(|(committed, made)| committed != made);
    assert!(committed == text, "{differing:?}; run: UPDATE_DOCS=1 cargo test --test faults page");
}

fn text() -> String {
    let mut text = format!(
        "{TITLE}\n\
        Generated from `tests/faults`, which plays each cell with the binary at a simulated vendor, and held by it. A cell has\n\
        the `code` that the command ends with, its exit code, and after the `·` how many requests the server saw; of a verb\n\
        that changes something how many of them were writes. `ok` is exit 0. Every command ended by itself: the attempts of\n\
        what is silent were given 700 ms each, waits that can't succeed 2 s, writes 12 s and all else 40 s.\n\n\
        A column meets the fault at every request; *its write* meets it at the write alone, where all is read well. No run\n\
        wrote a secret, a panic, or a character that drives a terminal; no redirect was followed, and no stranger with\n\
        another certificate was sent anything.\n"
    );
    for (vendor, verbs) in verbs::ALL {
        write!(text, "\n## The matrix: {vendor}\n\n| fault |").unwrap();
        verbs.iter().for_each(|verb| write!(text, " {} |", verb.name).unwrap());
        writeln!(text, "\n| --- |{}", " --- |".repeat(verbs.len())).unwrap();
        for fault in FAULTS {
            write!(text, "| {} |", fault.name).unwrap();
            for verb in verbs {
                let shown = shown(Cell { verb, fault });
                assert!(!shown.trim().is_empty());
                write!(text, " {shown} |").unwrap();
            }
            text.push('\n');
        }
        writeln!(text, "\nWhere it ends otherwise than elsewhere:\n").unwrap();
        let vendor = verbs[0].vendor;
        for exception in exceptions::all().filter(|one| one.vendor == vendor || one.vendor.is_empty()) {
            let verbs = if exception.verbs.is_empty() { "every verb".to_owned() } else { exception.verbs.join("; ") };
            let faults: Vec<String> = exception.faults.iter().map(|fault| fault.replace('*', "…")).collect();
            writeln!(text, "- {verbs}: {}: {}.", faults.join(", "), exception.why).unwrap();
        }
    }
    text.push_str("\n## How each fault was brought about\n\n");
    for fault in FAULTS {
        writeln!(text, "- {}: {}", fault.name, how(fault.how)).unwrap();
    }
    text
}

fn shown(cell: Cell) -> String {
    match cell.truth() {
        Truth::Never(why) => format!("– {why}"),
        Truth::Told { code, requests, writes } => {
            let told = if code.is_empty() { "ok".to_owned() } else { format!("`{code}` ({})", exit_of(code)) };
            let wrote = match (cell.verb.write, writes) {
                ("", _) => String::new(),
                (_, Count::Exactly(1)) => ", 1 write".to_owned(),
                (_, count) => format!(", {count} writes"),
            };
            format!("{told} · {requests}{wrote}")
        }
    }
}

fn how(how: How) -> String {
    match how {
        How::Simulator(written) => {
            let written = written.trim_end_matches('@').replace("{stranger}", "URL");
            format!("`{written}`, of the write `{written}@METHOD /path`")
        }
        How::Own(own) => {
            let words: Vec<String> = own
                .iter()
                .map(|one| one.map_or_else(str::to_owned, |fault| format!("`{}`", fault.replace(';', "` and `"))))
                .collect();
            format!("Freebox {}; IXON: {}; Everyware Cloud {}", words[0], words[1], words[2])
        }
        How::Socket(written) => format!("`{written}`"),
        How::NoName => {
            "a host name with a part of 64 letters, which the system refuses without asking anybody".to_owned()
        }
        How::Nobody => "a port at which nobody listens".to_owned(),
        How::Certificate(_) => "a server with such a certificate, in the place of the vendor's".to_owned(),
        How::Pin => "`tls.pin` of another certificate".to_owned(),
        How::State(disk) => state(disk).to_owned(),
        How::Clock(seconds) => format!("each reading of the system's clock but the first gives {seconds} s more"),
    }
}

fn state(disk: Disk) -> &'static str {
    match disk {
        Disk::Missing => "the folder of the state is taken away before",
        Disk::ReadOnly => "the folder of the state can't be made",
        Disk::Full => "no file may grow (`ulimit -f 0`)",
        Disk::Empty => "the file of the backend is made empty before",
        Disk::Random => "the file of the backend holds 2 KiB of noise",
        Disk::Newer => "the file of the backend is of version 999",
    }
}
