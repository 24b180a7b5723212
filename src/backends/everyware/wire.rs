//! The cloud's documents: <https://ec.eurotech.com/docs/rest-device-vpn-connections> and the pages around it.
//!
//! Absent and null are the same, unknown fields are ignored, and what old versions nest is read too.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// What a device says about its VPN client; neither field is required by the vendor's schema.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VpnClientStatus {
    pub(super) connected: Option<bool>,
    pub(super) ip_address: Option<String>,
    /// The specification's example of a disconnect wraps the answer; page and schema do not.
    pub(super) value: Option<Box<VpnClientStatus>>,
}

impl VpnClientStatus {
    /// Takes a wrapped answer out of its wrapper.
    #[must_use]
    pub fn unwrapped(self) -> Self {
        match self.value {
            Some(inner) if self.connected.is_none() => *inner,
            _ => self,
        }
    }
}

/// A page of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    /// The property is `limitExceeded`, though the schema requires `limitedExceeded`.
    #[serde(default, deserialize_with = "nullable")]
    pub(super) limit_exceeded: bool,
    #[serde(default = "Vec::new", deserialize_with = "items", bound(deserialize = "T: serde::de::DeserializeOwned"))]
    pub(super) items: Vec<T>,
}

/// Reads `items` as a list, as the old `{"item": […]}`, or as nothing.
fn items<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, bound(deserialize = "T: serde::de::DeserializeOwned"))]
    enum Items<T> {
        List(Vec<T>),
        Nested { item: Vec<T> },
        Nothing(()),
    }
    Ok(match Items::deserialize(deserializer)? {
        Items::List(list) | Items::Nested { item: list } => list,
        Items::Nothing(_) => Vec::new(),
    })
}

/// A device of the registry, as far as vpnctl reads it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Device {
    pub(super) id: String,
    pub(super) client_id: String,
    #[serde(default)]
    pub(super) display_name: Option<String>,
    #[serde(default)]
    pub(super) serial_number: Option<String>,
}

/// A live connection at the VPN server, of a device or of a user.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VpnConnection {
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) device_id: Option<String>,
    #[serde(default)]
    pub(super) inet_address: Option<String>,
    #[serde(default)]
    pub(super) created_on: Option<String>,
}

/// An access token.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessToken {
    pub(super) token_id: String,
    #[serde(default)]
    pub(super) expires_on: Option<String>,
    #[serde(default)]
    pub(super) refresh_token: Option<String>,
    #[serde(default)]
    pub(super) refresh_expires_on: Option<String>,
    #[serde(default)]
    pub(super) trust_key: Option<String>,
}

/// The body of `POST /authentication/user`. The schema calls the first field `user`; examples, code and clients
/// `username`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserLogin<'a> {
    pub(super) username: &'a str,
    pub(super) password: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) authentication_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trust_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trust_me: Option<bool>,
}

/// The body of `POST /authentication/apikey`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyLogin<'a> {
    pub(super) api_key: &'a str,
}

/// The body of `POST /authentication/refresh`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refresh<'a> {
    pub(super) refresh_token: &'a str,
    pub(super) token_id: &'a str,
}

/// The answer of `GET /authentication/info`; singular and plural disagree between versions, so both are read.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LoginInfo {
    #[serde(deserialize_with = "nullable")]
    pub(super) access_permission: Vec<Granted>,
    #[serde(deserialize_with = "nullable")]
    pub(super) access_permissions: Vec<Granted>,
    #[serde(deserialize_with = "nullable")]
    pub(super) role_permission: Vec<Granted>,
    #[serde(deserialize_with = "nullable")]
    pub(super) role_permissions: Vec<Granted>,
    #[serde(deserialize_with = "nullable")]
    pub(super) group_permissions: Vec<Granted>,
    #[serde(deserialize_with = "nullable")]
    pub(super) group_role_permissions: Vec<Granted>,
}

impl LoginInfo {
    /// Gives every right once, whatever it was granted by.
    pub(super) fn rights(&self) -> Vec<String> {
        let lists = [
            &self.access_permission,
            &self.access_permissions,
            &self.role_permission,
            &self.role_permissions,
            &self.group_permissions,
            &self.group_role_permissions,
        ];
        let mut rights: Vec<String> = lists.into_iter().flatten().map(|granted| granted.permission.text()).collect();
        rights.sort();
        rights.dedup();
        rights
    }
}

/// One permission that a login has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Granted {
    #[serde(deserialize_with = "nullable")]
    pub(super) permission: Permission,
}

/// A permission; what is absent means any.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Permission {
    pub(super) domain: Option<String>,
    pub(super) action: Option<String>,
    pub(super) target_scope_id: Option<String>,
}

impl Permission {
    /// Writes it as the vendor's people say it, `device:read`.
    pub(super) fn text(&self) -> String {
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "*".to_owned());
        format!("{}:{}", part(&self.domain), part(&self.action))
    }
}

/// An error that explains itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Exception {
    pub(super) kapua_error_code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) entity_type: Option<String>,
    pub(super) entity_id: Option<String>,
    pub(super) connection_status: Option<String>,
    pub(super) error_message: Option<String>,
    pub(super) argument_name: Option<String>,
    pub(super) permission: Option<Permission>,
    pub(super) timeout: Option<Value>,
}

impl Exception {
    /// Reads it; where one of its further fields is not what is documented, what matters is read all the same.
    pub(super) fn read(document: Value) -> Self {
        let text = |key: &str| document.get(key).and_then(Value::as_str).map(str::to_owned);
        let least = Self { kapua_error_code: text("kapuaErrorCode"), message: text("message"), ..Self::default() };
        serde_json::from_value(document).unwrap_or(least)
    }
}

/// Reads a value of which null means the same as absence.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Exception, LoginInfo};

    #[test]
    fn rights_are_read_whatever_list_they_are_in() {
        let granted = |domain: &str| json!([{"permission": {"domain": domain, "action": "read"}}]);
        let info: LoginInfo = serde_json::from_value(json!({
            "accessPermission": granted("a"), "accessPermissions": granted("b"), "rolePermission": granted("c"),
            "rolePermissions": granted("b"), "groupPermissions": granted("d"), "groupRolePermissions": [{"permission": null}],
        }))
        .unwrap();
        assert_eq!(info.rights(), ["*:*", "a:read", "b:read", "c:read", "d:read"]);
        let none: LoginInfo = serde_json::from_value(json!({"accessPermission": null})).unwrap();
        assert!(none.rights().is_empty());
    }

    #[test]
    fn an_exception_with_an_odd_field_is_still_one() {
        let odd = Exception::read(json!({"kapuaErrorCode": "TIMEOUT", "message": "m", "permission": "none"}));
        assert_eq!((odd.kapua_error_code.as_deref(), odd.message.as_deref()), (Some("TIMEOUT"), Some("m")));
        assert!(Exception::read(json!("no object")).kapua_error_code.is_none());
    }
}
