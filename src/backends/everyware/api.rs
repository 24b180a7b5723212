//! The cloud's calls about devices' VPN clients.

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use super::accounts::Account;
use super::auth::Auth;
use super::config::Config;
use super::failure::{PEER, is_no_route};
use super::ids;
use super::names::Sights;
use super::wire::VpnClientStatus;
use crate::backend::Opening;
use crate::backends::shared::{self, Place};
use crate::error::{Error, Layer, Result};
use crate::http::call::segment;
use crate::http::{Call, Safety, Transport, unparsable};
use crate::model::Target;

/// How long a call that asks a device may take; the cloud itself gives up after 30 s.
const DEVICE_TIMEOUT: Duration = Duration::from_secs(45);

/// What to do where a server knows neither spelling of the call.
const NEITHER: &str = "neither `_disconnect` nor `_discconect` is there: check that `url` ends in /v1, and where this \
    server calls it otherwise, set `disconnect_path`";

/// Names what a device is asked or told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    /// Its state.
    Status,
    /// To bring its VPN up.
    Connect,
    /// To take its VPN down.
    Disconnect,
}

impl Verb {
    fn operation(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
        }
    }
}

/// What a device said, decoded, and as it came where that is wanted.
pub(super) type Told = (VpnClientStatus, Option<Value>);

/// Calls one account.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) auth: Auth,
    device_timeout: Duration,
    /// Whether documents are given as they came too.
    native: bool,
    /// Whether devices are asked themselves, so that the VPN server's list is not needed.
    pub(super) live: bool,
    /// Whether names and lists reach into child accounts.
    pub(super) recursive: bool,
    /// The account that `scope` means, once it was looked up in this process.
    pub(super) scope: OnceLock<Account>,
    /// Held while it is looked up; when that failed last, and why.
    pub(super) looking: tokio::sync::Mutex<Option<(Instant, Error)>>,
    /// What look-ups saw, for their messages.
    pub(super) seen: Sights,
    /// Whether it was told that the VPN server's list can't be read: once is enough for many accounts.
    pub(super) told_blind: AtomicBool,
}

impl Api {
    pub(super) fn new(opening: &Opening, config: Config) -> Result<Self> {
        let place = Place {
            url: config.url.clone(),
            peer: PEER,
            extra_roots: None,
            refused_hint: Some("check `url`: an instance's API is https://api.INSTANCE.everyware.io/v1"),
            untrusted_hint: Some(
                "an installation of your own may have a private CA: name it with `tls.ca_file`, or pin the certificate: vpnctl trust add -b {backend}",
            ),
        };
        let transport: Transport = shared::transport(opening, place)?;
        let asked = opening.request_timeout.or(opening.config.duration("request_timeout"));
        Ok(Self {
            auth: Auth::new(opening, config, transport),
            device_timeout: asked.unwrap_or(DEVICE_TIMEOUT),
            native: opening.native,
            live: opening.live,
            recursive: opening.recursive,
            scope: OnceLock::new(),
            looking: tokio::sync::Mutex::default(),
            seen: Sights::default(),
            told_blind: AtomicBool::new(false),
        })
    }

    /// Gives the path of something in an account.
    pub(super) fn path(scope: &str, rest: &str) -> String {
        format!("{}/{rest}", segment(scope))
    }

    /// Asks or tells a device something.
    pub(super) async fn device(&self, verb: Verb, device: &Target) -> Result<Told> {
        match verb {
            Verb::Status => self.device_call(device, "", verb).await,
            Verb::Connect => self.device_call(device, "/_connect", verb).await,
            Verb::Disconnect => self.disconnect(device).await,
        }
    }

    /// Tells a device to take its VPN down.
    ///
    /// The vendor's page prints the path as `_discconect`; everything else says `_disconnect`. Only where no such
    /// route exists the misspelling is tried, once: nothing was carried out.
    async fn disconnect(&self, device: &Target) -> Result<Told> {
        let configured = self.auth.config.disconnect_path.as_deref().map(|path| path.trim_matches('/'));
        let action = |name: &str| format!("/{}", segment(name));
        let first = self.device_call(device, &action(configured.unwrap_or("_disconnect")), Verb::Disconnect).await;
        match first {
            Err(error) if configured.is_none() && is_no_route(&error) => {
                tracing::info!(
                    "this server has no `_disconnect`; trying `_discconect`, as the vendor's page spells it"
                );
                // Where that is no route either, the first answer says what is wrong.
                self.device_call(device, &action("_discconect"), Verb::Disconnect)
                    .await
                    .map_err(|other| if is_no_route(&other) { self.neither(&error) } else { other })
            }
            first => first,
        }
    }

    fn neither(&self, error: &Error) -> Error {
        Error::new(error.code(), Layer::Http, error.message())
            .status(error.report().http_status.unwrap_or(404))
            .backend(self.auth.backend())
            .hint(NEITHER)
    }

    /// Sends a raw call; one about a device's VPN takes its time.
    pub(super) async fn raw(&self, call: Call) -> Result<Vec<u8>> {
        let call = if call.path.contains("/vpn") { call.within(self.device_timeout) } else { call };
        self.auth.transport.call(&self.auth, &call).await.map(|reply| reply.body)
    }

    async fn device_call(&self, device: &Target, action: &str, verb: Verb) -> Result<Told> {
        // An id may have been copied out of a message, which has the other form.
        let id = ids::for_path(&device.id);
        let operation = verb.operation();
        let safety = if matches!(verb, Verb::Status) { Safety::Read } else { Safety::Once };
        let made = |scope: &str| {
            let path = format!("{}/devices/{}/vpn{action}", segment(scope), segment(&id));
            let call = match safety {
                Safety::Read => Call::get(operation, path),
                _ => Call::write(operation, Method::POST, path).empty(),
            };
            call.within(self.device_timeout)
        };
        let reply = self.in_scope(device.scope.as_deref(), made).await?;
        if safety == Safety::Once && reply.body.trim_ascii().is_empty() {
            // Any success is one; what came of it is seen by asking.
            return Ok((VpnClientStatus::default(), None));
        }
        let status: VpnClientStatus = self
            .auth
            .read(&reply, operation)
            .map_err(|error| if safety == Safety::Once { error.unknown_outcome() } else { error })?;
        let status = status.unwrapped();
        if safety == Safety::Read && status.connected.is_none() {
            let fault = "nothing in it tells whether the VPN is connected";
            return Err(unparsable(PEER, operation, &self.auth.discreet(&reply), fault).backend(self.auth.backend()));
        }
        Ok((status, self.native.then(|| reply.maybe_json().unwrap_or_default())))
    }
}
