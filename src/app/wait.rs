//! `wait`: ends with the truth: it holds, it can no longer hold, or the time is over. Contract section 6.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::sync::Notify;

use super::attempt::{Before, LAST_LOOK, doing, fails_anew, guilty};
use super::follow::{self, Follower, Sight, Source};
use super::selection::Plan;
use super::{Emit, Open, Probe, Underway, emit, emit_failed, with_error};
use crate::backend::failed_attempt;
use crate::error::{Code, Error, Layer, Result};
use crate::http::probe::PATIENCE;
use crate::model::document::Waited;
use crate::model::{State, Status, Target, Word, item};
use crate::render::Item;

/// How soon a probe that did not answer is asked again.
const PROBE: Duration = Duration::from_millis(500);

/// Says what is waited for.
#[derive(Debug, Clone, Default)]
pub struct Waiting {
    /// The states, any of them.
    pub states: Vec<Word>,
    /// How long one of them has to hold without a break.
    pub stable: Duration,
    /// What has to answer besides, while the state holds.
    pub probes: Vec<Probe>,
    /// Whether one target is enough.
    pub any: bool,
    /// How often a state is polled.
    pub interval: Option<Duration>,
    /// Where what is known so far is kept.
    pub underway: Underway,
}

/// Waits for every target of the plan, side by side, and emits each as soon as its end is known.
pub async fn run(plan: Plan, waiting: &Waiting, out: &Emit) {
    let wait = Wait { waiting, begun: Instant::now(), enough: Cell::new(false), told: Notify::new(), out };
    for (backend, vendor, error) in plan.unopened {
        let unread = item::unread(&backend, vendor, None, jiff::Timestamp::now());
        wait.fail(with_error(unread, &error), error);
    }
    let (sources, failed) = follow::sources(plan.jobs);
    for (open, error) in failed {
        let error = open.own(error);
        wait.fail(open.failed_item(None, &error), error);
    }
    join_all(sources.into_iter().map(|source| wait.source(source))).await;
}

struct Wait<'a> {
    waiting: &'a Waiting,
    begun: Instant,
    /// Whether one target holds where one is enough.
    enough: Cell<bool>,
    told: Notify,
    out: &'a Emit,
}

/// How far the wait for one target has come.
struct Progress {
    target: Option<Target>,
    before: Option<Before>,
    /// Since when the state holds.
    since: Option<Instant>,
    /// Of what it holds: the target, and since when it is connected by the vendor's clock.
    of: (Option<String>, Option<Timestamp>),
    /// When the probes are asked again, while the state holds and they don't answer.
    probe_at: Option<Instant>,
    /// Why a probe did not answer.
    unanswered: Option<String>,
    last: Option<Status>,
    trouble: Option<Error>,
    done: bool,
}

/// What a look means for a wait.
enum Judgement {
    Holds,
    Pending,
    Lost(Error),
}

