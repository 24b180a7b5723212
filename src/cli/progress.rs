//! How far a command has come, on the last line of standard error where that is a terminal.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::dispatch::Command;
use crate::app::Stop;
use crate::model::Schema;
use crate::render::Format;
use crate::ui;

/// How long a command takes before anything is drawn: most are over by then.
const BEFORE: Duration = Duration::from_secs(1);
/// How often it is drawn anew.
const EVERY: Duration = Duration::from_millis(100);
/// How wide the bar is between its brackets, in columns.
const WIDTH: usize = 20;
/// What turns where nobody knows how many there are.
const TURNING: [char; 4] = ['|', '/', '-', '\\'];

/// Draws how far a command has come, until it is dropped, which takes it away.
///
/// Before the first second, and where there is no terminal, there is nothing but a sleeping task, or not even that.
#[derive(Debug)]
pub(super) struct Progress {
    task: Option<JoinHandle<()>>,
    /// Whether rows are printed where it is drawn.
    beside_rows: bool,
}

impl Progress {
    /// Begins, where it is `wanted` and standard error is a terminal that can do more than print; the counts are those of
    /// `stop`.
    pub(super) fn start(wanted: bool, stop: &Stop) -> Self {
        let task = (wanted && ui::can_draw_bar()).then(|| tokio::spawn(draw(stop.clone(), Instant::now())));
        let beside_rows = task.is_some() && ui::stdout_is_terminal();
        Self { task, beside_rows }
    }

    /// Writes whole lines to standard output, which may be the terminal that it is drawn on.
    pub(super) fn around<T>(&self, write: impl FnOnce() -> T) -> T {
        if self.beside_rows { ui::beside_bar(write) } else { write() }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            ui::clear_bar();
        }
    }
}

impl Command<'_> {
    /// Draws how far a report has come, where that may take long and somebody sees it; `filtered` tells that `--jq` has it.
    pub(super) fn progress(&self, schema: Schema, filtered: bool, stop: &Stop) -> Progress {
        // It can't be drawn beside half a line: a document's last one, or what --jq prints by another way.
        let whole_lines = !filtered && self.format != Format::Json;
        let seen = !self.global.quiet && (whole_lines || !ui::stdout_is_terminal());
        Progress::start(schema.is_of_fleets() && seen, stop)
    }
}

async fn draw(stop: Stop, started: Instant) {
    tokio::time::sleep(BEFORE).await;
    for turn in 0.. {
        let counts = Counts { ended: stop.ended(), failed: stop.failed(), expected: stop.expected() };
        ui::draw_bar(line(counts, started.elapsed(), turn));
        tokio::time::sleep(EVERY).await;
    }
}

/// How many targets there are, and what has become of them.
#[derive(Debug, Clone, Copy)]
struct Counts {
    ended: usize,
    failed: usize,
    expected: Option<usize>,
}

/// Gives `[====>     ] 412 of 1000, 3 failed, 98/s, 6s left`.
fn line(counts: Counts, elapsed: Duration, turn: usize) -> String {
    let Counts { ended, failed, expected } = counts;
    // What was expected was a guess where more have come.
    let whole = expected.map(|expected| expected.max(ended));
    let mut parts = vec![match whole {
        Some(whole) => format!("[{}] {ended} of {whole}", bar(ended, whole)),
        None => format!("{} {ended} so far", TURNING[turn % TURNING.len()]),
    }];
    if failed > 0 {
        parts.push(format!("{failed} failed"));
    }
    let rate = rate(ended, elapsed);
    if ended == 0 {
        parts.push(time(elapsed));
    } else {
        parts.push(if rate < 10.0 { format!("{rate:.1}/s") } else { format!("{rate:.0}/s") });
    }
    if let Some(whole) = whole.filter(|whole| ended > 0 && *whole > ended) {
        parts.push(format!("{} left", time(left(whole - ended, rate))));
    }
    parts.join(", ")
}

fn bar(ended: usize, whole: usize) -> String {
    let done = (ended.saturating_mul(WIDTH)).checked_div(whole).unwrap_or(0).min(WIDTH);
    let head = usize::from(done > 0 && done < WIDTH);
    format!("{}{}{}", "=".repeat(done - head), ">".repeat(head), " ".repeat(WIDTH - done))
}

#[expect(clippy::cast_precision_loss, reason = "nobody has so many devices that a double could not count them")]
fn rate(ended: usize, elapsed: Duration) -> f64 {
    ended as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
}

#[expect(clippy::cast_precision_loss, reason = "nobody has so many devices that a double could not count them")]
fn left(count: usize, rate: f64) -> Duration {
    Duration::try_from_secs_f64(count as f64 / rate).unwrap_or(Duration::MAX)
}

/// Gives `6s`, `1m05s`, `2h07m`.
fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Counts, line};

    fn drawn(ended: usize, failed: usize, expected: Option<usize>, seconds: u64) -> String {
        line(Counts { ended, failed, expected }, Duration::from_secs(seconds), 1)
    }

    #[test]
    fn it_tells_how_far_it_is_and_how_long_it_takes() {
        assert_eq!(drawn(0, 0, Some(8), 4), "[                    ] 0 of 8, 4s");
        assert_eq!(drawn(412, 3, Some(1000), 4), "[=======>            ] 412 of 1000, 3 failed, 103/s, 5s left");
        assert_eq!(drawn(1, 0, Some(1000), 4), "[                    ] 1 of 1000, 0.2/s, 1h06m left");
        assert_eq!(drawn(50, 0, Some(1000), 5), "[>                   ] 50 of 1000, 10/s, 1m35s left");
        assert_eq!(drawn(8, 8, Some(8), 2), "[====================] 8 of 8, 8 failed, 4.0/s");
    }

    #[test]
    fn where_the_whole_is_not_known_it_counts() {
        assert_eq!(drawn(0, 0, None, 61), "/ 0 so far, 1m01s");
        assert_eq!(drawn(70_000, 1, None, 7), "/ 70000 so far, 1 failed, 10000/s");
        // And where more have come than were expected, these are what there is.
        assert_eq!(drawn(9, 0, Some(8), 9), "[====================] 9 of 9, 1.0/s");
    }
}
