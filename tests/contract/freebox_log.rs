//! The Freebox's log, followed: no line twice, none lost between two looks.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use vpnctl::app::Open;
use vpnctl::app::log::{Reading, run};
use vpnctl::app::selection::{Job, Plan};
use vpnctl::http::Deadline;
use vpnctl::model::TargetKind;

use super::bench::Bench;
use super::facts::FREEBOX;
use super::freebox::by_hand;

/// How many lines the simulated box keeps.
const KEPT: usize = 500;

/// Somebody who follows the log.
struct Follower {
    lines: UnboundedReceiver<(Option<vpnctl::render::Item>, Option<vpnctl::error::Error>)>,
    told: Vec<String>,
    task: tokio::task::JoinHandle<()>,
}

impl Follower {
    fn start(bench: &Bench) -> Self {
        let backend = bench.open_with(|opening| opening.deadline = Deadline::after(None));
        let open = Open { backend, deadline: Deadline::after(None), jobs: 1, read_only: false };
        let job = Job { open: Arc::new(open), target: None, known: None, error: None };
        let (sender, lines) = unbounded_channel();
        let reading = Reading { last: None, follow: true, interval: Some(Duration::from_millis(1)) };
        let task = tokio::task::spawn_local(async move {
            run(Plan { jobs: vec![job], unopened: Vec::new() }, reading, &sender).await;
        });
        Self { lines, told: Vec::new(), task }
    }

    /// Waits until a line is told that holds a text; that nothing comes is the test's own time-out.
    async fn until(&mut self, part: &str) {
        while !self.told.last().is_some_and(|line| line.contains(part)) {
            let (item, error) = self.lines.recv().await.unwrap();
            assert!(error.is_none(), "{error:?}");
            self.told.push(item.unwrap()["text"].as_str().unwrap().to_owned());
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Adds a tunnel and activates it, which the box notes in a line that no other event has.
async fn event(bench: &Bench, number: usize) {
    let body = json!({"type": "pptp", "description": format!("n{number}"), "active": true,
        "conf_pptp": {"remote_host": "h", "username": "u"}});
    assert_eq!(by_hand(bench, "POST", "vpn_client/config/", &body).await["success"], true);
}

fn line(number: usize) -> String {
    format!(" vpn{number} activation requested")
}

async fn log_of(bench: &Bench) -> Vec<String> {
    let answer = by_hand(bench, "GET", "vpn_client/log", &Value::Null).await;
    answer["result"].as_str().unwrap().lines().map(str::to_owned).collect()
}

async fn locally(test: impl Future<Output = ()>) {
    tokio::task::LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn each_line_is_told_once_also_while_the_log_rotates() {
    locally(async {
        let bench = Bench::new("freebox").await;
        bench.logged_in(&FREEBOX).await;
        bench.open().status(None).await.unwrap();
        let mut follower = Follower::start(&bench);
        follower.until("vpn1 connected").await;
        let last = KEPT + 100;
        for number in 3..last {
            event(&bench, number).await;
        }
        follower.until(&line(last - 1)).await;
        for number in 3..last {
            let times = follower.told.iter().filter(|told| told.ends_with(&line(number))).count();
            assert_eq!(times, 1, "line {number}");
        }
        let kept = log_of(&bench).await;
        assert_eq!(kept.len(), KEPT, "the log has rotated");
        assert!(follower.told.ends_with(&kept));
    })
    .await;
}

#[tokio::test]
async fn a_log_that_was_emptied_begins_anew() {
    locally(async {
        let bench = Bench::new("freebox").await;
        bench.logged_in(&FREEBOX).await;
        bench.open().status(None).await.unwrap();
        let mut follower = Follower::start(&bench);
        event(&bench, 3).await;
        event(&bench, 4).await;
        follower.until(&line(4)).await;
        let before = follower.told.clone();
        bench.fault("clear-log");
        // Emptied, and seen so.
        while !log_of(&bench).await.is_empty() {}
        let seen = bench.count("/vpn_client/log");
        while bench.count("/vpn_client/log") < seen + 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bench.heal();
        event(&bench, 5).await;
        event(&bench, 6).await;
        follower.until(&line(6)).await;
        let new: Vec<&String> = follower.told[before.len()..].iter().collect();
        assert!(new.iter().any(|told| told.ends_with(&line(5))), "{new:?}");
        assert!(new.iter().all(|told| !before.contains(told)), "{new:?}");
    })
    .await;
}

#[tokio::test]
async fn a_look_that_fails_loses_nothing() {
    locally(async {
        let bench = Bench::new("freebox").await;
        bench.logged_in(&FREEBOX).await;
        bench.open().status(None).await.unwrap();
        let mut follower = Follower::start(&bench);
        follower.until("vpn1 connected").await;
        bench.fault("http-status=503@/vpn_client/log*6");
        bench.fault("retry-after=0");
        bench.fault("expire-sessions");
        bench.open().status(Some(&vpnctl::model::Target::by_id(TargetKind::Tunnel, "vpn1"))).await.unwrap();
        for number in 3..9 {
            event(&bench, number).await;
        }
        follower.until(&line(8)).await;
        let times = |number| follower.told.iter().filter(|told| told.ends_with(&line(number))).count();
        assert_eq!((3..9).map(times).collect::<Vec<_>>(), [1; 6]);
    })
    .await;
}
