//! The verbs that faults meet, at each vendor.

/// What a verb does, and at which of its requests the fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It reads; the fault meets every request.
    Read,
    /// It waits for a state that is there; the fault meets every request.
    Wait,
    /// It tells the first state it sees; the fault meets every request.
    Watch,
    /// It looks at one layer after the other, of one server and where the vendor has two of the other, up to the first that
    /// fails; the fault meets every request.
    Doctor,
    /// It changes something; the fault meets every request, so that it ends with its first reading.
    Change,
    /// It changes something, and the fault meets the write alone.
    Write,
    /// It logs in, and the fault meets the request that does.
    Login,
    /// It logs out, which is one request alone: nothing is read before or after it.
    Logout,
}

/// A verb at a vendor, in a world that is made for it.
#[derive(Debug)]
pub(crate) struct Verb {
    pub(crate) vendor: &'static str,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) line: &'static str,
    /// Lines that go well before, so that the login, names and paths are known.
    pub(crate) before: &'static [&'static str],
    /// The beginning of `METHOD /path` of its write, which a fault of [`Kind::Write`] and [`Kind::Login`] meets; nothing
    /// where it writes nothing.
    pub(crate) write: &'static str,
    /// How many writes it sends where all goes well.
    pub(crate) writes: usize,
    /// How many requests a reading is, side by side.
    pub(crate) times: usize,
    /// How many requests are made beside the reading: a WebSocket is opened.
    pub(crate) beside: usize,
}

const BASE: Verb =
    Verb { vendor: "", name: "", kind: Kind::Read, line: "", before: &[], write: "", writes: 1, times: 1, beside: 0 };

/// Makes the columns of a vendor.
macro_rules! verbs {
    ($vendor:literal: $({ $($field:ident: $value:expr),* $(,)? })*) => {
        &[$(Verb { vendor: $vendor, $($field: $value,)* ..BASE }),*]
    };
}

pub(crate) const FREEBOX: &[Verb] = verbs! { "freebox":
    { name: "status", line: "status", before: &["status"] }
    { name: "list", line: "list", before: &["status"] }
    { name: "check", line: "check", before: &["status"] }
    { name: "log", line: "log", before: &["status"] }
    { name: "tunnel list", line: "tunnel list", before: &["status"] }
    { name: "tunnel show", line: "tunnel show vpn2 --id", before: &["status"] }
    { name: "api", line: "api GET vpn_client/status", before: &["status"] }
    { name: "wait", kind: Kind::Wait, line: "wait --for connected", before: &["status"] }
    { name: "watch", kind: Kind::Watch, line: "watch --count 1", before: &["status"] }
    { name: "auth status", line: "auth status", before: &["status"] }
    { name: "doctor", kind: Kind::Doctor, line: "doctor", before: &["status"] }
    { name: "connect", kind: Kind::Change, line: "connect vpn0", before: &["disconnect", "list"], write: "PUT /" }
    { name: "disconnect", kind: Kind::Change, line: "disconnect", before: &["status"], write: "PUT /" }
    { name: "reconnect", kind: Kind::Change, line: "reconnect vpn1", before: &["list"], write: "PUT /", writes: 2 }
    { name: "connect, its write", kind: Kind::Write, line: "connect vpn0", before: &["disconnect", "list"],
      write: "PUT /" }
    { name: "disconnect, its write", kind: Kind::Write, line: "disconnect", before: &["status"], write: "PUT /" }
    { name: "tunnel rm, its write", kind: Kind::Write, line: "tunnel rm vpn2 --id --yes", before: &["list"],
      write: "DELETE /" }
    { name: "tunnel add, its write", kind: Kind::Write,
      line: "tunnel add --type pptp --name Work --host vpn.example.org --username me --password-stdin",
      before: &["list"], write: "POST /api/v16/vpn_client/config/" }
    { name: "tunnel edit, its write", kind: Kind::Write, line: "tunnel edit vpn2 --id --name Work", before: &["list"],
      write: "PUT /" }
    { name: "auth login", kind: Kind::Login, line: "auth login --no-input", write: "POST /api/v16/login/authorize" }
    { name: "auth logout", kind: Kind::Logout, line: "auth logout", before: &["status"],
      write: "POST /api/v16/login/logout/" }
};

