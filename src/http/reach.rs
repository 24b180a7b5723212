//! Whether the server can be reached at all. A fleet would ask for ever where each of its targets tries four times to
//! connect to what is not there.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::failure::Broken;
use crate::error::{Code, Error};

/// After which time of nothing but attempts in vain, and after how many, what is left is told so, and not tried any more
/// but for one at a time. It is more than a restart of the server takes.
const LOST_AFTER: Duration = Duration::from_secs(60);
const LOST: u32 = 8;
/// How soon after one in vain another may find out whether it goes again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is known of the way to a server.
#[derive(Debug)]
pub(super) struct Reach {
    lost_after: Duration,
    again: Duration,
    inner: Mutex<Inner>,
}

impl Default for Reach {
    fn default() -> Self {
        Self { lost_after: LOST_AFTER, again: AGAIN, inner: Mutex::default() }
    }
}

#[derive(Debug, Default)]
struct Inner {
    /// Attempts that are being made.
    trying: usize,
    lost: Option<Lost>,
}

/// Since when nothing gets through.
#[derive(Debug)]
struct Lost {
    /// When the first attempt failed, and the last one; and how many.
    first: Instant,
    last: Instant,
    count: u32,
    error: Error,
}

/// An attempt that is being made.
#[derive(Debug)]
pub(super) struct Trying<'a>(&'a Reach);

impl Trying<'_> {
    /// Notes how it ended; with `None` by an answer.
    pub(super) fn ended(self, broken: Option<&Broken>) {
        match broken {
            // That the time of one target is over says nothing of the others.
            Some(Broken { error, .. }) if error.code() == Code::TimeoutDeadline => {}
            Some(Broken { unsent: true, error, .. }) => self.0.failed(error),
            _ => self.0.worked(),
        }
    }
}

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        self.0.lock().trying -= 1;
    }
}

impl Reach {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an attempt.
    ///
    /// # Errors
    /// Fails with what the last one failed with, where nothing has got through for long and another finds out, or has just
    /// found out, whether that is still so.
    pub(super) fn begin(&self) -> Result<Trying<'_>, Error> {
        let mut inner = self.lock();
        if let Some(Lost { first, last, count, error }) = &inner.lost
            && last.duration_since(*first) >= self.lost_after
            && *count >= LOST
            && (inner.trying > 0 || last.elapsed() < self.again)
        {
            let seconds = first.elapsed().as_secs();
            let told = format!("nothing has got through for {seconds} s, so this was not tried");
            return Err(error.clone().found(&told).later());
        }
        inner.trying += 1;
        Ok(Trying(self))
    }

    /// Notes that an attempt found no connection.
    fn failed(&self, error: &Error) {
        let now = Instant::now();
        let mut inner = self.lock();
        let (first, before) = inner.lost.as_ref().map_or((now, 0), |lost| (lost.first, lost.count));
        inner.lost = Some(Lost { first, last: now, count: before.saturating_add(1), error: error.clone() });
    }

    /// Notes that one did.
    fn worked(&self) {
        self.lock().lost = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use reqwest::header::HeaderMap;
    use tokio::net::TcpListener;

    use super::Reach;
    use crate::error::{Code, Error, Layer, Result};
    use crate::http::ws::fuzzing::settings;
    use crate::http::{Call, Observer, Protocol, Reply, Settings, Transport, Verdict};

    fn error() -> Error {
        Error::new(Code::NetTimeout, Layer::Tcp, "the way is long").temporary()
    }

    #[test]
    fn where_nothing_gets_through_one_at_a_time_finds_out() {
        let reach = Reach { lost_after: Duration::ZERO, again: Duration::from_secs(3600), ..Reach::default() };
        let (one, other) = (reach.begin().expect("at first"), reach.begin().expect("at first"));
        (1..super::LOST).for_each(|_| reach.failed(&error()));
        drop(reach.begin().expect("a few say nothing"));
        reach.failed(&error());
        drop((one, other));
        let told = reach.begin().expect_err("one has just found out");
        assert_eq!((told.code(), told.layer(), told.is_repeatable()), (Code::NetTimeout, Layer::Tcp, false));
        assert!(told.is_temporary() && told.message().contains("so this was not tried"), "{told}");
        let reach = Reach { again: Duration::ZERO, ..reach };
        let finds_out = reach.begin().expect("one may");
        reach.begin().expect_err("one does");
        drop(finds_out);
        drop(reach.begin().expect("the next may"));
        reach.worked();
        let _all = [reach.begin().expect("as before"), reach.begin().expect("as before")];
    }

    #[test]
    fn what_fails_for_a_moment_keeps_nobody_back() {
        let reach = Reach::default();
        (0..100).for_each(|_| reach.failed(&error()));
        let _all = [reach.begin().expect("not for long"), reach.begin().expect("not for long")];
    }

    /// Asks without credentials, and takes any answer.
    struct Anybody;

    #[async_trait::async_trait]
    impl Protocol for Anybody {
        async fn authorize(&self, _: &mut HeaderMap) -> Result<u64> {
            Ok(0)
        }

        async fn renew(&self, _: u64) -> Result<bool> {
            Ok(false)
        }

        fn verdict(&self, _: &Call, _: &Reply) -> Verdict {
            Verdict::Done
        }
    }

    /// Counts attempts.
    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    impl Observer for Counting {
        fn attempted(&self, _: &str, _: &Call, _: Result<u16, Code>, _: Duration) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn a_server_that_is_gone_is_not_tried_for_each_of_many() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let counting = Arc::new(Counting::default());
        let observer: Arc<dyn Observer> = Arc::<Counting>::clone(&counting);
        let mut transport = Transport::new(Settings { observer: Some(observer), ..settings(&url) });
        transport.reach.lost_after = Duration::from_millis(1);
        transport.reach.again = Duration::from_secs(3600);
        drop(listener);
        let call = Call::get("status", "status").open();
        for (attempts, told) in [(4, false), (8, false), (8, true), (8, true)] {
            let error = transport.call(&Anybody, &call).await.expect_err("nobody is there");
            assert_eq!((error.code(), counting.0.load(Ordering::SeqCst)), (Code::NetRefused, attempts), "{error}");
            assert_eq!(error.message().contains("so this was not tried"), told, "{error}");
        }
    }
}
