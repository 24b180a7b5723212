//! `wait` and `watch`.

use crate::app::{Patience, selection};
use crate::backend::unsupported;
use crate::cli::args::{Waiting, Watching};
use crate::cli::dispatch::Command;
use crate::cli::settings::Settings;
use crate::error::Exit;

impl Command<'_> {
    pub(in crate::cli) async fn wait(&self, settings: &Settings, _waiting: &Waiting) -> anyhow::Result<Exit> {
        let names = selection::backends(&settings.setup.config, &settings.choice)?;
        let open = settings.setup.open(&settings.setup.config.backends[&names[0]], Patience::Read)?;
        Err(unsupported(&*open.backend, "wait").into())
    }

    pub(in crate::cli) async fn watch(&self, settings: &Settings, _watching: &Watching) -> anyhow::Result<Exit> {
        let names = selection::backends(&settings.setup.config, &settings.choice)?;
        let open = settings.setup.open(&settings.setup.config.backends[&names[0]], Patience::Read)?;
        Err(unsupported(&*open.backend, "watch").into())
    }
}
