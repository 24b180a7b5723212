//! The item of `doctor`.

use schemars::JsonSchema;
use serde::Serialize;

use super::is_absent;

/// Names a layer that `doctor` looks at, in the order in which one stands on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "doctor_layer")]
pub enum DoctorLayer {
    /// The configuration, and the secrets that it names.
    Config,
    /// The state folder.
    State,
    /// The proxy that the environment names.
    Proxy,
    /// The name of a server.
    Dns,
    /// The connection to it.
    Tcp,
    /// Its certificate: who signed it, for which name, until when, and whether it is pinned.
    Tls,
    /// What answers there, and its version.
    Version,
    /// Its clock against this computer's.
    Clock,
    /// The login.
    Login,
    /// What the login may do.
    Rights,
    /// The VPN itself.
    Vpn,
}

impl DoctorLayer {
    /// Gives its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::State => "state",
            Self::Proxy => "proxy",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Version => "version",
            Self::Clock => "clock",
            Self::Login => "login",
            Self::Rights => "rights",
            Self::Vpn => "vpn",
        }
    }
}

/// A layer that was looked at.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "item")]
pub struct DoctorItem<'a, E> {
    /// The name of the backend in the configuration; null for what concerns all of them.
    pub backend: Option<&'a str>,
    /// The layer.
    pub layer: DoctorLayer,
    /// Whether all is well; null where it was not reached, for one before it failed, or nobody can tell.
    pub ok: Option<bool>,
    /// What was found, in a sentence.
    pub finding: &'a str,
    /// What to do next; null where nothing is to be done.
    pub remedy: Option<&'a str>,
    /// Why it is not well; the key is there only where something failed.
    #[serde(skip_serializing_if = "is_absent")]
    pub error: Option<E>,
}
