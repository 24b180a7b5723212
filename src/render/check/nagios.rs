//! What Nagios and its kin read: the Monitoring Plugins' development guidelines.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::{Case, Kept, Severity, held};
use crate::error::Error;
use crate::model::Summary;
use crate::model::threshold::{Metric, Threshold, Thresholds};
use crate::render::{Item, Renderer, field, sanitize};

/// What the service is called in the first line.
const SERVICE: &str = "VPN";

impl Severity {
    /// Gives the word of the guidelines.
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Says that there is no verdict, and why: the one line that a monitor shows.
#[must_use]
pub fn unknown(error: &Error) -> String {
    let place: Vec<&str> = error.backend_name().into_iter().chain(error.target_name()).collect();
    let whose = if place.is_empty() { String::new() } else { format!("{}: ", place.join("/")) };
    let hint = error.hint_text().map(|hint| format!(" ({hint})")).unwrap_or_default();
    let text = format!("{SERVICE} UNKNOWN - {whose}{}{hint}", error.message());
    clean(&sanitize::line(&text))
}

/// Takes out what ends the text and begins the performance data.
fn clean(text: &str) -> String {
    text.replace('|', "¦")
}

/// Collects everything: the first line sums up all that follow.
pub(super) struct Nagios {
    thresholds: Thresholds,
    kept: Kept,
}

impl Nagios {
    pub(super) fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, kept: Kept::default() }
    }

    fn data(&self, cases: &[Case]) -> String {
        let mut used = BTreeSet::new();
        let mut data = vec![format!("'ok'={};;;0;{}", held(cases), cases.len())];
        for (case, item) in cases.iter().zip(&self.kept.items) {
            let place = label(&case.place(), &mut used);
            for metric in Metric::ALL {
                let range = |thresholds: &[Threshold]| {
                    let own = thresholds.iter().find(|threshold| threshold.metric == metric);
                    own.map(|threshold| threshold.range.as_str().to_owned())
                };
                let (warn, crit) = (range(&self.thresholds.warn), range(&self.thresholds.crit));
                let unit = if metric == Metric::Age { "s" } else { "" };
                let value = match metric.value(item) {
                    Some(value) => format!("{value}{unit}"),
                    // What is asked about is there, also where it is not known; so a graph has a gap and no end.
                    None if metric == Metric::Age || warn.is_some() || crit.is_some() => "U".to_owned(),
                    None => continue,
                };
                let (warn, crit) = (warn.unwrap_or_default(), crit.unwrap_or_default());
                data.push(format!("'{place} {}'={value};{warn};{crit};0", metric.as_str()));
            }
            for name in ["rx_bytes", "tx_bytes"] {
                if let Some(bytes) = field(item, &format!("traffic.{name}")).as_u64() {
                    data.push(format!("'{place} {name}'={bytes}c;;;0"));
                }
            }
        }
        data.join(" ")
    }
}

/// Makes a label: quotes are doubled, and there is no sign that ends it; no two places have the same.
fn label(place: &str, used: &mut BTreeSet<String>) -> String {
    let base = place.replace(['=', '|'], "_").replace('\'', "''");
    let mut label = base.clone();
    let mut number = 1;
    while !used.insert(label.clone()) {
        number += 1;
        label = format!("{base} #{number}");
    }
    label
}

/// Sums up what follows; where there is one target, it is the summary.
fn headline(cases: &[Case], worst: &Case) -> String {
    let told = format!("{}: {}", worst.place(), worst.finding());
    match cases.len() {
        1 => told,
        all if worst.severity == Severity::Ok => format!("{all} of {all} ok"),
        all => format!("{} of {all} ok; {told}", held(cases)),
    }
}

impl Renderer for Nagios {
    fn item(&mut self, _out: &mut dyn Write, item: Item) -> io::Result<()> {
        self.kept.add(item);
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write, _summary: &Summary) -> io::Result<()> {
        let cases = self.kept.cases(&self.thresholds);
        // The first of the gravest; without any, who knows why there is none tells it.
        let Some(worst) = cases.iter().rev().max_by_key(|case| case.severity) else { return Ok(()) };
        let text = clean(&headline(&cases, worst));
        writeln!(out, "{SERVICE} {} - {text} | {}", worst.severity.word(), self.data(&cases))?;
        for case in &cases {
            let address = case.address.as_ref().map(|address| format!(", {address}")).unwrap_or_default();
            let line = format!("{}: {}: {}{address}", case.severity.word(), case.place(), case.finding());
            writeln!(out, "{}", clean(&line))?;
        }
        Ok(())
    }
}
