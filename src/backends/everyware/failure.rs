//! What the cloud's errors mean: by `kapuaErrorCode` first, for the HTTP status differs between versions.

use super::ids;
use super::wire::Exception;
use crate::error::{Code, Error, Layer};
use crate::http::{Call, Reply, Safety, server_failure};

/// What the cloud is called in messages.
pub(super) const PEER: &str = "Everyware Cloud";

/// Says what a failure means; `None` where the answer is a success.
pub(super) fn of(call: &Call, reply: &Reply) -> Option<Error> {
    if reply.status.is_success() {
        return None;
    }
    let status = reply.status.as_u16();
    let exception = reply.maybe_json().map(Exception::read).unwrap_or_default();
    let error = match exception.kapua_error_code.as_deref() {
        Some(code) => of_code(code, &exception, call, reply).vendor_code(code),
        None => of_status(reply, call),
    };
    Some(error.status(status))
}

/// Tells whether an answer says that there is no such route, and not that something on the route is missing.
pub(super) fn is_no_route(error: &Error) -> bool {
    let status = error.report().http_status;
    error.vendor_code_text().is_none() && matches!(status, Some(404 | 405))
}

fn of_code(code: &str, exception: &Exception, call: &Call, reply: &Reply) -> Error {
    let said = exception.message.as_deref().unwrap_or("no reason given");
    if let Some(error) = of_device(code, exception, call, said) {
        return error;
    }
    let api = |kind: Code, layer: Layer, text: String| Error::new(kind, layer, text);
    match code {
        "ENTITY_NOT_FOUND" => not_found(exception),
        "SUBJECT_UNAUTHORIZED" => unauthorized(exception, said),
        "REQUIRE_MFA_CREDENTIALS" => {
            api(Code::AuthMfaRequired, Layer::Auth, "this user has to give a one-time code".to_owned())
                .hint("run: vpnctl auth login, or use an API key (`api_key`), which needs no code")
        }
        "INTERNAL_USER_ONLY" | "SELF_MANAGED_ONLY" | "FEATURE_DISABLED" | "MAX_NUMBER_OF_ITEMS_REACHED" => {
            api(Code::AuthForbidden, Layer::Auth, format!("{PEER} forbids it: {said}"))
        }
        "SERVICE_DISABLED" | "APPLICATION_DISABLED" | "SERVICE_OPERATION_NOT_SUPPORTED" => {
            api(Code::Unsupported, Layer::Api, format!("{PEER} does not offer it here: {said}"))
        }
        "ILLEGAL_ARGUMENT" | "ILLEGAL_NULL_ARGUMENT" => {
            let name = exception.argument_name.as_deref().unwrap_or("a parameter");
            let error = api(Code::Usage, Layer::Api, format!("{PEER} finds {name} wrong: {said}"));
            error.hint(if call.path.contains("/devices/") {
                "an id has at most 11 characters of A-Z, a-z, 0-9, - and _; name the device by its client id instead"
            } else {
                "where it is the account, correct `scope`; else this server wants the call in another form: check `url`"
            })
        }
        "REFRESH_ERROR" => api(Code::AuthExpired, Layer::Auth, format!("the login can't be renewed: {said}")),
        // A code that is new says less than the status it comes with, where that is about rights.
        _ if reply.status.as_u16() == 403 => {
            api(Code::AuthForbidden, Layer::Auth, format!("{PEER} forbids it ({code}): {said}"))
        }
        _ => {
            let error =
                api(Code::VendorError, Layer::Api, format!("{PEER} failed at `{}` ({code}): {said}", call.operation));
            // It failed, and nothing says how far it had come.
            if reply.status.is_server_error() { doubtful(call, error) } else { error }
        }
    }
}

/// Says what the codes of calls to devices mean.
fn of_device(code: &str, exception: &Exception, call: &Call, said: &str) -> Option<Error> {
    let device = |kind: Code, text: String| Error::new(kind, Layer::Device, text);
    Some(match code {
        "DEVICE_NOT_CONNECTED" => offline(exception),
        "TIMEOUT" => {
            device(Code::DeviceTimeout, format!("the device did not answer the cloud in time: {said}")).later().hint(
                "it may be slow or busy, just gone without the cloud knowing yet, failing, or have another account's \
                 name set; ask again in a minute",
            )
        }
        "RESPONSE_NOT_FOUND" => {
            device(Code::DeviceNoVpn, "the device answers, but it has no VPN Remote Access bundle".to_owned())
                .hint("install and configure the VPN Remote Access bundle of ESF on the device")
        }
        "RESPONSE_BAD_REQUEST" | "RESPONSE_INTERNAL_ERROR" | "RESPONSE_UNKNOWN_CODE" => {
            let detail = exception.error_message.as_deref().unwrap_or(said);
            device(Code::DeviceFailed, format!("the device could not do it: {detail}"))
                .hint("look at the device's own log, and at the VPN server assigned to its account")
        }
        // The cloud could not read what the device answered, so the device may have done it.
        "RESPONSE_CONTENT" => doubtful(call, device(Code::VendorProtocol, misunderstood(said))),
        "REQUEST_CONTENT" => device(Code::VendorProtocol, misunderstood(said)),
        "SEND_ERROR" => Error::new(
            Code::VendorError,
            Layer::Api,
            format!("{PEER} could not send `{}` to the device: {said}", call.operation),
        )
        .hint("nothing reached the device; where it goes on, ask those who run the cloud"),
        _ => return None,
    })
}

