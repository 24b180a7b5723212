//! Tokens of the cloud: <https://developer.ixon.cloud/docs/ixon-api-authentication-headers>.

use std::sync::PoisonError;

use base64::Engine as _;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use secrecy::{ExposeSecret as _, SecretString};

use super::cloud::{CLOUD, Cloud};
use super::memory::Token;
use super::wire::{AccessToken, TokenRequest};
use crate::backend::{Asked, Login, LoginState, Person};
use crate::backends::attempts::{Counter, Fate, Login as Attempt, Rules};
use crate::backends::shared::{half_out, logged_out, meaningful};
use crate::error::{Code, Error, Layer, Result};
use crate::http::Call;
use crate::http::call::{header_value, sendable};
use crate::secrets::digest;
use crate::state::Guard;

/// How long a token made by `auth login` lives, in seconds: 30 days, as the vendor's own tools ask for.
const LIFETIME: u32 = 2_592_000;

/// How long a login without an answer counts, and how long none is sent after a limit without a time, in seconds: the
/// vendor's page names ten minutes for a block, and nothing that locks an account.
const BLOCK: i64 = 600;

const RULES: Rules = Rules {
    peer: CLOUD,
    refusal_holds: 3600,
    doubt_holds: BLOCK,
    pause: Some(BLOCK),
    lock: None,
    correct: "`email` or `password`",
    judge,
};

fn judge(error: &Error) -> Fate {
    match error.code() {
        Code::AuthRejected => Fate::Wrong,
        Code::AuthMfaRequired => Fate::Lacking { code: true },
        Code::AuthDenied | Code::AuthForbidden => Fate::Lacking { code: false },
        _ => Fate::untold(error),
    }
}

/// How near the end of a login is worth a word, in seconds: the portal warns 8 hours before.
const SOON: i64 = 8 * 3600;

impl Cloud {
    pub(super) fn generation(&self) -> u64 {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the token: the configured one, else a kept one that still holds, else a new one where e-mail and
    /// password are configured.
    pub(super) async fn token(&self) -> Result<SecretString> {
        if let Some(secret) = &self.config.token {
            // One after the other, so that a command that fails is not run by each.
            let _one = self.renewing.lock().await;
            return self.refused.fetch(secret, "token").await;
        }
        let holds = |token: &Token| token.expires_on.is_none_or(|at| at > Timestamp::now());
        let kept = self.memory.get().token;
        match kept {
            Some(token) if holds(&token) => Ok(SecretString::from(token.secret)),
            kept => {
                let _one = self.renewing.lock().await;
                match self.memory.get().token.filter(holds) {
                    Some(token) => Ok(SecretString::from(token.secret)),
                    None => self.log_in_by_config(kept.is_some()).await,
                }
            }
        }
    }

    /// Makes a token from the configured e-mail and password, under the lock, once.
    async fn log_in_by_config(&self, expired: bool) -> Result<SecretString> {
        let (Some(email), Some(password)) = (&self.config.email, &self.config.password) else {
            return Err(self.no_login(expired));
        };
        let guard = self.memory.store.lock().await?;
        let mut memory = self.memory.owned(guard.read());
        let ended = self.memory.get().token.map(|token| token.secret);
        if let Some(token) = memory.token.clone().filter(|token| Some(&token.secret) != ended.as_ref()) {
            self.memory.set(memory);
            return Ok(SecretString::from(token.secret));
        }
        let password = self.refused.fetch(password, "password").await?;
        let made = self.make_counted(["", email, password.expose_secret()], Some(&guard)).await;
        let token = self.refused.note(made)?;
        memory.token = Some(token.clone());
        guard.write(&memory);
        self.memory.set(memory);
        Ok(SecretString::from(token.secret))
    }

    /// Makes a token, unless the same login was refused lately, by whatever command. `held` is the lock of the backend,
    /// which a login by itself is made under.
    async fn make_counted(&self, [otp, email, password]: [&str; 3], held: Option<&Guard>) -> Result<Token> {
        let all = digest(&[otp, email, password]);
        let login = Attempt { secret: all.clone(), all, by_hand: held.is_none() };
        self.counter(email, held).await?.send(login, self.make_token(email, otp, password)).await
    }

    async fn counter(&self, email: &str, held: Option<&Guard>) -> Result<Counter<'_>> {
        let whose = digest(&["email", email]);
        Counter::of(&RULES, (&self.memory.store, self.backend()), (&self.config.cloud_url, &whose), held).await
    }

