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
use crate::state::Guard;

/// How long an attempt counts, in seconds: Kapua forgets a refusal after an hour.
const HOLDS: i64 = 3700;
/// How long one without an answer counts, in seconds, where its secret is the one that logged in before: most likely it
/// did so again, and a run that was killed is no reason to stand still for an hour.
const DOUBT_HOLDS: i64 = 300;
/// After how many attempts none is made that nobody asked for: the third refusal locks the user.
const LIMIT: usize = 2;

/// An attempt that may count against the user.
#[derive(Clone, Serialize, Deserialize)]
struct Attempt {
    /// When, in unix time.
    at: i64,
    /// The secret that it was made with, as a digest.
    secret: String,
    /// Whether it was refused; else it is in doubt.
    refused: bool,
    /// What is not sent again for that, as a digest: the secret, or all that went with it.
    #[serde(default)]
    barred: Option<String>,
}

/// The document in the state folder.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Attempts {
    tries: Vec<Attempt>,
    /// The secret of the last login that went well, as a digest.
    good: Option<String>,
}

impl Attempts {
    /// Forgets what counts no longer.
    fn prune(&mut self, now: i64) {
        let Self { tries, good } = self;
        // What was written by a clock that went ahead was just now.
        tries.iter_mut().for_each(|one| one.at = one.at.min(now));
        tries.retain(|one| now < one.end(good.as_ref()));
    }

    /// Gives the time after which so few count that one more is made by itself; `None` where that is now.
    fn free_at(&self) -> Option<i64> {
        let mut ends: Vec<i64> = self.tries.iter().map(|one| one.end(self.good.as_ref())).collect();
        ends.sort_unstable();
        ends.len().checked_sub(LIMIT).map(|more| ends[more])
    }
}

impl Attempt {
    /// Gives the time from which on it counts no longer.
    fn end(&self, good: Option<&String>) -> i64 {
        let is_trusted = !self.refused && good == Some(&self.secret);
        self.at.saturating_add(if is_trusted { DOUBT_HOLDS } else { HOLDS })
    }
}

impl Auth {
    fn attempts(&self, whose: &str) -> String {
        format!("login-{}", digest(&[&self.config.url, whose]))
    }

    /// Sends a login, once, and counts it. What was refused is not sent again, whoever asks for it; somebody who does also
    /// has another one sent after so many that the next refusal locks the user. `held` is the lock of the backend, which
    /// a login by itself is made under.
    pub(super) async fn log_in_counted(
        &self,
        credentials: &Credentials,
        code: Option<&str>,
        trust_key: Option<&str>,
        held: Option<&Guard>,
    ) -> Result<(Token, Option<String>)> {
        let secret = credentials.digest();
        // Where more than the secret is sent, a refusal does not tell which part it is about.
        let is_plain = code.is_none() && trust_key.is_none();
        let all = if is_plain {
            secret.clone()
        } else {
            digest(&[&secret, code.unwrap_or_default(), trust_key.unwrap_or_default()])
        };
        let name = self.attempts(&credentials.whose());
        let by_hand = held.is_none();
        let guard = held.map_or_else(|| self.store.sibling(&name), |held| held.sibling(&name)).lock().await?;
        let mut attempts: Attempts = guard.read();
        let now = Timestamp::now().as_second();
        attempts.prune(now);
        let is_barred = |one: &&Attempt| one.barred.as_ref().is_some_and(|barred| *barred == secret || *barred == all);
        if let Some(last) = attempts.tries.iter().rfind(is_barred) {
            return Err(self.still_refused(now - last.at));
        }
        if let Some(end) = attempts.free_at().filter(|_| !by_hand) {
            return Err(self.too_many(end));
        }
        attempts.tries.push(Attempt { at: now, secret: secret.clone(), refused: false, barred: None });
        guard.write(&attempts);
        let sent = self.send_login(credentials, code, trust_key).await;
        match &sent {
            Ok(_) => attempts = Attempts { tries: Vec::new(), good: Some(secret) },
            Err(error) if error.report().http_status == Some(401) => {
                if let Some(last) = attempts.tries.last_mut() {
                    (last.refused, last.barred) = (true, Some(all));
                }
                // It may have been changed at the cloud: nothing speaks for it any more.
                attempts.good = None;
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

    /// Lets a login be sent again that was refused, for somebody who has mended it at the cloud. It counts all the same.
    pub(super) async fn forget_refusals(&self, whose: &str) -> Result<()> {
        let store = self.store.sibling(&self.attempts(whose));
        let is_barred = |attempts: &Attempts| attempts.tries.iter().any(|one| one.barred.is_some());
        if is_barred(&store.read()) {
            store.change(|attempts: &mut Attempts| attempts.tries.iter_mut().for_each(|one| one.barred = None)).await?;
        }
        self.refused.forget();
        Ok(())
    }

    fn still_refused(&self, ago: i64) -> Error {
        let what = format!("{PEER} refused this login {} min ago, so it is not tried again within the hour", ago / 60);
        self.unsent(what, "correct the secret; where it was mended in the cloud, run: vpnctl auth logout -b {}, then ")
    }

    fn too_many(&self, end: i64) -> Error {
        let end = Timestamp::from_second(end).map_or_else(|_| "an hour from now".to_owned(), |end| end.to_string());
        let what = format!(
            "the last {LIMIT} logins of this user to {PEER} were refused or broke off without an answer, so none is tried \
             by itself until {end}"
        );
        self.unsent(what, "if user and secret are right, log in now: ")
    }

    fn unsent(&self, what: String, remedy: &str) -> Error {
        let backend = self.backend();
        let remedy = remedy.replace("{}", backend);
        Error::new(Code::AuthRejected, Layer::Auth, what)
            .backend(backend)
            .hint(format!("three refusals lock a user for three hours; {remedy}vpnctl auth login -b {backend}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempt, Attempts, HOLDS};

    #[test]
    fn a_clock_that_was_set_back_forgets_no_attempt_and_keeps_none_for_longer() {
        for ahead in [1, 7200, 40_000_000] {
            let one = Attempt { at: 1_000_000 + ahead, secret: "x".to_owned(), refused: true, barred: None };
            let mut attempts = Attempts { tries: vec![one.clone(), one], good: None };
            attempts.prune(1_000_000);
            assert_eq!(attempts.free_at(), Some(1_000_000 + HOLDS), "{ahead}");
            attempts.prune(1_000_000 + HOLDS);
            assert_eq!(attempts.free_at(), None);
        }
    }
}
