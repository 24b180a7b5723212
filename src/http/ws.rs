//! WebSockets: reached, trusted and bounded as requests are.
//!
//! A socket is a connection of its own, over HTTP/1.1, for an upgrade needs that. It carries no credentials, and no
//! proxy is used for it: those that speak this way are on this computer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Polling, Poll};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::{HeaderValue, USER_AGENT};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use super::dial::Progress;
use super::{Call, Reply, Settings, Transport, dial, failure, server_failure};
use crate::error::{Code, Error, Layer, Result};
use crate::secrets::Secrets;

/// The status of an answer that makes a WebSocket of a connection.
const SWITCHED: u16 = 101;
/// The largest message that is read, in bytes; a status has about one thousand.
const LIMIT: usize = 1 << 20;
/// How long a last message may take to be seen before a connection is given up: whoever waits may have been away.
const LAST_LOOK: Duration = Duration::from_millis(50);

/// Says how a connection that is silent is told from one that is lost.
///
/// RFC 6455 (5.5.3) wants every ping answered. A server that does not is taken for lost each time; that costs a new
/// connection and hides nothing, for the state is read anew with each.
#[derive(Debug, Clone, Copy)]
pub struct Heartbeat {
    /// After how long without a message a ping is sent.
    pub after: Duration,
    /// How long its answer may take; any message is one.
    pub patience: Duration,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { after: Duration::from_secs(20), patience: Duration::from_secs(10) }
    }
}

/// What a socket stands on: TCP, or TLS over it.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A stream that lets others have their turn while it always has something to read: fragments without an end come to no
/// message, and what they take of a task's share of one turn would be missing to the caller's deadline.
struct Fair {
    wire: Box<dyn Wire>,
    /// How often it was read since the others had theirs.
    reads: u8,
}

/// How often a stream is read in one turn; a task has 128 such steps.
const READS: u8 = 16;

impl AsyncRead for Fair {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Polling<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.reads += 1;
        if self.reads > READS {
            self.reads = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let read = Pin::new(&mut self.wire).poll_read(cx, buffer);
        if read.is_pending() {
            self.reads = 0;
        }
        read
    }
}

impl AsyncWrite for Fair {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Polling<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Polling<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Polling<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

/// A WebSocket that is open; dropping it ends the connection.
pub struct Socket {
    stream: WebSocketStream<Fair>,
    settings: Settings,
    /// What no message repeats.
    secrets: Arc<Secrets>,
    heartbeat: Heartbeat,
    ping_at: Instant,
    lost_at: Option<Instant>,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("url", &self.settings.url.as_str()).finish_non_exhaustive()
    }
}

impl Transport {
    /// Opens a WebSocket at a call's path, within the time of one attempt and the deadline; sent once, without
    /// credentials or body.
    ///
    /// # Errors
    /// Fails as a request does; an upgrade that is refused keeps its HTTP status and is temporary.
    pub async fn open_socket(&self, call: &Call, heartbeat: Heartbeat) -> Result<Socket> {
        let url = self.address(call)?;
        self.take_turn().await;
        let attempt = call.timeout.unwrap_or(self.settings.attempt());
        let started = std::time::Instant::now();
        let progress = Progress::default();
        let opened = self.dialling(call, attempt, &progress, self.upgraded(&url, call, &progress)).await;
        self.observed(call, opened.as_ref().map(|_| SWITCHED), started);
        match &opened {
            Ok(_) => tracing::debug!(operation = call.operation, "WebSocket {} is open", url.path()),
            Err(error) => tracing::debug!(operation = call.operation, "WebSocket {} → {error}", url.path()),
        }
        let stream = opened.map_err(|error| self.told(error))?;
        let (settings, ping_at) = (self.settings.clone(), Instant::now() + heartbeat.after);
        Ok(Socket { stream, settings, secrets: Arc::clone(&self.secrets), heartbeat, ping_at, lost_at: None })
    }

