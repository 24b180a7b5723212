//! `serve`: what Prometheus scrapes, and what that costs the vendors.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prometheus_parse::{Scrape, Value};

use crate::bench::{Bench, VENDORS};
use crate::run::Run;
use crate::signals::send;

/// After which time something that never comes is a failure.
pub(crate) const NEVER: Duration = Duration::from_secs(40);

/// An endpoint that is served.
pub(crate) struct Serving {
    child: Option<Child>,
    pub(crate) address: String,
    told: Arc<Mutex<String>>,
}

impl Serving {
    /// Starts it on a free port and reads where that is.
    pub(crate) fn start(bench: &Bench, line: &str) -> Self {
        let mut child = bench.start(&format!("serve {line} --listen 127.0.0.1:0"));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let told = Arc::new(Mutex::new(String::new()));
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it does not listen: {}", told.lock().unwrap())).unwrap();
            if let Some(url) = line.strip_prefix("listening on http://") {
                break url.split('/').next().unwrap().to_owned();
            }
            told.lock().unwrap().push_str(&line);
        };
        let more = Arc::clone(&told);
        std::thread::spawn(move || {
            for line in lines {
                more.lock().unwrap().push_str(&format!("{}\n", line.unwrap()));
            }
        });
        Self { child: Some(child), address, told }
    }

    /// Sends a request, head and all, and reads what comes until the end.
    pub(crate) fn send(&self, request: &str) -> Answer {
        ask(&self.address, request)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(&get(&self.address, path))
    }

    /// Scrapes, and reads it with a parser that is not ours.
    pub(crate) fn scrape(&self, path: &str) -> Metrics {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{answer:?}");
        Metrics::of(&answer.body)
    }

    /// Scrapes until something holds.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Metrics) -> bool) -> Metrics {
        let begun = Instant::now();
        loop {
            let metrics = self.scrape("/metrics");
            if holds(&metrics) {
                return metrics;
            }
            assert!(begun.elapsed() < NEVER, "never: {what}\n{}\n{}", metrics.text, self.told.lock().unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until each of these backends was read.
    #[track_caller]
    pub(crate) fn until_up(&self, backends: &[&str]) -> Metrics {
        let up =
            |metrics: &Metrics| backends.iter().all(|name| metrics.get("vpnctl_up", &[("backend", name)]) == Some(1.0));
        self.until("up", up)
    }

    pub(crate) fn tells(&self, part: &str) -> bool {
        self.told.lock().unwrap().contains(part)
    }

    /// Ends it by a signal.
    pub(crate) fn end(mut self, signal: &str) -> Run {
        let child = self.child.take().unwrap();
        send(signal, &child);
        Run::end_of(child, signal.to_owned())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself, which its test tells.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(crate) fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

pub(crate) fn ask(address: &str, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(NEVER)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: `{text}`"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: format!("{head}\r\n"), body: body.to_owned() }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) struct Metrics {
    pub(crate) text: String,
    scrape: Scrape,
}

impl Metrics {
    pub(crate) fn of(text: &str) -> Self {
        let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
        Self { text: text.to_owned(), scrape }
    }

    pub(crate) fn all<'m>(&'m self, name: &'m str, labels: &'m [(&str, &str)]) -> impl Iterator<Item = f64> + 'm {
        let fits = move |sample: &&prometheus_parse::Sample| {
            sample.metric == name && labels.iter().all(|(name, value)| sample.labels.get(name) == Some(value))
        };
        self.scrape.samples.iter().filter(fits).map(|sample| match sample.value {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => value,
            ref other => panic!("{other:?} is no single value"),
        })
    }

    /// Gives the one value with these labels.
    #[track_caller]
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let all: Vec<f64> = self.all(name, labels).collect();
        assert!(all.len() < 2, "{name}{labels:?} is there {} times:\n{}", all.len(), self.text);
        all.first().copied()
    }

    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.all(name, labels).sum()
    }
}

/// Counts what the vendors were asked, and forgets nothing.
pub(crate) fn asked(bench: &Bench) -> usize {
    VENDORS.iter().map(|vendor| bench.context(vendor).log.requests()).sum()
}

/// Tells whether every request that the vendors saw is counted.
fn is_all_counted(bench: &Bench, metrics: &Metrics) -> bool {
    metrics.sum("vpnctl_requests_total", &[]) as usize == asked(bench)
}

