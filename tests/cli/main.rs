//! Runs the real binary against the simulators and holds its exit codes, its output and its errors to the contract.

#![cfg(feature = "simulate")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod bench;
#[path = "../shared/beside.rs"]
mod beside;
mod redact;
mod run;

mod accounts;
mod acting;
mod bad_input;
mod canaries;
mod check;
mod check_formats;
mod choosing;
mod client_settings;
mod completing;
mod configuration;
mod counts;
#[cfg(unix)]
mod crowds;
mod demo;
mod doctor;
mod doctor_bundle;
mod doctor_remedies;
mod documents;
mod echoes;
mod errors;
mod failing;
mod fleets;
mod following;
mod guards;
mod help;
mod hostile;
mod jq;
mod keyring;
mod keys;
#[cfg(unix)]
mod killing;
mod logins;
mod mass;
mod outputs;
mod pairings;
mod planted;
#[cfg(unix)]
mod probing;
mod processes;
#[cfg(unix)]
mod prompting;
mod quirks;
#[cfg(unix)]
mod readme;
mod remembering;
mod retrying;
mod schema;
mod secrets;
mod selecting;
#[cfg(unix)]
mod serving;
mod sharding;
#[cfg(unix)]
mod signals;
mod situations;
#[cfg(unix)]
mod starting;
mod stranger;
mod switching;
mod targets_from;
#[cfg(unix)]
mod terminal;
mod topics;
mod trust;
mod tunnels;
mod urls;
mod wire;
#[cfg(unix)]
mod with;
#[cfg(unix)]
mod with_restoring;
#[cfg(unix)]
mod with_signals;
