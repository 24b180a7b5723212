//! The status item, and what verbs add to it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Time;
use crate::model::{LastError, Network, Source, State, Status, Target, Traffic, Word};

/// What a VPN is doing, with every key in every state.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "item")]
pub struct StatusItem<'a, E> {
    /// The name of the backend in the configuration.
    pub backend: &'a str,
    /// The vendor of the backend.
    pub vendor: &'a str,
    /// What is connected or being connected, or was asked about; null where that is nothing, or could not be read.
    pub target: Option<&'a Target>,
    /// The state, in a word that is the same for every vendor.
    pub state: Word,
    /// The vendor's own word for the state; null where there is none.
    pub raw_state: Option<&'a str>,
    /// The address that the VPN gave; null unless connected, or where the vendor does not tell it.
    pub ip_address: Option<&'a str>,
    /// Since when it is connected; null unless connected, or where the vendor does not tell it.
    pub connected_since: Option<Time>,
    /// The network that came with the VPN; null unless connected, or where nothing of it is told.
    pub network: Option<&'a Network>,
    /// What went through the VPN, seen from the VPN client; null unless connected, or where nothing of it is told.
    pub traffic: Option<&'a Traffic>,
    /// The vendor's last error, of whatever attempt; null where there was none or it is not told.
    pub last_error: Option<LastErrorItem<'a>>,
    /// When the vendor last tried to connect; null where it does not tell.
    pub last_attempt_at: Option<Time>,
    /// In how many seconds the vendor tries again; null where it does not try or does not tell.
    pub next_retry_s: Option<u64>,
    /// When the state was read.
    pub observed_at: Time,
    /// Where the state was read; null where it could not be read.
    pub source: Option<Source>,
    /// Why the state could not be read, or what was asked for could not be done; null where nothing failed.
    pub error: Option<E>,
    /// The vendor's own document with its secrets masked; null without --native.
    pub native: Option<&'a Value>,
}

impl<'a, E> StatusItem<'a, E> {
    /// Takes it from a status; `error` and `native` are left to whoever knows them.
    #[must_use]
    pub fn of(backend: &'a str, vendor: &'a str, status: &'a Status, observed_at: Timestamp) -> Self {
        let link = match &status.state {
            State::Connected(link) => Some(link),
            _ => None,
        };
        let next_retry_s = match status.state {
            State::Failed { next_retry_s } => next_retry_s,
            _ => None,
        };
        Self {
            backend,
            vendor,
            target: status.target.as_ref(),
            state: status.word(),
            raw_state: status.raw_state.as_deref(),
            ip_address: link.and_then(|link| link.ip_address.as_deref()),
            connected_since: link.and_then(|link| link.since).map(Time::from),
            // Unknown is null and not an object of nulls.
            network: link.and_then(|link| link.network.as_ref()).filter(|network| **network != Network::default()),
            traffic: link.and_then(|link| link.traffic.as_ref()).filter(|traffic| **traffic != Traffic::default()),
            last_error: status.last_error.as_ref().map(LastErrorItem::of),
            last_attempt_at: status.last_attempt_at.map(Time::from),
            next_retry_s,
            observed_at: Time::from(observed_at),
            source: Some(status.source),
            error: None,
            native: None,
        }
    }
}

/// The vendor's last error.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "last_error")]
pub struct LastErrorItem<'a> {
    /// The vendor's own code.
    pub code: &'a str,
    /// What it means, in English.
    pub message: &'a str,
    /// When it happened; null where the vendor does not tell.
    pub at: Option<Time>,
}

impl<'a> LastErrorItem<'a> {
    fn of(error: &'a LastError) -> Self {
        Self { code: &error.code, message: &error.message, at: error.at.map(Time::from) }
    }
}

/// An item, and what a verb adds to it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "item")]
pub struct Marked<I, M> {
    /// The item.
    #[serde(flatten)]
    pub item: I,
    /// What is added.
    #[serde(flatten)]
    pub mark: M,
}

/// What `connect`, `disconnect` and `reconnect` print.
pub type ActionItem<'a, E> = Marked<StatusItem<'a, E>, Action<'a>>;
/// What `wait` prints.
pub type WaitItem<'a, E> = Marked<StatusItem<'a, E>, Waited>;
/// What `watch` prints.
pub type EventItem<'a, E> = Marked<StatusItem<'a, E>, Seen>;
/// What `check` prints.
pub type CheckItem<'a, E> = Marked<StatusItem<'a, E>, Checked>;

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Action<'a> {
    /// What was asked for.
    #[schemars(extend("examples" = ["connect", "disconnect", "reconnect"]))]
    pub action: &'a str,
    /// Whether something was, or may have been, changed; false where nothing had to be done.
    pub changed: bool,
}

/// What came of a wait.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Waited {
    /// Whether what was waited for holds.
    pub held: bool,
    /// How many seconds were waited, to the millisecond.
    pub waited_s: f64,
}

/// What was seen before.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Seen {
    /// The state before; null in the first event of a target, which is the state that was found.
    pub from: Option<Word>,
}

/// What was expected, and whether it is so.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Checked {
    /// The state that is expected.
    pub expect: Word,
    /// Whether the state is the expected one; null where that could not be told.
    pub ok: Option<bool>,
}
