//! The device registry: lists, look-ups and counts (sections 4.4 and 4.5).

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde_json::{Value, json};

use super::answers::{self, Answer, Refusal};
use super::device::{self, DeviceDocument, Fetch};
use super::fleet::{Bent, Fleet, Link};
use super::ids::{Id, Written};
use super::listing::{self, Order, Page, Params};
use super::tokens::Session;
use super::{Everyware, lock};

/// The attributes that `matchTerm` looks at, and that a list can be ordered by.
const ATTRIBUTES: [&str; 13] = [
    "clientId",
    "displayName",
    "serialNumber",
    "modelId",
    "modelName",
    "biosVersion",
    "firmwareVersion",
    "osVersion",
    "jvmVersion",
    "osgiFrameworkVersion",
    "applicationFrameworkVersion",
    "connectionInterface",
    "connectionIp",
];

/// Gives the routes of the registry.
pub(super) fn routes() -> Router<Arc<Everyware>> {
    Router::new()
        .route("/v1/{scope}/devices", get(list))
        .route("/v1/{scope}/devices/_count", post(count))
        .route("/v1/{scope}/devices/_query", post(query))
        .route("/v1/{scope}/devices/{device}", get(one))
}

/// Reads the id of a device as it stands in a path; it has no wildcard.
pub(super) fn device_id(written: &str) -> Result<Id, Refusal> {
    match Id::read(written) {
        Written::Id(id) => Ok(id),
        Written::TooLong => Err(answers::entity_not_found_by("device", written)),
        Written::Malformed => Err(answers::illegal_argument("deviceId", written)),
    }
}

async fn one(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path((scope, device)): Path<(String, String)>,
) -> Answer {
    let scope = everyware.scope(&session, &scope, "device", "read")?;
    let id = device_id(&device)?;
    let fleet = lock(everyware.fleet(scope));
    let (bent, fetch) =
        (Bent::read(&everyware.context.faults), Fetch::read(&everyware.context.faults, everyware.started));
    let found = fleet.find(id).and_then(|index| Some((index, fleet.seen(index, &bent)?)));
    let (index, device) = found.ok_or_else(|| answers::entity_not_found("device", id))?;
    answers::document(&DeviceDocument::of(&device, index, &fleet.roster, scope.id, &fetch))
}

async fn list(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path(scope): Path<String>,
    uri: Uri,
) -> Answer {
    let scope = everyware.scope(&session, &scope, "device", "read")?;
    let faults = &everyware.context.faults;
    let params = Params::read(&uri);
    let page = Page::read(&params, faults)?;
    let order = Order::read(&params, &ATTRIBUTES)?;
    let filter = Filter::read(&params)?;
    let mut fetch = Fetch::read(faults, everyware.started);
    for name in params.all("fetchAttributes") {
        fetch.add(name).map_err(|()| answers::illegal_argument("fetchAttributes", name))?;
    }
    let _in_hand = everyware.crowd.enter(page.is_first(), faults).await?;
    let fleet = lock(everyware.fleet(scope));
    let bent = Bent::read(faults);
    let there = everyware.drift.devices(fleet.devices.len(), faults);
    let (total, places) = if filter.is_open() && order.is_default() {
        (there.len(), page.of(there.len()).map(|place| place + there.start).collect())
    } else {
        let mut found = filter.apply(&fleet, &bent);
        found.retain(|index| there.contains(index));
        order.apply(&mut found, |index, name| attribute(&fleet, &bent, *index, name).map(Cow::into_owned));
        (found.len(), found.get(page.of(found.len())).unwrap_or_default().to_vec())
    };
    let devices: Vec<_> = places.iter().filter_map(|index| Some((*index, fleet.seen(*index, &bent)?))).collect();
    let items = devices
        .iter()
        .map(|(index, device)| DeviceDocument::of(device, *index, &fleet.roster, scope.id, &fetch))
        .collect();
    listing::page("deviceListResult", &page, total, items, faults)
}

