//! Who is in the simulated accounts: a small cast by default, a numbered fleet where that was asked for.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use super::fleet::{Device, Fleet, Link, Tunnel};
use super::ids::Id;

/// One member of the small cast.
#[derive(Debug)]
struct Role {
    client_id: &'static str,
    id: &'static str,
    display_name: Option<&'static str>,
    link: Link,
    has_bundle: bool,
    is_up: bool,
}

/// The cast of the main account, chosen so that each kind of answer and each trap of section 5 occurs once.
const CAST: [Role; 7] = [
    Role::new("00:60:0C:81:5F:2A", "WyczTs_GuDM", Some("Packaging line 1"), Link::Connected, true, true),
    Role::new("gw-lyon-02", "-Kf2x0nQbDE", Some("Lyon pumping station"), Link::Connected, true, true),
    Role::new("gw-lyon-03", "_Kf2x0nQbDE", Some("Lyon pumping station"), Link::Connected, true, false),
    Role::new("gw-turin-04", "Gd1BfeWwh3s", Some("Turin warehouse"), Link::Disconnected, true, false),
    Role::new("gw-spare-05", "LQNak9Yzkus", Some("Spare gateway"), Link::Never, true, false),
    Role::new("gw-oslo-06", "dIVxI5QpFUI", None, Link::Connected, false, false),
    Role::new("gw-bergen-07", "AuY", Some("Bergen boat"), Link::Missing, true, false),
];

/// What the users of the small cast have written on devices: the tags and the first custom attribute of some.
const WRITTEN: [(&str, &[Id], Option<&str>); 4] = [
    ("00:60:0C:81:5F:2A", &[Id(1)], Some("Hall 3")),
    ("gw-lyon-02", &[Id(1), Id(2)], Some("lyon")),
    ("gw-lyon-03", &[Id(2)], Some("lyon")),
    ("gw-spare-05", &[], Some("spare")),
];
/// Of how many numbered devices one has the tag `AQ`.
const TAGGED: usize = 10;

/// The cast of the child account.
const NORTH: [Role; 2] = [
    Role::new("gw-north-01", "Ai9_3gE", Some("Kiruna mine"), Link::Connected, true, true),
    Role::new("gw-north-02", "Ai9_3gI", Some("Narvik port"), Link::Connected, true, false),
];

impl Role {
    const fn new(
        client_id: &'static str,
        id: &'static str,
        display_name: Option<&'static str>,
        link: Link,
        has_bundle: bool,
        is_up: bool,
    ) -> Self {
        Self { client_id, id, display_name, link, has_bundle, is_up }
    }

    fn device(&self) -> Device {
        let tunnel = if self.is_up { Tunnel::Up } else { Tunnel::Down };
        Device {
            id: Id::known(self.id),
            link: self.link,
            has_bundle: self.has_bundle,
            tunnel,
            is_enabled: true,
            is_stale: false,
        }
    }
}

/// Names the devices of one account.
#[derive(Debug)]
pub(super) struct Roster {
    first_address: Ipv4Addr,
    /// `None` where devices are numbered.
    cast: Option<&'static [Role]>,
}

impl Roster {
    /// Gives the client id of the device at `index`.
    pub(super) fn client_id(&self, index: usize) -> Cow<'static, str> {
        match self.cast {
            Some(cast) => Cow::Borrowed(cast.get(index).map_or("", |role| role.client_id)),
            None => Cow::Owned(format!("gw-{:06}", index + 1)),
        }
    }

    /// Gives the name for people, where the device has one.
    pub(super) fn display_name(&self, index: usize) -> Option<Cow<'static, str>> {
        match self.cast {
            Some(cast) => cast.get(index)?.display_name.map(Cow::Borrowed),
            None => Some(Cow::Owned(format!("Gateway {}", index + 1))),
        }
    }

    /// Gives the serial number.
    pub(super) fn serial_number(&self, index: usize) -> String {
        // Child and parent differ by their addresses, so by their serial numbers too.
        format!("SN-{}-{:06}", self.first_address.octets()[1], index + 1)
    }

    /// Gives the tags.
    pub(super) fn tags(&self, index: usize) -> &'static [Id] {
        match self.cast {
            Some(_) => self.written(index).map_or(&[], |(_, tags, _)| tags),
            None if (index + 1).is_multiple_of(TAGGED) => &[Id(1)],
            None => &[],
        }
    }

    /// Gives the first custom attribute, where the device has one.
    pub(super) fn custom_attribute(&self, index: usize) -> Option<&'static str> {
        self.written(index)?.2
    }

    fn written(&self, index: usize) -> Option<(&'static str, &'static [Id], Option<&'static str>)> {
        let role = self.cast?.get(index)?;
        WRITTEN.into_iter().find(|(client_id, ..)| *client_id == role.client_id)
    }

    /// Finds the place that a client id would have.
    pub(super) fn position(&self, client_id: &str) -> Option<usize> {
        match self.cast {
            Some(cast) => cast.iter().position(|role| role.client_id == client_id),
            None => {
                let index = client_id.strip_prefix("gw-")?.parse::<usize>().ok()?.checked_sub(1)?;
                (self.client_id(index) == client_id).then_some(index)
            }
        }
    }

    /// Gives the VPN address of the first device.
    pub(super) fn first_address(&self) -> Ipv4Addr {
        self.first_address
    }
}

/// Makes the fleets of all accounts, in their order: the main one with `count` devices where that is given.
pub(super) fn fleets(count: Option<usize>) -> Vec<Fleet> {
    // The sample address of the vendor's page, with room for a large fleet above it.
    let main_address = Ipv4Addr::new(10, 200, 12, 49);
    let main = match count {
        None => troupe(&CAST, main_address),
        Some(count) => {
            let roster = Roster { first_address: main_address, cast: None };
            Fleet::new(roster, (0..count).map(numbered).collect())
        }
    };
    vec![main, troupe(&NORTH, Ipv4Addr::new(10, 240, 0, 10)), troupe(&[], Ipv4Addr::new(10, 241, 0, 10))]
}

fn troupe(cast: &'static [Role], first_address: Ipv4Addr) -> Fleet {
    let roster = Roster { first_address, cast: Some(cast) };
    Fleet::new(roster, cast.iter().map(Role::device).collect())
}

/// Makes a numbered device; its state repeats every 20.
fn numbered(index: usize) -> Device {
    let (link, has_bundle, tunnel) = match index % 20 {
        16 => (Link::Disconnected, true, Tunnel::Down),
        17 => (Link::Never, true, Tunnel::Down),
        18 => (Link::Missing, true, Tunnel::Down),
        19 => (Link::Connected, false, Tunnel::Down),
        12..=15 => (Link::Connected, true, Tunnel::Down),
        _ => (Link::Connected, true, Tunnel::Up),
    };
    let number = i64::try_from(index).unwrap_or(0);
    Device { id: Id(number).derived(0x5EED), link, has_bundle, tunnel, is_enabled: true, is_stale: false }
}
