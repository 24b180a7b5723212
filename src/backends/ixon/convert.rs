//! From the client's status to the model; pure, and what the case folders test.

use serde_json::Value;

use super::wire::{ActiveRequest, ClientStatus, Step};
use crate::backends::shared::meaningful;
use crate::model::{Failure, LastError, Link, Source, State, Status, Target, TargetKind};

/// From this code on a step has failed; the vendor's list of codes is deliberately incomplete.
const FIRST_ERROR: u64 = 10;

/// Turns the client's status into ours: the state from `status`, details from `activeRequest`.
#[must_use]
pub fn status(document: ClientStatus) -> Status {
    let request = active_request(&document.active_request);
    let failed = request.as_ref().and_then(failed_step);
    let state = match (document.status.as_str(), &failed) {
        ("connected", _) => State::Connected(Link::default()),
        ("connecting" | "idle", Some(_)) => State::Failed { next_retry_s: None },
        ("connecting", None) => State::Connecting,
        // Legal with an active request too: that is how a disconnecting tunnel was seen.
        ("idle", None) => State::Disconnected,
        _ => State::Unknown,
    };
    let idle = matches!(state, State::Disconnected);
    let target = request
        .and_then(|request| meaningful(request.agent_id))
        .filter(|_| !idle)
        .map(|id| Target::by_id(TargetKind::Agent, id));
    Status {
        target,
        engaged: document.status != "idle",
        raw_state: Some(document.status),
        failure: failed.as_ref().map(|_| Failure::Step),
        last_error: failed,
        ..Status::new(state, Source::Client)
    }
}

/// Reads `activeRequest` in every form that was seen; anything else is none.
fn active_request(value: &Value) -> Option<ActiveRequest> {
    match value {
        Value::Object(_) => serde_json::from_value(value.clone()).ok(),
        Value::String(text) if !text.trim().is_empty() => serde_json::from_str(text).ok(),
        _ => None,
    }
}

fn failed_step(request: &ActiveRequest) -> Option<LastError> {
    request.steps.iter().find_map(|step| {
        let code = code_text(step);
        let number: u64 = code.trim().parse().ok()?;
        let message = step.status.message.as_deref().unwrap_or("no message");
        (number >= FIRST_ERROR).then(|| LastError {
            message: format!("step {}: {message} (code {code})", step.name),
            code,
            at: None,
        })
    })
}

fn code_text(step: &Step) -> String {
    match &step.status.code {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
