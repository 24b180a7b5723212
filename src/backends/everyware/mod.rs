#![doc = include_str!("docs.md")]

mod accounts;
mod api;
mod attempts;
mod auth;
mod bearer;
pub mod config;
mod connections;
pub mod convert;
mod devices;
mod failure;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod ids;
mod names;
mod pages;
mod probe;
mod sieve;
pub mod wire;

use std::borrow::Cow;
use std::sync::OnceLock;

use async_trait::async_trait;
use reqwest::Method;

use self::api::{Api, Verb};
use crate::backend::registry::Vendor;
use crate::backend::{
    How, Info, Listed, Login, Opening, Person, Probe, Raw, Session, Targets, VpnBackend, no_such_path,
};
use crate::error::{Code, Error, Layer, Result};
use crate::http::{Call, Transport};
use crate::model::{Status, Target, TargetKind};

/// Everyware Cloud's entry in the registry.
pub const VENDOR: Vendor = Vendor {
    name: "everyware",
    title: "Everyware Cloud",
    keys: config::KEYS,
    asks_devices: true,
    discovery: None,
    open,
};

/// An account of Everyware Cloud.
#[derive(Debug)]
pub struct Everyware {
    info: Info,
    api: Api,
    /// What the login may do, where `doctor` has read it.
    rights: OnceLock<Option<Vec<String>>>,
}

fn open(opening: Opening) -> Result<Box<dyn VpnBackend>> {
    let config = config::Config::read(&opening)?;
    let info = Info {
        backend: opening.config.name.clone(),
        vendor: VENDOR.name,
        url: config.url.clone(),
        kind: TargetKind::Device,
        one_vpn: false,
        labels: opening.config.labels(),
        default_target: None,
        // The API tells connected or not, and nothing of attempts: only the deadline ends a wait.
        silence_limit: None,
    };
    Ok(Box::new(Everyware { info, api: Api::new(&opening, config)?, rights: OnceLock::new() }))
}

impl Everyware {
    /// Runs a call on a device; where its remembered id is gone, finds the name's new one and tries once more.
    async fn on_device(&self, target: &Target, verb: Verb) -> Result<Status> {
        match self.api.device(verb, target).await {
            Ok(told) => Ok(Self::told(told, target)),
            // What happens seldom is in a box, so that it takes no room in what a fleet does a hundred thousand times.
            Err(error) => Box::pin(self.on_device_again(target, verb, error)).await,
        }
    }

    async fn on_device_again(&self, target: &Target, verb: Verb, error: Error) -> Result<Status> {
        let error = error.target(target.label());
        let Some(name) = target.name.as_deref().filter(|_| error.code() == Code::TargetNotFound) else {
            return Err(error);
        };
        if !self.api.auth.forget_device(name).await? {
            return Err(error);
        }
        match self.api.find(name).await?.as_slice() {
            [now] if now.id != target.id => self.api.device(verb, now).await.map(|told| Self::told(told, now)),
            _ => Err(error),
        }
    }

    fn told((document, native): api::Told, target: &Target) -> Status {
        let native = native.map(convert::masked);
        Status { target: Some(target.clone()), native, ..convert::device(&document) }
    }
}

#[async_trait]
impl VpnBackend for Everyware {
    fn info(&self) -> &Info {
        &self.info
    }

    fn transport(&self) -> Option<&Transport> {
        Some(&self.api.auth.transport)
    }

    async fn status(&self, target: Option<&Target>) -> Result<Status> {
        let Some(target) = target else {
            return Err(Error::new(Code::Unsupported, Layer::Api, "an account has no one VPN; name a device")
                .backend(&self.info.backend));
        };
        self.on_device(target, Verb::Status).await
    }

    async fn connect(&self, target: &Target, _how: How) -> Result<Status> {
        self.on_device(target, Verb::Connect).await
    }

    async fn disconnect(&self, target: &Target) -> Result<Status> {
        self.on_device(target, Verb::Disconnect).await
    }

    fn targets(&self) -> Option<&dyn Targets> {
        Some(self)
    }

    fn session(&self) -> Option<&dyn Session> {
        Some(self)
    }

    fn raw(&self) -> Option<&dyn Raw> {
        Some(self)
    }

    fn probe(&self) -> Option<&dyn Probe> {
        Some(self)
    }

    fn id<'a>(&self, written: &'a str) -> Cow<'a, str> {
        ids::for_path(written).into()
    }

    fn why_not(&self, _capability: &str) -> &'static str {
        "the cloud's API has nothing for it"
    }
}

#[async_trait]
impl Targets for Everyware {
    async fn list(&self, each: &mut (dyn FnMut(Listed) + Send)) -> Result<()> {
        let mut first = None;
        let mut failed = |error: Error| {
            first.get_or_insert(error);
        };
        self.list_parts(each, &mut failed).await?;
        first.map_or(Ok(()), Err)
    }

    async fn list_parts(
        &self,
        each: &mut (dyn FnMut(Listed) + Send),
        failed: &mut (dyn FnMut(Error) + Send),
    ) -> Result<()> {
        if self.api.recursive { self.api.list_below(each, failed).await } else { self.api.list(each).await }
    }

    async fn count(&self) -> Result<usize> {
        self.api.count().await
    }

    async fn exact(&self, name: &str) -> Result<Vec<Target>> {
        self.api.exact(name).await
    }

    fn not_one(&self, _backend: &str, name: &str, found: &[Target]) -> Error {
        self.api.not_one(name, found)
    }

    async fn find(&self, name: &str) -> Result<Vec<Target>> {
        self.api.find(name).await
    }
}

#[async_trait]
impl Raw for Everyware {
    async fn call(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>> {
        let answer = self.api.raw(Call::raw(method, path, body)).await;
        answer.map_err(|error| match (no_such_path(error, path), path.trim_start_matches('/')) {
            // The base has it, as `url` does.
            (error, rest) if error.code() == Code::ApiNotFound && rest.starts_with("v1/") => {
                Error::new(Code::ApiNotFound, Layer::Api, error.message())
                    .status(404)
                    .answered(error.answer())
                    .backend(&self.info.backend)
                    .hint("leave out `v1/`: the path begins after it")
            }
            (error, _) => error,
        })
    }
}

#[async_trait]
impl Session for Everyware {
    async fn login(&self, person: &dyn Person) -> Result<Login> {
        self.api.auth.log_in(person).await
    }

    async fn logout(&self) -> Result<()> {
        self.api.auth.log_out().await
    }

    async fn show(&self) -> Result<Login> {
        self.api.auth.login_state().await
    }
}
