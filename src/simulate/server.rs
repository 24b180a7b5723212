//! Serves a router on loopback, plain or over TLS, keeps a log of requests and injects faults of any HTTP server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::faults::Faults;
use super::line::{Line, Mutable, OnLine, Stream};
pub use super::log::{Entry, RequestLog};
use super::{Context, wire};

/// The faults that any HTTP server can have; see [`inject`].
pub(super) const FAULTS: &[&str] = &[
    "http-status",
    "retry-after",
    "rate-limit",
    "slow",
    "not-json",
    "empty",
    "body",
    "redirect",
    "endless",
    "reset",
    "silent",
    "http1",
    "max-streams",
    "goaway",
    "refuse-stream",
    "mute",
    "bare-status",
    "mangle",
    "wire",
];

/// The largest request body that a simulator reads, in bytes.
const BODY_LIMIT: usize = 4 << 20;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Binds a loopback port; port 0 takes a free one.
    ///
    /// # Errors
    /// Fails where the port is taken.
    pub async fn bind(port: u16) -> std::io::Result<TcpListener> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
    }

    /// Serves `router` on `listener`, with the control endpoint and the log around it.
    ///
    /// # Errors
    /// Fails where the listener has no address.
    pub fn start(
        listener: TcpListener,
        router: Router,
        context: &Context,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let router = router
            .layer(middleware::from_fn_with_state(context.clone(), inject))
            .layer(middleware::from_fn_with_state(context.clone(), record))
            .merge(control(context.clone()));
        let acceptor = tls.map(TlsAcceptor::from);
        tokio::spawn(accept(listener, router, acceptor, context.clone(), stopped));
        Ok(Self { address, stop })
    }

    /// Gives the address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody listens where the runtime has ended already.
        let _ = self.stop.send(true);
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    acceptor: Option<TlsAcceptor>,
    context: Context,
    mut stopped: watch::Receiver<bool>,
) {
    let mut accepted_before = 0;
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                context.log.connections.fetch_add(1, Ordering::SeqCst);
                let line = Arc::new(Line { number: accepted_before, ..Line::default() });
                accepted_before += 1;
                if context.faults.take("reset").is_some() {
                    reset(stream);
                    continue;
                }
                let service = OnLine { inner: router.clone(), line, context: context.clone() };
                tokio::spawn(connection(stream, service, acceptor.clone(), context.clone(), stopped.clone()));
            }
        }
    }
}

/// Closes a connection so that its peer sees a reset, not an orderly end.
fn reset(stream: TcpStream) {
    // Without linger the kernel sends RST; where that can't be set, an orderly close is still a fault.
    let _ = stream.set_zero_linger();
    drop(stream);
}

async fn connection(
    stream: TcpStream,
    service: OnLine<Router>,
    acceptor: Option<TlsAcceptor>,
    context: Context,
    mut stopped: watch::Receiver<bool>,
) {
    // A delay of Nagle's would be measured as ours.
    let _ = stream.set_nodelay(true);
    if context.faults.is_on("silent") {
        let _ = stopped.changed().await;
        return;
    }
    // A connection that breaks is the client's affair: there is nobody here to tell.
    if let Some(mut acceptor) = acceptor {
        if context.faults.is_on("http1") || context.faults.is_on("wire") {
            let mut config = rustls::ServerConfig::clone(acceptor.config());
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            acceptor = TlsAcceptor::from(Arc::new(config));
        }
        let Ok(stream) = acceptor.accept(stream).await else { return };
        begin(Box::new(stream), service, &context, stopped).await;
    } else {
        begin(Box::new(stream), service, &context, stopped).await;
    }
}

/// Looks at the first request where `wire` may be meant for it, then serves.
async fn begin(stream: Stream, service: OnLine<Router>, context: &Context, mut stopped: watch::Receiver<bool>) {
    if !context.faults.is_on("wire") {
        return serve(stream, service, context, stopped, true).await;
    }
    let begun = tokio::select! {
        _ = stopped.changed() => return,
        begun = wire::intercept(stream, context, service.line.number) => begun,
    };
    if let Some(stream) = begun {
        // One request each, so that none passes unseen.
        serve(Box::new(stream), service, context, stopped, false).await;
    }
}

