//! Lists, page by page (vendor's page, section 4.4, paging): side by side where the server tells how many entries there
//! are, else one after the other.

use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::iter;
use std::pin::pin;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use serde::de::DeserializeOwned;

use super::accounts::{Account, Part};
use super::api::Api;
use super::failure::PEER;
use super::sieve::Sieve;
use super::wire::{Device, Page, VpnConnection};
use crate::backend::room::make_room;
use crate::error::{Code, Error, Exit, Layer, Result};
use crate::http::{Call, UNREAD};

/// How many entries a page has; no maximum is documented, and a server may send fewer.
const PAGE: usize = 1000;
/// How many pages are asked for at once: each that is in hand takes 1 to 2 MB, and the time of the cloud's database.
pub(super) const AT_ONCE: usize = 3;
const _: () = assert!(AT_ONCE as u64 <= UNREAD as u64, "pages that wait would fill their connection");
/// Which part of a page is read once more, as one of so many, with the next one of a list that gets shorter meanwhile.
const READ_AGAIN: usize = 4;
/// How many pages in a row may fail before the rest is given up: a server that answers none of two is down.
const GIVE_UP: usize = 2;
/// How many entries a list has at most where the server does not tell; accounts have 100,000.
const MOST: usize = 1_000_000;
/// How many more than twice the total that the server told first: a list may grow while it is read.
const GROWTH: usize = 10_000;
/// How many a list has at most, whatever the server tells.
const MOST_EVER: usize = 10_000_000;
/// How many pages are read of one list at most: a server that sends five entries at a time has a hundred thousand by then.
const MOST_PAGES: usize = 20_000;
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
    /// Whether a part of it is of no use.
    pub(super) is_whole: bool,
}

impl<'a> List<'a> {
    /// Names the devices of an account.
    pub(super) fn devices(part: &'a Part) -> Self {
        Self {
            scope: part.scope.as_deref(),
            what: "devices",
            query: "",
            operation: "list",
            at_once: AT_ONCE,
            is_whole: false,
        }
    }

    /// Names the live connections of an account.
    pub(super) fn connections(part: &'a Part) -> Self {
        Self { what: "vpnConnections", operation: "connections", is_whole: true, ..Self::devices(part) }
    }

    /// Asks for so many pages at once.
    pub(super) fn at_once(self, at_once: usize) -> Self {
        Self { at_once: at_once.max(1), ..self }
    }
}

/// An entry of a list.
pub(super) trait Entry: DeserializeOwned + Send + 'static {
    /// Gives what it is known again by; `None` where it has nothing of its own.
    fn key(&self) -> Option<&str>;
}

impl Entry for Device {
    fn key(&self) -> Option<&str> {
        Some(&*self.id).filter(|id| !id.is_empty()).or(self.client_id.as_deref())
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

/// Tells whether more was read of a list than it can have; `total` is what the server told first.
fn is_too_much(read: usize, pages: usize, total: Option<usize>) -> bool {
    let most = total.map_or(MOST, |total| total.saturating_mul(2).saturating_add(GROWTH).min(MOST_EVER));
    read > most || pages > MOST_PAGES
}

/// Where a list was read to, and what is needed to go on.
struct Walk<'a, T> {
    each: &'a mut (dyn FnMut(T) + Send),
    /// What the page before had: it may have moved to the beginning of the next one meanwhile.
    before: HashSet<u64>,
    /// The offset behind that page.
    end: usize,
    /// How long the list was then.
    total: Option<usize>,
    /// How many entries a page has.
    step: usize,
    /// How many of the page before are read again with the next one.
    overlap: usize,
    /// How many entries were told, and on how many pages.
    told: usize,
    pages: usize,
    /// The first total that the server told.
    first_total: Option<usize>,
    /// Whether the server said that there are more, on a page with nothing new in it.
    is_cut: bool,
}

/// What a page came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It was the last one.
    Last,
    /// There are more.
    More,
    /// There are more, though nobody has so many.
    TooMuch,
    /// The list got shorter, so what moved up from behind may be missing: it has to be read from further back.
    Shorter,
}

/// How a list ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Where the server says, or where nobody says anything else.
    Whole,
    /// With a page that was the last or had nothing new, though the server counts entries behind it or says that there are: so many were read to there,
    /// and so many are counted, where it counts.
    Early(usize, Option<usize>),
}

