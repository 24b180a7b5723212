//! What this vendor's module makes of bytes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::api::{base_path, decode, envelope, named};
use super::auth::{Auth, Memory, text_challenge};
use super::config::Config;
use super::discovery::DISCOVERY;
use super::redact::Known;
use super::wire::{ApiVersion, Authorizing, Challenge, Opened, Tracking, VpnStatus};
use super::{change, convert, ovpn, wg_conf};
use crate::backend::{ImportFile, Imported, SecretDocument, TunnelChange};
use crate::backends::fuzzing::{Meaning, STATUSES, kept as kept_as, opening, reply};
use crate::backends::shared::{Place, transport};
use crate::error::Result;
use crate::http::mdns::Announced;
use crate::http::without_quotes;
use crate::http::{Call, Protocol as _, Verdict};

thread_local! {
    static AUTH: Auth = auth();
}

fn auth() -> Auth {
    let opening = opening("freebox", &[("APP_TOKEN", "app-token")]);
    let Ok(config) = Config::read(&opening) else { panic!("the built-in settings can't be read") };
    let url = config.url.clone();
    let place = Place { url, peer: super::api::PEER, extra_roots: None, refused_hint: None, untrusted_hint: None };
    let Ok(transport) = transport(&opening, place) else { panic!("the built-in URL can't be used") };
    Auth::new(&opening, config, transport)
}

/// Reads bytes as each document of the box.
pub(crate) fn read(bytes: &[u8]) -> Vec<Meaning> {
    let mut met: Vec<Meaning> = announced(bytes).into_iter().map(Meaning::Text).collect();
    met.extend(convert::log(&String::from_utf8_lossy(bytes)).into_iter().map(|line| Meaning::Text(line.text)));
    AUTH.with(|auth| {
        for status in STATUSES {
            for call in [Call::get("status", "vpn_client/status"), Call::get("tunnel", "vpn_client/config/")] {
                match auth.verdict(&call, &reply(status, bytes)) {
                    Verdict::Done => {}
                    Verdict::Stale(error) | Verdict::Failed(error) => met.push(Meaning::Error(error)),
                }
            }
        }
    });
    note(&mut met, reply(200, bytes).json::<ApiVersion>("the box", "api_version").and_then(|found| base_path(&found)));
    let result = match envelope(&reply(200, bytes), "status") {
        Ok(answer) => answer.result.unwrap_or_default(),
        Err(error) => {
            met.push(Meaning::Error(error));
            // What is in no envelope may be what stands in one.
            serde_json::from_slice(bytes).unwrap_or_default()
        }
    };
    of_result(&mut met, result);
    met
}

fn note(met: &mut Vec<Meaning>, result: Result<String>) {
    met.push(result.map_or_else(Meaning::Error, Meaning::Text));
}

/// Reads a result as what each call has for one.
fn of_result(met: &mut Vec<Meaning>, result: Value) {
    let status = decode::<VpnStatus>(result.clone(), "status").map(convert::status);
    met.push(status.map_or_else(Meaning::Error, Meaning::Status));
    note(met, decode::<Challenge>(result.clone(), "login").and_then(text_challenge));
    note(met, decode::<Opened>(result.clone(), "login").map(|opened| format!("{:?}", opened.permissions)));
    note(met, decode::<Authorizing>(result.clone(), "login").map(|begun| begun.track_id.to_string()));
    note(met, decode::<Tracking>(result.clone(), "login").map(|track| track.status));
    if let Some(log) = result.as_str() {
        met.extend(convert::log(log).into_iter().map(|line| Meaning::Text(line.text)));
    }
    let configs = match &result {
        Value::Array(configs) => configs.clone(),
        one => vec![one.clone()],
    };
    for document in configs {
        match named(document.clone()) {
            Ok((target, _)) => met.push(Meaning::Target(target, BTreeMap::new())),
            Err(error) => met.push(Meaning::Error(error)),
        }
        met.push(Meaning::Text(convert::masked(document.clone()).to_string()));
        changes(met, document);
    }
}

/// Takes a document for one of `--from-json`.
fn changes(met: &mut Vec<Meaning>, document: Value) {
    let wanted = TunnelChange { document: Some(SecretDocument(document.clone())), ..TunnelChange::default() };
    met.extend(change::read_any(&wanted).err().map(Meaning::Error));
    match change::read_new(&wanted) {
        Ok(read) => {
            // What is there already differs in nothing but what the box never shows.
            let difference = change::difference(&document, &read, false);
            met.push(Meaning::Text(difference.changed.join(", ")));
        }
        Err(error) => met.push(Meaning::Error(error)),
    }
}

/// Reads lines of `KEY=VALUE` as what a box announces.
fn announced(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let properties: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let addresses = properties.get("address").and_then(|address| address.parse().ok()).into_iter().collect();
    let port = properties.get("port").and_then(|port| port.parse().ok()).unwrap_or(80);
    let name = properties.get("name").cloned().unwrap_or_default();
    let found = (DISCOVERY.read)(&Announced { name, port, addresses, properties });
    let texts = [found.name, found.model, found.id, found.api_version, found.address, found.remote_url];
    texts.into_iter().flatten().chain([found.url]).collect()
}

