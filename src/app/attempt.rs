//! Waiting for an attempt to end, and telling a new failure from an old one: contract section 6.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Open;
use crate::backend::failed_attempt;
use crate::error::{Code, Error, Exit, Layer, Result};
use crate::http::Deadline;
use crate::model::{State, Status, Target, Word};

/// The first wait between two polls; each is half as long again as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// How much time is kept for the last look before the deadline.
pub(super) const LAST_LOOK: Duration = Duration::from_millis(150);
/// The longest wait between two polls.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How far a vendor's clock may be off, in seconds, where a time of its is compared with ours.
const CLOCK_TOLERANCE: i64 = 5;
/// After how long a failure counts as the new attempt's whatever the vendor's clock says: an old one is gone by then.
const SETTLING: Duration = Duration::from_secs(2);

/// Gives the waits between polls: as asked for, else growing.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    fixed: Option<Duration>,
    next: Duration,
}

impl Pace {
    /// Begins anew.
    #[must_use]
    pub fn new(fixed: Option<Duration>) -> Self {
        Self { fixed, next: FIRST_WAIT }
    }

    /// Polls fast again.
    pub fn begin(&mut self) {
        self.next = FIRST_WAIT;
    }

    /// Gives the next wait.
    pub fn advance(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 3 / 2).min(LONGEST_WAIT);
        self.fixed.unwrap_or(now)
    }
}

/// What was known when a change was asked for.
#[derive(Debug)]
pub struct Before {
    status: Status,
    at: Instant,
    clock: i64,
    in_progress: bool,
}

impl Before {
    /// Notes the state before a change; `in_progress` tells that an attempt is running already.
    #[must_use]
    pub fn note(status: Status, in_progress: bool) -> Self {
        Self { status, at: Instant::now(), clock: Timestamp::now().as_second(), in_progress }
    }

    /// Notes that an attempt is running.
    pub fn begin(&mut self) {
        self.in_progress = true;
    }

    /// Notes that the attempt has come to its end.
    pub fn settle(&mut self) {
        self.in_progress = false;
    }

    /// Tells whether an attempt was seen running.
    #[must_use]
    pub fn in_progress(&self) -> bool {
        self.in_progress
    }

    /// Tells whether a failure belongs to the new attempt. The same error of the same time is the old one's.
    #[must_use]
    pub fn is_new(&self, now: &Status) -> bool {
        if self.in_progress {
            return true;
        }
        match (self.status.last_attempt_at, now.last_attempt_at) {
            (Some(before), Some(now_at)) => now_at != before || self.status.last_error != now.last_error,
            (None, Some(now_at)) => now_at.as_second() >= self.clock - CLOCK_TOLERANCE || self.at.elapsed() >= SETTLING,
            // The vendor tells no times: what was not there before is new.
            (_, None) => self.status.last_error != now.last_error || self.status.target != now.target,
        }
    }
}

/// Reads the state that matters for a target: of the one VPN, or of the target itself.
///
/// # Errors
/// Fails with what the vendor said.
pub async fn read(open: &Open, target: &Target) -> Result<Status> {
    let target = if open.info().one_vpn { None } else { Some(target) };
    open.backend.status(target).await
}

/// Waits until a target is connected; ends at once where it can't be any more.
///
/// # Errors
/// Fails with a code of `tunnel.…` where the attempt failed, with `timeout.deadline` at the deadline.
pub async fn connected(
    open: &Open,
    target: &Target,
    mut before: Before,
    interval: Option<Duration>,
) -> Result<Status, (Option<Status>, Error)> {
    let mut poll = Poll::new(open, target, interval, "connected");
    loop {
        let status = poll.next().await?;
        match &status.state {
            State::Connected(_) if owns(open, &status, target) => return Ok(status),
            State::Connected(_) => {
                let other = status.target.as_ref().map_or("another VPN", Target::label);
                let error = Error::new(
                    Code::TunnelConnectFailed,
                    Layer::Tunnel,
                    format!("`{}` did not connect: `{other}` was connected instead", target.label()),
                );
                return Err(poll.failed(status, error));
            }
            State::Connecting | State::Waiting => {
                if fails_anew(poll.last.as_ref(), &status) {
                    let error = failed_attempt(open.info(), target, &status);
                    return Err(poll.failed(status, error));
                }
                before.in_progress = true;
            }
            State::Failed { .. } if before.is_new(&status) => {
                let error = failed_attempt(open.info(), target, &status);
                return Err(poll.failed(status, error));
            }
            State::Failed { .. } | State::Disconnected => {
                if let Some(error) = silent(open, target, &before, &status) {
                    return Err(poll.failed(status, error));
                }
            }
            State::Disconnecting | State::Unknown => {}
        }
        poll.last = Some(status);
    }
}

