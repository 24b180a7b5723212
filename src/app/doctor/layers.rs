//! The layers of one backend.

use std::net::SocketAddr;
use std::time::Instant;

use jiff::Timestamp;

use super::{Asked, Teller};
use crate::app::{Open, Patience};
use crate::backend::{Finding, Probe, Server};
use crate::config::{self, Origin};
use crate::error::{Code, Error, Result};
use crate::http::Transport;
use crate::http::certificate::Certificate;
use crate::http::tls::is_local;
use crate::model::document::DoctorLayer;

/// How many days before its end a certificate is worth a word.
const SOON: i64 = 14;
/// How far clocks may differ, in seconds: tokens are renewed a minute before they end, and certificates begin at once.
const SKEW: u64 = 60;

/// What is behind the configuration, where the vendor can't be asked what it has.
const BEHIND: [DoctorLayer; 7] = [
    DoctorLayer::Dns,
    DoctorLayer::Tcp,
    DoctorLayer::Tls,
    DoctorLayer::Version,
    DoctorLayer::Login,
    DoctorLayer::Rights,
    DoctorLayer::Vpn,
];

/// Looks at a backend, from its configuration to its VPN.
pub(super) async fn look(asked: &Asked<'_>, name: &str, teller: &mut Teller<'_>) {
    let settings = &asked.setup.config.backends[name];
    let opened = settings.secrets_at_hand().await.and_then(|unasked| {
        let open = asked.setup.open(settings, Patience::Read)?;
        Ok((unasked, open))
    });
    let (unasked, open) = match opened {
        Ok(opened) => opened,
        Err(error) if settings.origin == Origin::BuiltIn && !asked.named => {
            let mut finding = Finding::unknown(format!("built in, and not set up: {error}"));
            finding.remedy = error.hint_text().map(str::to_owned);
            return teller.tell(DoctorLayer::Config, finding);
        }
        Err(error) => {
            teller.tell(DoctorLayer::Config, Finding::wrong(error));
            return BEHIND.iter().for_each(|layer| teller.tell(*layer, unreached(DoctorLayer::Config)));
        }
    };
    teller.tell(DoctorLayer::Config, configuration(settings, &open, &unasked));
    let Some(probe) = open.backend.probe() else { return };
    let looker = Looker { settings, probe, many: are_many(&probe.servers()) };
    looker.servers(teller).await;
}

fn configuration(settings: &config::Backend, open: &Open, unasked: &[&str]) -> Finding {
    let info = open.info();
    let built_in = if settings.origin == Origin::BuiltIn { ", built in" } else { "" };
    let asked = match unasked {
        [] => String::new(),
        keys => format!("; `{}` is asked for when it is needed", keys.join("`, `")),
    };
    Finding::well(format!("{}{built_in}, {}{asked}", info.vendor, info.url))
}

fn are_many(servers: &[Server<'_>]) -> bool {
    servers.windows(2).any(|pair| !std::ptr::eq(pair[0].transport, pair[1].transport))
}

fn unreached(failed: DoctorLayer) -> Finding {
    Finding::unknown(format!("not reached, for `{}` failed", failed.name()))
}

/// Looks at the servers of a backend.
struct Looker<'a> {
    settings: &'a config::Backend,
    probe: &'a dyn Probe,
    /// Whether there are several servers, so that each finding says whose it is.
    many: bool,
}

impl Looker<'_> {
    async fn servers(&self, teller: &mut Teller<'_>) {
        // What failed on the way to each server; what stands on another one goes on.
        let mut reached: Vec<(&Transport, Option<DoctorLayer>)> = Vec::new();
        for Server { transport, layers } in self.probe.servers() {
            let known = reached.iter().position(|(known, _)| std::ptr::eq(*known, transport));
            let place = match known {
                Some(place) => place,
                None => {
                    reached.push((transport, self.network(transport, teller).await));
                    reached.len() - 1
                }
            };
            for layer in layers {
                reached[place].1 = self.layer(transport, *layer, reached[place].1, teller).await;
            }
        }
    }

    /// Tells a layer of a server.
    fn tell(&self, transport: &Transport, layer: DoctorLayer, mut finding: Finding, teller: &mut Teller<'_>) {
        // An error names its server by itself.
        if self.many && finding.error.is_none() {
            finding.text = format!("{}: {}", transport.settings().peer, finding.text);
        }
        teller.tell(layer, finding);
    }

    /// Looks at a layer above TLS, and gives what has failed so far.
    async fn layer(
        &self,
        transport: &Transport,
        layer: DoctorLayer,
        failed: Option<DoctorLayer>,
        teller: &mut Teller<'_>,
    ) -> Option<DoctorLayer> {
        if let Some(failed) = failed {
            self.tell(transport, layer, unreached(failed), teller);
            return Some(failed);
        }
        match self.probe.look(layer).await {
            Ok(finding) => {
                let clock = finding.date.map(clock);
                self.tell(transport, layer, self.lenient(layer, finding), teller);
                if let Some(clock) = clock {
                    self.tell(transport, DoctorLayer::Clock, clock, teller);
                }
                None
            }
            Err(error) => {
                self.tell(transport, layer, Finding::wrong(error), teller);
                Some(layer)
            }
        }
    }

    /// Lets a right be missing that nothing asked of this backend needs.
    fn lenient(&self, layer: DoctorLayer, finding: Finding) -> Finding {
        let forbidden = finding.error.as_ref().is_some_and(|error| error.code() == Code::AuthForbidden);
        if layer == DoctorLayer::Rights && forbidden && self.settings.is_on("read_only") {
            return Finding::well(format!("{}; the backend is read-only, so that will do", finding.text));
        }
        finding
    }

    /// Looks at what lies below HTTP, and gives what has failed.
    async fn network(&self, transport: &Transport, teller: &mut Teller<'_>) -> Option<DoctorLayer> {
        let (layer, addresses) = (DoctorLayer::Dns, name(transport).await);
        let addresses = match self.told(transport, layer, addresses, teller) {
            Ok(addresses) => addresses,
            Err(failed) => return Some(self.behind(transport, failed, &[DoctorLayer::Tcp, DoctorLayer::Tls], teller)),
        };
        let (layer, reached) = (DoctorLayer::Tcp, connection(transport, &addresses).await);
        if let Err(failed) = self.told(transport, layer, reached, teller) {
            return Some(self.behind(transport, failed, &[DoctorLayer::Tls], teller));
        }
        let (layer, secured) = (DoctorLayer::Tls, handshake(transport, &addresses).await);
        self.told(transport, layer, secured, teller).err()
    }

    fn told<T>(
        &self,
        transport: &Transport,
        layer: DoctorLayer,
        found: Result<(T, Finding)>,
        teller: &mut Teller<'_>,
    ) -> Result<T, DoctorLayer> {
        let (finding, found) = match found {
            Ok((found, finding)) => (finding, Ok(found)),
            Err(error) => (Finding::wrong(error), Err(layer)),
        };
        self.tell(transport, layer, finding, teller);
        found
    }

    fn behind(
        &self,
        transport: &Transport,
        failed: DoctorLayer,
        layers: &[DoctorLayer],
        teller: &mut Teller<'_>,
    ) -> DoctorLayer {
        layers.iter().for_each(|layer| self.tell(transport, *layer, unreached(failed), teller));
        failed
    }
}

