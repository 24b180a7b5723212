//! The cloud's documents: <https://ec.eurotech.com/docs/rest-device-vpn-connections> and the pages around it.
//!
//! Absent and null are the same, unknown fields are ignored, and what old versions nest is read too.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
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
    /// How many entries the whole list has, where that was asked for and the server tells it as a number.
    #[serde(default, deserialize_with = "number")]
    pub(super) total_count: Option<usize>,
    #[serde(default = "Vec::new", deserialize_with = "items", bound(deserialize = "T: Deserialize<'de>"))]
    pub(super) items: Vec<T>,
}

/// Reads `items` as a list, as the old `{"item": […]}`, or as nothing.
///
/// By hand, for an untagged enum would first keep the whole page with all that is not used of it.
fn items<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_any(Items(PhantomData))
}

struct Items<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list, or an object with the list `item`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Vec<T>, A::Error> {
        let mut items = None;
        while let Some(key) = object.next_key::<String>()? {
            if key == "item" {
                items = Some(object.next_value()?);
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        items.ok_or_else(|| A::Error::missing_field("item"))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }
}

/// A device of the registry, as far as vpnctl reads it. One document that is not as documented must not hide a whole
/// account, so what has another form counts as absent. Thousands wait in pages, so each is kept small.
#[derive(Debug, Clone, Default)]
pub(super) struct Device {
    /// Always there, the vendor's page says; empty where it is not, and then nobody can ask the device anything.
    pub(super) id: Box<str>,
    /// Always there, the vendor's page says.
    pub(super) client_id: Option<Box<str>>,
    pub(super) display_name: Option<Box<str>>,
    pub(super) serial_number: Option<Box<str>>,
    /// Ids: no list of tags is documented that would tell their names.
    pub(super) tag_ids: Box<[Box<str>]>,
    /// `customAttribute1` to 5, which most devices have none of.
    custom_attributes: Option<Box<[Option<Box<str>>; 5]>>,
}

/// A member of a [`Device`].
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Member {
    Id,
    ClientId,
    DisplayName,
    SerialNumber,
    TagIds,
    CustomAttribute1,
    CustomAttribute2,
    CustomAttribute3,
    CustomAttribute4,
    CustomAttribute5,
    #[serde(other)]
    Other,
}

impl Device {
    /// Gives the custom attributes that hold anything, with their numbers from 1 on.
    pub(super) fn custom_attributes(&self) -> impl Iterator<Item = (usize, &str)> {
        let attributes = self.custom_attributes.iter().flat_map(|attributes| attributes.iter().enumerate());
        attributes.filter_map(|(place, text)| Some((place + 1, text.as_deref()?)))
    }

    fn set_attribute(&mut self, place: usize, value: Value) {
        if let Some(text) = boxed(value)
            && let Some(attribute) = self.custom_attributes.get_or_insert_default().get_mut(place)
        {
            *attribute = Some(text);
        }
    }
}

impl<'de> Deserialize<'de> for Device {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Device;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a device")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Device, A::Error> {
        let mut device = Device::default();
        while let Some(member) = object.next_key()? {
            if matches!(member, Member::Other) {
                object.next_value::<IgnoredAny>()?;
                continue;
            }
            let value: Value = object.next_value()?;
            match member {
                Member::Id => device.id = boxed(value).unwrap_or_default(),
                Member::ClientId => device.client_id = boxed(value),
                Member::DisplayName => device.display_name = boxed(value),
                Member::SerialNumber => device.serial_number = boxed(value),
                Member::TagIds => {
                    let tags = if let Value::Array(tags) = value { tags } else { Vec::new() };
                    device.tag_ids = tags.into_iter().filter_map(boxed).collect();
                }
                Member::CustomAttribute1 => device.set_attribute(0, value),
                Member::CustomAttribute2 => device.set_attribute(1, value),
                Member::CustomAttribute3 => device.set_attribute(2, value),
                Member::CustomAttribute4 => device.set_attribute(3, value),
                Member::CustomAttribute5 => device.set_attribute(4, value),
                Member::Other => {}
            }
        }
        Ok(device)
    }
}

/// A live connection at the VPN server, of a device or of a user; read as leniently as a [`Device`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct VpnConnection {
    #[serde(deserialize_with = "text")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) device_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) inet_address: Option<String>,
    #[serde(deserialize_with = "text")]
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

/// Reads a text; whatever else is there counts as nothing.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(text_of(Value::deserialize(deserializer)?))
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Gives a text without room to grow.
fn boxed(value: Value) -> Option<Box<str>> {
    text_of(value).map(String::into_boxed_str)
}

/// Reads a count; whatever else is there counts as nothing.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_u64().and_then(|number| usize::try_from(number).ok()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Device, Exception, LoginInfo, Page};

    fn page(items: &serde_json::Value, total: &serde_json::Value) -> Page<Device> {
        let document = json!({"items": items, "totalCount": total, "size": 9, "next": {"item": []}});
        serde_json::from_str(&document.to_string()).unwrap()
    }

    #[test]
    fn a_page_is_read_in_every_form_that_it_has() {
        let one = json!([{"id": "AQ", "clientId": "one", "unknown": [{}]}]);
        for items in [one.clone(), json!({"more": [1], "item": one, "size": 1})] {
            let page = page(&items, &json!(1));
            assert_eq!((page.items.len(), page.items[0].client_id.as_deref()), (1, Some("one")), "{items}");
        }
        assert!(page(&json!(null), &json!(0)).items.is_empty());
        for wrong in [json!("none"), json!({}), json!([1]), json!({"item": 1})] {
            let document = json!({"items": wrong}).to_string();
            assert!(serde_json::from_str::<Page<Device>>(&document).is_err(), "{wrong}");
        }
        for (total, count) in [
            (json!(5), Some(5)),
            (json!(null), None),
            (json!("5"), None),
            (json!(-1), None),
            (json!(1.5), None),
            (json!({"count": 5}), None),
        ] {
            assert_eq!(page(&one, &total).total_count, count, "{total}");
        }
    }

    #[test]
    fn what_a_device_should_not_say_counts_as_not_said() {
        let odd = json!([
            {"id": 1, "clientId": null, "displayName": 2, "tagIds": "AQ", "customAttribute1": {}},
            {"id": "AQ", "tagIds": ["AQ", 1, null, ["Ag"]], "customAttribute5": "five"},
        ]);
        let page = page(&odd, &json!(2));
        let [nobody, tagged] = page.items.as_slice() else { panic!("{page:?}") };
        assert_eq!((&*nobody.id, &nobody.client_id, &nobody.display_name), ("", &None, &None));
        assert!(nobody.tag_ids.is_empty() && nobody.custom_attributes().next().is_none());
        assert_eq!((&*tagged.tag_ids, tagged.custom_attributes().next()), (&[Box::from("AQ")][..], Some((5, "five"))));
    }

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
