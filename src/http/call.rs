//! A request that a vendor wants sent, and its answer.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Sift, unparsable};
use crate::error::{Code, Error, Layer, Result};

/// The longest pause that a server is believed to mean: who asks for more, in a number or by a date, has a clock or a
/// unit wrong, and may be asked again the next day.
const LONGEST_PAUSE: Duration = Duration::from_secs(86_400);

/// Says what happens where a request is sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// It changes nothing; it is repeated where it fails temporarily.
    Read,
    /// It changes something; it is sent once, and where its outcome is unknown the state is read.
    Once,
}

/// Describes a request.
#[derive(Clone)]
pub struct Call {
    /// What it is for, in the field's words: `status`, `login`.
    pub operation: &'static str,
    /// The method.
    pub method: Method,
    /// Path and query, relative to the backend's URL; segments from outside are encoded with [`segment`].
    pub path: String,
    /// Whether `path` begins at the server's root instead of the backend's URL.
    pub from_root: bool,
    /// Headers besides credentials.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// What happens where it is sent twice.
    pub safety: Safety,
    /// Whether it needs credentials.
    pub authorized: bool,
    /// How long one attempt may take, where it differs from the backend's.
    pub timeout: Option<Duration>,
    /// Whether somebody wants the answer as it is, also of a failure.
    pub raw: bool,
    /// Whether its answer holds secrets, so that no message quotes it.
    pub confidential: bool,
    /// What takes from the answer of a success what it wants, before all of it is there.
    pub sieve: Option<Arc<dyn Sift>>,
}

impl std::fmt::Debug for Call {
    /// Shows what it is for; a body may be a login, and its headers a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { operation, method, path, .. } = self;
        write!(f, "Call {{ {operation}: {method} {path} }}")
    }
}

impl Call {
    /// Describes a GET with credentials.
    pub fn get(operation: &'static str, path: impl Into<String>) -> Self {
        Self::new(operation, Method::GET, path, Safety::Read)
    }

    /// Describes a write with credentials.
    pub fn write(operation: &'static str, method: Method, path: impl Into<String>) -> Self {
        Self::new(operation, method, path, Safety::Once)
    }

    /// Describes a call that somebody wrote by hand, and wants answered untouched.
    #[must_use]
    pub fn raw(method: Method, path: &str, body: Option<Vec<u8>>) -> Self {
        let safety = if method.is_safe() { Safety::Read } else { Safety::Once };
        let mut call = Self::new("api", method, path.trim_start_matches('/'), safety);
        call.raw = true;
        match body {
            Some(body) => {
                call.body = Some(body);
                call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                call
            }
            None if safety == Safety::Once => call.empty(),
            None => call,
        }
    }

    fn new(operation: &'static str, method: Method, path: impl Into<String>, safety: Safety) -> Self {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        Self {
            operation,
            method,
            path: path.into(),
            from_root: false,
            headers,
            body: None,
            safety,
            authorized: true,
            timeout: None,
            raw: false,
            confidential: false,
            sieve: None,
        }
    }

    /// Lets its answer go through a sieve.
    #[must_use]
    pub fn through(mut self, sieve: Arc<dyn Sift>) -> Self {
        self.sieve = Some(sieve);
        self
    }

    /// Says that its answer holds secrets, such as a token: no message quotes it.
    #[must_use]
    pub fn confidential(mut self) -> Self {
        self.confidential = true;
        self
    }

    /// Sends it without credentials.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.authorized = false;
        self
    }

    /// Begins its path at the server's root.
    #[must_use]
    pub fn at_root(mut self) -> Self {
        self.from_root = true;
        self
    }

    /// Gives it a JSON body.
    ///
    /// # Errors
    /// Fails where `body` has no JSON form.
    pub fn json<T: Serialize>(mut self, body: &T) -> Result<Self> {
        let bytes = serde_json::to_vec(body).map_err(|error| Error::usage(format!("no JSON: {error}")))?;
        self.body = Some(bytes);
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(self)
    }

    /// Gives it an empty body and says so with `Content-Length: 0`, which hyper leaves out and some servers demand.
    #[must_use]
    pub fn empty(mut self) -> Self {
        self.body = Some(Vec::new());
        self.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        self
    }

    /// Adds a header; a value that holds a secret is marked so that nothing prints it.
    ///
    /// # Errors
    /// Fails where the value has characters that no header can carry; the value itself is not shown.
    pub fn header(mut self, name: &'static str, value: &str, secret: bool) -> Result<Self> {
        self.headers.insert(HeaderName::from_static(name), header_value(name, value, secret)?);
        Ok(self)
    }

    /// Limits one attempt.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// Makes a header's value; one that holds a secret is marked so that nothing prints it.
///
/// # Errors
/// Fails where the value has characters that no header can carry; the value itself is not shown.
pub fn header_value(name: &str, value: &str, secret: bool) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        Error::config(format!("the value for the header {name} has characters that no header can carry"))
    })?;
    value.set_sensitive(secret);
    Ok(value)
}

/// Reads how long a server asks to wait, in seconds or by a date; no longer than a day.
#[must_use]
pub fn retry_after(reply: &Reply) -> Option<Duration> {
    let text = reply.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // What is no number any more is more than the longest.
        let seconds = text.parse().map_or(LONGEST_PAUSE, Duration::from_secs);
        return Some(seconds.min(LONGEST_PAUSE));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Duration::try_from(at.duration_since(jiff::Timestamp::now())).ok().map(|pause| pause.min(LONGEST_PAUSE))
}

