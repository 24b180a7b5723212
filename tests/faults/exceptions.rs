//! Cells that end otherwise than their row says, each with the reason.

mod everyware;
mod freebox;
mod ixon;

use crate::cell::{Cell, Count};

/// Cells of a row that end otherwise.
#[derive(Debug)]
pub(crate) struct Exception {
    /// The vendor; empty for all.
    pub(crate) vendor: &'static str,
    /// The verbs; none for all.
    pub(crate) verbs: &'static [&'static str],
    /// How the names of the faults begin.
    pub(crate) faults: &'static [&'static str],
    /// The code; nothing where all is well.
    pub(crate) code: &'static str,
    /// How many requests, where it differs from what the code implies.
    pub(crate) count: Option<Count>,
    /// How many writes, where it differs from what the code implies.
    pub(crate) writes: Option<Count>,
    pub(crate) why: &'static str,
}

impl Exception {
    /// Tells whether a cell is meant.
    pub(crate) fn is_of(&self, cell: &Cell) -> bool {
        (self.vendor.is_empty() || self.vendor == cell.verb.vendor)
            && (self.verbs.is_empty() || self.verbs.contains(&cell.verb.name))
            && self.faults.iter().any(|fault| {
                fault.strip_suffix('*').map_or(*fault == cell.fault.name, |begin| cell.fault.name.starts_with(begin))
            })
    }
}

const USUAL: Exception =
    Exception { vendor: "", verbs: &[], faults: &[], code: "", count: None, writes: None, why: "" };

/// Documents whose letters were changed.
pub(super) const DOCUMENTS: &[&str] = &[
    "HTML from a proxy",
    "empty",
    "`null`",
    "wrong types",
    "5,000-deep JSON",
    "numbers out of range",
    "broken UTF-8",
    "less announced than sent",
];

/// Gives all of them; the first that is of a cell holds.
pub(crate) fn all() -> impl Iterator<Item = &'static Exception> {
    [ANY, freebox::OF, ixon::OF, everyware::OF].into_iter().flatten()
}

const ANY: &[Exception] = &[
    Exception {
        verbs: &["auth logout"],
        faults: &["state f*"],
        code: "",
        count: Some(Count::Exactly(0)),
        writes: Some(Count::Exactly(0)),
        why: "no login is kept that could be ended",
        ..USUAL
    },
    Exception {
        verbs: &["auth logout"],
        faults: &[
            "DNS failure",
            "refused",
            "TLS: unknown CA",
            "TLS: expired",
            "TLS: wrong name",
            "TLS: self-signed leaf",
        ],
        code: "",
        writes: Some(Count::Exactly(0)),
        why: "a login is kept for the address at which it was made; for the one that is now written there is none",
        ..USUAL
    },
    Exception {
        verbs: &["auth logout"],
        faults: &["token invalidated by another process"],
        code: "",
        count: Some(Count::Exactly(1)),
        why: "a login that has ended is what was asked for",
        ..USUAL
    },
    Exception {
        verbs: &["doctor"],
        faults: &["state folder read-only", "state file of a newer version"],
        code: "config.invalid",
        why: "it goes on without the state, and that nothing can be kept is a finding",
        ..USUAL
    },
    Exception {
        verbs: &["doctor"],
        faults: &["reset"],
        code: "net.reset",
        count: Some(Count::AtMost(8)),
        why: "connections are looked at before the first request: at each of them it may be seen",
        ..USUAL
    },
];
