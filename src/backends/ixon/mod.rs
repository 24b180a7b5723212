#![doc = include_str!("docs.md")]

mod api;
mod auth;
mod cloud;
pub mod config;
pub mod convert;
mod document;
mod failure;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod memory;
mod probe;
mod router;
mod secrets;
mod settings;
mod version;
pub mod wire;
mod ws;

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Method;

use self::api::Local;
use self::cloud::Cloud;
use self::memory::{Agent, Remembered};
use crate::backend::registry::Vendor;
use crate::backend::{
    Events, How, Info, Listed, Login, Opening, Person, Probe, Raw, Session, Settings, Targets, VpnBackend, naming,
    no_such_path,
};
use crate::error::{Error, Result};
use crate::http::{Call, Transport};
use crate::model::{Source, State, Status, Target, TargetKind};

/// IXON's entry in the registry.
pub const VENDOR: Vendor =
    Vendor { name: "ixon", title: "IXON VPN Client", keys: config::KEYS, asks_devices: false, discovery: None, open };

/// The IXON VPN client on this computer.
#[derive(Debug)]
pub struct Ixon {
    info: Info,
    local: Local,
    cloud: Cloud,
    memory: Arc<Remembered>,
    sector: Option<String>,
}

fn open(opening: Opening) -> Result<Box<dyn VpnBackend>> {
    let config = config::Config::read(&opening);
    let memory = Arc::new(Remembered::open(&opening, &config));
    let info = Info {
        backend: opening.config.name.clone(),
        vendor: VENDOR.name,
        url: config.url.clone(),
        kind: TargetKind::Agent,
        one_vpn: true,
        labels: opening.config.labels(),
        default_target: config.agent.clone(),
        // The client starts at once; it may also fail and be idle again before it is first asked.
        silence_limit: Some(std::time::Duration::from_secs(10)),
    };
    let local = Local::new(&opening, &config, Arc::clone(&memory))?;
    let sector = config.sector_id.clone();
    let cloud = Cloud::new(&opening, config, Arc::clone(&memory))?;
    Ok(Box::new(Ixon { info, local, cloud, memory, sector }))
}

impl Ixon {
    /// Gives the company that an agent belongs to.
    fn company(&self, target: &Target) -> Result<String> {
        match self.memory.agent(&target.id).and_then(|agent| agent.company) {
            Some(company) => Ok(company),
            None => self.cloud.company(),
        }
    }

    /// Wakes the router where that was asked for; whatever becomes of it, the client has been told nothing yet.
    async fn wake(&self, target: &Target, company: &str, how: How) -> Result<()> {
        if how.wake { self.cloud.wake(target, company).await.map_err(Error::known_outcome) } else { Ok(()) }
    }
}

#[async_trait]
impl VpnBackend for Ixon {
    fn info(&self) -> &Info {
        &self.info
    }

    fn transport(&self) -> Option<&Transport> {
        Some(&self.local.transport)
    }

    async fn status(&self, target: Option<&Target>) -> Result<Status> {
        let status = self.memory.named(self.local.status().await?);
        Ok(match target {
            Some(target) if !status.is_of(target) => {
                Status { target: Some(target.clone()), ..Status::new(State::Disconnected, Source::Client) }
            }
            Some(target) => Status { target: Some(target.clone()), ..status },
            None => status,
        })
    }

    async fn connect(&self, target: &Target, how: How) -> Result<Status> {
        let company = self.company(target)?;
        self.wake(target, &company, how).await?;
        let sector = match &self.sector {
            Some(sector) => Some(sector.clone()),
            None => self.cloud.sector().await,
        };
        // Whatever becomes of a login, the client has been told nothing yet.
        let token = self.cloud.token().await.map_err(Error::known_outcome)?;
        self.cloud.warn_of_the_end();
        self.local.connect(&target.id, &company, &token, sector.as_deref()).await?;
        Ok(Status { target: Some(target.clone()), ..Status::new(State::Connecting, Source::Client) })
    }

    async fn prepare(&self, target: &Target, how: How) -> Result<()> {
        let company = self.company(target)?;
        self.cloud.token().await.map_err(Error::known_outcome)?;
        self.wake(target, &company, how).await
    }

    async fn disconnect(&self, target: &Target) -> Result<Status> {
        self.local.disconnect().await?;
        Ok(Status { target: Some(target.clone()), ..Status::new(State::Disconnecting, Source::Client) })
    }

    async fn explain(&self, target: &Target, error: Error) -> Error {
        if self.local.is_outdated() {
            return error.explained(
                "the IXON VPN Client is older than 1.4.7, and the cloud refuses such clients",
                "install the newest IXON VPN Client, then try again",
            );
        }
        let company = self.memory.agent(&target.id).and_then(|agent| agent.company);
        let Ok(company) = company.map_or_else(|| self.cloud.company(), Ok) else { return error };
        let argument = naming::argument(&self.info.backend, target);
        self.cloud.explain(&target.id, &company, &argument, error).await
    }

