//! Who is connected to the VPN server, in little room: of an account with 100,000 connected devices about 2 MB.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use jiff::Timestamp;

use super::ids;
use super::wire::VpnConnection;
use crate::backends::shared::meaningful;
use crate::model::Link;

/// How many more entries there is room for whenever it is used up.
const ROOM: usize = 1000;
/// Stands for a time that is not known.
const NO_TIME: i64 = i64::MIN;

/// The devices that the VPN server has connections of.
#[derive(Debug, Default)]
pub(super) struct Connections {
    /// Whether who is not here is not connected.
    pub(super) is_whole: bool,
    /// In order once [`Connections::settle`] was called.
    seen: Vec<Seen>,
    /// Those whose device has an id of another form.
    odd: HashMap<Box<str>, Seen>,
    /// The addresses that are no IPv4 address.
    texts: Vec<Box<str>>,
}

/// What is kept of a connection, in 20 bytes: 8 of its numbers would begin at a multiple of 8, and make it 24. Of two of
/// one device the younger one is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    device: Wide,
    /// In nanoseconds since 1970, which end in 2262.
    since: Wide,
    address: Address,
}

/// A number of 64 bits in the order of its bytes, which is that of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wide([u8; 8]);

impl From<i64> for Wide {
    fn from(number: i64) -> Self {
        Self((number ^ i64::MIN).to_be_bytes())
    }
}

impl From<Wide> for i64 {
    fn from(wide: Wide) -> Self {
        Self::from_be_bytes(wide.0) ^ Self::MIN
    }
}

/// An IPv4 address, or 0 for none, or from [`Address::TEXTS`] on the place of a text: from there on the addresses are
/// reserved, and nobody has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Address(u32);

impl Address {
    const NONE: Self = Self(0);
    /// 240.0.0.0, with which the reserved ones begin.
    const TEXTS: u32 = 0xf000_0000;
}

impl Connections {
    /// Begins with a list that nobody is in.
    pub(super) fn new() -> Self {
        Self { is_whole: true, ..Self::default() }
    }

    /// Adds a connection; users have connections too, and theirs name no device.
    pub(super) fn add(&mut self, connection: VpnConnection) {
        let Some(device) = connection.device_id else { return };
        let since = connection.created_on.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
        let since = Wide::from(since.and_then(|at| i64::try_from(at.as_nanosecond()).ok()).unwrap_or(NO_TIME));
        let address = self.address(connection.inet_address);
        match ids::number(&device) {
            Some(number) => {
                if self.seen.len() == self.seen.capacity() {
                    // Doubling it would take more room than the entries need.
                    self.seen.reserve_exact(ROOM);
                }
                self.seen.push(Seen { device: number.into(), since, address });
            }
            None => {
                let seen = Seen { device: Wide::from(0), since, address };
                let kept = self.odd.entry(device.into_boxed_str()).or_insert(seen);
                *kept = seen.max(*kept);
            }
        }
    }

    /// Puts them in order, so that they can be found.
    pub(super) fn settle(&mut self) {
        self.seen.sort_unstable();
    }

    /// Finds the connection of a device.
    pub(super) fn find(&self, device: &str) -> Option<Link> {
        let seen = match ids::number(device) {
            Some(number) => {
                let number = Wide::from(number);
                let behind = self.seen.partition_point(|seen| seen.device <= number);
                self.seen.get(behind.checked_sub(1)?).filter(|seen| seen.device == number)?
            }
            None => self.odd.get(device)?,
        };
        let ip_address = match seen.address {
            Address::NONE => None,
            Address(bits) => match bits.checked_sub(Address::TEXTS) {
                None => Some(Ipv4Addr::from_bits(bits).to_string()),
                Some(place) => {
                    let text = usize::try_from(place).ok().and_then(|place| self.texts.get(place));
                    text.map(|text| text.as_ref().to_owned())
                }
            },
        };
        let since = Some(i64::from(seen.since)).filter(|since| *since != NO_TIME);
        let since = since.and_then(|since| Timestamp::from_nanosecond(i128::from(since)).ok());
        Some(Link { ip_address, since, ..Link::default() })
    }

