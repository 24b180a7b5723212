//! Challenges and sessions.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use ring::hmac;

use super::mint::Mint;
use super::rights::Rights;

/// How long a session lives where no fault says otherwise; the vendor says only that it is limited, clients assume
/// half an hour (vendor/freebox.md section 3.2).
pub(super) const SESSION_TTL: Duration = Duration::from_secs(1800);
/// How long a challenge may be signed; the vendor says only that its validity is limited.
pub(super) const CHALLENGE_TTL: Duration = Duration::from_secs(60);
/// How many challenges may be open at a time.
const CHALLENGE_LIMIT: usize = 1000;

/// Keeps the challenges that may be signed and the sessions that are open.
#[derive(Debug)]
pub(super) struct Sessions {
    mint: Mint,
    salt: String,
    challenges: VecDeque<(String, Duration)>,
    open: Vec<Session>,
}

/// One session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    token: String,
    app_id: String,
    opened: Duration,
    /// The rights as they were when it was opened: a change is seen by the next session only.
    pub(super) rights: Rights,
}

impl Sessions {
    /// Makes the sessions of a box that nobody has logged in to.
    pub(super) fn new() -> Self {
        let mut mint = Mint::new();
        let salt = mint.challenge();
        Self { mint, salt, challenges: VecDeque::new(), open: Vec::new() }
    }

    /// Gives the salt of the administrator's password, which real boxes send and apps have no use for.
    pub(super) fn salt(&self) -> &str {
        &self.salt
    }

    /// Gives the mint, for tokens of applications.
    pub(super) fn mint(&mut self) -> &mut Mint {
        &mut self.mint
    }

    /// Issues a new challenge.
    pub(super) fn challenge(&mut self, now: Duration) -> String {
        if self.challenges.len() == CHALLENGE_LIMIT {
            self.challenges.pop_front();
        }
        let challenge = self.mint.challenge();
        self.challenges.push_back((challenge.clone(), now));
        challenge
    }

    /// Tells whether `password` signs an open challenge with `app_token`, and uses that challenge up.
    pub(super) fn accept(&mut self, app_token: &str, password: &str, now: Duration, ttl: Duration) -> bool {
        self.challenges.retain(|(_, issued)| now.saturating_sub(*issued) < ttl);
        let signed = self.challenges.iter().position(|(challenge, _)| sign(app_token, challenge) == password);
        signed.and_then(|index| self.challenges.remove(index)).is_some()
    }

    /// Opens a session and gives its token.
    pub(super) fn open(&mut self, app_id: &str, rights: Rights, now: Duration) -> String {
        let token = self.mint.token();
        self.open.push(Session { token: token.clone(), app_id: app_id.to_owned(), opened: now, rights });
        token
    }

    /// Gives the session of a token, where it is still alive.
    pub(super) fn find(&mut self, token: &str, now: Duration, ttl: Duration) -> Option<Session> {
        self.open.retain(|session| now.saturating_sub(session.opened) < ttl);
        self.open.iter().find(|session| session.token == token).cloned()
    }

    /// Ends one session.
    pub(super) fn close(&mut self, token: &str) {
        self.open.retain(|session| session.token != token);
    }

    /// Ends the sessions of one application, whose token was replaced or revoked.
    pub(super) fn close_app(&mut self, app_id: &str) {
        self.open.retain(|session| session.app_id != app_id);
    }

    /// Ends all sessions.
    pub(super) fn close_all(&mut self) {
        self.open.clear();
    }
}

/// Signs a challenge: HMAC-SHA1 with the app token as the key, in lower-case hex (vendor/freebox.md section 3.2).
fn sign(app_token: &str, challenge: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, app_token.as_bytes());
    let tag = hmac::sign(&key, challenge.as_bytes());
    tag.as_ref().iter().fold(String::new(), |mut text, byte| {
        // Writing into a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    #[test]
    fn the_verified_vectors_of_the_vendor_page_hold() {
        assert_eq!(sign("app_token_xyz", "challenge_abc"), "be7b5e38f88c5c286deaa71b6de3c38f11765f3e");
        let token = "dyNYgfK0Ya6FWGqq83sBHa7TwzWo+pg4fDFUJHShcjVYzTfaRrZzm93p7OTAfH/0";
        assert_eq!(sign(token, "VzhbtpR4r8CLaJle2QgJBEkyd8JPb0zL"), "f93f2942420bcfbf33dad8febd0370be567544af");
    }

    #[test]
    fn a_challenge_is_good_once_and_for_a_while() {
        let mut sessions = Sessions::new();
        let first = sessions.challenge(Duration::ZERO);
        let late = sessions.challenge(Duration::ZERO);
        let password = sign("token", &first);
        assert!(!sessions.accept("other", &password, Duration::ZERO, TTL));
        assert!(sessions.accept("token", &password, Duration::ZERO, TTL));
        assert!(!sessions.accept("token", &password, Duration::ZERO, TTL));
        assert!(!sessions.accept("token", &sign("token", &late), TTL, TTL));
    }

    #[test]
    fn a_session_ends_with_its_time_and_with_its_application() {
        let mut sessions = Sessions::new();
        let rights = Rights { settings: true };
        let token = sessions.open("app", rights, Duration::ZERO);
        assert!(sessions.find(&token, TTL / 2, TTL).is_some());
        assert!(sessions.find(&token, TTL, TTL).is_none());
        let token = sessions.open("app", rights, Duration::ZERO);
        sessions.close_app("another");
        assert!(sessions.find(&token, Duration::ZERO, TTL).is_some());
        sessions.close_app("app");
        assert!(sessions.find(&token, Duration::ZERO, TTL).is_none());
    }
}
