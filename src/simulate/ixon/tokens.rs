//! Access tokens of the cloud and the user they belong to (vendors/ixon.md section 3).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::rand::SecureRandom as _;
use serde_json::{Value, json};

use super::answers::Problem;
use crate::simulate::faults::Faults;

/// The one user's e-mail address.
pub(super) const EMAIL: &str = "demo@example.org";
/// The one user's password; its colon, its umlaut and the `+` of its base64 are traps for careless encoders.
pub(super) const PASSWORD: &str = "demo:pässword>>?~";
/// The code that the second factor takes.
pub(super) const OTP: &str = "123456";
/// A token that exists from the start.
pub(super) const TOKEN: &str = "vpnctlSimulatedToken000000000001";

/// The bounds of a token's life in seconds.
const LIFE: std::ops::RangeInclusive<u64> = 60..=5_184_000;
const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";

/// A token that is known to the cloud.
#[derive(Debug, Clone)]
pub(super) struct Token {
    public_id: String,
    created_at: SystemTime,
    expires_at: SystemTime,
}

/// Holds the tokens by their secretId.
#[derive(Debug)]
pub(super) struct Tokens {
    by_secret: Mutex<BTreeMap<String, Token>>,
    faults: Faults,
}

impl Tokens {
    /// Makes the store with [`TOKEN`] in it.
    pub(super) fn new(faults: Faults) -> Self {
        let token = Token::lasting("TTTTTTTTTTTT".to_owned(), *LIFE.end());
        Self { by_secret: Mutex::new(BTreeMap::from([(TOKEN.to_owned(), token)])), faults }
    }

    /// Finds a token that holds.
    pub(super) fn find(&self, secret: &str) -> Result<Token, Problem> {
        let known = self.map(|tokens| tokens.get(secret).cloned());
        match known {
            Some(token) if token.ends(&self.faults) > SystemTime::now() && !self.faults.is_on("token-expired") => {
                Ok(token)
            }
            _ => Err(Problem::token_gone()),
        }
    }

    /// Ends a token.
    pub(super) fn delete(&self, secret: &str) {
        self.map(|tokens| tokens.remove(secret));
    }

    /// Lists the documents of all tokens.
    pub(super) fn documents(&self) -> Vec<Value> {
        let all: Vec<Token> = self.map(|tokens| tokens.values().cloned().collect());
        all.iter().map(|token| self.document(token)).collect()
    }

    /// Ends a token by its publicId; tells whether there was one.
    pub(super) fn delete_by_id(&self, public_id: &str) -> bool {
        self.map(|tokens| {
            let before = tokens.len();
            tokens.retain(|_, token| token.public_id != public_id);
            tokens.len() < before
        })
    }

    /// Makes a token for who logs in with the `Authorization` header and the body given; gives its whole document.
    pub(super) fn create(&self, authorization: &str, body: &[u8]) -> Result<Value, Problem> {
        if self.faults.take("login-rate-limited").is_some() {
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "Login is rate limited"));
        }
        self.log_in(authorization)?;
        let body: Value = serde_json::from_slice(body).map_err(|_| Problem::invalid("body"))?;
        let life = body.get("expiresIn").and_then(Value::as_u64).filter(|seconds| LIFE.contains(seconds));
        let life = life.ok_or_else(|| Problem::invalid("expiresIn"))?;
        check_scope(body.get("scope"))?;
        let secret = random(32).ok_or_else(|| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "No randomness"))?;
        let public_id = random(12).unwrap_or_default();
        let token = Token::lasting(public_id, life);
        let mut document = self.document(&token);
        document["secretId"] = json!(secret);
        self.map(|tokens| tokens.insert(secret, token));
        Ok(document)
    }

    /// Checks `Basic base64(email:otp:password)`.
    fn log_in(&self, authorization: &str) -> Result<(), Problem> {
        let refused = |message| Problem::new(StatusCode::UNAUTHORIZED, message);
        let wrong = || Problem::invalid("Authorization").with_status(StatusCode::UNAUTHORIZED);
        let encoded = authorization.strip_prefix("Basic ").ok_or_else(wrong)?;
        let decoded =
            STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)?;
        let mut parts = decoded.splitn(3, ':');
        let (Some(email), Some(otp), Some(password)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        if email != EMAIL {
            return Err(refused("Unknown user"));
        }
        if password != PASSWORD {
            return Err(refused("Basic authentication failed"));
        }
        if self.faults.is_on("otp-enforced") {
            return Err(refused("2FA is required"));
        }
        match self.faults.arg("otp-needed").as_deref() {
            Some("v1") if otp.is_empty() => Err(refused("One-Time Password required")),
            Some("v1") if otp != OTP => Err(refused("One-Time Password failed")),
            Some(_) if otp != OTP => Err(refused("Two Factor Authentication required")),
            _ => Ok(()),
        }
    }

    /// Gives a token's document, without the secretId, which is shown only once.
    pub(super) fn document(&self, token: &Token) -> Value {
        let end = token.ends(&self.faults);
        let seconds = end.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let expires_on = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        json!({
            "publicId": token.public_id,
            "expiresOn": expires_on.map(|time| time.to_string()),
            "ssoIdentityProvider": null,
        })
    }

    /// Gives the user's document.
    pub(super) fn user(&self) -> Value {
        json!({
            "publicId": "UUUUUUUUUUUU",
            "type": "person",
            "name": "Example User",
            "emailAddress": EMAIL,
            "otpAuth": { "required": self.faults.is_on("otp-needed"), "type": "app" },
        })
    }

    fn map<T>(&self, f: impl FnOnce(&mut BTreeMap<String, Token>) -> T) -> T {
        f(&mut self.by_secret.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Token {
    fn lasting(public_id: String, seconds: u64) -> Self {
        let created_at = SystemTime::now();
        Self { public_id, created_at, expires_at: created_at + Duration::from_secs(seconds) }
    }

    /// Tells when it expires, which the fault `token-life` brings nearer.
    fn ends(&self, faults: &Faults) -> SystemTime {
        let life = faults.number("token-life").map(Duration::from_secs);
        life.map_or(self.expires_at, |life| self.expires_at.min(self.created_at + life))
    }
}

/// Checks `{"type":"unrestricted"}`, or `allow` and `deny` with their list of rels.
fn check_scope(scope: Option<&Value>) -> Result<(), Problem> {
    let Some(scope) = scope else { return Ok(()) };
    let named = |rels: &Vec<Value>| rels.iter().all(|rel| rel["rel"].is_string());
    let valid = match scope["type"].as_str() {
        Some("unrestricted") => true,
        Some("allow" | "deny") => scope["rels"].as_array().is_some_and(named),
        _ => false,
    };
    if valid { Ok(()) } else { Err(Problem::invalid("scope")) }
}

/// Makes that many letters and digits by chance; `None` where the system gives no randomness.
fn random(length: usize) -> Option<String> {
    let mut bytes = vec![0; length];
    ring::rand::SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes.into_iter().map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])).collect())
}