    fn targets(&self) -> Option<&dyn Targets> {
        Some(self)
    }

    fn session(&self) -> Option<&dyn Session> {
        Some(self)
    }

    fn events(&self) -> Option<&dyn Events> {
        Some(self)
    }

    fn settings(&self) -> Option<&dyn Settings> {
        Some(self)
    }

    fn raw(&self) -> Option<&dyn Raw> {
        Some(self)
    }

    fn probe(&self) -> Option<&dyn Probe> {
        Some(self)
    }

    fn why_not(&self, _capability: &str) -> &'static str {
        "the VPN client's API has nothing for it"
    }
}

#[async_trait]
impl Targets for Ixon {
    async fn list(&self, each: &mut (dyn FnMut(Listed) + Send)) -> Result<()> {
        self.list_parts(each, &mut |error| tracing::warn!("{error}")).await
    }

    async fn list_parts(
        &self,
        each: &mut (dyn FnMut(Listed) + Send),
        failed: &mut (dyn FnMut(Error) + Send),
    ) -> Result<()> {
        let (agents, _) = self.cloud.agents(failed).await?;
        // The agents are known by the cloud; whether one is connected is known by the client on this computer, which
        // may not run. Then its state is not known, and the list is still worth having.
        let active = match self.local.status().await {
            Ok(status) => Some(self.memory.named(Status { native: None, ..status })),
            Err(error) => {
                tracing::warn!("the states are left out: {error}");
                None
            }
        };
        for agent in agents {
            let target = agent.target();
            let status = active.as_ref().map(|active| {
                if active.is_of(&target) {
                    active.clone()
                } else {
                    Status { target: Some(target.clone()), ..Status::new(State::Disconnected, Source::Client) }
                }
            });
            each(Listed { target, status, labels: agent.labels });
        }
        Ok(())
    }

    async fn count(&self) -> Result<usize> {
        Ok(self.cloud.agents(&mut |error| tracing::warn!("{error}")).await?.0.len())
    }

    async fn exact(&self, name: &str) -> Result<Vec<Target>> {
        let (agents, _) =
            self.cloud.agents(&mut |error| tracing::debug!("not looked at for `{name}`: {error}")).await?;
        Ok(agents.iter().map(Agent::target).filter(|target| naming::is_exact(name, target)).collect())
    }

    async fn find(&self, name: &str) -> Result<Vec<Target>> {
        let known = naming::best(name, &self.memory.targets());
        if known.len() == 1 && naming::is_exact(name, &known[0]) {
            return Ok(known);
        }
        let mut unread = None;
        let mut failed = |error: Error| {
            tracing::warn!("{error}");
            unread.get_or_insert(error);
        };
        let (agents, short) = self.cloud.agents(&mut failed).await?;
        let targets: Vec<Target> = agents.iter().map(memory::Agent::target).collect();
        let best = naming::best(name, &targets);
        if !best.is_empty() {
            return Ok(best);
        }
        let known: Vec<Target> =
            agents.iter().filter(|agent| agent.is_known_as(name)).map(memory::Agent::target).collect();
        match unread.or(short) {
            // That it is not there would be a guess.
            Some(error) if known.is_empty() => Err(error.context(&format!("whether `{name}` is there can't be told"))),
            _ => Ok(known),
        }
    }

    fn not_one(&self, backend: &str, name: &str, found: &[Target]) -> Error {
        if found.is_empty() {
            return naming::near(naming::not_found(backend, name), &self.memory.near(name));
        }
        let described = found.iter().map(|target| {
            let description = self.memory.agent(&target.id).and_then(|agent| agent.description());
            Target { name: description.or_else(|| target.name.clone()), ..target.clone() }
        });
        naming::ambiguous(backend, name, &described.collect::<Vec<_>>())
    }
}

#[async_trait]
impl Raw for Ixon {
    async fn call(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>> {
        if let Some(body) = body.as_deref().filter(|_| !method.is_safe()) {
            self.local.check_raw(path, body).await?;
        }
        let connects = self.local.is_connect(&method, path).await?;
        let token = if connects { Some(self.cloud.token().await?) } else { None };
        let call = Call::raw(method, path, body);
        self.local.raw(path, call, token.as_ref()).await.map_err(|error| no_such_path(error, path))
    }
}

#[async_trait]
impl Session for Ixon {
    async fn login(&self, person: &dyn Person) -> Result<Login> {
        self.cloud.log_in(person).await
    }

    async fn logout(&self) -> Result<()> {
        self.cloud.log_out().await
    }

    async fn show(&self) -> Result<Login> {
        self.cloud.login_state().await
    }
}

/// Makes the error for a setting that the cloud needs.
fn missing(config: &crate::config::Backend, key: &str, what: &str) -> Error {
    config.wrong(key, &format!("is not set, and the IXON cloud needs it: {what}")).hint(format!(
        "set `{key}` in [backend.{}], or {}",
        config.name,
        config.variable(key)
    ))
}
