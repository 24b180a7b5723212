//! The document behind `/configuration`, whose real schema is unknown (vendors/ixon.md section 4.6).

use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// An opaque JSON document that can be replaced and restored.
#[derive(Debug)]
pub(super) struct Configuration {
    document: Mutex<Value>,
}

impl Configuration {
    /// Makes the document as it is after the installation.
    pub(super) fn new() -> Self {
        Self { document: Mutex::new(pristine()) }
    }

    /// Gives the document.
    pub(super) fn read(&self) -> Value {
        self.map(|document| document.clone())
    }

    /// Puts another in its place.
    pub(super) fn replace(&self, new: Value) {
        self.map(|document| *document = new);
    }

    /// Restores what it was in the beginning.
    pub(super) fn reset(&self) {
        self.replace(pristine());
    }

    fn map<T>(&self, f: impl FnOnce(&mut Value) -> T) -> T {
        f(&mut self.document.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The keys are this simulator's own: they stand for the settings that are named publicly, and say so.
fn pristine() -> Value {
    json!({
        "simulated": true,
        "simulatedProxyServer": "",
        "simulatedConnectionType": "tap",
        "simulatedTapAdapter": { "automatic": true },
        "simulatedCertificate": null,
    })
}