impl Wait<'_> {
    async fn source(&self, source: Source) {
        let mut follower = Follower::new(source, self.waiting.interval);
        let mut all: BTreeMap<String, Progress> = BTreeMap::new();
        loop {
            let by = self.next_look(follower.open(), &all);
            let sights = tokio::select! {
                biased;
                () = self.told.notified(), if self.waiting.any => Vec::new(),
                sights = follower.next(by) => sights,
            };
            if self.enough.get() {
                return self.end(follower.open(), &all);
            }
            if sights.is_empty() {
                let error = Error::new(Code::SelectionEmpty, Layer::Usage, "there is nothing to wait for")
                    .backend(&follower.open().info().backend)
                    .hint("see what there is: vpnctl list");
                self.fail(follower.open().failed_item(None, &error), error);
                return;
            }
            for sight in sights {
                let progress = all.entry(sight.key()).or_insert_with(|| Progress::of(sight.target.clone()));
                self.look(follower.open(), progress, sight).await;
                self.keep(follower.open(), progress);
            }
            if self.enough.get() {
                return self.end(follower.open(), &all);
            }
            let pending = all.values().filter(|one| !one.done).count();
            if pending == 0 {
                return;
            }
            if self.is_over(follower.open()) {
                all.values().filter(|one| !one.done).for_each(|one| self.too_late(follower.open(), one));
                return;
            }
        }
    }

    /// Ends, for another target holds and that is enough; others are woken one after the other.
    fn end(&self, open: &Open, all: &BTreeMap<String, Progress>) {
        self.told.notify_one();
        all.values().filter(|one| !one.done).for_each(|one| self.leave(open, one));
    }

    /// Tells by when the next look has to come: when the state has held long enough, or just before the deadline.
    fn next_look(&self, open: &Open, all: &BTreeMap<String, Progress>) -> Option<Instant> {
        let pending = || all.values().filter(|one| !one.done);
        let stable = pending().filter_map(|one| one.since).map(|at| at + self.waiting.stable);
        let probes = pending().filter_map(|one| one.probe_at);
        let last = open.deadline.at().map(|at| at.checked_sub(LAST_LOOK).unwrap_or(at));
        stable.chain(probes).chain(last).min()
    }

    fn is_over(&self, open: &Open) -> bool {
        open.deadline.left().is_some_and(|left| left <= LAST_LOOK)
    }

    async fn look(&self, open: &Open, progress: &mut Progress, sight: Sight) {
        if progress.done {
            return;
        }
        let status = match sight.seen {
            Ok(status) => status,
            Err(error) if error.code() == Code::TimeoutDeadline => {
                if progress.last.is_none() {
                    progress.trouble.get_or_insert(error);
                }
                return;
            }
            Err(error) if error.is_temporary() => {
                // What can't be read has not been seen to hold.
                progress.since = None;
                progress.trouble = Some(error);
                return;
            }
            Err(error) => {
                progress.done = true;
                let item = open.failed_item(progress.target.as_ref(), &error);
                self.fail(item, error);
                return;
            }
        };
        progress.trouble = None;
        progress.probe_at = None;
        progress.unanswered = None;
        match progress.judge(open, &self.waiting.states, &status) {
            Judgement::Holds if !self.answers(open, progress).await => progress.since = None,
            Judgement::Holds => {
                let since = progress.holds(&status);
                if since.elapsed() >= self.waiting.stable {
                    progress.done = true;
                    self.enough.set(self.waiting.any);
                    emit(self.out, self.marked(open.item(&status, false), true));
                }
            }
            Judgement::Pending => progress.since = None,
            Judgement::Lost(error) => {
                progress.done = true;
                let error = match status.target.as_ref().or(progress.target.as_ref()) {
                    Some(target) => open.backend.explain(target, error).await,
                    None => error,
                };
                self.fail(with_error(open.item(&status, false), &error), error);
            }
        }
        progress.last = Some(status);
    }

    /// Keeps what is known of a target for as long as it is waited for.
    fn keep(&self, open: &Open, one: &Progress) {
        let target = one.target.as_ref().map(|target| target.id.as_str()).unwrap_or_default();
        let key = format!("{}/{target}", open.info().backend);
        let mut underway = self.waiting.underway.lock().unwrap_or_else(PoisonError::into_inner);
        match &one.last {
            Some(status) if !one.done => underway.insert(key, (self.marked(open.item(status, false), false), None)),
            _ => underway.remove(&key),
        };
    }

    /// Asks the probes; where one does not answer, they are asked again soon, whatever the pace of the states.
    async fn answers(&self, open: &Open, progress: &mut Progress) -> bool {
        for probe in &self.waiting.probes {
            let within = open.deadline.limit(PATIENCE).unwrap_or(LAST_LOOK);
            if let Err(why) = probe.ask(within).await {
                tracing::debug!("{probe} does not answer: {why}");
                progress.probe_at = Some(Instant::now() + self.waiting.interval.unwrap_or(PROBE));
                progress.unanswered = Some(format!("{probe} does not answer: {why}"));
                return false;
            }
        }
        true
    }

    /// Tells of a target that is no longer waited for, since another one holds.
    fn leave(&self, open: &Open, one: &Progress) {
        if let Some(status) = &one.last {
            emit(self.out, self.marked(open.item(status, false), false));
        }
    }

    fn too_late(&self, open: &Open, one: &Progress) {
        let wanted: Vec<&str> = self.waiting.states.iter().map(|word| word.as_str()).collect();
        let now = doing(one.last.as_ref());
        let is = one.last.as_ref().map_or("unknown", |status| status.word().as_str());
        let trouble = one.trouble.as_ref().map(|error| format!("; last: {error}")).unwrap_or_default();
        let (who, wanted) = (one.label(open), wanted.join(" or "));
        let what = match (&one.unanswered, self.waiting.stable) {
            (Some(unanswered), _) => format!("{who} is {is}, but {unanswered}"),
            (None, Duration::ZERO) => format!("{who} was not {wanted} in the time given; {now}{trouble}"),
            (None, _) => {
                format!("{who} was not {wanted} for long enough in the time given; {now}{trouble}")
            }
        };
        let error = Error::new(Code::TimeoutDeadline, guilty(one.last.as_ref(), one.trouble.as_ref()), what)
            .temporary()
            .backend(&open.info().backend)
            .hint(match &one.trouble {
                Some(_) => "find out why it can't be read: vpnctl status",
                None => "give it more time with --timeout, or see what it does with: vpnctl watch",
            });
        let error = match &one.target {
            Some(target) => error.target(target.label()),
            None => error,
        };
        let item = match &one.last {
            Some(status) => with_error(open.item(status, false), &error),
            None => open.failed_item(one.target.as_ref(), &error),
        };
        self.fail(item, error);
    }

    fn fail(&self, item: Item, error: Error) {
        emit_failed(self.out, Some(self.marked(item, false)), error);
    }

    fn marked(&self, item: Item, held: bool) -> Item {
        let waited_s = (self.begun.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        item::marked(item, &Waited { held, waited_s })
    }
}

