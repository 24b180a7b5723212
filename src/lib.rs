//! One command line for the VPN clients of several vendors.
//!
//! A verb of the command tree ([`cli`]) is resolved with flags, environment and configuration, run by [`app`], which
//! asks vendors behind one trait ([`backend`]) over one transport ([`http`]), and written by [`render`].

pub mod app;
pub mod backend;
pub mod backends;
pub mod cli;
pub mod config;
pub mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod http;
pub mod model;
pub mod render;
pub mod secrets;
#[cfg(feature = "simulate")]
pub mod simulate;
pub mod state;
pub mod trace;
pub mod ui;
