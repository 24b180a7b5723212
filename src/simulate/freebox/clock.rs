//! The clock of the simulated box.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long the box has been running when the simulation starts, so that a tunnel can have been up for a while.
const HEAD_START: Duration = Duration::from_secs(2 * 60 * 60);
/// The box prints local time without a zone; the documentation's example log is one hour ahead of its unix times.
const LOCAL_OFFSET_SECONDS: i64 = 60 * 60;

/// Counts the time since the box was switched on, and turns it into times of day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
    switched_on: Duration,
}

impl Clock {
    /// Starts the clock of a box that has been running for two hours.
    pub(super) fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(HEAD_START);
        Self { started: Instant::now(), switched_on: wall.saturating_sub(HEAD_START) }
    }

    /// Gives the time since the box was switched on.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed() + HEAD_START
    }

    /// Gives the unix time, in whole seconds, of a time since the box was switched on.
    pub(super) fn unix(&self, at: Duration) -> u64 {
        (self.switched_on + at).as_secs()
    }

    /// Writes a time since the box was switched on as the log does, `YYYY-MM-DD HH:MM:SS`.
    pub(super) fn local(&self, at: Duration) -> String {
        let seconds = i64::try_from(self.unix(at)).unwrap_or(0) + LOCAL_OFFSET_SECONDS;
        let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
        time.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}
