//! The Freebox's keys of the configuration.

use crate::backend::Opening;
use crate::config::{Key, Kind};
use crate::error::Result;
use crate::secrets::SecretRef;

/// The Freebox's keys besides the common ones.
pub const KEYS: &[Key] = &[
    Key::new("app_id", Kind::Text).or("vpnctl").means("the name under which the application was paired"),
    Key::new("api_version", Kind::Integer)
        .means("the major version of the API; what the box reports where it is not set"),
    Key::new("connect_address", Kind::Text).means("connect to this address, and keep the name of url for TLS"),
    Key::new("app_token", Kind::Secret)
        .means("the token of the pairing; what vpnctl auth login has kept where it is not set"),
];

/// Where a Freebox answers on its own network.
const URL: &str = "https://mafreebox.freebox.fr";
/// Where an Iliadbox does, its Italian twin.
const ITALIAN_URL: &str = "https://myiliadbox.iliad.it";

/// Gives the URL of a box on its own network.
pub(super) fn url(italian: bool) -> &'static str {
    if italian { ITALIAN_URL } else { URL }
}

/// A Freebox's settings.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) url: String,
    pub(super) app_id: String,
    pub(super) api_version: Option<u64>,
    pub(super) app_token: Option<SecretRef>,
}

impl Config {
    pub(super) fn read(opening: &Opening) -> Result<Self> {
        let config = &opening.config;
        Ok(Self {
            url: config.text("url").unwrap_or(URL).to_owned(),
            app_id: config.text("app_id").unwrap_or("vpnctl").to_owned(),
            api_version: config.integer("api_version"),
            app_token: config.secret("app_token").cloned(),
        })
    }
}
