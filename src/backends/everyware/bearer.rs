//! How a login is used, shown, begun and ended.

use std::sync::PoisonError;

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;

use super::auth::{Auth, Credentials, Memory, Token, whose};
use super::failure;
use super::failure::PEER;
use super::wire::LoginInfo;
use crate::backend::{Asked, Login, LoginState, Person};
use crate::backends::shared::{half_out, logged_out};
use crate::error::{Code, Result};
use crate::http::call::header_value;
use crate::http::{Call, Protocol, Reply, Verdict, unparsable};
use crate::secrets::Secrets;

#[async_trait]
impl Protocol for Auth {
    async fn authorize(&self, headers: &mut HeaderMap) -> Result<u64> {
        if self.written(headers)? {
            return Ok(self.generation());
        }
        // Seldom, and in a box: it takes no room in what each device of a fleet does.
        Box::pin(async {
            let _one = self.renewing.lock().await;
            if !self.written(headers)? {
                let token = self.acquire(None).await?;
                headers.insert(AUTHORIZATION, bearer(&token)?);
            }
            Ok(self.generation())
        })
        .await
    }

    async fn renew(&self, stale: u64) -> Result<bool> {
        let _one = self.renewing.lock().await;
        if self.generation() != stale {
            return Ok(false);
        }
        let ended = self.get().token;
        self.acquire(ended.as_ref()).await?;
        self.next_generation();
        Ok(true)
    }

    fn hold(&self, secrets: &Secrets) {
        let configured = [&self.config.api_key, &self.config.password].map(|secret| secret.as_ref()?.at_hand());
        configured.iter().flatten().for_each(|secret| secrets.sends(secret.expose_secret()));
        let memory = self.get();
        let token = memory.token.iter().flat_map(|token| [Some(token.token.as_str()), token.refresh.as_deref()]);
        let kept = token.chain([memory.api_key.as_deref(), memory.trust_key.as_deref()]);
        kept.flatten().for_each(|secret| secrets.sends(secret));
    }

    fn verdict(&self, call: &Call, reply: &Reply) -> Verdict {
        let known = if reply.status.is_success() { None } else { Some(self.discreet(reply)) };
        match failure::of(call, known.as_ref().unwrap_or(reply)) {
            None => Verdict::Done,
            Some(error) if reply.status.as_u16() == 401 && call.authorized => {
                Verdict::Stale(error.hint(format!("run: vpnctl auth login -b {}", self.backend())))
            }
            Some(error) => Verdict::Failed(error),
        }
    }
}

/// Writes a token as a header.
fn bearer(token: &Token) -> Result<HeaderValue> {
    header_value("authorization", &format!("Bearer {}", token.token), true)
}

impl Auth {
    /// Gives an answer without the secrets of this login, which it may repeat.
    pub(super) fn discreet(&self, reply: &Reply) -> Reply {
        let secrets = self.transport.secrets();
        self.hold(secrets);
        let body = secrets.hide(&String::from_utf8_lossy(&reply.body));
        Reply { body: body.into_bytes(), ..reply.clone() }
    }

    /// Reads an answer; what is wrong with it is told without what it repeats.
    pub(super) fn read<T: serde::de::DeserializeOwned>(&self, reply: &Reply, operation: &str) -> Result<T> {
        let read = reply.json(PEER, operation).or_else(|_| {
            let discreet = self.discreet(reply);
            // Where it is a document only now, what it repeated or its characters were wrong.
            discreet.json(PEER, operation).and_then(|_: T| {
                Err(unparsable(PEER, operation, &discreet, "no text in UTF-8, or its strings are broken"))
            })
        });
        read.map_err(|error| error.backend(self.backend()))
    }

    /// Writes the token that is kept into the headers, where there is one that serves; the header is made once for all
    /// devices of a fleet.
    fn written(&self, headers: &mut HeaderMap) -> Result<bool> {
        let memory = self.memory();
        let Some(token) = memory.token.as_ref().filter(|token| self.serves(token)) else { return Ok(false) };
        let mut made = self.header.lock().unwrap_or_else(PoisonError::into_inner);
        let value = match &*made {
            Some((of, value)) if *of == token.token => value.clone(),
            _ => made.insert((token.token.clone(), bearer(token)?)).1.clone(),
        };
        headers.insert(AUTHORIZATION, value);
        Ok(true)
    }

