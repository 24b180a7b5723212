//! `--retry-failed`: what a run could not read or do is written down, and asked again by the next.

use std::collections::BTreeSet;

use super::dispatch::Command;
use super::settings::Settings;
use crate::app::Selection;
use crate::error::{Error, Result};
use crate::render::Row;
use crate::state::failures::{Failed, Failures, Record};

/// Writes down what fails in a run of a verb.
#[derive(Debug)]
pub(super) struct Recorder {
    record: Record,
    verb: &'static str,
    part: Option<String>,
    /// Whether the command chose among the targets of its backends.
    chosen: bool,
    is_retry: bool,
}

impl Recorder {
    /// Notes a row: that it has ended, and where it failed that it did.
    pub(super) fn note(&mut self, row: Option<&Row>, error: Option<&Error>, scope: Option<String>) {
        if error.is_none() && !self.is_retry {
            return;
        }
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
        // What has neither is all that a backend has, or what was chosen of it.
        let is_whole = id.is_none() && name.is_none();
        if error.is_some() && is_whole && self.record.leaves(&backend) {
            return;
        }
        let words = [id.as_deref(), name.as_deref(), is_whole.then_some("")];
        self.record.ended(&backend, words.into_iter().flatten());
        if error.is_some() {
            let chosen = self.chosen && is_whole;
            self.record.failed(&Failed { backend, id, name, kind_word, scope, chosen });
        }
    }

    /// Tells whether what failed before is done again.
    pub(super) fn is_retry(&self) -> bool {
        self.is_retry
    }

    /// Keeps it for the next run; `is_whole` says that this one came to its end.
    pub(super) fn keep(self, is_whole: bool) {
        self.record.keep(is_whole, self.verb, self.part.as_deref());
    }
}

/// What the last run of a verb left behind, as far as it matters before anything is done about it.
#[derive(Debug, Default)]
pub(super) struct LeftBehind {
    /// The backends that it is about.
    pub(super) backends: BTreeSet<String>,
    /// The backends of which targets were chosen that could not be found.
    pub(super) chosen: BTreeSet<String>,
}

impl Command<'_> {
    /// Has what fails from now on written down.
    ///
    /// # Errors
    /// Fails where `-b` names what is no backend.
    pub(super) fn record(
        &self,
        settings: &Settings,
        verb: &'static str,
        chosen: &Selection,
        is_retry: bool,
    ) -> Result<()> {
        // What is only simulated, or only said, leaves nothing to be done again.
        if self.global.demo || self.global.dry_run {
            return Ok(());
        }
        let part = chosen.shard.map(|shard| shard.to_string());
        let only = settings.choice.restriction(&settings.setup.config)?;
        let record = Record::new(&settings.setup.folder, verb, part.as_deref(), is_retry).only(only);
        let chosen = !chosen.names.is_empty() || chosen.file.is_some() || chosen.filters();
        self.record.set(Some(Recorder { record, verb, part, chosen, is_retry }));
        Ok(())
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

    /// Looks through what the last run of a verb left to be done again.
    ///
    /// # Errors
    /// Fails with `usage` where something else is selected as well, and where `-b` names what is no backend.
    pub(super) fn look_through(&self, settings: &Settings, verb: &str, chosen: &Selection) -> Result<LeftBehind> {
        let config = &settings.setup.config;
        let only = settings.choice.restriction(config)?;
        let mut left = LeftBehind::default();
        for failed in self.left_behind(settings, verb, chosen)? {
            let is_meant = only.as_ref().is_none_or(|only| only.contains(&failed.backend));
            if !is_meant || !config.backends.contains_key(&failed.backend) {
                continue;
            }
            if failed.chosen {
                left.chosen.insert(failed.backend.clone());
            }
            left.backends.insert(failed.backend);
        }
        Ok(left)
    }
}
