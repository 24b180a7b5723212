//! The registry of devices, and who is connected to the VPN server.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;

use futures_util::future::join;
use futures_util::stream::{self, StreamExt as _};
use serde::de::DeserializeOwned;

use super::accounts::{Part, is_of_one_account};
use super::api::Api;
use super::convert;
use super::failure::{self, PEER};
use super::wire::{Device, Page, VpnConnection};
use crate::backend::Listed;
use crate::error::{Code, Error, Result};
use crate::http::Call;
use crate::model::{Source, Status};

/// How many entries a page has; no maximum is documented, and a server may send fewer.
const PAGE: usize = 1000;
/// Of how many accounts the first pages are read ahead.
pub(super) const AHEAD: usize = 4;

/// Names a list of an account.
#[derive(Debug, Clone, Copy)]
pub(super) struct List<'a> {
    /// The account; `None` is the configured one.
    pub(super) scope: Option<&'a str>,
    /// What it lists, as in the path.
    pub(super) what: &'static str,
    /// Which of them, ending with `&` where it says something.
    pub(super) query: &'a str,
    /// What it is read for.
    pub(super) operation: &'static str,
}

impl<'a> List<'a> {
    fn of(part: &'a Part, what: &'static str, operation: &'static str) -> Self {
        Self { scope: part.scope.as_deref(), what, query: "", operation }
    }

    fn devices(part: &'a Part) -> Self {
        Self::of(part, "devices", "list")
    }
}

/// What is read of an account before anything of it is told.
struct Begun {
    connections: Option<BTreeMap<String, VpnConnection>>,
    first: Page<Device>,
}

impl Api {
    /// Gives every device of the configured account.
    pub(super) async fn list(&self, each: &mut (dyn FnMut(Listed) + Send)) -> Result<()> {
        let mut any = false;
        let mut telling = |listed: Listed| {
            any = true;
            each(listed);
        };
        let own = Part::default();
        let begun = self.begin(&own).await?;
        self.finish(&self.named_part(), begun, &mut telling).await?;
        if !any && self.is_elsewhere().await? {
            let begun = self.begin(&own).await?;
            self.finish(&self.named_part(), begun, each).await?;
        }
        Ok(())
    }

    /// Gives every device of the configured account and of all below it, account by account; one that can't be read
    /// does not hide the others.
    pub(super) async fn list_below(
        &self,
        each: &mut (dyn FnMut(Listed) + Send),
        failed: &mut (dyn FnMut(Error) + Send),
    ) -> Result<()> {
        let parts = self.parts(failed).await?;
        let mut begun = stream::iter(parts)
            .map(|part| async move {
                let begun = self.begin(&part).await;
                (part, begun)
            })
            .buffered(AHEAD);
        while let Some((part, begun)) = begun.next().await {
            let done = match begun {
                Ok(begun) => self.finish(&part, begun, each).await,
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => {}
                Err(error) if is_of_one_account(&error) => failed(part.own(error)),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads an account's connections and its first page of devices, side by side.
    async fn begin(&self, part: &Part) -> Result<Begun> {
        let first = self.page(List::devices(part), 0);
        let (connections, first) = join(self.connections(part), first).await;
        let connections = match connections {
            Ok(connections) => Some(connections),
            // Without the right or the service the devices are still worth a list; each can be asked by itself.
            Err(error) if first.is_ok() && is_left_out(&error) => {
                let error = part.own(error);
                if self.told_blind.swap(true, Ordering::Relaxed) {
                    tracing::info!("the VPN server's list can't be read here either: {error}");
                } else {
                    tracing::warn!("the VPN server's list can't be read, so states are left out: {error}");
                }
                None
            }
            // What is wrong with the devices says more, where both are refused.
            Err(error) if first.is_ok() || !is_left_out(&error) => return Err(error),
            Err(_) => None,
        };
        Ok(Begun { connections, first: first? })
    }

    /// Tells the devices of an account, as its other pages come in.
    async fn finish(&self, part: &Part, begun: Begun, each: &mut (dyn FnMut(Listed) + Send)) -> Result<()> {
        let Begun { connections, first } = begun;
        let labels: BTreeMap<String, String> =
            part.name.iter().map(|name| ("account".to_owned(), name.clone())).collect();
        let id = |device: &Device| Some(device.id.clone());
        self.pages(List::devices(part), Some(first), id, &mut |device: Device| {
            let target = convert::target(&device, part.scope.as_deref());
            let status = connections.as_ref().map(|connections| Status {
                target: Some(target.clone()),
                ..convert::server(connections.get(&target.id), Source::Server)
            });
            each(Listed { target, status, labels: labels.clone() });
        })
        .await
    }

    /// Gives every device of an account, page by page.
    pub(super) async fn devices(&self, part: &Part, each: &mut (dyn FnMut(Device) + Send)) -> Result<()> {
        let id = |device: &Device| Some(device.id.clone());
        self.pages(List::devices(part), None, id, each).await
    }

    /// Gives the devices' live connections at the VPN server, by device.
    async fn connections(&self, part: &Part) -> Result<BTreeMap<String, VpnConnection>> {
        let mut connections = BTreeMap::new();
        let id = |connection: &VpnConnection| connection.id.clone();
        let mut each = |connection: VpnConnection| {
            // Users have connections too; theirs name no device.
            if let Some(device) = connection.device_id.clone() {
                connections.insert(device, connection);
            }
        };
        self.pages(List::of(part, "vpnConnections", "connections"), None, id, &mut each).await?;
        Ok(connections)
    }

    /// Reads page by page. What is added meanwhile moves the end of a page to the beginning of the next, so what the
    /// page before had is left out; a page with nothing else in it is the end, whatever the server says of more.
    pub(super) async fn pages<T: DeserializeOwned + Send>(
        &self,
        list: List<'_>,
        mut first: Option<Page<T>>,
        id: impl Fn(&T) -> Option<String> + Send,
        each: &mut (dyn FnMut(T) + Send),
    ) -> Result<()> {
        let mut offset = 0;
        let mut before = HashSet::new();
        loop {
            let page: Page<T> = match first.take() {
                Some(page) => page,
                None => self.page(list, offset).await?,
            };
            let received = page.items.len();
            let ids: HashSet<String> = page.items.iter().filter_map(&id).collect();
            let known = |item: &T| id(item).is_some_and(|id| before.contains(&id));
            let new: Vec<T> = page.items.into_iter().filter(|item| !known(item)).collect();
            let is_last = !page.limit_exceeded || new.is_empty();
            new.into_iter().for_each(&mut *each);
            if is_last {
                return Ok(());
            }
            (before, offset) = (ids, offset + received);
        }
    }

    async fn page<T: DeserializeOwned>(&self, list: List<'_>, offset: usize) -> Result<Page<T>> {
        let List { scope, what, query, operation } = list;
        self.get(operation, scope, &format!("{what}?{query}limit={PAGE}&offset={offset}")).await
    }

    /// Reads a document of an account; `None` is the configured one.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        scope: Option<&str>,
        rest: &str,
    ) -> Result<T> {
        let reply = self.in_scope(scope, |scope| Call::get(operation, Self::path(scope, rest))).await?;
        reply.json(PEER, operation).map_err(|error| error.backend(self.auth.backend()))
    }
}

/// Tells whether the VPN server's list is not to be had, so that only the devices themselves tell their states.
fn is_left_out(error: &Error) -> bool {
    matches!(error.code(), Code::AuthForbidden | Code::TargetNotFound | Code::Unsupported)
        || failure::is_no_route(error)
}
