//! TARGETs of `--targets-from`, and what else a line of a command has.

use url::Url;

use super::meaning::of_error;
use crate::app::lines::Lines;
use crate::app::selection::conditions;
use crate::app::shard::Asked;
use crate::backend::{naming, registry};
use crate::config::schema::read_url;
use crate::config::{Config, Kind, Sources, load};
use crate::http::call::segment;
use crate::http::tls::Fingerprint;
use crate::model::threshold::Threshold;
use crate::model::{Target, TargetKind, Word};

thread_local! {
    static CONFIG: Config = load(&Sources::default(), &registry::keys()).expect("the built-in backends");
}

pub(super) fn run(bytes: &[u8]) {
    let path = super::folder().join("targets");
    std::fs::write(&path, bytes).expect("written");
    let mut lines = Lines::open(&path).expect("opened");
    loop {
        match super::block_on(lines.next()) {
            Ok(Some(line)) => one(&line),
            Ok(None) => break,
            Err(error) => {
                of_error(&error);
                assert!(std::str::from_utf8(bytes).is_err(), "{error}");
                break;
            }
        }
    }
}

fn one(line: &str) {
    assert!(!line.is_empty() && line.trim() == line && !line.starts_with('#'), "{line:?}");
    let target = Target::by_id(TargetKind::Device, line);
    assert!(naming::is_exact(line, &target) && naming::best(line, [&target]).len() == 1);
    assert!(naming::Glob::new(line).fits(&target), "{line:?} does not fit itself");
    of_error(&naming::not_found("bench", line));
    is_one_word(&naming::argument("bench", &target));
    is_one_segment(line);
    CONFIG.with(|config| drop(conditions(line, config).inspect_err(of_error)));
    let _ = (Asked::parse(line), Threshold::parse(line), Word::parse(line));
    let _ = (Kind::Duration.read(line), Kind::Integer.read(line), Kind::Labels.read(line), Kind::Secret.read(line));
    let _ = Fingerprint::parse(line).inspect_err(of_error);
    if let Ok(url) = read_url(line) {
        assert!(matches!(url.scheme(), "http" | "https") && url.password().is_none() && url.username().is_empty());
    }
}

/// Checks that an id stays one segment of a path, whatever it holds, and is read as what it was.
fn is_one_segment(id: &str) {
    let url = Url::parse(&format!("https://host/v1/{}/vpn", segment(id))).expect("a URL");
    let segments: Vec<&str> = url.path_segments().expect("a path").collect();
    assert_eq!((url.host_str(), segments.len(), url.query(), url.fragment()), (Some("host"), 3, None, None), "{url}");
    assert_eq!((segments[0], segments[2]), ("v1", "vpn"), "{url}");
    let read = percent_encoding::percent_decode_str(segments[1]).decode_utf8().expect("text");
    assert!(read == id || [".", ".."].contains(&id), "{id:?} became {read:?}");
}

/// Checks that a name which is shown to be pasted is one word for a shell, and nothing that it runs.
fn is_one_word(text: &str) {
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('\''), c) if c != '\'' => {}
            (_, '\\') => assert!(chars.next().is_some(), "{text} goes on"),
            (_, '$' | '`' | '!') => panic!("{text} holds what a shell runs"),
            (Some(open), c) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, c) => assert!(!c.is_whitespace() && !";&|<>()*?#".contains(c), "{text} is no word"),
            _ => {}
        }
    }
    assert!(quote.is_none(), "{text} ends in a quote");
}