    fn no_login(&self, expired: bool) -> Error {
        let backend = self.backend();
        let (code, what) = if expired {
            (Code::AuthExpired, "the login to the IXON cloud has expired")
        } else {
            (Code::AuthRequired, "there is no login to the IXON cloud")
        };
        let variable = |key: &str| self.config.source.variable(key);
        Error::new(code, Layer::Auth, what).backend(backend).hint(match self.config.email {
            Some(_) => format!(
                "run: vpnctl auth login -b {backend}, or set `token` in [backend.{backend}] or {}",
                variable("token")
            ),
            // Who logs in has to be known before.
            None => format!(
                "set `email` in [backend.{backend}] or {}, then run: vpnctl auth login -b {backend}; or set `token` or {}",
                variable("email"),
                variable("token")
            ),
        })
    }

    pub(super) async fn renew_token(&self, stale: u64) -> Result<bool> {
        let _one = self.renewing.lock().await;
        if self.generation() != stale {
            return Ok(false);
        }
        if self.config.token.is_some() {
            return Err(Error::new(
                Code::AuthExpired,
                Layer::Auth,
                format!("{CLOUD} does not accept the configured token"),
            )
            .backend(self.backend())
            .hint("make a new token in the portal and put it where `token` names it"));
        }
        self.log_in_by_config(true).await?;
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Ok(true)
    }

    /// Makes a token. `otp` is empty on the first try.
    async fn make_token(&self, email: &str, otp: &str, password: &str) -> Result<Token> {
        // Standard base64: with the URL-safe alphabet the cloud refuses some passwords.
        let credentials = SecretString::from(format!("{email}:{otp}:{password}"));
        let encoded = base64::engine::general_purpose::STANDARD.encode(credentials.expose_secret());
        [password, otp, credentials.expose_secret(), &encoded]
            .into_iter()
            .for_each(|secret| self.memory.secrets.add(secret));
        let call = Call::write("login", Method::POST, "access-tokens?fields=secretId,expiresOn")
            .confidential()
            .open()
            .json(&TokenRequest { expires_in: LIFETIME })?;
        let mut call = self.scoped(call, None)?;
        call.headers.insert(AUTHORIZATION, header_value("authorization", &format!("Basic {encoded}"), true)?);
        let made = self.list::<AccessToken>(&call).await.map_err(refused)?.0.into_iter().next();
        let made = made.filter(|token| token.secret_id.is_some()).ok_or_else(|| {
            Error::new(Code::VendorProtocol, Layer::Auth, format!("{CLOUD} accepted the login but gave no token"))
                .backend(self.backend())
                .unknown_outcome()
        })?;
        let secret = made.secret_id.unwrap_or_default();
        sendable(CLOUD, "a token", &secret).map_err(|error| error.backend(self.backend()))?;
        Ok(Token {
            secret,
            expires_on: made.expires_on.and_then(|at| at.parse().ok()),
            account: Some(email.to_owned()),
        })
    }

    /// Logs in with e-mail and password, and asks for a one-time password where the cloud wants one.
    pub(super) async fn log_in(&self, person: &dyn Person) -> Result<Login> {
        if self.config.token.is_some() {
            return self.checked().await;
        }
        let email = self.config.email.clone().ok_or_else(|| {
            super::missing(&self.config.source, "email", "it is whom `auth login` logs in; or set `token`")
        })?;
        let password = match &self.config.password {
            Some(secret) if !person.brings(Asked::Password) => secret.fetch("password").await?,
            _ => person.ask(Asked::Password, &format!("Password of {email} at the IXON cloud: ")).await?,
        };
        let first = if person.brings(Asked::Otp) {
            person.ask(Asked::Otp, "One-time password: ").await.map(|otp| otp.expose_secret().to_owned())?
        } else {
            String::new()
        };
        let token = match self.make_counted([&first, &email, password.expose_secret()], None).await {
            Err(error) if error.code() == Code::AuthMfaRequired && first.is_empty() => {
                let otp = person.ask(Asked::Otp, "One-time password: ").await.map_err(|_| {
                    let backend = self.backend();
                    error.instead(format!("give it with: vpnctl auth login -b {backend} --otp-stdin"))
                })?;
                self.make_counted([otp.expose_secret(), &email, password.expose_secret()], None).await?
            }
            made => made?,
        };
        let login = login_of(&token);
        self.refused.forget();
        self.memory
            .change(|memory| {
                memory.token = Some(token);
                memory.agents.clear();
            })
            .await?;
        Ok(login)
    }

