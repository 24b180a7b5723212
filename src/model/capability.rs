//! What a backend can do.

use std::borrow::Cow;

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

impl Serialize for Support {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let (support, why) = match self {
            Self::Native => ("native", None),
            Self::Emulated(how) => ("emulated", Some(how)),
            Self::No(why) => ("no", Some(why)),
        };
        let mut object = serializer.serialize_struct("support", 2)?;
        object.serialize_field("support", support)?;
        object.serialize_field("why", &why)?;
        object.end()
    }
}

/// Lists capabilities by name, in the order in which they are shown.
pub type Capabilities = Vec<(&'static str, Support)>;
