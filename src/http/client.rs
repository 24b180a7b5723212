//! The client of a backend: one for its connections over HTTP/1.1, and one for each over HTTP/2.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue, USER_AGENT};

use super::lanes::track;
use super::{Transport, failure, proxy, tls};
use crate::error::{Code, Error, Layer, Result};

/// How long a connection may take to come about where nobody says how long an attempt may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// After how long without a sign of life a server is asked for one, over HTTP/2 and while calls are in flight.
const ASKED_AFTER: Duration = Duration::from_secs(4);
/// How long it may take to give it; then the connection is gone, and what is tried again is so on another one. Shorter
/// than the shortest usual attempt, so that not all tries are spent on a connection that is dead.
const GONE_AFTER: Duration = Duration::from_secs(10);
/// How much of an answer a server may send ahead of its reader, in bytes, over HTTP/2: pages that wait for their turn wait there.
const STREAM_WINDOW: u32 = 128 << 10;
/// How many answers may be left unread at once, such as pages that wait for their turn: what they wait for comes over the
/// same connection, and would not come where they fill it.
pub const UNREAD: u32 = 15;
/// The same of all answers of a connection: with all that may wait there is room for one that is read.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * (UNREAD + 1);

impl Transport {
    /// Gives the one TLS configuration, for requests and WebSockets alike.
    pub(super) fn tls(&self) -> Result<rustls::ClientConfig> {
        if let Some(made) = self.tls.get() {
            return Ok(made.clone());
        }
        let made = tls::client_config(&self.settings.tls, self.settings.url.scheme() == "https")?;
        Ok(self.tls.get_or_init(|| made).clone())
    }

    /// Makes a client; each has connections of its own.
    pub(super) fn build(&self) -> Result<reqwest::Client> {
        let settings = &self.settings;
        if let Some(error) = proxy::malformed(&settings.url) {
            return Err(error.backend(&settings.backend));
        }
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls()?)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(settings.connecting())
            .connector_layer(track::Hold)
            .tcp_nodelay(true)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(ASKED_AFTER)
            .http2_keep_alive_timeout(GONE_AFTER)
            .referer(false)
            .dns_resolver(std::sync::Arc::new(failure::Resolver::new(settings)))
            .default_headers(HeaderMap::from_iter([(
                USER_AGENT,
                HeaderValue::from_static(concat!("vpnctl/", env!("CARGO_PKG_VERSION"))),
            )]));
        if let Some(address) = &settings.connect_address
            && let Some(host) = settings.url.host_str()
            && let Ok(ip) = address.parse()
        {
            builder = builder.resolve(host, SocketAddr::new(ip, 0));
        }
        if tls::is_local(&settings.url) {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|error| {
            Error::new(Code::Internal, Layer::Http, format!("the HTTP client could not be made: {error}"))
                .backend(&settings.backend)
        })
    }
}
