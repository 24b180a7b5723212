//! `wait` and `watch`: the truth as soon as it is known, and no sooner.

use std::io::{BufRead as _, BufReader};
use std::process::Child;

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::run::Run;
use crate::signals::send;

/// A world whose VPN is down.
fn down(faults: &[&str]) -> Bench {
    let bench = Bench::new();
    bench.run("disconnect -b freebox").ends(0);
    faults.iter().for_each(|fault| bench.fault("freebox", fault));
    bench
}

/// Reads one line of what a follower prints, as JSON.
fn next(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Value {
    let line = lines.next().unwrap().unwrap();
    serde_json::from_str(&line).unwrap()
}

fn lines(child: &mut Child) -> impl Iterator<Item = std::io::Result<String>> + use<> {
    BufReader::new(child.stdout.take().unwrap()).lines()
}

#[test]
fn a_wait_for_what_holds_ends_at_once() {
    let bench = Bench::new();
    let before = bench.requests();
    let run = bench.run("wait -b freebox --for disconnected,connected -o json").ends(0).quietly();
    let item = run.item();
    assert_eq!((&item["held"], &item["state"]), (&json!(true), &json!("connected")));
    assert!(item["waited_s"].is_f64(), "{item}");
    assert_eq!(run.json()["schema"], "vpnctl.wait/v1");
    assert_eq!(bench.requests() - before, 4, "api_version, login, session, status");
    let run = bench.run("wait -b everyware gw-lyon-02 gw-lyon-03 --for disconnected,connected -o json").ends(0);
    assert_eq!(run.items().len(), 2);
}

#[test]
fn a_wait_ends_with_the_attempt_that_it_saw_begin() {
    let bench = down(&["tunnel-fails=auth_failed"]);
    let mut child = bench.start("watch -b freebox -o ndjson --interval 10ms");
    let mut events = lines(&mut child);
    assert_eq!(next(&mut events)["state"], "disconnected");
    let waiting = bench.start("wait -b freebox --for connected --interval 10ms -o json");
    bench.run("connect -b freebox vpn0 --no-wait").ends(0);
    let run = Run::end_of(waiting, "wait".to_owned()).ends(7);
    let error = run.fails("tunnel.auth_failed");
    assert_eq!(error["vendor_code"], "auth_failed");
    let item = run.item();
    assert_eq!((&item["held"], &item["state"]), (&json!(false), &json!("failed")));
    send("INT", &child);
    child.wait().unwrap();
}

#[test]
fn a_wait_that_begins_in_failed_waits_for_the_next_attempt() {
    let bench = down(&["tunnel-fails=auth_failed*1"]);
    bench.run("connect -b freebox vpn0").ends(7);
    assert_eq!(bench.until("failed", "status -b freebox")["state"], "failed");
    let item = bench.run("wait -b freebox --for connected --interval 10ms -o json").ends(0).item();
    assert_eq!((&item["held"], &item["state"]), (&json!(true), &json!("connected")));
}

#[test]
fn a_wait_that_begins_in_failed_ends_when_the_next_attempt_fails_too() {
    let bench = down(&["tunnel-fails=resolv_failed"]);
    bench.run("connect -b freebox vpn0").ends(7);
    assert_eq!(bench.until("failed", "status -b freebox")["state"], "failed");
    bench.run("wait -b freebox --for connected --interval 10ms -o json").ends(7).fails("tunnel.resolv_failed");
}

#[test]
fn at_the_deadline_it_says_what_is() {
    let bench = down(&[]);
    let run = bench.run("wait -b freebox --for connected --timeout 400ms -o json").ends(8);
    let error = run.fails("timeout.deadline");
    assert_eq!(error["retryable"], true);
    assert!(error["message"].as_str().unwrap().contains("its state is disconnected"), "{error}");
    assert_eq!(run.item()["held"], false);
    assert_eq!(run.item()["state"], "disconnected");
    // Where nothing could be read, the reason is told.
    bench.fault("freebox", "http-status=503");
    let error = bench.run("wait -b freebox --for connected --timeout 600ms -o json").ends(8).fails("timeout.deadline");
    assert!(error["message"].as_str().unwrap().contains("503"), "{error}");
}

#[test]
fn what_passes_while_it_waits_does_not_end_it() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    // More often than a read is repeated.
    bench.fault("freebox", "http-status=503*6");
    bench.run("wait -b freebox --for connected --interval 10ms -o value").ends(0).prints("connected");
}

