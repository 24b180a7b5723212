//! TAP version 13, which is what every reader knows: `prove` took no later one before October 2023.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Case, Seen, Severity};
use crate::model::Summary;
use crate::model::threshold::Thresholds;
use crate::render::{Item, Renderer, json};

/// Writes each target as it becomes known, and the plan at the end: how many there are is not known before.
pub(super) struct Tap {
    thresholds: Thresholds,
    seen: Seen,
    count: usize,
}

impl Tap {
    pub(super) fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, seen: Seen::default(), count: 0 }
    }
}

/// Replaces what would begin a directive: version 13 has no escape for it, and readers of version 14 differ about theirs.
fn plain(text: &str) -> String {
    text.replace('#', "＃")
}

/// Writes what is known of a case as a block of YAML; each value is JSON, which YAML reads as well.
fn diagnostics(out: &mut dyn Write, case: &Case) -> io::Result<()> {
    let severity = match case.severity {
        Severity::Ok | Severity::Warning => "warning",
        Severity::Critical => "fail",
        Severity::Unknown => "error",
    };
    writeln!(out, "  ---")?;
    let hint = case.fault.as_ref().and_then(|fault| fault.hint.as_deref());
    let code = case.fault.as_ref().map(|fault| fault.code.as_str());
    let known: [(&str, Value); 6] = [
        ("message", json!(case.finding())),
        ("severity", json!(severity)),
        ("state", json!(case.state)),
        ("expect", json!(case.expect)),
        ("code", json!(code)),
        ("hint", json!(hint)),
    ];
    for (name, value) in known.iter().filter(|(_, value)| !value.is_null()) {
        writeln!(out, "  {name}: {}", json::compact(value)?)?;
    }
    writeln!(out, "  ...")
}

impl Renderer for Tap {
    fn item(&mut self, out: &mut dyn Write, item: Item) -> io::Result<()> {
        if self.count == 0 {
            writeln!(out, "TAP version 13")?;
        }
        self.count += 1;
        let case = self.seen.case(&item, &self.thresholds);
        let (number, place) = (self.count, plain(&case.place()));
        if case.is_unsupported() {
            let why = case.fault.as_ref().map(|fault| plain(&fault.message)).unwrap_or_default();
            return writeln!(out, "ok {number} - {place} # SKIP {why}");
        }
        let verdict = if matches!(case.severity, Severity::Ok | Severity::Warning) { "ok" } else { "not ok" };
        writeln!(out, "{verdict} {number} - {place}")?;
        if case.severity == Severity::Ok { Ok(()) } else { diagnostics(out, &case) }
    }

    fn finish(&mut self, out: &mut dyn Write, _summary: &Summary) -> io::Result<()> {
        if self.count == 0 {
            return writeln!(out, "TAP version 13\n1..0 # SKIP there is no target");
        }
        writeln!(out, "1..{}", self.count)
    }
}
