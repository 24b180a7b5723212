//! `watch`: the state that is found, then each change of it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::Notify;

use super::follow::{self, Face, Follower, Sight};
use super::selection::Plan;
use super::{Emit, Open, emit, emit_failed, with_error};
use crate::backend::naming;
use crate::error::{Code, Error};
use crate::model::document::Seen;
use crate::model::{Word, item};
use crate::render::Item;

/// Says how long is watched.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watching {
    /// So many events.
    pub count: Option<u64>,
    /// So long.
    pub duration: Option<Duration>,
    /// How often a state is polled.
    pub interval: Option<Duration>,
}

/// Emits an event for the state of each target, and one for each change, until the count or the time is over.
pub async fn run(plan: Plan, watching: Watching, out: &Emit) {
    let watch = Watch { left: Cell::new(watching.count), full: Notify::new(), out };
    for (backend, vendor, error) in plan.unopened {
        let unread = item::unread(&backend, vendor, None, jiff::Timestamp::now());
        watch.fail(with_error(unread, &error), error);
    }
    let (sources, failed) = follow::sources(plan.jobs);
    for (open, error) in failed {
        let error = open.own(error);
        watch.fail(open.failed_item(None, &error), error);
    }
    let all = join_all(sources.into_iter().map(|source| watch.one(Follower::new(source, watching.interval))));
    let end = watching.duration.map(|time| Instant::now() + time);
    tokio::select! {
        biased;
        () = watch.full.notified() => {}
        _ = all => {}
        () = until(end) => {}
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end.into()).await,
        None => std::future::pending().await,
    }
}

/// Tells whether the time for the command ran out: that is no change of a state.
fn is_over(error: &Error) -> bool {
    error.code() == Code::TimeoutDeadline
}

struct Watch<'a> {
    /// How many events are still wanted; `None` is any number.
    left: Cell<Option<u64>>,
    full: Notify,
    out: &'a Emit,
}

impl Watch<'_> {
    /// Follows one source to its end: an error that does not pass by itself, or the deadline.
    async fn one(&self, mut follower: Follower) {
        let mut known: BTreeMap<String, (Sight, Face)> = BTreeMap::new();
        // What was there before anything could be read, as opposed to what is seen for the first time.
        let mut blind = false;
        loop {
            let sights = follower.next(None).await;
            if let Some(error) = sights.iter().find_map(|sight| sight.seen.as_ref().err().filter(|e| is_over(e))) {
                return emit_failed(self.out, None, error.clone());
            }
            let mut changed = false;
            if let [Sight { target: None, seen: Err(_) }] = sights.as_slice() {
                // The whole source can't be read: one event tells it, and each target's return is one.
                let lost = Face::of(&sights[0].seen);
                known.iter_mut().filter(|(key, _)| !key.is_empty()).for_each(|(_, (_, face))| face.clone_from(&lost));
            } else if !blind {
                changed |= self.vanished(follower.open(), &mut known, &sights);
            }
            for sight in &sights {
                let face = Face::of(&sight.seen);
                let before = known.insert(sight.key(), (sight.clone(), face.clone())).map(|(_, face)| face);
                if before.as_ref() == Some(&face) {
                    continue;
                }
                changed |= before.is_some();
                let from = before.map(|before| before.word).or(blind.then_some(Word::Unknown));
                self.tell(follower.open(), sight, from);
            }
            blind = matches!(sights.as_slice(), [Sight { target: None, seen: Err(_) }]);
            let alive = |sight: &Sight| sight.seen.as_ref().err().is_none_or(follow::may_pass);
            if !sights.is_empty() && !sights.iter().any(alive) {
                return;
            }
            if changed {
                follower.hurry();
            }
        }
    }

    /// Tells of targets that are no longer listed.
    fn vanished(&self, open: &Open, known: &mut BTreeMap<String, (Sight, Face)>, sights: &[Sight]) -> bool {
        let gone: Vec<String> = known
            .keys()
            .filter(|key| !key.is_empty() && !sights.iter().any(|sight| sight.key() == **key))
            .cloned()
            .collect();
        for key in &gone {
            if let Some((Sight { target: Some(target), .. }, face)) = known.remove(key) {
                let error = naming::not_found(&open.info().backend, target.label());
                self.tell(open, &Sight { target: Some(target), seen: Err(error.temporary()) }, Some(face.word));
            }
        }
        !gone.is_empty()
    }

    fn tell(&self, open: &Open, sight: &Sight, from: Option<Word>) {
        let marked = |item: Item| item::marked(item, &Seen { from });
        match &sight.seen {
            Ok(status) => self.event(marked(open.item(status, false)), None),
            // What may pass is an event like others: it is not what the command ends with.
            Err(error) => {
                let item = marked(open.failed_item(sight.target.as_ref(), error));
                self.event(item, Some(error.clone()).filter(|error| !follow::may_pass(error)));
            }
        }
    }

    fn fail(&self, item: Item, error: Error) {
        self.event(item::marked(item, &Seen { from: None }), Some(error));
    }

    fn event(&self, item: Item, error: Option<Error>) {
        match self.left.get() {
            Some(0) => return,
            Some(left) => self.left.set(Some(left - 1)),
            None => {}
        }
        match error {
            Some(error) => emit_failed(self.out, Some(item), error),
            None => emit(self.out, item),
        }
        if self.left.get() == Some(0) {
            self.full.notify_one();
        }
    }
}