fn misunderstood(said: &str) -> String {
    format!("cloud and device don't understand each other: {said}")
}

/// Marks a write that may have been done all the same.
fn doubtful(call: &Call, error: Error) -> Error {
    if call.safety == Safety::Once { error.unknown_outcome() } else { error }
}

fn not_found(exception: &Exception) -> Error {
    let kind = exception.entity_type.as_deref().unwrap_or("entity");
    let which = exception.entity_id.as_deref().map(|id| format!(" {}", ids::shown(id))).unwrap_or_default();
    Error::new(Code::TargetNotFound, Layer::Api, format!("{PEER} has no {kind}{which} in this scope")).hint(
        match kind {
            "account" => "correct `scope`: it is an account's name or id, or `_` for the login's own account",
            _ => {
            "list what there is: vpnctl list; a device of a child account needs that account as `scope`, or its name and \
             --recursive (status)"
        }
        },
    )
}

fn unauthorized(exception: &Exception, said: &str) -> Error {
    let Some(permission) = &exception.permission else {
        return Error::new(Code::AuthForbidden, Layer::Auth, format!("the login lacks a permission: {said}"))
            .hint("ask the account's administrator to grant it");
    };
    let right = permission.text();
    let place = permission
        .target_scope_id
        .as_deref()
        .map(|id| format!(" in the account {}", ids::shown(id)))
        .unwrap_or_default();
    Error::new(Code::AuthForbidden, Layer::Auth, format!("the login lacks the permission {right}{place}"))
        .hint(format!("ask the account's administrator to grant {right}{place}"))
}

fn what(call: &Call) -> &'static str {
    match call.operation {
        "connect" => "connect devices",
        "disconnect" => "disconnect devices",
        "status" => "ask devices",
        _ => "read this",
    }
}

fn offline(exception: &Exception) -> Error {
    let (text, hint) = match exception.connection_status.as_deref() {
        Some("MISSING") => (
            "the device has vanished: its connection to the cloud broke (MISSING)".to_owned(),
            "check its power and its internet access",
        ),
        Some("DISCONNECTED") => (
            "the device has disconnected from the cloud (DISCONNECTED)".to_owned(),
            "switch it on and check its internet access",
        ),
        Some(other) => (
            format!("the device is not connected to the cloud ({other})"),
            "switch it on and check its internet access",
        ),
        // Absent where the device never connected; old versions leave it out always, but their message has it.
        None => (
            match exception.message.as_deref() {
                Some(said) => format!("the device is not connected to the cloud: {said}"),
                None => "the device is not connected to the cloud".to_owned(),
            },
            "switch it on and check its internet access; where its status is null it has never connected",
        ),
    };
    Error::new(Code::DeviceOffline, Layer::Device, text).later().hint(hint)
}

fn of_status(reply: &Reply, call: &Call) -> Error {
    match reply.status.as_u16() {
        401 => Error::new(Code::AuthExpired, Layer::Auth, format!("{PEER} does not accept the access token")),
        403 if matches!(call.operation, "login" | "refresh") => Error::new(
            Code::AuthForbidden,
            Layer::Auth,
            format!("{PEER} forbids logging in from here or with this user"),
        )
        .hint("ask the account's administrator; where a proxy or firewall is in between, it may be its answer"),
        403 => Error::new(Code::AuthForbidden, Layer::Auth, format!("{PEER} forbids this login to {}", what(call)))
            .hint("ask the account's administrator for device_management, device and vpn permissions"),
        status @ (404 | 405) => Error::new(
            Code::VendorProtocol,
            Layer::Http,
            format!("{PEER} knows no call at /{} ({status})", call.path.split('?').next().unwrap_or_default()),
        )
        .hint("check that `url` is the API of Everyware Cloud and ends in /v1"),
        _ => server_failure(PEER, reply).unwrap_or_else(|| {
            Error::new(Code::VendorProtocol, Layer::Http, format!("{PEER} answered {}", reply.status))
        }),
    }
}
