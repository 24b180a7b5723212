//! The registry of devices, and who is connected to the VPN server.

use std::collections::{BTreeMap, HashSet};

use serde::de::DeserializeOwned;

use super::api::Api;
use super::convert;
use super::failure::PEER;
use super::wire::{Device, Page, VpnConnection};
use crate::error::{Code, Result};
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
        self.pages("devices", "list", |device: &Device| Some(device.id.clone()), each).await
    }

    /// Gives the devices' live connections at the VPN server, by device.
    pub(super) async fn connections(&self) -> Result<BTreeMap<String, VpnConnection>> {
        let mut connections = BTreeMap::new();
        let id = |connection: &VpnConnection| connection.id.clone();
        self.pages("vpnConnections", "connections", id, &mut |connection: VpnConnection| {
            // Users have connections too; theirs name no device.
            if let Some(device) = connection.device_id.clone() {
                connections.insert(device, connection);
            }
        })
        .await?;
        Ok(connections)
    }

    /// Reads page by page. What is added meanwhile moves the end of a page to the beginning of the next, so what the
    /// page before had is left out; a page with nothing else in it is the end, whatever the server says of more.
    async fn pages<T: DeserializeOwned + Send>(
        &self,
        what: &str,
        operation: &'static str,
        id: impl Fn(&T) -> Option<String> + Send,
        each: &mut (dyn FnMut(T) + Send),
    ) -> Result<()> {
        let mut offset = 0;
        let mut before = HashSet::new();
        loop {
            let path = self.scoped(&format!("{what}?limit={PAGE}&offset={offset}"));
            let page: Page<T> = self.get(operation, &path).await?;
            let received = page.items.len();
            let ids: HashSet<String> = page.items.iter().filter_map(&id).collect();
            let known = |item: &T| id(item).is_some_and(|id| before.contains(&id));
            let new: Vec<T> = page.items.into_iter().filter(|item| !known(item)).collect();
            let is_last = !page.limit_exceeded || new.is_empty();
            new.into_iter().for_each(&mut *each);
            if is_last {
                return Ok(());
            }
            (before, offset) = (ids, offset + received);
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
        if !found.is_empty() {
            return Ok(found);
        }
        if looks_like_id(name) {
            match self.get::<Device>("find", &self.scoped(&format!("devices/{query}"))).await {
                Ok(device) => return Ok(vec![convert::target(&device)]),
                // A name that happens to be spelt like an id is refused in several ways.
                Err(error) if matches!(error.code(), Code::TargetNotFound | Code::Usage | Code::VendorProtocol) => {}
                Err(error) => return Err(error),
            }
        }
        // The search is by prefix and may heed case, which a name does not: only the whole list tells.
        let lower = name.to_lowercase();
        let mut alike = Vec::new();
        self.devices(&mut |device| {
            if properties(&device).any(|property| property.to_lowercase() == lower) {
                alike.push(device);
            }
        })
        .await?;
        Ok(by_properties(name, &alike))
    }

    /// Forgets a name; tells whether it was known.
    pub(super) async fn forget(&self, name: &str) -> Result<bool> {
        self.auth.forget_device(name).await
    }
}

/// Gives what a device is searched by.
fn properties(device: &Device) -> impl Iterator<Item = &str> {
    [Some(device.client_id.as_str()), device.display_name.as_deref(), device.serial_number.as_deref()]
        .into_iter()
        .flatten()
}

/// Keeps the devices that a name fits best: display names, then the other properties, then without case.
fn by_properties(name: &str, devices: &[Device]) -> Vec<Target> {
    let lower = name.to_lowercase();
    let ranks: [&dyn Fn(&Device) -> bool; 3] = [
        // A device called like another one's serial number is the one that is meant.
        &|device| device.display_name.as_deref() == Some(name),
        &|device| properties(device).any(|property| property == name),
        &|device| properties(device).any(|property| property.to_lowercase() == lower),
    ];
    let fitting = |fits: &&dyn Fn(&Device) -> bool| -> Vec<Target> {
        devices.iter().filter(|device| fits(device)).map(convert::target).collect()
    };
    ranks.iter().map(fitting).find(|found| !found.is_empty()).unwrap_or_default()
}

/// Tells whether a text can be an id: base64url, without padding, of at most 64 bits.
fn looks_like_id(text: &str) -> bool {
    (2..=11).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Makes a target of a remembered name.
pub(super) fn remembered(client_id: &str, id: &str) -> Target {
    Target { name: Some(client_id.to_owned()), ..Target::by_id(TargetKind::Device, id) }
}
