//! `serve probe`: what a scrape that names a target is answered.

use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::serving::{Metrics, NEVER, Serving, ask, asked, get};

#[test]
fn a_probe_reads_what_it_names() {
    let bench = Bench::new();
    let serving = Serving::start(&bench, "probe");
    let probe = |query: &str| serving.scrape(&format!("/probe?target={query}"));
    let up = probe("freebox/Downloads");
    assert_eq!(up.get("probe_success", &[]), Some(1.0), "{}", up.text);
    assert!(up.get("probe_duration_seconds", &[]).is_some_and(|took| took > 0.0));
    assert_eq!(up.get("vpnctl_connected", &[("target", "Downloads")]), Some(1.0));
    assert!(up.get("vpnctl_rx_bytes_total", &[("target", "Downloads")]).is_some());
    assert_eq!((up.get("vpnctl_probe_cached", &[]), up.get("vpnctl_probe_error", &[])), (Some(0.0), None));
    // It is down, and that could be read.
    for (query, success) in [
        ("everyware/gw-lyon-03", 0.0),
        ("everyware/gw-lyon-03&expect=disconnected", 1.0),
        ("everyware/gw-lyon-03&expect=connecting,disconnected", 1.0),
        ("everyware/gw-lyon-03&expect=any", 1.0),
        ("freebox/Downloads&expect=disconnected", 0.0),
        // The one VPN of a box, whatever it is.
        ("freebox%2F", 1.0),
    ] {
        let metrics = probe(query);
        assert_eq!(metrics.get("probe_success", &[]), Some(success), "{query}: {}", metrics.text);
        assert_eq!(metrics.get("vpnctl_probe_error", &[]), None, "{query}");
    }
    let id = bench.run("list -b everyware -o json").ends(0).items()[0]["target"]["id"].as_str().unwrap().to_owned();
    let by_id = probe(&format!("everyware/{id}&id=1&expect=any"));
    assert_eq!(by_id.get("probe_success", &[]), Some(1.0), "{}", by_id.text);
    let missing = probe("freebox/nowhere");
    assert_eq!(missing.get("probe_success", &[]), Some(0.0));
    assert_eq!(missing.get("vpnctl_probe_error", &[("code", "target.not_found")]), Some(1.0), "{}", missing.text);
    assert_eq!(missing.get("vpnctl_connected", &[]), None);
    let own = serving.scrape("/metrics");
    assert!(own.sum("vpnctl_requests_total", &[("backend", "freebox")]) > 0.0, "{}", own.text);
    serving.end("INT").ends(130).without_output();
}

#[test]
fn a_probe_that_asks_for_nothing_is_wrong() {
    let bench = Bench::new();
    let serving = Serving::start(&bench, "probe");
    for (query, told) in [
        ("", "`target` is missing"),
        ("?target=", "`target` is missing"),
        ("?target=Downloads", "write BACKEND/Downloads"),
        ("?target=nowhere/Downloads", "there is no backend `nowhere`"),
        ("?target=freebox/Downloads&expect=up", "`expect` can't be `up`"),
        ("?target=freebox/Downloads&expect=unknown", "`expect` can't be"),
        ("?target=freebox/Downloads&id=yes", "neither 1 nor 0"),
        ("?target=freebox/Downloads&timeout=soon", "`timeout`"),
    ] {
        let answer = serving.get(&format!("/probe{query}"));
        assert!(answer.status == 400 && answer.body.contains(told), "{query}: {answer:?}");
    }
    assert_eq!(bench.requests(), 0);
    // Where one backend is chosen, its name may be left out, and no other can be asked.
    let serving = Serving::start(&bench, "probe -b freebox");
    assert_eq!(serving.scrape("/probe?target=Downloads").get("probe_success", &[]), Some(1.0));
    let other = serving.scrape("/probe?target=everyware/gw-lyon-02");
    assert_eq!(other.get("vpnctl_probe_error", &[("code", "target.not_found")]), Some(1.0), "{}", other.text);
    assert!(bench.asked("everyware").is_empty());
}

