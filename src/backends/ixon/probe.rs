//! What `doctor` looks at: the client on this computer and its version, the login to the cloud, its companies, the VPN.

use async_trait::async_trait;

use super::cloud::CLOUD;
use super::{Ixon, version};
use crate::backend::{Finding, Probe, Server, Session as _, VpnBackend as _};
use crate::error::{Code, Error, Layer, Result};
use crate::model::document::DoctorLayer;

#[async_trait]
impl Probe for Ixon {
    fn servers(&self) -> Vec<Server<'_>> {
        let client = |layers| Server { transport: &self.local.transport, layers };
        vec![
            client(&[DoctorLayer::Version]),
            Server { transport: &self.cloud.transport, layers: &[DoctorLayer::Login, DoctorLayer::Rights] },
            client(&[DoctorLayer::Vpn]),
        ]
    }

    async fn look(&self, layer: DoctorLayer) -> Result<Finding> {
        match layer {
            DoctorLayer::Version => self.version().await,
            DoctorLayer::Login => Finding::of_login(&self.show().await?, &self.info.backend),
            DoctorLayer::Rights => self.companies().await,
            _ => Ok(Finding::of_status(&self.info, &self.status(None).await?)),
        }
    }
}

impl Ixon {
    async fn version(&self) -> Result<Finding> {
        let (server, date) = self.local.about().await?;
        let told = server.as_deref().and_then(version::parse);
        let found = match told.map(|told| (told, version::advisory(told))) {
            None => Finding::unknown("it does not tell its version; the cloud refuses clients below 1.4.7")
                .remedy("look at the version in the client itself, and install the newest one"),
            Some((_, Some(advisory))) => Finding::wrong(
                Error::new(Code::Unsupported, Layer::Api, advisory).hint("install the newest IXON VPN Client"),
            ),
            Some(([major, minor, patch], None)) => {
                Finding::well(format!("version {major}.{minor}.{patch}, no advisory known"))
            }
        };
        Ok(found.at(date))
    }

    async fn companies(&self) -> Result<Finding> {
        let mut short = None;
        let companies = self.cloud.companies(&mut short).await?;
        match &self.cloud.config.company_id {
            Some(company) if !companies.contains(company) && short.is_some() => {
                Ok(Finding::well("the configured company is not seen in a list that may be incomplete"))
            }
            Some(company) if !companies.contains(company) => {
                let wrong = self.cloud.config.source.wrong("company_id", "is no company of this login");
                Ok(Finding::wrong(wrong.hint("take the id from the address of the company's page in the portal")))
            }
            None if companies.is_empty() => {
                let none = format!("{CLOUD} lets this login into no company");
                Ok(Finding::wrong(
                    Error::new(Code::AuthForbidden, Layer::Auth, none).hint("have the login invited to the company"),
                ))
            }
            Some(_) => Ok(Finding::well("the configured company may be used")),
            None if companies.len() == 1 => Ok(Finding::well("1 company may be used")),
            None => Ok(Finding::well(format!("{} companies may be used", companies.len()))),
        }
    }
}
