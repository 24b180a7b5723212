//! `api`: a raw call with the backend's credentials.

use reqwest::Method;

use super::Open;
use crate::backend::unsupported;
use crate::error::{Error, Result};

/// Sends a call and gives the answer untouched.
///
/// # Errors
/// Fails with what the vendor said; the error keeps the answer.
pub async fn run(open: &Open, method: &str, path: &str, body: Option<Vec<u8>>) -> Result<Vec<u8>> {
    let raw = open.backend.raw().ok_or_else(|| unsupported(&*open.backend, "api"))?;
    raw.call(verb(method)?, path, body).await.map_err(|error| error.backend(&open.info().backend))
}

/// Tells whether a method changes nothing.
///
/// # Errors
/// Fails where it is none.
pub fn is_read(method: &str) -> Result<bool> {
    verb(method).map(|method| method.is_safe())
}

fn verb(method: &str) -> Result<Method> {
    let upper = method.to_ascii_uppercase();
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    if !known.contains(&upper.as_str()) {
        return Err(Error::usage(format!("`{method}` is no HTTP method; there are {}", known.join(", "))));
    }
    Method::from_bytes(upper.as_bytes()).map_err(|_| Error::usage(format!("`{method}` is no HTTP method")))
}
