//! `backends`.

use crate::app::{Emit, backends, emit_failed};
use crate::cli::dispatch::Command;
use crate::cli::settings::Settings;
use crate::error::Exit;
use crate::model::Schema;

impl Command<'_> {
    pub(in crate::cli) async fn backends(&self, settings: &Settings, matrix: bool) -> anyhow::Result<Exit> {
        let job = async |out: Emit| match matrix.then(|| backends::matrix(&out)) {
            None => backends::run(&settings.setup, &out),
            Some(Ok(())) => {}
            Some(Err(error)) => emit_failed(&out, None, error),
        };
        self.report(Schema::Backends, false, job).await.map(|(exit, _)| exit)
    }
}
