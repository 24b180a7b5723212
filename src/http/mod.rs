//! The only way to the wire: one client per backend, built when it is first needed.
//!
//! A vendor describes a [`Call`]; [`Transport::call`] sends it within its deadline, adds credentials, renews them
//! once, repeats reads that failed temporarily, and caps what it reads. Vendors never retry by themselves.

mod bare_key;
pub mod call;
pub mod certificate;
mod deadline;
mod dial;
mod failure;
pub mod mdns;
mod observer;
pub mod probe;
pub mod tls;
pub mod ws;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use bytes_cap::read_capped;
use reqwest::header::{HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT};
use tokio::sync::OnceCell;
use url::Url;

pub use call::{Call, Reply, Safety};
pub use deadline::{Deadline, within};
pub use failure::{parse_url, server_failure, unparsable};
pub use observer::Observer;

use crate::error::{Code, Error, Layer, Result};

mod bytes_cap;

/// The first wait before a repeated read; it doubles each time: 0.2, 0.4, 0.8 s (contract section 6).
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// How often a read is repeated at most.
const REPEATS: usize = 3;
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Says how to reach a server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the backend, for errors.
    pub backend: String,
    /// What the server is called in messages, `the Freebox`.
    pub peer: String,
    /// Where it is.
    pub url: Url,
    /// The address to connect to instead of what the host name resolves to.
    pub connect_address: Option<String>,
    /// How its certificate is verified.
    pub tls: tls::Trust,
    /// How long one attempt may take.
    pub request_timeout: Duration,
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

/// Knows a vendor's credentials and what its answers mean.
#[async_trait]
pub trait Protocol: Send + Sync {
    /// Adds credentials to a call that needs them, and tells their generation; logs in first where there is no
    /// session yet.
    ///
    /// # Errors
    /// Fails where there is no login or it was refused.
    async fn authorize(&self, headers: &mut HeaderMap) -> Result<u64>;

    /// Makes the credentials new after an answer that said that those of a generation no longer hold; where
    /// somebody else has done so meanwhile, there is nothing to do.
    ///
    /// # Errors
    /// Fails where they can't be renewed.
    async fn renew(&self, stale: u64) -> Result<()>;

    /// Says what an answer means.
    fn verdict(&self, call: &Call, reply: &Reply) -> Verdict;
}

/// Says what an answer means.
#[derive(Debug)]
pub enum Verdict {
    /// It is what was asked for.
    Done,
    /// The credentials no longer hold; the server did nothing.
    Stale(Error),
    /// It failed.
    Failed(Error),
}

/// Sends calls to one server.
pub struct Transport {
    settings: Settings,
    client: OnceCell<reqwest::Client>,
    tls: OnceLock<rustls::ClientConfig>,
    warm: OnceCell<()>,
    next_start: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").field("url", &self.settings.url.as_str()).finish_non_exhaustive()
    }
}

