//! One command line for the VPN clients of several vendors.

pub mod backend;
pub mod backends;
pub mod config;
pub mod error;
pub mod http;
pub mod model;
pub mod secrets;
#[cfg(feature = "simulate")]
pub mod simulate;
pub mod state;
