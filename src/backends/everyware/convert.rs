//! From the cloud's documents to the model; pure, and what the case folders test.

use serde_json::Value;

use super::wire::{Device, VpnClientStatus, VpnConnection};
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

/// Turns an entry of the VPN server's list into a status; no entry means disconnected.
pub(super) fn server(connection: Option<&VpnConnection>, source: Source) -> Status {
    let state = match connection {
        Some(connection) => State::Connected(Link {
            ip_address: meaningful(connection.inet_address.clone()),
            since: connection.created_on.as_deref().and_then(|at| at.parse().ok()),
            ..Link::default()
        }),
        None => State::Disconnected,
    };
    Status::new(state, source)
}

/// Turns a device into a target; its client id is unique in the account, its display name is not.
pub(super) fn target(device: &Device, scope: Option<&str>) -> Target {
    named(&device.client_id, &device.id, scope)
}

/// Makes a target of its parts; `scope` is the account where that is not the configured one.
pub(super) fn named(client_id: &str, id: &str, scope: Option<&str>) -> Target {
    let target = Target::by_id(TargetKind::Device, id);
    Target { name: Some(client_id.to_owned()), scope: scope.map(str::to_owned), ..target }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_may_be_a_secret_is_hidden_and_nothing_else() {
        let document =
            json!({"connected": true, "ipAddress": "10.0.0.1", "vpn": [{"authToken": "s", "privateKey": {"a": 1}}]});
        let shown =
            json!({"connected": true, "ipAddress": "10.0.0.1", "vpn": [{"authToken": "***", "privateKey": "***"}]});
        assert_eq!(super::masked(document), shown);
    }
}
