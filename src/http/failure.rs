//! Turns what the network and servers do wrong into errors that say so.

use std::error::Error as StdError;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use rustls::pki_types::InvalidDnsNameError;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::LOCATION;

use super::lanes::track;
use super::tls::PinChanged;
use super::{Call, Reply, Settings, dial, proxy, retry_after};
use crate::error::{Code, Error, Layer, Result};
use crate::secrets::Secrets;

/// Resolves names by the system, and sends `tls.server_name` and `connect_address` to where they belong.
pub(super) struct Resolver {
    from: Option<String>,
    to: String,
}

/// Tells that a name could not be resolved.
#[derive(Debug)]
pub(super) struct DnsError(String);

impl std::fmt::Display for DnsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for DnsError {}

impl Resolver {
    pub(super) fn new(settings: &Settings) -> Self {
        let host = host(settings).to_owned();
        let to = settings.connect_address.clone().unwrap_or_else(|| host.clone());
        let from = settings.tls.server_name.clone().or_else(|| settings.connect_address.as_ref().map(|_| host));
        Self { from, to }
    }
}

/// Gives the configured host; of an IPv6 address without its brackets.
pub(super) fn host(settings: &Settings) -> &str {
    settings.url.host_str().unwrap_or_default().trim_matches(['[', ']'])
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let wanted = name.as_str().to_owned();
        let host = if self.from.as_ref() == Some(&wanted) { self.to.clone() } else { wanted };
        Box::pin(async move {
            track::comes_to(dial::NAME);
            let found = look_up(&host, 0).await?;
            track::comes_to(dial::TCP);
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Resolves a name by the system; gives at least one address.
pub(super) async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, DnsError> {
    if host.ends_with(".localhost") {
        // Names for this computer (RFC 6761), which are trusted as such; a name server may say otherwise.
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    let found = tokio::net::lookup_host((host, port)).await;
    let addresses: Vec<SocketAddr> = found.map_err(|error| DnsError(format!("{host}: {error}")))?.collect();
    if addresses.is_empty() { Err(DnsError(format!("{host}: no address"))) } else { Ok(addresses) }
}

/// Finds the first error of a type in a chain; TLS errors hide inside the I/O errors of the stream.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(found) = find::<T>(inner)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// An exchange that brought no answer.
pub(super) struct Broken {
    /// What went wrong.
    pub(super) error: Error,
    /// Whether the server has said that it did not look at the request, so that any may be sent again: it closes the
    /// connection in good order (GOAWAY), or takes no further stream (REFUSED_STREAM).
    pub(super) returned: bool,
    /// Whether no connection came about that it could have been sent by.
    pub(super) unsent: bool,
    /// Whether a proxy refuses to open one, with a status that the HTTP client does not tell.
    pub(super) walled: bool,
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self { error, returned: false, unsent: false, walled: false }
    }
}

impl Broken {
    /// What was not sent, for something below HTTP was not done with.
    pub(super) fn below(layer: Layer, error: Error) -> Self {
        Self { unsent: layer != Layer::Http, ..error.into() }
    }

    pub(super) fn by(settings: &Settings, call: &Call, error: &reqwest::Error) -> Self {
        let returned = find::<h2::Error>(error).is_some_and(|fault| {
            fault.is_remote()
                && (fault.is_go_away() && fault.reason() == Some(h2::Reason::NO_ERROR)
                    || fault.is_reset() && fault.reason() == Some(h2::Reason::REFUSED_STREAM))
        });
        let unsent = error.is_connect();
        let walled = unsent && root(error) == "tunnel error: unsuccessful";
        Self { error: network(settings, call, error), returned, unsent, walled }
    }
}

/// Says what the network did wrong.
pub(super) fn network(settings: &Settings, call: &Call, error: &reqwest::Error) -> Error {
    let peer = &settings.peer;
    let told = if breaks_http(error) {
        let (place, what) = (place(settings), root(error));
        // Whatever answers there will answer so again.
        Error::new(Code::VendorProtocol, Layer::Http, format!("what {peer} at {place} answers is no HTTP: {what}"))
            .hint(
                "check that `url` has the scheme and the port of the vendor's API, and that nothing else answers there",
            )
    } else if let Some(told) = of_proxy(settings, error) {
        told
    } else if let Some(told) = known(settings, error) {
        told
    } else if error.is_timeout() {
        slow(settings)
    } else {
        Error::new(Code::NetReset, Layer::Http, format!("the connection to {peer} broke: {}", root(error))).temporary()
    };
    tracing::trace!(operation = call.operation, "{error:?}");
    told.backend(&settings.backend)
}

/// Tells whether something came that HTTP does not allow, in the head of an answer or behind it: a chunk without a size,
/// trailers without an end, a frame that must not come. That is no connection that broke, and comes again.
fn breaks_http(error: &reqwest::Error) -> bool {
    let in_head = find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse);
    // What TLS has to say comes in the same kind of error, and so does what is wrong with an address.
    let in_body = !error.is_connect()
        && find::<rustls::Error>(error).is_none()
        && find::<io::Error>(error)
            .is_some_and(|io| matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput));
    let in_frames = find::<h2::Error>(error)
        .is_some_and(|fault| fault.is_library() && fault.reason().is_some_and(|why| why != h2::Reason::NO_ERROR));
    in_head || in_body || in_frames
}

/// Says what the proxy did wrong, where no connection came about and it is not the server's certificate.
fn of_proxy(settings: &Settings, error: &reqwest::Error) -> Option<Error> {
    if !error.is_connect() || find::<rustls::Error>(error).is_some() {
        return None;
    }
    let (proxy, variable) = proxy::settings(settings)?;
    let root = root(error);
    if root.contains("proxy authorization required") {
        return Some(proxy::locked(&proxy.peer));
    }
    let told = known(&proxy, error).unwrap_or_else(|| {
        let what = format!("{} at {} lets nothing through: {root}", proxy.peer, place(&proxy));
        Error::new(Code::NetReset, Layer::Tcp, what).temporary()
    });
    Some(proxy::blamed(told, &variable))
}

/// Tells whether a time of ours ran out, and not one of the system's.
pub(super) fn is_own_limit(error: &reqwest::Error) -> bool {
    error.is_timeout() && find::<io::Error>(error).is_none_or(|io| io.raw_os_error().is_none())
}

/// Says that no connection came about in the time that one may take, and what it waited for. `way` is the proxy that it
/// was to go through.
pub(super) fn unconnected(settings: &Settings, call: &Call, layer: Layer, way: Option<(Settings, String)>) -> Error {
    if layer != Layer::Tcp || settings.request_timeout.is_some() {
        return timed_out(settings, call, settings.connecting(), layer, way);
    }
    match way {
        Some((proxy, variable)) => proxy::blamed(slow(&proxy), &variable),
        None => slow(settings),
    }
}

/// Says that no connection came about in time.
fn slow(settings: &Settings) -> Error {
    let (peer, place) = (&settings.peer, place(settings));
    Error::new(Code::NetTimeout, Layer::Tcp, format!("{peer} did not take the connection to {place} in time"))
        .temporary()
        .hint("check that the address is right and that no firewall or VPN is in between")
}

/// Says what went wrong below HTTP, where something in the chain tells.
pub(super) fn known(settings: &Settings, error: &(dyn StdError + 'static)) -> Option<Error> {
    let peer = &settings.peer;
    Some(if find::<InvalidDnsNameError>(error).is_some() {
        let host = settings.tls.server_name.as_deref().or(settings.url.host_str()).unwrap_or("?");
        Error::new(Code::NetDns, Layer::Dns, format!("`{host}` is no host name that {peer} could have"))
            .hint("correct `url` of the backend")
    } else if let Some(dns) = find::<DnsError>(error) {
        unresolved(settings, dns)
    } else if let Some(tls) = find::<rustls::Error>(error) {
        tls_failure(settings, tls)
    } else if let Some(io) = find::<io::Error>(error) {
        io_failure(settings, &place(settings), io)
    } else {
        return None;
    })
}

fn unresolved(settings: &Settings, error: &DnsError) -> Error {
    Error::new(Code::NetDns, Layer::Dns, format!("the name of {} could not be resolved: {error}", settings.peer))
        .temporary()
        .hint("check `url` of the backend and this computer's name servers")
}

fn io_failure(settings: &Settings, place: &str, io: &io::Error) -> Error {
    let peer = &settings.peer;
    match io.kind() {
        io::ErrorKind::ConnectionRefused => {
            let hint = settings.refused_hint.as_deref().unwrap_or("check that it runs and that `url` has its port");
            Error::new(Code::NetRefused, Layer::Tcp, format!("nothing listens at {place}, where {peer} should be"))
                .temporary()
                .hint(hint)
        }
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Error::new(Code::NetTimeout, Layer::Tcp, format!("{peer} at {place} can't be reached: {io}"))
                .temporary()
                .hint("check that the address is right and that no firewall or VPN is in between")
        }
        _ => Error::new(Code::NetReset, Layer::Tcp, format!("the connection to {peer} at {place} broke: {io}"))
            .temporary()
            .hint("try again; where it goes on, something in between closes connections"),
    }
}

fn tls_failure(settings: &Settings, error: &rustls::Error) -> Error {
    let peer = &settings.peer;
    let place = place(settings);
    if let Some(PinChanged { seen, pinned }) = PinChanged::find(error) {
        return Error::new(
            Code::NetTlsPinChanged,
            Layer::Tls,
            format!("the certificate of {peer} at {place} is {seen}, but {pinned} is pinned"),
        )
        .hint(renewed_hint(settings));
    }
    if let rustls::Error::InvalidCertificate(reason) = error {
        let hint = certificate_remedy(settings, reason)
            .or_else(|| settings.untrusted_hint.clone())
            .unwrap_or_else(|| format!("name the CA that signed it with `tls.ca_file`{}", or_pin(settings)));
        return Error::new(
            Code::NetTlsUntrusted,
            Layer::Tls,
            format!("the certificate of {peer} at {place} is not trusted: {}", certificate_fault(reason)),
        )
        .hint(hint);
    }
    let hint = match error {
        // Who refuses a handshake has understood it.
        rustls::Error::AlertReceived(alert) => refused_handshake(*alert),
        _ => "check that `url` names a port that speaks TLS",
    };
    Error::new(Code::NetTls, Layer::Tls, format!("the TLS handshake with {peer} at {place} failed: {error}")).hint(hint)
}

/// Says what to do where a server refuses the handshake, and says so with an alert (RFC 8446, section 6.2).
fn refused_handshake(alert: rustls::AlertDescription) -> &'static str {
    use rustls::AlertDescription as Alert;
    match alert {
        Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity => {
            "let the server speak TLS 1.2 or 1.3 with ciphers of today, for older ones are not spoken"
        }
        Alert::CertificateRequired | Alert::BadCertificate | Alert::UnknownCA | Alert::AccessDenied => {
            "the server wants a certificate of the client, which none of these APIs does: check that `url` is the API's"
        }
        Alert::UnrecognisedName => {
            "the server is not responsible for this name: correct the host of `url`, or set `tls.server_name`"
        }
        _ => "the server refused: look at its log, and check that `url` is that of the vendor's API",
    }
}

