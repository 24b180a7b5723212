//! From the cloud's documents to the model; pure, and what the case folders test.

use super::wire::{Device, VpnClientStatus, VpnConnection};
use crate::backends::shared::meaningful;
use crate::model::{Link, Source, State, Status, Target, TargetKind};

/// Turns what a device says into a status.
#[must_use]
pub fn device(document: &VpnClientStatus) -> Status {
    match document.connected {
        Some(true) => {
            let link = Link { ip_address: meaningful(document.ip_address.clone()), ..Link::default() };
            Status::new(State::Connected(link), Source::Device)
        }
        Some(false) => Status::new(State::Disconnected, Source::Device),
        None => Status::new(State::Unknown, Source::Device),
    }
}

/// Turns an entry of the VPN server's list into a status; no entry means disconnected.
pub(super) fn server(connection: Option<&VpnConnection>, source: Source) -> Status {
    let state = match connection {
        Some(connection) => State::Connected(Link {
            ip_address: meaningful(connection.inet_address.clone()),
            since: connection.created_on.as_deref().and_then(|at| at.parse().ok()),
            ..Link::default()
        }),
        None => State::Disconnected,
    };
    Status::new(state, source)
}

/// Turns a device into a target; its client id is unique in the account, its display name is not.
pub(super) fn target(device: &Device, scope: Option<&str>) -> Target {
    named(&device.client_id, &device.id, scope)
}

/// Makes a target of its parts; `scope` is the account where that is not the configured one.
pub(super) fn named(client_id: &str, id: &str, scope: Option<&str>) -> Target {
    let target = Target::by_id(TargetKind::Device, id);
    Target { name: Some(client_id.to_owned()), scope: scope.map(str::to_owned), ..target }
}
