//! Lists, page by page (vendor's page, section 4.4, paging): side by side where the server tells how many entries there
//! are, else one after the other.

use std::collections::HashSet;
use std::iter;
use std::pin::pin;

use futures_util::stream::{self, StreamExt as _};
use serde::de::DeserializeOwned;

use super::accounts::{Account, Part};
use super::api::Api;
use super::wire::{Device, Page, VpnConnection};
use crate::backend::room::make_room;
use crate::error::Result;
use crate::http::Call;

/// How many entries a page has; no maximum is documented, and a server may send fewer.
const PAGE: usize = 1000;
/// How many pages are asked for at once: each that is in hand takes 1 to 2 MB, and the time of the cloud's database.
pub(super) const AT_ONCE: usize = 4;
/// Which part of a page is read once more, as one of so many, with the next one of a list that gets shorter meanwhile.
const READ_AGAIN: usize = 4;
/// How many entries are told in one go.
const TOLD_AT_ONCE: usize = 64;

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
    /// How many of its pages are asked for at once at most.
    pub(super) at_once: usize,
}

impl<'a> List<'a> {
    /// Names the devices of an account.
    pub(super) fn devices(part: &'a Part) -> Self {
        Self { scope: part.scope.as_deref(), what: "devices", query: "", operation: "list", at_once: AT_ONCE }
    }

    /// Names the live connections of an account.
    pub(super) fn connections(part: &'a Part) -> Self {
        Self { what: "vpnConnections", operation: "connections", ..Self::devices(part) }
    }

    /// Asks for so many pages at once.
    pub(super) fn at_once(self, at_once: usize) -> Self {
        Self { at_once: at_once.max(1), ..self }
    }
}

/// An entry of a list.
pub(super) trait Entry: DeserializeOwned + Send {
    /// Gives what it is known again by; `None` where it has nothing of its own.
    fn key(&self) -> Option<&str>;
}

impl Entry for Device {
    fn key(&self) -> Option<&str> {
        Some(self.id.as_str()).filter(|id| !id.is_empty()).or(self.client_id.as_deref())
    }
}

impl Entry for VpnConnection {
    fn key(&self) -> Option<&str> {
        self.id.as_deref().or(self.device_id.as_deref()).or(self.inet_address.as_deref())
    }
}

impl Entry for Account {
    fn key(&self) -> Option<&str> {
        Some(&self.id)
    }
}

/// Where a list was read to, and what is needed to go on.
struct Walk<'a, T> {
    each: &'a mut (dyn FnMut(T) + Send),
    /// What the page before had: it may have moved to the beginning of the next one meanwhile.
    before: HashSet<Box<str>>,
    /// The offset behind that page.
    end: usize,
    /// How long the list was then.
    total: Option<usize>,
    /// How many entries a page has.
    step: usize,
    /// How many of the page before are read again with the next one.
    overlap: usize,
}

/// What a page came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It was the last one.
    Last,
    /// There are more.
    More,
    /// The list got shorter, so what moved up from behind may be missing: it has to be read from further back.
    Shorter,
}

impl<T: Entry> Walk<'_, T> {
    /// Tells what is new on a page.
    async fn take(&mut self, offset: usize, page: Page<T>) -> Came {
        let is_shorter = matches!((self.total, page.total_count), (Some(before), Some(now)) if now < before);
        if is_shorter && self.overlap == 0 && self.step >= READ_AGAIN {
            self.overlap = self.step / READ_AGAIN;
            return Came::Shorter;
        }
        self.end = offset.saturating_add(page.items.len());
        self.total = page.total_count;
        let keys = page.items.iter().filter_map(Entry::key).map(Box::from).collect();
        let mut any_new = false;
        for (place, item) in page.items.into_iter().enumerate() {
            if place % TOLD_AT_ONCE == TOLD_AT_ONCE - 1 {
                // Who prints what is told gets to do so before there is more of it.
                make_room().await;
            }
            let key = item.key();
            if key.is_some_and(|key| self.before.contains(key)) {
                continue;
            }
            // Of what has no key nobody can tell whether it is new, so it does not keep a list going.
            any_new |= key.is_some();
            (self.each)(item);
        }
        self.before = keys;
        if page.limit_exceeded && any_new { Came::More } else { Came::Last }
    }

    /// Gives where the next page begins.
    fn next(&self) -> usize {
        self.end.saturating_sub(self.overlap)
    }

    /// Gives the offsets of the pages from the next one on: to the end where that is known, else of one alone.
    fn plan(&self, is_known: bool) -> impl Iterator<Item = usize> + Send + use<T> {
        let stride = self.step.saturating_sub(self.overlap).max(1);
        let first = self.next();
        let end = if is_known { self.total.unwrap_or(0) } else { 0 };
        iter::once(first).chain((first.saturating_add(stride)..end).step_by(stride))
    }
}

impl Api {
    /// Reads a list to its end, beginning with its first page where that was read already, and tells each entry once, in
    /// the list's order.
    ///
    /// A server may send shorter pages than it was asked for, so the first one tells how far apart they are. What is
    /// added meanwhile moves the end of a page to the beginning of the next; what is removed moves the beginning of a
    /// page to the end of the one before, and shows in the total alone. A page with nothing new in it is the end,
    /// whatever the server says of more.
    pub(super) async fn pages<T: Entry>(
        &self,
        list: List<'_>,
        first: Option<Page<T>>,
        each: &mut (dyn FnMut(T) + Send),
    ) -> Result<()> {
        let first = match first {
            Some(first) => first,
            None => self.page(list, 0).await?,
        };
        let step = first.items.len();
        let mut walk = Walk { each, before: HashSet::new(), end: 0, total: None, step, overlap: 0 };
        let mut came = walk.take(0, first).await;
        let mut is_even = true;
        while came != Came::Last {
            // What is on its way when this is dropped is not waited for.
            let mut pages = pin!(
                stream::iter(walk.plan(is_even))
                    .map(|offset| async move { (offset, self.page::<T>(list, offset).await) })
                    .buffered(list.at_once)
            );
            while let Some((offset, page)) = pages.next().await {
                came = walk.take(offset, page?).await;
                let is_short = came == Came::More && walk.end != offset.saturating_add(step);
                // Behind a page of another length the others are not where they were looked for.
                is_even &= !is_short;
                if is_short || came != Came::More {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reads one page; each is asked for the total, which shows whether the list changes meanwhile.
    pub(super) async fn page<T: DeserializeOwned>(&self, list: List<'_>, offset: usize) -> Result<Page<T>> {
        let List { scope, what, query, operation, .. } = list;
        self.get(operation, scope, &format!("{what}?{query}limit={PAGE}&offset={offset}&askTotalCount=true")).await
    }

    /// Reads a document of an account; `None` is the configured one.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        scope: Option<&str>,
        rest: &str,
    ) -> Result<T> {
        let reply = self.in_scope(scope, |scope| Call::get(operation, Self::path(scope, rest))).await?;
        self.auth.read(&reply, operation)
    }
}
