//! Which backends and which targets a command is about: contract sections 1 to 3.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};

use super::{Open, Opened, Patience, Setup};
use crate::backend::{Info, Listed, naming, registry, unsupported};
use crate::config::Config;
use crate::error::{Code, Error, Layer, Result};
use crate::model::{Status, Target, Word};

/// How many names are looked up at once.
const LOOKUPS: usize = 8;

/// Says which backends were chosen.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Those named by `-b`.
    pub named: Vec<String>,
    /// Whether all were asked for.
    pub all: bool,
    /// The one that `VPNCTL_BACKEND` names.
    pub environment: Option<String>,
}

/// One condition on labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    name: String,
    value: String,
    equal: bool,
}

/// Says which targets were chosen.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Names, ids or globs, each perhaps with a backend in front.
    pub names: Vec<String>,
    /// Whether names are ids that are not looked up.
    pub by_id: bool,
    /// Conditions on labels.
    pub labels: Vec<Condition>,
    /// The state that a target has to have.
    pub state: Option<Word>,
    /// Whether the names come from a file.
    pub from_file: bool,
    /// Whether all backends were asked for.
    pub all: bool,
}

impl Selection {
    /// Tells whether targets are filtered rather than named.
    #[must_use]
    pub fn filters(&self) -> bool {
        !self.labels.is_empty() || self.state.is_some()
    }

    /// Tells whether more than one target would be a mass change: contract section 3.
    #[must_use]
    pub fn is_mass(&self) -> bool {
        self.all
            || self.from_file
            || self.filters()
            || (!self.by_id && self.names.iter().any(|name| naming::is_glob(name)))
    }

    /// Gives how long the verb may take where nothing else is said.
    #[must_use]
    pub fn patience(&self, usual: Patience) -> Patience {
        let fleet = self.from_file || self.filters() || self.names.len() > 1 || (self.is_mass() && !self.all);
        if fleet && !matches!(usual, Patience::Wait | Patience::Follow) { Patience::Fleet } else { usual }
    }

    /// Tells whether labels of a target fulfil every condition.
    #[must_use]
    pub fn labels_fit(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels.iter().all(|condition| {
            let same = labels.get(&condition.name).is_some_and(|value| *value == condition.value);
            same == condition.equal
        })
    }
}

/// Reads `k=v,k!=v`; `group=NAME` stands for what the configuration says of that group.
///
/// # Errors
/// Fails where it is not of that form or the group does not exist.
pub fn conditions(selector: &str, config: &Config) -> Result<Vec<Condition>> {
    let mut conditions = Vec::new();
    for part in selector.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| Error::usage(format!("`{part}` is no condition: write NAME=VALUE or NAME!=VALUE")))?;
        let (name, equal) = name.strip_suffix('!').map_or((name, true), |name| (name, false));
        if name == "group" && equal {
            let select = config.groups.get(value).ok_or_else(|| {
                Error::new(Code::SelectionEmpty, Layer::Config, format!("there is no group `{value}`"))
                    .hint("groups are written as [group.NAME] with select = \"…\"")
            })?;
            if select.contains("group=") {
                return Err(Error::config(format!("the group `{value}` names another group")));
            }
            conditions.extend(self::conditions(select, config)?);
        } else {
            conditions.push(Condition { name: name.to_owned(), value: value.to_owned(), equal });
        }
    }
    Ok(conditions)
}

/// Finds the backends that a choice means; names choose by their prefix too.
///
/// # Errors
/// Fails with `backend.unknown`, or `usage` where none is chosen and several are there.
pub fn backends(config: &Config, choice: &Choice) -> Result<Vec<String>> {
    let all = || config.backends.keys().cloned().collect::<Vec<_>>();
    if choice.all {
        return Ok(all());
    }
    if !choice.named.is_empty() {
        let mut found = Vec::new();
        for name in &choice.named {
            let backend = backend(config, name)?;
            if !found.contains(&backend) {
                found.push(backend);
            }
        }
        return Ok(found);
    }
    if let Some(name) = &choice.environment {
        return Ok(vec![backend(config, name).map_err(|error| error.context("VPNCTL_BACKEND"))?]);
    }
    if let Some((name, _)) = &config.default_backend {
        return Ok(vec![name.clone()]);
    }
    let all = all();
    match all.as_slice() {
        [_] => Ok(all),
        _ => Err(Error::usage(format!("which backend? There are {}", all.join(", ")))
            .hint("choose one with -b NAME, all with -A, or set `default_backend` in the configuration")),
    }
}

