//! `serve probe`: reads the target that a scrape names, in the manner of the blackbox exporter.
//!
//! Nothing that is asked for at the same time is read twice, what was read just now is told again, and a login that was
//! refused is not asked for again: scrapes come more often than a vendor likes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Uri};
use jiff::Timestamp;
use prometheus::{Gauge, IntGauge, Registry};
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

use super::meters::{Requests, gauge};
use super::pages::{self, Page};
use super::pause::{asked, doubled, is_refusal, mark, refused};
use super::reading::{Reading, read};
use super::{Made, Pages, alone, bound, doubt, too_slow, unregistered};
use crate::app::selection::{self, Selection};
use crate::app::{Choice, Patience, Setup, with_error};
use crate::config::schema::read_duration;
use crate::error::{Code, Error, Layer, Result};
use crate::model::{Word, item};
use crate::render::prometheus::{States, text_of};

/// How long an answer is told again where nothing else is said.
pub const INTERVAL: Duration = Duration::from_secs(5);
/// The longest that an answer is told again after failures, each of which doubles that.
const LONGEST: Duration = Duration::from_secs(60);
/// How much of a scrape's time is left for the answer to arrive.
const MARGIN: Duration = Duration::from_millis(500);
/// The header with which Prometheus tells how long it waits, in seconds.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";
/// How many targets are looked up at once where the configuration says nothing.
const JOBS: usize = 8;

/// What is read: a backend, what of it, and whether that is an id.
type Key = (String, String, bool);

/// A target that is being read, or was.
#[derive(Debug, Clone)]
struct Flight {
    answer: watch::Receiver<Option<Arc<Answer>>>,
    begun: Instant,
    reader: AbortHandle,
}

/// What a reading came to, and when.
#[derive(Debug)]
struct Answer {
    reading: Reading,
    took: Duration,
    at: Instant,
    /// How long it is told again.
    life: Duration,
    /// Whether the vendor was not asked for it.
    is_old: bool,
}

/// Why a backend is left alone for a while.
#[derive(Debug)]
struct Held {
    until: Instant,
    /// What was remembered then; a change tells that somebody has logged in.
    mark: Option<u64>,
    error: Error,
}

/// How one backend is read.
#[derive(Debug)]
struct Lane {
    /// How many readings may go side by side.
    turns: Semaphore,
    held: Mutex<Option<Held>>,
    /// How many readings in a row have failed, and how many were refused.
    failures: Mutex<(u32, u32)>,
    /// After how long a reading that goes on is not waited for by those who ask then.
    doubt: Duration,
}

impl Lane {
    /// Counts a reading; gives how many have failed in a row, and how many were refused.
    fn count(&self, reading: &Reading) -> (u32, u32) {
        // A name that does not exist tells nothing of the vendor.
        let is_failure = |error: &Error| error.is_temporary() || error.wait().is_some() || is_refusal(error);
        let mut counted = self.failures();
        let (failures, refusals) = *counted;
        *counted = if reading.errors.iter().any(is_failure) {
            let is_refused = reading.errors.iter().any(is_refusal);
            (failures.saturating_add(1), refusals.saturating_add(u32::from(is_refused)))
        } else {
            (0, 0)
        };
        *counted
    }

    fn failures(&self) -> MutexGuard<'_, (u32, u32)> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request asks for.
#[derive(Debug)]
struct Asked {
    key: Key,
    /// The states that are a success; `None` is any that could be read.
    expect: Option<Vec<Word>>,
    within: Duration,
}

/// Reads what is asked for.
#[derive(Debug)]
struct Prober {
    setup: Setup,
    /// The backend that a name without one means.
    usual: Option<String>,
    interval: Duration,
    lanes: BTreeMap<String, Lane>,
    flights: Mutex<BTreeMap<Key, Flight>>,
}

/// The endpoint.
#[derive(Debug)]
pub struct Exporter {
    prober: Arc<Prober>,
    own: Registry,
}

impl Exporter {
    /// Makes the endpoint for the chosen backends, or for all where none is chosen; sends no request.
    ///
    /// # Errors
    /// Fails with `backend.unknown`, or with what is wrong in the configuration where no backend can be opened.
    pub fn new(mut setup: Setup, choice: &Choice) -> Result<Self> {
        let own = Registry::new();
        setup.observer = Some(Requests::register(&own)?);
        let usual = selection::backends(&setup.config, choice);
        let is_chosen = choice.all || !choice.named.is_empty();
        let backends: Vec<String> =
            if is_chosen { usual.clone()? } else { setup.config.backends.keys().cloned().collect() };
        let usual = usual.ok().and_then(|mut usual| if usual.len() == 1 { usual.pop() } else { None });
        let interval = setup.limits.interval.unwrap_or(INTERVAL);
        let (mut lanes, mut wrong) = (BTreeMap::new(), None);
        for backend in backends {
            let Some(settings) = setup.config.backends.get(&backend) else { continue };
            let jobs = match setup.open(settings, Patience::Read) {
                Ok(open) => open.jobs,
                Err(error) => {
                    wrong = wrong.or(Some(error.backend(&backend)));
                    JOBS
                }
            };
            let lane = Lane {
                turns: Semaphore::new(jobs),
                held: Mutex::default(),
                failures: Mutex::default(),
                doubt: doubt(settings.vendor).max(interval),
            };
            lanes.insert(backend, lane);
        }
        if let Some(error) = wrong.filter(|_| lanes.len() == 1) {
            return Err(error);
        }
        let prober = Prober { setup, usual, interval, lanes, flights: Mutex::default() };
        Ok(Self { prober: Arc::new(prober), own })
    }

