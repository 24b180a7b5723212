//! The entries of a page, taken one by one from an answer that is still coming in.
//!
//! A page of 1,000 devices is about 1 MB of JSON, of which a tenth is used, and several pages come at once: kept whole
//! they would be most of the memory that an account takes.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Deserializer;

use super::auth::Auth;
use super::failure::PEER;
use super::pages::Entry;
use super::wire::Page;
use crate::error::Result;
use crate::http::{Reply, Sift, unparsable};

/// How far into an answer its list may begin: what stands before it are a few numbers.
const HEAD: usize = 4096;

/// Takes the entries out of `items`, where that is a list, and leaves the document around them.
pub(super) struct Sieve<T>(Mutex<Found<T>>);

struct Found<T> {
    items: Vec<T>,
    place: Place,
    /// How long the body was when it ended with a part of an entry.
    tried: usize,
    /// What is wrong with an entry, with its place in the document.
    fault: Option<String>,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// The document before its list.
    Before,
    /// The list, whose first entry would stand there.
    Within(usize),
    /// What is not looked at: what follows the list, or a document of another form.
    Behind,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { items: Vec::new(), place: Place::Before, tried: 0, fault: None }
    }
}

impl<T> Default for Sieve<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> fmt::Debug for Sieve<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sieve")
    }
}

impl<T> Sieve<T> {
    fn found(&self) -> MutexGuard<'_, Found<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Entry> Sieve<T> {
    /// Gives the page of an answer that went through it.
    pub(super) fn page(&self, auth: &Auth, reply: &Reply, operation: &str) -> Result<Page<T>> {
        if let Some(fault) = self.fault() {
            return Err(unparsable(PEER, operation, &auth.discreet(reply), &fault).backend(auth.backend()));
        }
        auth.read(reply, operation).map(|page| self.filled(page))
    }

    fn fault(&self) -> Option<String> {
        self.found().fault.take()
    }

    /// Puts into a page what was taken out of it.
    fn filled(&self, mut page: Page<T>) -> Page<T> {
        if page.items.is_empty() {
            page.items = std::mem::take(&mut self.found().items);
        }
        page
    }
}

impl<T: Entry> Sift for Sieve<T> {
    fn begin(&self) {
        *self.found() = Found::default();
    }

    fn sift(&self, body: &mut Vec<u8>) {
        let mut found = self.found();
        // An entry without an end is not read anew with each packet.
        if body.len() >= 2 * found.tried {
            found.take_from(body);
        }
    }

    fn end(&self, body: &mut Vec<u8>) {
        self.found().take_from(body);
    }
}

impl<T: Entry> Found<T> {
    fn take_from(&mut self, body: &mut Vec<u8>) {
        if matches!(self.place, Place::Before) {
            self.place = match beginning(body) {
                Some(start) => Place::Within(start),
                None if body.len() > HEAD => Place::Behind,
                None => return,
            };
        }
        if let Place::Within(start) = self.place {
            let end = self.take(body, start);
            body.drain(start..end);
            self.tried = body.len();
        }
    }

    /// Takes the entries that are whole from where the list begins, and gives where they end.
    fn take(&mut self, body: &[u8], start: usize) -> usize {
        let mut end = start;
        while let Some(rest) = body.get(end..).map(<[u8]>::trim_ascii_start) {
            let entry = match rest {
                [] => break,
                [b',', entry @ ..] if !self.items.is_empty() => entry.trim_ascii_start(),
                [b'{', ..] if self.items.is_empty() => rest,
                [byte, ..] => {
                    // What is wrong before the first entry, the reader of the whole document can name.
                    if *byte != b']' && !self.items.is_empty() {
                        self.fault = Some(format!("items[{}]: expected `,` or `]`", self.items.len()));
                    }
                    self.place = Place::Behind;
                    break;
                }
            };
            let mut reader = Deserializer::from_slice(entry).into_iter::<T>();
            match reader.next() {
                Some(Ok(item)) => {
                    end = body.len() - entry.len() + reader.byte_offset();
                    self.items.push(item);
                }
                // The rest of it is still to come.
                None => break,
                Some(Err(error)) if error.is_eof() => break,
                Some(Err(_)) => {
                    self.fault = Some(self.wrong(entry));
                    self.place = Place::Behind;
                    break;
                }
            }
        }
        end
    }

    fn wrong(&self, entry: &[u8]) -> String {
        let mut reader = Deserializer::from_slice(entry);
        match serde_path_to_error::deserialize::<_, T>(&mut reader) {
            // The reader's own words may quote what it did not expect.
            Err(error) => {
                let (line, column) = (error.inner().line(), error.inner().column());
                format!("items[{}].{}: line {line}, column {column} of the entry", self.items.len(), error.path())
            }
            Ok(_) => format!("items[{}]", self.items.len()),
        }
    }
}

