//! What the verbs do, one file each. A verb asks backends and emits items; it never prints.

pub mod act;
pub mod api;
pub mod asks;
pub mod attempt;
pub mod auth;
pub mod backends;
pub mod check;
pub mod client_settings;
pub mod doctor;
pub mod fan_out;
pub mod finding;
pub mod follow;
pub mod gate;
pub mod limit;
pub mod lines;
pub mod list;
pub mod log;
pub mod mass;
pub mod meant;
pub mod outcome;
pub mod schema;
pub mod selection;
pub mod serve;
pub mod settings;
pub mod shard;
pub mod status;
pub mod trust;
pub mod tunnel;
pub mod wait;
pub mod watch;
pub mod with;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;

use crate::backend::{Info, Opening, VpnBackend, registry};
use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::http::{Deadline, Observer};
use crate::model::item::StatusRow;
use crate::model::{Status, Target, item};
use crate::render::{Item, Row};
use crate::state::Folder;

pub use crate::http::probe::Probe;
pub use gate::Gate;
pub use limit::Stop;
pub use outcome::Outcome;
pub use selection::{Choice, Selection};

/// Bounds of a command, from flags and environment; `None` is the backend's or the built-in value.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// How long the whole command may take; zero means for ever.
    pub timeout: Option<Duration>,
    /// How long one HTTP attempt may take.
    pub request_timeout: Option<Duration>,
    /// How often a state is polled.
    pub interval: Option<Duration>,
    /// How many targets of a backend are asked at once.
    pub jobs: Option<usize>,
    /// How many requests to a backend may start in a second.
    pub rate: Option<f64>,
    /// How many failures end the run.
    pub max_failures: Option<limit::MaxFailures>,
}

/// What a command works with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The configuration.
    pub config: Config,
    /// Where backends remember things.
    pub folder: Folder,
    /// The bounds.
    pub limits: Limits,
    /// Whether targets of child accounts are listed too.
    pub recursive: bool,
    /// Whether the vendors' own documents are shown.
    pub native: bool,
    /// Whether every device is asked itself.
    pub live: bool,
    /// Whether only this computer is looked at, where a network is asked for what announces itself.
    pub on_loopback: bool,
    /// Who is told of every request.
    pub observer: Option<Arc<dyn Observer>>,
}

/// A backend that is open.
pub struct Open {
    /// The vendor's implementation.
    pub backend: Box<dyn VpnBackend>,
    /// When the command has to be done.
    pub deadline: Deadline,
    /// How many of its targets are asked at once.
    pub jobs: usize,
    /// Whether its configuration forbids changes.
    pub read_only: bool,
    /// What changes of connections go through.
    pub gate: Gate,
    /// Its name, for many rows.
    name: Arc<str>,
    /// How many targets it has, once all of them were listed.
    pub listed: OnceLock<usize>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("info", self.info()).finish_non_exhaustive()
    }
}

impl Open {
    /// Takes a backend that was opened.
    #[must_use]
    pub fn new(backend: Box<dyn VpnBackend>, deadline: Deadline, jobs: usize, read_only: bool) -> Self {
        let name = Arc::from(backend.info().backend.as_str());
        Self { backend, deadline, jobs, read_only, gate: Gate::default(), name, listed: OnceLock::new() }
    }

    /// Describes the backend.
    #[must_use]
    pub fn info(&self) -> &Info {
        self.backend.info()
    }

    /// Says whose an error is.
    #[must_use]
    pub fn own(&self, error: Error) -> Error {
        error.backend(&self.info().backend)
    }

    /// Makes the status item of something that was read now.
    #[must_use]
    pub fn item(&self, status: &Status, native: bool) -> Item {
        let info = self.info();
        item::status(&info.backend, info.vendor, status, Timestamp::now(), native)
    }

