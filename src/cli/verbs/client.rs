//! `settings`: settings of a local VPN client.

use super::confirm;
use crate::app::client_settings::{self, Verb};
use crate::app::{Emit, Patience, act, selection};
use crate::cli::args::SettingsVerb;
use crate::cli::dispatch::Command;
use crate::cli::settings::{self, Settings};
use crate::error::{Error, Exit, Result};
use crate::model::Schema;
use crate::render::sanitize;
use crate::ui;

impl Command<'_> {
    pub(in crate::cli) async fn client_settings(
        &self,
        settings: &Settings,
        verb: &SettingsVerb,
    ) -> anyhow::Result<Exit> {
        settings::shape(self.global, self.format, Schema::Settings)?;
        let dry_run = self.global.dry_run;
        let verb = match verb {
            SettingsVerb::Show => Verb::Show,
            SettingsVerb::Set { changes } => {
                let changes = changes.iter().map(|text| client_settings::change(text)).collect::<Result<_>>()?;
                Verb::Set { changes, dry_run }
            }
            SettingsVerb::Reset => Verb::Reset { dry_run },
        };
        let writes = verb != Verb::Show;
        if writes {
            let names = selection::backends(&settings.setup.config, &settings.choice)?;
            if names.len() > 1 {
                let all = names.join(", ");
                return Err(Error::usage(format!("settings are changed on one backend, not on {all}"))
                    .hint("choose one with -b")
                    .into());
            }
            act::guard(&settings.setup, settings.read_only, &names)?;
        }
        let patience = if writes { Patience::Change } else { Patience::Read };
        let (plan, _) = self.plan(settings, None, patience).await?;
        if writes {
            plan.jobs.iter().try_for_each(|job| client_settings::check(&job.open, &verb))?;
            self.confirm_settings(settings, &verb).await?;
            self.changes("settings show", plan.jobs.iter().map(|job| &job.open));
        }
        let quiet = self.global.quiet;
        let notice = |text: &str| {
            if !quiet {
                ui::tell(&sanitize::line(text));
            }
        };
        let job = async |out: Emit| client_settings::run(plan, &verb, &notice, &out).await;
        self.report(Schema::Settings, false, job).await.map(|(exit, _)| exit)
    }

    /// Asks before settings are changed; where nobody can be asked, `--yes` has to be there.
    async fn confirm_settings(&self, settings: &Settings, verb: &Verb) -> anyhow::Result<()> {
        if self.global.yes || self.global.dry_run {
            return Ok(());
        }
        let what = match verb {
            Verb::Set { changes, .. } => {
                let keys: Vec<&str> = changes.iter().map(|(key, _)| key.as_str()).collect();
                format!("change {}", keys.join(", "))
            }
            _ => "put all settings back to what they were at first".to_owned(),
        };
        if settings.no_input || !ui::can_ask() {
            return Err(Error::usage(format!("this would {what}, and nobody can be asked"))
                .hint("look first with --dry-run, then confirm with --yes; the vendor documents no method for this")
                .into());
        }
        Ok(confirm(&format!("The vendor documents no method for this. Really {what}?")).await?)
    }
}
