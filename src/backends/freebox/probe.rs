//! What `doctor` looks at: which box it is, the pairing, the right that writes need, and the VPN client.

use async_trait::async_trait;

use super::Freebox;
use super::auth::WRITE_RIGHT;
use super::failure::rights_path;
use crate::backend::{Finding, Probe, Server, Session as _, VpnBackend as _};
use crate::error::{Code, Error, Layer, Result};
use crate::model::document::DoctorLayer;

/// The first version of the API that has the VPN client.
const FIRST: u64 = 2;

#[async_trait]
impl Probe for Freebox {
    fn servers(&self) -> Vec<Server<'_>> {
        let layers = &[DoctorLayer::Version, DoctorLayer::Login, DoctorLayer::Rights, DoctorLayer::Vpn];
        vec![Server { transport: &self.api.auth.transport, layers }]
    }

    async fn look(&self, layer: DoctorLayer) -> Result<Finding> {
        match layer {
            DoctorLayer::Version => self.version().await,
            DoctorLayer::Login => Finding::of_login(&self.show().await?, &self.info.backend),
            DoctorLayer::Rights => self.rights().await,
            _ => self.client().await,
        }
    }
}

impl Freebox {
    async fn version(&self) -> Result<Finding> {
        let (_, about, date) = self.api.about().await?;
        let model = about.box_model_name.or(about.box_model).unwrap_or_else(|| "a box".to_owned());
        let text = format!("{model}, API {}", about.api_version);
        let major = about.api_version.split('.').next().and_then(|major| major.trim().parse::<u64>().ok()).unwrap_or(0);
        let old = Error::new(Code::Unsupported, Layer::Api, format!("{text}: the VPN client needs API 2 or later"));
        let found = match self.api.auth.config.api_version {
            _ if major < FIRST => Finding::wrong(old.hint("update the box: switch it off and on again")),
            Some(asked) if asked > major => Finding::wrong(
                Error::config(format!("{text}: `api_version` of the configuration asks for {asked}"))
                    .hint("leave `api_version` out, so that what the box reports is used"),
            ),
            _ => Finding::well(text),
        };
        Ok(found.at(date))
    }

    async fn rights(&self) -> Result<Finding> {
        // A right that was ticked meanwhile counts from the next session on.
        self.api.auth.refresh_rights().await?;
        let rights = self.api.auth.memory().session.map(|session| session.rights).unwrap_or_default();
        let granted: Vec<&str> = rights.iter().filter(|(_, on)| **on).map(|(name, _)| name.as_str()).collect();
        if granted.contains(&WRITE_RIGHT) {
            return Ok(Finding::well(granted.join(", ")));
        }
        let what = format!("the right `{WRITE_RIGHT}` is missing: reading works, connecting does not");
        Ok(Finding::wrong(
            Error::new(Code::AuthForbidden, Layer::Auth, what).hint(rights_path(self.api.auth.is_italian())),
        ))
    }

    async fn client(&self) -> Result<Finding> {
        let status = self.status(None).await?;
        let tunnels = self.api.tunnels().await?;
        let backend = &self.info.backend;
        if tunnels.is_empty() {
            let none = Error::new(Code::TargetNotFound, Layer::Tunnel, "the box has no VPN configuration to connect");
            return Ok(Finding::wrong(none.hint(format!("import one: vpnctl tunnel import -b {backend} FILE.conf"))));
        }
        let mut found = Finding::of_status(&self.info, &status);
        let noun = if tunnels.len() == 1 { "tunnel" } else { "tunnels" };
        if found.error.is_none() {
            found.text = format!("{}; {} {noun}", found.text, tunnels.len());
        }
        Ok(found)
    }
}
