//! A configuration file.

use secrecy::ExposeSecret as _;

use super::meaning::of_error;
use crate::backend::{Opening, registry};
use crate::config::{Config, Sources, Value, load};
use crate::error::{Error, Exit};
use crate::secrets::SecretRef;
use crate::state::Folder;

/// The shortest secret that can't stand in a description of the rest by accident.
const TELLING: usize = 12;

pub(super) fn run(bytes: &[u8]) {
    let path = super::folder().join("config.toml");
    write(&path, bytes);
    let sources = Sources { named: Some(path.clone()), ..Sources::default() };
    match load(&sources, &registry::keys()) {
        Ok(config) => of_config(&config, &String::from_utf8_lossy(bytes)),
        Err(error) => of_fault(&error, &path.display().to_string(), &String::from_utf8_lossy(bytes)),
    }
}

/// Writes a file that nobody else can read, for a secret may be written out in it.
fn write(path: &std::path::Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("written");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("made private");
    }
}

/// Checks that a fault is 13 and names a place that the file has.
fn of_fault(error: &Error, path: &str, text: &str) {
    of_error(error);
    assert_eq!(error.exit(), Exit::Config, "{error}");
    let rest = error.message().strip_prefix(path).and_then(|rest| rest.strip_prefix(':'));
    let mut parts = rest.unwrap_or_else(|| panic!("{error} begins with no place")).splitn(3, ':');
    let mut number = || parts.next().and_then(|part| part.parse::<usize>().ok());
    let (Some(line), Some(column)) = (number(), number()) else { panic!("{error} names no line and column") };
    let columns = text.split('\n').nth(line - 1).unwrap_or_else(|| panic!("{error}: no such line")).chars().count();
    assert!((1..=columns + 1).contains(&column), "{error}: no such column");
}

fn of_config(config: &Config, text: &str) {
    let told = format!("{config:?}");
    for backend in config.backends.values() {
        for setting in backend.settings.values() {
            if let Value::Secret(SecretRef::Plain(secret)) = &setting.value {
                let secret = secret.expose_secret();
                let is_telling = secret.len() >= TELLING && text.matches(secret).count() == 1;
                assert!(!is_telling || !told.contains(secret), "a secret is told");
            }
        }
        open(backend.clone());
    }
    for select in config.groups.values() {
        let _ = crate::app::selection::conditions(select, config).inspect_err(of_error);
    }
}

/// Opens a backend with these settings, which sends nothing.
fn open(config: crate::config::Backend) {
    let vendor = registry::find(config.vendor).expect("a vendor");
    let store = Folder::new(None).backend(&config.name);
    let opening = Opening::new(config, store);
    if let Err(error) = (vendor.open)(opening) {
        of_error(&error);
        assert_eq!(error.exit(), Exit::Config, "{error}");
    }
}