    fn address(&mut self, text: Option<String>) -> Address {
        let Some(text) = meaningful(text) else { return Address::NONE };
        let bits = text.parse::<Ipv4Addr>().ok().map(Ipv4Addr::to_bits);
        if let Some(bits) = bits.filter(|bits| (1..Address::TEXTS).contains(bits)) {
            return Address(bits);
        }
        let place = u32::try_from(self.texts.len()).ok().and_then(|place| place.checked_add(Address::TEXTS));
        let Some(place) = place else { return Address::NONE };
        self.texts.push(text.into_boxed_str());
        Address(place)
    }
}

#[cfg(test)]
mod tests {
    use super::{Connections, Seen, VpnConnection};

    fn connection(device: &str, address: &str, at: &str) -> VpnConnection {
        let text = |text: &str| Some(text.to_owned());
        VpnConnection { id: None, device_id: text(device), inet_address: text(address), created_on: text(at) }
    }

    #[test]
    fn what_is_kept_is_what_was_told() {
        let mut connections = Connections::default();
        let told = [
            ("WyczTs_GuDM", "10.200.12.49", "2017-03-27T17:00:37.22Z"),
            ("-Kf2x0nQbDE", "fd00::1", "2017-03-27T17:00:37.123456789Z"),
            ("AQ", " 10.8.0.1/24 ", "1965-01-01T00:00:00Z"),
            ("AQI", "255.255.255.255", "2026-01-01T00:00:00Z"),
            ("no id of the vendor's", "10.0.0.1", "2026-01-01T00:00:00Z"),
        ];
        told.iter().for_each(|(device, address, at)| connections.add(connection(device, address, at)));
        connections.add(VpnConnection { inet_address: Some("10.0.0.9".to_owned()), ..VpnConnection::default() });
        connections.add(connection("AuY", "0.0.0.0", "yesterday"));
        connections.settle();
        for (device, address, at) in told {
            let link = connections.find(device).unwrap();
            assert_eq!(
                (link.ip_address.as_deref(), link.since),
                (Some(address), Some(at.parse().unwrap())),
                "{device}"
            );
        }
        let silent = connections.find("AuY").unwrap();
        assert_eq!((silent.ip_address, silent.since), (None, None));
        for device in ["Ag", "", "no id", "AAAAAAAAAAA", "f_________8"] {
            assert!(connections.find(device).is_none(), "{device}");
        }
    }

    #[test]
    fn the_younger_connection_of_a_device_counts_whichever_comes_first() {
        let told = [("10.0.0.1", "2026-01-01T00:00:00Z"), ("10.0.0.2", "2026-01-02T00:00:00Z"), ("10.0.0.3", "never")];
        for device in ["AuY", "an odd id"] {
            for first in 0..told.len() {
                let mut connections = Connections::default();
                for turn in 0..told.len() {
                    let (address, at) = told[(first + turn) % told.len()];
                    connections.add(connection(device, address, at));
                }
                connections.settle();
                assert_eq!(connections.find(device).unwrap().ip_address.as_deref(), Some("10.0.0.2"));
            }
        }
    }

    #[test]
    fn a_hundred_thousand_connections_take_two_megabytes() {
        let mut connections = Connections::default();
        for number in 0..100_000_i64 {
            let device = super::ids::of_decimal(&(number << 20).to_string()).unwrap();
            connections.add(connection(&device, "10.200.12.49", "2026-01-01T00:00:00Z"));
        }
        connections.settle();
        assert!(connections.odd.is_empty() && connections.texts.is_empty());
        assert!(connections.seen.capacity() * size_of::<Seen>() <= 2_020_000);
        assert!(connections.find(&super::ids::of_decimal(&(99_999_i64 << 20).to_string()).unwrap()).is_some());
    }
}