#[test]
fn what_holds_too_short_is_not_stable() {
    let bench = Bench::new();
    let item = bench.run("wait -b freebox --for connected --stable 300ms --interval 10ms -o json").ends(0).item();
    assert!(item["waited_s"].as_f64().unwrap() >= 0.3, "{item}");
    let run = bench.run("wait -b freebox --for connected --stable 30s --timeout 300ms -o json").ends(8);
    assert!(run.fails("timeout.deadline")["message"].as_str().unwrap().contains("long enough"));
    // A tunnel that breaks while its stability is measured has failed, and says why.
    let waiting = bench.start("wait -b freebox --for connected --stable 30s --interval 10ms -o json");
    bench.fault("freebox", "drop-after=1");
    let run = Run::end_of(waiting, "wait".to_owned()).ends(7);
    run.fails("tunnel.remote_closed");
}

#[test]
fn one_of_several_vendors_is_enough_where_any_is() {
    let bench = Bench::new();
    let run =
        bench.run("wait freebox/Downloads everyware/gw-lyon-03 --for connected --any --timeout 20s -o json").ends(0);
    let held: Vec<Value> = run.items().iter().map(|item| item["held"].clone()).collect();
    assert!(held.contains(&json!(true)), "{run}");
    let line = "wait freebox/Downloads everyware/gw-lyon-03 --for connected --timeout 500ms -o json";
    let run = bench.run(line).ends(10);
    run.fails("partial");
    assert_eq!(run.items().len(), 2);
    // What failed besides does not matter, and what failed alone does.
    bench.run("wait freebox/Downloads freebox/nowhere --for connected --any -o json").ends(0);
    bench.run("wait freebox/nowhere --for connected --any -o json").ends(6).fails("target.not_found");
}

#[test]
fn a_whole_account_can_be_waited_for() {
    let bench = Bench::with_devices(3);
    let items = bench.run("wait -b everyware --for connected,disconnected -o json").ends(0).items();
    assert_eq!(items.len(), 3);
    assert!(items.iter().all(|item| item["held"] == true));
}

#[test]
fn what_cannot_be_waited_for_is_told_before_any_request() {
    let bench = Bench::new();
    bench.run("wait -b freebox").ends(2).tells("--for");
    bench.run("wait -b freebox --for up").ends(2).tells("there is no state `up`");
    bench.run("wait -b freebox --for unknown").ends(2).tells("unknown");
    bench.run("watch -b freebox --count 0").ends(2);
    assert_eq!(bench.requests(), 0);
}

#[test]
fn a_login_that_is_refused_ends_a_wait() {
    let bench = Bench::new();
    bench.fault("freebox", "invalid-token");
    bench.run("wait -b freebox --for connected -o json").ends(4).fails("auth.rejected");
    bench.run("watch -b freebox -o ndjson").ends(4).fails("auth.rejected");
}

#[test]
fn a_watch_tells_what_it_finds_then_each_change() {
    let bench = Bench::new();
    let mut child = bench.start("watch -b freebox -o ndjson --interval 10ms");
    let mut events = lines(&mut child);
    let first = next(&mut events);
    assert_eq!(first["type"], "event");
    assert_eq!((&first["from"], &first["state"]), (&Value::Null, &json!("connected")));
    assert_eq!(first["source"], "client");
    bench.run("disconnect -b freebox").ends(0);
    let mut seen = vec![first];
    while seen.last().unwrap()["state"] != "disconnected" {
        seen.push(next(&mut events));
    }
    for pair in seen.windows(2) {
        assert_eq!(pair[1]["from"], pair[0]["state"], "{pair:?}");
        assert!(pair[1]["state"] != pair[0]["state"], "no change is no event: {pair:?}");
    }
    send("INT", &child);
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    let rest: Vec<Value> = events.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(rest.len(), 1, "the summary ends it: {rest:?}");
    assert_eq!(rest[0]["type"], "summary");
}

