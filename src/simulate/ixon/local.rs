//! The REST API of the local client (vendors/ixon.md sections 2 and 4.1 to 4.6).

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::{Value, json};

use super::request::{ConnectRequest, Refusal};
use super::{Ixon, socket, status};
use crate::simulate::faults::Faults;

/// The links of the vendor's discovery: rel, path, and whether it is the WebSocket.
const LINKS: [(&str, &str, bool); 8] = [
    ("Discovery", "/", false),
    ("Connect", "/connect", false),
    ("Disconnect", "/disconnect", false),
    ("ControllerClosed", "/controller/closed", false),
    ("Status", "/status", false),
    ("Configuration", "/configuration", false),
    ("ConfigurationReset", "/configuration/reset", false),
    ("StatusWebSocket", "/", true),
];

/// What the portal, on another origin, must be allowed to send (vendors/ixon.md section 2).
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "Api-Access-Token, Api-Sector, Api-Version, VPN-Client-Controller-Identifier, Content-Type",
);

/// The local client and the URL under which it answers.
#[derive(Debug)]
struct Local {
    ixon: Arc<Ixon>,
    base: String,
}

impl Local {
    fn faults(&self) -> &Faults {
        &self.ixon.context.faults
    }
}

/// Makes the routes of the local client; `base` is its own URL.
pub(super) fn router(ixon: Arc<Ixon>, base: &str) -> Router {
    let local = Arc::new(Local { ixon, base: base.trim_end_matches('/').to_owned() });
    Router::new()
        .route("/", get(root))
        .route("/connect", post(connect))
        .route("/disconnect", post(disconnect))
        .route("/status", get(show_status))
        // Its method is unknown, so any does.
        .route("/controller/closed", any(closed))
        .route("/configuration", get(show_configuration).put(replace_configuration).post(reset_configuration))
        .route("/configuration/reset", post(reset_configuration))
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(Arc::clone(&local), dress))
        .with_state(local)
}

/// Answers preflights, and puts `Server` and the headers of cross-origin sharing on every answer.
async fn dress(State(local): State<Arc<Local>>, request: Request, next: Next) -> Response {
    local.ixon.usurp();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    if let Some(server) = local.ixon.server_header() {
        headers.insert(header::SERVER, server);
    }
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Server"));
    }
    if preflight {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, OPTIONS"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    }
    response
}

/// Answers `GET /`, which is three things: the WebSocket, the discovery, and a page for people.
async fn root(State(local): State<Arc<Local>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    if wants(&parts.headers, &header::UPGRADE, "websocket") {
        if let Some(code) = local.faults().take("ws-refused") {
            return Refusal::parse(if code.is_empty() { "403" } else { &code }).answer(local.faults());
        }
        return match WebSocketUpgrade::from_request_parts(&mut parts, &local).await {
            Ok(upgrade) => socket::serve(upgrade, Arc::clone(&local.ixon)),
            Err(rejection) => rejection.into_response(),
        };
    }
    if wants(&parts.headers, &header::ACCEPT, "application/json") {
        return local.json(&local.discovery());
    }
    Html("<html><head><title>VPN Client</title></head><body><h1>VPN Client settings</h1></body></html>\n")
        .into_response()
}

fn wants(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let mut values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.to_ascii_lowercase().contains(word))
}

impl Local {
    fn discovery(&self) -> Value {
        let base = match self.faults().arg("foreign-hrefs") {
            Some(host) if host.is_empty() => "https://vpn.example.net:9250".to_owned(),
            Some(host) => format!("https://{host}"),
            None => self.base.clone(),
        };
        let socket_base = base.replacen("http", "ws", 1);
        let links = LINKS.iter().map(|(rel, path, socket)| {
            let base = if *socket { &socket_base } else { &base };
            json!({ "href": format!("{base}{path}"), "rel": rel })
        });
        json!({ "links": links.collect::<Vec<_>>() })
    }

    fn json(&self, document: &Value) -> Response {
        json_text(status::text(document, self.faults()))
    }
}

fn json_text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// Answers `POST /connect`, which only starts the connection.
async fn connect(State(local): State<Arc<Local>>, headers: HeaderMap, body: Bytes) -> Response {
    let faults = local.faults();
    if let Some(written) = faults.take("connect-refused") {
        return Refusal::parse(&written).answer(faults);
    }
    match ConnectRequest::read(&headers, &body, faults) {
        Ok(request) => {
            local.ixon.connect(request);
            // No client reads the body, so nobody knows it.
            StatusCode::OK.into_response()
        }
        Err(refusal) => refusal.answer(faults),
    }
}

/// Answers `POST /disconnect`, which takes no credentials and any body.
async fn disconnect(State(local): State<Arc<Local>>) -> StatusCode {
    local.ixon.daemon.disconnect();
    StatusCode::OK
}

async fn show_status(State(local): State<Arc<Local>>) -> Response {
    json_text(local.ixon.daemon.status())
}

/// Answers `/controller/closed`, which serves no purpose.
async fn closed() -> StatusCode {
    StatusCode::OK
}

async fn show_configuration(State(local): State<Arc<Local>>) -> Response {
    local.json(&local.ixon.configuration.read())
}

async fn replace_configuration(State(local): State<Arc<Local>>, body: Bytes) -> Response {
    if let Some(written) = local.faults().take("configuration-refused") {
        return Refusal::parse(&written).answer(local.faults());
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(document) if document.is_object() => {
            local.ixon.configuration.replace(document);
            StatusCode::OK.into_response()
        }
        _ => Refusal::parse("400:The body is not a JSON object.").answer(local.faults()),
    }
}

/// Restores the configuration; a secondary note says that a POST to `/configuration` does so too (section 4.6).
async fn reset_configuration(State(local): State<Arc<Local>>) -> Response {
    if let Some(written) = local.faults().take("configuration-refused") {
        return Refusal::parse(&written).answer(local.faults());
    }
    local.ixon.configuration.reset();
    StatusCode::OK.into_response()
}

async fn unknown(State(local): State<Arc<Local>>) -> Response {
    Refusal::parse("404:Not found.").answer(local.faults())
}
