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

/// How many of a page are read again with the next one: one that is on both shows that nothing between them was missed.
const LINK: usize = 1;
/// How many entries a page has, so that a thousand are new on each; no maximum is documented, and a server may send fewer.
const PAGE: usize = 1000 + LINK;
/// How many pages are asked for at once: each that is in hand takes 1 to 2 MB, and the time of the cloud's database.
pub(super) const AT_ONCE: usize = 3;
const _: () = assert!(AT_ONCE as u64 <= UNREAD as u64, "pages that wait would fill their connection");
/// Which part of a page is read again, as one of so many, once an entry that was to be on both was on one only.
const READ_AGAIN: usize = 4;
/// How many pages in a row may fail before the rest is given up: a server that answers none of two is down.
const GIVE_UP: usize = 2;
/// How many pages may fail in all: each is tried four times, and how many there are is only the server's word.
const MOST_LOST: usize = 10;
/// What to do about a page that was lost.
const AGAIN: &str = "--retry-failed reads the whole list again, for who stood in which place of it nobody knows";
/// How many entries a list has at most where the server does not tell; accounts have 100,000.
const MOST: usize = 1_000_000;
/// How many more than twice the total that the server told first: a list may grow while it is read.
const GROWTH: usize = 10_000;
/// How many a list has at most, whatever the server tells.
const MOST_EVER: usize = 10_000_000;
/// How many pages are read of one list at most: a server that sends five entries at a time has a hundred thousand by then.
const MOST_PAGES: usize = 25_000;
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
    /// What the page before had: it may have moved to the beginning of the next one meanwhile. Empty where there is none.
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
    /// Behind how many entries others may have been missed.
    torn_at: Option<usize>,
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
    /// Nothing of the page before is on it, so what moved up from behind may be missing: it has to be read from further
    /// back.
    Apart,
}

/// How a list ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Where the server says, or where nobody says anything else.
    Whole,
    /// With a page that was the last or had nothing new, though the server counts entries behind it or says that there are: so many were read to there,
    /// and so many are counted, where it counts.
    Early(usize, Option<usize>),
    /// So much of it changed while it was read that behind so many entries others may have been missed.
    Torn(usize),
}

impl Ended {
    /// Says how a list ended, where something of it may be missing.
    pub(super) fn doubt(self, what: &str) -> Option<String> {
        match self {
            Self::Whole => None,
            Self::Early(read, Some(total)) => {
                Some(format!("the list of {what} ends after {read}, though the server counts {total}"))
            }
            Self::Early(read, None) => {
                Some(format!("the list of {what} ends after {read}, though the server says that there are more"))
            }
            Self::Torn(read) => Some(format!(
                "the list of {what} changed so much while it was read that some behind entry {read} may be missing"
            )),
        }
    }

    /// Gives how a list ended that may be short of what the server counts, but has no hole.
    ///
    /// # Errors
    /// Fails where it may have one: another try may find less going on.
    pub(super) fn without_a_hole(self, what: &str) -> Result<Self> {
        match self.doubt(what) {
            Some(doubt) if matches!(self, Self::Torn(_)) => Err(Error::new(Code::HttpServerError, Layer::Api, doubt)
                .temporary()
                .hint("try again: it could not be read in one piece, for much came or went meanwhile")),
            _ => Ok(self),
        }
    }

    /// Makes sure that what was not in a list is not there.
    ///
    /// # Errors
    /// Fails where it may be there all the same.
    pub(super) fn to_the_last(self, what: &str) -> Result<()> {
        match self.without_a_hole(what)?.doubt(what) {
            None => Ok(()),
            Some(doubt) => Err(Error::new(Code::VendorProtocol, Layer::Api, doubt)
                .hint("look into the cloud's console, and name what is meant by its id, which needs no list")),
        }
    }
}

impl<'a, T: Entry> Walk<'a, T> {
    fn new(each: &'a mut (dyn FnMut(T) + Send), step: usize) -> Self {
        let (before, total, first_total, torn_at) = (HashSet::new(), None, None, None);
        // Of pages of one entry there is none that could be on two.
        let overlap = LINK.min(step.saturating_sub(1));
        Self { each, before, end: 0, total, step, overlap, told: 0, pages: 0, first_total, is_cut: false, torn_at }
    }

    fn ended(&self) -> Ended {
        match self.total {
            _ if self.torn_at.is_some() => Ended::Torn(self.torn_at.unwrap_or_default()),
            Some(total) if self.end < total => Ended::Early(self.end, Some(total)),
            _ if self.is_cut => Ended::Early(self.end, None),
            _ => Ended::Whole,
        }
    }

