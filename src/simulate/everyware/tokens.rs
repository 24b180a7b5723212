//! Access tokens: issued by logins, asked of every other call (sections 3.2 and 3.4).

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};

use super::super::faults::Faults;
use super::ids::Id;
use super::{ACCOUNT, BASE, Everyware, answers, lock};

/// How long a token lives: 30 minutes.
const TTL: SignedDuration = SignedDuration::from_secs(30 * 60);
/// How long it can be refreshed: 5 hours.
const REFRESH_TTL: SignedDuration = SignedDuration::from_hours(5);
/// How far behind the clock is that makes tokens which have expired at issue.
const BEHIND: SignedDuration = SignedDuration::from_hours(6);

/// The calls that need no bearer, below `/v1/authentication/`.
const OPEN: [&str; 3] = ["user", "apikey", "refresh"];

/// The four texts of a refused bearer (section 6).
const INVALIDATED: &str = "The provided AccessToken has been invalidated in the past";
const EXPIRED: &str = "The provided access token is expired";
const MALFORMED: &str = "The provided access token is malformed";
const OTHER: &str = "An error occurred during the authentication process with the provided access token";

/// Who makes a call.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// The scope of the user: what `_` stands for.
    pub(super) scope: Id,
    /// The bearer.
    pub(super) token: String,
}

/// One issued token.
#[derive(Debug, Clone)]
struct Token {
    id: Id,
    user: Id,
    created: Timestamp,
    expires: Timestamp,
    refresh: String,
    refresh_expires: Timestamp,
    trust_key: Option<String>,
    is_invalidated: bool,
    /// How far in the past its dates are told to be.
    shift: SignedDuration,
    /// How many calls it was sent with.
    uses: u64,
}

/// The tokens that were issued, by `tokenId`.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    issued: HashMap<String, Token>,
}

impl Tokens {
    /// Issues a token and gives its document.
    pub(super) fn issue(&mut self, user: Id, trust_key: Option<String>, faults: &Faults) -> Value {
        let created = Timestamp::now();
        let after = |fault: &str, usual: SignedDuration| {
            let seconds = faults.arg(fault).and_then(|text| text.parse::<f64>().ok());
            let span = seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
            created.saturating_add(span.unwrap_or(usual)).unwrap_or(created)
        };
        let token = Token {
            id: random_id(),
            user,
            created,
            expires: after("token-ttl", TTL),
            refresh: random_uuid(),
            refresh_expires: after("refresh-ttl", REFRESH_TTL),
            trust_key,
            is_invalidated: false,
            shift: if faults.is_on("token-expired-at-issue") { BEHIND } else { SignedDuration::ZERO },
            uses: 0,
        };
        let token_id = token.sign();
        let document = token.document(&token_id);
        self.issued.insert(token_id, token);
        document
    }

    /// Gives the document of a token.
    pub(super) fn document(&self, token_id: &str) -> Option<Value> {
        self.issued.get(token_id).map(|token| token.document(token_id))
    }

    /// Makes a token invalid, as a logout does.
    pub(super) fn invalidate(&mut self, token_id: &str) {
        if let Some(token) = self.issued.get_mut(token_id) {
            token.is_invalidated = true;
        }
    }

