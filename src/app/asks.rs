//! What a command is asked about, one after the other: words of the command line, lines of a file, what failed before.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::lines::Lines;
use super::selection::{self, Choice, Selection};
use super::{Open, Patience, Setup};
use crate::backend::{naming, registry};
use crate::error::{Error, Result};
use crate::model::Target;
use crate::state::failures::{Failed, Failures};

/// Something that was asked about, and where it may be.
#[derive(Debug)]
pub struct Question {
    /// The backends; several where a name is looked for in all of them.
    pub places: Vec<Arc<Open>>,
    /// What it is about.
    pub what: What,
}

/// What a question is about.
#[derive(Debug)]
pub enum What {
    /// The backend's one VPN, or its whole account.
    Whole,
    /// What fulfils the conditions, of those that a glob fits where there is one.
    Listed(Option<String>),
    /// A target by its id, which is not looked up.
    Id(String),
    /// A target by what it is called.
    Name(String),
    /// A target that was found before.
    Target(Target),
}

/// What comes next.
#[derive(Debug)]
pub enum Ask {
    /// Something to work at.
    At(Question),
    /// A backend that can't be opened, told once.
    Unopened(String, &'static str, Error),
}

/// Everything that is asked about; a file is read as it is needed, and backends are opened when they are.
#[derive(Debug)]
pub struct Asks<'a> {
    setup: &'a Setup,
    choice: &'a Choice,
    selection: &'a Selection,
    patience: Patience,
    source: Option<Source>,
    chosen: Option<Vec<String>>,
    opened: BTreeMap<String, Option<Arc<Open>>>,
    ahead: VecDeque<Ask>,
    overlaps: bool,
}

#[derive(Debug)]
enum Source {
    Lines(Lines),
    Failures(Failures),
}

impl<'a> Asks<'a> {
    /// Begins; no request is sent yet.
    ///
    /// # Errors
    /// Fails where nothing can be asked about: wrong flags, an unknown backend, an empty file.
    pub async fn new(
        setup: &'a Setup,
        choice: &'a Choice,
        selection: &'a Selection,
        patience: Patience,
    ) -> Result<Self> {
        let patience = selection.patience(patience);
        let (source, chosen) = (None, None);
        let (opened, ahead) = (BTreeMap::new(), VecDeque::new());
        // What was named twice on the command line, perhaps by its name and by a glob, is meant once; the lines of a file
        // are taken as they stand.
        let overlaps = selection.names.len() > 1;
        let mut asks = Self { setup, choice, selection, patience, source, chosen, opened, ahead, overlaps };
        for name in &selection.names {
            asks.take_name(name)?;
        }
        if let Some(path) = &selection.file {
            let limit = setup.limits.timeout.filter(|limit| !limit.is_zero());
            let until = limit.and_then(|limit| Instant::now().checked_add(limit));
            let mut lines = Lines::open(path)?.until(until);
            match lines.next().await? {
                Some(name) => asks.take_name(&name)?,
                None if selection.names.is_empty() => return Err(selection::empty(selection)),
                None => {}
            }
            asks.source = Some(Source::Lines(lines));
        } else if selection.names.is_empty() {
            for backend in asks.chosen()? {
                let what = if selection.filters() { What::Listed(None) } else { What::Whole };
                asks.take(&[backend], what);
            }
        }
        Ok(asks)
    }

    /// Begins with what failed before.
    ///
    /// # Errors
    /// Fails where `-b` names what is no backend.
    pub fn again(
        setup: &'a Setup,
        choice: &'a Choice,
        selection: &'a Selection,
        patience: Patience,
        failures: Failures,
    ) -> Result<Self> {
        let (source, chosen) = (Some(Source::Failures(failures)), choice.restriction(&setup.config)?);
        let patience = if patience == Patience::Wait { patience } else { Patience::Fleet };
        let (opened, ahead) = (BTreeMap::new(), VecDeque::new());
        Ok(Self { setup, choice, selection, patience, source, chosen, opened, ahead, overlaps: false })
    }

    /// Says whether among what failed before is all of a backend, beside targets that it may have.
    #[must_use]
    pub fn with_overlaps(self, overlaps: bool) -> Self {
        Self { overlaps, ..self }
    }

    /// Tells whether a target may be asked about twice, though it is meant once.
    #[must_use]
    pub fn overlap(&self) -> bool {
        self.overlaps
    }

    /// Gives why there is nothing to ask, where the only backend can't be opened.
    #[must_use]
    pub fn refusal(&self) -> Option<Error> {
        match (self.opened.len(), self.ahead.front()) {
            (1, Some(Ask::Unopened(_, _, error))) => Some(error.clone()),
            _ => None,
        }
    }

    /// Names the backends that may be asked.
    #[must_use]
    pub fn backends(&self) -> Vec<String> {
        match self.source {
            // Which ones a file means is seen when it is read.
            Some(_) => self.setup.config.backends.keys().cloned().collect(),
            None => self.opened.keys().cloned().collect(),
        }
    }

