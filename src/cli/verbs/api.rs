//! `api`.

use super::unless_stopped;
use crate::app::{Patience, act, api, selection};
use crate::cli::dispatch::Command;
use crate::cli::settings::{self, Settings};
use crate::error::{Code, Error, Exit, Layer};
use crate::ui;

impl Command<'_> {
    pub(in crate::cli) async fn api(
        &self,
        settings: &Settings,
        method: &str,
        path: &str,
        data: Option<&str>,
    ) -> anyhow::Result<Exit> {
        let backend = match selection::backends(&settings.setup.config, &settings.choice)?.as_slice() {
            [one] => one.clone(),
            several => {
                let names = several.join(", ");
                return Err(Error::usage(format!("a raw call goes to one backend, not to {names}"))
                    .hint("choose one with -b")
                    .into());
            }
        };
        if !api::is_read(method)? {
            act::guard(&settings.setup, settings.read_only, std::slice::from_ref(&backend))?;
        }
        api::check_path(path)?;
        let body = match data {
            Some(data) => Some(unless_stopped(settings::body(data, self.pipes_until(settings))).await?),
            None => None,
        };
        if self.global.dry_run && !api::is_read(method)? {
            let size = body.as_ref().map_or(0, Vec::len);
            tracing::warn!("dry run: would send {} {path} to `{backend}`, with {size} bytes", method.to_uppercase());
            return Ok(Exit::Ok);
        }
        let chosen = &settings.setup.config.backends[&backend];
        let open = settings.setup.open(chosen, Patience::Read).map_err(|error| error.backend(&backend))?;
        let changes = !api::is_read(method)?;
        match unless_stopped(api::run(&open, method, path, body)).await {
            Ok(answer) => self.print_answer(&answer).await?,
            Err(error) if changes && error.code() == Code::Interrupted => {
                let what = "interrupted; the call may have been carried out";
                let told = Error::new(Code::Interrupted, Layer::Usage, what).with_exit(error.exit());
                return Err(told.backend(&backend).hint(api::LOOK).into());
            }
            Err(error) => {
                ui::print_bytes(error.answer())?;
                return Err(error.into());
            }
        }
        Ok(Exit::Ok)
    }
}
