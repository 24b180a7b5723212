//! The documents of the VPN client and of the cloud.
//!
//! The vendor says that the status is subject to change, so words stay text, unknown fields are ignored, and what has
//! been seen in several forms is read in all of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The answer of the client's `GET /`.
#[derive(Debug, Deserialize)]
pub(super) struct Discovery {
    #[serde(default)]
    pub(super) links: Vec<LinkEntry>,
}

/// One entry of the discovery.
#[derive(Debug, Deserialize)]
pub(super) struct LinkEntry {
    pub(super) rel: String,
    pub(super) href: String,
}

/// The answer of the client's `GET /status`.
#[derive(Debug, Deserialize)]
pub struct ClientStatus {
    pub(super) status: String,
    /// An object, `""`, null, missing, or a string that holds JSON.
    #[serde(default, rename = "activeRequest")]
    pub(super) active_request: Value,
}

/// What the client is working at.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ActiveRequest {
    pub(super) agent_id: Option<String>,
    /// A list of `{name, description, status: {code, message}}`; names and codes are open sets.
    pub(super) steps: Value,
}

/// The body of the client's `POST /connect`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connect<'a> {
    pub(super) agent_id: &'a str,
    pub(super) company_id: &'a str,
}

/// The envelope of the cloud's answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Envelope {
    #[serde(default)]
    pub(super) status: Option<String>,
    /// A list, one object where there is one value, or null.
    #[serde(default)]
    pub(super) data: Value,
    #[serde(default)]
    pub(super) more_after: Option<String>,
}

/// One error of the cloud.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Fault {
    pub(super) message: Option<String>,
    pub(super) property_name: Option<String>,
}

/// An agent, as far as vpnctl reads it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Agent {
    pub(super) public_id: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) device_id: Option<String>,
    #[serde(default)]
    pub(super) serial_number: Option<String>,
    #[serde(default)]
    pub(super) mac_address: Option<String>,
}

/// A thing of the cloud that has an id: a company, a sector.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Identified {
    pub(super) public_id: String,
}

/// The body of `POST /access-tokens`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokenRequest {
    pub(super) expires_in: u32,
}

/// The answer of `POST /access-tokens` and `GET /access-tokens/me`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessToken {
    /// Shown only when the token is made.
    #[serde(default)]
    pub(super) secret_id: Option<String>,
    #[serde(default)]
    pub(super) expires_on: Option<String>,
}

/// The body of `POST /agents/{publicId}/connection/openvpn`.
#[derive(Debug, Serialize)]
pub(super) struct Wake {
    pub(super) action: &'static str,
}

impl Envelope {
    /// Gives the values, whatever form the list has.
    pub(super) fn values(self) -> Vec<Value> {
        match self.data {
            Value::Array(values) => values,
            Value::Null => Vec::new(),
            one => vec![one],
        }
    }
}
