//! `with`: what runs while a target is connected, and the signals that come meanwhile.

use std::pin::pin;
use std::time::Instant;

use crate::app::act::{self, Act};
use crate::app::asks::Asks;
use crate::app::with::{self, Left, Unrestored, Visit};
use crate::app::{Patience, Selection, meant, selection};
use crate::backend::How;
use crate::cli::args::{Targets, With};
use crate::cli::child::{self, Caught, Signals};
use crate::cli::dispatch::Command;
use crate::cli::settings::{self, Settings};
use crate::error::{Code, Error, Exit, Layer, Result};
use crate::model::Status;
use crate::ui;

impl Command<'_> {
    pub(in crate::cli) async fn with(&self, settings: &Settings, with: &With) -> anyhow::Result<Exit> {
        let names = with.target.iter().cloned().collect();
        let targets = Targets { targets: names, id: with.id, targets_from: None, shard: None, sort: false };
        let chosen = settings::selection(self.global, Some(&targets), &settings.setup.config)?;
        if !with.retry_failed {
            self.guard(settings, &targets)?;
        } else if self.nothing_failed(settings, &chosen)? {
            return Ok(Exit::Ok);
        }
        let program = with.command.first().ok_or_else(|| Error::usage("there is no command to run"))?;
        child::check(program)?;
        self.record(settings, act::Verb::With.as_str(), &chosen, with.retry_failed)?;
        let mut signals = Signals::listen();
        let visit = tokio::select! {
            visit = self.visit(settings, with, &chosen) => visit.inspect_err(|error| self.settle(Some(error)))?,
            caught = signals.next() => return Err(stopped(caught, "nothing was changed", None).into()),
        };
        if self.global.dry_run {
            // What connecting would do is told by itself.
            visit.connect().await?;
            tracing::warn!("dry run: would run `{}`, then {}", program.to_string_lossy(), visit.plan());
            return Ok(Exit::Ok);
        }
        let status = match connected(&visit, &mut signals).await {
            Ok(status) => {
                self.settle(None);
                status
            }
            Err(Missed::GivenUp(caught)) => {
                return Err(Error::from(visit.leave().given_up().with_exit(caught.exit())).into());
            }
            Err(Missed::Failed(error)) => {
                self.settle(Some(&error));
                if !visit.has_changed() {
                    return Err(error.into());
                }
                let restored = restored(&visit.leave(), settings, &mut signals).await;
                return Err(after(error, restored).into());
            }
        };
        let backend = visit.backend().to_owned();
        let left = visit.leave();
        let ended = run(with, &backend, &status, &left, &mut signals).await;
        let restored = restored(&left, settings, &mut signals).await;
        match (ended, restored) {
            (Ok(code), Ok(())) => Ok(Exit::Passed(code)),
            (Ok(0), Err(left)) => Err(Error::from(left).into()),
            // What went wrong first is what the process ends with.
            (Ok(code), Err(left)) => Err(Error::from(left.with_exit(Exit::Passed(code))).into()),
            (Err(error), restored) => Err(after(error, restored).into()),
        }
    }

    /// Tells whether there is nothing to connect again, and says so; refuses where a guard forbids it.
    fn nothing_failed(&self, settings: &Settings, chosen: &Selection) -> Result<bool> {
        let left = self.look_through(settings, act::Verb::With.as_str(), chosen)?.backends;
        let nothing = left.is_empty();
        act::guard(&settings.setup, settings.read_only, &left.into_iter().collect::<Vec<_>>())?;
        if nothing && !self.global.quiet {
            ui::tell("nothing failed in the last run, so the command was not run");
        }
        Ok(nothing)
    }

    /// Writes down, for `--retry-failed`, whether the target could be connected.
    fn settle(&self, error: Option<&Error>) {
        let Some(mut record) = self.record.take() else { return };
        // What was asked for wrongly, or ended by a signal, tells nothing of a target.
        if error.is_some_and(|error| error.exit() == Exit::Usage || error.code() == Code::Interrupted) {
            return;
        }
        record.note(None, error, None);
        record.keep(true);
    }

    /// Finds what is meant, and notes what is there.
    async fn visit(&self, settings: &Settings, with: &With, chosen: &Selection) -> Result<Visit> {
        let Settings { setup, choice, .. } = settings;
        let mut plan = if with.retry_failed {
            let failures = self.left_behind(settings, act::Verb::With.as_str(), chosen)?;
            selection::found(setup, Asks::again(setup, choice, chosen, Patience::Wait, failures)?).await?
        } else {
            selection::plan(setup, choice, chosen, Patience::Wait).await?
        };
        meant::fill_in(&mut plan, act::Verb::With, chosen).await?;
        let act = Act {
            verb: act::Verb::With,
            wait: !with.no_wait,
            switch: with.switch,
            dry_run: self.global.dry_run,
            how: How { wake: with.wake },
            interval: settings.setup.limits.interval,
            begun: None,
        };
        Visit::begin(with::only(plan)?, with.target.as_deref(), act).await
    }
}

