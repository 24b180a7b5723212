//! The keys that a configuration may have: one table for the file, the environment and `config show`.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::Value;
use crate::secrets::SecretRef;

/// Says what a key's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// The URL of an API.
    Url,
    /// A file's path; in the configuration file it is relative to that file.
    Path,
    /// A whole number.
    Integer,
    /// Yes or no.
    Bool,
    /// A duration such as `500ms`, `30s`, `5m`.
    Duration,
    /// A secret.
    Secret,
    /// Labels by name.
    Labels,
}

/// Describes a key of a backend.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name, dotted where it stands in a table.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// The value where none is given.
    pub default: Option<&'static str>,
    /// What it is for, in a few words.
    pub means: &'static str,
}

impl Key {
    /// Describes a key without a default.
    #[must_use]
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, default: None, means: "" }
    }

    /// Gives it a default.
    #[must_use]
    pub const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// Says what it is for.
    #[must_use]
    pub const fn means(mut self, means: &'static str) -> Self {
        self.means = means;
        self
    }
}

/// The keys of one vendor.
#[derive(Debug, Clone, Copy)]
pub struct Vendor {
    /// The vendor's name.
    pub name: &'static str,
    /// Its keys besides [`COMMON`].
    pub keys: &'static [Key],
}

/// The keys of every backend: contract section 7.
pub const COMMON: &[Key] = &[
    Key::new("url", Kind::Url).means("where the vendor's API is; each vendor's own place where it has one"),
    Key::new("labels", Kind::Labels).means("labels of all its targets, to select by: { site = \"lyon\" }"),
    Key::new("jobs", Kind::Integer).or("8").means("how many of its targets are asked at once"),
    Key::new("rate", Kind::Text).means("how many requests may start in a second: \"10/s\""),
    Key::new("timeout", Kind::Duration).means("bound of a whole command"),
    Key::new("request_timeout", Kind::Duration).means("bound of one HTTP attempt"),
    Key::new("read_only", Kind::Bool).means("refuse every change"),
    Key::new("tls.ca_file", Kind::Path).means("trust what this CA has signed, and nothing else"),
    Key::new("tls.pin", Kind::Text).means("trust this certificate, and no other: \"sha256:…\""),
    Key::new("tls.insecure", Kind::Bool).means("trust anything; only where url is this computer"),
    Key::new("tls.server_name", Kind::Text).means("the name that the certificate has to have"),
];

impl Kind {
    /// Reads a value from text, as it stands in an environment variable.
    ///
    /// # Errors
    /// Fails with what was expected.
    pub fn read(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Text | Self::Path => Ok(Value::Text(text.to_owned())),
            Self::Url => read_url(text).map(|_| Value::Text(text.to_owned())),
            Self::Integer => text.parse().map(Value::Integer).map_err(|_| format!("is no whole number: `{text}`")),
            Self::Bool => {
                read_bool(text).map(Value::Bool).ok_or_else(|| format!("is neither true nor false: `{text}`"))
            }
            Self::Duration => read_duration(text).map(Value::Duration),
            Self::Secret => Ok(Value::Secret(SecretRef::Plain(SecretString::from(text)))),
            Self::Labels => read_labels(text).map(Value::Labels),
        }
    }
}

/// Reads `true`, `false`, `1`, `0`, `yes` or `no`.
#[must_use]
pub fn read_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" | "" => Some(false),
        _ => None,
    }
}

/// Reads a duration: `30s`, `500ms`, `5m`, `2h`, `1d`, `1m30s`, or `0`.
///
/// # Errors
/// Fails with what was expected.
pub fn read_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("is no duration: `{text}` (write 500ms, 30s, 5m, 2h or 0)");
    let trimmed = text.trim();
    if trimmed == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    let mut rest = trimmed;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let seconds: f64 = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return Err(wrong()),
        };
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = tail;
    }
    if trimmed.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// What to do about a URL that is none.
pub(super) const URL_HINT: &str = "write it as https://HOST or https://HOST:PORT/PATH";

/// Reads the URL of an API.
///
/// # Errors
/// Fails where it is none, has another scheme than http or https, holds credentials, or goes on behind its path. Nothing
/// of it is quoted, for a password may stand in it wherever else it is wrong.
pub fn read_url(text: &str) -> Result<Url, String> {
    // What ends a URL too early may be in an unencoded password.
    let held = "holds credentials; leave them out, and use the backend's keys for secrets";
    let url = Url::parse(text)
        .map_err(|error| if text.contains('@') { held.to_owned() } else { format!("is no URL: {error}") })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is no URL that begins with https:// or http://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(held.to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("goes on behind its path, where nothing belongs".to_owned());
    }
    Ok(url)
}

fn read_labels(text: &str) -> Result<BTreeMap<String, String>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or_else(|| format!("is no list of NAME=VALUE: `{text}`"))?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

/// Reads a rate, `10/s` or `0.5/s`, as requests a second.
///
/// # Errors
/// Fails with what was expected.
pub fn read_rate(text: &str) -> Result<f64, String> {
    let wrong = || format!("is no rate: `{text}` (write 10/s)");
    let rate: f64 = text.trim().strip_suffix("/s").and_then(|number| number.trim().parse().ok()).ok_or_else(wrong)?;
    if rate.is_finite() && rate >= 0.001 { Ok(rate) } else { Err(wrong()) }
}

/// Finds the known word that is nearest to a mistyped one, if one is near.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().max(word.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{nearest, read_duration, read_url};

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, millis) in [
            ("30s", 30_000),
            ("500ms", 500),
            ("5m", 300_000),
            ("1m30s", 90_000),
            ("0", 0),
            ("1.5s", 1500),
            ("2h", 7_200_000),
        ] {
            assert_eq!(read_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["", "30", "s", "-1s", "5 minutes", "1e9d9", "99999999999999999999d"] {
            assert!(read_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_url_is_that_of_an_api_and_no_more() {
        for url in ["https://h", "http://127.0.0.1:9250/api", "https://[::1]:1/v1/", "HTTPS://H", "https://h/a@b"] {
            assert!(read_url(url).is_ok(), "{url}");
        }
        let secret = "canary";
        for (url, why) in [
            ("", "is no URL"),
            ("h", "is no URL"),
            ("//h/v1", "is no URL"),
            ("https://", "is no URL"),
            ("https://h:99999", "is no URL"),
            ("ftp://h", "https:// or http://"),
            ("file:///etc/passwd", "https:// or http://"),
            ("javascript:alert(1)", "https:// or http://"),
            ("unix:/run/x.sock", "https:// or http://"),
            ("https://me:canary@h", "holds credentials"),
            ("https://canary@h", "holds credentials"),
            ("https://:canary@h", "holds credentials"),
            ("https:\\\\me:canary@h", "holds credentials"),
            ("https://me:canary@h:99999", "holds credentials"),
            ("https://me:can/ary@h", "holds credentials"),
            ("https://h/?token=canary", "behind its path"),
            ("https://h/#canary", "behind its path"),
            ("https://h/?", "behind its path"),
        ] {
            let told = read_url(url).expect_err(url);
            assert!(told.contains(why) && !told.contains(secret), "{url}: {told}");
        }
    }

    #[test]
    fn a_mistyped_key_finds_its_neighbour() {
        let known = ["url", "username", "tls.ca_file", "api_version"];
        assert_eq!(nearest("urll", known), Some("url"));
        assert_eq!(nearest("user_name", known), Some("username"));
        assert_eq!(nearest("cafile", known), None);
        assert_eq!(nearest("tls.cafile", known), Some("tls.ca_file"));
    }
}
