//! Starts simulated vendors together and writes the configuration that drives them.

use std::io::{Error, ErrorKind, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::everyware::Everyware;
use super::freebox::Freebox;
use super::freebox::beacon::Beacon;
use super::ixon::Ixon;
use super::server::Server;
use super::tls::Identity;
use super::{ConfigPart, Context, faults};

/// The vendors that can be simulated.
pub const VENDORS: [&str; 3] = ["freebox", "ixon", "everyware"];

/// What a demonstration switches on: the box is announced, so that it can be discovered.
///
/// Not where the firewall may ask the user about a port, which a demonstration should bother nobody with.
pub const DEMONSTRATED: &[&str] = if cfg!(target_os = "linux") { &["freebox:mdns"] } else { &[] };

/// Says what to simulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// The vendors, of [`VENDORS`]; empty means all.
    pub vendors: Vec<String>,
    /// Devices (Everyware) and agents (IXON) of the world; `None` is the vendor's small default.
    pub devices: Option<usize>,
    /// Faults in their written form, switched on in every vendor; `VENDOR:NAME` switches one on in one vendor only.
    pub faults: Vec<String>,
    /// The first of five consecutive ports (Freebox, IXON client, IXON cloud, Everyware, Freebox by HTTPS); `None`
    /// takes free ones.
    pub port_base: Option<u16>,
    /// How long one step of a slow operation takes.
    pub pace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            vendors: Vec::new(),
            devices: None,
            faults: Vec::new(),
            port_base: None,
            pace: Duration::from_millis(700),
        }
    }
}

/// A simulated vendor that runs.
#[derive(Debug)]
pub struct Running {
    /// The vendor, of [`VENDORS`].
    pub vendor: &'static str,
    /// The URL of each of its servers, by what it serves.
    pub urls: Vec<(&'static str, String)>,
    /// Its faults and its log.
    pub context: Context,
    config: ConfigPart,
    ca_pem: String,
    _servers: Vec<Server>,
    _beacon: Option<Beacon>,
}

impl Running {
    /// Gives the certificate, in PEM, of the CA that its TLS servers are to be verified with.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Gives one of its URLs by what it serves.
    #[must_use]
    pub fn url(&self, what: &str) -> Option<&str> {
        self.urls.iter().find(|(name, _)| *name == what).map(|(_, url)| url.as_str())
    }
}

/// The simulated vendors that run; they stop when this is dropped.
#[derive(Debug)]
pub struct World {
    /// One entry for each vendor that was asked for.
    pub running: Vec<Running>,
    identity: Identity,
}

impl World {
    /// Starts the vendors that `options` names.
    ///
    /// # Errors
    /// Fails where a port is taken, the system gives no randomness or a fault is unknown to every vendor.
    pub async fn start(options: &Options) -> std::io::Result<Self> {
        // A vendor that was not asked for may own a fault: who tests all alike names faults of all.
        check_faults(&[], &options.faults).map_err(|e| Error::new(ErrorKind::InvalidInput, e))?;
        let identity = Identity::generate().map_err(Error::other)?;
        let mut running = Vec::new();
        for (index, vendor) in VENDORS.into_iter().enumerate().filter(|(_, vendor)| is_wanted(&options.vendors, vendor))
        {
            let context = Context::new(faults_of(vendor), options.pace, options.devices);
            for written in &options.faults {
                let (owner, fault) = owner_of(written);
                if owner.is_none_or(|owner| owner == vendor) {
                    // A fault that is meant for all is left out by those who do not know it.
                    let _ = context.faults.try_set(fault);
                }
            }
            let port = |offset: u16| options.port_base.map_or(0, |base| base.saturating_add(offset));
            running.push(match index {
                0 => start_freebox(context, port(0), port(4)).await?,
                1 => start_ixon(context, port(1), port(2), &identity).await?,
                _ => start_everyware(context, port(3), &identity).await?,
            });
        }
        Ok(Self { running, identity })
    }

    /// Gives the running simulation of one vendor.
    #[must_use]
    pub fn vendor(&self, vendor: &str) -> Option<&Running> {
        self.running.iter().find(|running| running.vendor == vendor)
    }

    /// Gives the CA's certificate in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.identity.ca_pem()
    }

    /// Writes a configuration that drives this world, one backend per vendor, named after it.
    ///
    /// Secrets and CAs go into files beside it (`STEM.ca.pem`, `STEM.freebox-ca.pem`, `STEM.NAME`), readable by their
    /// owner only.
    ///
    /// # Errors
    /// Fails where a file can't be written.
    pub fn write_config(&self, path: &Path) -> std::io::Result<()> {
        let path = std::path::absolute(path)?;
        let stem = path.with_extension("");
        let beside = |name: &str| {
            let mut file = stem.clone().into_os_string();
            file.push(format!(".{name}"));
            file.to_string_lossy().into_owned()
        };
        let ca = beside("ca.pem");
        write_private(Path::new(&ca), self.identity.ca_pem())?;
        let mut text = String::from("# Written by `vpnctl simulate`; it is of use while that runs.\n");
        for running in &self.running {
            let mut ca = ca.clone();
            if running.ca_pem != self.identity.ca_pem() {
                ca = beside(&format!("{}-ca.pem", running.vendor));
                write_private(Path::new(&ca), &running.ca_pem)?;
            }
            let mut toml = running.config.toml.replace("{ca}", &quoted(&ca));
            for (name, secret) in &running.config.secrets {
                let file = beside(name);
                write_private(Path::new(&file), secret)?;
                toml = toml.replace(&format!("{{file:{name}}}"), &quoted(&file));
            }
            text.push_str(&format!(
                "\n[backend.{}]\nvendor = \"{}\"\n{}\n",
                running.vendor,
                running.vendor,
                toml.trim_end()
            ));
        }
        write_private(&path, &text)
    }
}