    async fn upgraded(&self, url: &Url, call: &Call, progress: &Progress) -> Result<WebSocketStream<Fair>> {
        let settings = &self.settings;
        let stream = dial::connected(settings, call, progress).await?;
        // Small messages that wait for each other help nobody; where it can't be set, they only come later.
        let _ = stream.set_nodelay(true);
        let secure = url.scheme() == "https";
        let wire: Box<dyn Wire> = if secure { Box::new(self.secured(stream, url).await?) } else { Box::new(stream) };
        progress.comes_to(dial::READY);
        let mut target = url.clone();
        target
            .set_scheme(if secure { "wss" } else { "ws" })
            .map_err(|()| Error::usage(format!("`{url}` has no WebSocket")))?;
        let mut request =
            target.as_str().into_client_request().map_err(|error| refused(settings, &self.secrets, &error))?;
        let agent = HeaderValue::from_static(concat!("vpnctl/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        let opened = client_async_with_config(request, Fair { wire, reads: 0 }, Some(bounds())).await;
        let (stream, _) = opened.map_err(|error| refused(settings, &self.secrets, &error))?;
        Ok(stream)
    }

    /// Makes the stream secure, with the trust that requests have.
    async fn secured(&self, stream: TcpStream, url: &Url) -> Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let settings = &self.settings;
        let mut config = self.tls()?;
        // With HTTP/2 there would be no upgrade.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // `tls.server_name` stands in this URL already.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|error| dial::broken(settings, &error))?;
        let secured = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        secured.map_err(|error| dial::broken(settings, &error))
    }
}

/// Bounds what a server may make this hold.
fn bounds() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(LIMIT))
        .max_frame_size(Some(LIMIT))
        .read_buffer_size(8 << 10)
        .write_buffer_size(0)
}

fn lost(settings: &Settings, how: &str) -> Error {
    let place = failure::place(settings);
    Error::new(Code::NetReset, Layer::Http, format!("the WebSocket of {} at {place} {how}", settings.peer))
        .temporary()
        .backend(&settings.backend)
        .hint("the state can still be read; the WebSocket may work again later")
}

/// Says why no WebSocket came about over a connection that did.
fn refused(settings: &Settings, secrets: &Secrets, error: &WsError) -> Error {
    match error {
        WsError::Http(answer) => {
            let (status, headers) = (answer.status(), answer.headers().clone());
            let body = answer.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let body = secrets.hide(&body).into_bytes();
            let reply = Reply { status, headers, body, confidential: false };
            let said = reply.excerpt();
            let said = if said.is_empty() { said } else { format!(": {said}") };
            let unwell = status.as_u16() == 429 || status.is_server_error();
            match server_failure(&settings.peer, &reply).filter(|_| unwell) {
                Some(error) => error,
                None => lost(settings, &format!("was refused ({status}){said}")).status(status.as_u16()),
            }
        }
        WsError::Io(io) => dial::broken(settings, io),
        other => Error::new(
            Code::VendorProtocol,
            Layer::Http,
            format!("{} at {} opens no WebSocket: {other}", settings.peer, failure::place(settings)),
        )
        .hint("check that `url` points at the vendor's API and that no proxy answers in its place"),
    }
}

