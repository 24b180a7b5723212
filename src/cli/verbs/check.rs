//! `check`.

use std::cell::{Cell, RefCell};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use crate::app::asks::Asks;
use crate::app::check::{self, Expectation};
use crate::app::selection;
use crate::app::{Emit, Outcome, Patience};
use crate::cli::args::Checking;
use crate::cli::dispatch::Command;
use crate::cli::report::unless_stopped;
use crate::cli::settings::{self, Settings};
use crate::error::Exit;
use crate::model::Schema;
use crate::model::threshold::Thresholds;
use crate::render::check::{Severity, severity, summary, warnings};
use crate::render::{Format, Item, Shape};

impl Command<'_> {
    pub(in crate::cli) async fn check(&self, settings: &Settings, flags: &Checking) -> anyhow::Result<Exit> {
        let thresholds = Thresholds { warn: flags.warn.clone(), crit: flags.crit.clone() };
        let expectation = Expectation { state: flags.expect, thresholds: thresholds.clone() };
        check::validate(&expectation)?;
        let shape = Shape { thresholds, ..settings::shape(self.global, self.format, Schema::Check)? };
        let chosen = settings::selection(self.global, Some(&flags.targets), &settings.setup.config)?;
        // A backend that can't be opened is something that could not be told.
        let asks = unless_stopped(Asks::new(&settings.setup, &settings.choice, &chosen, Patience::Read)).await?;
        let worst = Cell::new(Severity::Ok);
        let kept: RefCell<Vec<Item>> = RefCell::default();
        let table =
            std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty() && self.format == Format::Github);
        let each = |item: &Item| {
            worst.set(worst.get().max(severity(item, &expectation.thresholds)));
            // The other formats of its own tell them in their own way.
            if !self.format.is_of_check() || self.format == Format::Prometheus {
                for warning in warnings(item, &expectation.thresholds) {
                    tracing::warn!("{warning}");
                }
            }
            if table.is_some() {
                kept.borrow_mut().push(item.clone());
            }
        };
        let job = async |out: Emit| check::run(asks, &expectation, &each, &out).await;
        // What holds beside it does not change why something could not be told.
        let outcome = Outcome::default().of_any();
        let (exit, counts) = self.report_shaped(outcome, Schema::Check, shape, flags.targets.sort, job).await?;
        if let Some(path) = table {
            append(&PathBuf::from(path), &summary(kept.take(), &expectation.thresholds));
        }
        if counts.total == 0 && chosen.shard.is_none() {
            return Err(selection::empty(&chosen).into());
        }
        Ok(match exit {
            _ if self.format == Format::Nagios => monitored(worst.get()),
            Exit::Ok if counts.failed > 0 => Exit::No,
            exit => exit,
        })
    }
}

/// Gives the code that monitors read; their numbers are those of other ends of ours.
fn monitored(worst: Severity) -> Exit {
    match worst {
        Severity::Ok => Exit::Ok,
        Severity::Warning => Exit::Error,
        Severity::Critical => Exit::Usage,
        Severity::Unknown => Exit::No,
    }
}

/// Adds the table to the summary of a job; where that can't be done, the verdict is told all the same.
fn append(path: &PathBuf, table: &str) {
    let written =
        OpenOptions::new().append(true).create(true).open(path).and_then(|mut file| file.write_all(table.as_bytes()));
    if let Err(error) = written {
        tracing::warn!("the summary can't be written to $GITHUB_STEP_SUMMARY ({}): {error}", path.display());
    }
}
