//! Runs a verb's job and writes its items as they come, until it is done, nobody reads any more, or a signal comes.

use std::future::Future;
use std::pin::pin;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::mpsc;

use super::dispatch::Command;
use super::{child, filtering, settings};
use crate::app::{Emit, Outcome, Stop, Told, with_error};
use crate::error::{Code, Error, Exit, Layer};
use crate::model::Schema;
use crate::render::{Format, Report, Row, Shape, fault, sanitize};
use crate::ui;

/// After which time a table for people is written row by row, as wide as it is by then.
const PATIENCE: Duration = Duration::from_secs(1);

impl Command<'_> {
    /// Runs a job that emits items, writes them as they come, and tells what failed.
    pub(in crate::cli) async fn report<F, Fut>(
        &self,
        schema: Schema,
        sort: bool,
        job: F,
    ) -> anyhow::Result<(Exit, crate::model::Summary)>
    where
        F: FnOnce(Emit) -> Fut,
        Fut: Future<Output = ()>,
    {
        self.report_as(Outcome::default(), schema, sort, job).await
    }

    /// Runs a job as [`Self::report`] does; `outcome` says how its failures make one.
    pub(in crate::cli) async fn report_as<F, Fut>(
        &self,
        outcome: Outcome,
        schema: Schema,
        sort: bool,
        job: F,
    ) -> anyhow::Result<(Exit, crate::model::Summary)>
    where
        F: FnOnce(Emit) -> Fut,
        Fut: Future<Output = ()>,
    {
        let shape = settings::shape(self.global, self.format, schema)?;
        self.report_shaped(outcome, schema, &shape, sort, job).await
    }

    /// Runs a job as [`Self::report_as`] does, and writes its report in a shape that the verb has made.
    pub(in crate::cli) async fn report_shaped<F, Fut>(
        &self,
        mut outcome: Outcome,
        schema: Schema,
        shape: &Shape,
        sort: bool,
        job: F,
    ) -> anyhow::Result<(Exit, crate::model::Summary)>
    where
        F: FnOnce(Emit) -> Fut,
        Fut: Future<Output = ()>,
    {
        let mut filter = self.filter.take();
        let mut report = match &filter {
            // It writes by itself; what it is given is read by no terminal.
            Some(filter) => {
                let shape = Shape { pretty: false, ..shape.clone() };
                Report::new(filter.feed(self.format == Format::Ndjson), schema, &shape, None)
            }
            None => Report::new(ui::stdout(), schema, shape, ui::screen()),
        };
        let mut kept: Vec<(Row, Option<Code>)> = Vec::new();
        let mut homeless: Vec<Error> = Vec::new();
        let mut empty: Option<Error> = None;
        let mut record = self.record.take();
        let (sender, mut receiver) = mpsc::unbounded_channel::<Told>();
        let stop = Stop::after(settings::max_failures(self.global));
        let progress = self.progress(schema, filter.is_some(), &stop);
        let sender = Emit::new(sender, stop.clone());
        let write = async {
            let mut is_patient = !sort && ui::stdout_is_terminal();
            let mut hurry = pin!(tokio::time::sleep(PATIENCE));
            loop {
                let Told { row, error, scope } = match receiver.try_recv() {
                    Ok(told) => told,
                    Err(_) => {
                        // Whoever reads sees what there is while the next one is waited for.
                        progress.around(|| report.flush())?;
                        tokio::select! {
                            told = receiver.recv() => match told {
                                Some(told) => told,
                                None => return Ok::<_, std::io::Error>(()),
                            },
                            () = &mut hurry, if is_patient => {
                                is_patient = false;
                                progress.around(|| report.hurry())?;
                                continue;
                            }
                        }
                    }
                };
                // That there is nothing to tell is told without a document.
                if let (None, Some(Code::SelectionEmpty)) = (&row, error.as_ref().map(Error::code)) {
                    empty = error;
                    continue;
                }
                outcome.count(error.as_ref());
                if let Some(record) = &mut record {
                    record.note(row.as_ref(), error.as_ref(), scope);
                }
                let code = error.as_ref().map(Error::code);
                homeless.extend(error.filter(|_| row.is_none() && outcome.failures().1 == 0));
                match row {
                    Some(row) if sort => kept.push((row, code)),
                    // What went well and has no item, such as an empty list, is nothing to count.
                    None if code.is_none() => {}
                    row => progress.around(|| report.row(row, code))?,
                }
            }
        };
        let stopped = tokio::select! {
            biased;
            error = filtering::failure(filter.as_mut()) => return Err(error),
            stopped = alongside(job(sender), write, schema.is_followed()) => stopped?,
        };
        drop(progress);
        if let Some(error) = empty.filter(|_| outcome.total() == 0 && stopped.is_none()) {
            return Err(error.into());
        }
        kept.sort_by_cached_key(|(row, _)| place(row));
        for (row, code) in kept {
            report.row(Some(row), code)?;
        }
        if let Some(exit) = stopped {
            self.tell_underway(&mut report, &ended_by(exit))?;
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
            return Err(if schema.tells_of_changes() { stopped_by(exit) } else { ended_by(exit) }.into());
        }
        if summary.total == 0 && outcome.verdict().is_none() && !self.global.quiet && shape.is_for_people() {
            ui::tell("nothing to show");
        }
        if self.format.is_json() && outcome.total() > 1 {
            // Scripts find an error in its item. One that has none, as of a list, is told in words: there is one object.
            for error in homeless.iter().take(outcome.failures().0.len()) {
                tracing::warn!("{}", error.message());
            }
        }
        Ok((self.told(&outcome), summary))
    }

    /// Tells what is known so far of targets whose end is still waited for.
    fn tell_underway(&self, report: &mut Report<'_>, error: &Error) -> std::io::Result<()> {
        let left = std::mem::take(&mut *self.underway.lock().unwrap_or_else(PoisonError::into_inner));
        for item in left.into_values() {
            report.row(Some(with_error(item, error).into()), Some(error.code()))?;
        }
        Ok(())
    }

    /// Tells the failures of a run: each to people, one object to scripts.
    pub(in crate::cli) fn told(&self, outcome: &Outcome) -> Exit {
        let Some(verdict) = outcome.verdict() else { return Exit::Ok };
        // It stands on standard output already, and some monitors take both streams for one.
        if self.format == Format::Nagios {
            return verdict.exit();
        }
        let (failures, more) = outcome.failures();
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
    job: impl Future<Output = ()>,
    write: impl Future<Output = std::io::Result<()>>,
    followed: bool,
) -> std::io::Result<Option<Exit>> {
    let (mut job, mut write, mut signal) = (pin!(job), pin!(write), pin!(interrupted()));
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
    tokio::select! {
        done = work => done,
        exit = interrupted() => Err(stopped_by(exit)),
    }
}

pub(super) fn stopped_by(exit: Exit) -> Error {
    Error::new(Code::Interrupted, Layer::Usage, "interrupted; what was asked for may go on at the vendor")
        .with_exit(exit)
        .hint("look with: vpnctl status")
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
