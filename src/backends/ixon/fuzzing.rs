//! What this vendor's module makes of bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::api::Local;
use super::auth::login_of;
use super::config::Config;
use super::memory::{Memory, Remembered};
use super::secrets::Secrets;
use super::wire::{AccessToken, Agent, Discovery, Envelope, Identified};
use super::{cloud, convert, document, failure, version};
use crate::backends::fuzzing::{Meaning, STATUSES, kept as kept_as, opening, reply};
use crate::http::Call;

thread_local! {
    static LOCAL: Local = local();
}

fn local() -> Local {
    let opening = opening("ixon", &[("APPLICATION_ID", "aaaaaaaaaaaa"), ("COMPANY_ID", "1111")]);
    let config = Config::read(&opening);
    let memory = Arc::new(Remembered::open(&opening, &config));
    let Ok(local) = Local::new(&opening, &config, memory) else { panic!("the built-in settings can't be used") };
    local
}

/// Reads bytes as each document of the client and of the cloud.
pub(crate) fn read(bytes: &[u8]) -> Vec<Meaning> {
    let mut met = Vec::new();
    let text = String::from_utf8_lossy(bytes);
    met.extend(pushed(&text));
    met.extend(version::parse(&text).and_then(version::advisory).map(Meaning::Text));
    for status in STATUSES {
        let reply = reply(status, bytes);
        for operation in ["status", "connect", "settings", "api"] {
            met.push(Meaning::Error(failure::of_client(&Call::get(operation, "status"), &reply)));
        }
        met.extend(failure::of_cloud("bench", &reply).map(Meaning::Error));
    }
    match reply(200, bytes).json::<Discovery>("the client", "discovery") {
        Ok(found) => LOCAL.with(|local| {
            for entry in found.links {
                let path = local.path_of(&entry.href);
                assert!(path.as_ref().map_or(true, |path| path.starts_with('/')), "{path:?}");
                met.push(path.map_or_else(Meaning::Error, Meaning::Text));
            }
        }),
        Err(error) => met.push(Meaning::Error(error)),
    }
    match reply(200, bytes).json::<Envelope>("the cloud", "list") {
        Ok(envelope) => envelope.values().into_iter().for_each(|value| of_value(&mut met, value)),
        Err(error) => met.push(Meaning::Error(error)),
    }
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        settings(&mut met, value);
    }
    met
}

/// Reads a value of the cloud as what each call has for one.
fn of_value(met: &mut Vec<Meaning>, value: Value) {
    if let Ok(agent) = serde_json::from_value::<Agent>(value.clone()) {
        let agent = cloud::remembered(agent, "1111");
        met.extend(agent.description().map(Meaning::Text));
        agent.also.iter().for_each(|known| assert!(agent.is_known_as(known), "{known:?}"));
        met.push(Meaning::Target(agent.target(), agent.labels.clone()));
    }
    if let Ok(thing) = serde_json::from_value::<Identified>(value.clone()) {
        met.push(Meaning::Text(thing.public_id));
    }
    if let Ok(token) = serde_json::from_value::<AccessToken>(value) {
        met.push(Meaning::Text(format!("{:?} {:?} {:?}", token.expires_on, token.user, token.secret_id.is_some())));
    }
}

/// Takes a document for the client's settings, and changes each of them to what it is.
fn settings(met: &mut Vec<Meaning>, value: Value) {
    met.push(Meaning::Text(document::masked(&value).to_string()));
    met.extend(document::check_whole(&value).err().map(Meaning::Error));
    let keys: Vec<String> = value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
    for key in keys {
        let mut changed = value.clone();
        let changes = [(key.clone(), value[&key].clone())];
        met.extend(document::check(&changes).err().map(Meaning::Error));
        match document::apply(&mut changed, &changes) {
            Ok(differences) => assert!(differences.is_empty() && changed == value, "{key:?}: {differences:?}"),
            Err(error) => met.push(Meaning::Error(error)),
        }
        met.extend(document::apply(&mut changed, &[(key, json!(["new"]))]).err().map(Meaning::Error));
    }
}

/// Reads a text as a message of the client's WebSocket; gives the status, where it is one.
#[must_use]
pub fn pushed(text: &str) -> Option<Meaning> {
    convert::pushed(text).ok().map(Meaning::Status)
}

/// Gives what would be shown of a text with a secret in it.
pub(crate) fn shown(text: &str, secret: &str) -> Vec<String> {
    let secrets = Secrets::default();
    secrets.add(secret);
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    let (before, after) = text.split_at(middle);
    let around = format!("{before}{secret}{after}");
    let quoted =
        |body: &str| String::from_utf8_lossy(&secrets.quotable(&reply(400, body.as_bytes())).body).into_owned();
    let inside: Value = serde_json::from_str(text).unwrap_or_default();
    // Named in one place, repeated in others.
    let document = json!({"activeRequest": {"token": secret, "steps": inside}, "message": around, "status": "idle"});
    let pushed = convert::read(document.clone()).map(|status| format!("{status:?}")).unwrap_or_default();
    let error = failure::of_client(&Call::get("status", "status"), &secrets.quotable(&reply(400, around.as_bytes())));
    vec![
        secrets.hide(&around),
        quoted(&around),
        quoted(&json!({"data": [{"message": around}]}).to_string()),
        document::clean(document.clone()).to_string(),
        document::masked(&json!({"proxyPassword": secret, "proxy": format!("http://me:{secret}@proxy/")})).to_string(),
        pushed,
        format!("{error:?}"),
    ]
}

/// Reads bytes as what is remembered of a client and its cloud.
pub(crate) fn kept(bytes: &[u8]) {
    let Some(memory) = kept_as::<Memory>(bytes) else { return };
    let agents: BTreeMap<&str, _> = memory.agents.iter().map(|agent| (agent.id.as_str(), agent.target())).collect();
    for agent in &memory.agents {
        assert!(agents.contains_key(agent.target().id.as_str()));
        let _ = (agent.is_known_as("00:11:22:33:44:55"), agent.description());
    }
    if let Some(token) = &memory.token {
        let _ = login_of(token);
    }
}