    /// Gives the pages.
    pub fn pages(&self) -> Pages {
        let (prober, own) = (Arc::clone(&self.prober), self.own.clone());
        let probe = axum::routing::get(move |uri: Uri, headers: HeaderMap| {
            let prober = Arc::clone(&prober);
            async move {
                match prober.asked(uri.query().unwrap_or_default(), &headers) {
                    Ok(asked) => Page::metrics(Prober::probe(&prober, asked).await),
                    Err(error) => Page::wrong(error),
                }
            }
        });
        let metrics = axum::routing::get(move || {
            let text = text_of(&own).map_err(unregistered);
            async move { Page::metrics(text) }
        });
        let shown =
            [("/probe", "reads ?target=BACKEND/NAME now"), ("/metrics", "what this endpoint has asked vendors for")];
        pages::around("vpnctl serve probe", &shown).route("/probe", probe).route("/metrics", metrics)
    }
}

impl Prober {
    /// Reads a request.
    fn asked(&self, query: &str, headers: &HeaderMap) -> Result<Asked> {
        let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let given = |name: &str| query.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let target = given("target").ok_or_else(|| {
            Error::usage("`target` is missing")
                .hint("ask for /probe?target=BACKEND/NAME, or ?target=BACKEND/ for its one VPN")
        })?;
        let by_id = match given("id") {
            None | Some("0" | "false") => false,
            Some("1" | "true") => true,
            Some(other) => return Err(Error::usage(format!("`id={other}` is neither 1 nor 0"))),
        };
        let expect = match given("expect") {
            None => Some(vec![Word::Connected]),
            Some("any") => None,
            Some(words) => Some(words.split(',').map(expected).collect::<Result<_>>()?),
        };
        let (backend, name) = self.place(target)?;
        let mut within = bound(&self.setup, &backend);
        if let Some(time) = given("timeout") {
            let time = read_duration(time).map_err(|why| Error::usage(format!("`timeout` {why}")))?;
            within = if time.is_zero() { within } else { within.min(time) };
        }
        let scrape = headers.get(SCRAPE_TIMEOUT).and_then(|value| value.to_str().ok());
        let scrape = scrape.and_then(|value| value.parse().ok()).and_then(|s| Duration::try_from_secs_f64(s).ok());
        if let Some(scrape) = scrape.filter(|time| !time.is_zero()) {
            // Where there is hardly more time than that, half of it has to do.
            within = within.min(scrape.saturating_sub(MARGIN).max(scrape / 2));
        }
        Ok(Asked { key: (backend, name, by_id), expect, within })
    }

    /// Finds the backend of a target, and what of it is meant: nothing is its one VPN, or its account.
    fn place(&self, target: &str) -> Result<(String, String)> {
        let known: Vec<&str> = self.lanes.keys().map(String::as_str).collect();
        if let Some((backend, name)) = target.split_once('/').filter(|(backend, _)| self.lanes.contains_key(*backend)) {
            return Ok((backend.to_owned(), name.to_owned()));
        }
        if let Some(usual) = &self.usual {
            return Ok((usual.clone(), target.to_owned()));
        }
        let there_are = format!("there are {}", known.join(", "));
        match target.split_once('/') {
            Some((backend, _)) => {
                let what = format!("there is no backend `{backend}` here; {there_are}");
                Err(Error::new(Code::BackendUnknown, Layer::Usage, what).hint("write BACKEND/NAME"))
            }
            None => Err(Error::usage(format!("whose target is `{target}`? {there_are}"))
                .hint(format!("write BACKEND/{target}"))),
        }
    }

