//! The fields of the box's VPN configurations, and what may stand in each: vendor pages "VPN Client", version 4 (PPTP)
//! and the one that the box itself serves (WireGuard); OpenVPN's are not documented, but three that clients agree on.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::config::schema::nearest;
use crate::error::{Error, Result};

/// The protocols that the box can be a client of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Pptp,
    OpenVpn,
    WireGuard,
}

/// What may stand in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Any text.
    Text,
    /// A text that the box takes and never gives back.
    WriteOnly,
    /// A key of 32 bytes in base64 that anybody may see.
    PublicKey,
    /// A key of 32 bytes in base64 that nobody may see.
    SecretKey,
    /// The same, or "" for none.
    OptionalKey,
    /// A word for PPTP's encryption.
    Mppe,
    /// PPTP's ways to authenticate, each true or false.
    Methods,
    /// An address, no name: the vendor calls it the remote IP.
    Address,
    /// A port.
    Port,
    /// Addresses, each with the length of its prefix.
    Networks,
    /// Addresses of name servers.
    NameServers,
    /// A size in bytes.
    Mtu,
}

/// Describes a field of a protocol's sub-object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) form: Form,
    /// The flag that sets it; without one it comes by a document or a file.
    pub(super) flag: Option<&'static str>,
    pub(super) required: bool,
}

const fn field(name: &'static str, form: Form, flag: Option<&'static str>, required: bool) -> Field {
    Field { name, form, flag, required }
}

const PPTP: &[Field] = &[
    field("remote_host", Form::Text, Some("--host"), true),
    field("username", Form::Text, Some("--username"), true),
    field("password", Form::WriteOnly, Some("--password-stdin"), false),
    field("mppe", Form::Mppe, Some("--mppe"), false),
    field("allowed_auth", Form::Methods, Some("--auth"), false),
];
const OPENVPN: &[Field] = &[
    field("username", Form::Text, Some("--username"), false),
    field("password", Form::WriteOnly, Some("--password-stdin"), false),
    field("config_file", Form::WriteOnly, None, true),
];
const WIREGUARD: &[Field] = &[
    field("remote_addr", Form::Address, Some("--host"), true),
    field("remote_port", Form::Port, Some("--port"), true),
    field("remote_public_key", Form::PublicKey, None, true),
    field("remote_preshared_key", Form::OptionalKey, None, false),
    field("local_priv_key", Form::SecretKey, None, true),
    field("local_addr", Form::Networks, None, true),
    field("dns", Form::NameServers, Some("--dns"), false),
    field("mtu", Form::Mtu, Some("--mtu"), false),
];

/// The vendor's words for PPTP's encryption.
const MPPE: [&str; 3] = ["disable", "require", "require_128"];
/// The vendor's words for PPTP's ways to authenticate.
pub(super) const METHODS: [&str; 5] = ["eap", "pap", "chap", "mschap", "mschapv2"];
/// The smallest packet that IPv4 lets a link have (RFC 791); the vendor names no bounds.
const SMALLEST_MTU: u64 = 68;

impl Protocol {
    pub(super) const ALL: [Self; 3] = [Self::Pptp, Self::OpenVpn, Self::WireGuard];

    /// Gives the vendor's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pptp => "pptp",
            Self::OpenVpn => "openvpn",
            Self::WireGuard => "wireguard",
        }
    }

    /// Names it for people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Pptp => "a PPTP tunnel",
            Self::OpenVpn => "an OpenVPN tunnel",
            Self::WireGuard => "a WireGuard tunnel",
        }
    }

    /// Names the sub-object that holds its fields.
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::Pptp => "conf_pptp",
            Self::OpenVpn => "conf_openvpn",
            Self::WireGuard => "conf_wireguard",
        }
    }

    /// Describes the fields of that sub-object.
    pub(super) fn fields(self) -> &'static [Field] {
        match self {
            Self::Pptp => PPTP,
            Self::OpenVpn => OPENVPN,
            Self::WireGuard => WIREGUARD,
        }
    }

    pub(super) fn field(self, name: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.name == name)
    }

    /// Finds the field that a flag sets.
    pub(super) fn by_flag(self, flag: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.flag == Some(flag))
    }

    /// Reads the vendor's word.
    pub(super) fn read(word: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.word() == word).ok_or_else(|| {
            let words = Self::ALL.map(Self::word);
            unknown_word(&format!("the box has no type `{word}`"), word, &words)
        })
    }
}

fn unknown_word(what: &str, word: &str, known: &[&str]) -> Error {
    let error = Error::usage(format!("{what}; there are {}", known.join(", ")));
    match nearest(&word.to_lowercase(), known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("write one of {}", known.join(", "))),
    }
}

impl Field {
    /// Says how a person gives this field.
    pub(super) fn how(&self) -> String {
        self.flag.map_or_else(|| format!("`{}`", self.name), |flag| format!("`{}` ({flag})", self.name))
    }

