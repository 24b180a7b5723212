//! Back-off for the whole backend: a server that asks one call for a pause asks all of them.
//!
//! A refusal (429, or a 503 that says nothing of its own) stops every call that was not sent yet, until the time that
//! the server names, or for 0.2, 0.4, 0.8 s and so on while refusals go on. Then one call goes alone. Its success, and
//! each further one, lets one more be in flight, which doubles them each round, up to half of what were in flight when
//! the server refused; from there on it is one more a round. So the rate is met from below, and few are refused.
//!
//! What nobody loses by: a call that waits here uses up none of its tries, nor does one that was in flight when another
//! was refused. Who was refused among many goes before who was not yet, so that nobody is the one too many again and
//! again; who was refused alone goes behind the others, so that a long pause is not at the cost of one call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::Deadline;
use crate::error::{Code, Error, Layer};

/// The first pause where the server names none; it doubles with each refusal that follows without a success.
const FIRST: Duration = Duration::from_millis(200);
/// The longest pause where the server names none: a server that is well again is not to be waited for.
const MOST: Duration = Duration::from_secs(1);
/// After which time of nothing but refusals, and after how many, those who wait are told so: one after the other would
/// take a fleet for ever, and one of them still finds out whether the server is well again.
const LOST_AFTER: Duration = Duration::from_secs(60);
const LOST: u32 = 4;
/// The longest pause that is waited for where there is no deadline: IXON's block.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);
/// The shortest pause that somebody who waits is told of.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// Holds back the calls of one transport.
#[derive(Debug, Default, Clone)]
pub(super) struct Brake {
    inner: Arc<Mutex<Inner>>,
    /// A pause has begun: who waits has to wake at its end, for who was refused may have no try left.
    paused: Arc<Notify>,
}

#[derive(Debug)]
struct Inner {
    until: Option<Instant>,
    /// The status by which the server asked for the pause.
    status: u16,
    /// Counts the pauses; what was let in before the last one is no longer counted among those in flight.
    era: u64,
    /// How many may be in flight; `usize::MAX` before the first refusal.
    window: usize,
    /// Up to where the window doubles.
    half: usize,
    /// Successes since the window last grew beyond `half`.
    gained: usize,
    /// Calls of this era that were let in and are not over.
    inside: usize,
    /// Those of them that were sent.
    aloft: usize,
    /// Calls of any era that were sent and are not over.
    flying: usize,
    /// Pauses since the last success, and when the first of them began.
    refusals: u32,
    since: Option<Instant>,
    announced: bool,
    next: u64,
    /// Who waits: who goes first, then by age.
    queue: BTreeMap<(bool, u64), oneshot::Sender<Pass>>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            until: None,
            status: 429,
            era: 0,
            window: usize::MAX,
            half: usize::MAX,
            gained: 0,
            inside: 0,
            aloft: 0,
            flying: 0,
            refusals: 0,
            since: None,
            announced: false,
            next: 0,
            queue: BTreeMap::new(),
        }
    }
}

/// Lets one call be sent; dropped when it is over.
#[derive(Debug)]
pub(super) struct Pass {
    brake: Brake,
    era: u64,
    sent: bool,
}

/// Says why a call is not let in.
#[derive(Debug)]
pub(super) enum Shut {
    /// The pause is longer than may be waited for: how long it still is, and the status that asked for it.
    Blocked(Duration, u16),
    /// The server has refused everything for so long, by that status.
    Lost(Duration, u16),
    /// The deadline has passed.
    Late,
}

impl Shut {
    /// Gives the error of a call that is not sent for it; nothing where it is the deadline's.
    pub(super) fn error(&self, peer: &str) -> Option<Error> {
        let (Self::Blocked(time, status) | Self::Lost(time, status)) = self else { return None };
        let code = if *status == 429 { Code::HttpRateLimited } else { Code::HttpServerError };
        let seconds = time.as_secs_f64().ceil();
        let error = if let Self::Lost(..) = self {
            let what = format!("{peer} has refused everything for {seconds} s ({status}), so this was not asked");
            Error::new(code, Layer::Http, what).hint("look at the server; --retry-failed asks for what is missing")
        } else {
            let what = format!("{peer} asked for a pause ({status}), which lasts {seconds} s more");
            let named = Some(Duration::from_secs_f64(seconds));
            Error::new(code, Layer::Http, what).retry_after(named).hint("wait, and ask less often")
        };
        Some(error.later())
    }
}

