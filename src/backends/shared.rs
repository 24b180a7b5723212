//! What the vendors' modules have in common: opening a transport, reading values that stand for nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde::de::IgnoredAny;
use url::Url;

use crate::backend::Opening;
use crate::config::Backend;
use crate::config::schema::{read_rate, read_url};
use crate::error::{Code, Error, Result};
use crate::http::tls::{Fingerprint, Trust, is_local};
use crate::http::{Reply, Settings, Transport, is_nearby};
use crate::secrets::{SecretRef, Secrets};
use crate::state::Pin;

/// How long a process does not repeat a login that was refused; one that runs for days may see it mended.
const REFUSAL_HOLDS: Duration = Duration::from_secs(300);
/// How long a process does not repeat a login that got no answer: as long as others may be waiting for the same one.
const SILENCE_HOLDS: Duration = Duration::from_secs(5);

/// Remembers that a login was refused, or that its secret could not be had: however many calls wait for it, it is sent
/// once, and whoever gives the secret is asked once.
#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<Option<Refusal>>);

/// When, for how long it holds, and what is told until then.
#[derive(Debug)]
struct Refusal(Instant, Duration, Error);

/// Tells whether a login got no answer, or none of the vendor's own: the next one may go well.
fn is_silence(error: &Error) -> bool {
    matches!(error.code(), Code::HttpServerError | Code::TimeoutRequest | Code::TimeoutDeadline | Code::NetReset)
}

