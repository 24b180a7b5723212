//! Sessions with the box: a challenge signed by HMAC-SHA1 with the app token, <https://dev.freebox.fr/sdk/os/login/>.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::HeaderMap;
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::api::{PEER, decode, envelope};
use super::config::Config;
use super::failure;
use super::redact::Known;
use super::wire::{Challenge, Envelope, Open, Opened};
use crate::backend::Opening;
use crate::backends::shared::Refused;
use crate::error::{Code, Error, Layer, Result};
use crate::http::call::{header_value, sendable};
use crate::http::{Call, Protocol, Reply, Transport, Verdict};
use crate::secrets::{SecretRef, Secrets, digest};
use crate::state::{Guard, Store};

/// The right that writes need, and without which secrets are hidden.
pub(super) const WRITE_RIGHT: &str = "settings";
/// The header that carries the session.
const SESSION_HEADER: &str = "x-fbx-app-auth";

/// Where the box's API begins, below its root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) uid: Option<String>,
    /// The name and port by which it is reached from outside its network.
    pub(super) api_domain: Option<String>,
    pub(super) https_port: Option<u16>,
}

/// How many bytes more a document may be by a pairing and its first session: several times what they are.
const PAIRING_ROOM: usize = 4096;

/// How long a login that the box refused is not sent again by itself, in seconds: it counts them, by an address, and shuts
/// out all that come from there.
const REFUSAL_HOLDS: i64 = 300;

/// A session that was opened.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    pub(super) token: String,
    pub(super) rights: BTreeMap<String, bool>,
}

/// What is remembered of a box.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// What the rest belongs to: URL, app and app token. Of another one nothing is used.
    pub(super) owner: String,
    /// The token of a pairing made by `auth login`; it is never sent, only signed with.
    pub(super) app_token: Option<String>,
    pub(super) place: Option<Place>,
    pub(super) session: Option<Token>,
    /// When a login with this token was refused last, in unix time.
    pub(super) refused_at: Option<i64>,
    /// Whether that was because of how many were refused before.
    pub(super) limited: bool,
    /// Name and type of each tunnel.
    pub(super) ids: BTreeMap<String, (Option<String>, Option<String>)>,
}

