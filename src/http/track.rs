//! What follows a call into the client: its body tells when it begins, its connection is opened only where it must be.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tower_layer::Layer;
use tower_service::Service;

use super::lanes::Track;

tokio::task_local! {
    /// The call that is being sent; a connection that is asked for is asked for by it.
    static CALL: Arc<Track>;
}

/// Sends a request as that call.
pub(super) fn sending<F: Future>(track: &Arc<Track>, work: F) -> impl Future<Output = F::Output> {
    CALL.scope(Arc::clone(track), work)
}

/// The body of a request, which notes that the client has begun it; on the wire it is like any other of its length.
pub(super) struct Tracked {
    track: Arc<Track>,
    content: Option<Bytes>,
    begun: AtomicBool,
}

impl Tracked {
    /// Makes a body; without content it is the one of a GET.
    pub(super) fn new(track: &Arc<Track>, content: Option<&[u8]>) -> Self {
        let content = content.filter(|content| !content.is_empty()).map(Bytes::copy_from_slice);
        Self { track: Arc::clone(track), content, begun: AtomicBool::new(false) }
    }
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.content.take().map(|content| Ok(Frame::data(content))))
    }

    fn is_end_stream(&self) -> bool {
        let empty = self.content.is_none();
        if self.track.begin(empty) && empty {
            self.begun.store(true, Ordering::Release);
        }
        empty
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content.as_ref().map_or(0, |content| content.len() as u64))
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if self.begun.load(Ordering::Acquire) {
            self.track.opened();
        }
    }
}

/// Lets the client connect only where the call that asks for it may.
#[derive(Clone)]
pub(super) struct Hold;

impl<S> Layer<S> for Hold {
    type Service = Holding<S>;

    fn layer(&self, inner: S) -> Holding<S> {
        Holding(inner)
    }
}

/// The service of [`Hold`].
#[derive(Clone)]
pub(super) struct Holding<S>(S);

impl<S, R> Service<R> for Holding<S>
where
    S: Service<R, Error = Box<dyn std::error::Error + Send + Sync>> + Clone + Send + 'static,
    S::Future: Send,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let fresh = self.0.clone();
        let mut ready = std::mem::replace(&mut self.0, fresh);
        // The client asks from within the poll of the call that needs a connection.
        let call = CALL.try_with(Arc::clone).ok();
        Box::pin(async move {
            match call {
                Some(call) if !call.may_connect().await => Err("another connection has taken the call".into()),
                _ => ready.call(request).await,
            }
        })
    }
}
