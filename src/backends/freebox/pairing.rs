//! Pairing on the box's display, and what is left of it.

use std::time::Duration;

use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::api::Api;
use super::auth::{Memory, Token, WRITE_RIGHT, result_of};
use super::failure::rights_path;
use super::wire::{Authorize, Authorizing, Challenge, Tracking};
use crate::backend::{Login, LoginState, Person};
use crate::backends::shared::half_out;
use crate::error::{Code, Error, Layer, Result};
use crate::http::Call;

/// How often the box is asked whether somebody has pressed the button; an unpolled request becomes invalid.
const POLL: Duration = Duration::from_secs(1);

impl Api {
    /// Pairs with the box: asks it, waits until somebody presses the button, and opens the first session.
    pub(super) async fn pair(&self, person: &dyn Person) -> Result<Login> {
        self.auth.forget_refusal().await?;
        // What was remembered may be another box's that was at this address before.
        if self.auth.config.api_version.is_none() {
            let place = self.find_place().await?;
            self.auth.remember(|memory: &mut Memory| memory.place = Some(place)).await?;
        }
        if self.auth.config.app_token.as_ref().is_some_and(|secret| !secret.is_kept_for_us()) {
            // The token is the user's own, so there is nothing to pair: a session proves it.
            let session = self.auth.open_session(self.auth.memory().session.as_ref()).await?;
            return Ok(self.told(&session, person));
        }
        if let Some(login) = self.paired_already(person).await? {
            return Ok(login);
        }
        self.expect_to_keep().await?;
        let call =
            Call::write("authorize", Method::POST, "login/authorize/").open().confidential().json(&Authorize {
                app_id: &self.auth.config.app_id,
                app_name: "vpnctl",
                app_version: env!("CARGO_PKG_VERSION"),
                device_name: &device_name(),
            })?;
        let asked: Authorizing = super::api::decode(self.call(call).await?.unwrap_or(Value::Null), "authorize")?;
        let track = match &asked.track_id {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let waiting =
            person.show_wait("The box asks on its display whether vpnctl may have access: press ▶ or ✓ there now.");
        self.wait_for_grant(&track).await?;
        drop(waiting);
        let token = SecretString::from(asked.app_token);
        let in_keyring = self.auth.config.app_token.as_ref().is_some_and(|secret| secret.keep(&token));
        let in_folder = self
            .auth
            .remember(|memory: &mut Memory| {
                memory.app_token = (!in_keyring).then(|| token.expose_secret().to_owned());
                (memory.session, memory.refused_at) = (None, None);
            })
            .await?;
        if !in_keyring && !in_folder {
            return Err(self.auth.unkept(
                "the box has granted the pairing, but it could not be written to the state folder, and is lost",
            ));
        }
        let session = self.auth.open_session(None).await.map_err(fresh_token)?;
        Ok(self.told(&session, person))
    }

    /// Makes sure, before anybody is sent to the box, that what it gives will be kept: in the keyring, where that is its
    /// place and it answers, else in the state folder.
    async fn expect_to_keep(&self) -> Result<()> {
        let Err(error) = self.auth.prepare_to_keep().await else { return Ok(()) };
        let answers = match self.auth.config.app_token.as_ref().filter(|secret| secret.is_kept_for_us()) {
            Some(secret) => secret.fetch("app_token").await.err().is_none_or(|no| no.code() == Code::AuthRequired),
            None => false,
        };
        if answers { Ok(()) } else { Err(error) }
    }

    /// Opens a session with the token of an earlier pairing, if there is one that the box still takes: pairing anew would
    /// make that token dead, and the right that was ticked for it would be lost.
    async fn paired_already(&self, person: &dyn Person) -> Result<Option<Login>> {
        let memory = self.auth.memory();
        if memory.app_token.is_none() && self.auth.config.app_token.is_none() {
            return Ok(None);
        }
        match self.auth.open_session(memory.session.as_ref()).await {
            Ok(session) => {
                self.move_to_keyring(memory.app_token).await?;
                let backend = &self.auth.transport.settings().backend;
                person.tell(&format!(
                    "vpnctl is paired with this box already, and the pairing works. To pair anew all the same: vpnctl \
                     auth logout -b {backend}, then log in again."
                ));
                Ok(Some(self.told(&session, person)))
            }
            Err(error) if error.is_temporary() || error.code() == Code::AuthDenied => Err(error),
            Err(error) if error.code() == Code::HttpRateLimited => Err(error),
            Err(error) => {
                tracing::info!("the earlier pairing does not hold any more: {error}");
                self.auth.refused.forget();
                Ok(None)
            }
        }
    }

    /// Puts a token into the keyring that was kept here for as long as the keyring did not take it.
    async fn move_to_keyring(&self, kept_here: Option<String>) -> Result<()> {
        let (Some(token), Some(place)) = (kept_here, &self.auth.config.app_token) else { return Ok(()) };
        if place.keep(&SecretString::from(token)) {
            self.auth.remember(|memory: &mut Memory| memory.app_token = None).await?;
        }
        Ok(())
    }

    async fn wait_for_grant(&self, track: &str) -> Result<()> {
        let path = format!("login/authorize/{}", crate::http::call::segment(track));
        let backend = &self.auth.transport.settings().backend;
        let again = format!("start again: vpnctl auth login -b {backend}");
        loop {
            let result = match self.call(Call::get("authorize", path.as_str()).open().confidential()).await {
                // Somebody is on the way to the box: a moment without an answer is no end of that.
                Err(error) if error.is_temporary() && self.has_time() => {
                    tracing::debug!("the pairing could not be asked for, and is asked again: {error}");
                    tokio::time::sleep(POLL).await;
                    continue;
                }
                result => result?,
            };
            let tracking: Tracking = super::api::decode(result.unwrap_or(Value::Null), "authorize")?;
            let (what, hint) = match tracking.status.as_str() {
                "granted" => return Ok(()),
                "pending" => {
                    if !self.has_time() {
                        return Err(Error::new(
                            Code::AuthPending,
                            Layer::Auth,
                            "nobody has pressed the button on the box in the time given",
                        )
                        .backend(backend)
                        .hint(format!("{again} --timeout 5m, and press ▶ or ✓ on the box when it asks")));
                    }
                    tokio::time::sleep(POLL).await;
                    continue;
                }
                "denied" => (
                    "somebody has denied the pairing on the box".to_owned(),
                    format!("{again}, and press ▶ or ✓ on the box when it asks"),
                ),
                "timeout" => (
                    "nobody has pressed the button before the box gave up".to_owned(),
                    format!("the box asks for about a minute and a half, so stand before it and {again}"),
                ),
                "unknown" => (
                    "the box does not know this pairing any more; it was revoked, or the box was restarted".to_owned(),
                    again.clone(),
                ),
                // Words that are not documented are no grant.
                word => (format!("the box ended the pairing with `{word}`"), again.clone()),
            };
            return Err(Error::new(Code::AuthDenied, Layer::Auth, what)
                .backend(backend)
                .vendor_code(&tracking.status)
                .hint(hint));
        }
    }

    /// Tells whether the button can be asked for once more before the deadline.
    fn has_time(&self) -> bool {
        self.auth.transport.settings().deadline.limit(POLL).is_some_and(|left| left >= POLL)
    }

    fn told(&self, session: &Token, person: &dyn Person) -> Login {
        if !session.rights.get(WRITE_RIGHT).copied().unwrap_or(false) {
            person.tell(&format!(
                "The right `{WRITE_RIGHT}` is still missing: reading works, connecting does not. To grant it, {}.",
                rights_path(self.auth.is_italian())
            ));
        }
        self.login_of(session)
    }

    fn login_of(&self, session: &Token) -> Login {
        let rights = session.rights.iter().filter(|(_, granted)| **granted).map(|(name, _)| name.clone()).collect();
        Login { account: Some(self.auth.config.app_id.clone()), rights: Some(rights), ..Login::new(LoginState::Ok) }
    }

    /// Asks the box whether the session holds; where it does not, whether a new one can be had.
    pub(super) async fn login_state(&self) -> Result<Login> {
        let memory = self.auth.memory();
        if self.auth.config.app_token.is_none() && memory.app_token.is_none() {
            return Ok(Login::new(LoginState::Missing));
        }
        let outcome = async {
            let reply = self.call(Call::get("login", "login/").confidential()).await?;
            let told: Challenge = super::api::decode(reply.unwrap_or(Value::Null), "login")?;
            let session = self.auth.memory().session;
            match session {
                Some(session) if told.logged_in != Some(false) => Ok(session),
                ended => self.auth.open_session(ended.as_ref()).await,
            }
        };
        match outcome.await {
            Ok(session) => Ok(self.login_of(&session)),
            Err(error) => match error.code() {
                Code::AuthRejected | Code::AuthExpired | Code::AuthDenied => {
                    Ok(Login { reason: Some(error), ..Login::new(LoginState::Expired) })
                }
                // The keyring holds none yet.
                Code::AuthRequired => Ok(Login::new(LoginState::Missing)),
                Code::AuthPending => Ok(Login { reason: Some(error), ..Login::new(LoginState::Pending) }),
                _ => Err(error),
            },
        }
    }

    /// Ends the session at the box, and forgets it and a pairing that vpnctl keeps.
    pub(super) async fn logout(&self) -> Result<()> {
        let ended = match self.auth.memory().session {
            Some(_) => {
                let call = Call::write("logout", Method::POST, "login/logout/").empty();
                self.end_session(call).await
            }
            None => Ok(()),
        };
        if let Some(secret) = &self.auth.config.app_token {
            secret.forget();
        }
        let guard = self.auth.store.lock().await?;
        let forgot = self.auth.owned(guard.read()).refused_at.is_some();
        self.auth.forget(&guard);
        ended.map_err(|error| half_out(error, forgot, "the session at the box ends by itself"))
    }

    /// Ends the session without renewing it first: one that has ended is what was asked for.
    async fn end_session(&self, call: Call) -> Result<()> {
        let memory = self.auth.memory();
        let Some(session) = &memory.session else { return Ok(()) };
        let mut call = call.open().at_root().header("x-fbx-app-auth", &session.token, true)?;
        call.path = format!("{}{}", self.auth.base(&memory), call.path);
        match self.auth.transport.call(&self.auth, &call).await {
            // A page in the place of the box's answer does not say whether the box heard of it.
            Ok(reply) => result_of::<Value>(&reply, "logout").map(drop).map_err(|error| match error.code() {
                Code::VendorProtocol => error.unknown_outcome(),
                _ => error,
            }),
            Err(error) if error.code() == Code::AuthExpired => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Says what helps where a token is refused that was granted just now.
fn fresh_token(error: Error) -> Error {
    if error.code() != Code::AuthRejected {
        return error;
    }
    // An Ultra with a firmware before 4.8.7 answered `invalid_token` right after a grant.
    super::reach::with_hint(
        &error,
        "the box has just granted this token: a Freebox Ultra with a firmware before 4.8.7 refuses it all the same, so \
         update the box (or restart it), then pair again: vpnctl auth login"
            .to_owned(),
    )
}

/// Names this computer as the box's display will show it.
fn device_name() -> String {
    let named = ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| std::env::var(name).ok());
    let kernel = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = named.or_else(kernel).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "computer".to_owned())
}
