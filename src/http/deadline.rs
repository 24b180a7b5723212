//! When a command has to be done.

use std::future::Future;
use std::time::{Duration, Instant};

/// How much longer than its bound something may take that bounds its requests by itself, so that these tell why.
const MARGIN: Duration = Duration::from_millis(250);

tokio::task_local! {
    /// When what is done within a bound has to be done.
    static BOUND: Deadline;
}

/// Does something within a time that is shorter than the deadline of what it uses: its requests end then, and no repeat
/// is waited for that would come later. Gives nothing where it did not end.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let bound = Deadline::after(Some(limit));
    tokio::time::timeout(limit.saturating_add(MARGIN), BOUND.scope(bound, work)).await.ok()
}

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

    /// Gives the earlier one of this and the bound within which this is asked.
    #[must_use]
    pub fn or_bound(self) -> Self {
        let bound = BOUND.try_with(|bound| bound.at).ok().flatten();
        Self { at: self.at.into_iter().chain(bound).min() }
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
