//! `backends`.

use crate::app::{Emit, backends, emit_failed};
use crate::cli::dispatch::Command;
use crate::cli::settings::Settings;
use crate::error::Exit;
use crate::model::Schema;
use crate::render::Format;
use crate::ui;

impl Command<'_> {
    pub(in crate::cli) async fn backends(&self, settings: &Settings, matrix: bool) -> anyhow::Result<Exit> {
        if matrix && matches!(self.format, Format::Table | Format::Wide) && self.global.fields.is_empty() {
            ui::print(&backends::table()?)?;
            return Ok(Exit::Ok);
        }
        let job = async |out: Emit| match matrix.then(|| backends::matrix(&out)) {
            None => backends::run(&settings.setup, &out),
            Some(Ok(())) => {}
            Some(Err(error)) => emit_failed(&out, None, error),
        };
        self.report(Schema::Backends, false, job).await.map(|(exit, _)| exit)
    }

    pub(in crate::cli) async fn discover(&self, settings: &Settings) -> anyhow::Result<Exit> {
        let job = async |out: Emit| backends::discover(&settings.setup, &out).await;
        let (exit, summary) = self.report(Schema::Discovered, false, job).await?;
        if summary.ok > 0 && !self.global.quiet && matches!(self.format, Format::Table | Format::Wide) {
            ui::tell(
                "hint: write `url`, and the address as `connect_address`, into a [backend.NAME] of the configuration, \
                 then run: vpnctl auth login -b NAME",
            );
        }
        Ok(exit)
    }
}