async fn count(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path(scope): Path<String>,
) -> Answer {
    let scope = everyware.scope(&session, &scope, "device", "read")?;
    answers::document(&json!({"count": lock(everyware.fleet(scope)).devices.len()}))
}

/// Answers a query, of which only the page is documented.
async fn query(
    State(everyware): State<Arc<Everyware>>,
    Extension(session): Extension<Session>,
    Path(scope): Path<String>,
    body: Bytes,
) -> Answer {
    let scope = everyware.scope(&session, &scope, "device", "read")?;
    let faults = &everyware.context.faults;
    let page = Page::of_query(&query_body(&body)?, faults)?;
    let fleet = lock(everyware.fleet(scope));
    let (bent, fetch) = (Bent::read(faults), Fetch::read(faults, everyware.started));
    let total = fleet.devices.len();
    let devices: Vec<_> = page.of(total).filter_map(|index| Some((index, fleet.seen(index, &bent)?))).collect();
    let items = devices
        .iter()
        .map(|(index, device)| DeviceDocument::of(device, *index, &fleet.roster, scope.id, &fetch))
        .collect();
    listing::page("deviceListResult", &page, total, items, faults)
}

/// Reads the body of a `_query`; an empty one asks for everything.
pub(super) fn query_body(body: &Bytes) -> Result<Value, Refusal> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body).map_err(|_| answers::illegal_argument("query", &String::from_utf8_lossy(body)))
}

/// Which devices a list is about.
#[derive(Debug)]
struct Filter {
    client_id: Option<String>,
    term: Option<String>,
    link: Option<Link>,
    tag: Option<Id>,
}

impl Filter {
    fn read(params: &Params) -> Result<Self, Refusal> {
        let link = match params.get("status") {
            None => None,
            Some("CONNECTED") => Some(Link::Connected),
            Some("DISCONNECTED") => Some(Link::Disconnected),
            Some("MISSING") => Some(Link::Missing),
            Some("NULL") => Some(Link::Never),
            Some(other) => return Err(answers::illegal_argument("status", other)),
        };
        let tag = match params.get("tagId").map(|written| (written, Id::read(written))) {
            None => None,
            Some((_, Written::Id(id))) => Some(id),
            Some((written, _)) => return Err(answers::illegal_argument("tagId", written)),
        };
        Ok(Self {
            client_id: params.get("clientId").map(str::to_owned),
            term: params.get("matchTerm").map(str::to_owned),
            link,
            tag,
        })
    }

    fn is_open(&self) -> bool {
        self.client_id.is_none() && self.term.is_none() && self.link.is_none() && self.tag.is_none()
    }

    fn apply(&self, fleet: &Fleet, bent: &Bent) -> Vec<usize> {
        let places = match &self.client_id {
            Some(client_id) => fleet.find_client(client_id).map_or(0..0, |index| index..index + 1),
            None => 0..fleet.devices.len(),
        };
        let has_link = |index: &usize| {
            self.link.is_none_or(|link| fleet.seen(*index, bent).is_some_and(|device| device.link == link))
        };
        let has_term = |index: &usize| {
            self.term.as_ref().is_none_or(|term| {
                let mut values = ATTRIBUTES.iter().filter_map(|name| attribute(fleet, bent, *index, name));
                values.any(|value| value.starts_with(term))
            })
        };
        let has_tag = |index: &usize| self.tag.is_none_or(|tag| fleet.roster.tags(*index).contains(&tag));
        places.filter(has_tag).filter(has_link).filter(has_term).collect()
    }
}

/// Gives an attribute of [`ATTRIBUTES`].
fn attribute<'a>(fleet: &'a Fleet, bent: &Bent, index: usize, name: &str) -> Option<Cow<'a, str>> {
    match name {
        "clientId" => Some(fleet.roster.client_id(index)),
        "displayName" => fleet.roster.display_name(index),
        "serialNumber" => Some(Cow::Owned(fleet.roster.serial_number(index))),
        other => device::birth_attribute(&fleet.seen(index, bent)?, other).map(Cow::Borrowed),
    }
}