    /// Answers a request: by what is read now, by what is being read already, or by what was read just before.
    async fn probe(prober: &Arc<Self>, asked: Asked) -> Made<String> {
        let begun = Instant::now();
        let (mut flight, is_cached) = Self::flight(prober, &asked.key);
        let answer = tokio::time::timeout(asked.within, flight.answer.wait_for(Option::is_some)).await;
        let answer = answer.ok().and_then(|answer| answer.ok().and_then(|answer| answer.clone()));
        match answer {
            Some(answer) => shown(&answer.reading, answer.took, is_cached || answer.is_old, asked.expect.as_deref()),
            // It is read on, for the next one who asks.
            None => {
                let (backend, name, _) = &asked.key;
                let error = too_slow(backend, asked.within).target(name);
                shown(&prober.unread(&asked.key, error), begun.elapsed(), false, asked.expect.as_deref())
            }
        }
    }

    /// Gives the reading of a target, and whether it had ended before; begins one where there is none that is young.
    fn flight(prober: &Arc<Self>, key: &Key) -> (Flight, bool) {
        let mut flights = prober.flights();
        // An answer is kept as long as it is told again, so that nothing grows with what is asked for. One that will
        // never come, for its reader has broken, is none.
        flights.retain(|_, flight| match &*flight.answer.borrow() {
            Some(answer) => answer.at.elapsed() < answer.life,
            None => flight.answer.has_changed().is_ok(),
        });
        if let Some(flight) = flights.get(key) {
            let had_ended = flight.answer.borrow().is_some();
            let doubt = prober.lanes.get(&key.0).map_or(prober.interval, |lane| lane.doubt);
            if had_ended || flight.begun.elapsed() < doubt {
                return (flight.clone(), had_ended);
            }
            // It hangs, and the vendor may be back meanwhile; its turn is for the new one.
            flight.reader.abort();
        }
        let (done, answer) = watch::channel(None);
        let (reader, owned) = (Arc::clone(prober), key.clone());
        let task = tokio::spawn(async move {
            let answer = reader.read(&owned).await;
            // Whoever asked may have gone.
            let _ = done.send(Some(Arc::new(answer)));
        });
        let flight = Flight { answer, begun: Instant::now(), reader: task.abort_handle() };
        flights.insert(key.clone(), flight.clone());
        (flight, false)
    }

    /// Reads a target, once there is a turn.
    async fn read(&self, key: &Key) -> Answer {
        let begun = Instant::now();
        let (backend, name, by_id) = key;
        let life = self.interval;
        let answer = |reading, is_old| Answer { reading, took: begun.elapsed(), at: Instant::now(), life, is_old };
        let Some(lane) = self.lanes.get(backend) else { return answer(Reading::default(), true) };
        // It is never closed.
        let _turn = lane.turns.acquire().await;
        if let Some(error) = self.held(backend, lane) {
            return answer(self.unread(key, error), true);
        }
        let names = if name.is_empty() { Vec::new() } else { vec![format!("{backend}/{name}")] };
        let selection = Selection { names, by_id: *by_id, ..Selection::default() };
        let (setup, owner) = (self.setup.clone(), backend.clone());
        let work = move || async move { read(&setup, &owner, &selection).await };
        // A thread that hangs in a secret's command is given up; that it hangs, it keeps to itself.
        let limit = bound(&self.setup, backend) + MARGIN;
        let reading = match tokio::time::timeout(limit, alone("probe", work)).await {
            Ok(Ok(reading)) => reading,
            _ => self.unread(key, too_slow(backend, limit)),
        };
        let life = self.hold(backend, lane, &reading);
        Answer { life, ..answer(reading, false) }
    }

    /// Gives why a backend is left alone, where it still is.
    fn held(&self, backend: &str, lane: &Lane) -> Option<Error> {
        let mut held = lane.held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |held: &Held| {
            held.until <= Instant::now() || held.mark.is_some_and(|before| before != mark(&self.setup, backend))
        };
        if held.as_ref().is_some_and(is_over) {
            let ended = held.take();
            if ended.is_some_and(|held| held.until > Instant::now()) {
                // Somebody has logged in; what was refused before tells nothing any more.
                *lane.failures() = (0, 0);
            }
        }
        held.as_ref().map(|held| held.error.clone())
    }

