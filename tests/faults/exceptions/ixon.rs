//! Cells of IXON that end otherwise than their row says.

use super::{DOCUMENTS, Exception, USUAL};
use crate::cell::Count;

/// What only looks at the client of IXON, which needs no token for it.
const LOCAL: &[&str] = &[
    "status",
    "check",
    "wait",
    "watch",
    "connect",
    "disconnect",
    "reconnect",
    "disconnect, its write",
    "settings show",
    "settings set, its write",
    "settings reset, its write",
];

pub(super) const OF: &[Exception] = &[
    Exception {
        vendor: "ixon",
        verbs: &["auth logout"],
        faults: &["401*"],
        code: "",
        why: "a login that has ended is what was asked for",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["auth logout"],
        faults: &["empty", "`null`", "wrong types", "5,000-deep JSON", "numbers out of range", "broken UTF-8"],
        code: "",
        why: "what the answer holds is not documented, so nothing and any document is a yes",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["doctor"],
        faults: &["401*"],
        code: "auth.forbidden",
        why: "the client is looked at first, and carries no token that another could replace",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["doctor"],
        faults: &["TLS: changed pin"],
        code: "net.tls_pin_changed",
        count: Some(Count::AtMost(2)),
        why: "the pin is of the client's certificate; the cloud has another, and is looked at too",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["api"],
        faults: &["404*"],
        code: "api.not_found",
        why: "the path is the user's own",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["api"],
        faults: DOCUMENTS,
        code: "",
        why: "the answer is printed untouched, whatever it is",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["settings show", "settings set, its write", "settings reset, its write"],
        faults: &["404*"],
        code: "unsupported",
        count: Some(Count::AtMost(60)),
        why: "no version is known to have settings by HTTP",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["status", "check", "connect", "disconnect", "reconnect"],
        faults: &["404*"],
        code: "vendor.protocol",
        count: Some(Count::Exactly(2)),
        why: "a remembered path may have moved, so the discovery is read once",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["wait", "watch"],
        faults: &["404*"],
        code: "vendor.protocol",
        count: Some(Count::AtMost(4)),
        why: "a remembered path may have moved, so the discovery is read once",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: LOCAL,
        faults: &["401*"],
        code: "auth.forbidden",
        why: "it carries no token that another could replace",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["list", "auth status"],
        faults: &["401*"],
        code: "auth.expired",
        why: "the token was given, so there is no login to try",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &[
            "status",
            "check",
            "doctor",
            "wait",
            "watch",
            "connect",
            "disconnect",
            "reconnect",
            "connect, its write",
            "disconnect, its write",
            "settings show",
            "settings set, its write",
            "settings reset, its write",
            "api",
        ],
        faults: &["400*", "409*"],
        code: "vendor.error",
        why: "what the client says where it refuses has no documented form, so any of it is its word",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["list", "auth status"],
        faults: &["429*"],
        code: "http.rate_limited",
        count: Some(Count::Exactly(1)),
        why: "the cloud's block lasts up to ten minutes, which a repeat would not outlast",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["list"],
        faults: &["token invalidated by another process"],
        code: "auth.expired",
        why: "the token was given, so there is no login to try",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["connect"],
        faults: &["token invalidated by another process"],
        code: "auth.expired",
        count: Some(Count::AtMost(8)),
        writes: Some(Count::Exactly(1)),
        why: "the client takes the token to the cloud, and the attempt fails there; the cloud is asked why",
    },
    Exception {
        vendor: "ixon",
        verbs: &["reconnect"],
        faults: &["token invalidated by another process"],
        code: "auth.expired",
        count: Some(Count::AtMost(60)),
        writes: Some(Count::Exactly(2)),
        why: "the client takes the token to the cloud, and the attempt fails there; the cloud is asked why",
    },
    Exception {
        vendor: "ixon",
        verbs: &["list", "auth status"],
        faults: &["TLS: changed pin"],
        code: "",
        count: Some(Count::AtMost(4)),
        why: "the pin is of the client's certificate; the cloud has another",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["auth login", "auth logout"],
        faults: &["TLS: changed pin"],
        code: "",
        count: Some(Count::AtMost(4)),
        writes: Some(Count::Exactly(1)),
        why: "the pin is of the client's certificate; the cloud has another",
    },
    Exception {
        vendor: "ixon",
        verbs: &["settings show"],
        faults: &["wrong types"],
        code: "",
        why: "the settings have no documented form",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &[
            "status",
            "list",
            "auth status",
            "check",
            "doctor",
            "settings show",
            "wait",
            "watch",
            "connect",
            "disconnect",
            "reconnect",
            "auth login",
        ],
        faults: &["numbers out of range"],
        code: "",
        why: "these documents hold no number",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["connect, its write"],
        faults: &["less announced than sent"],
        code: "tunnel.connect_failed",
        count: Some(Count::AtMost(300)),
        why: "200 is a yes, whatever stands in it; the client then begins nothing",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["disconnect, its write"],
        faults: &["less announced than sent"],
        code: "timeout.deadline",
        count: Some(Count::AtMost(300)),
        why: "200 is a yes, whatever stands in it; the client then goes on as before",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["settings set, its write"],
        faults: &["less announced than sent"],
        code: "vendor.protocol",
        why: "200 is a yes, whatever stands in it; the client then shows the old value",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["settings reset, its write"],
        faults: &["less announced than sent"],
        code: "",
        why: "200 is a yes, whatever stands in it",
        ..USUAL
    },
];
