//! One connection of a simulator: what came by it, and what goes wrong with all that does.

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context as Polling, Poll};

use axum::http::{Request, Version};
use futures_util::TryFutureExt as _;
use futures_util::future::{Either, ErrInto, Ready, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tower_service::Service;

use super::Context;
use super::log::Entry;

type Broken = Box<dyn StdError + Send + Sync>;

/// One connection, and what came by it.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) requests: AtomicUsize,
    pub(super) unanswered: AtomicUsize,
    /// Wakes who closes it in good order.
    pub(super) ends: Notify,
    /// Whether nothing more comes or goes by it.
    pub(super) is_mute: AtomicBool,
}

/// Tells each request which connection it came by, and gives back those that `refuse-stream` is meant for.
#[derive(Clone)]
pub(super) struct OnLine<S> {
    pub(super) inner: S,
    pub(super) line: Arc<Line>,
    pub(super) context: Context,
}

impl<S, B> Service<Request<B>> for OnLine<S>
where
    S: Service<Request<B>>,
    S::Error: Into<Broken>,
{
    type Response = S::Response;
    type Error = Broken;
    type Future = Either<Ready<Result<S::Response, Broken>>, ErrInto<S::Future, Broken>>;

    fn poll_ready(&mut self, cx: &mut Polling<'_>) -> Poll<Result<(), Broken>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if self.refuses(&request) {
            return Either::Left(ready(Err(h2::Error::from(h2::Reason::REFUSED_STREAM).into())));
        }
        request.extensions_mut().insert(Arc::clone(&self.line));
        Either::Right(self.inner.call(request).err_into())
    }
}

impl<S> OnLine<S> {
    fn refuses<B>(&self, request: &Request<B>) -> bool {
        let Some(pattern) = self.context.faults.arg("refuse-stream") else { return false };
        let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
        let (method, version) = (request.method().to_string(), request.version());
        let is_meant = version == Version::HTTP_2 && format!("{method} {path}").contains(&pattern);
        if !is_meant || self.context.faults.take("refuse-stream").is_none() {
            return false;
        }
        let (connection, after) = (self.line.number, self.context.log.requests());
        let version = format!("{version:?}");
        self.context.log.push(Entry { method, path, version, connection, after, at_once: 1, ..Entry::default() });
        true
    }
}

/// What a connection's bytes come by. One type for all, since a server is as much code again for each one.
pub(super) type Stream = Box<dyn Duplex>;

/// What can be read and written.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// A connection that may fall silent while it stays open.
pub(super) struct Mutable {
    pub(super) stream: Stream,
    pub(super) line: Arc<Line>,
}

impl Mutable {
    fn is_mute(&self) -> bool {
        self.line.is_mute.load(Ordering::SeqCst)
    }
}

impl AsyncRead for Mutable {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Polling<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Nobody wakes who waits here; the end of the server ends it.
        if self.is_mute() { Poll::Pending } else { Pin::new(&mut self.stream).poll_read(cx, buffer) }
    }
}

impl AsyncWrite for Mutable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Polling<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_mute() { Poll::Ready(Ok(bytes.len())) } else { Pin::new(&mut self.stream).poll_write(cx, bytes) }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Polling<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Polling<'_>) -> Poll<io::Result<()>> {
        if self.is_mute() { Poll::Pending } else { Pin::new(&mut self.stream).poll_shutdown(cx) }
    }
}
