//! Starts simulated vendors together and writes the configuration that drives them.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::everyware::Everyware;
use super::freebox::Freebox;
use super::ixon::Ixon;
use super::server::Server;
use super::tls::Identity;
use super::{ConfigPart, Context};

/// The vendors that can be simulated.
pub const VENDORS: [&str; 3] = ["freebox", "ixon", "everyware"];

/// Says what to simulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// The vendors, of [`VENDORS`]; empty means all.
    pub vendors: Vec<String>,
    /// Devices (Everyware) and agents (IXON) of the world; `None` is the vendor's small default.
    pub devices: Option<usize>,
    /// Faults in their written form, switched on in every vendor; `VENDOR:NAME` switches one on in one vendor only.
    pub faults: Vec<String>,
    /// The first of four consecutive ports (Freebox, IXON client, IXON cloud, Everyware); `None` takes free ones.
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
    _servers: Vec<Server>,
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
    /// Fails where a port is taken or the system gives no randomness.
    pub async fn start(options: &Options) -> std::io::Result<Self> {
        let identity = Identity::generate().map_err(std::io::Error::other)?;
        let mut running = Vec::new();
        for (index, vendor) in VENDORS.into_iter().enumerate() {
            if !options.vendors.is_empty() && !options.vendors.iter().any(|wanted| wanted == vendor) {
                continue;
            }
            let context = Context::new(options.pace, options.devices);
            for written in &options.faults {
                match written.split_once(':').filter(|(owner, _)| VENDORS.contains(owner)) {
                    Some((owner, fault)) if owner == vendor => context.faults.set(fault),
                    Some(_) => {}
                    None => context.faults.set(written),
                }
            }
            // The IXON simulation takes two ports, so what comes after it moves by one.
            let offset = u16::try_from(index + usize::from(index == 2)).unwrap_or(0);
            let port = options.port_base.map_or(0, |base| base.saturating_add(offset));
            running.push(match vendor {
                "freebox" => start_freebox(context, port).await?,
                "ixon" => start_ixon(context, port, &identity).await?,
                _ => start_everyware(context, port, &identity).await?,
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
    /// Secrets and the CA go into files beside it (`STEM.ca.pem`, `STEM.NAME`), readable by their owner only.
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

async fn start_freebox(context: Context, port: u16) -> std::io::Result<Running> {
    let listener = Server::bind(port).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let freebox = Arc::new(Freebox::new(context.clone()));
    let config = freebox.config(&url);
    let server = Server::start(listener, freebox.router(), &context, None)?;
    Ok(Running { vendor: "freebox", urls: vec![("api", url)], context, config, _servers: vec![server] })
}

async fn start_ixon(context: Context, port: u16, identity: &Identity) -> std::io::Result<Running> {
    let local = Server::bind(port).await?;
    let cloud = Server::bind(if port == 0 { 0 } else { port.saturating_add(1) }).await?;
    let url = format!("https://localhost:{}", local.local_addr()?.port());
    let cloud_url = format!("https://localhost:{}/api", cloud.local_addr()?.port());
    let ixon = Arc::new(Ixon::new(context.clone()));
    let config = ixon.config(&url, &cloud_url);
    // The real client speaks HTTP/1.1: its WebSocket shares the port.
    let tls = identity.server_config(&["http/1.1"]).map_err(std::io::Error::other)?;
    let cloud_tls = identity.server_config(&["h2", "http/1.1"]).map_err(std::io::Error::other)?;
    let servers = vec![
        Server::start(local, ixon.local_router(&url), &context, Some(tls))?,
        Server::start(cloud, ixon.cloud_router(&cloud_url), &context, Some(cloud_tls))?,
    ];
    Ok(Running {
        vendor: "ixon",
        urls: vec![("client", url), ("cloud", cloud_url)],
        context,
        config,
        _servers: servers,
    })
}

async fn start_everyware(context: Context, port: u16, identity: &Identity) -> std::io::Result<Running> {
    let listener = Server::bind(port).await?;
    let url = format!("https://localhost:{}/v1", listener.local_addr()?.port());
    let everyware = Arc::new(Everyware::new(context.clone()));
    let config = everyware.config(&url);
    let tls = identity.server_config(&["h2", "http/1.1"]).map_err(std::io::Error::other)?;
    let server = Server::start(listener, everyware.router(), &context, Some(tls))?;
    Ok(Running { vendor: "everyware", urls: vec![("api", url)], context, config, _servers: vec![server] })
}
