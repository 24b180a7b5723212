//! `with`: a target is connected for as long as something runs, and what was there before is brought back.
//!
//! What is brought back is decided from two states alone: the one that was read before anything was changed, and the one
//! that is read when it is over. So it doesn't matter what ended it, nor what became of a write whose answer was lost.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::act::{self, Act, Undone};
use super::attempt::{self, Pace};
use super::selection::{Job, Plan};
use super::{Open, Patience, Setup};
use crate::backend::{How, naming};
use crate::error::{Code, Error, Layer, Result};
use crate::model::{State, Status, Target, Word};

/// How long a connect that was answered may take to show, where nothing else tells what became of it.
const SHOWS_WITHIN: Duration = Duration::from_millis(2500);
/// How long one may take whose answer was lost: it may still be on its way.
const COMES_WITHIN: Duration = Duration::from_secs(10);
/// The first pause before a restoring that failed is tried again; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// For how long it is tried where no time was set.
const TRIED_FOR: Duration = Duration::from_secs(60);

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
    act: Act,
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
    act: Act,
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
    let job = jobs.pop().ok_or_else(|| Error::usage("no target is named"))?;
    let backend = job.open.info().backend.clone();
    match job.error {
        Some(error) => Err(error.backend(backend)),
        None => Ok(job),
    }
}

