//! The documents of contract section 5 as types: what verbs print is made from them, and so is its JSON Schema.
//!
//! Each comment on a field is its description in the schema, so it gives units and what null means. An item's error
//! object is the type parameter `E`, for this room knows nothing of errors.

mod doctor;
mod other;
mod status;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

pub use doctor::{DoctorItem, DoctorLayer};
pub use other::{
    AuthItem, BackendsItem, CapabilityMap, ConfigItem, ListItem, LogItem, SchemaItem, SettingsItem, TrustItem,
    TunnelItem,
};
pub use status::{Action, ActionItem, CheckItem, Checked, EventItem, Marked, Seen, StatusItem, WaitItem, Waited};

use super::Summary;

/// The whole of `-o json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Document<I> {
    /// The name of this document and its version; a later version of vpnctl may add keys without changing it.
    pub schema: String,
    /// What was found or done, an item each.
    pub items: Vec<I>,
    /// What the items sum up to.
    pub summary: Summary,
}

/// A time in RFC 3339, in UTC, to the second: no vendor measures finer.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(transparent)]
pub struct Time(Timestamp);

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self(Timestamp::from_second(at.as_second()).unwrap_or(at))
    }
}

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}

/// Tells whether an optional key is left out; a key that is always there says null instead.
fn is_absent<T>(value: &Option<T>) -> bool {
    value.is_none()
}
