//! What a document of `--from-json` may say, and what it is checked for; pure.

use serde_json::{Map, Value};

use super::change::{MASK, Wanted};
use super::fields::{Form, Protocol, completed};
use crate::backend::TunnelChange;
use crate::config::schema::nearest;
use crate::error::{Error, Result};

/// The keys of a configuration besides its sub-object.
const TOP: [&str; 4] = ["id", "type", "description", "active"];

/// Says that a document is none.
pub(super) fn not_an_object() -> Error {
    Error::usage("the document of --from-json is no object of the vendor's fields")
        .hint("see one: vpnctl tunnel show NAME -o json --fields config")
}

/// Takes the name out of a document.
pub(super) fn description(object: &Map<String, Value>) -> Result<Option<String>> {
    match object.get("description") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Error::usage("the document's `description` is no text")),
    }
}

/// Tells whether a document is the vendor's whole object, and not its sub-object alone.
fn is_whole(object: &Map<String, Value>) -> bool {
    object.keys().any(|key| TOP.contains(&key.as_str()) || key.starts_with("conf_"))
}

/// Takes the protocol's fields out of a document: the vendor's whole object, or its sub-object alone.
pub(super) fn section(object: &Map<String, Value>, protocol: Protocol) -> Result<Map<String, Value>> {
    if !is_whole(object) {
        return Ok(object.clone());
    }
    match object.get(protocol.section()) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(section)) => Ok(section.clone()),
        Some(_) => Err(Error::usage(format!("the document's `{}` is no object", protocol.section()))),
    }
}

/// Checks the forms of the fields that are known; a mask stands for what is there.
pub(super) fn check(protocol: Protocol, conf: &Map<String, Value>) -> Result<()> {
    for (name, value) in conf {
        if value == MASK && super::convert::is_secret(name) {
            continue;
        }
        if let Some(field) = protocol.field(name) {
            field.check(value)?;
        }
    }
    Ok(())
}

/// Refuses what a document says beside its sub-object and an edit would not do: it must not be told as done.
pub(super) fn check_top(change: &TunnelChange, protocol: Protocol, there: &Value) -> Result<()> {
    let Some(object) = change.document.as_ref().and_then(|document| document.0.as_object()) else { return Ok(()) };
    if !is_whole(object) {
        return Ok(());
    }
    let sections = Protocol::ALL.map(Protocol::section);
    for (name, value) in object {
        let same = there.get(name) == Some(value);
        match name.as_str() {
            _ if same => {}
            "description" | "type" => {}
            name if name == protocol.section() && !value.is_null() => {}
            "id" => {
                return Err(Error::usage("the document's `id` is that of another tunnel")
                    .hint("name the tunnel that is meant, or leave `id` out of the document"));
            }
            "active" if change.activate => {}
            "active" => {
                return Err(Error::usage("the document's `active` differs from what is there, and an edit keeps that")
                    .hint("use --activate, or: vpnctl connect NAME, vpnctl disconnect NAME; and leave `active` out"));
            }
            name if name == protocol.section() => {
                return Err(Error::usage(format!(
                    "the document's `{name}` is null: nothing can be taken away by that"
                ))
                .hint("leave it out"));
            }
            name if sections.contains(&name) && value.is_null() => {}
            name => {
                let known = TOP.into_iter().chain(sections);
                let hint = nearest(name, known)
                    .map_or_else(|| "leave it out".to_owned(), |near| format!("did you mean `{near}`?"));
                return Err(Error::usage(format!("vpnctl can't change `{name}` of a tunnel")).hint(hint));
            }
        }
    }
    Ok(())
}

/// Fills in the ways to authenticate that a document leaves out with what the box has: it takes those for forbidden.
pub(super) fn complete_methods(wanted: &mut Wanted, there: &Value) {
    for (name, value) in &mut wanted.conf {
        if wanted.protocol.field(name).is_some_and(|field| field.form == Form::Methods) {
            let mut all = completed(&there[name.as_str()]);
            if let (Some(all), Some(given)) = (all.as_object_mut(), value.as_object()) {
                all.extend(given.clone());
            }
            *value = all;
        }
    }
}

/// Refuses fields that look mistyped or are another protocol's; what is there already is a later firmware's own.
pub(super) fn check_names(wanted: &Wanted, there: Option<&Map<String, Value>>) -> Result<()> {
    let protocol = wanted.protocol;
    let odd = wanted.conf.keys().filter(|name| protocol.field(name).is_none());
    for name in odd.filter(|name| there.is_none_or(|there| !there.contains_key(*name))) {
        unknown_field(protocol, name)?;
    }
    Ok(())
}

/// A field that is not known may be a later firmware's, so it is passed on; one that is nearly known is mistyped.
fn unknown_field(protocol: Protocol, name: &str) -> Result<()> {
    if let Some(near) = nearest(name, protocol.fields().iter().map(|field| field.name)) {
        return Err(
            Error::usage(format!("{} has no field `{name}`", protocol.title())).hint(format!("did you mean `{near}`?"))
        );
    }
    if let Some(other) = Protocol::ALL.into_iter().find(|other| other.field(name).is_some()) {
        return Err(Error::usage(format!("`{name}` is a field of {}, not of {}", other.title(), protocol.title()))
            .hint("leave it out"));
    }
    Ok(())
}
