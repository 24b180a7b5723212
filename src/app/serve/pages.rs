//! The pages of an endpoint, and who may see them.

use std::net::IpAddr;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, Version, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use super::Made;
use crate::error::Error;
use crate::render::sanitize;

/// What metrics are: the text format of Prometheus.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What an endpoint answers.
#[derive(Debug)]
pub(super) struct Page(Made<String>, StatusCode);

impl Page {
    /// Answers with metrics.
    pub(super) fn metrics(text: Made<String>) -> Self {
        Self(text, StatusCode::OK)
    }

    /// Says what is wrong with the request.
    pub(super) fn wrong(error: Error) -> Self {
        Self(Err(error), StatusCode::BAD_REQUEST)
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        match self {
            Self(Ok(text), status) => (status, [(header::CONTENT_TYPE, METRICS)], text).into_response(),
            Self(Err(error), StatusCode::OK) => told(StatusCode::INTERNAL_SERVER_ERROR, &error),
            Self(Err(error), status) => told(status, &error),
        }
    }
}

fn told(status: StatusCode, error: &Error) -> Response {
    let hint = error.hint_text().map(|hint| format!("{}\n", sanitize::line(hint))).unwrap_or_default();
    (status, format!("{}\n{hint}", sanitize::line(error.message()))).into_response()
}

/// Makes the pages that every endpoint has, around those that are named with what they show.
pub(super) fn around(title: &str, shown: &[(&str, &str)]) -> Router {
    let links: String = shown.iter().map(|(path, what)| link(path, what)).collect();
    let health = link("/healthz", "whether this endpoint answers");
    let index = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><title>{title}</title></head><body><h1>{title}</h1>\n<ul>\n{links}\
         {health}</ul>\n</body></html>\n"
    );
    let names: Vec<&str> = shown.iter().map(|(path, _)| *path).collect();
    let missing = format!("there is no such page; there are /, {} and /healthz\n", names.join(", "));
    Router::new()
        .route("/", get(move || std::future::ready(Html(index))))
        .route("/healthz", get(|| std::future::ready("ok\n")))
        .fallback(move || std::future::ready((StatusCode::NOT_FOUND, missing)))
}

fn link(path: &str, what: &str) -> String {
    format!("<li><a href=\"{path}\">{path}</a>: {what}</li>\n")
}

/// Puts the guard before all pages: what a browser is told to keep and to guess, and on loopback who may ask.
pub(super) fn guarded(pages: Router, on_loopback: bool) -> Router {
    pages.layer(middleware::from_fn(move |request, next| guard(on_loopback, request, next)))
}

async fn guard(on_loopback: bool, request: Request, next: Next) -> Response {
    let mut response = if request.headers().get_all(header::HOST).iter().count() > 1 {
        // RFC 9112, section 3.2: whose is meant is anybody's guess.
        (StatusCode::BAD_REQUEST, "a request names one host, and this one names several\n").into_response()
    } else if on_loopback && !is_for_this_computer(&request) {
        let what = "this endpoint answers to localhost and loopback addresses only; to be asked by another name, \
                    listen on another address: --listen ADDR:PORT\n";
        (StatusCode::MISDIRECTED_REQUEST, what).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Tells whether a request names this computer: a page in a browser here may have had its own name resolved to it.
fn is_for_this_computer(request: &Request) -> bool {
    let named = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    let authority = request.uri().authority().map(axum::http::uri::Authority::as_str);
    match authority.or(named) {
        Some(host) => is_local(host),
        // Before HTTP/1.1 nobody had to name one, and no browser is that old.
        None => request.version() < Version::HTTP_11,
    }
}

fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn only_names_of_this_computer_are_local() {
        for host in
            ["localhost", "LocalHost:9100", "127.0.0.1", "127.8.0.1:1", "[::1]:9100", "[::1]", "[::ffff:127.0.0.1]:1"]
        {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            ":80",
            "example.com",
            "localhost.example.com:80",
            "127.0.0.1.example.com",
            "10.0.0.1",
            "[::2]:1",
            "?",
            "user@localhost",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
