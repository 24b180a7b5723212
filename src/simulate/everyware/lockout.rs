//! Locks a password after failed logins (section 3.4, lockout).

use jiff::{SignedDuration, Timestamp};

/// How many failures in a row lock a password.
const LIMIT: u32 = 3;
/// How long it stays locked, counted from the last failure.
const LOCKED: SignedDuration = SignedDuration::from_secs(10_800);
/// After how long without a failure the count starts anew.
const FORGOTTEN: SignedDuration = SignedDuration::from_secs(3_600);

/// Counts the failures of one password.
#[derive(Debug, Default)]
pub(super) struct Lockout {
    failures: u32,
    last: Option<Timestamp>,
}

impl Lockout {
    /// Tells whether logins are refused at `now`, whatever the password.
    pub(super) fn is_locked(&self, now: Timestamp) -> bool {
        self.failures >= LIMIT && self.last.is_some_and(|last| now.duration_since(last) < LOCKED)
    }

    /// Counts a failure; none comes while it is locked, as nobody looks at the password then.
    pub(super) fn fail(&mut self, now: Timestamp) {
        if self.last.is_some_and(|last| now.duration_since(last) >= FORGOTTEN) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.last = Some(now);
    }

    /// Forgets the failures, as a login that succeeds does.
    pub(super) fn succeed(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::Lockout;

    fn after(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn failed(at: &[i64]) -> Lockout {
        let mut lockout = Lockout::default();
        at.iter().for_each(|second| lockout.fail(after(*second)));
        lockout
    }

    #[test]
    fn the_third_failure_locks_for_three_hours() {
        assert!(!failed(&[0, 1]).is_locked(after(2)));
        let lockout = failed(&[0, 1, 2]);
        assert!(lockout.is_locked(after(3)));
        assert!(lockout.is_locked(after(10_801)));
        assert!(!lockout.is_locked(after(10_802)));
    }

    #[test]
    fn an_hour_without_failure_starts_the_count_anew() {
        assert!(!failed(&[0, 1, 3_601]).is_locked(after(3_602)));
        assert!(failed(&[0, 1, 3_600]).is_locked(after(3_601)));
    }

    #[test]
    fn a_login_that_succeeds_starts_the_count_anew() {
        let mut lockout = failed(&[0, 1]);
        lockout.succeed();
        lockout.fail(after(2));
        assert!(!lockout.is_locked(after(3)));
    }
}
