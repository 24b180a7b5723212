//! The contract suite: every vendor and every sentence of `VpnBackend`'s documentation, against the simulators.
//!
//! `sentences` holds what all vendors have in common, one test for each vendor and sentence; the modules named after
//! vendors hold what is theirs alone, and `transport` and `state` what lies below all of them.

#![cfg(feature = "simulate")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod bench;
mod client_settings;
mod events;
mod everyware;
mod everyware_accounts;
mod everyware_attempts;
mod everyware_devices;
mod everyware_login;
mod everyware_pages;
mod everyware_trust;
mod facts;
mod freebox;
mod freebox_log;
mod freebox_login;
mod freebox_reach;
mod ixon;
mod ixon_cloud;
mod ixon_lists;
mod ixon_logins;
#[cfg(feature = "keyring")]
mod keyring;
#[cfg(feature = "keyring")]
mod keyring_store;
mod lanes;
mod mass;
mod pins;
mod raw;
#[cfg(unix)]
mod secrets;
mod sentences;
mod sentences_session;
mod state;
mod tls;
mod transport;
mod tunnels;
