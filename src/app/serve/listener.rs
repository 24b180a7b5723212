//! Listens, answers, and ends in order: what was asked is answered, what is new is not taken.

use std::future::Future;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{self, Next};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::{Pages, pages};
use crate::error::{Code, Error, Layer, Result};

/// How many connections are served at once; others wait.
const CONNECTIONS: usize = 256;
/// How long a request's head may take to come.
const HEAD: Duration = Duration::from_secs(2);
/// How long what was asked before the end may still take to be answered.
const GRACE: Duration = Duration::from_secs(5);
/// How long the last bytes of an answer may take to go once nothing else is asked on its connection.
const FLUSH: Duration = Duration::from_millis(200);
/// How long nothing is accepted after the system could not do so.
const BREATH: Duration = Duration::from_millis(100);

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(pub SocketAddr);

impl Place {
    /// Reads `ADDR:PORT`; without an address, or with `localhost`, it is loopback.
    ///
    /// # Errors
    /// Says what is wrong with it; a name is not looked up.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no place to listen: write ADDR:PORT, such as 127.0.0.1:19570, [::1]:19570 or 0.0.0.0:19570; port 0 is any free one"
            )
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse::<u16>().map_err(|_| wrong())?;
        if host.is_empty() || host.eq_ignore_ascii_case("localhost") {
            return Ok(Self(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
        }
        text.parse::<SocketAddr>().map(Self).map_err(|_| wrong())
    }
}

/// A port that is listened on.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Takes a port; `verb` is what to type to take another one.
    ///
    /// # Errors
    /// Fails with `conflict.busy` where somebody else has it, with `usage` where it can't be had here.
    pub async fn bind(Place(place): Place, verb: &str) -> Result<Self> {
        let bound = TcpListener::bind(place).await;
        let socket = bound.map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => {
                Error::new(Code::ConflictBusy, Layer::Tcp, format!("another program listens on {place}"))
                    .hint(format!("take another port: vpnctl {verb} --listen {}; 0 is any free one", free(place)))
            }
            _ => Error::usage(format!("nothing can listen on {place}: {error}"))
                .hint(format!("take another one: vpnctl {verb} --listen 127.0.0.1:0")),
        })?;
        let address = socket
            .local_addr()
            .map_err(|error| Error::new(Code::Internal, Layer::Tcp, format!("the port has no address: {error}")))?;
        Ok(Self { socket, address })
    }

    /// Gives the URL of a page.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Tells whether only this computer can ask.
    #[must_use]
    pub fn is_on_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }

    /// Answers until `end` is there; what was asked before that is answered, for 5 s at most.
    pub async fn serve(self, pages: Pages, end: impl Future<Output = ()>) {
        let pages = pages::guarded(pages, self.is_on_loopback());
        let (stop, stopped) = watch::channel(false);
        let limit = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        let mut end = pin!(end);
        loop {
            tokio::select! {
                biased;
                () = &mut end => break,
                Some(_) = connections.join_next() => {}
                accepted = accept(&self.socket, &limit) => match accepted {
                    Ok((stream, permit)) => {
                        let served = connection(stream, pages.clone(), stopped.clone());
                        connections.spawn(async move {
                            served.await;
                            drop(permit);
                        });
                    }
                    // Out of file handles, most of all; those that are open will be closed.
                    Err(error) => {
                        tracing::debug!("no connection was accepted: {error}");
                        tokio::time::sleep(BREATH).await;
                    }
                },
            }
        }
        drop(self.socket);
        // Where nobody listens any more, there is nothing to end.
        let _ = stop.send(true);
        // What takes longer ends unanswered.
        let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    }
}

/// Gives the same address with any free port.
fn free(place: SocketAddr) -> SocketAddr {
    SocketAddr::new(place.ip(), 0)
}

async fn accept(
    socket: &TcpListener,
    limit: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, Option<tokio::sync::OwnedSemaphorePermit>)> {
    // It is never closed, so there is a permit some time.
    let permit = Arc::clone(limit).acquire_owned().await.ok();
    let (stream, _) = socket.accept().await?;
    Ok((stream, permit))
}

async fn connection(stream: TcpStream, pages: Pages, mut stopped: watch::Receiver<bool>) {
    // A delay of Nagle's helps nobody.
    let _ = stream.set_nodelay(true);
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    // How many requests are being answered.
    let open = watch::Sender::new(0_usize);
    let (mut answered, counting) = (open.subscribe(), Arc::new(open));
    let pages = pages.layer(middleware::from_fn(move |request: Request, next: Next| {
        let counting = Arc::clone(&counting);
        async move {
            counting.send_modify(|open| *open += 1);
            let response = next.run(request).await;
            counting.send_modify(|open| *open -= 1);
            response
        }
    }));
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages)));
    let done = tokio::select! {
        done = served.as_mut() => Some(done),
        _ = stopped.changed() => None,
    };
    if done.is_none() {
        served.as_mut().graceful_shutdown();
        // A connection that breaks is the client's affair: there is nobody here to tell. One on which nothing is asked,
        // or only a part of a head came, holds nobody.
        tokio::select! {
            _ = served.as_mut() => {}
            () = async {
                // An error means that nothing can be asked any more.
                let _ = answered.wait_for(|open| *open == 0).await;
                tokio::time::sleep(FLUSH).await;
            } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_is_an_address_and_a_port() {
        for (text, place) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            (":9000", "127.0.0.1:9000"),
            ("localhost:9000", "127.0.0.1:9000"),
            ("[::1]:9000", "[::1]:9000"),
            ("0.0.0.0:80", "0.0.0.0:80"),
        ] {
            assert_eq!(Place::parse(text).map(|place| place.0.to_string()).as_deref(), Ok(place), "{text}");
        }
        for text in ["", "9000", "127.0.0.1", "example.com:80", "127.0.0.1:http", "127.0.0.1:70000", "::1:80:"] {
            assert!(Place::parse(text).is_err(), "{text}");
        }
    }
}
