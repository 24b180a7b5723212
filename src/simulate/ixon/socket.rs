//! The status WebSocket of the local client (vendors/ixon.md section 4.5).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior};

use super::Ixon;

/// The longest time between two looks at the clock, however slow the world's pace is.
const SLOWEST_TICK: Duration = Duration::from_millis(50);

/// How long `ws-huge` is, in bytes.
const HUGE: usize = 2 << 20;

/// Accepts a WebSocket and pushes the whole status on each change, until its reader goes.
pub(super) fn serve(upgrade: WebSocketUpgrade, ixon: Arc<Ixon>) -> Response {
    // Subscribed before the answer goes out: the reader may act as soon as it has it.
    let (first, changes) = ixon.daemon.follow();
    upgrade.on_upgrade(|socket| async move {
        // A socket that breaks is its reader's affair.
        let _ = push(socket, ixon, first, changes).await;
    })
}

async fn push(
    mut socket: WebSocket,
    ixon: Arc<Ixon>,
    first: String,
    mut changes: Receiver<String>,
) -> Result<(), axum::Error> {
    let faults = ixon.context.faults.clone();
    if faults.take("ws-junk").is_some() {
        socket.send(Message::text("this is no status")).await?;
        socket.send(Message::text("[1,2,3]")).await?;
        socket.send(Message::binary(vec![0xff, 0x00])).await?;
    }
    if faults.take("ws-huge").is_some() {
        socket.send(Message::text("x".repeat(HUGE))).await?;
    }
    if faults.is_on("ws-half-open") {
        // The reader's side lives on, and nothing comes from here any more, not even what a ping is answered with.
        return std::future::pending().await;
    }
    if faults.is_on("first-push") {
        socket.send(Message::text(first)).await?;
    }
    let drop_at =
        faults.take("ws-dropped").map(|millis| Instant::now() + Duration::from_millis(millis.parse().unwrap_or(0)));
    let mut ticker = tokio::time::interval((ixon.context.pace / 8).clamp(Duration::from_millis(1), SLOWEST_TICK));
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if drop_at.is_some_and(|time| Instant::now() >= time) {
            // Without a close frame, as a client that dies leaves its readers.
            return Ok(());
        }
        tokio::select! {
            change = changes.recv() => match change {
                Ok(_) if faults.is_on("ws-silent") => {}
                Ok(text) => socket.send(Message::text(text)).await?,
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            },
            // Readers never send data; this answers their pings and sees them go.
            message = socket.recv() => match message {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            _ = ticker.tick() => {
                ixon.usurp();
                ixon.daemon.status();
            }
        }
    }
}
