//! From what somebody wants to the body that the box is sent; pure.

use serde_json::{Map, Value, json};

use super::document::{check, check_names, description, not_an_object, section};
use super::fields::{Field, Form, Protocol, is_key, methods_of, same};
use super::ovpn;
use crate::backend::TunnelChange;
use crate::error::{Error, Result};

/// What vpnctl shows in place of a secret; in a document it means: as it is.
pub(super) const MASK: &str = "***";

/// A change whose protocol is known, and whose words and forms are right.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) protocol: Protocol,
    pub(super) name: Option<String>,
    pub(super) conf: Map<String, Value>,
}

/// What an edit is to send, and the names of the fields that differ.
pub(super) struct Difference {
    pub(super) body: Map<String, Value>,
    pub(super) changed: Vec<String>,
    /// Secrets that the box does not show, so that they are left out of the sub-object which is sent whole.
    pub(super) unseen: Vec<&'static str>,
}

/// Reads the change as one of a protocol: the document first, the flags over it.
pub(super) fn read(change: &TunnelChange, protocol: Protocol) -> Result<Wanted> {
    let mut conf = Map::new();
    let mut name = None;
    if let Some(document) = &change.document {
        let object = document.0.as_object().ok_or_else(not_an_object)?;
        name = description(object)?;
        conf = section(object, protocol)?;
    }
    for (flag, value) in flags(change)? {
        let Some(field) = protocol.by_flag(flag) else { return Err(foreign(flag, protocol)) };
        conf.insert(field.name.to_owned(), value);
    }
    if let Some(given) = &change.name {
        name = Some(given.clone());
    }
    if name.as_deref().is_some_and(|name| name.trim().is_empty() || name.chars().any(char::is_control)) {
        return Err(Error::usage("a tunnel's name is a text on one line, and not empty").hint("set it with --name"));
    }
    check(protocol, &conf)?;
    Ok(Wanted { protocol, name, conf })
}

/// Finds the protocol that a change names by itself, if it does.
pub(super) fn named_protocol(change: &TunnelChange) -> Result<Option<Protocol>> {
    let mut found = change.kind.as_deref().map(Protocol::read).transpose()?;
    let Some(document) = &change.document else { return Ok(found) };
    let object = document.0.as_object().ok_or_else(not_an_object)?;
    let mut say = |protocol: Protocol, where_: &str| match found {
        Some(earlier) if earlier != protocol => Err(Error::usage(format!(
            "the document's {where_} is of {}, but {} is wanted",
            protocol.title(),
            earlier.title()
        ))
        .hint("a tunnel has one type; leave --type out, or correct the document")),
        _ => {
            found = Some(protocol);
            Ok(())
        }
    };
    if let Some(kind) = object.get("type") {
        let word = kind.as_str().ok_or_else(|| Error::usage("the document's `type` is no text"))?;
        say(Protocol::read(word)?, "`type`")?;
    }
    for protocol in Protocol::ALL {
        if object.get(protocol.section()).is_some_and(|section| !section.is_null()) {
            say(protocol, &format!("`{}`", protocol.section()))?;
        }
    }
    Ok(found)
}

/// Reads a change whose protocol only the box knows: it has to be right for one of them.
pub(super) fn read_any(change: &TunnelChange) -> Result<()> {
    if let Some(protocol) = named_protocol(change)? {
        return read(change, protocol).map(|_| ());
    }
    let given: Vec<&str> = flags(change)?.into_iter().map(|(flag, _)| flag).collect();
    let fitting: Vec<Protocol> = Protocol::ALL
        .into_iter()
        .filter(|protocol| given.iter().all(|flag| protocol.by_flag(flag).is_some()))
        .collect();
    let mut first = None;
    for protocol in fitting {
        match read(change, protocol) {
            Ok(_) => return Ok(()),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| {
        Error::usage(format!("{} belong to tunnels of different types", given.join(" and ")))
            .hint("see what it is: vpnctl tunnel show NAME")
    }))
}

