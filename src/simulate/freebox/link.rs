//! The one VPN connection of the box, on its way up, up, or on its way down.

use std::time::Duration;

use super::clock::Clock;
use super::configuration::Configuration;
use super::journal::Journal;
use crate::simulate::faults::Faults;

/// How many steps pass before the box tries again after a failure.
const RETRY_STEPS: u32 = 10;
/// The shortest such pause, so that a world without pace stands still at any one moment.
const RETRY_MIN: Duration = Duration::from_millis(10);

/// Holds what a look at the world depends on: the time, the length of one step and the faults.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'a> {
    /// The time since the box was switched on.
    pub(super) now: Duration,
    /// The clock that gave it.
    pub(super) clock: &'a Clock,
    /// The length of one step.
    pub(super) pace: Duration,
    /// The faults that are on.
    pub(super) faults: &'a Faults,
}

/// The states of vendor/freebox.md section 5; a `Down` link waits for its next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is no WAN, or nobody has looked since there is one.
    WaitingWan {
        /// When there was last known to be none.
        since: Duration,
    },
    /// Connecting.
    GoingUp {
        /// When the attempt ends.
        until: Duration,
    },
    /// Connected.
    Up {
        /// Since when.
        since: Duration,
    },
    /// Failed.
    Down {
        /// When the next attempt begins.
        until: Duration,
    },
    /// Disconnecting.
    GoingDown {
        /// When that ends.
        until: Duration,
    },
}

/// What one step of a link came to.
enum Step {
    Stay,
    Move,
    End(Duration),
}

/// Holds the connection of one configuration. Its phase is brought up to date whenever somebody looks.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// The configuration as it was when the connection was asked for.
    pub(super) configuration: Configuration,
    /// Where the connection stands.
    pub(super) phase: Phase,
    /// The vendor's word for the last failure, `none` without one.
    pub(super) last_error: String,
    /// When the last attempt began.
    pub(super) last_try: Option<Duration>,
    /// When the connection was last established.
    pub(super) last_up: Option<Duration>,
    /// When somebody last looked.
    settled: Duration,
}

impl Link {
    /// Starts to connect.
    pub(super) fn start(configuration: Configuration, at: Duration, last_up: Option<Duration>) -> Self {
        Self {
            configuration,
            phase: Phase::WaitingWan { since: at },
            last_error: "none".to_owned(),
            last_try: None,
            last_up,
            settled: at,
        }
    }

    /// Makes a link that has been up since shortly after the box was switched on.
    pub(super) fn up(configuration: Configuration, now: Duration) -> Self {
        let (tried, up) = (Duration::from_secs(40), Duration::from_secs(41));
        Self {
            configuration,
            phase: Phase::Up { since: up },
            last_error: "none".to_owned(),
            last_try: Some(tried),
            last_up: Some(up),
            settled: now,
        }
    }

    /// Starts to disconnect; a link that is not up nor on its way has nothing to take down.
    pub(super) fn go_down(&mut self, moment: &Moment<'_>) {
        let until = match self.phase {
            Phase::GoingUp { .. } | Phase::Up { .. } => moment.now + moment.pace,
            Phase::WaitingWan { .. } | Phase::Down { .. } => moment.now,
            Phase::GoingDown { until } => until,
        };
        self.phase = Phase::GoingDown { until };
    }

    /// Brings the phase up to date; gives the time of its end where the link has gone down for good.
    pub(super) fn settle(&mut self, moment: &Moment<'_>, journal: &mut Journal) -> Option<Duration> {
        let ended = loop {
            match self.step(moment, journal) {
                Step::Move => {}
                Step::Stay => break None,
                Step::End(at) => break Some(at),
            }
        };
        self.settled = moment.now;
        ended
    }

    fn step(&mut self, moment: &Moment<'_>, journal: &mut Journal) -> Step {
        let now = moment.now;
        let wan_down = moment.faults.is_on("waiting-wan");
        match self.phase {
            Phase::GoingDown { until } if now >= until => {
                self.note(moment, journal, until, "info", "disconnected");
                return Step::End(until);
            }
            Phase::GoingDown { .. } => return Step::Stay,
            _ if wan_down => {
                self.phase = Phase::WaitingWan { since: now };
                return Step::Stay;
            }
            Phase::WaitingWan { since } => self.attempt(moment, journal, since),
            // While this fault is on the end of the attempt recedes.
            Phase::GoingUp { until } if moment.faults.is_on("stays-going-up") => {
                self.phase = Phase::GoingUp { until: until.max(now) };
                return Step::Stay;
            }
            Phase::GoingUp { until } if now >= until => self.arrive(moment, journal, until),
            Phase::Down { until } if now >= until => self.attempt(moment, journal, until),
            Phase::Up { since } => return self.drop_if_told(moment, journal, since),
            Phase::GoingUp { .. } | Phase::Down { .. } => return Step::Stay,
        }
        Step::Move
    }

    fn attempt(&mut self, moment: &Moment<'_>, journal: &mut Journal, at: Duration) {
        self.last_try = Some(at);
        self.phase = Phase::GoingUp { until: at + moment.pace };
        self.note(moment, journal, at, "info", "connecting");
    }

    fn arrive(&mut self, moment: &Moment<'_>, journal: &mut Journal, at: Duration) {
        if let Some(error) = moment.faults.take("tunnel-fails") {
            let error = if error.is_empty() { "auth_failed" } else { &error };
            self.fail(moment, journal, at, error);
            return;
        }
        "none".clone_into(&mut self.last_error);
        self.last_up = Some(at);
        self.phase = Phase::Up { since: at };
        self.note(moment, journal, at, "info", "connected");
    }

    fn drop_if_told(&mut self, moment: &Moment<'_>, journal: &mut Journal, since: Duration) -> Step {
        let Some(millis) = moment.faults.number("drop-after") else { return Step::Stay };
        // What was seen up can't have dropped before that.
        let at = (since + Duration::from_millis(millis)).max(self.settled);
        if moment.now < at || moment.faults.take("drop-after").is_none() {
            return Step::Stay;
        }
        self.fail(moment, journal, at, "remote_terminated");
        Step::Move
    }

    fn fail(&mut self, moment: &Moment<'_>, journal: &mut Journal, at: Duration, error: &str) {
        error.clone_into(&mut self.last_error);
        self.phase = Phase::Down { until: at + (moment.pace * RETRY_STEPS).max(RETRY_MIN) };
        self.note(moment, journal, at, "err", &format!("failed: {error}"));
    }

    fn note(&self, moment: &Moment<'_>, journal: &mut Journal, at: Duration, level: &str, text: &str) {
        journal.write(moment.clock, at, level, &format!("{} {text}", self.configuration.id));
    }
}