    /// Issues a new token for an old one, which is invalid from then on, also where it had not expired.
    ///
    /// # Errors
    /// Gives the text of REFRESH_ERROR.
    pub(super) fn refresh(&mut self, token_id: &str, refresh: &str, faults: &Faults) -> Result<Value, &'static str> {
        if !looks_like_token(token_id) {
            return Err("");
        }
        let token = self.issued.get_mut(token_id).ok_or("AccessToken not found")?;
        if token.is_invalidated {
            return Err("The provided AccessToken has been invalidated");
        }
        if token.refresh != refresh {
            return Err("The provided refresh token doesn't match the one for this AccessToken");
        }
        if token.refresh_expires <= Timestamp::now() {
            return Err("The provided refresh token is expired");
        }
        token.is_invalidated = true;
        let user = token.user;
        Ok(self.issue(user, None, faults))
    }

    /// Tells who a bearer is.
    fn check(&mut self, header: Option<&str>, faults: &Faults) -> Result<Session, &'static str> {
        if is_hit(faults) {
            self.issued.values_mut().for_each(|token| token.is_invalidated = true);
        }
        // The filter removes the word and takes the rest as the token (section 3.1).
        let token_id = header.ok_or(OTHER)?.replace("Bearer ", "");
        if !looks_like_token(&token_id) {
            return Err(MALFORMED);
        }
        let token = self.issued.get_mut(&token_id).ok_or(OTHER)?;
        token.uses += 1;
        if token.is_invalidated || faults.number("token-uses").is_some_and(|most| token.uses > most) {
            return Err(INVALIDATED);
        }
        if token.expires <= Timestamp::now() {
            return Err(EXPIRED);
        }
        Ok(Session { scope: Id::known(ACCOUNT), token: token_id })
    }
}

/// Tells whether `invalidate-tokens` is on, and switches it off where it has no count.
fn is_hit(faults: &Faults) -> bool {
    let is_hit = faults.take("invalidate-tokens").is_some();
    if is_hit && faults.list().iter().any(|written| written == "invalidate-tokens") {
        faults.clear("invalidate-tokens");
    }
    is_hit
}

impl Token {
    fn document(&self, token_id: &str) -> Value {
        let mut document = json!({
            "type": "accessToken",
            "id": self.id,
            "scopeId": ACCOUNT,
            "createdOn": self.told(self.created),
            "createdBy": self.user,
            "modifiedOn": self.told(self.created),
            "modifiedBy": self.user,
            "optlock": 1,
            "tokenId": token_id,
            "userId": self.user,
            "expiresOn": self.told(self.expires),
            "refreshToken": self.refresh,
            "refreshExpiresOn": self.told(self.refresh_expires),
        });
        if let (Some(fields), Some(key)) = (document.as_object_mut(), &self.trust_key) {
            fields.insert("trustKey".to_owned(), json!(key));
        }
        document
    }

    fn told(&self, moment: Timestamp) -> String {
        date(moment.saturating_sub(self.shift).unwrap_or(moment))
    }

    /// Makes a JWT of the vendor's shape; its signature is random, as nobody here verifies it.
    fn sign(&self) -> String {
        let seconds = |moment: Timestamp| moment.saturating_sub(self.shift).unwrap_or(moment).as_second();
        let payload = json!({
            "iss": "https://www.eclipse.org/kapua",
            "iat": seconds(self.created),
            "exp": seconds(self.expires),
            "sub": self.user,
            "sId": ACCOUNT,
        });
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
        let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
        format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(random::<256>()))
    }
}

/// Lets a call pass that has a live bearer or needs none.
pub(super) async fn require_bearer(
    State(everyware): State<Arc<Everyware>>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let is_open = path.strip_prefix("/v1/authentication/").is_some_and(|call| OPEN.contains(&call));
    if !path.starts_with(BASE) || is_open || request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let checked = lock(&everyware.tokens).check(header, &everyware.context.faults);
    match checked {
        Ok(session) => {
            request.extensions_mut().insert(session);
            next.run(request).await
        }
        Err(_) if everyware.context.faults.is_on("empty-401") => StatusCode::UNAUTHORIZED.into_response(),
        Err(text) => answers::container_page(StatusCode::UNAUTHORIZED, text, request.uri(), request.headers()),
    }
}

/// Writes a date as the vendor does: ISO 8601 in UTC (section 2, Dates).
pub(super) fn date(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Makes a random UUID: refresh tokens and trust keys are such.
pub(super) fn random_uuid() -> String {
    uuid::Builder::from_random_bytes(random()).into_uuid().to_string()
}

fn random_id() -> Id {
    // A sign would be right too, but the vendor's token ids have none.
    Id(i64::from_be_bytes(random()) & i64::MAX)
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without randomness tokens would repeat, which a simulation survives.
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes
}

fn looks_like_token(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && URL_SAFE_NO_PAD.decode(part).is_ok())
}