/// Reads a configuration that is to be added.
pub(super) fn read_new(wanted: &TunnelChange) -> Result<Wanted> {
    let Some(protocol) = named_protocol(wanted)? else {
        return Err(Error::usage("of which type is the tunnel?").hint("say --type pptp, openvpn or wireguard"));
    };
    let read = read(wanted, protocol)?;
    check_names(&read, None)?;
    if let Some(field) = read.conf.iter().find(|(_, value)| *value == MASK).map(|(name, _)| name) {
        return Err(Error::usage(format!("`{field}` is `{MASK}`, which vpnctl shows instead of a secret"))
            .hint("put the secret itself into the document, which only you should be able to read"));
    }
    let lacking: Vec<String> = protocol
        .fields()
        .iter()
        .filter(|field| field.required && !read.conf.contains_key(field.name))
        .map(Field::how)
        .collect();
    let name = read.name.is_none().then(|| "a name (--name)".to_owned());
    let lacking: Vec<String> = name.into_iter().chain(lacking).collect();
    if !lacking.is_empty() {
        return Err(Error::usage(format!("{} needs {}", protocol.title(), lacking.join(", "))).hint(match protocol {
            Protocol::Pptp => "give what is missing by its flag",
            Protocol::OpenVpn => "import the file of the VPN server instead: vpnctl tunnel import FILE.ovpn",
            Protocol::WireGuard => {
                "import the file of the VPN server instead: vpnctl tunnel import FILE.conf; or put the vendor's fields \
                 into --from-json FILE"
            }
        }));
    }
    let user = read.conf.contains_key("username");
    if protocol == Protocol::OpenVpn && !user && read.conf.contains_key("password") {
        return Err(
            Error::usage("a password is given, and no user that it is of").hint("name the user with --username")
        );
    }
    if protocol == Protocol::OpenVpn && !user && ovpn::asks_for_user(&read.conf) {
        return Err(Error::usage("the VPN server of this file asks for a user (`auth-user-pass`)")
            .hint("give it with --username, and the password with --password-stdin or --password-file"));
    }
    Ok(read)
}

/// Tells whether a password is needed and not there: PPTP's always, OpenVPN's where there is a user.
pub(super) fn lacks_password(wanted: &Wanted) -> bool {
    let user = wanted.conf.contains_key("username");
    wanted.protocol != Protocol::WireGuard && user && !wanted.conf.contains_key("password")
}

/// Makes the body of an addition.
pub(super) fn addition(wanted: Wanted, active: bool) -> Value {
    let mut body = Map::new();
    body.insert("type".to_owned(), json!(wanted.protocol.word()));
    body.insert("description".to_owned(), json!(wanted.name));
    body.insert("active".to_owned(), json!(active));
    body.insert(wanted.protocol.section().to_owned(), Value::Object(wanted.conf));
    Value::Object(body)
}

