//! Runs a verb's job and writes its items as they come, until it is done, nobody reads any more, or a signal comes.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::dispatch::Command;
use super::progress::Progress;
use super::retrying::Recorder;
use super::{child, filtering, settings};
use crate::app::selection;
use crate::app::{Emit, Open, Outcome, Stop, Told, mass, with_error};
use crate::backend::naming;
use crate::error::{Code, Error, Exit, Layer};
use crate::model::Schema;
use crate::render::{Format, Report, Row, Shape, fault, sanitize};
use crate::ui;

/// After which time a table for people is written row by row, as wide as it is by then.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same where nobody sees it grow: what is short has the same columns however long it took.
const PATIENCE_OF_PIPES: Duration = Duration::from_secs(5);

/// How a command ends, and what its items sum up to.
pub(in crate::cli) type Reported = (Exit, crate::model::Summary);

type Job<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Where items come from, and what counts them.
struct Source {
    receiver: mpsc::UnboundedReceiver<Told>,
    stop: Stop,
}

/// A report that is being written, and what is told apart from it.
struct Writing<'a> {
    report: Report<'a>,
    outcome: Outcome,
    record: Option<Recorder>,
    sort: bool,
    /// What is sorted before it is written.
    kept: Vec<(Row, Option<Code>)>,
    /// Failures without an item.
    homeless: Vec<Error>,
    /// That there is nothing to tell, which is told without a document.
    empty: Option<Error>,
}

impl<'a> Writing<'a> {
    fn new(report: Report<'a>, outcome: Outcome, sort: bool, record: Option<Recorder>) -> Self {
        Self { report, outcome, record, sort, kept: Vec::new(), homeless: Vec::new(), empty: None }
    }

    /// Writes everything as it comes.
    async fn write(&mut self, mut source: Source, progress: &Progress) -> std::io::Result<()> {
        let mut is_patient = !self.sort;
        let patience = if ui::stdout_is_terminal() { PATIENCE } else { PATIENCE_OF_PIPES };
        let mut hurry = pin!(tokio::time::sleep(patience));
        loop {
            if let Ok(told) = source.receiver.try_recv() {
                self.take(told, progress)?;
                continue;
            }
            // Whoever reads sees what there is while the next one is waited for.
            progress.around(|| self.report.flush())?;
            tokio::select! {
                told = source.receiver.recv() => match told {
                    Some(told) => self.take(told, progress)?,
                    None => return Ok(()),
                },
                () = &mut hurry, if is_patient => {
                    is_patient = false;
                    progress.around(|| self.report.hurry())?;
                }
            }
        }
    }

    fn take(&mut self, told: Told, progress: &Progress) -> std::io::Result<()> {
        let Told { row, error, scope } = told;
        let code = error.as_ref().map(Error::code);
        if let (None, Some(Code::SelectionEmpty)) = (&row, code) {
            self.empty = error;
            return Ok(());
        }
        match &row {
            Some(Row::Item(item)) if error.is_none() => self.outcome.count_answer(item.get("ok")),
            _ => self.outcome.count(error.as_ref()),
        }
        if let Some(record) = &mut self.record {
            record.note(row.as_ref(), error.as_ref(), scope);
        }
        self.homeless.extend(error.filter(|_| row.is_none() && self.outcome.failures().1 == 0));
        match row {
            Some(row) if self.sort => self.kept.push((row, code)),
            // What went well and has no item, such as an empty list, is nothing to count.
            None if code.is_none() => {}
            row => progress.around(|| self.report.row(row, code))?,
        }
        Ok(())
    }

    fn write_sorted(&mut self) -> std::io::Result<()> {
        let mut kept = std::mem::take(&mut self.kept);
        kept.sort_by_cached_key(|(row, _)| place(row));
        kept.into_iter().try_for_each(|(row, code)| self.report.row(Some(row), code))
    }
}

