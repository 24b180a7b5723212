//! Holds the simulated IXON client and cloud to the vendor's documentation, over real TLS.

#![cfg(feature = "simulate")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

#[path = "simulate_ixon/bench.rs"]
mod bench;
#[path = "simulate_ixon/certificates.rs"]
mod certificates;
#[path = "simulate_ixon/cloud.rs"]
mod cloud;
#[path = "simulate_ixon/knobs.rs"]
mod knobs;
#[path = "simulate_ixon/local.rs"]
mod local;
#[path = "simulate_ixon/socket.rs"]
mod socket;
