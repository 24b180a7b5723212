//! How a login stands.

use schemars::JsonSchema;
use serde::Serialize;

/// Says how a login stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "login")]
pub enum LoginState {
    /// It works.
    Ok,
    /// There is none.
    Missing,
    /// It no longer works.
    Expired,
    /// It waits for somebody to grant it.
    Pending,
}
