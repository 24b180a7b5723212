//! `settings`: settings of a local VPN client.

use crate::app::{Patience, selection};
use crate::backend::unsupported;
use crate::cli::args::SettingsVerb;
use crate::cli::dispatch::Command;
use crate::cli::settings::Settings;
use crate::error::Exit;

impl Command<'_> {
    pub(in crate::cli) async fn client_settings(
        &self,
        settings: &Settings,
        _verb: &SettingsVerb,
    ) -> anyhow::Result<Exit> {
        let names = selection::backends(&settings.setup.config, &settings.choice)?;
        let open = settings.setup.open(&settings.setup.config.backends[&names[0]], Patience::Read)?;
        Err(unsupported(&*open.backend, "settings").into())
    }
}
