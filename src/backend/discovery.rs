//! What announces itself on the local network.

use serde::Serialize;

use crate::http::mdns::Announced;

/// Says how a vendor's servers announce themselves, and what that means.
#[derive(Debug, Clone, Copy)]
pub struct Discovery {
    /// The service that they offer by multicast DNS.
    pub service: &'static str,
    /// Reads an announcement.
    pub read: fn(&Announced) -> Found,
}

/// A server that was found, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// What it calls itself.
    pub name: Option<String>,
    /// Its model, in the vendor's word.
    pub model: Option<String>,
    /// The vendor's id of it.
    pub id: Option<String>,
    /// The version of its API.
    pub api_version: Option<String>,
    /// The URL on the local network.
    #[serde(skip)]
    pub url: String,
    /// Its address on the local network, for `connect_address`.
    pub address: Option<String>,
    /// The URL from elsewhere, where remote access is switched on.
    pub remote_url: Option<String>,
}
