//! Fleets: every device is told whatever happens to some, in how many requests and connections, and what ends a run.

use std::collections::BTreeSet;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::run::Run;

/// A fleet that can all be reached, and whose login is known.
pub(crate) fn fleet(devices: usize) -> Bench {
    let bench = Bench::with_devices(devices);
    bench.fault("everyware", "all-online");
    bench.run("list -b everyware").ends(0);
    bench.requests();
    bench
}

/// Gives the ids of all devices, as they are listed.
pub(crate) fn ids(bench: &Bench) -> Vec<String> {
    let run = bench.run("list -b everyware -o value").ends(0);
    bench.requests();
    run.stdout.lines().map(str::to_owned).collect()
}

/// Writes lines into a file, and gives how it is named on a command line.
pub(crate) fn file(bench: &Bench, lines: &[String]) -> String {
    bench.write("targets.txt", &(lines.join("\n") + "\n")).display().to_string()
}

/// Counts the requests that went to devices.
pub(crate) fn device_requests(bench: &Bench) -> usize {
    bench.asked("everyware").iter().filter(|line| line.ends_with("/vpn")).count()
}

/// Reads NDJSON: each line is a whole object; the summary is given apart.
#[track_caller]
pub(crate) fn rows(run: &Run) -> (Vec<Value>, Value) {
    let mut rows: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = rows.pop().unwrap();
    assert_eq!(summary["type"], "summary", "{run}");
    (rows, summary)
}

