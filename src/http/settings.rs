//! How a server is reached.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::{Deadline, Observer, client, tls};
use crate::error::Error;

/// How long one attempt may take where nothing else is said: contract section 3.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Says how to reach a server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the backend, for errors.
    pub backend: String,
    /// What the server is called in messages, `the Freebox`.
    pub peer: String,
    /// Where it is.
    pub url: Url,
    /// The key of the configuration that says so.
    pub url_key: &'static str,
    /// The address to connect to instead of what the host name resolves to.
    pub connect_address: Option<String>,
    /// How its certificate is verified.
    pub tls: tls::Trust,
    /// How long one attempt may take, connecting included; `None` is [`REQUEST_TIMEOUT`].
    pub request_timeout: Option<Duration>,
    /// How many requests may start in a second, evenly spaced; `None` is no limit.
    pub rate: Option<f64>,
    /// When the whole command has to be done.
    pub deadline: Deadline,
    /// What to do when nothing listens there.
    pub refused_hint: Option<String>,
    /// What to do when its certificate is not trusted.
    pub untrusted_hint: Option<String>,
    /// Who is told of every attempt.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Settings {
    /// Tells how long one attempt may take.
    #[must_use]
    pub fn attempt(&self) -> Duration {
        self.request_timeout.unwrap_or(REQUEST_TIMEOUT)
    }

    /// Tells how long a connection may take to come about: no less than somebody has given an attempt.
    pub(super) fn connecting(&self) -> Duration {
        self.request_timeout.unwrap_or(client::CONNECT_TIMEOUT)
    }

    /// Makes an error one of this backend, whose hint names the key that is meant.
    #[must_use]
    pub fn own(&self, error: Error) -> Error {
        let hint = error
            .hint_text()
            .filter(|_| self.url_key != "url")
            .map(|hint| hint.replace("`url`", &format!("`{}`", self.url_key)));
        let error = error.backend(&self.backend);
        match hint {
            Some(hint) => error.instead(hint),
            None => error,
        }
    }
}
