//! Keeps secrets out of what is shown of a server's words: an error or a status may echo what it was sent.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::document::{self, MASK};
use crate::error::Result;
use crate::http::{Reply, unparsable};
use crate::model::Status;
use crate::secrets::{SecretRef, Spellings};

/// The shortest text, in bytes, that is taken for a secret: shorter ones stand in words by accident.
const SHORTEST: usize = 4;

/// How many secrets are looked for in a text. No client has as many; a document that names more of them than this says
/// nothing that has to be shown, and looking for each in every text of it would take hours.
const MOST: usize = 1000;

/// The secrets that this process knows of one backend: the token, the password, what is made of them, and those among
/// the client's settings.
#[derive(Default)]
pub(super) struct Secrets(Mutex<BTreeMap<String, Spellings>>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Takes note of a secret of the login, in every spelling.
    pub(super) fn add(&self, secret: &str) {
        self.note(secret, Spellings::of(secret));
    }

    /// Takes note of a secret, as it is and as JSON writes it.
    fn note(&self, secret: &str, spellings: Spellings) {
        let escaped = Value::from(secret).to_string();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
    pub(super) fn add_known(&self, place: Option<&SecretRef>) {
        let secret = place.and_then(SecretRef::at_hand);
        secret.iter().for_each(|secret| self.add(secret.expose_secret()));
    }

    /// Takes note of the secrets that a document names as such.
    pub(super) fn add_all(&self, document: &Value) {
        document::secrets(document).iter().for_each(|secret| self.note(secret, Spellings::default()));
    }

    /// Masks every known secret in a text.
    pub(super) fn hide(&self, text: &str) -> String {
        if text.len() < SHORTEST {
            return text.to_owned();
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > MOST {
            return MASK.to_owned();
        }
        let is_due = |secret: &str, spellings: &Spellings| !spellings.is_empty() || text.contains(secret);
        let mut found: Vec<_> = known.iter().filter(|(secret, spellings)| is_due(secret, spellings)).collect();
        // One may be a part of another.
        found.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        let masked = |text: String, (secret, spellings): (&String, &Spellings)| {
            spellings.hide(text.replace(secret.as_str(), MASK))
        };
        found.into_iter().fold(text.to_owned(), masked)
    }

    /// Masks every known secret in the texts of a document, and in its keys: a server may echo it anywhere.
    pub(super) fn hide_in(&self, document: Value) -> Value {
        match document {
            Value::String(text) => self.hide(&text).into(),
            Value::Array(items) => items.into_iter().map(|item| self.hide_in(item)).collect(),
            Value::Object(map) => map.into_iter().map(|(key, item)| (self.hide(&key), self.hide_in(item))).collect(),
            other => other,
        }
    }

    /// Masks every known secret in what a status quotes; the state was read before.
    pub(super) fn hide_of(&self, mut status: Status) -> Status {
        if let Some(error) = &mut status.last_error {
            error.message = self.hide(&error.message);
        }
        status.native = status.native.map(|document| self.hide_in(document));
        status
    }

    /// Decodes an answer; what is no such document is quoted without secrets.
    pub(super) fn decoded<T: DeserializeOwned>(&self, reply: &Reply, peer: &str, operation: &str) -> Result<T> {
        reply.json(peer, operation).or_else(|_| {
            let quotable = self.quotable(reply);
            match quotable.json::<T>(peer, operation) {
                // The quote repairs what is no UTF-8; the answer is none all the same.
                Ok(_) => Err(unparsable(peer, operation, &quotable, "it is no JSON in UTF-8")),
                told => told,
            }
        })
    }

    /// Gives an answer as it may be quoted: without secrets that are known, or that a key of it names.
    pub(super) fn quotable(&self, reply: &Reply) -> Reply {
        let body = match reply.maybe_json::<Value>() {
            Some(document) => {
                let clean = self.hide_in(document::clean(document.clone()));
                // Where there was nothing to hide it is quoted as it came, unless that says more than what was read of it:
                // of a key that is there twice only the last value is.
                let plain = |text: &str| text.split_ascii_whitespace().collect::<String>();
                let came = plain(&String::from_utf8_lossy(&reply.body));
                if clean == document && came == plain(&document.to_string()) {
                    return reply.clone();
                }
                clean.to_string()
            }
            None => self.hide(&String::from_utf8_lossy(&reply.body)),
        };
        Reply { body: body.into_bytes(), ..reply.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MOST, Secrets};

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
    fn what_a_document_says_twice_is_not_quoted() {
        let secrets = Secrets::default();
        secrets.add("hunter2");
        for (body, quoted) in [
            (r#"{"said": "hunter2", "said": "x"}"#, r#"{"said":"x"}"#),
            (r#"{"token": "another", "token": ""}"#, r#"{"token":""}"#),
            (r#"{"said": "x"}"#, r#"{"said": "x"}"#),
        ] {
            let reply = crate::backends::fuzzing::reply(400, body.as_bytes());
            assert_eq!(String::from_utf8_lossy(&secrets.quotable(&reply).body), quoted);
        }
    }

    #[test]
    fn a_document_of_secrets_alone_says_nothing() {
        let secrets = Secrets::default();
        (0..=MOST).for_each(|number| secrets.add(&format!("secret-{number}")));
        assert_eq!((secrets.hide("harmless or not"), secrets.hide("up")), ("***".to_owned(), "up".to_owned()));
    }
}