#[test]
fn metrics_show_what_status_tells() {
    let bench = Bench::new();
    let serving = Serving::start(&bench, "metrics -A --interval 1h");
    serving.until_up(&VENDORS);
    let metrics = serving.until("all requests are counted", |metrics| is_all_counted(&bench, metrics));
    // Logins are counted as everything else is.
    assert_eq!(metrics.get("vpnctl_requests_total", &[("backend", "freebox"), ("operation", "session")]), Some(1.0));
    assert_eq!(metrics.sum("vpnctl_request_duration_seconds_count", &[]) as usize, asked(&bench));
    assert_eq!(metrics.get("vpnctl_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), Some(1.0));
    let items = bench.run("status -A -o json").ends(0).items();
    assert_eq!(metrics.all("vpnctl_connected", &[]).count(), items.len());
    for item in items {
        let text = |name: &str| item[name].as_str().unwrap().to_owned();
        let target = item["target"]["name"].as_str().or(item["target"]["id"].as_str()).unwrap_or_default();
        let (backend, state) = (text("backend"), text("state"));
        let own = [("backend", backend.as_str()), ("vendor", backend.as_str()), ("target", target)];
        let connected = f64::from(u8::from(state == "connected"));
        assert_eq!(metrics.get("vpnctl_connected", &own), Some(connected), "{own:?}: {}", metrics.text);
        let with_state = [own.as_slice(), &[("state", state.as_str())]].concat();
        assert_eq!(metrics.get("vpnctl_state", &with_state), Some(1.0));
        assert_eq!(metrics.sum("vpnctl_state", &own), 1.0, "one state at a time");
        let received = metrics.get("vpnctl_rx_bytes_total", &own);
        assert_eq!(received.is_some(), item["traffic"]["rx_bytes"].is_u64(), "{own:?}");
        assert!(received.unwrap_or_default() <= item["traffic"]["rx_bytes"].as_f64().unwrap_or_default());
    }
    for backend in VENDORS {
        let own = [("backend", backend)];
        let success = metrics.get("vpnctl_last_success_timestamp_seconds", &own);
        assert!(success.is_some_and(|at| at > 1.7e9), "{backend}: {success:?}");
        assert!(metrics.get("vpnctl_observed_timestamp_seconds", &own) >= success);
    }
    serving.end("INT").ends(130).without_output();
}

#[test]
fn scrapes_cost_the_vendors_nothing() {
    let bench = Bench::new();
    let serving = Serving::start(&bench, "metrics -A --interval 1h");
    serving.until_up(&VENDORS);
    // The state is read again once the client's subscription is open.
    let settled = |metrics: &Metrics| {
        is_all_counted(&bench, metrics)
            && metrics.sum("vpnctl_requests_total", &[("backend", "ixon"), ("operation", "status")]) >= 2.0
    };
    serving.until("settled", settled);
    let before = asked(&bench);
    for _ in 0..100 {
        serving.scrape("/metrics");
    }
    assert_eq!(asked(&bench), before);
}

#[test]
fn targets_choose_what_is_read() {
    let bench = Bench::new();
    let line = "metrics everyware/gw-lyon-02 'everyware/gw-t*' freebox/Downloads --interval 20ms";
    let serving = Serving::start(&bench, line);
    let metrics = serving.until_up(&["everyware", "freebox"]);
    let mut names: Vec<&str> = metrics
        .scrape
        .samples
        .iter()
        .filter(|sample| sample.metric == "vpnctl_connected")
        .map(|sample| sample.labels.get("target").unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["Downloads", "gw-lyon-02", "gw-turin-04"]);
    assert_eq!(metrics.get("vpnctl_up", &[("backend", "ixon")]), None);
    assert!(bench.asked("ixon").is_empty());
}

#[test]
fn what_is_pushed_shows_without_waiting_for_the_interval() {
    let bench = Bench::new();
    let serving = Serving::start(&bench, "metrics -b ixon --interval 1h");
    let own = [("backend", "ixon"), ("operation", "status")];
    // The first look, and the one once changes are pushed.
    let metrics = serving.until("subscribed", |metrics| metrics.sum("vpnctl_requests_total", &own) >= 2.0);
    let looks = metrics.sum("vpnctl_requests_total", &own);
    let upgrade = [("backend", "ixon"), ("operation", "events"), ("code", "101")];
    assert_eq!(metrics.get("vpnctl_requests_total", &upgrade), Some(1.0), "{}", metrics.text);
    bench.run("connect -b ixon AAAAAAAAAAAA --no-wait").ends(0);
    let up = serving.until("connected", |metrics| metrics.sum("vpnctl_connected", &[]) == 1.0);
    assert_eq!(up.sum("vpnctl_requests_total", &own), looks, "it was pushed, not read");
    serving.end("TERM").ends(143).without_output();
}

#[test]
fn targets_of_one_vpn_are_followed_together() {
    let bench = Bench::new();
    let agents = bench.run("list -b ixon -o json").ends(0).items();
    let serving = Serving::start(&bench, "metrics 'ixon/*' ixon/nowhere --interval 1h");
    let own = [("backend", "ixon"), ("operation", "status")];
    // An answer is counted a moment before what it says is shown.
    let metrics = serving.until("subscribed", |metrics| {
        metrics.sum("vpnctl_requests_total", &own) >= 2.0 && metrics.all("vpnctl_connected", &[]).count() > 0
    });
    assert!(agents.len() > 1);
    assert_eq!(metrics.all("vpnctl_connected", &[]).count(), agents.len(), "{}", metrics.text);
    assert_eq!(metrics.get("vpnctl_state", &[("target", "nowhere"), ("state", "unknown")]), Some(1.0));
    assert_eq!(metrics.get("vpnctl_up", &[]), Some(1.0));
    bench.run("connect -b ixon AAAAAAAAAAAA --no-wait").ends(0);
    let up = serving.until("connected", |metrics| metrics.sum("vpnctl_connected", &[]) == 1.0);
    let agent = agents.iter().find(|agent| agent["target"]["id"] == "AAAAAAAAAAAA").unwrap();
    let name = agent["target"]["name"].as_str().unwrap();
    assert_eq!(up.get("vpnctl_connected", &[("target", name)]), Some(1.0), "{}", up.text);
}

#[test]
fn a_dead_vendor_shows_as_such_and_hides_no_other() {
    let bench = Bench::new();
    let serving = Serving::start(&bench, "metrics -b freebox -b everyware --interval 20ms");
    let own = [("backend", "freebox")];
    let before = serving.until_up(&["freebox", "everyware"]);
    assert_eq!(before.get("vpnctl_connected", &[("target", "Downloads")]), Some(1.0));
    bench.fault("freebox", "http-status=503");
    let dead = serving.until("down", |metrics| metrics.get("vpnctl_up", &own) == Some(0.0));
    assert_eq!(dead.get("vpnctl_connected", &own), None, "{}", dead.text);
    let unknown = [("backend", "freebox"), ("target", "Downloads"), ("state", "unknown")];
    assert_eq!(dead.get("vpnctl_state", &unknown), Some(1.0), "{}", dead.text);
    let success = "vpnctl_last_success_timestamp_seconds";
    assert!(dead.get(success, &own) >= before.get(success, &own));
    // Each repeat of the read is a request of its own.
    let refused = dead.sum("vpnctl_requests_total", &[("backend", "freebox"), ("code", "503")]);
    assert!(refused >= 4.0, "{}\n{}", dead.text, serving.told.lock().unwrap());
    let others = dead.get("vpnctl_observed_timestamp_seconds", &[("backend", "everyware")]);
    let later = serving.until("the other goes on", |metrics| {
        metrics.get("vpnctl_observed_timestamp_seconds", &[("backend", "everyware")]) > others
    });
    assert_eq!(later.get("vpnctl_up", &[("backend", "everyware")]), Some(1.0));
    assert_eq!(later.get(success, &own), dead.get(success, &own), "the last success stays");
    bench.context("freebox").faults.clear_all();
    let back = serving.until_up(&["freebox"]);
    assert_eq!(back.get("vpnctl_connected", &[("target", "Downloads")]), Some(1.0));
    serving.until("it was told", |_| serving.tells("`freebox` can be read again"));
    assert!(serving.tells("`freebox` can't be read: "), "{}", serving.told.lock().unwrap());
}

#[test]
fn a_vendor_that_hangs_delays_neither_another_one_nor_a_scrape_nor_the_end() {
    let bench = Bench::new();
    bench.fault("everyware", "silent");
    let serving = Serving::start(&bench, "metrics -A --interval 1h");
    let metrics = serving.until_up(&["freebox", "ixon"]);
    assert_eq!(metrics.get("vpnctl_up", &[("backend", "everyware")]), None, "nothing is known of it yet");
    assert_eq!(metrics.all("vpnctl_state", &[("backend", "everyware")]).count(), 0);
    assert_eq!(serving.get("/healthz").body, "ok\n");
    serving.end("TERM").ends(143);
}

#[test]
fn a_command_that_does_not_give_its_secret_delays_nobody_else() {
    let bench = Bench::new();
    let hold = bench.write("hold", "");
    let wait = "password = { command = [\"sh\", \"-c\", \"while test -e hold; do sleep 0.1; done\"] }";
    let config: String = bench
        .config()
        .lines()
        .map(|line| format!("{}\n", if line.starts_with("password = ") { wait } else { line }))
        .collect();
    assert_eq!(config.matches("while test").count(), 1, "{config}");
    let config = bench.write("waits.toml", &config);
    let serving = Serving::start(&bench, &format!("metrics -A --interval 20ms --config {}", config.display()));
    let metrics = serving.until_up(&["freebox", "ixon"]);
    assert_eq!(metrics.get("vpnctl_up", &[("backend", "everyware")]), None);
    // Nothing is the secret that it gives in the end.
    std::fs::remove_file(hold).unwrap();
    serving.until("told", |metrics| metrics.get("vpnctl_up", &[("backend", "everyware")]) == Some(0.0));
    serving.end("TERM").ends(143);
}

#[test]
fn a_login_that_is_refused_is_asked_for_once_until_somebody_logs_in() {
    let bench = Bench::new();
    bench.fault("everyware", "refuse-login");
    bench.fault("ixon", "ws-refused");
    // The other backend is polled meanwhile, which tells how often this one might have been.
    let serving = Serving::start(&bench, "metrics -b everyware -b ixon --interval 20ms");
    serving.until("refused", |metrics| metrics.get("vpnctl_up", &[("backend", "everyware")]) == Some(0.0));
    let polls = [("backend", "ixon"), ("operation", "status")];
    let before = serving.scrape("/metrics").sum("vpnctl_requests_total", &polls);
    serving.until("polled", |metrics| metrics.sum("vpnctl_requests_total", &polls) >= before + 30.0);
    assert_eq!(bench.count("everyware", "POST /v1/authentication"), 1, "{:?}", bench.asked("everyware"));
    assert_eq!(bench.asked("everyware").len(), 1);
    bench.context("everyware").faults.clear_all();
    // As of a user who is no longer locked: the same secret is sent again for somebody who logs out.
    bench.run("auth logout -b everyware").ends(0);
    bench.run("auth login -b everyware").ends(0);
    serving.until_up(&["everyware"]);
}

#[test]
fn what_cannot_be_served_is_told_at_once() {
    let bench = Bench::new();
    bench.run("serve").ends(2).without_output();
    bench.run("serve metrics --listen 127.0.0.1:0").ends(2).tells("which backend?");
    bench.run("serve metrics -b nowhere --listen 127.0.0.1:0").ends(6).tells("there is no backend `nowhere`");
    bench.run("serve metrics -A gw-lyon-02 --listen 127.0.0.1:0").ends(2).tells("write everyware/gw-lyon-02");
    bench.run("serve metrics -A --listen example.com:80").ends(2).tells("is no place to listen");
    bench.run("serve probe -b nowhere --listen 127.0.0.1:0").ends(6).tells("there is no backend `nowhere`");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = taken.local_addr().unwrap();
    for verb in ["metrics -A", "probe"] {
        let run = bench.run(&format!("serve {verb} --listen {place}")).ends(9).without_output();
        run.tells("another program listens on").tells("--listen 127.0.0.1:0");
    }
    assert_eq!(bench.requests(), 0);
}

#[test]
fn only_who_means_this_computer_is_answered() {
    let bench = Bench::new();
    let serving = Serving::start(&bench, "metrics -b freebox");
    let port = serving.address.rsplit_once(':').unwrap().1.to_owned();
    for host in ["localhost", "127.0.0.1", "[::1]", &format!("localhost:{port}")] {
        assert_eq!(serving.send(&get(host, "/metrics")).status, 200, "{host}");
    }
    for host in ["evil.example", &format!("evil.example:{port}"), "10.1.2.3", ""] {
        assert_eq!(serving.send(&get(host, "/metrics")).status, 421, "{host}");
    }
    let twice = get(&serving.address, "/metrics").replace("Connection:", "Host: localhost\r\nConnection:");
    assert_eq!(serving.send(&twice).status, 400);
    let absolute =
        format!("GET http://evil.example/metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", serving.address);
    assert_eq!(serving.send(&absolute).status, 421);
    let index = serving.get("/");
    assert!(index.status == 200 && index.body.contains("href=\"/metrics\""), "{index:?}");
    assert_eq!(serving.get("/elsewhere").status, 404);
    let posted = serving.send(&get(&serving.address, "/metrics").replace("GET", "POST"));
    assert!(posted.status == 405 && posted.head.to_lowercase().contains("allow: get,head\r\n"), "{posted:?}");
    let head = serving.send(&get(&serving.address, "/metrics").replace("GET", "HEAD"));
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn the_time_for_the_command_ends_it() {
    let bench = Bench::new();
    let run = bench.run("serve metrics -b freebox --listen 127.0.0.1:0 --timeout 300ms").ends(8).without_output();
    run.tells("listening on http://127.0.0.1:").tells("--timeout");
    let run = bench.run("serve probe --listen 127.0.0.1:0 --timeout 50ms -q").ends(8).without_output();
    // Where it listens is told with -q too: where the system chose the port, nothing else tells it.
    run.tells("listening on http://127.0.0.1:").tells("--timeout");
    let run = bench.run("serve probe --listen 127.0.0.1:0 --timeout 50ms --log-format json").ends(8).without_output();
    let told: serde_json::Value = serde_json::from_str(run.stderr.lines().next().unwrap()).unwrap();
    assert!(told["url"].as_str().unwrap().ends_with("/probe") && told["level"] == "INFO", "{told}");
}

#[test]
fn flags_that_mean_nothing_are_refused_and_variables_for_commands_are_not_meant() {
    let bench = Bench::new();
    for flag in ["-o csv", "-o table", "--fields state"] {
        for verb in ["metrics -A", "probe"] {
            bench.run(&format!("serve {verb} --listen 127.0.0.1:0 {flag}")).ends(2).without_output();
        }
    }
    for flag in ["-l site=x", "--state connected"] {
        bench.run(&format!("serve probe --listen 127.0.0.1:0 {flag}")).ends(2).tells("each probe names its target");
    }
    bench.run("serve probe --listen nowhere -o json").ends(2).fails("usage");
    assert_eq!(bench.requests(), 0);
    let mut command = bench.command("serve metrics -b freebox --listen 127.0.0.1:0 --timeout 300ms");
    command.env("VPNCTL_OUTPUT", "github").env("VPNCTL_TIMEOUT", "1ms");
    Run::of(command, "").ends(8).tells("listening on").tells("the time given with --timeout is over");
}

#[test]
fn a_selection_of_nothing_ends_and_a_misspelt_target_is_told() {
    let bench = Bench::new();
    for selection in ["-A -l site=nowhere", "-A 'nowhere*'", "'freebox/nowhere*'"] {
        let run = bench.run(&format!("serve metrics {selection} --listen 127.0.0.1:0")).ends(6).without_output();
        run.tells("see what there is: vpnctl list");
    }
    let serving = Serving::start(&bench, "metrics everyware/gw-lyon-02 everyware/gw-lion-03 --interval 20ms");
    serving.until_up(&["everyware"]);
    serving.until("told", |_| serving.tells("gw-lion-03"));
    let own = [("backend", "everyware")];
    let before = serving.scrape("/metrics").sum("vpnctl_requests_total", &own);
    serving.until("read again", |metrics| metrics.sum("vpnctl_requests_total", &own) >= before + 10.0);
    assert_eq!(serving.told.lock().unwrap().matches("can be read, but").count(), 1);
}

#[test]
fn a_name_that_others_learn_is_shown() {
    let bench = Bench::new();
    let serving = Serving::start(&bench, "metrics -b ixon --interval 50ms");
    serving.until_up(&["ixon"]);
    let mut connect = bench.command("connect -b ixon --id AAAAAAAAAAAA --no-wait");
    connect.env("VPNCTL_STATE_DIR", bench.write("elsewhere", "").with_file_name("other-state"));
    Run::of(connect, "").ends(0);
    serving.until("id", |metrics| metrics.get("vpnctl_connected", &[("target", "AAAAAAAAAAAA")]) == Some(1.0));
    let agents = bench.run("list -b ixon -o json").ends(0).items();
    let agent = agents.iter().find(|agent| agent["target"]["id"] == "AAAAAAAAAAAA").unwrap();
    let name = agent["target"]["name"].as_str().unwrap();
    serving.until("name", |metrics| metrics.get("vpnctl_connected", &[("target", name)]) == Some(1.0));
}
