//! The three vendors' HTTP APIs on loopback: for trying vpnctl without hardware, and to judge it in tests.
//!
//! A simulator is written from the vendor's documentation alone and shares no type with the client
//! (`backends`, `http`, `model`): a field misspelt on both sides would make every test green.

pub mod everyware;
pub mod faults;
pub mod freebox;
pub mod ixon;
mod line;
mod log;
pub mod server;
pub mod tls;
mod wire;
pub mod world;

use std::time::Duration;

use faults::Faults;
use server::RequestLog;

/// Holds what every simulated vendor gets: switchable faults, a log of requests, and the pace of its world.
#[derive(Debug, Clone)]
pub struct Context {
    /// Faults, switchable while the simulator runs.
    pub faults: Faults,
    /// Every request that came in, for tests that count.
    pub log: RequestLog,
    /// How long one step of a slow operation takes (a tunnel that goes up, a device that answers).
    pub pace: Duration,
    /// How many devices (Everyware) or agents (IXON) the world holds; `None` is the vendor's small default.
    pub devices: Option<usize>,
}

impl Context {
    /// Makes a context with no fault and an empty log; `faults` are the vendor's own, beside those of any server.
    #[must_use]
    pub fn new(faults: &'static [&'static str], pace: Duration, devices: Option<usize>) -> Self {
        let faults = Faults::knowing(server::FAULTS.iter().chain(faults).copied());
        Self { faults, log: RequestLog::default(), pace, devices }
    }
}

/// Describes what a configuration needs to drive one simulated vendor.
#[derive(Debug, Clone)]
pub struct ConfigPart {
    /// The lines of `[backend.NAME]`, without the header; `{ca}` stands for the path of the CA file and
    /// `{file:NAME}` for the path of the secret called NAME.
    pub toml: String,
    /// Secrets by name, each written to a file of its own with mode 0600.
    pub secrets: Vec<(&'static str, String)>,
}