impl Socket {
    /// Waits for the next text; pings are answered meanwhile, anything else is left out. May be dropped while it
    /// waits, without losing one. It knows no deadline: whoever waits has one.
    ///
    /// # Errors
    /// Fails where the connection is lost, with a code of `net.…`, temporary; with `vendor.protocol` where a message
    /// is larger than 1 MiB.
    pub async fn next(&mut self) -> Result<String> {
        loop {
            let message = tokio::select! {
                biased;
                message = self.stream.next() => message,
                () = sleep_until(self.lost_at.unwrap_or(self.ping_at)) => match self.probe().await? {
                    Some(message) => message,
                    None => continue,
                },
            };
            self.lost_at = None;
            self.ping_at = Instant::now() + self.heartbeat.after;
            match message {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Binary(bytes))) => {
                    tracing::debug!("a binary message of {} bytes is left out", bytes.len());
                    tokio::task::yield_now().await;
                }
                Some(Ok(Message::Close(frame))) => {
                    let reason = |text: &str| self.secrets.hide(text);
                    let why = frame.map(|frame| format!(" ({} {})", frame.code, reason(&frame.reason)));
                    let why = why.unwrap_or_default();
                    return Err(lost(&self.settings, &format!("was closed{}", why.trim_end())));
                }
                // A flood of these uses up what a task may do in one turn, and with it the turn of the caller's deadline.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => tokio::task::yield_now().await,
                Some(Err(error)) => return Err(self.fault(&error)),
                None => return Err(lost(&self.settings, "has ended")),
            }
        }
    }

    /// Sends a ping where none is on its way; else looks a last time, and gives the connection up.
    async fn probe(&mut self) -> Result<Option<Option<Result<Message, WsError>>>> {
        if self.lost_at.is_some() {
            let silent = |_| lost(&self.settings, "is silent and answers no ping");
            return timeout(LAST_LOOK, self.stream.next()).await.map(Some).map_err(silent);
        }
        self.lost_at = Some(Instant::now() + self.heartbeat.patience);
        match timeout(self.heartbeat.patience, self.stream.send(Message::Ping(Bytes::new()))).await {
            Ok(Ok(())) => Ok(None),
            Ok(Err(error)) => Err(self.fault(&error)),
            Err(_) => Err(lost(&self.settings, "takes no ping")),
        }
    }

    fn fault(&self, error: &WsError) -> Error {
        let settings = &self.settings;
        match error {
            WsError::Io(io) if io.kind() != io::ErrorKind::UnexpectedEof => dial::broken(settings, io),
            WsError::Capacity(_) => Error::new(
                Code::VendorProtocol,
                Layer::Http,
                format!("{} sent more than {} MiB in one message", settings.peer, LIMIT >> 20),
            )
            .hint("check that `url` points at the vendor's API"),
            other => lost(settings, &format!("broke: {other}")),
        }
        .backend(&settings.backend)
    }
}

