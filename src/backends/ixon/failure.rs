//! What the client's and the cloud's failures mean.

use super::api::PEER;
use super::cloud::CLOUD;
use super::wire::{Envelope, Fault};
use crate::error::{Code, Error, Layer};
use crate::http::{Call, Reply, Safety, server_failure};

/// Says what a failure of the client means; its error bodies are unknown, so its text is shown.
pub(super) fn of_client(call: &Call, reply: &Reply) -> Error {
    let status = reply.status.as_u16();
    let text = client_text(reply);
    let said = if text.is_empty() { String::new() } else { format!(": {text}") };
    let operation = match (call.operation, call.safety) {
        _ if call.raw => "accept the call",
        ("settings", Safety::Read) => "show its settings",
        ("settings", Safety::Once) => "change its settings",
        ("status", _) => "tell its status",
        ("discovery", _) => "list what it offers",
        (other, _) => other,
    };
    match status {
        // Neither schema nor method is documented, so any version may know none.
        404 | 405 | 501 if call.operation == "settings" => Error::new(
            Code::Unsupported,
            Layer::Api,
            format!("{PEER} has no way to {operation} at {} {} ({}){said}", call.method, call.path, reply.status),
        )
        .hint("use the settings page of the client itself"),
        405 | 501 => Error::new(
            Code::Unsupported,
            Layer::Api,
            format!("{PEER} does not take {} at {} ({}){said}", call.method, call.path, reply.status),
        ),
        401 | 403 if call.operation == "settings" => Error::new(
            Code::AuthForbidden,
            Layer::Auth,
            format!("{PEER} refused to {operation} ({}){said}", reply.status),
        )
        .hint("newer versions may guard their settings; use the settings page of the client itself"),
        404 => Error::new(Code::ApiNotFound, Layer::Api, format!("{PEER} knows nothing at {}{said}", call.path))
            .hint("check that `url` is the IXON VPN Client, which listens at https://localhost:9250"),
        // Only connecting carries a token; what else is refused is not for want of a better one.
        401 | 403 if !matches!(call.operation, "connect" | "api") => Error::new(
            Code::AuthForbidden,
            Layer::Auth,
            format!("{PEER} refused to {operation} ({}){said}", reply.status),
        )
        .hint("look at the client's own window for more"),
        // The token is known and may not do this; another would be no better.
        403 => Error::new(
            Code::AuthForbidden,
            Layer::Auth,
            format!("{PEER} refused to {operation} ({}){said}", reply.status),
        )
        .hint("ask the company's administrator for the right to connect"),
        401 => Error::new(
            Code::AuthRejected,
            Layer::Auth,
            format!("{PEER} refused to {operation} ({}){said}", reply.status),
        )
        .hint("check the token with: vpnctl auth status"),
        408 | 429 | 500..=599 => server_failure(PEER, reply)
            .map(|error| if said.is_empty() { error } else { error.context(text.trim_end_matches('.')) })
            .unwrap_or_else(|| Error::new(Code::VendorError, Layer::Api, format!("{PEER} failed{said}"))),
        _ => Error::new(Code::VendorError, Layer::Api, format!("{PEER} did not {operation} ({}){said}", reply.status))
            .hint("look at the client's own window for more"),
    }
    .status(status)
}

/// Finds the text of an error body: `message`, `data[].message` or `error` of a document, else the text itself.
fn client_text(reply: &Reply) -> String {
    let Some(document) = reply.maybe_json::<serde_json::Value>() else { return reply.excerpt() };
    let text = document
        .get("message")
        .or_else(|| document.pointer("/data/0/message"))
        .or_else(|| document.get("error"))
        .and_then(serde_json::Value::as_str);
    text.map_or_else(|| reply.excerpt(), str::to_owned)
}

