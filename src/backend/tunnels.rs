//! VPN configurations that a vendor keeps.

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Value;

use crate::error::Result;
use crate::model::Target;

/// A VPN configuration, as it may be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Tunnel {
    /// What can be connected by it.
    pub target: Target,
    /// Whether it is the one that the vendor keeps up; `None` where that is not told.
    pub active: Option<bool>,
    /// The vendor's fields, secrets masked.
    pub config: Value,
}

/// Says what a configuration is to hold; what is `None` is left as it is, or to the vendor.
#[derive(Debug, Clone, Default)]
pub struct TunnelChange {
    /// The protocol, in the vendor's word.
    pub kind: Option<String>,
    /// What to call it.
    pub name: Option<String>,
    /// The VPN server's name or address.
    pub host: Option<String>,
    /// The VPN server's port.
    pub port: Option<u16>,
    /// The user at the VPN server.
    pub username: Option<String>,
    /// That user's password.
    pub password: Option<SecretString>,
    /// PPTP's encryption, in the vendor's word.
    pub mppe: Option<String>,
    /// PPTP's allowed ways to authenticate, in the vendor's words; those that are not named are not allowed.
    pub auth: Option<Vec<String>>,
    /// Addresses of name servers.
    pub dns: Option<Vec<String>>,
    /// The largest packet, in bytes.
    pub mtu: Option<u32>,
    /// The vendor's own fields; what the others say wins.
    pub document: Option<SecretDocument>,
    /// Whether it is brought up right away.
    pub activate: bool,
}

/// A document that may hold keys, so nothing prints it by accident.
#[derive(Clone)]
pub struct SecretDocument(pub Value);

impl std::fmt::Debug for SecretDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Manages the VPN configurations that a vendor keeps.
#[async_trait]
pub trait Tunnels: Send + Sync {
    /// Gives every configuration; none is no error.
    ///
    /// # Errors
    /// Fails with what the vendor said.
    async fn list(&self) -> Result<Vec<Tunnel>>;

    /// Gives one configuration.
    ///
    /// # Errors
    /// Fails with `target.not_found` where there is none, else with what the vendor said.
    async fn show(&self, target: &Target) -> Result<Tunnel>;

    /// Checks a configuration that is to be added, without asking the vendor.
    ///
    /// # Errors
    /// Fails with `usage` where a field is missing, unknown, of another protocol, or has a word that the vendor's
    /// documentation does not know.
    fn check_new(&self, wanted: &TunnelChange) -> Result<()>;

    /// Checks what a change says by itself, without asking the vendor.
    ///
    /// # Errors
    /// Fails with `usage` as [`Self::check_new`] does, and where nothing is to be changed.
    fn check_change(&self, change: &TunnelChange) -> Result<()>;

    /// Reads a file that other VPN software wrote; `name` is the file's name, whose ending says what it is.
    ///
    /// # Errors
    /// Fails with `usage` where it is of no known kind, lacks what is needed, or holds what the vendor can't take; the
    /// message has the line, and never a key.
    fn import(&self, name: &str, text: &str) -> Result<TunnelChange>;

    /// Adds a configuration: one write, sent once.
    ///
    /// # Errors
    /// Fails with what the vendor said; [`crate::error::Error::outcome_is_unknown`] tells whether it may be there.
    async fn add(&self, wanted: &TunnelChange) -> Result<Tunnel>;

    /// Changes a configuration: sends what differs from what is there and nothing else, in one write that is sent
    /// once; tells also whether something was sent.
    ///
    /// # Errors
    /// Fails with what the vendor said.
    async fn edit(&self, target: &Target, change: &TunnelChange) -> Result<(Tunnel, bool)>;

    /// Removes a configuration: one write, sent once.
    ///
    /// # Errors
    /// Fails with `target.not_found` where there is none, else with what the vendor said.
    async fn remove(&self, target: &Target) -> Result<()>;
}