/// Finds a backend by its name, or by its vendor where it is the only one of that vendor.
fn backend(config: &Config, name: &str) -> Result<String> {
    if config.backends.contains_key(name) {
        return Ok(name.to_owned());
    }
    let of_vendor: Vec<&str> = config
        .backends
        .values()
        .filter(|backend| backend.vendor == name)
        .map(|backend| backend.name.as_str())
        .collect();
    match of_vendor.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => {
            let known: Vec<&str> = config.backends.keys().map(String::as_str).collect();
            let error = Error::new(
                Code::BackendUnknown,
                Layer::Usage,
                format!("there is no backend `{name}`; there are {}", known.join(", ")),
            );
            let vendors = registry::VENDORS.map(|vendor| vendor.name);
            Err(match crate::config::schema::nearest(name, known.into_iter().chain(vendors)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("see: vpnctl backends"),
            })
        }
        several => Err(Error::new(
            Code::UsageAmbiguous,
            Layer::Usage,
            format!("`{name}` is the vendor of several backends: {}", several.join(", ")),
        )
        .hint("name one of them")),
    }
}

/// One target to work at, or why it can't be.
#[derive(Debug)]
pub struct Job {
    /// Its backend.
    pub open: Arc<Open>,
    /// The target; `None` means the backend's one VPN, or its whole account.
    pub target: Option<Target>,
    /// Its state, where finding it told that already.
    pub known: Option<Status>,
    /// Why it can't be worked at.
    pub error: Option<Error>,
}

