//! One reading of a backend, as `status` reads it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{bound, too_slow};
use crate::app::asks::Asks;
use crate::app::follow::Sight;
use crate::app::selection::Selection;
use crate::app::{Choice, Emit, Open, Patience, Setup, Stop, Told, status, with_error};
use crate::error::{Code, Error};
use crate::http;
use crate::model::item;
use crate::render::{Item, Row};

/// What a reading came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading {
    /// The items of the targets, also of those that could not be read.
    pub(super) items: Vec<Item>,
    /// What failed.
    pub(super) errors: Vec<Error>,
    /// Whether anything could be read; nothing to be read is no failure.
    pub(super) is_ok: bool,
}

impl Reading {
    /// Makes one of what failed as a whole.
    pub(super) fn failed(error: Error) -> Self {
        Self { errors: vec![error], ..Self::default() }
    }

    /// Gives why nothing at all was selected, where that is so.
    pub(super) fn nothing(&self) -> Option<&Error> {
        let is_empty = self.errors.iter().all(|error| error.code() == Code::SelectionEmpty);
        self.errors.first().filter(|_| is_empty)
    }

    /// Takes the targets that were not found.
    pub(super) fn unfound(failed: &[(Arc<Open>, Error)]) -> Self {
        let items = failed.iter().map(|(open, error)| open.failed_item(None, error)).collect();
        Self { items, errors: failed.iter().map(|(_, error)| error.clone()).collect(), is_ok: false }
    }

    /// Adds what a follower saw.
    pub(super) fn and(self, open: &Open, sights: Vec<Sight>) -> Self {
        let mut reading = self;
        for Sight { target, seen } in sights {
            match seen {
                Ok(status) => {
                    reading.is_ok = true;
                    reading.items.push(open.item(&status, false));
                }
                Err(error) => {
                    reading.items.push(open.failed_item(target.as_ref(), &error));
                    reading.errors.push(error);
                }
            }
        }
        reading
    }
}

/// Tells of a reading's bound what a request's error tells of that of a command.
pub(super) fn in_time(error: Error, backend: &str, bound: Duration) -> Error {
    if error.code() != Code::TimeoutDeadline {
        return error;
    }
    let slow = too_slow(backend, bound);
    match error.target_name() {
        Some(target) => slow.target(target),
        None => slow,
    }
}

/// Chooses one backend.
pub(super) fn only(backend: &str) -> Choice {
    Choice { named: vec![backend.to_owned()], ..Choice::default() }
}

/// Reads what is selected of a backend, once, within the time that `status` has.
pub(super) async fn read(setup: &Setup, backend: &str, selection: &Selection) -> Reading {
    let bound = bound(setup, backend);
    let mut setup = setup.clone();
    setup.limits.timeout = Some(bound);
    let (out, mut seen) = mpsc::unbounded_channel();
    let out = Emit::new(out, Stop::default());
    let work = async {
        let choice = only(backend);
        let asks = Asks::new(&setup, &choice, selection, Patience::Read).await?;
        match asks.refusal() {
            Some(error) => return Err(error),
            None => status::run(asks, status::Reading::default(), &out).await,
        }
        Ok::<(), Error>(())
    };
    // What sends requests keeps the time by itself; this is for what does not.
    let done = http::within(bound, work).await.unwrap_or_else(|| Err(too_slow(backend, bound)));
    drop(out);
    let (mut reading, mut any, mut whole) = (Reading::default(), false, done.is_err());
    while let Ok(Told { row, error, .. }) = seen.try_recv() {
        let item = row.map(Row::into_item);
        any |= error.is_none();
        // What is no target's own failure is that of all of them: an account that breaks off shows no part of itself.
        let is_a_targets = item.as_ref().is_some_and(|item| item.get("target").is_some_and(|one| !one.is_null()));
        whole |= error.as_ref().is_some_and(|error| !is_a_targets && error.target_name().is_none());
        reading.items.extend(item);
        reading.errors.extend(error.map(|error| in_time(error, backend, bound)));
    }
    if let Err(error) = done {
        let vendor = setup.config.backends.get(backend).map_or("", |settings| settings.vendor);
        let error = in_time(error.backend(backend), backend, bound);
        reading.items.push(with_error(item::unread(backend, vendor, None, Timestamp::now()), &error));
        reading.errors.push(error);
    }
    reading.is_ok = !whole && (any || reading.errors.is_empty());
    reading
}
