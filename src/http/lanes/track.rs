//! What follows a call into the client: its body tells when it begins, its connection is opened only where it must be.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper_util::client::legacy::connect::Connection;
use reqwest::Version;
use tower_layer::Layer as Wraps;
use tower_service::Service;

use super::{BEGUN, HANDED, Lane, OPEN, ROUNDS, Warmth};
use crate::error::Layer;
use crate::http::dial::{self, Progress};

/// Follows one call through the client.
#[derive(Debug)]
pub(in crate::http) struct Track {
    pub(super) lane: Arc<Lane>,
    pub(super) stage: AtomicU8,
    pub(super) warms: AtomicBool,
    /// What a connection waits for that is made for it.
    pub(super) at: Progress,
}

/// Notes what the connection is at that the call waits for in whose poll this is.
pub(in crate::http) fn comes_to(step: u8) {
    let _ = CALL.try_with(|call| call.at.comes_to(step));
}

/// After which time a connection that is not given back is taken for gone.
const GONE: Duration = Duration::from_secs(2);
/// How often one who waits for that looks by itself.
const LOOK: Duration = Duration::from_millis(10);

tokio::task_local! {
    /// The call that is being sent; a connection that is asked for is asked for by it.
    static CALL: Arc<Track>;
}

/// Sends a request as that call.
pub(in crate::http) fn sending<F: Future>(track: &Arc<Track>, work: F) -> impl Future<Output = F::Output> {
    CALL.scope(Arc::clone(track), work)
}

/// The body of a request, which notes that the client has begun it; on the wire it is like any other of its length.
pub(in crate::http) struct Tracked {
    track: Arc<Track>,
    content: Option<Bytes>,
    begun: AtomicBool,
}

impl Tracked {
    /// Makes a body; without content it is the one of a GET.
    pub(in crate::http) fn new(track: &Arc<Track>, content: Option<&[u8]>) -> Self {
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
pub(in crate::http) struct Hold;

impl<S> Wraps<S> for Hold {
    type Service = Holding<S>;

    fn layer(&self, inner: S) -> Holding<S> {
        Holding(inner)
    }
}

/// The service of [`Hold`].
#[derive(Clone)]
pub(in crate::http) struct Holding<S>(S);

impl<S, R> Service<R> for Holding<S>
where
    S: Service<R, Error = Box<dyn std::error::Error + Send + Sync>> + Clone + Send + 'static,
    S::Response: Connection,
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
                Some(call) => {
                    call.at.comes_to(dial::TCP);
                    let made = ready.call(request).await?;
                    call.at.comes_to(dial::READY);
                    call.lane.multiplexes.store(made.connected().is_negotiated_h2(), Ordering::Release);
                    Ok(made)
                }
                None => ready.call(request).await,
            }
        })
    }
}

impl Track {
    /// Tells in which layer it is: below HTTP for as long as it waits for a connection of its own.
    pub(in crate::http) fn layer(&self) -> Layer {
        // By another one it is on its way.
        let is_with_client = self.stage.load(Ordering::Acquire) == HANDED;
        if is_with_client { self.at.layer() } else { Layer::Http }
    }

    /// Notes that the client has begun the call; tells whether this was the first time. A request with content is open
    /// at once, as its body lives on for other reasons than the limit.
    fn begin(&self, empty: bool) -> bool {
        let next = if empty { BEGUN } else { OPEN };
        if self.stage.compare_exchange(HANDED, next, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return false;
        }
        let lane = &self.lane;
        lane.unbegun.fetch_sub(1, Ordering::AcqRel);
        if empty {
            lane.begun.fetch_add(1, Ordering::AcqRel);
            lane.pending.fetch_add(1, Ordering::AcqRel);
        } else {
            lane.open.fetch_add(1, Ordering::AcqRel);
        }
        self.share();
        lane.settled();
        lane.shared.poke();
        true
    }

    /// Lets the others go where this is the first call by an HTTP/2 connection, which is open and theirs too from now on:
    /// its answer may be a device's, and take a device's time.
    fn share(&self) {
        let lane = &self.lane;
        if !lane.multiplexes.load(Ordering::Acquire) || !self.warms.swap(false, Ordering::AcqRel) {
            return;
        }
        if let Some(slot) = lane.shared.lock().lanes.get_mut(lane.index) {
            slot.warmth = Warmth::Warm(Version::HTTP_2);
        }
        lane.shared.pump();
    }

    /// Notes that the stream of a call that has begun is open, or that it is no more.
    fn opened(&self) {
        let lane = &self.lane;
        lane.pending.fetch_sub(1, Ordering::AcqRel);
        if self.stage.compare_exchange(BEGUN, OPEN, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            lane.open.fetch_add(1, Ordering::AcqRel);
        }
        lane.shared.poke();
    }

    /// Waits until the call may open a connection of its own; false where it needs none any more.
    ///
    /// The client asks for a connection whenever none is at hand: for each call that waits while one is made, and for
    /// one that comes a moment before another gives its own back.
    async fn may_connect(&self) -> bool {
        let lane = &self.lane;
        lane.held.fetch_add(1, Ordering::AcqRel);
        let _held = Held(&lane.held);
        while !self.goes_first() {
            let mut changed = pin!(lane.change.notified());
            changed.as_mut().enable();
            if self.stage.load(Ordering::Acquire) != HANDED {
                return false;
            }
            if !self.goes_first() {
                changed.await;
            }
        }
        if lane.connects.load(Ordering::Acquire) > 0 {
            for _ in 0..ROUNDS {
                tokio::task::yield_now().await;
                if self.stage.load(Ordering::Acquire) != HANDED {
                    return false;
                }
            }
        }
        // Those that nobody is at, and that the client did not find, are gone: a server may close what is idle. One may be on
        // its way back.
        lane.connects.fetch_min(lane.in_flight(), Ordering::AcqRel);
        // No more calls are with the client than the pool has places, so where as many connections were opened one of
        // them is about to be free, however long that takes on a busy machine; else it is gone, which nothing tells.
        let since = Instant::now();
        while lane.connects.load(Ordering::Acquire) >= lane.places() {
            if since.elapsed() >= GONE {
                lane.connects.fetch_sub(1, Ordering::AcqRel);
                break;
            }
            let mut changed = pin!(lane.change.notified());
            changed.as_mut().enable();
            if self.stage.load(Ordering::Acquire) != HANDED {
                return false;
            }
            // Who does not come in time looks again.
            let _ = tokio::time::timeout(LOOK, changed).await;
            if self.stage.load(Ordering::Acquire) != HANDED {
                return false;
            }
        }
        lane.connects.fetch_add(1, Ordering::AcqRel);
        true
    }

    /// Tells whether nobody else is opening the lane's connection; where an HTTP/2 connection is lost, the first who
    /// notices opens the next one, alone.
    fn goes_first(&self) -> bool {
        let mut inner = self.lane.shared.lock();
        let Some(slot) = inner.lanes.get_mut(self.lane.index) else { return true };
        match slot.warmth {
            Warmth::Warming => self.warms.load(Ordering::Acquire),
            Warmth::Warm(Version::HTTP_2) => {
                slot.warmth = Warmth::Warming;
                self.warms.store(true, Ordering::Release);
                // The next one stands in the place of the one that is lost.
                self.lane.connects.store(1, Ordering::Release);
                true
            }
            _ => true,
        }
    }
}

/// Counts a connection that is held back for as long as it is.
struct Held<'a>(&'a AtomicUsize);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
