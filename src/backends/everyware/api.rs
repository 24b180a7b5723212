//! The cloud's calls about devices' VPN clients.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::auth::Auth;
use super::config::Config;
use super::failure::{PEER, is_no_route};
use super::wire::VpnClientStatus;
use crate::backend::Opening;
use crate::backends::shared::{self, Place};
use crate::error::Result;
use crate::http::call::segment;
use crate::http::{Call, Safety, Transport};

/// How long a call that asks a device may take; the cloud itself gives up after 30 s.
const DEVICE_TIMEOUT: Duration = Duration::from_secs(45);

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

/// What a device said, decoded and as it came.
pub(super) type Told = (VpnClientStatus, Value);

/// Calls one account.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) auth: Auth,
    device_timeout: Duration,
}

impl Api {
    pub(super) fn new(opening: &Opening, config: Config) -> Result<Self> {
        let place = Place {
            url: config.url.clone(),
            peer: PEER,
            extra_roots: None,
            refused_hint: Some("check `url`: an instance's API is https://api-INSTANCE.everyware.io/v1"),
            untrusted_hint: Some(
                "an installation of your own may have a private CA: name it with `tls.ca_file`, or pin the certificate: vpnctl trust add -b {backend}",
            ),
        };
        let transport: Transport = shared::transport(opening, place)?;
        let asked = opening.request_timeout.or(opening.config.duration("request_timeout"));
        Ok(Self { auth: Auth::new(opening, config, transport), device_timeout: asked.unwrap_or(DEVICE_TIMEOUT) })
    }

    /// Gives the path of something in the configured scope.
    pub(super) fn scoped(&self, rest: &str) -> String {
        format!("{}/{rest}", segment(&self.auth.config.scope))
    }

    fn vpn(&self, device: &str, action: &str) -> String {
        self.scoped(&format!("devices/{}/vpn{action}", segment(device)))
    }

    /// Asks or tells a device something.
    pub(super) async fn device(&self, verb: Verb, device: &str) -> Result<Told> {
        match verb {
            Verb::Status => self.status(device).await,
            Verb::Connect => self.connect(device).await,
            Verb::Disconnect => self.disconnect(device).await,
        }
    }

    /// Asks a device for its state.
    async fn status(&self, device: &str) -> Result<Told> {
        self.device_call(Call::get("status", self.vpn(device, ""))).await
    }

    /// Tells a device to bring its VPN up.
    async fn connect(&self, device: &str) -> Result<Told> {
        self.device_call(Call::write("connect", Method::POST, self.vpn(device, "/_connect")).empty()).await
    }

    /// Tells a device to take its VPN down.
    ///
    /// The vendor's page prints the path as `_discconect`; everything else says `_disconnect`. Only where no such
    /// route exists the misspelling is tried, once: nothing was carried out.
    async fn disconnect(&self, device: &str) -> Result<Told> {
        let configured = self.auth.config.disconnect_path.as_deref().map(|path| path.trim_matches('/'));
        let call = |name: &str| {
            Call::write("disconnect", Method::POST, self.vpn(device, &format!("/{}", segment(name)))).empty()
        };
        let first = self.device_call(call(configured.unwrap_or("_disconnect"))).await;
        match first {
            Err(error) if configured.is_none() && is_no_route(&error) => {
                tracing::info!(
                    "this server has no `_disconnect`; trying `_discconect`, as the vendor's page spells it"
                );
                // Where that is no route either, the first answer says what is wrong.
                self.device_call(call("_discconect"))
                    .await
                    .map_err(|other| if is_no_route(&other) { error } else { other })
            }
            first => first,
        }
    }

    /// Sends a raw call; one about a device's VPN takes its time.
    pub(super) async fn raw(&self, call: Call) -> Result<Vec<u8>> {
        let call = if call.path.contains("/vpn") { call.within(self.device_timeout) } else { call };
        self.auth.transport.call(&self.auth, &call).await.map(|reply| reply.body)
    }

    async fn device_call(&self, call: Call) -> Result<Told> {
        let call = call.within(self.device_timeout);
        let reply = self.auth.transport.call(&self.auth, &call).await?;
        if call.safety == Safety::Once && reply.body.trim_ascii().is_empty() {
            // Any success is one; what came of it is seen by asking.
            return Ok((VpnClientStatus::default(), Value::Null));
        }
        let status: VpnClientStatus = reply.json(PEER, call.operation).map_err(|error| {
            let error = error.backend(&self.auth.config.source.name);
            if call.safety == Safety::Once { error.unknown_outcome() } else { error }
        })?;
        Ok((status.unwrapped(), reply.maybe_json().unwrap_or_default()))
    }
}
