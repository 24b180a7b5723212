//! `doctor`: each layer in turn, from the configuration to the VPN.
//!
//! It changes nothing at a vendor; a login is made where any command would make one, and as seldom.

pub mod bundle;
mod here;
mod layers;
mod phrases;
mod scrub;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, StreamExt as _};

use super::{Emit, Setup, emit, emit_failed, emit_no};
use crate::backend::Finding;
use crate::config::quoted;
use crate::error::Error;
use crate::model::document::{DoctorItem, DoctorLayer};
use crate::model::item;
use crate::render::Item;

/// How many backends are looked at at once.
const LOOKS: usize = 8;

/// The verbs that remedies name.
const VERBS: [&str; 8] = ["auth ", "trust ", "config ", "tunnel ", "list", "status", "backends", "show "];

/// What is looked at.
#[derive(Debug)]
pub struct Asked<'a> {
    /// What the command works with; without backends where the configuration can't be read.
    pub setup: &'a Setup,
    /// Why the configuration can't be read.
    pub broken: Option<Error>,
    /// The configuration file that the command line names; what is to be typed next has to name it too.
    pub file: Option<PathBuf>,
    /// The backends.
    pub names: Vec<String>,
    /// Whether somebody named them; a built-in one that nobody named need not be set up.
    pub named: bool,
}

/// An item, and what in it is somebody's own name.
#[derive(Debug, Clone)]
pub struct Noted {
    item: Item,
    names: Vec<String>,
}

/// Keeps what was told, for the support bundle.
pub type Notes = Arc<Mutex<Vec<Noted>>>;

/// Looks at everything, and emits what it finds: of one backend as it comes, of several each when it is done.
pub async fn run(asked: &Asked<'_>, notes: &Notes, out: &Emit) {
    let mut here = Teller::new(asked, None, false, notes, out);
    here::look(asked, &mut here);
    let together = asked.names.len() > 1;
    stream::iter(&asked.names)
        .for_each_concurrent(LOOKS, |name| async move {
            let mut teller = Teller::new(asked, Some(name), together, notes, out);
            layers::look(asked, name, &mut teller).await;
            teller.end();
        })
        .await;
}

/// Tells the layers of one backend, or of this computer.
struct Teller<'a> {
    /// How commands in remedies begin, where that is not as they are written.
    begin: Option<String>,
    backend: Option<&'a str>,
    /// What is kept until all of it is known.
    held: Option<Vec<(Item, Option<Error>)>>,
    /// Whether a layer has failed: the first one gives the code.
    failed: bool,
    notes: &'a Notes,
    out: &'a Emit,
}

impl<'a> Teller<'a> {
    fn new(asked: &Asked<'_>, backend: Option<&'a str>, holds: bool, notes: &'a Notes, out: &'a Emit) -> Self {
        let begin = asked.file.as_ref().map(|file| format!("vpnctl --config {} ", quoted(file)));
        Self { begin, backend, held: holds.then(Vec::new), failed: false, notes, out }
    }

    /// Gives a remedy whose commands read the same configuration.
    fn whole(&self, text: &str) -> String {
        let Some(begin) = &self.begin else { return text.to_owned() };
        VERBS
            .iter()
            .fold(text.to_owned(), |text, verb| text.replace(&format!("vpnctl {verb}"), &format!("{begin}{verb}")))
    }

    /// Tells a layer.
    fn tell(&mut self, layer: DoctorLayer, finding: Finding) {
        let Finding { ok, text, remedy, error, names, .. } = finding;
        let error = error.map(|error| match self.backend {
            Some(backend) => error.backend(backend),
            None => error,
        });
        let remedy = remedy.map(|text| self.whole(&text));
        let error = error.map(|error| match error.hint_text().map(|text| self.whole(text)) {
            Some(hint) => error.instead(hint),
            None => error,
        });
        let item = item::of(&DoctorItem {
            backend: self.backend,
            layer,
            ok,
            finding: &text,
            remedy: remedy.as_deref(),
            error: error.as_ref().map(Error::report),
        });
        let noted = Noted { item: item.clone(), names };
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(noted);
        let first = error.filter(|_| !self.failed);
        self.failed |= ok == Some(false);
        match &mut self.held {
            Some(held) => held.push((item, first)),
            None => send(self.out, item, first),
        }
    }

    /// Tells what was kept.
    fn end(self) {
        self.held.into_iter().flatten().for_each(|(item, first)| send(self.out, item, first));
    }
}

fn send(out: &Emit, item: Item, first: Option<Error>) {
    match first {
        Some(error) => emit_failed(out, Some(item), error),
        None if item.get("ok") == Some(&serde_json::Value::Bool(false)) => emit_no(out, item),
        None => emit(out, item),
    }
}
