//! Answers: documents, refusals with their exact messages, and the pages of the servlet container (section 6).

use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::ids::Id;

/// What a handler gives back.
pub(super) type Answer = Result<Response, Refusal>;

/// An answer that ends a call early.
#[derive(Debug)]
pub(super) struct Refusal(Box<Response>);

impl From<Response> for Refusal {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// Answers 200 with a document.
pub(super) fn document(body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(bytes) => Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response()),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR.into_response().into()),
    }
}

/// Answers with an exceptionInfo of class `class`; `extra` holds the fields of its subclass.
fn exception(status: StatusCode, class: &str, code: &str, message: &str, extra: Value) -> Refusal {
    let mut body = json!({
        "type": class,
        "httpErrorCode": status.as_u16(),
        "message": message,
        "kapuaErrorCode": code,
    });
    if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
        body.extend(extra.into_iter().filter(|(_, value)| !value.is_null()));
    }
    (status, axum::Json(body)).into_response().into()
}

/// 400: a value that the API does not take.
pub(super) fn illegal_argument(name: &str, value: &str) -> Refusal {
    let message = format!("An illegal value was provided for the argument {name}: {value}.");
    let extra = json!({"argumentName": name, "argumentValue": value});
    exception(StatusCode::BAD_REQUEST, "illegalArgumentExceptionInfo", "ILLEGAL_ARGUMENT", &message, extra)
}

/// 400: a value that is missing.
pub(super) fn illegal_null_argument(name: &str) -> Refusal {
    let message = format!("An illegal null value was provided for the argument {name}.");
    let extra = json!({"argumentName": name});
    exception(StatusCode::BAD_REQUEST, "illegalNullArgumentExceptionInfo", "ILLEGAL_NULL_ARGUMENT", &message, extra)
}

/// 404: no entity of that kind has that id in that scope.
pub(super) fn entity_not_found(kind: &str, id: Id) -> Refusal {
    not_found(kind, &id.0.to_string(), &id.to_string())
}

/// 404: an id that is longer than any there is.
pub(super) fn entity_not_found_by(kind: &str, text: &str) -> Refusal {
    not_found(kind, text, text)
}

fn not_found(kind: &str, shown: &str, id: &str) -> Refusal {
    let message = format!("The entity of type {kind} with id/name {shown} was not found.");
    let extra = json!({"entityType": kind, "entityId": id});
    exception(StatusCode::NOT_FOUND, "entityNotFoundExceptionInfo", "ENTITY_NOT_FOUND", &message, extra)
}

/// 403: the user lacks a permission.
pub(super) fn subject_unauthorized(domain: &str, action: &str, scope: Id) -> Refusal {
    let message = format!(
        "User does not have permission to perform this action. Required permission: {domain}:{action}:{}:*.",
        scope.0
    );
    let permission = json!({"domain": domain, "action": action, "targetScopeId": scope, "forwardable": false});
    let extra = json!({"permission": permission});
    exception(StatusCode::FORBIDDEN, "subjectUnauthorizedExceptionInfo", "SUBJECT_UNAUTHORIZED", &message, extra)
}

/// 403: the login needs a second factor.
pub(super) fn mfa_required() -> Refusal {
    let message = "This User has MFA enabled and the authorization code must be provided.";
    exception(StatusCode::FORBIDDEN, "mfaRequiredExceptionInfo", "REQUIRE_MFA_CREDENTIALS", message, Value::Null)
}

/// 401 with an empty body, whatever the reason: the vendor never tells why a login was refused.
pub(super) fn login_refused() -> Refusal {
    StatusCode::UNAUTHORIZED.into_response().into()
}

/// 401: a refresh that can't be done.
pub(super) fn refresh_error(text: &str) -> Refusal {
    let message = format!("Error while refreshing the AccessToken. {text}");
    exception(StatusCode::UNAUTHORIZED, "exceptionInfo", "REFRESH_ERROR", &message, Value::Null)
}

/// 409, or 500 in older versions: the device is offline; `status` is `None` where it never connected.
pub(super) fn device_not_connected(id: Id, status: Option<&str>, as_500: bool) -> Refusal {
    let message = format!(
        "The device {} is not CONNECTED. Current device connection status is: {}",
        id.0,
        status.unwrap_or("null")
    );
    let extra = json!({"deviceId": id, "connectionStatus": status});
    let http = if as_500 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::CONFLICT };
    exception(http, "deviceNotConnectedExceptionInfo", "DEVICE_NOT_CONNECTED", &message, extra)
}

