//! A line for each target, for people and for `grep`.

use std::io::{self, Write};

use super::{Seen, Severity};
use crate::model::Summary;
use crate::model::threshold::Thresholds;
use crate::render::{Item, Renderer};

/// Writes each target as it becomes known.
pub(super) struct Text {
    thresholds: Thresholds,
    seen: Seen,
    color: bool,
}

impl Text {
    pub(super) fn new(thresholds: Thresholds, color: bool) -> Self {
        Self { thresholds, seen: Seen::default(), color }
    }
}

impl Renderer for Text {
    fn item(&mut self, out: &mut dyn Write, item: Item) -> io::Result<()> {
        let case = self.seen.case(&item, &self.thresholds);
        let (word, color) = match case.severity {
            Severity::Ok => ("ok", 32),
            Severity::Warning => ("warn", 33),
            Severity::Critical => ("no", 31),
            Severity::Unknown => ("??", 35),
        };
        let mark = if self.color { format!("\u{1b}[{color}m{word:<4}\u{1b}[0m") } else { format!("{word:<4}") };
        let address = case.address.as_ref().map(|address| format!("  {address}")).unwrap_or_default();
        writeln!(out, "{mark}  {}  {}{address}", case.place(), case.finding())?;
        out.flush()
    }

    fn finish(&mut self, _out: &mut dyn Write, _summary: &Summary) -> io::Result<()> {
        Ok(())
    }
}
