//! What a server can do wrong below HTTP, or with the letters of an answer: bytes that are none, answers that never end,
//! documents whose values are of another kind.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::task::{Context as Polling, Poll};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::Context;
use super::log::Entry;
use super::server::split_at_path;

/// How long a request's head may be, in bytes.
const HEAD_LIMIT: usize = 64 << 10;
/// The largest answer whose letters are changed, in bytes.
const ANSWER_LIMIT: usize = 16 << 20;
/// The pause between two bytes that drip.
const DRIP: Duration = Duration::from_millis(40);
/// How deep `mangle=deep` nests.
const DEPTH: usize = 5_000;
/// The members of the vendors' documents that people write, and `mangle=control` writes into.
const TEXTS: [&str; 9] =
    ["name", "description", "displayName", "message", "msg", "userName", "modelName", "serialNumber", "provider"];

/// A connection of which the beginning was read already.
pub(super) struct Begun<S> {
    read: Vec<u8>,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Begun<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Polling<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.read.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let count = this.read.len().min(buffer.remaining());
        buffer.put_slice(&this.read[..count]);
        this.read.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Begun<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Polling<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Polling<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Polling<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Reads the first request of a connection. Where `wire` is meant for it, it is answered so and nothing is given; else
/// the connection is, for whoever answers in good order.
pub(super) async fn intercept<S>(mut stream: S, context: &Context, connection: usize) -> Option<Begun<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut read, mut end) = (Vec::new(), None);
    while end.is_none() && read.len() < HEAD_LIMIT {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
        end = read.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    }
    let head = String::from_utf8_lossy(&read[..end?]).into_owned();
    let mut entry = entry_of(&head)?;
    let written = context.faults.arg("wire")?;
    let (kind, pattern) = split_at_path(&written);
    if !format!("{} {}", entry.method, entry.path).contains(pattern) || context.faults.take("wire").is_none() {
        return Some(Begun { read, stream });
    }
    let length: usize = entry.headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while read.len() < end? + length {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
    entry.body = String::from_utf8_lossy(&read[end?..]).into_owned();
    (entry.connection, entry.after) = (connection, context.log.requests());
    context.log.push(entry);
    // Who is treated so goes away, which is how this ends.
    let _ = answer(&mut stream, kind).await;
    None
}

/// Reads a request's head; `None` where it is none.
fn entry_of(head: &str) -> Option<Entry> {
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, path, version) = (words.next()?.to_owned(), words.next()?.to_owned(), words.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Entry { method, path, headers, version, at_once: 1, ..Entry::default() })
}

/// Answers a request as no server should.
async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), kind: &str) -> io::Result<()> {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    match kind {
        "header-drip" => {
            stream.write_all(HEAD.as_bytes()).await?;
            drip(stream, b"X-Drip: drip\r\n").await
        }
        "body-drip" => {
            stream.write_all(format!("{HEAD}Content-Length: 1000000\r\n\r\n").as_bytes()).await?;
            drip(stream, b" ").await
        }
        "endless" => {
            stream.write_all(format!("{HEAD}\r\n").as_bytes()).await?;
            loop {
                stream.write_all(&[b' '; 1 << 16]).await?;
            }
        }
        "header-flood" => {
            stream.write_all(HEAD.as_bytes()).await?;
            loop {
                stream.write_all(b"X-Flood: flood\r\n".repeat(1 << 10).as_slice()).await?;
            }
        }
        "cut" => end(stream, &format!("{HEAD}Content-Length: 1000\r\n\r\n{{\"success\":tr")).await,
        "too-much" => end(stream, &format!("{HEAD}Content-Length: 5\r\n\r\n{{\"success\":true}}")).await,
        "bad-length" => end(stream, &format!("{HEAD}Content-Length: -7\r\n\r\n{{\"success\":true}}")).await,
        "bad-chunk" => {
            end(stream, &format!("{HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{\"success\":true}}\r\n")).await
        }
        "garbage" => {
            let mut state = 0x2545_f491_4f6c_dd1d_u64;
            let noise = std::iter::repeat_with(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // Of letters that can't begin an answer, and line ends among them.
                b"\x00\x15\x7f\xff\xfe\x80!{<\r\n"[usize::try_from(state >> 33).unwrap_or(0) % 11]
            });
            stream.write_all(&std::iter::once(0x15).chain(noise).take(512).collect::<Vec<u8>>()).await?;
            stream.shutdown().await
        }
        // Nothing more is said, for as long as somebody listens.
        "silent" => tokio::io::copy(stream, &mut tokio::io::sink()).await.map(drop),
        // The connection ends without a word.
        _ => Ok(()),
    }
}

async fn end(stream: &mut (impl AsyncWrite + Unpin), text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

async fn drip(stream: &mut (impl AsyncWrite + Unpin), text: &[u8]) -> io::Result<()> {
    for byte in text.iter().cycle() {
        stream.write_all(&[*byte]).await?;
        stream.flush().await?;
        tokio::time::sleep(DRIP).await;
    }
    Ok(())
}

/// Changes the letters of an answer, after the work was done.
pub(super) async fn mangled(response: Response, kind: &str) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, ANSWER_LIMIT).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut changed = Vec::new();
    match kind {
        "nothing" => {}
        "null" => changed.extend_from_slice(b"null"),
        "html" => {
            changed.extend_from_slice(
                b"<html><head><title>Welcome</title></head><body>Log in to the hotel.</body></html>",
            );
            parts.headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html"));
        }
        _ => match serde_json::from_slice(&bytes) {
            Ok(document) => write(&document, kind, "", &mut changed),
            Err(_) => changed.extend_from_slice(&bytes),
        },
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(changed))
}

/// Writes a document with values of the kind that is asked for in the place of its own.
fn write(value: &Value, kind: &str, name: &str, out: &mut Vec<u8>) {
    match (value, kind) {
        (Value::Object(members), _) => {
            out.push(b'{');
            for (index, (name, value)) in members.iter().enumerate() {
                out.extend_from_slice(if index > 0 { b"," } else { b"" });
                out.extend_from_slice(Value::from(name.as_str()).to_string().as_bytes());
                out.push(b':');
                write(value, kind, name, out);
            }
            out.push(b'}');
        }
        (Value::Array(values), _) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                out.extend_from_slice(if index > 0 { b"," } else { b"" });
                write(value, kind, name, out);
            }
            out.push(b']');
        }
        (Value::String(_), "types") => out.extend_from_slice(b"7"),
        (Value::Number(_) | Value::Bool(_), "types") => out.extend_from_slice(b"\"seven\""),
        (Value::Number(_), "numbers") => out.extend_from_slice(b"1e400"),
        (Value::String(_), "deep") => {
            out.extend(std::iter::repeat_n(b'[', DEPTH).chain(std::iter::repeat_n(b']', DEPTH)));
        }
        (Value::String(_), "utf8") => out.extend_from_slice(b"\"\xff\xc3(\xed\xa0\x80\""),
        (Value::String(text), "control") if TEXTS.contains(&name) => {
            // Escapes are what a document can hold of them: a title, a line end, a turned and an isolated direction.
            let hostile = format!("{text}\u{1b}]0;owned\u{7}\r\n\u{9b}2J\u{202e}\u{2066}\u{85}");
            out.extend_from_slice(Value::from(hostile).to_string().as_bytes());
        }
        (other, _) => out.extend_from_slice(other.to_string().as_bytes()),
    }
}