/// Says what to do where the certificate is not the pinned one.
fn renewed_hint(settings: &Settings) -> String {
    let backend = &settings.backend;
    if settings.tls.pin_kept {
        format!(
            "find out whether it was renewed; only if so: vpnctl trust rm -b {backend}, then vpnctl trust add -b {backend}"
        )
    } else {
        "if the certificate was renewed on purpose, set `tls.pin` to the new fingerprint".to_owned()
    }
}

/// Names the way to pin a certificate, where there is one.
fn or_pin(settings: &Settings) -> String {
    let backend = &settings.backend;
    if settings.tls.pinnable { format!(", or pin it: vpnctl trust add -b {backend}") } else { String::new() }
}

/// Says what helps where no other CA would.
fn certificate_remedy(settings: &Settings, reason: &rustls::CertificateError) -> Option<String> {
    use rustls::CertificateError as Fault;
    match reason {
        Fault::Expired | Fault::ExpiredContext { .. } => Some(match settings.tls.pinnable {
            true => format!("have it renewed, or pin it: vpnctl trust add -b {}", settings.backend),
            false => "have it renewed".to_owned(),
        }),
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => {
            Some("use the name that it is for in `url`, or say with `tls.server_name` which name to expect".to_owned())
        }
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => Some("set this computer's clock".to_owned()),
        _ => None,
    }
}

