//! The local client's tunnel: what it was asked, what it does, and who is told.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::broadcast;

use super::attempt::{Attempt, Plan};
use super::status::{self, Link};
use crate::simulate::faults::Faults;

/// How many changes a WebSocket may lag behind; an attempt makes five.
const BACKLOG: usize = 256;

/// The simulated client's one tunnel.
///
/// Nothing runs in the background: time is looked at whenever somebody asks, and an open WebSocket asks often.
#[derive(Debug)]
pub(super) struct Daemon {
    faults: Faults,
    pace: Duration,
    state: Mutex<State>,
    changes: broadcast::Sender<String>,
}

#[derive(Debug)]
struct State {
    link: Link,
    /// When the link began to linger.
    lingering_since: Option<Instant>,
    /// The last status that was shown to anybody.
    shown: String,
}

impl Daemon {
    /// Makes a client that is idle.
    pub(super) fn new(faults: Faults, pace: Duration) -> Self {
        let shown = status::written(&Link::Idle, &faults);
        let state = State { link: Link::Idle, lingering_since: None, shown };
        Self { faults, pace, state: Mutex::new(state), changes: broadcast::Sender::new(BACKLOG) }
    }

    /// Gives the status document as text.
    pub(super) fn status(&self) -> String {
        self.settled().shown.clone()
    }

    /// Gives the present status and, from then on, each change of it.
    pub(super) fn follow(&self) -> (String, broadcast::Receiver<String>) {
        let state = self.settled();
        // Subscribed under the lock: no change falls between the two.
        (state.shown.clone(), self.changes.subscribe())
    }

    /// Starts an attempt; whatever ran before is given up, as the real client's answer to that is unknown.
    pub(super) fn connect(&self, plan: Plan) {
        let mut state = self.settled();
        state.link = Link::Up(Attempt::start(plan, Instant::now()));
        self.publish(&mut state);
    }

    /// Ends the tunnel, also where there is none.
    pub(super) fn disconnect(&self) {
        let mut state = self.settled();
        let link = std::mem::replace(&mut state.link, Link::Idle);
        if let Link::Up(attempt) = link
            && self.faults.is_on("idle-with-request")
        {
            state.link = Link::Lingering(attempt);
            state.lingering_since = Some(Instant::now());
        }
        self.publish(&mut state);
    }

    /// Gives the agent to which the tunnel is up.
    pub(super) fn connected_agent(&self) -> Option<String> {
        match &self.settled().link {
            Link::Up(attempt) if attempt.connected() => Some(attempt.plan.agent_id.clone()),
            _ => None,
        }
    }

    /// Locks the state after it has caught up with time.
    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        self.publish(&mut state);
        while self.step(&mut state, now) {
            self.publish(&mut state);
        }
        state
    }

    /// Moves the link on by one change where one is due; tells whether it did.
    fn step(&self, state: &mut State, now: Instant) -> bool {
        if let Link::Up(attempt) = &mut state.link
            && attempt.advance(now)
        {
            return true;
        }
        match &state.link {
            Link::Idle => false,
            Link::Up(attempt) if attempt.failed() && self.faults.is_on("failed-keeps-request") => {
                state.link = Link::Lingering(attempt.clone());
                state.lingering_since = None;
                true
            }
            Link::Up(attempt) => {
                let gone = attempt.failed() && self.faults.is_on("failed-goes-idle")
                    || attempt.up_for(now).is_some_and(|time| self.drops_after(time));
                if gone {
                    state.link = Link::Idle;
                }
                gone
            }
            Link::Lingering(_) => {
                let over = state.lingering_since.is_some_and(|since| now >= since + self.pace);
                if over {
                    state.link = Link::Idle;
                }
                over
            }
        }
    }

    fn drops_after(&self, time: Duration) -> bool {
        let limit = self.faults.number("drops-after").map(Duration::from_millis);
        limit.is_some_and(|limit| time >= limit) && self.faults.take("drops-after").is_some()
    }

    fn publish(&self, state: &mut State) {
        let text = status::written(&state.link, &self.faults);
        if text != state.shown {
            state.shown.clone_from(&text);
            // Nobody listens where no WebSocket is open.
            let _ = self.changes.send(text);
        }
    }
}
