//! One VPN configuration, as the box keeps it and as it shows it.

use serde_json::{Map, Value, json};

use crate::simulate::faults::Faults;

/// The methods of authentication that PPTP knows, in the order of the documentation's examples.
const PPTP_METHODS: [&str; 5] = ["eap", "mschap", "mschapv2", "chap", "pap"];
/// The values of `mppe` (vendor/freebox.md section 5).
const MPPE: [&str; 3] = ["disable", "require", "require_128"];

/// The error code of a body that the box can't take.
pub(super) const INVAL: &str = "inval";

/// The kinds of VPN that the box can be a client of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// PPTP.
    Pptp,
    /// OpenVPN, whose sub-object the vendor does not document.
    OpenVpn,
    /// WireGuard, which the on-box documentation adds.
    WireGuard,
}

impl Kind {
    /// Gives the vendor's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pptp => "pptp",
            Self::OpenVpn => "openvpn",
            Self::WireGuard => "wireguard",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Pptp, Self::OpenVpn, Self::WireGuard].into_iter().find(|kind| kind.word() == word)
    }

    fn conf_key(self) -> &'static str {
        match self {
            Self::Pptp => "conf_pptp",
            Self::OpenVpn => "conf_openvpn",
            Self::WireGuard => "conf_wireguard",
        }
    }

    /// Names the fields that are taken and never given back.
    fn write_only(self) -> &'static [&'static str] {
        match self {
            Self::Pptp => &["password"],
            Self::OpenVpn => &["password", "config_file"],
            Self::WireGuard => &[],
        }
    }

    /// Names the secrets that are given back, but only to those who may change settings.
    fn privileged(self) -> &'static [&'static str] {
        match self {
            Self::Pptp | Self::OpenVpn => &[],
            Self::WireGuard => &["local_priv_key", "remote_preshared_key"],
        }
    }
}

/// Says who looks at a configuration.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// Whether the session has the `settings` right.
    pub(super) settings: bool,
    /// What stands in the place of a secret without that right; `None` leaves it out.
    pub(super) mask: Option<String>,
    /// Whether this is the answer to an addition, which repeats the password as `""`.
    pub(super) added: bool,
}

/// Says what an update makes of a sub-object, which is not known of the real box (vendor/freebox.md section 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    /// The new one takes the place of the old one, but for write-only fields that were left out.
    Replace,
    /// Keys that were left out stay.
    Keys,
    /// They stay at every depth.
    Deep,
}

impl Merge {
    /// Reads the fault `merge-conf`.
    pub(super) fn read(faults: &Faults) -> Self {
        match faults.arg("merge-conf").as_deref() {
            None => Self::Replace,
            Some("deep") => Self::Deep,
            Some(_) => Self::Keys,
        }
    }
}

/// Holds one configuration, secrets included.
#[derive(Debug, Clone)]
pub(super) struct Configuration {
    /// The id, `vpn0` and so on.
    pub(super) id: String,
    /// The description, which is the only name it has.
    pub(super) description: String,
    /// What kind of VPN it is.
    pub(super) kind: Kind,
    /// Whether the box is told to keep it up.
    pub(super) active: bool,
    conf: Map<String, Value>,
}

