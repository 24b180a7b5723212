//! Who may import whom, and what may not be in the graph of dependencies.

#![allow(clippy::expect_used)]

#[path = "architecture/locks.rs"]
mod locks;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom: a room and the rooms that it may use besides itself.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("cli", &["app", "backend", "config", "error", "model", "render", "simulate", "state", "trace", "ui"]),
    ("app", &["backend", "config", "error", "http", "model", "render", "state"]),
    ("backend", &["backends", "config", "error", "http", "model", "state"]),
    ("backends", &["backend", "config", "error", "http", "model", "secrets", "state"]),
    ("config", &["error", "secrets"]),
    ("error", &[]),
    // Built for the fuzzers and for tests alone.
    ("fuzzing", &["app", "backend", "backends", "config", "error", "http", "model", "render", "secrets", "state"]),
    // What is sent is known there, and with it what no message repeats.
    ("http", &["error", "secrets"]),
    ("model", &[]),
    ("render", &["error", "model"]),
    ("secrets", &["error"]),
    ("simulate", &[]),
    ("state", &["error"]),
    ("trace", &["render", "ui"]),
    ("ui", &["backend", "error", "render"]),
];

/// Where vendors may be named.
const VENDOR_ROOMS: &[&str] = &["src/backends/", "src/simulate/", "src/backend/registry.rs"];

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                files.push((path.strip_prefix(root).expect("below the root").to_owned(), text));
            }
        }
    }
    assert!(files.len() > 50, "only {} source files were found", files.len());
    files
}

/// Gives the room that a file belongs to.
fn room(path: &Path) -> String {
    let mut parts = path.iter().skip(1).map(|part| part.to_string_lossy().into_owned());
    parts.next().expect("a room").trim_end_matches(".rs").to_owned()
}

/// Gives the code of a file, without comments and without what only its tests use.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Finds the rooms that a file imports, in `use crate::…` with or without braces and in paths.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let end = |c: char| !c.is_alphanumeric() && c != '_';
            let word = name.trim().split(end).next().unwrap_or_default();
            if !word.is_empty() {
                found.insert(word.to_owned());
            }
        }
    }
    found
}