    /// Leaves a backend alone that refused the login, or asked to be left alone; gives how long the answer is told
    /// again, which is longer with each failure.
    fn hold(&self, backend: &str, lane: &Lane, reading: &Reading) -> Duration {
        let errors = &reading.errors;
        let refusal = errors.iter().find(|error| is_refusal(error));
        let limited = errors.iter().find(|error| error.wait().is_some());
        let until = |wait| Instant::now() + wait;
        let (failures, refusals) = lane.count(reading);
        let held = match (refusal, limited) {
            (Some(error), _) => Some(Held {
                until: until(refused(refusals)),
                mark: Some(mark(&self.setup, backend)),
                error: error.clone(),
            }),
            (None, Some(error)) => Some(Held { until: until(asked(errors)), mark: None, error: error.clone() }),
            (None, None) => None,
        };
        if held.is_some() {
            *lane.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
        }
        life(self.interval, failures)
    }

    /// Tells of a target that was not read.
    fn unread(&self, (backend, name, _): &Key, error: Error) -> Reading {
        let vendor = self.setup.config.backends.get(backend).map_or("", |settings| settings.vendor);
        let error = if name.is_empty() { error } else { error.target(name) };
        let unread = with_error(item::unread(backend, vendor, None, Timestamp::now()), &error);
        Reading { items: vec![unread], ..Reading::failed(error) }
    }

    fn flights(&self) -> MutexGuard<'_, BTreeMap<Key, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn expected(word: &str) -> Result<Word> {
    Word::parse(word).filter(|word| *word != Word::Unknown).ok_or_else(|| {
        let all: Vec<&str> = Word::ALL.into_iter().filter(|word| *word != Word::Unknown).map(Word::as_str).collect();
        Error::usage(format!("`expect` can't be `{word}`")).hint(format!("there are {}, or any", all.join(", ")))
    })
}

/// Writes the answer to one probe.
fn shown(reading: &Reading, took: Duration, is_cached: bool, expect: Option<&[Word]>) -> Made<String> {
    let registry = Registry::new();
    let fits = |item: &crate::render::Item| {
        let state = item.get("state").and_then(serde_json::Value::as_str).and_then(Word::parse);
        expect.is_none_or(|expect| state.is_some_and(|state| expect.contains(&state)))
    };
    let is_read = reading.errors.is_empty() && !reading.items.is_empty();
    let success = is_read && reading.items.iter().all(fits);
    let flag = |name: &str, help: &str, on: bool| -> Made<()> {
        let gauge = IntGauge::new(name, help).map_err(unregistered)?;
        gauge.set(i64::from(on));
        registry.register(Box::new(gauge)).map_err(unregistered)
    };
    flag("probe_success", "Whether the target could be read and is in the expected state.", success)?;
    flag("vpnctl_probe_cached", "Whether this was read for an earlier probe.", is_cached)?;
    let duration =
        Gauge::new("probe_duration_seconds", "How long it took to read the target.").map_err(unregistered)?;
    duration.set(took.as_secs_f64());
    registry.register(Box::new(duration)).map_err(unregistered)?;
    if let Some(error) = reading.errors.first() {
        let help = "Always 1; the label is the code of the error for which the target could not be read.";
        gauge(&registry, "vpnctl_probe_error", help, "code")?.with_label_values(&[error.code().as_str()]).set(1);
    }
    States::register(&registry).map_err(unregistered)?.set(&reading.items);
    text_of(&registry).map_err(unregistered)
}

/// Gives how long an answer is told again after so many failures in a row.
fn life(interval: Duration, failures: u32) -> Duration {
    doubled(interval, failures.saturating_sub(1)).min(LONGEST.max(interval))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::sync::Semaphore;

    use super::{Lane, Reading, life};
    use crate::error::{Code, Error, Layer};

    #[test]
    fn failures_are_told_again_longer_and_a_success_ends_that() {
        let lane = Lane {
            turns: Semaphore::new(1),
            held: Mutex::default(),
            failures: Mutex::default(),
            doubt: Duration::ZERO,
        };
        let interval = Duration::from_secs(5);
        let lives = |error: &Error, times: usize| -> Vec<u64> {
            let failed = || Reading::failed(error.clone());
            (0..times).map(|_| life(interval, lane.count(&failed()).0).as_secs()).collect()
        };
        let down = Error::new(Code::HttpServerError, Layer::Http, "x").temporary();
        assert_eq!(lives(&down, 6), [5, 10, 20, 40, 60, 60]);
        assert_eq!(life(interval, lane.count(&Reading::default()).0), interval);
        assert_eq!(lives(&down, 2), [5, 10]);
        // A name that does not exist tells nothing of the vendor.
        assert_eq!(lives(&Error::new(Code::TargetNotFound, Layer::Usage, "x"), 2), [5, 5]);
        assert_eq!(life(Duration::from_secs(3600), 9), Duration::from_secs(3600));
    }
}
