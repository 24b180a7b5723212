//! Finding servers that announce themselves on the local network, by multicast DNS (RFC 6762 and 6763).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use mdns_sd::{IfKind, ResolvedService, ServiceDaemon, ServiceEvent};

use crate::error::{Code, Error, Layer, Result};

/// What a server announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// The name of the service, unique on its network.
    pub name: String,
    /// Its port.
    pub port: u16,
    /// Its addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// What else it tells, all of it text.
    pub properties: BTreeMap<String, String>,
}

/// Says where is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// On every network of this computer.
    Everywhere,
    /// On this computer alone.
    Loopback,
}

/// Asks who offers a service, such as `_http._tcp.local.`, and gathers answers for a time.
///
/// # Errors
/// Fails with `net.reset` where this computer lets nobody ask.
pub async fn browse(service: &str, place: Where, time: Duration) -> Result<Vec<Announced>> {
    let daemon = ServiceDaemon::new().map_err(|error| unable(&error))?;
    if place == Where::Loopback {
        daemon.disable_interface(IfKind::All).map_err(|error| unable(&error))?;
        daemon.enable_interface(IfKind::LoopbackV4).map_err(|error| unable(&error))?;
    }
    let answers = daemon.browse(service).map_err(|error| unable(&error))?;
    let end = tokio::time::Instant::now() + time;
    let mut found: BTreeMap<String, Announced> = BTreeMap::new();
    while let Ok(Ok(event)) = tokio::time::timeout_at(end, answers.recv_async()).await {
        if let ServiceEvent::ServiceResolved(service) = event {
            let announced = read(&service);
            found.insert(announced.name.clone(), announced);
        }
    }
    // It ends with the process at the latest.
    let _ = daemon.shutdown();
    Ok(found.into_values().collect())
}

fn read(service: &ResolvedService) -> Announced {
    let name = service.fullname.strip_suffix(&format!(".{}", service.ty_domain)).unwrap_or(&service.fullname);
    let mut addresses: Vec<IpAddr> = service.addresses.iter().map(mdns_sd::ScopedIp::to_ip_addr).collect();
    addresses.sort_by_key(|address| (address.is_ipv6(), *address));
    let properties = service.txt_properties.iter();
    Announced {
        name: name.to_owned(),
        port: service.port,
        addresses,
        properties: properties.map(|own| (own.key().to_ascii_lowercase(), own.val_str().to_owned())).collect(),
    }
}

fn unable(error: &mdns_sd::Error) -> Error {
    Error::new(Code::NetReset, Layer::Dns, format!("this computer can't ask its network by multicast DNS: {error}"))
        .temporary()
        .hint("check that no firewall closes UDP port 5353")
}
