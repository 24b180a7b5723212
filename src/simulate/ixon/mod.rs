//! The simulated IXON VPN client and cloud.

use std::sync::Arc;

use axum::Router;

use super::{ConfigPart, Context};

/// The simulated IXON VPN client and the part of the cloud's API around it.
#[derive(Debug)]
pub struct Ixon {
    context: Context,
}

impl Ixon {
    /// Makes a small world: one client, idle, and a company's agents.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { context }
    }

    /// Gives the routes of the local client; `base` is its own URL, for the links of its discovery.
    pub fn local_router(self: &Arc<Self>, base: &str) -> Router {
        let _ = (self.context.pace, base);
        Router::new()
    }

    /// Gives the routes of the cloud; `base` is its own URL, which ends in `/api`.
    pub fn cloud_router(self: &Arc<Self>, base: &str) -> Router {
        let _ = base;
        Router::new()
    }

    /// Says what a configuration needs to drive both.
    #[must_use]
    pub fn config(&self, url: &str, cloud_url: &str) -> ConfigPart {
        ConfigPart { toml: format!("url = \"{url}\"\ncloud_url = \"{cloud_url}\"\n"), secrets: Vec::new() }
    }
}