/// Why a command did not come to run.
enum Missed {
    /// It could not be connected, or a signal came; what was changed has to be brought back.
    Failed(Error),
    /// A second signal came while the first one's answer was waited for.
    GivenUp(Caught),
}

/// Connects, unless a signal comes. A change under way is not cut off: its answer is waited for.
async fn connected(visit: &Visit, signals: &mut Signals) -> Result<Status, Missed> {
    let unrun = |caught| stopped(caught, "the command was not run", Some(visit.backend()));
    let mut connecting = pin!(visit.connect());
    let caught = tokio::select! {
        biased;
        done = &mut connecting => return match (done, signals.pending()) {
            // It came before there was a command that could get it.
            (Ok(_), Some(caught)) => Err(Missed::Failed(unrun(caught))),
            (done, _) => done.map_err(Missed::Failed),
        },
        caught = signals.next() => caught,
    };
    if visit.has_changed() {
        tracing::warn!("interrupted; what was there before is brought back");
    }
    let mut closing = pin!(visit.close());
    loop {
        tokio::select! {
            biased;
            _ = &mut connecting => break,
            _closed = &mut closing => break,
            again = signals.another() => if again.is_urgent() { return Err(Missed::GivenUp(again)) },
        }
    }
    Err(Missed::Failed(unrun(caught)))
}

/// Runs the command to its end, whatever signals come, and gives its code.
async fn run(with: &With, backend: &str, status: &Status, left: &Left, signals: &mut Signals) -> Result<u8> {
    let variables = [
        ("VPNCTL_BACKEND", Some(backend)),
        ("VPNCTL_TARGET", Some(left.label())),
        ("VPNCTL_IP_ADDRESS", with::address(status)),
    ];
    let mut child = child::start(&with.command, &variables)?;
    // What may have gone to the whole group, so that the command has got it by itself: a twin of it tells.
    let mut held: Vec<(Caught, Instant)> = Vec::new();
    let ended = loop {
        tokio::select! {
            biased;
            ended = child.wait() => break ended,
            caught = signals.next() => match held.iter().position(|(one, _)| *one == caught) {
                Some(twin) => drop(held.remove(twin)),
                None if caught.ends() => held.push((caught, Instant::now() + child::TWIN_COMES)),
                None => signals.forward(caught, &child),
            },
            () = at(held.first().map(|(_, due)| *due)) => {
                let (caught, _) = held.remove(0);
                signals.forward(caught, &child);
            }
        }
    };
    // What was typed to end the command has done so.
    signals.forget();
    ended.map(child::code).map_err(|error| {
        Error::new(Code::Internal, Layer::Usage, format!("how the command ended is not known: {error}"))
    })
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Brings back what was there before; a second signal gives up.
async fn restored(left: &Left, settings: &Settings, signals: &mut Signals) -> Result<(), Unrestored> {
    let mut restoring = pin!(left.restore(&settings.setup));
    let mut told = false;
    loop {
        let caught = tokio::select! {
            biased;
            done = &mut restoring => return done,
            caught = signals.another() => caught,
        };
        if caught.is_urgent() && std::mem::replace(&mut told, true) {
            return Err(left.given_up().with_exit(caught.exit()));
        }
        if caught.is_urgent() {
            tracing::warn!("what was there before is being brought back; interrupt again to give up");
        }
    }
}

/// Gives the error that came first, and with it what was not brought back.
fn after(error: Error, restored: Result<(), Unrestored>) -> Error {
    match restored {
        Ok(()) => error,
        Err(left) => left.after(error),
    }
}

fn stopped(caught: Caught, what: &str, backend: Option<&str>) -> Error {
    let error = Error::new(Code::Interrupted, Layer::Usage, format!("interrupted; {what}")).with_exit(caught.exit());
    match backend {
        Some(backend) => error.hint(format!("look with: vpnctl status -b {backend}")),
        None => error,
    }
}