/// Tells whether an attempt has failed between two looks at it, so that the vendor is at the next one already. An error
/// that was there at the first look is an old one.
#[must_use]
pub fn fails_anew(earlier: Option<&Status>, now: &Status) -> bool {
    let tried = |status: &Status| matches!(status.word(), Word::Connecting | Word::Waiting);
    let told = now.last_error.is_some();
    earlier.is_some_and(|earlier| tried(earlier) && tried(now) && told && earlier.last_error != now.last_error)
}

/// Says what a target does in the end, with the vendor's last error where it goes on after one.
#[must_use]
pub fn doing(last: Option<&Status>) -> String {
    let word = last.map_or("unknown", |status| status.word().as_str());
    match last
        .filter(|status| !matches!(status.state, State::Connected(_)))
        .and_then(|status| status.last_error.as_ref())
    {
        Some(error) => format!("its state is {word}, its last error {}", error.code),
        None => format!("its state is {word}"),
    }
}

/// Tells that an attempt ended without a word, or never began, where the vendor would show one.
fn silent(open: &Open, target: &Target, before: &Before, status: &Status) -> Option<Error> {
    let limit = open.info().silence_limit?;
    let ended = before.in_progress && status.word() == Word::Disconnected;
    if !ended && before.at.elapsed() < limit {
        return None;
    }
    let what = if ended { "the attempt ended" } else { "no attempt was begun" };
    Some(
        Error::new(
            Code::TunnelConnectFailed,
            Layer::Tunnel,
            format!("`{}` did not connect: {what}, and the vendor gives no reason", target.label()),
        )
        .hint(format!("look closer with: vpnctl status -b {} --native -o json", open.info().backend)),
    )
}

/// Tells whether an error is the end of an attempt that failed or timed out, so that the vendor may know its cause.
#[must_use]
pub fn was_tried(error: &Error) -> bool {
    error.exit() == Exit::Failed || error.code() == Code::TimeoutDeadline
}

fn owns(open: &Open, status: &Status, target: &Target) -> bool {
    // The state of a named device is its own; of a one-VPN client it may be another target's.
    !open.info().one_vpn || status.is_of(target)
}

/// Waits until nothing is connected.
///
/// # Errors
/// Fails with `timeout.deadline` at the deadline.
pub async fn disconnected(
    open: &Open,
    target: &Target,
    interval: Option<Duration>,
) -> Result<Status, (Option<Status>, Error)> {
    let mut poll = Poll::new(open, target, interval, "disconnected");
    loop {
        let status = poll.next().await?;
        if !status.engaged || (open.info().one_vpn && status.target.is_some() && !status.is_of(target)) {
            return Ok(status);
        }
        poll.last = Some(status);
    }
}

/// Reads a state again and again, within the deadline.
struct Poll<'a> {
    open: &'a Open,
    target: &'a Target,
    /// When it has to be over: with the command, or with the time that one of many has.
    deadline: Deadline,
    pace: Pace,
    goal: &'static str,
    last: Option<Status>,
    trouble: Option<Error>,
    looked_last: bool,
}

impl<'a> Poll<'a> {
    fn new(open: &'a Open, target: &'a Target, interval: Option<Duration>, goal: &'static str) -> Self {
        let (deadline, pace) = (open.deadline.or_bound(), Pace::new(interval));
        Self { open, target, deadline, pace, goal, last: None, trouble: None, looked_last: false }
    }

    /// Waits, then reads. A read that fails temporarily is no end: the deadline is.
    async fn next(&mut self) -> Result<Status, (Option<Status>, Error)> {
        loop {
            let wait = self.pace.advance();
            let left = self.deadline.left();
            let last_look = left.is_some_and(|left| left <= wait + LAST_LOOK);
            if last_look && std::mem::replace(&mut self.looked_last, true) {
                return Err(self.too_late());
            }
            // The last look comes as late as it can still be answered.
            let wait = if last_look { left.unwrap_or_default().saturating_sub(LAST_LOOK) } else { wait };
            tokio::time::sleep(wait).await;
            match read(self.open, self.target).await {
                Ok(status) => {
                    self.trouble = None;
                    return Ok(status);
                }
                Err(error) if error.code() == Code::TimeoutDeadline => {
                    if self.last.is_none() {
                        self.trouble.get_or_insert(error);
                    }
                    return Err(self.too_late());
                }
                Err(error) if error.is_temporary() => {
                    tracing::debug!("the state could not be read, and is asked again: {error}");
                    self.trouble = Some(error);
                }
                Err(error) => return Err((self.last.take(), error)),
            }
        }
    }

