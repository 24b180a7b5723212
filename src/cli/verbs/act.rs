//! `connect`, `disconnect`, `reconnect`, and the guards before them.

use super::unless_stopped;
use crate::app::act::{self, Act};
use crate::app::selection::{self, Plan};
use crate::app::{Emit, Patience, Selection};
use crate::backend::How;
use crate::cli::args::{Acting, Targets};
use crate::cli::dispatch::Command;
use crate::cli::settings::{self, Settings};
use crate::error::{Error, Exit};
use crate::model::Schema;
use crate::ui;

impl Command<'_> {
    pub(in crate::cli) async fn act(
        &self,
        settings: &Settings,
        verb: act::Verb,
        acting: &Acting,
    ) -> anyhow::Result<Exit> {
        settings::shape(self.global, self.format, Schema::Action)?;
        self.guard(settings, &acting.targets)?;
        let (mut plan, chosen) = self.plan(settings, Some(&acting.targets), Patience::Change).await?;
        unless_stopped(act::fill_in(&mut plan, verb, &chosen)).await?;
        self.confirm(settings, verb, &plan, &chosen)?;
        let act = Act {
            verb,
            wait: !acting.no_wait,
            switch: acting.switch,
            dry_run: self.global.dry_run,
            how: How { wake: acting.wake },
            interval: settings.setup.limits.interval,
        };
        let job = async |out: Emit| act::run(plan, act, &out).await;
        self.report(Schema::Action, acting.targets.sort, job).await.map(|(exit, _)| exit)
    }

    /// Refuses before any request where a guard forbids changes.
    pub(in crate::cli) fn guard(&self, settings: &Settings, targets: &Targets) -> anyhow::Result<()> {
        let config = &settings.setup.config;
        let mut touched: Vec<String> = targets
            .targets
            .iter()
            .filter_map(|name| name.split_once('/').map(|(prefix, _)| prefix.to_owned()))
            .filter(|prefix| config.backends.contains_key(prefix))
            .collect();
        if touched.len() < targets.targets.len() || targets.targets.is_empty() {
            touched.extend(selection::backends(config, &settings.choice)?);
        }
        Ok(act::guard(&settings.setup, settings.read_only, &touched)?)
    }

    /// Asks before a mass change; where nobody can be asked, `--yes` has to be there.
    pub(in crate::cli) fn confirm(
        &self,
        settings: &Settings,
        verb: act::Verb,
        plan: &Plan,
        chosen: &Selection,
    ) -> anyhow::Result<()> {
        let count = plan.jobs.len();
        if !chosen.is_mass() || count < 2 || self.global.yes || self.global.dry_run {
            return Ok(());
        }
        if settings.no_input || !ui::can_ask() {
            return Err(Error::usage(format!(
                "{} would act on {count} targets, and nobody can be asked",
                verb.as_str()
            ))
            .hint("look first with --dry-run, then confirm with --yes")
            .into());
        }
        if ui::confirm(&format!("{} {count} targets?", verb.as_str()))? {
            return Ok(());
        }
        Err(Error::usage("not confirmed; nothing was changed").into())
    }
}
