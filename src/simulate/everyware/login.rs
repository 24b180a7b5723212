//! The calls below `/authentication` (section 3).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::accounts::PERMISSIONS;
use super::answers::{self, Answer, Refusal};
use super::ids::Id;
use super::lockout::Lockout;
use super::tokens::{Session, date, random_uuid};
use super::{ACCOUNT, API_KEY, Everyware, MFA_CODE, MFA_PASSWORD, MFA_USERNAME, PASSWORD, USERNAME, lock};

/// How long a device that is trusted needs no second factor: 30 days.
const TRUSTED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A user that can log in.
#[derive(Debug)]
struct User {
    name: &'static str,
    password: &'static str,
    id: &'static str,
    has_mfa: bool,
}

const USERS: [User; 2] = [
    User { name: USERNAME, password: PASSWORD, id: "UlM9TGpJJ-g", has_mfa: false },
    User { name: MFA_USERNAME, password: MFA_PASSWORD, id: "LTcVBfHB2lo", has_mfa: true },
];

/// What logins leave behind.
#[derive(Debug, Default)]
pub(super) struct Logins {
    /// By user name; an unknown name has none, and is refused in the same way.
    lockouts: HashMap<&'static str, Lockout>,
    /// User name and end of trust by trust key.
    trusted: BTreeMap<String, (&'static str, Timestamp)>,
}

/// Gives the routes of logins.
pub(super) fn routes() -> Router<Arc<Everyware>> {
    Router::new()
        .route("/v1/authentication/user", post(by_password))
        .route("/v1/authentication/apikey", post(by_api_key))
        .route("/v1/authentication/refresh", post(refresh))
        .route("/v1/authentication/info", get(info))
        .route("/v1/authentication/logout", post(log_out))
}

async fn by_password(State(everyware): State<Arc<Everyware>>, body: Bytes) -> Answer {
    let body = object(&body)?;
    let (name, password) = (text(&body, "username")?, text(&body, "password")?);
    let faults = &everyware.context.faults;
    if faults.take("refuse-login").is_some() || faults.is_on("locked") {
        return Err(answers::login_refused());
    }
    let user = USERS.iter().find(|user| user.name == name).ok_or_else(answers::login_refused)?;
    let needs_code = user.has_mfa || faults.is_on("mfa");
    let trust_key = lock(&everyware.logins).admit(user, password, needs_code, faults.is_on("trust-expired"), &body)?;
    answers::document(&lock(&everyware.tokens).issue(Id::known(user.id), trust_key, faults))
}

async fn by_api_key(State(everyware): State<Arc<Everyware>>, body: Bytes) -> Answer {
    let body = object(&body)?;
    let key = text(&body, "apiKey")?;
    let faults = &everyware.context.faults;
    if faults.take("refuse-login").is_some() || key != API_KEY {
        return Err(answers::login_refused());
    }
    // An API key never needs a second factor (section 3.4, MFA scope).
    answers::document(&lock(&everyware.tokens).issue(Id::known(USERS[0].id), None, faults))
}

impl Logins {
    /// Lets a user in, or counts a failure; gives a new trust key where one was asked for.
    fn admit(
        &mut self,
        user: &User,
        password: &str,
        needs_code: bool,
        trust_expired: bool,
        body: &Value,
    ) -> Result<Option<String>, Refusal> {
        let now = Timestamp::now();
        let is_trusted = !trust_expired && self.is_trusted(user, body, now);
        let lockout = self.lockouts.entry(user.name).or_default();
        if lockout.is_locked(now) {
            return Err(answers::login_refused());
        }
        if user.password != password {
            lockout.fail(now);
            return Err(answers::login_refused());
        }
        let mut trust_key = None;
        if needs_code && !is_trusted {
            // The vendor's example has a number here, its rule asks for a string (section 7, row 11).
            let code = match &body["authenticationCode"] {
                Value::String(code) => code.clone(),
                Value::Number(code) => code.to_string(),
                _ => return Err(answers::mfa_required()),
            };
            if code != MFA_CODE {
                lockout.fail(now);
                return Err(answers::login_refused());
            }
            if body["trustMe"] == true {
                let key = random_uuid();
                self.trusted.insert(key.clone(), (user.name, now.saturating_add(TRUSTED).unwrap_or(now)));
                trust_key = Some(key);
            }
        }
        lockout.succeed();
        Ok(trust_key)
    }

    fn is_trusted(&self, user: &User, body: &Value, now: Timestamp) -> bool {
        let entry = body["trustKey"].as_str().and_then(|key| self.trusted.get(key));
        entry.is_some_and(|(name, end)| *name == user.name && now < *end)
    }
}

async fn refresh(State(everyware): State<Arc<Everyware>>, body: Bytes) -> Answer {
    let body = object(&body)?;
    let (token_id, refresh) = (text(&body, "tokenId")?, text(&body, "refreshToken")?);
    let faults = &everyware.context.faults;
    let issued = lock(&everyware.tokens).refresh(token_id, refresh, faults);
    match issued {
        Ok(document) => answers::document(&document),
        Err(_) if faults.is_on("empty-401") => Err(answers::login_refused()),
        Err(text) => Err(answers::refresh_error(text)),
    }
}

async fn log_out(State(everyware): State<Arc<Everyware>>, Extension(session): Extension<Session>) -> Response {
    lock(&everyware.tokens).invalidate(&session.token);
    StatusCode::NO_CONTENT.into_response()
}

async fn info(State(everyware): State<Arc<Everyware>>, Extension(session): Extension<Session>) -> Answer {
    let mut token = lock(&everyware.tokens).document(&session.token).unwrap_or_default();
    if let Some(fields) = token.as_object_mut() {
        // The vendor's example has no type inside.
        fields.shift_remove("type");
    }
    let owner = Id::known(ACCOUNT);
    let made = date(Timestamp::UNIX_EPOCH.saturating_add(SignedDuration::from_hours(440_000)).unwrap_or_default());
    let entries = PERMISSIONS.iter().zip(1_i64..).filter(|((domain, action), _)| everyware.grants(domain, action));
    let (mut access, mut roles) = (Vec::new(), Vec::new());
    for ((domain, action), number) in entries {
        let mut entry = json!({
            "id": owner.derived(number),
            "scopeId": owner,
            "createdOn": made,
            "createdBy": "AQ",
        });
        // Rights given to the user alone and rights of its role; the plurals differ as in the vendor's example.
        let (list, key) = if *domain == "vpn" { (&mut access, "accessInfoId") } else { (&mut roles, "roleId") };
        entry[key] = json!(owner.derived(100));
        entry["permission"] = json!({"domain": domain, "action": action, "targetScopeId": owner, "forwardable": everyware.forwards(domain, action)});
        list.push(entry);
    }
    answers::document(&json!({
        "type": "loginInfo",
        "accessPermission": access,
        "accessToken": token,
        "rolePermission": roles,
    }))
}

/// Reads a body that must be an object.
fn object(body: &Bytes) -> Result<Value, Refusal> {
    // What the vendor answers to a body that is no JSON is not documented beyond the status.
    serde_json::from_slice(body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| StatusCode::BAD_REQUEST.into_response().into())
}

/// Reads a field that must be a string; old manuals show arrays, which are wrong (section 7, row 3).
fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    match &body[name] {
        Value::String(text) => Ok(text),
        Value::Null => Err(answers::illegal_null_argument(name)),
        other => Err(answers::illegal_argument(name, &other.to_string())),
    }
}
