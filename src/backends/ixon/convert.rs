//! From the client's status to the model; pure, and what the case folders test.

use serde_json::Value;

use super::document;
use super::wire::{ActiveRequest, ClientStatus};
use crate::backends::shared::meaningful;
use crate::model::{Failure, LastError, Link, Source, State, Status, Target, TargetKind};

/// From this code on a step has failed; the vendor's list of codes is deliberately incomplete.
const FIRST_ERROR: f64 = 10.0;

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
        raw_state: meaningful(Some(document.status)),
        failure: failed.as_ref().map(|_| Failure::Step),
        last_error: failed,
        ..Status::new(state, Source::Client)
    }
}

/// Reads a status out of a document, and keeps that as `native`, without what its keys name as secrets.
///
/// # Errors
/// Fails where it is none, saying where in the document.
pub fn read(document: Value) -> Result<Status, String> {
    // A list would be read by position.
    if !document.is_object() {
        return Err("it is no object".to_owned());
    }
    // Before anything is read out of it: a step may tell the token that the request holds.
    let document = document::clean(document);
    let decoded = serde_path_to_error::deserialize(&document);
    let decoded = decoded.map_err(|error| format!("{}: {}", error.path(), error.inner()))?;
    Ok(Status { native: Some(document), ..status(decoded) })
}

/// Reads a message of the WebSocket.
///
/// # Errors
/// Fails where it is no status.
pub fn pushed(text: &str) -> Result<Status, String> {
    let document = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(Status { source: Source::Push, ..read(document)? })
}

/// Reads `activeRequest` in every form that was seen; anything else is none.
fn active_request(value: &Value) -> Option<ActiveRequest> {
    let document = match value {
        Value::String(text) if text.trim().is_empty() => return None,
        Value::String(text) => match serde_json::from_str(text) {
            Ok(document) => document,
            Err(_) => {
                left_out();
                return None;
            }
        },
        other => other.clone(),
    };
    // A list would be read by position.
    let none = document.is_null();
    let read = if document.is_object() { serde_json::from_value(document).ok() } else { None };
    if read.is_none() && !none {
        left_out();
    }
    read
}

/// Says that `activeRequest` is of a form that nobody has seen; what is none at all is no such form.
fn left_out() {
    tracing::debug!("the client's `activeRequest` is no request, and is left out");
}

/// Finds the first step that failed. Steps are read one by one, so that one of another shape hides neither the others
/// nor the agent.
fn failed_step(request: &ActiveRequest) -> Option<LastError> {
    request.steps.as_array()?.iter().find_map(|step| {
        let text = |pointer: &str| step.pointer(pointer).and_then(Value::as_str);
        // A string, padded or not; a number is accepted too.
        let code = match step.pointer("/status/code")? {
            Value::String(code) => code.trim().to_owned(),
            other => other.to_string(),
        };
        // Digits, but `10.0` and what no integer holds are codes too; `inf` is none.
        let number: f64 = code.parse().ok().filter(|_| code.starts_with(|c: char| c.is_ascii_digit()))?;
        let name = text("/name").filter(|name| !name.trim().is_empty()).unwrap_or("?");
        let message = text("/status/message").unwrap_or("no message");
        (number >= FIRST_ERROR).then(|| LastError {
            message: format!("step {name}: {message} (code {code})"),
            code,
            at: None,
        })
    })
}