/// Refuses what a server gave to be sent back in a header, such as a token, where no header can carry it: the server is at
/// fault, and no key of the configuration.
///
/// # Errors
/// Fails with `vendor.protocol`; the value is not shown.
pub fn sendable(peer: &str, what: &str, value: &str) -> Result<()> {
    if HeaderValue::from_str(value).is_ok() {
        return Ok(());
    }
    let told = format!("{peer} gave {what} with characters that no header can carry");
    Err(Error::new(Code::VendorProtocol, Layer::Api, told)
        .status(200)
        .hint("check that `url` points at the vendor's API"))
}

/// Encodes a text as one segment of a path.
#[must_use]
pub fn segment(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~').remove(b'.');
    if !text.starts_with('.') && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_~.".contains(&byte)) {
        return text.to_owned();
    }
    match text {
        // A URL parser would take these for steps in the path, even encoded.
        "." => "%252E".to_owned(),
        ".." => "%252E%252E".to_owned(),
        _ => utf8_percent_encode(text, SET).to_string(),
    }
}

/// An answer, read to its end.
#[derive(Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// Whether it holds secrets, so that no message quotes it.
    pub confidential: bool,
}

impl std::fmt::Debug for Reply {
    /// Shows how long it is; the body may hold a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply {{ {}, {} bytes }}", self.status, self.body.len())
    }
}

impl Reply {
    /// Reads the body as a JSON document.
    ///
    /// # Errors
    /// Fails with `vendor.protocol`, saying where in the document it is wrong.
    pub fn json<T: DeserializeOwned>(&self, peer: &str, operation: &str) -> Result<T> {
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            unparsable(peer, operation, self, &format!("{path}: {}", self.fault(error.inner())))
        })?;
        reader.end().map_err(|error| unparsable(peer, operation, self, &self.fault(&error)))?;
        Ok(value)
    }

    /// Says what is wrong with the body; the reader's own words quote the value that it did not expect.
    fn fault(&self, error: &serde_json::Error) -> String {
        if self.confidential { format!("line {}, column {}", error.line(), error.column()) } else { error.to_string() }
    }

    /// Reads the body as a JSON document, if it is one.
    #[must_use]
    pub fn maybe_json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Gives the beginning of the body as text on one line, for a message; nothing of one that holds secrets.
    #[must_use]
    pub fn excerpt(&self) -> String {
        if self.confidential {
            return String::new();
        }
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(400)]).into_owned();
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        line.chars().take(160).collect()
    }
}

/// Takes the value out of what serde says of a wrong type: `invalid type: string "…", expected …`.
#[must_use]
pub fn without_quotes(message: &str) -> String {
    match (message.find(['"', '`']), message.rfind(", expected")) {
        (Some(start), Some(end)) if start < end => format!("{}…{}", &message[..start], &message[end..]),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::{Call, Reply, header_value, segment};

    #[test]
    fn what_a_panic_may_print_holds_no_body_and_no_header() {
        let document = serde_json::json!({"password": "canary-secret"});
        let mut call = Call::write("login", reqwest::Method::POST, "authentication/user").json(&document).unwrap();
        for sensitive in [true, false] {
            call.headers
                .insert("authorization", header_value("authorization", "Bearer canary-secret", sensitive).unwrap());
        }
        let body = document.to_string().into_bytes();
        let bytes = format!("{:?}", b"canary-secret").trim_matches(['[', ']']).to_owned();
        let reply = Reply { status: StatusCode::OK, headers: call.headers.clone(), body, confidential: true };
        for shown in [format!("{call:?} {reply:?}"), format!("{call:#?} {reply:#?}")] {
            assert!(!shown.contains("canary") && !shown.contains(&bytes), "{shown}");
            assert!(shown.contains("POST authentication/user") && shown.contains("200"), "{shown}");
        }
    }

    #[test]
    fn nothing_of_a_confidential_answer_is_quoted() {
        #[derive(Debug, serde::Deserialize)]
        struct Token {
            #[serde(rename = "id")]
            _id: u8,
        }
        for body in [r#"{"id": "canary"}"#, r#"{"id": 1} canary"#, r#"canary"#, r#"{"canary": 1}"#] {
            let reply = |confidential| Reply {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: body.as_bytes().to_vec(),
                confidential,
            };
            let told = |reply: &Reply| format!("{:?}", reply.json::<Token>("the peer", "login").unwrap_err());
            assert!(told(&reply(false)).contains("canary"), "{body}");
            assert!(!told(&reply(true)).contains("canary"), "{body}");
            assert!(!told(&reply(true)).contains("an empty answer"), "{body}");
        }
    }

    #[test]
    fn a_segment_stays_one() {
        assert_eq!(segment("vpn0"), "vpn0");
        assert_eq!(segment("-_x"), "-_x");
        assert_eq!(segment("a/../b?c#d"), "a%2F..%2Fb%3Fc%23d");
        assert_eq!(segment("00:11"), "00%3A11");
        assert_eq!(segment(".."), "%252E%252E");
    }
}
