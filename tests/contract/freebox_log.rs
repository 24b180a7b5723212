//! The Freebox's log, followed: no line twice, none lost between two looks.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use vpnctl::app::log::{Reading, run};
use vpnctl::app::selection::{Job, Plan};
use vpnctl::app::{Emit, Open, Stop, Told};
use vpnctl::http::Deadline;

use super::bench::Bench;
use super::facts::FREEBOX;

/// How many lines the simulated box keeps.
const KEPT: usize = 500;

/// Somebody who follows the log.
struct Follower {
    lines: UnboundedReceiver<Told>,
    told: Vec<String>,
    task: tokio::task::JoinHandle<()>,
}

impl Follower {
    fn start(bench: &Bench) -> Self {
        let backend = bench.open_with(|opening| opening.deadline = Deadline::after(None));
        let open = Open::new(backend, Deadline::after(None), 1, false);
        let job = Job { open: Arc::new(open), target: None, known: None, error: None };
        let (sender, lines) = unbounded_channel();
        let out = Emit::new(sender, Stop::default());
        let reading = Reading { last: None, follow: true, interval: Some(Duration::from_millis(1)) };
        let task = tokio::task::spawn_local(async move {
            run(Plan { jobs: vec![job], unopened: Vec::new() }, reading, &out).await;
        });
        Self { lines, told: Vec::new(), task }
    }

    /// Waits until a line is told that holds a text; that nothing comes is the test's own time-out.
    async fn until(&mut self, part: &str) {
        while !self.told.last().is_some_and(|line| line.contains(part)) {
            let told = self.lines.recv().await.unwrap();
            assert!(told.error.is_none(), "{:?}", told.error);
            self.told.push(told.row.unwrap().into_item()["text"].as_str().unwrap().to_owned());
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The box's owner, who is logged in by another program.
struct Owner {
    client: reqwest::Client,
    url: String,
    session: String,
}

impl Owner {
    /// Takes the session that vpnctl used last.
    async fn of(bench: &Bench) -> Self {
        bench.open().status(None).await.unwrap();
        let entries = bench.running().context.log.entries();
        let session = entries.last().unwrap().headers["x-fbx-app-auth"].clone();
        // Fails where another test of this process was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
        Self { client, url: format!("{}/api/v16/vpn_client", bench.url("api")), session }
    }

    /// Adds a tunnel and activates it, which the box notes in a line that no other event has.
    async fn event(&self, number: usize) {
        let body = json!({"type": "pptp", "description": format!("n{number}"), "active": true,
            "conf_pptp": {"remote_host": "h", "username": "u"}});
        let request = self.client.post(format!("{}/config/", self.url)).header("X-Fbx-App-Auth", &self.session);
        let answer = request.body(body.to_string()).send().await.unwrap().text().await.unwrap();
        assert!(answer.contains("\"success\":true"), "{answer}");
    }

    async fn log(&self) -> Vec<String> {
        let request = self.client.get(format!("{}/log", self.url)).header("X-Fbx-App-Auth", &self.session);
        let answer: Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
        answer["result"].as_str().unwrap().lines().map(str::to_owned).collect()
    }
}

fn line(number: usize) -> String {
    format!(" vpn{number} activation requested")
}

async fn locally(test: impl Future<Output = ()>) {
    tokio::task::LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn each_line_is_told_once_also_while_the_log_rotates() {
    locally(async {
        let bench = Bench::new("freebox").await;
        bench.logged_in(&FREEBOX).await;
        let owner = Owner::of(&bench).await;
        let mut follower = Follower::start(&bench);
        follower.until("vpn1 connected").await;
        let last = KEPT + 100;
        for number in 3..last {
            owner.event(number).await;
        }
        follower.until(&line(last - 1)).await;
        for number in 3..last {
            let times = follower.told.iter().filter(|told| told.ends_with(&line(number))).count();
            assert_eq!(times, 1, "line {number}");
        }
        let kept = owner.log().await;
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
        let owner = Owner::of(&bench).await;
        let mut follower = Follower::start(&bench);
        owner.event(3).await;
        owner.event(4).await;
        follower.until(&line(4)).await;
        let before = follower.told.clone();
        bench.fault("clear-log");
        // Emptied, and seen so.
        while !owner.log().await.is_empty() {}
        let seen = bench.count("/vpn_client/log");
        while bench.count("/vpn_client/log") < seen + 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bench.heal();
        owner.event(5).await;
        owner.event(6).await;
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
        let owner = Owner::of(&bench).await;
        let mut follower = Follower::start(&bench);
        follower.until("vpn1 connected").await;
        bench.fault("http-status=503@/vpn_client/log*6");
        bench.fault("retry-after=0");
        for number in 3..9 {
            owner.event(number).await;
        }
        follower.until(&line(8)).await;
        let times = |number| follower.told.iter().filter(|told| told.ends_with(&line(number))).count();
        assert_eq!((3..9).map(times).collect::<Vec<_>>(), [1; 6]);
    })
    .await;
}
