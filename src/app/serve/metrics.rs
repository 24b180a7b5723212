//! `serve metrics`: the states of backends, from a cache that scrapes only look at.
//!
//! Each backend is read by a thread of its own, at its own pace, so that one that hangs delays neither another one nor
//! a scrape.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::proto::MetricFamily;
use prometheus::{Registry, TextEncoder};
use tokio::sync::{oneshot, watch};

use super::meters::Requests;
use super::pages::{self, Page};
use super::pause::{Pause, is_refusal, rest};
use super::reading::{Reading, in_time, only, read};
use super::shelf::Shelf;
use super::{Made, Pages, alone, bound, doubt, too_slow};
use crate::app::follow::{self, Follower};
use crate::app::selection::{self, Job, Selection};
use crate::app::{Choice, Open, Patience, Setup};
use crate::backend::naming;
use crate::error::{Error, Result};
use crate::http;

/// How often a backend is read where nothing else is said.
pub const INTERVAL: Duration = Duration::from_secs(15);
/// How often targets that a glob or labels select are looked up again where the state is pushed.
const RESOLVE: Duration = Duration::from_secs(300);

/// Finds which backends are read, and what of each; sends no request.
///
/// # Errors
/// Fails with `usage` where no backend is chosen or it is not clear whose target a name is, with `backend.unknown`, or
/// with what is wrong in the configuration where no chosen backend can be opened.
fn chosen(setup: &Setup, choice: &Choice, selection: &Selection) -> Result<BTreeMap<String, Selection>> {
    let own = |name: &str| {
        let (prefix, _) = name.split_once('/')?;
        setup.config.backends.contains_key(prefix).then(|| prefix.to_owned())
    };
    let bare: Vec<&String> = selection.names.iter().filter(|name| own(name).is_none()).collect();
    let by_choice = if selection.names.is_empty() || !bare.is_empty() {
        selection::backends(&setup.config, choice)?
    } else {
        Vec::new()
    };
    if let Some(name) = bare.iter().find(|name| by_choice.len() > 1 && (selection.by_id || !naming::is_glob(name))) {
        return Err(Error::usage(format!("whose target is `{name}`? There are {}", by_choice.join(", ")))
            .hint(format!("write {}/{name}", by_choice[0])));
    }
    let mut all: BTreeMap<String, Selection> = BTreeMap::new();
    let nothing = Selection { names: Vec::new(), ..selection.clone() };
    for backend in by_choice {
        let names = bare.iter().map(|name| (*name).clone()).collect();
        all.insert(backend, Selection { names, ..nothing.clone() });
    }
    for name in &selection.names {
        if let Some(backend) = own(name) {
            all.entry(backend).or_insert_with(|| nothing.clone()).names.push(name.clone());
        }
    }
    let opens = |name: &String| setup.config.backends.get(name).map(|settings| setup.open(settings, Patience::Read));
    let mut wrong = None;
    for backend in all.keys() {
        match opens(backend) {
            Some(Err(error)) => wrong = wrong.or(Some(error.backend(backend))),
            _ => return Ok(all),
        }
    }
    wrong.map_or(Ok(all), Err)
}

/// The cache, and what fills it.
#[derive(Debug)]
pub struct Exporter {
    shelves: Arc<Vec<Arc<Shelf>>>,
    own: Registry,
    keepers: Vec<Keeper>,
}

/// The threads that read; they end when this is dropped, or [`Self::end`] waits for that.
#[derive(Debug)]
pub struct Running {
    stop: watch::Sender<bool>,
    threads: Vec<oneshot::Receiver<()>>,
    /// For each backend, why nothing was selected there at first; none where something was, or may have been.
    empty: Vec<oneshot::Receiver<Error>>,
}

