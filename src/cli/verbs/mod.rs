//! The verbs on the command line's side, a file each: flags to arguments, and what is asked before.

mod act;
mod api;
mod auth;
mod backends;
mod check;
mod client;
mod config;
mod doctor;
mod follow;
pub(in crate::cli) mod help;
mod log;
mod schema;
mod serve;
mod trust;
mod tunnel;
mod with;

use super::args::{Reading, Targets};
use super::dispatch::Command;
use super::report::{interrupted, unless_stopped};
use super::settings::{self, Settings};
use crate::app::asks::Asks;
use crate::app::selection::{self, Plan};
use crate::app::{Choice, Emit, Patience, Selection, list, status};
use crate::error::{Code, Error, Exit, Layer, Result};
use crate::model::Schema;
use crate::ui;

/// Asks before a change, unless a signal ends the command instead.
async fn confirm(question: &str) -> Result<()> {
    tokio::select! {
        biased;
        exit = interrupted() => {
            // The question stands in a line that nobody has ended.
            ui::tell("");
            Err(Error::new(Code::Interrupted, Layer::Usage, "interrupted; nothing was changed").with_exit(exit))
        }
        sure = ui::confirm(question) => match sure {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::usage("not confirmed; nothing was changed")),
            Err(error) => Err(Error::usage(format!("the terminal can't be read: {error}"))),
        },
    }
}

impl Command<'_> {
    pub(in crate::cli) async fn plan(
        &self,
        settings: &Settings,
        targets: Option<&Targets>,
        patience: Patience,
    ) -> anyhow::Result<(Plan, Selection)> {
        let chosen = settings::selection(self.global, targets, &settings.setup.config)?;
        let plan = unless_stopped(selection::plan(&settings.setup, &settings.choice, &chosen, patience)).await?;
        Ok((plan, chosen))
    }

    /// Gives what is asked about, be it what failed before, and has what fails now written down.
    async fn asks<'a>(
        &self,
        settings: &'a Settings,
        chosen: &'a Selection,
        verb: &'static str,
        is_retry: bool,
    ) -> anyhow::Result<Asks<'a>> {
        let Settings { setup, choice, .. } = settings;
        let asks = if is_retry {
            let left = || self.left_behind(settings, verb, chosen);
            let overlaps = left()?.any(|failed| failed.id.is_none() && failed.name.is_none());
            Asks::again(setup, choice, chosen, Patience::Read, left()?)?.with_overlaps(overlaps)
        } else {
            unless_stopped(Asks::new(setup, choice, chosen, Patience::Read)).await?
        };
        if let Some(error) = asks.refusal() {
            return Err(error.into());
        }
        self.record(settings, verb, chosen, is_retry)?;
        Ok(asks)
    }

    pub(in crate::cli) async fn status(
        &self,
        settings: &Settings,
        targets: &Targets,
        reading: Reading,
    ) -> anyhow::Result<Exit> {
        settings::shape(self.global, self.format, Schema::Status)?;
        let chosen = settings::selection(self.global, Some(targets), &settings.setup.config)?;
        let asks = self.asks(settings, &chosen, "status", reading.retry_failed).await?;
        let reading = status::Reading { live: reading.live, native: reading.native };
        let job = async |out: Emit| status::run(asks, reading, &out).await;
        let (exit, summary) = self.report(Schema::Status, targets.sort, job).await?;
        let connected = summary.by_state.get("connected").copied().unwrap_or(0);
        let no = self.global.exit_code && exit == Exit::Ok && (connected < summary.total || summary.total == 0);
        Ok(if no { Exit::No } else { exit })
    }

    pub(in crate::cli) async fn list(&self, settings: &Settings, reading: Reading, sort: bool) -> anyhow::Result<Exit> {
        settings::shape(self.global, self.format, Schema::List)?;
        let chosen = settings::selection(self.global, None, &settings.setup.config)?;
        let again = if reading.retry_failed { Some(self.listed_badly(settings, &chosen)?) } else { None };
        let unfiltered = Selection { all: chosen.all, ..Selection::default() };
        let plan = match again.as_ref().map(|again| again.keys().cloned().collect::<Vec<_>>()) {
            Some(named) if named.is_empty() => Plan::default(),
            Some(named) => {
                let choice = Choice { named, ..Choice::default() };
                selection::plan(&settings.setup, &choice, &unfiltered, Patience::Read).await?
            }
            None => selection::plan(&settings.setup, &settings.choice, &unfiltered, Patience::Read).await?,
        };
        self.record(settings, "list", &chosen, reading.retry_failed)?;
        let listing = list::Listing { selection: &chosen, live: reading.live, again };
        let job = async |out: Emit| list::run(plan, &listing, &out).await;
        let (exit, summary) = self.report(Schema::List, sort, job).await?;
        if exit == Exit::Ok && summary.total == 0 && chosen.filters() {
            return Err(selection::empty(&chosen).into());
        }
        Ok(exit)
    }

    /// Gives what the last `list` could not read.
    fn listed_badly(&self, settings: &Settings, chosen: &Selection) -> anyhow::Result<list::Again> {
        let left = self.look_through(settings, "list", chosen)?.backends;
        let failures = self.left_behind(settings, "list", chosen)?;
        Ok(list::again(failures.filter(|failed| left.contains(&failed.backend))))
    }
}
