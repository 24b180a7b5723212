#![doc = include_str!("docs.md")]

mod api;
mod auth;
mod change;
pub mod config;
pub mod convert;
mod discovery;
mod document;
mod failure;
mod fields;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod ovpn;
mod pairing;
mod probe;
mod reach;
mod redact;
mod tunnels;
mod wg_conf;
mod wire;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use reqwest::Method;

use self::api::Api;
use crate::backend::registry::Vendor;
use crate::backend::{
    How, Info, Listed, LogLine, Login, Logs, Opening, Person, Probe, Raw, Session, Targets, Tunnels, VpnBackend,
    naming, no_such_path,
};
use crate::error::{Code, Error, Layer, Result};
use crate::http::{Call, Transport};
use crate::model::{Source, State, Status, Target, TargetKind};

/// The Freebox's entry in the registry.
pub const VENDOR: Vendor = Vendor {
    name: "freebox",
    title: "Freebox OS",
    keys: config::KEYS,
    asks_devices: false,
    discovery: Some(discovery::DISCOVERY),
    open,
};

/// The VPN client of a Freebox or an Iliadbox.
#[derive(Debug)]
pub struct Freebox {
    info: Info,
    api: Api,
    /// The ids of tunnels that were found by a remembered name.
    guesses: Mutex<BTreeSet<String>>,
    /// The tunnel that had the VPN when it was last looked at, as the status names it.
    seen: Mutex<Option<Target>>,
    /// The tunnel that was told to disconnect last.
    left: Mutex<Option<String>>,
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
    Ok(Box::new(Freebox {
        info,
        api: Api::new(&opening, config)?,
        guesses: Mutex::default(),
        seen: Mutex::default(),
        left: Mutex::default(),
    }))
}

impl Freebox {
    /// Tells whether a target was found by a name that an earlier run remembered: meanwhile another may have it.
    fn is_guess(&self, target: &Target) -> bool {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner).contains(&target.id)
    }

    /// Tells after a switch which other configurations the box keeps active: whether it deactivates them by itself is not
    /// known (vendor page, section 7, activation).
    async fn tell_others(&self, target: &Target) {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner).take();
        if left.is_none_or(|left| left == target.id) {
            return;
        }
        let configs = match self.api.configs().await {
            Ok(configs) => configs,
            Err(error) => {
                tracing::warn!("which configurations are active could not be read: {error}");
                return;
            }
        };
        for (other, _) in configs.iter().filter(|(other, config)| other.id != target.id && config["active"] == true) {
            tracing::warn!(
                "the box keeps `{}` active too; to switch it off: vpnctl api PUT vpn_client/config/{} --data '{{\"active\":false}}'",
                other.label(),
                other.id
            );
        }
    }

    /// Notes that a target is the one that its name means.
    fn confirm_guess(&self, target: &Target) {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner).remove(&target.id);
    }

    /// Looks a remembered name up anew.
    async fn look_again(&self, target: &Target) -> Result<Target> {
        self.confirm_guess(target);
        let name = target.label();
        match naming::best(name, &self.api.tunnels().await?).as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(naming::not_found(&self.info.backend, name)),
            several => Err(naming::ambiguous(&self.info.backend, name, several)),
        }
    }

    /// Switches on what a remembered name means. Where the box's answer says that the name has moved, what was
    /// switched on by mistake is switched off again.
    async fn connect_guess(&self, target: &Target) -> Result<(Target, State)> {
        let told = match self.api.activate(&target.id, true).await {
            Err(error) if error.code() == Code::TargetNotFound => None,
            told => Some(told?),
        };
        if let Some(told) = told {
            let state = begun(told.as_ref());
            let name = match told {
                Some(config) => config.description,
                // From here on something was switched on, whatever fails.
                None => self.api.config(&target.id).await.map_err(Error::unknown_outcome)?.0.name,
            };
            if name == target.name {
                return Ok((target.clone(), state));
            }
            let called = name.as_deref().unwrap_or(&target.id);
            tracing::warn!(
                "`{}` was another tunnel before: `{called}` ({}) was started by mistake, and is stopped again",
                target.label(),
                target.id
            );
            self.api.activate(&target.id, false).await.map_err(Error::unknown_outcome)?;
        }
        let now = self.look_again(target).await?;
        let told = self.api.activate(&now.id, true).await?;
        Ok((now, begun(told.as_ref())))
    }
}

