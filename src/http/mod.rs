//! The only way to the wire: one client per backend, built when it is first needed.
//!
//! A vendor describes a [`Call`]; [`Transport::call`] sends it within its deadline, adds credentials, renews them a
//! few times at most, repeats reads that failed temporarily, and caps what it reads. Vendors never retry by themselves.

mod address;
mod bare_key;
mod brake;
pub mod call;
pub mod certificate;
mod client;
mod deadline;
mod dial;
mod failure;
mod lanes;
pub mod layers;
pub mod mdns;
mod observer;
pub mod probe;
pub mod proxy;
mod rate;
mod reach;
mod renewal;
mod retry;
mod settings;
pub mod tls;
pub mod ws;

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use bytes_cap::read_capped;
use reqwest::header::HeaderMap;
use tokio::sync::Mutex;

pub use address::{LONGEST, is_nearby};
pub use bytes_cap::Sift;
pub use call::{Call, Reply, Safety, retry_after, without_quotes};
pub use client::UNREAD;
pub use deadline::{Deadline, within};
pub use failure::{server_failure, unparsable};
pub use observer::Observer;
pub use settings::{REQUEST_TIMEOUT, Settings};

use crate::error::{Code, Error, Layer, Result};
use crate::secrets::Secrets;
use brake::{Brake, Pass, Refusal, Shut};
use failure::Broken;
use lanes::track::{Tracked, sending};
use lanes::{Lanes, Place};
use reach::Reach;
use renewal::{Renewals, Renewing};
use retry::{REPEATS, before_the_call, doubtful, maybe_done, next_wait};

mod bytes_cap;

/// The first wait before a repeated read; it doubles each time: 0.2, 0.4, 0.8 s (contract section 6).
const FIRST_WAIT: Duration = Duration::from_millis(200);

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
    /// somebody else has done so meanwhile, there is nothing to do. Tells whether it made them.
    ///
    /// # Errors
    /// Fails where they can't be renewed.
    async fn renew(&self, stale: u64) -> Result<bool>;

    /// Says what an answer means.
    fn verdict(&self, call: &Call, reply: &Reply) -> Verdict;

    /// Adds the secrets that are held and were not sent by this process, which an answer may repeat all the same.
    fn hold(&self, _secrets: &Secrets) {}
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

/// An answer and what it means.
struct Answer {
    reply: Reply,
    /// The generation of the credentials that it was asked with.
    generation: u64,
    verdict: Verdict,
    /// Whether the server asked for a pause.
    refused: Option<Refusal>,
}

