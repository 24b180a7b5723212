use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Left, Visit, Wanted};
use crate::app::Open;
use crate::app::act::{Act, Verb};
use crate::app::selection::Job;
use crate::backend::{How, Info, VpnBackend};
use crate::error::{Code, Error, Layer, Result};
use crate::http::Deadline;
use crate::model::{Link, Source, State, Status, Target, TargetKind};

/// A vendor that shows one state after the other, the last one for ever, and notes what it is told.
struct Shows {
    info: Info,
    states: Mutex<VecDeque<Result<Status>>>,
    told: Arc<Mutex<Vec<String>>>,
    /// Whether the answers to all that it is told are lost.
    loses: bool,
}

impl Shows {
    fn note(&self, what: &str, target: &Target) {
        self.told.lock().unwrap().push(format!("{what} {}", target.id));
    }

    fn answer(&self, status: Status) -> Result<Status> {
        match self.loses {
            true => Err(Error::new(Code::HttpServerError, Layer::Http, "x").temporary().unknown_outcome()),
            false => Ok(status),
        }
    }
}

#[async_trait::async_trait]
impl VpnBackend for Shows {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn status(&self, _target: Option<&Target>) -> Result<Status> {
        let mut states = self.states.lock().unwrap();
        let next = states.pop_front().unwrap();
        if states.is_empty() {
            states.push_back(next.clone());
        }
        next
    }

    async fn connect(&self, target: &Target, _how: How) -> Result<Status> {
        self.note("on", target);
        self.answer(of(target.clone(), State::Connecting))
    }

    async fn disconnect(&self, target: &Target) -> Result<Status> {
        self.note("off", target);
        self.answer(of(target.clone(), State::Disconnecting))
    }

    fn why_not(&self, _capability: &str) -> &'static str {
        "it only shows states"
    }
}

fn target(id: &str) -> Target {
    Target::by_id(TargetKind::Tunnel, id)
}

fn of(target: Target, state: State) -> Status {
    Status { target: Some(target), ..Status::new(state, Source::Client) }
}

fn up(id: &str) -> Status {
    of(target(id), State::Connected(Link::default()))
}

fn idle() -> Status {
    Status::new(State::Disconnected, Source::Client)
}

fn open(states: impl IntoIterator<Item = Status>) -> (Open, Arc<Mutex<Vec<String>>>) {
    opened(states, false)
}

fn opened(states: impl IntoIterator<Item = Status>, loses: bool) -> (Open, Arc<Mutex<Vec<String>>>) {
    let told = Arc::default();
    let info = Info {
        backend: "home".to_owned(),
        vendor: "any",
        url: String::new(),
        kind: TargetKind::Tunnel,
        one_vpn: true,
        labels: std::collections::BTreeMap::new(),
        default_target: None,
        silence_limit: None,
    };
    let states = Mutex::new(states.into_iter().map(Ok).collect());
    let backend = Box::new(Shows { info, states, told: Arc::clone(&told), loses });
    let open = Open::new(backend, Deadline::none(), 1, false);
    (open, told)
}

fn act() -> Act<'static> {
    let interval = Some(Duration::from_millis(1));
    Act { verb: Verb::With, wait: true, switch: true, dry_run: false, how: How::default(), interval, begun: None }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(500)
}

/// Restores once, and gives what was told to the vendor.
fn restored(wanted: Wanted, doubt: Duration, states: impl IntoIterator<Item = Status>) -> Vec<String> {
    let (open, told) = open(states);
    let left = Left { backend: "home".to_owned(), act: act(), ours: vec![target("a")], wanted, doubt, recall: false };
    run(left.once(&open, soon())).map_err(|undone| undone.error).unwrap();
    told.lock().unwrap().clone()
}

#[test]
fn a_connect_that_shows_late_is_taken_back_too() {
    let late = || [idle(), idle(), idle(), of(target("a"), State::Connecting), idle()];
    assert_eq!(restored(Wanted::Nothing, super::SHOWS_WITHIN, late()), ["off a"]);
    // What is known to have ended is not looked at again.
    assert!(restored(Wanted::Nothing, Duration::ZERO, late()).is_empty());
}

#[test]
fn what_is_wanted_is_reached_from_whatever_is_there() {
    let other = |up| Wanted::Other { target: target("x"), up };
    for (wanted, states, told) in [
        (Wanted::Nothing, vec![idle()], &[][..]),
        (Wanted::Nothing, vec![up("a"), idle()], &["off a"]),
        (Wanted::Nothing, vec![of(target("a"), State::Disconnecting), idle()], &[]),
        (Wanted::Nothing, vec![up("y")], &[]),
        (Wanted::Kept { up: true }, vec![up("a")], &[]),
        (Wanted::Kept { up: true }, vec![idle(), up("a")], &["on a"]),
        (Wanted::Kept { up: true }, vec![of(target("a"), State::Connecting), up("a")], &[]),
        (Wanted::Kept { up: true }, vec![of(target("a"), State::Failed { next_retry_s: None }), up("a")], &["on a"]),
        (Wanted::Kept { up: false }, vec![of(target("a"), State::Failed { next_retry_s: None })], &[]),
        (Wanted::Kept { up: false }, vec![idle()], &["on a"]),
        (Wanted::Kept { up: true }, vec![up("y")], &[]),
        (other(true), vec![up("a"), idle(), up("x")], &["off a", "on x"]),
        (other(true), vec![idle(), up("x")], &["on x"]),
        (other(true), vec![up("x")], &[]),
        (other(true), vec![up("y")], &[]),
        (other(true), vec![of(target("x"), State::Connecting), up("x")], &[]),
        (other(false), vec![of(target("x"), State::Connecting)], &[]),
        (other(false), vec![up("a"), idle()], &["off a", "on x"]),
    ] {
        let case = format!("{wanted:?} from {states:?}");
        assert_eq!(restored(wanted, Duration::ZERO, states), told, "{case}");
    }
}