pub(crate) const IXON: &[Verb] = verbs! { "ixon":
    { name: "status", line: "status", before: &["status"] }
    { name: "list", line: "list", before: &["list"] }
    { name: "check", line: "check --expect disconnected", before: &["status"] }
    { name: "settings show", line: "settings show", before: &["status"] }
    { name: "api", line: "api GET Status", before: &["status"] }
    { name: "wait", kind: Kind::Wait, line: "wait --for disconnected", before: &["status"], beside: 1 }
    { name: "watch", kind: Kind::Watch, line: "watch --count 1", before: &["status"], beside: 1 }
    { name: "auth status", line: "auth status", before: &["status"] }
    { name: "doctor", kind: Kind::Doctor, line: "doctor", before: &["status"], times: 2 }
    { name: "connect", kind: Kind::Change, line: "connect --id AAAAAAAAAAAA", before: &["status"], write: "POST /connect" }
    { name: "disconnect", kind: Kind::Change, line: "disconnect", before: &["connect --id AAAAAAAAAAAA"],
      write: "POST /disconnect" }
    { name: "reconnect", kind: Kind::Change, line: "reconnect --id AAAAAAAAAAAA",
      before: &["connect --id AAAAAAAAAAAA"], write: "POST /", writes: 2 }
    { name: "connect, its write", kind: Kind::Write, line: "connect --id AAAAAAAAAAAA", before: &["status"],
      write: "POST /connect" }
    { name: "disconnect, its write", kind: Kind::Write, line: "disconnect", before: &["connect --id AAAAAAAAAAAA"],
      write: "POST /disconnect" }
    { name: "settings set, its write", kind: Kind::Write, line: "settings set simulatedConnectionType=tun --yes",
      before: &["status"], write: "PUT /configuration" }
    { name: "settings reset, its write", kind: Kind::Write, line: "settings reset --yes", before: &["status"],
      write: "POST /configuration/reset" }
    { name: "auth login", kind: Kind::Login, line: "auth login --password-stdin", write: "POST /api/access-tokens" }
    { name: "auth logout", kind: Kind::Logout, line: "auth logout", before: &["auth login --password-stdin"],
      write: "DELETE /api/access-tokens/me" }
};

pub(crate) const EVERYWARE: &[Verb] = verbs! { "everyware":
    { name: "status", line: "status gw-lyon-02", before: &["status gw-lyon-02"] }
    { name: "status of all", line: "status", before: &["status"], times: 2 }
    { name: "list", line: "list", before: &["list"], times: 2 }
    { name: "check", line: "check gw-lyon-02", before: &["status gw-lyon-02"] }
    { name: "api", line: "api GET _/devices?limit=1", before: &["status gw-lyon-02"] }
    { name: "wait", kind: Kind::Wait, line: "wait gw-lyon-02 --for connected", before: &["status gw-lyon-02"] }
    { name: "watch", kind: Kind::Watch, line: "watch gw-lyon-02 --count 1", before: &["status gw-lyon-02"] }
    { name: "auth status", line: "auth status", before: &["status"] }
    { name: "doctor", kind: Kind::Doctor, line: "doctor", before: &["status"] }
    { name: "connect", kind: Kind::Change, line: "connect gw-lyon-03", before: &["status gw-lyon-03"],
      write: "POST /v1/_/devices/" }
    { name: "disconnect", kind: Kind::Change, line: "disconnect gw-lyon-02", before: &["status gw-lyon-02"],
      write: "POST /v1/_/devices/" }
    { name: "reconnect", kind: Kind::Change, line: "reconnect gw-lyon-02", before: &["status gw-lyon-02"],
      write: "POST /v1/_/devices/", writes: 2 }
    { name: "connect, its write", kind: Kind::Write, line: "connect gw-lyon-03", before: &["status gw-lyon-03"],
      write: "POST /v1/_/devices/" }
    { name: "disconnect, its write", kind: Kind::Write, line: "disconnect gw-lyon-02", before: &["status gw-lyon-02"],
      write: "POST /v1/_/devices/" }
    { name: "auth login", kind: Kind::Login, line: "auth login", write: "POST /v1/authentication/user" }
    { name: "auth logout", kind: Kind::Logout, line: "auth logout", before: &["status gw-lyon-02"],
      write: "POST /v1/authentication/logout" }
};

/// The columns, by vendor.
pub(crate) const ALL: [(&str, &[Verb]); 3] = [("Freebox", FREEBOX), ("IXON", IXON), ("Everyware Cloud", EVERYWARE)];
