//! Counts the logins that the cloud may have counted against a user: those refused, and those of which no answer came.
//!
//! Kapua locks a user for three hours after three refusals, whatever the secret was, and never says that it did. An
//! attempt is therefore written down before it is sent, so that one whose answer is lost counts too, be it by a
//! time-out or by Ctrl-C. It is kept by login and not by backend: several backends may have the same user, for one
//! account each, and the cloud counts the refusals of all of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::auth::{Auth, Credentials, Token};
use super::failure::PEER;
use crate::error::{Code, Error, Layer, Result};
use crate::secrets::digest;
use crate::state::Store;

/// How long an attempt counts, in seconds: Kapua forgets a refusal after an hour.
const HOLDS: i64 = 3700;
/// After how many attempts none is made that nobody asked for: the third refusal locks the user.
const LIMIT: usize = 2;

/// An attempt that may count against the user.
#[derive(Clone, Serialize, Deserialize)]
struct Attempt {
    /// When, in unix time.
    at: i64,
    /// What it was made with, as a digest.
    secret: String,
    /// Whether the secret itself was refused; else it is in doubt.
    refused: bool,
}

/// The document in the state folder.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Attempts {
    tries: Vec<Attempt>,
}

impl Attempts {
    fn refusals(&self, secret: &str) -> impl Iterator<Item = &Attempt> {
        self.tries.iter().filter(move |one| one.refused && one.secret == secret)
    }
}

impl Auth {
    fn attempts(&self, credentials: &Credentials) -> Store {
        self.store.sibling(&format!("login-{}", digest(&[&self.config.url, &credentials.whose()])))
    }

    /// Sends a login, once, and counts it; `by_hand` sends also what was refused before, but not what another process
    /// was refused meanwhile.
    pub(super) async fn log_in_counted(
        &self,
        credentials: &Credentials,
        code: Option<&str>,
        trust_key: Option<&str>,
        by_hand: bool,
    ) -> Result<(Token, Option<String>)> {
        let (store, secret) = (self.attempts(credentials), credentials.digest());
        let before = store.read::<Attempts>().refusals(&secret).count();
        let guard = store.lock().await?;
        let mut attempts: Attempts = guard.read();
        let is_refused_meanwhile = attempts.refusals(&secret).count() > before;
        let now = Timestamp::now().as_second();
        attempts.tries.retain(|one| (0..HOLDS).contains(&(now - one.at)));
        if let Some(last) = attempts.refusals(&secret).last()
            && (!by_hand || is_refused_meanwhile)
        {
            return Err(self.still_refused(now - last.at));
        }
        if !by_hand && attempts.tries.len() >= LIMIT {
            return Err(self.too_many());
        }
        attempts.tries.push(Attempt { at: now, secret, refused: false });
        guard.write(&attempts);
        let sent = self.send_login(credentials, code, trust_key).await;
        match &sent {
            Ok(_) => attempts.tries.clear(),
            Err(error) if error.report().http_status == Some(401) => {
                // Where more than the secret was sent, nothing tells which part was refused.
                let is_plain = code.is_none() && trust_key.is_none();
                attempts.tries.last_mut().into_iter().for_each(|one| one.refused = is_plain);
            }
            // It may have arrived, and been refused.
            Err(error) if error.report().http_status.is_none() && error.outcome_is_unknown() => {}
            Err(_) => {
                attempts.tries.pop();
            }
        }
        guard.write(&attempts);
        sent
    }

    fn still_refused(&self, ago: i64) -> Error {
        self.unsent(format!("{PEER} refused this login {} min ago, so it is not tried again", ago / 60))
    }

    fn too_many(&self) -> Error {
        self.unsent(format!(
            "the last {LIMIT} logins of this user to {PEER} were refused or got no answer, so none is tried by itself \
             within the hour"
        ))
    }

    fn unsent(&self, what: String) -> Error {
        let backend = self.backend();
        Error::new(Code::AuthRejected, Layer::Auth, what).backend(backend).hint(format!(
            "three refusals lock a user for three hours; correct the secret, or try once more: vpnctl auth login -b {backend}"
        ))
    }
}
