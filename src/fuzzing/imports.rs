//! Files of other VPN software.

use super::meaning::of_error;
use crate::backends::fuzzing::imported;

/// The shortest key whose text can't stand in a message by accident.
const TELLING: usize = 12;

pub(super) fn wireguard(bytes: &[u8]) {
    read("lyon.conf", bytes, |line| {
        let (key, value) = line.split_once('=')?;
        let key = key.trim().to_ascii_lowercase();
        ["privatekey", "presharedkey"].contains(&key.as_str()).then_some(value)
    });
}

pub(super) fn openvpn(bytes: &[u8]) {
    // Certificates and keys begin so in base64.
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    read("office.ovpn", bytes, |line| line.strip_prefix("MII").filter(|key| key.chars().all(is_base64)));
}

fn read(name: &str, bytes: &[u8], secret: impl Fn(&str) -> Option<&str>) {
    let text = String::from_utf8_lossy(bytes);
    let Err(error) = imported(name, &text) else { return };
    of_error(&error);
    let told = format!("{error:?}");
    for value in text.lines().filter_map(secret).filter_map(|value| value.split('#').next()).map(str::trim) {
        let is_telling = value.len() >= TELLING && text.matches(value).count() == 1;
        assert!(!is_telling || !told.contains(value), "{error} tells a key");
    }
}
