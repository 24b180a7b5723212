//! What `POST /connect` carries (vendors/ixon.md section 4.2), and how the client refuses it.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

use super::agents;
use crate::simulate::faults::Faults;

/// A connect request that holds all it needs.
#[derive(Debug)]
pub(super) struct ConnectRequest {
    /// The bare secretId of the user's token.
    pub(super) token: String,
    /// The agent to reach.
    pub(super) agent_id: String,
    /// The company it belongs to.
    pub(super) company_id: String,
    /// Who asks.
    pub(super) controller_id: String,
}

/// A request that the client does not take; the real form of its answer is unknown, so it can be chosen.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The status of the answer.
    pub(super) status: StatusCode,
    /// Why, for people.
    pub(super) text: String,
}

impl Refusal {
    fn new(status: StatusCode, text: &str) -> Self {
        Self { status, text: text.to_owned() }
    }

    /// Reads `STATUS[:TEXT]`.
    pub(super) fn parse(written: &str) -> Self {
        let (status, text) = written.split_once(':').unwrap_or((written, "The connection was refused."));
        let status = status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
        Self::new(status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE), text)
    }

    /// Answers in the form that the fault `error-form` asks for; plain text where it is off.
    pub(super) fn answer(self, faults: &Faults) -> Response {
        let json = |document: Value| axum::Json(document).into_response();
        let mut response = match faults.arg("error-form").as_deref() {
            Some("message") => json(json!({ "message": self.text })),
            Some("data") => json(json!({ "data": [{ "message": self.text }] })),
            Some("error") => json(json!({ "error": self.text })),
            Some("html") => Html(format!("<html><body><h1>{}</h1></body></html>\n", self.text)).into_response(),
            Some("empty") => ().into_response(),
            _ => self.text.into_response(),
        };
        *response.status_mut() = self.status;
        response
    }
}

impl ConnectRequest {
    /// Reads headers, by their new or their old names, and the body.
    pub(super) fn read(headers: &HeaderMap, body: &[u8], faults: &Faults) -> Result<Self, Refusal> {
        let bad = |text: &str| Refusal::new(StatusCode::BAD_REQUEST, text);
        let version = either(headers, "api-version", "ixapi-version").ok_or_else(|| bad("Api-Version is missing."))?;
        if !matches!(version, "1" | "2") {
            return Err(bad("Api-Version is not 2."));
        }
        let token = token(headers)?;
        let controller = either(headers, "vpn-client-controller-identifier", "ixclient-controller-identifier")
            .ok_or_else(|| bad("VPN-Client-Controller-Identifier is missing."))?;
        if uuid::Uuid::parse_str(controller).is_err() {
            return Err(bad("VPN-Client-Controller-Identifier is not a UUID."));
        }
        let sector = headers.get("api-sector").and_then(|value| value.to_str().ok());
        if faults.is_on("strict-sector") && sector != Some(agents::SECTOR) {
            return Err(bad("Api-Sector is missing or wrong."));
        }
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/json") {
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type is not application/json."));
        }
        let body: Value = serde_json::from_slice(body).map_err(|_| bad("The body is not JSON."))?;
        let member = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let agent_id = member("agentId").ok_or_else(|| bad("agentId is missing."))?;
        if !is_public_id(&agent_id) {
            return Err(bad("agentId is malformed."));
        }
        let company_id = member("companyId").ok_or_else(|| bad("companyId is missing."))?;
        if !is_company_id(&company_id) {
            return Err(bad("companyId is malformed."));
        }
        Ok(Self { token, agent_id, company_id, controller_id: controller.to_owned() })
    }
}

/// Reads the token: 32 characters and no "Bearer " (vendors/ixon.md section 3).
fn token(headers: &HeaderMap) -> Result<String, Refusal> {
    let refuse = |text| Refusal::new(StatusCode::UNAUTHORIZED, text);
    let token = either(headers, "api-access-token", "ixplatform-access-token")
        .ok_or_else(|| refuse("Api-Access-Token is missing."))?;
    if token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(token.to_owned())
    } else {
        Err(refuse("Api-Access-Token is malformed."))
    }
}

/// Gives a header by its new name, else by the one that older clients send (vendors/ixon.md section 7, 1).
fn either<'a>(headers: &'a HeaderMap, new: &str, old: &str) -> Option<&'a str> {
    let value = headers.get(new).or_else(|| headers.get(old))?;
    value.to_str().ok().filter(|text| !text.is_empty())
}

/// Tells whether a text has the form of a publicId: 12 letters and digits.
pub(super) fn is_public_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Tells whether a text has the form of a company's publicId: `^(\d{4}-){4}\d{4}$`.
pub(super) fn is_company_id(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() == 5 && groups.iter().all(|group| group.len() == 4 && group.bytes().all(|byte| byte.is_ascii_digit()))
}