impl Transport {
    /// Makes a transport; nothing is built or connected before the first call.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let (client, tls, warm) = (OnceCell::new(), OnceLock::new(), OnceCell::new());
        Self { settings, client, tls, warm, next_start: Mutex::new(None) }
    }

    /// Gives what it was made from.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sends a call, with credentials where it needs them, and gives the answer that `protocol` accepts.
    ///
    /// # Errors
    /// Fails with what the network, the server or the vendor's answer said; see [`Protocol::verdict`].
    pub async fn call(&self, protocol: &dyn Protocol, call: &Call) -> Result<Reply> {
        let mut waits =
            ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_factor(2.0).with_max_times(REPEATS).build();
        let mut renewed = false;
        let mut earlier: Option<Error> = None;
        loop {
            let error = match self.attempt(protocol, call).await {
                Ok((reply, _, Verdict::Done)) => return Ok(reply),
                Ok((_, generation, Verdict::Stale(error))) if call.authorized && !renewed => {
                    tracing::debug!(operation = call.operation, "the session has ended: {error}");
                    protocol.renew(generation).await.map_err(|error| self.told(before_the_call(error)))?;
                    renewed = true;
                    continue;
                }
                Ok((reply, _, Verdict::Stale(error) | Verdict::Failed(error))) if call.raw => {
                    error.answered(&reply.body)
                }
                Ok((_, _, Verdict::Stale(error) | Verdict::Failed(error))) | Err(error) => error,
            };
            if error.code() == Code::TimeoutDeadline
                && let Some(earlier) = earlier
            {
                // What broke the earlier attempts says more than that the time is over.
                return Err(self.told(earlier));
            }
            if call.safety != Safety::Read || !error.is_repeatable() {
                return Err(self.told(error));
            }
            let wait = waits.next().map(|wait| error.wait().unwrap_or(wait));
            let Some(wait) = wait.filter(|wait| self.deadline().left().is_none_or(|left| left > *wait)) else {
                // Four tries are all, also where this was the login that another call waits for.
                return Err(self.told(error.later()));
            };
            tracing::debug!(operation = call.operation, "repeated in {} ms: {error}", wait.as_millis());
            tokio::time::sleep(wait).await;
            earlier = Some(error);
        }
    }

    /// Gives when requests have to be done.
    fn deadline(&self) -> Deadline {
        self.settings.deadline.or_bound()
    }

    /// Adds what only the transport knows: the backend.
    fn told(&self, error: Error) -> Error {
        error.backend(&self.settings.backend)
    }

    async fn attempt(&self, protocol: &dyn Protocol, call: &Call) -> Result<(Reply, u64, Verdict)> {
        let mut headers = call.headers.clone();
        let generation =
            if call.authorized { protocol.authorize(&mut headers).await.map_err(before_the_call)? } else { 0 };
        let reply = self.send(call, headers).await?;
        let verdict = match reply.status.as_u16() {
            300..=399 => Verdict::Failed(self.redirect(&reply)),
            _ => match protocol.verdict(call, &reply) {
                // The vendor's own word is definite; a document that is none, after a success, tells nothing.
                Verdict::Failed(error) if reply.status.is_success() && error.code() == Code::VendorProtocol => {
                    Verdict::Failed(if call.safety == Safety::Once { error.unknown_outcome() } else { error })
                }
                Verdict::Failed(error) if error.vendor_code_text().is_none() || error.code() == Code::DeviceTimeout => {
                    Verdict::Failed(doubtful(call, error))
                }
                other => other,
            },
        };
        Ok((reply, generation, verdict))
    }

    /// Sends one request and reads its answer, within the attempt's time-out and the deadline.
    async fn send(&self, call: &Call, headers: HeaderMap) -> Result<Reply> {
        // The first request of a fan-out goes alone and warms the connection that the others share.
        if self.warm.initialized() {
            return self.exchange(call, headers).await;
        }
        let mut first = None;
        self.warm
            .get_or_init(|| async {
                first = Some(self.exchange(call, headers.clone()).await);
            })
            .await;
        match first {
            Some(result) => result,
            None => self.exchange(call, headers).await,
        }
    }

    async fn exchange(&self, call: &Call, headers: HeaderMap) -> Result<Reply> {
        let client = self.client.get_or_try_init(|| async { self.build() }).await?;
        let url = self.address(call)?;
        self.take_turn().await;
        let attempt = call.timeout.unwrap_or(self.settings.request_timeout);
        let deadline = self.deadline();
        let Some(limit) = deadline.limit(attempt) else {
            return Err(self.deadline_passed(call));
        };
        let mut request = client.request(call.method.clone(), url.clone()).headers(headers);
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let started = Instant::now();
        let work = async {
            let response = request.send().await.map_err(|error| failure::network(&self.settings, call, &error))?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = read_capped(response, &self.settings, call).await?;
            Ok(Reply { status, headers, body, confidential: call.confidential })
        };
        let result = match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_) if deadline.has_passed() => Err(self.deadline_passed(call)),
            Err(_) => Err(failure::timed_out(&self.settings, call, attempt)),
        };
        self.observed(call, result.as_ref().map(|reply| reply.status.as_u16()), started);
        trace(call, &url, &result, started.elapsed());
        result.map_err(|error| doubtful(call, error))
    }

    /// Tells the observer how an attempt went.
    fn observed(&self, call: &Call, answer: Result<u16, &Error>, started: Instant) {
        if let Some(observer) = &self.settings.observer {
            // What failed before the answer was read to its end may have a status all the same.
            let answer = answer.or_else(|error| error.report().http_status.ok_or(error.code()));
            observer.attempted(&self.settings.backend, call.operation, answer, started.elapsed());
        }
    }

    /// Waits for the next start that the rate allows.
    async fn take_turn(&self) {
        let Some(rate) = self.settings.rate else { return };
        let gap = Duration::from_secs_f64(1.0 / rate);
        let start = {
            let mut next = self.next_start.lock().unwrap_or_else(PoisonError::into_inner);
            let start = next.map_or_else(Instant::now, |next| next.max(Instant::now()));
            *next = Some(start + gap);
            start
        };
        tokio::time::sleep_until(start.into()).await;
    }

    fn deadline_passed(&self, call: &Call) -> Error {
        let what = format!(
            "the time for the command ran out while {} was waited for ({})",
            self.settings.peer, call.operation
        );
        Error::new(Code::TimeoutDeadline, Layer::Http, what)
            .temporary()
            .hint("give it more time with --timeout, or look at the server")
            .backend(&self.settings.backend)
    }

    fn redirect(&self, reply: &Reply) -> Error {
        let target = reply.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("nowhere");
        Error::new(
            Code::VendorProtocol,
            Layer::Http,
            format!("{} answered with a redirect to {target}, which is not followed", self.settings.peer),
        )
        .status(reply.status.as_u16())
        .hint("correct `url` of the backend; a redirect could send credentials to a stranger")
    }

    /// Makes the URL of a call; a path is joined to the backend's URL and never leaves its origin.
    fn address(&self, call: &Call) -> Result<Url> {
        let base = &self.settings.url;
        let text = format!("{}/{}", base.as_str().trim_end_matches('/'), call.path.trim_start_matches('/'));
        let mut url = if call.from_root {
            base.join(&format!("/{}", call.path.trim_start_matches('/')))
        } else {
            Url::parse(&text)
        }
        .map_err(|error| Error::usage(format!("`{}` is no path: {error}", call.path)))?;
        if url.origin() != base.origin() {
            return Err(Error::usage(format!("`{}` leaves {}", call.path, base.origin().ascii_serialization())));
        }
        if let Some(name) = &self.settings.tls.server_name {
            // The name is verified and sent; the resolver connects to where the configured host is.
            url.set_host(Some(name)).map_err(|_| Error::config(format!("tls.server_name `{name}` is no host name")))?;
        }
        Ok(url)
    }

    /// Gives the one TLS configuration, for requests and WebSockets alike.
    fn tls(&self) -> Result<rustls::ClientConfig> {
        if let Some(made) = self.tls.get() {
            return Ok(made.clone());
        }
        let made = tls::client_config(&self.settings.tls, self.settings.url.scheme() == "https")?;
        Ok(self.tls.get_or_init(|| made).clone())
    }

    fn build(&self) -> Result<reqwest::Client> {
        let settings = &self.settings;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls()?)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
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