/// Checks faults in their written form before anything is started.
///
/// # Errors
/// Says which fault is known to none of the vendors that it is meant for, and the nearest name.
pub fn check_faults(vendors: &[String], faults: &[String]) -> Result<(), String> {
    for written in faults {
        let (owner, fault) = owner_of(written);
        let meant = VENDORS.into_iter().filter(|vendor| match owner {
            Some(owner) => owner == *vendor,
            None => is_wanted(vendors, vendor),
        });
        let known: Vec<&'static str> = meant.flat_map(faults_of).chain(super::server::FAULTS).copied().collect();
        let name = faults::name_of(fault);
        if !known.contains(&name) {
            return Err(faults::unknown(name, &known));
        }
    }
    Ok(())
}

fn is_wanted(vendors: &[String], vendor: &str) -> bool {
    vendors.is_empty() || vendors.iter().any(|wanted| wanted == vendor)
}

fn faults_of(vendor: &str) -> &'static [&'static str] {
    match vendor {
        "freebox" => super::freebox::FAULTS,
        "ixon" => super::ixon::FAULTS,
        _ => super::everyware::FAULTS,
    }
}

/// Splits `VENDOR:NAME`; a fault without a vendor is meant for all.
fn owner_of(written: &str) -> (Option<&str>, &str) {
    match written.split_once(':').filter(|(owner, _)| VENDORS.contains(owner)) {
        Some((owner, fault)) => (Some(owner), fault),
        None => (None, written),
    }
}

/// Writes a path as the inside of a TOML basic string; a Windows path has backslashes.
fn quoted(path: &str) -> String {
    path.replace('\\', "\\\\").replace('"', "\\\"")
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file is made 0600 and takes the place of whatever stood there with wider rights.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

async fn start_freebox(context: Context, port: u16, https_port: u16) -> std::io::Result<Running> {
    let (listener, secure) = (Server::bind(port).await?, Server::bind(https_port).await?);
    let (port, https_port) = (listener.local_addr()?.port(), secure.local_addr()?.port());
    let url = format!("http://127.0.0.1:{port}");
    let https_url = format!("https://localhost:{https_port}");
    let freebox = Arc::new(Freebox::new(context.clone()));
    let config = freebox.config(&url, &https_url);
    let (tls, ca_pem) = freebox.https(https_port)?;
    let servers = vec![
        Server::start(listener, freebox.router(), &context, None)?,
        Server::start(secure, freebox.router(), &context, Some(tls))?,
    ];
    let is_announced = context.faults.is_on("mdns");
    let beacon = is_announced.then(|| Beacon::light(&context.faults, port, https_port)).flatten();
    Ok(Running {
        vendor: "freebox",
        urls: vec![("api", url), ("https", https_url)],
        context,
        config,
        ca_pem,
        _servers: servers,
        _beacon: beacon,
    })
}

async fn start_ixon(context: Context, port: u16, cloud_port: u16, identity: &Identity) -> std::io::Result<Running> {
    let (local, cloud) = (Server::bind(port).await?, Server::bind(cloud_port).await?);
    let url = format!("https://localhost:{}", local.local_addr()?.port());
    let cloud_url = format!("https://localhost:{}/api", cloud.local_addr()?.port());
    let ixon = Arc::new(Ixon::new(context.clone()));
    let config = ixon.config(&url, &cloud_url);
    let tls = ixon.tls(identity).map_err(Error::other)?;
    let cloud_tls = identity.server_config(&["h2", "http/1.1"]).map_err(Error::other)?;
    let servers = vec![
        Server::start(local, ixon.local_router(&url), &context, Some(tls))?,
        Server::start(cloud, ixon.cloud_router(&cloud_url), &context, Some(cloud_tls))?,
    ];
    Ok(Running {
        vendor: "ixon",
        urls: vec![("client", url), ("cloud", cloud_url)],
        context,
        config,
        ca_pem: identity.ca_pem().to_owned(),
        _servers: servers,
        _beacon: None,
    })
}

async fn start_everyware(context: Context, port: u16, identity: &Identity) -> std::io::Result<Running> {
    let listener = Server::bind(port).await?;
    let url = format!("https://localhost:{}/v1", listener.local_addr()?.port());
    let everyware = Arc::new(Everyware::new(context.clone()));
    let config = everyware.config(&url);
    let tls = identity.server_config(&["h2", "http/1.1"]).map_err(Error::other)?;
    let server = Server::start(listener, everyware.router(), &context, Some(tls))?;
    Ok(Running {
        vendor: "everyware",
        urls: vec![("api", url)],
        context,
        config,
        ca_pem: identity.ca_pem().to_owned(),
        _servers: vec![server],
        _beacon: None,
    })
}
