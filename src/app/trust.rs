//! `trust show`, `trust add`, `trust rm`: pinned server certificates.

use futures_util::stream::{self, StreamExt as _};

use super::{Emit, Open, Patience, Setup, emit, emit_failed};
use crate::backend::unsupported;
use crate::config;
use crate::error::{Code, Error, Layer, Result};
use crate::http::certificate::Certificate;
use crate::http::tls::Fingerprint;
use crate::http::{Deadline, Transport};
use crate::model::document::TrustItem;
use crate::model::item;
use crate::render::Item;
use crate::state::{Pin, Store};

/// How many servers are looked at at once.
const LOOKS: usize = 8;

/// Names what is done to a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Show it, and the certificate that the server shows now.
    Show,
    /// Pin what the server shows now; without `keep` only tell what would be pinned.
    Add {
        /// Whether the pin is written.
        keep: bool,
    },
    /// Forget the pin; without `keep` only tell what would be forgotten.
    Rm {
        /// Whether the change is written.
        keep: bool,
    },
}

/// Does it for each backend, and emits what is known of its certificates.
pub async fn run(setup: &Setup, names: &[String], verb: Verb, out: &Emit) {
    stream::iter(names)
        .for_each_concurrent(LOOKS, |name| async move {
            match one(setup, &setup.config.backends[name], verb).await {
                Ok(items) => items.into_iter().for_each(|item| emit(out, item)),
                Err(error) => emit_failed(out, None, error.backend(name)),
            }
        })
        .await;
}

async fn one(setup: &Setup, settings: &config::Backend, verb: Verb) -> Result<Vec<Item>> {
    if let Verb::Rm { keep } = verb {
        // Without opening the backend, so that a pin which keeps it from being opened can be forgotten too.
        let until = Deadline::after(setup.limits.timeout).at();
        return forget(settings, &setup.folder.backend(&settings.name).until(until), keep).await.map(|item| vec![item]);
    }
    let open = setup.open(settings, Patience::Look)?;
    let server = Server {
        transport: open.backend.transport().ok_or_else(|| unsupported(&*open.backend, "trust"))?,
        store: setup.folder.backend(&settings.name).until(open.deadline.at()),
        settings,
        open: &open,
    };
    match verb {
        Verb::Show => server.show().await,
        Verb::Add { keep } => server.add(keep).await.map(|item| vec![item]),
        Verb::Rm { .. } => Ok(Vec::new()),
    }
}

/// Forgets the pin of a backend, whatever URL it was made for.
async fn forget(settings: &config::Backend, store: &Store, keep: bool) -> Result<Item> {
    let name = &settings.name;
    if settings.text("tls.pin").is_some() {
        tracing::warn!("`tls.pin` in the configuration of `{name}` stays; it is yours to remove");
    }
    let is_corrupt = Pin::is_corrupt(store);
    let kept = if is_corrupt { None } else { Pin::read(store)? };
    let none = Pin { url: String::new(), fingerprint: String::new(), subject: None, not_after: None };
    let told = kept.as_ref().unwrap_or(&none);
    let url = kept.as_ref().map(|pin| pin.url.as_str()).or(settings.text("url"));
    let fingerprint = kept.as_ref().map(|pin| pin.fingerprint.as_str());
    let item = |pinned| object(name, url, fingerprint, told.subject.as_deref(), told.not_after.as_deref(), pinned);
    if kept.is_none() && !is_corrupt {
        return Ok(item(false));
    }
    if !keep {
        let what = if is_corrupt { "the corrupt pin" } else { told.fingerprint.as_str() };
        tracing::warn!("dry run: would forget {what} of `{name}`");
        return Ok(item(true));
    }
    let guard = Pin::place(store).lock().await?;
    // What is corrupt is set aside, and nothing else is done with it.
    let _: Option<Pin> = guard.read();
    if !guard.write(&None::<Pin>) {
        return Err(unwritten(name, "forgotten"));
    }
    Ok(item(false))
}

/// A backend's server, and what is pinned of it.
struct Server<'a> {
    transport: &'a Transport,
    store: Store,
    settings: &'a config::Backend,
    open: &'a Open,
}

