//! Evenly spaced starts, for `--rate`.

use std::time::{Duration, Instant};

use super::Transport;

/// How late a timer may be.
const TIMER: Duration = Duration::from_millis(10);

impl Transport {
    /// Waits for the next start that the rate allows.
    pub(super) async fn take_turn(&self) {
        self.take_turn_while(|| true).await;
    }

    /// Waits for the next start that the rate allows; false where a pause begins meanwhile, and the turn is nobody's.
    pub(super) async fn take_turn_while(&self, holds: impl Fn() -> bool) -> bool {
        let Some(rate) = self.settings.rate else { return holds() };
        let mut next = self.next_start.lock().await;
        if !holds() {
            return false;
        }
        if let Some(next) = *next {
            tokio::time::sleep_until(next.into()).await;
        }
        if !holds() {
            return false;
        }
        // From when it was due, so that the rate is kept although timers are late; but no longer arrears are made up for.
        let now = Instant::now();
        let gap = Duration::from_secs_f64(1.0 / rate);
        let due = next.filter(|due| now.duration_since(*due) < gap.max(TIMER)).unwrap_or(now);
        *next = Some(due + gap);
        true
    }
}
