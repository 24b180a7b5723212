//! From the cloud's documents to the model; pure, and what the case folders test.

use std::collections::BTreeMap;

use serde_json::Value;

use super::wire::{Device, VpnClientStatus};
use crate::backends::shared::meaningful;
use crate::model::{Link, Source, State, Status, Target, TargetKind};

/// Turns what a device says into a status.
#[must_use]
pub fn device(document: &VpnClientStatus) -> Status {
    match document.connected {
        Some(true) => {
            let link = Link { ip_address: meaningful(document.ip_address.clone()), ..Link::default() };
            Status::new(State::Connected(link), Source::Device)
        }
        Some(false) => Status::new(State::Disconnected, Source::Device),
        None => Status::new(State::Unknown, Source::Device),
    }
}

/// Hides what may be a secret in a device's own document: the vendor documents none, but versions add fields.
pub(super) fn masked(document: Value) -> Value {
    let is_secret = |key: &str| {
        let key = key.to_lowercase();
        ["password", "secret", "token", "credential", "key"].iter().any(|word| key.contains(word))
    };
    match document {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| match value {
                value @ (Value::Null | Value::Bool(_)) => (key, value),
                _ if is_secret(&key) => (key, Value::from("***")),
                value => (key, masked(value)),
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(masked).collect(),
        other => other,
    }
}

/// Turns what the VPN server's list has of a device into a status; nothing there means disconnected.
pub(super) fn server(link: Option<Link>, source: Source) -> Status {
    Status::new(link.map_or(State::Disconnected, State::Connected), source)
}

/// Turns a device into a target; its client id is unique in the account, its display name is not.
pub(super) fn target(device: &Device, scope: Option<&str>) -> Target {
    named(device.client_id.as_deref().unwrap_or_default(), &device.id, scope)
}

/// Makes a target of its parts; an empty client id is none, and `scope` is the account where that is not the
/// configured one.
pub(super) fn named(client_id: &str, id: &str, scope: Option<&str>) -> Target {
    let name = Some(client_id).filter(|client_id| !client_id.is_empty());
    let target = Target::by_id(TargetKind::Device, id);
    Target { name: name.map(str::to_owned), scope: scope.map(str::to_owned), ..target }
}

/// Gives what a device is selected by: `tag.ID` for each of its tags, and its custom attributes that hold a text.
///
/// Tags are known by their ids only: devices name no others, and no list of tags is documented.
pub(super) fn labels(device: &Device) -> BTreeMap<String, String> {
    let tags = device.tag_ids.iter().map(|id| (format!("tag.{id}"), "true".to_owned()));
    let attributes = device.custom_attributes().filter(|(_, text)| !text.trim().is_empty());
    let attributes = attributes.map(|(number, text)| (format!("customAttribute{number}"), text.to_owned()));
    tags.chain(attributes).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn labels_are_tags_by_id_and_custom_attributes_with_a_text() {
        let device = serde_json::from_value(json!({
            "id": "AQ", "tagIds": ["Ag", "AuY"], "customAttribute1": "lyon", "customAttribute2": "",
            "customAttribute3": null, "customAttribute4": 4, "customAttribute5": " a b ", "customAttribute6": "six",
        }));
        let labels: Vec<(String, String)> = super::labels(&device.unwrap()).into_iter().collect();
        let expected =
            [("customAttribute1", "lyon"), ("customAttribute5", " a b "), ("tag.Ag", "true"), ("tag.AuY", "true")];
        assert_eq!(labels, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_may_be_a_secret_is_hidden_and_nothing_else() {
        let document =
            json!({"connected": true, "ipAddress": "10.0.0.1", "vpn": [{"authToken": "s", "privateKey": {"a": 1}}]});
        let shown =
            json!({"connected": true, "ipAddress": "10.0.0.1", "vpn": [{"authToken": "***", "privateKey": "***"}]});
        assert_eq!(super::masked(document), shown);
    }
}
