//! `connect`, `disconnect` and `reconnect`: idempotent, truthful about what was done, and at an end when it is over.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::attempt::{self, Before};
use super::mass::Way;
use super::selection::Job;
use super::{Emit, Open, Setup, Underway, emit, emit_failed_in, mass, with_error};
use crate::backend::{How, naming};
use crate::error::{Code, Error, Layer, Result};
use crate::http;
use crate::model::document::Action;
use crate::model::{Status, Target, Word, item};
use crate::render::Item;

/// Names what is done to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Bring it up.
    Connect,
    /// Take it down.
    Disconnect,
    /// Take it down, then bring it up.
    Reconnect,
    /// Bring it up for as long as a command runs.
    With,
}

impl Verb {
    /// Gives its name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
            Self::Reconnect => "reconnect",
            Self::With => "with",
        }
    }
}

/// Says what is done and how.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// What is done.
    pub verb: Verb,
    /// Whether its end is waited for.
    pub wait: bool,
    /// Whether another target that has the one VPN is disconnected first.
    pub switch: bool,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// How a target is connected.
    pub how: How,
    /// How often the state is polled.
    pub interval: Option<Duration>,
    /// Where it is noted that the target is written to.
    pub begun: Option<&'a Begun>,
}

impl Act<'_> {
    /// Notes that a write is sent now.
    fn writes(self) {
        if let Some(Begun { underway, key }) = self.begun
            && let Some((item, _)) = locked(underway).get_mut(key)
        {
            item.insert("changed".to_owned(), true.into());
        }
    }
}

/// A target that was begun, for as long as its end is not told.
#[derive(Debug)]
pub struct Begun {
    underway: Underway,
    key: String,
}

impl Begun {
    /// Keeps what a signal that comes meanwhile leaves to be told: that it is not known how it went.
    fn note(underway: &Underway, job: &Job, verb: Verb) -> Self {
        let (info, target) = (job.open.info(), job.target.as_ref());
        let key = format!("{}/{}", info.backend, target.map(|target| target.id.as_str()).unwrap_or_default());
        let item = marked(item::unread(&info.backend, info.vendor, target, Timestamp::now()), verb, false);
        let scope = target.and_then(|target| target.scope.clone());
        locked(underway).insert(key.clone(), (item, scope));
        Self { underway: Arc::clone(underway), key }
    }

    fn end(&self) {
        locked(&self.underway).remove(&self.key);
    }
}

fn locked(underway: &Underway) -> MutexGuard<'_, BTreeMap<String, (Item, Option<String>)>> {
    underway.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What came of it: the last state that was read, and whether something was written.
pub(super) struct Done {
    pub(super) status: Status,
    pub(super) changed: bool,
}

/// What came of it where it failed.
pub(super) struct Undone {
    pub(super) status: Option<Status>,
    pub(super) changed: bool,
    pub(super) error: Error,
}

impl From<Error> for Box<Undone> {
    fn from(error: Error) -> Self {
        Self::new(Undone { status: None, changed: false, error })
    }
}

pub(super) type Acted = Result<Done, Box<Undone>>;

/// Refuses changes where a guard forbids them, before any request.
///
/// # Errors
/// Fails with `conflict.guard`.
pub fn guard(setup: &Setup, read_only: bool, backends: &[String]) -> Result<()> {
    let by_config = backends.iter().find(|name| setup.config.backends.get(*name).is_some_and(|b| b.is_on("read_only")));
    let who = match (read_only, by_config) {
        (true, _) => "--read-only (or VPNCTL_READ_ONLY)".to_owned(),
        (false, Some(name)) => format!("`read_only` of the backend `{name}`"),
        (false, None) => return Ok(()),
    };
    Err(Error::new(Code::ConflictGuard, Layer::Usage, format!("{who} forbids changes"))
        .hint("leave it out, if the change is wanted"))
}

/// Does it to one target and tells what came of it.
pub(super) async fn one(job: Job, act: Act<'_>, way: Way<'_>, out: &Emit) {
    let begun = Begun::note(way.underway, &job, act.verb);
    told(job, Act { begun: Some(&begun), ..act }, way.bound, out).await;
    begun.end();
}