impl Server<'_> {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn url(&self) -> &str {
        &self.open.info().url
    }

    /// Gives the pin that connections are held to, the configuration's before a kept one.
    fn pinned(&self) -> Result<Option<Pin>> {
        let known = |pin: &Pin| pin.is_for(&self.transport.settings().url);
        Ok(match self.settings.text("tls.pin").and_then(|text| Fingerprint::parse(text).ok()) {
            Some(pin) => {
                Some(Pin { url: self.url().to_owned(), fingerprint: pin.to_string(), subject: None, not_after: None })
            }
            None => Pin::read(&self.store)?.filter(known),
        })
    }

    async fn show(&self) -> Result<Vec<Item>> {
        let (name, peer) = (self.name(), &self.transport.settings().peer);
        let pinned = self.pinned()?;
        match (self.transport.certificate().await, pinned) {
            (Ok(seen), Some(pin)) if seen.fingerprint.to_string() != pin.fingerprint => {
                tracing::warn!("the certificate that {peer} of `{name}` shows now is not the pinned one");
                Ok(vec![self.seen(&seen, false), self.kept(&pin)])
            }
            (Ok(seen), pin) => Ok(vec![self.seen(&seen, pin.is_some())]),
            (Err(error), Some(pin)) if error.code() != Code::Usage => {
                tracing::warn!("only the pin of `{name}` is known, for the certificate can't be seen now: {error}");
                Ok(vec![self.kept(&pin)])
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn add(&self, keep: bool) -> Result<Item> {
        let name = self.name();
        if self.settings.text("tls.pin").is_some() {
            return Err(exists(&self.settings.wrong("tls.pin", "pins a certificate already, and it wins").to_string())
                .hint(
                    "set it to the fingerprint that `vpnctl trust show` tells, or remove it from the configuration",
                ));
        }
        let seen = self.transport.certificate().await?;
        if self.has(&seen, self.pinned()?)? {
            return Ok(self.seen(&seen, true));
        }
        if !keep {
            tracing::warn!("dry run: would pin {} for `{name}`", seen.fingerprint);
            return Ok(self.seen(&seen, false));
        }
        let guard = Pin::place(&self.store).lock().await?;
        // Another process may have pinned meanwhile.
        if self.has(&seen, self.pinned()?)? {
            return Ok(self.seen(&seen, true));
        }
        let pin = Pin {
            url: self.url().to_owned(),
            fingerprint: seen.fingerprint.to_string(),
            subject: seen.subject.clone(),
            not_after: until(&seen),
        };
        if guard.write(&Some(pin)) { Ok(self.seen(&seen, true)) } else { Err(unwritten(name, "kept")) }
    }

    /// Tells whether a certificate is the pinned one; fails where another is.
    fn has(&self, seen: &Certificate, pinned: Option<Pin>) -> Result<bool> {
        let name = self.name();
        match pinned {
            None => Ok(false),
            Some(pin) if pin.fingerprint == seen.fingerprint.to_string() => Ok(true),
            Some(pin) => {
                let (old, new) = (pin.fingerprint, seen.fingerprint);
                Err(exists(&format!("`{name}` has {old} pinned, and its server shows {new} now")).hint(format!(
                    "find out whether the certificate was renewed; only if so: vpnctl trust rm -b {name}, then \
                     vpnctl trust add -b {name}"
                )))
            }
        }
    }

    fn seen(&self, seen: &Certificate, pinned: bool) -> Item {
        let fingerprint = seen.fingerprint.to_string();
        let until = until(seen);
        object(self.name(), Some(self.url()), Some(&fingerprint), seen.subject.as_deref(), until.as_deref(), pinned)
    }

    fn kept(&self, pin: &Pin) -> Item {
        let (subject, until) = (pin.subject.as_deref(), pin.not_after.as_deref());
        object(self.name(), Some(&pin.url), Some(&pin.fingerprint), subject, until, true)
    }
}

fn until(seen: &Certificate) -> Option<String> {
    seen.not_after.map(|at| at.to_string())
}

fn exists(what: &str) -> Error {
    Error::new(Code::ConflictExists, Layer::Config, what)
}

/// Says that a pin was asked for which can't be kept: unlike a login, it is of no use for this process alone.
fn unwritten(backend: &str, what: &str) -> Error {
    Error::config(format!("the pin of `{backend}` can't be {what}, for the state folder can't be written"))
        .hint("make it writable, or name another with VPNCTL_STATE_DIR; a pin can also stand in `tls.pin`")
}

fn object(
    backend: &str,
    url: Option<&str>,
    fingerprint: Option<&str>,
    subject: Option<&str>,
    not_after: Option<&str>,
    pinned: bool,
) -> Item {
    item::of(&TrustItem { backend, url, fingerprint, subject, not_after, pinned })
}
