//! `log`: the vendor's VPN log, and what is added to it.

use std::time::Duration;

use super::follow;
use super::selection::Plan;
use super::{Emit, Open, emit, emit_failed, emit_nothing};
use crate::backend::{LogLine, Logs, unsupported};
use crate::error::Result;
use crate::model::document::{LogItem, Time};
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
    let (found, failed): (Vec<_>, Vec<_>) = plan.jobs.into_iter().partition(|job| job.error.is_none());
    for job in failed {
        if let Some(error) = job.error {
            emit_failed(out, None, job.open.own(error));
        }
    }
    futures_util::future::join_all(found.iter().map(|job| one(&job.open, reading, out))).await;
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
    // A line that may go on is told when it has ended, or has not grown until the next look.
    let mut waiting = if reading.follow { take_open(&mut known) } else { None };
    known.get(skipped..).unwrap_or_default().iter().for_each(|line| tell(open, line, out));
    if !reading.follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(reading.interval.unwrap_or(POLL)).await;
        let mut now = match logs.lines().await {
            Ok(now) => now,
            // What is added meanwhile is in the next answer.
            Err(error) if follow::may_pass(&error) => {
                tracing::warn!("the log could not be read, and is asked again: {error}");
                continue;
            }
            Err(error) => {
                waiting.iter().for_each(|line| tell(open, line, out));
                return Err(error);
            }
        };
        match take_open(&mut now) {
            // It has not grown, or was told already.
            Some(line) if Some(&line) == waiting.as_ref() || Some(&line) == known.last() => {
                now.push(line);
                waiting = None;
            }
            unfinished => waiting = unfinished,
        }
        now[overlap(&known, &now)..].iter().for_each(|line| tell(open, line, out));
        known = now;
    }
}

/// Takes the last line where it may go on.
fn take_open(lines: &mut Vec<LogLine>) -> Option<LogLine> {
    if lines.last()?.is_open { lines.pop() } else { None }
}

fn tell(open: &Open, line: &LogLine, out: &Emit) {
    let item = LogItem {
        backend: &open.info().backend,
        at: line.at.map(Time::from),
        level: line.level.as_deref(),
        text: &line.text,
    };
    emit(out, item::of(&item));
}

/// Tells how many lines of `now` were known: the longest end of `before` that `now` begins with. A vendor drops old
/// lines from the front, so the rest is new; where it cuts inside a line, what is left of that one was told too. A line
/// that was told unfinished and has grown since is new: it is told again, whole.
fn overlap(before: &[LogLine], now: &[LogLine]) -> usize {
    let same =
        |(old, new): (&LogLine, &LogLine)| old.text == new.text || (old.is_open && new.text.starts_with(&old.text));
    let longest = |now: &[LogLine]| {
        let most = before.len().min(now.len());
        (1..=most).rev().find(|count| before[before.len() - count..].iter().zip(now).all(same)).unwrap_or(0)
    };
    let whole = longest(now);
    if let (Some(old), Some(new)) = (before.last(), whole.checked_sub(1).map(|last| &now[last])) {
        return if old.text == new.text { whole } else { whole - 1 };
    }
    let Some((first, rest)) = now.split_first() else { return 0 };
    let count = longest(rest);
    let cut = before.len().checked_sub(count + 1).is_some_and(|at| before[at].text.ends_with(&first.text));
    if count > 0 && cut { count + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::overlap;
    use crate::backend::LogLine;

    fn lines(text: &str) -> Vec<LogLine> {
        text.chars().map(|c| LogLine { at: None, level: None, text: c.to_string(), is_open: false }).collect()
    }

    #[test]
    fn a_line_that_was_cut_off_at_its_beginning_is_the_same_line() {
        let of = |texts: &[&str]| -> Vec<LogLine> {
            let line = |text: &&str| LogLine { at: None, level: None, text: (*text).to_owned(), is_open: false };
            texts.iter().map(line).collect()
        };
        assert_eq!(overlap(&of(&["a one", "b two", "c three"]), &of(&["wo", "c three", "d four"])), 2);
        assert_eq!(overlap(&of(&["a one"]), &of(&["b two"])), 0);
        assert_eq!(overlap(&of(&["retry 1"]), &of(&["retry 10", "retry 11"])), 0);
        assert_eq!(overlap(&of(&["a", "connect"]), &of(&["connect failed", "b"])), 0);
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
