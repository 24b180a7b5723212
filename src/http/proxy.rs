//! The proxy that the environment names, found as the HTTP client finds it.

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use super::{Settings, tls};
use crate::error::{Code, Error, Layer};

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
    Error::new(Code::NetReset, Layer::Http, format!("{peer} wants another login than it was given (407)"))
        .hint("write its user and password into the variable that names it: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT")
}