/// Keeps the session with one box.
pub(super) struct Auth {
    pub(super) transport: Transport,
    pub(super) config: Config,
    pub(super) store: Store,
    memory: Mutex<Memory>,
    generation: Mutex<u64>,
    renewing: tokio::sync::Mutex<()>,
    pub(super) refused: Refused,
    /// The secrets of configurations that went either way.
    secrets: Mutex<Known>,
    fresh: AtomicBool,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Auth {
    pub(super) fn new(opening: &Opening, config: Config, transport: Transport) -> Self {
        let auth = Self {
            transport,
            config,
            store: opening.store.clone(),
            memory: Mutex::default(),
            generation: Mutex::new(0),
            renewing: tokio::sync::Mutex::default(),
            refused: Refused::default(),
            secrets: Mutex::default(),
            fresh: AtomicBool::new(false),
        };
        let memory = auth.owned(auth.store.read());
        auth.set_memory(memory);
        auth
    }

    /// Learns the secrets of a document, so that no message repeats them.
    pub(super) fn learn(&self, document: &serde_json::Value) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).learn(document);
    }

    /// Gives what the box says without what it was told in confidence: it may quote the field that it finds wrong.
    fn discreet(&self, answer: Envelope) -> Envelope {
        let known = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let without = |text: Option<String>| text.map(|text| known.without(&self.hide_own(&text)));
        Envelope {
            msg: without(answer.msg),
            error_code: without(answer.error_code),
            missing_right: without(answer.missing_right),
            ..answer
        }
    }

    /// Gives what the box says without what this login was made with, which it may repeat.
    pub(super) fn hide_own(&self, text: &str) -> String {
        let secrets = self.transport.secrets();
        self.hold(secrets);
        secrets.hide(text)
    }

    /// Names what a session belongs to, so that none is sent elsewhere or used with another token.
    fn owner(&self, memory: &Memory) -> String {
        let token = match &self.config.app_token {
            Some(secret) => secret.mark(),
            None => memory.app_token.as_deref().map(|token| digest(&[token])).unwrap_or_default(),
        };
        let address = self.transport.settings().connect_address.as_deref().unwrap_or_default();
        digest(&[&self.config.url, address, &self.config.app_id, &token])
    }

    /// Keeps of a memory what belongs to this configuration.
    pub(super) fn owned(&self, memory: Memory) -> Memory {
        let owner = self.owner(&memory);
        if memory.owner == owner {
            return memory;
        }
        Memory { owner, app_token: memory.app_token, ..Memory::default() }
    }

    pub(super) fn memory(&self) -> Memory {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_memory(&self, memory: Memory) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = memory;
    }

    fn generation(&self) -> u64 {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers where the API begins; it is written with the session that follows.
    pub(super) fn set_place(&self, place: Place) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).place = Some(place);
    }

    /// Changes what is remembered, here and in the state folder; tells whether it is kept there.
    pub(super) async fn remember(&self, change: impl FnOnce(&mut Memory)) -> Result<bool> {
        let guard = self.store.lock().await?;
        let mut memory = self.owned(guard.read());
        memory.place = memory.place.or(self.memory().place);
        change(&mut memory);
        memory.owner = self.owner(&memory);
        let kept = keep(&guard, &memory);
        self.set_memory(memory);
        Ok(kept)
    }

    /// Makes sure that a pairing would be kept: somebody goes to the box for it, and the token can't be had again.
    pub(super) async fn prepare_to_keep(&self) -> Result<()> {
        let guard = self.store.lock().await?;
        let memory = self.owned(guard.read());
        guard.prepare(&memory, PAIRING_ROOM).map_err(|why| {
            self.unkept(&format!("the box was not asked for a pairing, which could not be kept here: {why}"))
        })
    }

    /// Says that a pairing is not kept, and where it could be.
    pub(super) fn unkept(&self, what: &str) -> Error {
        let backend = &self.transport.settings().backend;
        Error::config(what).backend(backend).hint(format!(
            "make room in the state folder, which has to be your own and writable, or name another with \
             VPNCTL_STATE_DIR; then run: vpnctl auth login -b {backend}"
        ))
    }

    /// Gives the app token, from the configuration or from an earlier pairing.
    async fn app_token(&self, memory: &Memory) -> Result<SecretString> {
        // Where the keyring did not take the token of a pairing, it is kept here.
        let here = |secret: &SecretRef| secret.is_kept_for_us() && memory.app_token.is_some();
        if let Some(secret) = self.config.app_token.as_ref().filter(|secret| !here(secret)) {
            return self.refused.fetch(secret, "app_token").await;
        }
        memory.app_token.clone().map(SecretString::from).ok_or_else(|| {
            let backend = &self.transport.settings().backend;
            Error::new(Code::AuthRequired, Layer::Auth, format!("vpnctl is not paired with the box of `{backend}`"))
                .backend(backend)
                .hint(format!("run: vpnctl auth login -b {backend}"))
        })
    }

    /// Makes a session, or takes the one that another process has made meanwhile. Holds the lock all the while, so
    /// that many processes make one.
    pub(super) async fn open_session(&self, stale: Option<&Token>) -> Result<Token> {
        let guard = self.store.lock().await?;
        let mut memory = self.owned(guard.read());
        if let Some(session) = memory.session.clone().filter(|session| Some(session) != stale) {
            self.set_memory(Memory { place: self.memory().place.or(memory.place.clone()), ..memory });
            return Ok(session);
        }
        memory.place = self.memory().place.or(memory.place);
        let app_token = self.app_token(&memory).await?;
        self.refused.check()?;
        self.still_refused(&memory)?;
        let session = match self.refused.note(self.sign_in(&app_token, &memory).await) {
            Err(error) if matches!(error.code(), Code::AuthRejected | Code::HttpRateLimited) => {
                // The other processes need not find that out each by a refusal, which the box counts.
                memory.refused_at = Some(jiff::Timestamp::now().as_second());
                memory.limited = error.code() == Code::HttpRateLimited;
                // Where the token is none any more, neither is the session.
                memory.session = memory.session.filter(|_| memory.limited);
                keep(&guard, &memory);
                self.set_memory(memory);
                return Err(error);
            }
            made => made?,
        };
        (memory.session, memory.refused_at, memory.limited) = (Some(session.clone()), None, false);
        // Names of tunnels hold as long as the session does.
        memory.ids.clear();
        memory.owner = self.owner(&memory);
        keep(&guard, &memory);
        self.set_memory(memory);
        self.fresh.store(true, Ordering::SeqCst);
        Ok(session)
    }

    /// Fails where the same login was refused lately, by whatever command: sent again, it would be refused again.
    fn still_refused(&self, memory: &Memory) -> Result<()> {
        let ago = memory.refused_at.map(|at| jiff::Timestamp::now().as_second() - at);
        let Some(ago) = ago.filter(|ago| (0..REFUSAL_HOLDS).contains(ago)) else { return Ok(()) };
        let backend = &self.transport.settings().backend;
        if memory.limited {
            let what = format!("{PEER} limited logins {} min ago, so none is sent for now", ago / 60);
            let left = std::time::Duration::from_secs((REFUSAL_HOLDS - ago).unsigned_abs());
            return Err(Error::new(Code::HttpRateLimited, Layer::Auth, what)
                .later()
                .backend(backend)
                .retry_after(Some(left))
                .hint(format!("wait some minutes, or try once more: vpnctl auth login -b {backend}")));
        }
        let what = format!("{PEER} refused this login {} min ago, so it is not tried again", ago / 60);
        Err(Error::new(Code::AuthRejected, Layer::Auth, what)
            .backend(backend)
            .hint(format!("correct the app token or pair again, or try once more: vpnctl auth login -b {backend}")))
    }

    /// Forgets that a login was refused, before one that somebody asked for.
    pub(super) async fn forget_refusal(&self) -> Result<()> {
        self.refused.forget();
        if self.memory().refused_at.is_none() && self.owned(self.store.read()).refused_at.is_none() {
            return Ok(());
        }
        self.remember(|memory| memory.refused_at = None).await.map(drop)
    }

    async fn sign_in(&self, app_token: &SecretString, memory: &Memory) -> Result<Token> {
        let base = self.base(memory);
        let reply = self
            .transport
            .call(self, &Call::get("login", format!("{base}login/")).open().at_root().confidential())
            .await?;
        let offered: Challenge = result_of(&reply, "login")?;
        let challenge = text_challenge(offered)?;
        let password = sign(app_token, &challenge);
        let body = Open { app_id: &self.config.app_id, password: &password };
        // A session that nobody learns of does no harm, but a refusal must not be repeated: sent once.
        let call = Call::write("session", Method::POST, format!("{base}login/session/"))
            .json(&body)?
            .open()
            .at_root()
            .confidential();
        let reply = self.transport.call(self, &call).await?;
        let opened: Opened = result_of(&reply, "session")?;
        sendable(PEER, "a session", &opened.session_token)?;
        Ok(Token { token: opened.session_token, rights: opened.permissions })
    }

    /// Gives the versioned base; `api/latest/` serves where it is not known yet.
    pub(super) fn base(&self, memory: &Memory) -> String {
        match (self.config.api_version, &memory.place) {
            (Some(version), _) => format!("api/v{version}/"),
            (None, Some(place)) => place.path.clone(),
            (None, None) => "api/latest/".to_owned(),
        }
    }

    /// Makes sure that the session has the right that writes need, where a new one could have it: a right that is missing
    /// hides secrets too, and what was read without it must not be written back once it is there.
    /// Tells whether there is a new session.
    pub(super) async fn refresh_rights(&self) -> Result<bool> {
        let _one = self.renewing.lock().await;
        let Some(session) = self.memory().session else { return Ok(false) };
        if self.fresh.load(Ordering::SeqCst) || session.rights.get(WRITE_RIGHT).copied().unwrap_or(false) {
            return Ok(false);
        }
        self.open_session(Some(&session)).await?;
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Ok(true)
    }

    /// Tells whether the box is Iliad's, whose web interface is elsewhere.
    pub(super) fn is_italian(&self) -> bool {
        let host = self.transport.settings().url.host_str().unwrap_or_default();
        let remote = self.memory().place.and_then(|place| place.api_domain).unwrap_or_default();
        [host, &remote].iter().any(|name| name.ends_with(".iliad.it") || name.ends_with(".ibxos.it"))
    }

    /// Forgets session and pairing.
    pub(super) fn forget(&self, guard: &Guard) {
        let memory = Memory::default();
        keep(guard, &memory);
        self.set_memory(memory);
    }
}

