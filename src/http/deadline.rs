//! When a command has to be done.

use std::time::{Duration, Instant};

/// Tells when a command has to be done; a copy tells the same.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    at: Option<Instant>,
}

impl Deadline {
    /// Sets a deadline from now; `None` and zero mean none.
    #[must_use]
    pub fn after(limit: Option<Duration>) -> Self {
        Self { at: limit.filter(|limit| !limit.is_zero()).and_then(|limit| Instant::now().checked_add(limit)) }
    }

    /// Sets none.
    #[must_use]
    pub fn none() -> Self {
        Self { at: None }
    }

    /// Gives the moment; `None` where there is no deadline.
    #[must_use]
    pub fn at(&self) -> Option<Instant> {
        self.at
    }

    /// Gives the time that is left; `None` where there is no deadline.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Tells whether it has passed.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }

    /// Shortens a time to what is left; `None` where nothing is.
    #[must_use]
    pub fn limit(&self, time: Duration) -> Option<Duration> {
        match self.left() {
            Some(left) if left.is_zero() => None,
            Some(left) => Some(time.min(left)),
            None => Some(time),
        }
    }
}
