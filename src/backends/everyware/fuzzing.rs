//! What this vendor's module makes of bytes.

use serde_json::{Value, json};

use super::accounts::{Account, Part};
use super::auth::Memory;
use super::connections::Connections;
use super::wire::{AccessToken, Device, LoginInfo, Page, VpnClientStatus, VpnConnection};
use super::{convert, failure, ids};
use crate::backends::attempts::Attempts;
use crate::backends::fuzzing::{Meaning, STATUSES, kept as kept_as, reply};
use crate::error::{Error, Result};
use crate::http::Call;
use crate::model::Source;

/// Reads bytes as each document of the cloud.
pub(crate) fn read(bytes: &[u8]) -> Vec<Meaning> {
    let mut met = Vec::new();
    for status in STATUSES {
        let write = Call::write("connect", reqwest::Method::POST, "_/devices/AQ/vpn/_connect");
        for call in [Call::get("status", "_/devices/AQ/vpn"), write] {
            met.extend(failure::of(&call, &reply(status, bytes)).map(Meaning::Error));
        }
    }
    match document::<VpnClientStatus>(bytes) {
        Ok(status) => met.push(Meaning::Status(convert::device(&status.unwrapped()))),
        Err(error) => met.push(Meaning::Error(error)),
    }
    lists(&mut met, bytes);
    match document::<LoginInfo>(bytes) {
        Ok(info) => met.extend(info.rights().into_iter().map(Meaning::Text)),
        Err(error) => met.push(Meaning::Error(error)),
    }
    // Of a login that is wrong nothing is quoted.
    let answer = crate::http::Reply { confidential: true, ..reply(200, bytes) };
    match answer.json::<AccessToken>(failure::PEER, "login") {
        Ok(token) => met.extend(token.expires_on.map(Meaning::Text)),
        Err(error) => met.push(Meaning::Error(error)),
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let is_same = |number: i64| ids::for_path(&number.to_string()) == text;
        assert!(ids::number(text).is_none_or(is_same), "both forms of {text:?} are of one number");
        met.push(Meaning::Text(ids::shown(text)));
    }
    met
}

fn document<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    reply(200, bytes).json(failure::PEER, "status")
}

/// Reads a page of each list, and puts the connections beside the devices.
fn lists(met: &mut Vec<Meaning>, bytes: &[u8]) {
    let mut connections = Connections::default();
    match document::<Page<VpnConnection>>(bytes) {
        Ok(page) => page.items.into_iter().for_each(|connection| connections.add(connection)),
        Err(error) => met.push(Meaning::Error(error)),
    }
    connections.settle();
    match document::<Page<Device>>(bytes) {
        Ok(page) => {
            for device in page.items {
                met.push(Meaning::Target(convert::target(&device, None), convert::labels(&device)));
                met.push(Meaning::Status(convert::server(connections.find(&device.id), Source::Server)));
            }
        }
        Err(error) => met.push(Meaning::Error(error)),
    }
    // The same page, as one of connections whose devices are not in the account.
    if let Ok(page) = document::<Page<VpnConnection>>(bytes) {
        for id in page.items.into_iter().filter_map(|connection| connection.device_id) {
            let link = connections.find(&id);
            assert!(link.is_some(), "the connection of {id:?} is not found");
            met.push(Meaning::Status(convert::server(link, Source::Server)));
        }
    }
    match document::<Page<Account>>(bytes) {
        Ok(page) => {
            for account in page.items {
                let part = Part { scope: Some(account.id), name: Some(account.name) };
                met.push(Meaning::Error(part.own(Error::usage("wrong"))));
            }
        }
        Err(error) => met.push(Meaning::Error(error)),
    }
}

/// Gives what would be shown of a text with a secret in it.
pub(crate) fn shown(text: &str, secret: &str) -> Vec<String> {
    let inside: Value = serde_json::from_str(text).unwrap_or_default();
    let document = json!({"vpn": [{"authToken": secret, "privateKey": {"a": secret}}, inside], "password": [secret]});
    let answer = crate::http::Reply { confidential: true, ..reply(200, format!("{text}{secret}").as_bytes()) };
    let told = answer.json::<AccessToken>(failure::PEER, "login").err().map(|error| format!("{error:?}"));
    vec![convert::masked(document).to_string(), told.unwrap_or_default()]
}

/// Reads bytes as what is remembered of a login.
pub(crate) fn kept(bytes: &[u8]) {
    kept_as::<Memory>(bytes);
    kept_as::<Attempts>(bytes);
}
