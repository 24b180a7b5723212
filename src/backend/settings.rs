//! Settings of a VPN client on this computer.

use async_trait::async_trait;
use serde_json::Value;

use crate::error::Result;

/// What became of settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// The settings afterwards, secrets masked.
    pub settings: Value,
    /// What differs, a line each, secrets masked: `proxy: "" → "proxy.example.net"`; empty where nothing was to do.
    pub differences: Vec<String>,
}

/// Reads and changes the settings of a local VPN client.
#[async_trait]
pub trait Settings: Send + Sync {
    /// Gives the settings as the client tells them, secrets masked.
    ///
    /// # Errors
    /// Fails with what the client said.
    async fn show(&self) -> Result<Value>;

    /// Checks changes without asking the client: `key` is dotted where it is nested, `value` is JSON, or else text.
    ///
    /// # Errors
    /// Fails with `usage` where a key or value could do harm.
    fn check(&self, changes: &[(String, Value)]) -> Result<()>;

    /// Changes keys and leaves the rest as it is: one read, and one write, sent once, where something differs; with
    /// `dry_run` none. What was written is read back.
    ///
    /// # Errors
    /// Fails with `usage` for a key that the client does not show, or a value of another kind than what is there; with
    /// `conflict.guard` where what would be written back could do harm; else with what the client said.
    async fn set(&self, changes: &[(String, Value)], dry_run: bool) -> Result<Changed>;

    /// Puts the settings back to what they were at first: one write, sent once; gives the settings afterwards.
    ///
    /// # Errors
    /// Fails with what the client said.
    async fn reset(&self) -> Result<Value>;
}
