//! `wait` and `watch`.

use std::sync::Arc;

use crate::app::{Emit, Outcome, Patience, wait, watch};
use crate::cli::args::{Waiting, Watching};
use crate::cli::dispatch::Command;
use crate::cli::settings::{self, Settings};
use crate::error::Exit;
use crate::model::Schema;

impl Command<'_> {
    pub(in crate::cli) async fn wait(&self, settings: &Settings, flags: &Waiting) -> anyhow::Result<Exit> {
        settings::shape(self.global, self.format, Schema::Wait)?;
        wait::check(&flags.states)?;
        let waiting = wait::Waiting {
            states: flags.states.clone(),
            stable: flags.stable.unwrap_or_default(),
            probes: flags.probe.clone(),
            any: flags.any,
            interval: settings.setup.limits.interval,
            underway: Arc::clone(&self.underway),
        };
        let (plan, _) = self.plan(settings, Some(&flags.targets), Patience::Wait).await?;
        let job = async |out: Emit| wait::run(plan, &waiting, &out).await;
        let outcome = Outcome::default().one_is_enough(flags.any);
        self.report_as(outcome, Schema::Wait, flags.targets.sort, job).await.map(|(exit, _)| exit)
    }

    pub(in crate::cli) async fn watch(&self, settings: &Settings, flags: &Watching) -> anyhow::Result<Exit> {
        settings::shape(self.global, self.format, Schema::Event)?;
        let watching =
            watch::Watching { count: flags.count, duration: flags.duration, interval: settings.setup.limits.interval };
        let (plan, _) = self.plan(settings, Some(&flags.targets), Patience::Follow).await?;
        let job = async |out: Emit| watch::run(plan, watching, &out).await;
        // What ends a stream is its outcome, whatever was told before.
        self.report_as(Outcome::default().of_any(), Schema::Event, false, job).await.map(|(exit, _)| exit)
    }
}
