//! Takes out of texts what is not vpnctl's own, each value for one placeholder wherever it stands.
//!
//! What stays is a closed list: words that vpnctl itself says, its keys and flags, short numbers. Nothing else is looked
//! for, so nothing that is somebody's own can be missed; what stands for it only tells equal from different.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::backend::registry::{self, VENDORS};
use crate::config::{COMMON, variables::VARIABLES};

/// The words that vpnctl says, as they stand in its messages.
const WORDS: &str = include_str!("words.txt");
/// What parts the pieces of a text; all of it stays.
const MARKS: &[char] = &[
    '/', '\\', '=', ',', ';', ':', '(', ')', '[', ']', '{', '}', '<', '>', '"', '\'', '`', '«', '»', '→', '|', '*',
    '+', '&', '!', '?', '#', '~', '$',
];

/// Replaces values by placeholders.
#[derive(Debug)]
pub(super) struct Scrub {
    own: BTreeSet<String>,
    /// Values that may be of several words, in lower case, with what kind of thing each is.
    known: Vec<(String, &'static str)>,
    given: BTreeMap<String, String>,
    counts: BTreeMap<&'static str, usize>,
}

impl Scrub {
    pub(super) fn new() -> Self {
        let keys = COMMON.iter().chain(VENDORS.iter().flat_map(|vendor| vendor.keys)).map(|key| key.name);
        let variables = VARIABLES.iter().map(|(name, _)| *name);
        let words = WORDS.split_whitespace().chain(keys).chain(variables).chain(VENDORS.map(|vendor| vendor.name));
        Self {
            own: words.map(str::to_owned).collect(),
            known: Vec::new(),
            given: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Learns a value that is somebody's own, whatever words it is of.
    pub(super) fn know(&mut self, kind: &'static str, value: &str) {
        let value = value.trim();
        // A backend that is called after its vendor tells nobody anything.
        let is_told = is_loopback(value) || registry::find(value).is_some();
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

    /// Replaces what is not vpnctl's own in a text.
    pub(super) fn text(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((at, end, kind)) = self.first_known(rest) {
            let before = self.words(&rest[..at]);
            out.push_str(&before);
            let made = self.placeholder(kind, &rest[at..end]);
            out.push_str(&made);
            rest = &rest[end..];
        }
        let last = self.words(rest);
        out + &last
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

    fn words(&mut self, text: &str) -> String {
        let parts: Vec<&str> = text.split_inclusive(char::is_whitespace).collect();
        let mut out = String::new();
        for part in parts {
            let word = part.trim_end();
            let word = self.word(word);
            out.push_str(&word);
            if part.ends_with(char::is_whitespace) {
                out.push(' ');
            }
        }
        out
    }

    /// Replaces what is in a word that has no space.
    fn word(&mut self, word: &str) -> String {
        let core = word.trim_matches(|c: char| MARKS.contains(&c) || c == '.');
        if let Some((before, after)) = word.split_once(core).filter(|_| !core.is_empty()) {
            if let Some(url) = Url::parse(core).ok().filter(Url::has_host) {
                let url = self.url(&url);
                return format!("{before}{url}{after}");
            }
            if let Some(kind) = whole(core) {
                let made = if is_loopback(core) { core.to_owned() } else { self.placeholder(kind, core) };
                return format!("{before}{made}{after}");
            }
        }
        let mut out = String::new();
        for part in word.split_inclusive(MARKS) {
            let piece = part.trim_end_matches(MARKS);
            let made = self.piece(piece);
            out.push_str(&made);
            out.push_str(&part[piece.len()..]);
        }
        out
    }

    fn url(&mut self, url: &Url) -> String {
        let host = url.host_str().unwrap_or_default();
        let host = match host.trim_matches(['[', ']']) {
            host if is_loopback(host) => host.to_owned(),
            host => self.placeholder(if host.parse::<IpAddr>().is_ok() { "ip" } else { "host" }, host),
        };
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let path = match url.path() {
            "" | "/" => String::new(),
            path => self.word(path),
        };
        let scheme = self.piece(url.scheme());
        format!("{scheme}://{host}{port}{path}")
    }

    /// Replaces what has no mark in it, unless it is vpnctl's own.
    fn piece(&mut self, piece: &str) -> String {
        let bare = piece.trim_end_matches('.');
        let end = &piece[bare.len()..];
        let flag = bare.trim_start_matches('-');
        // One letter behind a dash is a flag, and no name of anybody.
        let is_flag = bare.len() == 2 && flag.len() == 1;
        let is_ours = |word: &str| self.own.contains(word);
        // Variables are ours as they are written: HOME is, and home may be somebody's.
        let is_own = flag.is_empty() || is_flag || is_ours(flag) || is_ours(&flag.to_lowercase());
        if is_own || is_plain_number(bare) || is_loopback(bare) {
            return piece.to_owned();
        }
        let has = |what: fn(char) -> bool| bare.chars().any(what);
        let kind = match bare {
            _ if bare.parse::<IpAddr>().is_ok() => "ip",
            _ if bare.contains('@') => "name",
            _ if bare.contains('.') && has(char::is_alphabetic) => "host",
            _ if has(|c| c.is_ascii_digit()) => "id",
            _ => "name",
        };
        let made = self.placeholder(kind, bare);
        format!("{made}{end}")
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
    text == "localhost" || text.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// Tells whether it is a number as counts, ports and versions are, and no id.
fn is_plain_number(text: &str) -> bool {
    let parts: Vec<&str> = text.trim_end_matches('%').split('.').collect();
    let short = |part: &&str| !part.is_empty() && part.len() <= 5 && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() <= 3 && parts.iter().all(short)
}

#[cfg(test)]
mod tests {
    use super::Scrub;

    #[test]
    fn what_is_not_our_own_is_replaced_and_the_same_by_the_same() {
        let mut scrub = Scrub::new();
        scrub.know("backend", "attic");
        scrub.know("name", "The Certificate");
        for (text, expected) in [
            ("nothing listens at 10.1.2.3:443, where it should be", "nothing listens at ip-1:443, where it should be"),
            ("https://nas.acme.example:8443/v1 and nas.acme.example", "https://host-1:8443/id-1 and host-1"),
            ("run: vpnctl auth login -b attic", "run: vpnctl auth login -b backend-1"),
            ("connected: `The certificate`", "connected: `name-1`"),
            ("the certificate is not trusted", "name-1 is not trusted"),
            ("/home/jane/.config (jane)", "/name-2/name-3/host-2 (name-3)"),
            ("aa:bb:cc:dd:ee:ff fd00::1 10.1.2.3", "mac-1 ip-2 ip-1"),
            ("localhost and 127.0.0.1 and 1.4.7 (39 days)", "localhost and 127.0.0.1 and 1.4.7 (39 days)"),
            ("J%61ne", "name-3"),
            ("sha256:00ff00ff00ff 123456 2027-01-01T00:00:00Z", "sha256:id-2 id-3 time-1"),
        ] {
            assert_eq!(scrub.text(text), expected);
        }
    }
}