/// Takes a login's failure as that of the call that needed it: the call itself was not sent, and a login that may have
/// arrived is not sent again for it.
fn before_the_call(error: Error) -> Error {
    let error = error.known_outcome();
    let unsent = matches!(error.code(), Code::NetDns | Code::NetRefused | Code::NetTimeout);
    if error.is_repeatable() && !unsent { error.later() } else { error }
}

/// Marks the errors of a request that was sent after which a write may have been done: time-outs, broken connections,
/// 5xx of a proxy, a device that did not answer. What failed before, a login for one, leaves no doubt.
fn doubtful(call: &Call, error: Error) -> Error {
    match error.code() {
        Code::TimeoutRequest | Code::TimeoutDeadline | Code::NetReset | Code::HttpServerError | Code::DeviceTimeout
            if call.safety == Safety::Once =>
        {
            error.unknown_outcome()
        }
        _ => error,
    }
}

/// Reads how long a server asks to wait, where it says so in seconds.
#[must_use]
pub fn retry_after(reply: &Reply) -> Option<Duration> {
    let text = reply.headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.trim().parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Duration::try_from(at.duration_since(jiff::Timestamp::now())).ok()
}

/// Traces a request; neither headers nor bodies, for they hold secrets.
fn trace(call: &Call, url: &Url, result: &Result<Reply>, took: Duration) {
    let millis = took.as_millis();
    match result {
        Ok(reply) => tracing::debug!(
            operation = call.operation,
            "{} {} → {} in {millis} ms, {} bytes",
            call.method,
            url.path(),
            reply.status.as_u16(),
            reply.body.len()
        ),
        Err(error) => {
            tracing::debug!(operation = call.operation, "{} {} → {error} in {millis} ms", call.method, url.path());
        }
    }
}
