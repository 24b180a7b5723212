//! Logins: by user and password or by API key, kept until they end, refreshed under the lock.
//!
//! Kapua locks a user for three hours after three refusals, so a refused login is remembered and not tried again: see
//! `attempts`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::accounts::Account;
use super::config::Config;
use super::convert;
use super::failure::PEER;
use super::wire::{AccessToken, KeyLogin, Refresh, UserLogin};
use crate::backend::Opening;
use crate::backends::shared::Refused;
use crate::error::{Code, Error, Layer, Result};
use crate::http::call::sendable;
use crate::http::{Call, Transport};
use crate::model::Target;
use crate::secrets::digest;
use crate::state::{Guard, Store};

/// How long before its end a token is no longer used, in seconds.
const MARGIN: i64 = 60;
/// How long a trusted computer needs no one-time code, in seconds: 30 days, less one that clocks may be off.
const TRUST_HOLDS: i64 = 29 * 24 * 3600;

/// A token and what renews it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    pub(super) token: String,
    pub(super) expires_on: Option<Timestamp>,
    pub(super) refresh: Option<String>,
    pub(super) refresh_expires_on: Option<Timestamp>,
}

/// The document in the state folder.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// What the rest belongs to.
    pub(super) owner: String,
    pub(super) token: Option<Token>,
    /// An API key given to `auth login`.
    pub(super) api_key: Option<String>,
    /// Whose API key was refused, as a digest, so that `auth logout` can forget that.
    pub(super) refused_key: Option<String>,
    /// Lets this computer log in without a one-time code.
    pub(super) trust_key: Option<String>,
    /// When that key was given: it is good for 30 days.
    pub(super) trusted_at: Option<Timestamp>,
    /// Client id and id of each device that a name was resolved to.
    pub(super) devices: BTreeMap<String, (String, String)>,
    /// The same where child accounts were searched too, with the id of the account where it is one of those.
    pub(super) below: BTreeMap<String, (String, String, Option<String>)>,
    /// The account that the configured scope means.
    pub(super) account: Option<Account>,
}

/// Keeps the login to one account.
pub(super) struct Auth {
    pub(super) transport: Transport,
    pub(super) config: Config,
    pub(super) store: Store,
    memory: Mutex<Memory>,
    /// The header that the last token makes.
    pub(super) header: Mutex<Option<(String, HeaderValue)>>,
    generation: Mutex<u64>,
    pub(super) renewing: tokio::sync::Mutex<()>,
    pub(super) refused: Refused,
    /// Whether the token of this process was past its end when it was made.
    ended_at_issue: AtomicBool,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What a login is made with.
pub(super) enum Credentials {
    /// An API key.
    Key(SecretString),
    /// A user and a password.
    User(String, SecretString),
}

impl Auth {
    pub(super) fn new(opening: &Opening, config: Config, transport: Transport) -> Self {
        let auth = Self {
            transport,
            config,
            store: opening.store.clone(),
            memory: Mutex::default(),
            header: Mutex::default(),
            generation: Mutex::new(0),
            renewing: tokio::sync::Mutex::default(),
            refused: Refused::default(),
            ended_at_issue: AtomicBool::new(false),
        };
        let memory = auth.owned(auth.store.read());
        auth.set(memory);
        auth
    }

    pub(super) fn backend(&self) -> &str {
        &self.config.source.name
    }

    /// Names what a token belongs to: it is sent nowhere else and used with no other login.
    fn owner(&self) -> String {
        let mark = |secret: &Option<crate::secrets::SecretRef>| {
            secret.as_ref().map(crate::secrets::SecretRef::mark).unwrap_or_default()
        };
        digest(&[
            &self.config.url,
            &self.config.scope,
            self.config.username.as_deref().unwrap_or_default(),
            &mark(&self.config.api_key),
            &mark(&self.config.password),
        ])
    }

    pub(super) fn owned(&self, memory: Memory) -> Memory {
        let owner = self.owner();
        if memory.owner == owner { memory } else { Memory { owner, ..Memory::default() } }
    }

    pub(super) fn get(&self) -> Memory {
        self.memory().clone()
    }

