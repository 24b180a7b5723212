//! Who is told of the requests that go over the wire.

use std::time::Duration;

use super::Call;
use crate::error::Code;

/// Hears of every attempt to send a request: repeats, logins and upgrades to a WebSocket included.
///
/// Nobody is told where no observer is given, and that costs nothing.
pub trait Observer: std::fmt::Debug + Send + Sync {
    /// Hears how an attempt went: with the status of its answer, or with the code of the error that came instead.
    /// `call` is what was sent, `took` the time until the answer was read to its end.
    fn attempted(&self, backend: &str, call: &Call, answer: Result<u16, Code>, took: Duration);
}