#[test]
fn a_write_whose_answer_is_lost_is_sent_once_and_then_only_looked_for() {
    let other = || Wanted::Other { target: target("x"), up: true };
    let restored = |wanted: Wanted, states: Vec<Status>| {
        let (open, told) = opened(states, true);
        let (doubt, ours) = (Duration::ZERO, vec![target("a")]);
        let left = Left { backend: "home".to_owned(), act: act(), ours, wanted, doubt, recall: false };
        let done = run(left.once(&open, soon())).map_err(|undone| undone.error.code());
        (done, told.lock().unwrap().join(", "))
    };
    for (wanted, states, told) in [
        (Wanted::Nothing, vec![up("a"), up("a"), up("a"), idle()], "off a"),
        (Wanted::Kept { up: true }, vec![idle(), idle(), idle(), up("a")], "on a"),
        // The second step is another write.
        (other(), vec![up("a"), up("a"), up("a"), idle(), idle(), up("x")], "off a, on x"),
    ] {
        assert_eq!(restored(wanted, states), (Ok(()), told.to_owned()));
    }
    for (wanted, state, told) in
        [(Wanted::Nothing, up("a"), "off a"), (Wanted::Kept { up: false }, idle(), "on a"), (other(), up("a"), "off a")]
    {
        assert_eq!(restored(wanted, vec![state]), (Err(Code::TimeoutUnknownOutcome), told.to_owned()));
    }
}

#[test]
fn what_is_wanted_is_what_was_there() {
    let begin = |before: Status| {
        let (open, _) = open([before]);
        let job = Job { open: Arc::new(open), target: Some(target("a")), known: None, error: None };
        run(Visit::begin(job, None, act()))
    };
    let wanted = |before: Status| format!("{:?}", begin(before).unwrap().wanted);
    assert_eq!(wanted(idle()), "Nothing");
    assert_eq!(wanted(up("a")), "Kept { up: true }");
    assert_eq!(wanted(of(target("a"), State::Waiting)), "Kept { up: false }");
    // What is on its way down is not to come up again.
    assert_eq!(wanted(of(target("a"), State::Disconnecting)), "Nothing");
    assert_eq!(wanted(of(target("x"), State::Disconnecting)), "Nothing");
    assert!(wanted(up("x")).starts_with("Other"), "{}", wanted(up("x")));
    // What has no name can't be brought back, so it is not taken down.
    let unnamed = Status { target: None, ..up("x") };
    assert_eq!(begin(unnamed).unwrap_err().code(), Code::ConflictActive);
}

#[test]
fn a_write_that_may_have_been_done_has_changed_something_and_a_refused_one_has_not() {
    for (error, changed) in [
        (Error::new(Code::NetReset, Layer::Tcp, "x").temporary().unknown_outcome(), true),
        (Error::new(Code::AuthForbidden, Layer::Auth, "x"), false),
    ] {
        let (open, _) = open([idle()]);
        let job = Job { open: Arc::new(open), target: Some(target("a")), known: None, error: None };
        let visit = run(Visit::begin(job, None, act())).unwrap();
        let undone = crate::app::act::Undone { status: None, changed: false, error };
        run(visit.missed(undone));
        assert_eq!(visit.has_changed(), changed);
        assert_eq!(visit.doubt.get() == super::COMES_WITHIN, changed);
    }
}

#[test]
fn a_cause_that_was_told_is_not_told_again_and_the_repair_comes_last() {
    let left = || Left {
        backend: "home".to_owned(),
        act: act(),
        ours: vec![target("a")],
        wanted: Wanted::Other { target: target("x"), up: true },
        doubt: Duration::ZERO,
        recall: false,
    };
    let cause = || Error::new(Code::HttpServerError, Layer::Http, "it answered 503");
    let first = |text: &str| Error::new(Code::TimeoutUnknownOutcome, Layer::Http, text).hint("more time");
    for (text, told) in [("not known: it answered 503", 1), ("something else", 1)] {
        let error = left().failed(cause().into()).after(first(text));
        assert_eq!(error.message().matches("it answered 503").count(), told, "{error}");
        assert_eq!(error.hint_text(), Some("run: vpnctl connect --switch home/x"));
        assert_eq!(error.code(), Code::TimeoutUnknownOutcome);
    }
}