/// 500: the device did not answer in time; the cloud waits 30 s.
pub(super) fn device_timeout() -> Refusal {
    let message = "The request has not received a response within the timeout of: 30000ms";
    let extra = json!({"timeout": 30_000});
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    exception(status, "deviceManagementTimeoutExceptionInfo", "TIMEOUT", message, extra)
}

/// 404, or 500 in older versions: the device answered that it has no such application.
pub(super) fn device_has_no_vpn(as_500: bool) -> Refusal {
    let message = "The device has not found the requested resource. Error Code: NOT_FOUND - Error Message: null";
    let extra = json!({"responseCode": "NOT_FOUND"});
    let status = if as_500 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::NOT_FOUND };
    exception(status, "deviceManagementResponseCodeExceptionInfo", "RESPONSE_NOT_FOUND", message, extra)
}

/// 500: the device tried and failed.
pub(super) fn device_failed(text: &str) -> Refusal {
    let message = format!(
        "The device accepted the request but has failed while processing. \
         Error Code: INTERNAL_ERROR - Error Message: {text}"
    );
    let extra = json!({"responseCode": "INTERNAL_ERROR", "errorMessage": text});
    let (status, class) = (StatusCode::INTERNAL_SERVER_ERROR, "deviceManagementResponseCodeExceptionInfo");
    exception(status, class, "RESPONSE_INTERNAL_ERROR", &message, extra)
}

/// The other errors that a device call can end with, by their code, with the messages of section 6.
///
/// What SEND_ERROR carries as `kapuaRequestMessage` is documented by name only, so it is left out, as null fields are.
pub(super) fn device_error(code: &str) -> Refusal {
    const RESPONSE: &str = "deviceManagementResponseCodeExceptionInfo";
    let response = |code: &str| json!({"responseCode": code, "errorMessage": "Simulated"});
    let internal = StatusCode::INTERNAL_SERVER_ERROR;
    let (status, class, message, extra) = match code {
        "RESPONSE_BAD_REQUEST" => (
            internal,
            RESPONSE,
            "The device has not understood the request. Error Code: BAD_REQUEST - Error Message: Simulated",
            response("BAD_REQUEST"),
        ),
        "RESPONSE_UNKNOWN_CODE" => (
            internal,
            RESPONSE,
            "The device has returned an unknown response code. Error Code: SIMULATED - Error Message: Simulated",
            response("SIMULATED"),
        ),
        "SEND_ERROR" => (
            internal,
            "deviceManagementSendExceptionInfo",
            "An error occurred when sending the message: Simulated",
            Value::Null,
        ),
        "APPLICATION_DISABLED" => (
            internal,
            "exceptionInfo",
            "The Device Management Application VPNCLIENT is disabled for this device.",
            Value::Null,
        ),
        "SERVICE_DISABLED" => {
            (StatusCode::NOT_FOUND, "exceptionInfo", "The Service is disabled: Simulated", Value::Null)
        }
        "SERVICE_OPERATION_NOT_SUPPORTED" => {
            (StatusCode::UNPROCESSABLE_ENTITY, "exceptionInfo", "Simulated", Value::Null)
        }
        _ => (internal, "exceptionInfo", "Simulated", Value::Null),
    };
    exception(status, class, code, message, extra)
}

/// 404 of the servlet container.
pub(super) fn no_such_route(uri: &Uri, headers: &HeaderMap) -> Response {
    container_page(StatusCode::NOT_FOUND, "Not Found", uri, headers)
}

/// Answers as Jetty does for what never reached the API: JSON where the request accepts it, else HTML.
///
/// The fields of the JSON form are Jetty's own (`ErrorHandler.writeErrorJson`): strings all, the status too.
pub(super) fn container_page(status: StatusCode, message: &str, uri: &Uri, headers: &HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let code = status.as_u16();
    if accept.contains("application/json") {
        let body = json!({"url": uri.path(), "status": code.to_string(), "message": message});
        return (status, axum::Json(body)).into_response();
    }
    let path = uri.path().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let page = format!(
        "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=utf-8\"/>\n\
         <title>Error {code} {message}</title>\n</head>\n<body><h2>HTTP ERROR {code} {message}</h2>\n<table>\n\
         <tr><th>URI:</th><td>{path}</td></tr>\n<tr><th>STATUS:</th><td>{code}</td></tr>\n\
         <tr><th>MESSAGE:</th><td>{message}</td></tr>\n</table>\n\n</body>\n</html>\n"
    );
    (status, [(header::CONTENT_TYPE, "text/html;charset=utf-8")], page).into_response()
}

/// Answers as a proxy in front of the cloud does, HTML whatever the request accepts.
pub(super) fn proxy_page(status: StatusCode) -> Refusal {
    let page = format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    (status, [(header::CONTENT_TYPE, "text/html")], page).into_response().into()
}
