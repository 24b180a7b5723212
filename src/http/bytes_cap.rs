//! Reads a body without trusting its length.

use std::fmt;

use super::{Call, Settings, failure};
use crate::error::{Code, Error, Layer, Result};

/// The largest body that is read, in bytes; a page of 1,000 devices takes about 2 MB.
const LIMIT: usize = 16 << 20;

/// Takes out of a body what it has use for while the rest is still on its way, so that nobody keeps all of it.
pub trait Sift: fmt::Debug + Send + Sync {
    /// Begins with a body; what came of one before, that broke off, is forgotten.
    fn begin(&self);

    /// Takes what is whole out of what has come so far.
    fn sift(&self, body: &mut Vec<u8>);

    /// Takes what is whole out of what is left at the end.
    fn end(&self, body: &mut Vec<u8>);
}

/// Reads a body up to [`LIMIT`]; that of a success goes through the call's sieve.
pub(super) async fn read_capped(mut response: reqwest::Response, settings: &Settings, call: &Call) -> Result<Vec<u8>> {
    let sieve = call.sieve.as_deref().filter(|_| response.status().is_success());
    if let Some(sieve) = sieve {
        sieve.begin();
    }
    let expected = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    // What is announced is made room for, so that a page is not moved while it grows; a lie costs no more than the limit.
    let mut body = Vec::with_capacity(if expected > LIMIT || sieve.is_some() { 0 } else { expected });
    let mut length = 0;
    while let Some(chunk) = response.chunk().await.map_err(|error| failure::network(settings, call, &error))? {
        length += chunk.len();
        if length > LIMIT {
            return Err(Error::new(
                Code::VendorProtocol,
                Layer::Http,
                format!("{} sent more than {} MiB ({})", settings.peer, LIMIT >> 20, call.operation),
            )
            .hint("check that `url` points at the vendor's API"));
        }
        body.extend_from_slice(&chunk);
        if let Some(sieve) = sieve {
            sieve.sift(&mut body);
        }
    }
    if let Some(sieve) = sieve {
        sieve.end(&mut body);
    }
    Ok(body)
}