impl Visit {
    /// Reads and notes what is there; changes nothing. `asked` is how the target was named, perhaps with its backend.
    ///
    /// # Errors
    /// Fails with what the vendor said, and with `conflict.active` where what is there could not be brought back.
    pub async fn begin(job: Job, asked: Option<&str>, act: Act) -> Result<Self> {
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
        let error = match error.code() {
            Code::ConflictActive => error.instead(format!(
                "add --switch to disconnect it for as long as the command runs: vpnctl with --switch {argument} -- CMD"
            )),
            Code::TimeoutDeadline | Code::TimeoutUnknownOutcome => {
                error.instead("the command was not run; give it more time with --timeout")
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

impl Left {
    /// Brings back what was there, within a time of its own.
    ///
    /// # Errors
    /// Fails with what the vendor said; what is left and how to repair it is told.
    pub async fn restore(&self, setup: &Setup) -> Result<()> {
        let settings = setup.config.backends.get(&self.backend);
        let settings = settings.ok_or_else(|| Error::config(format!("there is no backend `{}`", self.backend)))?;
        let open = setup.open(settings, Patience::Wait)?;
        let end = open.deadline.at().unwrap_or_else(|| Instant::now() + TRIED_FOR);
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(undone) = self.once(&open, end).await else { return Ok(()) };
            let wait = undone.error.wait().map_or(pause, |asked| asked.max(pause));
            let is_final = !undone.error.is_temporary()
                || undone.error.code() == Code::TimeoutDeadline
                // To begin again would send it again.
                || is_in_doubt(&undone.error);
            if is_final || Instant::now() + wait >= end {
                return Err(self.failed(&open, undone));
            }
            if pause == FIRST_PAUSE {
                tracing::warn!(
                    "what was there before could not be brought back yet, and is tried again: {}",
                    undone.error
                );
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Reads the state, then does what it still takes. After a write of unknown outcome only the state is read, until
    /// `end`.
    async fn once(&self, open: &Open, end: Instant) -> Result<(), Box<Undone>> {
        let Some(target) = self.ours.last() else { return Ok(()) };
        let now = self.read(open, target).await?;
        if let Some(other) = self.stranger(open, &now) {
            tracing::warn!(
                "`{}` is {} now, and was not connected by this command, so it is left alone",
                other.label(),
                now.word().as_str()
            );
            return Ok(());
        }
        let on = now.engaged && now.word() != Word::Disconnecting;
        let act = Act { wait: true, ..self.act };
        match &self.wanted {
            Wanted::Nothing if now.engaged => self.down(open, act, target, &now, end).await.map(|_| ()),
            Wanted::Nothing if self.recall => recalled(open, target).await,
            Wanted::Nothing => Ok(()),
            Wanted::Kept { up } if on && !up => Ok(()),
            Wanted::Kept { up } => self.up(open, Act { wait: *up, ..act }, target, now, end).await,
            Wanted::Other { target: other, up } if on && now.is_of(other) && !up => Ok(()),
            Wanted::Other { target: other, up } => {
                let act = Act { switch: true, how: How::default(), ..act };
                let now = match &now.target {
                    Some(has) if now.engaged && has.id != other.id => {
                        // What can't be connected anyway is no reason to give up what is up.
                        open.backend.prepare(other, act.how).await?;
                        self.down(open, act, has, &now, end).await?
                    }
                    _ => now,
                };
                self.up(open, Act { wait: *up, ..act }, other, now, end).await
            }
        }
    }

    async fn down(
        &self,
        open: &Open,
        act: Act,
        target: &Target,
        now: &Status,
        end: Instant,
    ) -> Result<Status, Box<Undone>> {
        let is_down = |status: &Status| !status.engaged || (open.info().one_vpn && !status.is_of(target));
        match act::take_down(open, act, target, now).await {
            Err(undone) if is_in_doubt(&undone.error) => {
                self.comes_true(open, target, undone, end, is_down).await.map(|status| status.for_target(target))
            }
            done => done.map(|done| done.status),
        }
    }

    async fn up(&self, open: &Open, act: Act, target: &Target, now: Status, end: Instant) -> Result<(), Box<Undone>> {
        let is_up = |status: &Status| {
            let own = !open.info().one_vpn || status.is_of(target);
            let begun = !act.wait && status.engaged && status.word() != Word::Disconnecting;
            own && (begun || status.word() == Word::Connected)
        };
        match act::connect(open, act, target, now).await {
            Err(undone) if is_in_doubt(&undone.error) => {
                self.comes_true(open, target, undone, end, is_up).await.map(|_| ())
            }
            done => done.map(|_| ()),
        }
    }

    /// Reads the state after a write of unknown outcome, which is never sent twice, until it shows what was to come.
    async fn comes_true(
        &self,
        open: &Open,
        target: &Target,
        mut undone: Box<Undone>,
        end: Instant,
        is_true: impl Fn(&Status) -> bool,
    ) -> Result<Status, Box<Undone>> {
        let mut pace = Pace::new(self.act.interval);
        // The last look comes as late as it can still be answered.
        let last = end.checked_sub(attempt::LAST_LOOK).unwrap_or(end);
        while Instant::now() < last {
            tokio::time::sleep(pace.advance().min(last.saturating_duration_since(Instant::now()))).await;
            match attempt::read(open, target).await {
                Ok(status) if is_true(&status) => return Ok(status),
                Ok(status) => undone.status = Some(status),
                Err(error) => tracing::debug!("the state could not be read, and is asked again: {error}"),
            }
        }
        Err(undone)
    }

    /// Reads the state. Where a connect was sent and nothing shows of it, it may still come: so it is looked again.
    async fn read(&self, open: &Open, target: &Target) -> Result<Status> {
        let mut now = attempt::read(open, target).await?;
        // Most of the time is kept for what has to be done then.
        let left = open.deadline.left().map(|left| left / 4);
        let end = Instant::now() + left.map_or(self.doubt, |left| left.min(self.doubt));
        let mut pace = Pace::new(self.act.interval);
        while !now.engaged && Instant::now() < end {
            tokio::time::sleep(pace.advance().min(end.saturating_duration_since(Instant::now()))).await;
            now = attempt::read(open, target).await?;
        }
        Ok(now)
    }

    /// Gives what has the one VPN where that is neither ours nor what has to be there.
    fn stranger<'a>(&self, open: &Open, now: &'a Status) -> Option<&'a Target> {
        if !open.info().one_vpn || !now.engaged || now.word() == Word::Disconnecting {
            return None;
        }
        let has = now.target.as_ref()?;
        let wanted = matches!(&self.wanted, Wanted::Other { target, .. } if target.id == has.id);
        (!wanted && self.ours.iter().all(|ours| ours.id != has.id)).then_some(has)
    }

    fn failed(&self, open: &Open, undone: Box<Undone>) -> Error {
        let Undone { status, error, .. } = *undone;
        let left = match status {
            _ if self.recall && !status.as_ref().is_some_and(|status| status.engaged) => {
                format!("`{}` may still come up", self.label())
            }
            Some(Status { target: Some(target), state, .. }) => {
                format!("`{}` is {} now", target.label(), state.word().as_str())
            }
            _ => "what is left there is not known".to_owned(),
        };
        let error = error.explained(&left, self.repair()).context("what was there before was not brought back");
        open.own(error).target(self.label())
    }

    /// Makes the error for somebody who did not want to wait for it.
    #[must_use]
    pub fn given_up(&self) -> Error {
        let what = match &self.wanted {
            Wanted::Nothing => format!("`{}` may still be connected", self.label()),
            Wanted::Kept { .. } => format!("`{}` was on before and may be down", self.label()),
            Wanted::Other { target, .. } => format!("`{}` was connected before and may be down", target.label()),
        };
        let message = format!("interrupted before what was there was brought back: {what}");
        Error::new(Code::Interrupted, Layer::Usage, message)
            .backend(&self.backend)
            .target(self.label())
            .hint(self.repair())
    }

    /// Gives what names the target on the command line, inside its backend.
    #[must_use]
    pub fn label(&self) -> &str {
        self.ours.last().map_or("?", Target::label)
    }

    /// Says what to type to do it by hand.
    fn repair(&self) -> String {
        let ours = self.ours.last().map(|target| naming::argument(&self.backend, target)).unwrap_or_default();
        match &self.wanted {
            Wanted::Nothing => format!("run: vpnctl disconnect {ours}"),
            Wanted::Kept { .. } => format!("run: vpnctl connect {ours}"),
            Wanted::Other { target, .. } => {
                format!("run: vpnctl connect --switch {}", naming::argument(&self.backend, target))
            }
        }
    }
}

/// Tells a device to disconnect that was told to connect and shows nothing of it. That it reads disconnected afterwards
/// proves nothing, as it did before: only the answer counts.
async fn recalled(open: &Open, target: &Target) -> Result<(), Box<Undone>> {
    let sent = open.gate.pass(open.backend.disconnect(target)).await;
    sent.map(|_| ()).map_err(|error| error.target(target.label()).into())
}

/// Tells whether a write was sent that may have been done all the same.
fn is_in_doubt(error: &Error) -> bool {
    error.outcome_is_unknown() || error.code() == Code::TimeoutUnknownOutcome
}

#[cfg(test)]
mod tests;
