//! What the vendors' modules make of bytes. Not a part of the program: it is built for `fuzz/` and for tests alone.

use std::collections::BTreeMap;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::{everyware, freebox, ixon};
use crate::backend::{Opening, registry};
use crate::config::{Sources, load};
use crate::error::Error;
use crate::http::Reply;
use crate::model::{Status, Target};
use crate::state::Folder;

/// The HTTP statuses that each document is read with.
pub(super) const STATUSES: [u16; 8] = [200, 400, 401, 403, 404, 405, 429, 503];

/// What a document came to, as users may get to see it.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "few are made, and none by the program")]
pub enum Meaning {
    /// A state.
    Status(Status),
    /// Something that can be connected, with its labels.
    Target(Target, BTreeMap<String, String>),
    /// A failure.
    Error(Error),
    /// A text, such as a line of a log.
    Text(String),
}

/// What a vendor's module does with bytes.
#[derive(Debug, Clone, Copy)]
pub struct Vendor {
    /// The vendor, which is the name of its fuzz target.
    pub name: &'static str,
    /// Reads bytes as each document that the vendor's servers send.
    pub read: fn(&[u8]) -> Vec<Meaning>,
    /// Plants a secret in a text and around it, wherever the vendor has a place for one, and gives what would be shown.
    pub shown: fn(&str, &str) -> Vec<String>,
    /// Reads bytes as what the vendor's module keeps in the state folder; that is written as it is read.
    pub kept: fn(&[u8]),
}

/// The vendors.
pub const VENDORS: [Vendor; 3] = [
    Vendor {
        name: "freebox",
        read: freebox::fuzzing::read,
        shown: freebox::fuzzing::shown,
        kept: freebox::fuzzing::kept,
    },
    Vendor { name: "ixon", read: ixon::fuzzing::read, shown: ixon::fuzzing::shown, kept: ixon::fuzzing::kept },
    Vendor {
        name: "everyware",
        read: everyware::fuzzing::read,
        shown: everyware::fuzzing::shown,
        kept: everyware::fuzzing::kept,
    },
];

pub use freebox::fuzzing::imported;
pub use ixon::fuzzing::pushed;

/// Makes an answer.
pub(super) fn reply(status: u16, body: &[u8]) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or_default();
    Reply { status, headers: HeaderMap::new(), body: body.to_vec(), confidential: false }
}

/// Says how the vendor's built-in backend is opened, with nothing to remember and nobody to ask.
pub(super) fn opening(vendor: &'static str, settings: &[(&str, &str)]) -> Opening {
    let prefix = vendor.to_uppercase();
    let environment =
        settings.iter().map(|(key, value)| (format!("VPNCTL_BACKEND_{prefix}_{key}"), (*value).to_owned()));
    let sources = Sources { variables: environment.collect(), ..Sources::default() };
    let config = load(&sources, &registry::keys()).map(|mut config| config.backends.remove(vendor));
    let Ok(Some(config)) = config else { panic!("{vendor} has no built-in backend") };
    Opening { native: true, ..Opening::new(config, Folder::new(None).backend(vendor)) }
}

/// Reads a document of the state folder, and checks that what is written of it is read as the same.
pub(super) fn kept<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(bytes).ok()?;
    let Ok(written) = serde_json::to_vec(&read) else { panic!("what was read can't be written") };
    let again = serde_json::from_slice::<T>(&written).map(|again| serde_json::to_vec(&again));
    assert!(matches!(again, Ok(Ok(again)) if again == written), "{}", String::from_utf8_lossy(&written));
    Some(read)
}