    /// Checks what is to be sent.
    ///
    /// # Errors
    /// Fails with `usage`; the message never quotes a secret.
    pub(super) fn check(&self, value: &Value) -> Result<()> {
        let wrong = |what: &str| Err(Error::usage(format!("`{}` {what}", self.name)).hint(self.remedy()));
        let text = value.as_str();
        match self.form {
            Form::Text => match text {
                Some(text) if !text.is_empty() && !text.chars().any(char::is_control) => Ok(()),
                _ => wrong("is no text on one line"),
            },
            Form::WriteOnly => {
                if text.is_some() {
                    Ok(())
                } else {
                    wrong("is no text")
                }
            }
            Form::PublicKey | Form::SecretKey => {
                if is_key(value) {
                    Ok(())
                } else {
                    wrong("is no key of 32 bytes in base64")
                }
            }
            Form::OptionalKey => {
                if text == Some("") || is_key(value) {
                    Ok(())
                } else {
                    wrong("is no key of 32 bytes in base64")
                }
            }
            Form::Mppe => match text {
                Some(word) if MPPE.contains(&word) => Ok(()),
                Some(word) => Err(unknown_word(&format!("PPTP has no encryption `{word}`"), word, &MPPE)),
                None => wrong("is no text"),
            },
            Form::Methods => methods(value),
            Form::Address => match text {
                Some(text) if text.parse::<IpAddr>().is_ok() => Ok(()),
                Some(text) => wrong(&format!("is no address: `{text}`")),
                None => wrong("is no address"),
            },
            Form::Port => match value.as_u64() {
                Some(1..=65535) => Ok(()),
                _ => wrong("is no port from 1 to 65535"),
            },
            Form::Networks => match value.as_array() {
                Some(all) if !all.is_empty() && all.iter().all(is_network) => Ok(()),
                _ => wrong("is no list of addresses, each {\"ip\": …, \"len\": …} with the length of its prefix"),
            },
            Form::NameServers => self.name_servers(value),
            Form::Mtu => match value.as_u64() {
                Some(SMALLEST_MTU..=65535) => Ok(()),
                _ => wrong("is no packet size from 68 to 65535"),
            },
        }
    }

    fn name_servers(&self, value: &Value) -> Result<()> {
        let Some(all) = value.as_array() else {
            return Err(Error::usage(format!("`{}` is no list of addresses", self.name)).hint(self.remedy()));
        };
        let odd = all.iter().find(|one| one.as_str().is_none_or(|text| text.parse::<IpAddr>().is_err()));
        match odd {
            None => Ok(()),
            Some(odd) => {
                let shown = odd.as_str().unwrap_or("no text");
                Err(Error::usage(format!("`{}` takes addresses only, and holds `{shown}`", self.name))
                    .hint("write addresses: --dns 198.51.100.53,2001:db8::53; the box has no field for search domains"))
            }
        }
    }

    fn remedy(&self) -> String {
        match self.form {
            // The vendor's page says "IP or name" of PPTP's server and "remote IP" of this one: a name that the box took
            // and could not use would only show at the first connect.
            Form::Address => "the box takes the server's address here, no name: look the name up (for example \
                              `getent hosts NAME`) and give the address"
                .to_owned(),
            Form::PublicKey | Form::SecretKey | Form::OptionalKey => {
                "WireGuard's keys have 44 characters and end with `=`; `wg genkey` makes one".to_owned()
            }
            _ => match self.flag {
                Some(flag) => format!("correct it, or set it with {flag}"),
                None => "correct it in the document".to_owned(),
            },
        }
    }
}

/// Makes PPTP's ways to authenticate out of a list: the box completes a partial object with false, so all are said.
pub(super) fn methods_of(list: &[String]) -> Result<Value> {
    let words: Vec<&str> = list.iter().map(|word| word.trim()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Err(Error::usage("--auth names no way to authenticate").hint(format!("of {}", METHODS.join(", "))));
    }
    if let Some(odd) = words.iter().find(|word| !METHODS.contains(*word)) {
        return Err(unknown_word(&format!("PPTP has no way to authenticate `{odd}`"), odd, &METHODS));
    }
    Ok(Value::Object(METHODS.iter().map(|name| ((*name).to_owned(), json!(words.contains(name)))).collect()))
}

fn methods(value: &Value) -> Result<()> {
    let Some(map) = value.as_object() else {
        return Err(Error::usage("`allowed_auth` is no object of ways to authenticate, each true or false")
            .hint(format!("set it with --auth, a list of {}", METHODS.join(", "))));
    };
    for (name, allowed) in map {
        if !METHODS.contains(&name.as_str()) {
            return Err(unknown_word(&format!("PPTP has no way to authenticate `{name}`"), name, &METHODS));
        }
        if !allowed.is_boolean() {
            return Err(Error::usage(format!("`allowed_auth.{name}` is neither true nor false"))
                .hint(format!("set it with --auth, a list of {}", METHODS.join(", "))));
        }
    }
    Ok(())
}

