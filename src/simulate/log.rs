//! What was asked of a simulator.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// How many requests the log keeps; older ones are forgotten, the count goes on.
const LOG_LIMIT: usize = 20_000;

/// Describes one request that a simulator answered.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Entry {
    /// The method, upper case.
    pub method: String,
    /// Path and query as they came over the wire.
    pub path: String,
    /// Headers by lower-case name; of a repeated header the last value.
    pub headers: BTreeMap<String, String>,
    /// The body as text, broken UTF-8 replaced.
    pub body: String,
    /// The status of the answer.
    pub status: u16,
    /// The version of HTTP that it came by, `HTTP/2.0`.
    pub version: String,
    /// The connection that it came by, counted from 0 since the start.
    pub connection: usize,
    /// How many requests of that connection were unanswered when it came, itself included.
    pub at_once: usize,
    /// How many requests had been answered when it came.
    pub after: usize,
}

/// Keeps what was asked of a simulator; clones share one log.
#[derive(Debug, Clone, Default)]
pub struct RequestLog {
    entries: Arc<Mutex<VecDeque<Entry>>>,
    requests: Arc<AtomicUsize>,
    pub(super) connections: Arc<AtomicUsize>,
    pub(super) pace: Arc<Mutex<Pace>>,
}

/// What `rate-limit` remembers: the requests of the last second, and until when all are refused.
#[derive(Debug, Default)]
pub(super) struct Pace {
    recent: VecDeque<Instant>,
    blocked: Option<Instant>,
}

impl Pace {
    /// Counts a request; false where it is one too many, or comes while all are refused.
    pub(super) fn takes(&mut self, most: usize, block: Duration) -> bool {
        let now = Instant::now();
        if self.blocked.is_some_and(|until| now < until) {
            return false;
        }
        self.recent.retain(|at| now.duration_since(*at) < Duration::from_secs(1));
        if self.recent.len() >= most {
            self.blocked = Some(now + block);
            return false;
        }
        self.recent.push_back(now);
        true
    }
}

impl RequestLog {
    /// Gives the requests since the last [`RequestLog::clear`], oldest first.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().iter().cloned().collect()
    }

    /// Counts the requests since the last [`RequestLog::clear`].
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Counts the connections accepted since the last [`RequestLog::clear`].
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.lock().clear();
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner) = Pace::default();
        self.requests.store(0, Ordering::SeqCst);
        self.connections.store(0, Ordering::SeqCst);
    }

    pub(super) fn push(&self, entry: Entry) {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let mut entries = self.lock();
        if entries.len() == LOG_LIMIT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
