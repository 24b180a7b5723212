//! Cells that end otherwise than their row says, each with the reason.

use crate::cell::{Cell, Count};

/// Cells of a row that end otherwise.
#[derive(Debug)]
pub(crate) struct Exception {
    /// The vendor; empty for all.
    pub(crate) vendor: &'static str,
    /// The verbs; none for all.
    pub(crate) verbs: &'static [&'static str],
    /// How the names of the faults begin.
    pub(crate) faults: &'static [&'static str],
    /// The code; nothing where all is well.
    pub(crate) code: &'static str,
    /// How many requests, where it differs from what the code implies.
    pub(crate) count: Option<Count>,
    /// How many writes, where it differs from what the code implies.
    pub(crate) writes: Option<Count>,
    pub(crate) why: &'static str,
}

impl Exception {
    /// Tells whether a cell is meant.
    pub(crate) fn is_of(&self, cell: &Cell) -> bool {
        (self.vendor.is_empty() || self.vendor == cell.verb.vendor)
            && (self.verbs.is_empty() || self.verbs.contains(&cell.verb.name))
            && self.faults.iter().any(|fault| {
                fault.strip_suffix('*').map_or(*fault == cell.fault.name, |begin| cell.fault.name.starts_with(begin))
            })
    }
}

const USUAL: Exception =
    Exception { vendor: "", verbs: &[], faults: &[], code: "", count: None, writes: None, why: "" };

/// Documents whose letters were changed.
const DOCUMENTS: &[&str] = &[
    "HTML from a proxy",
    "empty",
    "`null`",
    "wrong types",
    "5,000-deep JSON",
    "numbers out of range",
    "broken UTF-8",
    "less announced than sent",
];
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

/// The first that is of a cell holds.
pub(crate) const EXCEPTIONS: &[Exception] = &[
    // A login that is ended.
    Exception {
        verbs: &["auth logout"],
        faults: &["state f*"],
        code: "",
        count: Some(Count::Exactly(0)),
        writes: Some(Count::Exactly(0)),
        why: "no login is kept that could be ended",
        ..USUAL
    },
    Exception {
        verbs: &["auth logout"],
        faults: &[
            "DNS failure",
            "refused",
            "TLS: unknown CA",
            "TLS: expired",
            "TLS: wrong name",
            "TLS: self-signed leaf",
        ],
        code: "",
        writes: Some(Count::Exactly(0)),
        why: "a login is kept for the address at which it was made; for the one that is now written there is none",
        ..USUAL
    },
    Exception {
        verbs: &["auth logout"],
        faults: &["token invalidated by another process"],
        code: "",
        count: Some(Count::Exactly(1)),
        why: "a login that has ended is what was asked for",
        ..USUAL
    },
    Exception {
        vendor: "ixon",
        verbs: &["auth logout"],
        faults: &["401*"],
        code: "",
        why: "a login that has ended is what was asked for",
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
        vendor: "freebox",
        verbs: &["auth logout"],
        faults: &["5,000-deep JSON", "numbers out of range", "broken UTF-8"],
        code: "",
        why: "the answer holds no text and no number",
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
        vendor: "everyware",
        verbs: &["auth logout"],
        faults: &["empty", "`null`", "wrong types", "5,000-deep JSON", "numbers out of range", "broken UTF-8"],
        code: "",
        why: "the answer is 204, which holds nothing",
        ..USUAL
    },
    // What `api` prints is the answer.
    Exception {
        vendor: "freebox",
        verbs: &["api"],
        faults: &["404*"],
        code: "api.not_found",
        why: "the path is the user's own",
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
        vendor: "everyware",
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
        vendor: "everyware",
        verbs: &["api"],
        faults: DOCUMENTS,
        code: "",
        why: "the answer is printed untouched, whatever it is",
        ..USUAL
    },
    // Freebox.
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
    // IXON.
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
        verbs: &["list"],
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
        verbs: &["list"],
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
        verbs: &["list"],
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
            "check",
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
    // Everyware Cloud.
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
        verbs: &["status", "check", "wait", "watch", "connect", "disconnect", "reconnect", "api"],
        faults: &["401*"],
        code: "auth.rejected",
        count: Some(Count::Exactly(2)),
        why: "one login is tried",
        ..USUAL
    },
    Exception {
        vendor: "everyware",
        verbs: &["status", "check", "wait", "watch", "connect", "disconnect", "reconnect", "api"],
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
        verbs: &["status", "check", "wait", "watch", "connect", "disconnect", "reconnect", "auth login"],
        faults: &["numbers out of range"],
        code: "",
        why: "no number of these documents is read",
        ..USUAL
    },
];
