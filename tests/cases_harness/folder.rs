//! Finds the cases.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// One case.
pub(crate) struct Case {
    /// `vendor/operation/case`, for messages.
    pub(crate) name: String,
    path: PathBuf,
}

impl Case {
    /// Reads a file that has to be there.
    pub(crate) fn read(&self, file: &str) -> String {
        self.maybe(file).unwrap_or_else(|| panic!("{}: {file} is missing", self.name))
    }

    /// Reads a file that may be missing.
    pub(crate) fn maybe(&self, file: &str) -> Option<String> {
        let path = self.path.join(file);
        path.exists().then(|| std::fs::read_to_string(path).unwrap())
    }

    /// Reads a JSON document that has to be there.
    pub(crate) fn json(&self, file: &str) -> Value {
        serde_json::from_str(&self.read(file)).unwrap_or_else(|error| panic!("{}: {file}: {error}", self.name))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// Names what is in a folder below `tests/cases`, sorted.
pub(crate) fn names(below: &str) -> Vec<String> {
    let folder = root().join(below);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Gives the cases of an operation; there has to be one, and each holds only files that the operation knows.
pub(crate) fn cases(vendor: &str, operation: &str, files: &[&str]) -> Vec<Case> {
    let below = format!("{vendor}/{operation}");
    let cases: Vec<Case> = names(&below)
        .into_iter()
        .map(|name| Case { path: root().join(&below).join(&name), name: format!("{below}/{name}") })
        .collect();
    assert!(!cases.is_empty(), "no case found in {below}");
    for case in &cases {
        for file in names(&case.name) {
            assert!(files.contains(&&*file), "{}: `{file}` is none of {}", case.name, files.join(", "));
        }
    }
    cases
}
