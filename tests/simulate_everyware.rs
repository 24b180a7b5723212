//! Holds the simulated Everyware Cloud to the vendor's documentation: shapes, messages, order of checks, faults.

#![cfg(feature = "simulate")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "simulate_everyware/accounts.rs"]
mod accounts;
#[path = "simulate_everyware/cloud.rs"]
mod cloud;
#[path = "simulate_everyware/device_calls.rs"]
mod device_calls;
#[path = "simulate_everyware/knobs.rs"]
mod knobs;
#[path = "simulate_everyware/login.rs"]
mod login;
#[path = "simulate_everyware/registry.rs"]
mod registry;
#[path = "simulate_everyware/remote_access.rs"]
mod remote_access;
