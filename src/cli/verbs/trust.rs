//! `trust show`, `trust add`, `trust rm`.

use crate::app::{Emit, selection, trust};
use crate::cli::args::TrustVerb;
use crate::cli::dispatch::Command;
use crate::cli::settings::{self, Settings};
use crate::error::Exit;
use crate::model::Schema;

impl Command<'_> {
    /// Runs it; `--read-only` has no say here, for a pin is this computer's own and changes nothing at a vendor.
    pub(in crate::cli) async fn trust(&self, settings: &Settings, verb: TrustVerb) -> anyhow::Result<Exit> {
        settings::shape(self.global, self.format, Schema::Trust)?;
        let keep = !self.global.dry_run;
        let verb = match verb {
            TrustVerb::Show => trust::Verb::Show,
            TrustVerb::Add => trust::Verb::Add { keep },
            TrustVerb::Rm => trust::Verb::Rm { keep },
        };
        let names = selection::backends(&settings.setup.config, &settings.choice)?;
        let job = async |out: Emit| trust::run(&settings.setup, &names, verb, &out).await;
        self.report(Schema::Trust, false, job).await.map(|(exit, _)| exit)
    }
}
