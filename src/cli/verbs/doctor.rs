//! `doctor`.

use std::path::Path;
use std::sync::Arc;

use crate::app::doctor::bundle::{self, Requests};
use crate::app::doctor::{self, Asked, Notes};
use crate::app::{Choice, Emit, Outcome, selection};
use crate::cli::args::Doctoring;
use crate::cli::dispatch::Command;
use crate::cli::settings::{self, Settings};
use crate::error::{Error, Exit, Layer, Result};
use crate::model::Schema;
use crate::render::sanitize;
use crate::ui;

impl Command<'_> {
    /// Runs it on what the configuration says, and where that can't be read, on that it can't.
    pub(in crate::cli) async fn doctor_of_all(&self, doctoring: &Doctoring) -> anyhow::Result<Exit> {
        match settings::resolve(self.global, &self.environment) {
            Ok(settings) => self.doctor(settings, doctoring, None).await,
            Err(error) if error.report().layer == Layer::Config => {
                let settings = settings::without_config(self.global, &self.environment)?;
                self.doctor(settings, doctoring, Some(error)).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Runs it; `broken` is why the configuration can't be read, which is then what it tells.
    pub(in crate::cli) async fn doctor(
        &self,
        mut settings: Settings,
        doctoring: &Doctoring,
        broken: Option<Error>,
    ) -> anyhow::Result<Exit> {
        settings::shape(self.global, self.format, Schema::Doctor)?;
        if let Some(path) = &doctoring.bundle {
            check(path, self.global.yes)?;
        }
        let (names, named) = if broken.is_some() { (Vec::new(), false) } else { chosen(&settings, doctoring)? };
        let requests = Arc::new(Requests::default());
        settings.setup.observer = Some(requests.clone());
        let notes = Notes::default();
        let asked = Asked { setup: &settings.setup, broken, file: self.global.config.clone(), names, named };
        let job = async |out: Emit| doctor::run(&asked, &notes, &out).await;
        // What is well beside what is not well is no outcome of its own, and what fails is told by its lowest layer.
        let (exit, _) = self.report_as(Outcome::default().by_layer(), Schema::Doctor, false, job).await?;
        if let Some(path) = &doctoring.bundle {
            if self.global.dry_run {
                tracing::warn!("dry run: would write {}", path.display());
                return Ok(exit);
            }
            bundle::write(path, &bundle::of(&asked, &notes, &requests), self.global.yes)?;
            // The error object is the last line that scripts get.
            if !self.global.quiet && !self.format.is_json() {
                let shown = sanitize::line(&path.display().to_string()).into_owned();
                ui::tell(&format!("{shown}: the support bundle; look it over before you publish it"));
            }
        }
        Ok(exit)
    }
}

/// Refuses what can't be the file of a bundle, before anything is asked.
fn check(path: &Path, replaces: bool) -> Result<()> {
    if path == Path::new("-") {
        return Err(Error::usage("--bundle names a file; standard output has what was found")
            .hint("run: vpnctl doctor --bundle vpnctl-bundle.json"));
    }
    if path.exists() && !replaces { Err(bundle::exists(path)) } else { Ok(()) }
}

/// Gives the backends to look at, and whether somebody named them: without a name the default one, else all.
fn chosen(settings: &Settings, doctoring: &Doctoring) -> Result<(Vec<String>, bool)> {
    let config = &settings.setup.config;
    let mut choice = settings.choice.clone();
    choice.named.extend(doctoring.backends.iter().cloned());
    let named = !choice.named.is_empty();
    let is_left_open = !named && !choice.all && choice.environment.is_none() && config.default_backend.is_none();
    if is_left_open {
        choice = Choice { all: true, ..Choice::default() };
    }
    Ok((selection::backends(config, &choice)?, named))
}
