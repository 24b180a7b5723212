//! The configuration: a file with positions, the environment over it, built-in values under it.

mod at_hand;
mod environment;
mod file;
pub mod paths;
mod pipe;
pub mod schema;
pub mod variables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use schema::{COMMON, Key, Kind, Vendor};

pub use pipe::read_input;

pub use crate::secrets::{check_private, overdue, quoted, read as read_secret};

use crate::error::{Error, Result};
use crate::secrets::SecretRef;

/// A value of the configuration, read as its key's kind.
#[derive(Debug, Clone)]
pub enum Value {
    /// Text, a URL or a path.
    Text(String),
    /// A whole number.
    Integer(u64),
    /// Yes or no.
    Bool(bool),
    /// A duration.
    Duration(Duration),
    /// Where a secret is.
    Secret(SecretRef),
    /// Labels by name.
    Labels(BTreeMap<String, String>),
}

impl Value {
    /// Shows it, secrets masked.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Bool(yes) => yes.to_string(),
            Self::Duration(time) => format!("{}s", time.as_secs_f64()),
            Self::Secret(secret) => secret.describe(),
            Self::Labels(labels) => {
                labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
            }
        }
    }
}

/// Says where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It is built in.
    BuiltIn,
    /// It stands in the file, at a line and a column, both from 1.
    File(PathBuf, usize, usize),
    /// It is the value of an environment variable.
    Environment(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File(path, line, column) => write!(f, "{}:{line}:{column}", path.display()),
            Self::Environment(name) => write!(f, "${name}"),
        }
    }
}

/// A value and where it comes from.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// One backend's settings.
#[derive(Debug, Clone)]
pub struct Backend {
    /// Its name.
    pub name: String,
    /// Its vendor, one of those given to [`load`].
    pub vendor: &'static str,
    /// Where its vendor was said.
    pub origin: Origin,
    /// Its settings by key.
    pub settings: BTreeMap<&'static str, Setting>,
}

impl Backend {
    /// Bounds the commands and pipes that give secrets by the end of the command.
    #[must_use]
    pub fn until(mut self, until: Option<Instant>) -> Self {
        for setting in self.settings.values_mut() {
            if let Value::Secret(SecretRef::Command { until: bound, .. } | SecretRef::File(_, bound)) =
                &mut setting.value
            {
                *bound = until;
            }
        }
        self
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.settings.get(key).map(|setting| &setting.value)
    }

    /// Gives a text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Gives a path.
    #[must_use]
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// Gives a number.
    #[must_use]
    pub fn integer(&self, key: &str) -> Option<u64> {
        match self.value(key)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// Gives a duration.
    #[must_use]
    pub fn duration(&self, key: &str) -> Option<Duration> {
        match self.value(key)? {
            Value::Duration(time) => Some(*time),
            _ => None,
        }
    }

    /// Gives yes or no; no where nothing is said.
    #[must_use]
    pub fn is_on(&self, key: &str) -> bool {
        matches!(self.value(key), Some(Value::Bool(true)))
    }

    /// Says where a secret is.
    #[must_use]
    pub fn secret(&self, key: &str) -> Option<&SecretRef> {
        match self.value(key)? {
            Value::Secret(secret) => Some(secret),
            _ => None,
        }
    }

    /// Gives the labels.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        match self.value("labels") {
            Some(Value::Labels(labels)) => labels.clone(),
            _ => BTreeMap::new(),
        }
    }

    /// Makes an error about one of its keys that says where the value stands.
    #[must_use]
    pub fn wrong(&self, key: &str, why: &str) -> Error {
        let place = match self.settings.get(key).map(|setting| &setting.origin) {
            Some(origin @ (Origin::File(..) | Origin::Environment(_))) => format!("{origin}: "),
            _ => String::new(),
        };
        Error::config(format!("{place}`{key}` of the backend `{}` {why}", self.name)).backend(&self.name)
    }

    /// Names the environment variable of one of its keys.
    #[must_use]
    pub fn variable(&self, key: &str) -> String {
        environment::variable(&self.name, key)
    }
}

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that it was read from; `None` where there was none.
    pub file: Option<PathBuf>,
    /// The backend to use where none is named.
    pub default_backend: Option<(String, Origin)>,
    /// The backends by name.
    pub backends: BTreeMap<String, Backend>,
    /// What groups select, by name.
    pub groups: BTreeMap<String, String>,
}

/// Says what to read.
#[derive(Clone, Default)]
pub struct Sources {
    /// A file that was named; it has to be there.
    pub named: Option<PathBuf>,
    /// The usual place; it may be missing.
    pub usual: Option<PathBuf>,
    /// The environment.
    pub variables: BTreeMap<String, String>,
    /// When the command has to be done; a pipe in the place of the file is not waited for any longer.
    pub until: Option<Instant>,
}

impl std::fmt::Debug for Sources {
    /// Shows no variable: the value of some is a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("named", &self.named).field("usual", &self.usual).finish_non_exhaustive()
    }
}

/// Reads the configuration.
///
/// # Errors
/// Fails with `config.invalid` or `config.unknown_key`, with file, line and column.
pub fn load(sources: &Sources, vendors: &[Vendor]) -> Result<Config> {
    let text = match (&sources.named, &sources.usual) {
        (Some(path), _) => Some((path, read(path, sources.until)?)),
        (None, Some(path)) if path.exists() => Some((path, read(path, sources.until)?)),
        _ => None,
    };
    let mut config = match text {
        Some((path, text)) => file::parse(path, &text, vendors)?,
        None => Config { file: None, default_backend: None, backends: BTreeMap::new(), groups: BTreeMap::new() },
    };
    environment::define_backends(&mut config, &sources.variables, vendors)?;
    if config.backends.is_empty() {
        for vendor in vendors {
            let backend = Backend {
                name: vendor.name.to_owned(),
                vendor: vendor.name,
                origin: Origin::BuiltIn,
                settings: BTreeMap::new(),
            };
            config.backends.insert(vendor.name.to_owned(), backend);
        }
    }
    environment::apply(&mut config, &sources.variables, vendors)?;
    for backend in config.backends.values_mut() {
        fill_in(backend, vendors);
    }
    Ok(config)
}

fn read(path: &Path, until: Option<Instant>) -> Result<String> {
    let bytes = pipe::read_now("the configuration", path, until, |error| {
        Error::config(format!("{}: the configuration can't be read: {error}", path.display()))
            .hint("write one with: vpnctl config init")
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let (good, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let place = file::place(path, &String::from_utf8_lossy(good));
        Error::config(format!("{place}: this is no text in UTF-8")).hint("save the file as UTF-8")
    })
}

fn fill_in(backend: &mut Backend, vendors: &[Vendor]) {
    let own = vendors.iter().find(|vendor| vendor.name == backend.vendor).map_or(&[][..], |vendor| vendor.keys);
    for key in COMMON.iter().chain(own) {
        if let Some(text) = key.default
            && let Ok(value) = key.kind.read(text)
        {
            backend.settings.entry(key.name).or_insert(Setting { value, origin: Origin::BuiltIn });
        }
    }
}

#[cfg(test)]
mod tests;
