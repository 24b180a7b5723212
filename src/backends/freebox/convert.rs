//! From the box's documents to the model; pure, and what the case folders test.

use jiff::Timestamp;
use serde_json::Value;

use super::wire::{IpInfo, Stats, VpnConfig, VpnStatus};
use crate::backend::LogLine;
use crate::backends::shared::meaningful;
use crate::model::{Failure, LastError, Link, Network, Source, State, Status, Target, TargetKind, Traffic};

/// Turns the answer of `vpn_client/status` into a status.
#[must_use]
pub fn status(document: VpnStatus) -> Status {
    let raw_state = meaningful(document.state.clone());
    let active_vpn = meaningful(document.active_vpn.clone());
    match document.enabled {
        Some(true) => (),
        Some(false) => return Status::new(State::Disconnected, Source::Client),
        None if raw_state.is_some() || active_vpn.is_some() => (),
        // A document that says nothing is no proof that nothing is connected.
        None => return Status::new(State::Unknown, Source::Client),
    }
    let error = document.last_error.as_deref().filter(|code| !matches!(*code, "none" | ""));
    let down = document.state.as_deref() == Some("down");
    let last_error = error.map(|code| LastError {
        code: code.to_owned(),
        message: meaning(code).to_owned(),
        // The box tells when it last tried; the error is of that attempt only while the tunnel is down.
        at: if down { document.last_try.and_then(instant) } else { None },
    });
    let failure = error.map(failure);
    let state = match document.state.as_deref() {
        Some("up") => State::Connected(link(&document)),
        Some("going_up") => State::Connecting,
        Some("going_down") => State::Disconnecting,
        Some("waiting_wan") => State::Waiting,
        Some("down") if error.is_some() => {
            let next = document.next_try.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
            State::Failed { next_retry_s: next }
        }
        Some("down") => State::Disconnected,
        _ => State::Unknown,
    };
    let target = active_vpn.map(|id| Target {
        kind: TargetKind::Tunnel,
        id,
        name: meaningful(document.active_vpn_description.clone()),
        kind_word: meaningful(document.kind.clone()),
        scope: None,
    });
    Status {
        target: target.filter(|_| state != State::Disconnected),
        // A configuration that failed holds the VPN also while it is down: the box tries again by itself.
        engaged: state != State::Disconnected,
        raw_state,
        last_error,
        failure,
        last_attempt_at: document.last_try.and_then(instant),
        ..Status::new(state, Source::Client)
    }
}

/// Takes the log apart: `YYYY-MM-DD HH:MM:SS level: daemon: sub: text`, one a line.
#[must_use]
pub fn log(text: &str) -> Vec<LogLine> {
    let texts = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    // The daemons write into it what they are configured with.
    let mut without_secrets = super::redact::Lines::default();
    let mut lines: Vec<LogLine> = texts
        .map(|line| LogLine {
            // The box's clock tells no zone, so the time stays in the text.
            at: None,
            level: level(line).map(str::to_owned),
            text: without_secrets.next(line),
            is_open: false,
        })
        .collect();
    if let Some(last) = lines.last_mut() {
        last.is_open = !text.ends_with('\n');
    }
    lines
}

fn level(line: &str) -> Option<&str> {
    let mut words = line.splitn(4, ' ');
    let (date, time, level) = (words.next()?, words.next()?, words.next()?);
    let dated = date.len() == 10 && date.matches('-').count() == 2 && time.matches(':').count() == 2;
    level.strip_suffix(':').filter(|level| dated && !level.is_empty())
}

/// Masks the secrets of a VPN client configuration, at whatever depth: the box shows WireGuard's private key to those who
/// may change settings. "" stays, for it is what the box calls none.
#[must_use]
pub fn masked(document: Value) -> Value {
    match document {
        Value::Object(map) => {
            let mask = |(name, value): (String, Value)| {
                let shown = if is_secret(&name) && value != "" && !value.is_null() && !value.is_boolean() {
                    Value::String(super::change::MASK.to_owned())
                } else {
                    masked(value)
                };
                (name, shown)
            };
            Value::Object(map.into_iter().map(mask).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(masked).collect()),
        other => other,
    }
}

/// Tells whether a field holds a secret: those that are known, and what a later firmware may call one.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    name == "config_file"
        || (name.ends_with("_key") && !name.contains("public") && !name.contains("pub_"))
        || ["pass", "secret", "private", "preshared", "psk", "token"].iter().any(|part| name.contains(part))
}