/// Finds what differs from what is there. Top-level fields go alone; whether the box merges a partial sub-object is not
/// known, so that goes whole, without an unchanged password (vendor page, section 4.4).
pub(super) fn difference(current: &Value, wanted: &Wanted, activate: bool) -> Difference {
    let protocol = wanted.protocol;
    let (mut body, mut changed, mut unseen) = (Map::new(), Vec::new(), Vec::new());
    if let Some(name) = wanted.name.as_deref().filter(|name| current["description"] != **name) {
        body.insert("description".to_owned(), json!(name));
        changed.push("description".to_owned());
    }
    if activate && current["active"] != true {
        body.insert("active".to_owned(), json!(true));
        changed.push("active".to_owned());
    }
    let there = current[protocol.section()].as_object().cloned().unwrap_or_default();
    let new: Map<String, Value> = wanted
        .conf
        .iter()
        .filter(|(name, value)| differs(protocol, &there, name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !new.is_empty() {
        changed.extend(new.keys().map(|name| format!("{}.{name}", protocol.section())));
        let mut whole: Map<String, Value> =
            there.into_iter().filter(|(name, value)| shows(protocol, name, value)).collect();
        whole.extend(new);
        unseen = protocol
            .fields()
            .iter()
            .filter(|field| field.form == Form::SecretKey && !whole.contains_key(field.name))
            .map(|field| field.name)
            .collect();
        body.insert(protocol.section().to_owned(), Value::Object(whole));
    }
    Difference { body, changed, unseen }
}

/// Tells whether a wanted value differs from what is there; of what the box never gives back, each that is given does.
fn differs(protocol: Protocol, there: &Map<String, Value>, name: &str, wanted: &Value) -> bool {
    let field = protocol.field(name);
    match field.map(|field| field.form) {
        _ if wanted == MASK => false,
        // An answer of the box repeats the password as "", which is none.
        Some(Form::WriteOnly) => wanted != "",
        _ => !same(field, there.get(name), wanted),
    }
}

/// Tells whether what the box shows in a field is its value, and not a mask or nothing in the place of a secret.
fn shows(protocol: Protocol, name: &str, value: &Value) -> bool {
    match protocol.field(name).map(|field| field.form) {
        Some(Form::WriteOnly) => false,
        Some(Form::SecretKey | Form::OptionalKey) => is_key(value),
        // A field of a later firmware; what looks like a mask is none of ours to write.
        None => !super::convert::is_secret(name),
        _ => true,
    }
}

fn flags(change: &TunnelChange) -> Result<Vec<(&'static str, Value)>> {
    use secrecy::ExposeSecret as _;
    let mut flags = Vec::new();
    flags.extend(change.host.as_ref().map(|host| ("--host", json!(host))));
    flags.extend(change.port.map(|port| ("--port", json!(port))));
    flags.extend(change.username.as_ref().map(|user| ("--username", json!(user))));
    flags.extend(change.password.as_ref().map(|password| ("--password-stdin", json!(password.expose_secret()))));
    flags.extend(change.mppe.as_ref().map(|word| ("--mppe", json!(word))));
    if let Some(list) = &change.auth {
        flags.push(("--auth", methods_of(list)?));
    }
    let trimmed = |list: &Vec<String>| -> Vec<String> {
        list.iter().map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
    };
    flags.extend(change.dns.as_ref().map(|list| ("--dns", json!(trimmed(list)))));
    flags.extend(change.mtu.map(|mtu| ("--mtu", json!(mtu))));
    Ok(flags)
}

fn foreign(flag: &str, protocol: Protocol) -> Error {
    let flag = if flag == "--password-stdin" { "a password" } else { flag };
    let own: Vec<&str> = protocol.fields().iter().filter_map(|field| field.flag).collect();
    let rest = match protocol {
        Protocol::OpenVpn => "; server, port and the rest stand in the .ovpn file",
        Protocol::WireGuard => "; keys and addresses come by --from-json, or by vpnctl tunnel import",
        Protocol::Pptp => "",
    };
    Error::usage(format!("{flag} is nothing that {} has", protocol.title()))
        .hint(format!("it has {}{rest}", own.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::document::{check_top, complete_methods};
    use super::{Protocol, check_names, difference, read, read_any, read_new};
    use crate::backend::{SecretDocument, TunnelChange};

    const KEY: &str = "TdbS1Y0RHZ6rRNSxlEUssD/pnRDfrHMFfJPLl5icvQg=";

    fn document(value: Value) -> TunnelChange {
        TunnelChange { document: Some(SecretDocument(value)), ..TunnelChange::default() }
    }

    fn wireguard() -> Value {
        json!({"type": "wireguard", "description": "a", "active": false, "id": "vpn2", "later": 1, "conf_wireguard": {
            "local_addr": [{"ip": "198.51.100.10", "len": 24}], "local_priv_key": KEY, "dns": [], "mtu": 1420,
            "remote_public_key": KEY, "remote_addr": "192.0.2.1", "remote_port": 51820, "remote_preshared_key": "",
            "of_a_later_firmware": true}})
    }

    fn sent(current: &Value, change: &TunnelChange, protocol: Protocol) -> (Value, Vec<String>) {
        let wanted = read(change, protocol).map_err(|error| error.to_string()).expect("right");
        let found = difference(current, &wanted, change.activate);
        (Value::Object(found.body), found.changed)
    }

    #[test]
    fn a_new_name_goes_alone_and_a_new_field_with_its_whole_section() {
        let name = TunnelChange { name: Some("b".to_owned()), ..TunnelChange::default() };
        assert_eq!(
            sent(&wireguard(), &name, Protocol::WireGuard),
            (json!({"description": "b"}), vec!["description".to_owned()])
        );
        let mtu = TunnelChange { mtu: Some(1280), name: Some("a".to_owned()), ..TunnelChange::default() };
        let (body, changed) = sent(&wireguard(), &mtu, Protocol::WireGuard);
        let mut conf = wireguard()["conf_wireguard"].clone();
        conf["mtu"] = json!(1280);
        // "" is no key: the box is not told to forget one that it may not show.
        conf.as_object_mut().expect("an object").shift_remove("remote_preshared_key");
        assert_eq!((body, changed), (json!({"conf_wireguard": conf}), vec!["conf_wireguard.mtu".to_owned()]));
    }

    #[test]
    fn what_is_shown_can_be_given_back_and_changes_nothing() {
        let masked = crate::backends::freebox::convert::masked(wireguard());
        assert_eq!(masked["conf_wireguard"]["local_priv_key"], "***");
        assert_eq!(sent(&wireguard(), &document(masked), Protocol::WireGuard), (json!({}), vec![]));
    }

    #[test]
    fn a_secret_that_the_box_does_not_show_is_not_written_back() {
        for shown in [json!("***"), json!(""), json!("••••••••"), Value::Null] {
            let mut there = wireguard();
            there["conf_wireguard"]["local_priv_key"] = shown.clone();
            there["conf_wireguard"]["remote_preshared_key"] = shown;
            let mtu = TunnelChange { mtu: Some(1280), ..TunnelChange::default() };
            let wanted = read(&mtu, Protocol::WireGuard).expect("right");
            let found = difference(&there, &wanted, false);
            let conf = &found.body["conf_wireguard"];
            assert!(conf.get("local_priv_key").is_none() && conf.get("remote_preshared_key").is_none(), "{conf}");
            assert_eq!(found.unseen, ["local_priv_key"]);
        }
    }

    #[test]
    fn an_unchanged_password_is_left_out_and_a_new_one_is_sent() {
        let there = json!({"type": "pptp", "description": "a", "active": true, "conf_pptp": {"remote_host": "h",
            "username": "u", "password": "", "mppe": "require", "allowed_auth": {"pap": true}}});
        let host = TunnelChange { host: Some("i".to_owned()), ..TunnelChange::default() };
        let (body, _) = sent(&there, &host, Protocol::Pptp);
        assert_eq!(
            body,
            json!({"conf_pptp": {"remote_host": "i", "username": "u", "mppe": "require", "allowed_auth": {"pap": true}}})
        );
        let password = TunnelChange { password: Some("canary".into()), ..TunnelChange::default() };
        let (body, changed) = sent(&there, &password, Protocol::Pptp);
        assert_eq!((&body["conf_pptp"]["password"], changed.len()), (&json!("canary"), 1));
        let same = TunnelChange { auth: Some(vec!["pap".to_owned()]), ..TunnelChange::default() };
        assert_eq!(sent(&there, &same, Protocol::Pptp).1, Vec::<String>::new());
        let up = TunnelChange { activate: true, ..TunnelChange::default() };
        assert_eq!(sent(&there, &up, Protocol::Pptp).1, Vec::<String>::new());
    }

    #[test]
    fn flags_win_over_the_document_and_have_to_belong() {
        let mut change = document(wireguard());
        change.port = Some(1);
        assert_eq!(read(&change, Protocol::WireGuard).expect("right").conf["remote_port"], 1);
        change.username = Some("u".to_owned());
        let error = read(&change, Protocol::WireGuard).err().expect("foreign");
        assert!(error.message().contains("--username"), "{error}");
        let odd = TunnelChange { mppe: Some("require".to_owned()), mtu: Some(1), ..TunnelChange::default() };
        assert!(read_any(&odd).expect_err("two types").message().contains("different types"));
        let word = TunnelChange { mppe: Some("requir".to_owned()), ..TunnelChange::default() };
        assert!(read_any(&word).expect_err("no word").hint_text().is_some_and(|hint| hint.contains("`require`")));
    }

    #[test]
    fn a_field_of_a_later_firmware_is_passed_on_and_a_mistyped_one_is_not() {
        let there = json!({"mtu6": 1400});
        let near = read(&document(json!({"mtu6": 1300})), Protocol::WireGuard).expect("read");
        assert!(check_names(&near, None).is_err());
        assert!(check_names(&near, there.as_object()).is_ok());
        let new = read(&document(json!({"of_a_later_firmware": 1})), Protocol::WireGuard).expect("read");
        assert!(check_names(&new, None).is_ok());
        let foreign = read(&document(json!({"mppe": "require"})), Protocol::WireGuard).expect("read");
        assert!(check_names(&foreign, there.as_object()).is_err());
    }

    #[test]
    fn what_an_edit_would_not_do_is_refused_and_not_dropped() {
        let there = wireguard();
        let check = |value: Value| check_top(&document(value), Protocol::WireGuard, &there);
        check(wireguard()).expect("as it is");
        check(json!({"mtu": 1400})).expect("the sub-object alone");
        for (name, value) in
            [("active", json!(true)), ("id", json!("vpn1")), ("later", json!(2)), ("conf_wireguard", Value::Null)]
        {
            let mut given = wireguard();
            given[name] = value;
            let error = check(given).expect_err(name);
            assert!(error.message().contains(name) && error.hint_text().is_some(), "{error}");
        }
        let error = check(json!({"descripton": "b", "conf_wireguard": {}})).expect_err("mistyped");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("`description`")), "{error}");
    }

    #[test]
    fn ways_to_authenticate_that_are_not_named_stay_as_they_are() {
        let mut wanted = read(&document(json!({"allowed_auth": {"pap": false}})), Protocol::Pptp).expect("right");
        complete_methods(&mut wanted, &json!({"allowed_auth": {"pap": true, "mschapv2": true}}));
        assert_eq!(
            wanted.conf["allowed_auth"],
            json!({"eap": false, "pap": false, "chap": false, "mschap": false, "mschapv2": true})
        );
    }

    #[test]
    fn documents_are_refused_that_contradict_themselves_or_are_mistyped() {
        let mut both = wireguard();
        both["conf_pptp"] = json!({});
        let mut typo = wireguard();
        typo["conf_wireguard"]["remote_adr"] = json!("192.0.2.1");
        let mut masked = wireguard();
        masked["conf_wireguard"]["local_priv_key"] = json!("***");
        let alone = json!({"remote_addr": "192.0.2.1"});
        for (value, part) in [
            (both, "`conf_pptp`"),
            (typo, "`remote_adr`"),
            (masked, "instead of a secret"),
            (alone, "which type"),
            (json!([]), "no object"),
            (json!({"type": "l2tp"}), "no type `l2tp`"),
            (json!({"type": "wireguard", "conf_wireguard": []}), "no object"),
        ] {
            let error = read_new(&document(value)).err().expect(part);
            assert!(error.message().contains(part), "{error}");
            assert!(!error.message().contains(KEY));
        }
        let mut sub = document(wireguard()["conf_wireguard"].clone());
        (sub.kind, sub.name) = (Some("wireguard".to_owned()), Some("a".to_owned()));
        assert_eq!(read_new(&sub).expect("the sub-object alone").conf["remote_port"], 51820);
    }
}
