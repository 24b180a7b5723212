//! Where the configuration and the state are, by the platform's customs.

use std::path::PathBuf;

use directories::ProjectDirs;

fn folders() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "vpnctl")
}

/// Gives the usual place of the configuration, `$XDG_CONFIG_HOME/vpnctl/config.toml` on Linux.
#[must_use]
pub fn config_file() -> Option<PathBuf> {
    Some(folders()?.config_dir().join("config.toml"))
}

/// Gives the usual place of the state, `$XDG_STATE_HOME/vpnctl` on Linux.
#[must_use]
pub fn state_folder() -> Option<PathBuf> {
    let folders = folders()?;
    // Windows and macOS have no place for state of its own.
    Some(folders.state_dir().map_or_else(|| folders.data_local_dir().join("state"), PathBuf::from))
}

/// Gives the home folder, for `~/` in paths.
#[must_use]
pub fn home() -> Option<PathBuf> {
    directories::BaseDirs::new().map(|folders| folders.home_dir().to_owned())
}
