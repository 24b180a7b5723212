//! What a name means: a device's client id, display name or serial number, or its id (vendor's page, section 4.13).

use std::collections::BTreeMap;
use std::sync::PoisonError;

use futures_util::stream::{self, StreamExt as _};

use super::accounts::{Part, is_of_one_account};
use super::api::Api;
use super::devices::{AHEAD, DEVICES};
use super::pages::{AT_ONCE, List};
use super::wire::{Device, Page};
use super::{convert, ids};
use crate::backend::naming;
use crate::config::schema::nearest;
use crate::error::{Code, Error, Layer, Result};
use crate::http::call::segment;
use crate::model::Target;

/// How many hits of a search by prefix are looked at before the exact question is asked.
const HITS: usize = 100;
/// The order of those hits.
const ORDER: &str = "sortParam=clientId&sortDir=ASCENDING";
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

impl Hit {
    fn target(&self) -> Target {
        convert::target(&self.device, self.part.scope.as_deref())
    }
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
    /// Client ids and display names to the letter, by one question, or two where one does not tell.
    Whole,
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

    /// Finds the devices whose client id or display name a text is to the letter; ids hold nothing that could be a glob.
    /// Accounts that can't be looked at are left out: the list that follows tells of them.
    pub(super) async fn exact(&self, name: &str) -> Result<Vec<Target>> {
        if name.is_empty() {
            return Ok(Vec::new());
        }
        let remembered = self.auth.remembered(name, self.recursive);
        if let Some(target) = remembered.filter(|target| naming::is_exact(name, target)) {
            return Ok(vec![target]);
        }
        let mut search = self.search_whole(name).await?;
        if search.hits.is_empty() && self.is_elsewhere().await? {
            search = self.search_whole(name).await?;
        }
        if let Some(error) = search.blind {
            tracing::debug!("`{name}` was not looked for everywhere: {error}");
        }
        Ok(best(name, search.hits).iter().map(Hit::target).collect())
    }

    async fn search_whole(&self, name: &str) -> Result<Search> {
        let mut search = Search::default();
        let parts = self.searched(&mut search).await?;
        self.look(Look::Whole, name, &parts, &mut search).await?;
        Ok(search)
    }

    /// Gives the accounts that names are looked for in.
    async fn searched(&self, search: &mut Search) -> Result<Vec<Part>> {
        if self.recursive {
            self.parts(&mut |error| search.blind = Some(error)).await
        } else {
            Ok(vec![Part::default()])
        }
    }

    async fn search(&self, name: &str) -> Result<Vec<Target>> {
        let mut search = Search::default();
        let parts = self.searched(&mut search).await?;
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
        Ok(hits.iter().map(Hit::target).collect())
    }

    /// Looks at every account in one way, some at once.
    async fn look(&self, look: Look, name: &str, parts: &[Part], search: &mut Search) -> Result<()> {
        let looks = parts.iter().cloned().map(|part| async move {
            let mut near = Vec::new();
            let found = match look {
                Look::Name => self.by_name(name, &part).await,
                Look::Id => self.by_id(name, &part).await,
                Look::Alike => self.alike(name, &part, &mut near).await,
                Look::Whole => self.by_whole_name(name, &part).await,
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
        let hits = self.beginning(name, part).await?;
        let is_whole = !hits.limit_exceeded;
        let devices = exact(name, hits.items);
        if is_whole || devices.iter().any(|device| device.client_id.as_deref() == Some(name)) {
            return Ok(devices);
        }
        let devices = exact(name, self.by_client_id(name, part).await?);
        if !devices.is_empty() {
            return Ok(devices);
        }
        let mut hits = Vec::new();
        let begins_so = format!("matchTerm={}&{ORDER}&", segment(name));
        let list = List {
            scope: part.scope.as_deref(),
            what: "devices",
            query: &begins_so,
            operation: "find",
            at_once: AT_ONCE,
            is_whole: true,
        };
        // Where it ends early and nothing was found, the whole list is looked at.
        let ended = self.pages(list, None, &mut |device| hits.extend(exact(name, vec![device]))).await?;
        self.held(ended.without_a_hole(DEVICES))?;
        Ok(hits)
    }

    /// Gives the first devices of which anything begins so.
    async fn beginning(&self, name: &str, part: &Part) -> Result<Page<Device>> {
        let rest = format!("devices?matchTerm={}&{ORDER}&limit={HITS}", segment(name));
        self.get("find", part.scope.as_deref(), &rest).await
    }

    async fn by_client_id(&self, name: &str, part: &Part) -> Result<Vec<Device>> {
        let rest = format!("devices?clientId={}&limit=2", segment(name));
        let page: Page<Device> = self.get("find", part.scope.as_deref(), &rest).await?;
        Ok(page.items)
    }

    /// Asks for a client id or display name, and does not look further where very many begin so.
    async fn by_whole_name(&self, name: &str, part: &Part) -> Result<Vec<Device>> {
        let is_it = |device: &Device| names(device)[..2].contains(&Some(name));
        let hits = self.beginning(name, part).await?;
        let is_whole = !hits.limit_exceeded;
        let mut devices = exact(name, hits.items);
        devices.retain(is_it);
        if devices.is_empty() && !is_whole {
            devices = exact(name, self.by_client_id(name, part).await?);
            devices.retain(is_it);
        }
        Ok(devices)
    }

    async fn by_id(&self, name: &str, part: &Part) -> Result<Vec<Device>> {
        let id = ids::for_path(name);
        match self.get::<Device>("find", part.scope.as_deref(), &format!("devices/{}", segment(&id))).await {
            Ok(device) if device.id.is_empty() => Ok(Vec::new()),
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
        let mut each = |device: Device| {
            if properties(&device).any(|property| property.to_lowercase() == lower) {
                alike.push(device);
            } else if near.len() < NEAR
                && let Some(like) = nearest(name, properties(&device)).map(str::to_owned)
                && !near.contains(&like)
            {
                near.push(like);
            }
        };
        let ended = self.devices(part, &mut each).await?;
        if alike.is_empty() {
            // That it is not there would be a guess, and who checks whether it is would act on that.
            let absent = format!("whether `{name}` is there can't be told");
            self.held(ended.to_the_last(DEVICES)).map_err(|error| error.context(&absent))?;
        }
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
    let mut text = match &device.client_id {
        Some(client_id) => format!("{} ({client_id})", device.id),
        None => device.id.to_string(),
    };
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

/// Gives a device's names, the best first.
fn names(device: &Device) -> [Option<&str>; 3] {
    [device.client_id.as_deref(), device.display_name.as_deref(), device.serial_number.as_deref()]
}

/// Gives what a device is searched by.
fn properties(device: &Device) -> impl Iterator<Item = &str> {
    names(device).into_iter().flatten()
}

/// Keeps the devices that have a name to the letter, and an id to be asked by.
fn exact(name: &str, devices: Vec<Device>) -> Vec<Device> {
    let is_it = |device: &Device| !device.id.is_empty() && properties(device).any(|property| property == name);
    devices.into_iter().filter(is_it).collect()
}

/// Keeps the devices that a name fits best, in whatever accounts they are: by client id, then by display name, then by
/// serial number, then as they were found.
fn best(name: &str, hits: Vec<Hit>) -> Vec<Hit> {
    let rank = |device: &Device| {
        let names = names(device);
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
