//! WireGuard's `.conf`, as `wg-quick` reads it; pure.
//!
//! Read by hand: the crates for INI files merge sections of the same name, or give no line of a key, and two `[Peer]`
//! have to be told from one, and every fault by its line.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value, json};

use super::fields::is_key;
use crate::backend::{ImportFile, Imported, SecretDocument, TunnelChange};
use crate::config::schema::nearest;
use crate::error::{Error, Result};

/// The keys that `wg` and `wg-quick` know and the box has no field for.
const LEFT_OUT: [&str; 10] = [
    "listenport",
    "fwmark",
    "table",
    "preup",
    "postup",
    "predown",
    "postdown",
    "saveconfig",
    "allowedips",
    "persistentkeepalive",
];

/// The section that a line stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    None,
    Interface,
    Peer,
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    conf: Map<String, Value>,
    networks: Vec<Value>,
    dns: Vec<String>,
    left_out: Vec<String>,
    domains: Vec<String>,
    peers: usize,
}

/// Makes an error at a line of the file; `what` never quotes a value that may be a key.
pub(super) fn at(file: &str, line: usize, what: &str) -> Error {
    Error::usage(format!("{file}:{line}: {what}"))
}

/// Reads the file.
pub(super) fn read(file: &ImportFile<'_>) -> Result<Imported> {
    let mut reading = Reading::default();
    let mut section = Section::None;
    // Windows puts a mark of the byte order in front.
    for (index, line) in file.text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = index + 1;
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if line.starts_with('[') {
            section = reading.enter(line, file.name, number)?;
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err(at(file.name, number, "is neither a section nor KEY = VALUE")
                .hint("a WireGuard file has lines such as `MTU = 1420`"));
        };
        reading.take(section, key.trim(), value.trim(), file.name, number)?;
    }
    reading.done(file.name)
}

impl Reading {
    fn enter(&mut self, line: &str, file: &str, number: usize) -> Result<Section> {
        match line.to_ascii_lowercase().as_str() {
            "[interface]" => Ok(Section::Interface),
            "[peer]" => {
                self.peers += 1;
                if self.peers > 1 {
                    return Err(at(file, number, "is a second [Peer], and the box's tunnels have one")
                        .hint("make a file for each peer, with the same [Interface]"));
                }
                Ok(Section::Peer)
            }
            _ => Err(at(file, number, "begins a section that WireGuard does not have")
                .hint("WireGuard has [Interface] and [Peer]; an OpenVPN file ends with .ovpn")),
        }
    }

    fn take(&mut self, section: Section, key: &str, value: &str, file: &str, number: usize) -> Result<()> {
        let wrong = |what: &str| Err(at(file, number, what));
        let lower = key.to_ascii_lowercase();
        match (section, lower.as_str()) {
            (Section::Interface, "privatekey") => self.key("local_priv_key", key, value, file, number)?,
            (Section::Peer, "publickey") => self.key("remote_public_key", key, value, file, number)?,
            (Section::Peer, "presharedkey") => self.key("remote_preshared_key", key, value, file, number)?,
            (Section::Interface, "address") => {
                for one in list(value) {
                    let Some(network) = network(one) else {
                        return wrong(&format!("`{one}` is no address with the length of its prefix"));
                    };
                    self.networks.push(network);
                }
            }
            (Section::Interface, "dns") => {
                for one in list(value) {
                    match one.parse::<IpAddr>() {
                        Ok(address) => self.dns.push(address.to_string()),
                        Err(_) => self.domains.push(format!("`{one}` (line {number})")),
                    }
                }
            }
            (Section::Interface, "mtu") => match value.parse::<u16>() {
                Ok(mtu) => drop(self.conf.insert("mtu".to_owned(), json!(mtu))),
                Err(_) => return wrong("MTU is no number of bytes"),
            },
            (Section::Peer, "endpoint") => self.endpoint(value, file, number)?,
            (Section::None, _) => return wrong("stands before the first section, which has to be [Interface]"),
            (_, known) if LEFT_OUT.contains(&known) => self.left_out.push(format!("{key} (line {number})")),
            _ => return Err(unknown(key, file, number)),
        }
        Ok(())
    }