/// Says what a refusal means for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Whether it is one of the call's tries: not where another call was refused while this one was in flight.
    pub(super) counts: bool,
    /// Whether it goes before those that were not refused. Where it was alone it does not: another is as good to find
    /// out when the pause is over, and has its tries yet.
    pub(super) first: bool,
    /// How long the pause still is.
    pub(super) pause: Duration,
    /// Whether it is the first that is worth telling.
    pub(super) announce: bool,
}

impl Brake {
    /// Waits until a call may be sent; one that goes `first` before those that were not refused.
    ///
    /// # Errors
    /// Fails at once where the pause is longer than the deadline leaves, or than [`PATIENCE`] without one.
    pub(super) async fn enter(&self, first: bool, deadline: Deadline) -> Result<Pass, Shut> {
        let mut turn = {
            let mut inner = self.lock();
            if let Some(shut) = inner.shut(deadline) {
                return Err(shut);
            }
            if inner.queue.is_empty() && inner.has_room() {
                return Ok(inner.admit(self));
            }
            inner.next += 1;
            let (given, turn) = oneshot::channel();
            let key = (!first, inner.next);
            inner.queue.insert(key, given);
            turn
        };
        self.pump();
        loop {
            // A pause may have become longer while it was waited for.
            if let Ok(pass) = turn.try_recv() {
                return Ok(pass);
            }
            // Made before the pause is looked at, so that none begins unseen.
            let paused = self.paused.notified();
            let (shut, until) = {
                let inner = self.lock();
                (inner.shut(deadline), inner.until)
            };
            if let Some(shut) = shut {
                return Err(shut);
            }
            let far = Instant::now() + PATIENCE;
            let wake = until.unwrap_or(far).min(deadline.at().unwrap_or(far));
            tokio::select! {
                biased;
                pass = &mut turn => return pass.map_err(|_| Shut::Late),
                () = paused => {}
                () = tokio::time::sleep_until(wake.into()) => {}
            }
            if deadline.has_passed() {
                return Err(Shut::Late);
            }
            self.pump();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets in who waits, as far as there is room.
    fn pump(&self) {
        loop {
            let (given, pass) = {
                let mut inner = self.lock();
                while inner.queue.first_key_value().is_some_and(|(_, given)| given.is_closed()) {
                    inner.queue.pop_first();
                }
                if inner.queue.is_empty() || !inner.has_room() {
                    return;
                }
                (inner.queue.pop_first(), inner.admit(self))
            };
            // Who went away meanwhile leaves room for the next: the pass gives it back as it is dropped, unlocked.
            if let Some((_, given)) = given {
                let _ = given.send(pass);
            }
        }
    }
}

impl Inner {
    fn has_room(&mut self) -> bool {
        if self.until.is_some_and(|until| until <= Instant::now()) {
            self.until = None;
        }
        self.until.is_none() && self.inside < self.window
    }

    fn admit(&mut self, brake: &Brake) -> Pass {
        self.inside += 1;
        Pass { brake: brake.clone(), era: self.era, sent: false }
    }

    /// Tells whether the pause is longer than may be waited for.
    fn shut(&self, deadline: Deadline) -> Option<Shut> {
        let left = self.until?.saturating_duration_since(Instant::now());
        let most = deadline.left().unwrap_or(PATIENCE);
        let refused_for = self.since.map(|since| since.elapsed()).filter(|long| *long >= LOST_AFTER);
        if let Some(long) = refused_for.filter(|_| self.refusals >= LOST && !left.is_zero()) {
            return Some(Shut::Lost(long, self.status));
        }
        (!left.is_zero() && left > most).then_some(Shut::Blocked(left, self.status))
    }

    fn refuse(&mut self, era: u64, named: Option<Duration>, status: u16, deadline: Deadline) -> Refusal {
        let counts = era == self.era;
        let first = !counts || self.aloft > 1;
        if counts {
            // How many are too many can't be told by one that was alone.
            if self.aloft > 1 {
                self.half = self.flying / 2;
            }
            (self.window, self.gained, self.inside, self.aloft) = (1, 0, 0, 0);
            self.era += 1;
            self.refusals += 1;
            self.since.get_or_insert_with(Instant::now);
            self.status = status;
        }
        let usual = || FIRST.saturating_mul(1 << (self.refusals.clamp(1, 16) - 1)).min(MOST);
        let pause = if counts { named.unwrap_or_else(usual) } else { named.unwrap_or_default() };
        let now = Instant::now();
        self.until = self.until.max(now.checked_add(pause));
        let pause = self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let announce = !self.announced && pause >= WORTH_TELLING && self.shut(deadline).is_none();
        self.announced |= announce;
        Refusal { counts, first, pause, announce }
    }

    fn succeed(&mut self, era: u64) {
        if era != self.era {
            return;
        }
        (self.refusals, self.since) = (0, None);
        if self.window == usize::MAX {
            return;
        }
        self.gained += 1;
        if self.window < self.half || self.gained >= self.window {
            (self.window, self.gained) = (self.window + 1, 0);
        }
    }
}

impl Pass {
    /// Tells whether it still holds: no pause has begun since.
    pub(super) fn holds(&self) -> bool {
        self.brake.lock().era == self.era
    }

    /// Notes that the call is sent now; false where a pause has begun since.
    pub(super) fn send(&mut self) -> bool {
        let mut inner = self.brake.lock();
        if inner.era != self.era {
            return false;
        }
        if !self.sent {
            inner.flying += 1;
            inner.aloft += 1;
            self.sent = true;
        }
        true
    }

    /// Notes that the server refused the call and asked all of them for a pause.
    pub(super) fn refused(&self, named: Option<Duration>, status: u16, deadline: Deadline) -> Refusal {
        let refusal = self.brake.lock().refuse(self.era, named, status, deadline);
        self.brake.paused.notify_waiters();
        refusal
    }

    /// Notes that the server took the call.
    pub(super) fn taken(&self) {
        self.brake.lock().succeed(self.era);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let waits = {
            let mut inner = self.brake.lock();
            let (sent, same) = (usize::from(self.sent), self.era == inner.era);
            inner.flying -= sent;
            if same {
                inner.aloft -= sent;
                inner.inside -= 1;
            }
            !inner.queue.is_empty()
        };
        if waits {
            self.brake.pump();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Brake, Deadline, Pass, Shut};

    async fn sent(brake: &Brake) -> Pass {
        let mut pass = brake.enter(false, Deadline::none()).await.unwrap();
        assert!(pass.send());
        pass
    }

    /// Lets in as many as there is room for, without waiting.
    async fn room(brake: &Brake) -> Vec<Pass> {
        let mut inside = Vec::new();
        while brake.lock().has_room() {
            inside.push(sent(brake).await);
        }
        inside
    }

    #[tokio::test]
    async fn what_was_in_flight_when_another_was_refused_loses_no_try() {
        let brake = Brake::default();
        let (one, other, waiting) =
            (sent(&brake).await, sent(&brake).await, brake.enter(false, Deadline::none()).await);
        assert!(one.refused(Some(Duration::ZERO), 429, Deadline::none()).counts);
        let later = other.refused(Some(Duration::ZERO), 429, Deadline::none());
        assert!(!later.counts && later.first);
        assert!(!waiting.unwrap().send(), "what was let in and not sent waits again");
    }

    /// Else they would sleep for as long as the longest pause is.
    #[tokio::test]
    async fn who_waits_goes_on_after_the_pause_where_the_one_that_was_refused_gives_up() {
        let brake = Brake::default();
        let first = sent(&brake).await;
        first.refused(Some(Duration::ZERO), 429, Deadline::none());
        drop(first);
        let alone = sent(&brake).await;
        let others = [brake.clone(), brake.clone()].map(|brake| {
            tokio::spawn(async move { brake.enter(false, Deadline::none()).await.map(|pass| pass.taken()).is_ok() })
        });
        // They wait for that one, and then for the pause that it brings about.
        tokio::task::yield_now().await;
        alone.refused(Some(Duration::from_millis(30)), 429, Deadline::none());
        drop(alone);
        for other in others {
            assert!(tokio::time::timeout(Duration::from_secs(60), other).await.unwrap().unwrap());
        }
    }

    #[tokio::test]
    async fn after_a_pause_one_goes_alone_and_its_successes_let_in_more_up_to_half_and_then_slowly() {
        let brake = Brake::default();
        let mut many = Vec::new();
        for _ in 0..16 {
            many.push(sent(&brake).await);
        }
        many[0].refused(Some(Duration::ZERO), 503, Deadline::none());
        many.clear();
        let mut rounds = Vec::new();
        for _ in 0..6 {
            let inside = room(&brake).await;
            rounds.push(inside.len());
            inside.iter().for_each(Pass::taken);
        }
        assert_eq!(rounds, [1, 2, 4, 8, 9, 10]);
    }

    #[tokio::test]
    async fn a_call_that_is_refused_alone_says_nothing_of_how_many_are_too_many() {
        let brake = Brake::default();
        let refusal = sent(&brake).await.refused(Some(Duration::ZERO), 429, Deadline::none());
        assert!(refusal.counts && !refusal.first);
        for most in [1, 2, 4, 8, 16, 32] {
            let inside = room(&brake).await;
            assert_eq!(inside.len(), most);
            inside.iter().for_each(Pass::taken);
        }
    }

    #[tokio::test]
    async fn pauses_grow_where_none_is_named_and_are_told_once_where_they_are_long() {
        let brake = Brake::default();
        let mut told = Vec::new();
        for expected in [200, 400, 800, 1000] {
            let pass = sent(&brake).await;
            let refusal = pass.refused(None, 429, Deadline::none());
            assert_eq!(refusal.pause, Duration::from_millis(expected));
            told.push(refusal.announce);
            brake.lock().until = None;
        }
        assert_eq!(told, [false, false, false, true]);
        assert!(!sent(&brake).await.refused(Some(Duration::from_secs(60)), 429, Deadline::none()).announce);
    }

    #[tokio::test]
    async fn a_pause_of_ten_minutes_is_waited_for_and_no_longer_one() {
        let brake = Brake::default();
        sent(&brake).await.refused(Some(Duration::from_secs(599)), 429, Deadline::none());
        assert!(brake.lock().shut(Deadline::none()).is_none());
        let short = Deadline::after(Some(Duration::from_secs(500)));
        assert!(matches!(brake.enter(false, short).await, Err(Shut::Blocked(..))));
        sent_later(&brake).refused(Some(Duration::from_secs(3600)), 429, Deadline::none());
        assert!(matches!(brake.enter(false, Deadline::none()).await, Err(Shut::Blocked(_, 429))));
    }

    #[tokio::test]
    async fn where_nothing_but_refusals_come_those_who_wait_are_told_and_one_still_tries() {
        let brake = Brake::default();
        for _ in 0..super::LOST {
            sent_later(&brake).refused(Some(Duration::from_secs(9)), 503, Deadline::none());
            brake.lock().until = None;
        }
        let refusal = sent_later(&brake).refused(Some(Duration::from_secs(9)), 503, Deadline::none());
        assert!(refusal.counts && brake.lock().shut(Deadline::none()).is_none(), "it has not been so for long");
        let long_ago = std::time::Instant::now().checked_sub(super::LOST_AFTER);
        brake.lock().since = long_ago;
        assert!(matches!(brake.enter(false, Deadline::none()).await, Err(Shut::Lost(_, 503))));
        brake.lock().until = None;
        let tries = sent(&brake).await;
        assert_eq!(room(&brake).await.len(), 0, "one alone finds out");
        tries.taken();
        drop(tries);
        assert!(brake.lock().since.is_none() && !room(&brake).await.is_empty());
    }

    /// What was in flight all the time.
    fn sent_later(brake: &Brake) -> Pass {
        let mut pass = brake.lock().admit(brake);
        assert!(pass.send());
        pass
    }
}
