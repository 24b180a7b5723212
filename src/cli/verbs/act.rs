//! `connect`, `disconnect`, `reconnect`, and the guards before them.

use super::{confirm, unless_stopped};
use crate::app::act::{self, Act};
use crate::app::asks::Asks;
use crate::app::mass::{self, Outlook, Way};
use crate::app::selection::{self, Plan};
use crate::app::{Emit, Patience, Selection, meant};
use crate::backend::How;
use crate::cli::args::{Acting, Targets};
use crate::cli::dispatch::Command;
use crate::cli::settings::{self, Settings};
use crate::error::{Error, Exit};
use crate::model::Schema;
use crate::render::sanitize;
use crate::ui;

impl Command<'_> {
    pub(in crate::cli) async fn act(
        &self,
        settings: &Settings,
        verb: act::Verb,
        acting: &Acting,
    ) -> anyhow::Result<Exit> {
        settings::shape(self.global, self.format, Schema::Action)?;
        let (mut plan, chosen) = self.planned(settings, verb, acting).await?;
        unless_stopped(meant::fill_in(&mut plan, verb, &chosen)).await?;
        if acting.switch && verb != act::Verb::Disconnect {
            mass::check_switch(&plan)?;
        }
        let mut outlook = Outlook::of(&plan, verb);
        if let Some(most) = acting.max_change.filter(|_| !acting.force) {
            unless_stopped(outlook.guard(most)).await?;
        }
        if chosen.is_mass() && plan.jobs.len() > 1 {
            self.confirm(settings, verb, plan.jobs.len(), &outlook).await?;
        }
        let act = Act {
            verb,
            wait: !acting.no_wait,
            switch: acting.switch,
            dry_run: self.global.dry_run,
            how: How { wake: acting.wake },
            interval: settings.setup.limits.interval,
            begun: None,
        };
        let limits = &settings.setup.limits;
        let way = Way {
            batch: acting.batch.and_then(|size| usize::try_from(size).ok()),
            bound: limits.timeout.is_none().then_some(mass::PATIENCE),
            changes: outlook.changes(),
            underway: &self.underway,
        };
        self.record(settings, verb.as_str(), &chosen, acting.retry_failed)?;
        self.changes_targets("status", &plan.jobs);
        let job = async |out: Emit| mass::run(plan, act, way, &out).await;
        self.report(Schema::Action, acting.targets.sort, job).await.map(|(exit, _)| exit)
    }

    /// Finds what is meant, be it what failed before, unless a guard forbids it.
    async fn planned(
        &self,
        settings: &Settings,
        verb: act::Verb,
        acting: &Acting,
    ) -> anyhow::Result<(Plan, Selection)> {
        let Settings { setup, choice, .. } = settings;
        if !acting.retry_failed {
            self.guard(settings, &acting.targets)?;
            // A whole fleet takes as long as it takes; each of its targets is bounded by itself.
            let patience = if self.global.all { Patience::Fleet } else { Patience::Change };
            return self.plan(settings, Some(&acting.targets), patience).await;
        }
        let chosen = settings::selection(self.global, Some(&acting.targets), &setup.config)?;
        let left = self.look_through(settings, verb.as_str(), &chosen)?;
        act::guard(setup, settings.read_only, &left.backends.into_iter().collect::<Vec<_>>())?;
        let failures = self.left_behind(settings, verb.as_str(), &chosen)?;
        let asks = Asks::again(setup, choice, &chosen, Patience::Fleet, failures)?;
        let mut plan = unless_stopped(selection::found(setup, asks)).await?;
        meant::leave_choices(&mut plan, verb, &left.chosen);
        // Where all that a backend has failed, it was all that was asked for; and nobody has read what failed.
        Ok((plan, Selection { all: true, ..chosen }))
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

    /// Tells a mass change and asks before it; where nobody can be asked, `--yes` has to be there.
    async fn confirm(
        &self,
        settings: &Settings,
        verb: act::Verb,
        count: usize,
        outlook: &Outlook,
    ) -> anyhow::Result<()> {
        let asks = !self.global.yes && !self.global.dry_run && !settings.no_input && ui::can_ask();
        // Who is asked sees about what.
        if !self.global.quiet || (asks && outlook.changes() > 0) {
            outlook.lines(self.global.dry_run).iter().for_each(|line| ui::tell(&sanitize::line(line)));
        }
        if self.global.yes || self.global.dry_run {
            return Ok(());
        }
        let verb = verb.as_str();
        if !asks {
            return Err(Error::usage(format!("{verb} would act on {count} targets, and nobody can be asked"))
                .hint("look first with --dry-run, then confirm with --yes")
                .into());
        }
        let question = match outlook.changes() {
            // Nothing is done that could be regretted.
            0 => return Ok(()),
            1 => format!("{verb} 1 target?"),
            changes => format!("{verb} {changes} targets?"),
        };
        Ok(confirm(&question).await?)
    }
}
