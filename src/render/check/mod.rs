//! The formats that only `check` has: one evaluation, many consumers.

mod github;
mod junit;
mod metrics;
pub mod nagios;
mod tap;
mod text;

use std::collections::BTreeSet;

use serde_json::Value;

use super::prometheus::Labels;
use super::{Format, Item, Renderer, Shape, field, sanitize};
use crate::error::Code;
use crate::model::threshold::Thresholds;

pub use github::summary;

/// Says how grave a verdict is, the gravest last: the order of the Monitoring Plugins where they sum up several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is as expected.
    Ok,
    /// It could not be told.
    Unknown,
    /// It is as expected, and something about it is to be warned of.
    Warning,
    /// It is not as expected.
    Critical,
}

/// Weighs an item.
#[must_use]
pub fn severity(item: &Item, thresholds: &Thresholds) -> Severity {
    match field(item, "ok").as_bool() {
        None => Severity::Unknown,
        Some(false) => Severity::Critical,
        Some(true) if thresholds.warnings(item).is_empty() => Severity::Ok,
        Some(true) => Severity::Warning,
    }
}

/// Says what of an item is to be warned of and whose it is, a line each, for formats that have no place for it.
#[must_use]
pub fn warnings(item: &Item, thresholds: &Thresholds) -> Vec<String> {
    let case = Case::of(item, thresholds);
    case.warnings.iter().map(|warning| format!("{}: {warning}", case.place())).collect()
}

/// Makes the renderer of a format of `check`; what is none of them is text.
pub(super) fn renderer(shape: Shape) -> Box<dyn Renderer> {
    let Shape { format, thresholds, color, .. } = shape;
    match format {
        Format::Nagios => Box::new(nagios::Nagios::new(thresholds)),
        Format::Junit => Box::new(junit::Junit::new(thresholds)),
        Format::Tap => Box::new(tap::Tap::new(thresholds)),
        Format::Github => Box::new(github::Github::new(thresholds)),
        Format::Prometheus => Box::new(metrics::Metrics::default()),
        _ => Box::new(text::Text::new(thresholds, color)),
    }
}

/// Why something could not be told; its texts are on one line and harmless.
struct Fault {
    code: String,
    message: String,
    hint: Option<String>,
}

/// What is told of one target; its texts are on one line and harmless.
struct Case {
    severity: Severity,
    labels: Labels,
    state: String,
    expect: String,
    address: Option<String>,
    last_error: Option<String>,
    fault: Option<Fault>,
    warnings: Vec<String>,
    failures: Vec<String>,
}

impl Case {
    fn new(item: &Item, labels: Labels, thresholds: &Thresholds) -> Self {
        let text = |name: &str| field(item, name).as_str().map(|text| sanitize::line(text).into_owned());
        let fault = field(item, "error").is_object().then(|| Fault {
            code: text("error.code").unwrap_or_default(),
            message: text("error.message").unwrap_or_default(),
            hint: text("error.hint"),
        });
        Self {
            severity: severity(item, thresholds),
            labels,
            state: text("state").unwrap_or_default(),
            expect: text("expect").unwrap_or_default(),
            address: text("ip_address"),
            // An older error says nothing about a tunnel that was never tried since.
            last_error: text("last_error.message").filter(|_| field(item, "state") == "failed"),
            fault,
            warnings: thresholds.warnings(item),
            failures: thresholds.failures(item),
        }
    }

    /// Reads an item that is told by itself.
    fn of(item: &Item, thresholds: &Thresholds) -> Self {
        Self::new(item, Labels::of(item), thresholds)
    }

    /// Names it as a user would: `BACKEND/TARGET`, or the backend alone.
    fn place(&self) -> String {
        match self.labels.target.as_str() {
            "" => self.labels.backend.clone(),
            target => format!("{}/{target}", self.labels.backend),
        }
    }

    /// Says in a few words what was found, and why that is not well.
    fn finding(&self) -> String {
        let mut found = match (&self.fault, self.severity) {
            (Some(fault), _) => return format!("could not be told: {}", fault.message),
            (None, Severity::Unknown) => return "could not be told".to_owned(),
            (None, _) if self.state != self.expect => format!("{} (expected {})", self.state, self.expect),
            (None, _) => self.state.clone(),
        };
        if let Some(why) = &self.last_error {
            found = format!("{found}: {why}");
        }
        let alerts: Vec<&str> = self.failures.iter().chain(&self.warnings).map(String::as_str).collect();
        if !alerts.is_empty() {
            found = format!("{found} ({})", alerts.join(", "));
        }
        found
    }

    /// Tells whether the vendor can't answer the question at all.
    fn is_unsupported(&self) -> bool {
        self.fault.as_ref().is_some_and(|fault| fault.code == Code::Unsupported.as_str())
    }
}

/// Tells targets apart that are called the same, where each is told as it becomes known.
#[derive(Default)]
struct Seen {
    names: BTreeSet<(String, String)>,
}

impl Seen {
    /// Reads an item; where another one had its name before, its id stands behind it.
    fn case(&mut self, item: &Item, thresholds: &Thresholds) -> Case {
        let mut labels = Labels::of(item);
        let is_new = self.names.insert((labels.backend.clone(), labels.target.clone()));
        if let (false, Some(id)) = (is_new, field(item, "target.id").as_str()) {
            labels.target = format!("{} ({})", labels.target, sanitize::line(id));
        }
        Case::new(item, labels, thresholds)
    }
}

/// Counts what is as expected, warnings among it.
fn held(cases: &[Case]) -> usize {
    cases.iter().filter(|case| matches!(case.severity, Severity::Ok | Severity::Warning)).count()
}

/// Keeps what a document needs as a whole.
#[derive(Default)]
struct Kept {
    items: Vec<Item>,
}

impl Kept {
    /// Keeps an item, without the vendor's document that no format of `check` shows.
    fn add(&mut self, mut item: Item) {
        item.insert("native".to_owned(), Value::Null);
        self.items.push(item);
    }

    /// Reads the items; no two different targets have the same name in the end.
    fn cases(&self, thresholds: &Thresholds) -> Vec<Case> {
        let labels = super::prometheus::labels(&self.items);
        self.items.iter().zip(labels).map(|(item, labels)| Case::new(item, labels, thresholds)).collect()
    }
}

#[cfg(test)]
mod tests;
