//! Holds what is in `deploy/` to what vpnctl accepts and shows, and to the fields that Kubernetes has.

#![cfg(feature = "simulate")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "deploy/alerts.rs"]
mod alerts;
#[path = "deploy/image.rs"]
mod image;
#[path = "deploy/kinds.rs"]
mod kinds;
#[path = "deploy/merge.rs"]
mod merge;
#[path = "deploy/metrics.rs"]
mod metrics;
#[path = "deploy/pods.rs"]
mod pods;

use std::path::{Path, PathBuf};
use std::process::Command;

/// Gives a path in the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Reads a file of the repository.
#[track_caller]
fn read(name: &str) -> String {
    let text = std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    text.replace("\r\n", "\n")
}

/// Makes the binary's command with an empty environment and a home of its own.
fn bare(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vpnctl"));
    command.env_clear().current_dir(home).env("HOME", home);
    // Windows makes no socket without it.
    if let Some(root) = std::env::var_os("SystemRoot") {
        command.env("SystemRoot", root);
    }
    command
}

#[test]
fn what_the_readme_and_the_pages_of_deploy_name_is_there() {
    let mut seen = 0;
    let mut texts = vec![("README.md".to_owned(), read("README.md"))];
    for entry in std::fs::read_dir(path("deploy/kubernetes")).unwrap() {
        let name = format!("deploy/kubernetes/{}", entry.unwrap().file_name().to_str().unwrap());
        texts.push((name.clone(), read(&name)));
    }
    for (name, text) in &texts {
        for (at, _) in text.match_indices("deploy/") {
            let end = |c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c));
            let named = text[at..].split(end).next().unwrap().trim_end_matches(['.', '/']);
            assert!(path(named).exists(), "{name} names {named}");
            seen += 1;
        }
    }
    assert!(seen > 8, "only {seen} names were found");
}
