//! Reads a body without trusting its length.

use super::{Call, Settings, failure};
use crate::error::{Code, Error, Layer, Result};

/// The largest body that is read, in bytes; a page of 1,000 devices takes about 2 MB.
const LIMIT: usize = 16 << 20;

/// Reads a body up to [`LIMIT`].
pub(super) async fn read_capped(mut response: reqwest::Response, settings: &Settings, call: &Call) -> Result<Vec<u8>> {
    let expected = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    // What is announced is made room for, so that a page is not moved while it grows; a lie costs no more than the limit.
    let mut body = Vec::with_capacity(if expected > LIMIT { 0 } else { expected });
    while let Some(chunk) = response.chunk().await.map_err(|error| failure::network(settings, call, &error))? {
        if body.len() + chunk.len() > LIMIT {
            return Err(Error::new(
                Code::VendorProtocol,
                Layer::Http,
                format!("{} sent more than {} MiB ({})", settings.peer, LIMIT >> 20, call.operation),
            )
            .hint("check that `url` points at the vendor's API"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
