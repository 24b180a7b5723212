//! `tunnel`: VPN configurations that a vendor keeps.

use crate::app::{Patience, selection};
use crate::backend::unsupported;
use crate::cli::args::TunnelVerb;
use crate::cli::dispatch::Command;
use crate::cli::settings::Settings;
use crate::error::Exit;

impl Command<'_> {
    pub(in crate::cli) async fn tunnel(&self, settings: &Settings, _verb: &TunnelVerb) -> anyhow::Result<Exit> {
        let names = selection::backends(&settings.setup.config, &settings.choice)?;
        let open = settings.setup.open(&settings.setup.config.backends[&names[0]], Patience::Read)?;
        Err(unsupported(&*open.backend, "tunnel").into())
    }
}
