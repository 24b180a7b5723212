//! The items that tell no state.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Time, is_absent};
use crate::model::{Capabilities, Found, LoginState, Support, Target, TargetKind, Word};

/// Something that can be connected.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "item")]
pub struct ListItem<'a, E> {
    /// The name of the backend in the configuration.
    pub backend: &'a str,
    /// The vendor of the backend.
    pub vendor: &'a str,
    /// What can be connected; null where the backend could not be read.
    pub target: Option<&'a Target>,
    /// Its state; null where that would cost one more request per target.
    pub state: Option<Word>,
    /// The labels of the backend and of the target.
    pub labels: &'a BTreeMap<String, String>,
    /// Why it could not be read; the key is there only where something failed.
    #[serde(skip_serializing_if = "is_absent")]
    pub error: Option<E>,
}

/// A VPN configuration that a vendor keeps.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "item")]
pub struct TunnelItem<'a> {
    /// The name of the backend in the configuration.
    pub backend: &'a str,
    /// The vendor of the backend.
    pub vendor: &'a str,
    /// What can be connected by it.
    pub target: TunnelTarget<'a>,
    /// Whether it is the one that the vendor keeps up; null where that is not told.
    pub active: Option<bool>,
    /// The vendor's fields, the secret ones as "***".
    #[schemars(with = "Map<String, Value>")]
    pub config: &'a Value,
    /// Whether it was changed; the key is there only where a change was asked for.
    #[serde(skip_serializing_if = "is_absent")]
    pub changed: Option<bool>,
}

/// The target of a configuration.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "target")]
pub struct TunnelTarget<'a> {
    /// What kind of thing it is.
    pub kind: TargetKind,
    /// The vendor's id; null where it was not added, as in a dry run.
    pub id: Option<&'a str>,
    /// The vendor's name; null where it is not known.
    pub name: Option<&'a str>,
    /// The vendor's word for its type; null where it is not known.
    #[serde(rename = "type")]
    pub kind_word: Option<&'a str>,
}

impl<'a> From<&'a Target> for TunnelTarget<'a> {
    fn from(target: &'a Target) -> Self {
        Self {
            kind: target.kind,
            // What was never added has none.
            id: Some(target.id.as_str()).filter(|id| !id.is_empty()),
            name: target.name.as_deref(),
            kind_word: target.kind_word.as_deref(),
        }
    }
}

/// A line of a vendor's VPN log.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "item")]
pub struct LogItem<'a> {
    /// The name of the backend in the configuration.
    pub backend: &'a str,
    /// When it was written; null where the vendor's clock has no zone.
    pub at: Option<Time>,
    /// How grave it is, in the vendor's word; null where it does not tell.
    pub level: Option<&'a str>,
    /// The line as the vendor wrote it, the secrets in it as "***".
    pub text: &'a str,
}

/// The settings of a VPN client on this computer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "item")]
pub struct SettingsItem<'a> {
    /// The name of the backend in the configuration.
    pub backend: &'a str,
    /// The vendor's document, the secrets in it as "***".
    pub settings: &'a Value,
}

/// How the login of a backend stands.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "item")]
pub struct AuthItem<'a, E> {
    /// The name of the backend in the configuration.
    pub backend: &'a str,
    /// The vendor of the backend.
    pub vendor: &'a str,
    /// How it stands; null where that could not be told.
    pub login: Option<LoginState>,
    /// Whose it is; null where that is not known.
    pub account: Option<&'a str>,
    /// When it ends; null where it does not, or that is not known.
    pub expires_at: Option<Time>,
    /// What it may do, in the vendor's words; null where that is not told.
    pub rights: Option<&'a [String]>,
    /// Why it does not work or could not be read; the key is there only where something failed.
    #[serde(skip_serializing_if = "is_absent")]
    pub error: Option<E>,
}

/// A server's certificate.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "item")]
pub struct TrustItem<'a> {
    /// The name of the backend in the configuration.
    pub backend: &'a str,
    /// The URL that it is for; null where none is known.
    pub url: Option<&'a str>,
    /// Its fingerprint, as `sha256:…`; null where there is no certificate.
    pub fingerprint: Option<&'a str>,
    /// Whom it names; null where that is not known.
    pub subject: Option<&'a str>,
    /// Until when it holds; null where that is not known.
    #[schemars(extend("format" = "date-time"))]
    pub not_after: Option<&'a str>,
    /// Whether it is pinned.
    pub pinned: bool,
}

/// A backend, and what it can do.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "item")]
pub struct BackendsItem<'a> {
    /// The name of the backend in the configuration; null for a vendor's row and for what is not configured.
    pub backend: Option<&'a str>,
    /// The vendor.
    pub vendor: &'a str,
    /// The URL of its API; null where it is not set, and for a vendor's row.
    pub url: Option<&'a str>,
    /// What it can do, by name; null where it could not be opened.
    pub capabilities: Option<CapabilityMap>,
    /// What was found on the network; the key is there only with --discover.
    #[serde(skip_serializing_if = "is_absent")]
    pub found: Option<&'a Found>,
}

/// Capabilities by name, in the order in which they are shown.
#[derive(Debug)]
pub struct CapabilityMap(pub Capabilities);

impl Serialize for CapabilityMap {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, support)| (name, support)))
    }
}

impl JsonSchema for CapabilityMap {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "capabilities".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        BTreeMap::<String, Support>::json_schema(generator)
    }
}

/// A setting.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "item")]
pub struct ConfigItem<'a> {
    /// Its name, dotted.
    pub key: &'a str,
    /// Its value as text; a secret's tells where it comes from, or is masked.
    pub value: &'a str,
    /// Where it is set: a flag, a variable, a place in a file, or built in.
    pub origin: &'a str,
}

/// A document of vpnctl.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "item")]
pub struct SchemaItem<'a> {
    /// Its name: that of `vpnctl schema NAME`, and the `type` of its lines of ndjson.
    pub name: &'a str,
    /// Its name and version: the `schema` of the document, and the `$id` of its schema.
    pub id: &'a str,
    /// The verbs that print it.
    pub verbs: &'a [&'a str],
    /// What an item of it tells.
    pub description: &'a str,
}