/// Fills in the ways to authenticate that an object leaves out, as the box does.
pub(super) fn completed(value: &Value) -> Value {
    let named = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or(false);
    Value::Object(METHODS.iter().map(|name| ((*name).to_owned(), json!(named(name)))).collect::<Map<_, _>>())
}

/// Tells whether a value is a WireGuard key: 32 bytes in base64. What a box shows in place of one is none.
pub(super) fn is_key(value: &Value) -> bool {
    value.as_str().is_some_and(|text| STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == 32))
}

fn is_network(value: &Value) -> bool {
    let longest = match value.get("ip").and_then(Value::as_str).map(str::parse::<IpAddr>) {
        Some(Ok(IpAddr::V4(_))) => 32,
        Some(Ok(IpAddr::V6(_))) => 128,
        _ => return false,
    };
    value.get("len").and_then(Value::as_u64).is_some_and(|len| len <= longest)
}

/// Tells whether two values of a field mean the same to the box.
pub(super) fn same(field: Option<&Field>, there: Option<&Value>, wanted: &Value) -> bool {
    let empty = |value: &Value| value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty);
    let Some(there) = there.filter(|value| !empty(value)) else { return empty(wanted) };
    match field.map(|field| field.form) {
        Some(Form::Methods) => completed(there) == completed(wanted),
        // Numbers were seen as strings.
        Some(Form::Port | Form::Mtu) => {
            let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
            number(there) == number(wanted)
        }
        _ => there == wanted,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Protocol, methods_of, same};

    fn fits(protocol: Protocol, name: &str, value: &Value) -> bool {
        protocol.field(name).expect("a field").check(value).is_ok()
    }

    #[test]
    fn each_field_takes_what_the_vendor_documents_and_nothing_else() {
        let key = "QZnLR0TYPbPbhfVWeLVRf1zsPC0JXG/woVmsmEkgsw8=";
        for (name, good, bad) in [
            ("remote_addr", json!("2001:db8::1"), json!("vpn.example.org")),
            ("remote_port", json!(51820), json!(0)),
            ("remote_port", json!(65535), json!(65536)),
            ("remote_port", json!(1), json!("51820")),
            ("remote_public_key", json!(key), json!("")),
            ("local_priv_key", json!(key), json!(&key[..42])),
            ("remote_preshared_key", json!(""), json!("short")),
            ("local_addr", json!([{"ip": "198.51.100.10", "len": 32}]), json!([{"ip": "198.51.100.10", "len": 33}])),
            ("local_addr", json!([{"ip": "2001:db8::10", "len": 128}]), json!([])),
            ("dns", json!([]), json!(["example.org"])),
            ("mtu", json!(1420), json!(67)),
        ] {
            assert!(fits(Protocol::WireGuard, name, &good), "{name} {good}");
            assert!(!fits(Protocol::WireGuard, name, &bad), "{name} {bad}");
        }
        assert!(fits(Protocol::Pptp, "mppe", &json!("require_128")));
        assert!(!fits(Protocol::Pptp, "allowed_auth", &json!({"mschapv3": true})));
        assert!(!fits(Protocol::Pptp, "allowed_auth", &json!({"pap": "yes"})));
        assert!(!fits(Protocol::Pptp, "remote_host", &json!("two\nlines")));
    }

    #[test]
    fn a_wrong_word_gets_the_nearest_one() {
        let hint = |error: crate::error::Error| error.hint_text().unwrap_or_default().to_owned();
        assert!(hint(Protocol::read("wireguad").expect_err("no type")).contains("`wireguard`"));
        let mppe = Protocol::Pptp.field("mppe").expect("a field");
        assert!(hint(mppe.check(&json!("requir_128")).expect_err("no word")).contains("`require_128`"));
        assert!(hint(methods_of(&["mschap2".to_owned()]).expect_err("no word")).contains("mschap"));
    }

    #[test]
    fn values_of_other_shape_may_mean_the_same() {
        let of = |name: &str| Protocol::ALL.into_iter().find_map(|protocol| protocol.field(name));
        assert!(same(of("remote_port"), Some(&json!("51820")), &json!(51820)));
        assert!(same(of("allowed_auth"), Some(&json!({"pap": false, "eap": true})), &json!({"eap": true})));
        assert!(same(of("dns"), None, &json!([])));
        assert!(same(of("remote_preshared_key"), None, &json!("")));
        assert!(!same(of("remote_host"), Some(&json!("a")), &json!("b")));
        assert!(!same(of("mtu"), None, &json!(1420)));
    }
}
