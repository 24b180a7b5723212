//! Probes: whether something behind a VPN answers.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use super::tls::{self, Trust};
use crate::error::{Error, Result};

/// How long something is given to answer at most.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Something that answers where a VPN is of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A port that takes a connection.
    Tcp(String, u16),
    /// A URL that answers a GET with a status below 400, at once or after redirects.
    Http(Url),
    /// A name that has an address.
    Dns(String),
}

impl Probe {
    /// Reads `tcp:HOST:PORT`, `http(s)://…` or `dns:NAME`.
    ///
    /// # Errors
    /// Fails with what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("is no probe: `{text}` (write tcp:HOST:PORT, https://HOST/PATH or dns:NAME)");
        if let Some(rest) = text.strip_prefix("tcp:") {
            let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
            let host = host.trim_matches(['[', ']']);
            let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
            return if host.is_empty() { Err(wrong()) } else { Ok(Self::Tcp(host.to_owned(), port)) };
        }
        if let Some(name) = text.strip_prefix("dns:") {
            return if name.is_empty() { Err(wrong()) } else { Ok(Self::Dns(name.to_owned())) };
        }
        match Url::parse(text) {
            // No flag takes a secret: other users of the computer see the arguments of a command.
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Err("is a URL with credentials, and no flag takes a secret; probe a page that needs none".to_owned())
            }
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Self::Http(url)),
            _ => Err(wrong()),
        }
    }

    /// Asks once, for as long as it may take.
    ///
    /// # Errors
    /// Fails with why there was no answer, as text for people.
    pub async fn ask(&self, within: Duration) -> Result<(), String> {
        let asked = async {
            match self {
                Self::Tcp(host, port) => {
                    TcpStream::connect((host.as_str(), *port)).await.map(|_| ()).map_err(|error| error.to_string())
                }
                Self::Dns(name) => resolve(name).await,
                Self::Http(url) => get(url).await,
            }
        };
        match timeout(within, asked).await {
            Ok(answered) => answered,
            Err(_) => Err(format!("no answer within {:.1} s", within.as_secs_f64())),
        }
    }
}

impl std::fmt::Display for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(host, port) => write!(f, "tcp:{host}:{port}"),
            Self::Http(url) => write!(f, "{url}"),
            Self::Dns(name) => write!(f, "dns:{name}"),
        }
    }
}

async fn resolve(name: &str) -> Result<(), String> {
    let mut found = tokio::net::lookup_host((name, 0)).await.map_err(|error| error.to_string())?;
    found.next().map(|_| ()).ok_or_else(|| "no address".to_owned())
}

async fn get(url: &Url) -> Result<(), String> {
    let told = |error: Error| error.message().to_owned();
    let config = tls::client_config(&Trust::default(), url.scheme() == "https").map_err(told)?;
    let client = reqwest::Client::builder().tls_backend_preconfigured(config).build().map_err(|e| cause(&e))?;
    let answer = client.get(url.clone()).send().await.map_err(|error| cause(&error))?;
    if answer.status().as_u16() < 400 { Ok(()) } else { Err(format!("it answers {}", answer.status())) }
}

/// Gives the innermost reason; what stands around it names the URL again.
fn cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::Probe;

    #[test]
    fn probes_are_read_in_their_forms() {
        assert_eq!(Probe::parse("tcp:10.0.0.1:22"), Ok(Probe::Tcp("10.0.0.1".to_owned(), 22)));
        assert_eq!(Probe::parse("tcp:[fd00::1]:443"), Ok(Probe::Tcp("fd00::1".to_owned(), 443)));
        assert_eq!(Probe::parse("dns:nas.lan"), Ok(Probe::Dns("nas.lan".to_owned())));
        assert!(matches!(Probe::parse("https://nas.lan/health"), Ok(Probe::Http(_))));
        for wrong in ["", "tcp:", "tcp:host", "tcp:host:0", "tcp::1", "tcp:host:70000", "dns:", "ftp://x", "nas.lan"] {
            assert!(Probe::parse(wrong).is_err(), "{wrong}");
        }
        for secret in ["http://me:canary@nas.lan/", "https://canary@nas.lan/", "http://:canary@nas.lan/"] {
            let told = Probe::parse(secret).expect_err("no flag takes a secret");
            assert!(told.contains("credentials") && !told.contains("canary"), "{told}");
        }
    }
}
