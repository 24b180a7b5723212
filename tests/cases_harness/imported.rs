//! Reads files of other VPN software, as `tunnel import` does.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use vpnctl::backend::{ImportFile, VpnBackend};

use super::folder::Case;

/// Reads a case's file, and gives what was understood, or the message of the error.
pub(crate) fn read(backend: &dyn VpnBackend, case: &Case) -> Value {
    let name = if case.maybe("file.conf").is_some() { "file.conf" } else { "file.ovpn" };
    let missing = || std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
    let beside = |name: &str| case.maybe(name).ok_or_else(missing);
    match backend.tunnels().unwrap().import(&ImportFile { name, text: &case.read(name), beside: &beside }) {
        Ok(imported) => json!({
            "document": imported.wanted.document.map(|document| document.0),
            "username": imported.wanted.username,
            "password": imported.wanted.password.map(|password| password.expose_secret().to_owned()),
            "notes": imported.notes,
        }),
        Err(error) => json!({"error": error.message()}),
    }
}