/// Turns a VPN client configuration into a target.
pub(super) fn target(config: VpnConfig) -> Target {
    Target {
        kind: TargetKind::Tunnel,
        id: config.id,
        name: meaningful(config.description),
        kind_word: meaningful(config.kind),
        scope: None,
    }
}

fn link(document: &VpnStatus) -> Link {
    let ipv4 = document.ipv4.as_ref().or(document.documented_ipv4.as_ref());
    Link {
        ip_address: ipv4.and_then(|info| info.ip_mask.as_ref()).and_then(|ip| meaningful(ip.ip.clone())),
        since: document.last_up.and_then(instant),
        network: ipv4.map(network),
        traffic: document.stats.as_ref().map(traffic),
    }
}

fn network(info: &IpInfo) -> Network {
    let dns: Vec<String> = info.dns.iter().filter_map(|address| meaningful(Some(address.clone()))).collect();
    Network {
        mask: info.ip_mask.as_ref().and_then(|ip| meaningful(ip.mask.clone())),
        gateway: meaningful(info.gateway.clone()),
        dns: Some(dns).filter(|dns| !dns.is_empty()),
        domain: meaningful(info.domain.clone()),
    }
}

/// Turns the box's counters around: what came down to the box is what the VPN client received.
fn traffic(stats: &Stats) -> Traffic {
    let count = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    Traffic {
        rx_bytes: count(stats.bytes_down),
        tx_bytes: count(stats.bytes_up),
        rx_rate: count(stats.rate_down),
        tx_rate: count(stats.rate_up),
    }
}

/// Reads a unix time; 0 means never.
fn instant(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok().filter(|_| seconds > 0)
}

/// Sorts the box's `last_error` words; two of them exist in two spellings.
fn failure(code: &str) -> Failure {
    match code {
        "authentication_failed" | "auth_failed" => Failure::Auth,
        "resolv_failed" => Failure::Resolv,
        "connect_timeout" => Failure::ConnectTimeout,
        "protocol" | "setup_control_failed" | "setup_call_failed" => Failure::Protocol,
        "remote_terminated" | "remote_disconnect" => Failure::RemoteClosed,
        "internal" => Failure::Internal,
        _ => Failure::ConnectFailed,
    }
}

fn meaning(code: &str) -> &str {
    match code {
        "internal" => "internal error",
        "authentication_failed" | "auth_failed" => "wrong credentials",
        "resolv_failed" => "invalid host name",
        "connect_timeout" => "connection timeout",
        "connect_failed" => "connection failed",
        "setup_control_failed" => "PPTP session negotiation failure",
        "setup_call_failed" => "PPTP session failure",
        "protocol" => "protocol error",
        "remote_terminated" | "remote_disconnect" => "closed by the remote peer",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{log, masked};

    #[test]
    fn what_a_later_firmware_may_call_a_secret_is_masked() {
        for name in ["pass", "passphrase", "api_token", "tls_auth_key", "client_secret", "local_priv_key"] {
            assert_eq!(masked(json!({"conf": {name: "canary"}})), json!({"conf": {name: "***"}}));
        }
        let harmless = json!({"remote_public_key": "K", "peer_pub_key": "K", "password": "", "pass_through": true});
        assert_eq!(masked(harmless.clone()), harmless);
    }

    #[test]
    fn the_log_holds_no_secret() {
        let text =
            "2014-02-20 14:55:10 dbg: openvpn: -----BEGIN KEY-----\nY2FuYXJ5\n-----END KEY-----\npassword=canary";
        let lines = log(text);
        assert_eq!(lines[0].level.as_deref(), Some("dbg"));
        assert!(lines.iter().all(|line| !line.text.contains("canary") && !line.text.contains("Y2F")), "{lines:?}");
    }

    #[test]
    fn the_documented_line_has_a_level() {
        let lines = log("2014-02-20 14:55:10 dbg: ppp: pppd: sent [ ... ] \n\nno shape at all\n");
        let told: Vec<(Option<&str>, &str)> =
            lines.iter().map(|line| (line.level.as_deref(), line.text.as_str())).collect();
        assert_eq!(
            told,
            [(Some("dbg"), "2014-02-20 14:55:10 dbg: ppp: pppd: sent [ ... ]"), (None, "no shape at all")]
        );
        assert_eq!(log(""), []);
    }
}