/// Takes the text of an answer away that may hold keys: an answer that broke off in the middle is quoted in an error.
fn without_secrets(call: &Call, reply: &Reply) -> Reply {
    let text = String::from_utf8_lossy(&reply.body);
    let mut reply = reply.clone();
    if call.path.contains("vpn_client/config")
        || text.contains("conf_")
        || text.contains("_token")
        || text.contains("_key")
    {
        reply.body = b"(not shown, for it may hold keys)".to_vec();
    }
    reply
}

/// Signs a challenge: lower-case hexadecimal HMAC-SHA1, keyed with the app token.
fn sign(app_token: &SecretString, challenge: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, app_token.expose_secret().as_bytes());
    let tag = hmac::sign(&key, challenge.as_bytes());
    tag.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

pub(super) fn text_challenge(offered: Challenge) -> Result<String> {
    match offered.challenge {
        Some(serde_json::Value::String(challenge)) => Ok(challenge),
        _ => Err(Error::new(
            Code::VendorProtocol,
            Layer::Auth,
            format!("{PEER} offers the login of its web interface, not the one for applications"),
        )
        .hint("check that `url` is the box itself and nothing that logs in by cookie in between")),
    }
}

/// Decodes the result of an answer that has one.
pub(super) fn result_of<T: serde::de::DeserializeOwned>(reply: &Reply, operation: &str) -> Result<T> {
    decode(envelope(reply, operation)?.result.unwrap_or(serde_json::Value::Null), operation)
}

