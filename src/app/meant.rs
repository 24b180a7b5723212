//! Which target is meant where none is named: contract section 2.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::try_join_all;

use super::Open;
use super::act::Verb;
use super::selection::{self, Job, Plan, Selection};
use crate::backend::Listed;
use crate::error::{Error, Result};
use crate::model::Target;

/// Replaces jobs without a target by the one target that can be meant.
///
/// # Errors
/// Fails with `usage` where several can be meant.
pub async fn fill_in(plan: &mut Plan, verb: Verb, selection: &Selection) -> Result<()> {
    let filled = std::mem::take(&mut plan.jobs).into_iter().map(|job| async move {
        if job.target.is_some() || job.error.is_some() {
            Ok(vec![job])
        } else if job.open.info().one_vpn {
            Ok(vec![meant(job, verb).await])
        } else if selection.all {
            Ok(whole(job).await)
        } else {
            Err(Error::usage(format!(
                "which target? `{}` has many, and {} acts on one",
                job.open.info().backend,
                verb.as_str()
            ))
            .backend(&job.open.info().backend)
            .hint(match verb {
                Verb::With => "name one: vpnctl with BACKEND/NAME -- CMD",
                _ => "name one, or select several with a glob, -l or --state",
            }))
        }
    });
    plan.jobs = try_join_all(filled).await?.into_iter().flatten().collect();
    Ok(())
}

/// Leaves alone what an earlier command chose of these backends and could not find: which targets it meant can't be told
/// any more, and that all of them are changed instead is what nobody asked for.
pub fn leave_choices(plan: &mut Plan, verb: Verb, backends: &BTreeSet<String>) {
    let of_choice = |job: &&mut Job| job.target.is_none() && backends.contains(&job.open.info().backend);
    for job in plan.jobs.iter_mut().filter(of_choice) {
        job.error.get_or_insert_with(|| {
            let backend = &job.open.info().backend;
            let verb = verb.as_str();
            Error::usage(format!("which targets of `{backend}` the last {verb} meant could not be found out"))
                .hint(format!("give that command again without --retry-failed, or leave it: vpnctl {verb} TARGET"))
        });
    }
}

async fn whole(job: Job) -> Vec<Job> {
    let Some(targets) = job.open.backend.targets() else { return Vec::new() };
    let mut all = Vec::new();
    let of = |listed: Listed| Job {
        open: Arc::clone(&job.open),
        target: Some(listed.target),
        known: listed.status,
        error: None,
    };
    match targets.list(&mut |listed| all.push(of(listed))).await {
        Ok(()) => {
            let _ = job.open.listed.set(all.len());
            all
        }
        Err(error) => vec![Job { error: Some(error), ..job }],
    }
}

/// Finds the one target of a one-VPN backend that can be meant: the active one to disconnect, else the configured
/// one, else the only one.
async fn meant(job: Job, verb: Verb) -> Job {
    match meant_target(&job.open, verb).await {
        Ok(target) => Job { target, ..job },
        Err(error) => Job { error: Some(error.backend(&job.open.info().backend)), ..job },
    }
}

async fn meant_target(open: &Open, verb: Verb) -> Result<Option<Target>> {
    let info = open.info();
    if verb == Verb::Disconnect {
        // Which one is active is read by the verb itself; no target means that one.
        return Ok(None);
    }
    if verb == Verb::Reconnect {
        let status = open.backend.status(None).await?;
        if let Some(target) = status.target.filter(|_| status.engaged) {
            return Ok(Some(target));
        }
    }
    if let Some(name) = &info.default_target {
        return selection::one(open, name).await.map(Some);
    }
    let facet = open.backend.targets().ok_or_else(|| crate::backend::unsupported(&*open.backend, "list"))?;
    let mut all = Vec::new();
    facet.list(&mut |listed| all.push(listed.target)).await?;
    if all.len() == 1 {
        return Ok(all.pop());
    }
    let names: Vec<&str> = all.iter().take(10).map(Target::label).collect();
    let which = if names.is_empty() { "there is none".to_owned() } else { format!("there are {}", names.join(", ")) };
    Err(Error::usage(format!("which target? {which}")).hint(format!("write: vpnctl {} NAME", verb.as_str())))
}
