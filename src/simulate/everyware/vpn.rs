//! The VPN calls of a device: status, connect, disconnect (sections 4.1 to 4.3).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde_json::{Value, json};

use super::accounts::Scope;
use super::answers::{self, Answer, Refusal};
use super::fleet::{Bent, Clients, Link, Tunnel};
use super::registry::device_id;
use super::tokens::Session;
use super::{Everyware, lock};

/// What is asked of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Status,
    Connect,
    Disconnect,
}

impl Ask {
    fn action(self) -> &'static str {
        match self {
            Self::Status => "read",
            Self::Connect | Self::Disconnect => "execute",
        }
    }
}

/// Gives the routes of the VPN calls; neither of them looks at a body or at its type.
pub(super) fn routes() -> Router<Arc<Everyware>> {
    Router::new()
        .route("/v1/{scope}/devices/{device}/vpn", get(status))
        .route("/v1/{scope}/devices/{device}/vpn/_connect", post(connect))
        .route("/v1/{scope}/devices/{device}/vpn/_disconnect", post(disconnect))
        .route("/v1/{scope}/devices/{device}/vpn/_discconect", post(disconnect))
}

async fn status(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path((scope, device)): Path<(String, String)>,
    uri: Uri,
) -> Answer {
    everyware.ask(&session, &scope, &device, Ask::Status, &uri).await
}

async fn connect(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path((scope, device)): Path<(String, String)>,
    uri: Uri,
) -> Answer {
    everyware.ask(&session, &scope, &device, Ask::Connect, &uri).await
}

/// Answers under both spellings: the vendor's page and its OpenAPI disagree (section 7, row 1).
async fn disconnect(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path((scope, device)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let is_right = uri.path().ends_with("/_disconnect");
    let exists = match everyware.context.faults.arg("disconnect-path").as_deref() {
        Some("both") => true,
        Some("neither") => false,
        Some("wrong") => !is_right,
        _ => is_right,
    };
    if !exists {
        return Err(answers::no_such_route(&uri, &headers).into());
    }
    everyware.ask(&session, &scope, &device, Ask::Disconnect, &uri).await
}

impl Everyware {
    /// Makes one call to a device, with the checks in the order of section 8.
    async fn ask(&self, session: &Session, scope: &str, device: &str, ask: Ask, uri: &Uri) -> Answer {
        let scope = self.scope(session, scope, "device_management", ask.action())?;
        let index = self.reach(scope, device)?;
        let faults = &self.context.faults;
        if let Some(millis) = faults.number("device-slow") {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        if let Some(written) = faults.arg("device-error") {
            let (code, pattern) = written.split_once('@').unwrap_or((&written, ""));
            if uri.path().contains(pattern) && faults.take("device-error").is_some() {
                return Err(answers::device_error(code));
            }
        }
        let answer = self.send(scope, index, ask);
        if let Some(written) = faults.arg("proxy-page") {
            let (status, pattern) = written.split_once('@').unwrap_or((&written, ""));
            if uri.path().contains(pattern) && faults.take("proxy-page").is_some() {
                let status = status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
                return Err(answers::proxy_page(status.unwrap_or(StatusCode::GATEWAY_TIMEOUT)));
            }
        }
        answers::document(&answer?)
    }

    /// Finds a device that is online.
    fn reach(&self, scope: Scope, written: &str) -> Result<usize, Refusal> {
        let id = device_id(written)?;
        let faults = &self.context.faults;
        let fleet = lock(self.fleet(scope));
        let index = fleet.find(id).ok_or_else(|| answers::entity_not_found("device", id))?;
        let link = fleet.seen(index, &Bent::read(faults)).map_or(Link::Never, |device| device.link);
        if link != Link::Connected {
            return Err(answers::device_not_connected(id, link.word(), faults.is_on("offline-as-500")));
        }
        Ok(index)
    }

    /// Sends a request to a device and gives its answer.
    fn send(&self, scope: Scope, index: usize, ask: Ask) -> Result<Value, Refusal> {
        let faults = &self.context.faults;
        let mut fleet = lock(self.fleet(scope));
        let client_id = fleet.roster.client_id(index);
        if Clients::read(faults, "device-timeout").holds(&client_id) && faults.take("device-timeout").is_some() {
            return Err(answers::device_timeout());
        }
        let seen = fleet.seen(index, &Bent::read(faults));
        if seen.as_ref().is_some_and(|device| device.is_stale) {
            return Err(answers::device_timeout());
        }
        if !seen.is_some_and(|device| device.has_bundle) {
            return Err(answers::device_has_no_vpn(faults.is_on("no-bundle-as-500")));
        }
        let every = faults.number("broken").and_then(|every| usize::try_from(every).ok());
        if every.is_some_and(|every| (index + 1).is_multiple_of(every)) {
            return Err(answers::device_failed("Cannot start OpenVPN"));
        }
        let is_post = ask != Ask::Status;
        if is_post && let Some(text) = faults.take("device-fails") {
            return Err(answers::device_failed(&text));
        }
        let address = fleet.address(index);
        let Some(device) = fleet.devices.get_mut(index) else { return Err(answers::device_timeout()) };
        let is_up = self.act(&mut device.tunnel, ask);
        if is_post && faults.take("timeout-but-done").is_some() {
            return Err(answers::device_timeout());
        }
        let is_told_up = is_up && !(ask == Ask::Connect && faults.take("not-connected-answer").is_some());
        let answer = self.client_status(is_told_up.then(|| address.to_string()));
        let is_wrapped = ask == Ask::Disconnect && faults.is_on("wrapped-disconnect");
        Ok(if is_wrapped { json!({"value": answer}) } else { answer })
    }

    /// Lets a device do what is asked; tells whether its VPN is up.
    fn act(&self, tunnel: &mut Tunnel, ask: Ask) -> bool {
        let faults = &self.context.faults;
        *tunnel = match (ask, *tunnel) {
            (Ask::Disconnect, _) => Tunnel::Down,
            (Ask::Connect, Tunnel::Down) if faults.is_on("connect-never") => Tunnel::Down,
            (Ask::Connect, Tunnel::Down) => match faults.number("connect-late") {
                Some(polls) => Tunnel::Coming(u32::try_from(polls).unwrap_or(u32::MAX)),
                None => Tunnel::Up,
            },
            (Ask::Status, Tunnel::Coming(0)) => Tunnel::Up,
            (Ask::Status, Tunnel::Coming(polls)) => Tunnel::Coming(polls - 1),
            (_, same) => same,
        };
        *tunnel == Tunnel::Up
    }

    /// Writes a vpnClientStatus; there is an address where the VPN is up.
    fn client_status(&self, address: Option<String>) -> Value {
        match (address, self.context.faults.arg("no-address").as_deref()) {
            (Some(address), _) => json!({"connected": true, "ipAddress": address}),
            (None, Some("absent")) => json!({"connected": false}),
            (None, Some("empty")) => json!({"connected": false, "ipAddress": ""}),
            (None, _) => json!({"connected": false, "ipAddress": "0.0.0.0"}),
        }
    }
}
