//! Changes of many targets: what they come to is told before, guarded, and done in batches.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};

use super::act::{self, Act, Verb};
use super::limit::{Percent, Stop};
use super::selection::{Job, Plan};
use super::{Emit, Open, Underway, emit_failed, finding, with_error};
use crate::error::{Code, Error, Layer, Result};
use crate::model::{Status, Target, Word, item};

/// How long one of many targets may take, where the command as a whole may take as long as it takes: as long as one
/// alone may, for a device that never gets there must hold up no other.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Of how many targets the names are written out.
const NAMED: usize = 3;
/// After how many targets that cost no request what was told of them is written.
const TOLD_AT_ONCE: usize = 64;

/// Says how many targets are changed at a time, and how long each may take.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    /// How many begin together; each such batch begins after the one before has ended.
    pub batch: Option<usize>,
    /// How long a target may take where nothing else bounds it.
    pub bound: Option<Duration>,
    /// How many targets need a change, as far as that is known.
    pub changes: usize,
    /// Where it is kept which targets were begun, and not told yet.
    pub underway: &'a Underway,
}

/// Tells whether what finding a target has told shows that there is nothing to do.
///
/// The state of a one VPN is no such thing: what is done to the target before may change it.
pub(super) fn is_settled(job: &Job, verb: Verb) -> bool {
    !job.open.info().one_vpn && job.known.as_ref().is_some_and(|known| is_as_wanted(known, verb))
}

fn is_as_wanted(known: &Status, verb: Verb) -> bool {
    match verb {
        Verb::Connect | Verb::With => known.word() == Word::Connected,
        Verb::Disconnect => known.word() == Word::Disconnected,
        Verb::Reconnect => false,
    }
}

/// What a plan would come to, by backend.
#[derive(Debug)]
pub struct Outlook {
    verb: Verb,
    parts: Vec<Part>,
}

/// What it would come to at one backend.
#[derive(Debug)]
struct Part {
    open: Arc<Open>,
    /// How many targets it has, where that is known.
    whole: Option<usize>,
    changes: usize,
    /// The names of the first of these.
    named: Vec<String>,
    /// How many are already as they are wanted.
    settled: usize,
    /// How many can't be acted on, and why the first of them can't.
    failed: usize,
    reason: Option<Error>,
}

impl Outlook {
    /// Makes one from what finding the targets has told; a state that is not known counts as a change.
    #[must_use]
    pub fn of(plan: &Plan, verb: Verb) -> Self {
        let mut parts: Vec<(Part, Vec<&Job>)> = Vec::new();
        for job in &plan.jobs {
            match parts.iter_mut().find(|(part, _)| Arc::ptr_eq(&part.open, &job.open)) {
                Some((_, jobs)) => jobs.push(job),
                None => parts.push((Part::new(&job.open), vec![job])),
            }
        }
        let parts = parts.into_iter().map(|(part, jobs)| part.counting(&jobs, verb)).collect();
        Self { verb, parts }
    }

    /// Tells how many targets would be changed.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.parts.iter().map(|part| part.changes).sum()
    }

    /// Refuses changes of more than a share of any backend's targets.
    ///
    /// # Errors
    /// Fails with `conflict.guard`, and with what the vendor said where its targets can't be counted.
    pub async fn guard(&mut self, most: Percent) -> Result<()> {
        join_all(self.parts.iter_mut().filter(|part| part.changes > 0).map(Part::count))
            .await
            .into_iter()
            .collect::<Result<Vec<()>>>()?;
        let verb = self.verb.as_str();
        let over: Vec<&Part> = self.parts.iter().filter(|part| part.is_over(most)).collect();
        let Some(first) = over.first() else { return Ok(()) };
        // The error says whose it is where it is of one backend.
        let told: Vec<String> = over.iter().map(|part| part.share(over.len() > 1)).collect();
        let text = format!("{verb} would change {}; --max-change allows {most}", told.join(" and "));
        let error = Error::new(Code::ConflictGuard, Layer::Usage, text)
            .hint("nothing was changed: select fewer targets, or add --force where so many are meant");
        Err(if over.len() == 1 { error.backend(&first.open.info().backend) } else { error })
    }

    /// Tells the plan, a line for each backend.
    #[must_use]
    pub fn lines(&self, dry_run: bool) -> Vec<String> {
        let verb = self.verb.as_str();
        let verb = if dry_run { format!("dry run: would {verb}") } else { verb.to_owned() };
        self.parts.iter().map(|part| part.line(&verb, self.verb)).collect()
    }
}