impl Configuration {
    /// Reads the body of an addition.
    pub(super) fn read(id: String, body: &Value) -> Result<Self, &'static str> {
        let kind = body.get("type").and_then(Value::as_str).and_then(Kind::of).ok_or(INVAL)?;
        let description = body.get("description").and_then(Value::as_str).ok_or(INVAL)?.to_owned();
        let conf = body.get(kind.conf_key()).and_then(Value::as_object).ok_or(INVAL)?;
        Ok(Self { id, description, kind, active: false, conf: completed(kind, conf.clone())? })
    }

    /// Changes what the body of an update names, and nothing else.
    pub(super) fn update(&mut self, body: &Value, merge: Merge) -> Result<(), &'static str> {
        let mut changed = self.clone();
        if let Some(kind) = body.get("type")
            && kind.as_str() != Some(self.kind.word())
        {
            return Err(INVAL);
        }
        if let Some(description) = body.get("description") {
            description.as_str().ok_or(INVAL)?.clone_into(&mut changed.description);
        }
        if let Some(conf) = body.get(self.kind.conf_key()) {
            let conf = conf.as_object().ok_or(INVAL)?;
            let kept = |name: &str| merge != Merge::Replace || self.kind.write_only().contains(&name);
            let mut whole: Map<String, Value> =
                self.conf.iter().filter(|(name, _)| kept(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
            for (name, value) in conf {
                match (whole.get_mut(name), value) {
                    (Some(Value::Object(old)), Value::Object(new)) if merge == Merge::Deep => old.extend(new.clone()),
                    _ => drop(whole.insert(name.clone(), value.clone())),
                }
            }
            changed.conf = completed(self.kind, whole)?;
        }
        *self = changed;
        Ok(())
    }

    /// Shows the configuration without what is write-only.
    pub(super) fn show(&self, view: &View) -> Value {
        let mut conf = Map::new();
        for (name, value) in &self.conf {
            if self.kind.write_only().contains(&name.as_str()) {
                if view.added && name == "password" {
                    conf.insert(name.clone(), json!(""));
                }
            } else if view.settings || !self.kind.privileged().contains(&name.as_str()) {
                conf.insert(name.clone(), value.clone());
            } else if let Some(mask) = &view.mask {
                conf.insert(name.clone(), json!(mask));
            }
        }
        let mut shown = Map::new();
        shown.insert("type".to_owned(), json!(self.kind.word()));
        shown.insert("description".to_owned(), json!(self.description));
        shown.insert("active".to_owned(), json!(self.active));
        shown.insert("id".to_owned(), json!(self.id));
        shown.insert(self.kind.conf_key().to_owned(), Value::Object(conf));
        Value::Object(shown)
    }

    /// Gives the local IPv4 address and prefix length that the configuration itself holds, as WireGuard's does.
    pub(super) fn local_ipv4(&self) -> Option<(&str, u64)> {
        let addresses = self.conf.get("local_addr")?.as_array()?;
        addresses.iter().find_map(|address| {
            let ip = address.get("ip")?.as_str().filter(|ip| !ip.contains(':'))?;
            Some((ip, address.get("len")?.as_u64()?))
        })
    }
}

/// Checks a sub-object against section 5 of vendor/freebox.md and fills in what the box adds.
fn completed(kind: Kind, mut conf: Map<String, Value>) -> Result<Map<String, Value>, &'static str> {
    let fits = match kind {
        Kind::Pptp => {
            let methods = conf.get("allowed_auth").cloned().unwrap_or_else(|| json!({}));
            let methods = all_methods(methods.as_object().ok_or(INVAL)?)?;
            conf.insert("allowed_auth".to_owned(), methods);
            named(&conf, "remote_host")
                && text(&conf, "username")
                && optional(&conf, "password", Value::is_string)
                && optional(&conf, "mppe", |mppe| mppe.as_str().is_some_and(|mppe| MPPE.contains(&mppe)))
        }
        Kind::OpenVpn => {
            named(&conf, "config_file")
                && optional(&conf, "username", Value::is_string)
                && optional(&conf, "password", Value::is_string)
        }
        Kind::WireGuard => {
            ["remote_addr", "remote_public_key", "local_priv_key"].iter().all(|name| named(&conf, name))
                && conf.get("remote_port").and_then(Value::as_u64).is_some_and(|port| (1..=65535).contains(&port))
                && conf.get("local_addr").and_then(Value::as_array).is_some_and(|all| all.iter().all(is_address))
                && optional(&conf, "dns", |dns| dns.as_array().is_some_and(|all| all.iter().all(Value::is_string)))
                && optional(&conf, "mtu", Value::is_u64)
                && optional(&conf, "remote_preshared_key", Value::is_string)
        }
    };
    if fits { Ok(conf) } else { Err(INVAL) }
}

fn all_methods(given: &Map<String, Value>) -> Result<Value, &'static str> {
    if given.iter().any(|(name, value)| !PPTP_METHODS.contains(&name.as_str()) || !value.is_boolean()) {
        return Err(INVAL);
    }
    let all = PPTP_METHODS.iter().map(|name| ((*name).to_owned(), given.get(*name).cloned().unwrap_or(json!(false))));
    Ok(Value::Object(all.collect()))
}