async fn serve(
    stream: Stream,
    service: OnLine<Router>,
    context: &Context,
    mut stopped: watch::Receiver<bool>,
    keeps_alive: bool,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().keep_alive(keeps_alive);
    if let Some(most) = context.faults.number("max-streams").and_then(|most| u32::try_from(most).ok()) {
        builder.http2().max_concurrent_streams(most);
    }
    let line = Arc::clone(&service.line);
    let mut served = std::pin::pin!(builder.serve_connection_with_upgrades(
        TokioIo::new(Mutable { stream, line: Arc::clone(&line) }),
        TowerToHyperService::new(service)
    ));
    tokio::select! {
        _ = stopped.changed() => return,
        _ = &mut served => return,
        () = line.ends.notified() => served.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = stopped.changed() => {}
        _ = served => {}
    }
}

/// Writes each request into the log.
async fn record(State(context): State<Context>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let line = parts.extensions.get::<Arc<Line>>().cloned().unwrap_or_default();
    let at_once = line.unanswered.fetch_add(1, Ordering::SeqCst) + 1;
    let _unanswered = Unanswered(Arc::clone(&line));
    let after = context.log.requests();
    let so_many = line.requests.fetch_add(1, Ordering::SeqCst) as u64 + 1;
    if context.faults.number("goaway").is_some_and(|most| so_many >= most) {
        line.ends.notify_one();
    }
    if context.faults.number("mute").is_some_and(|most| so_many >= most) {
        line.is_mute.store(true, Ordering::SeqCst);
    }
    let Ok(bytes) = to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let mut entry = Entry {
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: String::from_utf8_lossy(&bytes).into_owned(),
        status: 0,
        version: format!("{:?}", parts.version),
        connection: line.number,
        at_once,
        after,
    };
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    entry.status = response.status().as_u16();
    context.log.push(entry);
    response
}

/// A request that is unanswered for as long as this lives.
struct Unanswered(Arc<Line>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.unanswered.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Injects the faults that any HTTP server can have. PATH is a part of `METHOD /path`, so that a fault may be meant for
/// reading or for writing alone.
///
/// | fault | what happens |
/// | --- | --- |
/// | `http-status=503[@PATH][*N]` | that status with an HTML page, optionally only for requests whose `METHOD /path` contains PATH |
/// | `retry-after=S` | the header `Retry-After: S` on answers of `http-status` |
/// | `rate-limit=N/S[@PATH]` | what is more than N requests in a second, and all that comes in the S seconds after it, is answered 429 with `Retry-After: S` |
/// | `slow=MS[@PATH]` | each answer is held back by that many milliseconds; `PATH\|PATH` is either of them |
/// | `not-json[=PATH]` | 200 with an HTML page |
/// | `empty[=PATH]` | 200 with an empty body |
/// | `body=TEXT` | 200 with that text as `application/json` |
/// | `bare-status=503[@PATH][*N]` | that status with an empty body |
/// | `redirect=URL[@PATH]` | 302 to that URL |
/// | `mangle=KIND[@PATH][*N]` | the answer is changed after the work was done: `html` and `null` stand in its place, `nothing` does; `types` exchanges texts, numbers and booleans, `numbers` makes each 1e400, `deep` puts 5,000 lists into each other in the place of each text, `utf8` bytes that are no text, and `control` adds terminal sequences and bidirectional characters to what people write |
/// | `wire=KIND[@PATH][*N]` | HTTP/1.1, where a request meets `header-drip`, `body-drip` (a byte each 40 ms), `endless`, `header-flood`, `cut` (a body that ends early), `too-much` (more than its Content-Length), `bad-length`, `bad-chunk`, `garbage`, `silent` or `hangup`; others are answered, one for each connection |
/// | `endless` | 200 with a body that does not end |
/// | `reset` | the connection is reset after the accept |
/// | `silent` | the connection is accepted and never answered |
/// | `http1` | new connections speak HTTP/1.1 only |
/// | `max-streams=N` | new HTTP/2 connections take N requests at once |
/// | `refuse-stream[=PATH][*N]` | a request over HTTP/2 is given back with `REFUSED_STREAM`, as one that nobody looked at; the log has it with status 0 |
/// | `mute=K` | a connection stays open after its K-th request, and nothing more comes or goes by it |
/// | `goaway=K` | a connection is closed in good order after its K-th request: what has come is answered |
async fn inject(State(context): State<Context>, request: Request, next: Next) -> Response {
    let uri = request.uri();
    let asked = uri.path_and_query().map_or_else(|| uri.path(), |asked| asked.as_str());
    let path = format!("{} {asked}", request.method());
    let faults = &context.faults;
    if let Some(refusal) = rate_limited(&context, &path) {
        return refusal;
    }
    if let Some((arg, pattern)) = faults.arg("slow").as_deref().map(split_at_path)
        && pattern.split('|').any(|part| path.contains(part))
        && let Ok(millis) = arg.parse()
    {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    if let Some(written) = faults.arg("http-status") {
        let (status, pattern) = split_at_path(&written);
        if path.contains(pattern) && faults.take("http-status").is_some() {
            let status = status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
            return page(status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE), faults.arg("retry-after").as_deref());
        }
    }
    if let Some(status) = taken_at(faults, "bare-status", &path) {
        let status = status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
        return status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE).into_response();
    }
    if let Some(target) = taken_at(faults, "redirect", &path) {
        return (StatusCode::FOUND, [(header::LOCATION, target)]).into_response();
    }
    if faults.arg("not-json").is_some_and(|pattern| path.contains(&pattern)) && faults.take("not-json").is_some() {
        return page(StatusCode::OK, None);
    }
    if faults.arg("empty").is_some_and(|pattern| path.contains(&pattern)) && faults.take("empty").is_some() {
        return StatusCode::OK.into_response();
    }
    if let Some(text) = faults.take("body") {
        return ([(header::CONTENT_TYPE, "application/json")], text).into_response();
    }
    if faults.is_on("endless") {
        let chunk = Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b' '; 4096]));
        return Body::from_stream(futures_util::stream::repeat(chunk)).into_response();
    }
    match taken_at(faults, "mangle", &path) {
        Some(kind) => wire::mangled(next.run(request).await, &kind).await,
        None => next.run(request).await,
    }
}

