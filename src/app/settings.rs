//! `config show` and `config validate`: what the settings are and where each comes from.

use super::{Emit, Patience, Setup, emit};
use crate::config::{Config, Origin};
use crate::error::Result;
use crate::model::document::ConfigItem;
use crate::model::item;
use crate::render::Item;

/// Emits every setting with its origin, secrets masked.
pub fn show(config: &Config, out: &Emit) {
    if let Some((name, origin)) = &config.default_backend {
        emit(out, entry("default_backend", name, origin));
    }
    for backend in config.backends.values() {
        let prefix = format!("backend.{}", backend.name);
        emit(out, entry(&format!("{prefix}.vendor"), backend.vendor, &backend.origin));
        for (key, setting) in &backend.settings {
            emit(out, entry(&format!("{prefix}.{key}"), &setting.value.describe(), &setting.origin));
        }
    }
    for (name, select) in &config.groups {
        let origin = config.file.clone().map_or(Origin::BuiltIn, |file| Origin::File(file, 1, 1));
        emit(out, entry(&format!("group.{name}.select"), select, &origin));
    }
}

fn entry(key: &str, value: &str, origin: &Origin) -> Item {
    item::of(&ConfigItem { key, value, origin: &origin.to_string() })
}

/// Checks that every backend that the configuration defines can be opened; sends no request.
///
/// # Errors
/// Fails with the first that can't.
pub fn validate(setup: &Setup) -> Result<usize> {
    let defined: Vec<_> = setup.config.backends.values().filter(|backend| backend.origin != Origin::BuiltIn).collect();
    for settings in &defined {
        setup.open(settings, Patience::Read).map_err(|error| error.backend(&settings.name))?;
    }
    Ok(defined.len())
}
