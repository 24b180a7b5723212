//! What a name means: a device's client id, display name or serial number, or its id (vendor's page, section 4.13).

use std::collections::BTreeMap;
use std::sync::PoisonError;

use futures_util::stream::{self, StreamExt as _};

use super::accounts::{Part, is_of_one_account};
use super::api::Api;
use super::devices::{AHEAD, List};
use super::wire::{Device, Page};
use super::{convert, ids};
use crate::backend::naming;
use crate::config::schema::nearest;
use crate::error::{Code, Error, Layer, Result};
use crate::http::call::segment;
use crate::model::Target;

/// How many hits of a search by prefix are looked at before the exact question is asked.
const HITS: usize = 100;
/// How many candidates, or near names, a message shows.
const SHOWN: usize = 10;
/// How many names that are near to a wrong one are kept.
const NEAR: usize = 3;

/// A device that fits a name.
#[derive(Debug, Clone)]
struct Hit {
    device: Device,
    part: Part,
}

/// What a look-up saw besides the targets, for the message where it found none or several.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    candidates: Vec<String>,
    near: Vec<String>,
}

/// What the looks at one name came to so far.
#[derive(Debug, Default)]
struct Search {
    hits: Vec<Hit>,
    near: Vec<String>,
    /// Why an account could not be searched.
    blind: Option<Error>,
}

/// The ways to look at an account for a name, each only where the ones before found nothing in any account.
#[derive(Debug, Clone, Copy)]
enum Look {
    /// Names to the letter.
    Name,
    /// The id.
    Id,
    /// Names in another case, by the whole list.
    Alike,
}

impl Api {
    /// Finds a device by client id, then by display name, then by serial number, then by id.
    pub(super) async fn find(&self, name: &str) -> Result<Vec<Target>> {
        if name.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(target) = self.auth.remembered(name, self.recursive) {
            return Ok(vec![target]);
        }
        let mut found = self.search(name).await?;
        if found.is_empty() && self.is_elsewhere().await? {
            found = self.search(name).await?;
        }
        if let [target] = found.as_slice() {
            self.auth.remember_device(name, target, self.recursive).await?;
        }
        Ok(found)
    }