    fn too_late(&mut self) -> (Option<Status>, Error) {
        let now = doing(self.last.as_ref());
        let trouble = self.trouble.as_ref().map(|error| format!("; last: {error}")).unwrap_or_default();
        let info = self.open.info();
        let error = Error::new(
            Code::TimeoutDeadline,
            guilty(self.last.as_ref(), self.trouble.as_ref()),
            format!("`{}` was not {} in the time given; {now}{trouble}", self.target.label(), self.goal),
        )
        .temporary()
        .backend(&info.backend)
        .target(self.target.label())
        .hint("the attempt goes on; look again with `vpnctl status`, or give it more time with --timeout");
        (self.last.take(), error)
    }

    fn failed(&self, status: Status, error: Error) -> (Option<Status>, Error) {
        (Some(status), error.backend(&self.open.info().backend).target(self.target.label()))
    }
}

/// Tells in which layer time was lost: the tunnel's, unless it was never seen.
pub(super) fn guilty(last: Option<&Status>, trouble: Option<&Error>) -> Layer {
    match (last, trouble) {
        (None, Some(trouble)) => trouble.layer(),
        _ => Layer::Tunnel,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Before, Pace, doing, fails_anew};
    use crate::model::{LastError, Source, State, Status};

    fn failed(at: Option<i64>, code: &str) -> Status {
        Status {
            last_attempt_at: at.and_then(|at| jiff::Timestamp::from_second(at).ok()),
            last_error: Some(LastError { code: code.to_owned(), message: String::new(), at: None }),
            ..Status::new(State::Failed { next_retry_s: None }, Source::Client)
        }
    }

    fn idle() -> Status {
        Status::new(State::Disconnected, Source::Client)
    }

    #[test]
    fn polling_goes_from_fast_to_slow_and_begins_anew_after_a_change() {
        let mut pace = Pace::new(None);
        let waits: Vec<u128> = (0..12).map(|_| pace.advance().as_millis()).collect();
        assert_eq!(waits[..3], [250, 375, 562]);
        assert!(waits.windows(2).all(|two| two[0] <= two[1]), "{waits:?}");
        assert_eq!(waits.last(), Some(&5000));
        pace.begin();
        assert_eq!(pace.advance().as_millis(), 250);
        // What was asked for is taken as given.
        let mut fixed = Pace::new(Some(Duration::from_millis(40)));
        assert!((0..5).all(|_| fixed.advance().as_millis() == 40));
    }

    #[test]
    fn an_old_error_is_not_the_new_attempts() {
        let old = Before::note(failed(Some(1000), "auth_failed"), false);
        assert!(!old.is_new(&failed(Some(1000), "auth_failed")));
        assert!(old.is_new(&failed(Some(1001), "auth_failed")));
        assert!(old.is_new(&failed(Some(1000), "connect_failed")));
    }

    #[test]
    fn where_nothing_was_known_the_time_decides() {
        let before = Before::note(idle(), false);
        let now = jiff::Timestamp::now().as_second();
        assert!(!before.is_new(&failed(Some(now - 3600), "auth_failed")));
        assert!(before.is_new(&failed(Some(now), "auth_failed")));
        assert!(before.is_new(&failed(None, "010")));
    }

    #[test]
    fn a_vendor_whose_clock_is_behind_is_believed_after_a_moment() {
        let now = jiff::Timestamp::now().as_second();
        let mut before = Before::note(idle(), false);
        assert!(!before.is_new(&failed(Some(now - 60), "resolv_failed")));
        before.at = std::time::Instant::now().checked_sub(super::SETTLING).expect("the machine runs longer");
        assert!(before.is_new(&failed(Some(now - 60), "resolv_failed")));
    }

    #[test]
    fn an_error_that_comes_between_two_looks_at_an_attempt_is_its_end() {
        let trying = |code: Option<&str>| Status {
            last_error: code.and_then(|code| failed(Some(1000), code).last_error),
            ..Status::new(State::Connecting, Source::Client)
        };
        assert!(fails_anew(Some(&trying(None)), &trying(Some("auth_failed"))));
        assert!(fails_anew(Some(&trying(Some("resolv_failed"))), &trying(Some("auth_failed"))));
        // What was there at the first look is from before; and a vendor may take an error back.
        assert!(!fails_anew(None, &trying(Some("auth_failed"))));
        assert!(!fails_anew(Some(&trying(Some("auth_failed"))), &trying(Some("auth_failed"))));
        assert!(!fails_anew(Some(&trying(Some("auth_failed"))), &trying(None)));
        assert!(!fails_anew(Some(&idle()), &trying(Some("auth_failed"))));
        assert_eq!(doing(Some(&trying(Some("auth_failed")))), "its state is connecting, its last error auth_failed");
        assert_eq!(doing(None), "its state is unknown");
    }

    #[test]
    fn an_attempt_that_was_seen_running_has_failed_now() {
        let before = Before::note(failed(Some(1000), "auth_failed"), true);
        assert!(before.is_new(&failed(Some(1000), "auth_failed")));
    }
}
