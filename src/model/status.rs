//! What a VPN client is doing.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// Names what kind of thing can be connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "kind")]
pub enum TargetKind {
    /// A VPN client configuration kept by a box.
    Tunnel,
    /// A router or gateway of a cloud that the local client connects to.
    Agent,
    /// A remote gateway that brings its own VPN up.
    Device,
}

/// Names something that can be connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "target")]
pub struct Target {
    /// What kind of thing it is.
    pub kind: TargetKind,
    /// The vendor's id.
    pub id: String,
    /// The vendor's name; null for a target that is known by its id alone.
    pub name: Option<String>,
    /// The vendor's word for its type; null where there is none.
    #[serde(rename = "type")]
    pub kind_word: Option<String>,
    /// Which part of the vendor's account it belongs to, by the vendor's id; `None` is the one that is configured.
    #[serde(skip)]
    pub scope: Option<String>,
}

impl Target {
    /// Makes a target that is known by its id only.
    pub fn by_id(kind: TargetKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into(), name: None, kind_word: None, scope: None }
    }

    /// Gives what to call it in a message: its name, else its id.
    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.id)
    }
}

/// Names a state, without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "state")]
pub enum Word {
    /// The tunnel is up.
    Connected,
    /// The tunnel is coming up.
    Connecting,
    /// The tunnel is going down.
    Disconnecting,
    /// No tunnel.
    Disconnected,
    /// Waiting for the WAN.
    Waiting,
    /// The attempt ended, or is being retried, after an error.
    Failed,
    /// The state could not be read, or is a word that this version does not know.
    Unknown,
}

impl Word {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Connected,
        Self::Connecting,
        Self::Disconnecting,
        Self::Disconnected,
        Self::Waiting,
        Self::Failed,
        Self::Unknown,
    ];

    /// Gives the word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Connecting => "connecting",
            Self::Disconnecting => "disconnecting",
            Self::Disconnected => "disconnected",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Finds the state that a word names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.as_str() == text)
    }
}

/// Describes the link that is up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Link {
    /// The address that the VPN gave.
    pub ip_address: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The network that came with it.
    pub network: Option<Network>,
    /// What went through it.
    pub traffic: Option<Traffic>,
}

/// Describes the network that a VPN server provided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "network")]
pub struct Network {
    /// The netmask; null where it is not told.
    pub mask: Option<String>,
    /// The gateway's address; null where it is not told.
    pub gateway: Option<String>,
    /// The addresses of name servers; null where they are not told.
    pub dns: Option<Vec<String>>,
    /// The domain; null where it is not told.
    pub domain: Option<String>,
}

/// Counts what went through a tunnel, seen from the VPN client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "traffic")]
pub struct Traffic {
    /// Bytes received; null where it is not told.
    pub rx_bytes: Option<u64>,
    /// Bytes sent; null where it is not told.
    pub tx_bytes: Option<u64>,
    /// Bytes per second received now; null where it is not told.
    pub rx_rate: Option<u64>,
    /// Bytes per second sent now; null where it is not told.
    pub tx_rate: Option<u64>,
}

/// Tells what a VPN client is doing, with the data that makes sense in that state.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// The tunnel is up.
    Connected(Link),
    /// The tunnel is coming up.
    Connecting,
    /// The tunnel is going down.
    Disconnecting,
    /// No tunnel.
    Disconnected,
    /// Waiting for the WAN.
    Waiting,
    /// The attempt ended, or is being retried, after an error.
    Failed {
        /// In how many seconds the vendor tries again.
        next_retry_s: Option<u64>,
    },
    /// A word that this version does not know, shown as `raw_state`; the VPN is in transition.
    Unknown,
}

impl State {
    /// Gives the state without its data.
    #[must_use]
    pub fn word(&self) -> Word {
        match self {
            Self::Connected(_) => Word::Connected,
            Self::Connecting => Word::Connecting,
            Self::Disconnecting => Word::Disconnecting,
            Self::Disconnected => Word::Disconnected,
            Self::Waiting => Word::Waiting,
            Self::Failed { .. } => Word::Failed,
            Self::Unknown => Word::Unknown,
        }
    }
}

/// Tells the vendor's last error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// The vendor's own code.
    pub code: String,
    /// What it means, in English.
    pub message: String,
    /// When it happened, where the vendor says so.
    pub at: Option<Timestamp>,
}

/// Names where a state was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "source")]
pub enum Source {
    /// The VPN client itself.
    Client,
    /// The remote device, asked through its cloud.
    Device,
    /// The VPN server's list.
    Server,
    /// Pushed by the client.
    Push,
    /// A cache.
    Cache,
}

/// Tells the state of one target, or of a backend's one VPN.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// What is connected or being connected.
    pub target: Option<Target>,
    /// The state.
    pub state: State,
    /// Whether the vendor holds the VPN for a target, so that another can't have it: also one that is down and will
    /// be tried again.
    pub engaged: bool,
    /// The vendor's own word.
    pub raw_state: Option<String>,
    /// The vendor's last error, of whatever attempt.
    pub last_error: Option<LastError>,
    /// What `last_error` means, for the error that a failed attempt ends with.
    pub failure: Option<Failure>,
    /// When the vendor last tried.
    pub last_attempt_at: Option<Timestamp>,
    /// Who tells it.
    pub source: Source,
    /// The vendor's document, secrets masked.
    pub native: Option<serde_json::Value>,
}

/// Says in our own words why an attempt failed; `backend` turns it into an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The VPN server refused the credentials.
    Auth,
    /// The VPN server's name could not be resolved.
    Resolv,
    /// The VPN server did not answer.
    ConnectTimeout,
    /// The connection failed.
    ConnectFailed,
    /// The protocol failed.
    Protocol,
    /// The peer closed the tunnel.
    RemoteClosed,
    /// The VPN client failed by itself.
    Internal,
    /// A step of the connection has an error code.
    Step,
}

impl Status {
    /// Makes a status with a state and nothing else.
    #[must_use]
    pub fn new(state: State, source: Source) -> Self {
        Self {
            target: None,
            engaged: state.word() != Word::Disconnected,
            state,
            raw_state: None,
            last_error: None,
            failure: None,
            last_attempt_at: None,
            source,
            native: None,
        }
    }

    /// Gives the state without its data.
    #[must_use]
    pub fn word(&self) -> Word {
        self.state.word()
    }

    /// Tells whether it speaks of the target with that id.
    #[must_use]
    pub fn is_of(&self, target: &Target) -> bool {
        self.target.as_ref().is_some_and(|ours| ours.id == target.id)
    }

    /// Names the target as the user knows it.
    #[must_use]
    pub fn named_as(self, target: &Target) -> Self {
        let own = self.target.as_ref();
        let name = own.and_then(|own| own.name.clone()).or_else(|| target.name.clone());
        let kind_word = own.and_then(|own| own.kind_word.clone()).or_else(|| target.kind_word.clone());
        Self { target: Some(Target { name, kind_word, ..target.clone() }), ..self }
    }

    /// Tells, of the state of a one VPN, the target's own: where another one has the VPN, it is disconnected.
    #[must_use]
    pub fn for_target(self, target: &Target) -> Self {
        if self.is_of(target) {
            return self.named_as(target);
        }
        if self.engaged && self.target.is_none() {
            return self;
        }
        Self { target: Some(target.clone()), ..Self::new(State::Disconnected, self.source) }
    }

    /// Tells whether that target is connected.
    #[must_use]
    pub fn is_connected_to(&self, target: &Target) -> bool {
        self.word() == Word::Connected && self.is_of(target)
    }
}
