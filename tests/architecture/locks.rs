//! What `deny.toml` says of the graph of dependencies, held on every `Cargo.lock` without any other program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The packages with a lock of their own: the program, what it is measured by, what it is fuzzed by.
const LOCKS: [&str; 3] = ["Cargo.lock", "benches/Cargo.lock", "fuzz/Cargo.lock"];
/// Where every crate comes from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn read(file: &str) -> toml::Table {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
    text.unwrap_or_else(|error| panic!("{file} is not committed: {error}")).parse().expect("TOML")
}

/// One package of a lock.
struct Locked {
    name: String,
    version: String,
    source: Option<String>,
    has_checksum: bool,
    /// The names of what it depends on.
    needs: Vec<String>,
}

/// Reads the packages of a lock.
fn locked(file: &str) -> Vec<Locked> {
    let lock = read(file);
    let packages = lock["package"].as_array().expect("packages").iter();
    packages
        .map(|package| {
            let text = |key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
            let needs = package.get("dependencies").and_then(toml::Value::as_array).into_iter().flatten();
            let name = |need: &toml::Value| Some(need.as_str()?.split(' ').next()?.to_owned());
            Locked {
                name: text("name").expect("a name"),
                version: text("version").expect("a version"),
                source: text("source"),
                has_checksum: package.get("checksum").is_some(),
                needs: needs.filter_map(name).collect(),
            }
        })
        .collect()
}

/// Gives a list of `[bans]` in `deny.toml`.
fn bans(list: &str) -> Vec<toml::Table> {
    let deny = read("deny.toml");
    let entries = deny["bans"][list].as_array().expect("a list").clone();
    entries.into_iter().map(|entry| entry.as_table().expect("a table").clone()).collect()
}

fn crate_of(entry: &toml::Table) -> &str {
    entry["crate"].as_str().expect("a crate")
}

#[test]
fn there_is_one_tls_one_http_and_one_websocket_stack() {
    let locked = locked("Cargo.lock");
    for one in ["rustls", "ring", "hyper", "h2", "reqwest", "tungstenite", "tokio-tungstenite", "tokio", "http"] {
        let versions = locked.iter().filter(|locked| locked.name == one).count();
        assert_eq!(versions, 1, "{one} is there {versions} times");
    }
}

#[test]
fn what_is_banned_is_in_no_lock() {
    let bans = bans("deny");
    assert!(bans.len() > 15, "only {} crates are banned", bans.len());
    for file in LOCKS {
        let locked = locked(file);
        for ban in &bans {
            let name = crate_of(ban);
            // Some may be there for others that wrap them.
            let wrappers = ban.get("wrappers").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
            let wraps = |locked: &Locked| wrappers.iter().any(|wrapper| wrapper.as_str() == Some(&locked.name));
            let users: Vec<&str> = locked
                .iter()
                .filter(|locked| locked.needs.iter().any(|need| need == name) && !wraps(locked))
                .map(|locked| locked.name.as_str())
                .collect();
            let is_there = wrappers.is_empty() && locked.iter().any(|locked| locked.name == name);
            assert!(!is_there && users.is_empty(), "{file}: {name} is banned, and {users:?} need it");
        }
    }
}

/// Gives the older ones of what is there in several versions, `NAME@VERSION`.
fn older(file: &str) -> BTreeSet<String> {
    let mut versions: BTreeMap<String, Vec<Vec<u64>>> = BTreeMap::new();
    for locked in locked(file) {
        let plain = locked.version.split(['-', '+']).next().expect("a version");
        let numbers = plain.split('.').map(|number| number.parse().expect("a number")).collect();
        versions.entry(locked.name).or_default().push(numbers);
    }
    let written = |version: &[u64]| version.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
    let mut older = BTreeSet::new();
    for (name, mut versions) in versions {
        versions.sort();
        versions.pop();
        older.extend(versions.iter().map(|version| format!("{name}@{}", written(version))));
    }
    older
}

