//! Connections: how many, and which call goes by which.
//!
//! A lane is one client, hence one HTTP/2 connection or one pool of HTTP/1.1 connections. The first call of a lane goes
//! alone, since a fan-out over a cold client opens one connection a call. Where its connection turns out to be one of
//! HTTP/2, the others follow as soon as the call has begun there; else its answer is waited for.
//!
//! HTTP/2 takes everything on one connection until the server's limit of streams (`SETTINGS_MAX_CONCURRENT_STREAMS`) is
//! the brake; then a further lane is opened. The client does not tell the limit, but its treatment of a request's body
//! does, without any clock: hyper asks `is_end_stream` when it begins the stream, and drops an empty body when the
//! connection has opened it; meanwhile it begins no other. So a body that was asked and still lives after all that was
//! ready has run is a stream that waits for the limit, and the streams that are open then are the limit.
//!
//! HTTP/1.1 has a pool of [`POOL`] connections: enough to hide the time between an answer and the next request, and few
//! enough to spare a box, and a server, the handshakes. Where answers themselves take long ([`SLOW`]: a device's round
//! trip, not a handshake), connections are the brake, and the pool grows by one at a time up to [`POOL_MOST`].

pub(super) mod track;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::Version;
use reqwest::header::{CONNECTION, HeaderMap};
use tokio::sync::{Notify, oneshot};

use super::dial::Progress;
use track::Track;

/// How many HTTP/1.1 connections there are at most: what a browser opens (6) and a little more, as `--jobs` is 8.
const POOL: usize = 8;
/// How many there are at most where answers are slow: with a device's second of round trip 32 calls a second.
const POOL_MOST: usize = 32;
/// Answers that take longer are no matter of the connection: the slowest handshake over a satellite is about as long.
const SLOW: Duration = Duration::from_millis(250);
/// How many HTTP/2 connections there are at most: with nginx' 128 streams that is 1,024 calls at once.
const LANES: usize = 8;
/// How many calls may be with a client that has not begun them, as those cannot move to another lane. Fewer would have
/// calls wait that come in a burst, more would leave a limit unnoticed that holds back so many.
const UNBEGUN: usize = 8;

/// How often all that is ready is let run before a further connection is opened: one that has given its last answer is
/// ready again, and a stream that was begun is open unless the limit forbids it, within two or three rounds.
const ROUNDS: usize = 32;

/// A call that the client has, and has not begun.
const HANDED: u8 = 0;
/// A call that the client has begun; its stream may still wait for the limit.
const BEGUN: u8 = 1;
/// A call whose request is on its way.
const OPEN: u8 = 2;
/// A call that is over.
const OVER: u8 = 3;

/// Says what is known of a lane's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Warmth {
    /// Nothing was sent yet.
    Cold,
    /// A call goes alone; the others wait for its connection or its answer.
    Warming,
    /// An answer told the version.
    Warm(Version),
    /// The call that went alone had no answer: the others go all the same, no more than the pool has places, for a
    /// server that is silent would be waited for by one after the other.
    Doubtful,
}

/// Keeps the lanes of one transport.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    /// Whether anybody waits for a place, so that nobody else needs the lock to know.
    waiting: AtomicUsize,
    /// Wakes one who waits, so that it looks again: what is seen from within the client's own poll is not settled yet.
    look: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    lanes: Vec<Slot>,
    queue: VecDeque<oneshot::Sender<Place>>,
    /// By how many places the pool has grown.
    grown: usize,
}

#[derive(Debug)]
struct Slot {
    lane: Arc<Lane>,
    warmth: Warmth,
    in_flight: usize,
    /// How many streams the server takes, once it was met.
    limit: Option<usize>,
}

/// One client and what was seen of its streams.
#[derive(Debug)]
pub(super) struct Lane {
    index: usize,
    shared: Arc<Shared>,
    client: OnceLock<reqwest::Client>,
    /// Calls that were given to the client and not begun.
    unbegun: AtomicUsize,
    /// Streams that are open.
    open: AtomicUsize,
    /// Streams that were begun and are not open (1 at most; the client begins no other until it is), and how many were
    /// begun so far.
    pending: AtomicUsize,
    begun: AtomicUsize,
    /// How often the client connected.
    connects: AtomicUsize,
    /// Whether the last connection is one of HTTP/2.
    multiplexes: AtomicBool,
    /// Connections that are held back, and what wakes them.
    held: AtomicUsize,
    change: Notify,
}

/// The right to send one call by a lane, from before the request until its answer is read.
#[derive(Debug)]
pub(super) struct Place {
    track: Arc<Track>,
    sent: bool,
    answered: Option<(Version, Duration)>,
}

