//! `status`: what each VPN is doing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::{OnceCell, mpsc};

use super::asks::{Asks, Question, What};
use super::finding::{self, Job, is_in_shard};
use super::selection::{self, Selection};
use super::{Emit, Open, emit_failed, emit_failed_in, emit_nothing, emit_status, fan_out, with_error};
use crate::backend::Listed;
use crate::backend::room::Room;
use crate::error::{Error, Result};
use crate::model::{State, Status, Target, item};

/// Says how states are read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// Ask every device itself instead of the VPN server's list.
    pub live: bool,
    /// Show the vendor's documents.
    pub native: bool,
}

/// Reads the state of everything that is asked about, side by side, and emits each as it becomes known.
pub async fn run(asks: Asks<'_>, reading: Reading, out: &Emit) {
    let reader = Reader::new(&asks, reading, out);
    let is_retry = asks.is_retry();
    if let Some(expected) = asks.expected() {
        out.stop().expect(expected);
    }
    let unopened = |backend: &str, vendor, error: Error| {
        reader.any.store(true, Relaxed);
        let unread = item::unread(backend, vendor, None, jiff::Timestamp::now());
        emit_failed(out, Some(with_error(unread, &error)), error);
    };
    fan_out::run(asks, out, unopened, |question| reader.question(question)).await;
    if reader.any.load(Relaxed) {
        let globs = reader.globs.into_inner().unwrap_or_else(PoisonError::into_inner);
        for (glob, _) in globs.into_iter().filter(|(_, any)| !any) {
            emit_failed(out, None, selection::fits_nothing(&glob));
        }
        return;
    }
    // A part of a fleet may have nothing, and so may what failed before; the fleet may not.
    if !is_retry && !out.stop().is_reached() {
        emit_failed(out, None, selection::empty(reader.selection));
    }
}

/// What is read of the one VPN of a backend, for all of its targets that are asked about.
type Shared = Arc<OnceCell<Result<Status>>>;

/// What tells a target from all others: its backend, the part of the account, its id.
type Key = (String, Option<String>, String);

struct Reader<'a> {
    selection: &'a Selection,
    reading: Reading,
    out: &'a Emit,
    /// Whether several targets of a backend may be asked about, so that one answer may serve more than one of them.
    are_several: bool,
    /// What was read already, where something may be asked about twice: remembering a million lines of a file is what
    /// reading them as they are needed avoids.
    seen: Option<Mutex<BTreeSet<Key>>>,
    /// Whether anything was found, in whatever part of the fleet.
    any: AtomicBool,
    /// The globs, and whether anything fits them.
    globs: Mutex<BTreeMap<String, bool>>,
    shared: Mutex<BTreeMap<String, Shared>>,
}

impl<'a> Reader<'a> {
    fn new(asks: &Asks<'a>, reading: Reading, out: &'a Emit) -> Self {
        let selection = asks.selection();
        Self {
            selection,
            reading,
            out,
            are_several: asks.are_several(),
            seen: asks.overlap().then(Mutex::default),
            any: AtomicBool::new(false),
            globs: Mutex::default(),
            shared: Mutex::default(),
        }
    }

    async fn question(&self, question: Question) {
        match question.what {
            What::Listed(glob) => {
                for open in &question.places {
                    let any = Box::pin(self.listed(open, glob.as_deref())).await;
                    self.any.fetch_or(any, Relaxed);
                    if let Some(glob) = &glob {
                        let mut globs = self.globs.lock().unwrap_or_else(PoisonError::into_inner);
                        *globs.entry(glob.clone()).or_default() |= any;
                    }
                }
            }
            What::Whole => {
                for open in &question.places {
                    Box::pin(self.whole(open)).await;
                }
            }
            _ => {
                for job in finding::resolve(question).await {
                    self.any.store(true, Relaxed);
                    if is_in_shard(self.selection, &job) {
                        self.job(job).await;
                    }
                }
            }
        }
    }

    async fn job(&self, Job { open, target, error, .. }: Job) {
        if let Some(error) = error {
            return self.failed(&open, target.as_ref(), error);
        }
        let Some(target) = target else { return Box::pin(self.whole(&open)).await };
        if self.is_new(&open, &target) {
            self.read(&open, target).await;
        }
    }