async fn told(job: Job, act: Act<'_>, bound: Option<Duration>, out: &Emit) {
    // What a dry run would do is known where finding the target has told its state, and so is that nothing is to do.
    let enough = (act.dry_run && !job.open.info().one_vpn) || mass::is_settled(&job, act.verb);
    let known = job.known.filter(|_| enough);
    let open = &job.open;
    let target = job.target;
    let acted = match (job.error, bound.filter(|_| open.deadline.at().is_none())) {
        (Some(error), _) => Err(error.into()),
        (None, None) => perform(open, act, target.as_ref(), known).await,
        (None, Some(bound)) => http::within(bound, perform(open, act, target.as_ref(), known))
            .await
            .unwrap_or_else(|| Err(too_slow(act.verb, bound).into())),
    };
    match acted {
        Ok(done) => emit(out, marked(open.item(&done.status, false), act.verb, done.changed)),
        Err(undone) => {
            let error = match &target {
                Some(target) if act.verb != Verb::Disconnect && attempt::was_tried(&undone.error) => {
                    open.backend.explain(target, undone.error).await
                }
                _ => undone.error,
            };
            let undone = Undone { error: open.own(error), ..*undone };
            let item = match undone.status {
                Some(status) => with_error(open.item(&status, false), &undone.error),
                None => open.failed_item(target.as_ref(), &undone.error),
            };
            let scope = target.and_then(|target| target.scope);
            emit_failed_in(out, scope, marked(item, act.verb, undone.changed), undone.error);
        }
    }
}

fn too_slow(verb: Verb, bound: Duration) -> Error {
    let text = format!("{} did not end within {} s", verb.as_str(), bound.as_secs_f64());
    Error::new(Code::TimeoutDeadline, Layer::Tunnel, text).hint("look again with: vpnctl status")
}

pub(super) fn marked(item: Item, verb: Verb, changed: bool) -> Item {
    item::marked(item, &Action { action: verb.as_str(), changed })
}

/// Does it; `known` is the state where that need not be read.
async fn perform(open: &Open, act: Act<'_>, target: Option<&Target>, known: Option<Status>) -> Acted {
    let before = match (known, target) {
        (Some(known), _) => known,
        (None, Some(target)) => attempt::read(open, target).await?,
        (None, None) if act.verb == Verb::Disconnect => open.backend.status(None).await?,
        (None, None) => return Err(Error::usage("no target is named").into()),
    };
    match (act.verb, target) {
        (Verb::Disconnect, target) => disconnect(open, act, target, before).await,
        (Verb::Connect | Verb::With, Some(target)) => connect(open, act, target, before).await,
        (Verb::Reconnect, Some(target)) => reconnect(open, act, target, before).await,
        (_, None) => Err(Error::usage("no target is named").into()),
    }
}

async fn reconnect(open: &Open, act: Act<'_>, target: &Target, before: Status) -> Acted {
    let own = !open.info().one_vpn || before.is_of(target);
    if !(before.engaged && own) {
        return connect(open, act, target, before).await;
    }
    if act.dry_run {
        tracing::warn!("dry run: would disconnect `{}`, then connect it", target.label());
        return Ok(Done { status: before.named_as(target), changed: false });
    }
    prepare(open, act, target, &before).await?;
    // The end of the first half is waited for also with --no-wait: the second can't begin before.
    let down = take_down(open, Act { wait: true, ..act }, target, &before).await?;
    connect(open, act, target, down.status)
        .await
        .map(|done| Done { changed: true, ..done })
        .map_err(|undone| Box::new(Undone { changed: true, ..*undone }))
}