#[test]
fn what_was_read_just_now_is_told_again() {
    let bench = Bench::new();
    let serving = Serving::start(&bench, "probe --interval 1h");
    let first = serving.scrape("/probe?target=freebox/Downloads");
    let before = asked(&bench);
    for query in ["", "&expect=disconnected", "&timeout=1s"] {
        let again = serving.scrape(&format!("/probe?target=freebox/Downloads{query}"));
        assert_eq!(again.get("vpnctl_probe_cached", &[]), Some(1.0));
        assert_eq!(again.get("probe_duration_seconds", &[]), first.get("probe_duration_seconds", &[]));
        assert_eq!(again.get("vpnctl_connected", &[]), Some(1.0));
    }
    assert_eq!(asked(&bench), before);
    // Another one is not.
    let other = serving.scrape("/probe?target=freebox/");
    assert_eq!(other.get("vpnctl_probe_cached", &[]), Some(0.0));
    assert!(asked(&bench) > before);
}

#[test]
fn those_who_ask_at_the_same_time_share_one_reading() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    let serving = Serving::start(&bench, "probe --interval 1ms");
    bench.fault("freebox", "slow=1500");
    bench.context("freebox").log.clear();
    let together = std::sync::Barrier::new(5);
    std::thread::scope(|scope| {
        for _ in 0..5 {
            let probed = || {
                together.wait();
                serving.scrape("/probe?target=freebox/")
            };
            scope.spawn(move || assert_eq!(probed().get("probe_success", &[]), Some(1.0)));
        }
    });
    assert_eq!(bench.asked("freebox").len(), 1, "{:?}", bench.asked("freebox"));
    // What is old enough is read anew.
    bench.context("freebox").faults.clear_all();
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(serving.scrape("/probe?target=freebox/").get("vpnctl_probe_cached", &[]), Some(0.0));
    assert_eq!(bench.asked("freebox").len(), 2);
}

#[test]
fn a_scrape_that_ends_soon_is_answered_before() {
    let bench = Bench::new();
    bench.fault("freebox", "silent");
    let serving = Serving::start(&bench, "probe --interval 1h");
    let head = get(&serving.address, "/probe?target=freebox/Downloads")
        .replace("Connection:", "X-Prometheus-Scrape-Timeout-Seconds: 0.8\r\nConnection:");
    let by_flag = get(&serving.address, "/probe?target=freebox/Downloads&timeout=100ms");
    for request in [head, by_flag] {
        let answer = serving.send(&request);
        let metrics = Metrics::of(&answer.body);
        assert_eq!((answer.status, metrics.get("probe_success", &[])), (200, Some(0.0)));
        assert_eq!(metrics.get("vpnctl_probe_error", &[("code", "timeout.deadline")]), Some(1.0), "{}", metrics.text);
        assert_eq!(metrics.get("vpnctl_probe_cached", &[]), Some(0.0));
    }
    assert_eq!(bench.context("freebox").log.connections(), 1, "the first reading goes on");
}

#[test]
fn probes_ask_a_vendor_that_refused_the_login_no_more() {
    let bench = Bench::new();
    bench.fault("everyware", "refuse-login");
    let serving = Serving::start(&bench, "probe --interval 1ms");
    for number in 0..20 {
        let metrics = serving.scrape(&format!("/probe?target=everyware/gw-lyon-0{}", number % 4));
        assert_eq!(metrics.get("vpnctl_probe_error", &[("code", "auth.rejected")]), Some(1.0), "{}", metrics.text);
        assert_eq!(metrics.get("vpnctl_probe_cached", &[]), Some(f64::from(u8::from(number > 0))));
    }
    assert_eq!(bench.asked("everyware").len(), 1, "{:?}", bench.asked("everyware"));
    bench.context("everyware").faults.clear_all();
    // As of a user who is no longer locked: the same secret is sent again for somebody who logs out.
    bench.run("auth logout -b everyware").ends(0);
    bench.run("auth login -b everyware").ends(0);
    assert_eq!(serving.scrape("/probe?target=everyware/gw-lyon-02").get("probe_success", &[]), Some(1.0));
}

