//! Everyware Cloud's keys of the configuration.

use crate::backend::Opening;
use crate::config::{Key, Kind};
use crate::error::Result;
use crate::secrets::SecretRef;

/// Everyware Cloud's keys besides the common ones.
pub const KEYS: &[Key] = &[
    Key::new("scope", Kind::Text).or("_").means("the account: that of the login, or the id or name of one below it"),
    Key::new("username", Kind::Text).means("the user, for a login by password"),
    Key::new("password", Kind::Secret).means("the user's password"),
    Key::new("api_key", Kind::Secret).means("an API key, instead of user and password"),
    Key::new("disconnect_path", Kind::Text)
        .means("the path by which a device is disconnected, where it is another one"),
];

/// Everyware Cloud's settings.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) url: String,
    pub(super) scope: String,
    pub(super) username: Option<String>,
    pub(super) password: Option<SecretRef>,
    pub(super) api_key: Option<SecretRef>,
    pub(super) disconnect_path: Option<String>,
    pub(super) source: crate::config::Backend,
}

impl Config {
    pub(super) fn read(opening: &Opening) -> Result<Self> {
        let config = &opening.config;
        let text = |key: &str| config.text(key).map(str::to_owned);
        let url = config.text("url").ok_or_else(|| {
            config.wrong("url", "is not set; Everyware Cloud has no address of its own").hint(format!(
                "set `url` in [backend.{}], or {}=https://api.INSTANCE.everyware.io/v1",
                config.name,
                config.variable("url")
            ))
        })?;
        if url.trim_end_matches('/').ends_with("/v2") {
            return Err(config
                .wrong("url", "is that of the legacy API (/v2), which vpnctl does not speak")
                .hint("the API that it speaks is at https://api.INSTANCE.everyware.io/v1"));
        }
        Ok(Self {
            url: normal(url),
            scope: text("scope").unwrap_or_else(|| "_".to_owned()),
            username: text("username"),
            password: config.secret("password").cloned(),
            api_key: config.secret("api_key").cloned(),
            disconnect_path: text("disconnect_path"),
            source: config.clone(),
        })
    }
}

/// Strips a slash at the end and adds `/v1` where it is missing; writes the host as every URL does, for what is kept of a
/// login goes by it.
fn normal(url: &str) -> String {
    let parsed = url::Url::parse(url);
    let url = parsed.as_ref().map_or(url, url::Url::as_str).trim_end_matches('/');
    if url.ends_with("/v1") { url.to_owned() } else { format!("{url}/v1") }
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn the_version_is_added_once() {
        for url in ["https://h", "https://h/", "https://h/v1", "https://h/v1/", "HTTPS://H", "https://H:443/v1"] {
            assert_eq!(normal(url), "https://h/v1");
        }
    }
}