/// How many of a certificate's names are told.
const NAMES: usize = 8;

fn certificate_fault(reason: &rustls::CertificateError) -> String {
    use rustls::CertificateError as Fault;
    match reason {
        Fault::UnknownIssuer => "nobody that this computer trusts has signed it".to_owned(),
        Fault::Expired | Fault::ExpiredContext { .. } => "it has expired".to_owned(),
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => {
            "it is not valid yet (is this clock right?)".to_owned()
        }
        Fault::NotValidForNameContext { expected, presented } if !presented.is_empty() => {
            let bare = |name: &String| match name.split_once('(') {
                Some((_, inner)) => inner.trim_matches([')', '"']).to_owned(),
                None => name.clone(),
            };
            let names: Vec<String> = presented.iter().take(NAMES).map(bare).collect();
            let more = if presented.len() > NAMES { ", …" } else { "" };
            format!("it is for another name ({}{more}) than {}", names.join(", "), expected.to_str())
        }
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => "it is for another name".to_owned(),
        Fault::BadEncoding => "it can't be read".to_owned(),
        Fault::Revoked => "it was revoked".to_owned(),
        Fault::UnknownRevocationStatus => "whether it was revoked can't be told".to_owned(),
        Fault::BadSignature => "its signature is wrong".to_owned(),
        Fault::InvalidPurpose | Fault::InvalidPurposeContext { .. } => "it is not made for a server".to_owned(),
        // What the verifier has no word for comes in the words of its code, of which these are met.
        Fault::Other(other) => match other.0.to_string().as_str() {
            "CaUsedAsEndEntity" => "it is an authority's own certificate, not a server's".to_owned(),
            "UnsupportedCertVersion" => "it is of an old version (X.509 v1 or v2)".to_owned(),
            words => format!("the verifier says {words}"),
        },
        other => other.to_string(),
    }
}

