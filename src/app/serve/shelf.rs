//! What is shown of one backend: its last reading, whole, and when that was.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Registry};
use serde_json::Value;

use super::meters::gauge;
use super::reading::Reading;
use super::{Made, unregistered};
use crate::error::{Code, Error};
use crate::model::item;
use crate::render::Item;
use crate::render::prometheus::States;

/// The last reading of a backend; nothing before the first.
pub(super) struct Shelf {
    backend: String,
    vendor: &'static str,
    registry: Registry,
    states: States,
    up: IntGaugeVec,
    success: IntGaugeVec,
    observed: IntGaugeVec,
    shown: Mutex<Shown>,
}

/// What was shown.
#[derive(Default)]
struct Shown {
    /// The targets that were read last.
    targets: Vec<Value>,
    /// Why nothing could be read since.
    failure: Option<Code>,
    /// What was told of targets that are not there.
    missing: BTreeSet<String>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").field("backend", &self.backend).finish_non_exhaustive()
    }
}

impl Shelf {
    pub(super) fn new(backend: &str, vendor: &'static str) -> Made<Self> {
        let registry = Registry::new();
        let one = |name, help| gauge(&registry, name, help, "backend");
        Ok(Self {
            backend: backend.to_owned(),
            vendor,
            states: States::register(&registry).map_err(unregistered)?,
            up: one("vpnctl_up", "Whether the last reading of the backend went well; absent before the first.")?,
            success: one(
                "vpnctl_last_success_timestamp_seconds",
                "When the backend was last read, in seconds since 1970.",
            )?,
            observed: one(
                "vpnctl_observed_timestamp_seconds",
                "When what is shown of the backend was read, pushed, or found unreadable, in seconds since 1970.",
            )?,
            shown: Mutex::default(),
            registry,
        })
    }

    /// Puts a reading in the place of the last one. Where nothing could be read, the targets of the last one that went
    /// well are shown as unknown: what was connected then may not be now.
    pub(super) fn show(&self, reading: Reading) {
        let mut shown = self.shown();
        let now = Timestamp::now();
        let own = [self.backend.as_str()];
        let Reading { mut items, errors, is_ok } = reading;
        if is_ok {
            shown.targets = items.iter().filter_map(|item| item.get("target").cloned()).collect();
            self.success.with_label_values(&own).set(now.as_second());
        } else if !shown.targets.is_empty() {
            items = shown.targets.iter().map(|target| self.unread(target, now)).collect();
        }
        self.states.set(&items);
        self.up.with_label_values(&own).set(i64::from(is_ok));
        self.observed.with_label_values(&own).set(now.as_second());
        let failure = errors.first().filter(|_| !is_ok);
        self.tell(shown.failure, failure);
        shown.failure = failure.map(Error::code);
        if is_ok {
            self.tell_missing(&mut shown.missing, &errors);
        }
    }

    /// Gathers what is shown, never half of two readings.
    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        let _whole = self.shown();
        self.registry.gather()
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unread(&self, target: &Value, now: Timestamp) -> Item {
        let mut unread = item::unread(&self.backend, self.vendor, None, now);
        unread.insert("target".to_owned(), target.clone());
        unread
    }

    /// Tells once of each target that is not there beside those that are: it may be misspelt.
    fn tell_missing(&self, told: &mut BTreeSet<String>, errors: &[Error]) {
        let is_missing = |error: &&Error| matches!(error.code(), Code::TargetNotFound | Code::UsageAmbiguous);
        for error in errors.iter().filter(is_missing) {
            if told.insert(error.message().to_owned()) {
                let hint = error.hint_text().map(|hint| format!("; {hint}")).unwrap_or_default();
                tracing::warn!("`{}` can be read, but: {error}{hint}", self.backend);
            }
        }
    }

    /// Tells in the log when a backend can no longer be read, and when it can again; not each time.
    fn tell(&self, before: Option<Code>, failure: Option<&Error>) {
        let backend = &self.backend;
        match failure {
            Some(error) if before != Some(error.code()) => {
                let hint = error.hint_text().map(|hint| format!("; {hint}")).unwrap_or_default();
                tracing::warn!("`{backend}` can't be read: {error}{hint}");
            }
            None if before.is_some() => tracing::warn!("`{backend}` can be read again"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;
    use serde_json::json;

    use super::{Reading, Shelf};
    use crate::error::{Code, Error, Layer};
    use crate::model::item::object;

    fn reading(names: &[&str]) -> Reading {
        let item = |name: &&str| {
            object(json!({
                "backend": "home", "vendor": "freebox", "state": "connected",
                "target": {"kind": "tunnel", "id": *name, "name": *name},
            }))
        };
        Reading { items: names.iter().map(item).collect(), errors: Vec::new(), is_ok: true }
    }

    fn text(shelf: &Shelf) -> String {
        TextEncoder::new().encode_to_string(&shelf.gather()).expect("text")
    }

    #[test]
    fn nothing_is_claimed_before_the_first_reading() {
        let shelf = Shelf::new("home", "freebox").expect("a shelf");
        assert_eq!(text(&shelf), "");
    }

    #[test]
    fn what_can_no_longer_be_read_is_unknown_and_what_vanished_is_gone() {
        let shelf = Shelf::new("home", "freebox").expect("a shelf");
        shelf.show(reading(&["a", "b\"\n\u{202e}"]));
        let good = text(&shelf);
        assert_eq!(good.matches("vpnctl_connected{").count(), 2, "{good}");
        assert!(good.contains("target=\"b\\\"\\\\n\\\\u{202e}\""), "{good}");
        assert!(good.contains("vpnctl_up{backend=\"home\"} 1"), "{good}");
        for _ in 0..2 {
            shelf.show(Reading::failed(Error::new(Code::NetRefused, Layer::Tcp, "x")));
            let bad = text(&shelf);
            assert!(!bad.contains("vpnctl_connected{"), "{bad}");
            assert_eq!(bad.matches("state=\"unknown\"} 1").count(), 2, "{bad}");
            assert!(bad.contains("vpnctl_up{backend=\"home\"} 0"), "{bad}");
            assert!(bad.contains("vpnctl_last_success_timestamp_seconds{backend=\"home\"}"), "{bad}");
        }
        shelf.show(reading(&["a"]));
        let back = text(&shelf);
        assert_eq!(back.matches("vpnctl_connected{").count(), 1, "{back}");
        assert!(!back.contains("202e"), "{back}");
    }
}