    async fn search(&self, name: &str) -> Result<Vec<Target>> {
        let mut search = Search::default();
        let parts = if self.recursive {
            self.parts(&mut |error| search.blind = Some(error)).await?
        } else {
            vec![Part::default()]
        };
        for look in [Look::Name, Look::Id, Look::Alike] {
            if matches!(look, Look::Id) && !looks_like_id(name) {
                continue;
            }
            self.look(look, name, &parts, &mut search).await?;
            if !search.hits.is_empty() {
                break;
            }
        }
        let hits = best(name, search.hits);
        if let Some(error) = search.blind {
            if hits.is_empty() {
                return Err(error);
            }
            tracing::warn!("`{name}` was not looked for everywhere: {error}");
        }
        let seen = Seen { candidates: hits.iter().take(SHOWN).map(described).collect(), near: search.near };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), seen);
        Ok(hits.iter().map(|hit| convert::target(&hit.device, hit.part.scope.as_deref())).collect())
    }

    /// Looks at every account in one way, some at once.
    async fn look(&self, look: Look, name: &str, parts: &[Part], search: &mut Search) -> Result<()> {
        let looks = parts.iter().cloned().map(|part| async move {
            let mut near = Vec::new();
            let found = match look {
                Look::Name => self.by_name(name, &part).await,
                Look::Id => self.by_id(name, &part).await,
                Look::Alike => self.alike(name, &part, &mut near).await,
            };
            (part, found, near)
        });
        let mut looks = stream::iter(looks).buffered(AHEAD);
        while let Some((part, found, near)) = looks.next().await {
            match found {
                Ok(devices) => search.hits.extend(devices.into_iter().map(|device| Hit { device, part: part.clone() })),
                // One account that can't be searched does not hide what is in the others.
                Err(error) if parts.len() > 1 && is_of_one_account(&error) => search.blind = Some(part.own(error)),
                Err(error) => return Err(error),
            }
            search.near.extend(near);
            search.near.truncate(NEAR);
        }
        Ok(())
    }

    /// Asks for what begins so: that answers for all names at once, unless it begins too much.
    ///
    /// Connections are not asked for with it: that needs a further permission, which few have.
    async fn by_name(&self, name: &str, part: &Part) -> Result<Vec<Device>> {
        let (query, scope) = (segment(name), part.scope.as_deref());
        let order = "sortParam=clientId&sortDir=ASCENDING";
        let hits: Page<Device> =
            self.get("find", scope, &format!("devices?matchTerm={query}&{order}&limit={HITS}")).await?;
        let is_whole = !hits.limit_exceeded;
        let devices = exact(name, hits.items);
        if is_whole || devices.iter().any(|device| device.client_id == name) {
            return Ok(devices);
        }
        let exactly: Page<Device> = self.get("find", scope, &format!("devices?clientId={query}&limit=2")).await?;
        let devices = exact(name, exactly.items);
        if !devices.is_empty() {
            return Ok(devices);
        }
        let mut hits = Vec::new();
        let id = |device: &Device| Some(device.id.clone());
        let begins_so = format!("matchTerm={query}&{order}&");
        let list = List { scope, what: "devices", query: &begins_so, operation: "find" };
        self.pages(list, None, id, &mut |device| hits.extend(exact(name, vec![device]))).await?;
        Ok(hits)
    }

    async fn by_id(&self, name: &str, part: &Part) -> Result<Vec<Device>> {
        let id = ids::for_path(name);
        match self.get::<Device>("find", part.scope.as_deref(), &format!("devices/{}", segment(&id))).await {
            Ok(device) => Ok(vec![device]),
            // A name that happens to be spelt like an id is refused in several ways.
            Err(error) if matches!(error.code(), Code::TargetNotFound | Code::Usage | Code::VendorProtocol) => {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Looks through the whole list: the search is by prefix and may heed case, which a name does not.
    async fn alike(&self, name: &str, part: &Part, near: &mut Vec<String>) -> Result<Vec<Device>> {
        let lower = name.to_lowercase();
        let mut alike = Vec::new();
        self.devices(part, &mut |device| {
            if properties(&device).any(|property| property.to_lowercase() == lower) {
                alike.push(device);
            } else if near.len() < NEAR
                && let Some(like) = nearest(name, properties(&device)).map(str::to_owned)
                && !near.contains(&like)
            {
                near.push(like);
            }
        })
        .await?;
        Ok(alike)
    }

    /// Says that a name means nothing, or several devices, with what was seen while it was looked up.
    pub(super) fn not_one(&self, name: &str, found: &[Target]) -> Error {
        let backend = self.auth.backend();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default();
        if found.is_empty() {
            let near = match seen.near.as_slice() {
                [] => String::new(),
                near => format!("did you mean {}? ", near.join(" or ")),
            };
            let more = if self.recursive {
                format!("{near}list what there is: vpnctl list --recursive -b {backend}")
            } else {
                format!(
                    "{near}list what there is: vpnctl list -b {backend}; a device of a child account needs --recursive \
                     (status), or that account as `scope`"
                )
            };
            return Error::new(Code::TargetNotFound, Layer::Api, format!("`{backend}` has no device `{name}`"))
                .backend(backend)
                .target(name)
                .hint(more);
        }
        if seen.candidates.len() < found.len().min(SHOWN) {
            return naming::ambiguous(backend, name, found);
        }
        let more = if found.len() > SHOWN { format!(" and {} more", found.len() - SHOWN) } else { String::new() };
        let ids =
            if self.recursive { "name one by its id" } else { "name one by its client id, or by its id: --id ID" };
        Error::new(
            Code::UsageAmbiguous,
            Layer::Usage,
            format!("`{name}` fits {} devices of `{backend}`: {}{more}", found.len(), seen.candidates.join("; ")),
        )
        .backend(backend)
        .target(name)
        .hint(ids)
    }
}

/// Keeps the names that looks at single devices left behind, by what was looked up.
pub(super) type Sights = std::sync::Mutex<BTreeMap<String, Seen>>;

/// Describes a candidate: id and client id, the id as messages print it, display name, account.
fn described(hit: &Hit) -> String {
    let device = &hit.device;
    let mut text = format!("{} ({})", device.id, device.client_id);
    if let Some(number) = ids::number(&device.id) {
        text.push_str(&format!(", {number}"));
    }
    if let Some(display) = device.display_name.as_deref().filter(|display| !display.is_empty()) {
        text.push_str(&format!(", \"{display}\""));
    }
    if let (Some(name), Some(_)) = (&hit.part.name, &hit.part.scope) {
        text.push_str(&format!(", account {name}"));
    }
    text
}

/// Gives what a device is searched by.
fn properties(device: &Device) -> impl Iterator<Item = &str> {
    [Some(device.client_id.as_str()), device.display_name.as_deref(), device.serial_number.as_deref()]
        .into_iter()
        .flatten()
}

/// Keeps the devices that have a name to the letter.
fn exact(name: &str, devices: Vec<Device>) -> Vec<Device> {
    devices.into_iter().filter(|device| properties(device).any(|property| property == name)).collect()
}

/// Keeps the devices that a name fits best, in whatever accounts they are: by client id, then by display name, then by
/// serial number, then as they were found.
fn best(name: &str, hits: Vec<Hit>) -> Vec<Hit> {
    let rank = |device: &Device| {
        let names = [Some(device.client_id.as_str()), device.display_name.as_deref(), device.serial_number.as_deref()];
        names.iter().position(|own| *own == Some(name)).unwrap_or(names.len())
    };
    let Some(least) = hits.iter().map(|hit| rank(&hit.device)).min() else { return hits };
    hits.into_iter().filter(|hit| rank(&hit.device) == least).collect()
}

/// Tells whether a text can be an id: base64url, without padding, of at most 64 bits, or the number itself.
fn looks_like_id(text: &str) -> bool {
    let is_compact =
        (2..=11).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    is_compact || ids::of_decimal(text).is_some()
}
