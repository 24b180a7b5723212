//! Bringing back what was there before, and what is told where that fails.

use std::time::{Duration, Instant};

use super::{Left, Wanted, is_in_doubt};
use crate::app::act::{self, Act, Undone};
use crate::app::attempt::{self, Pace};
use crate::app::{Open, Patience, Setup};
use crate::backend::{How, naming};
use crate::error::{Code, Error, Exit, Layer, Result};
use crate::model::{Status, Target, Word};

/// The first pause before a restoring that failed is tried again; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// For how long it is tried where no time was set.
const TRIED_FOR: Duration = Duration::from_secs(60);

/// Why what was there before is not there again, and how that is repaired.
#[derive(Debug)]
pub struct Unrestored {
    error: Error,
    cause: String,
    left: String,
}

impl From<Unrestored> for Error {
    fn from(unrestored: Unrestored) -> Self {
        unrestored.error
    }
}

impl Unrestored {
    /// Adds it to the error that came first, whose cause is not told twice; the line that repairs it comes last.
    #[must_use]
    pub fn after(self, first: Error) -> Error {
        let hint = self.error.hint_text().unwrap_or_default().to_owned();
        let is_told = first.message().contains(&self.cause) || self.cause.contains(first.message());
        let what = if is_told { &self.left } else { self.error.message() };
        first.explained(what, hint)
    }

    /// Ends the process with another code.
    #[must_use]
    pub fn with_exit(self, exit: Exit) -> Self {
        Self { error: self.error.with_exit(exit), ..self }
    }
}

impl Left {
    /// Brings back what was there, within a time of its own.
    ///
    /// # Errors
    /// Fails with what the vendor said; what is left and how to repair it is told.
    pub async fn restore(&self, setup: &Setup) -> Result<(), Unrestored> {
        let settings = setup.config.backends.get(&self.backend);
        let settings = settings.ok_or_else(|| Error::config(format!("there is no backend `{}`", self.backend)));
        let open = settings.and_then(|settings| setup.open(settings, Patience::Wait));
        let open = open.map_err(|error| self.failed(error.into()))?;
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
                return Err(self.failed(undone));
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
    pub(super) async fn once(&self, open: &Open, end: Instant) -> Result<(), Box<Undone>> {
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
        act: Act<'_>,
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

    async fn up(
        &self,
        open: &Open,
        act: Act<'_>,
        target: &Target,
        now: Status,
        end: Instant,
    ) -> Result<(), Box<Undone>> {
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

    pub(super) fn failed(&self, undone: Box<Undone>) -> Unrestored {
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
        let not = "what was there before was not brought back";
        let cause = error.message().to_owned();
        let error = error.explained(&left, self.repair()).context(not).backend(&self.backend).target(self.label());
        Unrestored { error, cause, left: format!("{not}: {left}") }
    }

    /// Makes the error for somebody who did not want to wait for it.
    #[must_use]
    pub fn given_up(&self) -> Unrestored {
        let what = match &self.wanted {
            Wanted::Nothing => format!("`{}` may still be connected", self.label()),
            Wanted::Kept { .. } => format!("`{}` was on before and may be down", self.label()),
            Wanted::Other { target, .. } => format!("`{}` was connected before and may be down", target.label()),
        };
        let message = format!("interrupted before what was there was brought back: {what}");
        let error = Error::new(Code::Interrupted, Layer::Usage, message.clone())
            .backend(&self.backend)
            .target(self.label())
            .hint(self.repair());
        Unrestored { error, cause: message.clone(), left: message }
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
