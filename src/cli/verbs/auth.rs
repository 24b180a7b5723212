//! `auth login`, `auth logout`, `auth status`.

use crate::app::{Emit, Outcome, Patience, act, auth, selection};
use crate::backend::Asked;
use crate::cli::args::AuthVerb;
use crate::cli::dispatch::Command;
use crate::cli::settings::{self, Settings};
use crate::error::Exit;
use crate::model::Schema;
use crate::ui::Operator;

impl Command<'_> {
    pub(in crate::cli) async fn auth(&self, settings: &Settings, verb: &AuthVerb) -> anyhow::Result<Exit> {
        let mut announced = Vec::new();
        let verb = match verb {
            AuthVerb::Login { otp_stdin, api_key_stdin, password_stdin } => {
                let flags =
                    [(*password_stdin, Asked::Password), (*api_key_stdin, Asked::ApiKey), (*otp_stdin, Asked::Otp)];
                announced.extend(flags.iter().filter(|(given, _)| *given).map(|(_, asked)| *asked));
                auth::Verb::Login
            }
            AuthVerb::Logout => auth::Verb::Logout,
            AuthVerb::Status => auth::Verb::Status,
        };
        settings::shape(self.global, self.format, Schema::Auth)?;
        if verb != auth::Verb::Status {
            let names = selection::backends(&settings.setup.config, &settings.choice)?;
            if verb == auth::Verb::Logout {
                // Who only reads has to log in too; but a pairing that is forgotten can't be taken back.
                act::guard(&settings.setup, settings.read_only, &names)?;
            }
            if self.global.dry_run {
                let what = if verb == auth::Verb::Login { "log in to" } else { "log out of" };
                tracing::warn!("dry run: would {what} {}", names.join(", "));
                return Ok(Exit::Ok);
            }
        }
        let person = Operator::new(announced, settings.no_input, self.global.quiet);
        let patience = if verb == auth::Verb::Login { Patience::Login } else { Patience::Read };
        let (plan, _) = self.plan(settings, None, patience).await?;
        if verb != auth::Verb::Status {
            self.changes("auth status", plan.jobs.iter().map(|job| &job.open));
        }
        let job = async |out: Emit| auth::run(plan, verb, &person, &out).await;
        // One login that is missing or expired is what `auth status` is there to tell.
        let outcome = if verb == auth::Verb::Status { Outcome::default().of_any() } else { Outcome::default() };
        self.report_as(outcome, Schema::Auth, false, job).await.map(|(exit, _)| exit)
    }
}
