//! The registry of devices, and who is connected to the VPN server.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;

use futures_util::future::join;
use futures_util::stream::{self, FuturesOrdered, StreamExt as _};
use serde::de::IgnoredAny;

use super::accounts::{Part, is_of_one_account};
use super::api::Api;
use super::connections::Connections;
use super::convert;
use super::failure;
use super::pages::{AT_ONCE, Ended, List};
use super::wire::{Device, Page, VpnConnection};
use crate::backend::Listed;
use crate::error::{Code, Error, Result};
use crate::model::{Source, Status};

/// Of how many accounts the first pages are read ahead.
pub(super) const AHEAD: usize = AT_ONCE;

/// What a list of devices is called.
pub(super) const DEVICES: &str = "devices";

/// What is read of an account before anything of it is told.
struct Begun {
    connections: Option<Connections>,
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
        let begun = self.begin(&own, AT_ONCE).await?;
        self.finish(&self.named_part(), begun, AT_ONCE, &mut telling).await?;
        if !any && self.is_elsewhere().await? {
            let begun = self.begin(&own, AT_ONCE).await?;
            self.finish(&self.named_part(), begun, AT_ONCE, each).await?;
        }
        Ok(())
    }

    /// Counts the devices that a list would tell, by one question for each account that tells its total.
    pub(super) async fn count(&self) -> Result<usize> {
        let count = self.count_all().await?;
        if count == 0 && self.is_elsewhere().await? { self.count_all().await } else { Ok(count) }
    }

    async fn count_all(&self) -> Result<usize> {
        let mut unread = None;
        let parts =
            if self.recursive { self.parts(&mut |error| unread = Some(error)).await? } else { vec![Part::default()] };
        if let Some(error) = unread {
            return Err(error);
        }
        let mut count = 0;
        let counts = parts.into_iter().map(|part| async move { self.count_of(&part).await });
        let mut counts = stream::iter(counts).buffered(AHEAD);
        while let Some(one) = counts.next().await {
            count += one?;
        }
        Ok(count)
    }

    async fn count_of(&self, part: &Part) -> Result<usize> {
        let rest = "devices?limit=1&askTotalCount=true";
        let page: Page<IgnoredAny> =
            self.get("count", part.scope.as_deref(), rest).await.map_err(|error| part.own(error))?;
        if let Some(total) = page.total_count {
            return Ok(total);
        }
        if !page.limit_exceeded {
            return Ok(page.items.len());
        }
        let mut count = 0;
        self.devices(part, &mut |_| count += 1).await.map(warn_of_end).map_err(|error| part.own(error))?;
        Ok(count)
    }

    /// Gives every device of the configured account and of all below it, account by account; one that can't be read
    /// does not hide the others.
    pub(super) async fn list_below(
        &self,
        each: &mut (dyn FnMut(Listed) + Send),
        failed: &mut (dyn FnMut(Error) + Send),
    ) -> Result<()> {
        let mut parts = self.parts(failed).await?.into_iter();
        // Those that are read ahead share with the one that is told.
        let share = AT_ONCE.div_ceil(parts.len().clamp(1, AHEAD));
        let mut reading = FuturesOrdered::new();
        let mut ready: VecDeque<(Part, Result<Begun>)> = VecDeque::new();
        loop {
            while reading.len() + ready.len() < AHEAD
                && let Some(part) = parts.next()
            {
                reading.push_back(async move {
                    let begun = self.begin(&part, share).await;
                    (part, begun)
                });
            }
            let next = match ready.pop_front() {
                Some(next) => Some(next),
                None => reading.next().await,
            };
            let Some((part, begun)) = next else { return Ok(()) };
            let finished = async {
                match begun {
                    Ok(begun) => self.finish(&part, begun, share, each).await,
                    Err(error) => Err(error),
                }
            };
            let mut finished = std::pin::pin!(finished);
            // The others go on meanwhile: an answer that nobody reads would hold up those that share its connection.
            let done = loop {
                tokio::select! {
                    done = &mut finished => break done,
                    Some(begun) = reading.next() => ready.push_back(begun),
                }
            };
            match done {
                Ok(()) => {}
                Err(error) if is_of_one_account(&error) => failed(part.own(error)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads an account's connections and its first page of devices, side by side, so many pages at once.
    async fn begin(&self, part: &Part, at_once: usize) -> Result<Begun> {
        let first = self.page(List::devices(part), 0);
        if self.live {
            return Ok(Begun { connections: None, first: first.await? });
        }
        let (connections, first) = join(self.connections(part, at_once.saturating_sub(1)), first).await;
        let connections = match connections {
            Ok(connections) => Some(connections),
            // Without the right or the service the devices are still worth a list; each can be asked by itself.
            Err(error) if first.is_ok() && is_left_out(&error) => {
                let error = part.own(error);
                if self.told_blind.swap(true, Ordering::Relaxed) {
                    tracing::info!("the VPN server's list can't be read here either: {error}");
                } else {
                    tracing::warn!(
                        "the VPN server's list can't be read, so states are left out or asked of each device: {error}"
                    );
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
    async fn finish(
        &self,
        part: &Part,
        begun: Begun,
        at_once: usize,
        each: &mut (dyn FnMut(Listed) + Send),
    ) -> Result<()> {
        let Begun { connections, first } = begun;
        let mut telling = |device: Device| {
            if is_nobody(&device) {
                return;
            }
            let target = convert::target(&device, part.scope.as_deref());
            let found = connections.as_ref().map(|connections| (connections.find(&target.id), connections.is_whole));
            // Of a list that is not whole, who is not in it may be connected all the same.
            let status = found
                .filter(|(link, is_whole)| link.is_some() || *is_whole)
                .map(|(link, _)| Status { target: Some(target.clone()), ..convert::server(link, Source::Server) });
            let account = part.name.iter().map(|name| ("account".to_owned(), name.clone()));
            let labels: BTreeMap<String, String> = convert::labels(&device).into_iter().chain(account).collect();
            each(Listed { target, status, labels });
        };
        let ended = self.pages(List::devices(part).at_once(at_once), Some(first), &mut telling).await?;
        warn_of_end(self.held(ended.without_a_hole(DEVICES))?);
        Ok(())
    }

    /// Gives every device of an account, page by page.
    pub(super) async fn devices(&self, part: &Part, each: &mut (dyn FnMut(Device) + Send)) -> Result<Ended> {
        let mut known = |device: Device| {
            if !is_nobody(&device) {
                each(device);
            }
        };
        let ended = self.pages(List::devices(part), None, &mut known).await?;
        self.held(ended.without_a_hole(DEVICES))
    }

    /// Makes an error one of this backend.
    pub(super) fn held<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.backend(self.auth.backend()))
    }

    /// Gives the devices' live connections at the VPN server.
    async fn connections(&self, part: &Part, at_once: usize) -> Result<Connections> {
        let mut connections = Connections::new();
        let list = List::connections(part).at_once(at_once);
        let ended = self.pages(list, None, &mut |connection: VpnConnection| connections.add(connection)).await?;
        if let Some(doubt) = ended.doubt("VPN connections") {
            tracing::warn!("{doubt}, so who is not in it is asked or left unknown");
            connections.is_whole = false;
        }
        connections.settle();
        Ok(connections)
    }
}

/// Tells that a list of devices may not be whole: what is told of it is true, and what else there is nobody knows.
fn warn_of_end(ended: Ended) {
    if let Some(doubt) = ended.doubt(DEVICES) {
        tracing::warn!("{doubt}");
    }
}

/// Tells whether a device has no id, so that there is nothing to name, ask or tell it by.
fn is_nobody(device: &Device) -> bool {
    if device.id.is_empty() {
        tracing::debug!("a device without an id is left out: {:?}", device.client_id);
    }
    device.id.is_empty()
}

/// Tells whether the VPN server's list is not to be had, so that only the devices themselves tell their states.
fn is_left_out(error: &Error) -> bool {
    matches!(error.code(), Code::AuthForbidden | Code::TargetNotFound | Code::Unsupported)
        || failure::is_no_route(error)
}
