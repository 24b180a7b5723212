//! When a backend is read again: by the interval, later where it failed, and not soon where it refused the login.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use crate::app::Setup;
use crate::error::{Code, Error};

/// The longest wait after failures, each of which doubles it.
const LONGEST: Duration = Duration::from_secs(300);
/// How long a login that was refused is not asked for again by itself: refusals lock a user.
const REFUSED: Duration = Duration::from_secs(3600);
/// The longest such wait; each refusal doubles it.
const REFUSED_LONGEST: Duration = Duration::from_secs(86_400);
/// How often somebody may look whether the login was mended.
pub(super) const LOOK: Duration = Duration::from_secs(2);
/// The longest `Retry-After` that is believed.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Gives the waits between readings.
#[derive(Debug)]
pub(super) struct Pause {
    interval: Duration,
    failures: u32,
    refusals: u32,
}

/// Gives how long a login that was refused so often in a row is not asked for again.
pub(super) fn refused(refusals: u32) -> Duration {
    doubled(REFUSED, refusals.saturating_sub(1)).min(REFUSED_LONGEST)
}

/// Doubles a time so often.
pub(super) fn doubled(time: Duration, times: u32) -> Duration {
    time.saturating_mul(1 << times.min(16))
}

impl Pause {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, failures: 0, refusals: 0 }
    }

    /// Gives the wait after a reading that went well; single targets of it may have failed.
    pub(super) fn after_success(&mut self, failed: &[Error]) -> Duration {
        self.begin();
        self.interval.max(asked(failed))
    }

    /// Forgets the failures, after which everything may be different.
    pub(super) fn begin(&mut self) {
        (self.failures, self.refusals) = (0, 0);
    }

    /// Gives the wait after one that failed.
    pub(super) fn after_failure(&mut self, failed: &[Error]) -> Duration {
        let doubled = doubled(self.interval, self.failures);
        self.failures = self.failures.saturating_add(1);
        let is_refused = failed.iter().any(is_refusal);
        self.refusals = if is_refused { self.refusals.saturating_add(1) } else { self.refusals };
        let refused = if is_refused { refused(self.refusals) } else { Duration::ZERO };
        doubled.min(LONGEST.max(self.interval)).max(asked(failed)).max(refused)
    }
}

/// Gives how long the vendor asks to wait.
pub(super) fn asked(failed: &[Error]) -> Duration {
    failed.iter().filter_map(Error::wait).max().unwrap_or_default().min(PATIENCE)
}

/// Tells whether an error stays until somebody logs in or corrects a secret: asking again may lock the user.
pub(super) fn is_refusal(error: &Error) -> bool {
    let is_of_login = matches!(
        error.code(),
        Code::AuthRejected | Code::AuthDenied | Code::AuthMfaRequired | Code::AuthExpired | Code::AuthRequired
    );
    // What waits for logins that brought no answer ends by itself, and says when.
    is_of_login && !error.is_temporary()
}

/// Marks what is remembered of a backend: another mark tells that somebody has logged in meanwhile.
pub(super) fn mark(setup: &Setup, backend: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    setup.folder.backend(backend).read::<serde_json::Value>().to_string().hash(&mut hasher);
    hasher.finish()
}

/// Waits, and no longer than until somebody has logged in, where a refusal is the reason; gives whether that was so.
pub(super) async fn rest(setup: &Setup, backend: &str, wait: Duration, refused: bool) -> bool {
    let end = Instant::now() + wait;
    if !refused {
        tokio::time::sleep_until(end.into()).await;
        return false;
    }
    let before = mark(setup, backend);
    while Instant::now() < end {
        tokio::time::sleep(LOOK.min(end.saturating_duration_since(Instant::now()))).await;
        if mark(setup, backend) != before {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Pause;
    use crate::error::{Code, Error, Layer};

    fn seconds(wait: Duration) -> u64 {
        wait.as_secs()
    }

    #[test]
    fn failures_double_the_wait_and_a_success_ends_that() {
        let mut pause = Pause::new(Duration::from_secs(15));
        let down = [Error::new(Code::NetRefused, Layer::Tcp, "x")];
        let waits: Vec<u64> = (0..7).map(|_| seconds(pause.after_failure(&down))).collect();
        assert_eq!(waits, [15, 30, 60, 120, 240, 300, 300]);
        assert_eq!(seconds(pause.after_success(&[])), 15);
        assert_eq!(seconds(pause.after_failure(&down)), 15);
        for _ in 0..100 {
            pause.after_failure(&down);
        }
        assert_eq!(seconds(pause.after_failure(&down)), 300);
    }

    #[test]
    fn an_interval_that_is_longer_stays() {
        let mut pause = Pause::new(Duration::from_secs(3600));
        let down = [Error::new(Code::NetRefused, Layer::Tcp, "x")];
        assert_eq!((0..3).map(|_| seconds(pause.after_failure(&down))).max(), Some(3600));
    }

    #[test]
    fn what_the_vendor_asks_for_is_honoured_and_a_refused_login_rests() {
        let mut pause = Pause::new(Duration::from_secs(1));
        let limited = Error::new(Code::HttpRateLimited, Layer::Http, "x").retry_after(Some(Duration::from_secs(77)));
        assert_eq!(seconds(pause.after_success(std::slice::from_ref(&limited))), 77);
        assert_eq!(seconds(pause.after_failure(&[limited])), 77);
        let refusals = [Code::AuthRejected, Code::AuthMfaRequired, Code::AuthDenied].into_iter().cycle().take(7);
        let waits = refusals.map(|code| seconds(pause.after_failure(&[Error::new(code, Layer::Auth, "x")])) / 3600);
        assert_eq!(waits.collect::<Vec<_>>(), [1, 2, 4, 8, 16, 24, 24]);
        pause.begin();
        assert_eq!(seconds(pause.after_failure(&[Error::new(Code::AuthRejected, Layer::Auth, "x")])), 3600);
    }

    #[test]
    fn logins_that_brought_no_answer_are_waited_for_as_long_as_they_hold() {
        let held = Error::new(Code::AuthRejected, Layer::Auth, "x").later().retry_after(Some(Duration::from_secs(290)));
        assert_eq!(seconds(Pause::new(Duration::from_secs(2)).after_failure(&[held])), 290);
        let refused = Error::new(Code::AuthRejected, Layer::Auth, "x");
        assert_eq!(seconds(Pause::new(Duration::from_secs(2)).after_failure(&[refused])), 3600);
    }
}
