//! The proxy that the environment names, found as the HTTP client finds it.

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use super::tls;

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
