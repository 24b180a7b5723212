//! `--retry-failed`: what a run could not read or do is written down, and asked again by the next.

use super::dispatch::Command;
use super::settings::Settings;
use crate::app::{Selection, shard::Shard};
use crate::error::{Error, Result};
use crate::render::Row;
use crate::state::failures::{Failed, Failures, Record};

/// Writes down what fails in a run of a verb.
#[derive(Debug)]
pub(super) struct Recorder {
    record: Record,
    verb: &'static str,
    part: Option<String>,
}

impl Recorder {
    /// Notes a row: that it has ended, and where it failed that it did.
    pub(super) fn note(&mut self, row: Option<&Row>, error: Option<&Error>, scope: Option<String>) {
        let text = |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_str).map(str::to_owned);
        let (backend, id, name, kind_word) = match row {
            Some(Row::Status(row)) => {
                let target = row.status.target.as_ref();
                let words =
                    target.map(|target| (Some(target.id.clone()), target.name.clone(), target.kind_word.clone()));
                let (id, name, kind_word) = words.unwrap_or_default();
                (Some(row.backend.to_string()), id, name, kind_word)
            }
            Some(Row::Item(item)) => {
                let of_target = |key: &str| text(item.get("target").and_then(|target| target.get(key)));
                (text(item.get("backend")), of_target("id"), of_target("name"), of_target("type"))
            }
            None => (None, None, None, None),
        };
        let name = name.or_else(|| error.and_then(Error::target_name).map(str::to_owned));
        let Some(backend) = backend.or_else(|| error.and_then(Error::backend_name).map(str::to_owned)) else { return };
        let words = [id.as_deref(), name.as_deref()];
        // What has neither is all that a backend has.
        let whole = (id.is_none() && name.is_none()).then_some("");
        self.record.ended(&backend, words.into_iter().flatten().chain(whole));
        if error.is_some() {
            self.record.failed(&Failed { backend, id, name, kind_word, scope });
        }
    }

    /// Keeps it for the next run; `is_whole` says that this one came to its end.
    pub(super) fn keep(self, is_whole: bool) {
        self.record.keep(is_whole, self.verb, self.part.as_deref());
    }
}

impl Command<'_> {
    /// Has what fails from now on written down.
    pub(super) fn record(&self, settings: &Settings, verb: &'static str, shard: Option<Shard>, is_retry: bool) {
        // What is only simulated, or only said, leaves nothing to be done again.
        if self.global.demo || self.global.dry_run {
            return;
        }
        let part = shard.map(|shard| shard.to_string());
        let record = Record::new(&settings.setup.folder, verb, part.as_deref(), is_retry);
        self.record.set(Some(Recorder { record, verb, part }));
    }

    /// Gives what the last run of a verb left to be asked again.
    ///
    /// # Errors
    /// Fails with `usage` where something else is selected as well.
    pub(super) fn left_behind(&self, settings: &Settings, verb: &str, chosen: &Selection) -> Result<Failures> {
        if !chosen.names.is_empty() || chosen.file.is_some() || chosen.filters() {
            return Err(Error::usage("--retry-failed selects by itself, and something else does so too")
                .hint("leave the targets, -l and --state out; -b says of which backends"));
        }
        let part = chosen.shard.map(|shard| shard.to_string());
        Ok(Failures::of(&settings.setup.folder, verb, part.as_deref()))
    }
}
