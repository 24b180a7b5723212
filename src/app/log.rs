//! `log`: the vendor's VPN log, and what is added to it.

use std::time::Duration;

use serde_json::json;

use super::selection::Plan;
use super::{Emit, Open, emit, emit_failed, emit_nothing};
use crate::backend::{LogLine, Logs, unsupported};
use crate::error::Result;
use crate::model::item;

/// How often a log is read that is followed: boxes were seen to limit those who ask more often.
const POLL: Duration = Duration::from_secs(5);

/// Says what of a log is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Only so many last lines.
    pub last: Option<usize>,
    /// Go on with what is added.
    pub follow: bool,
    /// How often it is read then.
    pub interval: Option<Duration>,
}

/// Emits the lines of every backend of the plan.
pub async fn run(plan: Plan, reading: Reading, out: &Emit) {
    for (_, _, error) in plan.unopened {
        emit_failed(out, None, error);
    }
    futures_util::future::join_all(plan.jobs.iter().map(|job| one(&job.open, reading, out))).await;
}

async fn one(open: &Open, reading: Reading, out: &Emit) {
    let Some(logs) = open.backend.logs() else {
        emit_failed(out, None, unsupported(&*open.backend, "log"));
        return;
    };
    if let Err(error) = read(open, logs, reading, out).await {
        emit_failed(out, None, error.backend(&open.info().backend));
    }
}

async fn read(open: &Open, logs: &dyn Logs, reading: Reading, out: &Emit) -> Result<()> {
    let mut known = logs.lines().await?;
    let skipped = reading.last.map_or(0, |last| known.len().saturating_sub(last));
    if known.len() == skipped && !reading.follow {
        emit_nothing(out);
    }
    known[skipped..].iter().for_each(|line| tell(open, line, out));
    if !reading.follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(reading.interval.unwrap_or(POLL)).await;
        let now = match logs.lines().await {
            Ok(now) => now,
            // What is added meanwhile is in the next answer.
            Err(error) if error.is_temporary() => {
                tracing::warn!("the log could not be read, and is asked again: {error}");
                continue;
            }
            Err(error) => return Err(error),
        };
        now[overlap(&known, &now)..].iter().for_each(|line| tell(open, line, out));
        known = now;
    }
}

fn tell(open: &Open, line: &LogLine, out: &Emit) {
    let item = json!({
        "backend": open.info().backend,
        "at": line.at.map(item::time),
        "level": line.level,
        "text": line.text,
    });
    emit(out, item::object(item));
}

/// Tells how many lines of `now` were known: the longest end of `before` that `now` begins with. A vendor drops old
/// lines from the front, so the rest is new. The last line of `before` may have been read while it was written, and
/// the first of `now` may have lost its beginning: such lines are the same ones.
fn overlap(before: &[LogLine], now: &[LogLine]) -> usize {
    let most = before.len().min(now.len());
    let same = |count: usize| before[before.len() - count..] == now[..count];
    let alike = |count: usize| {
        before[before.len() - count..].iter().zip(&now[..count]).enumerate().all(|(index, (old, new))| {
            old == new
                || (index + 1 == count && new.text.starts_with(&old.text))
                || (index == 0 && count > 1 && old.text.ends_with(&new.text))
        })
    };
    (1..=most).rev().find(|count| same(*count)).or_else(|| (1..=most).rev().find(|count| alike(*count))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::overlap;
    use crate::backend::LogLine;

    fn lines(text: &str) -> Vec<LogLine> {
        text.chars().map(|c| LogLine { at: None, level: None, text: c.to_string() }).collect()
    }

    #[test]
    fn a_line_that_was_cut_is_the_same_line() {
        let of = |texts: &[&str]| -> Vec<LogLine> {
            let line = |text: &&str| LogLine { at: None, level: None, text: (*text).to_owned() };
            texts.iter().map(line).collect()
        };
        assert_eq!(overlap(&of(&["a one", "b tw"]), &of(&["a one", "b two", "c three"])), 2);
        assert_eq!(overlap(&of(&["a one", "b two", "c three"]), &of(&["wo", "c three", "d four"])), 2);
        assert_eq!(overlap(&of(&["a one"]), &of(&["b two"])), 0);
    }

    #[test]
    fn no_line_is_told_twice_and_none_is_lost() {
        for (before, now, known) in [
            ("abc", "abcd", 3),
            ("abc", "bcde", 2),
            ("abc", "abc", 3),
            ("abc", "xyz", 0),
            ("", "ab", 0),
            ("aab", "aabaab", 3),
            ("abc", "", 0),
        ] {
            assert_eq!(overlap(&lines(before), &lines(now)), known, "{before} then {now}");
        }
    }
}