/// Finds where the list of the member `items` begins, just behind its `[`.
fn beginning(body: &[u8]) -> Option<usize> {
    let (mut depth, mut text, mut is_items) = (0_usize, None, false);
    let mut bytes = body.iter().enumerate();
    while let Some((place, byte)) = bytes.next() {
        match (text, byte) {
            (Some(_), b'\\') => drop(bytes.next()),
            (Some(begin), b'"') => {
                is_items = depth == 1 && body.get(begin..place) == Some(b"items");
                text = None;
            }
            (Some(_), _) => {}
            (None, b'"') => text = Some(place + 1),
            (None, b':') => {}
            (None, b'[') if is_items => return Some(place + 1),
            (None, byte) => {
                is_items &= byte.is_ascii_whitespace();
                match byte {
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::{PEER, Place, Sieve, Sift, unparsable};
    use crate::backends::everyware::wire::{Device, Page};
    use crate::error::Result;
    use crate::http::Reply;

    const IDS: &str = r#"{"limitExceeded":true,"note":"items\":[","of":{"items":[{"id":"no"}]},
        "items" : [ {"id":"AQ","tagIds":["a]","}"]} , {"id":"A\"g"},{"id":"\u00e9"} ] ,"totalCount":7}"#;

    /// Reads an answer that comes in pieces of so many bytes; gives the page and how much of it was kept.
    fn read(text: &str, piece: usize) -> (Result<Page<Device>>, usize) {
        let sieve = Sieve::default();
        sieve.begin();
        let mut body = Vec::new();
        for piece in text.as_bytes().chunks(piece) {
            body.extend_from_slice(piece);
            sieve.sift(&mut body);
        }
        sieve.end(&mut body);
        let kept = body.len();
        let reply = Reply { status: StatusCode::OK, headers: HeaderMap::new(), body, confidential: false };
        let page = match sieve.fault() {
            Some(fault) => Err(unparsable(PEER, "list", &reply, &fault)),
            None => reply.json(PEER, "list").map(|page| sieve.filled(page)),
        };
        (page, kept)
    }

    fn ids(page: Result<Page<Device>>) -> Vec<String> {
        page.unwrap().items.into_iter().map(|device| device.id.into_string()).collect()
    }

    #[test]
    fn entries_are_the_same_in_whatever_pieces_they_come() {
        for piece in 1..=IDS.len() {
            let (page, kept) = read(IDS, piece);
            let page = page.unwrap();
            assert_eq!((page.limit_exceeded, page.total_count), (true, Some(7)), "{piece}");
            assert_eq!(ids(Ok(page)), ["AQ", "A\"g", "é"], "{piece}");
            assert!(kept < IDS.len() - 50, "{piece}: {kept}");
        }
    }

    #[test]
    fn other_forms_are_left_to_who_reads_them_whole() {
        for (text, expected) in [
            (r#"{"items":{"item":[{"id":"AQ"}]}}"#, &["AQ"][..]),
            (r#"{"items":[]}"#, &[]),
            (r#"{"items":null}"#, &[]),
            (r#"{"type":"items","size":1,"items":[{"id":"AQ"}]}"#, &["AQ"]),
            (r#"{"items":[{"id":"AQ"}],"more":"items"}"#, &["AQ"]),
            ("{}", &[]),
        ] {
            for piece in [1, 3, text.len()] {
                assert_eq!(ids(read(text, piece).0), expected, "{text} by {piece}");
            }
        }
        let late = format!(r#"{{"x":"{}","items":[{{"id":"AQ"}}]}}"#, "y".repeat(super::HEAD));
        assert_eq!(ids(read(&late, 7).0), ["AQ"]);
    }

    #[test]
    fn what_is_no_page_is_told_with_its_place() {
        for (text, place) in [
            (r#"{"items":[{"id":"AQ"},{"id":"Ag",}]}"#, "items[1]"),
            (r#"{"items":[{"id":"AQ"},7]}"#, "items[1]"),
            (r#"{"items":[{"id":"AQ"} {"id":"Ag"}]}"#, "items"),
            (r#"{"items":[{"id":"AQ"},]}"#, "items"),
            (r#"{"items":[,{"id":"AQ"}]}"#, "items"),
            (r#"{"items":[{"id":"AQ"}"#, "line 1"),
            (r#"{"items":[{"id":"AQ"},{"id":"#, "line 1"),
            (r#"{"items":[{"id":"AQ"}]"#, "line 1"),
            (r#"{"items":[{"id":"AQ"}]} {"#, "line 1"),
            (r#"[{"items":[{"id":"AQ"}]}]"#, "line 1"),
        ] {
            for piece in [1, 3, text.len()] {
                let error = read(text, piece).0.unwrap_err();
                assert!(error.message().contains(place), "{text} by {piece}: {error}");
            }
        }
    }

    #[test]
    fn an_entry_without_an_end_is_not_read_again_and_again() {
        let sieve = Sieve::<Device>::default();
        sieve.begin();
        let mut body = br#"{"items":[{"id":""#.to_vec();
        let mut tries = Vec::new();
        for _ in 0..10_000 {
            body.extend_from_slice(&[b'x'; 100]);
            sieve.sift(&mut body);
            tries.push(sieve.found().tried);
        }
        tries.dedup();
        assert!(tries.len() < 20, "{tries:?}");
    }

    #[test]
    fn an_answer_that_broke_off_leaves_nothing_behind() {
        let sieve = Sieve::<Device>::default();
        sieve.begin();
        let mut body = br#"{"items":[{"id":"AQ"},{"id":"#.to_vec();
        sieve.sift(&mut body);
        assert_eq!(sieve.found().items.len(), 1);
        sieve.begin();
        assert!(sieve.found().items.is_empty() && matches!(sieve.found().place, Place::Before));
    }
}
