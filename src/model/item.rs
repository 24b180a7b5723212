//! The documents that vpnctl prints: contract section 5.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Target;
use super::document::StatusItem;
use super::status::{State, Status};

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
    /// Layers that `doctor` looked at.
    Doctor,
    /// The documents themselves.
    Documents,
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
    /// Every document.
    pub const ALL: [Self; 16] = [
        Self::Status,
        Self::List,
        Self::Action,
        Self::Auth,
        Self::Backends,
        Self::Discovered,
        Self::Config,
        Self::Log,
        Self::Wait,
        Self::Event,
        Self::Check,
        Self::Tunnel,
        Self::Settings,
        Self::Trust,
        Self::Doctor,
        Self::Documents,
    ];

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
            Self::Doctor => "doctor",
            Self::Documents => "schema",
        }
    }

    /// Gives the name with its version.
    #[must_use]
    pub fn versioned(self) -> String {
        format!("vpnctl.{}/v1", self.name())
    }

    /// Tells whether its items are targets that are asked or changed, of which there may be many.
    #[must_use]
    pub fn is_of_fleets(self) -> bool {
        matches!(self, Self::Status | Self::List | Self::Action | Self::Wait | Self::Check)
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
            Self::Doctor => vec!["backend", "layer", "ok", "finding", "remedy"],
            Self::Documents => vec!["name", "id", "verbs", "description"],
        }
    }

    /// Lists the keys that only some items have, for `--fields`.
    #[must_use]
    pub fn sometimes(self) -> Vec<&'static str> {
        match self {
            Self::List | Self::Auth | Self::Doctor => {
                STATUS.iter().copied().filter(|name| name.starts_with("error.")).chain(["error"]).collect()
            }
            Self::Tunnel => vec!["changed"],
            _ => Vec::new(),
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
            Self::Doctor => "finding",
            Self::Documents => "name",
        }
    }
}

/// Makes the map of an item: the document's type says which keys there are, and in which order.
#[must_use]
pub fn of(item: &impl Serialize) -> Map<String, Value> {
    // It holds text, numbers and lists of them, and no such thing fails.
    object(serde_json::to_value(item).unwrap_or_default())
}

/// A status as it was read, of which a status item is made only where somebody looks into it.
#[derive(Debug)]
pub struct StatusRow {
    /// The name of the backend.
    pub backend: Arc<str>,
    /// Its vendor.
    pub vendor: &'static str,
    /// The state.
    pub status: Status,
    /// When it was read.
    pub observed_at: Timestamp,
    /// Whether the vendor's document is shown.
    pub native: bool,
}

impl StatusRow {
    /// Gives the document.
    #[must_use]
    pub fn document(&self) -> StatusItem<'_, ()> {
        let item = StatusItem::of(&self.backend, self.vendor, &self.status, self.observed_at);
        StatusItem { native: self.status.native.as_ref().filter(|_| self.native), ..item }
    }
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
    let item = StatusItem::<()>::of(backend, vendor, status, observed_at);
    of(&StatusItem { native: status.native.as_ref().filter(|_| native), ..item })
}

/// Makes the status item of something that could not be read; its `error` is added by whoever knows it.
#[must_use]
pub fn unread(backend: &str, vendor: &str, target: Option<&Target>, observed_at: Timestamp) -> Map<String, Value> {
    let status = Status { target: target.cloned(), ..Status::new(State::Unknown, super::Source::Client) };
    of(&StatusItem::<()> { source: None, ..StatusItem::of(backend, vendor, &status, observed_at) })
}

/// Adds to an item what a verb has to say of it.
#[must_use]
pub fn marked(mut item: Map<String, Value>, mark: &impl Serialize) -> Map<String, Value> {
    item.extend(of(mark));
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

/// Sums up a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "summary")]
pub struct Summary {
    /// How many there are: items, and what failed without one.
    pub total: usize,
    /// How many of them did not fail; what could not be looked at is not among them.
    pub ok: usize,
    /// How many of them failed, or are a verdict that says no.
    pub failed: usize,
    /// How many were changed.
    pub changed: usize,
    /// How many items there are in each state; only states that there are.
    pub by_state: BTreeMap<String, usize>,
    /// How many failed with each error code; only codes that there are.
    pub by_code: BTreeMap<String, usize>,
}

impl Summary {
    /// Counts a state that could be read.
    pub fn count_state(&mut self, state: super::Word) {
        self.total += 1;
        self.ok += 1;
        match self.by_state.get_mut(state.as_str()) {
            Some(count) => *count += 1,
            None => drop(self.by_state.insert(state.as_str().to_owned(), 1)),
        }
    }

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
            // An answer that is no has no error, but it is not ok; nor is what was waited for and does not hold.
            None if ["ok", "held"]
                .iter()
                .any(|key| item.and_then(|item| item.get(*key)) == Some(&Value::Bool(false))) =>
            {
                self.failed += 1;
            }
            // What could not be looked at is neither.
            None if item.and_then(|item| item.get("ok")) == Some(&Value::Null) => {}
            None => self.ok += 1,
        }
    }
}
