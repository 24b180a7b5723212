//! From what was asked about to the targets that are meant: contract section 1.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};

use super::asks::{Ask, Asks, Question, What};
use super::selection::{self, Choice, Selection};
use super::{Open, Patience, Setup};
use crate::backend::{Listed, naming, unsupported};
use crate::error::{Code, Error, Layer, Result};
use crate::model::{Status, Target};

/// How many names are looked up at once.
const LOOKUPS: usize = 8;

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

impl Job {
    /// Makes one for a target, or for all that a backend has.
    #[must_use]
    pub fn new(open: &Arc<Open>, target: Option<Target>) -> Self {
        Self { open: Arc::clone(open), target, known: None, error: None }
    }

    fn failed(open: &Arc<Open>, error: Error) -> Self {
        Self { error: Some(error), ..Self::new(open, None) }
    }
}

/// What a command works at: jobs by backend, and backends that could not be opened.
#[derive(Debug, Default)]
pub struct Plan {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Backends whose settings are wrong, where others are right.
    pub unopened: Vec<(String, &'static str, Error)>,
}

/// Opens the chosen backends and finds the chosen targets, all of them before anything is done.
///
/// # Errors
/// Fails where nothing can be worked at: wrong flags, an unknown backend, an empty selection.
pub async fn plan(setup: &Setup, choice: &Choice, selection: &Selection, patience: Patience) -> Result<Plan> {
    let asks = Asks::new(setup, choice, selection, patience).await?;
    match asks.refusal() {
        Some(error) => Err(error),
        None => found(setup, asks).await,
    }
}

/// Finds everything that is asked about, several at once.
///
/// # Errors
/// Fails as [`collect`] does.
pub async fn found(setup: &Setup, asks: Asks<'_>) -> Result<Plan> {
    collect(asks, setup.limits.jobs.unwrap_or(LOOKUPS)).await
}

/// Finds everything that is asked about.
///
/// # Errors
/// Fails where the rest of it can't be read, and where nothing was found.
pub async fn collect(mut asks: Asks<'_>, width: usize) -> Result<Plan> {
    let selection = asks.selection();
    let mut plan = Plan::default();
    let mut questions = Vec::new();
    let mut globs: BTreeMap<String, (Arc<Open>, bool)> = BTreeMap::new();
    while let Some(ask) = asks.next().await? {
        match ask {
            Ask::At(question) => {
                if let (What::Listed(Some(glob)), [open, ..]) = (&question.what, question.places.as_slice()) {
                    globs.entry(glob.clone()).or_insert_with(|| (Arc::clone(open), false));
                }
                questions.push(question);
            }
            Ask::Unopened(name, vendor, error) => plan.unopened.push((name, vendor, error)),
        }
    }
    let none_is_meant = questions.is_empty();
    let asked = questions.into_iter().map(|question| async {
        let glob = if let What::Listed(glob) = &question.what { glob.clone() } else { None };
        (glob, of_question(question, selection).await)
    });
    let mut found = stream::iter(asked).buffered(width);
    let mut any = false;
    // What was named twice, perhaps by its name and by a glob, is meant once.
    let mut seen = BTreeSet::new();
    while let Some((glob, jobs)) = found.next().await {
        if let Some((_, fits)) = glob.and_then(|glob| globs.get_mut(&glob)).filter(|_| !jobs.is_empty()) {
            *fits = true;
        }
        for job in jobs {
            any = true;
            let is_new = match (&job.target, &job.error) {
                (Some(target), None) => {
                    seen.insert((job.open.info().backend.clone(), target.scope.clone(), target.id.clone()))
                }
                _ => true,
            };
            if is_new && is_in_shard(selection, &job) {
                plan.jobs.push(job);
            }
        }
    }
    if any {
        // What fits nothing beside what does is no silent success.
        let missed = globs.into_iter().filter(|(_, (_, fits))| !fits);
        plan.jobs.extend(missed.map(|(glob, (open, _))| Job::failed(&open, selection::fits_nothing(&glob))));
    }
    // A part of a fleet may have nothing; the fleet may not.
    if !any && !none_is_meant && plan.unopened.is_empty() {
        return Err(selection::empty(selection));
    }
    Ok(plan)
}

/// Puts jobs of the same backend together, in the order in which they came.
pub(super) fn by_backend(jobs: Vec<Job>) -> Vec<(Arc<Open>, Vec<Job>)> {
    let mut groups: Vec<(Arc<Open>, Vec<Job>)> = Vec::new();
    for job in jobs {
        match groups.iter_mut().find(|(open, _)| Arc::ptr_eq(open, &job.open)) {
            Some((_, jobs)) => jobs.push(job),
            None => groups.push((Arc::clone(&job.open), vec![job])),
        }
    }
    groups
}

/// Tells whether a job belongs to the part that was asked for: by the id of its target, by the name of what could not
/// be found, by the name of the backend where all that it has is meant.
pub(super) fn is_in_shard(selection: &Selection, job: &Job) -> bool {
    let info = job.open.info();
    match (&job.target, &job.error) {
        (Some(target), _) => selection.is_in_shard(&target.id),
        (None, Some(error)) => selection.is_in_shard(error.target_name().unwrap_or(&info.backend)),
        // An account is divided by its devices.
        (None, None) => !info.one_vpn || selection.is_in_shard(&info.backend),
    }
}

/// Finds the targets of one question.
async fn of_question(question: Question, selection: &Selection) -> Vec<Job> {
    let What::Listed(glob) = &question.what else { return resolve(question).await };
    let mut jobs = Vec::new();
    for open in &question.places {
        let mut unread = Vec::new();
        let mut unknown = Vec::new();
        let mut each = |listed: Listed| match listed.status {
            Some(status) => jobs.push(Job { known: Some(status), ..Job::new(open, Some(listed.target)) }),
            // Only the target itself tells its state, where that matters.
            None if selection.state.is_some() => unknown.push(listed.target),
            None => jobs.push(Job::new(open, Some(listed.target))),
        };
        let mut failed = |error| unread.push(Job::failed(open, error));
        let listing = listed(open, selection, glob.as_deref(), &mut each, &mut failed).await;
        jobs.extend(in_that_state(open, selection, unknown).await);
        // What could not be read might have been selected, so it is told beside what was.
        jobs.extend(unread);
        jobs.extend(listing.err().map(|error| Job::failed(open, error)));
    }
    jobs
}

/// Asks targets for their states, and keeps those in the state that is wanted and those that can't tell.
async fn in_that_state(open: &Arc<Open>, selection: &Selection, targets: Vec<Target>) -> Vec<Job> {
    let asked = targets.into_iter().map(|target| async move {
        let status = open.backend.status(Some(&target)).await;
        (target, status)
    });
    let asked = stream::iter(asked).buffered(open.jobs).filter_map(|(target, status)| {
        let job = Job::new(open, Some(target));
        std::future::ready(match status {
            Ok(status) if selection.state.is_some_and(|wanted| status.word() != wanted) => None,
            Ok(status) => Some(Job { known: Some(status), ..job }),
            Err(error) => Some(Job { error: Some(error), ..job }),
        })
    });
    asked.collect().await
}

/// Finds the target that a question names; several jobs are what several backends have to say of it.
pub(super) async fn resolve(question: Question) -> Vec<Job> {
    let Question { places, what } = question;
    let name = match what {
        What::Whole | What::Listed(_) => return places.iter().map(|open| Job::new(open, None)).collect(),
        What::Target(target) => return places.iter().map(|open| Job::new(open, Some(target.clone()))).collect(),
        What::Id(id) => {
            let by_id = |open: &Arc<Open>| Target::by_id(open.info().kind, open.backend.id(&id));
            let jobs = places.iter().map(|open| Job::new(open, Some(by_id(open)))).collect();
            return settled(&id, jobs);
        }
        What::Name(name) => name,
    };
    let look_ups = places.iter().map(|open| async {
        match one(open, &name).await {
            Ok(target) => Job::new(open, Some(target)),
            Err(error) => Job::failed(open, error.target(&name)),
        }
    });
    settled(&name, join_all(look_ups).await)
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

/// Gives the targets of a backend that a glob fits and that fulfil the conditions, as they are listed; one whose state
/// the list does not tell is given without it, whatever state is wanted.
///
/// # Errors
/// Fails where the list can't be read.
pub(super) async fn listed(
    open: &Open,
    selection: &Selection,
    glob: Option<&str>,
    each: &mut (dyn FnMut(Listed) + Send),
    failed: &mut (dyn FnMut(Error) + Send),
) -> Result<()> {
    let facet = open.backend.targets().ok_or_else(|| unsupported(&*open.backend, "list"))?;
    // A name may hold a star itself; the exact one wins. A short list tells that when it is read, a long one is not kept
    // for it.
    let mut short = open.info().one_vpn.then(Vec::new);
    let exact = match (glob, &mut short) {
        (Some(glob), None) => facet.exact(glob).await?,
        (Some(glob), Some(all)) => {
            facet.list_parts(&mut |one| all.push(one), failed).await?;
            all.iter().map(|one| one.target.clone()).filter(|target| naming::is_exact(glob, target)).collect()
        }
        (None, _) => Vec::new(),
    };
    let pattern = glob.map(naming::Glob::new);
    let mut count = 0;
    let mut fitting = |one: Listed| {
        count += 1;
        let is_named = match &pattern {
            Some(_) if !exact.is_empty() => exact.contains(&one.target),
            Some(pattern) => pattern.fits(&one.target),
            None => true,
        };
        let state = one.status.as_ref().map(Status::word);
        let is_wanted = selection.state.is_none() || state.is_none() || state == selection.state;
        if is_named && is_wanted && selection.labels_fit(open.info(), &one.labels) {
            each(one);
        }
    };
    match (glob, short) {
        (Some(_), Some(all)) => all.into_iter().for_each(fitting),
        _ => facet.list_parts(&mut fitting, failed).await?,
    }
    // Who guards how much may change needs not count them again.
    let _ = open.listed.set(count);
    Ok(())
}

/// Settles a name that was looked up in several backends: found in one, the others don't matter; found in several, it
/// is ambiguous; found nowhere, it is told once.
fn settled(name: &str, mut jobs: Vec<Job>) -> Vec<Job> {
    if jobs.len() == 1 {
        return jobs;
    }
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