    /// Looks at what is remembered.
    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, memory: Memory) {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = memory;
    }

    pub(super) fn generation(&self) -> u64 {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_generation(&self) {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    pub(super) async fn change(&self, change: impl FnOnce(&mut Memory)) -> Result<()> {
        let guard = self.store.lock().await?;
        let mut memory = self.owned(guard.read());
        change(&mut memory);
        self.keep(&guard, memory);
        Ok(())
    }

    fn keep(&self, guard: &Guard, memory: Memory) {
        // A login is made again where it is lost; what somebody brought for it is not.
        if memory.api_key.is_some() || memory.trust_key.is_some() {
            guard.write(&memory);
        } else {
            guard.write_soon(&memory);
        }
        self.set(memory);
    }

    /// Tells whether a token still serves. One that was past its end when it was made belongs to a cloud whose clock
    /// is off; it serves the command that made it, so that nothing goes round for ever.
    pub(super) fn serves(&self, token: &Token) -> bool {
        self.ended_at_issue.load(Ordering::SeqCst) || lasts(token)
    }

    /// Gets a token: another process's, else by refresh, else by a login. Holds the lock all the while.
    ///
    /// `ended` is a token that the cloud no longer accepts, where that is why a new one is needed.
    pub(super) async fn acquire(&self, ended: Option<&Token>) -> Result<Token> {
        let guard = self.store.lock().await?;
        let mut memory = self.owned(guard.read());
        if let Some(token) = memory.token.clone().filter(|token| Some(token) != ended && self.serves(token)) {
            self.set(memory);
            return Ok(token);
        }
        let old = memory.token.clone();
        let token = match ended {
            None => match self.refreshed(old).await? {
                Some(token) => token,
                None => self.logged_in_anew(&guard, &mut memory).await?,
            },
            // A token that the cloud refuses was mostly invalidated, and then it can't be refreshed either: a login is
            // surer. Where nobody is there to log in, it may have ended only earlier than it said.
            Some(_) => match self.logged_in_anew(&guard, &mut memory).await {
                Err(error)
                    if matches!(error.code(), Code::AuthRequired | Code::AuthExpired | Code::AuthMfaRequired) =>
                {
                    match self.refreshed(old).await? {
                        Some(token) => token,
                        None => {
                            // The next command need not ask for that again.
                            memory.token.iter_mut().for_each(|token| token.refresh = None);
                            self.keep(&guard, memory);
                            return Err(error);
                        }
                    }
                }
                made => made?,
            },
        };
        memory.token = Some(token.clone());
        self.keep(&guard, memory);
        self.ended_at_issue.store(!lasts(&token), Ordering::SeqCst);
        Ok(token)
    }

    async fn refreshed(&self, old: Option<Token>) -> Result<Option<Token>> {
        let Some(old) = old else { return Ok(None) };
        let now = Timestamp::now();
        let Some(refresh) = old.refresh.as_deref().filter(|_| old.refresh_expires_on.is_none_or(|at| at > now)) else {
            return Ok(None);
        };
        let body = Refresh { refresh_token: refresh, token_id: &old.token };
        match self.authenticate("refresh", "authentication/refresh", &body).await {
            Ok((token, _)) => Ok(Some(token)),
            // Refused, or answered by what is no answer: somebody else has refreshed it, or it has ended. Logging in is another
            // thing.
            Err(error)
                if matches!(error.code(), Code::AuthExpired | Code::AuthRejected | Code::AuthForbidden)
                    || matches!(error.report().http_status, Some(200..=428 | 430..=499)) =>
            {
                tracing::debug!("the token could not be refreshed: {error}");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn logged_in_anew(&self, guard: &Guard, memory: &mut Memory) -> Result<Token> {
        // Before the secret is fetched: nobody need be asked for one that is not sent.
        self.refused.check()?;
        let credentials = self.credentials(memory).await?;
        let trust_key = memory.trusted().filter(|_| credentials.may_need_code());
        match self.refused.note(self.log_in_counted(&credentials, None, trust_key.as_deref(), Some(guard)).await) {
            Ok((token, _)) => Ok(token),
            Err(error) => {
                let is_refused = error.code() == Code::AuthRejected;
                if is_refused {
                    memory.token = None;
                    memory.refused_key = credentials.whose_key();
                }
                // Sent again, it would be refused again.
                let is_untrusted = trust_key.is_some() && error.code() == Code::AuthMfaRequired;
                if is_untrusted {
                    memory.trust_key = None;
                }
                if is_refused || is_untrusted {
                    self.keep(guard, memory.clone());
                }
                Err(error)
            }
        }
    }

    /// Gives what to log in with.
    pub(super) async fn credentials(&self, memory: &Memory) -> Result<Credentials> {
        if let Some(key) = &self.config.api_key {
            return Ok(Credentials::Key(self.refused.fetch(key, "api_key").await?));
        }
        if let Some(key) = &memory.api_key {
            return Ok(Credentials::Key(SecretString::from(key.clone())));
        }
        if let (Some(user), Some(password)) = (&self.config.username, &self.config.password) {
            return Ok(Credentials::User(user.clone(), self.refused.fetch(password, "password").await?));
        }
        let backend = self.backend();
        let (code, what) = match memory.token {
            Some(_) => (Code::AuthExpired, "has expired and can't be renewed"),
            None => (Code::AuthRequired, "is missing"),
        };
        let hint = match self.config.username {
            Some(_) => {
                format!("run: vpnctl auth login -b {backend}, or set `password` or `api_key` in [backend.{backend}]")
            }
            // Who logs in by password has to be known before.
            None => format!(
                "set `username` in [backend.{backend}] or {}, then run: vpnctl auth login -b {backend}; or set `api_key`",
                self.config.source.variable("username")
            ),
        };
        Err(Error::new(code, Layer::Auth, format!("the login to {PEER} {what}")).backend(backend).hint(hint))
    }

    /// Sends a login, once.
    pub(super) async fn send_login(
        &self,
        credentials: &Credentials,
        code: Option<&str>,
        trust_key: Option<&str>,
    ) -> Result<(Token, Option<String>)> {
        let (code_sent, trust_sent) = (code.is_some(), trust_key.is_some());
        let answer = match credentials {
            Credentials::Key(key) => {
                self.authenticate("login", "authentication/apikey", &KeyLogin { api_key: key.expose_secret() }).await
            }
            Credentials::User(username, password) => {
                let body = UserLogin {
                    username,
                    password: password.expose_secret(),
                    authentication_code: code,
                    trust_key,
                    trust_me: code.map(|_| true),
                };
                self.authenticate("login", "authentication/user", &body).await
            }
        };
        answer.map_err(|error| match error.code() {
            // Deployments differ in what they say besides it, and none says why.
            code if !matches!(code, Code::AuthMfaRequired | Code::NetRefused)
                && error.report().http_status == Some(401) =>
            {
                self.refusal(code_sent, trust_sent)
            }
            Code::AuthMfaRequired => Error::new(error.code(), Layer::Auth, error.message())
                .backend(self.backend())
                .status(403)
                .vendor_code(error.vendor_code_text().unwrap_or_default())
                .hint(format!(
                    "run: vpnctl auth login -b {} (it asks for the code, or takes it by --otp-stdin), or use an API \
                     key (`api_key`), which needs no code",
                    self.backend()
                )),
            _ => error,
        })
    }

    /// Says that a login was refused, and what of it may be the reason.
    fn refusal(&self, code_sent: bool, trust_sent: bool) -> Error {
        let backend = self.backend();
        if trust_sent {
            // The key is forgotten, so that the next login is told of the code, or that the password is wrong.
            return Error::new(
                Code::AuthMfaRequired,
                Layer::Auth,
                format!(
                    "{PEER} refused the login: this computer is perhaps no longer trusted, or the password is wrong"
                ),
            )
            .backend(backend)
            .status(401)
            .hint(format!(
                "run: vpnctl auth login -b {backend} (it asks for the code); check the password before, for three \
                 refusals lock a user for three hours"
            ));
        }
        let (what, check) = if code_sent {
            ("one-time code, password, user", "take a fresh code, and check user and password")
        } else {
            ("secret, user", "check user and secret")
        };
        Error::new(
            Code::AuthRejected,
            Layer::Auth,
            format!("{PEER} refused the login; it never says whether {what} or a lock is the reason"),
        )
        .backend(backend)
        .status(401)
        .hint(format!("{check} before the next try: three refusals lock a user for three hours"))
    }

    async fn authenticate<T: Serialize>(
        &self,
        operation: &'static str,
        path: &str,
        body: &T,
    ) -> Result<(Token, Option<String>)> {
        let call = Call::write(operation, Method::POST, path).open().confidential().json(body)?;
        let reply = self.transport.call(self, &call).await?;
        let made: AccessToken = reply.json(PEER, operation).map_err(|error| error.backend(self.backend()))?;
        sendable(PEER, "a token", &made.token_id).map_err(|error| error.backend(self.backend()))?;
        let time = |at: Option<String>| at.and_then(|at| at.parse().ok());
        let token = Token {
            token: made.token_id,
            expires_on: time(made.expires_on),
            refresh: made.refresh_token,
            refresh_expires_on: time(made.refresh_expires_on),
        };
        Ok((token, made.trust_key))
    }

    /// Gives the device that a name was resolved to before, with or without child accounts.
    pub(super) fn remembered(&self, name: &str, recursive: bool) -> Option<Target> {
        let memory = self.get();
        if recursive {
            let (client_id, id, scope) = memory.below.get(name)?;
            return Some(convert::named(client_id, id, scope.as_deref()));
        }
        let (client_id, id) = memory.devices.get(name)?;
        Some(convert::named(client_id, id, None))
    }

    pub(super) async fn remember_device(&self, name: &str, target: &Target, recursive: bool) -> Result<()> {
        let client_id = target.name.clone().unwrap_or_default();
        let (name, id, scope) = (name.to_owned(), target.id.clone(), target.scope.clone());
        self.change(|memory| {
            if recursive {
                memory.below.insert(name, (client_id, id, scope));
            } else {
                memory.devices.insert(name, (client_id, id));
            }
        })
        .await
    }

    /// Forgets a name; tells whether it was known.
    pub(super) async fn forget_device(&self, name: &str) -> Result<bool> {
        let mut known = false;
        self.change(|memory| {
            let before = memory.devices.len() + memory.below.len();
            memory.devices.retain(|key, (client_id, _)| key != name && client_id != name);
            memory.below.retain(|key, (client_id, ..)| key != name && client_id != name);
            known = memory.devices.len() + memory.below.len() < before;
        })
        .await?;
        Ok(known)
    }
}

impl Memory {
    /// Gives the trust key, unless it is known to be over.
    pub(super) fn trusted(&self) -> Option<String> {
        let now = Timestamp::now().as_second();
        let holds = self.trusted_at.is_none_or(|at| now - at.as_second() < TRUST_HOLDS);
        self.trust_key.clone().filter(|_| holds)
    }
}

fn lasts(token: &Token) -> bool {
    token.expires_on.is_none_or(|at| at.as_second() - Timestamp::now().as_second() > MARGIN)
}

/// Tells a user apart, as the cloud does when it counts refusals.
pub(super) fn whose(user: &str) -> String {
    digest(&["user", user])
}

impl Credentials {
    /// Tells whose login it is without showing a secret; the cloud counts refusals by that.
    pub(super) fn whose(&self) -> String {
        match self {
            Self::Key(_) => self.digest(),
            Self::User(user, _) => whose(user),
        }
    }

    /// Tells whose login it is, where that is an API key.
    pub(super) fn whose_key(&self) -> Option<String> {
        matches!(self, Self::Key(_)).then(|| self.whose())
    }

    /// Tells whether the cloud may ask for a one-time code; with an API key it never does.
    pub(super) fn may_need_code(&self) -> bool {
        matches!(self, Self::User(..))
    }

    /// Tells logins apart without showing them.
    pub(super) fn digest(&self) -> String {
        match self {
            Self::Key(key) => digest(&["key", key.expose_secret()]),
            Self::User(user, password) => digest(&["user", user, password.expose_secret()]),
        }
    }
}
