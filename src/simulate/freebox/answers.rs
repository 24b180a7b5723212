//! The envelope that all answers but `/api_version` have, and the texts of errors.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::simulate::faults::Faults;

/// Describes an answer before faults of the envelope are applied and it is written out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    status: StatusCode,
    body: Content,
}

/// What stands in the body of an answer.
#[derive(Debug, Clone, PartialEq)]
enum Content {
    Json(Map<String, Value>),
    Text(&'static str),
}

/// What an error of the authentication layer carries besides its code (vendor/freebox.md section 6).
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal {
    /// The id of the box.
    pub(super) uid: String,
    /// The salt and, where the code is one that carries it, a fresh challenge.
    pub(super) result: Map<String, Value>,
    /// The right that is missing.
    pub(super) missing_right: Option<&'static str>,
}

impl Answer {
    /// Answers a success with a result.
    pub(super) fn result(result: Value) -> Self {
        Self::json(StatusCode::OK, [("success", Value::Bool(true)), ("result", result)])
    }

    /// Answers a success that has no result.
    pub(super) fn done() -> Self {
        Self::json(StatusCode::OK, [("success", Value::Bool(true))])
    }

    /// Answers a bare object, as `/api_version` does.
    pub(super) fn bare(object: Map<String, Value>) -> Self {
        Self { status: StatusCode::OK, body: Content::Json(object) }
    }

    /// Answers an error of the domain, which the box sends with HTTP 200.
    pub(super) fn domain(code: &str) -> Self {
        let fields = [("msg", json!(message(code))), ("success", json!(false)), ("error_code", json!(code))];
        Self::json(StatusCode::OK, fields)
    }

    /// Answers a path that the box does not know.
    pub(super) fn unknown_path() -> Self {
        let fields = [
            ("msg", json!("Requête invalide (404)")),
            ("success", json!(false)),
            ("error_code", json!("invalid_request")),
        ];
        Self::json(StatusCode::NOT_FOUND, fields)
    }

    /// Answers an error of the authentication layer, HTTP 403.
    pub(super) fn refused(code: &str, refusal: Refusal) -> Self {
        let mut body = Map::new();
        body.insert("uid".to_owned(), json!(refusal.uid));
        body.insert("success".to_owned(), json!(false));
        if let Some(right) = refusal.missing_right {
            body.insert("missing_right".to_owned(), json!(right));
        }
        body.insert("msg".to_owned(), json!(message(code)));
        if !refusal.result.is_empty() {
            body.insert("result".to_owned(), Value::Object(refusal.result));
        }
        body.insert("error_code".to_owned(), json!(code));
        Self { status: StatusCode::FORBIDDEN, body: Content::Json(body) }
    }

    /// Answers HTTP 400 with a bare text, as WebSocket paths of the box do.
    pub(super) fn plain_bad_request() -> Self {
        Self { status: StatusCode::BAD_REQUEST, body: Content::Text("400 Bad Request") }
    }

    /// Writes the answer out, with the faults of the envelope.
    pub(super) fn into_response(mut self, faults: &Faults) -> Response {
        if let (StatusCode::OK, Content::Json(body)) = (self.status, &self.body)
            && body.get("success") == Some(&Value::Bool(false))
            && let Some(status) = faults.number("domain-status").and_then(|code| u16::try_from(code).ok())
        {
            self.status = StatusCode::from_u16(status).unwrap_or(self.status);
        }
        let (text, kind) = match self.body {
            Content::Json(body) => (written(with_faults(body, self.status, faults)), "application/json; charset=utf-8"),
            Content::Text(text) => (text.to_owned(), "text/plain"),
        };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::SERVER, HeaderValue::from_static("nginx"));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        response
    }

    fn json<const N: usize>(status: StatusCode, fields: [(&str, Value); N]) -> Self {
        let body = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { status, body: Content::Json(body) }
    }
}

/// Writes JSON with slashes escaped, as the box does; a slash stands in strings only.
fn written(body: Map<String, Value>) -> String {
    Value::Object(body).to_string().replace('/', "\\/")
}

fn with_faults(mut body: Map<String, Value>, status: StatusCode, faults: &Faults) -> Map<String, Value> {
    if body.get("success") != Some(&Value::Bool(false)) {
        return body;
    }
    let without_code = faults.arg("no-error-code").is_some_and(|which| which == "all" || status == StatusCode::OK);
    if without_code {
        body.shift_remove("error_code");
    }
    if faults.is_on("typographic")
        && let Some(Value::String(message)) = body.get_mut("msg")
    {
        *message = message.replace('\'', "’");
    }
    body
}

/// Gives the text of an error; those of section 6 as captured, the others in its manner. Clients must not match them.
fn message(code: &str) -> &'static str {
    match code {
        "auth_required" => "Vous devez vous connecter pour accéder à cette fonction",
        "invalid_token" => "Erreur d'authentification de l'application",
        "pending_token" => "L'application n'est pas encore autorisée",
        "insufficient_rights" => "Cette application n'est pas autorisée à accéder à cette fonction",
        "new_apps_denied" => "L'association de nouvelles applications est désactivée",
        "apps_denied" => "L'accès des applications à l'API est désactivé",
        "denied_from_external_ip" => "Cette requête n'est pas autorisée depuis l'extérieur",
        "ratelimited" => "Trop d'échec de connexion depuis cette ip",
        "invalid_request" => "Requête invalide",
        "service_down" => "Ce service n’est pas disponible actuellement",
        "noent" => "Identifiant invalide",
        "inval" => "Paramètres invalides",
        "busy" => "La ressource est occupée",
        "exist" => "Cette entrée existe déjà",
        "netdown" => "Le réseau n'est pas disponible",
        "nodev" => "Périphérique invalide",
        "nomem" | "ioerror" => "Erreur interne",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(answer: Answer, faults: &Faults) -> String {
        let status = answer.status;
        match answer.body {
            Content::Json(body) => written(with_faults(body, status, faults)),
            Content::Text(text) => text.to_owned(),
        }
    }

    #[test]
    fn slashes_are_escaped() {
        assert_eq!(text(Answer::result(json!("a/b")), &Faults::default()), r#"{"success":true,"result":"a\/b"}"#);
    }

    #[test]
    fn the_code_goes_where_the_fault_says() {
        let faults = Faults::default();
        faults.set("no-error-code");
        assert!(!text(Answer::domain("noent"), &faults).contains("error_code"));
        assert!(text(Answer::refused("auth_required", Refusal::default()), &faults).contains("error_code"));
        faults.set("no-error-code=all");
        assert!(!text(Answer::refused("auth_required", Refusal::default()), &faults).contains("error_code"));
    }

    #[test]
    fn apostrophes_become_typographic() {
        let faults = Faults::default();
        let answer = Answer::refused("invalid_token", Refusal::default());
        assert!(text(answer.clone(), &faults).contains("Erreur d'authentification"));
        faults.set("typographic");
        assert!(text(answer, &faults).contains("Erreur d’authentification de l’application"));
    }
}