#[test]
fn what_is_there_twice_is_listed_with_its_reason() {
    let skipped = bans("skip");
    for entry in &skipped {
        assert!(entry["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{entry} has no reason");
    }
    let listed: BTreeSet<String> = skipped.iter().map(|entry| crate_of(entry).to_owned()).collect();
    for file in LOCKS {
        let new: Vec<String> = older(file).difference(&listed).cloned().collect();
        assert!(new.is_empty(), "{file}: {new:?} beside a newer version; do without, or list it in deny.toml");
    }
    let gone: Vec<String> = listed.difference(&older("Cargo.lock")).cloned().collect();
    assert!(gone.is_empty(), "deny.toml lists {gone:?}, and no newer version is there any more");
}

#[test]
fn everything_comes_from_the_registry_and_has_a_checksum() {
    for file in LOCKS {
        for locked in locked(file) {
            let is_ours = locked.source.is_none() && locked.name.starts_with("vpnctl");
            let is_registered = locked.source.as_deref() == Some(REGISTRY) && locked.has_checksum;
            assert!(is_ours || is_registered, "{file}: {} comes from {:?}", locked.name, locked.source);
        }
    }
}

/// Else something else would be measured and fuzzed than what is released.
#[test]
fn what_is_measured_and_fuzzed_is_what_is_released() {
    let versions = |file: &str| -> BTreeSet<(String, String)> {
        locked(file).into_iter().map(|locked| (locked.name, locked.version)).collect()
    };
    let released = versions("Cargo.lock");
    let names: BTreeSet<&str> = released.iter().map(|(name, _)| name.as_str()).collect();
    for file in &LOCKS[1..] {
        let own = versions(file);
        let differ: Vec<_> = own.difference(&released).filter(|(name, _)| names.contains(name.as_str())).collect();
        assert!(differ.is_empty(), "{file} has other versions than Cargo.lock: {differ:?}");
    }
}

#[test]
fn licences_are_stated_and_git_is_no_source() {
    let deny = read("deny.toml");
    let allowed = deny["licenses"]["allow"].as_array().expect("licences");
    assert!(allowed.iter().all(|licence| licence.as_str().is_some_and(|licence| !licence.contains("GPL"))));
    assert_eq!(deny["sources"]["unknown-registry"].as_str(), Some("deny"));
    assert_eq!(deny["sources"]["unknown-git"].as_str(), Some("deny"));
    assert_eq!(deny["bans"]["multiple-versions"].as_str(), Some("deny"));
}

/// Gives all that is behind some of the crates that the program is made of, they included; not what only tests need.
fn behind(direct: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let manifest = read("Cargo.toml");
    let system = manifest["target"].as_table().expect("tables").values().filter_map(|one| one.get("dependencies"));
    let tables = system.chain([&manifest["dependencies"]]).filter_map(toml::Value::as_table);
    let mut open: Vec<String> = tables.flat_map(toml::Table::keys).filter(|name| direct(name)).cloned().collect();
    let locked = locked("Cargo.lock");
    let mut reached = BTreeSet::new();
    while let Some(name) = open.pop() {
        let needs = locked.iter().filter(|locked| locked.name == name).flat_map(|locked| &locked.needs);
        open.extend(needs.filter(|need| !reached.contains(*need)).cloned());
        reached.insert(name);
    }
    reached
}

/// A run each minute must not notice that it started: building an automaton takes longer than many a status.
#[test]
fn no_regular_expression_is_built_at_the_start() {
    let is_jq = |name: &str| name.starts_with("jaq-");
    let regular = |crates: &BTreeSet<String>| -> Vec<String> {
        crates.iter().filter(|name| name.starts_with("regex")).cloned().collect()
    };
    assert_eq!(regular(&behind(|name| !is_jq(name))), [""; 0]);
    // What --jq reads texts with has some that were built beforehand; a lock shows more of them than it takes.
    assert!(!regular(&behind(is_jq)).contains(&"regex".to_owned()));
}

/// Times are UTC everywhere, so that nobody looks for a database of time zones.
#[test]
fn nothing_knows_time_zones() {
    let features = read("Cargo.toml")["dependencies"]["jiff"].clone();
    assert_eq!(features["default-features"].as_bool(), Some(false));
    assert_eq!(
        features["features"].as_array().map(|list| list.iter().filter_map(toml::Value::as_str).collect()),
        Some(vec!["std", "serde"])
    );
    let zones = |name: &String| name.contains("tzdb") || name == "chrono-tz";
    let known: Vec<String> = behind(|_| true).into_iter().filter(zones).collect();
    assert_eq!(known, [""; 0]);
}
