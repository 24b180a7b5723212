//! The exit codes and the dotted error codes: the two tables of contract sections 4 and 5, and nothing else.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// Names an exit code of the process; the numbers are public and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// Done; the state was read; the condition holds.
    Ok,
    /// Anything that no other code names.
    Error,
    /// Bad flag, argument or selector; ambiguous name; confirmation missing.
    Usage,
    /// A question was asked and the answer is no.
    No,
    /// Login needed, rejected, expired or not granted yet.
    Auth,
    /// DNS, TCP, TLS, time-out of a request, 5xx, 429, device offline or silent.
    Unreachable,
    /// No such backend, target or tunnel; empty selection.
    NotFound,
    /// The attempt reached an end state that is not the one asked for.
    Failed,
    /// The deadline passed, or the outcome of a write stayed unknown.
    Timeout,
    /// Busy, exists, another VPN in the way, guard refused.
    Conflict,
    /// Several targets with different outcomes.
    Partial,
    /// Logged in, right missing.
    Forbidden,
    /// This vendor, model or version cannot do this.
    Unsupported,
    /// The configuration is wrong.
    Config,
    /// The API answered something that its documentation does not allow.
    Vendor,
    /// Ended by SIGINT.
    Interrupted,
    /// Ended by SIGTERM.
    Terminated,
    /// A number that is not of this table: what the command of `with` ended with, or vpnctl in its place.
    Passed(u8),
}

/// Every exit code with its number, its name and when it is used: contract section 4.
pub const EXITS: [(Exit, u8, &str, &str); 17] = [
    (Exit::Ok, 0, "ok", "done; the state was read; the condition holds"),
    (Exit::Error, 1, "error", "anything not below"),
    (Exit::Usage, 2, "usage", "bad flag, argument, selector; ambiguous name; confirmation missing"),
    (Exit::No, 3, "no", "a question was asked and the answer is no"),
    (Exit::Auth, 4, "auth", "login needed, rejected, expired, not granted yet"),
    (Exit::Unreachable, 5, "unreachable", "DNS, TCP, TLS, request timed out, 5xx, 429, device offline or silent"),
    (Exit::NotFound, 6, "not-found", "no such backend, target or tunnel; selection empty"),
    (Exit::Failed, 7, "failed", "the attempt reached an end state that is not the one asked for"),
    (Exit::Timeout, 8, "timeout", "the deadline passed, or the outcome of a write stayed unknown"),
    (Exit::Conflict, 9, "conflict", "busy, exists, another VPN in the way, guard refused"),
    (Exit::Partial, 10, "partial", "several targets with different outcomes"),
    (Exit::Forbidden, 11, "forbidden", "logged in, right missing"),
    (Exit::Unsupported, 12, "unsupported", "this vendor, model or version cannot do this"),
    (Exit::Config, 13, "config", "configuration wrong; the message has file, line and column"),
    (Exit::Vendor, 14, "vendor", "the API answered something its documentation does not allow"),
    (Exit::Interrupted, 130, "signal", "ended by SIGINT"),
    (Exit::Terminated, 143, "signal", "ended by SIGTERM"),
];

impl Exit {
    /// vpnctl itself failed where a command's code is passed through.
    pub const OWN: Self = Self::Passed(125);
    /// The command can't be executed.
    pub const NO_PROGRAM: Self = Self::Passed(126);
    /// The command was not found.
    pub const NOTHING_TO_RUN: Self = Self::Passed(127);

    /// Gives the number that the process ends with.
    #[must_use]
    pub fn number(self) -> u8 {
        if let Self::Passed(number) = self {
            return number;
        }
        EXITS.iter().find(|row| row.0 == self).map_or(1, |row| row.1)
    }

    /// Gives the name in the contract's table.
    #[must_use]
    pub fn name(self) -> &'static str {
        if matches!(self, Self::Passed(_)) {
            return "passed";
        }
        EXITS.iter().find(|row| row.0 == self).map_or("error", |row| row.2)
    }
}

