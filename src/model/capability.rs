//! What a backend can do.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

/// Says how well something is supported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Support {
    /// By the vendor's own API.
    Native,
    /// By vpnctl, on top of what the API has.
    Emulated(Cow<'static, str>),
    /// Not at all, with the reason.
    No(Cow<'static, str>),
}

/// How well something is supported, as it is printed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "capability")]
struct Told<'a> {
    /// Whether the vendor's own API has it, vpnctl emulates it, or it can't be done.
    #[schemars(extend("examples" = ["native", "emulated", "no"]))]
    support: &'static str,
    /// How it is emulated, or why it can't be done; null where it is native.
    why: Option<&'a str>,
}

impl Serialize for Support {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (support, why) = match self {
            Self::Native => ("native", None),
            Self::Emulated(how) => ("emulated", Some(how)),
            Self::No(why) => ("no", Some(why)),
        };
        Told { support, why: why.map(AsRef::as_ref) }.serialize(serializer)
    }
}

impl JsonSchema for Support {
    fn schema_name() -> Cow<'static, str> {
        Told::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Told::json_schema(generator)
    }
}

/// Lists capabilities by name, in the order in which they are shown.
pub type Capabilities = Vec<(&'static str, Support)>;
