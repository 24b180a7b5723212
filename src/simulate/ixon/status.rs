//! The status document of vendors/ixon.md sections 4.4 and 5, with the deviations that faults ask for.

use serde_json::{Value, json};

use super::attempt::{Attempt, STEPS};
use crate::simulate::faults::Faults;

/// What the client's one tunnel is doing.
#[derive(Debug, Clone)]
pub(super) enum Link {
    /// Nothing is wanted.
    Idle,
    /// An agent is being reached, is reached, or could not be.
    Up(Attempt),
    /// The status is idle while the request is still shown: the tunnel goes down, or the attempt has failed.
    Lingering(Attempt),
}

/// Writes the status as it goes over the wire.
pub(super) fn written(link: &Link, faults: &Faults) -> String {
    let (word, attempt) = match link {
        Link::Idle => ("idle", None),
        Link::Up(attempt) if attempt.connected() => ("connected", Some(attempt)),
        Link::Up(attempt) => ("connecting", Some(attempt)),
        Link::Lingering(attempt) => ("idle", Some(attempt)),
    };
    let mut document = json!({ "status": shown_word(word, faults) });
    let request = match attempt {
        Some(attempt) => Some(request(attempt, faults)),
        None if faults.is_on("missing-request") => None,
        None if faults.is_on("null-request") => Some(Value::Null),
        None => Some(json!("")),
    };
    if let Some(request) = request {
        document["activeRequest"] = request;
    }
    text(&document, faults)
}

/// Writes a document of the local API, with `\/` for `/` where the fault `escaped-slashes` is on.
pub(super) fn text(document: &Value, faults: &Faults) -> String {
    let text = document.to_string();
    if faults.is_on("escaped-slashes") { text.replace('/', "\\/") } else { text }
}

fn shown_word(word: &str, faults: &Faults) -> String {
    let Some(written) = faults.arg("unknown-status") else { return word.to_owned() };
    let (shown, only) = written.split_once('@').unwrap_or((&written, word));
    if only == word { shown.to_owned() } else { word.to_owned() }
}

fn request(attempt: &Attempt, faults: &Faults) -> Value {
    let mut steps: Vec<Value> = STEPS
        .iter()
        .zip(attempt.outcomes())
        .map(|(name, (code, message))| step(name, &code, &message, faults))
        .collect();
    if faults.is_on("unknown-steps") {
        steps.insert(1, step("simulated.step/one", "003", "Operation completed succesfully.", faults));
        steps.push(step("simulated.step/two", "005", "Operation is of a kind nobody has seen.", faults));
    }
    let document = json!({
        "agentId": attempt.plan.agent_id,
        "companyId": attempt.plan.company_id,
        "controllerId": attempt.plan.controller_id,
        "steps": steps,
    });
    if faults.is_on("stringified-request") { json!(document.to_string()) } else { document }
}

fn step(name: &str, code: &str, message: &str, faults: &Faults) -> Value {
    let number = code.parse::<u32>().unwrap_or_default();
    let code = if faults.is_on("numeric-codes") {
        json!(number)
    } else if faults.is_on("unpadded-codes") {
        json!(number.to_string())
    } else {
        json!(code)
    };
    json!({ "name": name, "description": "", "status": { "code": code, "message": message } })
}
