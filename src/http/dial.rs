//! Connections that are no requests: for a WebSocket, or a look at a certificate.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Call, Settings, Transport, failure};
use crate::error::{Code, Error, Layer, Result};

/// Nothing is left to do before a request is sent.
pub(super) const READY: u8 = 0;
/// The name is being resolved.
pub(super) const NAME: u8 = 1;
/// The other side has to take the connection.
pub(super) const TCP: u8 = 2;
/// The handshake has begun.
pub(super) const TLS: u8 = 3;

/// What a connection waits for that is being made; it is [`READY`] before and after.
#[derive(Debug, Default)]
pub(super) struct Progress(AtomicU8);

impl Progress {
    pub(super) fn comes_to(&self, step: u8) {
        self.0.store(step, Ordering::Release);
    }

    /// Tells in which layer that is.
    pub(super) fn layer(&self) -> Layer {
        match self.0.load(Ordering::Acquire) {
            NAME => Layer::Dns,
            TCP => Layer::Tcp,
            TLS => Layer::Tls,
            _ => Layer::Http,
        }
    }
}

impl Transport {
    /// Waits for what is done with a connection to the server itself, past a proxy, no longer than the command may take.
    pub(super) async fn dialling<T>(
        &self,
        call: &Call,
        attempt: Duration,
        progress: &Progress,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let deadline = self.deadline();
        let Some(limit) = deadline.limit(attempt) else {
            return Err(self.deadline_passed(call));
        };
        match timeout(limit, work).await {
            Ok(done) => done,
            Err(_) if deadline.has_passed() => Err(self.late(call, progress.layer())),
            Err(_) if attempt == self.settings.connecting() => {
                Err(failure::unconnected(&self.settings, call, progress.layer(), None))
            }
            Err(_) => Err(failure::timed_out(&self.settings, call, attempt, progress.layer(), None)),
        }
    }
}

/// Connects to the server itself, and leaves the rest of the way to who asked.
pub(super) async fn connected(settings: &Settings, call: &Call, progress: &Progress) -> Result<TcpStream> {
    let host = settings.connect_address.as_deref().unwrap_or(failure::host(settings));
    let port = settings.url.port_or_known_default().unwrap_or(0);
    progress.comes_to(NAME);
    let found = failure::look_up(host.trim_matches(['[', ']']), port).await;
    let addresses = found.map_err(|error| broken(settings, &error))?;
    progress.comes_to(TCP);
    let say = |fault: Option<&io::Error>| match fault {
        Some(error) => broken(settings, error),
        None => failure::unconnected(settings, call, Layer::Tcp, None),
    };
    let (_, stream) = first(&addresses, settings.connecting(), say).await?;
    progress.comes_to(if settings.url.scheme() == "https" { TLS } else { READY });
    Ok(stream)
}

/// Connects to the first address that takes it, each in its share of the time: `localhost` is often two, of which a server
/// may listen at one. `say` makes the error of what was wrong with the last; `None` is that it did not answer.
pub(super) async fn first(
    addresses: &[SocketAddr],
    limit: Duration,
    say: impl Fn(Option<&io::Error>) -> Error,
) -> Result<(SocketAddr, TcpStream)> {
    let share = limit / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut last = None;
    for address in addresses {
        last = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok((*address, stream)),
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
    }
    Err(say(last.as_ref()))
}

/// Says what broke below HTTP, or that something did.
pub(super) fn broken(settings: &Settings, error: &(dyn std::error::Error + 'static)) -> Error {
    failure::known(settings, error).unwrap_or_else(|| {
        let what = format!("the connection to {} at {} broke: {error}", settings.peer, failure::place(settings));
        Error::new(Code::NetReset, Layer::Tcp, what).temporary().backend(&settings.backend)
    })
}
