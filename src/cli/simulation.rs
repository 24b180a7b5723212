//! `simulate` and `--demo`.

use std::time::Duration;

use super::args::{Global, Simulate};
use super::report::Signals;
use super::settings::{self, Environment, Settings};
use crate::backend::registry;
use crate::config::{self, Sources};
use crate::error::{Error, Exit};
use crate::render::sanitize;
use crate::simulate::world::{self, Options, World};
use crate::ui;

/// How long one step takes in a demonstration, where people wait.
const DEMO_PACE: Duration = Duration::from_millis(300);

/// Runs the simulators until a signal comes.
pub(super) async fn run(simulate: &Simulate, quiet: bool) -> anyhow::Result<Exit> {
    world::check_faults(&simulate.vendor, &simulate.fault)
        .map_err(|message| Error::usage(message).hint("write VENDOR:NAME to switch a fault on in one vendor only"))?;
    let options = Options {
        vendors: simulate.vendor.clone(),
        devices: simulate.devices,
        faults: simulate.fault.clone(),
        port_base: simulate.port_base,
        ..Options::default()
    };
    let world = World::start(&options).await.map_err(|error| {
        Error::usage(format!("the simulators can't listen: {error}")).hint("try another --port-base")
    })?;
    // Caught before anybody is told that it runs, and so may end it.
    let mut signals = Signals::listen();
    for running in &world.running {
        for (what, url) in &running.urls {
            ui::print(&format!("{}\t{what}\t{url}\n", running.vendor))?;
        }
    }
    if let Some(path) = &simulate.write_config {
        world.write_config(path)?;
        if !quiet {
            let path = path.display().to_string();
            ui::tell(&format!("try: vpnctl --config {} status --all", sanitize::line(&path)));
        }
    }
    Ok(signals.next().await)
}

/// Simulators in this process, with a configuration and state that vanish with it.
#[derive(Debug)]
pub(super) struct Demo {
    folder: tempfile::TempDir,
    _world: World,
}

impl Demo {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let faults = world::DEMONSTRATED.iter().map(|&fault| fault.to_owned()).collect();
        let world = World::start(&Options { pace: DEMO_PACE, faults, ..Options::default() }).await?;
        let folder = tempfile::Builder::new().prefix("vpnctl-demo-").tempdir()?;
        world.write_config(&folder.path().join("config.toml"))?;
        Ok(Self { folder, _world: world })
    }

    pub(super) fn settings(&self, global: &Global, environment: &Environment) -> crate::error::Result<Settings> {
        let sources = Sources { named: Some(self.folder.path().join("config.toml")), ..Sources::default() };
        let config = config::load(&sources, &registry::keys())?;
        settings::with_config(global, environment, config, Some(&self.folder.path().join("state")))
    }
}
