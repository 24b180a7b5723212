//! The routes of the cloud (vendors/ixon.md sections 3 and 4.7 to 4.11).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::agents::{self, Agent, Company};
use super::answers::{Problem, list, single};
use super::caller;
use super::query::Query;
use super::{Ixon, tokens};
use crate::simulate::faults::Faults;

/// The links of the cloud's discovery: rel, path and methods. More exist; these are served.
const LINKS: [(&str, &str, &[&str]); 13] = [
    ("Discovery", "/", &["GET"]),
    ("AccessTokenList", "/access-tokens", &["GET", "POST"]),
    ("AccessToken", "/access-tokens/{publicId}", &["DELETE"]),
    ("MyAccessToken", "/access-tokens/me", &["GET", "DELETE"]),
    ("CompanyList", "/companies", &["GET"]),
    ("MyCompany", "/companies/me", &["GET"]),
    ("MyUser", "/users/me", &["GET"]),
    ("MySector", "/sectors/me", &["GET"]),
    ("SectorList", "/sectors", &["GET"]),
    ("AgentList", "/agents", &["GET"]),
    ("Agent", "/agents/{publicId}", &["GET"]),
    ("AgentOpenVpnConnection", "/agents/{publicId}/connection/openvpn", &["POST"]),
    ("AgentListOpenVpnConnection", "/agents/connection/openvpn", &["POST"]),
];

/// The window in which requests are counted for the fault `rate-limit`.
const WINDOW: Duration = Duration::from_secs(5);

/// The cloud and the URL under which it answers.
#[derive(Debug)]
pub(super) struct Cloud {
    /// What it shares with the local client.
    pub(super) ixon: Arc<Ixon>,
    base: String,
    recent: Mutex<VecDeque<Instant>>,
}

impl Cloud {
    fn faults(&self) -> &Faults {
        &self.ixon.context.faults
    }
}

type Answer = Result<Response, Problem>;

/// Makes the routes of the cloud; `base` is its own URL, whose path stands before each route.
pub(super) fn router(ixon: Arc<Ixon>, base: &str) -> Router {
    let base = base.trim_end_matches('/').to_owned();
    let prefix = url::Url::parse(&base).map_or_else(|_| "/api".to_owned(), |url| url.path().to_owned());
    let at = |path: &str| format!("{}{path}", prefix.trim_end_matches('/'));
    let cloud = Arc::new(Cloud { ixon, base, recent: Mutex::default() });
    let mut router = Router::new().route(&at("/"), get(discovery));
    if !at("").is_empty() {
        router = router.route(&at(""), get(discovery));
    }
    router
        .route(&at("/access-tokens"), get(token_list).post(create_token))
        .route(&at("/access-tokens/me"), get(my_token).delete(delete_my_token))
        .route(&at("/access-tokens/{public_id}"), axum::routing::delete(delete_token))
        .route(&at("/sectors"), get(sectors))
        .route(&at("/companies"), get(companies))
        .route(&at("/companies/me"), get(my_company))
        .route(&at("/users/me"), get(my_user))
        .route(&at("/sectors/me"), get(my_sector))
        .route(&at("/agents"), get(agent_list))
        .route(&at("/agents/{public_id}"), get(one_agent))
        .route(&at("/agents/{public_id}/connection/openvpn"), post(switch_one))
        .route(&at("/agents/connection/openvpn"), post(switch_many))
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(Arc::clone(&cloud), guard))
        .with_state(cloud)
}