/// The fields that hold a secret.
const SECRETS: [&str; 6] =
    ["password", "config_file", "local_priv_key", "remote_preshared_key", "app_token", "session_token"];

/// Puts a secret in the place of each value that is one, and in one place at least.
fn planted(document: Value, secret: &str) -> Value {
    match document {
        Value::Object(map) => {
            let plant = |(name, value): (String, Value)| {
                let value = if SECRETS.contains(&name.as_str()) { json!(secret) } else { planted(value, secret) };
                (name, value)
            };
            Value::Object(map.into_iter().map(plant).collect())
        }
        Value::Array(list) => list.into_iter().map(|value| planted(value, secret)).collect(),
        other => other,
    }
}

/// Gives what would be shown of a text with a secret in it.
pub(crate) fn shown(text: &str, secret: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    let whole = json!([planted(document, secret), {"conf_openvpn": {"password": secret}}]);
    let mut shown = vec![convert::masked(whole.clone()).to_string()];
    let mut known = Known::default();
    known.learn(&whole);
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    let (before, after) = text.split_at(middle);
    shown.push(known.without(&format!("{before}{secret}{after}")));
    shown.push(without_quotes(&format!("invalid type: string \"{text}{secret}{text}\", expected a map")));
    // A daemon writes each on a line of its own, whatever stood before.
    for line in ["password={}", "auth-user-pass {}", "PrivateKey = {}", "url https://me:{}@vpn.example.org/"] {
        let line = format!("2014-02-20 14:55:10 dbg: openvpn: {}", line.replace("{}", secret));
        let lines = convert::log(&format!("{text}\n{line}\n{text}"));
        shown.extend(lines.into_iter().map(|line| line.text));
    }
    shown
}

/// Reads bytes as what is remembered of a box.
pub(crate) fn kept(bytes: &[u8]) {
    kept_as::<Memory>(bytes);
}

/// Reads a text as a file of other VPN software, and checks what holds of each that can be read.
///
/// # Errors
/// Fails as `tunnel import` does.
pub fn imported(name: &str, text: &str) -> Result<()> {
    let beside = |_: &str| Ok("-----BEGIN X-----\nAAAA\n-----END X-----\n".to_owned());
    let read = |text: &str| {
        let file = ImportFile { name, text, beside: &beside };
        if name.ends_with(".conf") { wg_conf::read(&file) } else { ovpn::read(&file) }
    };
    let first = read(text)?;
    let (printed, user) = (printed(&first), first.wanted.username.clone());
    match read(&printed) {
        Ok(second) => {
            assert_eq!(document(&first), document(&second), "{printed:?}");
            assert!(second.notes.is_empty() && second.wanted.username.is_none(), "{printed:?}");
        }
        Err(error) => panic!("{error}: {printed:?}"),
    }
    assert!(user.is_some() || first.wanted.password.is_none(), "a password without a user");
    // What was read can be added, or it is said why not.
    let wanted = TunnelChange { name: Some("one".to_owned()), ..first.wanted };
    change::read_new(&wanted).map(|_| ())
}

fn document(imported: &Imported) -> &Value {
    imported.wanted.document.as_ref().map_or(&Value::Null, |document| &document.0)
}

/// Writes what was read as a file again.
fn printed(imported: &Imported) -> String {
    let document = document(imported);
    if let Some(file) = document["conf_openvpn"]["config_file"].as_str() {
        return file.to_owned();
    }
    let empty = Map::new();
    let conf = document["conf_wireguard"].as_object().unwrap_or(&empty);
    let text = |name: &str| conf.get(name).and_then(Value::as_str).unwrap_or_default();
    let line = |key: &str, value: &str| if value.is_empty() { String::new() } else { format!("{key} = {value}\n") };
    let list = |name: &str, one: &dyn Fn(&Value) -> String| {
        let values = conf.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        values.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let address = |one: &Value| format!("{}/{}", one["ip"].as_str().unwrap_or_default(), one["len"]);
    let plain = |one: &Value| one.as_str().unwrap_or_default().to_owned();
    let host = text("remote_addr");
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let port = conf.get("remote_port").map(|port| format!("{host}:{port}")).unwrap_or_default();
    let mtu = conf.get("mtu").map(ToString::to_string).unwrap_or_default();
    [
        "[Interface]\n".to_owned(),
        line("PrivateKey", text("local_priv_key")),
        line("Address", &list("local_addr", &address)),
        line("DNS", &list("dns", &plain)),
        line("MTU", &mtu),
        "[Peer]\n".to_owned(),
        line("PublicKey", text("remote_public_key")),
        line("PresharedKey", text("remote_preshared_key")),
        line("Endpoint", &port),
    ]
    .concat()
}
