//! The envelopes of the cloud (vendors/ixon.md section 4.7).

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::simulate::faults::Faults;

/// An error of the cloud, with one of the messages that are known of it.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    status: StatusCode,
    message: &'static str,
    property: Option<&'static str>,
}

impl Problem {
    /// Makes an error that names no property.
    pub(super) fn new(status: StatusCode, message: &'static str) -> Self {
        Self { status, message, property: None }
    }

    /// Says that a value that was sent can't be right.
    pub(super) fn invalid(property: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: "Invalid value", property: Some(property) }
    }

    /// Says that a header is missing.
    pub(super) fn required(header: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: "Required header", property: Some(header) }
    }

    /// Says that the value of a header has the wrong length.
    pub(super) fn length(header: &'static str, short: bool) -> Self {
        let message = if short { "Value is too short" } else { "Value is too long" };
        Self { status: StatusCode::BAD_REQUEST, message, property: Some(header) }
    }

    /// Gives the same error with another status.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Says that a token is unknown, deleted or expired.
    pub(super) fn token_gone() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Invalid Authorization: token does not exist or has expired")
    }

    /// Says that an agent has no link to the cloud.
    pub(super) fn not_online() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "This agent is not online")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut error = Map::new();
        error.insert("message".to_owned(), json!(self.message));
        if let Some(property) = self.property {
            error.insert("propertyName".to_owned(), json!(property));
        }
        let body = json!({ "data": [error], "moreAfter": null, "status": "error", "type": "Error" });
        (self.status, axum::Json(body)).into_response()
    }
}

/// Answers with one object, or with null.
pub(super) fn single(status: StatusCode, kind: &str, data: &Value) -> Response {
    (status, axum::Json(json!({ "status": "success", "type": kind, "data": data }))).into_response()
}

/// Answers with a list; one value may come as an object, and the last page may lack the cursor.
pub(super) fn list(kind: &str, mut data: Vec<Value>, more_after: Option<String>, faults: &Faults) -> Response {
    let data = match data.len() {
        1 if faults.is_on("single-object") => data.remove(0),
        _ => Value::Array(data),
    };
    let mut body = json!({ "type": kind, "status": "success" });
    if more_after.is_some() || !faults.is_on("no-moreafter") {
        body["moreAfter"] = json!(more_after);
    }
    body["data"] = data;
    axum::Json(body).into_response()
}
