//! What a run over several targets amounts to: contract section 4.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::{Code, Error, Exit, Layer};

/// How many failures are told in full.
const TOLD: usize = 20;

/// Counts outcomes by exit code, and keeps the first failures.
#[derive(Debug, Default)]
pub struct Outcome {
    any: bool,
    one_is_enough: bool,
    by_layer: bool,
    /// The failure of the lowest layer; of one layer the least code, whoever came first.
    lowest: Option<Error>,
    by_exit: BTreeMap<Exit, usize>,
    failures: Vec<Error>,
    failed: usize,
    /// Those that are a no and have no error of their own.
    noes: usize,
    total: usize,
}

impl Outcome {
    /// Lets one failure be the outcome of the whole, whatever went well besides.
    #[must_use]
    pub fn of_any(self) -> Self {
        Self { any: true, ..self }
    }

    /// Lets one success be the outcome of the whole, whatever failed besides.
    #[must_use]
    pub fn one_is_enough(self, enough: bool) -> Self {
        Self { one_is_enough: enough, ..self }
    }

    /// Lets the failure of the lowest layer be the outcome of the whole: what stands on it may fail for that alone. Its
    /// items tell what failed in full.
    #[must_use]
    pub fn by_layer(self) -> Self {
        Self { any: true, by_layer: true, ..self }
    }

    /// Tells whether its items tell all that its errors do, so that nobody who sees them needs to read it again.
    #[must_use]
    pub fn is_in_items(&self) -> bool {
        self.by_layer
    }

    /// Counts one outcome.
    pub fn count(&mut self, error: Option<&Error>) {
        self.total += 1;
        *self.by_exit.entry(error.map_or(Exit::Ok, Error::exit)).or_default() += 1;
        if let Some(error) = error {
            self.failed += 1;
            let rank = |error: &Error| (error.layer(), error.exit());
            if self.by_layer && self.lowest.as_ref().is_none_or(|lowest| rank(error) < rank(lowest)) {
                self.lowest = Some(error.clone());
            }
            if self.failures.len() < TOLD {
                self.failures.push(error.clone());
            }
        }
    }

    /// Counts an item without an error; where one failure is the outcome, one that says no, or that nobody can tell, is
    /// none that went well.
    pub fn count_answer(&mut self, ok: Option<&Value>) {
        match ok {
            Some(Value::Null | Value::Bool(false)) if self.any => {
                self.total += 1;
                self.noes += usize::from(ok != Some(&Value::Null));
            }
            _ => self.count(None),
        }
    }

    /// Tells how many there were.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// Gives the failures that are told in full, and how many more there were.
    #[must_use]
    pub fn failures(&self) -> (&[Error], usize) {
        (&self.failures, self.failed - self.failures.len())
    }

    /// Says how many failed.
    #[must_use]
    pub fn counts(&self) -> String {
        format!("{} of {} failed", self.failed + self.noes, self.total)
    }

    /// Gives the one error that stands for the run: its own where there is one target, or all share an exit code;
    /// `partial` where outcomes differ; `None` where nothing failed.
    #[must_use]
    pub fn verdict(&self) -> Option<Error> {
        let first = self.failures.first()?;
        if self.one_is_enough && self.by_exit.contains_key(&Exit::Ok) {
            return None;
        }
        if self.total == 1 {
            return Some(first.clone());
        }
        let counts = self.counts();
        if let Some(lowest) = &self.lowest {
            return Some(lowest.clone().context(&format!("{counts}, the first with")));
        }
        let shared = self.by_exit.keys().filter(|exit| !(self.any && **exit == Exit::Ok)).count() == 1;
        if shared {
            return Some(first.clone().context(&format!("{counts}, the first with")));
        }
        let exits: Vec<String> = self.by_exit.iter().map(|(exit, count)| format!("{count} {}", exit.name())).collect();
        Some(
            Error::new(Code::Partial, Layer::Api, format!("{counts} ({})", exits.join(", ")))
                .hint("each item tells its own error; with -o json it is in the item"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;
    use crate::error::{Code, Error, Layer};

    fn verdict(codes: &[Option<Code>]) -> Option<(Code, u8)> {
        let mut outcome = Outcome::default();
        for code in codes {
            outcome.count(code.map(|code| Error::new(code, Layer::Api, "x")).as_ref());
        }
        outcome.verdict().map(|error| (error.code(), error.exit().number()))
    }

    #[test]
    fn where_one_failure_is_enough_what_went_well_does_not_count() {
        let mut outcome = Outcome::default().of_any();
        outcome.count(None);
        outcome.count(Some(&Error::new(Code::AuthExpired, Layer::Auth, "x")));
        assert_eq!(outcome.verdict().map(|error| error.code()), Some(Code::AuthExpired));
        outcome.count(Some(&Error::new(Code::NetRefused, Layer::Tcp, "x")));
        assert_eq!(outcome.verdict().map(|error| error.code()), Some(Code::Partial));
    }

    #[test]
    fn by_layers_the_lowest_one_is_the_outcome_whoever_comes_first() {
        let errors = [
            Error::new(Code::AuthExpired, Layer::Auth, "x"),
            Error::new(Code::NetRefused, Layer::Tcp, "x"),
            Error::new(Code::AuthForbidden, Layer::Auth, "x"),
        ];
        let verdict = |order: &[usize]| {
            let mut outcome = Outcome::default().by_layer();
            outcome.count(None);
            order.iter().for_each(|&index| outcome.count(Some(&errors[index])));
            outcome.verdict().map(|error| error.code())
        };
        assert_eq!(verdict(&[]), None);
        for order in [[0, 1, 2], [2, 1, 0]] {
            assert_eq!(verdict(&order), Some(Code::NetRefused));
        }
        for order in [[0, 2], [2, 0]] {
            assert_eq!(verdict(&order), Some(Code::AuthExpired));
        }
    }

    #[test]
    fn where_one_success_is_enough_what_failed_does_not_count() {
        let mut outcome = Outcome::default().one_is_enough(true);
        outcome.count(Some(&Error::new(Code::NetRefused, Layer::Tcp, "x")));
        assert_eq!(outcome.verdict().map(|error| error.code()), Some(Code::NetRefused));
        outcome.count(None);
        assert!(outcome.verdict().is_none());
    }

    #[test]
    fn one_shared_outcome_gives_its_code_and_different_ones_give_partial() {
        let (refused, dns, auth) = (Some(Code::NetRefused), Some(Code::NetDns), Some(Code::AuthRequired));
        assert_eq!(verdict(&[]), None);
        assert_eq!(verdict(&[None, None]), None);
        assert_eq!(verdict(&[refused]), Some((Code::NetRefused, 5)));
        assert_eq!(verdict(&[refused, dns]), Some((Code::NetRefused, 5)));
        assert_eq!(verdict(&[refused, auth]), Some((Code::Partial, 10)));
        assert_eq!(verdict(&[refused, None]), Some((Code::Partial, 10)));
    }
}
