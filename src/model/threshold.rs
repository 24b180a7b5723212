//! Values of a status item, and the ranges that they are held to, in the syntax of the Monitoring Plugins' guidelines.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// How far a vendor's clock may be ahead of ours, in seconds.
const AHEAD: f64 = 5.0;

/// Names a value that a threshold may be set on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Seconds since the last change that vendors date: since it is connected.
    Age,
    /// Bytes per second that the VPN client receives.
    RxRate,
    /// Bytes per second that it sends.
    TxRate,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 3] = [Self::Age, Self::RxRate, Self::TxRate];

    /// Gives the name in flags and performance data.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::RxRate => "rx_rate",
            Self::TxRate => "tx_rate",
        }
    }

    /// Gives the unit for people.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Age => "s",
            Self::RxRate | Self::TxRate => " B/s",
        }
    }

    /// Reads the value in a status item; `None` is not known.
    #[must_use]
    pub fn value(self, item: &Map<String, Value>) -> Option<f64> {
        let time = |name: &str| item.get(name)?.as_str()?.parse::<Timestamp>().ok();
        match self {
            // A vendor's clock that is ahead of ours by more than a moment tells nothing.
            Self::Age => time("observed_at")
                .zip(time("connected_since"))
                .map(|(now, since)| now.duration_since(since).as_secs_f64())
                .filter(|age| *age >= -AHEAD)
                .map(|age| age.max(0.0)),
            Self::RxRate | Self::TxRate => item.get("traffic")?.get(self.as_str())?.as_f64(),
        }
    }
}

/// A range of values; outside of it is an alert, or inside where it begins with `@`.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    text: String,
    from: f64,
    to: f64,
    inside: bool,
}

impl Range {
    /// Reads `10`, `10:`, `~:10`, `10:20` or `@10:20`.
    ///
    /// # Errors
    /// Fails, saying why, where it is none of these.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no range: write 10, 10:, ~:10, 10:20 or @10:20");
        // Performance data takes nothing but these characters.
        let is_plain = |text: &&str| text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-'));
        let number = |text: &str| {
            let number = Some(text).filter(is_plain).and_then(|text| text.parse::<f64>().ok());
            number.filter(|number| number.is_finite()).ok_or_else(wrong)
        };
        let (inside, bounds) = text.strip_prefix('@').map_or((false, text), |rest| (true, rest));
        let (from, to) = match bounds.split_once(':') {
            None => (0.0, number(bounds)?),
            Some(("", "")) => return Err(wrong()),
            Some((from, to)) => (
                match from {
                    "" => 0.0,
                    "~" => f64::NEG_INFINITY,
                    from => number(from)?,
                },
                if to.is_empty() { f64::INFINITY } else { number(to)? },
            ),
        };
        if from > to {
            return Err(format!("`{text}` is no range: its end is below its start"));
        }
        Ok(Self { text: text.to_owned(), from, to, inside })
    }

    /// Gives it as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Tells whether a value is an alert; both ends belong to the range.
    #[must_use]
    pub fn alerts(&self, value: f64) -> bool {
        (self.from..=self.to).contains(&value) == self.inside
    }
}

/// A range for a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// The metric.
    pub metric: Metric,
    /// Where its value belongs.
    pub range: Range,
}

impl Threshold {
    /// Reads `RANGE`, which is of the age, or `METRIC=RANGE`.
    ///
    /// # Errors
    /// Fails, saying why, where the metric or the range is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (metric, range) = match text.split_once('=') {
            None => (Metric::Age, text),
            Some((name, range)) => {
                let known = Metric::ALL.into_iter().find(|metric| metric.as_str() == name);
                let all = Metric::ALL.map(Metric::as_str).join(", ");
                (known.ok_or_else(|| format!("there is no metric `{name}`; there are {all}"))?, range)
            }
        };
        Ok(Self { metric, range: Range::parse(range)? })
    }

    /// Says what is wrong with an item; a value that is not known is no alert, see [`Thresholds::unknown`].
    #[must_use]
    pub fn alert(&self, item: &Map<String, Value>) -> Option<String> {
        let value = self.metric.value(item).filter(|value| self.range.alerts(*value))?;
        let side = if self.range.inside { "inside" } else { "outside" };
        Some(format!("{} {value}{} is {side} {}", self.metric.as_str(), self.metric.unit(), self.range.text))
    }
}