    /// Asks the cloud about the token.
    async fn checked(&self) -> Result<Login> {
        let path = "access-tokens/me?fields=publicId,expiresOn,user(name,emailAddress)";
        let call = self.scoped(Call::get("token", path), None)?;
        let found = self.list::<AccessToken>(&call).await?.0.into_iter().next();
        let expires_at = found.as_ref().and_then(|token| token.expires_on.as_deref()?.parse().ok());
        let user = found.and_then(|token| token.user);
        let account = user.and_then(|user| meaningful(user.email_address).or(meaningful(user.name)));
        // A page that names no user: of a token that was made here it is known who logged in.
        let kept = || self.memory.get().token.filter(|_| self.config.token.is_none()).and_then(|token| token.account);
        self.warn_before(expires_at);
        Ok(Login { account: account.or_else(kept), expires_at, ..Login::new(LoginState::Ok) })
    }

    /// Warns where the kept token ends soon; when a configured one ends, only the cloud knows.
    pub(super) fn warn_of_the_end(&self) {
        if self.config.token.is_none() {
            self.warn_before(self.memory.get().token.and_then(|token| token.expires_on));
        }
    }

    /// Says that a login ends soon: the client uses it for as long as the tunnel is up, so that may end with it.
    fn warn_before(&self, end: Option<Timestamp>) {
        let Some(end) = end.filter(|end| end.as_second() - Timestamp::now().as_second() < SOON) else { return };
        let backend = self.backend();
        let remedy = match self.config.token {
            Some(_) => "make a new token in the portal".to_owned(),
            None => format!("renew it with: vpnctl auth login -b {backend}"),
        };
        let end = Timestamp::from_second(end.as_second()).unwrap_or(end);
        tracing::warn!("the login of `{backend}` to {CLOUD} ends at {end}; a tunnel may be interrupted then; {remedy}");
    }

    pub(super) async fn login_state(&self) -> Result<Login> {
        match self.checked().await {
            Err(error) => match error.code() {
                Code::AuthRequired | Code::AuthMfaRequired => {
                    Ok(Login { reason: Some(error), ..Login::new(LoginState::Missing) })
                }
                Code::AuthExpired | Code::AuthRejected => {
                    Ok(Login { reason: Some(error), ..Login::new(LoginState::Expired) })
                }
                _ => Err(error),
            },
            login => login,
        }
    }

    /// Ends the kept token at the cloud and forgets it; a configured one belongs to the user and stays.
    pub(super) async fn log_out(&self) -> Result<()> {
        // Who logs out begins anew, also where a login was refused that is mended by now.
        self.refused.forget();
        let forgot = match &self.config.email {
            Some(email) => self.counter(email, None).await?.forget(),
            None => false,
        };
        let Some(token) = self.memory.get().token else { return Ok(()) };
        let call = self.scoped(Call::write("logout", Method::DELETE, "access-tokens/me").open(), None);
        self.memory.change(|memory| memory.token = None).await?;
        let mut call = call?;
        let bearer = format!("Bearer {}", token.secret);
        call.headers.insert(AUTHORIZATION, header_value("authorization", &bearer, true)?);
        logged_out(self.transport.call(self, &call).await, CLOUD, &self.memory.secrets).map_err(|error| {
            let end = token.expires_on.map_or_else(String::new, |end| format!(", at {end}"));
            let rest = format!(
                "the token holds at the cloud until it ends by itself{end}; end it in the portal, under the access tokens of \
                 the account"
            );
            half_out(error.backend(self.backend()), forgot, &rest)
        })
    }
}

/// A login that is refused was refused, whatever the words: the token that it asks for can't have expired.
fn refused(error: Error) -> Error {
    if error.code() != Code::AuthExpired {
        return error;
    }
    Error::new(Code::AuthRejected, Layer::Auth, error.message().to_owned())
        .hint("check e-mail and password; a refused login is not repeated")
}

pub(super) fn login_of(token: &Token) -> Login {
    Login { account: token.account.clone(), expires_at: token.expires_on, ..Login::new(LoginState::Ok) }
}
