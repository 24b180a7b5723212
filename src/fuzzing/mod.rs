//! What is done with the bytes that a fuzzer makes up, and what has to hold of each. Not a part of the program: it is
//! built for `fuzz/` and for tests alone, which run the corpora of `fuzz/corpus` through the same functions.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "what is expected here is what is tested")]

mod clean;
mod configuration;
mod imports;
mod meaning;
mod redactor;
mod state;
mod targets;
mod websocket;

use std::cell::RefCell;
use std::path::PathBuf;

use crate::backends::fuzzing::VENDORS;

/// A fuzz target: `fuzz/fuzz_targets/NAME.rs` and `fuzz/corpus/NAME`.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Reads bytes, and panics where something does not hold.
    pub run: fn(&[u8]),
}

/// The targets besides those of the vendors.
const COMMON: [Target; 8] = [
    Target { name: "clean", run: clean::run },
    Target { name: "config", run: configuration::run },
    Target { name: "openvpn", run: imports::openvpn },
    Target { name: "redactor", run: redactor::run },
    Target { name: "state", run: state::run },
    Target { name: "targets", run: targets::run },
    Target { name: "websocket", run: websocket::run },
    Target { name: "wireguard", run: imports::wireguard },
];

/// Names every target.
#[must_use]
pub fn names() -> Vec<&'static str> {
    COMMON.iter().map(|target| target.name).chain(VENDORS.iter().map(|vendor| vendor.name)).collect()
}

/// Does with bytes what a target does.
///
/// # Panics
/// Panics where something does not hold, and where no target has that name.
pub fn run(name: &str, bytes: &[u8]) {
    if let Some(target) = COMMON.iter().find(|target| target.name == name) {
        return (target.run)(bytes);
    }
    let vendor = VENDORS.iter().find(|vendor| vendor.name == name).expect("a target");
    (vendor.read)(bytes).iter().for_each(|met| meaning::check(vendor.name, met));
}

thread_local! {
    static FOLDER: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

/// Gives a folder of this thread's own.
fn folder() -> PathBuf {
    FOLDER.with_borrow_mut(|folder| {
        folder.get_or_insert_with(|| tempfile::tempdir().expect("a folder")).path().to_owned()
    })
}

/// Runs what waits for nothing.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(work))
}

#[cfg(test)]
mod tests;