impl Part {
    fn new(open: &Arc<Open>) -> Self {
        let (open, whole) = (Arc::clone(open), open.listed.get().copied());
        Self { open, whole, changes: 0, named: Vec::new(), settled: 0, failed: 0, reason: None }
    }

    fn counting(mut self, jobs: &[&Job], verb: Verb) -> Self {
        // Of several that are to have the one VPN one after the other, none is up in the end but the last.
        let holds = !self.open.info().one_vpn || verb == Verb::Disconnect || jobs.len() == 1;
        for job in jobs {
            if let Some(error) = &job.error {
                self.failed += 1;
                self.reason.get_or_insert_with(|| error.clone());
            } else if holds && job.known.as_ref().is_some_and(|known| is_as_wanted(known, verb)) {
                self.settled += 1;
            } else {
                self.changes += 1;
                if self.named.len() < NAMED {
                    self.named.push(name(job));
                }
            }
        }
        self
    }

    /// Finds out how many targets the backend has.
    async fn count(&mut self) -> Result<()> {
        if self.whole.is_none() {
            let Some(targets) = self.open.backend.targets() else {
                return Err(crate::backend::unsupported(&*self.open.backend, "list"));
            };
            self.whole = Some(targets.count().await.map_err(|error| self.open.own(error))?);
        }
        Ok(())
    }

    fn is_over(&self, most: Percent) -> bool {
        self.changes > 0 && self.whole.is_none_or(|whole| most.compare(self.changes, whole).is_gt())
    }

    /// Gives `37 of the 412 targets of plant (8.9%)`; without the backend's name where that is said already.
    fn share(&self, is_named: bool) -> String {
        let (changes, whole) = (self.changes, self.whole.unwrap_or_default());
        let share = match (changes * 1000).checked_div(whole) {
            Some(0) => " (less than 0.1%)".to_owned(),
            Some(tenths) => format!(" ({}.{}%)", tenths / 10, tenths % 10),
            None => String::new(),
        };
        let of = if is_named { format!(" of {}", self.open.info().backend) } else { String::new() };
        format!("{}{share}", self.part_of_whole(&of))
    }

    fn part_of_whole(&self, of: &str) -> String {
        let count = if self.changes == 0 { "none".to_owned() } else { self.changes.to_string() };
        match (self.whole, self.changes) {
            (Some(1), _) => format!("{count} of the 1 target{of}"),
            (Some(whole), _) => format!("{count} of the {whole} targets{of}"),
            (None, 0) => format!("no target{of}"),
            (None, 1) => format!("1 target{of}"),
            (None, _) => format!("{count} targets{of}"),
        }
    }

    fn line(&self, verb_told: &str, verb: Verb) -> String {
        let mut line = format!("{verb_told} {}", self.part_of_whole(&format!(" of {}", self.open.info().backend)));
        if self.changes > 0 {
            line.push_str(": ");
            line.push_str(&listed(&self.named, self.changes));
        }
        if self.settled > 0 {
            let state = if verb == Verb::Disconnect { "disconnected" } else { "connected" };
            let are = if self.settled == 1 { "is" } else { "are" };
            line.push_str(&format!("; {} {are} {state} already", self.settled));
        }
        if let Some(reason) = &self.reason {
            line.push_str(&format!("; {} can't be acted on: {}", self.failed, reason.message()));
        }
        line
    }
}

fn name(job: &Job) -> String {
    job.target.as_ref().map_or_else(|| "whatever is connected".to_owned(), |target| target.label().to_owned())
}

/// Writes the first names of so many.
fn listed(named: &[String], count: usize) -> String {
    if count <= NAMED {
        return named.join(", ");
    }
    let first = &named[..named.len().min(NAMED - 1)];
    format!("{}, … and {} more", first.join(", "), count - first.len())
}

