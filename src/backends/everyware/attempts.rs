//! Which logins the cloud counts against a user.
//!
//! Kapua locks a user for three hours after three refusals, whatever the secret was, and never says that it did.

use super::auth::{Auth, Credentials, Token};
use super::failure::PEER;
use crate::backends::attempts::{Counter, Fate, Login, Rules};
use crate::error::{Code, Error, Result};
use crate::secrets::digest;
use crate::state::Guard;

/// How long an attempt counts, in seconds: Kapua forgets a refusal after an hour.
const HOLDS: i64 = 3700;

const RULES: Rules = Rules {
    peer: PEER,
    refusal_holds: HOLDS,
    doubt_holds: HOLDS,
    // Nothing is known of such a limit: heeded where it says for how long.
    pause: None,
    lock: Some("three refusals lock a user for three hours"),
    correct: "the secret",
    judge,
};

fn judge(error: &Error) -> Fate {
    match error.report().http_status {
        // The status of a proxy that opens no way is none of the cloud's.
        _ if error.code() == Code::NetRefused => Fate::Harmless,
        Some(401) => Fate::Wrong,
        // It is the right login, and asks for the code that goes with it.
        Some(403) if error.code() == Code::AuthMfaRequired => Fate::Harmless,
        Some(403) => Fate::Lacking { code: false },
        _ => Fate::untold(error),
    }
}

impl Auth {
    async fn counter(&self, whose: &str, held: Option<&Guard>) -> Result<Counter<'_>> {
        Counter::of(&RULES, (&self.store, self.backend()), (&self.config.url, whose), held).await
    }

    /// Sends a login, once, and counts it. `held` is the lock of the backend, which a login by itself is made under.
    pub(super) async fn log_in_counted(
        &self,
        credentials: &Credentials,
        code: Option<&str>,
        trust_key: Option<&str>,
        held: Option<&Guard>,
    ) -> Result<(Token, Option<String>)> {
        let secret = credentials.digest();
        let is_plain = code.is_none() && trust_key.is_none();
        let all = if is_plain {
            secret.clone()
        } else {
            digest(&[&secret, code.unwrap_or_default(), trust_key.unwrap_or_default()])
        };
        let login = Login { secret, all, by_hand: held.is_none() };
        let counter = self.counter(&credentials.whose(), held).await?;
        counter.send(login, self.send_login(credentials, code, trust_key)).await
    }

    /// Lets a login be sent again that was refused, for somebody who has mended it at the cloud; tells whether one was.
    pub(super) async fn forget_refusals(&self, whose: &str) -> Result<bool> {
        self.refused.forget();
        Ok(self.counter(whose, None).await?.forget())
    }
}
