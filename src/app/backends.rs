//! `backends`: what is configured, and what it can do.

use serde_json::{Map, Value, json};

use super::{Emit, Patience, Setup, emit, emit_failed};
use crate::backend;
use crate::model::item;

/// Emits every configured backend; sends no request.
pub fn run(setup: &Setup, out: &Emit) {
    for settings in setup.config.backends.values() {
        match setup.open(settings, Patience::Read) {
            Ok(open) => {
                let capabilities: Map<String, Value> = backend::capabilities(&*open.backend)
                    .into_iter()
                    .map(|(name, support)| (name.to_owned(), json!(support)))
                    .collect();
                emit(
                    out,
                    item::object(json!({
                        "backend": settings.name,
                        "vendor": settings.vendor,
                        "url": open.info().url,
                        "capabilities": capabilities,
                    })),
                );
            }
            // One that is not set up yet is still a backend: it is shown, and what it lacks is told.
            Err(error) => {
                let item = item::object(json!({
                    "backend": settings.name,
                    "vendor": settings.vendor,
                    "url": settings.text("url"),
                    "capabilities": null,
                }));
                if settings.origin == crate::config::Origin::BuiltIn {
                    emit(out, item);
                } else {
                    emit_failed(out, Some(item), error.backend(&settings.name));
                }
            }
        }
    }
}
