//! The proxy that the environment names, found as the HTTP client finds it.

use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use url::Url;

use super::dial::Progress;
use super::{Call, Settings, dial, failure, tls};
use crate::error::{Code, Error, Layer};

/// How long a proxy that has refused may take to say so once more.
const PATIENCE: Duration = Duration::from_secs(5);

/// The variables that name a proxy, or what goes past it; each also in lower case.
pub const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"];

/// Gives the proxy that requests to a URL go through, as `host:port`, without credentials.
pub(super) fn of(url: &Url) -> Option<String> {
    if tls::is_local(url) {
        return None;
    }
    let proxy = Matcher::from_env().intercept(&url.as_str().parse().ok()?)?;
    let place = proxy.uri().authority()?;
    let port = place.port_u16().unwrap_or(if proxy.uri().scheme_str() == Some("https") { 443 } else { 80 });
    Some(format!("{}:{port}", place.host()))
}

/// Says that the environment names a proxy that is none, where requests to a URL would go through it: the HTTP client
/// would go without, past what somebody wants everything to go through. What stands there may hold a password.
pub(super) fn malformed(url: &Url) -> Option<Error> {
    if tls::is_local(url) {
        return None;
    }
    let uri = url.as_str().parse().ok()?;
    let first = |name: &'static str| {
        let both = [name.to_owned(), name.to_lowercase()];
        both.into_iter().find_map(|name| std::env::var_os(&name).map(|value| (name, value)))
    };
    let exempt = first(VARIABLES[3]).and_then(|(_, value)| value.into_string().ok()).unwrap_or_default();
    let proxy = |value: &str| Matcher::builder().all(value.to_owned()).no(exempt.clone()).build().intercept(&uri);
    proxy("http://proxy")?;
    let own = if url.scheme() == "https" { VARIABLES[0] } else { VARIABLES[1] };
    let (variable, value) = [own, VARIABLES[2]].into_iter().filter_map(first).find(|(_, value)| !value.is_empty())?;
    let named = value.to_str().and_then(proxy);
    // A port that is none would be left out, and what speaks SOCKS is not spoken to.
    let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
    if named.is_some_and(|proxy| Url::parse(&proxy.uri().to_string()).is_ok_and(|url| is_http(&url))) {
        return None;
    }
    let what = format!("{variable} is no HTTP proxy's address, so nothing is sent; it is written http://HOST:PORT");
    Some(blamed(Error::config(what), &variable))
}

/// Gives the settings of the proxy that requests go through, so that what it does wrong is not told of the server; with
/// the variable that names it.
pub(super) fn settings(settings: &Settings) -> Option<(Settings, String)> {
    let place = of(&settings.url)?;
    let own = if settings.url.scheme() == "https" { VARIABLES[0] } else { VARIABLES[1] };
    let both = [own, VARIABLES[2]].into_iter().flat_map(|name| [name.to_owned(), name.to_lowercase()]);
    let variable = both
        .into_iter()
        .find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
        .unwrap_or_else(|| own.to_owned());
    let proxy = Settings {
        peer: format!("the proxy that {variable} names"),
        url: Url::parse(&format!("http://{place}")).ok()?,
        connect_address: None,
        tls: tls::Trust::default(),
        ..settings.clone()
    };
    Some((proxy, variable))
}

/// Says what to do about an error of the proxy.
pub(super) fn blamed(error: Error, variable: &str) -> Error {
    error.instead(format!("correct {variable}, unset it, or name what needs no proxy in NO_PROXY"))
}

/// Says that a proxy wants a login that it was not given.
pub(super) fn locked(peer: &str) -> Error {
    Error::new(Code::NetRefused, Layer::Http, format!("{peer} wants another login than it was given (407)"))
        .status(407)
        .hint("write its user and password into the variable that names it: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT")
}

/// Asks a proxy that opens no way to the server once more, and says what it answers: the HTTP client keeps to itself with
/// which status it refused. `None` where it is not asked again, or does not refuse this time.
pub(super) async fn refusal(settings: &Settings) -> Option<Error> {
    let (proxy, variable) = self::settings(settings)?;
    let matched = Matcher::from_env().intercept(&settings.url.as_str().parse().ok()?)?;
    if matched.uri().scheme_str() == Some("https") {
        return None;
    }
    let server = format!("{}:{}", settings.url.host_str()?, settings.url.port_or_known_default()?);
    let asked = async {
        let call = Call::get("CONNECT", "");
        let mut stream = dial::connected(&proxy, &call, &Progress::default()).await.ok()?;
        let mut head = format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n").into_bytes();
        if let Some(login) = matched.basic_auth() {
            head.extend_from_slice(&[b"Proxy-Authorization: ", login.as_bytes(), b"\r\n"].concat());
        }
        head.extend_from_slice(b"\r\n");
        stream.write_all(&head).await.ok()?;
        let mut line = [0; 12];
        stream.read_exact(&mut line).await.ok()?;
        std::str::from_utf8(line.strip_prefix(b"HTTP/1.")?.get(2..)?).ok()?.parse::<u16>().ok()
    };
    let status = timeout(PATIENCE, asked).await.ok()??;
    let (peer, place) = (&proxy.peer, failure::place(&proxy));
    let what = format!("{peer} at {place} does not open the way to {server} ({status})");
    let error = Error::new(Code::NetRefused, Layer::Http, what).status(status);
    match status {
        200..=299 => None,
        // It will say the same again.
        300..=407 | 409..=428 | 430..=499 => Some(blamed(error, &variable)),
        _ => {
            let hint =
                format!("see whether {server} can be reached from there, correct {variable}, or name it in NO_PROXY");
            Some(error.temporary().hint(hint))
        }
    }
}