    /// Logs in with what is configured, or with what the person brings.
    pub(super) async fn log_in(&self, person: &dyn Person) -> Result<Login> {
        let credentials = self.asked(person).await?;
        let code =
            if person.brings(Asked::Otp) { Some(person.ask(Asked::Otp, "One-time code: ").await?) } else { None };
        let trust_key = self.get().trusted().filter(|_| code.is_none() && credentials.may_need_code());
        let written = code.as_ref().map(|code| code.expose_secret());
        let made = match self.log_in_counted(&credentials, written, trust_key.as_deref(), None).await {
            Err(error) if error.code() == Code::AuthMfaRequired && code.is_none() => {
                if trust_key.is_some() {
                    // It is over; sent again, it would be refused again.
                    self.change(|memory| memory.trust_key = None).await?;
                }
                if error.report().http_status == Some(401) {
                    // The password may be wrong, and a second try would count as another refusal.
                    return Err(error);
                }
                let code = person.ask(Asked::Otp, "One-time code: ").await.map_err(|_| error)?;
                self.log_in_counted(&credentials, Some(code.expose_secret()), None, None).await
            }
            made => made,
        };
        if made.as_ref().is_err_and(|error| error.code() == Code::AuthRejected)
            && let Some(key) = credentials.whose_key()
        {
            self.change(|memory| memory.refused_key = Some(key)).await?;
        }
        let (token, trusted) = made?;
        let brought_key = match &credentials {
            Credentials::Key(key) if self.config.api_key.is_none() => Some(key.expose_secret().to_owned()),
            _ => None,
        };
        let expires_at = token.expires_on;
        self.refused.forget();
        self.change(|memory| {
            memory.token = Some(token);
            memory.api_key = brought_key;
            if let Some(key) = trusted {
                (memory.trust_key, memory.trusted_at) = (Some(key), Some(jiff::Timestamp::now()));
            }
        })
        .await?;
        Ok(Login { account: self.account(), expires_at, ..Login::new(LoginState::Ok) })
    }

    async fn asked(&self, person: &dyn Person) -> Result<Credentials> {
        if person.brings(Asked::ApiKey) {
            return Ok(Credentials::Key(person.ask(Asked::ApiKey, "API key: ").await?));
        }
        if let Some(key) = &self.config.api_key {
            return Ok(Credentials::Key(key.fetch("api_key").await?));
        }
        let Some(user) = &self.config.username else {
            return Err(self
                .config
                .source
                .wrong("username", "is not set, nor is `api_key`")
                .hint("set one of them, or give an API key: vpnctl auth login --api-key-stdin"));
        };
        let password = match &self.config.password {
            Some(password) if !person.brings(Asked::Password) => password.fetch("password").await?,
            _ => person.ask(Asked::Password, &format!("Password of {user} at {PEER}: ")).await?,
        };
        Ok(Credentials::User(user.clone(), password))
    }

    fn account(&self) -> Option<String> {
        match &self.config.api_key {
            Some(_) => None,
            None => self.config.username.clone(),
        }
    }

    /// Asks the cloud what the login may do; makes one first where it can.
    pub(super) async fn login_state(&self) -> Result<Login> {
        let call = Call::get("info", "authentication/info");
        let reply = match self.transport.call(self, &call).await {
            Ok(reply) => reply,
            Err(error) => {
                return match error.code() {
                    Code::AuthRequired => Ok(Login { reason: Some(error), ..Login::new(LoginState::Missing) }),
                    Code::AuthExpired | Code::AuthRejected => {
                        Ok(Login { reason: Some(error), ..Login::new(LoginState::Expired) })
                    }
                    Code::AuthMfaRequired => Ok(Login { reason: Some(error), ..Login::new(LoginState::Pending) }),
                    // A token that was made and not refused is one, also where nobody may ask what it can do.
                    _ if matches!(error.report().http_status, Some(403 | 404)) && self.get().token.is_some() => {
                        Ok(Login {
                            account: self.account(),
                            expires_at: self.get().token.and_then(|token| token.expires_on),
                            ..Login::new(LoginState::Ok)
                        })
                    }
                    _ => Err(error),
                };
            }
        };
        let info: LoginInfo = self.read(&reply, "info")?;
        if let Some(until) = self.get().token.and_then(|token| token.refresh_expires_on) {
            tracing::info!("the login is renewed by itself where it is used before {until}");
        }
        Ok(Login {
            account: self.account(),
            expires_at: self.get().token.and_then(|token| token.expires_on),
            rights: Some(info.rights()),
            ..Login::new(LoginState::Ok)
        })
    }

    /// Ends the token at the cloud and forgets everything that was kept, refusals too: who logs out begins anew.
    pub(super) async fn log_out(&self) -> Result<()> {
        let Memory { token, refused_key, .. } = self.get();
        let mut forgot = false;
        for whose in refused_key.into_iter().chain(self.config.username.as_deref().map(whose)) {
            forgot |= self.forget_refusals(&whose).await?;
        }
        self.change(|memory| {
            *memory = Memory { owner: memory.owner.clone(), ..Default::default() };
        })
        .await?;
        let Some(token) = token else { return Ok(()) };
        let mut call = Call::write("logout", Method::POST, "authentication/logout").open().empty();
        call.headers.insert(AUTHORIZATION, header_value("authorization", &format!("Bearer {}", token.token), true)?);
        logged_out(self.transport.call(self, &call).await, PEER, self.transport.secrets()).map_err(|error| {
            let end = token.expires_on.map_or_else(String::new, |end| format!(", at {end}"));
            let error = error.backend(self.backend());
            half_out(error, forgot, &format!("the token holds at the cloud until it ends by itself{end}"))
        })
    }
}
