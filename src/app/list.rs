//! `list`: what can be connected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures_util::future::{join, join_all};
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::mpsc;

use super::selection::{self, Plan, Selection};
use super::{Emit, Open, emit, emit_failed, emit_failed_in, emit_nothing, with_error};
use crate::backend::room::Room;
use crate::backend::{Listed, unsupported};
use crate::error::Error;
use crate::model::document::ListItem;
use crate::model::{Target, Word, item};
use crate::render::Item;
use crate::state::failures::Failed;

/// What is listed anew of each backend: the targets that failed, or all where the backend did.
pub type Again = BTreeMap<String, Option<BTreeSet<Key>>>;

/// What tells a target from others: the part of the account that it belongs to, and its id.
type Key = (Option<String>, String);

/// Says what is listed, and how.
#[derive(Debug)]
pub struct Listing<'a> {
    /// Which targets.
    pub selection: &'a Selection,
    /// Whether each is asked for its state.
    pub live: bool,
    /// What failed before, where nothing else is listed.
    pub again: Option<Again>,
}

/// Puts together what failed before, by backend.
#[must_use]
pub fn again(failures: impl Iterator<Item = Failed>) -> Again {
    let mut again = Again::new();
    for Failed { backend, id, scope, .. } in failures {
        let targets = again.entry(backend).or_insert_with(|| Some(BTreeSet::new()));
        match (id, targets.as_mut()) {
            (Some(id), Some(targets)) => drop(targets.insert((scope, id))),
            (None, _) => *targets = None,
            (Some(_), None) => {}
        }
    }
    again
}

/// Emits the targets of every backend of the plan, as pages come in.
pub async fn run(plan: Plan, listing: &Listing<'_>, out: &Emit) {
    for (backend, vendor, error) in plan.unopened {
        emit_failed(out, Some(unread(&backend, vendor, &error)), error);
    }
    join_all(plan.jobs.iter().map(|job| one(&job.open, listing, out))).await;
}

async fn one(open: &Open, listing: &Listing<'_>, out: &Emit) {
    let Listing { selection, live, again } = listing;
    let Some(targets) = open.backend.targets() else {
        return tell_unread(open, unsupported(&*open.backend, "list"), out);
    };
    let info = open.info();
    let failed_before = again.as_ref().and_then(|again| again.get(&info.backend)?.as_ref());
    // What failed because it was asked is asked again: what the list says of it was no answer before.
    let live = *live || failed_before.is_some();
    let (sender, mut unasked) = mpsc::unbounded_channel::<(Target, Labels)>();
    let any = AtomicBool::new(false);
    let any_failed = AtomicBool::new(false);
    let room = Arc::new(Room::default());
    let listing = async {
        let mut each = |listed: Listed| {
            let is_due = failed_before.is_none_or(|targets| {
                let Target { scope, id, .. } = &listed.target;
                targets.contains(&(scope.clone(), id.clone()))
            });
            if !is_due || !selection.labels_fit(info, &listed.labels) {
                return;
            }
            let labels = selection::labels(info, &listed.labels);
            let state = listed.status.as_ref().map(crate::model::Status::word);
            // Where the list does not tell a state that somebody asks about, the target itself does.
            if live || (state.is_none() && selection.state.is_some()) {
                room.give();
                // Its reader ends only after this.
                let _ = sender.send((listed.target, labels));
            } else if selection.state.is_none_or(|wanted| state == Some(wanted)) {
                any.store(true, Relaxed);
                emit(out, told(open, &listed.target, state, &labels));
            }
        };
        let mut failed = |error: Error| {
            any_failed.store(true, Relaxed);
            tell_unread(open, error, out);
        };
        let result = room.list(targets.list_parts(&mut each, &mut failed)).await;
        drop(sender);
        result
    };
    let asking = async {
        let targets = stream::poll_fn(|context| unasked.poll_recv(context)).inspect(|_| room.take());
        let asked = targets.for_each_concurrent(open.jobs, |(target, labels)| async {
            if ask(open, target, labels, selection, out).await {
                any.store(true, Relaxed);
            }
        });
        asked.await;
    };
    match join(listing, asking).await.0 {
        Err(error) => tell_unread(open, error, out),
        Ok(()) if !any.load(Relaxed) && !any_failed.load(Relaxed) => emit_nothing(out),
        Ok(()) => {}
    }
}

type Labels = BTreeMap<String, String>;

/// Asks a target itself for its state, and emits it where it is wanted, which is told.
async fn ask(open: &Open, target: Target, labels: Labels, selection: &Selection, out: &Emit) -> bool {
    match open.backend.status(Some(&target)).await {
        Ok(status) if selection.state.is_some_and(|wanted| status.word() != wanted) => return false,
        Ok(status) => emit(out, told(open, &target, Some(status.word()), &labels)),
        Err(error) => {
            let error = open.own(error).target(target.label());
            let item = told(open, &target, Some(Word::Unknown), &labels);
            emit_failed_in(out, target.scope.clone(), with_error(item, &error), error);
        }
    }
    true
}

/// Emits that a backend, or a part of it, could not be listed.
fn tell_unread(open: &Open, error: Error, out: &Emit) {
    let error = open.own(error);
    let info = open.info();
    emit_failed(out, Some(unread(&info.backend, info.vendor, &error)), error);
}

fn unread(backend: &str, vendor: &str, error: &Error) -> Item {
    item::of(&ListItem {
        backend,
        vendor,
        target: None,
        state: Some(Word::Unknown),
        labels: &Labels::new(),
        error: Some(error.report()),
    })
}

fn told(open: &Open, target: &Target, state: Option<Word>, labels: &Labels) -> Item {
    let info = open.info();
    item::of(&ListItem::<()> {
        backend: &info.backend,
        vendor: info.vendor,
        target: Some(target),
        state,
        labels,
        error: None,
    })
}
