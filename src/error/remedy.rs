//! What to do about each code, for `vpnctl help errors`. The hint of an error knows more of its own case.

use super::Code;

impl Code {
    /// Says in a sentence what to do about it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Internal => "Run it again with -vv and report what it says.",
            Self::Usage => "Read the help of the verb: vpnctl help VERB.",
            Self::UsageAmbiguous => "Choose one of the candidates that are listed, as BACKEND/NAME or by its id.",
            Self::ConfigInvalid => "Correct the place that is named; check with: vpnctl config validate.",
            Self::ConfigUnknownKey => "Correct the key; all of them: vpnctl help config.",
            Self::BackendUnknown => "Look at the backends that there are: vpnctl backends.",
            Self::TargetNotFound => "Look at the targets that there are: vpnctl list.",
            Self::SelectionEmpty => "Look at what can be selected: vpnctl list -A -o wide.",
            Self::ApiNotFound => "Compare the path with the vendor's documentation.",
            Self::AuthRequired => "Log in: vpnctl auth login -b BACKEND.",
            Self::AuthRejected => "Correct the secret, then try once: vpnctl auth login -b BACKEND.",
            Self::AuthExpired => "Log in again: vpnctl auth login -b BACKEND.",
            Self::AuthPending => "Grant it where the message says, then run the same command again.",
            Self::AuthDenied => "Log in again, and grant it this time: vpnctl auth login -b BACKEND.",
            Self::AuthMfaRequired => "Log in with the code: vpnctl auth login -b BACKEND, or with --otp-stdin.",
            Self::AuthForbidden => "Have the right given that the message names.",
            Self::NetDns => "Check the host in `url` and the resolver of this computer.",
            Self::NetRefused => "Check `url`, that what should listen there runs, and the proxy, if there is one.",
            Self::NetReset => "Try again; if it stays, look for what cuts connections on the way.",
            Self::NetTimeout => "Check `url` and the way to it; a firewall may swallow what is sent.",
            Self::NetTlsUntrusted => "Look at the certificate with vpnctl trust show; pin it or name its CA.",
            Self::NetTlsPinChanged => "Find out why it changed before you trust it: vpnctl trust show.",
            Self::NetTls => "Check that `url` has the right scheme, host and port.",
            Self::TimeoutRequest => "Try again, or give each request more time: --request-timeout.",
            Self::HttpServerError => "Try again later.",
            Self::HttpRateLimited => "Wait as long as retry_after_s says, or ask less: --rate, --jobs.",
            Self::DeviceOffline => "See that the device has power and a network; wait for it with: vpnctl wait.",
            Self::DeviceTimeout => "Try again, or give it more time: --request-timeout.",
            Self::TimeoutDeadline => "Give it more time: --timeout.",
            Self::TimeoutUnknownOutcome => "Read the state before you send it again: vpnctl status.",
            Self::DeviceNoVpn => "Install the vendor's VPN software on the device.",
            Self::DeviceFailed => "Read the device's own log for the reason.",
            Self::TunnelAuthFailed => "Correct the user or the password of the VPN configuration.",
            Self::TunnelResolvFailed => "Correct the host of the VPN configuration.",
            Self::TunnelConnectTimeout => "Check the host and the port of the VPN configuration.",
            Self::TunnelConnectFailed => "Read the VPN's log for the reason: vpnctl log.",
            Self::TunnelProtocol => "Check that both ends speak the same protocol and options: vpnctl log.",
            Self::TunnelRemoteClosed => "Ask who runs the VPN server; the log may tell more: vpnctl log.",
            Self::TunnelInternal => "Try again; if it stays, restart the VPN client.",
            Self::TunnelStepFailed => "Read which step failed, and its code, in the message.",
            Self::ConflictBusy => "Wait for what is at work there, then try again.",
            Self::ConflictExists => "Choose another name, or change what exists.",
            Self::ConflictActive => "Disconnect the other one first, or add --switch.",
            Self::ConflictGuard => "Lift the guard that the message names, if the change is meant.",
            Self::Partial => "Look at each item's error in -o json.",
            Self::Unsupported => "See what each vendor can do: vpnctl backends --matrix.",
            Self::VendorProtocol => "Report it with what -vv says; the vendor may have changed its API.",
            Self::VendorError => "Try again later; if it stays, ask the vendor with the code that the message has.",
            Self::Interrupted => "Look at the state: vpnctl status; what was begun may go on at the vendor.",
        }
    }
}