#[cfg(any(test, fuzzing))]
pub mod fuzzing;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::{WebSocketStream, accept_async};

    use super::{Heartbeat, LIMIT, Socket, fuzzing};
    use crate::error::{Code, Error};
    use crate::http::{Call, Settings, Transport};

    const QUICK: Heartbeat = Heartbeat { after: Duration::from_millis(1), patience: Duration::from_millis(20) };

    fn transport(host: &str, port: u16) -> Transport {
        let settings = fuzzing::settings(&format!("http://{host}:{port}"));
        Transport::new(Settings { refused_hint: Some("start it".to_owned()), ..settings })
    }

    /// Opens a socket to a server that does what it is told.
    async fn pair(host: &str, heartbeat: Heartbeat) -> (Socket, WebSocketStream<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let transport = transport(host, listener.local_addr().expect("an address").port());
        let call = Call::get("events", "/").at_root();
        let server = async { accept_async(listener.accept().await.expect("a connection").0).await };
        let (socket, server) = tokio::join!(transport.open_socket(&call, heartbeat), server);
        (socket.expect("a socket"), server.expect("an upgrade"))
    }

    async fn fault(socket: &mut Socket) -> Error {
        socket.next().await.expect_err("a lost socket")
    }

    #[tokio::test]
    async fn nobody_there_is_refused_at_every_address() {
        let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
        let call = Call::get("events", "/").at_root();
        for host in ["localhost", "127.0.0.1"] {
            let error = transport(host, port).open_socket(&call, QUICK).await.expect_err("nobody");
            assert_eq!((error.code(), error.hint_text()), (Code::NetRefused, Some("start it")), "{error}");
            assert!(error.is_temporary());
        }
    }

    #[tokio::test]
    async fn a_socket_that_answers_no_ping_is_lost() {
        let (mut socket, _server) = pair("127.0.0.1", QUICK).await;
        let error = fault(&mut socket).await;
        assert_eq!((error.code(), error.is_temporary()), (Code::NetReset, true));
        assert!(error.message().contains("no ping"), "{error}");
    }

    #[tokio::test]
    async fn a_socket_that_answers_pings_is_waited_for() {
        let patient = Heartbeat { patience: Duration::from_secs(10), ..QUICK };
        let (mut socket, mut server) = pair("localhost", patient).await;
        let serve = async {
            // Reading answers pings.
            for _ in 0..3 {
                assert!(matches!(server.next().await, Some(Ok(Message::Ping(_)))));
            }
            server.send(Message::text("at last")).await.expect("sent");
        };
        let (text, ()) = tokio::join!(socket.next(), serve);
        assert_eq!(text.expect("a text"), "at last");
    }

    #[tokio::test]
    async fn a_wait_that_is_dropped_loses_nothing_and_pings_are_answered() {
        let (mut socket, mut server) = pair("127.0.0.1", Heartbeat::default()).await;
        assert!(tokio::time::timeout(Duration::from_millis(5), socket.next()).await.is_err());
        server.send(Message::Ping("are you there".into())).await.expect("sent");
        server.send(Message::binary(vec![0xff])).await.expect("sent");
        server.send(Message::text("one")).await.expect("sent");
        server.send(Message::text("two")).await.expect("sent");
        assert_eq!(socket.next().await.expect("a text"), "one");
        assert_eq!(socket.next().await.expect("a text"), "two");
        assert!(matches!(server.next().await, Some(Ok(Message::Pong(text))) if text == "are you there"));
    }

    /// Floods a socket; it ends, so that a caller who never gets his turn sees the end of the socket.
    async fn flooded(begin: &'static [u8], flood: &'static [u8]) {
        use std::io::{Read as _, Write as _};
        let (mut socket, server) = pair("127.0.0.1", Heartbeat::default()).await;
        let mut stream = server.into_inner().into_std().expect("a stream");
        stream.set_nonblocking(false).expect("blocking");
        let mut pongs = stream.try_clone().expect("a stream");
        std::thread::spawn(move || while pongs.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {});
        std::thread::spawn(move || {
            let _ = stream.write_all(begin);
            (0..20_000).try_for_each(|_| stream.write_all(&flood.repeat(500)))
        });
        tokio::select! {
            biased;
            ended = socket.next() => panic!("the deadline had no turn: {ended:?}"),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    }

    #[tokio::test]
    async fn a_flood_leaves_the_callers_deadline_its_turn() {
        flooded(b"", b"\x89\x01p").await;
        // Fragments that hold nothing, of a message that never ends.
        flooded(b"\x01\x01{", b"\x00\x00").await;
    }

    #[tokio::test]
    async fn a_close_an_end_and_a_flood_are_told_apart() {
        let (mut socket, mut server) = pair("127.0.0.1", Heartbeat::default()).await;
        server.close(None).await.expect("closed");
        assert!(fault(&mut socket).await.message().contains("was closed"));
        let (mut socket, server) = pair("127.0.0.1", Heartbeat::default()).await;
        drop(server);
        let error = fault(&mut socket).await;
        assert_eq!((error.code(), error.is_temporary()), (Code::NetReset, true));
        let (mut socket, mut server) = pair("127.0.0.1", Heartbeat::default()).await;
        let flood = async { drop(server.send(Message::text("x".repeat(LIMIT + 1))).await) };
        let (text, ()) = tokio::join!(socket.next(), flood);
        assert_eq!(text.expect_err("too much").code(), Code::VendorProtocol);
    }
    #[tokio::test]
    async fn what_a_server_says_as_it_goes_is_told_without_secrets() {
        use tokio_tungstenite::tungstenite::protocol::CloseFrame;
        let (mut socket, mut server) = pair("127.0.0.1", Heartbeat::default()).await;
        socket.secrets.add("canary-token");
        let reason = "bad canary-token".into();
        server.close(Some(CloseFrame { code: 1008.into(), reason })).await.expect("closed");
        assert!(fault(&mut socket).await.message().ends_with("was closed (1008 bad ***)"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let transport = transport("127.0.0.1", listener.local_addr().expect("an address").port());
        transport.secrets().add("canary-token");
        let refuse = async {
            let mut stream = listener.accept().await.expect("a connection").0;
            let mut head = [0; 4096];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await.expect("a request");
            let answer = b"HTTP/1.1 403 No\r\nContent-Length: 16\r\n\r\nbad canary-token";
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.expect("sent");
        };
        let call = Call::get("events", "/").at_root();
        let (refused, ()) = tokio::join!(transport.open_socket(&call, QUICK), refuse);
        let error = refused.expect_err("refused");
        assert!(error.message().ends_with("was refused (403 Forbidden): bad ***"), "{error}");
    }
}
