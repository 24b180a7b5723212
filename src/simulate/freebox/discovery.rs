//! What the box says about itself.

use serde_json::{Map, Value, json};

use crate::simulate::faults::Faults;

/// The version that the box reports unless told otherwise: that of the newest captures.
const API_VERSION: &str = "16.0";
/// The id of the box, as in the documentation's examples.
const UID: &str = "23b86ec8091013d668829fe12791fdab";
/// The domain of the box, as in the documentation's examples.
const API_DOMAIN: &str = "example.fbxos.fr";
/// The remote HTTPS port of the box, as captured.
const HTTPS_PORT: u16 = 29491;

/// Gives the id of the box.
pub(super) fn uid(faults: &Faults) -> String {
    faults.arg("uid").unwrap_or_else(|| UID.to_owned())
}

/// Gives the major version, the highest that a path may name.
pub(super) fn major(faults: &Faults) -> u32 {
    let version = version(faults);
    version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(1)
}

/// Writes `/api_version`, with the keys of a real box (vendor/freebox.md section 2.1).
pub(super) fn api_version(faults: &Faults) -> Map<String, Value> {
    let partial = faults.is_on("partial-api-version");
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("box_model_name", json!("Freebox v9 (r1)"));
    put("api_base_url", json!("/api/"));
    put("https_port", json!(HTTPS_PORT));
    put("device_name", json!("Freebox Server"));
    put("https_available", json!(true));
    put("box_model", json!("fbxgw9-r1"));
    if !partial {
        put("api_domain", json!(API_DOMAIN));
        put("uid", json!(uid(faults)));
    }
    put("api_version", json!(version(faults)));
    put("device_type", json!(if partial { "FreeboxServer1,1" } else { "FreeboxServer9,1" }));
    body
}

/// Writes the result of `connection/config/` (vendor/freebox.md section 4.9).
pub(super) fn connection_config(faults: &Faults) -> Value {
    json!({
        "allow_token_request": !faults.is_on("new-apps-denied"),
        "adblock": false,
        "wol": false,
        "sip_alg": "direct_media",
        "disable_guest": false,
        "remote_access_min_port": 16384,
        "api_domain": API_DOMAIN,
        "remote_access": false,
        "is_secure_pass": true,
        "https_port": HTTPS_PORT,
        "api_remote_access": true,
        "https_available": true,
        "remote_access_ip": "203.0.113.1",
        "remote_access_port": 21252,
        "ping": true,
        "remote_access_max_port": 32767,
        "adblock_not_set": false,
    })
}

fn version(faults: &Faults) -> String {
    faults.arg("api-version").unwrap_or_else(|| API_VERSION.to_owned())
}
