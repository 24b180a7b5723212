//! The documents that vpnctl prints: contract section 5.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::status::{State, Status};
use super::{Network, Target, Traffic};

/// Names a document of contract section 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// States.
    Status,
    /// Targets.
    List,
    /// What `connect`, `disconnect` and `reconnect` did.
    Action,
    /// Logins.
    Auth,
    /// Backends and what they can do.
    Backends,
    /// What announces itself on the network; the same document, with what was found.
    Discovered,
    /// Resolved settings.
    Config,
    /// Lines of a vendor's log.
    Log,
    /// What `wait` waited for.
    Wait,
    /// Changes of a state, as `watch` sees them.
    Event,
    /// Whether targets are as expected.
    Check,
    /// VPN configurations.
    Tunnel,
    /// Settings of a local VPN client.
    Settings,
    /// Pinned certificates.
    Trust,
}

/// The keys of a status item, nested ones dotted, in the order of the contract.
const STATUS: &[&str] = &[
    "backend",
    "vendor",
    "target.kind",
    "target.id",
    "target.name",
    "target.type",
    "state",
    "raw_state",
    "ip_address",
    "connected_since",
    "network.mask",
    "network.gateway",
    "network.dns",
    "network.domain",
    "traffic.rx_bytes",
    "traffic.tx_bytes",
    "traffic.rx_rate",
    "traffic.tx_rate",
    "last_error.code",
    "last_error.message",
    "last_error.at",
    "last_attempt_at",
    "next_retry_s",
    "observed_at",
    "source",
    "error.type",
    "error.code",
    "error.exit",
    "error.layer",
    "error.backend",
    "error.target",
    "error.retryable",
    "error.retry_after_s",
    "error.http_status",
    "error.vendor_code",
    "error.message",
    "error.hint",
];

impl Schema {
    /// Gives the name, `status` for `vpnctl.status/v1`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::List => "list",
            Self::Action => "action",
            Self::Auth => "auth",
            Self::Backends | Self::Discovered => "backends",
            Self::Config => "config",
            Self::Log => "log",
            Self::Wait => "wait",
            Self::Event => "event",
            Self::Check => "check",
            Self::Tunnel => "tunnel",
            Self::Settings => "settings",
            Self::Trust => "trust",
        }
    }

    /// Gives the name with its version.
    #[must_use]
    pub fn versioned(self) -> String {
        format!("vpnctl.{}/v1", self.name())
    }

    /// Tells whether items may come without end, so that each is to be seen at once.
    #[must_use]
    pub fn is_followed(self) -> bool {
        matches!(self, Self::Event | Self::Log)
    }

    /// Lists the keys of an item, nested ones dotted, without `native`: the columns of CSV.
    #[must_use]
    pub fn columns(self) -> Vec<&'static str> {
        match self {
            Self::Status => STATUS.to_vec(),
            Self::Action => [STATUS, &["action", "changed"]].concat(),
            Self::List => {
                vec!["backend", "vendor", "target.kind", "target.id", "target.name", "target.type", "state", "labels"]
            }
            Self::Auth => vec!["backend", "vendor", "login", "account", "expires_at", "rights"],
            Self::Backends => vec!["backend", "vendor", "url", "capabilities"],
            Self::Discovered => vec![
                "backend",
                "vendor",
                "url",
                "capabilities",
                "found.name",
                "found.model",
                "found.id",
                "found.api_version",
                "found.address",
                "found.remote_url",
            ],
            Self::Config => vec!["key", "value", "origin"],
            Self::Log => vec!["backend", "at", "level", "text"],
            Self::Wait => [STATUS, &["held", "waited_s"]].concat(),
            Self::Event => [STATUS, &["from"]].concat(),
            Self::Check => [STATUS, &["expect", "ok"]].concat(),
            Self::Tunnel => {
                vec!["backend", "vendor", "target.kind", "target.id", "target.name", "target.type", "active", "config"]
            }
            Self::Settings => vec!["backend", "settings"],
            Self::Trust => vec!["backend", "url", "fingerprint", "subject", "not_after", "pinned"],
        }
    }

    /// Names the field that `-o value` prints where none is asked for.
    #[must_use]
    pub fn value_field(self) -> &'static str {
        match self {
            Self::Status | Self::Action | Self::Wait | Self::Event | Self::Check => "state",
            Self::List | Self::Tunnel => "target.id",
            Self::Auth => "login",
            Self::Backends => "backend",
            Self::Discovered => "url",
            Self::Config => "value",
            Self::Log => "text",
            Self::Settings => "settings",
            Self::Trust => "fingerprint",
        }
    }
}

