//! The announcement by mDNS, looked for on the loopback interface alone.

use std::time::{Duration, Instant};

use mdns_sd::{IfKind, ServiceDaemon, ServiceEvent, ServiceInfo};

use crate::bench::{Bench, FAST};

/// Tells whether this machine carries multicast over its loopback interface, by a service that is nobody's: where it
/// does not, no announcement of ours can be heard either.
fn machine_carries_multicast() -> bool {
    let daemon = || {
        let daemon = ServiceDaemon::new().ok()?;
        daemon.disable_interface(IfKind::All).ok()?;
        daemon.enable_interface(IfKind::LoopbackV4).ok()?;
        Some(daemon)
    };
    let (Some(one), Some(other)) = (daemon(), daemon()) else { return false };
    let kind = "_vpnctl-probe._udp.local.";
    let name = format!("probe-{}", std::process::id());
    let Ok(service) = ServiceInfo::new(kind, &name, &format!("{name}.local."), "127.0.0.1", 9, None) else {
        return false;
    };
    let (Ok(events), Ok(())) = (other.browse(kind), one.register(service)) else { return false };
    let end = Instant::now() + Duration::from_secs(10);
    let heard = loop {
        match events.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(ServiceEvent::ServiceResolved(_)) => break true,
            Ok(_) => {}
            Err(_) => break false,
        }
    };
    let _ = (one.shutdown(), other.shutdown());
    heard
}

#[tokio::test]
async fn a_box_is_announced_on_the_loopback_interface() {
    if !machine_carries_multicast() {
        return;
    }
    let bench = Bench::new(FAST, &["mdns", "uid=0fedcba987654321"]).await;
    let port = |what| bench.running().url(what).unwrap().rsplit_once(':').unwrap().1.to_owned();
    let browser = ServiceDaemon::new().unwrap();
    browser.disable_interface(IfKind::All).unwrap();
    browser.enable_interface(IfKind::LoopbackV4).unwrap();
    let events = browser.browse("_fbx-api._tcp.local.").unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    let found = loop {
        let left = end.saturating_duration_since(Instant::now());
        match events.recv_timeout(left).expect("a box that is announced") {
            // Other worlds of this machine may announce theirs.
            ServiceEvent::ServiceResolved(found) if found.port.to_string() == port("api") => break found,
            _ => {}
        }
    };
    assert_eq!(found.get_addresses_v4(), ["127.0.0.1".parse().unwrap()].into());
    // Where several are announced at once the names are told apart by a number.
    assert!(found.host.starts_with("Freebox-Server") && found.host.ends_with(".local."), "{}", found.host);
    let text = |key| found.txt_properties.get_property_val_str(key).unwrap_or_default().to_owned();
    assert_eq!((text("uid"), text("https_available")), ("0fedcba987654321".to_owned(), "1".to_owned()));
    assert_eq!((text("api_version"), text("api_base_url")), ("16.0".to_owned(), "/api/".to_owned()));
    assert_eq!((text("api_domain"), text("https_port")), ("example.fbxos.fr".to_owned(), port("https")));
    browser.shutdown().unwrap();
}
