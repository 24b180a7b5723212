//! `list`: what can be connected.

use futures_util::future::join_all;
use serde_json::json;

use super::selection::{self, Plan, Selection};
use super::{Emit, Open, emit, emit_failed, emit_nothing};
use crate::backend::{Listed, unsupported};
use crate::model::item;

/// Emits the targets of every backend of the plan, as pages come in.
pub async fn run(plan: Plan, selection: &Selection, out: &Emit) {
    for (_, _, error) in plan.unopened {
        emit_failed(out, None, error);
    }
    join_all(plan.jobs.iter().map(|job| one(&job.open, selection, out))).await;
}

async fn one(open: &Open, selection: &Selection, out: &Emit) {
    let Some(targets) = open.backend.targets() else {
        emit_failed(out, None, unsupported(&*open.backend, "list"));
        return;
    };
    let info = open.info();
    let mut any = false;
    let mut each = |listed: Listed| {
        let labels = selection::labels(info, listed.labels);
        let state = listed.status.as_ref().map(crate::model::Status::word);
        let named = selection.state.is_none_or(|wanted| state == Some(wanted));
        if named && selection.labels_fit(&labels) {
            any = true;
            emit(
                out,
                item::object(json!({
                    "backend": info.backend,
                    "vendor": info.vendor,
                    "target": listed.target,
                    "state": state,
                    "labels": labels,
                })),
            );
        }
    };
    let mut any_failed = false;
    let mut failed = |error: crate::error::Error| {
        any_failed = true;
        emit_failed(out, None, error.backend(&info.backend));
    };
    let result = targets.list_parts(&mut each, &mut failed).await;
    match result {
        Err(error) => emit_failed(out, None, error.backend(&info.backend)),
        Ok(()) if !any && !any_failed => emit_nothing(out),
        Ok(()) => {}
    }
}
