//! What lies below HTTP, one layer after the other: the name, the connection, the handshake. For who looks for the one
//! that fails; what is sent is a TLS handshake and nothing more.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Url;

use super::certificate::Certificate;
use super::{Call, Settings, Transport, dial, failure, proxy, tls};
use crate::error::{Code, Error, Layer, Result};

/// A handshake that went well.
#[derive(Debug, Clone)]
pub struct Secured {
    /// What the server showed.
    pub certificate: Certificate,
    /// The version of TLS, such as `TLS 1.3`.
    pub version: &'static str,
    /// What made it trusted.
    pub trusted_by: &'static str,
}

impl Transport {
    /// Tells the proxy that its requests go through, as `host:port`; what the environment names, and never for this
    /// computer itself.
    #[must_use]
    pub fn proxy(&self) -> Option<String> {
        proxy::of(&self.settings.url)
    }

    /// Tells whether it speaks TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.settings.url.scheme() == "https"
    }

    /// Gives the host that is connected to, and its port: the server's own, or that of the proxy.
    #[must_use]
    pub fn endpoint(&self) -> (String, u16) {
        let proxy = self.proxy().and_then(|place| Url::parse(&format!("http://{place}")).ok());
        let url = proxy.as_ref().unwrap_or(&self.settings.url);
        let own = self.settings.connect_address.as_deref().filter(|_| proxy.is_none());
        let host = own.or(url.host_str()).unwrap_or_default().trim_matches(['[', ']']);
        (host.to_owned(), url.port_or_known_default().unwrap_or(0))
    }

    /// Resolves the name of the server, or of the proxy before it; an address needs nobody to be asked.
    ///
    /// # Errors
    /// Fails with `net.dns`, with `net.timeout` where the resolver does not answer.
    pub async fn resolve(&self) -> Result<Vec<SocketAddr>> {
        if let Some(error) = proxy::malformed(&self.settings.url) {
            return Err(self.told(error));
        }
        let (host, port) = self.endpoint();
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let found = self.bounded(Layer::Dns, failure::look_up(&host, port)).await?;
        found.map_err(|error| self.told(self.on_the_way(|settings| dial::broken(settings, &error))))
    }

    /// Connects to the first address that takes it, and closes the connection.
    ///
    /// # Errors
    /// Fails with what the last address did.
    pub async fn reach(&self, addresses: &[SocketAddr]) -> Result<SocketAddr> {
        self.connected(addresses).await.map(|(address, _)| address)
    }

    async fn connected(&self, addresses: &[SocketAddr]) -> Result<(SocketAddr, TcpStream)> {
        let say = |fault: Option<&io::Error>| match fault {
            Some(error) => self.on_the_way(|settings| dial::broken(settings, error)),
            None => self.unconnected(Layer::Tcp),
        };
        let tried = dial::first(addresses, self.settings.connecting(), say);
        self.bounded(Layer::Tcp, tried).await?.map_err(|error| self.told(error))
    }

    /// Says what went wrong on the way to the server: it is the proxy's, where there is one.
    fn on_the_way(&self, say: impl FnOnce(&Settings) -> Error) -> Error {
        match proxy::settings(&self.settings) {
            Some((settings, variable)) => proxy::blamed(say(&settings), &variable),
            None => say(&self.settings),
        }
    }

    /// Makes the handshake that requests are made with, and ends it.
    ///
    /// # Errors
    /// Fails with `net.tls…` as a request would.
    pub async fn secure(&self, addresses: &[SocketAddr]) -> Result<Secured> {
        let (_, stream) = self.connected(addresses).await?;
        let host = self.settings.tls.server_name.as_deref().or(self.settings.url.host_str()).unwrap_or_default();
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|error| self.told(dial::broken(&self.settings, &error)))?;
        let connector = TlsConnector::from(Arc::new(self.tls()?));
        let mut stream = self
            .bounded(Layer::Tls, connector.connect(name, stream))
            .await?
            .map_err(|error| self.told(dial::broken(&self.settings, &error)))?;
        let state = stream.get_ref().1;
        let shown = state.peer_certificates().and_then(|chain| chain.first()).map(Certificate::of);
        let version = match state.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        };
        // What was to be seen has been seen; how the server takes the farewell does not matter.
        let _ = stream.shutdown().await;
        let certificate = shown.ok_or_else(|| {
            let what = format!("{} shows no certificate", self.settings.peer);
            self.told(Error::new(Code::NetTls, Layer::Tls, what))
        })?;
        Ok(Secured { certificate, version, trusted_by: trusted_by(&self.settings.tls) })
    }

    fn unconnected(&self, layer: Layer) -> Error {
        failure::unconnected(&self.settings, &connection(), layer, proxy::settings(&self.settings))
    }

    /// Waits for something no longer than a connection and the command may take.
    async fn bounded<T>(&self, layer: Layer, work: impl Future<Output = T>) -> Result<T> {
        let deadline = self.deadline();
        let limit = deadline.limit(self.settings.connecting()).ok_or_else(|| self.deadline_passed(&connection()))?;
        match timeout(limit, work).await {
            Ok(done) => Ok(done),
            Err(_) if deadline.has_passed() => Err(self.late(&connection(), layer)),
            Err(_) => Err(self.told(self.unconnected(layer))),
        }
    }
}

/// What is done here, for messages.
fn connection() -> Call {
    Call::get("connection", "")
}

/// Reads the time that a server's clock shows, where it tells one.
#[must_use]
pub fn date(reply: &super::Reply) -> Option<jiff::Timestamp> {
    let text = reply.headers.get(reqwest::header::DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp())
}

/// Says what a certificate is held to.
fn trusted_by(trust: &tls::Trust) -> &'static str {
    match trust {
        tls::Trust { insecure: true, .. } => "not verified (tls.insecure)",
        tls::Trust { pin: Some(_), .. } => "pinned",
        tls::Trust { ca_file: Some(_), .. } => "trusted by tls.ca_file",
        _ => "trusted by this computer",
    }
}