/// Uses a fault `NAME=ARG[@PATH]` once where the path holds PATH, and gives its argument.
fn taken_at(faults: &Faults, name: &str, path: &str) -> Option<String> {
    let written = faults.arg(name)?;
    let (arg, pattern) = split_at_path(&written);
    (path.contains(pattern) && faults.take(name).is_some()).then(|| arg.to_owned())
}

/// Refuses what is too much for `rate-limit`.
fn rate_limited(context: &Context, path: &str) -> Option<Response> {
    let written = context.faults.arg("rate-limit")?;
    let (rate, pattern) = split_at_path(&written);
    // A number alone is a vendor's own limit.
    let (most, seconds) = rate.split_once('/').filter(|_| path.contains(pattern))?;
    let (most, block) = (most.parse().ok()?, Duration::from_secs(seconds.parse().ok()?));
    let mut pace = context.log.pace.lock().unwrap_or_else(PoisonError::into_inner);
    (!pace.takes(most, block)).then(|| page(StatusCode::TOO_MANY_REQUESTS, Some(seconds)))
}

/// Splits `ARG@PATH`; without a path it is meant for all.
pub(super) fn split_at_path(arg: &str) -> (&str, &str) {
    arg.split_once('@').unwrap_or((arg, ""))
}

fn page(status: StatusCode, retry_after: Option<&str>) -> Response {
    let body = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n");
    let mut response = (status, [(header::CONTENT_TYPE, "text/html")], body).into_response();
    if let Some(value) = retry_after.and_then(|seconds| HeaderValue::from_str(seconds).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

/// The control endpoint: `/__simulate/requests` and `/__simulate/faults`, for those who drive a simulator from outside.
fn control(context: Context) -> Router {
    Router::new()
        .route("/__simulate/requests", get(requests).delete(forget))
        .route("/__simulate/faults", get(list_faults).delete(clear_faults))
        .route("/__simulate/faults/{written}", axum::routing::put(set_fault).delete(clear_fault))
        .with_state(context)
}

async fn requests(State(context): State<Context>) -> Response {
    axum::Json(serde_json::json!({
        "requests": context.log.requests(),
        "connections": context.log.connections(),
        "entries": context.log.entries(),
    }))
    .into_response()
}

async fn forget(State(context): State<Context>) -> StatusCode {
    context.log.clear();
    StatusCode::NO_CONTENT
}

async fn list_faults(State(context): State<Context>) -> Response {
    axum::Json(context.faults.list()).into_response()
}

async fn clear_faults(State(context): State<Context>) -> StatusCode {
    context.faults.clear_all();
    StatusCode::NO_CONTENT
}

async fn set_fault(State(context): State<Context>, Path(written): Path<String>) -> Response {
    match context.faults.try_set(&written) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(message) => (StatusCode::NOT_FOUND, message).into_response(),
    }
}

async fn clear_fault(State(context): State<Context>, Path(name): Path<String>) -> StatusCode {
    context.faults.clear(&name);
    StatusCode::NO_CONTENT
}
