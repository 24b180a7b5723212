//! The Remote Access Service: who is connected to the VPN server, servers and profiles (sections 4.6 and 4.7).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Serialize;
use serde_json::{Value, json};

use super::accounts::Scope;
use super::answers::{self, Answer, Refusal};
use super::fleet::{Bent, Fleet, Tunnel};
use super::ids::{Id, Written};
use super::listing::{self, Order, Page, Params};
use super::registry::query_body;
use super::tokens::Session;
use super::{Everyware, lock};

/// The server that the accounts are assigned to.
const SERVER: &str = "PWGG8-qIT38";
/// The user whose computer is connected to it.
const CONNECTED_USER: &str = "UlM9TGpJJ-g";
/// The address of that computer, below those of the devices.
const USER_ADDRESS: &str = "10.200.0.2";
/// When the connections began.
const SINCE: &str = "2026-01-31T15:41:43.000Z";

/// Gives the routes of the service.
pub(super) fn routes() -> Router<Arc<Everyware>> {
    Router::new()
        .route("/v1/{scope}/vpnConnections", get(list))
        .route("/v1/{scope}/vpnConnections/_count", post(count))
        .route("/v1/{scope}/vpnConnections/_query", post(query))
        .route("/v1/{scope}/vpnConnections/{connection}", get(one))
        .route("/v1/{scope}/vpnConnections/{connection}/_disconnect", post(kick))
        .route("/v1/{scope}/vpnServers", get(servers))
        .route("/v1/{scope}/vpnServers/_configurations", get(configurations))
}

/// One connection, of a device or of a user.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct VpnConnection {
    r#type: &'static str,
    id: Id,
    scope_id: Id,
    created_on: &'static str,
    created_by: Id,
    modified_on: &'static str,
    modified_by: Id,
    optlock: u32,
    inet_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<Id>,
    vpn_server_id: &'static str,
}

/// Who has a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    User,
    /// The device at that place of the fleet.
    Device(usize),
}

/// The connections of one account: in the main one a user comes first, then the devices in their order.
struct Connections<'a> {
    fleet: &'a Fleet,
    bent: Bent,
    scope: Scope,
}

impl Connections<'_> {
    fn peers(&self) -> impl Iterator<Item = Peer> {
        let is_up = |index: &usize| self.fleet.seen(*index, &self.bent).is_some_and(|seen| seen.tunnel == Tunnel::Up);
        let user = (self.scope.place == 0).then_some(Peer::User);
        user.into_iter().chain((0..self.fleet.devices.len()).filter(is_up).map(Peer::Device))
    }

    fn id(&self, peer: Peer) -> Id {
        match peer {
            Peer::User => self.scope.id.derived(0xBB),
            Peer::Device(index) => self.fleet.devices.get(index).map_or(Id(0), |device| device.id.derived(0xBB)),
        }
    }

    fn document(&self, peer: Peer) -> VpnConnection {
        let (inet_address, user_id, device_id) = match peer {
            Peer::User => (USER_ADDRESS.to_owned(), Some(Id::known(CONNECTED_USER)), None),
            Peer::Device(index) => {
                let device = self.fleet.devices.get(index).map(|device| device.id);
                (self.fleet.address(index).to_string(), None, device)
            }
        };
        VpnConnection {
            r#type: "vpnConnection",
            id: self.id(peer),
            scope_id: self.scope.id,
            created_on: SINCE,
            created_by: Id(1),
            modified_on: SINCE,
            modified_by: Id(1),
            optlock: 1,
            inet_address,
            user_id,
            device_id,
            vpn_server_id: SERVER,
        }
    }

    fn find(&self, written: &str) -> Result<Peer, Refusal> {
        let id = match Id::read(written) {
            Written::Id(id) => id,
            Written::TooLong => return Err(answers::entity_not_found_by("vpnConnection", written)),
            Written::Malformed => return Err(answers::illegal_argument("vpnConnectionId", written)),
        };
        let mut peers = self.peers();
        peers.find(|peer| self.id(*peer) == id).ok_or_else(|| answers::entity_not_found("vpnConnection", id))
    }
}