    fn key(&mut self, field: &str, key: &str, value: &str, file: &str, number: usize) -> Result<()> {
        let value = json!(value);
        if !is_key(&value) {
            return Err(at(file, number, &format!("{key} is no key of 32 bytes in base64"))
                .hint("WireGuard's keys have 44 characters and end with `=`; put the key itself into the file"));
        }
        if self.conf.insert(field.to_owned(), value).is_some() {
            return Err(at(file, number, &format!("{key} is there twice")));
        }
        Ok(())
    }

    /// Reads `HOST:PORT` or `[V6]:PORT`. The vendor documents `remote_addr` as the remote IP, where it says "IP or
    /// name" of PPTP's host; a name is refused rather than looked up here, for the box may see another address.
    fn endpoint(&mut self, value: &str, file: &str, number: usize) -> Result<()> {
        let remedy = "write ADDRESS:PORT, an IPv6 address in brackets: Endpoint = [2001:db8::1]:51820";
        if let Ok(address) = value.parse::<SocketAddr>() {
            if address.port() == 0 {
                return Err(at(file, number, "Endpoint has no port").hint(remedy));
            }
            self.conf.insert("remote_addr".to_owned(), json!(address.ip().to_string()));
            self.conf.insert("remote_port".to_owned(), json!(address.port()));
            return Ok(());
        }
        match value.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() && !host.contains([':', '[']) && !host.is_empty() => {
                let what = format!("Endpoint is the name `{host}`, and the box takes an address only");
                Err(at(file, number, &what).hint(format!(
                    "look it up (`getent hosts {host}`) and write the address into the file; where it changes, the \
                     tunnel has to be changed too: vpnctl tunnel edit NAME --host ADDRESS"
                )))
            }
            _ => Err(at(file, number, "Endpoint is no address with a port").hint(remedy)),
        }
    }

    fn done(mut self, file: &str) -> Result<Imported> {
        if !self.networks.is_empty() {
            self.conf.insert("local_addr".to_owned(), json!(self.networks));
        }
        if !self.dns.is_empty() {
            self.conf.insert("dns".to_owned(), json!(self.dns));
        }
        let needed = [
            ("local_priv_key", "PrivateKey in [Interface]"),
            ("local_addr", "Address in [Interface]"),
            ("remote_public_key", "PublicKey in [Peer]"),
            ("remote_addr", "Endpoint in [Peer]"),
        ];
        let lacking: Vec<&str> =
            needed.iter().filter(|(field, _)| !self.conf.contains_key(*field)).map(|(_, name)| *name).collect();
        if !lacking.is_empty() {
            return Err(Error::usage(format!("{file}: lacks {}", lacking.join(", ")))
                .hint("take the file that the VPN server made for this client"));
        }
        let mut notes = Vec::new();
        if !self.left_out.is_empty() {
            notes.push(format!("{file}: left out, for the box has no field for it: {}", self.left_out.join(", ")));
        }
        if !self.domains.is_empty() {
            notes.push(format!(
                "{file}: left out of DNS, for the box takes addresses only and no search domains: {}",
                self.domains.join(", ")
            ));
        }
        let document = json!({"type": "wireguard", "conf_wireguard": self.conf});
        Ok(Imported {
            wanted: TunnelChange { document: Some(SecretDocument(document)), ..TunnelChange::default() },
            notes,
        })
    }
}

/// Tells of a setting that is not WireGuard's, as `wg` does: what is mistyped must not be missing in silence.
fn unknown(key: &str, file: &str, number: usize) -> Error {
    // It may be a secret that slipped to the left of its `=`: only what can't be one is shown.
    let plain = key.len() <= 24 && key.chars().all(|c| c.is_ascii_alphabetic());
    let name = if plain { format!("`{key}`") } else { "something".to_owned() };
    let error = at(file, number, &format!("sets {name}, which WireGuard does not have in this section"));
    let known = ["privatekey", "address", "dns", "mtu", "publickey", "presharedkey", "endpoint"];
    match nearest(&key.to_ascii_lowercase(), known.into_iter().chain(LEFT_OUT)).filter(|_| plain) {
        Some(near) if near != key.to_ascii_lowercase() => error.hint(format!("did you mean `{near}`?")),
        _ => error.hint("correct the line, or leave it out"),
    }
}

fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|one| !one.is_empty())
}

/// Reads `ADDRESS/LENGTH`; without a length it is one address.
fn network(text: &str) -> Option<Value> {
    let (address, len) = match text.split_once('/') {
        Some((address, len)) => (address, Some(len.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let len = len.unwrap_or(longest);
    (len <= longest).then(|| json!({"ip": address.to_string(), "len": len}))
}