/// Brings a target up, from a state that was read just before.
pub(super) async fn connect(open: &Open, act: Act<'_>, target: &Target, before: Status) -> Acted {
    let own = !open.info().one_vpn || before.is_of(target);
    if own && before.word() == Word::Connected {
        return Ok(Done { status: before.named_as(target), changed: false });
    }
    if own && matches!(before.word(), Word::Connecting | Word::Waiting) {
        if !act.wait || act.dry_run {
            return Ok(Done { status: before.named_as(target), changed: false });
        }
        let joined = Before::note(before, true);
        return finished(attempt::connected(open, target, joined, act.interval).await, false)
            .map_err(|undone| of_target(open, target, undone));
    }
    let mut before = before;
    let mut switched = false;
    if !own && before.engaged {
        before = make_room(open, act, target, before).await?;
        switched = !act.dry_run;
    } else if own && before.word() == Word::Disconnecting && !act.dry_run {
        let down = attempt::disconnected(open, target, act.interval).await;
        before = down.map_err(|failed| of_target(open, target, undone(failed, false)))?;
    }
    if act.dry_run {
        tracing::warn!("dry run: would connect `{}`", target.label());
        return Ok(Done { status: before.for_target(target), changed: false });
    }
    act.writes();
    let sent = open.gate.pass(open.backend.connect(target, act.how)).await;
    let told = match sent {
        Ok(status) => status,
        Err(error) if error.outcome_is_unknown() => {
            let now = after_doubt(open, target, error, "connect", |status| {
                matches!(status.word(), Word::Connected | Word::Connecting | Word::Waiting)
            });
            now.await?
        }
        Err(error) => {
            // It was refused, so what was read just before still holds.
            let (status, error) = (Some(before.for_target(target)), error.target(target.label()));
            return Err(Box::new(Undone { status, changed: switched, error }));
        }
    };
    if !act.wait && told.word() == Word::Disconnected {
        return contradicted(open, told.target.as_ref().unwrap_or(target), switched).await;
    }
    if !act.wait || told.word() == Word::Connected {
        return Ok(Done { status: told, changed: true });
    }
    // A name that was remembered may have moved: what was told to connect is what is waited for.
    let target = told.target.clone().unwrap_or_else(|| target.clone());
    finished(attempt::connected(open, &target, Before::note(before, false), act.interval).await, true)
        .map_err(|undone| of_target(open, &target, undone))
}

/// Reads the state where the answer to a connect shows the target down, and nothing is waited for: only that tells.
async fn contradicted(open: &Open, target: &Target, switched: bool) -> Acted {
    let status = attempt::read(open, target).await?;
    let own = !open.info().one_vpn || status.is_of(target);
    if own && matches!(status.word(), Word::Connected | Word::Connecting | Word::Waiting) {
        return Ok(Done { status: status.named_as(target), changed: true });
    }
    let error = Error::new(
        Code::VendorProtocol,
        Layer::Tunnel,
        format!("the vendor took the request to connect `{}`, but says that it is down", target.label()),
    )
    .unknown_outcome()
    .hint(format!("look again in a moment: vpnctl status {}", naming::argument(&open.info().backend, target)));
    Err(of_target(open, target, Box::new(Undone { status: Some(status), changed: switched, error })))
}

/// Tells of a failure the state of the target that was asked for: that of another one which has the VPN is in the words
/// of the error.
fn of_target(open: &Open, target: &Target, undone: Box<Undone>) -> Box<Undone> {
    let status =
        if open.info().one_vpn { undone.status.map(|status| status.for_target(target)) } else { undone.status };
    Box::new(Undone { status, error: undone.error.target(target.label()), ..*undone })
}

/// Does what a connection needs beforehand: what can't be connected anyway is no reason to give up a tunnel that is up.
async fn prepare(open: &Open, act: Act<'_>, target: &Target, before: &Status) -> Result<(), Box<Undone>> {
    open.backend.prepare(target, act.how).await.map_err(|error| {
        let status = Some(before.clone().for_target(target));
        Box::new(Undone { status, changed: false, error: error.target(target.label()) })
    })
}