impl Lanes {
    /// Waits for a place, in turn.
    pub(super) async fn place(&self) -> Place {
        let shared = &self.shared;
        let mut turn = {
            let mut inner = shared.lock();
            if inner.queue.is_empty()
                && let Some(place) = inner.take(shared)
            {
                return place;
            }
            let (given, turn) = oneshot::channel();
            inner.queue.push_back(given);
            turn
        };
        let _waits = Waits::new(shared);
        loop {
            tokio::select! {
                biased;
                place = &mut turn => {
                    if let Ok(place) = place {
                        return place;
                    }
                }
                () = shared.look.notified() => {
                    if let Some(place) = shared.look_closely(&mut turn).await {
                        return place;
                    }
                }
            }
        }
    }
}

/// Counts one who waits for as long as it does.
struct Waits<'a>(&'a Arc<Shared>);

impl<'a> Waits<'a> {
    fn new(shared: &'a Arc<Shared>) -> Self {
        shared.waiting.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives places to those who wait, first come first served.
    fn pump(self: &Arc<Self>) {
        loop {
            let (given, place) = {
                let mut inner = self.lock();
                while inner.queue.front().is_some_and(oneshot::Sender::is_closed) {
                    inner.queue.pop_front();
                }
                if inner.queue.is_empty() {
                    return;
                }
                let Some(place) = inner.take(self) else { return };
                (inner.queue.pop_front(), place)
            };
            // Who went away meanwhile leaves the place to the next: dropping it, without the lock, gives it back.
            if let Some(given) = given {
                let _ = given.send(place);
            }
        }
    }

    /// Finds out which streams wait for the limit, not only for their turn to be written: those that still wait after
    /// all that was ready has run. Gives the place that came meanwhile.
    async fn look_closely(self: &Arc<Self>, turn: &mut oneshot::Receiver<Place>) -> Option<Place> {
        let mut waiting: Vec<(Arc<Lane>, usize)> = {
            let inner = self.lock();
            let open = inner.lanes.iter().filter(|slot| slot.warmth == Warmth::Warm(Version::HTTP_2));
            open.filter_map(|slot| Some((Arc::clone(&slot.lane), slot.lane.waiting()?))).collect()
        };
        for _ in 0..ROUNDS {
            if waiting.is_empty() {
                break;
            }
            tokio::task::yield_now().await;
            if let Ok(place) = turn.try_recv() {
                return Some(place);
            }
            waiting.retain(|(lane, begun)| lane.waiting() == Some(*begun));
        }
        for (lane, _) in waiting {
            if let Some(slot) = self.lock().lanes.get_mut(lane.index) {
                slot.learn();
            }
        }
        self.pump();
        None
    }

    /// Has one who waits look again, from outside of the client's poll.
    fn poke(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.look.notify_one();
        }
    }
}

impl Inner {
    /// Takes a place in the first lane that has room, or in a new one where the limit of streams is the brake.
    fn take(&mut self, shared: &Arc<Shared>) -> Option<Place> {
        let pooled: usize = self.lanes.iter().filter(|slot| slot.is_pooled()).map(|slot| slot.in_flight).sum();
        let places = POOL + self.grown;
        for slot in &mut self.lanes {
            let warms = slot.warmth == Warmth::Cold;
            let room = match slot.warmth {
                Warmth::Cold => true,
                Warmth::Warming => false,
                _ if slot.is_pooled() => pooled < places,
                _ => slot.has_room(),
            };
            if room {
                return Some(slot.place(warms));
            }
        }
        // A further lane only where each one is at its limit, and none is just being opened.
        let full = self.lanes.iter().all(Slot::is_full);
        if self.lanes.len() < LANES && full {
            // It is the same server's, so its limit is likely the same; where it is less, that will show.
            let limit = self.lanes.first().and_then(|slot| slot.limit);
            self.lanes.push(Slot::new(Lane::new(self.lanes.len(), shared), limit));
            return self.lanes.last_mut().map(|slot| slot.place(true));
        }
        None
    }
}

impl Inner {
    /// Takes a place back, and learns from how the call went.
    fn give_back(&mut self, place: &Place) {
        let places = POOL + self.grown;
        let Some(slot) = self.lanes.get_mut(place.track.lane.index) else { return };
        slot.in_flight -= 1;
        let warms = place.track.warms.load(Ordering::Acquire);
        // While a new connection is made, an answer by the old one says nothing of it.
        let settles = warms || slot.warmth != Warmth::Warming;
        match place.answered {
            Some((version, took)) if settles => {
                slot.warmth = Warmth::Warm(version);
                let all_taken = slot.in_flight + 1 >= places && !self.queue.is_empty();
                if slot.is_pooled() && took > SLOW && all_taken && places < POOL_MOST {
                    self.grown += 1;
                }
            }
            None if warms && !place.sent => slot.warmth = Warmth::Cold,
            // No answer, or the call was given up: whoever is next can't know more.
            None if warms => slot.warmth = Warmth::Doubtful,
            _ => {}
        }
    }
}

impl Slot {
    fn new(lane: Lane, limit: Option<usize>) -> Self {
        Self { lane: Arc::new(lane), warmth: Warmth::Cold, in_flight: 0, limit }
    }

