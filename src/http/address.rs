//! Where a call goes.

use url::Url;

use super::{Call, Transport};
use crate::error::{Error, Result};

impl Transport {
    /// Makes the URL of a call; a path is joined to the backend's URL and never leaves its origin.
    pub(super) fn address(&self, call: &Call) -> Result<Url> {
        let base = &self.settings.url;
        let path = call.path.trim_start_matches('/');
        let mut url = if call.from_root || !is_plain(path) {
            self.joined(call, path)?
        } else {
            // Nearly always; reading the whole URL again for each device of a fleet costs more.
            let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
            let mut url = base.clone();
            url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
            url.set_query(query);
            url
        };
        if let Some(name) = &self.settings.tls.server_name {
            // The name is verified and sent; the resolver connects to where the configured host is.
            url.set_host(Some(name)).map_err(|_| Error::config(format!("tls.server_name `{name}` is no host name")))?;
        }
        Ok(url)
    }

    fn joined(&self, call: &Call, path: &str) -> Result<Url> {
        let base = &self.settings.url;
        let url = if call.from_root {
            base.join(&format!("/{path}"))
        } else {
            Url::parse(&format!("{}/{path}", base.as_str().trim_end_matches('/')))
        }
        .map_err(|error| Error::usage(format!("`{}` is no path: {error}", call.path)))?;
        if url.origin() == base.origin() {
            return Ok(url);
        }
        Err(Error::usage(format!("`{}` leaves {}", call.path, base.origin().ascii_serialization())))
    }
}

/// Tells whether a path has nothing in it that a URL is read differently for.
fn is_plain(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_~.%/?&=,:".contains(&byte))
}
