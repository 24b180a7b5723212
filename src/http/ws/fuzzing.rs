//! A WebSocket whose server has said all that it says. Not a part of the program: for `fuzz/` and for tests alone.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{Fair, Heartbeat, LIMIT, Socket, bounds};
use crate::error::Error;
use crate::http::{Deadline, Settings, tls};

/// What a server sends; whatever it is sent is gone.
struct Said(io::Cursor<Vec<u8>>);

impl AsyncRead for Said {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Said {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Makes settings of which nothing but the URL is said.
pub(in crate::http) fn settings(url: &str) -> Settings {
    let Ok(url) = url.parse() else { panic!("no URL") };
    Settings {
        backend: "bench".to_owned(),
        peer: "the client".to_owned(),
        url,
        connect_address: None,
        tls: tls::Trust::default(),
        request_timeout: None,
        rate: None,
        deadline: Deadline::none(),
        refused_hint: None,
        untrusted_hint: None,
        url_key: "url",
        observer: None,
    }
}

/// Reads the frames that stand in bytes: gives the texts, and what ended them. None is longer than the limit.
pub async fn messages(bytes: &[u8]) -> (Vec<String>, Error) {
    let wire = Fair { wire: Box::new(Said(io::Cursor::new(bytes.to_vec()))), reads: 0 };
    let stream = WebSocketStream::from_raw_socket(wire, Role::Client, Some(bounds())).await;
    let heartbeat = Heartbeat::default();
    let ping_at = Instant::now() + heartbeat.after;
    let (settings, secrets) = (settings("http://localhost:9250/"), Arc::default());
    let mut socket = Socket { stream, settings, secrets, heartbeat, ping_at, lost_at: None };
    let mut texts = Vec::new();
    loop {
        match socket.next().await {
            Ok(text) => {
                assert!(text.len() <= LIMIT, "{} bytes in one message", text.len());
                texts.push(text);
            }
            Err(error) => return (texts, error),
        }
    }
}