/// What makes an item a warning, and what makes it a failure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thresholds {
    /// Alerts of these are warnings.
    pub warn: Vec<Threshold>,
    /// Alerts of these are failures.
    pub crit: Vec<Threshold>,
}

impl Thresholds {
    /// Says what of an item is to be warned of.
    #[must_use]
    pub fn warnings(&self, item: &Map<String, Value>) -> Vec<String> {
        self.warn.iter().filter_map(|threshold| threshold.alert(item)).collect()
    }

    /// Gives the first metric that a threshold is set on and an item does not tell.
    #[must_use]
    pub fn unknown(&self, item: &Map<String, Value>) -> Option<Metric> {
        self.crit.iter().chain(&self.warn).map(|one| one.metric).find(|metric| metric.value(item).is_none())
    }

    /// Says what of an item is a failure.
    #[must_use]
    pub fn failures(&self, item: &Map<String, Value>) -> Vec<String> {
        self.crit.iter().filter_map(|threshold| threshold.alert(item)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Metric, Range, Threshold, Thresholds};
    use crate::model::item::object;

    /// The values at and around 10 and 20 that alert.
    fn alerts(text: &str) -> Vec<i32> {
        let range = Range::parse(text).expect("a range");
        [-5, 0, 9, 10, 15, 20, 21].into_iter().filter(|value| range.alerts(f64::from(*value))).collect()
    }

    #[test]
    fn ranges_alert_as_the_guidelines_say() {
        assert_eq!(alerts("10"), [-5, 15, 20, 21]);
        assert_eq!(alerts("10:"), [-5, 0, 9]);
        assert_eq!(alerts("~:10"), [15, 20, 21]);
        assert_eq!(alerts("10:20"), [-5, 0, 9, 21]);
        assert_eq!(alerts("@10:20"), [10, 15, 20]);
        assert_eq!(alerts("@10"), [0, 9, 10]);
        assert_eq!(alerts(":10"), alerts("10"));
        assert_eq!(alerts("-5:-1.5"), [0, 9, 10, 15, 20, 21]);
        assert_eq!(alerts("~:"), Vec::<i32>::new());
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", ":", "@", "x", "1e3", "+5", "-", "10:x", "20:10", "1:2:3", "NaN", "inf:", "10:~", "~", "@@1"] {
            assert!(Range::parse(text).is_err(), "{text}");
        }
        assert!(Range::parse("20:10").unwrap_err().contains("below its start"));
    }

    #[test]
    fn a_threshold_is_of_the_age_unless_it_names_a_metric() {
        assert_eq!(Threshold::parse("60:").expect("one").metric, Metric::Age);
        assert_eq!(Threshold::parse("rx_rate=@0:10").expect("one").metric, Metric::RxRate);
        assert!(Threshold::parse("speed=10").unwrap_err().contains("age, rx_rate, tx_rate"));
        assert!(Threshold::parse("age=").is_err());
    }

    #[test]
    fn values_are_read_from_an_item_and_one_that_is_not_known_alerts_nothing() {
        let item = object(json!({
            "observed_at": "2026-11-21T19:01:40Z",
            "connected_since": "2026-11-21T19:00:00Z",
            "traffic": {"rx_rate": 2000, "tx_rate": null},
        }));
        assert_eq!(Metric::Age.value(&item), Some(100.0));
        assert_eq!(Metric::RxRate.value(&item), Some(2000.0));
        assert_eq!(Metric::TxRate.value(&item), None);
        let parse = |text: &str| Threshold::parse(text).expect("one");
        let thresholds =
            Thresholds { warn: vec![parse("60"), parse("tx_rate=10:")], crit: vec![parse("rx_rate=@1000:")] };
        assert_eq!(thresholds.warnings(&item), ["age 100s is outside 60"]);
        assert_eq!(thresholds.failures(&item), ["rx_rate 2000 B/s is inside @1000:"]);
        let ahead = object(json!({"observed_at": "2026-11-21T19:00:00Z", "connected_since": "2026-11-21T19:00:04Z"}));
        assert_eq!(Metric::Age.value(&ahead), Some(0.0));
        let far = object(json!({"observed_at": "2026-11-21T19:00:00Z", "connected_since": "2026-11-21T19:00:09Z"}));
        assert_eq!(Metric::Age.value(&far), None);
        assert_eq!(thresholds.unknown(&item), Some(Metric::TxRate));
    }
}