/// Gives the ids of items, each of which is there once.
#[track_caller]
pub(crate) fn distinct(items: &[Value]) -> BTreeSet<String> {
    let ids: BTreeSet<String> = items.iter().map(|item| item["target"]["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), items.len(), "one is told twice");
    ids
}

/// Gives how many targets the last `status` left to be asked again.
fn left(bench: &Bench) -> usize {
    std::fs::read_to_string(bench.state().join("failed/status.ndjson")).unwrap_or_default().lines().count()
}

/// Starts a command and waits until so many devices have been asked.
fn under_way(bench: &Bench, line: &str, asked: usize) -> Child {
    let child = bench.start(line);
    let started = Instant::now();
    while device_requests(bench) < asked {
        assert!(started.elapsed() < Duration::from_secs(30), "never: {:?}", bench.asked("everyware"));
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn of_200_devices_5_are_broken_and_all_are_told() {
    let bench = fleet(200);
    let all = ids(&bench);
    let names: Vec<String> = (1..=200).map(|number| format!("gw-{number:06}")).collect();
    bench.fault("everyware", "broken=40");
    for line in [
        "status -b everyware --live".to_owned(),
        "status -b everyware 'gw-*' --live".to_owned(),
        format!("status -b everyware --id --targets-from {}", file(&bench, &all)),
        format!("status -b everyware --targets-from {}", bench.write("names", &names.join("\n")).display()),
    ] {
        bench.requests();
        let run = bench.run(&format!("{line} -o json")).ends(10);
        run.fails("partial");
        assert_eq!(distinct(&run.items()), all.iter().cloned().collect(), "{line}");
        let summary = &run.json()["summary"];
        assert_eq!((&summary["total"], &summary["ok"], &summary["failed"]), (&json!(200), &json!(195), &json!(5)));
        assert_eq!(summary["by_code"], json!({"device.failed": 5}), "{line}");
        assert_eq!(summary["by_state"]["unknown"], 5, "{line}");
        let failed = |item: &&Value| item["error"]["code"] == "device.failed" && item["state"] == "unknown";
        assert_eq!(run.items().iter().filter(failed).count(), 5, "{line}");
        assert_eq!((device_requests(&bench), left(&bench)), (200, 5), "{line}");
    }
    // What is told of them to people: each, and how many.
    let run = bench.run("status -b everyware --live").ends(10).tells("error: 5 of 200 failed (195 ok, 5 failed)");
    assert_eq!(run.stderr.matches("error: everyware/gw-000").count(), 5, "{run}");
    assert_eq!(run.stdout.lines().count(), 201, "{run}");
}

#[test]
fn a_retry_asks_exactly_what_failed_until_nothing_is_left() {
    let bench = fleet(200);
    bench.fault("everyware", "broken=40");
    bench.run("status -b everyware --live").ends(10);
    for (fault, asked, code, failed) in [("broken=40", 5, 7, 5), ("broken=80", 5, 10, 2), ("broken=160", 2, 10, 1)] {
        bench.fault("everyware", fault);
        bench.requests();
        // On whatever backend: none is named.
        let run = bench.run("status --retry-failed -o json").ends(code);
        assert_eq!(run.items().len(), asked, "{fault}: {run}");
        assert_eq!((device_requests(&bench), bench.requests(), left(&bench)), (asked, asked, failed), "{fault}");
    }
    bench.context("everyware").faults.clear("broken");
    assert_eq!(bench.run("status --retry-failed -o json").ends(0).item()["target"]["name"], "gw-000160");
    assert!(!bench.state().join("failed/status.ndjson").exists());
    bench.requests();
    let run = bench.run("status --retry-failed -o json").ends(0).quietly();
    assert_eq!((run.items().len(), bench.requests()), (0, 0), "{run}");
}

#[test]
fn a_retry_is_of_the_backends_that_are_named() {
    let bench = fleet(20);
    bench.fault("everyware", "broken=10");
    bench.fault("freebox", "not-json");
    bench.run("status -b everyware -b freebox --live").ends(10);
    assert_eq!(left(&bench), 3);
    bench.context("everyware").faults.clear("broken");
    bench.requests();
    let run = bench.run("status --retry-failed -b everyware -o json").ends(0);
    assert_eq!((run.items().len(), bench.requests(), left(&bench)), (2, 2, 1), "{run}");
    bench.context("freebox").faults.clear_all();
    let item = bench.run("status --retry-failed -o json").ends(0).item();
    assert_eq!((&item["backend"], left(&bench)), (&json!("freebox"), 0));
}

#[cfg(unix)]
#[test]
fn a_retry_that_is_interrupted_keeps_what_it_did_not_come_to() {
    let bench = fleet(100);
    bench.fault("everyware", "broken=5");
    bench.run("status -b everyware --live").ends(10);
    assert_eq!(left(&bench), 20);
    bench.context("everyware").faults.clear("broken");
    bench.fault("everyware", "device-slow=150");
    bench.requests();
    let child = under_way(&bench, "status --retry-failed --jobs 2 -o ndjson", 5);
    crate::signals::send("INT", &child);
    let run = Run::end_of(child, "a retry".to_owned()).ends(130);
    let (items, _) = rows(&run);
    assert!(items.len() >= 2 && items.len() < 20, "{run}");
    assert_eq!(left(&bench), 20 - items.len(), "{run}");
    bench.context("everyware").faults.clear("device-slow");
    let again = bench.run("status --retry-failed -o json").ends(0);
    let (first, second) = (distinct(&items), distinct(&again.items()));
    assert_eq!((first.len() + second.len(), first.intersection(&second).count(), left(&bench)), (20, 0, 0));
}

#[cfg(unix)]
#[test]
fn a_run_that_is_interrupted_before_anything_failed_leaves_what_failed_before() {
    let bench = fleet(40);
    bench.fault("everyware", "broken=10");
    bench.run("status -b everyware --live").ends(10);
    assert_eq!(left(&bench), 4);
    bench.context("everyware").faults.clear("broken");
    bench.fault("everyware", "device-slow=150");
    bench.requests();
    let child = under_way(&bench, "status -b everyware --live --jobs 2 -o ndjson", 5);
    crate::signals::send("INT", &child);
    let run = Run::end_of(child, "a run".to_owned()).ends(130);
    assert_eq!(left(&bench), 4, "{run}");
}

#[test]
fn nothing_is_written_where_nothing_failed_or_nothing_is_real() {
    let bench = fleet(20);
    bench.run("status -b everyware --live").ends(0);
    bench.fault("everyware", "broken=10");
    bench.run("status -b everyware --live --dry-run").ends(10);
    bench.run("--demo status -b everyware --live").ends(10);
    bench.run("--demo connect -b everyware 'gw-*' --yes").ends(10);
    assert!(!bench.state().join("failed").exists());
    bench.run("status -b everyware --live").ends(10);
    assert_eq!(left(&bench), 2);
    // Nor is anything of the demonstration read.
    let run = bench.run("--demo status --retry-failed -o json").ends(0);
    assert_eq!(run.items().len(), 0, "{run}");
    // The next run that goes well leaves none.
    bench.context("everyware").faults.clear("broken");
    bench.run("status -b everyware gw-000001").ends(0);
    assert!(!bench.state().join("failed/status.ndjson").exists());
}

#[test]
fn a_429_in_the_middle_loses_nothing() {
    let bench = fleet(200);
    bench.fault("everyware", "rate-limit=120/1");
    let run = bench.run("status -b everyware --live --jobs 20 -o json").ends(0);
    let refused = bench.context("everyware").log.entries().iter().filter(|entry| entry.status == 429).count();
    assert!(refused > 0, "the limit was never reached");
    assert_eq!(distinct(&run.items()).len(), 200, "{run}");
    assert_eq!(run.json()["summary"]["ok"], 200, "{run}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_prints_what_it_has() {
    let bench = fleet(100);
    bench.fault("everyware", "device-slow=120");
    for format in ["ndjson", "json", "table", "csv"] {
        bench.requests();
        let child = under_way(&bench, &format!("status -b everyware --live --jobs 4 -o {format}"), 12);
        crate::signals::send("INT", &child);
        let run = Run::end_of(child, format.to_owned()).ends(130).tells("interrupted");
        assert!(run.stdout.ends_with('\n'), "{run}");
        let count = match format {
            "ndjson" => {
                let (items, summary) = rows(&run);
                assert_eq!(summary["total"], items.len(), "{run}");
                distinct(&items).len()
            }
            "json" => {
                assert_eq!(run.json()["summary"]["total"], run.items().len(), "{run}");
                distinct(&run.items()).len()
            }
            _ => {
                let mut lines = run.stdout.lines();
                let separators = lines.next().unwrap().matches(',').count();
                // Each row is as long as the header says.
                lines
                    .inspect(|line| match format {
                        "csv" => assert_eq!(line.matches(',').count(), separators, "{run}"),
                        _ => assert_eq!(line.split_whitespace().count(), 6, "{run}"),
                    })
                    .count()
            }
        };
        assert!((8..100).contains(&count), "{count} in {run}");
    }
}

#[test]
fn enough_failures_end_a_sweep() {
    let bench = fleet(200);
    let all = file(&bench, &ids(&bench));
    bench.fault("everyware", "device-error=RESPONSE_BAD_REQUEST");
    for selection in ["--live".to_owned(), "'gw-*' --live".to_owned(), format!("--id --targets-from {all}")] {
        for (limit, failures) in [("--fail-fast", 1), ("--max-failures 3", 3), ("--max-failures 5%", 5)] {
            bench.requests();
            let run = bench.run(&format!("status -b everyware {selection} --jobs 1 {limit} -o json"));
            let code = run.items()[0]["error"]["exit"].clone();
            assert_eq!(
                (run.items().len(), device_requests(&bench)),
                (failures, failures),
                "{selection} {limit}: {run}"
            );
            assert_eq!(run.code, code, "{run}");
            run.tells("--fail-fast or --max-failures").tells("not begun");
        }
        // Nothing is begun any more, and what is under way is told.
        bench.requests();
        let run = bench.run(&format!("status -b everyware {selection} --jobs 6 --fail-fast -o json"));
        let asked = device_requests(&bench);
        assert!((1..=6).contains(&asked) && run.items().len() == asked, "{asked} {run}");
    }
    // What went well is told too; only failures count.
    bench.context("everyware").faults.clear("device-error");
    bench.fault("everyware", "broken=40");
    let run = bench.run("status -b everyware --live --jobs 1 --max-failures 2 -o json").ends(10);
    assert_eq!((run.items().len(), &run.json()["summary"]["failed"]), (80, &json!(2)), "{run}");
    // As many failures as are allowed end nothing.
    let run = bench.run("status -b everyware --live --max-failures 6 -o json").ends(10);
    assert_eq!(run.items().len(), 200, "{run}");
    assert!(!run.stderr.contains("not begun"), "{run}");
}

#[test]
fn a_fleet_logs_in_once_and_opens_one_connection() {
    let bench = Bench::with_devices(200);
    bench.fault("everyware", "all-online");
    let run = bench.run("status -b everyware --live --jobs 50 -o json").ends(0);
    assert_eq!(run.items().len(), 200, "{run}");
    let logins = bench.count("everyware", "POST /v1/authentication");
    assert_eq!((logins, device_requests(&bench)), (1, 200), "{:?}", bench.asked("everyware"));
    let log = &bench.context("everyware").log;
    assert_eq!((log.connections(), log.entries()[0].version.as_str()), (1, "HTTP/2.0"));
    // With the login known there is none.
    bench.requests();
    bench.run("status -b everyware --live --jobs 50").ends(0);
    assert_eq!((bench.count("everyware", "POST"), log.connections()), (0, 1));
}

#[test]
fn a_fleet_keeps_to_a_small_pool_over_http1() {
    let bench = Bench::with_devices(200);
    bench.fault("everyware", "all-online");
    bench.fault("everyware", "http1");
    let run = bench.run("status -b everyware --live --jobs 50 -o json").ends(0);
    let log = &bench.context("everyware").log;
    assert_eq!((run.items().len(), log.entries()[0].version.as_str()), (200, "HTTP/1.1"), "{run}");
    assert!((1..=8).contains(&log.connections()), "{}", log.connections());
    assert_eq!(bench.count("everyware", "POST /v1/authentication"), 1);
}

#[test]
fn the_state_of_an_account_costs_pages_and_no_device() {
    let bench = fleet(200);
    for line in ["status -b everyware", "status -b everyware 'gw-*'", "status -b everyware --state connected"] {
        bench.requests();
        let run = bench.run(&format!("{line} -o json")).ends(0).quietly();
        assert!(run.items().iter().all(|item| item["source"] == "server"), "{run}");
        assert!(bench.asked("everyware").len() <= 3, "{line}: {:?}", bench.asked("everyware"));
        assert_eq!(device_requests(&bench), 0, "{line}");
    }
    bench.requests();
    let run = bench.run("status -b everyware --live -o json").ends(0).quietly();
    assert!(run.items().iter().all(|item| item["source"] == "device"), "{run}");
    assert_eq!(device_requests(&bench), 200);
}

#[test]
fn pages_that_wait_for_their_turn_do_not_hold_up_the_devices_that_they_wait_for() {
    // While the second page is told, the three behind it come in, each more than a stream may bring unread. A connection
    // that they fill would bring no more answers of devices, which is what they wait for: the sweep would not end.
    let bench = fleet(2500);
    bench.fault("everyware", "page-size=500");
    bench.fault("everyware", "slow=100@offset=998|offset=1497|offset=1996");
    for line in ["list", "status"] {
        let run = bench.run(&format!("{line} --live -b everyware -j 32 -o ndjson --timeout 50s")).ends(0);
        assert_eq!(rows(&run).0.len(), 2500, "{line}");
        assert_eq!(device_requests(&bench), 2500, "{line}");
        let entries = bench.context("everyware").log.entries();
        assert!(entries.iter().all(|entry| entry.version == "HTTP/2.0"), "{line}");
        bench.requests();
    }
}

#[test]
fn a_device_that_moves_to_another_page_meanwhile_is_told_and_asked_once() {
    for faults in [["devices-come=2", "page-size=50"], ["devices-leave=2", "page-size=50"]] {
        let bench = fleet(800);
        faults.iter().for_each(|fault| bench.fault("everyware", fault));
        for line in ["list", "status", "status --live"] {
            bench.requests();
            let (items, summary) = rows(&bench.run(&format!("{line} -b everyware -o ndjson")).ends(0));
            distinct(&items);
            assert!((300..=800).contains(&items.len()), "{line} {faults:?}: {}", items.len());
            assert_eq!(summary["total"], items.len(), "{line} {faults:?}");
            assert_eq!(
                device_requests(&bench),
                if line.contains("live") { items.len() } else { 0 },
                "{line} {faults:?}"
            );
        }
    }
}

#[test]
fn what_failed_by_itself_and_with_a_page_is_told_once_again() {
    let bench = fleet(300);
    for fault in ["page-size=100", "not-json=offset=99&", "broken=7"] {
        bench.fault("everyware", fault);
    }
    let (items, _) = rows(&bench.run("status --live -b everyware -o ndjson").ends(10));
    assert!(items.iter().any(|item| item["target"].is_null()), "the page is a failure of its own");
    bench.context("everyware").faults.clear_all();
    bench.fault("everyware", "all-online");
    bench.requests();
    let (items, _) = rows(&bench.run("status --live --retry-failed -o ndjson").ends(0));
    assert_eq!(distinct(&items).len(), 300);
}