/// Sends calls to one server.
pub struct Transport {
    settings: Settings,
    tls: OnceLock<rustls::ClientConfig>,
    lanes: Lanes,
    brake: Brake,
    renewals: Renewals,
    reach: Reach,
    /// What no message repeats of what a server says.
    secrets: Arc<Secrets>,
    /// When the next request may start, by the rate; whoever holds it waits for that moment.
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
        Self {
            settings,
            tls: OnceLock::new(),
            lanes: Lanes::default(),
            brake: Brake::default(),
            renewals: Renewals::default(),
            reach: Reach::default(),
            secrets: Arc::default(),
            next_start: Mutex::new(None),
        }
    }

    /// Lets it share the secrets that another one knows.
    #[must_use]
    pub fn sharing(self, secrets: &Arc<Secrets>) -> Self {
        Self { secrets: Arc::clone(secrets), ..self }
    }

    /// Gives the secrets that were sent, and those that are known besides.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
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
        let mut tries = REPEATS;
        match self.attempt(protocol, call, false, &mut tries).await {
            Ok(Answer { reply, verdict: Verdict::Done, .. }) => Ok(reply),
            // Seldom, and in a box: it takes no room in what each device of a fleet does.
            first => Box::pin(self.call_on(protocol, call, first, tries)).await,
        }
    }

    /// Goes on with a call whose first attempt was not all.
    async fn call_on(
        &self,
        protocol: &dyn Protocol,
        call: &Call,
        first: Result<Answer>,
        mut tries: usize,
    ) -> Result<Reply> {
        let mut attempt = first;
        let mut waits =
            ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_factor(2.0).with_max_times(REPEATS).build();
        let mut renewing = Renewing::default();
        let mut earlier: Option<Error> = None;
        loop {
            let mut refusal = None;
            let error = match attempt {
                Ok(Answer { reply, verdict: Verdict::Done, .. }) => {
                    self.renewals.worked(&renewing);
                    return Ok(reply);
                }
                Ok(Answer { generation, verdict: Verdict::Stale(error), .. })
                    if call.authorized && renewing.is_worth_it(&self.renewals) =>
                {
                    tracing::debug!(operation = call.operation, "the session has ended: {error}");
                    let made = protocol.renew(generation).await;
                    renewing.ended(made.map_err(|error| self.told(before_the_call(error)))?, &self.renewals);
                    attempt = self.attempt(protocol, call, false, &mut tries).await;
                    continue;
                }
                Ok(Answer { reply, verdict: Verdict::Stale(error) | Verdict::Failed(error), refused, .. }) => {
                    refusal = refused;
                    if call.raw { error.answered(&reply.body) } else { error }
                }
                Err(error) => error,
            };
            if error.code() == Code::TimeoutDeadline
                && let Some(earlier) = earlier
            {
                // What broke the earlier attempts says more than that the time is over.
                return Err(self.told(earlier));
            }
            let repeats = call.safety == Safety::Read && error.is_repeatable();
            let Some(wait) = repeats.then(|| next_wait(&mut waits, &mut tries, &error, refusal)).flatten() else {
                // Four tries are all, also where this was the login that another call waits for.
                return Err(self.told(if repeats { error.later() } else { error }));
            };
            if !self.can_wait(wait) {
                return Err(self.told(error.later()));
            }
            tracing::debug!(operation = call.operation, "repeated in {} ms: {error}", wait.as_millis());
            if refusal.is_none() {
                tokio::time::sleep(wait).await;
            }
            earlier = Some(error);
            let goes_first = refusal.is_some_and(|refusal: Refusal| refusal.first);
            attempt = self.attempt(protocol, call, goes_first, &mut tries).await;
        }
    }

    /// Takes note of the secrets of a call, which its answer may repeat.
    fn remember(&self, call: &Call, headers: &HeaderMap) {
        let secret = headers.values().filter(|value| value.is_sensitive()).filter_map(|value| value.to_str().ok());
        secret.for_each(|text| self.secrets.sends(text.split_once(' ').map_or(text, |(_, token)| token)));
        let document = call.body.as_deref().and_then(|body| serde_json::from_slice(body).ok());
        document.iter().for_each(|document| self.secrets.sends_all(document));
    }

    /// Gives when requests have to be done.
    fn deadline(&self) -> Deadline {
        self.settings.deadline.or_bound()
    }

    /// Tells whether a wait is worth it: it ends before the deadline, or is none that nobody would sit through.
    fn can_wait(&self, wait: Duration) -> bool {
        self.deadline().left().map_or(wait <= brake::PATIENCE, |left| left > wait)
    }

    /// Adds what only the transport knows: the backend.
    fn told(&self, error: Error) -> Error {
        self.settings.own(error)
    }

    /// Makes one attempt; what is sent again within it is taken from the `tries` that are left.
    async fn attempt(&self, protocol: &dyn Protocol, call: &Call, first: bool, tries: &mut usize) -> Result<Answer> {
        let mut headers = call.headers.clone();
        let generation =
            if call.authorized { protocol.authorize(&mut headers).await.map_err(before_the_call)? } else { 0 };
        let (reply, pass) = self.send(call, &headers, first, tries).await?;
        if !reply.status.is_success() || call.safety == Safety::Once {
            self.remember(call, &headers);
        }
        let verdict = match reply.status.as_u16() {
            // Nothing says whether the work was done before: a proxy may have changed the answer, not the request.
            100..=199 | 300..=399 | 600.. => {
                protocol.hold(&self.secrets);
                Verdict::Failed(maybe_done(call, failure::no_answer(&self.settings.peer, &reply, &self.secrets)))
            }
            _ => match protocol.verdict(call, &reply) {
                // The vendor's own word is definite; a document that is none, after a success, tells nothing.
                Verdict::Failed(error) if reply.status.is_success() && error.code() == Code::VendorProtocol => {
                    Verdict::Failed(maybe_done(call, error))
                }
                Verdict::Failed(error) if error.vendor_code_text().is_none() || error.code() == Code::DeviceTimeout => {
                    Verdict::Failed(doubtful(call, error))
                }
                other => other,
            },
        };
        let refused = self.heed(&pass, &reply, &verdict);
        Ok(Answer { reply, generation, verdict, refused })
    }

    /// Brakes the whole backend where the server asks for it. A 503 that the vendor explains, for one device for
    /// example, is about that alone.
    fn heed(&self, pass: &Pass, reply: &Reply, verdict: &Verdict) -> Option<Refusal> {
        let status = reply.status.as_u16();
        let named = match verdict {
            Verdict::Stale(error) | Verdict::Failed(error)
                if status == 429
                    || status == 503 && error.code() == Code::HttpServerError && error.vendor_code_text().is_none() =>
            {
                error.wait()
            }
            _ => {
                pass.taken();
                return None;
            }
        };
        let named = named.or_else(|| retry_after(reply));
        let refusal = pass.refused(named, status, self.deadline());
        if refusal.announce {
            let Settings { backend, peer, .. } = &self.settings;
            let pause = refusal.pause.as_secs_f64().ceil();
            let what =
                if named.is_some() { format!("asks for a pause of {pause} s") } else { "refuses requests".into() };
            tracing::warn!(
                "{peer} {what} ({status}): all that `{backend}` still has to ask waits, and goes on slowly; \
                fewer --jobs or a lower --rate avoid it",
            );
        }
        Some(refusal)
    }

    /// Sends one request and reads its answer. A read that the server says it has not looked at is sent again at once, on
    /// another connection where it closes this one, for as long as there are `tries` left; of a write the server's word for
    /// that is not enough.
    async fn send(&self, call: &Call, headers: &HeaderMap, first: bool, tries: &mut usize) -> Result<(Reply, Pass)> {
        loop {
            let trying = self.reach.begin()?;
            let (pass, mut place) = self.admission(call, first).await?;
            let result = self.exchange(call, headers.clone(), &mut place).await;
            trying.ended(result.as_ref().err());
            let broken = match result {
                Ok(reply) => return Ok((reply, pass)),
                Err(broken) => broken,
            };
            let Broken { error, returned, unsent, walled } = broken;
            if returned && *tries > 0 && call.safety == Safety::Read {
                tracing::debug!(operation = call.operation, "sent again, for it was not looked at: {error}");
                *tries -= 1;
                continue;
            }
            let told = if walled { Box::pin(proxy::refusal(&self.settings)).await } else { None };
            return Err(match told.unwrap_or(error) {
                error if unsent => error.backend(&self.settings.backend),
                // An answer that is none, or has no end, says nothing of what was done before it.
                error if error.code() == Code::VendorProtocol => maybe_done(call, error),
                error => doubtful(call, error),
            });
        }
    }

    /// Waits until a request may be sent: for the brake, a place on a connection, and its turn by the rate.
    async fn admission(&self, call: &Call, first: bool) -> Result<(Pass, Place)> {
        let deadline = self.deadline();
        let waits = async {
            loop {
                let mut pass = self.brake.enter(first, deadline).await.map_err(|shut| self.shut(call, &shut))?;
                let mut place = self.lanes.place().await;
                // Who comes here while a pause begins gives back what it has: a turn would pass unused.
                if self.take_turn_while(|| pass.holds()).await && pass.send() {
                    place.send();
                    return Ok((pass, place));
                }
            }
        };
        let Some(at) = deadline.at() else { return waits.await };
        if deadline.has_passed() {
            return Err(self.deadline_passed(call));
        }
        tokio::time::timeout_at(at.into(), waits).await.unwrap_or_else(|_| Err(self.deadline_passed(call)))
    }

    /// Says why a call is not sent at all.
    fn shut(&self, call: &Call, shut: &Shut) -> Error {
        let error = shut.error(&self.settings.peer).unwrap_or_else(|| self.deadline_passed(call));
        error.backend(&self.settings.backend)
    }

    async fn exchange(&self, call: &Call, headers: HeaderMap, place: &mut Place) -> Result<Reply, Broken> {
        let url = self.address(call)?;
        let attempt = call.timeout.unwrap_or(self.settings.attempt());
        let deadline = self.deadline();
        let Some(limit) = deadline.limit(attempt) else {
            return Err(Broken::below(Layer::Tcp, self.deadline_passed(call)));
        };
        let track = Arc::clone(place.track());
        let body = reqwest::Body::wrap(Tracked::new(&track, call.body.as_deref()));
        let client = place.client(|| self.build())?;
        let mut request = reqwest::Request::new(call.method.clone(), url);
        (*request.headers_mut(), *request.body_mut()) = (headers, Some(body));
        let request = client.execute(request);
        let started = Instant::now();
        let broken = |error: reqwest::Error| match track.layer() {
            // The client's own limit for a connection, which says nothing of how far that came.
            layer @ (Layer::Dns | Layer::Tcp | Layer::Tls) if failure::is_own_limit(&error) => {
                let way = proxy::settings(&self.settings);
                Broken::below(layer, failure::unconnected(&self.settings, call, layer, way))
            }
            _ => Broken::by(&self.settings, call, &error),
        };
        let work = async {
            let mut response = sending(&track, request).await.map_err(broken)?;
            let (status, version) = (response.status(), response.version());
            let headers = std::mem::take(response.headers_mut());
            let body = read_capped(response, &self.settings, call).await?;
            Ok((version, Reply { status, headers, body, confidential: call.confidential }))
        };
        let work = pin!(work);
        let result = match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => {
                let layer = track.layer();
                let error = match deadline.has_passed() {
                    true => self.late(call, layer),
                    false => failure::timed_out(&self.settings, call, attempt, layer, proxy::settings(&self.settings)),
                };
                Err(Broken::below(layer, error))
            }
        };
        let took = started.elapsed();
        let result = result.map(|(version, reply)| {
            place.answered(version, took, lanes::closes(version, &reply.headers));
            reply
        });
        let told = result.as_ref().map_err(|broken: &Broken| &broken.error);
        self.observed(call, told.map(|reply| reply.status.as_u16()), started);
        if tracing::enabled!(tracing::Level::DEBUG) {
            trace(call, self.address(call)?.path(), told, took);
        }
        result
    }

    /// Tells the observer how an attempt went.
    fn observed(&self, call: &Call, answer: Result<u16, &Error>, started: Instant) {
        if let Some(observer) = &self.settings.observer {
            // What failed before the answer was read to its end may have a status all the same.
            let answer = answer.or_else(|error| error.report().http_status.ok_or(error.code()));
            observer.attempted(&self.settings.backend, call, answer, started.elapsed());
        }
    }

    fn deadline_passed(&self, call: &Call) -> Error {
        self.late(call, Layer::Http)
    }

    /// Says that the command's time ran out, and in which layer.
    fn late(&self, call: &Call, layer: Layer) -> Error {
        let what = format!(
            "the time for the command ran out while {} was waited for ({})",
            self.settings.peer, call.operation
        );
        Error::new(Code::TimeoutDeadline, layer, what)
            .temporary()
            .hint("give it more time with --timeout, or look at the server")
            .backend(&self.settings.backend)
    }
}

/// Traces a request; neither headers nor bodies, for they hold secrets.
fn trace(call: &Call, path: &str, result: Result<&Reply, &Error>, took: Duration) {
    let millis = took.as_millis();
    match result {
        Ok(reply) => tracing::debug!(
            operation = call.operation,
            "{} {path} → {} in {millis} ms, {} bytes",
            call.method,
            reply.status.as_u16(),
            reply.body.len()
        ),
        Err(error) => tracing::debug!(operation = call.operation, "{} {path} → {error} in {millis} ms", call.method),
    }
}