#[test]
fn a_watch_ends_after_a_count_or_a_time() {
    let bench = Bench::new();
    let run = bench.run("watch -A --count 3 -o ndjson").ends(0).quietly();
    assert_eq!(run.stdout.lines().count(), 4, "three events and the summary: {run}");
    let run = bench.run("watch -b freebox --duration 200ms -o json").ends(0).quietly();
    assert_eq!(run.items().len(), 1);
    assert_eq!(run.json()["schema"], "vpnctl.event/v1");
    let run = bench.run("watch -b freebox --duration 100ms").ends(0).quietly();
    assert_eq!(run.stdout.lines().count(), 2, "a header and a row: {run}");
}

#[test]
fn what_cannot_be_read_for_a_while_is_an_event_and_no_end() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    let mut child = bench.start("watch -b freebox -o ndjson --interval 10ms --count 3");
    let mut events = lines(&mut child);
    assert_eq!(next(&mut events)["state"], "connected");
    bench.fault("freebox", "http-status=503*4");
    let gone = next(&mut events);
    assert_eq!((&gone["from"], &gone["state"]), (&json!("connected"), &json!("unknown")));
    assert_eq!(gone["error"]["code"], "http.server_error");
    let back = next(&mut events);
    assert_eq!((&back["from"], &back["state"]), (&json!("unknown"), &json!("connected")));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_ends_a_watch_though_nothing_changes() {
    let bench = Bench::new();
    let mut child = bench.start("watch -b freebox -o ndjson");
    let mut events = lines(&mut child);
    assert_eq!(next(&mut events)["state"], "connected");
    drop(events);
    let run = Run::end_of(child, "watch".to_owned()).ends(0);
    assert_eq!(run.stderr, "");
}

/// Counts how often the IXON client was asked for its status.
fn asked(bench: &Bench) -> usize {
    bench.asked("ixon").iter().filter(|line| line.contains("/status")).count()
}

