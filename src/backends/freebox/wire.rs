//! The box's documents: <https://dev.freebox.fr/sdk/os/vpn_client/> and <https://dev.freebox.fr/sdk/os/login/>.
//!
//! Every field is optional that a real box was seen to leave out, unknown fields are ignored, and words stay text.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The answer of `GET /api_version`: a bare object, not the envelope.
#[derive(Debug, Deserialize)]
pub(super) struct ApiVersion {
    pub(super) api_version: String,
    pub(super) api_base_url: String,
    #[serde(default)]
    pub(super) uid: Option<String>,
    #[serde(default)]
    pub(super) box_model: Option<String>,
    #[serde(default)]
    pub(super) box_model_name: Option<String>,
    /// The name and port of remote access; real bodies were seen without.
    #[serde(default)]
    pub(super) api_domain: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) https_port: Option<i64>,
}

/// The envelope of all other answers. `result` is left undecoded: of a failure it is a map, whatever the success is.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope {
    pub(super) success: bool,
    #[serde(default)]
    pub(super) result: Option<Value>,
    #[serde(default)]
    pub(super) error_code: Option<String>,
    #[serde(default)]
    pub(super) msg: Option<String>,
    #[serde(default)]
    pub(super) missing_right: Option<String>,
    /// Which box it is; failed logins tell it.
    #[serde(default)]
    pub(super) uid: Option<String>,
}

/// The answer of `GET login/`.
#[derive(Debug, Deserialize)]
pub(super) struct Challenge {
    #[serde(default)]
    pub(super) logged_in: Option<bool>,
    /// A string; the web interface's own cookie login is answered with an array of scripts instead.
    #[serde(default)]
    pub(super) challenge: Option<Value>,
}

/// The answer of `POST login/session/`.
#[derive(Deserialize)]
pub(super) struct Opened {
    pub(super) session_token: String,
    #[serde(default)]
    pub(super) permissions: BTreeMap<String, bool>,
}

/// The body of `POST login/session/`.
#[derive(Serialize)]
pub(super) struct Open<'a> {
    pub(super) app_id: &'a str,
    pub(super) password: &'a str,
}

/// The body of `POST login/authorize/`.
#[derive(Debug, Serialize)]
pub(super) struct Authorize<'a> {
    pub(super) app_id: &'a str,
    pub(super) app_name: &'a str,
    pub(super) app_version: &'a str,
    pub(super) device_name: &'a str,
}

/// The answer of `POST login/authorize/`.
#[derive(Deserialize)]
pub(super) struct Authorizing {
    pub(super) app_token: String,
    pub(super) track_id: Value,
}

/// The answer of `GET login/authorize/{track_id}`.
#[derive(Debug, Deserialize)]
pub(super) struct Tracking {
    pub(super) status: String,
}

/// A VPN client configuration, as far as vpnctl reads it here.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct VpnConfig {
    pub(super) id: String,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default, rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) active: Option<Value>,
}

/// The body of a `PUT vpn_client/config/{id}` that switches a configuration on or off.
#[derive(Debug, Serialize)]
pub(super) struct Active {
    pub(super) active: bool,
}

/// The answer of `GET vpn_client/status`; of an inactive client it holds `enabled` and nothing else.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct VpnStatus {
    pub(super) enabled: Option<bool>,
    pub(super) active_vpn: Option<String>,
    pub(super) active_vpn_description: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) state: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub(super) last_up: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) last_try: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) next_try: Option<i64>,
    pub(super) last_error: Option<String>,
    pub(super) stats: Option<Stats>,
    /// The example and clients say `ipv4`, the table of attributes `IPv4`.
    pub(super) ipv4: Option<IpInfo>,
    #[serde(rename = "IPv4")]
    pub(super) documented_ipv4: Option<IpInfo>,
}

/// What went through the tunnel, from the box's side.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Stats {
    #[serde(deserialize_with = "lenient")]
    pub(super) rate_up: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) rate_down: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) bytes_up: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) bytes_down: Option<i64>,
}

/// The network that the VPN server provided; `routes` and `dhcp` are documented in contradictory forms and not read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct IpInfo {
    pub(super) ip_mask: Option<IpMask>,
    pub(super) domain: Option<String>,
    pub(super) gateway: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub(super) dns: Vec<String>,
}

/// An address and its netmask.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct IpMask {
    pub(super) ip: Option<String>,
    pub(super) mask: Option<String>,
}

/// Reads the texts of a list; the vendor's example writes an empty list, `routes`, as `{}`.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let Value::Array(values) = Value::deserialize(deserializer)? else { return Ok(Vec::new()) };
    Ok(values.into_iter().filter_map(|value| value.as_str().map(str::to_owned)).collect())
}

/// Reads a number that is sometimes a string; anything else is nothing.
fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match Option::<Value>::deserialize(deserializer)? {
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    })
}
