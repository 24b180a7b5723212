//! Cells that end otherwise than their row says, each with the reason.

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

pub(crate) const EXCEPTIONS: &[Exception] = &[];
