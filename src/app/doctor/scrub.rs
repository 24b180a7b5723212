//! Takes out of texts what is not vpnctl's own, each value for one placeholder wherever it stands.
//!
//! What stays is what vpnctl says itself: words that stand side by side in a message of its source, as the build script
//! found them there, with its libraries' messages beside them. Nothing else is looked for, so nothing that is somebody's
//! own, or that a server said, can be missed; what stands for it only tells equal from different.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use url::Url;

use super::phrases::{self, END, HOLE, Part, START};
use crate::backend::registry::{self, VENDORS};
use crate::config::{COMMON, variables::VARIABLES};
use crate::http::proxy::VARIABLES as VARIABLES_OF_PROXIES;

/// Pairs of neighbours in vpnctl's messages, four bytes each, in order.
const PAIRS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/phrases"));

/// A piece of a text.
#[derive(Debug)]
enum Piece<'a> {
    /// A mark or a space; whether it counts as a neighbour.
    Mark(&'a str, bool),
    /// A word, or a number.
    Word(&'a str),
    /// What was replaced already, or needs not be.
    Done(String),
}

/// Replaces values by placeholders.
#[derive(Debug)]
pub(super) struct Scrub {
    /// Keys, variables, vendors: vpnctl's own, whatever stands beside them.
    terms: BTreeSet<&'static str>,
    /// Values that may be of several words, in lower case, with what kind of thing each is.
    known: Vec<(String, &'static str)>,
    given: BTreeMap<String, String>,
    counts: BTreeMap<&'static str, usize>,
}

impl Scrub {
    pub(super) fn new() -> Self {
        let keys = COMMON.iter().chain(VENDORS.iter().flat_map(|vendor| vendor.keys)).map(|key| key.name);
        // A key of one plain word is a word like any other.
        let keys = keys.filter(|key| key.contains(['_', '.']));
        let variables = VARIABLES.iter().map(|(name, _)| *name);
        Self {
            terms: keys.chain(variables).chain(VENDORS.map(|vendor| vendor.name)).collect(),
            known: Vec::new(),
            given: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Learns a value that is somebody's own, whatever words it is of.
    pub(super) fn know(&mut self, kind: &'static str, value: &str) {
        let value = value.trim();
        let bare = value.trim_matches(['[', ']']);
        let (kind, value) = if bare.parse::<IpAddr>().is_ok() { ("ip", bare) } else { (kind, value) };
        // What vpnctl calls itself, or a vendor's name for a backend, tells nobody anything.
        let is_ours = kind == "host" && is_said(":", value) || value == env!("CARGO_PKG_NAME");
        let is_told = is_ours || is_loopback(value) || registry::find(value).is_some();
        if value.chars().any(char::is_alphanumeric) && !is_told {
            self.known.push((value.to_lowercase(), kind));
            self.known.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
            self.known.dedup();
        }
    }

    /// Gives the placeholder of a value.
    fn placeholder(&mut self, kind: &'static str, value: &str) -> String {
        let plain = percent_decode_str(value).decode_utf8_lossy().to_lowercase();
        let kind = self.known.iter().find(|(known, _)| *known == plain).map_or(kind, |(_, kind)| *kind);
        let counts = &mut self.counts;
        let made = self.given.entry(plain).or_insert_with(|| {
            let count = counts.entry(kind).or_default();
            *count += 1;
            format!("{kind}-{count}")
        });
        made.clone()
    }

    /// Replaces what is not vpnctl's own in a text. In one that may quote a server numbers are somebody's own too, but
    /// where vpnctl puts them.
    pub(super) fn text(&mut self, text: &str, quotes: bool) -> String {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((at, end, kind)) = self.first_known(rest) {
            self.words(&rest[..at], &mut pieces);
            pieces.push(Piece::Done(self.placeholder(kind, &rest[at..end])));
            rest = &rest[end..];
        }
        self.words(rest, &mut pieces);
        let own = self.own(&pieces, quotes);
        let mut out = String::new();
        for (piece, is_own) in pieces.iter().zip(own) {
            match piece {
                Piece::Done(text) => out.push_str(text),
                Piece::Mark(text, _) => out.extend(text.chars().map(|c| if c.is_whitespace() { ' ' } else { c })),
                Piece::Word(word) if is_own => out.push_str(word),
                Piece::Word(word) => out.push_str(&self.placeholder(kind(word), word)),
            }
        }
        out
    }

    /// Replaces in the path of a request what is not of the vendor's API.
    pub(super) fn path(&mut self, path: &str) -> String {
        let Some((path, query)) = path.split_once('?') else { return self.text(path, true) };
        let path = self.text(path, true);
        let pairs: Vec<String> = query
            .split('&')
            .map(|pair| match pair.split_once('=') {
                // How many, and from where on, is no id.
                Some((key @ ("limit" | "offset"), number)) if is_number(number) => format!("{key}={number}"),
                _ => self.text(pair, true),
            })
            .collect();
        format!("{path}?{}", pairs.join("&"))
    }

    /// Gives a code of a vendor: one that its documentation has stands in vpnctl's source.
    pub(super) fn code(&mut self, code: &str) -> String {
        if is_alone(code) { code.to_owned() } else { self.placeholder("code", code) }
    }

    /// Gives a value whole, be it of vpnctl's own words.
    pub(super) fn value(&mut self, kind: &'static str, value: &str) -> String {
        if is_loopback(value) || registry::find(value).is_some() {
            return value.to_owned();
        }
        self.placeholder(kind, value)
    }

    /// Finds the first known value that stands by itself, of several at one place the longest.
    fn first_known(&self, text: &str) -> Option<(usize, usize, &'static str)> {
        let lower = text.to_lowercase();
        if lower.len() != text.len() {
            // Where letters change their length places differ; then each piece is looked at by itself.
            return None;
        }
        let found = self.known.iter().flat_map(|(value, kind)| {
            lower.match_indices(value.as_str()).map(|(at, value)| (at, at + value.len(), *kind))
        });
        let alone = |&(at, end, _): &(usize, usize, _)| {
            let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            text.is_char_boundary(at)
                && text.is_char_boundary(end)
                && !is_part(text[..at].chars().next_back())
                && !is_part(text[end..].chars().next())
        };
        found.filter(alone).min_by_key(|(at, end, _)| (*at, std::cmp::Reverse(*end)))
    }

    /// Takes a text apart that holds nothing known.
    fn words<'a>(&mut self, text: &'a str, pieces: &mut Vec<Piece<'a>>) {
        for part in text.split_inclusive(char::is_whitespace) {
            let word = part.trim_end();
            let core = word.trim_matches(['(', ')', '[', ']', '<', '>', '`', '"', '\'', ',', ';', '.', ':', '«', '»']);
            let (before, after) = word.split_once(core).filter(|_| !core.is_empty()).unwrap_or((word, ""));
            match self.place(core) {
                Some(made) => {
                    marks(before, pieces);
                    pieces.push(Piece::Done(made));
                    marks(after, pieces);
                }
                None => marks(word, pieces),
            }
            marks(&part[word.len()..], pieces);
        }
    }

    /// Replaces a place or a time, of which the marks are a part.
    fn place(&mut self, core: &str) -> Option<String> {
        if is_whole_phrase(core) {
            return Some(core.to_owned());
        }
        if let Some(url) = Url::parse(core).ok().filter(Url::has_host) {
            return Some(self.url(&url));
        }
        if let Some(kind) = whole(core) {
            return Some(if is_loopback(core) { core.to_owned() } else { self.placeholder(kind, core) });
        }
        let (host, port) = core.rsplit_once(':')?;
        let bare = host.trim_matches(['[', ']']);
        let is_port = port.parse::<u16>().is_ok();
        let is_address = bare.parse::<IpAddr>().is_ok();
        let is_host = !bare.contains(':') && (is_loopback(bare) || bare.contains('.'));
        let host = match bare {
            _ if !is_port || !is_address && !is_host => return None,
            bare if is_loopback(bare) => bare.to_owned(),
            bare => self.placeholder(if is_address { "ip" } else { "host" }, bare),
        };
        Some(format!("{host}:{}", self.port(port)))
    }

    /// Gives a port: one that vpnctl's source has behind a host is a vendor's, or everybody's; another one may lead through
    /// a tunnel of somebody's own, on this computer too.
    fn port(&mut self, port: &str) -> String {
        let is_told = ["80", "443"].contains(&port) || is_said(":", port);
        if is_told { port.to_owned() } else { self.placeholder("port", port) }
    }

    fn url(&mut self, url: &Url) -> String {
        let host = url.host_str().unwrap_or_default();
        let host = match host.trim_matches(['[', ']']) {
            host if is_loopback(host) || is_said(":", host) || is_alone(host) => host.to_owned(),
            host => self.placeholder(if host.parse::<IpAddr>().is_ok() { "ip" } else { "host" }, host),
        };
        // A page of a vendor's, of which vpnctl tells.
        let page =
            url.fragment().filter(|page| is_said(HOLE, page)).map(|page| format!("/#{page}")).unwrap_or_default();
        let port = url.port().map(|port| format!(":{}", self.port(&port.to_string()))).unwrap_or_default();
        let path = match url.path() {
            "" | "/" => String::new(),
            path => self.text(path, true),
        };
        let scheme = if matches!(url.scheme(), "http" | "https") { url.scheme() } else { "other" };
        format!("{scheme}://{host}{port}{path}{page}")
    }

    /// Tells of each piece whether vpnctl says it.
    fn own(&self, pieces: &[Piece<'_>], quotes: bool) -> Vec<bool> {
        let counted: Vec<usize> =
            (0..pieces.len()).filter(|at| !matches!(pieces[*at], Piece::Mark(_, false))).collect();
        let mut own = vec![true; pieces.len()];
        let beside = |place: usize| -> (Beside<'_>, Beside<'_>) {
            let before = place.checked_sub(1).map_or(Beside::Edge, |place| neighbour(&pieces[counted[place]]));
            (before, counted.get(place + 1).map_or(Beside::Edge, |&at| neighbour(&pieces[at])))
        };
        for (place, &at) in counted.iter().enumerate() {
            if let Piece::Word(word) = pieces[at] {
                let (before, after) = beside(place);
                own[at] = self.is_term(word) || is_phrase(before, word, after) || !quotes && is_number(word);
            }
        }
        if quotes {
            number_by_words(pieces, &counted, &mut own);
            quoted(pieces, &counted, &mut own);
        }
        own
    }

    fn is_term(&self, word: &str) -> bool {
        let is_flag = word.len() == 2 && word.starts_with('-');
        let is_mark = !word.chars().any(char::is_alphanumeric);
        let is_section = word.strip_prefix("backend.").is_some_and(|name| registry::find(name).is_some());
        is_flag
            || is_section
            || is_version(word)
            || is_mark
            || is_loopback(word)
            || self.terms.contains(word)
            || VARIABLES_OF_PROXIES.iter().any(|name| word.eq_ignore_ascii_case(name))
    }
}

/// Finds the numbers that are vpnctl's: behind two words, or the like, behind which vpnctl puts one.
fn number_by_words(pieces: &[Piece<'_>], counted: &[usize], own: &mut [bool]) {
    let at = |place: Option<usize>| place.and_then(|place| counted.get(place)).map(|at| (&pieces[*at], own[*at]));
    let is_own = |place: usize| {
        let (Some((Piece::Word(last), true)), Some((Piece::Word(number), false))) =
            (at(place.checked_sub(1)), at(Some(place)))
        else {
            return false;
        };
        is_number(number)
            && match at(place.checked_sub(2)) {
                None => is_put_behind(START, last),
                Some((Piece::Mark(mark, _), _)) => is_put_behind(mark, last),
                Some((Piece::Done(_), _)) => is_put_behind(HOLE, last),
                Some((Piece::Word(first), is_own)) => {
                    // The name of a vendor's service, of several words, is put in too.
                    let left = at(place.checked_sub(3));
                    let ends =
                        matches!(left, Some((Piece::Word(left), _)) if is_said(left, first)) && is_said(first, END);
                    is_put_behind(slot(first), last) || is_own && ends && is_put_behind(HOLE, last)
                }
            }
    };
    let found: Vec<usize> = (0..counted.len()).filter(|place| is_own(*place)).collect();
    found.into_iter().for_each(|place| own[counted[place]] = true);
}

/// Takes away what vpnctl quotes: several words between marks, unless a message of vpnctl's begins so between them.
fn quoted(pieces: &[Piece<'_>], counted: &[usize], own: &mut [bool]) {
    let mut place = 0;
    while let Some(&at) = counted.get(place) {
        place += 1;
        let (mark, end) = match pieces[at] {
            Piece::Mark("«", _) => ("«", "»"),
            Piece::Mark(mark @ ("`" | "\""), _) => (mark, mark),
            _ => continue,
        };
        let inside = &counted[place..];
        let length =
            inside.iter().take_while(|at| !matches!(pieces[**at], Piece::Mark(mark, _) if mark == end)).count();
        let begins = matches!(inside.first().map(|at| &pieces[*at]), Some(Piece::Word(word)) if is_said(mark, word));
        if length > 1 && !begins {
            inside[..length].iter().filter(|at| matches!(pieces[**at], Piece::Word(_))).for_each(|at| own[*at] = false);
        }
        place += length + 1;
    }
}

/// What stands beside a word.
#[derive(Debug, Clone, Copy)]
enum Beside<'a> {
    Edge,
    Mark(&'a str),
    Word(&'a str),
    Done,
}

fn neighbour<'a>(piece: &Piece<'a>) -> Beside<'a> {
    match piece {
        Piece::Mark(text, _) => Beside::Mark(text),
        Piece::Word(word) => Beside::Word(word),
        Piece::Done(_) => Beside::Done,
    }
}

/// Tells whether vpnctl says a word between these: side by side with one of them, or between what was put in or what it
/// was put in between itself.
fn is_phrase(before: Beside<'_>, word: &str, after: Beside<'_>) -> bool {
    let is_beside = match (before, after) {
        (Beside::Word(before), _) if is_said(before, word) => true,
        (_, Beside::Word(after)) => is_said(word, after),
        _ => false,
    };
    if is_beside {
        return true;
    }
    // At its place something may be put in, of which it is the first or the last word; and so may it be beside it.
    let is_first = match before {
        Beside::Edge => is_said(START, word),
        Beside::Mark(mark) => is_said(mark, word) || is_said(START, word) && is_said(mark, HOLE),
        Beside::Word(before) => is_said(START, word) && (is_said(slot(before), HOLE) || is_said(before, END)),
        Beside::Done => is_said(START, word),
    };
    let is_last = match after {
        Beside::Edge => is_said(word, END),
        Beside::Mark(mark) => is_said(word, mark) || is_said(word, END) && is_said(HOLE, mark),
        Beside::Word(after) => is_said(word, END) && (is_said(HOLE, slot(after)) || is_said(START, after)),
        Beside::Done => is_said(word, END),
    };
    (is_first || !matches!(before, Beside::Edge) && is_said(HOLE, word))
        && (is_last || !matches!(after, Beside::Edge) && is_said(word, HOLE))
}

/// Tells whether it has marks in it, as a URL has, and stands so in a message of vpnctl's.
fn is_whole_phrase(text: &str) -> bool {
    let parts: Vec<&str> =
        phrases::parts(text).into_iter().filter(|(part, _)| *part != Part::Quiet).map(|(_, text)| text).collect();
    parts.len() > 2 && parts.windows(2).all(|pair| is_said(pair[0], pair[1]))
}

/// Gives a word as a message has it: numbers are put in.
fn slot(word: &str) -> &str {
    if is_number(word) || is_version(word) { HOLE } else { word }
}

/// Tells whether it is a version as it stands in paths.
fn is_version(word: &str) -> bool {
    word.len() <= 4 && word.strip_prefix('v').is_some_and(is_number)
}

fn marks<'a>(text: &'a str, pieces: &mut Vec<Piece<'a>>) {
    pieces.extend(phrases::parts(text).into_iter().map(|(part, text)| match part {
        Part::Word => Piece::Word(text),
        Part::Loud => Piece::Mark(text, true),
        Part::Quiet => Piece::Mark(text, false),
    }));
}

/// Tells whether two stand side by side in a message of vpnctl's.
fn is_said(first: &str, second: &str) -> bool {
    is_listed(phrases::pair(first, second))
}

fn is_listed(number: u32) -> bool {
    let (pairs, _) = PAIRS.as_chunks::<4>();
    pairs.binary_search_by_key(&number, |bytes| u32::from_le_bytes(*bytes)).is_ok()
}

/// Tells whether something is put in behind these two in a message of vpnctl's.
fn is_put_behind(first: &str, second: &str) -> bool {
    is_listed(phrases::before_hole(first, second))
}

/// Tells whether vpnctl's source has it as a text of its own.
fn is_alone(word: &str) -> bool {
    is_said(START, word) && is_said(word, END)
}

/// Says what kind of thing a word is.
fn kind(word: &str) -> &'static str {
    let has = |what: fn(char) -> bool| word.chars().any(what);
    match word {
        _ if word.parse::<IpAddr>().is_ok() => "ip",
        _ if word.contains('@') => "name",
        _ if word.contains('.') && has(char::is_alphabetic) => "host",
        _ if has(|c| c.is_ascii_digit()) => "id",
        _ => "name",
    }
}

/// Tells what a word is of which the marks are a part.
fn whole(word: &str) -> Option<&'static str> {
    let groups: Vec<&str> = word.split([':', '-']).collect();
    let is_mac = groups.len() == 6
        && groups.iter().all(|group| group.len() == 2 && group.bytes().all(|byte| byte.is_ascii_hexdigit()));
    match word {
        _ if word.parse::<IpAddr>().is_ok() => Some("ip"),
        _ if is_mac => Some("mac"),
        _ if word.parse::<jiff::Timestamp>().is_ok() => Some("time"),
        _ => None,
    }
}

/// Tells whether it names no computer but the one that it is said on.
fn is_loopback(text: &str) -> bool {
    ["localhost", "127.0.0.1", "::1", "0.0.0.0", "::"].contains(&text)
}

/// Tells whether it is a number as counts, ports and versions are, and no id.
fn is_number(text: &str) -> bool {
    let parts: Vec<&str> = text.trim_end_matches('%').split('.').collect();
    let short = |part: &&str| !part.is_empty() && part.len() <= 5 && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() <= 3 && parts.iter().all(short)
}

#[cfg(test)]
mod tests;