fn text(conf: &Map<String, Value>, name: &str) -> bool {
    conf.get(name).is_some_and(Value::is_string)
}

fn named(conf: &Map<String, Value>, name: &str) -> bool {
    conf.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty())
}

fn optional(conf: &Map<String, Value>, name: &str, fits: impl Fn(&Value) -> bool) -> bool {
    conf.get(name).is_none_or(fits)
}

fn is_address(address: &Value) -> bool {
    address.get("ip").is_some_and(Value::is_string) && address.get("len").is_some_and(Value::is_u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pptp() -> Configuration {
        let body = json!({"type": "pptp", "description": "a", "conf_pptp": {
            "remote_host": "h", "username": "u", "password": "p", "mppe": "require", "allowed_auth": {"pap": true}}});
        Configuration::read("vpn9".to_owned(), &body).unwrap()
    }

    #[test]
    fn methods_are_completed_and_the_password_is_kept_in() {
        let shown = pptp().show(&View { settings: true, ..View::default() });
        assert_eq!(shown["conf_pptp"]["allowed_auth"].as_object().unwrap().len(), 5);
        assert_eq!(shown["conf_pptp"]["allowed_auth"]["pap"], json!(true));
        assert_eq!(shown["conf_pptp"]["allowed_auth"]["eap"], json!(false));
        assert_eq!(shown["conf_pptp"].get("password"), None);
        let echoed = pptp().show(&View { added: true, ..View::default() });
        assert_eq!(echoed["conf_pptp"]["password"], json!(""));
    }

    #[test]
    fn a_sub_object_takes_the_place_of_the_old_one_but_for_the_password() {
        let mut configuration = pptp();
        let body = json!({"conf_pptp": {"remote_host": "other", "username": "v"}});
        configuration.update(&body, Merge::Replace).unwrap();
        assert_eq!(configuration.conf.get("mppe"), None);
        assert_eq!(configuration.conf["password"], json!("p"));
        let partial = json!({"conf_pptp": {"username": "w"}});
        assert_eq!(configuration.update(&partial, Merge::Replace), Err(INVAL));
        assert_eq!(configuration.conf["username"], json!("v"), "a refused update changes nothing");
        configuration.update(&partial, Merge::Keys).unwrap();
        assert_eq!(configuration.conf["remote_host"], json!("other"));
    }

    #[test]
    fn what_is_inside_of_a_sub_object_is_merged_only_if_told() {
        let mut configuration = pptp();
        let body = json!({"conf_pptp": {"allowed_auth": {"chap": true}}});
        configuration.update(&body, Merge::Deep).unwrap();
        assert_eq!(configuration.conf["allowed_auth"]["pap"], json!(true));
        configuration.update(&body, Merge::Keys).unwrap();
        assert_eq!(configuration.conf["allowed_auth"]["pap"], json!(false));
        assert_eq!(configuration.conf["allowed_auth"]["chap"], json!(true));
    }

    #[test]
    fn bodies_that_do_not_fit_are_refused() {
        for body in [
            json!({"type": "l2tp", "description": "a", "conf_pptp": {}}),
            json!({"type": "pptp", "conf_pptp": {"remote_host": "h", "username": "u"}}),
            json!({"type": "pptp", "description": "a"}),
            json!({"type": "pptp", "description": "a", "conf_pptp": {"username": "u"}}),
            json!({"type": "pptp", "description": "a", "conf_pptp": {"remote_host": "h", "username": "u", "mppe": "x"}}),
            json!({"type": "openvpn", "description": "a", "conf_openvpn": {"username": "u"}}),
            json!({"type": "wireguard", "description": "a", "conf_wireguard": {"remote_addr": "192.0.2.1"}}),
        ] {
            assert_eq!(Configuration::read("vpn9".to_owned(), &body).map(|_| ()), Err(INVAL), "{body}");
        }
        assert_eq!(pptp().update(&json!({"type": "openvpn"}), Merge::Replace), Err(INVAL));
    }
}
