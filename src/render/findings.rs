//! What `doctor` found, a line for each layer, for people.

use std::io::{self, Write};

use serde_json::Value;

use super::{Item, Renderer, field, sanitize};
use crate::model::Summary;

/// What is no backend's.
const HERE: &str = "this computer";

/// Writes each layer as it becomes known, below the name of its backend.
pub(super) struct Findings {
    color: bool,
    of: Option<String>,
}

impl Findings {
    pub(super) fn new(color: bool) -> Self {
        Self { color, of: None }
    }
}

impl Renderer for Findings {
    fn item(&mut self, out: &mut dyn Write, item: Item) -> io::Result<()> {
        let text = |name: &str| sanitize::line(field(&item, name).as_str().unwrap_or_default()).into_owned();
        let whose = Some(text("backend")).filter(|name| !name.is_empty()).unwrap_or_else(|| HERE.to_owned());
        if self.of.as_ref() != Some(&whose) {
            let gap = if self.of.is_some() { "\n" } else { "" };
            writeln!(out, "{gap}{whose}")?;
            self.of = Some(whose);
        }
        // The word says it too, where there is no colour and no such sign.
        let (mark, color) = match field(&item, "ok") {
            Value::Bool(true) => ("✓ ok", 32),
            Value::Bool(false) => ("✗ no", 31),
            _ => ("? --", 33),
        };
        let mark = if self.color { format!("\u{1b}[{color}m{mark}\u{1b}[0m") } else { mark.to_owned() };
        writeln!(out, "  {mark}  {:<8} {}", text("layer"), text("finding"))?;
        match text("remedy") {
            remedy if remedy.is_empty() => Ok(()),
            remedy => writeln!(out, "                 → {remedy}"),
        }
    }

    fn finish(&mut self, _out: &mut dyn Write, _summary: &Summary) -> io::Result<()> {
        Ok(())
    }
}
