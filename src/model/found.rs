//! What announces itself on the local network, as it is told.

use schemars::JsonSchema;
use serde::Serialize;

/// A server that was found, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "found")]
pub struct Found {
    /// What it calls itself; null where it does not say.
    pub name: Option<String>,
    /// Its model, in the vendor's word; null where it does not say.
    pub model: Option<String>,
    /// The vendor's id of it; null where it does not say.
    pub id: Option<String>,
    /// The version of its API; null where it does not say.
    pub api_version: Option<String>,
    /// The URL on the local network.
    #[serde(skip)]
    pub url: String,
    /// Its address on the local network, for `connect_address`; null where none was announced.
    pub address: Option<String>,
    /// The URL from elsewhere; null where remote access is switched off.
    pub remote_url: Option<String>,
}
