//! Takes out of a text what differs from run to run: ports, times, counters and paths.

use crate::bench::Bench;

/// Replaces what differs from run to run.
pub(crate) fn redacted(bench: &Bench, text: &str) -> String {
    let folder = bench.folder.path().to_string_lossy().into_owned();
    plain(&text.replace(&folder, "FOLDER"))
}

/// Replaces ports, times and the version.
pub(crate) fn plain(text: &str) -> String {
    let text = ports(text);
    let text = counters(&times(&text));
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn ports(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = ["127.0.0.1:", "localhost:"].iter().filter_map(|host| find_end(rest, host)).min() {
        out.push_str(&rest[..at]);
        out.push_str("PORT");
        rest = rest[at..].trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out + rest
}

fn find_end(text: &str, what: &str) -> Option<usize> {
    text.find(what).map(|at| at + what.len())
}

/// Replaces each `2026-11-21T19:00:00Z` by a text of the same length, so that columns stay where they are.
fn times(text: &str) -> String {
    const PATTERN: &str = "dddd-dd-ddTdd:dd:ddZ";
    let fits = |window: &[char]| {
        window.iter().zip(PATTERN.chars()).all(|(c, p)| if p == 'd' { c.is_ascii_digit() } else { *c == p })
    };
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < characters.len() {
        match characters.get(at..at + PATTERN.len()) {
            Some(window) if fits(window) => {
                out.push_str("YYYY-MM-DDThh:mm:ssZ");
                at += PATTERN.len();
            }
            _ => {
                out.push(characters[at]);
                at += 1;
            }
        }
    }
    out
}

/// Replaces what was transferred: numbers of eight digits and more, digit by digit.
fn counters(text: &str) -> String {
    let mut out = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = part.chars().take_while(char::is_ascii_digit).count();
        match digits {
            0..8 => out.push_str(part),
            _ => {
                out.push_str(&"N".repeat(digits));
                out.push_str(&part[digits..]);
            }
        }
    }
    out
}