/// Says what a failure of the cloud means; `None` where the answer is a success.
pub(super) fn of_cloud(backend: &str, reply: &Reply) -> Option<Error> {
    let status = reply.status.as_u16();
    let envelope = reply.maybe_json::<Envelope>();
    let refused = envelope.as_ref().is_some_and(|answer| answer.status.as_deref() == Some("error"));
    if reply.status.is_success() && !refused {
        return None;
    }
    if status == 429 {
        // The vendor's page: the block lasts ten minutes, so nothing is repeated before.
        let wait = crate::http::retry_after(reply).or(Some(std::time::Duration::from_secs(600)));
        let what = format!("{CLOUD} blocks this address for up to 10 minutes (429)");
        return Some(
            Error::new(Code::HttpRateLimited, Layer::Http, what)
                .later()
                .retry_after(wait)
                .status(status)
                .hint("wait, and ask less often"),
        );
    }
    let faults: Vec<Fault> = envelope
        .map(Envelope::values)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|value| serde_json::from_value(value).ok())
        .collect();
    let error = match faults.first() {
        Some(fault) if status < 500 && status != 408 || is_offline(fault) => of_fault(backend, fault, status),
        // Not every answer is a document; these statuses speak for themselves.
        None if matches!(status, 401 | 403) => of_fault(backend, &Fault::default(), status),
        _ => server_failure(CLOUD, reply)
            .unwrap_or_else(|| Error::new(Code::VendorError, Layer::Api, format!("{CLOUD} failed without saying why"))),
    };
    Some(error.status(status))
}

/// Tells whether a router has no link to the cloud, which is said with 503.
fn is_offline(fault: &Fault) -> bool {
    fault.message.as_deref().is_some_and(|text| text.to_lowercase().contains("agent is not online"))
}

fn of_fault(backend: &str, fault: &Fault, status: u16) -> Error {
    let text = fault.message.as_deref().unwrap_or("no reason given");
    let lower = text.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let login = format!("run: vpnctl auth login -b {backend}");
    let auth = |code: Code, what: &str| Error::new(code, Layer::Auth, format!("{CLOUD} {what}: {text}"));
    if lower.contains("2fa is required") {
        return auth(Code::AuthDenied, "wants two-factor authentication switched on for this account")
            .hint("switch it on in the portal, then log in again");
    }
    if has(&["two factor", "2fa", "one-time password"]) {
        return auth(Code::AuthMfaRequired, "asks for a one-time password").hint(login);
    }
    if has(&["basic authentication failed", "unknown user"]) {
        return auth(Code::AuthRejected, "refused the login").hint("check e-mail and password");
    }
    if has(&["login is rate limited"]) {
        return Error::new(Code::HttpRateLimited, Layer::Auth, format!("{CLOUD} limits logins: {text}"))
            .later()
            .hint("wait some minutes before the next login");
    }
    if has(&["token does not exist or has expired"]) {
        return auth(Code::AuthExpired, "does not accept the token").hint(login);
    }
    if is_offline(fault) {
        return Error::new(Code::DeviceOffline, Layer::Device, "the agent is not connected to the IXON cloud")
            .later()
            .hint("switch the router on and check its internet access");
    }
    if has(&["not allowed"]) || status == 403 {
        return auth(Code::AuthForbidden, "forbids it").hint("ask the company's administrator for the right");
    }
    match fault.property_name.as_deref() {
        Some("Authorization") => auth(Code::AuthExpired, "does not accept the token").hint(login),
        Some(name @ ("Api-Application" | "Api-Company")) => {
            let key = if name == "Api-Company" { "company_id" } else { "application_id" };
            Error::config(format!("{CLOUD} does not accept `{key}` of the backend `{backend}`: {text}"))
                .hint(format!("correct `{key}` in [backend.{backend}]"))
        }
        _ if status == 401 => auth(Code::AuthExpired, "does not accept the token").hint(login),
        _ if status == 404 => {
            Error::new(Code::TargetNotFound, Layer::Api, format!("{CLOUD} has no such thing: {text}"))
        }
        property => {
            let at = property.map(|name| format!(" ({name})")).unwrap_or_default();
            Error::new(Code::VendorError, Layer::Api, format!("{CLOUD} answered: {text}{at}"))
        }
    }
}
