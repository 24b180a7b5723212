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
    let answer = raw.call(verb(method)?, path, body).await.map_err(|error| error.backend(&open.info().backend));
    // It must not look like something to repeat.
    answer.map_err(|error| error.in_doubt("whether the call was carried out", LOOK, false))
}

/// What to do after a call that may have been carried out: what it was to change only the sender knows.
pub const LOOK: &str = "read what it was to change before you send it again";

/// Refuses a path that would leave the API's base: credentials go nowhere else.
///
/// # Errors
/// Fails with `usage` where a step leads up or out, written out or encoded, or a character can't be in a path.
pub fn check_path(path: &str) -> Result<()> {
    let wrong = |why: &str| {
        Error::usage(format!("`{path}` {why}")).hint("write it as the vendor's page does: vpnctl api --help")
    };
    let steps = path.split(['?', '#']).next().unwrap_or_default();
    let plain = decoded(steps);
    if path.chars().any(|c| c.is_control() || c == '\\') || plain.chars().any(char::is_control) {
        return Err(wrong("has characters that no path has"));
    }
    if plain.contains("://") {
        return Err(wrong("is a URL, and a path of the backend's own API is wanted"));
    }
    let leads_up = |step: &str| matches!(step, ".." | ".");
    if steps.split('/').any(leads_up) || plain.split(['/', '\\']).any(leads_up) {
        return Err(wrong("has steps that lead out of the API"));
    }
    Ok(())
}

/// Takes every encoding away: a proxy may decode a path once, and the server behind it once more.
fn decoded(path: &str) -> String {
    let mut plain = path.to_owned();
    loop {
        let next = percent_encoding::percent_decode_str(&plain).decode_utf8_lossy().into_owned();
        if next.len() >= plain.len() {
            return next;
        }
        plain = next;
    }
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