impl Refused {
    /// Gives the refusal, where there was one lately.
    pub(super) fn check(&self) -> Result<()> {
        match &*self.last() {
            Some(Refusal(at, holds, error)) if at.elapsed() < *holds => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn last(&self) -> MutexGuard<'_, Option<Refusal>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches a configured secret, unless that failed lately: a person may have been asked for it and have said no, and
    /// would be asked again for each target. `key` names it in messages.
    pub(super) async fn fetch(&self, secret: &SecretRef, key: &str) -> Result<SecretString> {
        self.check()?;
        let fetched = secret.fetch(key).await;
        if let Err(error) = &fetched {
            *self.last() = Some(Refusal(Instant::now(), REFUSAL_HOLDS, error.clone()));
        }
        fetched
    }

    /// Looks at how a login went.
    pub(super) fn note<T>(&self, login: Result<T>) -> Result<T> {
        let refusal = login.as_ref().err().filter(|error| {
            let is_refusal = matches!(error.code(), Code::AuthRejected | Code::AuthDenied | Code::AuthMfaRequired);
            // Whatever a server said of it, and where it may have arrived, it is not sent once more by the next call.
            // The status of a proxy that opens no way is none of the server's.
            let answered = error.report().http_status.is_some() && error.code() != Code::NetRefused;
            is_refusal || answered || error.outcome_is_unknown() || is_silence(error)
        });
        let holds = |error: &Error| if is_silence(error) { SILENCE_HOLDS } else { REFUSAL_HOLDS };
        *self.last() = refusal.map(|error| Refusal(Instant::now(), holds(error), error.clone()));
        login
    }

    /// Forgets it, before a login that somebody asked for.
    pub(super) fn forget(&self) {
        *self.last() = None;
    }
}

/// Says what a logout has done here where the server was not told, or perhaps not: once more it would have nothing to end.
/// `rest` is what is left where it was not.
pub(super) fn half_out(error: Error, forgot: bool, rest: &str) -> Error {
    let too = if forgot { ", and so is a refusal" } else { "" };
    let backend = error.report().backend;
    let again = backend.map(|backend| format!("; to log in again: vpnctl auth login -b {backend}")).unwrap_or_default();
    let done = format!("the login is forgotten here{too}, but");
    let error = error.for_good();
    if error.outcome_is_unknown() {
        let doubt = format!("{done} whether the server was told");
        return error.in_doubt(&doubt, &format!("if the server was not told, {rest}{again}"), false);
    }
    error.context(&format!("{done} the server was not told")).instead(format!("{rest}{again}"))
}

/// Says what came of a logout that is answered without a document that would be read: a login that had ended is what was
/// asked for, and a page in the place of an answer is a proxy's, which leaves in doubt whether the server heard of it.
pub(super) fn logged_out(answer: Result<Reply>, peer: &str, secrets: &Secrets) -> Result<()> {
    match answer {
        Ok(reply) if reply.body.trim_ascii().is_empty() => Ok(()),
        Ok(reply) => {
            let body = secrets.hide(&String::from_utf8_lossy(&reply.body)).into_bytes();
            let read = Reply { body, ..reply }.json::<IgnoredAny>(peer, "logout");
            read.map(drop).map_err(Error::unknown_outcome)
        }
        Err(error) if error.code() == Code::AuthExpired => Ok(()),
        Err(error) => Err(error),
    }
}

/// Says how a vendor's server is reached, besides what the configuration says.
pub(super) struct Place {
    /// The URL, already checked to be there.
    pub(super) url: String,
    /// What the server is called in messages.
    pub(super) peer: &'static str,
    /// Roots in PEM to trust beside the system's.
    pub(super) extra_roots: Option<&'static str>,
    /// What to do when nothing listens there.
    pub(super) refused_hint: Option<&'static str>,
    /// What to do when its certificate is not trusted; `{backend}` stands for the backend's name.
    pub(super) untrusted_hint: Option<&'static str>,
}

/// Reads the settings of a backend's transport.
pub(super) fn settings(opening: &Opening, place: Place) -> Result<Settings> {
    let config = &opening.config;
    let mut url = read_url(&place.url).map_err(|why| config.wrong("url", &why))?;
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    let connect_address = connect_address(config, &url)?;
    let insecure = is_unverified(config, &url, connect_address)?;
    warn_of_plain_http(opening, &url, connect_address);
    if let Some(path) = config.path("tls.ca_file")
        && let Err(error) = std::fs::metadata(&path)
    {
        return Err(config.wrong("tls.ca_file", &format!("can't be read: {}: {error}", path.display())));
    }
    let pin = match config.text("tls.pin") {
        Some(text) => Some(Fingerprint::parse(text).map_err(|error| config.wrong("tls.pin", error.message()))?),
        None => None,
    };
    let kept = if pin.is_none() { kept_pin(opening, &url)? } else { None };
    let pin_kept = kept.is_some();
    let pin = pin.or(kept);
    // A certificate that somebody pinned is held to, also where anything would be accepted without it.
    let insecure = insecure && pin.is_none();
    if insecure && url.scheme() == "https" && opening.store.says("insecure") {
        tracing::warn!("the certificate of {} is not verified (tls.insecure)", place.peer);
    }
    Ok(Settings {
        backend: config.name.clone(),
        peer: place.peer.to_owned(),
        url,
        url_key: "url",
        connect_address: connect_address.map(str::to_owned),
        tls: Trust {
            ca_file: config.path("tls.ca_file"),
            pin,
            pinnable: true,
            pin_kept,
            insecure,
            server_name: config.text("tls.server_name").map(str::to_owned),
            extra_roots: place.extra_roots,
        },
        request_timeout: opening.request_timeout.or(config.duration("request_timeout")),
        rate: rate(opening)?,
        deadline: opening.deadline,
        refused_hint: place.refused_hint.map(str::to_owned),
        untrusted_hint: place.untrusted_hint.map(|hint| hint.replace("{backend}", &config.name)),
        observer: opening.observer.clone(),
    })
}

/// Tells whether certificates are not verified, which only a server on this computer may be met with.
fn is_unverified(config: &Backend, url: &Url, connect_address: Option<&str>) -> Result<bool> {
    if !config.is_on("tls.insecure") {
        return Ok(false);
    }
    let far = if !is_local(url) {
        "its URL"
    } else if connect_address.is_some_and(|host| !is_local(&at(url, host))) {
        "`connect_address`"
    } else if config.text("tls.pin").is_some() {
        return Err(config.wrong("tls.insecure", "and `tls.pin` contradict each other").hint("leave one of them out"));
    } else {
        return Ok(true);
    };
    Err(config
        .wrong("tls.insecure", &format!("is for this computer only, and {far} is elsewhere"))
        .hint("use `tls.ca_file` or `tls.pin`"))
}

/// Reads the address to connect to instead of what the name in the URL resolves to.
fn connect_address<'a>(config: &'a Backend, url: &Url) -> Result<Option<&'a str>> {
    let Some(host) = config.text("connect_address") else { return Ok(None) };
    let other = at(url, host);
    // Only a name is looked for, and so only a name can be looked for elsewhere.
    if other.host() != url.host() && url.domain().is_none() && config.text("tls.server_name").is_none() {
        return Err(config
            .wrong("connect_address", "is where a name is looked for, and `url` has an address already")
            .hint("write the server's name into `url`, as its certificate has it, or leave `connect_address` out"));
    }
    Ok(Some(host))
}

