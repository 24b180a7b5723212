//! A server certificate that somebody pinned: contract section 7.

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Store, Unread};
use crate::error::{Error, Result};

/// A pinned certificate, in a document of its own beside the backend's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The URL that it was made for; for another server it means nothing.
    pub url: String,
    /// The fingerprint, `sha256:…`.
    pub fingerprint: String,
    /// Whose certificate it is, as RFC 4514 text, where that could be read.
    #[serde(default)]
    pub subject: Option<String>,
    /// Until when it is valid, in RFC 3339, where that could be read.
    #[serde(default)]
    pub not_after: Option<String>,
}

impl Pin {
    /// Gives the store of a backend's pin; names of backends hold no dot, so it is no other backend's.
    #[must_use]
    pub fn place(store: &Store) -> Store {
        store.sibling(&format!("{}.pin", store.name))
    }

    /// Reads the pin of a backend.
    ///
    /// # Errors
    /// Fails with `config.invalid` where there is one that can't or may not be used: going on without it would accept what
    /// was pinned against.
    pub fn read(store: &Store) -> Result<Option<Self>> {
        let place = Self::place(store);
        let backend = &store.backend;
        let mut remedy = "mend that, or pin the certificate in the configuration (`tls.pin`)".to_owned();
        let why = match (place.out_of_reach(), place.document()) {
            (Some(why), _) => why.to_owned(),
            (None, Ok(pin)) => return Ok(pin),
            (None, Err(Unread::Nothing)) => return Ok(None),
            (None, Err(Unread::Broken(error))) => error.to_string(),
            (None, Err(Unread::Left(why))) => why,
            // It is not set aside by itself: by the next command it would be forgotten that there was one.
            (None, Err(Unread::Corrupt(why))) => {
                remedy = format!(
                    "run: vpnctl trust rm -b {backend}; then, once the fingerprint that `vpnctl trust show -b {backend}` tells \
                     is the server's own, vpnctl trust add -b {backend}"
                );
                format!("it is corrupt ({why})")
            }
        };
        Err(Error::config(format!("the pin that is kept for `{backend}` can't be used: {why}"))
            .backend(backend)
            .hint(remedy))
    }

    /// Tells whether there is a pin that is corrupt, so that nobody knows any more what was pinned.
    #[must_use]
    pub fn is_corrupt(store: &Store) -> bool {
        let place = Self::place(store);
        place.out_of_reach().is_none() && matches!(place.document::<Option<Self>>(), Err(Unread::Corrupt(_)))
    }

    /// Tells whether it was made for the server of a URL: the same host and port.
    #[must_use]
    pub fn is_for(&self, url: &Url) -> bool {
        Url::parse(&self.url).is_ok_and(|own| own.origin() == url.origin())
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::Pin;

    #[test]
    fn a_pin_is_of_one_host_and_port() {
        let url = "https://localhost:9250".to_owned();
        let pin = Pin { url, fingerprint: String::new(), subject: None, not_after: None };
        for (url, own) in [
            ("https://localhost:9250/", true),
            ("https://localhost:9250/v1/", true),
            ("https://localhost:9251/", false),
            ("https://127.0.0.1:9250/", false),
            ("http://localhost:9250/", false),
        ] {
            assert_eq!(pin.is_for(&Url::parse(url).expect("a URL")), own, "{url}");
        }
    }
}