#[async_trait]
impl VpnBackend for Freebox {
    fn info(&self) -> &Info {
        &self.info
    }

    fn transport(&self) -> Option<&Transport> {
        Some(&self.api.auth.transport)
    }

    async fn status(&self, target: Option<&Target>) -> Result<Status> {
        let (document, native) = self.api.status().await?;
        let status = Status { native: Some(convert::masked(native)), ..convert::status(document) };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&status.target);
        let Some(target) = target else { return Ok(status) };
        let named_otherwise = status.target.as_ref().is_some_and(|there| there.name != target.name);
        let target = if status.is_of(target) && named_otherwise && self.is_guess(target) {
            // The two names come from different places, so they may differ; only the list tells whose the name is.
            self.look_again(target).await?
        } else {
            target.clone()
        };
        if status.is_of(&target) {
            return Ok(status);
        }
        Ok(Status { target: Some(target), ..Status::new(State::Disconnected, Source::Client) })
    }

    async fn connect(&self, target: &Target, _how: How) -> Result<Status> {
        let (target, state) = if self.is_guess(target) {
            self.connect_guess(target).await?
        } else {
            let told = self.api.activate(&target.id, true).await.map_err(|error| asked_for(error, target))?;
            (target.clone(), begun(told.as_ref()))
        };
        self.tell_others(&target).await;
        Ok(Status { target: Some(target), ..Status::new(state, Source::Client) })
    }

    async fn disconnect(&self, target: &Target) -> Result<Status> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let confirmed = seen.is_some_and(|seen| seen.id == target.id && seen.name == target.name);
        if self.is_guess(target) && !confirmed {
            let now = self.look_again(target).await?;
            if now.id != target.id {
                return Err(naming::not_found(&self.info.backend, target.label())
                    .context(&format!("`{}` has another name now", target.id))
                    .hint("nothing was changed; the names are known anew, so try again"));
            }
        }
        self.api.activate(&target.id, false).await?;
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(target.id.clone());
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

    fn tunnels(&self) -> Option<&dyn Tunnels> {
        Some(self)
    }

    fn raw(&self) -> Option<&dyn Raw> {
        Some(self)
    }

    fn probe(&self) -> Option<&dyn Probe> {
        Some(self)
    }

    fn why_not(&self, _capability: &str) -> &'static str {
        "the box's API has nothing for it"
    }
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

    async fn count(&self) -> Result<usize> {
        Ok(self.api.tunnels().await?.len())
    }

    async fn exact(&self, name: &str) -> Result<Vec<Target>> {
        let mut targets = self.api.tunnels().await?;
        targets.retain(|target| naming::is_exact(name, target));
        Ok(targets)
    }

    async fn find(&self, name: &str) -> Result<Vec<Target>> {
        let known = naming::best(name, &self.api.remembered());
        if known.len() == 1 && naming::is_exact(name, &known[0]) {
            if known[0].id != name {
                self.guesses.lock().unwrap_or_else(PoisonError::into_inner).insert(known[0].id.clone());
            }
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

/// Reads from the answer to an activation whether it holds: one that shows the tunnel inactive contradicts itself.
fn begun(told: Option<&wire::VpnConfig>) -> State {
    match told.and_then(|config| config.active.as_ref()).and_then(serde_json::Value::as_bool) {
        Some(false) => State::Disconnected,
        _ => State::Connecting,
    }
}

/// Names what was asked for, where the box says that it has no such id.
fn asked_for(error: Error, target: &Target) -> Error {
    if error.code() != Code::TargetNotFound || target.label() == target.id {
        return error;
    }
    error.context(&format!("`{}`", target.label()))
}

/// Makes the error for an unknown tunnel.
fn no_tunnel(backend: &str, id: &str) -> Error {
    Error::new(Code::TargetNotFound, Layer::Api, format!("the box has no VPN tunnel `{id}`"))
        .backend(backend)
        .target(id)
        .vendor_code("noent")
        .hint(format!("list what there is: vpnctl list -b {backend}"))
}