#[test]
fn what_is_pushed_is_not_polled_for() {
    let bench = Bench::new();
    // Polled once an hour, nothing would be seen in the time of a test.
    let mut child = bench.start("watch -b ixon -o ndjson --interval 1h");
    let mut events = lines(&mut child);
    let first = next(&mut events);
    assert_eq!((&first["state"], &first["source"]), (&json!("disconnected"), &json!("client")));
    let waiting = bench.start("wait -b ixon AAAAAAAAAAAA --for connected --interval 1h -o json");
    while asked(&bench) < 2 {
        std::thread::yield_now();
    }
    bench.run("connect -b ixon AAAAAAAAAAAA --no-wait").ends(0);
    let mut last = first;
    while last["state"] != "connected" {
        let event = next(&mut events);
        assert_eq!(event["from"], last["state"]);
        assert_eq!(event["source"], "push");
        last = event;
    }
    assert_eq!(last["target"]["id"], "AAAAAAAAAAAA");
    let run = Run::end_of(waiting, "wait".to_owned()).ends(0);
    assert_eq!((&run.item()["held"], &run.item()["source"]), (&json!(true), &json!("push")));
    send("TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn where_nothing_is_pushed_the_state_is_polled() {
    for fault in ["ws-refused", "ws-dropped=1", "ws-refused=503"] {
        let bench = Bench::new();
        bench.fault("ixon", fault);
        let mut child = bench.start("watch -b ixon -o ndjson --interval 10ms");
        let mut events = lines(&mut child);
        assert_eq!(next(&mut events)["state"], "disconnected", "{fault}");
        bench.run("connect -b ixon AAAAAAAAAAAA --no-wait").ends(0);
        let mut state = Value::Null;
        while state != "connected" {
            state = next(&mut events)["state"].clone();
        }
        send("INT", &child);
        assert_eq!(child.wait().unwrap().code(), Some(130), "{fault}");
    }
}

#[test]
fn a_silent_socket_is_looked_past_now_and_then() {
    let bench = Bench::new();
    bench.fault("ixon", "ws-silent");
    let waiting = bench.start("wait -b ixon AAAAAAAAAAAA --for connected --timeout 50s -o json");
    while asked(&bench) < 1 {
        std::thread::yield_now();
    }
    bench.run("connect -b ixon AAAAAAAAAAAA").ends(0);
    let run = Run::end_of(waiting, "wait".to_owned()).ends(0);
    assert_eq!((&run.item()["held"], &run.item()["source"]), (&json!(true), &json!("client")));
}

#[test]
fn a_subscription_that_was_lost_is_made_again() {
    let bench = Bench::new();
    bench.fault("ixon", "ws-dropped=1*1");
    let mut child = bench.start("watch -b ixon -o ndjson --interval 20ms");
    let mut events = lines(&mut child);
    assert_eq!(next(&mut events)["state"], "disconnected");
    bench.context("ixon").faults.clear_all();
    // Two sockets were opened: the one that broke, and another one.
    let sockets = || bench.asked("ixon").iter().filter(|line| line.as_str() == "GET /").count();
    let begun = std::time::Instant::now();
    while sockets() < 3 && begun.elapsed() < std::time::Duration::from_secs(30) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    bench.run("connect -b ixon AAAAAAAAAAAA --no-wait").ends(0);
    let mut sources = Vec::new();
    let mut state = Value::Null;
    while state != "connected" {
        let event = next(&mut events);
        state = event["state"].clone();
        sources.push(event["source"].clone());
    }
    assert!(sources.contains(&json!("push")), "{sources:?}: {:?}", bench.asked("ixon"));
    send("INT", &child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_step_that_fails_ends_a_wait_with_its_name_code_and_message() {
    let bench = Bench::with_faults(&["ixon:step-fails=stunnel.connection:310:The tunnel broke", "ixon:unpadded-codes"]);
    let waiting = bench.start("wait -b ixon --for connected -o json");
    while asked(&bench) < 1 {
        std::thread::yield_now();
    }
    bench.run("connect -b ixon AAAAAAAAAAAA --no-wait").ends(0);
    let run = Run::end_of(waiting, "wait".to_owned()).ends(7);
    let error = run.fails("tunnel.step_failed");
    assert_eq!(error["vendor_code"], "310");
    for part in ["stunnel.connection", "310", "The tunnel broke"] {
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
    assert_eq!(run.item()["last_error"]["code"], "310");
}

#[test]
fn a_wait_ends_when_the_probe_answers_too() {
    let bench = Bench::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let line = format!("wait -b freebox --for connected --probe tcp:127.0.0.1:{port} --interval 10ms -o json");
    let run = bench.run(&format!("{line} --timeout 400ms")).ends(8);
    let message = run.fails("timeout.deadline")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("`Downloads` is connected, but") && message.contains("refused"), "{message}");
    assert_eq!(run.item()["state"], "connected");
    let waiting = bench.start(&line);
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let run = Run::end_of(waiting, "wait".to_owned()).ends(0);
    assert_eq!(run.item()["held"], true);
    drop(listener);
    let api = bench.url("freebox", "api");
    bench.run(&format!("wait -b freebox --for connected --probe {api}/api_version --probe dns:127.0.0.1")).ends(0);
    let wrong = format!("wait -b freebox --for connected --probe {api}/nowhere --timeout 400ms -o json");
    let error = bench.run(&wrong).ends(8).fails("timeout.deadline");
    assert!(error["message"].as_str().unwrap().contains("it answers 404"), "{error}");
    bench.run("wait -b freebox --for connected --probe nowhere").ends(2).tells("tcp:HOST:PORT");
}

#[test]
fn one_that_holds_ends_a_wait_for_any_of_a_whole_account_at_once() {
    let bench = Bench::new();
    // No look would come again within the time of a test.
    let line = "wait -b everyware --for connected --any --interval 1h --timeout 0 -o json";
    let items = bench.run(line).ends(0).items();
    assert!(items.iter().any(|item| item["held"] == true), "{items:?}");
    let line = "wait ixon/AAAAAAAAAAAA ixon/AAAAAAAAAAAB --for disconnected --any --interval 1h --timeout 0 -o json";
    bench.run(line).ends(0);
}

#[test]
fn an_account_that_comes_back_is_told_and_what_ends_a_watch_is_its_code() {
    let bench = Bench::with_devices(3);
    bench.run("status -b everyware").ends(0);
    let mut child = bench.start("watch -b everyware -o ndjson --interval 10ms");
    let mut events = lines(&mut child);
    let first: Vec<Value> = (0..3).map(|_| next(&mut events)).collect();
    assert!(first.iter().all(|event| event["from"].is_null()), "{first:?}");
    // Two lists are asked for at once, each four times, and what is in flight when another is refused loses no try.
    bench.fault("everyware", "retry-after=0");
    bench.fault("everyware", "http-status=503*16");
    let gone = next(&mut events);
    assert_eq!((&gone["target"], &gone["state"]), (&Value::Null, &json!("unknown")), "{gone}");
    let back: Vec<Value> = (0..3).map(|_| next(&mut events)).collect();
    assert!(back.iter().all(|event| event["from"] == "unknown" && !event["target"].is_null()), "{back:?}");
    bench.fault("everyware", "refuse-login");
    bench.fault("everyware", "invalidate-tokens");
    let run = Run::end_of(child, "watch".to_owned()).ends(4);
    run.fails("auth.rejected");
}

#[test]
fn a_watch_with_a_time_limit_ends_with_it_and_no_event() {
    let bench = Bench::new();
    let run = bench.run("watch -b freebox --timeout 500ms --interval 20ms -o ndjson").ends(8);
    run.fails("timeout.deadline");
    let states: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    assert_eq!(states.iter().filter(|line| line["type"] == "event").count(), 1, "{run}");
    bench.run("log -b freebox -f --timeout 300ms --interval 20ms").ends(8).tells("ran out");
}

#[test]
fn a_log_is_that_of_the_targets_backend() {
    let bench = Bench::new();
    let all = bench.run("log -b freebox").ends(0).stdout;
    assert_eq!(bench.run("log freebox/Downloads").ends(0).stdout, all);
    bench.run("log freebox/nowhere -o json").ends(6).fails("target.not_found");
    bench.run("log everyware/gw-lyon-02 -o json").ends(12).fails("unsupported");
}

#[test]
fn a_list_asks_the_devices_where_it_is_told_to() {
    let bench = Bench::new();
    let items = bench.run("list -b everyware --live -o json").ends(10).items();
    let state = |name: &str| items.iter().find(|item| item["target"]["name"] == name).unwrap()["state"].clone();
    assert_eq!((state("gw-lyon-02"), state("gw-turin-04")), (json!("connected"), json!("unknown")));
    assert_eq!(bench.asked("everyware").iter().filter(|line| line.ends_with("/vpn")).count(), 7);
    // Where the server's list is forbidden, a state that is asked for is asked of the devices.
    bench.fault("everyware", "vpn-connections-status=403");
    let names: Vec<Value> = bench
        .run("list -b everyware --state connected -o json")
        .items()
        .iter()
        .map(|item| item["target"]["name"].clone())
        .collect();
    assert!(names.contains(&json!("gw-lyon-02")) && !names.contains(&json!("gw-lyon-03")), "{names:?}");
}

#[test]
fn a_wait_asks_a_backend_about_no_more_targets_at_once_than_jobs_says() {
    let bench = Bench::with_devices(12);
    bench.run("list -b everyware").ends(0);
    bench.fault("everyware", "device-slow=400");
    bench.requests();
    let names: Vec<String> = bench
        .run("list -b everyware -o value --fields target.name")
        .ends(0)
        .stdout
        .lines()
        .map(str::to_owned)
        .collect();
    bench.requests();
    let line = format!("wait -b everyware -j 1 --for failed --timeout 1s {}", names.join(" "));
    bench.run(&line).ends(8);
    // Slower machines ask less often, never more.
    let asked = bench.count("everyware", "GET /v1/_/devices/");
    assert!((1..=4).contains(&asked), "{asked} of {}", names.len());
}