    /// Gives the selection that it was made of.
    #[must_use]
    pub fn selection(&self) -> &'a Selection {
        self.selection
    }

    /// Tells how many targets are asked about, where that is known before.
    #[must_use]
    pub fn expected(&self) -> Option<usize> {
        let names = &self.selection.names;
        let all_are_named =
            !names.is_empty() && (self.selection.by_id || !names.iter().any(|name| naming::is_glob(name)));
        (all_are_named && self.source.is_none() && self.selection.shard.is_none()).then_some(names.len())
    }

    /// Tells whether what failed before is asked again.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        matches!(self.source, Some(Source::Failures(_)))
    }

    /// Tells whether several targets of a backend may be asked about.
    #[must_use]
    pub fn are_several(&self) -> bool {
        let names = &self.selection.names;
        names.len() > 1
            || names.iter().any(|name| naming::is_glob(name))
            || self.selection.filters()
            || self.source.is_some()
    }

    /// Gives the next; nothing at the end.
    ///
    /// # Errors
    /// Fails where the rest can't be read, or a line of it means no backend; nothing follows then.
    pub async fn next(&mut self) -> Result<Option<Ask>> {
        loop {
            if let Some(ask) = self.ahead.pop_front() {
                return Ok(Some(ask));
            }
            let taken = match &mut self.source {
                None => return Ok(None),
                Some(Source::Lines(lines)) => match lines.next().await? {
                    Some(name) => self.take_name(&name),
                    None => return Ok(None),
                },
                Some(Source::Failures(failures)) => match failures.next() {
                    Some(failed) => {
                        self.take_failed(failed);
                        Ok(())
                    }
                    None => return Ok(None),
                },
            };
            if let Err(error) = taken {
                self.source = None;
                return Err(error);
            }
        }
    }

    /// Gives the backends that are meant where none stands in front of a name.
    fn chosen(&mut self) -> Result<Vec<String>> {
        if let Some(chosen) = &self.chosen {
            return Ok(chosen.clone());
        }
        let chosen = selection::backends(&self.setup.config, self.choice)?;
        Ok(self.chosen.insert(chosen).clone())
    }

    fn take_name(&mut self, name: &str) -> Result<()> {
        if self.selection.filters() && (self.selection.by_id || !naming::is_glob(name)) {
            // Only a list tells what labels a target has; leaving them out would select what was not meant.
            return Err(Error::usage(format!("`{name}` is named, and -l or --state choose as well"))
                .target(name)
                .hint("name targets, or choose among all of them or those that a glob fits: 'gw-*' -l site=lyon"));
        }
        let own = name.split_once('/').filter(|(prefix, _)| self.setup.config.backends.contains_key(*prefix));
        if own.map_or(name, |(_, rest)| rest).is_empty() {
            // Perhaps a script's variable that is not set: whatever it was to name, nothing else is asked or changed.
            return Err(Error::usage("a target without a name is none")
                .target(name)
                .hint("list what there is: vpnctl list"));
        }
        let what = |name: &str| match name {
            id if self.selection.by_id => What::Id(id.to_owned()),
            glob if naming::is_glob(glob) => What::Listed(Some(glob.to_owned())),
            name => What::Name(name.to_owned()),
        };
        if let Some((backend, rest)) = own {
            self.take(&[backend.to_owned()], what(rest));
            return Ok(());
        }
        let chosen = self.chosen()?;
        match what(name) {
            What::Listed(glob) => chosen.iter().for_each(|backend| {
                self.take(std::slice::from_ref(backend), What::Listed(glob.clone()));
            }),
            what => self.take(&chosen, what),
        }
        Ok(())
    }

    fn take_failed(&mut self, failed: Failed) {
        let is_meant = self.chosen.as_ref().is_none_or(|chosen| chosen.contains(&failed.backend));
        // A backend that is configured no more has nothing to be asked again.
        if !is_meant || !self.setup.config.backends.contains_key(&failed.backend) {
            return;
        }
        let Some(open) = self.open(&failed.backend) else { return };
        let Failed { id, name, kind_word, scope, .. } = failed;
        let what = match (id, name) {
            (Some(id), name) => What::Target(Target { kind: open.info().kind, id, name, kind_word, scope }),
            (None, Some(name)) => What::Name(name),
            (None, None) => What::Whole,
        };
        self.ahead.push_back(Ask::At(Question { places: vec![open], what }));
    }

    fn take(&mut self, backends: &[String], what: What) {
        let places: Vec<Arc<Open>> = backends.iter().filter_map(|backend| self.open(backend)).collect();
        if !places.is_empty() {
            self.ahead.push_back(Ask::At(Question { places, what }));
        }
    }

    /// Opens a backend, once; that it can't be is told once.
    fn open(&mut self, name: &str) -> Option<Arc<Open>> {
        if let Some(opened) = self.opened.get(name) {
            return opened.clone();
        }
        let settings = self.setup.config.backends.get(name)?;
        // A whole account is a fleet, and takes as long as it takes.
        let is_whole = self.selection.names.is_empty() && self.source.is_none();
        let many = registry::find(settings.vendor).is_some_and(|vendor| vendor.asks_devices);
        let patience = match self.patience {
            Patience::Read if is_whole && many => Patience::Fleet,
            patience => patience,
        };
        let opened = match self.setup.open(settings, patience) {
            Ok(open) => Some(Arc::new(open)),
            Err(error) => {
                self.ahead.push_back(Ask::Unopened(name.to_owned(), settings.vendor, error.backend(name)));
                None
            }
        };
        self.opened.entry(name.to_owned()).or_insert(opened).clone()
    }
}
