//! When credentials that a server refuses are worth making anew.
//!
//! Of many calls in flight that a server refuses one makes the credentials new, and the others use what it made. Who is
//! refused with what another has made was perhaps only late: another process may have ended it, or the others have used it
//! up. So against a call counts only what it made itself and was refused with. Against a server that takes each login and
//! refuses whatever is asked with it, all calls count together.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a call is refused at most with credentials that it made: another process may end the first.
const OWN: usize = 2;
/// How often it is refused at most, whoever made them.
const REFUSALS: usize = 20;
/// How many renewals in a row may help nobody.
const IN_VAIN: usize = 6;
/// How long none is made after those: a process that runs for days may see the server mended.
const PAUSE: Duration = Duration::from_secs(60);

/// The renewals of all calls of a transport.
#[derive(Debug, Default)]
pub(super) struct Renewals(Mutex<(usize, Option<Instant>)>);

impl Renewals {
    fn in_vain(&self) -> MutexGuard<'_, (usize, Option<Instant>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a call went well, perhaps after a renewal.
    pub(super) fn worked(&self, call: &Renewing) {
        if call.refusals > 0 {
            *self.in_vain() = (0, None);
        }
    }
}

/// The renewals of one call.
#[derive(Debug, Default)]
pub(super) struct Renewing {
    /// How often it was refused, and how often of that with what it had made itself.
    refusals: usize,
    own: usize,
    /// Whether it made what it was sent with last.
    made: bool,
}

impl Renewing {
    /// Notes that the call was refused; tells whether to make the credentials new and send it again.
    pub(super) fn is_worth_it(&mut self, all: &Renewals) -> bool {
        self.refusals += 1;
        self.own += usize::from(self.made);
        let (in_vain, last) = *all.in_vain();
        let is_paused = in_vain >= IN_VAIN && last.is_some_and(|last| last.elapsed() < PAUSE);
        self.own < OWN && self.refusals < REFUSALS && !is_paused
    }

    /// Notes that the credentials are new, and whether this call made them.
    pub(super) fn ended(&mut self, made: bool, all: &Renewals) {
        self.made = made;
        if made {
            let mut all = all.in_vain();
            *all = (all.0 + 1, Some(Instant::now()));
        }
    }
}