/// Gives a URL whose host is where it is connected to; what is no host leads nowhere that is trusted.
fn at(url: &Url, host: &str) -> Url {
    let bare = host.trim_matches(['[', ']']);
    let host = if bare.contains(':') { format!("[{bare}]") } else { bare.to_owned() };
    let mut other = url.clone();
    if other.set_host(Some(&host)).is_err() {
        // Who can't be told to be near is far.
        let _ = other.set_host(Some("elsewhere.invalid"));
    }
    other
}

/// Warns once where a login goes through networks of others unencrypted.
pub(super) fn warn_of_plain_http(opening: &Opening, url: &Url, connect_address: Option<&str>) {
    // An address in the URL is where it goes, whatever else is said.
    let host = connect_address.filter(|_| url.domain().is_some());
    let place = host.map_or_else(|| url.clone(), |host| at(url, host));
    if url.scheme() == "http" && !is_nearby(&place) && opening.store.says("plain http") {
        tracing::warn!(
            "`{}`: the login goes to {} unencrypted, and whoever is in between can read and use it; write https:// where the \
             server has it",
            opening.config.name,
            url.origin().ascii_serialization(),
        );
    }
}

/// Gives the fingerprint that `vpnctl trust add` kept for this URL.
fn kept_pin(opening: &Opening, url: &Url) -> Result<Option<Fingerprint>> {
    if url.scheme() != "https" {
        return Ok(None);
    }
    let Some(pin) = Pin::read(&opening.store)?.filter(|pin| pin.is_for(url)) else { return Ok(None) };
    // Going on without it would accept what was pinned against.
    Fingerprint::parse(&pin.fingerprint).map(Some).map_err(|error| {
        let backend = &opening.config.name;
        Error::config(format!("the pin that is kept for `{backend}` can't be used: {}", error.message()))
            .backend(backend)
            .hint(format!("forget it with: vpnctl trust rm -b {backend}"))
    })
}

/// Gives the rate of requests, from the flag or the configuration.
pub(super) fn rate(opening: &Opening) -> Result<Option<f64>> {
    match (opening.rate, opening.config.text("rate")) {
        (None, Some(text)) => read_rate(text).map(Some).map_err(|why| opening.config.wrong("rate", &why)),
        (flag, _) => Ok(flag),
    }
}

/// Makes a transport.
pub(super) fn transport(opening: &Opening, place: Place) -> Result<Transport> {
    Ok(Transport::new(settings(opening, place)?))
}

/// Takes a text that means something: not empty, and not an address that stands for none.
pub(super) fn meaningful(text: Option<String>) -> Option<String> {
    text.filter(|text| !matches!(text.trim(), "" | "0.0.0.0" | "::"))
}
