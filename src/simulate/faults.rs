//! Faults that can be switched while a simulator runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Holds the faults that are switched on, by name; clones share one set.
///
/// A fault has an optional argument. Written as `NAME`, `NAME=ARG`, or with a count, `NAME=ARG*3` or
/// `NAME*3`: a fault with a count is used up by [`Faults::take`].
#[derive(Debug, Clone, Default)]
pub struct Faults {
    on: Arc<Mutex<BTreeMap<String, Fault>>>,
    /// The names that somebody looks at; where there are none, any name is taken.
    known: Arc<[&'static str]>,
}

#[derive(Debug, Clone)]
struct Fault {
    arg: String,
    left: Option<u32>,
}

impl Faults {
    /// Makes a set that knows which faults there are.
    #[must_use]
    pub fn knowing(known: impl IntoIterator<Item = &'static str>) -> Self {
        Self { known: known.into_iter().collect(), ..Self::default() }
    }

    /// Switches a fault on from its written form, if there is one of that name.
    ///
    /// # Errors
    /// Says that there is none, and which name is the nearest.
    pub fn try_set(&self, written: &str) -> Result<(), String> {
        let name = name_of(written);
        if !self.knows(name) {
            return Err(unknown(name, &self.known));
        }
        self.set(written);
        Ok(())
    }

    /// Switches a fault on from its written form, whether or not anybody looks at it.
    pub fn set(&self, written: &str) {
        debug_assert!(self.knows(name_of(written)), "{}", unknown(name_of(written), &self.known));
        let (name, rest) = written.split_once('=').unwrap_or((written, ""));
        let (name, name_count) = split_count(name);
        let (arg, arg_count) = split_count(rest);
        let fault = Fault { arg: arg.to_owned(), left: arg_count.or(name_count) };
        self.map(|on| on.insert(name.to_owned(), fault));
    }

    /// Switches a fault off.
    pub fn clear(&self, name: &str) {
        self.map(|on| on.remove(name));
    }

    /// Switches all faults off.
    pub fn clear_all(&self) {
        self.map(BTreeMap::clear);
    }

    /// Tells whether a fault is on, without using it up.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.map(|on| on.contains_key(name))
    }

    /// Gives the argument of a fault that is on (`""` where it has none), without using it up.
    #[must_use]
    pub fn arg(&self, name: &str) -> Option<String> {
        self.map(|on| on.get(name).map(|fault| fault.arg.clone()))
    }

    /// Gives the argument of a fault that is on as a number; `None` where it is off or no number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.arg(name)?.parse().ok()
    }

    /// Uses a fault once: gives its argument, and switches it off when its count is used up.
    #[must_use]
    pub fn take(&self, name: &str) -> Option<String> {
        self.map(|on| {
            let fault = on.get_mut(name)?;
            let arg = fault.arg.clone();
            if let Some(left) = fault.left.as_mut() {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    on.remove(name);
                }
            }
            Some(arg)
        })
    }

    /// Lists the faults that are on, in their written form.
    #[must_use]
    pub fn list(&self) -> Vec<String> {
        self.map(|on| {
            on.iter()
                .map(|(name, fault)| {
                    let arg = if fault.arg.is_empty() { String::new() } else { format!("={}", fault.arg) };
                    let count = fault.left.map_or_else(String::new, |left| format!("*{left}"));
                    format!("{name}{arg}{count}")
                })
                .collect()
        })
    }

    fn knows(&self, name: &str) -> bool {
        self.known.is_empty() || self.known.contains(&name)
    }

    fn map<T>(&self, f: impl FnOnce(&mut BTreeMap<String, Fault>) -> T) -> T {
        f(&mut self.on.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Gives the name in the written form of a fault.
pub(super) fn name_of(written: &str) -> &str {
    split_count(written.split_once('=').map_or(written, |(name, _)| name)).0
}

/// Says that there is no fault of that name, and which of `known` is the nearest.
pub(super) fn unknown(name: &str, known: &[&'static str]) -> String {
    let nearest = known.iter().min_by_key(|one| strsim::damerau_levenshtein(one, name));
    let hint = nearest.map_or_else(String::new, |one| format!("; the nearest is {one}"));
    format!("there is no fault called {name}{hint}")
}

fn split_count(text: &str) -> (&str, Option<u32>) {
    match text.rsplit_once('*') {
        Some((head, count)) if !count.is_empty() => count.parse().map_or((text, None), |count| (head, Some(count))),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::Faults;

    #[test]
    fn a_counted_fault_is_used_up() {
        let faults = Faults::default();
        faults.set("http-status=503*2");
        assert_eq!(faults.take("http-status").as_deref(), Some("503"));
        assert_eq!(faults.take("http-status").as_deref(), Some("503"));
        assert_eq!(faults.take("http-status"), None);
    }

    #[test]
    fn a_fault_that_nobody_looks_at_is_refused_with_the_nearest_name() {
        let faults = Faults::knowing(["slow", "http-status"]);
        assert_eq!(faults.try_set("slwo=20*2"), Err("there is no fault called slwo; the nearest is slow".to_owned()));
        assert_eq!(faults.try_set("http-status*3"), Ok(()));
        assert_eq!(faults.list(), ["http-status*3"]);
    }

    /// Names in the first column of the tables of a module's documentation.
    fn documented(source: &str) -> Vec<String> {
        let cells = source.lines().filter_map(|line| {
            let line = line.trim_start().trim_start_matches("//!").trim_start_matches("///").trim();
            line.strip_prefix("| `").and_then(|rest| rest.split(" | ").next())
        });
        let names =
            cells.flat_map(|cell| cell.split('`').filter(|part| part.starts_with(|c: char| c.is_ascii_lowercase())));
        let mut names: Vec<String> =
            names.map(|name| super::name_of(name).split(['[', '=']).next().unwrap_or_default().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn every_documented_fault_is_known_and_every_known_one_documented() {
        for (what, source, known) in [
            ("http", include_str!("server.rs"), crate::simulate::server::FAULTS),
            ("freebox", include_str!("freebox/mod.rs"), crate::simulate::freebox::FAULTS),
            ("ixon", include_str!("ixon/mod.rs"), crate::simulate::ixon::FAULTS),
            ("everyware", include_str!("everyware/mod.rs"), crate::simulate::everyware::FAULTS),
        ] {
            let mut known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
            known.sort();
            let mut documented = documented(source);
            // The tables of agents and devices have ids in their first column, of capitals or with colons.
            documented.retain(|name| known.contains(name) || !name.contains(':') && !name.starts_with("gw-"));
            assert_eq!(documented, known, "{what}");
        }
    }

    #[test]
    fn a_fault_without_a_count_stays() {
        let faults = Faults::default();
        faults.set("slow=20");
        assert_eq!(faults.take("slow").as_deref(), Some("20"));
        assert_eq!(faults.number("slow"), Some(20));
        assert_eq!(faults.list(), ["slow=20"]);
        faults.clear("slow");
        assert!(!faults.is_on("slow"));
    }
}
