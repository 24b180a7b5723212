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
}

#[derive(Debug, Clone)]
struct Fault {
    arg: String,
    left: Option<u32>,
}

impl Faults {
    /// Switches a fault on from its written form.
    pub fn set(&self, written: &str) {
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

    fn map<T>(&self, f: impl FnOnce(&mut BTreeMap<String, Fault>) -> T) -> T {
        f(&mut self.on.lock().unwrap_or_else(PoisonError::into_inner))
    }
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
