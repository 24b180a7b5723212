//! The devices of one account, and what faults make of them.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use super::super::faults::Faults;
use super::ids::Id;
use super::roster::Roster;

/// Tells how a device is connected to the cloud (section 5, connection status).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// It is online.
    Connected,
    /// It said goodbye.
    Disconnected,
    /// It was lost.
    Missing,
    /// It never came: there is no connection object.
    Never,
}

impl Link {
    /// Gives the vendor's word; `None` where there is no connection to have a status.
    pub(super) fn word(self) -> Option<&'static str> {
        match self {
            Self::Connected => Some("CONNECTED"),
            Self::Disconnected => Some("DISCONNECTED"),
            Self::Missing => Some("MISSING"),
            Self::Never => None,
        }
    }
}

/// Tells what the VPN client of a device does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tunnel {
    /// It has no tunnel.
    Down,
    /// It is connecting, and will be for that many more status calls.
    Coming(u32),
    /// It has a tunnel.
    Up,
}

/// One device; its names are computed, so that a hundred thousand of them take little room.
#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) id: Id,
    pub(super) link: Link,
    pub(super) has_bundle: bool,
    pub(super) tunnel: Tunnel,
    /// Whether it is enabled by the administrator.
    pub(super) is_enabled: bool,
    /// Whether its connection is only said to be there.
    pub(super) is_stale: bool,
}

/// The devices of one account.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) roster: Roster,
    pub(super) devices: Vec<Device>,
    by_id: HashMap<Id, usize>,
}

impl Fleet {
    /// Gathers devices that are named by `roster`.
    pub(super) fn new(roster: Roster, devices: Vec<Device>) -> Self {
        let by_id = devices.iter().enumerate().map(|(index, device)| (device.id, index)).collect();
        Self { roster, devices, by_id }
    }

    /// Finds a device by its id.
    pub(super) fn find(&self, id: Id) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// Finds a device by its client id.
    pub(super) fn find_client(&self, client_id: &str) -> Option<usize> {
        self.roster.position(client_id).filter(|index| *index < self.devices.len())
    }

    /// Gives a device as it is with faults on.
    pub(super) fn seen(&self, index: usize, bent: &Bent) -> Option<Device> {
        let mut device = self.devices.get(index)?.clone();
        if bent.is_any {
            bent.apply(&mut device, &self.roster.client_id(index));
        }
        // A tunnel does not outlive the link, and comes back with it.
        if device.link != Link::Connected || !device.has_bundle {
            device.tunnel = Tunnel::Down;
        }
        Some(device)
    }

    /// Gives the address that a device has while its VPN is up; the first has the one of the vendor's page.
    pub(super) fn address(&self, index: usize) -> Ipv4Addr {
        let step = u32::try_from(index).unwrap_or(0);
        Ipv4Addr::from_bits(self.roster.first_address().to_bits().wrapping_add(step))
    }
}

/// The faults that change devices, read once for each request.
#[derive(Debug)]
pub(super) struct Bent {
    is_any: bool,
    all_online: bool,
    offline: Clients,
    missing: Clients,
    never: Clients,
    no_bundle: Clients,
    disabled: Clients,
    stale: Clients,
}

impl Bent {
    /// Reads which of those faults are on.
    pub(super) fn read(faults: &Faults) -> Self {
        let mut bent = Self {
            is_any: false,
            all_online: faults.is_on("all-online"),
            offline: Clients::read(faults, "offline"),
            missing: Clients::read(faults, "missing"),
            never: Clients::read(faults, "never-connected"),
            no_bundle: Clients::read(faults, "no-bundle"),
            disabled: Clients::read(faults, "disabled"),
            stale: Clients::read(faults, "stale"),
        };
        let choices = [&bent.offline, &bent.missing, &bent.never, &bent.no_bundle, &bent.disabled, &bent.stale];
        bent.is_any = bent.all_online || choices.iter().any(|clients| clients.0.is_some());
        bent
    }

    fn apply(&self, device: &mut Device, client_id: &str) {
        if self.all_online {
            (device.link, device.has_bundle) = (Link::Connected, true);
        }
        for (clients, link) in
            [(&self.offline, Link::Disconnected), (&self.missing, Link::Missing), (&self.never, Link::Never)]
        {
            if clients.holds(client_id) {
                device.link = link;
            }
        }
        if self.no_bundle.holds(client_id) {
            device.has_bundle = false;
        }
        device.is_enabled &= !self.disabled.holds(client_id);
        if self.stale.holds(client_id) {
            (device.link, device.is_stale) = (Link::Connected, true);
        }
    }
}

/// The devices that a fault is for: the argument CLIENTS of the table of faults.
#[derive(Debug)]
pub(super) struct Clients(Option<String>);

impl Clients {
    /// Reads whom the fault called `name` is for; nobody where it is off.
    pub(super) fn read(faults: &Faults, name: &str) -> Self {
        Self(faults.arg(name))
    }

    /// Tells whether the fault is for that device.
    pub(super) fn holds(&self, client_id: &str) -> bool {
        self.0.as_deref().is_some_and(|all| all.is_empty() || all == "*" || all.split(',').any(|one| one == client_id))
    }
}