    /// Tells whether a target was not read before in this run.
    fn is_new(&self, open: &Open, target: &Target) -> bool {
        let Some(seen) = &self.seen else { return true };
        let key = (open.info().backend.clone(), target.scope.clone(), target.id.clone());
        seen.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
    }

    /// Reads all that a backend has: its one VPN, or its account.
    async fn whole(&self, open: &Arc<Open>) {
        self.any.store(true, Relaxed);
        if !open.info().one_vpn {
            if !self.listed(open, None).await {
                emit_nothing(self.out);
            }
            return;
        }
        if self.selection.is_in_shard(&open.info().backend) {
            match open.backend.status(None).await {
                Ok(status) => self.told(open, status),
                Err(error) => self.failed(open, None, error),
            }
        }
    }

    /// Reads what a backend lists and the selection wants: by the list itself where that tells states, and else from each
    /// target, while the next page comes. Tells whether there is anything, in whatever part of the fleet.
    async fn listed(&self, open: &Arc<Open>, glob: Option<&str>) -> bool {
        // The vendor's own documents are those of the targets; of a whole account they would cost a request each.
        let is_asked = self.reading.live || (self.reading.native && (glob.is_some() || self.selection.filters()));
        let (sender, mut unknown) = mpsc::unbounded_channel::<Target>();
        let any = AtomicBool::new(false);
        let room = Arc::new(Room::default());
        let listing = async {
            let mut each = |listed: Listed| {
                any.store(true, Relaxed);
                if !self.selection.is_in_shard(&listed.target.id) || !self.is_new(open, &listed.target) {
                    return;
                }
                match listed.status.filter(|_| !is_asked) {
                    Some(status) => self.told(open, Status { target: Some(listed.target), ..status }),
                    // Its reader ends only after this.
                    None => {
                        room.give();
                        let _ = sender.send(listed.target);
                    }
                }
            };
            let mut failed = |error: Error| {
                any.store(true, Relaxed);
                self.failed(open, None, error);
            };
            let list = finding::listed(open, self.selection, glob, &mut each, &mut failed);
            let listing = room.list(list).await;
            drop(sender);
            if let Err(error) = listing {
                any.store(true, Relaxed);
                self.failed(open, None, error);
            }
        };
        let asking = async {
            let targets = stream::poll_fn(|context| unknown.poll_recv(context)).inspect(|_| room.take());
            targets.for_each_concurrent(open.jobs, |target| self.asked(open, target)).await;
        };
        join(listing, asking).await;
        any.into_inner()
    }

    /// Asks a target that the list says nothing of.
    async fn asked(&self, open: &Arc<Open>, target: Target) {
        if self.out.stop().is_reached() {
            return;
        }
        match self.state(open, &target).await {
            Ok(status) if self.selection.state.is_some_and(|wanted| status.word() != wanted) => {}
            Ok(status) => self.told(open, status),
            Err(error) => self.failed(open, Some(&target), error),
        }
    }

    /// Reads the state of a target that was named.
    async fn read(&self, open: &Arc<Open>, target: Target) {
        match self.state(open, &target).await {
            Ok(status) => self.told(open, status),
            Err(error) => self.failed(open, Some(&target), error),
        }
    }

    /// Reads the state of a target; where several of the one VPN are asked about, one question answers for all.
    async fn state(&self, open: &Arc<Open>, target: &Target) -> Result<Status> {
        if !(open.info().one_vpn && self.are_several) {
            return open.backend.status(Some(target)).await;
        }
        let shared = {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(shared.entry(open.info().backend.clone()).or_default())
        };
        let status = shared.get_or_init(|| open.backend.status(None)).await.clone()?;
        if status.is_of(target) {
            return Ok(status);
        }
        let down = Status::new(State::Disconnected, status.source);
        Ok(Status { target: Some(target.clone()), ..down })
    }

    fn told(&self, open: &Open, status: Status) {
        emit_status(self.out, open.row(status, self.reading.native));
    }

    fn failed(&self, open: &Open, target: Option<&Target>, error: Error) {
        let error = open.own(error);
        let scope = target.and_then(|target| target.scope.clone());
        emit_failed_in(self.out, scope, open.failed_item(target, &error), error);
    }
}
