//! The one list of vendors; everything else learns of a new one from here.

use super::{Discovery, Opening, VpnBackend};
use crate::backends::{everyware, freebox, ixon};
use crate::config;
use crate::error::Result;

/// Describes a vendor.
#[derive(Clone, Copy)]
pub struct Vendor {
    /// Its name in the configuration.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Its configuration keys besides the common ones.
    pub keys: &'static [config::Key],
    /// Whether its targets are remote devices, which take their time to answer.
    pub asks_devices: bool,
    /// How its servers announce themselves on the local network, where they do.
    pub discovery: Option<Discovery>,
    /// Opens a backend; sends no request.
    pub open: fn(Opening) -> Result<Box<dyn VpnBackend>>,
}

impl std::fmt::Debug for Vendor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vendor").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The vendors.
pub const VENDORS: [Vendor; 3] = [freebox::VENDOR, ixon::VENDOR, everyware::VENDOR];

/// Finds a vendor by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.name == name)
}

/// Gives the vendors' keys, for reading the configuration.
#[must_use]
pub fn keys() -> [config::Vendor; VENDORS.len()] {
    VENDORS.map(|vendor| config::Vendor { name: vendor.name, keys: vendor.keys })
}
