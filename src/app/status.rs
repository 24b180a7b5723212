//! `status`: what each VPN is doing.

use std::sync::Arc;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};

use super::selection::{Job, Plan};
use super::{Emit, Open, emit, emit_failed, emit_nothing, with_error};
use crate::error::{Error, Result};
use crate::model::{State, Status, Target, item};

/// Says how states are read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// Ask every device itself instead of the VPN server's list.
    pub live: bool,
    /// Show the vendor's documents.
    pub native: bool,
}

/// Reads the state of everything in the plan, side by side, and emits each as it becomes known.
pub async fn run(plan: Plan, reading: Reading, out: &Emit) {
    for (backend, vendor, error) in plan.unopened {
        let unread = item::unread(&backend, vendor, None, jiff::Timestamp::now());
        emit_failed(out, Some(with_error(unread, &error)), error);
    }
    let groups = by_backend(plan.jobs);
    join_all(groups.into_iter().map(|(open, jobs)| group(open, jobs, reading, out))).await;
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

async fn group(open: Arc<Open>, jobs: Vec<Job>, reading: Reading, out: &Emit) {
    // What finding a target has told is not asked again.
    let (known, jobs): (Vec<Job>, Vec<Job>) =
        jobs.into_iter().partition(|job| job.known.is_some() && !reading.live && !reading.native);
    for job in known {
        if let (Some(status), Some(target)) = (job.known, job.target) {
            emit(out, open.item(&told(status, &target), reading.native));
        }
    }
    if open.info().one_vpn && jobs.len() > 1 {
        return one_vpn(&open, jobs, reading, out).await;
    }
    stream::iter(jobs).for_each_concurrent(open.jobs, |job| one(job, reading, out)).await;
}

/// Reads the state of several targets of one VPN: one question answers for all.
async fn one_vpn(open: &Open, jobs: Vec<Job>, reading: Reading, out: &Emit) {
    let read = open.backend.status(None).await.map_err(|error| open.own(error));
    for job in jobs {
        let Some(target) = job.target.filter(|_| job.error.is_none()) else {
            if let Some(error) = job.error.map(|error| open.own(error)) {
                emit_failed(out, Some(open.failed_item(None, &error)), error);
            }
            continue;
        };
        match &read {
            Ok(status) if status.is_of(&target) => emit(out, open.item(status, reading.native)),
            Ok(status) => {
                let state = Status { target: Some(target), ..Status::new(State::Disconnected, status.source) };
                emit(out, open.item(&state, reading.native));
            }
            Err(error) => emit_failed(out, Some(open.failed_item(Some(&target), error)), error.clone()),
        }
    }
}

async fn one(job: Job, reading: Reading, out: &Emit) {
    let open = &job.open;
    match (job.target, job.error) {
        (target, Some(error)) => {
            let error = open.own(error);
            emit_failed(out, Some(open.failed_item(target.as_ref(), &error)), error);
        }
        (None, None) if !open.info().one_vpn => {
            if let Err(error) = account(open, reading, out).await.map_err(|error| open.own(error)) {
                emit_failed(out, Some(open.failed_item(None, &error)), error);
            }
        }
        (target, None) => read(open, target.as_ref(), reading, out).await,
    }
}

async fn read(open: &Open, target: Option<&Target>, reading: Reading, out: &Emit) {
    match open.backend.status(target).await.map_err(|error| open.own(error)) {
        Ok(status) => emit(out, open.item(&status, reading.native)),
        Err(error) => emit_failed(out, Some(open.failed_item(target, &error)), error),
    }
}

/// Reads a whole account: from the VPN server's list, and device by device only where that does not tell.
async fn account(open: &Open, reading: Reading, out: &Emit) -> Result<(), Error> {
    let Some(targets) = open.backend.targets() else {
        return Err(crate::backend::unsupported(&*open.backend, "list"));
    };
    let mut unknown: Vec<Target> = Vec::new();
    let mut any = false;
    let mut each = |listed: crate::backend::Listed| {
        any = true;
        match listed.status {
            Some(status) if !reading.live => emit(out, open.item(&told(status, &listed.target), reading.native)),
            _ => unknown.push(listed.target),
        }
    };
    let mut any_failed = false;
    let mut failed = |error: Error| {
        any_failed = true;
        let error = open.own(error);
        emit_failed(out, Some(open.failed_item(None, &error)), error);
    };
    targets.list_parts(&mut each, &mut failed).await?;
    if !any && !any_failed {
        emit_nothing(out);
    }
    stream::iter(&unknown).for_each_concurrent(open.jobs, |target| read(open, Some(target), reading, out)).await;
    Ok(())
}

fn told(status: Status, target: &Target) -> Status {
    Status { target: Some(target.clone()), ..status }
}
