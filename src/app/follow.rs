//! Following states: pushed where the vendor pushes, polled elsewhere and where a subscription is lost.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use tokio::sync::Semaphore;

use super::Open;
use super::attempt::Pace;
use super::selection::Job;
use crate::backend::{Listed, Subscription, unsupported};
use crate::error::{Code, Error, Layer, Result};
use crate::model::{State, Status, Target, Word};

/// How often the state is read although it is pushed: a socket may be silent without being lost.
const SAFETY: Duration = Duration::from_secs(5);
/// After how long a lost subscription is asked for again; it doubles each time up to [`REOPEN_LIMIT`].
const REOPEN: Duration = Duration::from_millis(500);
/// The longest such wait, in which a client that is restarted is back.
const REOPEN_LIMIT: Duration = Duration::from_secs(30);

/// What one question to a vendor answers for.
#[derive(Debug, Clone)]
pub enum What {
    /// The one VPN, and these targets of it; without any, whatever it is connected to.
    OneVpn(Vec<Target>),
    /// One target that is asked itself.
    Single(Target),
    /// Every target of an account.
    Account,
}

/// What is followed of one backend.
#[derive(Debug, Clone)]
pub struct Source {
    /// The backend.
    pub open: Arc<Open>,
    what: What,
    /// How long one look may take; `None` is as long as its requests take.
    pub within: Option<Duration>,
    /// Turns of the targets that are asked themselves, so that a backend is asked about no more at once than it takes.
    turns: Arc<Semaphore>,
}

/// What was seen of a target.
#[derive(Debug, Clone)]
pub struct Sight {
    /// The target; `None` where the one VPN is meant, whatever it is connected to.
    pub target: Option<Target>,
    /// Its state, or why it could not be read.
    pub seen: Result<Status>,
}

impl Sight {
    /// Gives what tells it from other targets of the same backend.
    #[must_use]
    pub fn key(&self) -> String {
        self.target.as_ref().map(|target| target.id.clone()).unwrap_or_default()
    }
}

/// Sorts jobs into what is asked together; jobs that could not be resolved come back with their errors.
#[must_use]
pub fn sources(jobs: Vec<Job>) -> (Vec<Source>, Vec<(Arc<Open>, Error)>) {
    let mut sources: Vec<Source> = Vec::new();
    let mut failed = Vec::new();
    let mut turns: BTreeMap<String, Arc<Semaphore>> = BTreeMap::new();
    for job in jobs {
        let Job { open, target, error, .. } = job;
        if let Some(error) = error {
            failed.push((open, error));
            continue;
        }
        let what = match target {
            target if open.info().one_vpn => {
                let same = |source: &&mut Source| Arc::ptr_eq(&source.open, &open);
                if let Some(Source { what: What::OneVpn(targets), .. }) = sources.iter_mut().find(same) {
                    targets.extend(target);
                    continue;
                }
                What::OneVpn(target.into_iter().collect())
            }
            Some(target) => What::Single(target),
            None => What::Account,
        };
        let turns = turns.entry(open.info().backend.clone()).or_insert_with(|| Arc::new(Semaphore::new(open.jobs)));
        let turns = Arc::clone(turns);
        sources.push(Source { open, what, within: None, turns });
    }
    (sources, failed)
}

/// A subscription that is being opened.
type Opening = Pin<Box<dyn Future<Output = Result<Box<dyn Subscription>>> + Send>>;

/// Follows one source; each look tells every target of it.
pub struct Follower {
    source: Source,
    pace: Pace,
    safety: Duration,
    opening: Option<Opening>,
    subscription: Option<Box<dyn Subscription>>,
    reopen: Duration,
    reopen_at: Option<Instant>,
    begun: bool,
    /// Whether something may have changed between the last look and the moment from which changes are pushed.
    gap: bool,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("source", &self.source).finish_non_exhaustive()
    }
}

/// What ends a wait for the next look.
enum Woken {
    Pushed(Box<Result<Status>>),
    Opened(Result<Box<dyn Subscription>>),
    Looked(Vec<Sight>),
}