/// Takes another target down that has the one VPN, where that was allowed.
async fn make_room(open: &Open, act: Act<'_>, target: &Target, before: Status) -> Result<Status, Box<Undone>> {
    let unnamed = Target::by_id(open.info().kind, "?");
    let other = before.target.clone().unwrap_or(unnamed);
    if !act.switch {
        let error = Error::new(
            Code::ConflictActive,
            Layer::Tunnel,
            format!(
                "`{}` is {} and has the one VPN of `{}`",
                other.label(),
                before.word().as_str(),
                open.info().backend
            ),
        )
        .backend(&open.info().backend)
        .target(target.label())
        .hint(format!(
            "disconnect it first, or add --switch to do so: vpnctl connect --switch {}",
            naming::argument(&open.info().backend, target)
        ));
        let status = Some(before.for_target(target));
        return Err(Box::new(Undone { status, changed: false, error }));
    }
    if act.dry_run {
        tracing::warn!("dry run: would disconnect `{}`", other.label());
        return Ok(before);
    }
    prepare(open, act, target, &before).await?;
    let done = take_down(open, Act { wait: true, ..act }, &other, &before).await;
    Ok(done.map_err(|undone| of_target(open, target, undone))?.status)
}

async fn disconnect(open: &Open, act: Act<'_>, target: Option<&Target>, before: Status) -> Acted {
    let unnamed = Target::by_id(open.info().kind, "?");
    let meant = target.cloned().or_else(|| before.target.clone());
    let own = !open.info().one_vpn || target.is_none() || target.is_some_and(|target| before.is_of(target));
    if !own || !before.engaged {
        let status = match target {
            Some(target) => before.for_target(target),
            None => before,
        };
        return Ok(Done { status, changed: false });
    }
    if act.dry_run {
        tracing::warn!("dry run: would disconnect `{}`", meant.as_ref().unwrap_or(&unnamed).label());
        return Ok(Done { status: before, changed: false });
    }
    take_down(open, act, &meant.unwrap_or(unnamed), &before).await
}

/// Sends the write, unless it is going down already, and waits for the end.
pub(super) async fn take_down(open: &Open, act: Act<'_>, target: &Target, before: &Status) -> Acted {
    let mut changed = false;
    if before.word() != Word::Disconnecting {
        changed = true;
        act.writes();
        let sent = open.gate.pass(open.backend.disconnect(target)).await;
        let told = match sent {
            Ok(status) => status,
            Err(error) if error.outcome_is_unknown() => {
                after_doubt(open, target, error, "disconnect", |status| {
                    !status.engaged || status.word() == Word::Disconnecting
                })
                .await?
            }
            Err(error) => {
                let (status, error) = (Some(before.clone().for_target(target)), error.target(target.label()));
                return Err(Box::new(Undone { status, changed: false, error }));
            }
        };
        if !act.wait || told.word() == Word::Disconnected {
            return Ok(Done { status: told, changed });
        }
    } else if !act.wait {
        return Ok(Done { status: before.clone(), changed });
    }
    let result = attempt::disconnected(open, target, act.interval).await;
    finished(result.map(|status| status.for_target(target)), changed)
}

/// Reads the state after a write whose outcome is unknown: it is not sent again.
async fn after_doubt(
    open: &Open,
    target: &Target,
    error: Error,
    verb: &str,
    done: impl Fn(&Status) -> bool,
) -> Result<Status, Box<Undone>> {
    let own = |status: &Status| !open.info().one_vpn || status.is_of(target) || !status.engaged;
    let (status, now) = match attempt::read(open, target).await {
        Ok(status) if own(&status) && done(&status) => {
            tracing::info!("the answer to {verb} was lost, but it was carried out: {error}");
            return Ok(status);
        }
        Ok(status) => {
            let word = status.word().as_str();
            (Some(status.for_target(target)), format!("its state is {word}"))
        }
        Err(again) => (None, format!("its state can't be read ({again})")),
    };
    let info = open.info();
    let what = format!("whether `{}` will {verb}", target.label());
    let look = format!("look again in a minute: vpnctl status {}", naming::argument(&info.backend, target));
    let error = error.found(&now).in_doubt(&what, &look, true).backend(&info.backend).target(target.label());
    Err(Box::new(Undone { status, changed: true, error }))
}

fn finished(result: Result<Status, (Option<Status>, Error)>, changed: bool) -> Acted {
    match result {
        Ok(status) => Ok(Done { status, changed }),
        Err(failed) => Err(undone(failed, changed)),
    }
}

fn undone((status, error): (Option<Status>, Error), changed: bool) -> Box<Undone> {
    Box::new(Undone { status, changed, error })
}
