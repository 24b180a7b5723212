//! `trust`: pinned certificates.

use crate::app::{Patience, selection};
use crate::backend::unsupported;
use crate::cli::args::TrustVerb;
use crate::cli::dispatch::Command;
use crate::cli::settings::Settings;
use crate::error::Exit;

impl Command<'_> {
    pub(in crate::cli) async fn trust(&self, settings: &Settings, _verb: TrustVerb) -> anyhow::Result<Exit> {
        let names = selection::backends(&settings.setup.config, &settings.choice)?;
        let open = settings.setup.open(&settings.setup.config.backends[&names[0]], Patience::Read)?;
        Err(unsupported(&*open.backend, "trust").into())
    }
}
