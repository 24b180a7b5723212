//! How a device is written: its document in the registry, with connection and last event (section 5).

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::super::faults::Faults;
use super::fleet::{Device, Link};
use super::ids::Id;
use super::roster::Roster;
use super::tokens::date;

/// The user that devices connect as.
const DEVICE_USER: Id = Id(2);
/// When the simulated world was made.
const CREATED: &str = "2024-09-12T09:04:37.315Z";
/// What a device reports when it is born; one that never connected has reported nothing.
const BIRTH: [(&str, &str); 10] = [
    ("modelId", "ReliaGATE-10-14"),
    ("modelName", "ReliaGATE 10-14"),
    ("biosVersion", "N/A"),
    ("firmwareVersion", "N/A"),
    ("osVersion", "4.9.184-linuxkit"),
    ("jvmVersion", "25.161-b12 mixed mode"),
    ("osgiFrameworkVersion", "1.8.0"),
    ("applicationFrameworkVersion", "ESF_6.0.0"),
    ("connectionInterface", "lo (00:00:00:00:00:00)"),
    ("connectionIp", "127.0.0.1"),
];
const APPLICATIONS: &str = "PROV-V2,DEPLOY-V2,VPNCLIENT-V2,CONF-V1,CERT-V1,ASSET-V1,CMD-V1";
const APPLICATIONS_WITHOUT_VPN: &str = "PROV-V2,DEPLOY-V2,CONF-V1,CERT-V1,ASSET-V1,CMD-V1";
/// The vendor's example, which has lost its separators.
const APPLICATIONS_RUN_TOGETHER: &str = "heaterPROV-V2DEPLOY-V2VPNCLIENT-V2CONF-V1CERT-V1ASSET-V1CMD-V1";

/// Gives what a device reported about itself.
pub(super) fn birth_attribute(device: &Device, name: &str) -> Option<&'static str> {
    if device.link == Link::Never {
        return None;
    }
    BIRTH.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
}

/// What a list is to tell beside the device itself.
#[derive(Debug)]
pub(super) struct Fetch {
    connection: bool,
    last_event: bool,
    null_display_name: bool,
    /// When devices that are online came, and when those that are not went.
    came: String,
    went: String,
}

impl Fetch {
    /// Begins with nothing beside the device.
    pub(super) fn read(faults: &Faults, started: Timestamp) -> Self {
        let ago = |hours| started.saturating_sub(SignedDuration::from_hours(hours)).unwrap_or(started);
        // The number of fractional digits varies (section 2, Dates).
        let went = ago(72).strftime("%Y-%m-%dT%H:%M:%S%.2fZ").to_string();
        let null_display_name = faults.is_on("null-display-name");
        Self { connection: false, last_event: false, null_display_name, came: date(ago(2)), went }
    }

    /// Adds one of `fetchAttributes`.
    pub(super) fn add(&mut self, name: &str) -> Result<(), ()> {
        match name {
            "connection" => self.connection = true,
            "lastEvent" => self.last_event = true,
            _ => return Err(()),
        }
        Ok(())
    }
}

/// A device as the registry writes it; null fields are left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceDocument<'a> {
    r#type: &'static str,
    id: Id,
    scope_id: Id,
    created_on: &'static str,
    created_by: Id,
    modified_on: &'a str,
    modified_by: Id,
    optlock: u32,
    client_id: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<Connection<'a>>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<Option<Cow<'static, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event: Option<Event<'a>>,
    serial_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bios_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    firmware_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    os_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jvm_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    osgi_framework_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_framework_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_interface: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_ip: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_identifiers: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accept_encoding: Option<&'static str>,
    tamper_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    extended_properties: Option<[Property; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_attribute1: Option<&'static str>,
    tag_ids: &'static [Id],
}