macro_rules! codes {
    ($($variant:ident $text:literal $exit:ident $doc:literal;)*) => {
        /// Names what went wrong, for scripts: dotted, public, stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $doc] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the contract.
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            /// Gives the dotted text.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text),* }
            }

            /// Gives the exit code that goes with it.
            #[must_use]
            pub fn exit(self) -> Exit {
                match self { $(Code::$variant => Exit::$exit),* }
            }

            /// Says in one sentence when it is used.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $doc),* }
            }
        }
    };
}

codes! {
    Internal "internal" Error "Something that no other code names, often a fault of vpnctl itself.";
    Usage "usage" Usage "A flag, an argument or a combination of them is wrong.";
    UsageAmbiguous "usage.ambiguous" Usage "A name fits several things.";
    ConfigInvalid "config.invalid" Config "A value of the configuration is wrong or missing.";
    ConfigUnknownKey "config.unknown_key" Config "The configuration has a key that does not exist.";
    BackendUnknown "backend.unknown" NotFound "No backend has that name.";
    TargetNotFound "target.not_found" NotFound "No target of the backend has that name or id.";
    SelectionEmpty "selection.empty" NotFound "A selection selects nothing.";
    ApiNotFound "api.not_found" NotFound "A raw call's path does not exist.";
    AuthRequired "auth.required" Auth "There is no login yet.";
    AuthRejected "auth.rejected" Auth "The login was refused; it is not repeated.";
    AuthExpired "auth.expired" Auth "The login has ended and cannot be renewed by itself.";
    AuthPending "auth.pending" Auth "The login waits for somebody to grant it.";
    AuthDenied "auth.denied" Auth "The login was denied.";
    AuthMfaRequired "auth.mfa_required" Auth "The login needs a one-time password.";
    AuthForbidden "auth.forbidden" Forbidden "Logged in, but a right is missing.";
    NetDns "net.dns" Unreachable "A host name could not be resolved.";
    NetRefused "net.refused" Unreachable "Nothing listens at that address, or a proxy opens no way to it.";
    NetReset "net.reset" Unreachable "The connection broke.";
    NetTimeout "net.timeout" Unreachable "No connection came about in time.";
    NetTlsUntrusted "net.tls_untrusted" Unreachable "The server's certificate is not trusted.";
    NetTlsPinChanged "net.tls_pin_changed" Unreachable "The server's certificate is not the pinned one.";
    NetTls "net.tls" Unreachable "The TLS handshake failed.";
    TimeoutRequest "timeout.request" Unreachable "One request took too long.";
    HttpServerError "http.server_error" Unreachable "The server, or a proxy before it, could not answer.";
    HttpRateLimited "http.rate_limited" Unreachable "The server asks for fewer requests.";
    DeviceOffline "device.offline" Unreachable "The device is not connected to its cloud.";
    DeviceTimeout "device.timeout" Unreachable "The device did not answer its cloud in time.";
    TimeoutDeadline "timeout.deadline" Timeout "The deadline passed while it was still pending.";
    TimeoutUnknownOutcome "timeout.unknown_outcome" Timeout "A write was sent and its outcome is not known.";
    DeviceNoVpn "device.no_vpn" Failed "The device has no VPN software.";
    DeviceFailed "device.failed" Failed "The device could not do it.";
    TunnelAuthFailed "tunnel.auth_failed" Failed "The VPN server refused the tunnel's credentials.";
    TunnelResolvFailed "tunnel.resolv_failed" Failed "The VPN server's name could not be resolved.";
    TunnelConnectTimeout "tunnel.connect_timeout" Failed "The VPN server did not answer.";
    TunnelConnectFailed "tunnel.connect_failed" Failed "The VPN connection failed.";
    TunnelProtocol "tunnel.protocol" Failed "The VPN protocol failed.";
    TunnelRemoteClosed "tunnel.remote_closed" Failed "The VPN server closed the tunnel.";
    TunnelInternal "tunnel.internal" Failed "The VPN client failed by itself.";
    TunnelStepFailed "tunnel.step_failed" Failed "A step of the connection has an error code.";
    ConflictBusy "conflict.busy" Conflict "Something else is at work there.";
    ConflictExists "conflict.exists" Conflict "It exists already.";
    ConflictActive "conflict.active" Conflict "Another VPN is in the way.";
    ConflictGuard "conflict.guard" Conflict "A guard refused the change.";
    Partial "partial" Partial "Several targets had different outcomes.";
    Unsupported "unsupported" Unsupported "This vendor, model or version cannot do it.";
    VendorProtocol "vendor.protocol" Vendor "The answer is not what the API's documentation allows.";
    VendorError "vendor.error" Vendor "The vendor's side failed and said so.";
    Interrupted "interrupted" Interrupted "Ended by a signal.";
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl JsonSchema for Code {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "code".into()
    }

    /// Describes it as a derived enum does: each word with its meaning.
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let known = Self::ALL.iter().map(|code| {
            let exit = match code.exit() {
                Exit::Interrupted => format!("{} or {}", Exit::Interrupted.number(), Exit::Terminated.number()),
                exit => exit.number().to_string(),
            };
            let meaning = format!("{} Exit code {exit}.", code.meaning());
            serde_json::json!({"type": "string", "const": code, "description": meaning})
        });
        schemars::json_schema!({"oneOf": known.collect::<Vec<_>>()})
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, EXITS, Exit};

    #[test]
    fn exit_codes_are_those_of_the_contract() {
        let table: Vec<(u8, &str)> = EXITS.iter().map(|row| (row.1, row.2)).collect();
        let contract = [
            (0, "ok"),
            (1, "error"),
            (2, "usage"),
            (3, "no"),
            (4, "auth"),
            (5, "unreachable"),
            (6, "not-found"),
            (7, "failed"),
            (8, "timeout"),
            (9, "conflict"),
            (10, "partial"),
            (11, "forbidden"),
            (12, "unsupported"),
            (13, "config"),
            (14, "vendor"),
            (130, "signal"),
            (143, "signal"),
        ];
        assert_eq!(table, contract);
    }

    #[test]
    fn each_code_has_the_exit_of_the_contract() {
        // Copied from the table in contract section 5, not from the macro above.
        let contract: [(&str, u8); 14] = [
            ("internal", 1),
            ("usage usage.ambiguous", 2),
            ("config.invalid config.unknown_key", 13),
            ("backend.unknown target.not_found selection.empty api.not_found", 6),
            ("auth.required auth.rejected auth.expired auth.pending auth.denied auth.mfa_required", 4),
            ("auth.forbidden", 11),
            (
                "net.dns net.refused net.reset net.timeout net.tls_untrusted net.tls_pin_changed net.tls \
                 timeout.request http.server_error http.rate_limited device.offline device.timeout",
                5,
            ),
            ("timeout.deadline timeout.unknown_outcome", 8),
            (
                "device.no_vpn device.failed tunnel.auth_failed tunnel.resolv_failed tunnel.connect_timeout \
                 tunnel.connect_failed tunnel.protocol tunnel.remote_closed tunnel.internal tunnel.step_failed",
                7,
            ),
            ("conflict.busy conflict.exists conflict.active conflict.guard", 9),
            ("partial", 10),
            ("unsupported", 12),
            ("vendor.protocol vendor.error", 14),
            ("interrupted", 130),
        ];
        let mut expected: Vec<(&str, u8)> = Vec::new();
        for (names, exit) in contract {
            expected.extend(names.split_whitespace().map(|name| (name, exit)));
        }
        let ours: Vec<(&str, u8)> = Code::ALL.iter().map(|code| (code.as_str(), code.exit().number())).collect();
        assert_eq!(ours, expected);
    }

    #[test]
    fn names_are_found_by_exit() {
        assert_eq!(Exit::NotFound.name(), "not-found");
        assert_eq!(Exit::Terminated.number(), 143);
    }

    #[test]
    fn a_code_that_is_passed_through_stays_what_it_is() {
        for number in [0, 3, 125, 255] {
            assert_eq!(Exit::Passed(number).number(), number);
        }
        assert_eq!([Exit::OWN, Exit::NO_PROGRAM, Exit::NOTHING_TO_RUN].map(Exit::number), [125, 126, 127]);
    }
}