pub(super) fn place(settings: &Settings) -> String {
    let host = settings.connect_address.as_deref().or(settings.url.host_str()).unwrap_or("?");
    format!("{host}:{}", settings.url.port_or_known_default().unwrap_or(0))
}

fn root(error: &reqwest::Error) -> String {
    let mut last: &dyn StdError = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// Says that one attempt took too long, and for what: a server that takes a connection and says nothing may speak no TLS.
/// `way` is the proxy that it was to go through.
pub(super) fn timed_out(
    settings: &Settings,
    call: &Call,
    limit: Duration,
    layer: Layer,
    way: Option<(Settings, String)>,
) -> Error {
    let (peer, place) = (&settings.peer, place(settings));
    let proxy = way.filter(|_| matches!(layer, Layer::Dns | Layer::Tcp));
    let within = format!("within {} s ({})", limit.as_secs_f64(), call.operation);
    if let Some((proxy, variable)) = proxy {
        let what = format!("{} at {} did not open the way to {place} {within}", proxy.peer, self::place(&proxy));
        let error = Error::new(Code::TimeoutRequest, layer, what).temporary().backend(&settings.backend);
        return proxy::blamed(error, &variable);
    }
    let (what, hint) = match layer {
        Layer::Dns => (format!("the name of {peer} was not found"), "look at this computer's name servers"),
        Layer::Tcp => (
            format!("{peer} did not take the connection to {place}"),
            "check that the address is right and that no firewall or VPN is in between, or give it more time with \
             --request-timeout",
        ),
        Layer::Tls => (
            format!("{peer} at {place} took the connection and did not finish the TLS handshake"),
            "check that `url` names a port that speaks TLS, and look at the server, or give it more time with \
             --request-timeout",
        ),
        _ => (format!("{peer} did not answer"), "try again, or give it more time with --request-timeout"),
    };
    let what = format!("{what} {within}");
    Error::new(Code::TimeoutRequest, layer, what).temporary().hint(hint).backend(&settings.backend)
}

/// Says what is wrong with a status that neither grants nor refuses.
pub(super) fn no_answer(peer: &str, reply: &Reply, secrets: &Secrets) -> Error {
    let status = reply.status.as_u16();
    if !reply.status.is_redirection() {
        let what = format!("{peer} answered with the status {status}, which answers nothing");
        return Error::new(Code::VendorProtocol, Layer::Http, what)
            .status(status)
            .hint("check that `url` points at the vendor's API");
    }
    let target = reply.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or("nowhere");
    // What stands behind it may be what was sent, such as a token; before the host stand credentials.
    let target = target.split(['?', '#']).next().unwrap_or_default();
    let target = secrets.hide(target.rsplit_once('@').map_or(target, |(_, place)| place));
    let what = format!("{peer} answered with a redirect to {target}, which is not followed");
    Error::new(Code::VendorProtocol, Layer::Http, what)
        .status(status)
        .hint("correct `url` of the backend; a redirect could send credentials to a stranger")
}

/// Says what a status that no vendor's body explains means; `None` for a success.
#[must_use]
pub fn server_failure(peer: &str, reply: &Reply) -> Option<Error> {
    let status = reply.status.as_u16();
    let error = match status {
        407 => proxy::locked(&format!("a proxy before {peer}")),
        408 => Error::new(
            Code::TimeoutRequest,
            Layer::Http,
            format!("{peer}, or a proxy before it, gave up waiting for the request (408)"),
        )
        .temporary()
        .retry_after(retry_after(reply))
        .hint("try again; where it goes on, something in between holds requests up"),
        429 => Error::new(Code::HttpRateLimited, Layer::Http, format!("{peer} asks for fewer requests (429)"))
            .temporary()
            .retry_after(retry_after(reply))
            .hint("wait, and ask less often"),
        500..=599 => Error::new(
            Code::HttpServerError,
            Layer::Http,
            format!("{peer}, or a proxy before it, could not answer ({})", reply.status),
        )
        .temporary()
        .retry_after(retry_after(reply))
        .hint("try again later"),
        200..=299 => return None,
        _ => Error::new(
            Code::VendorProtocol,
            Layer::Http,
            match reply.excerpt() {
                excerpt if excerpt.is_empty() => {
                    format!("{peer} answered {} with nothing that explains it", reply.status)
                }
                excerpt => format!("{peer} answered {} with nothing that explains it: {excerpt}", reply.status),
            },
        )
        .hint("check that `url` points at the vendor's API"),
    };
    Some(error.status(status))
}

/// Says that an answer is not the document that was expected.
#[must_use]
pub fn unparsable(peer: &str, operation: &str, reply: &Reply, fault: &str) -> Error {
    let excerpt = reply.excerpt();
    let what = match excerpt.as_str() {
        _ if reply.body.is_empty() => "an empty answer".to_owned(),
        _ if reply.confidential => format!("{} bytes, not shown, for they may hold a token", reply.body.len()),
        excerpt => format!("`{excerpt}`"),
    };
    Error::new(
        Code::VendorProtocol,
        Layer::Api,
        format!("{peer} did not answer with the document that {operation} needs ({fault}): {what}"),
    )
    .status(reply.status.as_u16())
    .hint("check that `url` points at the vendor's API and that no proxy answers in its place")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{CertificateError, OtherError};

    use super::certificate_fault;

    #[test]
    fn what_is_wrong_with_a_certificate_is_said_in_words() {
        let other = |word: &'static str| {
            let source: Arc<dyn std::error::Error + Send + Sync> = Arc::from(Box::from(word));
            certificate_fault(&CertificateError::Other(OtherError(source)))
        };
        assert_eq!(other("CaUsedAsEndEntity"), "it is an authority's own certificate, not a server's");
        assert!(other("UnsupportedCertVersion").contains("X.509 v1"));
        assert_eq!(other("SomethingNew"), "the verifier says SomethingNew");
        assert_eq!(certificate_fault(&CertificateError::BadSignature), "its signature is wrong");
    }
}
