//! Keeps secrets out of what is shown of a server's words: an error or a status may echo what it was sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::{MASK, SHORTEST, SecretRef, Spellings};

/// How many secrets are looked for in a text. No server has as many; a document that names more of them than this says
/// nothing that has to be shown, and looking for each in every text of it would take hours.
const MOST: usize = 1000;
/// How many of those that were sent are remembered: what runs for days gets a new token every hour.
const SENT: usize = 64;
/// What the key of a secret has in it, in whatever case.
const NAMES: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "authenticationcode",
    "trustkey",
    "priv_key",
    "preshared",
];

/// The secrets that this process knows of one backend.
#[derive(Default)]
pub struct Secrets(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    known: BTreeMap<String, Spellings>,
    sent: VecDeque<(String, Spellings)>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a secret of the login, in every spelling.
    pub fn add(&self, secret: &str) {
        self.note(secret, Spellings::of(secret));
    }

    /// Takes note of a secret as it is and as JSON writes it, and in these spellings.
    pub fn note(&self, secret: &str, spellings: Spellings) {
        let escaped = Value::from(secret).to_string();
        let known = &mut self.lock().known;
        for form in [secret, escaped.trim_matches('"')] {
            if form.len() >= SHORTEST && form != MASK {
                known.entry(form.to_owned()).or_default();
            }
        }
        if let Some(known) = known.get_mut(secret).filter(|known| known.is_empty()) {
            *known = spellings;
        }
    }

    /// Takes note of a secret that can be had at once: nobody is asked, and no pipe is emptied.
    pub fn add_known(&self, place: Option<&SecretRef>) {
        let secret = place.and_then(SecretRef::at_hand);
        secret.iter().for_each(|secret| self.add(secret.expose_secret()));
    }

    /// Takes note of a secret that a request carries; of those the last are remembered.
    pub fn sends(&self, secret: &str) {
        let mut inner = self.lock();
        if secret.len() < SHORTEST || secret == MASK || inner.sent.iter().any(|(sent, _)| sent == secret) {
            return;
        }
        if inner.sent.len() >= SENT {
            inner.sent.pop_front();
        }
        inner.sent.push_back((secret.to_owned(), Spellings::of(secret)));
    }

    /// Takes note of what the keys of a document that is sent call secrets.
    pub fn sends_all(&self, document: &Value) {
        match document {
            Value::Object(map) => {
                for (key, value) in map {
                    let lower = key.to_lowercase();
                    match value.as_str() {
                        Some(secret) if NAMES.iter().any(|name| lower.contains(name)) => self.sends(secret),
                        _ => self.sends_all(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.sends_all(item)),
            _ => {}
        }
    }

    /// Masks every known secret in a text.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        if text.len() < SHORTEST {
            return text.to_owned();
        }
        let inner = self.lock();
        if inner.known.len() > MOST {
            return MASK.to_owned();
        }
        let all = inner.known.iter().chain(inner.sent.iter().map(|(secret, spellings)| (secret, spellings)));
        let is_due = |secret: &str, spellings: &Spellings| !spellings.is_empty() || text.contains(secret);
        let mut found: Vec<_> = all.filter(|(secret, spellings)| is_due(secret, spellings)).collect();
        // One may be a part of another.
        found.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        let masked = |text: String, (secret, spellings): (&String, &Spellings)| {
            spellings.hide(text.replace(secret.as_str(), MASK))
        };
        found.into_iter().fold(text.to_owned(), masked)
    }

    /// Masks every known secret in the texts of a document, and in its keys: a server may echo it anywhere.
    #[must_use]
    pub fn hide_in(&self, document: Value) -> Value {
        match document {
            Value::String(text) => self.hide(&text).into(),
            Value::Array(items) => items.into_iter().map(|item| self.hide_in(item)).collect(),
            Value::Object(map) => map.into_iter().map(|(key, item)| (self.hide(&key), self.hide_in(item))).collect(),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MOST, SENT, Secrets};

    #[test]
    fn known_secrets_are_hidden_longest_first_and_short_words_stay() {
        let secrets = Secrets::default();
        for secret in ["hunter2", "hunter2-long", "a\"b\"c", "x"] {
            secrets.add(secret);
        }
        assert_eq!(secrets.hide("hunter2-long, hunter2 and x"), "***, *** and x");
        assert_eq!(secrets.hide(r#"{"said":"a\"b\"c"}"#), r#"{"said":"***"}"#);
        assert_eq!(secrets.hide("aHVudGVyMi1sb25n hunter2%2Dlong"), "*** ***");
        assert_eq!(secrets.hide_in(json!({"a": ["is hunter2", 1]})), json!({"a": ["is ***", 1]}));
        assert_eq!(secrets.hide_in(json!({"no hunter2": {}})), json!({"no ***": {}}));
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_sent_is_known_by_its_key_and_forgotten_at_last() {
        let secrets = Secrets::default();
        secrets
            .sends_all(&json!({"username": "demo", "password": "hunter2", "more": [{"authenticationCode": "735194"}]}));
        assert_eq!(secrets.hide("demo hunter2 735194"), "demo *** ***");
        (0..SENT).for_each(|number| secrets.sends(&format!("token-{number}")));
        assert_eq!(secrets.hide("hunter2 token-0"), "hunter2 ***");
    }

    #[test]
    fn a_document_of_secrets_alone_says_nothing() {
        let secrets = Secrets::default();
        (0..=MOST).for_each(|number| secrets.add(&format!("secret-{number}")));
        assert_eq!((secrets.hide("harmless or not"), secrets.hide("up")), ("***".to_owned(), "up".to_owned()));
    }
}
