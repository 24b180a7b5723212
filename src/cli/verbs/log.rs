//! `log`.

use crate::app::{Emit, Outcome, Patience, log};
use crate::cli::args::Targets;
use crate::cli::dispatch::Command;
use crate::cli::settings::Settings;
use crate::error::Exit;
use crate::model::Schema;

impl Command<'_> {
    pub(in crate::cli) async fn log(
        &self,
        settings: &Settings,
        target: Option<String>,
        follow: bool,
        last: Option<usize>,
    ) -> anyhow::Result<Exit> {
        let patience = if follow { Patience::Follow } else { Patience::Read };
        let targets =
            Targets { targets: target.into_iter().collect(), id: false, targets_from: None, shard: None, sort: false };
        let (plan, _) = self.plan(settings, Some(&targets), patience).await?;
        let reading = log::Reading { last, follow, interval: settings.setup.limits.interval };
        let job = async |out: Emit| log::run(plan, reading, &out).await;
        let outcome = if follow { Outcome::default().of_any() } else { Outcome::default() };
        self.report_as(outcome, Schema::Log, false, job).await.map(|(exit, _)| exit)
    }
}
