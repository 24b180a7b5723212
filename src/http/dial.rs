//! Connections that are no requests: for a WebSocket, or a look at a certificate.

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::client::CONNECT_TIMEOUT;
use super::{Settings, failure};
use crate::error::{Code, Error, Layer, Result};

/// Connects to the first address that takes it: `localhost` is often two, of which a server may listen at one.
pub(super) async fn connected(settings: &Settings) -> Result<TcpStream> {
    let host = settings.connect_address.as_deref().unwrap_or(failure::host(settings));
    let port = settings.url.port_or_known_default().unwrap_or(0);
    let addresses = match timeout(CONNECT_TIMEOUT, failure::look_up(host.trim_matches(['[', ']']), port)).await {
        Ok(found) => found.map_err(|error| broken(settings, &error))?,
        Err(_) => return Err(failure::slow(settings)),
    };
    let share = CONNECT_TIMEOUT / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut last = failure::slow(settings);
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = broken(settings, &error),
            Err(_) => last = failure::slow(settings),
        }
    }
    Err(last)
}

/// Says what broke below HTTP, or that something did.
pub(super) fn broken(settings: &Settings, error: &(dyn std::error::Error + 'static)) -> Error {
    failure::known(settings, error).unwrap_or_else(|| {
        let what = format!("the connection to {} at {} broke: {error}", settings.peer, failure::place(settings));
        Error::new(Code::NetReset, Layer::Tcp, what).temporary().backend(&settings.backend)
    })
}
