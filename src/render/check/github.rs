//! Workflow commands of GitHub Actions, and the table of a job's summary.

use std::io::{self, Write};

use super::{Kept, Seen, Severity, held};
use crate::model::Summary;
use crate::model::threshold::Thresholds;
use crate::render::{Item, Renderer};

/// How many rows a summary has; GitHub takes no more than 1 MiB of a step.
const ROWS: usize = 500;

/// Writes a command for each target that is not well, as it becomes known; the others need no annotation.
pub(super) struct Github {
    thresholds: Thresholds,
    seen: Seen,
}

impl Github {
    pub(super) fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, seen: Seen::default() }
    }
}

/// Escapes the text of a command, as GitHub's own toolkit does.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes a property of a command, as GitHub's own toolkit does.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

impl Renderer for Github {
    fn item(&mut self, out: &mut dyn Write, item: Item) -> io::Result<()> {
        let case = self.seen.case(&item, &self.thresholds);
        let command = match case.severity {
            Severity::Ok => return Ok(()),
            Severity::Warning => "warning",
            Severity::Critical | Severity::Unknown => "error",
        };
        let hint = case.fault.as_ref().and_then(|fault| fault.hint.as_ref());
        let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        let text = data(&format!("{}{hint}", case.finding()));
        writeln!(out, "::{command} title={}::{text}", property(&case.place()))?;
        out.flush()
    }

    fn finish(&mut self, _out: &mut dyn Write, _summary: &Summary) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a table of Markdown for a job's summary, what is not well first.
#[must_use]
pub fn summary(items: Vec<Item>, thresholds: &Thresholds) -> String {
    let kept = Kept { items };
    let mut cases = kept.cases(thresholds);
    let mut text = format!("### vpnctl check: {} of {} ok\n\n", held(&cases), cases.len());
    text.push_str("| | Target | State | Expected | Address | Detail |\n| --- | --- | --- | --- | --- | --- |\n");
    cases.sort_by_key(|case| std::cmp::Reverse(case.severity));
    for case in cases.iter().take(ROWS) {
        let mark = match case.severity {
            Severity::Ok => "ok",
            Severity::Warning => "warn",
            Severity::Critical => "**no**",
            Severity::Unknown => "**??**",
        };
        let detail = if case.severity == Severity::Ok { String::new() } else { case.finding() };
        let address = case.address.clone().unwrap_or_default();
        let cells = [&case.place(), &case.state, &case.expect, &address, &detail].map(|cell| markdown(cell));
        text.push_str(&format!("| {mark} | {} |\n", cells.join(" | ")));
    }
    if cases.len() > ROWS {
        text.push_str(&format!("\n… and {} more\n", cases.len() - ROWS));
    }
    text.push('\n');
    text
}

/// Writes text that Markdown and HTML show as it is: whatever could be a sign of either is a character reference.
fn markdown(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Else it would be an address, which becomes a link.
            '.' if clean.ends_with("www") => clean.push_str("&#46;"),
            ' ' | '.' | ',' | '-' | '/' | '(' | ')' => clean.push(c),
            c if c.is_ascii_punctuation() => clean.push_str(&format!("&#{};", u32::from(c))),
            c => clean.push(c),
        }
    }
    clean
}