#[test]
fn a_vendor_that_asks_for_patience_gets_it() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    bench.context("freebox").log.clear();
    bench.fault("freebox", "http-status=429");
    bench.fault("freebox", "retry-after=3600");
    let serving = Serving::start(&bench, "probe --interval 1ms");
    for target in ["", "Downloads", "", "Downloads"] {
        let metrics = serving.scrape(&format!("/probe?target=freebox/{target}"));
        assert_eq!(metrics.get("vpnctl_probe_error", &[("code", "http.rate_limited")]), Some(1.0), "{}", metrics.text);
    }
    assert_eq!(bench.asked("freebox").len(), 1, "{:?}", bench.asked("freebox"));
    // The cache has the same patience; the other backend tells how often it might have asked.
    bench.fault("ixon", "ws-refused");
    let serving = Serving::start(&bench, "metrics -b freebox -b ixon --interval 10ms");
    let polls = [("backend", "ixon"), ("operation", "status")];
    let often = |metrics: &Metrics| metrics.sum("vpnctl_requests_total", &polls) >= 30.0;
    let limited = |metrics: &Metrics| metrics.get("vpnctl_up", &[("backend", "freebox")]) == Some(0.0);
    serving.until("asked", |metrics| often(metrics) && limited(metrics));
    assert_eq!(bench.asked("freebox").len(), 2, "{:?}", bench.asked("freebox"));
}

#[test]
fn a_signal_lets_what_was_asked_be_answered() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let bench = Bench::new();
        bench.run("status -b freebox").ends(0);
        bench.fault("freebox", "slow=800");
        let serving = Serving::start(&bench, "probe");
        let before = bench.context("freebox").log.connections();
        let address = serving.address.clone();
        let asking = std::thread::spawn(move || ask(&address, &get(&address, "/probe?target=freebox/")));
        let begun = Instant::now();
        while bench.context("freebox").log.connections() == before {
            assert!(begun.elapsed() < NEVER, "it never asks");
            std::thread::sleep(Duration::from_millis(2));
        }
        serving.end(signal).ends(code).without_output();
        let answer = asking.join().unwrap();
        assert_eq!(Metrics::of(&answer.body).get("probe_success", &[]), Some(1.0), "{signal}: {answer:?}");
    }
}

/// Writes a configuration in which reading a backend has this time.
fn bounded(bench: &Bench, backend: &str, timeout: &str) -> String {
    let section = format!("[backend.{backend}]\n");
    let config = bench.config();
    assert!(config.contains(&section), "{config}");
    let config = config.replace(&section, &format!("{section}timeout = \"{timeout}\"\n"));
    format!("--config {}", bench.write("bounded.toml", &config).display())
}

#[test]
fn a_vendor_that_pushes_gets_the_patience_that_it_asks_for() {
    let bench = Bench::new();
    bench.fault("ixon", "http-status=429@/status");
    bench.fault("ixon", "retry-after=90");
    let serving = Serving::start(&bench, "metrics -b ixon -b freebox --interval 10ms");
    let down = serving.until("told", |metrics| metrics.get("vpnctl_up", &[("backend", "ixon")]) == Some(0.0));
    let limited = [("backend", "ixon"), ("operation", "status"), ("code", "429")];
    assert_eq!(down.get("vpnctl_requests_total", &limited), Some(1.0), "{}", down.text);
    serving.until("the reason is told", |_| serving.tells("asks for fewer requests (429)"));
    // The other backend tells how often it might have been asked.
    let polls = [("backend", "freebox")];
    let before = down.sum("vpnctl_requests_total", &polls);
    let later = serving.until("asked", |metrics| metrics.sum("vpnctl_requests_total", &polls) >= before + 30.0);
    assert_eq!(later.get("vpnctl_requests_total", &limited), Some(1.0), "{}", later.text);
}