/// What a command works at: jobs by backend, and backends that could not be opened.
#[derive(Debug, Default)]
pub struct Plan {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Backends whose settings are wrong, where others are right.
    pub unopened: Vec<(String, &'static str, Error)>,
}

/// Opens the chosen backends and finds the chosen targets.
///
/// # Errors
/// Fails where nothing can be worked at: wrong flags, an unknown backend, an empty selection.
pub async fn plan(setup: &Setup, choice: &Choice, selection: &Selection, patience: Patience) -> Result<Plan> {
    let own = |name: &str| {
        let (prefix, rest) = name.split_once('/')?;
        setup.config.backends.contains_key(prefix).then(|| (prefix.to_owned(), rest.to_owned()))
    };
    let names: Vec<(Option<String>, String)> = selection
        .names
        .iter()
        .map(|name| own(name).map_or_else(|| (None, name.clone()), |(backend, rest)| (Some(backend), rest)))
        .collect();
    let bare = names.is_empty() || names.iter().any(|(backend, _)| backend.is_none());
    let chosen = if bare { backends(&setup.config, choice)? } else { Vec::new() };
    // Each name is looked up in its own backend, or in each that was chosen.
    let mut wanted: Vec<(&str, Option<&str>)> = Vec::new();
    for (backend, name) in &names {
        match backend {
            Some(backend) => wanted.push((backend, Some(name))),
            None => wanted.extend(chosen.iter().map(|backend| (backend.as_str(), Some(name.as_str())))),
        }
    }
    if names.is_empty() {
        wanted.extend(chosen.iter().map(|backend| (backend.as_str(), None)));
    }
    let mut plan = Plan::default();
    let opened = open(setup, &wanted, selection.patience(patience), &mut plan)?;
    let width = setup.limits.jobs.unwrap_or(LOOKUPS);
    let look_ups = wanted.iter().map(|(backend, name)| find(&opened, selection, backend, *name));
    let mut found = stream::iter(look_ups).buffered(width).collect::<Vec<_>>().await.into_iter();
    for (backend, name) in &names {
        let count = if backend.is_some() { 1 } else { chosen.len() };
        let jobs: Vec<Job> = found.by_ref().take(count).flatten().collect();
        plan.jobs.extend(if count > 1 && !naming::is_glob(name) { settled(name, jobs) } else { jobs });
    }
    plan.jobs.extend(found.flatten());
    // What was named twice, perhaps by its name and by a glob, is meant once.
    let mut seen = BTreeSet::new();
    plan.jobs.retain(|job| match (&job.target, &job.error) {
        (Some(target), None) => seen.insert((job.open.info().backend.clone(), target.scope.clone(), target.id.clone())),
        _ => true,
    });
    if plan.jobs.is_empty() && plan.unopened.is_empty() {
        return Err(empty(selection));
    }
    Ok(plan)
}

/// Gives the labels of a target: the vendor's, and over them what the configuration says of the backend.
#[must_use]
pub fn labels(info: &Info, vendors: BTreeMap<String, String>) -> BTreeMap<String, String> {
    vendors.into_iter().chain(info.labels.clone()).collect()
}

/// Makes the error for a selection that selects nothing.
#[must_use]
pub fn empty(selection: &Selection) -> Error {
    let how = match (selection.from_file, selection.filters(), selection.names.is_empty()) {
        (true, ..) => "the list of targets is empty".to_owned(),
        (_, true, _) => "no target fulfils the conditions".to_owned(),
        (_, _, false) => format!("nothing fits {}", selection.names.join(", ")),
        _ => "there is no target".to_owned(),
    };
    Error::new(Code::SelectionEmpty, Layer::Usage, how).hint("see what there is: vpnctl list")
}

fn open(setup: &Setup, wanted: &[(&str, Option<&str>)], patience: Patience, plan: &mut Plan) -> Result<Opened> {
    let mut opened = Opened::new();
    let names: BTreeSet<&str> = wanted.iter().map(|(backend, _)| *backend).collect();
    let single = names.len() == 1;
    for name in names {
        let Some(settings) = setup.config.backends.get(name) else { continue };
        match setup.open(settings, patience) {
            Ok(open) => {
                opened.insert(name.to_owned(), Arc::new(open));
            }
            Err(error) if single => return Err(error.backend(name)),
            Err(error) => plan.unopened.push((name.to_owned(), settings.vendor, error.backend(name))),
        }
    }
    Ok(opened)
}

/// Finds the targets of one backend that a name means.
async fn find(opened: &Opened, selection: &Selection, backend: &str, name: Option<&str>) -> Vec<Job> {
    let Some(open) = opened.get(backend) else { return Vec::new() };
    let job = |target| Job { open: Arc::clone(open), target, known: None, error: None };
    let failed = |error| vec![Job { error: Some(error), ..job(None) }];
    let name = match name {
        Some(name) if selection.by_id => {
            return vec![job(Some(Target::by_id(open.info().kind, name)))];
        }
        Some(name) if naming::is_glob(name) => Some(name),
        Some(name) => {
            return match one(open, name).await {
                Ok(target) => vec![job(Some(target))],
                Err(error) => failed(error.target(name)),
            };
        }
        None if selection.filters() => None,
        None => return vec![job(None)],
    };
    // What could not be read might have been selected, so it is told beside what was.
    let mut unread = Vec::new();
    match filtered(open, selection, name, &mut |error| unread.extend(failed(error))).await {
        Ok(targets) => {
            let found = targets.into_iter().map(|(target, known)| Job { known, ..job(Some(target)) });
            found.chain(unread).collect()
        }
        Err(error) => failed(error),
    }
}

/// Finds the one target that a name means.
///
/// # Errors
/// Fails where it means none, or several.
pub async fn one(open: &Open, name: &str) -> Result<Target> {
    let info = open.info();
    let targets = open.backend.targets().ok_or_else(|| unsupported(&*open.backend, "list"))?;
    let mut found = targets.find(name).await?;
    if found.len() == 1 { Ok(found.remove(0)) } else { Err(targets.not_one(&info.backend, name, &found)) }
}

async fn filtered(
    open: &Open,
    selection: &Selection,
    glob: Option<&str>,
    failed: &mut (dyn FnMut(Error) + Send),
) -> Result<Vec<(Target, Option<Status>)>> {
    let facet = open.backend.targets().ok_or_else(|| unsupported(&*open.backend, "list"))?;
    let mut listed: Vec<Listed> = Vec::new();
    facet.list_parts(&mut |one| listed.push(one), failed).await?;
    let mut fitting = Vec::new();
    let exact: Vec<Target> = match glob {
        // A name may hold a star itself; the exact one wins.
        Some(glob) => listed
            .iter()
            .map(|one| &one.target)
            .filter(|target| target.id == glob || target.name.as_deref() == Some(glob))
            .cloned()
            .collect(),
        None => Vec::new(),
    };
    for mut one in listed {
        let named = match glob {
            Some(_) if !exact.is_empty() => exact.contains(&one.target),
            Some(glob) => naming::glob_fits(glob, &one.target),
            None => true,
        };
        let labels = labels(open.info(), one.labels.clone());
        if named && selection.labels_fit(&labels) && state_fits(open, selection, &mut one).await? {
            fitting.push((one.target, one.status));
        }
    }
    Ok(fitting)
}

async fn state_fits(open: &Open, selection: &Selection, one: &mut Listed) -> Result<bool> {
    let Some(wanted) = selection.state else { return Ok(true) };
    let status = match one.status.take() {
        Some(status) => status,
        None => open.backend.status(Some(&one.target)).await?,
    };
    Ok(one.status.insert(status).word() == wanted)
}

/// Settles a name that was looked up in several backends: found in one, the others don't matter; found in several, it
/// is ambiguous; found nowhere, it is told once.
fn settled(name: &str, mut jobs: Vec<Job>) -> Vec<Job> {
    let missing = |job: &Job| job.error.as_ref().is_some_and(|error| error.code() == Code::TargetNotFound);
    let places: Vec<String> = jobs
        .iter()
        .filter(|job| job.error.is_none())
        .map(|job| format!("{}/{name}", job.open.info().backend))
        .collect();
    match places.len() {
        0 => {
            let mut told = false;
            jobs.retain(|job| !missing(job) || !std::mem::replace(&mut told, true));
        }
        1 => jobs.retain(|job| !missing(job)),
        _ => {
            let error = Error::new(
                Code::UsageAmbiguous,
                Layer::Usage,
                format!("`{name}` is a target of several backends: {}", places.join(", ")),
            )
            .target(name)
            .hint("write BACKEND/NAME");
            jobs.truncate(1);
            jobs.iter_mut().for_each(|job| (job.target, job.known, job.error) = (None, None, Some(error.clone())));
        }
    }
    jobs
}