    /// Tells whether a page goes on where the one before ended, as far as anybody can tell: something of that is on it, so
    /// whatever follows that follows here.
    fn is_joined(&self, page: &Page<T>) -> bool {
        let is_known = |key| self.before.contains(&self.before.hasher().hash_one(key));
        self.overlap == 0 || self.before.is_empty() || page.items.iter().filter_map(Entry::key).any(is_known)
    }

    /// Tells what is new on a page.
    async fn take(&mut self, offset: usize, page: Page<T>) -> Came {
        if !self.is_joined(&page) {
            let wide = self.step / READ_AGAIN;
            if self.overlap < wide {
                self.overlap = wide;
                return Came::Apart;
            }
            self.torn_at.get_or_insert(self.end);
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
        // A page of nothing but what is read again is none.
        let end = if is_known { self.total.unwrap_or(0).saturating_sub(self.overlap) } else { 0 };
        iter::once(first).chain((first.saturating_add(stride)..end).step_by(stride))
    }
}

/// The pages of a list that could not be read.
#[derive(Debug, Default)]
struct Gaps {
    first: Option<Error>,
    /// The first and the last entry of each, as people count; what its neighbours have too is not missing.
    missing: Vec<(usize, usize)>,
    in_a_row: usize,
}

impl Gaps {
    /// Keeps the failure of a page that begins at an offset, where there is something to go on for.
    ///
    /// # Errors
    ///
    /// The first failure, told with what is left unread, where the rest would fail as well or nobody could use it.
    fn add<T>(&mut self, error: Error, offset: usize, list: List<'_>, walk: &Walk<'_, T>) -> Result<()> {
        self.in_a_row += 1;
        self.missing.push((walk.end + 1, offset.saturating_add(walk.step) - walk.overlap));
        let is_of_all = matches!(error.exit(), Exit::Auth | Exit::Forbidden)
            || self.in_a_row >= GIVE_UP
            || self.missing.len() >= MOST_LOST;
        let error = self.first.take().unwrap_or(error);
        // Without a total nobody knows whether there is anything behind.
        if walk.total.is_some() && !is_of_all && !list.is_whole {
            self.first = Some(error);
            return Ok(());
        }
        let row = self.missing.split_off(self.missing.len() - self.in_a_row);
        let rest = row.first().map(|(first, _)| format!("all from entry {first} on"));
        Err(self.missing(error, list, rest))
    }

    /// Says what is missing, once everything else was told.
    fn result(mut self, list: List<'_>) -> Result<()> {
        self.first.take().map_or(Ok(()), |error| Err(self.missing(error, list, None)))
    }

    fn missing(&self, error: Error, list: List<'_>, rest: Option<String>) -> Error {
        let pages = self.missing.iter().map(|(first, last)| format!("{first} to {last}"));
        let missing = pages.chain(rest).collect::<Vec<_>>().join(", ");
        let hint = error.hint_text().map(|hint| format!("{hint}; {AGAIN}"));
        let error = error.context(&format!("of the list of {} these are not read: {missing}", list.what));
        if list.is_whole { error } else { error.instead(hint.unwrap_or_else(|| AGAIN.to_owned())) }
    }
}

impl Api {
    /// Reads a list to its end, and tells whether that is where the server says that it is. It begins with its first page where that was read already, and tells each entry once, in
    /// the list's order.
    ///
    /// A server may send shorter pages than it was asked for, so the first one tells how far apart they are. What is
    /// added meanwhile moves the end of a page to the beginning of the next; what is removed moves the beginning of a
    /// page to the end of the one before, and shows in nothing else where as much came. So the last entry of a page is
    /// asked for again with the next one: where it is not there, more is read again from then on, and where not even that
    /// helps, the list is torn. A page with nothing new in it is the end, whatever the server says of more.
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
        let mut gaps = Gaps::default();
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
                        gaps.add(error, offset, list, &walk)?;
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
            assert!(!is_too_much(100_000, 25_000, total), "{total:?}");
        }
        // What comes meanwhile is no fault.
        assert!(!is_too_much(9_000, 9, Some(0)) && is_too_much(11_000, 11, Some(0)));
        assert!(is_too_much(1_000_001, 1001, None) && is_too_much(25_001, 25_001, None));
        assert!(is_too_much(10_000_001, 10_001, Some(usize::MAX)));
    }
}
