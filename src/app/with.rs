//! `with`: a target is connected for as long as something runs, and what was there before is brought back.
//!
//! What is brought back is decided from two states alone: the one that was read before anything was changed, and the one
//! that is read when it is over. So it doesn't matter what ended it, nor what became of a write whose answer was lost.

mod restore;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use super::Open;
use super::act::{self, Act, Undone};
use super::attempt;
use super::selection::{Job, Plan};
use crate::backend::naming;
use crate::error::{Code, Error, Layer, Result};
use crate::model::{State, Status, Target, Word};

pub use restore::Unrestored;

/// How long a connect that was answered may take to show, where nothing else tells what became of it.
const SHOWS_WITHIN: Duration = Duration::from_millis(2500);
/// How long one may take whose answer was lost: it may still be on its way.
const COMES_WITHIN: Duration = Duration::from_secs(10);
/// What has to be there again in the end.
#[derive(Debug, Clone)]
enum Wanted {
    /// Nothing of ours.
    Nothing,
    /// The target itself, which was on already; `up` tells that it was connected.
    Kept { up: bool },
    /// Another target, which had the one VPN.
    Other { target: Target, up: bool },
}

/// A target that is connected for a while.
#[derive(Debug)]
pub struct Visit {
    open: Open,
    act: Act<'static>,
    /// How it was named, without its backend.
    asked: Option<String>,
    target: Target,
    before: Status,
    wanted: Wanted,
    /// Whether something was changed, as the end of the attempt tells; before that only the gate knows.
    changed: Cell<Option<bool>>,
    /// How long what was sent may take to show; nothing once the attempt has come to an end that the vendor shows.
    doubt: Cell<Duration>,
    /// Whether it was seen connected: then what reads disconnected later has gone down, and is not still coming.
    seen: Cell<bool>,
    /// What was connected, where a name that was remembered turned out to mean another target.
    told: RefCell<Option<Target>>,
}

/// What is left to do when it is over.
#[derive(Debug)]
pub struct Left {
    backend: String,
    act: Act<'static>,
    ours: Vec<Target>,
    wanted: Wanted,
    doubt: Duration,
    /// Whether a device was told to connect and never showed it: it may come up long after, so it is told to disconnect
    /// though it reads disconnected.
    recall: bool,
}

/// Picks the one target that is meant.
///
/// # Errors
/// Fails with `usage` where several are meant, else with why there is none.
pub fn only(plan: Plan) -> Result<Job> {
    if let Some((backend, _, error)) = plan.unopened.into_iter().next() {
        return Err(error.backend(backend));
    }
    let mut jobs = plan.jobs;
    // What can't be looked at might be meant too, so none of the others is.
    let mut failed = jobs.iter().filter_map(|job| Some((job, job.error.clone()?)));
    if let Some((job, error)) = failed.next() {
        let error = error.backend(&job.open.info().backend);
        let hint = error.hint_text().map(str::to_owned);
        return Err(failed.fold(error, |error, (job, other)| {
            let other = format!("{}: {}", job.open.info().backend, other.message());
            error.explained(&other, hint.clone().unwrap_or_default())
        }));
    }
    if let [_, _, ..] = jobs.as_slice() {
        let label = |job: &Job| match &job.target {
            Some(target) => naming::argument(&job.open.info().backend, target),
            None => job.open.info().backend.clone(),
        };
        let named: Vec<String> = jobs.iter().take(10).map(label).collect();
        let all = named.join(", ");
        return Err(Error::usage(format!("`with` connects one target, and {} are meant: {all}", jobs.len()))
            .hint("name one of them"));
    }
    jobs.pop().ok_or_else(|| Error::usage("no target is named"))
}

impl Visit {
    /// Reads and notes what is there; changes nothing. `asked` is how the target was named, perhaps with its backend.
    ///
    /// # Errors
    /// Fails with what the vendor said, and with `conflict.active` where what is there could not be brought back.
    pub async fn begin(job: Job, asked: Option<&str>, act: Act<'static>) -> Result<Self> {
        let target = job.target.ok_or_else(|| Error::usage("no target is named"))?;
        let Some(open) = Arc::into_inner(job.open) else {
            return Err(Error::new(Code::Internal, Layer::Usage, "the backend is in use elsewhere"));
        };
        let before = attempt::read(&open, &target).await.map_err(|error| open.own(error).target(target.label()))?;
        let wanted = wanted(&open, act, &target, &before)?;
        let own = format!("{}/", open.info().backend);
        let asked = asked.map(|name| name.strip_prefix(&own).unwrap_or(name).to_owned());
        let (changed, doubt, told) = (Cell::default(), Cell::new(SHOWS_WITHIN), RefCell::default());
        Ok(Self { open, act, asked, target, before, wanted, changed, doubt, seen: Cell::default(), told })
    }

    /// Names the backend.
    #[must_use]
    pub fn backend(&self) -> &str {
        &self.open.info().backend
    }

    /// Connects as `connect` does, and tells the state that it came to. May be dropped: what was sent is remembered.
    ///
    /// # Errors
    /// Fails as `connect` does.
    pub async fn connect(&self) -> Result<Status> {
        match act::connect(&self.open, self.act, &self.target, self.before.clone()).await {
            Ok(done) => {
                self.changed.set(Some(done.changed));
                if done.status.word() == Word::Connected {
                    self.doubt.set(Duration::ZERO);
                    self.seen.set(true);
                }
                let status = self.with_address(done.changed, done.status).await;
                let told = status.target.clone().unwrap_or_else(|| self.target.clone());
                self.told.replace(Some(self.as_it_is_found(told).await));
                Ok(status)
            }
            Err(undone) => Err(self.missed(*undone).await),
        }
    }

