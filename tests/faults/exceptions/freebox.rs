//! Cells of Freebox that end otherwise than their row says.

use super::{Exception, USUAL};
use crate::cell::Count;

pub(super) const OF: &[Exception] = &[
    Exception {
        vendor: "freebox",
        verbs: &["auth logout"],
        faults: &["5,000-deep JSON", "numbers out of range", "broken UTF-8"],
        code: "",
        why: "the answer holds no text and no number",
        ..USUAL
    },
    Exception {
        vendor: "freebox",
        verbs: &["doctor"],
        faults: &["token invalidated by another process"],
        code: "auth.rejected",
        count: Some(Count::Exactly(4)),
        why: "the version and the session are asked for, then one login is tried, which is two requests",
        ..USUAL
    },
    Exception {
        vendor: "freebox",
        verbs: &["api"],
        faults: &["404*"],
        code: "api.not_found",
        why: "the path is the user's own",
        ..USUAL
    },
    Exception {
        vendor: "freebox",
        verbs: &["auth login"],
        faults: &["state folder read-only", "disk full", "state file of a newer version"],
        code: "config.invalid",
        writes: Some(Count::Exactly(0)),
        why: "a pairing that can't be kept is not asked for: somebody would press the button in vain",
        ..USUAL
    },
    Exception {
        vendor: "freebox",
        faults: &["401*", "403*"],
        code: "vendor.protocol",
        why: "the box says in a document why it refuses; a refusal without one is not the box's",
        ..USUAL
    },
    Exception {
        vendor: "freebox",
        verbs: &["auth status"],
        faults: &["numbers out of range"],
        code: "",
        why: "what tells of the session holds no number",
        ..USUAL
    },
    Exception {
        vendor: "freebox",
        verbs: &["log"],
        faults: &["numbers out of range"],
        code: "",
        why: "the log holds no number",
        ..USUAL
    },
    Exception {
        vendor: "freebox",
        verbs: &["connect"],
        faults: &["numbers out of range"],
        code: "vendor.protocol",
        count: Some(Count::Exactly(3)),
        writes: Some(Count::Exactly(1)),
        why: "the status of an idle box holds no number, so the write is sent and what comes of it can't be read",
    },
    Exception {
        vendor: "freebox",
        verbs: &["connect"],
        faults: &["5,000-deep JSON", "broken UTF-8"],
        code: "timeout.unknown_outcome",
        count: Some(Count::Exactly(3)),
        writes: Some(Count::Exactly(1)),
        why: "the status of an idle box holds no text, so the write is sent; neither its answer nor the state can be read",
    },
    Exception {
        vendor: "freebox",
        faults: &["token invalidated by another process"],
        code: "auth.rejected",
        count: Some(Count::Exactly(3)),
        why: "one login is tried, which is two requests",
        ..USUAL
    },
];
