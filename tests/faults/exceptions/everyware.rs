//! Cells of Everyware Cloud that end otherwise than their row says.

use super::{DOCUMENTS, Exception, USUAL};
use crate::cell::Count;

pub(super) const OF: &[Exception] = &[
    Exception {
        vendor: "everyware",
        verbs: &["auth status"],
        faults: &["403*", "404*"],
        code: "",
        count: Some(Count::Exactly(1)),
        why: "a token that was made and that no answer calls ended is a login, also where what it may do is not told",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &["auth logout"],
        faults: &["401*"],
        code: "",
        why: "a login that has ended is what was asked for",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &["auth logout"],
        faults: &["empty", "`null`", "wrong types", "5,000-deep JSON", "numbers out of range", "broken UTF-8"],
        code: "",
        why: "the answer is 204, which holds nothing",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &["doctor"],
        faults: &["403*"],
        code: "auth.forbidden",
        count: Some(Count::Exactly(4)),
        why: "what one call is not told another may be, so four are tried",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &["doctor"],
        faults: &["404*"],
        code: "vendor.protocol",
        count: Some(Count::Exactly(4)),
        why: "a call may be missing in one deployment; that for the devices is in all of them",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &["api"],
        faults: &["404*"],
        code: "api.not_found",
        why: "the path is the user's own",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &["api"],
        faults: DOCUMENTS,
        code: "",
        why: "the answer is printed untouched, whatever it is",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &["wait", "watch"],
        faults: &["DNS failure"],
        code: "net.dns",
        why: "at another address the name of the device has to be looked up first",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &["wait", "watch"],
        faults: &["refused"],
        code: "net.refused",
        why: "at another address the name of the device has to be looked up first",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &["connect, its write", "disconnect, its write"],
        faults: &["401*"],
        code: "auth.expired",
        writes: Some(Count::Exactly(3)),
        why: "a call whose token was refused was not looked at, so it is sent once more with a new one, and once more where \
              another process ended that",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &["status of all", "list"],
        faults: &["401*", "token invalidated by another process"],
        code: "auth.rejected",
        count: Some(Count::AtMost(4)),
        why: "one login is tried",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &[
            "status",
            "check",
            "auth status",
            "doctor",
            "wait",
            "watch",
            "connect",
            "disconnect",
            "reconnect",
            "api",
        ],
        faults: &["401*"],
        code: "auth.rejected",
        count: Some(Count::Exactly(2)),
        why: "one login is tried",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &[
            "status",
            "check",
            "auth status",
            "doctor",
            "wait",
            "watch",
            "connect",
            "disconnect",
            "reconnect",
            "api",
        ],
        faults: &["token invalidated by another process"],
        code: "auth.rejected",
        count: Some(Count::AtMost(4)),
        why: "the refresh and one login are tried",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &["disconnect, its write"],
        faults: &["404*"],
        code: "vendor.protocol",
        writes: Some(Count::Exactly(2)),
        why: "the vendor spells the path in two ways: an unknown one did nothing, so the other is tried",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &[
            "status",
            "check",
            "auth status",
            "doctor",
            "wait",
            "watch",
            "connect",
            "disconnect",
            "reconnect",
            "auth login",
        ],
        faults: &["numbers out of range"],
        code: "",
        why: "no number of these documents is read",
        ..USUAL
    },
];
