//! A request, taken apart.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// The header that carries the session token.
const SESSION_HEADER: &str = "x-fbx-app-auth";

/// Holds one call of the API.
#[derive(Debug)]
pub(super) struct Call {
    /// The method.
    pub(super) method: Method,
    /// The session token, as it came.
    pub(super) token: Option<String>,
    segments: Vec<String>,
    body: Bytes,
}

impl Call {
    /// Reads a call below `/api/latest/` or `/api/v1/` to `/api/vMAJOR/`; `None` is a path that the box does not know.
    ///
    /// A trailing slash makes no difference (vendor/freebox.md section 7, 17).
    pub(super) fn read(method: Method, path: &str, headers: &HeaderMap, body: Bytes, major: u32) -> Option<Self> {
        let (version, rest) = path.strip_prefix("/api/")?.split_once('/')?;
        if version != "latest" {
            let number: u32 = version.strip_prefix('v')?.parse().ok()?;
            if number == 0 || number > major {
                return None;
            }
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        let token = headers.get(SESSION_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Some(Self { method, token, segments: rest.split('/').map(decoded).collect(), body })
    }

    /// Gives the path below the version.
    pub(super) fn segments(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// Reads the body as JSON, whatever the Content-Type says: clients in wide use say `text/plain`.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(path: &str) -> Option<Vec<String>> {
        Call::read(Method::GET, path, &HeaderMap::new(), Bytes::new(), 16).map(|call| call.segments)
    }

    #[test]
    fn versions_up_to_the_major_are_known() {
        for path in ["/api/v1/login", "/api/v16/login/", "/api/latest/login/", "/api/v4/login"] {
            assert_eq!(segments(path).as_deref(), Some(["login".to_owned()].as_slice()), "{path}");
        }
        for path in
            ["/api/v17/login", "/api/v0/login", "/api/login", "/login", "/api/v16", "/api/x16/login", "/api//login"]
        {
            assert_eq!(segments(path), None, "{path}");
        }
    }

    #[test]
    fn one_trailing_slash_is_dropped_and_escapes_are_decoded() {
        assert_eq!(segments("/api/v16/a%20b/c/").unwrap(), ["a b", "c"]);
        assert_eq!(segments("/api/v16/a//").unwrap(), ["a", ""]);
    }
}