/// Checks what holds for every call, and injects the faults that hit any of them.
async fn guard(State(cloud): State<Arc<Cloud>>, request: Request, next: Next) -> Response {
    let faults = cloud.faults();
    if let Some(written) = faults.arg("cloud-status") {
        let (code, pattern) = written.split_once('@').unwrap_or((&written, ""));
        if request.uri().path().contains(pattern) && faults.take("cloud-status").is_some() {
            return status_problem(code).into_response();
        }
    }
    if faults.take("cloud-not-json").is_some() {
        return (StatusCode::BAD_GATEWAY, Html("<html><body><h1>502 Bad Gateway</h1></body></html>\n")).into_response();
    }
    if cloud.is_flooded() {
        return status_problem("429").into_response();
    }
    match caller::version(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Gives the error of the fault `cloud-status`, with a message that is known of the cloud where there is one.
fn status_problem(code: &str) -> Problem {
    let status = code.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
    match status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR) {
        StatusCode::UNAUTHORIZED => Problem::token_gone(),
        StatusCode::FORBIDDEN => Problem::new(StatusCode::FORBIDDEN, "You are not allowed to Connect-vnc this Agent"),
        status => Problem::new(status, status.canonical_reason().unwrap_or("Unknown error")),
    }
}

impl Cloud {
    fn is_flooded(&self) -> bool {
        let Some(limit) = self.faults().number("rate-limit") else { return false };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while recent.front().is_some_and(|time| now.duration_since(*time) > WINDOW) {
            recent.pop_front();
        }
        recent.push_back(now);
        u64::try_from(recent.len()).is_ok_and(|count| count > limit)
    }

    /// Gives an agent's document; `connected` is the agent to which the local client's tunnel is up.
    fn agent_document(&self, agent: &Agent, connected: Option<&str>) -> Value {
        let users = (connected == Some(&agent.public_id)).then(|| {
            let user = self.ixon.tokens.user();
            json!({ "publicId": user["publicId"], "name": user["name"] })
        });
        self.ixon.agents.document(agent, users.as_slice())
    }

    /// Finds an agent of a company.
    fn agent(&self, public_id: &str, company: Company) -> Result<&Agent, Problem> {
        let agent = self.ixon.agents.find(public_id).filter(|agent| agent.company == company);
        agent.ok_or_else(|| Problem::invalid("publicId").with_status(StatusCode::NOT_FOUND))
    }
}

async fn discovery(State(cloud): State<Arc<Cloud>>) -> Response {
    let base = &cloud.base;
    let links = LINKS
        .iter()
        .map(|(rel, path, methods)| json!({ "rel": rel, "href": format!("{base}{path}"), "methods": methods }));
    list("Discovery", links.collect(), None, cloud.faults())
}

/// Answers a login: Basic, in spite of the bearer that the OpenAPI asks for (vendors/ixon.md section 7, 10).
async fn create_token(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answer {
    caller::application(&headers)?;
    let query = Query::parse(query.as_deref())?;
    let authorization = caller::authorization(&headers)?;
    let mut token = cloud.ixon.tokens.create(authorization, &body)?;
    token["user"] = cloud.ixon.tokens.user();
    Ok(single(StatusCode::CREATED, "AccessToken", &query.cut(&token)?))
}

async fn my_token(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let (_, token) = caller::bearer(&headers, &cloud)?;
    let mut document = cloud.ixon.tokens.document(&token);
    document["user"] = cloud.ixon.tokens.user();
    Ok(single(StatusCode::OK, "AccessToken", &Query::parse(query.as_deref())?.cut(&document)?))
}

async fn delete_my_token(State(cloud): State<Arc<Cloud>>, headers: HeaderMap) -> Answer {
    let (secret, _) = caller::bearer(&headers, &cloud)?;
    cloud.ixon.tokens.delete(&secret);
    Ok(single(StatusCode::OK, "AccessToken", &Value::Null))
}

async fn token_list(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    caller::bearer(&headers, &cloud)?;
    let query = Query::parse(query.as_deref())?;
    let documents = cloud.ixon.tokens.documents();
    let all = documents.iter().map(|document| (document["publicId"].as_str().unwrap_or_default(), document));
    let (data, more_after) = query.page(all, Clone::clone, cloud.faults())?;
    Ok(list("AccessToken", data, more_after, cloud.faults()))
}

async fn delete_token(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, Path(public_id): Path<String>) -> Answer {
    caller::bearer(&headers, &cloud)?;
    if cloud.ixon.tokens.delete_by_id(&public_id) {
        Ok(single(StatusCode::OK, "AccessToken", &Value::Null))
    } else {
        Err(Problem::invalid("publicId").with_status(StatusCode::NOT_FOUND))
    }
}

async fn companies(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    caller::bearer(&headers, &cloud)?;
    let query = Query::parse(query.as_deref())?;
    let all = [agents::COMPANY, agents::SECOND_COMPANY].into_iter().map(|company| (company.public_id, company));
    let (data, more_after) = query.page(all, Company::document, cloud.faults())?;
    Ok(list("Company", data, more_after, cloud.faults()))
}

async fn my_company(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let company = caller::company(&headers, &cloud)?;
    Ok(single(StatusCode::OK, "Company", &Query::parse(query.as_deref())?.cut(&company.document())?))
}

async fn my_user(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    caller::bearer(&headers, &cloud)?;
    Ok(single(StatusCode::OK, "User", &Query::parse(query.as_deref())?.cut(&cloud.ixon.tokens.user())?))
}

/// Answers with the sector, for which no bearer is needed (vendors/ixon.md section 4.9).
async fn my_sector(headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    caller::application(&headers)?;
    Ok(single(StatusCode::OK, "Sector", &Query::parse(query.as_deref())?.cut(&sector())?))
}

/// Lists the sectors, of which there is one.
async fn sectors(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    caller::application(&headers)?;
    let cut = Query::parse(query.as_deref())?.cut(&sector())?;
    Ok(list("Sector", vec![cut], None, cloud.faults()))
}

fn sector() -> Value {
    json!({ "publicId": agents::SECTOR, "name": "IXON Cloud" })
}

async fn agent_list(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, RawQuery(query): RawQuery) -> Answer {
    let company = caller::company(&headers, &cloud)?;
    let query = Query::parse(query.as_deref())?;
    let connected = cloud.ixon.daemon.connected_agent();
    let all = cloud.ixon.agents.of(company).map(|agent| (agent.public_id.as_str(), agent));
    let document = |agent: &Agent| cloud.agent_document(agent, connected.as_deref());
    let (data, more_after) = query.page(all, document, cloud.faults())?;
    Ok(list("Agent", data, more_after, cloud.faults()))
}

async fn one_agent(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
    Path(public_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let company = caller::company(&headers, &cloud)?;
    let connected = cloud.ixon.daemon.connected_agent();
    let document = cloud.agent_document(cloud.agent(&public_id, company)?, connected.as_deref());
    Ok(single(StatusCode::OK, "Agent", &Query::parse(query.as_deref())?.cut(&document)?))
}

/// Switches the router's own VPN (vendors/ixon.md section 4.11).
async fn switch_one(
    State(cloud): State<Arc<Cloud>>,
    headers: HeaderMap,
    Path(public_id): Path<String>,
    body: Bytes,
) -> Answer {
    let company = caller::company(&headers, &cloud)?;
    let body: Value = serde_json::from_slice(&body).map_err(|_| Problem::invalid("body"))?;
    cloud.switch(&public_id, company, &body)?;
    Ok(single(StatusCode::CREATED, "Agent", &Value::Null))
}

async fn switch_many(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, body: Bytes) -> Answer {
    let company = caller::company(&headers, &cloud)?;
    let body: Value = serde_json::from_slice(&body).map_err(|_| Problem::invalid("body"))?;
    // The vendor's OpenAPI says of every list body that it may be one item.
    let items = body.as_array().map_or(std::slice::from_ref(&body), Vec::as_slice);
    for item in items {
        let public_id = item["publicId"].as_str().ok_or_else(|| Problem::invalid("publicId"))?;
        cloud.switch(public_id, company, item)?;
    }
    Ok(single(StatusCode::CREATED, "Agent", &Value::Null))
}

impl Cloud {
    fn switch(&self, public_id: &str, company: Company, body: &Value) -> Result<(), Problem> {
        let agent = self.agent(public_id, company)?;
        let on = match body["action"].as_str() {
            Some("connect") => true,
            Some("disconnect") => false,
            _ => return Err(Problem::invalid("action")),
        };
        if self.ixon.agents.switch(agent, on) { Ok(()) } else { Err(Problem::not_online()) }
    }

    /// Finds the token that a bearer names.
    pub(super) fn token(&self, secret: &str) -> Result<tokens::Token, Problem> {
        self.ixon.tokens.find(secret)
    }
}

async fn unknown() -> Problem {
    status_problem("404")
}