impl<'a, T: Entry> Walk<'a, T> {
    fn new(each: &'a mut (dyn FnMut(T) + Send), step: usize) -> Self {
        let (before, total, first_total) = (HashSet::new(), None, None);
        Self { each, before, end: 0, total, step, overlap: 0, told: 0, pages: 0, first_total, is_cut: false }
    }

    fn ended(&self) -> Ended {
        match self.total {
            Some(total) if self.end < total => Ended::Early(self.end, Some(total)),
            _ if self.is_cut => Ended::Early(self.end, None),
            _ => Ended::Whole,
        }
    }

    /// Tells what is new on a page.
    async fn take(&mut self, offset: usize, page: Page<T>) -> Came {
        let is_shorter = matches!((self.total, page.total_count), (Some(before), Some(now)) if now < before);
        if is_shorter && self.overlap == 0 && self.step >= READ_AGAIN {
            self.overlap = self.step / READ_AGAIN;
            return Came::Shorter;
        }
        self.end = offset.saturating_add(page.items.len());
        self.total = page.total_count;
        self.first_total = self.first_total.or(page.total_count);
        self.pages += 1;
        let mut keys = HashSet::with_capacity_and_hasher(page.items.len(), self.before.hasher().clone());
        let mut any_new = false;
        for (place, item) in page.items.into_iter().enumerate() {
            if place % TOLD_AT_ONCE == TOLD_AT_ONCE - 1 {
                // Who prints what is told gets to do so before there is more of it.
                make_room().await;
            }
            let key = item.key();
            // Of each key a number of 64 bits, by a secret of this run: among thousands no two have the same.
            let number = key.map(|key| self.before.hasher().hash_one(key));
            let is_again = number.is_some_and(|number| !keys.insert(number));
            if is_again {
                tracing::debug!("an entry that stands twice on a page is told once: {key:?}");
            }
            if is_again || number.is_some_and(|number| self.before.contains(&number)) {
                continue;
            }
            self.told += 1;
            // Of what has no key nobody can tell whether it is new, so it does not keep a list going.
            any_new |= key.is_some();
            (self.each)(item);
        }
        self.before = keys;
        self.is_cut = page.limit_exceeded && !any_new;
        match page.limit_exceeded && any_new {
            true if is_too_much(self.told, self.pages, self.first_total) => Came::TooMuch,
            true => Came::More,
            false => Came::Last,
        }
    }

    /// Says that a list has no end.
    fn endless(&self, list: List<'_>) -> Error {
        let total = self.first_total.map(|total| format!(", where it counted {total} at first")).unwrap_or_default();
        let what = format!(
            "the list of {} does not end: {PEER} has sent {} of them on {} pages{total}, and says that there are more",
            list.what, self.told, self.pages
        );
        Error::new(Code::VendorProtocol, Layer::Api, what)
            .hint("check that `url` is the API of Everyware Cloud; a device that is named is asked without a list")
    }