    /// Tells whether its calls take a connection each.
    fn is_pooled(&self) -> bool {
        match self.warmth {
            Warmth::Warm(version) => version != Version::HTTP_2,
            Warmth::Doubtful => true,
            Warmth::Cold | Warmth::Warming => false,
        }
    }

    /// Tells whether its connection is open and takes no more streams.
    fn is_full(&self) -> bool {
        matches!(self.warmth, Warmth::Warm(_)) && self.limit.is_some_and(|limit| self.in_flight >= limit)
    }

    fn has_room(&self) -> bool {
        match self.limit {
            Some(limit) => self.in_flight < limit,
            None => self.lane.unbegun.load(Ordering::Acquire) < UNBEGUN,
        }
    }

    /// Learns the limit while a stream waits for it and all that was ready has run: it is how many are open.
    fn learn(&mut self) {
        let seen = self.lane.open.load(Ordering::Acquire).max(1);
        if self.limit.is_none_or(|limit| seen < limit) {
            tracing::debug!(lane = self.lane.index, "the server takes {seen} streams on a connection");
            self.limit = Some(seen);
        }
    }

    fn place(&mut self, warms: bool) -> Place {
        if warms {
            self.warmth = Warmth::Warming;
        }
        self.in_flight += 1;
        self.lane.unbegun.fetch_add(1, Ordering::AcqRel);
        let lane = Arc::clone(&self.lane);
        let track =
            Track { lane, stage: AtomicU8::new(HANDED), warms: AtomicBool::new(warms), at: Progress::default() };
        Place { track: Arc::new(track), sent: false, answered: None }
    }
}

impl Lane {
    fn new(index: usize, shared: &Arc<Shared>) -> Self {
        Self {
            index,
            shared: Arc::clone(shared),
            client: OnceLock::new(),
            unbegun: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            connects: AtomicUsize::new(0),
            multiplexes: AtomicBool::new(false),
            held: AtomicUsize::new(0),
            change: Notify::new(),
        }
    }

    /// Gives the number of the stream that was begun and is not open, where there is one.
    fn waiting(&self) -> Option<usize> {
        let waits = self.pending.load(Ordering::Acquire) > 0;
        waits.then(|| self.begun.load(Ordering::Acquire))
    }

    /// Tells how many connections it may have.
    fn places(&self) -> usize {
        POOL + self.shared.lock().grown
    }

    /// Tells how many calls are on their way by it.
    fn in_flight(&self) -> usize {
        self.shared.lock().lanes.get(self.index).map_or(0, |slot| slot.in_flight)
    }

    /// Notes that the server closes the connection by which it has answered.
    fn closed(&self) {
        // An HTTP/2 connection never says so in an answer, and none was opened where none was counted.
        if self.connects.load(Ordering::Acquire) > 0 {
            self.connects.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Has the connections that are held back look again.
    fn settled(&self) {
        if self.held.load(Ordering::Acquire) > 0 {
            self.change.notify_waiters();
        }
    }
}

impl Place {
    /// Gives the lane's client, made by the first who needs it.
    ///
    /// # Errors
    /// Fails where it can't be made.
    pub(super) fn client<E>(&self, make: impl FnOnce() -> Result<reqwest::Client, E>) -> Result<&reqwest::Client, E> {
        let cell = &self.track.lane.client;
        match cell.get() {
            Some(client) => Ok(client),
            None => {
                let made = make()?;
                Ok(cell.get_or_init(|| made))
            }
        }
    }

    /// Gives what the client's parts report to.
    pub(super) fn track(&self) -> &Arc<Track> {
        &self.track
    }

    /// Notes that it is used.
    pub(super) fn send(&mut self) {
        self.sent = true;
    }

    /// Notes that an answer came, by which version and after how long, and whether its connection is closed by it.
    pub(super) fn answered(&mut self, version: Version, took: Duration, closes: bool) {
        self.answered = Some((version, took));
        if closes {
            self.track.lane.closed();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let lane = &self.track.lane;
        match self.track.stage.swap(OVER, Ordering::AcqRel) {
            HANDED => drop(lane.unbegun.fetch_sub(1, Ordering::AcqRel)),
            OPEN => drop(lane.open.fetch_sub(1, Ordering::AcqRel)),
            // The body, which still lives, sees that it is over.
            _ => {}
        }
        let shared = &lane.shared;
        let waits = {
            let mut inner = shared.lock();
            inner.give_back(self);
            !inner.queue.is_empty()
        };
        lane.settled();
        if waits {
            shared.pump();
        }
    }
}

/// Tells whether a connection of HTTP/1.x ends with its answer.
pub(super) fn closes(version: Version, headers: &HeaderMap) -> bool {
    let says = |word: &str| {
        headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(word.as_bytes()))
    };
    version < Version::HTTP_2 && (says("close") || (version < Version::HTTP_11 && !says("keep-alive")))
}