/// Writes a time as RFC 3339 in UTC, to the second: no vendor measures finer.
#[must_use]
pub fn time(at: Timestamp) -> Value {
    let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
    Value::String(whole.to_string())
}

/// Makes a status item, with every key in every state.
#[must_use]
pub fn status(
    backend: &str,
    vendor: &str,
    status: &Status,
    observed_at: Timestamp,
    native: bool,
) -> Map<String, Value> {
    let link = match &status.state {
        State::Connected(link) => Some(link),
        _ => None,
    };
    let next_retry = match status.state {
        State::Failed { next_retry_s } => next_retry_s,
        _ => None,
    };
    let document = json!({
        "backend": backend,
        "vendor": vendor,
        "target": &status.target,
        "state": status.word(),
        "raw_state": &status.raw_state,
        "ip_address": link.and_then(|link| link.ip_address.as_deref()),
        "connected_since": link.and_then(|link| link.since).map(time),
        "network": link.and_then(|link| link.network.as_ref()).filter(|network| **network != Network::default()),
        "traffic": link.and_then(|link| link.traffic.as_ref()).filter(|traffic| **traffic != Traffic::default()),
        "last_error": status.last_error.as_ref().map(|error| json!({
            "code": error.code,
            "message": error.message,
            "at": error.at.map(time),
        })),
        "last_attempt_at": status.last_attempt_at.map(time),
        "next_retry_s": next_retry,
        "observed_at": time(observed_at),
        "source": status.source,
        "error": null,
        "native": status.native.as_ref().filter(|_| native),
    });
    object(document)
}

/// Makes the status item of something that could not be read; its `error` is added by whoever knows it.
#[must_use]
pub fn unread(backend: &str, vendor: &str, target: Option<&Target>, observed_at: Timestamp) -> Map<String, Value> {
    let mut unread = Status::new(State::Unknown, super::Source::Client);
    unread.target = target.cloned();
    let mut item = status(backend, vendor, &unread, observed_at, false);
    item.insert("source".to_owned(), Value::Null);
    item
}

/// Takes a JSON object apart; anything else is an empty one.
#[must_use]
pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Sums up a run: contract section 5.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How many items there are.
    pub total: usize,
    /// How many of them have no error and are no verdict that says no.
    pub ok: usize,
    /// How many of them have one, or are such a verdict.
    pub failed: usize,
    /// How many were changed.
    pub changed: usize,
    /// How many there are in each state.
    pub by_state: BTreeMap<String, usize>,
    /// How many failed with each code.
    pub by_code: BTreeMap<String, usize>,
}

impl Summary {
    /// Counts an item, or what has none, with the code of its error.
    pub fn count(&mut self, item: Option<&Map<String, Value>>, error: Option<&str>) {
        self.total += 1;
        if let Some(state) = item.and_then(|item| item.get("state")).and_then(Value::as_str) {
            *self.by_state.entry(state.to_owned()).or_default() += 1;
        }
        if item.and_then(|item| item.get("changed")).and_then(Value::as_bool) == Some(true) {
            self.changed += 1;
        }
        match error {
            Some(code) => {
                self.failed += 1;
                *self.by_code.entry(code.to_owned()).or_default() += 1;
            }
            // An answer that is no has no error, but it is not ok.
            None if item.and_then(|item| item.get("ok")) == Some(&Value::Bool(false)) => self.failed += 1,
            None => self.ok += 1,
        }
    }
}