#[async_trait]
impl Protocol for Auth {
    async fn authorize(&self, headers: &mut HeaderMap) -> Result<u64> {
        let session = match self.memory().session {
            Some(session) => session,
            None => {
                let _one = self.renewing.lock().await;
                match self.memory().session {
                    Some(session) => session,
                    None => self.open_session(None).await?,
                }
            }
        };
        headers.insert(SESSION_HEADER, header_value(SESSION_HEADER, &session.token, true)?);
        Ok(self.generation())
    }

    async fn renew(&self, stale: u64) -> Result<bool> {
        let _one = self.renewing.lock().await;
        if self.generation() != stale {
            return Ok(false);
        }
        let ended = self.memory().session;
        self.open_session(ended.as_ref()).await?;
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Ok(true)
    }

    fn hold(&self, secrets: &Secrets) {
        let memory = self.memory();
        let configured = self.config.app_token.as_ref().and_then(SecretRef::at_hand);
        configured.iter().for_each(|secret| secrets.sends(secret.expose_secret()));
        let kept = memory.session.iter().map(|session| session.token.as_str()).chain(memory.app_token.as_deref());
        kept.for_each(|secret| secrets.sends(secret));
    }

    fn verdict(&self, call: &Call, reply: &Reply) -> Verdict {
        if call.operation == "api_version" && reply.status.is_success() {
            return Verdict::Done;
        }
        // The box fails with HTTP 200, and explains 403 and 404 in its envelope: the body comes first.
        let backend = &self.transport.settings().backend;
        match reply.maybe_json::<Envelope>() {
            Some(answer) if answer.success && reply.status.is_success() => Verdict::Done,
            Some(answer) if answer.success => Verdict::Failed(failure::contradictory(call, reply)),
            Some(answer) => {
                let answer = self.discreet(answer);
                let known = failure::Known {
                    backend,
                    app_id: &self.config.app_id,
                    italian: self.is_italian(),
                    uid: self.memory().place.and_then(|place| place.uid),
                };
                let error = failure::of(&known, &answer, reply);
                match answer.error_code.as_deref() {
                    Some("auth_required" | "invalid_session") => Verdict::Stale(error),
                    // A right that was ticked meanwhile counts from the next session on.
                    Some("insufficient_rights") if !self.fresh.load(Ordering::SeqCst) => Verdict::Stale(error),
                    _ => Verdict::Failed(error),
                }
            }
            None => {
                let mut reply = without_secrets(call, reply);
                reply.body = self.hide_own(&String::from_utf8_lossy(&reply.body)).into_bytes();
                let reply = &reply;
                Verdict::Failed(
                    crate::http::server_failure(PEER, reply)
                        .unwrap_or_else(|| crate::http::unparsable(PEER, call.operation, reply, "no envelope")),
                )
            }
        }
    }
}

/// Writes what is remembered, and tells whether it is kept; a pairing takes somebody to the box, all else is had again by
/// asking.
fn keep(guard: &Guard, memory: &Memory) -> bool {
    if memory.app_token.is_some() { guard.write(memory) } else { guard.write_soon(memory) }
}

#[cfg(test)]
mod tests {
    use super::sign;

    #[test]
    fn passwords_are_those_of_the_verified_vectors() {
        let documented = "dyNYgfK0Ya6FWGqq83sBHa7TwzWo+pg4fDFUJHShcjVYzTfaRrZzm93p7OTAfH/0";
        for (token, challenge, expected) in [
            ("app_token_xyz", "challenge_abc", "be7b5e38f88c5c286deaa71b6de3c38f11765f3e"),
            (documented, "VzhbtpR4r8CLaJle2QgJBEkyd8JPb0zL", "f93f2942420bcfbf33dad8febd0370be567544af"),
        ] {
            assert_eq!(sign(&token.into(), challenge), expected);
        }
    }
}