    /// Makes the row of something that was read now.
    #[must_use]
    pub fn row(&self, status: Status, native: bool) -> StatusRow {
        let (backend, vendor) = (Arc::clone(&self.name), self.info().vendor);
        StatusRow { backend, vendor, status, observed_at: Timestamp::now(), native }
    }

    /// Makes the status item of something that could not be read.
    #[must_use]
    pub fn failed_item(&self, target: Option<&Target>, error: &Error) -> Item {
        let info = self.info();
        with_error(item::unread(&info.backend, info.vendor, target, Timestamp::now()), error)
    }
}

/// Puts an error into an item.
#[must_use]
pub fn with_error(mut item: Item, error: &Error) -> Item {
    let report = serde_json::to_value(error.report()).unwrap_or_default();
    item.insert("error".to_owned(), report);
    item
}

/// The default bound of a verb: contract section 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Reads: 30 s, or 90 s where devices are asked.
    Read,
    /// What asks the server alone, and no device: 30 s.
    Look,
    /// Changes: 60 s.
    Change,
    /// Pairing waits for somebody to press a button: 120 s, more than a box gives them.
    Login,
    /// Waits: 60 s, also where several targets are waited for, for each wait is bounded.
    Wait,
    /// Fleets take as long as they take.
    Fleet,
    /// What follows a state or a log goes on until it is ended, whatever the configuration says of its backend.
    Follow,
}

impl Setup {
    /// Opens a backend; sends no request.
    ///
    /// # Errors
    /// Fails where its settings are wrong.
    pub fn open(&self, settings: &config::Backend, patience: Patience) -> Result<Open> {
        let Some(vendor) = registry::find(settings.vendor) else {
            return Err(Error::config(format!("there is no vendor `{}`", settings.vendor)));
        };
        let usual = match patience {
            Patience::Read if vendor.asks_devices => Some(Duration::from_secs(90)),
            Patience::Read | Patience::Look => Some(Duration::from_secs(30)),
            Patience::Change | Patience::Wait => Some(Duration::from_secs(60)),
            Patience::Login => Some(Duration::from_secs(120)),
            Patience::Fleet | Patience::Follow => None,
        };
        let configured = settings.duration("timeout").filter(|_| patience != Patience::Follow);
        let deadline = Deadline::after(self.limits.timeout.or(configured).or(usual));
        let jobs = self.limits.jobs.or_else(|| settings.integer("jobs").and_then(|jobs| usize::try_from(jobs).ok()));
        let backend = (vendor.open)(Opening {
            config: settings.clone().until(deadline.at()),
            store: self.folder.backend(&settings.name).until(deadline.at()),
            deadline,
            request_timeout: self.limits.request_timeout,
            rate: self.limits.rate,
            recursive: self.recursive,
            native: self.native,
            live: self.live,
            observer: self.observer.clone(),
        })?;
        let jobs = jobs.unwrap_or(8).max(1);
        Ok(Open::new(backend, deadline, jobs, settings.is_on("read_only")))
    }
}

/// What became known of something.
#[derive(Debug, Default)]
pub struct Told {
    /// Its row, where it has one.
    pub row: Option<Row>,
    /// The error that the row holds, or that stands for it.
    pub error: Option<Error>,
    /// The part of the vendor's account that its target belongs to, where that is not the configured one.
    pub scope: Option<String>,
}

/// Where items go as they become known; it knows when enough of them have failed.
#[derive(Debug, Clone)]
pub struct Emit {
    sender: UnboundedSender<Told>,
    stop: Stop,
    counts: bool,
}

impl Emit {
    /// Makes one that counts what it is given.
    #[must_use]
    pub fn new(sender: UnboundedSender<Told>, stop: Stop) -> Self {
        Self { sender, stop, counts: true }
    }

    /// Makes one for somebody who judges what it is given, and counts the verdicts.
    #[must_use]
    pub fn judged_by(sender: UnboundedSender<Told>, judge: &Self) -> Self {
        Self { sender, stop: judge.stop.clone(), counts: false }
    }

