//! The status WebSocket: each change as the client pushes it, the whole status each time.

use std::sync::Arc;

use async_trait::async_trait;

use super::api::PEER;
use super::memory::Remembered;
use super::{Ixon, convert};
use crate::backend::{Events, Subscription};
use crate::error::Result;
use crate::http::ws::Socket;
use crate::model::Status;

/// A WebSocket whose messages are statuses.
#[derive(Debug)]
struct Pushed {
    socket: Socket,
    memory: Arc<Remembered>,
}

#[async_trait]
impl Events for Ixon {
    async fn subscribe(&self) -> Result<Box<dyn Subscription>> {
        let socket = self.local.socket().await?;
        Ok(Box::new(Pushed { socket, memory: Arc::clone(&self.memory) }))
    }
}

#[async_trait]
impl Subscription for Pushed {
    async fn next(&mut self) -> Result<Status> {
        loop {
            let text = self.socket.next().await?;
            match convert::pushed(&text) {
                Ok(status) => return Ok(self.memory.named(self.memory.secrets.hide_of(status))),
                // Whether the first message is a status is unknown, and so is what else may come.
                Err(fault) => tracing::debug!("{PEER} pushed what is no status, left out: {fault}"),
            }
        }
    }
}