impl Progress {
    fn of(target: Option<Target>) -> Self {
        Self {
            target,
            before: None,
            since: None,
            of: (None, None),
            probe_at: None,
            unanswered: None,
            last: None,
            trouble: None,
            done: false,
        }
    }

    fn label(&self, open: &Open) -> String {
        match self.target.as_ref().or(self.last.as_ref().and_then(|status| status.target.as_ref())) {
            Some(target) => format!("`{}`", target.label()),
            None => format!("the VPN of `{}`", open.info().backend),
        }
    }

    /// Notes that the state holds, and gives since when. What was down between two looks is told by what is up now.
    fn holds(&mut self, status: &Status) -> Instant {
        let connected = match &status.state {
            State::Connected(link) => link.since,
            _ => None,
        };
        let of = (status.target.as_ref().map(|target| target.id.clone()), connected);
        let other = |one: bool, known: bool| known && one;
        let broken = other(self.of.0 != of.0, self.of.0.is_some() && of.0.is_some())
            || other(self.of.1 != of.1, self.of.1.is_some() && of.1.is_some());
        self.of = of;
        if broken {
            self.since = None;
        }
        *self.since.get_or_insert_with(Instant::now)
    }

    /// Says what a state means: a failure that was there before the wait began is not the one that ends it.
    fn judge(&mut self, open: &Open, wanted: &[Word], status: &Status) -> Judgement {
        let word = status.word();
        let tried = matches!(word, Word::Connecting | Word::Waiting);
        let first = self.before.is_none();
        let before = self.before.get_or_insert_with(|| Before::note(status.clone(), tried));
        if wanted.contains(&word) {
            before.settle();
            return Judgement::Holds;
        }
        // Only an attempt can fail; what waits for the end of a connection waits on.
        if first || !wanted.contains(&Word::Connected) {
            return Judgement::Pending;
        }
        if tried && fails_anew(self.last.as_ref(), status) {
            return Judgement::Lost(self.failure(open, status));
        }
        if tried {
            before.begin();
            return Judgement::Pending;
        }
        match word {
            Word::Failed if before.is_new(status) => Judgement::Lost(self.failure(open, status)),
            Word::Disconnected if before.in_progress() => Judgement::Lost(self.silence(open)),
            _ => Judgement::Pending,
        }
    }

    fn failure(&self, open: &Open, status: &Status) -> Error {
        let unnamed = Target::by_id(open.info().kind, format!("the VPN of {}", open.info().backend));
        let target = self.target.as_ref().or(status.target.as_ref()).unwrap_or(&unnamed);
        failed_attempt(open.info(), target, status)
    }

    fn silence(&self, open: &Open) -> Error {
        let info = open.info();
        let what = format!("{} did not connect: the attempt ended, and the vendor gives no reason", self.label(open));
        Error::new(Code::TunnelConnectFailed, Layer::Tunnel, what)
            .backend(&info.backend)
            .hint(format!("look closer with: vpnctl status -b {} --native -o json", info.backend))
    }
}

/// Reads the states that a wait may be for.
///
/// # Errors
/// Fails with `usage` where one of them can't be waited for.
pub fn check(states: &[Word]) -> Result<()> {
    if states.contains(&Word::Unknown) {
        return Err(Error::usage("`unknown` is what could not be told, so it can't be waited for")
            .hint("wait for connected, disconnected, connecting, disconnecting, waiting or failed"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Progress;
    use crate::model::{Link, Source, State, Status, Target, TargetKind};

    #[test]
    fn a_break_between_two_looks_begins_the_time_anew() {
        let up = |id: &str, since: Option<i64>| Status {
            target: Some(Target::by_id(TargetKind::Tunnel, id)),
            ..Status::new(
                State::Connected(Link {
                    since: since.and_then(|at| Timestamp::from_second(at).ok()),
                    ..Link::default()
                }),
                Source::Client,
            )
        };
        let mut progress = Progress::of(None);
        let begun = progress.holds(&up("a", Some(1000)));
        assert_eq!(progress.holds(&up("a", Some(1000))), begun);
        // A vendor that leaves it out once tells of no break.
        assert_eq!(progress.holds(&up("a", None)), begun);
        let again = progress.holds(&up("a", Some(1006)));
        let mut progress = Progress::of(None);
        let first = progress.holds(&up("a", Some(1000)));
        let later = progress.holds(&up("a", Some(1006)));
        let other = progress.holds(&up("b", Some(1006)));
        assert!(begun <= again && first < later && later < other, "each break begins anew");
    }
}