impl Command<'_> {
    /// Runs a job that emits items, writes them as they come, and tells what failed.
    pub(in crate::cli) async fn report<F, Fut>(&self, schema: Schema, sort: bool, job: F) -> anyhow::Result<Reported>
    where
        F: FnOnce(Emit) -> Fut,
        Fut: Future<Output = ()>,
    {
        let (told, out) = self.channel();
        self.write_report(Outcome::default(), schema, None, sort, told, Box::pin(job(out))).await
    }

    /// Runs a job as [`Self::report`] does; `outcome` says how its failures make one.
    pub(in crate::cli) async fn report_as<F, Fut>(
        &self,
        outcome: Outcome,
        schema: Schema,
        sort: bool,
        job: F,
    ) -> anyhow::Result<Reported>
    where
        F: FnOnce(Emit) -> Fut,
        Fut: Future<Output = ()>,
    {
        let (told, out) = self.channel();
        self.write_report(outcome, schema, None, sort, told, Box::pin(job(out))).await
    }

    /// Runs a job as [`Self::report_as`] does, and writes its report in a shape that the verb has made.
    pub(in crate::cli) async fn report_shaped<F, Fut>(
        &self,
        outcome: Outcome,
        schema: Schema,
        shape: Shape,
        sort: bool,
        job: F,
    ) -> anyhow::Result<Reported>
    where
        F: FnOnce(Emit) -> Fut,
        Fut: Future<Output = ()>,
    {
        let (told, out) = self.channel();
        self.write_report(outcome, schema, Some(shape), sort, told, Box::pin(job(out))).await
    }

    fn channel(&self) -> (Source, Emit) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let stop = Stop::after(settings::max_failures(self.global));
        (Source { receiver, stop: stop.clone() }, Emit::new(sender, stop))
    }

    /// Writes the report of a job. The job is in a box, for else this would be compiled once more for each verb.
    async fn write_report(
        &self,
        outcome: Outcome,
        schema: Schema,
        shape: Option<Shape>,
        sort: bool,
        source: Source,
        job: Job<'_>,
    ) -> anyhow::Result<Reported> {
        let shape = shape.map_or_else(|| settings::shape(self.global, self.format, schema), Ok)?;
        let mut filter = self.filter.take();
        let report = match &filter {
            // It writes by itself; what it is given is read by no terminal.
            Some(filter) => {
                let shape = Shape { pretty: false, ..shape.clone() };
                Report::new(filter.feed(self.format == Format::Ndjson), schema, &shape, None)
            }
            None => Report::new(ui::stdout(), schema, &shape, ui::screen()),
        };
        let progress = self.progress(schema, filter.is_some(), &source.stop);
        let stop = source.stop.clone();
        let record = self.record.take();
        let is_retry = record.as_ref().is_some_and(Recorder::is_retry);
        let mut writing = Writing::new(report, outcome, sort, record);
        let stopped = tokio::select! {
            biased;
            error = filtering::failure(filter.as_mut()) => return Err(error),
            stopped = alongside(job, writing.write(source, &progress), schema.is_followed()) => stopped?,
        };
        drop(progress);
        if let Some(error) = writing.empty.take().filter(|_| writing.outcome.total() == 0 && stopped.is_none()) {
            return Err(error.into());
        }
        writing.write_sorted()?;
        let Writing { mut report, outcome, mut record, homeless, .. } = writing;
        if let Some(exit) = stopped {
            let begun = self.tell_underway(&mut report, &mut record, &ended_by(exit))?;
            if schema == Schema::Action {
                mass::tell_rest(&stop, begun);
            }
        }
        // A verdict on less than all that was asked is none.
        if stopped.is_none() || !self.format.is_of_check() {
            report.finish()?;
        }
        let summary = report.summary().clone();
        drop(report);
        if let Some(record) = record {
            record.keep(stopped.is_none() && !stop.is_reached());
        }
        if let Some(filter) = filter {
            self.end_of(filter, stopped).await?;
        }
        if let Some(exit) = stopped {
            return Err(self.stopped_by(exit).into());
        }
        if summary.total == 0 && outcome.verdict().is_none() && !self.global.quiet && shape.is_for_people() {
            ui::tell(match (is_retry && outcome.total() == 0, self.global.backend.is_empty()) {
                (true, true) => "nothing failed in the last run",
                (true, false) => "nothing failed there in the last run",
                (false, _) => "nothing to show",
            });
        }
        if self.format.is_json() && outcome.total() > 1 {
            // Scripts find an error in its item. One that has none, as of a list, is told in words: there is one object.
            for error in homeless.iter().take(outcome.failures().0.len()) {
                tracing::warn!("{}", error.message());
            }
        }
        Ok((self.told(&outcome), summary))
    }

    /// Notes that what comes now changes something at backends, and by which command that is seen.
    pub(in crate::cli) fn changes<'o>(&self, look: &str, backends: impl Iterator<Item = &'o Arc<Open>>) {
        let each: BTreeSet<String> = backends.map(|open| format!(" -b {}", open.info().backend)).collect();
        let of = if self.global.all { " -A".to_owned() } else { each.into_iter().collect() };
        // A dry run leaves nothing to look for.
        self.look.set((!self.global.dry_run).then(|| format!("vpnctl {look}{of}")));
    }

    /// Notes the same of a command that can show one target by itself, where only one is changed.
    pub(in crate::cli) fn changes_targets(&self, look: &str, jobs: &[selection::Job]) {
        self.changes(look, jobs.iter().map(|job| &job.open));
        if let [selection::Job { open, target: Some(target), .. }] = jobs {
            let one = format!("vpnctl {look} {}", naming::argument(&open.info().backend, target));
            self.look.set(self.look.take().map(|_| one));
        }
    }

    /// Says that a signal ended the command, and where to look if it was changing something.
    pub(super) fn stopped_by(&self, exit: Exit) -> Error {
        let Some(look) = self.look.take() else { return ended_by(exit) };
        Error::new(Code::Interrupted, Layer::Usage, "interrupted; what was asked for may go on at the vendor")
            .with_exit(exit)
            .hint(format!("look with: {look}"))
    }

    /// Tells what is known so far of targets whose end is still waited for; gives how many they are.
    fn tell_underway(
        &self,
        report: &mut Report<'_>,
        record: &mut Option<Recorder>,
        error: &Error,
    ) -> std::io::Result<usize> {
        let left = std::mem::take(&mut *self.underway.lock().unwrap_or_else(PoisonError::into_inner));
        let count = left.len();
        for (item, scope) in left.into_values() {
            let row = Row::from(with_error(item, error));
            if let Some(record) = record {
                record.note(Some(&row), Some(error), scope);
            }
            report.row(Some(row), Some(error.code()))?;
        }
        Ok(count)
    }

    /// Tells the failures of a run: each to people, one object to scripts.
    pub(in crate::cli) fn told(&self, outcome: &Outcome) -> Exit {
        let Some(verdict) = outcome.verdict() else { return Exit::Ok };
        // It stands on standard output already, and some monitors take both streams for one.
        if self.format == Format::Nagios {
            return verdict.exit();
        }
        let (failures, more) = outcome.failures();
        // Who sees the items on the same screen has read it there.
        if outcome.is_in_items() && matches!(self.format, Format::Table | Format::Wide) && ui::is_one_screen() {
            ui::tell(&format!("error: {}", outcome.counts()));
            return verdict.exit();
        }
        if !self.format.is_json() && outcome.total() > 1 {
            for error in failures {
                fault::text(error).iter().for_each(|line| ui::tell(line));
            }
            if more > 0 {
                ui::tell(&format!("error: and {more} more"));
            }
            if verdict.code() == Code::Partial {
                ui::tell(&format!("error: {}", sanitize::line(verdict.message())));
            }
            if self.format == Format::Value {
                ui::tell(verdict.code().as_str());
            }
        } else {
            fault::lines(&verdict, self.format).iter().for_each(|line| ui::tell(line));
        }
        verdict.exit()
    }
}