impl<'a> DeviceDocument<'a> {
    /// Writes a device; `index` is its place in the account `scope`.
    pub(super) fn of(device: &Device, index: usize, roster: &Roster, scope: Id, fetch: &'a Fetch) -> Self {
        let has_come = device.link != Link::Never;
        let changed = match device.link {
            Link::Connected if device.is_stale => &fetch.went,
            Link::Connected => &fetch.came,
            Link::Disconnected | Link::Missing => &fetch.went,
            Link::Never => CREATED,
        };
        let client_id = roster.client_id(index);
        let connection =
            (fetch.connection && has_come).then(|| Connection::of(device, index, client_id.clone(), scope, changed));
        let display_name = roster.display_name(index);
        let birth = |name| birth_attribute(device, name);
        Self {
            r#type: "device",
            id: device.id,
            scope_id: scope,
            created_on: CREATED,
            created_by: DEVICE_USER,
            modified_on: changed,
            modified_by: DEVICE_USER,
            optlock: 2,
            connection_id: has_come.then(|| connection_id(device)),
            connection,
            // The administrative status, which says nothing about the connection.
            status: if device.is_enabled { "ENABLED" } else { "DISABLED" },
            display_name: (display_name.is_some() || fetch.null_display_name).then_some(display_name),
            last_event_id: has_come.then(|| event_id(device)),
            last_event: (fetch.last_event && has_come).then(|| Event::of(device, scope, changed)),
            serial_number: roster.serial_number(index),
            model_id: birth("modelId"),
            model_name: birth("modelName"),
            bios_version: birth("biosVersion"),
            firmware_version: birth("firmwareVersion"),
            os_version: birth("osVersion"),
            jvm_version: birth("jvmVersion"),
            osgi_framework_version: birth("osgiFrameworkVersion"),
            application_framework_version: birth("applicationFrameworkVersion"),
            connection_interface: birth("connectionInterface"),
            connection_ip: birth("connectionIp"),
            application_identifiers: has_come.then(|| applications(device, index)),
            accept_encoding: has_come.then_some("gzip"),
            tamper_status: "NOT_TAMPERED",
            extended_properties: (index == 0).then_some(PROPERTIES),
            custom_attribute1: roster.custom_attribute(index),
            tag_ids: roster.tags(index),
            client_id,
        }
    }
}

fn applications(device: &Device, index: usize) -> &'static str {
    match (device.has_bundle, index) {
        (false, _) => APPLICATIONS_WITHOUT_VPN,
        (true, 0) => APPLICATIONS_RUN_TOGETHER,
        (true, _) => APPLICATIONS,
    }
}

fn connection_id(device: &Device) -> Id {
    device.id.derived(0xC0)
}

fn event_id(device: &Device) -> Id {
    device.id.derived(0xE0)
}

/// The connection of a device to the cloud; inside a device it has no type, as in the vendor's example.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection<'a> {
    id: Id,
    scope_id: Id,
    created_on: &'static str,
    created_by: Id,
    modified_on: &'a str,
    modified_by: Id,
    optlock: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    client_id: Cow<'static, str>,
    user_id: Id,
    allow_user_change: bool,
    user_coupling_mode: &'static str,
    protocol: &'static str,
    client_ip: String,
    server_ip: &'static str,
}

impl<'a> Connection<'a> {
    fn of(device: &Device, index: usize, client_id: Cow<'static, str>, scope: Id, changed: &'a str) -> Self {
        Self {
            id: connection_id(device),
            scope_id: scope,
            created_on: CREATED,
            created_by: DEVICE_USER,
            modified_on: changed,
            modified_by: DEVICE_USER,
            optlock: 1,
            status: device.link.word(),
            client_id,
            user_id: DEVICE_USER,
            allow_user_change: false,
            user_coupling_mode: "INHERITED",
            protocol: "MQTT",
            client_ip: format!("tcp://172.21.0.1:{}", 40_000 + index % 20_000),
            server_ip: "broker",
        }
    }
}

/// The last event of a device, here always its birth.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    id: Id,
    scope_id: Id,
    created_on: &'a str,
    created_by: Id,
    device_id: Id,
    received_on: &'a str,
    position: Position,
    resource: &'static str,
    action: &'static str,
    response_code: &'static str,
    event_message: &'static str,
}

#[derive(Debug, Serialize)]
struct Position {
    altitude: u8,
    latitude: u8,
    longitude: u8,
}

impl<'a> Event<'a> {
    fn of(device: &Device, scope: Id, received_on: &'a str) -> Self {
        Self {
            id: event_id(device),
            scope_id: scope,
            created_on: received_on,
            created_by: DEVICE_USER,
            device_id: device.id,
            received_on,
            position: Position { altitude: 0, latitude: 0, longitude: 0 },
            resource: "BIRTH",
            action: "CREATE",
            response_code: "ACCEPTED",
            event_message: "acceptEncoding=gzip~~applicationFramework=Kura~~os=Linux~~osArch=amd64",
        }
    }
}

/// An extended property; its value is sometimes a number (section 7, row 16).
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Property {
    r#type: &'static str,
    group_name: &'static str,
    name: &'static str,
    value: Value,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Value {
    Text(&'static str),
    Number(u8),
}

const PROPERTIES: [Property; 2] =
    [Property::new("CPU Family", Value::Text("ARM")), Property::new("CPU Cores", Value::Number(4))];

impl Property {
    const fn new(name: &'static str, value: Value) -> Self {
        Self { r#type: "deviceExtendedProperty", group_name: "Hardware Info", name, value }
    }
}
