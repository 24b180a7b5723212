//! Where a call goes.

use std::net::IpAddr;

use url::{Host, Url};

use super::tls::is_local;
use super::{Call, Transport};
use crate::error::{Error, Result};

/// How long an address may be, in bytes; servers take 8,000 (RFC 9110, 4.1) or a little more.
pub const LONGEST: usize = 32 << 10;

impl Transport {
    /// Makes the URL of a call; a path is joined to the backend's URL and never leaves its origin.
    pub(super) fn address(&self, call: &Call) -> Result<Url> {
        let base = &self.settings.url;
        let path = call.path.trim_start_matches('/');
        if path.len() > LONGEST {
            let what = format!("what is asked for takes an address of {} characters ({})", path.len(), call.operation);
            return Err(Error::usage(what).hint("no server takes one as long; use a shorter name or path"));
        }
        let mut url = if call.from_root || !is_plain(path) {
            self.joined(call, path)?
        } else {
            // Nearly always; reading the whole URL again for each device of a fleet costs more.
            let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
            let mut url = base.clone();
            url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
            url.set_query(query);
            url
        };
        if let Some(name) = &self.settings.tls.server_name {
            // The name is verified and sent; the resolver connects to where the configured host is.
            url.set_host(Some(name)).map_err(|_| Error::config(format!("tls.server_name `{name}` is no host name")))?;
        }
        Ok(url)
    }

    fn joined(&self, call: &Call, path: &str) -> Result<Url> {
        let base = &self.settings.url;
        let url = if call.from_root {
            base.join(&format!("/{path}"))
        } else {
            Url::parse(&format!("{}/{path}", base.as_str().trim_end_matches('/')))
        }
        .map_err(|error| Error::usage(format!("`{}` is no path: {error}", call.path)))?;
        if url.origin() == base.origin() {
            return Ok(url);
        }
        Err(Error::usage(format!("`{}` leaves {}", call.path, base.origin().ascii_serialization())))
    }
}

/// Tells whether a URL names this computer or one of the networks beside it, where plain HTTP is usual.
///
/// Near are loopback, the private addresses of RFC 1918 and RFC 4193, and link-local ones. The shared addresses of
/// RFC 6598 (100.64.0.0/10) are not, for they are a carrier's. A name is judged before it is resolved, for a name server
/// could say anything: near are those that no public one has, which are names without a dot, `.local` (RFC 6762),
/// `.home.arpa` (RFC 8375) and `.internal`.
#[must_use]
pub fn is_nearby(url: &Url) -> bool {
    is_local(url)
        || match url.host() {
            Some(Host::Domain(name)) => is_near_name(name.trim_end_matches('.')),
            Some(Host::Ipv4(address)) => is_near(address.into()),
            Some(Host::Ipv6(address)) => is_near(IpAddr::from(address).to_canonical()),
            None => false,
        }
}

fn is_near_name(name: &str) -> bool {
    !name.contains('.') || [".local", ".home.arpa", ".internal"].iter().any(|ending| name.ends_with(ending))
}

fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// Tells whether a path has nothing in it that a URL is read differently for.
fn is_plain(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_~.%/?&=,:".contains(&byte))
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::is_nearby;

    #[test]
    fn near_is_what_no_stranger_listens_to() {
        for (host, near) in [
            ("localhost", true),
            ("127.1", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("10.0.0.1", true),
            ("172.16.0.1", true),
            ("172.31.255.255", true),
            ("192.168.1.254", true),
            ("[::ffff:192.168.1.254]", true),
            ("169.254.1.1", true),
            ("[fd00::1]", true),
            ("[fe80::1]", true),
            ("freebox", true),
            ("freebox.", true),
            ("box.local", true),
            ("box.local.", true),
            ("box.home.arpa", true),
            ("api.internal", true),
            ("0.0.0.0", false),
            ("172.32.0.1", false),
            ("100.64.0.1", false),
            ("212.27.38.253", false),
            ("[2001:db8::1]", false),
            ("mafreebox.freebox.fr", false),
            ("local.example.org", false),
            ("notlocal", true),
            ("evil.notlocal", false),
            ("127.0.0.1.example.org", false),
            ("192.168.1.254.example.org", false),
        ] {
            let url = Url::parse(&format!("http://{host}/")).expect("a URL");
            assert_eq!(is_nearby(&url), near, "{host}");
        }
    }
}
