//! Whether a call may be sent again, and whether one that failed may have been done all the same.

use std::time::Duration;

use super::brake::Refusal;
use super::{Call, Safety};
use crate::error::{Code, Error};

/// How often a read is repeated at most (contract section 6).
pub(super) const REPEATS: usize = 3;

/// Gives how long to wait before a call is repeated; `None` where it had its tries.
pub(super) fn next_wait(
    waits: &mut impl Iterator<Item = Duration>,
    tries: &mut usize,
    error: &Error,
    refusal: Option<Refusal>,
) -> Option<Duration> {
    if let Some(Refusal { counts: false, pause, .. }) = refusal {
        return Some(pause);
    }
    *tries = tries.checked_sub(1)?;
    let wait = waits.next()?;
    Some(refusal.map_or_else(|| error.wait().unwrap_or(wait), |refusal| refusal.pause))
}

/// Takes a login's failure as that of the call that needed it: the call itself was not sent, and a login that may have
/// arrived is not sent again for it.
pub(super) fn before_the_call(error: Error) -> Error {
    let error = error.known_outcome();
    let unsent = matches!(error.code(), Code::NetDns | Code::NetRefused | Code::NetTimeout);
    if error.is_repeatable() && !unsent { error.later() } else { error }
}

/// Marks the errors of a request that was sent after which a write may have been done: time-outs, broken connections,
/// 5xx of a proxy, a device that did not answer. What failed before, a login for one, leaves no doubt.
pub(super) fn doubtful(call: &Call, error: Error) -> Error {
    match error.code() {
        Code::TimeoutRequest | Code::TimeoutDeadline | Code::NetReset | Code::HttpServerError | Code::DeviceTimeout
            if call.safety == Safety::Once =>
        {
            error.unknown_outcome()
        }
        _ => error,
    }
}

/// Marks the error of a write that may have been done all the same.
pub(super) fn maybe_done(call: &Call, error: Error) -> Error {
    if call.safety == Safety::Once { error.unknown_outcome() } else { error }
}