impl Follower {
    /// Begins; nothing is asked yet. `interval` is how often a state is polled, `None` the usual growing pace.
    #[must_use]
    pub fn new(source: Source, interval: Option<Duration>) -> Self {
        let pace = Pace::new(interval);
        Self {
            source,
            pace,
            safety: SAFETY,
            opening: None,
            subscription: None,
            reopen: REOPEN,
            reopen_at: None,
            begun: false,
            gap: false,
        }
    }

    /// Reads the state so often although it is pushed.
    #[must_use]
    pub fn looking_every(self, safety: Duration) -> Self {
        Self { safety, ..self }
    }

    /// Gives the backend that is followed.
    #[must_use]
    pub fn open(&self) -> &Open {
        &self.source.open
    }

    /// Polls fast again, after something has changed.
    pub fn hurry(&mut self) {
        self.pace.begin();
    }

    /// Waits for the next look: one that was pushed, or that the pace brings, or at `by`, whichever is first. The
    /// first look comes at once. A subscription is opened beside it, for one that never opens must blind nobody.
    pub async fn next(&mut self, by: Option<Instant>) -> Vec<Sight> {
        let now = Instant::now();
        if !std::mem::replace(&mut self.begun, true) {
            self.subscribe();
            return self.look(now).await;
        }
        if std::mem::replace(&mut self.gap, false) {
            return self.look(now).await;
        }
        if self.opening.is_none() && self.reopen_at.is_some_and(|at| at <= now) {
            self.subscribe();
        }
        let wait = if self.subscription.is_some() { self.safety } else { self.pace.advance() };
        self.look(by.map_or(now + wait, |by| by.min(now + wait))).await
    }

    /// Reads the state at a moment, unless it is pushed before, or while it is read: what is pushed then may be older
    /// than the answer or newer, and it proves that the socket lives, so the answer is not needed.
    async fn look(&mut self, at: Instant) -> Vec<Sight> {
        let source = self.source.clone();
        let mut looked = Box::pin(async move {
            tokio::time::sleep_until(at.into()).await;
            look(&source).await
        });
        loop {
            let woken = tokio::select! {
                biased;
                pushed = pushed(&mut self.subscription) => Woken::Pushed(Box::new(pushed)),
                opened = opened(&mut self.opening) => Woken::Opened(opened),
                sights = &mut looked => Woken::Looked(sights),
            };
            match woken {
                Woken::Looked(sights) => return sights,
                Woken::Pushed(pushed) => {
                    if let Err(error) = &*pushed {
                        tracing::debug!("the subscription was lost, and the state is polled: {error}");
                        self.lose();
                        // It may have a place on the connection, for which the new one would wait without end.
                        drop(looked);
                        return look(&self.source).await;
                    }
                    return spread(&self.source, &pushed);
                }
                Woken::Opened(Ok(subscription)) => {
                    self.opening = None;
                    self.subscription = Some(subscription);
                    self.reopen = REOPEN;
                    self.gap = true;
                    if at <= Instant::now() {
                        // It is being read already; what changed before this moment is read after it.
                        continue;
                    }
                    self.gap = false;
                    return look(&self.source).await;
                }
                Woken::Opened(Err(error)) => {
                    tracing::debug!("nothing is pushed, and the state is polled: {error}");
                    if self.source.open.deadline.has_passed() {
                        // A look that is not sent any more could say less.
                        return spread(&self.source, &Err(self.source.open.own(error)));
                    }
                    self.lose();
                }
            }
        }
    }

    /// Begins to subscribe where the vendor pushes.
    fn subscribe(&mut self) {
        self.reopen_at = None;
        if !matches!(self.source.what, What::OneVpn(_)) || self.source.open.backend.events().is_none() {
            return;
        }
        let (open, within) = (Arc::clone(&self.source.open), self.source.within);
        self.opening = Some(Box::pin(async move {
            let Some(events) = open.backend.events() else { return Err(unsupported(&*open.backend, "watch")) };
            match within {
                None => events.subscribe().await,
                Some(within) => crate::http::within(within, events.subscribe()).await.unwrap_or_else(|| {
                    let what = format!("nothing was pushed within {} s", within.as_secs_f64());
                    Err(Error::new(Code::TimeoutDeadline, Layer::Http, what).temporary())
                }),
            }
        }));
    }

