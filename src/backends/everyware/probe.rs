//! What `doctor` looks at: the login, the deployment, what the login may do, and whether VPN server and bundle are there.

use async_trait::async_trait;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::Everyware;
use super::api::Api;
use super::failure::PEER;
use super::wire::Page;
use crate::backend::{Finding, Probe, Server, Session as _};
use crate::error::{Code, Error, Layer, Result};
use crate::http::Call;
use crate::http::layers::date;
use crate::model::document::DoctorLayer;

/// How many devices are looked at for the bundle.
const LOOKED_AT: usize = 100;
/// What the applications of a device with the bundle hold; lists were seen without separators (section 5).
const BUNDLE: &str = "VPNCLIENT-V";

/// The answer of `GET /sys-info`, as far as it is read.
#[derive(Deserialize)]
struct About {
    #[serde(default)]
    version: Value,
}

/// What a device has installed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Installed {
    #[serde(default)]
    application_identifiers: Value,
}

#[async_trait]
impl Probe for Everyware {
    fn servers(&self) -> Vec<Server<'_>> {
        // Who asks for the version needs a login.
        let layers = &[DoctorLayer::Login, DoctorLayer::Version, DoctorLayer::Rights, DoctorLayer::Vpn];
        vec![Server { transport: &self.api.auth.transport, layers }]
    }

    async fn look(&self, layer: DoctorLayer) -> Result<Finding> {
        match layer {
            DoctorLayer::Login => {
                let login = self.show().await?;
                let found = Finding::of_login(&login, &self.info.backend)?;
                // The answer told the rights too.
                let _ = self.rights.set(login.rights);
                Ok(found)
            }
            DoctorLayer::Version => self.version().await,
            DoctorLayer::Rights => self.rights().await,
            _ => self.remote_access().await,
        }
    }
}

impl Everyware {
    async fn version(&self) -> Result<Finding> {
        let call = Call::get("sys-info", "sys-info");
        let reply = match self.api.auth.transport.call(&self.api.auth, &call).await {
            Err(error) if is_withheld(&error) => {
                return Ok(Finding::unknown("Everyware Cloud; it does not tell its version"));
            }
            answer => answer?,
        };
        let version = reply.maybe_json::<About>().and_then(|about| about.version.as_str().map(str::to_owned));
        let found = match version {
            Some(version) => Finding::well(format!("Everyware Cloud {version}")),
            None => Finding::unknown("Everyware Cloud; it does not tell its version"),
        };
        Ok(found.at(date(&reply)))
    }

    /// Says what the login may do with devices. Which permissions the VPN calls really check is not documented; a role
    /// that works was seen without the one for reading.
    async fn rights(&self) -> Result<Finding> {
        let rights = match self.rights.get() {
            Some(rights) => rights.clone(),
            None => self.show().await?.rights,
        };
        let Some(rights) = rights else {
            return Ok(Finding::unknown("what the login may do is not told"));
        };
        let has = |action: &str| {
            rights
                .iter()
                .filter_map(|right| right.split_once(':'))
                .any(|(domain, may)| matches!(domain, "*" | "device_management") && (may == "*" || may == action))
        };
        if has("execute") || has("write") {
            return Ok(Finding::well("devices' VPNs may be connected and disconnected"));
        }
        let what = if has("read") {
            "the login may read devices' VPNs, and not connect them"
        } else {
            "the login may do nothing with devices: `device_management` is missing"
        };
        let hint = "have the role of the user given device_management:execute in the console";
        Ok(Finding::wrong(Error::new(Code::AuthForbidden, Layer::Auth, what).hint(hint)))
    }

    async fn remote_access(&self) -> Result<Finding> {
        let profiles = self.first::<IgnoredAny>("vpn-configurations", "vpnServers/_configurations", 1).await;
        // Where nothing at all is told, nothing is known to be well.
        let told = profiles.is_ok() || self.rights.get().is_some_and(Option::is_some);
        let server = match profiles {
            Ok(profiles) if profiles.is_empty() => {
                let none = "no VPN server is assigned to the account";
                let error = Error::new(Code::Unsupported, Layer::Api, none);
                return Ok(Finding::wrong(error.hint("ask whoever runs this Everyware Cloud to assign one")));
            }
            Ok(_) => "a VPN server is assigned",
            Err(error) if is_withheld(&error) => "whether a VPN server is assigned is not told",
            Err(error) => return Err(error),
        };
        let devices = match self.first::<Installed>("devices", "devices", LOOKED_AT).await {
            // A role may do without reading devices, and every Everyware Cloud has the call.
            Err(error) if told && error.report().http_status == Some(403) => {
                return Ok(Finding::unknown(format!("{server}; nor are devices")));
            }
            devices => devices?,
        };
        let told: Vec<&str> = devices.iter().filter_map(|one| one.application_identifiers.as_str()).collect();
        let with = told.iter().filter(|applications| applications.contains(BUNDLE)).count();
        let count = devices.len();
        if told.is_empty() {
            return Ok(Finding::unknown(format!("{server}; of {count} devices looked at none tells what it has")));
        }
        let hint = "install and configure the VPN Remote Access bundle of ESF on the devices";
        if with == 0 {
            let what = format!("{server}; of {count} devices looked at none has the VPN bundle");
            return Ok(Finding::wrong(Error::new(Code::DeviceNoVpn, Layer::Device, what).hint(hint)));
        }
        let found = Finding::well(format!("{server}; {with} of {count} devices looked at have the VPN bundle"));
        Ok(if with < told.len() { found.remedy(format!("where it is missing, {hint}")) } else { found })
    }

    /// Reads the first entries of a list; what it holds beside them may be keys.
    async fn first<T: serde::de::DeserializeOwned>(
        &self,
        operation: &'static str,
        list: &str,
        limit: usize,
    ) -> Result<Vec<T>> {
        let made = |scope: &str| {
            Call::get(operation, format!("{}?limit={limit}&offset=0", Api::path(scope, list))).confidential()
        };
        let reply = self.api.in_scope(None, made).await?;
        reply.json::<Page<T>>(PEER, operation).map(|page| page.items).map_err(|error| error.backend(&self.info.backend))
    }
}

/// Tells whether this is not to be had here, or not by this login.
fn is_withheld(error: &Error) -> bool {
    matches!(error.report().http_status, Some(403 | 404))
}
