//! What the box says about itself.

use serde_json::{Map, Value, json};

use crate::simulate::faults::Faults;

/// The version that the box reports unless told otherwise: that of the newest captures.
const API_VERSION: &str = "16.0";
/// The id of the box, as in the documentation's examples.
const UID: &str = "23b86ec8091013d668829fe12791fdab";
/// The HTTPS port of the captured box, told while this one has none.
pub(super) const CAPTURED_HTTPS_PORT: u16 = 29491;

/// What differs between the two countries whose operator gives such boxes away (vendor/freebox.md sections 1 and 2).
#[derive(Debug, Clone, Copy)]
pub(super) struct Country {
    /// Its code, as in the subjects of certificates.
    pub(super) code: &'static str,
    /// The name under which every box of the country answers inside its own network.
    pub(super) host: &'static str,
    /// The domain of this box.
    pub(super) api_domain: &'static str,
    /// What the box is called.
    pub(super) device_name: &'static str,
    box_model: &'static str,
    box_model_name: &'static str,
    device_type: &'static str,
}

/// A French box, as captured; its domain is that of the documentation's examples.
const FRANCE: Country = Country {
    code: "FR",
    host: "mafreebox.freebox.fr",
    api_domain: "example.fbxos.fr",
    device_name: "Freebox Server",
    box_model: "fbxgw9-r1",
    box_model_name: "Freebox v9 (r1)",
    device_type: "FreeboxServer9,1",
};

/// An Italian one. Host and domain are known, and that it is a Freebox Pop; how it names itself is inferred.
const ITALY: Country = Country {
    code: "IT",
    host: "myiliadbox.iliad.it",
    api_domain: "example.ibxos.it",
    device_name: "Iliadbox Server",
    box_model: "fbxgw8-r1",
    box_model_name: "Iliadbox v8 (r1)",
    device_type: "FreeboxServer8,1",
};

/// Tells which country's box this is.
pub(super) fn country(faults: &Faults) -> Country {
    if faults.is_on("italy") { ITALY } else { FRANCE }
}

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
pub(super) fn api_version(faults: &Faults, https_port: u16) -> Map<String, Value> {
    let country = country(faults);
    let partial = faults.is_on("partial-api-version");
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("box_model_name", json!(country.box_model_name));
    put("api_base_url", json!("/api/"));
    put("https_port", json!(https_port));
    put("device_name", json!(country.device_name));
    put("https_available", json!(true));
    put("box_model", json!(country.box_model));
    if !partial {
        put("api_domain", json!(country.api_domain));
        put("uid", json!(uid(faults)));
    }
    put("api_version", json!(version(faults)));
    put("device_type", json!(if partial { "FreeboxServer1,1" } else { country.device_type }));
    body
}

/// Writes the TXT record of the announcement, all of whose values are strings (vendor/freebox.md section 2.2).
pub(super) fn text_record(faults: &Faults, https_port: u16) -> Vec<(&'static str, String)> {
    let country = country(faults);
    vec![
        ("api_version", version(faults)),
        ("device_type", country.device_type.to_owned()),
        ("api_base_url", "/api/".to_owned()),
        ("uid", uid(faults)),
        ("api_domain", country.api_domain.to_owned()),
        ("https_available", "1".to_owned()),
        ("https_port", https_port.to_string()),
        ("box_model", country.box_model.to_owned()),
        ("box_model_name", country.box_model_name.to_owned()),
    ]
}

/// Writes the result of `connection/config/` (vendor/freebox.md section 4.9).
pub(super) fn connection_config(faults: &Faults, https_port: u16) -> Value {
    json!({
        "allow_token_request": !faults.is_on("new-apps-denied"),
        "adblock": false,
        "wol": false,
        "sip_alg": "direct_media",
        "disable_guest": false,
        "remote_access_min_port": 16384,
        "api_domain": country(faults).api_domain,
        "remote_access": false,
        "is_secure_pass": true,
        "https_port": https_port,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announcement_has_the_documented_keys_and_the_values_of_the_version() {
        let faults = Faults::default();
        for fault in ["", "italy"] {
            faults.set(if fault.is_empty() { "uid=0123" } else { fault });
            let (record, version) = (text_record(&faults, 4711), api_version(&faults, 4711));
            let keys: Vec<&str> = record.iter().map(|(key, _)| *key).collect();
            let documented = "api_version,device_type,api_base_url,uid,api_domain,https_available,https_port,box_model,box_model_name";
            assert_eq!(keys.join(","), documented);
            for (key, text) in record {
                let told = &version[key];
                let told = told.as_str().map_or_else(|| told.to_string(), str::to_owned);
                assert_eq!(text, if key == "https_available" { "1" } else { &told }, "{key}");
            }
        }
        assert_eq!(api_version(&faults, 1)["api_domain"], json!("example.ibxos.it"));
    }
}
