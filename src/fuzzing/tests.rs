//! Runs the corpora, and documents that are bent out of shape, through what the fuzz targets do.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{meaning, names, run};
use crate::backends::fuzzing::{Meaning, VENDORS};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Gives the files of a folder, by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut files: Vec<_> = paths
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn every_target_has_a_program_and_a_corpus_and_nothing_lies_beside() {
    let mut names: Vec<String> = names().into_iter().map(str::to_owned).collect();
    names.sort();
    let programs = files(&root().join("fuzz/fuzz_targets"));
    for (program, text) in &programs {
        let name = program.trim_end_matches(".rs");
        let text = String::from_utf8_lossy(text);
        assert!(text.contains(&format!("vpnctl::fuzzing::run(\"{name}\", bytes)")), "{program}: {text}");
    }
    let programs: Vec<&str> = programs.iter().map(|(program, _)| program.trim_end_matches(".rs")).collect();
    assert_eq!(programs, names);
    let manifest: toml::Table = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap().parse().unwrap();
    let bins: BTreeSet<&str> =
        manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap()).collect();
    assert_eq!(bins.into_iter().collect::<Vec<_>>(), names);
    let folders = std::fs::read_dir(root().join("fuzz/corpus")).unwrap();
    let mut folders: Vec<_> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    folders.sort();
    assert_eq!(folders, names);
    let size: usize =
        names.iter().flat_map(|name| files(&root().join("fuzz/corpus").join(name))).map(|f| f.1.len()).sum();
    assert!(size < 300_000, "the corpora have {size} bytes: cargo fuzz cmin");
}

/// Runs a target with some bytes, and says which they were where something does not hold.
fn run_told(name: &'static str, file: &str, bytes: &[u8]) {
    if std::panic::catch_unwind(|| run(name, bytes)).is_err() {
        panic!("{name}: {file} does not pass, which is: {:?}", String::from_utf8_lossy(bytes));
    }
}

/// What the fuzzers found, and what they learned: each stays mended.
#[test]
fn the_corpora_pass() {
    for name in names() {
        let files = files(&root().join("fuzz/corpus").join(name));
        assert!(files.len() >= 3, "{name} has {} files only", files.len());
        files.iter().for_each(|(file, bytes)| run_told(name, file, bytes));
    }
}

/// Numbers that look like chance, the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }

    /// Gives what no document should have at that place.
    fn odd(&mut self) -> Value {
        let deep = |depth: usize| (0..depth).fold(json!([]), |inner, _| json!([inner]));
        let odd = [
            json!(null),
            json!(true),
            json!(-1),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(1e308),
            json!(0.5),
            json!(""),
            json!(" "),
            json!("0.0.0.0"),
            json!("\u{202e}\u{1b}[2J\0\r\n\u{9b}"),
            json!("=cmd|' /C calc'!A0"),
            json!("é".repeat(3000)),
            json!("{\"a\":[{}]}"),
            json!("9999-99-99T99:99:99Z"),
            json!("-99999999999999999999999"),
            json!([]),
            json!({}),
            json!([null, [], {}]),
            deep(120),
        ];
        odd[self.below(odd.len())].clone()
    }

    /// Takes away, adds and replaces what stands in a document.
    fn bend(&mut self, value: &mut Value) {
        match self.below(16) {
            // What is odd stays as it is: to bend that too would make it grow without end.
            0 => return *value = self.odd(),
            1 => return *value = json!([value.take()]),
            _ => {}
        }
        match value {
            Value::Object(map) => {
                if self.below(6) == 0 {
                    let key = map.keys().nth(self.below(map.len())).cloned();
                    key.map(|key| map.remove(&key));
                }
                map.values_mut().for_each(|value| self.bend(value));
            }
            Value::Array(list) => {
                if self.below(6) == 0 && !list.is_empty() {
                    let twice = list[self.below(list.len())].clone();
                    list.push(twice);
                }
                list.iter_mut().for_each(|value| self.bend(value));
            }
            _ => {}
        }
    }

    /// Cuts bytes, nests them too deep, or puts another one somewhere.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        match self.below(8) {
            0 => bytes.truncate(self.below(bytes.len())),
            1 => *bytes = [b"[".repeat(5000), std::mem::take(bytes)].concat(),
            2 | 3 if !bytes.is_empty() => {
                let at = self.below(bytes.len());
                bytes[at] = u8::try_from(self.below(256)).unwrap();
            }
            _ => {}
        }
    }
}

/// Bends the example documents of a vendor in many ways; each comes to a state, a target or an error that may be shown.
fn any_document_is_understood_or_refused(vendor: &'static str) {
    const ROUNDS: usize = 500;
    let vendor = VENDORS.iter().find(|known| known.name == vendor).unwrap();
    let documents: Vec<Value> = files(&root().join("tests/fixtures").join(vendor.name))
        .iter()
        .filter_map(|(_, bytes)| serde_json::from_slice(bytes).ok())
        .collect();
    assert!(documents.len() > 20, "{} examples only", documents.len());
    let mut chance = Chance(20_140_220);
    let (mut states, mut errors, mut targets) = (0, 0, 0);
    for _ in 0..ROUNDS {
        let mut document = documents[chance.below(documents.len())].clone();
        chance.bend(&mut document);
        let mut bytes = serde_json::to_vec(&document).unwrap();
        chance.damage(&mut bytes);
        let met = std::panic::catch_unwind(|| {
            let met = (vendor.read)(&bytes);
            met.iter().for_each(|met| meaning::check(vendor.name, met));
            met
        });
        let Ok(met) = met else { panic!("{}: {}", vendor.name, String::from_utf8_lossy(&bytes)) };
        states += met.iter().filter(|met| matches!(met, Meaning::Status(_))).count();
        errors += met.iter().filter(|met| matches!(met, Meaning::Error(_))).count();
        targets += met.iter().filter(|met| matches!(met, Meaning::Target(..))).count();
    }
    // Else most were refused at their first byte, and this shows little.
    assert!(states > ROUNDS / 50 && targets > ROUNDS / 50 && errors > ROUNDS, "{states}, {targets}, {errors}");
}

#[test]
fn any_document_of_a_freebox_is_understood_or_refused() {
    any_document_is_understood_or_refused("freebox");
}

#[test]
fn any_document_of_ixon_is_understood_or_refused() {
    any_document_is_understood_or_refused("ixon");
}

#[test]
fn any_document_of_everyware_is_understood_or_refused() {
    any_document_is_understood_or_refused("everyware");
}

#[test]
fn megabytes_of_what_takes_long_take_no_longer() {
    let many = |one: &str, times: usize| one.repeat(times);
    let secrets: Vec<String> = (0..20_000).map(|number| format!("\"secret-{number}\"")).collect();
    for (name, text) in [
        ("freebox", many("pass ", 200_000)),
        ("freebox", many("://", 200_000)),
        ("freebox", many("-----BEGIN ", 50_000)),
        ("ixon", format!("{{\"status\":\"idle\",\"token\":[{0}],\"x\":[{0}]}}", secrets.join(","))),
        ("openvpn", format!("remote a\n{}", many("<ca>\n</ca>\n", 20_000))),
        ("wireguard", format!("[Interface]\n{}", many("Address = 10.0.0.1/8, 10.0.0.2/9\n", 5_000))),
        ("clean", many("\u{1b}", 20_000)),
    ] {
        // What takes the square of the length would not end before somebody looks.
        run(name, text.as_bytes());
    }
}
