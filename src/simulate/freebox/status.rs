//! The answer of `vpn_client/status`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::configuration::Kind;
use super::link::{Link, Moment, Phase};

/// What the connection receives and sends while it is up, in bytes per second.
const RATE_DOWN: u64 = 125_000;
/// See [`RATE_DOWN`].
const RATE_UP: u64 = 25_000;
/// What the negotiation itself took, as in the documentation's example.
const FIRST_BYTES: u64 = 94;

/// Writes the status (vendor/freebox.md section 4.6): nothing but `enabled` where no configuration is active.
pub(super) fn document(link: Option<&Link>, moment: &Moment<'_>) -> Value {
    let Some(link) = link else { return json!({"enabled": false}) };
    let faults = moment.faults;
    let unix = |at: Option<Duration>| at.map_or(0, |at| moment.clock.unix(at));
    let last_error = match (faults.arg("unknown-last-error"), faults.arg("old-last-error")) {
        (Some(word), _) => word,
        (None, Some(word)) if link.last_error == "none" => word,
        _ => link.last_error.clone(),
    };
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("enabled", json!(true));
    put("type", json!(link.configuration.kind.word()));
    put("last_error", json!(last_error));
    // In the vendor's own examples the status and the list name the same tunnel differently.
    let description = faults.arg("status-description").unwrap_or_else(|| link.configuration.description.clone());
    put("active_vpn_description", json!(description));
    put("last_try", json!(unix(link.last_try)));
    put("state", json!(faults.arg("unknown-state").unwrap_or_else(|| word(link.phase).to_owned())));
    put("stats", stats(link.phase, moment.now));
    put("active_vpn", json!(link.configuration.id));
    put("next_try", json!(next_try(link.phase, moment.now)));
    put("last_up", json!(unix(link.last_up)));
    if matches!(link.phase, Phase::Up { .. }) {
        let name = faults.arg("ipv4-attribute").filter(|name| !name.is_empty());
        put(name.as_deref().unwrap_or("ipv4"), ipv4(link));
    }
    Value::Object(body)
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::WaitingWan { .. } => "waiting_wan",
        Phase::GoingUp { .. } => "going_up",
        Phase::Up { .. } => "up",
        Phase::Down { .. } => "down",
        Phase::GoingDown { .. } => "going_down",
    }
}

/// Gives the seconds left, rounded up: a wait that is not over is never 0.
fn next_try(phase: Phase, now: Duration) -> u64 {
    let Phase::Down { until } = phase else { return 0 };
    let left = until.saturating_sub(now);
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

fn stats(phase: Phase, now: Duration) -> Value {
    let Phase::Up { since } = phase else {
        return json!({"rate_up": 0, "bytes_down": 0, "bytes_up": 0, "rate_down": 0});
    };
    let millis = u64::try_from(now.saturating_sub(since).as_millis()).unwrap_or(u64::MAX);
    let bytes = |rate: u64| FIRST_BYTES + millis.saturating_mul(rate) / 1000;
    json!({"rate_up": RATE_UP, "bytes_down": bytes(RATE_DOWN), "bytes_up": bytes(RATE_UP), "rate_down": RATE_DOWN})
}

/// Writes the addresses. Only PPTP's are documented; the other kinds get the same keys with `static` as the source.
fn ipv4(link: &Link) -> Value {
    let (provider, ip, mask, gateway, dns) = match link.configuration.kind {
        Kind::Pptp => {
            ("ppp", "192.168.27.65".to_owned(), "255.255.255.255".to_owned(), "212.27.38.253", "212.27.38.253")
        }
        Kind::OpenVpn => ("static", "10.8.0.6".to_owned(), "255.255.255.0".to_owned(), "10.8.0.1", "10.8.0.1"),
        Kind::WireGuard => {
            let (ip, length) = link.configuration.local_ipv4().unwrap_or(("0.0.0.0", 32));
            ("static", ip.to_owned(), netmask(length), "0.0.0.0", "198.51.100.53")
        }
    };
    json!({
        "routes": {},
        "config_valid": true,
        "ip_mask": {"ip": ip, "mask": mask},
        "provider": provider,
        "dhcp": {
            "state": "down",
            "renew_remaining": 0,
            "dhcp_options": {},
            "lease_remaining": 0,
            "lease_time": 0,
            "rebind_remaining": 0,
            "server_id": 0,
        },
        "dns": [dns],
        "domain": "",
        "gateway": gateway,
    })
}

fn netmask(length: u64) -> String {
    let host_bits = 32_u32.saturating_sub(u32::try_from(length).unwrap_or(32));
    std::net::Ipv4Addr::from_bits(u32::MAX.checked_shl(host_bits).unwrap_or(0)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netmasks_follow_the_prefix_length() {
        let masks = [0, 8, 24, 32].map(netmask);
        assert_eq!(masks, ["0.0.0.0", "255.0.0.0", "255.255.255.0", "255.255.255.255"]);
    }

    #[test]
    fn the_countdown_is_rounded_up() {
        let down = Phase::Down { until: Duration::from_millis(7000) };
        let left = [0, 1, 6001, 7000, 9000].map(|now| next_try(down, Duration::from_millis(now)));
        assert_eq!(left, [7, 7, 1, 0, 0]);
    }

    #[test]
    fn traffic_grows_with_time_and_only_while_up() {
        let up = Phase::Up { since: Duration::ZERO };
        assert_eq!(stats(up, Duration::from_secs(2))["bytes_down"], json!(250_094));
        assert_eq!(stats(Phase::GoingUp { until: Duration::ZERO }, Duration::from_secs(2))["bytes_down"], json!(0));
    }
}
