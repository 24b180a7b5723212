//! The faults, and what each verb tells of them: by contract sections 4 to 6, unless `exceptions.rs` says why not.

/// How a fault comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The simulator does it; `@` is where the path of the write goes, and `{stranger}` another server.
    Simulator(&'static str),
    /// A vendor's own faults, with `;` between them, in the order Freebox, IXON, Everyware; or why there is none.
    Own([Result<&'static str, &'static str>; 3]),
    /// A fault of IXON's WebSocket.
    Socket(&'static str),
    /// The name of the server has no address.
    NoName,
    /// Nobody listens there.
    Nobody,
    /// A server with a certificate that is not to be trusted.
    Certificate(Leaf),
    /// A pin that the certificate does not have.
    Pin,
    /// Something with the state folder or the file in it.
    State(Disk),
    /// The system's clock jumps by so many seconds while the command runs.
    Clock(i64),
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaf {
    UnknownCa,
    Expired,
    WrongName,
    SelfSigned,
}

/// What is wrong with the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    Missing,
    ReadOnly,
    Full,
    Empty,
    Random,
    Newer,
}

/// A fault, and what it comes to.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) how: How,
    /// Whether it may pass, so that a reading is tried four times and a wait goes on to its deadline.
    pub(crate) passes: bool,
    /// Whether it shows only by time: an attempt is then given little.
    pub(crate) is_silence: bool,
    /// The code where a reading meets it; nothing where all is well.
    pub(crate) read: &'static str,
    /// The code where a write meets it, or nothing where the state shows that it was carried out.
    pub(crate) write: &'static str,
    /// The code where a login meets it.
    pub(crate) login: &'static str,
}

/// A fault that may pass: an unanswered write is of unknown outcome, and the state, which is read, is not what was
/// asked for.
const fn passing(name: &'static str, how: How, code: &'static str) -> Fault {
    Fault { name, how, passes: true, is_silence: false, read: code, write: "timeout.unknown_outcome", login: code }
}

const fn silence(name: &'static str, how: How) -> Fault {
    Fault { is_silence: true, ..passing(name, how, "timeout.request") }
}

/// An answer that is none: reading it again would not help, and what it says of a write is nothing.
const fn broken(name: &'static str, how: How) -> Fault {
    let code = "vendor.protocol";
    Fault { name, how, passes: false, is_silence: false, read: code, write: "timeout.unknown_outcome", login: code }
}

/// An answer that was changed after the work was done: the state shows it.
const fn mangled(name: &'static str, how: How) -> Fault {
    Fault { write: "", ..broken(name, how) }
}

/// A refusal, which is final for reading, writing and logging in.
const fn refusal(name: &'static str, how: How, code: &'static str) -> Fault {
    Fault { name, how, passes: false, is_silence: false, read: code, write: code, login: code }
}

/// What changes nothing.
const fn harmless(name: &'static str, how: How) -> Fault {
    refusal(name, how, "")
}

use How::{Certificate, Clock, NoName, Nobody, Own, Pin, Simulator, Socket, State};

