//! One command line for the VPN clients of several vendors.

#[cfg(feature = "simulate")]
pub mod simulate;
