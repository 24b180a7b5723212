//! What the cloud's errors mean: by `kapuaErrorCode` first, for the HTTP status differs between versions.

use super::wire::Exception;
use crate::error::{Code, Error, Layer};
use crate::http::{Call, Reply, server_failure};

/// What the cloud is called in messages.
pub(super) const PEER: &str = "Everyware Cloud";

/// Says what a failure means; `None` where the answer is a success.
pub(super) fn of(call: &Call, reply: &Reply) -> Option<Error> {
    if reply.status.is_success() {
        return None;
    }
    let status = reply.status.as_u16();
    let exception: Exception = reply.maybe_json().unwrap_or_default();
    let error = match exception.kapua_error_code.as_deref() {
        Some(code) => of_code(code, &exception, call).vendor_code(code),
        None => of_status(reply, call),
    };
    Some(error.status(status))
}

/// Tells whether an answer says that there is no such route, and not that something on the route is missing.
pub(super) fn is_no_route(error: &Error) -> bool {
    let status = error.report().http_status;
    error.vendor_code_text().is_none() && matches!(status, Some(404 | 405))
}

fn of_code(code: &str, exception: &Exception, call: &Call) -> Error {
    let said = exception.message.as_deref().unwrap_or("no reason given");
    let api = |kind: Code, layer: Layer, text: String| Error::new(kind, layer, text);
    match code {
        "DEVICE_NOT_CONNECTED" => offline(exception),
        "TIMEOUT" => {
            api(Code::DeviceTimeout, Layer::Device, format!("the device did not answer the cloud in time: {said}"))
                .later()
                .hint("it may be slow, freshly gone, or have the wrong account name set; ask again in a minute")
        }
        "RESPONSE_NOT_FOUND" => api(
            Code::DeviceNoVpn,
            Layer::Device,
            "the device answers, but it has no VPN Remote Access bundle".to_owned(),
        )
        .hint("install and configure the VPN Remote Access bundle of ESF on the device"),
        "RESPONSE_BAD_REQUEST" | "RESPONSE_INTERNAL_ERROR" | "RESPONSE_UNKNOWN_CODE" => {
            let detail = exception.error_message.as_deref().unwrap_or(said);
            api(Code::DeviceFailed, Layer::Device, format!("the device could not do it: {detail}"))
                .hint("look at the device's own log, and at the VPN server assigned to its account")
        }
        "ENTITY_NOT_FOUND" => {
            let kind = exception.entity_type.as_deref().unwrap_or("entity");
            api(Code::TargetNotFound, Layer::Api, format!("{PEER} has no such {kind} in this scope"))
                .hint("list what there is: vpnctl list; a device of a child account needs its `scope`")
        }
        "SUBJECT_UNAUTHORIZED" => {
            let right = exception.permission.as_ref().map_or_else(|| "?".to_owned(), super::wire::Permission::text);
            api(Code::AuthForbidden, Layer::Auth, format!("the login lacks the permission {right}"))
                .hint(format!("ask the account's administrator to grant {right}"))
        }
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
            api(Code::Usage, Layer::Api, format!("{PEER} finds {name} wrong: {said}"))
                .hint("an id has 11 characters of A-Z, a-z, 0-9, - and _; name the device by its client id instead")
        }
        "REFRESH_ERROR" => api(Code::AuthExpired, Layer::Auth, format!("the login can't be renewed: {said}")),
        "RESPONSE_CONTENT" | "REQUEST_CONTENT" => {
            api(Code::VendorProtocol, Layer::Device, format!("cloud and device don't understand each other: {said}"))
        }
        _ => api(Code::VendorError, Layer::Api, format!("{PEER} failed at `{}` ({code}): {said}", call.operation)),
    }
}

fn what(call: &Call) -> &'static str {
    match call.operation {
        "connect" => "connect devices",
        "disconnect" => "disconnect devices",
        "status" => "ask devices",
        "login" | "refresh" => "log in",
        _ => "read this",
    }
}

fn offline(exception: &Exception) -> Error {
    let text = match exception.connection_status.as_deref() {
        Some("MISSING") => "the device has vanished: its connection to the cloud broke",
        Some("DISCONNECTED") => "the device has disconnected from the cloud",
        // Absent where the device never connected; old versions leave it out always.
        _ => "the device is not connected to the cloud",
    };
    Error::new(Code::DeviceOffline, Layer::Device, text).later().hint("switch it on and check its internet access")
}

fn of_status(reply: &Reply, call: &Call) -> Error {
    match reply.status.as_u16() {
        401 => Error::new(Code::AuthExpired, Layer::Auth, format!("{PEER} does not accept the access token")),
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