pub(crate) const FAULTS: &[Fault] = &[
    // The network.
    passing("DNS failure", NoName, "net.dns"),
    passing("refused", Nobody, "net.refused"),
    passing("reset", Simulator("reset"), "net.reset"),
    passing("hung up without an answer", Simulator("wire=hangup@"), "net.reset"),
    silence("accepted and silent", Simulator("wire=silent@")),
    // Answers.
    silence("header drip", Simulator("wire=header-drip@")),
    silence("body drip", Simulator("wire=body-drip@")),
    broken("headers without end", Simulator("wire=header-flood@")),
    broken("endless body", Simulator("wire=endless@")),
    passing("cut body", Simulator("wire=cut@"), "net.reset"),
    broken("less announced than sent", Simulator("wire=too-much@")),
    broken("wrong Content-Length", Simulator("wire=bad-length@")),
    broken("chunk without a size", Simulator("wire=bad-chunk@")),
    broken("garbage bytes", Simulator("wire=garbage@")),
    // Documents.
    mangled("HTML from a proxy", Simulator("mangle=html@")),
    mangled("empty", Simulator("mangle=nothing@")),
    mangled("`null`", Simulator("mangle=null@")),
    mangled("wrong types", Simulator("mangle=types@")),
    mangled("5,000-deep JSON", Simulator("mangle=deep@")),
    mangled("numbers out of range", Simulator("mangle=numbers@")),
    mangled("broken UTF-8", Simulator("mangle=utf8@")),
    harmless("control and bidi characters", Simulator("mangle=control@")),
    // Statuses, with a proxy's page and without a body.
    refusal("400", Simulator("http-status=400@"), "vendor.protocol"),
    refusal("400, no body", Simulator("bare-status=400@"), "vendor.protocol"),
    refusal("401", Simulator("http-status=401@"), "auth.rejected"),
    refusal("401, no body", Simulator("bare-status=401@"), "auth.rejected"),
    refusal("403", Simulator("http-status=403@"), "auth.forbidden"),
    refusal("403, no body", Simulator("bare-status=403@"), "auth.forbidden"),
    refusal("404", Simulator("http-status=404@"), "vendor.protocol"),
    refusal("404, no body", Simulator("bare-status=404@"), "vendor.protocol"),
    passing("408", Simulator("http-status=408@"), "timeout.request"),
    passing("408, no body", Simulator("bare-status=408@"), "timeout.request"),
    refusal("409", Simulator("http-status=409@"), "vendor.protocol"),
    refusal("409, no body", Simulator("bare-status=409@"), "vendor.protocol"),
    Fault { write: "http.rate_limited", ..passing("429", Simulator("http-status=429@"), "http.rate_limited") },
    Fault { write: "http.rate_limited", ..passing("429, no body", Simulator("bare-status=429@"), "http.rate_limited") },
    passing("500", Simulator("http-status=500@"), "http.server_error"),
    passing("500, no body", Simulator("bare-status=500@"), "http.server_error"),
    passing("502", Simulator("http-status=502@"), "http.server_error"),
    passing("502, no body", Simulator("bare-status=502@"), "http.server_error"),
    passing("503", Simulator("http-status=503@"), "http.server_error"),
    passing("503, no body", Simulator("bare-status=503@"), "http.server_error"),
    passing("504", Simulator("http-status=504@"), "http.server_error"),
    passing("504, no body", Simulator("bare-status=504@"), "http.server_error"),
    broken("redirect to another host", Simulator("redirect={stranger}@")),
    // Logins.
    harmless(
        "session expired in mid-run",
        Own([Ok("expire-sessions*1"), Err("its calls need no session"), Ok("invalidate-tokens*1")]),
    ),
    refusal(
        "token invalidated by another process",
        Own([Ok("invalid-token"), Ok("token-expired"), Ok("invalidate-tokens;refuse-login")]),
        "auth.rejected",
    ),
    // Certificates.
    refusal("TLS: unknown CA", Certificate(Leaf::UnknownCa), "net.tls_untrusted"),
    refusal("TLS: expired", Certificate(Leaf::Expired), "net.tls_untrusted"),
    refusal("TLS: wrong name", Certificate(Leaf::WrongName), "net.tls_untrusted"),
    refusal("TLS: self-signed leaf", Certificate(Leaf::SelfSigned), "net.tls_untrusted"),
    refusal("TLS: changed pin", Pin, "net.tls_pin_changed"),
    // The WebSocket.
    harmless("WebSocket: refused", Socket("ws-refused")),
    harmless("WebSocket: lost", Socket("ws-dropped=50")),
    harmless("WebSocket: half-open", Socket("ws-half-open")),
    harmless("WebSocket: junk frames", Socket("ws-junk")),
    harmless("WebSocket: huge frame", Socket("ws-huge")),
    // The clock.
    harmless("clock: a day forward", Clock(86_400)),
    harmless("clock: a day back", Clock(-86_400)),
    // The disk.
    harmless("state folder missing", State(Disk::Missing)),
    harmless("state folder read-only", State(Disk::ReadOnly)),
    harmless("disk full", State(Disk::Full)),
    harmless("state file of zero length", State(Disk::Empty)),
    harmless("state file of random bytes", State(Disk::Random)),
    harmless("state file of a newer version", State(Disk::Newer)),
];