/// Runs a job and what writes its items side by side, until both are done, nobody reads any more, or a signal comes;
/// gives the signal's code.
async fn alongside(
    mut job: Job<'_>,
    write: impl Future<Output = std::io::Result<()>>,
    followed: bool,
) -> std::io::Result<Option<Exit>> {
    let (mut write, mut signal) = (pin!(write), pin!(interrupted()));
    let mut gone = pin!(ui::reader_gone());
    let mut done = false;
    loop {
        tokio::select! {
            biased;
            written = &mut write => return written.map(|()| None),
            exit = &mut signal => return Ok(Some(exit)),
            () = &mut gone, if followed && !done => return Err(std::io::ErrorKind::BrokenPipe.into()),
            () = &mut job, if !done => done = true,
        }
    }
}

/// Runs something before the first item, unless a signal comes.
pub(super) async fn unless_stopped<T>(work: impl Future<Output = crate::error::Result<T>>) -> crate::error::Result<T> {
    // Caught before anything is asked: one that comes with the first request ends the command in order too.
    let mut signals = Signals::listen();
    tokio::select! {
        biased;
        done = work => done,
        exit = signals.next() => Err(ended_by(exit)),
    }
}

/// Says that something was ended which changes nothing.
fn ended_by(exit: Exit) -> Error {
    Error::new(Code::Interrupted, Layer::Usage, "interrupted").with_exit(exit)
}

/// Sorts by backend, then name.
fn place(row: &Row) -> (String, String, String) {
    let text =
        |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    match row {
        Row::Item(item) => {
            let target = item.get("target");
            let of_target = |key: &str| text(target.and_then(|target| target.get(key)));
            (text(item.get("backend")), of_target("name"), of_target("id"))
        }
        Row::Status(row) => {
            let target = row.status.target.as_ref();
            let name = target.and_then(|target| target.name.clone()).unwrap_or_default();
            (row.backend.to_string(), name, target.map(|target| target.id.clone()).unwrap_or_default())
        }
    }
}

/// Waits for a signal that ends the command.
pub(super) async fn interrupted() -> Exit {
    Signals::listen().next().await
}

/// The signals that end a command in order, caught from the moment that this is made.
#[derive(Debug)]
pub(super) struct Signals(child::Signals);

impl Signals {
    /// Begins to catch them.
    pub(super) fn listen() -> Self {
        Self(child::Signals::listen_for_the_end())
    }

    /// Waits for one; where none can be caught, the system's own way of ending is left.
    pub(super) async fn next(&mut self) -> Exit {
        self.0.next().await.exit()
    }
}
