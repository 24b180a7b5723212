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
    /// What the company keeps of it under names of its own.
    #[serde(default)]
    pub(super) custom: Value,
    #[serde(default)]
    pub(super) company: Option<Named>,
    /// Its link to the cloud: an object, or null. Missing where it was not told.
    #[serde(default, deserialize_with = "there")]
    pub(super) mdr_server: Option<Value>,
    /// Its own VPN: an object with `vpnAddress`, or null. Missing where it was not told.
    #[serde(default, deserialize_with = "there")]
    pub(super) active_vpn_session: Option<Value>,
}

/// Something that has a name.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    #[serde(default)]
    pub(super) name: Option<String>,
}

/// Takes a value that is there, null included.
fn there<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// How far the cloud reaches a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Its VPN is up.
    Vpn,
    /// It has a link to the cloud, its VPN is off.
    Cloud,
    /// It has neither.
    Nothing,
}

impl Agent {
    /// Tells how far the cloud reaches it, by the vendor's own definition of "online"; nothing where that is not told.
    pub(super) fn reach(&self) -> Option<Reach> {
        let (link, session) = (self.mdr_server.as_ref()?, self.active_vpn_session.as_ref()?);
        let address = session.get("vpnAddress").and_then(Value::as_str);
        Some(match address {
            Some(address) if !address.is_empty() => Reach::Vpn,
            _ if link.is_object() => Reach::Cloud,
            _ => Reach::Nothing,
        })
    }

    /// Gives the custom properties that are one value each.
    pub(super) fn properties(&self) -> impl Iterator<Item = (&str, String)> {
        self.custom.as_object().into_iter().flatten().filter_map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => return None,
            };
            (!text.trim().is_empty()).then_some((name.as_str(), text))
        })
    }
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
    #[serde(default)]
    pub(super) user: Option<User>,
}

/// Whose a token is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) email_address: Option<String>,
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