#[test]
fn rooms_import_only_what_the_directions_allow() {
    let allowed: BTreeMap<&str, &[&str]> = DIRECTIONS.iter().copied().collect();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let room = room(&path);
        if room == "lib" {
            continue;
        }
        let Some(may) = allowed.get(room.as_str()) else { panic!("{} is in no known room", path.display()) };
        seen.insert(room.clone());
        for import in imports(&code(&text)) {
            let known = allowed.contains_key(import.as_str());
            if known && import != room && !may.contains(&import.as_str()) {
                wrong.push(format!("{} imports {import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(seen.len(), DIRECTIONS.len(), "a room of the table does not exist");
}

#[test]
fn imports_are_found_in_every_form() {
    let code = "use crate::{error::Error, model};\nlet x = crate::http::Call;\nuse crate::state;\nmycrate::no;";
    assert_eq!(imports(code).into_iter().collect::<Vec<_>>(), ["error", "http", "model", "state"]);
}

#[test]
fn vendors_are_named_only_in_their_rooms() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let place = path.to_string_lossy().replace('\\', "/");
        if place.ends_with("tests.rs")
            || VENDOR_ROOMS.iter().any(|room| place.starts_with(room))
            || place == "src/lib.rs"
        {
            continue;
        }
        for (number, line) in code(&text).lines().enumerate() {
            // Help texts and examples may tell users of vendors; code may not depend on one.
            let told = line.trim_start().starts_with("#[") || line.contains("about") || place.contains("cli/args/");
            let named = ["freebox", "ixon", "everyware"].iter().any(|vendor| line.to_lowercase().contains(vendor));
            if named && !told {
                wrong.push(format!("{place}:{number}: {}", line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_user_interface_touches_the_standard_streams() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if path.ends_with("ui.rs") {
            continue;
        }
        let code = code(&text);
        for word in ["println!", "eprintln!", "print!(", "eprint!(", "io::stdout", "io::stderr", "process::exit"] {
            if code.contains(word) {
                wrong.push(format!("{} has {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Where these are used: what listens is in two places, and what writes metrics too. Which version of HTTP a connection
/// speaks is only told by hyper's own trait.
const PLACES: &[(&str, &[&str])] = &[
    ("axum::", &["src/app/serve/", "src/simulate/"]),
    ("hyper_util::", &["src/app/serve/", "src/http/lanes/", "src/http/proxy.rs", "src/simulate/"]),
    ("use prometheus::", &["src/app/serve/", "src/render/check/", "src/render/prometheus.rs"]),
];

#[test]
fn what_listens_and_what_measures_have_their_places() {
    let mut seen = BTreeSet::new();
    for (path, text) in sources() {
        let place = path.to_string_lossy().replace('\\', "/");
        for (what, places) in PLACES.iter().filter(|(what, _)| code(&text).contains(what)) {
            let room = places.iter().find(|room| place.starts_with(**room));
            seen.insert((what, room.unwrap_or_else(|| panic!("{place} uses {what}"))));
        }
    }
    assert_eq!(seen.len(), PLACES.iter().map(|(_, places)| places.len()).sum::<usize>(), "a place does not use it");
}

/// Names of a vendor's files, the same in each: who knows one knows all.
#[test]
fn every_vendor_has_the_same_rooms_a_simulator_cases_and_an_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = fs::read_to_string(root.join("config.example.toml")).expect("the example");
    let folders = fs::read_dir(root.join("src/backends")).expect("a folder");
    let vendors: Vec<String> = folders
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    let registered: BTreeSet<String> =
        vpnctl::backend::registry::VENDORS.iter().map(|vendor| vendor.name.to_owned()).collect();
    assert_eq!(vendors.iter().cloned().collect::<BTreeSet<_>>(), registered);
    for vendor in vendors {
        for file in ["mod.rs", "api.rs", "wire.rs", "auth.rs", "convert.rs", "config.rs", "failure.rs", "docs.md"] {
            let path = root.join("src/backends").join(&vendor).join(file);
            assert!(path.is_file(), "{} is missing", path.display());
        }
        assert!(root.join("src/simulate").join(&vendor).is_dir(), "{vendor} has no simulator");
        assert!(root.join("tests/cases").join(&vendor).is_dir(), "{vendor} has no cases");
        assert!(example.contains(&format!("vendor = \"{vendor}\"")), "{vendor} is in no example");
    }
}

#[test]
fn the_example_configuration_is_valid_with_every_key_of_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = fs::read_to_string(root.join("config.example.toml")).expect("the example");
    // Take the comment signs off what is commented-out configuration.
    let shown: Vec<&str> = example
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| is_key(key)) => rest,
            _ => line,
        })
        .collect();
    let text = shown.join("\n");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    fs::write(&path, &text).expect("written");
    let sources = vpnctl::config::Sources { named: Some(path), ..Default::default() };
    let config = vpnctl::config::load(&sources, &vpnctl::backend::registry::keys()).expect("the example is valid");
    assert_eq!(config.backends.len(), 3, "{text}");
    let shown: BTreeSet<&str> = config.backends.values().flat_map(|backend| backend.settings.keys().copied()).collect();
    for key in
        ["app_token", "connect_address", "cloud_url", "tls.pin", "tls.ca_file", "disconnect_path", "rate", "scope"]
    {
        assert!(shown.contains(key), "{key} is not shown");
    }
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '.')
}

/// Words of a field's name that say that it holds a secret.
const SECRET_WORDS: &[&str] = &[
    "password",
    "token",
    "secret",
    "api_key",
    "trust_key",
    "private_key",
    "preshared",
    "refresh",
    "otp",
    "bearer",
    // What is sent, what comes, and what the environment gives may hold one.
    "body",
    "variables",
];

/// Finds the fields of a source text that hold secrets as plain text, in structures that print them by `{:?}`.
fn telling_fields(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("struct ") {
        let before = &code[..at];
        let derives = &before[before.rfind(['}', ';']).unwrap_or(0)..];
        let Some(body) = code[at..].split_once('{').and_then(|(_, rest)| rest.split_once('}')) else { continue };
        if !derives.contains("Debug") {
            continue;
        }
        for line in body.0.lines() {
            let Some((name, kind)) = line.trim().trim_end_matches(',').rsplit_once(": ") else { continue };
            let name = name.rsplit(' ').next().unwrap_or_default();
            let is_plain = ["String", "str", "u8", "Bytes"].iter().any(|plain| kind.contains(plain));
            let is_text = is_plain && !kind.contains("Secret");
            let is_secret = SECRET_WORDS.iter().any(|word| name == *word || name.ends_with(&format!("_{word}")));
            if is_secret && is_text {
                found.push(name.to_owned());
            }
        }
    }
    found
}

#[test]
fn nothing_that_is_printed_for_debugging_holds_a_secret_as_text() {
    let told = "#[derive(Debug, Clone)]\npub struct A {\n    pub(super) app_token: Option<String>,\n    name: String,\n}\n\
                #[derive(Clone)]\nstruct B {\n    token: String,\n    body: Vec<u8>,\n}\n#[derive(Debug)]\nstruct C {\n    password: SecretString,\n}\n";
    assert_eq!(telling_fields(told), ["app_token"]);
    assert_eq!(telling_fields("#[derive(Debug)]\nstruct Call {\n    pub body: Option<Vec<u8>>,\n}\n"), ["body"]);
    let wrong: Vec<String> = sources()
        .into_iter()
        // What is simulated is no secret of anybody's.
        .filter(|(path, _)| !path.starts_with("src/simulate"))
        .flat_map(|(path, text)| {
            telling_fields(&code(&text))
                .into_iter()
                .map(move |field| format!("{}: {field}", path.display()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
