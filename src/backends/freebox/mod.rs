#![doc = include_str!("docs.md")]

mod api;
mod auth;
pub mod config;
pub mod convert;
mod failure;
mod pairing;
mod wire;

use async_trait::async_trait;
use reqwest::Method;

use self::api::Api;
use crate::backend::registry::Vendor;
use crate::backend::{
    How, Info, Listed, LogLine, Login, Logs, Opening, Person, Raw, Session, Targets, VpnBackend, naming, no_such_path,
};
use crate::error::{Code, Error, Layer, Result};
use crate::http::Call;
use crate::model::{Source, State, Status, Target, TargetKind};

/// The Freebox's entry in the registry.
pub const VENDOR: Vendor =
    Vendor { name: "freebox", title: "Freebox OS", keys: config::KEYS, asks_devices: false, open };

/// The VPN client of a Freebox or an Iliadbox.
#[derive(Debug)]
pub struct Freebox {
    info: Info,
    api: Api,
}

fn open(opening: Opening) -> Result<Box<dyn VpnBackend>> {
    let config = config::Config::read(&opening)?;
    let info = Info {
        backend: opening.config.name.clone(),
        vendor: VENDOR.name,
        url: config.url.clone(),
        kind: TargetKind::Tunnel,
        one_vpn: true,
        labels: opening.config.labels(),
        default_target: None,
        // The box begins an attempt within a second or so; ten without a sign of one mean that it does not.
        silence_limit: Some(std::time::Duration::from_secs(10)),
    };
    Ok(Box::new(Freebox { info, api: Api::new(&opening, config)? }))
}

impl Freebox {
    fn called_otherwise(&self, target: &Target, now: &str) -> Error {
        naming::not_found(&self.info.backend, target.label()).context(&format!("`{}` is called `{now}` now", target.id))
    }
}

#[async_trait]
impl VpnBackend for Freebox {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn status(&self, target: Option<&Target>) -> Result<Status> {
        let (document, native) = self.api.status().await?;
        let status = Status { native: Some(native), ..convert::status(document) };
        if let (Some(wanted), Some(there)) = (target, &status.target)
            && wanted.id == there.id
            && let Some(changed) = renamed(wanted, there.name.as_deref())
        {
            // The name was remembered and meanwhile belongs to another tunnel, whose state this is.
            self.api.forget_ids().await?;
            return Err(self.called_otherwise(wanted, &changed));
        }
        Ok(match target {
            Some(target) if !status.is_of(target) => {
                Status { target: Some(target.clone()), ..Status::new(State::Disconnected, Source::Client) }
            }
            _ => status,
        })
    }

    async fn connect(&self, target: &Target, _how: How) -> Result<Status> {
        let told = self.api.activate(&target.id, true).await?;
        if let Some(changed) = told.and_then(|config| renamed(target, config.description.as_deref())) {
            // The name was remembered and meanwhile belongs to another tunnel: that one must not stay up.
            self.api.forget_ids().await?;
            self.api.activate(&target.id, false).await?;
            return Err(self.called_otherwise(target, &changed));
        }
        Ok(Status { target: Some(target.clone()), ..Status::new(State::Connecting, Source::Client) })
    }

    async fn disconnect(&self, target: &Target) -> Result<Status> {
        self.api.activate(&target.id, false).await?;
        Ok(Status { target: Some(target.clone()), ..Status::new(State::Disconnecting, Source::Client) })
    }

    fn targets(&self) -> Option<&dyn Targets> {
        Some(self)
    }

    fn session(&self) -> Option<&dyn Session> {
        Some(self)
    }

    fn logs(&self) -> Option<&dyn Logs> {
        Some(self)
    }

    fn raw(&self) -> Option<&dyn Raw> {
        Some(self)
    }

    fn why_not(&self, _capability: &str) -> &'static str {
        "the box's API has nothing for it"
    }
}

fn renamed(target: &Target, now: Option<&str>) -> Option<String> {
    let before = target.name.as_deref()?;
    now.filter(|now| *now != before).map(str::to_owned)
}

#[async_trait]
impl Targets for Freebox {
    async fn list(&self, each: &mut (dyn FnMut(Listed) + Send)) -> Result<()> {
        let targets = self.api.tunnels().await?;
        let active = convert::status(self.api.status().await?.0);
        for target in targets {
            let status = if active.is_of(&target) {
                active.clone()
            } else {
                Status { target: Some(target.clone()), ..Status::new(State::Disconnected, Source::Client) }
            };
            each(Listed { target, status: Some(status), labels: std::collections::BTreeMap::new() });
        }
        Ok(())
    }

    async fn find(&self, name: &str) -> Result<Vec<Target>> {
        let known = naming::best(name, &self.api.remembered());
        if known.len() == 1 && naming::is_exact(name, &known[0]) {
            return Ok(known);
        }
        Ok(naming::best(name, &self.api.tunnels().await?))
    }
}

#[async_trait]
impl Logs for Freebox {
    async fn lines(&self) -> Result<Vec<LogLine>> {
        Ok(convert::log(&self.api.log().await?))
    }
}

#[async_trait]
impl Raw for Freebox {
    async fn call(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>> {
        self.api.raw(Call::raw(method, path, body)).await.map_err(|error| no_such_path(error, path))
    }
}

#[async_trait]
impl Session for Freebox {
    async fn login(&self, person: &dyn Person) -> Result<Login> {
        self.api.pair(person).await
    }

    async fn logout(&self) -> Result<()> {
        self.api.logout().await
    }

    async fn show(&self) -> Result<Login> {
        self.api.login_state().await
    }
}

/// Makes the error for an unknown tunnel.
fn no_tunnel(backend: &str, id: &str) -> Error {
    Error::new(Code::TargetNotFound, Layer::Api, format!("the box has no VPN tunnel `{id}`"))
        .backend(backend)
        .target(id)
        .vendor_code("noent")
        .hint(format!("list what there is: vpnctl list -b {backend}"))
}