#[test]
fn a_request_that_the_bound_of_a_reading_ends_is_counted() {
    let bench = Bench::new();
    for vendor in ["freebox", "ixon"] {
        bench.fault(vendor, "silent");
        let config = bounded(&bench, vendor, "200ms");
        let serving = Serving::start(&bench, &format!("metrics -b {vendor} --interval 1h {config}"));
        let down = serving.until("down", |metrics| metrics.get("vpnctl_up", &[]) == Some(0.0));
        let ended = down.sum("vpnctl_requests_total", &[("backend", vendor), ("code", "timeout.deadline")]);
        assert!(ended >= 1.0, "{}", down.text);
        serving.until("told", |_| serving.tells("could not be read within 0.2 s"));
    }
}

#[test]
fn what_was_read_is_in_doubt_once_its_vendor_hangs() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    let config = bounded(&bench, "freebox", "1h");
    let serving = Serving::start(&bench, &format!("metrics -b freebox --interval 20ms --request-timeout 1h {config}"));
    serving.until_up(&["freebox"]);
    bench.fault("freebox", "silent");
    let down = serving.until("in doubt", |metrics| metrics.get("vpnctl_up", &[]) == Some(0.0));
    assert_eq!(down.all("vpnctl_connected", &[]).count(), 0, "{}", down.text);
    assert_eq!(down.get("vpnctl_state", &[("target", "Downloads"), ("state", "unknown")]), Some(1.0), "{}", down.text);
}

#[test]
fn nobody_joins_a_reading_that_hangs_for_ever() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    let config = bounded(&bench, "freebox", "1h");
    let serving = Serving::start(&bench, &format!("probe --interval 1ms --jobs 1 --request-timeout 1h {config}"));
    bench.fault("freebox", "silent");
    let probe = || serving.scrape("/probe?target=freebox/&timeout=500ms");
    let hangs = probe();
    assert_eq!(hangs.get("vpnctl_probe_error", &[("code", "timeout.deadline")]), Some(1.0), "{}", hangs.text);
    bench.context("freebox").faults.clear_all();
    let begun = Instant::now();
    while probe().get("probe_success", &[]) != Some(1.0) {
        assert!(begun.elapsed() < NEVER, "it is never read again");
    }
}

#[test]
fn a_connection_on_which_nothing_is_asked_holds_nobody_at_the_end() {
    use std::io::{Read as _, Write as _};
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    bench.fault("freebox", "slow=1200");
    let serving = Serving::start(&bench, "probe");
    let before = bench.context("freebox").log.connections();
    let address = serving.address.clone();
    let asking = std::thread::spawn(move || {
        let answer = ask(&address, &get(&address, "/probe?target=freebox/"));
        (answer, Instant::now())
    });
    let begun = Instant::now();
    while bench.context("freebox").log.connections() == before {
        assert!(begun.elapsed() < NEVER, "it never asks");
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut half = std::net::TcpStream::connect(&serving.address).unwrap();
    half.write_all(b"GET /m").unwrap();
    // What is answered later was accepted later.
    assert_eq!(serving.get("/healthz").status, 200);
    let ended = std::thread::spawn(move || {
        // It may be reset, which is an end too.
        let _ = half.read_to_end(&mut Vec::new());
        Instant::now()
    });
    serving.end("TERM").ends(143);
    let (answer, answered) = asking.join().unwrap();
    assert_eq!(Metrics::of(&answer.body).get("probe_success", &[]), Some(1.0), "{answer:?}");
    assert!(ended.join().unwrap() < answered, "the half of a request was waited for");
}
