//! Which backends and which targets a command is about: contract sections 1 to 3.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;

use super::{Open, Opened, Patience, Setup};
use crate::backend::{Listed, naming, registry, unsupported};
use crate::config::Config;
use crate::error::{Code, Error, Layer, Result};
use crate::model::{Target, Word};

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
        if fleet { Patience::Fleet } else { usual }
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
    let mut wanted: Vec<(String, Option<String>)> = Vec::new();
    let mut bare = Vec::new();
    for name in &selection.names {
        match name.split_once('/').filter(|(prefix, _)| setup.config.backends.contains_key(*prefix)) {
            Some((prefix, rest)) => wanted.push((prefix.to_owned(), Some(rest.to_owned()))),
            None => bare.push(name.clone()),
        }
    }
    if !bare.is_empty() || selection.names.is_empty() {
        for backend in backends(&setup.config, choice)? {
            if bare.is_empty() {
                wanted.push((backend, None));
            } else {
                wanted.extend(bare.iter().map(|name| (backend.clone(), Some(name.clone()))));
            }
        }
    }
    let mut plan = Plan::default();
    let opened = open(setup, &wanted, selection.patience(patience), &mut plan)?;
    let found = join_all(wanted.iter().map(|(backend, name)| find(&opened, selection, backend, name.as_deref()))).await;
    for (jobs, (_, name)) in found.into_iter().zip(&wanted) {
        plan.jobs.extend(jobs.into_iter().map(|job| (job, name)).map(|(job, _)| job));
    }
    settle(&mut plan, &bare);
    // What was named twice, perhaps by its name and by a glob, is meant once.
    let mut seen = BTreeSet::new();
    plan.jobs.retain(|job| match (&job.target, &job.error) {
        (Some(target), None) => seen.insert((job.open.info().backend.clone(), target.id.clone())),
        _ => true,
    });
    if plan.jobs.is_empty() && plan.unopened.is_empty() {
        return Err(empty(selection));
    }
    Ok(plan)
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

fn open(setup: &Setup, wanted: &[(String, Option<String>)], patience: Patience, plan: &mut Plan) -> Result<Opened> {
    let mut opened = Opened::new();
    let mut names: Vec<&String> = wanted.iter().map(|(backend, _)| backend).collect();
    names.dedup();
    let single = names.len() == 1;
    for name in names {
        let Some(settings) = setup.config.backends.get(name) else { continue };
        if opened.contains_key(name) {
            continue;
        }
        match setup.open(settings, patience) {
            Ok(open) => {
                opened.insert(name.clone(), Arc::new(open));
            }
            Err(error) if single => return Err(error.backend(name)),
            Err(error) => plan.unopened.push((name.clone(), settings.vendor, error.backend(name))),
        }
    }
    Ok(opened)
}

/// Finds the targets of one backend that a name means.
async fn find(opened: &Opened, selection: &Selection, backend: &str, name: Option<&str>) -> Vec<Job> {
    let Some(open) = opened.get(backend) else { return Vec::new() };
    let job = |target| Job { open: Arc::clone(open), target, error: None };
    let failed = |error| vec![Job { open: Arc::clone(open), target: None, error: Some(error) }];
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
    match filtered(open, selection, name).await {
        Ok(targets) => targets.into_iter().map(|target| job(Some(target))).collect(),
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
    match found.len() {
        0 => Err(naming::not_found(&info.backend, name)),
        1 => Ok(found.remove(0)),
        _ => Err(naming::ambiguous(&info.backend, name, &found)),
    }
}

async fn filtered(open: &Open, selection: &Selection, glob: Option<&str>) -> Result<Vec<Target>> {
    let facet = open.backend.targets().ok_or_else(|| unsupported(&*open.backend, "list"))?;
    let mut listed: Vec<Listed> = Vec::new();
    facet.list(&mut |one| listed.push(one)).await?;
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
    for one in listed {
        let named = match glob {
            Some(_) if !exact.is_empty() => exact.contains(&one.target),
            Some(glob) => naming::glob_fits(glob, &one.target),
            None => true,
        };
        let mut labels = open.info().labels.clone();
        labels.extend(one.labels.clone());
        if named && selection.labels_fit(&labels) && state_fits(open, selection, &one).await? {
            fitting.push(one.target);
        }
    }
    Ok(fitting)
}

async fn state_fits(open: &Open, selection: &Selection, one: &Listed) -> Result<bool> {
    let Some(wanted) = selection.state else { return Ok(true) };
    let word = match &one.status {
        Some(status) => status.word(),
        None => open.backend.status(Some(&one.target)).await?.word(),
    };
    Ok(word == wanted)
}

/// Settles bare names that were looked up in several backends: found in one, the others don't matter; found in
/// several, it is ambiguous; found nowhere, it is told once.
fn settle(plan: &mut Plan, bare: &[String]) {
    for name in bare.iter().filter(|name| !naming::is_glob(name)) {
        let fits = |job: &Job| match (&job.target, &job.error) {
            (Some(target), _) => !naming::best(name, [target]).is_empty(),
            (None, Some(error)) => error.target_name() == Some(name),
            (None, None) => false,
        };
        let found = plan.jobs.iter().filter(|job| fits(job) && job.error.is_none()).count();
        let missing = |job: &Job| job.error.as_ref().is_some_and(|error| error.code() == Code::TargetNotFound);
        if found == 1 {
            plan.jobs.retain(|job| !(fits(job) && missing(job)));
        } else if found > 1 && differs(plan, &fits) {
            let places: Vec<String> = plan
                .jobs
                .iter()
                .filter(|job| fits(job) && job.error.is_none())
                .map(|job| format!("{}/{name}", job.open.info().backend))
                .collect();
            let error = Error::new(
                Code::UsageAmbiguous,
                Layer::Usage,
                format!("`{name}` is a target of several backends: {}", places.join(", ")),
            )
            .target(name.as_str())
            .hint("write BACKEND/NAME");
            replace(plan, &fits, error);
        } else if found == 0 {
            let first = plan.jobs.iter().position(|job| fits(job) && missing(job));
            let mut index = 0;
            plan.jobs.retain(|job| {
                let keep = !(fits(job) && missing(job)) || Some(index) == first;
                index += 1;
                keep
            });
        }
    }
}

fn differs(plan: &Plan, fits: &dyn Fn(&Job) -> bool) -> bool {
    let mut names: Vec<&str> =
        plan.jobs.iter().filter(|job| fits(job)).map(|job| job.open.info().backend.as_str()).collect();
    names.dedup();
    names.len() > 1
}

fn replace(plan: &mut Plan, fits: &dyn Fn(&Job) -> bool, error: Error) {
    let Some(at) = plan.jobs.iter().position(fits) else { return };
    let open = Arc::clone(&plan.jobs[at].open);
    plan.jobs.retain(|job| !fits(job));
    plan.jobs.insert(at.min(plan.jobs.len()), Job { open, target: None, error: Some(error) });
}