    fn lose(&mut self) {
        self.opening = None;
        self.subscription = None;
        self.reopen_at = Some(Instant::now() + self.reopen);
        self.reopen = (self.reopen * 2).min(REOPEN_LIMIT);
    }
}

async fn pushed(subscription: &mut Option<Box<dyn Subscription>>) -> Result<Status> {
    match subscription {
        Some(subscription) => subscription.next().await,
        None => std::future::pending().await,
    }
}

async fn opened(opening: &mut Option<Opening>) -> Result<Box<dyn Subscription>> {
    match opening {
        Some(opening) => opening.await,
        None => std::future::pending().await,
    }
}

/// Reads the state of everything in a source, within its time.
async fn look(source: &Source) -> Vec<Sight> {
    let Some(within) = source.within else { return ask(source).await };
    match crate::http::within(within, ask(source)).await {
        Some(sights) => sights,
        None => {
            let what = format!("the state could not be read within {} s", within.as_secs_f64());
            let error = source.open.own(Error::new(Code::TimeoutDeadline, Layer::Http, what).temporary());
            let targets: Vec<Target> = match &source.what {
                What::OneVpn(targets) => targets.clone(),
                What::Single(target) => vec![target.clone()],
                What::Account => Vec::new(),
            };
            let unread = |target| Sight { target, seen: Err(error.clone()) };
            if targets.is_empty() { vec![unread(None)] } else { targets.into_iter().map(Some).map(unread).collect() }
        }
    }
}

async fn ask(source: &Source) -> Vec<Sight> {
    let open = &source.open;
    match &source.what {
        What::OneVpn(_) => spread(source, &open.backend.status(None).await.map_err(|error| open.own(error))),
        What::Single(target) => {
            // It is never closed, so there is always a turn to wait for.
            let _turn = source.turns.acquire().await;
            let seen = open.backend.status(Some(target)).await.map_err(|error| open.own(error));
            vec![Sight { target: Some(target.clone()), seen }]
        }
        What::Account => account(open).await,
    }
}

/// Tells of the one VPN's state what it means for each target that is followed.
fn spread(source: &Source, seen: &Result<Status>) -> Vec<Sight> {
    let What::OneVpn(targets) = &source.what else { return Vec::new() };
    if targets.is_empty() {
        return vec![Sight { target: None, seen: seen.clone() }];
    }
    let own = |target: &Target| Sight {
        target: Some(target.clone()),
        seen: seen.clone().map(|status| status.for_target(target)),
    };
    targets.iter().map(own).collect()
}

/// Reads a whole account: from the VPN server's list, and target by target only where that does not tell.
async fn account(open: &Open) -> Vec<Sight> {
    let listed = match open.backend.targets() {
        None => Err(unsupported(&*open.backend, "list")),
        Some(targets) => {
            let mut all: Vec<Listed> = Vec::new();
            targets.list(&mut |listed| all.push(listed)).await.map(|()| all).map_err(|error| open.own(error))
        }
    };
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => return vec![Sight { target: None, seen: Err(error) }],
    };
    stream::iter(listed)
        .map(|Listed { target, status, .. }| async move {
            let seen = match status {
                Some(status) => Ok(Status { target: Some(target.clone()), ..status }),
                None => open.backend.status(Some(&target)).await.map_err(|error| open.own(error)),
            };
            Sight { target: Some(target), seen }
        })
        .buffered(open.jobs)
        .collect()
        .await
}

/// Tells whether an error may pass, so that the state is worth asking for again.
#[must_use]
pub fn may_pass(error: &Error) -> bool {
    error.is_temporary() && error.code() != Code::TimeoutDeadline
}

/// What of a state makes a change of it an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    /// The state.
    pub word: Word,
    target: Option<String>,
    address: Option<String>,
    error: Option<Code>,
}

impl Face {
    /// Takes it from what was seen.
    #[must_use]
    pub fn of(seen: &Result<Status>) -> Self {
        match seen {
            Ok(status) => Self {
                word: status.word(),
                target: status.target.as_ref().map(|target| target.id.clone()),
                address: match &status.state {
                    State::Connected(link) => link.ip_address.clone(),
                    _ => None,
                },
                error: None,
            },
            Err(error) => Self { word: Word::Unknown, target: None, address: None, error: Some(error.code()) },
        }
    }
}
