//! Who is told of the requests that go over the wire.

use std::time::Duration;

use crate::error::Code;

/// Hears of every attempt to send a request: repeats, logins and upgrades to a WebSocket included.
///
/// Nobody is told where no observer is given, and that costs nothing.
pub trait Observer: std::fmt::Debug + Send + Sync {
    /// Hears how an attempt went: with the status of its answer, or with the code of the error that came instead.
    /// `operation` is what it was for ([`super::Call::operation`]), `took` the time until the answer was read to its
    /// end.
    fn attempted(&self, backend: &str, operation: &'static str, answer: Result<u16, Code>, took: Duration);
}
