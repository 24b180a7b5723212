//! IXON's keys of the configuration.

use crate::backend::Opening;
use crate::config::{Key, Kind};
use crate::secrets::SecretRef;

/// IXON's keys besides the common ones.
pub const KEYS: &[Key] = &[
    Key::new("cloud_url", Kind::Url).or("https://portal.ixon.cloud/api").means("where the cloud's API is"),
    Key::new("application_id", Kind::Text).means("the id of the application that asks the cloud"),
    Key::new("company_id", Kind::Text).means("the company; all of the account where it is not set"),
    Key::new("sector_id", Kind::Text).means("the sector of that company"),
    Key::new("agent", Kind::Text).means("the default target"),
    Key::new("email", Kind::Text).means("the account, for vpnctl auth login"),
    Key::new("password", Kind::Secret).means("the account's password, for vpnctl auth login"),
    Key::new("token", Kind::Secret).means("an access token, instead of e-mail and password"),
    Key::new("legacy_headers", Kind::Bool).means("send the older names of the headers too"),
];

/// Where the VPN client listens on the operator's own computer.
const URL: &str = "https://localhost:9250";

/// IXON's settings.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) url: String,
    pub(super) cloud_url: String,
    pub(super) application_id: Option<String>,
    pub(super) company_id: Option<String>,
    pub(super) sector_id: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) email: Option<String>,
    pub(super) password: Option<SecretRef>,
    pub(super) token: Option<SecretRef>,
    pub(super) legacy_headers: bool,
    pub(super) source: crate::config::Backend,
}

impl Config {
    pub(super) fn read(opening: &Opening) -> Self {
        let config = &opening.config;
        let text = |key: &str| config.text(key).map(str::to_owned);
        Self {
            url: text("url").unwrap_or_else(|| URL.to_owned()),
            cloud_url: text("cloud_url").unwrap_or_default(),
            application_id: text("application_id"),
            company_id: text("company_id"),
            sector_id: text("sector_id"),
            agent: text("agent"),
            email: text("email"),
            password: config.secret("password").cloned(),
            token: config.secret("token").cloned(),
            legacy_headers: config.is_on("legacy_headers"),
            source: config.clone(),
        }
    }
}
