//! What announces itself on the local network.

use crate::http::mdns::Announced;
use crate::model::Found;

/// Says how a vendor's servers announce themselves, and what that means.
#[derive(Debug, Clone, Copy)]
pub struct Discovery {
    /// The service that they offer by multicast DNS.
    pub service: &'static str,
    /// Reads an announcement.
    pub read: fn(&Announced) -> Found,
}
