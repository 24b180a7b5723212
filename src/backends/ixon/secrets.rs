//! The secrets of the client's login and of its settings, which neither server's words may repeat.

use std::ops::Deref;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::document;
use crate::error::Result;
use crate::http::{Reply, unparsable};
use crate::model::Status;
use crate::secrets::{self, Spellings};

/// What is known of one backend: the token, the password, what is made of them, and those among the client's settings;
/// of the client and of the cloud together.
#[derive(Debug, Default, Clone)]
pub(super) struct Secrets(Arc<secrets::Secrets>);

impl Deref for Secrets {
    type Target = Arc<secrets::Secrets>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Secrets {
    /// Takes note of the secrets that a document names as such.
    pub(super) fn add_all(&self, document: &Value) {
        document::secrets(document).iter().for_each(|secret| self.note(secret, Spellings::default()));
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
    use super::Secrets;

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
}