    /// Tells when enough have failed.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    fn send(&self, told: Told, failed: bool) {
        if self.counts {
            self.stop.count(failed);
        }
        // Where nobody reads any more, the command is ending anyway.
        let _ = self.sender.send(told);
    }
}

/// What is known so far of targets whose end is still waited for: what a command tells of them that a signal ends.
///
/// With each stands the part of the vendor's account that it belongs to, where that is not the configured one.
pub type Underway = Arc<Mutex<BTreeMap<String, (Item, Option<String>)>>>;

/// Emits an item.
pub(crate) fn emit(out: &Emit, item: Item) {
    out.send(Told { row: Some(item.into()), ..Told::default() }, false);
}

/// Emits an item whose answer is no, which is a failure without an error.
pub(crate) fn emit_no(out: &Emit, item: Item) {
    out.send(Told { row: Some(item.into()), ..Told::default() }, true);
}

/// Emits a status that was read.
pub(crate) fn emit_status(out: &Emit, row: StatusRow) {
    out.send(Told { row: Some(Row::Status(Box::new(row))), ..Told::default() }, false);
}

/// Emits an item that failed.
pub(crate) fn emit_failed(out: &Emit, item: Option<Item>, error: Error) {
    out.send(Told { row: item.map(Row::from), error: Some(error), scope: None }, true);
}

/// Emits an item that failed, of a part of the vendor's account.
pub(crate) fn emit_failed_in(out: &Emit, scope: Option<String>, item: Item, error: Error) {
    out.send(Told { row: Some(item.into()), error: Some(error), scope }, true);
}

/// Emits that something went well which has no item of its own.
pub(crate) fn emit_nothing(out: &Emit) {
    out.send(Told::default(), false);
}

/// Keeps backends that are open by name.
pub type Opened = BTreeMap<String, Arc<Open>>;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Limits, Patience, Setup};
    use crate::config::{self, Sources};
    use crate::state::Folder;

    /// Gives how long a vendor's commands may take, by the moment that they have to be done.
    fn bound(vendor: &str, patience: Patience, limits: Limits) -> Option<u64> {
        let variable = |key: &str, value: &str| (format!("VPNCTL_BACKEND_X_{key}"), value.to_owned());
        let variables = [variable("VENDOR", vendor), variable("URL", "https://api.example/v1")];
        let sources = Sources { variables: variables.into(), ..Sources::default() };
        let setup = Setup {
            config: config::load(&sources, &crate::backend::registry::keys()).expect("read"),
            folder: Folder::new(None),
            limits,
            recursive: false,
            native: false,
            live: false,
            on_loopback: false,
            observer: None,
        };
        let before = Instant::now();
        let at = setup.open(&setup.config.backends["x"], patience).expect("opened").deadline.at()?;
        let after = Instant::now();
        // Exact, however long it took to open it.
        (0..3600).find(|second| {
            let limit = Duration::from_secs(*second);
            before + limit <= at && at <= after + limit
        })
    }

    #[test]
    fn what_is_not_bounded_by_anybody_is_bounded_as_the_help_says() {
        for vendor in crate::backend::registry::VENDORS {
            let usual = |patience| bound(vendor.name, patience, Limits::default());
            assert_eq!(usual(Patience::Change), Some(60), "connect, disconnect, reconnect");
            assert_eq!(usual(Patience::Wait), Some(60));
            assert_eq!(usual(Patience::Read), Some(if vendor.asks_devices { 90 } else { 30 }));
            assert_eq!((usual(Patience::Fleet), usual(Patience::Follow)), (None, None));
            let limits = |seconds| Limits { timeout: Some(Duration::from_secs(seconds)), ..Limits::default() };
            assert_eq!(bound(vendor.name, Patience::Change, limits(7)), Some(7));
            assert_eq!(bound(vendor.name, Patience::Change, limits(0)), None);
        }
    }
}