    /// Notes what came of an attempt that failed, and gives its error with what the vendor knows of it.
    async fn missed(&self, Undone { status, changed, error }: Undone) -> Error {
        self.changed.set(Some(changed || error.outcome_is_unknown()));
        let lost = is_in_doubt(&error);
        // An end that the vendor shows is one; that the time is over tells nothing.
        let shown = status.is_some_and(|status| status.engaged) || attempt::was_tried(&error);
        self.doubt.set(match (lost, shown && error.code() != Code::TimeoutDeadline) {
            (true, _) => COMES_WITHIN,
            (false, true) => Duration::ZERO,
            (false, false) => SHOWS_WITHIN,
        });
        self.told_of(error).await
    }

    /// Reads the state once more where what was connected tells no address: it may come a moment later.
    async fn with_address(&self, changed: bool, status: Status) -> Status {
        if !changed || status.word() != Word::Connected || address(&status).is_some() {
            return status;
        }
        let target = status.target.clone().unwrap_or_else(|| self.target.clone());
        match attempt::read(&self.open, &target).await {
            Ok(now) if now.word() == Word::Connected && (!self.open.info().one_vpn || now.is_of(&target)) => {
                now.named_as(&target)
            }
            _ => status,
        }
    }

    /// Takes a name away that the vendor tells and that would not find the target: several may have it.
    async fn as_it_is_found(&self, told: Target) -> Target {
        // Who named it by its name has found it by that.
        if self.target.name.as_ref().is_some_and(|name| self.asked.as_ref() == Some(name)) || told.label() == told.id {
            return told;
        }
        let found = match self.open.backend.targets() {
            Some(targets) => targets.find(told.label()).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let is_found = matches!(found.as_slice(), [one] if one.id == told.id);
        if is_found { told } else { Target { name: None, ..told } }
    }

    async fn told_of(&self, error: Error) -> Error {
        let argument = naming::argument(self.backend(), &self.target);
        let look = if self.open.info().one_vpn { format!("-b {}", self.backend()) } else { argument.clone() };
        let error = match error.code() {
            Code::ConflictActive => error.instead(format!(
                "add --switch to disconnect it for as long as the command runs: vpnctl with --switch {argument} -- CMD"
            )),
            Code::TimeoutDeadline if !error.outcome_is_unknown() => {
                error.instead("the command was not run; give it more time with --timeout")
            }
            _ if is_in_doubt(&error) => {
                error.instead(format!("the command was not run; look with `vpnctl status {look}`, and try again"))
            }
            _ => error,
        };
        let error = match attempt::was_tried(&error) {
            true => self.open.backend.explain(&self.target, error).await,
            false => error,
        };
        self.open.own(error).target(self.target.label())
    }

    /// Waits for the answer to a change under way, and lets no other begin for as long as what it gives is kept.
    pub async fn close(&self) -> impl Drop + '_ {
        self.open.gate.close().await
    }

    /// Tells whether something was changed, so that there is something to bring back.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.changed.get().unwrap_or_else(|| self.open.gate.was_passed())
    }

    /// Says what would be brought back; for `--dry-run`.
    #[must_use]
    pub fn plan(&self) -> String {
        let label = self.target.label();
        match &self.wanted {
            Wanted::Nothing => format!("disconnect `{label}` again"),
            Wanted::Kept { .. } => format!("leave `{label}` on, as it is now"),
            Wanted::Other { target, .. } => format!("disconnect `{label}` and connect `{}` again", target.label()),
        }
    }

    /// Gives what is left to do, and lets go of the connection to the vendor meanwhile.
    #[must_use]
    pub fn leave(self) -> Left {
        let sent = self.open.gate.was_passed();
        let recall = sent && !self.open.info().one_vpn && !self.seen.get();
        let doubt = match self.doubt.get() {
            // It is told to disconnect in any case; only what is still on its way there has to arrive first.
            doubt if sent && (!recall || doubt == COMES_WITHIN) => doubt,
            _ => Duration::ZERO,
        };
        let backend = self.open.info().backend.clone();
        let mut ours = vec![self.target];
        ours.extend(self.told.into_inner());
        Left { backend, act: self.act, ours, wanted: self.wanted, doubt, recall }
    }
}

/// Gives the address that the VPN gave, where it is known.
#[must_use]
pub fn address(status: &Status) -> Option<&str> {
    match &status.state {
        State::Connected(link) => link.ip_address.as_deref(),
        _ => None,
    }
}

/// Decides what has to be there again, from what was there.
fn wanted(open: &Open, act: Act, target: &Target, before: &Status) -> Result<Wanted> {
    let up = before.word() == Word::Connected;
    // What is on its way down is not to be there.
    if !before.engaged || before.word() == Word::Disconnecting {
        return Ok(Wanted::Nothing);
    }
    if !open.info().one_vpn || before.is_of(target) {
        return Ok(Wanted::Kept { up });
    }
    match &before.target {
        Some(other) => Ok(Wanted::Other { target: other.clone(), up }),
        // Without --switch it is refused anyway.
        None if !act.switch => Ok(Wanted::Nothing),
        None => Err(Error::new(
            Code::ConflictActive,
            Layer::Tunnel,
            format!(
                "a VPN that `{}` does not name is {}, so it could not be connected again",
                open.info().backend,
                before.word().as_str()
            ),
        )
        .backend(&open.info().backend)
        .target(target.label())
        .hint(format!("disconnect it first: vpnctl disconnect -b {}", open.info().backend))),
    }
}

/// Tells whether a write to the target was sent that may have been done all the same. A router of which nobody knows
/// whether it was told to wake is none: its target was told nothing yet.
fn is_in_doubt(error: &Error) -> bool {
    error.outcome_is_unknown()
}

#[cfg(test)]
mod tests;
