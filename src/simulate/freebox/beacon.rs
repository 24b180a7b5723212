//! The box's announcement by mDNS (vendor/freebox.md section 2.2), on the loopback interface alone.

use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};

use super::discovery;
use crate::simulate::faults::Faults;

/// The service type of the vendor's boxes, of both countries.
const SERVICE: &str = "_fbx-api._tcp.local.";

/// Announces a simulated box until it is dropped.
pub(in crate::simulate) struct Beacon(ServiceDaemon);

impl std::fmt::Debug for Beacon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Beacon")
    }
}

impl Beacon {
    /// Announces the box whose API stands behind `port`; nothing where the system allows no multicast.
    pub(in crate::simulate) fn light(faults: &Faults, port: u16, https_port: u16) -> Option<Self> {
        let daemon = ServiceDaemon::new().ok()?;
        daemon.disable_interface(IfKind::All).ok()?;
        daemon.enable_interface(IfKind::LoopbackV4).ok()?;
        let country = discovery::country(faults);
        let name = country.device_name;
        let host = format!("{}.local.", name.replace(' ', "-"));
        let text = discovery::text_record(faults, https_port);
        let box_ = ServiceInfo::new(SERVICE, name, &host, "127.0.0.1", port, &text[..]).ok()?;
        daemon.register(box_).ok()?;
        Some(Self(daemon))
    }
}

impl Drop for Beacon {
    fn drop(&mut self) {
        // Its thread says goodbye and ends; nobody waits for it.
        let _ = self.0.shutdown();
    }
}
