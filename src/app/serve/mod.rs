//! `serve`: endpoints that Prometheus scrapes.

mod listener;
mod meters;
pub mod metrics;
mod pages;
mod pause;
pub mod probe;
mod reading;
mod shelf;

use std::future::Future;
use std::time::Duration;

pub use listener::{Listener, Place};
use tokio::sync::oneshot;

use super::Setup;
use crate::backend::registry;
use crate::error::{Code, Error, Layer, Result};

/// The longest that reading a state may take: contract section 3, as for `status`.
const READ: Duration = Duration::from_secs(30);
/// The same where devices are asked.
const READ_DEVICES: Duration = Duration::from_secs(90);

/// How old what is shown may become while it is read anew, at least.
const DOUBT: Duration = Duration::from_secs(10);
/// The same where devices are asked, some of which may be slow.
const DOUBT_DEVICES: Duration = Duration::from_secs(30);

/// Tells after which time at the least a reading that goes on leaves what was read before in doubt.
fn doubt(vendor: &str) -> Duration {
    if registry::find(vendor).is_some_and(|vendor| vendor.asks_devices) { DOUBT_DEVICES } else { DOUBT }
}

/// Tells how long one reading of a backend may take.
fn bound(setup: &Setup, backend: &str) -> Duration {
    let Some(settings) = setup.config.backends.get(backend) else { return READ };
    let asks_devices = registry::find(settings.vendor).is_some_and(|vendor| vendor.asks_devices);
    let usual = if asks_devices { READ_DEVICES } else { READ };
    settings.duration("timeout").filter(|time| !time.is_zero()).unwrap_or(usual)
}

/// Tells that a reading took too long.
fn too_slow(backend: &str, bound: Duration) -> Error {
    let what = format!("`{backend}` could not be read within {} s", bound.as_secs_f64());
    Error::new(Code::TimeoutDeadline, Layer::Http, what)
        .temporary()
        .backend(backend)
        .hint(format!("see how long it takes: vpnctl status -b {backend} -v"))
}

/// Runs something in a thread of its own, with a runtime of its own; what it gives comes by the channel, which closes
/// without it where no thread can be had.
///
/// A secret that a command gives is waited for without a pause, and nobody else is to wait with it.
fn alone<T, F, Fut>(name: &str, work: F) -> oneshot::Receiver<T>
where
    T: Send + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T>,
{
    let (done, told) = oneshot::channel();
    let run = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        let value = runtime.block_on(work());
        runtime.shutdown_background();
        // Whoever asked for it may have gone.
        let _ = done.send(value);
    };
    if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(run) {
        tracing::warn!("no thread can be started: {error}");
    }
    told
}

/// Makes an error of something that the metrics' library refuses, which is a mistake of ours.
fn unregistered(error: impl std::fmt::Display) -> Error {
    Error::new(Code::Internal, Layer::Usage, format!("a metric can't be registered: {error}"))
}

/// A router of pages.
pub type Pages = axum::Router;

/// The result of what is set up before anything is served.
type Made<T> = Result<T>;
