//! The simulated Freebox.

use std::sync::Arc;

use axum::Router;

use super::{ConfigPart, Context};

/// The simulated Freebox.
#[derive(Debug)]
pub struct Freebox {
    context: Context,
}

impl Freebox {
    /// Makes the vendor's small world.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { context }
    }

    /// Gives the routes of its API.
    pub fn router(self: &Arc<Self>) -> Router {
        let _ = self.context.pace;
        Router::new()
    }

    /// Says what a configuration needs to drive it at `url`.
    #[must_use]
    pub fn config(&self, url: &str) -> ConfigPart {
        ConfigPart { toml: format!("url = \"{url}\"\n"), secrets: Vec::new() }
    }
}
