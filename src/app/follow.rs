//! Following states: pushed where the vendor pushes, polled elsewhere and where a subscription is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};

use super::Open;
use super::attempt::Pace;
use super::selection::Job;
use crate::backend::{Listed, Subscription, unsupported};
use crate::error::{Code, Error, Result};
use crate::model::{State, Status, Target, Word};

/// How often the state is read although it is pushed: a socket may be silent without being lost.
const SAFETY: Duration = Duration::from_secs(5);
/// How often a whole account is read at most.
const ACCOUNT: Duration = Duration::from_secs(5);
/// After how long a lost subscription is asked for again; it doubles each time up to [`REOPEN_LIMIT`].
const REOPEN: Duration = Duration::from_millis(500);
/// The longest such wait, in which a client that is restarted is back.
const REOPEN_LIMIT: Duration = Duration::from_secs(30);
/// How often the first state is read anew where changes were pushed meanwhile.
const LOOKS: usize = 3;

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
#[derive(Debug)]
pub struct Source {
    /// The backend.
    pub open: Arc<Open>,
    what: What,
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
        sources.push(Source { open, what });
    }
    (sources, failed)
}

/// Follows one source; each look tells every target of it.
pub struct Follower {
    source: Source,
    pace: Pace,
    subscription: Option<Box<dyn Subscription>>,
    reopen: Duration,
    reopen_at: Option<Instant>,
    begun: bool,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Follower {
    /// Begins; nothing is asked yet. `interval` is how often a state is polled, `None` the usual growing pace.
    #[must_use]
    pub fn new(source: Source, interval: Option<Duration>) -> Self {
        let pace = match source.what {
            What::Account => Pace::new(interval.or(Some(ACCOUNT))),
            _ => Pace::new(interval),
        };
        Self { source, pace, subscription: None, reopen: REOPEN, reopen_at: None, begun: false }
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
    /// first look comes at once.
    pub async fn next(&mut self, by: Option<Instant>) -> Vec<Sight> {
        if !std::mem::replace(&mut self.begun, true) {
            return self.begin().await;
        }
        let wait = if self.subscription.is_some() { SAFETY } else { self.pace.next() };
        let at = Instant::now() + wait;
        let at = by.map_or(at, |by| by.min(at));
        let Some(subscription) = &mut self.subscription else {
            tokio::time::sleep_until(at.into()).await;
            return if self.reopen_at.is_some_and(|at| at <= Instant::now()) {
                self.begin().await
            } else {
                self.look().await
            };
        };
        let pushed = tokio::select! {
            biased;
            pushed = subscription.next() => pushed,
            () = tokio::time::sleep_until(at.into()) => {
                // What is pushed while the state is read may be older than the answer or newer; it proves that the
                // socket lives, so the answer is not needed.
                tokio::select! {
                    biased;
                    pushed = subscription.next() => pushed,
                    sights = look(&self.source) => return sights,
                }
            }
        };
        match pushed {
            Ok(status) => spread(&self.source, &Ok(status)),
            Err(error) => {
                tracing::debug!("the subscription was lost, and the state is polled: {error}");
                self.lose();
                self.look().await
            }
        }
    }

    /// Subscribes where the vendor pushes, then reads.
    async fn begin(&mut self) -> Vec<Sight> {
        if let (What::OneVpn(_), Some(events)) = (&self.source.what, self.source.open.backend.events()) {
            match events.subscribe().await {
                Ok(subscription) => {
                    self.subscription = Some(subscription);
                    self.reopen = REOPEN;
                    self.reopen_at = None;
                }
                Err(error) => {
                    tracing::debug!("nothing is pushed, and the state is polled: {error}");
                    self.lose();
                }
            }
        }
        let mut sights = look(&self.source).await;
        for _ in 1..LOOKS {
            if !self.has_news() {
                break;
            }
            sights = look(&self.source).await;
        }
        sights
    }

    /// Takes what was pushed while the state was read: it may be older than the answer.
    fn has_news(&mut self) -> bool {
        let mut any = false;
        while let Some(pushed) = self.subscription.as_mut().and_then(|open| open.next().now_or_never()) {
            any = true;
            if pushed.is_err() {
                self.lose();
            }
        }
        any
    }

    fn lose(&mut self) {
        self.subscription = None;
        self.reopen_at = Some(Instant::now() + self.reopen);
        self.reopen = (self.reopen * 2).min(REOPEN_LIMIT);
    }

    async fn look(&self) -> Vec<Sight> {
        look(&self.source).await
    }
}

/// Reads the state of everything in a source.
async fn look(source: &Source) -> Vec<Sight> {
    let open = &source.open;
    match &source.what {
        What::OneVpn(_) => spread(source, &open.backend.status(None).await.map_err(|error| open.own(error))),
        What::Single(target) => {
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
