//! `config init`, `config path`, `config show`, `config validate`.

use crate::app::Emit;
use crate::cli::dispatch::Command;
use crate::cli::settings::{self, Settings};
use crate::config::paths;
use crate::error::{Code, Error, Exit, Layer};
use crate::model::Schema;
use crate::render::sanitize;
use crate::ui;

/// The example configuration, as it stands in the repository.
const EXAMPLE: &str = include_str!("../../../config.example.toml");

impl Command<'_> {
    pub(in crate::cli) fn init(&self, stdout: bool) -> anyhow::Result<Exit> {
        if stdout {
            ui::print(EXAMPLE)?;
            return Ok(Exit::Ok);
        }
        let (named, usual) = settings::config_paths(self.global, &self.environment);
        let path = named
            .or(usual)
            .ok_or_else(|| Error::config("this system has no place for a configuration; name one with --config"))?;
        if path.exists() {
            return Err(Error::new(
                Code::ConflictExists,
                Layer::Config,
                format!("{} is there already and was left as it is", path.display()),
            )
            .hint("print the example with: vpnctl config init --stdout")
            .into());
        }
        let folder = path.parent().unwrap_or(std::path::Path::new("."));
        std::fs::create_dir_all(folder)?;
        // A temporary file is made with mode 0600, for secrets may be written into it.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, EXAMPLE.as_bytes())?;
        file.persist_noclobber(&path)?;
        ui::print(&format!("{}\n", sanitize::line(&path.display().to_string())))?;
        Ok(Exit::Ok)
    }

    pub(in crate::cli) fn path(&self) -> anyhow::Result<Exit> {
        let (named, usual) = settings::config_paths(self.global, &self.environment);
        let path = named.or(usual).or_else(paths::config_file);
        let path =
            path.ok_or_else(|| Error::config("this system has no place for a configuration; name one with --config"))?;
        ui::print(&format!("{}\n", sanitize::line(&path.display().to_string())))?;
        Ok(Exit::Ok)
    }

    pub(in crate::cli) fn validate(&self, settings: &Settings) -> anyhow::Result<Exit> {
        let count = crate::app::settings::validate(&settings.setup)?;
        if !self.global.quiet {
            let file = settings.setup.config.file.as_ref();
            let place = file.map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
            ui::tell(&format!("{}: ok, {count} backends", sanitize::line(&place)));
        }
        Ok(Exit::Ok)
    }

    pub(in crate::cli) async fn config_show(&self, settings: &Settings) -> anyhow::Result<Exit> {
        let job = async |out: Emit| crate::app::settings::show(&settings.setup.config, &out);
        self.report(Schema::Config, false, job).await.map(|(exit, _)| exit)
    }
}