impl Everyware {
    /// Lets a call to the connections in, unless a fault closes them.
    fn open(
        &self,
        session: &Session,
        scope: &str,
        action: &str,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Scope, Refusal> {
        let scope = self.scope(session, scope, "vpn", action)?;
        match self.context.faults.number("vpn-connections-status") {
            Some(403) => Err(answers::subject_unauthorized("vpn", action, scope.id)),
            Some(404) => Err(answers::no_such_route(uri, headers).into()),
            _ => Ok(scope),
        }
    }

    fn connections<T>(&self, scope: Scope, f: impl FnOnce(&Connections<'_>) -> T) -> T {
        let fleet = lock(self.fleet(scope));
        f(&Connections { fleet: &fleet, bent: Bent::read(&self.context.faults), scope })
    }

    fn connection_page(&self, scope: Scope, page: &Page) -> Answer {
        let (total, items) = self.connections(scope, |connections| {
            let peers: Vec<Peer> = connections.peers().collect();
            let there = self.drift.connections(peers.len(), &self.context.faults);
            let peers = peers.get(there).unwrap_or_default();
            let range = peers.get(page.of(peers.len())).unwrap_or_default();
            (peers.len(), range.iter().map(|peer| connections.document(*peer)).collect())
        });
        listing::page("vpnConnectionListResult", page, total, items, &self.context.faults)
    }
}

async fn list(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path(scope): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let scope = everyware.open(&session, &scope, "read", &uri, &headers)?;
    let page = Page::read(&Params::read(&uri), &everyware.context.faults)?;
    let _in_hand = everyware.crowd.enter(page.is_first(), &everyware.context.faults).await?;
    everyware.connection_page(scope, &page)
}

/// Answers a query; the vendor supports no predicates here.
async fn query(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path(scope): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let scope = everyware.open(&session, &scope, "read", &uri, &headers)?;
    let page = Page::of_query(&query_body(&body)?, &everyware.context.faults)?;
    everyware.connection_page(scope, &page)
}

async fn count(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path(scope): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let scope = everyware.open(&session, &scope, "read", &uri, &headers)?;
    let count = everyware.connections(scope, |connections| connections.peers().count());
    answers::document(&json!({"count": count}))
}

async fn one(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path((scope, connection)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let scope = everyware.open(&session, &scope, "read", &uri, &headers)?;
    let found = everyware
        .connections(scope, |connections| connections.find(&connection).map(|peer| connections.document(peer)));
    answers::document(&found?)
}

/// Ends a connection at the server.
async fn kick(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path((scope, connection)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    // Which right this takes is documented nowhere; connecting is the nearest that is.
    let scope = everyware.open(&session, &scope, "connect", &uri, &headers)?;
    let (peer, document) = everyware.connections(scope, |connections| {
        connections.find(&connection).map(|peer| (peer, connections.document(peer)))
    })?;
    if let Peer::Device(index) = peer
        && let Some(device) = lock(everyware.fleet(scope)).devices.get_mut(index)
    {
        device.tunnel = Tunnel::Down;
    }
    answers::document(&document)
}

/// Gives an entity of the service, with the fields that all entities have.
fn entity(kind: &str, id: &str, scope: Scope, fields: Value) -> Value {
    let mut body = json!({
        "type": kind,
        "id": id,
        "scopeId": scope.id,
        "createdOn": "2024-01-29T15:28:28.000Z",
        "createdBy": "AQ",
        "modifiedOn": "2024-01-29T15:28:28.000Z",
        "modifiedBy": "AQ",
        "optlock": 1,
    });
    if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
        body.extend(fields);
    }
    body
}

async fn servers(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path(scope): Path<String>,
    uri: Uri,
) -> Answer {
    let scope = everyware.scope(&session, &scope, "vpn", "read")?;
    let params = Params::read(&uri);
    let page = Page::read(&params, &everyware.context.faults)?;
    let order = Order::read(&params, &["name", "host"])?;
    let all = [
        entity("vpnServer", SERVER, scope, json!({"name": "remote-access", "host": "vpn.acme.example", "port": 1194})),
        entity("vpnServer", "TVENSKi11-4", scope, json!({"name": "backup", "host": "vpn2.acme.example", "port": 1194})),
    ];
    let text = |server: &Value, name: &str| server[name].as_str().map(str::to_owned);
    let term = params.get("matchTerm").unwrap_or_default();
    let mut found: Vec<Value> = all
        .into_iter()
        .filter(|server| params.get("name").is_none_or(|name| server["name"] == name))
        .filter(|server| {
            ["name", "host"].iter().any(|key| text(server, key).is_some_and(|text| text.starts_with(term)))
        })
        .collect();
    order.apply(&mut found, text);
    let total = found.len();
    let items = found.get(page.of(total)).unwrap_or_default().to_vec();
    listing::page("vpnServerListResult", &page, total, items, &everyware.context.faults)
}

async fn configurations(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path(scope): Path<String>,
    uri: Uri,
) -> Answer {
    let scope = everyware.scope(&session, &scope, "vpn", "read")?;
    let page = Page::read(&Params::read(&uri), &everyware.context.faults)?;
    let profile = |id, name, minimum, maximum| {
        let file = "client\ndev tun\nproto tcp\nremote vpn.acme.example 1194\nauth-user-pass\nverb 3\n";
        let fields = json!({
            "name": name,
            "configurationFile": file,
            "minVersion": minimum,
            "maxVersion": maximum,
            "redirectAllTraffic": false,
            "vpnServerId": SERVER,
        });
        entity("vpnConfiguration", id, scope, fields)
    };
    // The second is the one that a known client takes for the operator's own computer.
    let all = [
        profile("XRgeNwHY2IE", "Default_Config", "2.3.0", "2.4.0"),
        profile("Xfjs4rBxF_E", "OpenVPN_3_0_0", "3.0.0", "3.9.9"),
    ];
    let items = all.get(page.of(all.len())).unwrap_or_default().to_vec();
    listing::page("vpnConfigurationListResult", &page, all.len(), items, &everyware.context.faults)
}