async fn name(transport: &Transport) -> Result<(Vec<SocketAddr>, Finding)> {
    let started = Instant::now();
    let (host, _) = transport.endpoint();
    let addresses = transport.resolve().await?;
    let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    let proxy = if transport.proxy().is_some() { "the proxy " } else { "" };
    let text = if shown.first() == Some(&host) {
        format!("{proxy}{host} is an address")
    } else {
        format!("{proxy}{host} is {} ({} ms)", shown.join(", "), started.elapsed().as_millis())
    };
    Ok((addresses, Finding::well(text).naming([host])))
}

async fn connection(transport: &Transport, addresses: &[SocketAddr]) -> Result<((), Finding)> {
    let started = Instant::now();
    let address = transport.reach(addresses).await?;
    Ok(((), Finding::well(format!("{address} takes connections ({} ms)", started.elapsed().as_millis()))))
}

async fn handshake(transport: &Transport, addresses: &[SocketAddr]) -> Result<((), Finding)> {
    if transport.proxy().is_some() {
        let text = "not looked at, for requests go through the proxy; what fails there is told by the next layer";
        return Ok(((), Finding::unknown(text)));
    }
    if !transport.is_secure() {
        return Ok(((), plain(transport)));
    }
    let secured = match transport.secure(addresses).await {
        Ok(secured) => secured,
        Err(error) => return Err(shown(transport, error).await),
    };
    let text = format!("{}, {}, {}", secured.version, secured.trusted_by, described(&secured.certificate));
    let names = secured.certificate.subject.into_iter().chain(secured.certificate.issuer);
    let finding = Finding::well(text).naming(names);
    Ok((
        (),
        match secured.certificate.not_after.map(days_left) {
            Some(days) if days < SOON => finding.remedy("have the certificate renewed soon"),
            _ => finding,
        },
    ))
}

/// Says what plain http means: nothing on this computer, and elsewhere that whoever listens reads all of it.
fn plain(transport: &Transport) -> Finding {
    if is_local(&transport.settings().url) {
        return Finding::well("plain http, on this computer");
    }
    Finding::unknown("plain http: whoever is on the way can read and change everything")
        .remedy("write https:// in `url` of the backend")
}

/// Adds to a handshake that failed which certificate the server shows.
async fn shown(transport: &Transport, error: Error) -> Error {
    if !matches!(error.code(), Code::NetTlsUntrusted | Code::NetTlsPinChanged) {
        return error;
    }
    match transport.certificate().await {
        Ok(seen) => {
            let hint = error.hint_text().unwrap_or_default().to_owned();
            error.explained(&format!("it is {}", described(&seen)), hint)
        }
        Err(_) => error,
    }
}

/// Says whose a certificate is, who has signed it, and until when it holds.
fn described(seen: &Certificate) -> String {
    let subject = seen.subject.as_deref().unwrap_or("nobody's");
    let issuer = match &seen.issuer {
        Some(issuer) if Some(issuer) == seen.subject.as_ref() => "signed by itself".to_owned(),
        Some(issuer) => format!("signed by {issuer}"),
        None => "signed by nobody that it names".to_owned(),
    };
    let until = match seen.not_after {
        Some(at) if days_left(at) < 0 => format!("ended {at}"),
        Some(at) => format!("until {at} ({} days)", days_left(at)),
        None => "without an end that can be read".to_owned(),
    };
    format!("{subject}, {issuer}, {until}")
}

fn days_left(at: Timestamp) -> i64 {
    (at.as_second() - Timestamp::now().as_second()).div_euclid(86_400)
}

fn clock(server: Timestamp) -> Finding {
    let apart = Timestamp::now().as_second() - server.as_second();
    if apart.unsigned_abs() <= SKEW {
        return Finding::well("this computer's clock and the server's agree");
    }
    let way = if apart > 0 { "ahead of" } else { "behind" };
    let what = format!("this computer's clock is {} s {way} the server's", apart.unsigned_abs());
    Finding::wrong(
        Error::config(what).hint("set this computer's clock, by NTP if it can be; else look at the server's"),
    )
}
