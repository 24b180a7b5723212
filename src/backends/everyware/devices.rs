//! The registry of devices, and who is connected to the VPN server.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::api::Api;
use super::convert;
use super::failure::PEER;
use super::wire::{Device, Page, VpnConnection};
use crate::backend::naming;
use crate::error::{Code, Error, Layer, Result};
use crate::http::Call;
use crate::http::call::segment;
use crate::model::{Target, TargetKind};

/// How many entries a page has; no maximum is documented, and a server may send fewer.
const PAGE: usize = 1000;
/// How many hits of a search by prefix are looked at.
const HITS: usize = 100;

impl Api {
    /// Gives every device of the scope, page by page.
    pub(super) async fn devices(&self, each: &mut (dyn FnMut(Device) + Send)) -> Result<()> {
        self.pages("devices", "list", each).await
    }

    /// Gives the devices' live connections at the VPN server, by device.
    pub(super) async fn connections(&self) -> Result<BTreeMap<String, VpnConnection>> {
        let mut connections = BTreeMap::new();
        self.pages("vpnConnections", "connections", &mut |connection: VpnConnection| {
            // Users have connections too; theirs name no device.
            if let Some(device) = connection.device_id.clone() {
                connections.insert(device, connection);
            }
        })
        .await?;
        Ok(connections)
    }

    async fn pages<T: DeserializeOwned + Send>(
        &self,
        what: &str,
        operation: &'static str,
        each: &mut (dyn FnMut(T) + Send),
    ) -> Result<()> {
        let mut offset = 0;
        loop {
            let path = self.scoped(&format!("{what}?limit={PAGE}&offset={offset}"));
            let page: Page<T> = self.get(operation, &path).await?;
            let received = page.items.len();
            page.items.into_iter().for_each(&mut *each);
            if !page.limit_exceeded || received == 0 {
                return Ok(());
            }
            offset += received;
        }
    }

    async fn get<T: DeserializeOwned>(&self, operation: &'static str, path: &str) -> Result<T> {
        let reply = self.auth.transport.call(&self.auth, &Call::get(operation, path)).await?;
        reply.json(PEER, operation).map_err(|error| error.backend(&self.auth.config.source.name))
    }

    /// Finds a device by client id, then by display name or serial number, then by id.
    pub(super) async fn find(&self, name: &str) -> Result<Vec<Target>> {
        if let Some(target) = self.auth.remembered(name) {
            return Ok(vec![target]);
        }
        let found = self.look_up(name).await?;
        if let [target] = found.as_slice() {
            self.auth.remember_device(name, target).await?;
        }
        Ok(found)
    }

    async fn look_up(&self, name: &str) -> Result<Vec<Target>> {
        let query = segment(name);
        let exact: Page<Device> = self.get("find", &self.scoped(&format!("devices?clientId={query}&limit=2"))).await?;
        let exact: Vec<Target> =
            exact.items.iter().filter(|device| device.client_id == name).map(convert::target).collect();
        if !exact.is_empty() {
            return Ok(exact);
        }
        let hits: Page<Device> =
            self.get("find", &self.scoped(&format!("devices?matchTerm={query}&limit={HITS}"))).await?;
        let found = by_properties(name, &hits.items);
        if !found.is_empty() || !looks_like_id(name) {
            if found.is_empty() && hits.limit_exceeded {
                return Err(Error::new(
                    Code::UsageAmbiguous,
                    Layer::Usage,
                    format!("more than {HITS} devices begin with `{name}` and none of the first is it"),
                )
                .hint("name it by its client id or by --id"));
            }
            return Ok(found);
        }
        match self.get::<Device>("find", &self.scoped(&format!("devices/{query}"))).await {
            Ok(device) => Ok(vec![convert::target(&device)]),
            // A name that happens to be spelt like an id is refused in several ways.
            Err(error) if matches!(error.code(), Code::TargetNotFound | Code::Usage | Code::VendorProtocol) => {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Forgets a name; tells whether it was known.
    pub(super) async fn forget(&self, name: &str) -> Result<bool> {
        self.auth.forget_device(name).await
    }
}

fn by_properties(name: &str, devices: &[Device]) -> Vec<Target> {
    let properties = |device: &Device| -> [Option<String>; 3] {
        [Some(device.client_id.clone()), device.display_name.clone(), device.serial_number.clone()]
    };
    let matching = |fits: &dyn Fn(&str) -> bool| -> Vec<Target> {
        devices
            .iter()
            .filter(|device| properties(device).iter().flatten().any(|property| fits(property)))
            .map(convert::target)
            .collect()
    };
    // Display names come before serial numbers: a device called like another one's serial number is meant.
    let displayed: Vec<Target> =
        devices.iter().filter(|device| device.display_name.as_deref() == Some(name)).map(convert::target).collect();
    if !displayed.is_empty() {
        return displayed;
    }
    let exact = matching(&|property| property == name);
    if !exact.is_empty() {
        return exact;
    }
    let lower = name.to_lowercase();
    let alike = matching(&|property| property.to_lowercase() == lower);
    let targets: Vec<Target> = devices.iter().map(convert::target).collect();
    if alike.is_empty() { naming::best(name, &targets) } else { alike }
}

/// Tells whether a text can be an id: base64url, without padding, of at most 64 bits.
fn looks_like_id(text: &str) -> bool {
    (2..=11).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Makes a target of a remembered name.
pub(super) fn remembered(client_id: &str, id: &str) -> Target {
    Target { name: Some(client_id.to_owned()), ..Target::by_id(TargetKind::Device, id) }
}