/// Refuses to switch to several targets one after the other where only one of them can stay connected.
///
/// # Errors
/// Fails with `usage`.
pub fn check_switch(plan: &Plan) -> Result<()> {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for job in &plan.jobs {
        let (info, Some(target)) = (job.open.info(), &job.target) else { continue };
        if info.one_vpn && *first.entry(&info.backend).or_insert(&target.id) != target.id {
            let text = format!("only one target of `{}` can be connected at a time", info.backend);
            return Err(Error::usage(text).hint("with --switch, name the one that is to be connected in the end"));
        }
    }
    Ok(())
}

/// Does it to everything in the plan: targets of one VPN one after the other, devices side by side; no further one is
/// begun once enough have failed.
pub async fn run(plan: Plan, act: Act<'_>, way: Way<'_>, out: &Emit) {
    out.stop().expect(plan.jobs.len() + plan.unopened.len());
    out.stop().measure(way.changes);
    for (backend, vendor, error) in plan.unopened {
        let unread = item::unread(&backend, vendor, None, jiff::Timestamp::now());
        emit_failed(out, Some(act::marked(with_error(unread, &error), act.verb, false)), error);
    }
    let mut left = Vec::new();
    let mut told = 0_usize;
    for job in plan.jobs {
        // What costs no request is told first: what was not found, before anything is changed beside it.
        if job.error.is_none() && !is_settled(&job, act.verb) {
            left.push(job);
            continue;
        }
        act::one(job, act, way, out).await;
        told += 1;
        if told.is_multiple_of(TOLD_AT_ONCE) {
            tokio::task::yield_now().await;
        }
    }
    let given_up = GivenUp::default();
    let size = way.batch.unwrap_or(usize::MAX).max(1);
    let batches = left.len().div_ceil(size);
    let mut jobs = left.into_iter();
    for number in 1..=batches {
        let batch: Vec<Job> = jobs.by_ref().take(size).collect();
        if batches > 1 && !out.stop().is_reached() {
            let targets = if batch.len() == 1 { "target" } else { "targets" };
            tracing::info!("batch {number} of {batches}: {} {targets}", batch.len());
        }
        side_by_side(batch, act, way, out, &given_up).await;
    }
    given_up.tell(act.verb, out);
}

async fn side_by_side(jobs: Vec<Job>, act: Act<'_>, way: Way<'_>, out: &Emit, given_up: &GivenUp) {
    let groups = finding::by_backend(jobs);
    join_all(groups.into_iter().map(|(open, jobs)| async move {
        let width = if open.info().one_vpn { 1 } else { open.jobs };
        let each = |job| async move {
            if out.stop().is_reached() {
                given_up.note(&job);
            } else {
                act::one(job, act, way, out).await;
            }
        };
        stream::iter(jobs).for_each_concurrent(width, each).await;
    }))
    .await;
}

/// Says how many targets of a change were not begun when a signal ended it; `begun` are those that are under way.
pub fn tell_rest(stop: &Stop, begun: usize) {
    match stop.expected().unwrap_or_default().saturating_sub(stop.ended() + begun) {
        0 => {}
        1 => tracing::error!("1 target was not begun"),
        rest => tracing::error!("{rest} targets were not begun"),
    }
}

/// What was not begun, since enough had failed.
#[derive(Debug, Default)]
struct GivenUp(RefCell<(usize, Vec<String>)>);

impl GivenUp {
    fn note(&self, job: &Job) {
        let mut given_up = self.0.borrow_mut();
        given_up.0 += 1;
        if given_up.1.len() < NAMED {
            let backend = &job.open.info().backend;
            given_up.1.push(
                job.target.as_ref().map_or_else(
                    || backend.clone(),
                    |target: &Target| crate::backend::naming::argument(backend, target),
                ),
            );
        }
    }

    fn tell(&self, verb: Verb, out: &Emit) {
        let given_up = self.0.borrow();
        let (count, named) = &*given_up;
        if *count == 0 {
            return;
        }
        let failures = match out.stop().failed() {
            1 => "1 failure".to_owned(),
            failed => format!("{failed} failures"),
        };
        let were = if *count == 1 { "target was" } else { "targets were" };
        let next = match verb {
            // Doing it again would take down what has just come up.
            Verb::Reconnect => "reconnect these alone once the failures are understood",
            _ => "--retry-failed does what failed again; to go on, leave that out or raise the limit",
        };
        tracing::error!("given up after {failures}: {count} {were} not begun ({}); {next}", listed(named, *count));
    }
}
