//! Settings of a VPN client on this computer.

use async_trait::async_trait;
use serde_json::Value;

use crate::error::Result;

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

    /// Changes keys and leaves the rest as it is: one read, one write, sent once; gives the settings afterwards and
    /// whether something was sent.
    ///
    /// # Errors
    /// Fails with what the client said.
    async fn set(&self, changes: &[(String, Value)]) -> Result<(Value, bool)>;

    /// Puts the settings back to what they were at first: one write, sent once; gives the settings afterwards.
    ///
    /// # Errors
    /// Fails with what the client said.
    async fn reset(&self) -> Result<Value>;
}
