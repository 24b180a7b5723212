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

/// A file that other VPN software wrote.
pub struct ImportFile<'a> {
    /// Its name, for messages; the ending says what it is.
    pub name: &'a str,
    /// What it holds.
    pub text: &'a str,
    /// Reads another file that it names, relative to its own folder.
    pub beside: &'a dyn Fn(&str) -> std::io::Result<String>,
}

impl std::fmt::Debug for ImportFile<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImportFile").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What was read out of a file.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The configuration, without a name.
    pub wanted: TunnelChange,
    /// What the vendor has no place for and was left out; each is a sentence without any secret.
    pub notes: Vec<String>,
}

/// What came of a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Edited {
    /// The configuration as it is now.
    pub tunnel: Tunnel,
    /// The vendor's names of the fields that differed, dotted; empty where there was nothing to send.
    pub changed: Vec<String>,
}

/// Manages the VPN configurations that a vendor keeps. What it gives never holds a secret.
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

    /// Checks a configuration that is to be added, without asking the vendor; a password may still be missing.
    ///
    /// # Errors
    /// Fails with `usage` where a field is missing, of another protocol, of a wrong form, or has a word that the
    /// vendor's documentation does not know.
    fn check_new(&self, wanted: &TunnelChange) -> Result<()>;

    /// Shows what would be added, without asking the vendor; its target has an empty id.
    ///
    /// # Errors
    /// Fails with `usage` as [`Self::check_new`] does.
    fn preview(&self, wanted: &TunnelChange) -> Result<Tunnel>;

    /// Checks that a name can be given to a configuration that is to be added.
    ///
    /// # Errors
    /// Fails with `conflict.exists` where it is taken, else with what the vendor said.
    async fn check_name(&self, name: &str) -> Result<()>;

    /// Checks what a change says by itself, without asking the vendor.
    ///
    /// # Errors
    /// Fails with `usage` as [`Self::check_new`] does, and where nothing is to be changed.
    fn check_change(&self, change: &TunnelChange) -> Result<()>;

    /// Tells whether a configuration that passed [`Self::check_new`] needs a password and has none.
    fn lacks_password(&self, wanted: &TunnelChange) -> bool;

    /// Reads a file that other VPN software wrote; sends no request.
    ///
    /// # Errors
    /// Fails with `usage` where it is of no known kind, lacks what is needed, or holds what the vendor can't take; the
    /// message has the line, and never a key.
    fn import(&self, file: &ImportFile<'_>) -> Result<Imported>;

    /// Adds a configuration: one write, sent once.
    ///
    /// # Errors
    /// Fails with `conflict.exists` where that name is taken, else with what the vendor said;
    /// [`crate::error::Error::outcome_is_unknown`] tells whether it may be there.
    async fn add(&self, wanted: &TunnelChange) -> Result<Tunnel>;

    /// Changes a configuration: sends what differs from what is there and nothing else, in one write that is sent
    /// once. With `dry_run` it only tells what differs.
    ///
    /// # Errors
    /// Fails with `usage` where the change does not fit what is there, `conflict.exists` where the new name is taken,
    /// else with what the vendor said.
    async fn edit(&self, target: &Target, change: &TunnelChange, dry_run: bool) -> Result<Edited>;

    /// Removes a configuration: one write, sent once. A connection that it has ends with it.
    ///
    /// # Errors
    /// Fails with `target.not_found` where there is none, else with what the vendor said.
    async fn remove(&self, target: &Target) -> Result<()>;
}
