//! When a run over many targets gives up: `--fail-fast` and `--max-failures`.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::Notify;

/// Of how many targets a share is one at least, where nobody knows how many there will be.
const ENOUGH: usize = 100;

/// A part of a whole, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// Reads `5%`, `0.5%`.
    ///
    /// # Errors
    /// Fails where it is no number between 0 and 100 with `%` behind it; the text is for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        number
            .filter(|number| (0.0..=100.0).contains(number))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no share: write 5% or 0.5%"))
    }

    /// Gives how a part of a whole compares with this.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "nobody has so many devices that a double could not count them")]
    pub fn compare(self, part: usize, whole: usize) -> Ordering {
        (part as f64 * 100.0).total_cmp(&(self.0 * whole as f64))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// How many failures end a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFailures {
    /// That many.
    Count(usize),
    /// That part of all targets, or of those that need a change, and one at least; where it is not known how many these are, of those that have ended,
    /// of which a hundred are taken for granted.
    Share(Percent),
}

impl MaxFailures {
    /// Reads `10` or `5%`.
    ///
    /// # Errors
    /// Fails where it is neither; the text is for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().ends_with('%') {
            return Percent::parse(text).map(Self::Share);
        }
        match text.trim().parse() {
            Ok(0) => Err("no run has less than no failures: write 1 to end with the first".to_owned()),
            Ok(count) => Ok(Self::Count(count)),
            Err(_) => Err(format!("`{text}` is neither a number nor a share: write 10 or 5%")),
        }
    }
}

/// Counts failures, and tells when they are enough; clones count together.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    most: Option<MaxFailures>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    ended: AtomicUsize,
    failed: AtomicUsize,
    /// How many there are in all; 0 where that is not known.
    expected: AtomicUsize,
    /// Wakes who waits for enough failures.
    failure: Notify,
    /// Of how many a share is one, where not of all.
    measure: AtomicUsize,
}

impl Stop {
    /// Makes one that ends a run with so many failures; `None` never does.
    #[must_use]
    pub fn after(most: Option<MaxFailures>) -> Self {
        Self { most, counts: Arc::default() }
    }

    /// Says how many targets there are in all.
    pub fn expect(&self, total: usize) {
        self.counts.expected.store(total, Relaxed);
    }

    /// Says of how many targets a share of failures is one, where not of all: of those that need a change.
    pub fn measure(&self, changes: usize) {
        self.counts.measure.store(changes, Relaxed);
    }

    /// Counts a target that has ended.
    pub fn count(&self, failed: bool) {
        self.counts.ended.fetch_add(1, Relaxed);
        if failed {
            self.counts.failed.fetch_add(1, Relaxed);
            self.counts.failure.notify_one();
        }
    }

    /// Waits until no further target is to be begun; for one who waits.
    pub async fn reached(&self) {
        while !self.is_reached() {
            self.counts.failure.notified().await;
        }
    }

    /// Tells whether no further target is to be begun.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        let failed = self.counts.failed.load(Relaxed);
        match self.most {
            None => false,
            Some(MaxFailures::Count(count)) => failed >= count,
            Some(MaxFailures::Share(share)) => {
                let whole = match (self.counts.measure.load(Relaxed), self.counts.expected.load(Relaxed)) {
                    (0, 0) => self.counts.ended.load(Relaxed).max(ENOUGH),
                    (0, expected) => expected,
                    (changes, _) => changes,
                };
                failed > 0 && share.compare(failed, whole).is_ge()
            }
        }
    }

    /// Tells how many have ended, failed or not.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.counts.ended.load(Relaxed)
    }

    /// Tells how many there are in all, where that is known.
    #[must_use]
    pub fn expected(&self) -> Option<usize> {
        Some(self.counts.expected.load(Relaxed)).filter(|expected| *expected > 0)
    }

    /// Tells how many have failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.counts.failed.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::{MaxFailures, Percent, Stop};

    fn ends_after(most: &str, expected: usize) -> Option<usize> {
        let stop = Stop::after(Some(MaxFailures::parse(most).unwrap()));
        stop.expect(expected);
        (1..=500).find(|_| {
            stop.count(true);
            stop.is_reached()
        })
    }

    #[test]
    fn a_run_ends_with_the_failure_that_is_one_too_many() {
        assert_eq!(ends_after("1", 0), Some(1));
        assert_eq!(ends_after("7", 10), Some(7));
        assert_eq!(ends_after("5%", 200), Some(10));
        assert_eq!(ends_after("5%", 201), Some(11));
        assert_eq!(ends_after("0.1%", 200), Some(1));
        assert_eq!(ends_after("5%", 0), Some(5), "of a hundred at least, where nobody knows");
        assert_eq!(ends_after("100%", 40), Some(40));
    }

    #[test]
    fn what_went_well_counts_where_the_whole_is_not_known() {
        let stop = Stop::after(Some(MaxFailures::parse("10%").unwrap()));
        (0..1000).for_each(|_| stop.count(false));
        (0..111).for_each(|_| stop.count(true));
        assert!(!stop.is_reached());
        stop.count(true);
        assert!(stop.is_reached());
    }

    #[test]
    fn without_a_limit_nothing_ends_a_run_and_no_failure_ends_none() {
        let stop = Stop::default();
        (0..1000).for_each(|_| stop.count(true));
        assert!(!stop.is_reached());
        let stop = Stop::after(Some(MaxFailures::parse("0%").unwrap()));
        stop.count(false);
        assert!(!stop.is_reached());
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for text in ["", "0", "-1", "x", "5 percent", "%", "101%", "-1%", "NaN%", "inf%"] {
            assert!(MaxFailures::parse(text).is_err(), "{text}");
        }
        assert_eq!(Percent::parse(" 0.5% ").map(|share| share.to_string()), Ok("0.5%".to_owned()));
    }
}
