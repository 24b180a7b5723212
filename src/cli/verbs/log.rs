//! `log`.

use crate::app::{Emit, Patience, log};
use crate::cli::dispatch::Command;
use crate::cli::settings::Settings;
use crate::error::Exit;
use crate::model::Schema;

impl Command<'_> {
    pub(in crate::cli) async fn log(
        &self,
        settings: &Settings,
        follow: bool,
        last: Option<usize>,
    ) -> anyhow::Result<Exit> {
        let patience = if follow { Patience::Fleet } else { Patience::Read };
        let (plan, _) = self.plan(settings, None, patience).await?;
        let reading = log::Reading { last, follow, interval: settings.setup.limits.interval };
        let job = async |out: Emit| log::run(plan, reading, &out).await;
        self.report(Schema::Log, false, job).await.map(|(exit, _)| exit)
    }
}