    /// Goes on behind a page that could not be read; tells whether anything is known to be there.
    fn skip(&mut self, offset: usize) -> Came {
        self.end = offset.saturating_add(self.step);
        self.before.clear();
        if self.total.is_some_and(|total| self.end < total) { Came::More } else { Came::Last }
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

/// The pages of a list that could not be read.
#[derive(Debug, Default)]
struct Gaps {
    first: Option<Error>,
    offsets: Vec<usize>,
    in_a_row: usize,
    /// How many entries a page has.
    step: usize,
}

impl Gaps {
    /// Keeps a failure, where there is something to go on for.
    ///
    /// # Errors
    ///
    /// The first failure, told with what is left unread, where the rest would fail as well or nobody could use it.
    fn add(&mut self, error: Error, offset: usize, list: List<'_>, end: Option<usize>) -> Result<()> {
        self.in_a_row += 1;
        self.offsets.push(offset);
        let is_of_all = matches!(error.exit(), Exit::Auth | Exit::Forbidden) || self.in_a_row >= GIVE_UP;
        let error = self.first.take().unwrap_or(error);
        // Without a total nobody knows whether there is anything behind.
        if end.is_some() && !is_of_all && !list.is_whole {
            self.first = Some(error);
            return Ok(());
        }
        let row = self.offsets.split_off(self.offsets.len() - self.in_a_row);
        let rest = row.first().map(|offset| format!("all from entry {} on", offset + 1));
        Err(self.missing(error, list, rest))
    }

    /// Says what is missing, once everything else was told.
    fn result(mut self, list: List<'_>) -> Result<()> {
        self.first.take().map_or(Ok(()), |error| Err(self.missing(error, list, None)))
    }

    fn missing(&self, error: Error, list: List<'_>, rest: Option<String>) -> Error {
        let pages = self.offsets.iter().map(|offset| format!("{} to {}", offset + 1, offset + self.step));
        let missing = pages.chain(rest).collect::<Vec<_>>().join(", ");
        error.context(&format!("of the list of {} these are not read: {missing}", list.what))
    }
}

impl Api {
    /// Reads a list to its end, and tells whether that is where the server says that it is. It begins with its first page where that was read already, and tells each entry once, in
    /// the list's order.
    ///
    /// A server may send shorter pages than it was asked for, so the first one tells how far apart they are. What is
    /// added meanwhile moves the end of a page to the beginning of the next; what is removed moves the beginning of a
    /// page to the end of the one before, and shows in the total alone. A page with nothing new in it is the end,
    /// whatever the server says of more.
    ///
    /// # Errors
    ///
    /// A page behind the first one that can't be read does not hide those behind it: the first such failure is the
    /// result once all others are told. Where two in a row fail, or the failure is that of the login, the rest is left.
    pub(super) async fn pages<T: Entry>(
        &self,
        list: List<'_>,
        first: Option<Page<T>>,
        each: &mut (dyn FnMut(T) + Send),
    ) -> Result<Ended> {
        let first = match first {
            Some(first) => first,
            None => self.page(list, 0).await?,
        };
        let step = first.items.len();
        let mut walk = Walk::new(each, step);
        let mut came = walk.take(0, first).await;
        let mut is_even = true;
        let mut gaps = Gaps { step, ..Gaps::default() };
        while came != Came::Last {
            // What is on its way when this is dropped is not waited for.
            let mut pages = pin!(
                stream::iter(walk.plan(is_even))
                    .map(|offset| async move { (offset, self.page::<T>(list, offset).await) })
                    .buffered(list.at_once)
            );
            while let Some((offset, page)) = pages.next().await {
                came = match page {
                    Ok(page) => {
                        gaps.in_a_row = 0;
                        walk.take(offset, page).await
                    }
                    Err(error) => {
                        gaps.add(error, offset, list, walk.total)?;
                        walk.skip(offset)
                    }
                };
                if came == Came::TooMuch {
                    return Err(walk.endless(list).backend(self.auth.backend()));
                }
                let is_short = came == Came::More && walk.end != offset.saturating_add(step);
                // Behind a page of another length the others are not where they were looked for.
                is_even &= !is_short;
                if is_short || came != Came::More {
                    break;
                }
            }
        }
        gaps.result(list)?;
        Ok(walk.ended())
    }

    /// Reads one page; each is asked for the total, which shows whether the list changes meanwhile.
    pub(super) async fn page<T: Entry>(&self, list: List<'_>, offset: usize) -> Result<Page<T>> {
        let List { scope, what, query, operation, .. } = list;
        let rest = format!("{what}?{query}limit={PAGE}&offset={offset}&askTotalCount=true");
        let sieve = Arc::new(Sieve::default());
        let call = |scope: &str| Call::get(operation, Self::path(scope, &rest)).through(Arc::clone(&sieve) as _);
        let reply = self.in_scope(scope, call).await?;
        sieve.page(&self.auth, &reply, operation)
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

#[cfg(test)]
mod tests {
    use super::is_too_much;

    #[test]
    fn a_list_is_endless_only_where_no_account_is_so_large() {
        for total in [None, Some(100_000), Some(60_000)] {
            assert!(!is_too_much(100_000, 100, total), "{total:?}");
            // A server that sends five at a time.
            assert!(!is_too_much(100_000, 20_000, total), "{total:?}");
        }
        // What comes meanwhile is no fault.
        assert!(!is_too_much(9_000, 9, Some(0)) && is_too_much(11_000, 11, Some(0)));
        assert!(is_too_much(1_000_001, 1001, None) && is_too_much(20_001, 20_001, None));
        assert!(is_too_much(10_000_001, 10_001, Some(usize::MAX)));
    }
}