impl Running {
    /// Waits until it is known that nothing was selected in any backend, and tells why; waits for ever where something
    /// was, or where one could not be read.
    pub async fn selects_nothing(&mut self) -> Error {
        let mut why = None;
        for backend in &mut self.empty {
            match backend.await {
                Ok(error) => why = Some(error),
                Err(_) => return std::future::pending().await,
            }
        }
        match why {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Tells the readers to end, which closes subscriptions, and waits for those that can hear it.
    pub async fn end(self) {
        // Where nobody listens any more, all have ended.
        let _ = self.stop.send(true);
        for thread in self.threads {
            // One that has broken has ended too.
            let _ = thread.await;
        }
    }
}

impl Exporter {
    /// Makes the cache of the chosen targets; nothing is read before [`Self::start`].
    ///
    /// # Errors
    /// Fails where nothing can be served: wrong flags, an unknown backend, a configuration that is wrong as a whole.
    pub fn new(mut setup: Setup, choice: &Choice, selection: &Selection) -> Result<Self> {
        let own = Registry::new();
        setup.observer = Some(Requests::register(&own)?);
        let interval = setup.limits.interval.unwrap_or(INTERVAL);
        let chosen = chosen(&setup, choice, selection)?;
        // Where a glob is looked for in several backends, one that has nothing of the kind is no failure.
        let may_be_empty = chosen.len() > 1;
        let setup = Arc::new(setup);
        let (mut shelves, mut keepers) = (Vec::new(), Vec::new());
        for (backend, selection) in chosen {
            let vendor = setup.config.backends.get(&backend).map_or("", |settings| settings.vendor);
            let shelf = Arc::new(Shelf::new(&backend, vendor)?);
            shelves.push(Arc::clone(&shelf));
            keepers.push(Keeper { setup: Arc::clone(&setup), backend, selection, interval, may_be_empty, shelf });
        }
        Ok(Self { shelves: Arc::new(shelves), own, keepers })
    }

    /// Begins to read.
    pub fn start(&mut self) -> Running {
        let (stop, stopped) = watch::channel(false);
        let mut empty = Vec::new();
        let keep = |keeper: Keeper| {
            let mut stopped = stopped.clone();
            let (first, told) = oneshot::channel();
            empty.push(told);
            alone(&format!("read {}", keeper.backend), move || async move {
                tokio::select! {
                    // An error means that nobody is left to wait for.
                    _ = stopped.changed() => {}
                    () = keeper.keep(first) => {}
                }
            })
        };
        let threads = self.keepers.drain(..).map(keep).collect();
        Running { stop, threads, empty }
    }

    /// Gives the pages that show it.
    pub fn pages(&self) -> Pages {
        let (shelves, own) = (Arc::clone(&self.shelves), self.own.clone());
        let metrics = axum::routing::get(move || {
            let text = text(&shelves, &own);
            async move { Page::metrics(text) }
        });
        pages::around("vpnctl serve metrics", &[("/metrics", "the states of VPNs")]).route("/metrics", metrics)
    }
}

/// Writes what all shelves show, and what is measured of vpnctl itself.
fn text(shelves: &[Arc<Shelf>], own: &Registry) -> Made<String> {
    let mut all: BTreeMap<String, MetricFamily> = BTreeMap::new();
    // Requests come after what they brought: whoever sees a reading sees what it cost.
    let shown: Vec<MetricFamily> = shelves.iter().flat_map(|shelf| shelf.gather()).collect();
    for mut family in shown.into_iter().chain(own.gather()) {
        match all.get_mut(family.name()) {
            // Each backend has its own; a family stands in the text once.
            Some(kept) => kept.mut_metric().extend(family.take_metric()),
            None => {
                all.insert(family.name().to_owned(), family);
            }
        }
    }
    let families: Vec<MetricFamily> = all.into_values().collect();
    TextEncoder::new().encode_to_string(&families).map_err(super::unregistered)
}

/// Keeps the shelf of one backend filled.
#[derive(Debug)]
struct Keeper {
    setup: Arc<Setup>,
    backend: String,
    selection: Selection,
    interval: Duration,
    may_be_empty: bool,
    shelf: Arc<Shelf>,
}

impl Keeper {
    /// Reads for ever; tells `first` where nothing is selected at first, and drops it where something is.
    async fn keep(self, first: oneshot::Sender<Error>) {
        let (mut pause, mut first) = (Pause::new(self.interval), Some(first));
        loop {
            let reading = match self.pushing() {
                Some(open) => match self.follow(Arc::new(open), &mut pause, &mut first).await {
                    Some(reading) => reading,
                    None => continue,
                },
                None => self.doubting(read(&self.setup, &self.backend, &self.selection)).await,
            };
            if let (Some(first), Some(error)) = (first.take(), reading.nothing()) {
                // Where nobody waits for it, it is ending.
                let _ = first.send(error.clone());
            }
            let reading = self.without_nothing(reading);
            let wait =
                if reading.is_ok { pause.after_success(&reading.errors) } else { pause.after_failure(&reading.errors) };
            let refused = !reading.is_ok && reading.errors.iter().any(is_refusal);
            self.shelf.show(reading);
            if rest(&self.setup, &self.backend, wait, refused).await {
                pause.begin();
            }
        }
    }

    /// Tells how old what is shown may become while it is read anew.
    fn doubt(&self) -> Duration {
        let vendor = self.setup.config.backends.get(&self.backend).map_or("", |settings| settings.vendor);
        doubt(vendor).max(self.interval)
    }

    /// Waits for a reading, and shows what is there as unknown where it takes long.
    async fn doubting(&self, reading: impl Future<Output = Reading>) -> Reading {
        let (mut reading, doubt) = (pin!(reading), self.doubt());
        match tokio::time::timeout(doubt, reading.as_mut()).await {
            Ok(reading) => reading,
            Err(_) => {
                self.shelf.show(Reading::failed(too_slow(&self.backend, doubt)));
                reading.await
            }
        }
    }

    /// Opens the backend where its vendor pushes states; sends no request.
    fn pushing(&self) -> Option<Open> {
        let settings = self.setup.config.backends.get(&self.backend)?;
        // Where it can't be opened, reading it tells why.
        let open = self.setup.open(settings, Patience::Follow).ok()?;
        (open.info().one_vpn && open.backend.events().is_some()).then_some(open)
    }

    /// Finds the targets that are followed.
    async fn found(&self, bound: Duration) -> Result<Vec<Job>> {
        let mut setup = Setup::clone(&self.setup);
        setup.limits.timeout = Some(bound);
        let choice = only(&self.backend);
        let plan = selection::plan(&setup, &choice, &self.selection, Patience::Read);
        match http::within(bound, plan).await {
            Some(plan) => plan.map(|plan| plan.jobs),
            None => Err(too_slow(&self.backend, bound)),
        }
    }

    /// Shows each state that is pushed until one can't be read, which it gives; nothing where it is time to look anew
    /// which targets there are.
    async fn follow(
        &self,
        open: Arc<Open>,
        pause: &mut Pause,
        first: &mut Option<oneshot::Sender<Error>>,
    ) -> Option<Reading> {
        // What takes longer would leave what is shown in doubt.
        let bound = bound(&self.setup, &self.backend).min(self.doubt());
        let mut jobs = match self.found(bound).await {
            Ok(jobs) => jobs,
            Err(error) => return Some(Reading::failed(error.backend(&self.backend))),
        };
        // Looking targets up has an end, following them has none.
        jobs.iter_mut().for_each(|job| job.open = Arc::clone(&open));
        let (sources, failed) = follow::sources(jobs);
        let failed: Vec<(Arc<Open>, Error)> =
            failed.into_iter().map(|(open, error)| (Arc::clone(&open), open.own(error))).collect();
        // All targets of a one VPN are one source.
        let Some(mut source) = sources.into_iter().next() else {
            return Some(Reading::unfound(&failed));
        };
        source.within = Some(bound);
        let mut follower = Follower::new(source, Some(self.interval)).looking_every(self.interval);
        let changes = self.selection.filters() || self.selection.names.iter().any(|name| naming::is_glob(name));
        let renew = changes.then(|| Instant::now() + RESOLVE);
        loop {
            let sights = tokio::select! {
                sights = follower.next(None) => sights,
                () = until(renew) => return None,
            };
            let mut reading = Reading::unfound(&failed).and(&open, sights);
            reading.errors = reading.errors.into_iter().map(|one| in_time(one, &self.backend, bound)).collect();
            if !reading.is_ok {
                return Some(reading);
            }
            *first = None;
            pause.after_success(&[]);
            self.shelf.show(reading);
        }
    }

    /// Takes a selection that selects nothing here for none at all, where other backends are searched too.
    fn without_nothing(&self, reading: Reading) -> Reading {
        if self.may_be_empty && reading.nothing().is_some() {
            return Reading { is_ok: true, ..Reading::default() };
        }
        reading
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
