//! Changes of many targets at once: the plan before, the guards, and when a run gives up.

use std::collections::{BTreeMap, BTreeSet};

use crate::bench::Bench;

/// Where the calls that ask or change a device have their paths.
const DEVICES: &str = "/v1/_/devices/";

/// A fleet that can all be reached: of 20 devices, 12 are connected and 8 are not.
fn fleet(devices: usize) -> Bench {
    let bench = Bench::with_devices(devices);
    bench.fault("everyware", "all-online");
    bench.run("list -b everyware").ends(0);
    bench.requests();
    bench
}

/// Gives the devices that were asked or changed, in the order of these calls.
fn called(bench: &Bench) -> Vec<String> {
    let asked = bench.asked("everyware");
    let paths = asked.iter().filter_map(|line| line.split_once(DEVICES)).map(|(_, path)| path);
    paths.filter_map(|path| path.split_once("/vpn")).map(|(id, _)| id.to_owned()).collect()
}

fn writes(bench: &Bench) -> usize {
    bench.count("everyware", &format!("POST {DEVICES}"))
}

#[test]
fn a_mass_change_is_told_before_it_is_made() {
    let bench = fleet(20);
    let run = bench.run("connect -b everyware 'gw-*' --yes").ends(0);
    let plan =
        "connect 8 of the 20 targets of everyware: gw-000013, gw-000014, … and 6 more; 12 are connected already\n";
    assert_eq!(run.stderr, plan);
    assert_eq!(writes(&bench), 8);
    bench.run("disconnect -b everyware gw-00000? -q --yes").ends(0).quietly();
    let run = bench.run("disconnect -A --yes").ends(0);
    assert_eq!(
        run.stderr,
        "disconnect 11 of the 20 targets of everyware: gw-000010, gw-000011, … and 9 more; 9 are disconnected already\n\
         disconnect 1 target of freebox: whatever is connected\n\
         disconnect 1 target of ixon: whatever is connected\n"
    );
    // What was named one by one is no mass change.
    bench.run("connect -b everyware gw-000001 gw-000002").ends(0).quietly();
}

#[test]
fn what_the_list_shows_as_wanted_costs_no_request() {
    let bench = fleet(20);
    let run = bench.run("connect -b everyware 'gw-*' --yes -o json").ends(0);
    let items = run.items();
    let told =
        |changed: bool| items.iter().filter(move |item| item["changed"] == changed && item["state"] == "connected");
    assert_eq!((told(false).count(), told(true).count()), (12, 8), "{run}");
    assert!(told(false).all(|item| item["source"] == "server") && told(true).all(|item| item["source"] == "device"));
    let asked: BTreeSet<String> = called(&bench).into_iter().collect();
    assert_eq!(asked.len(), 8, "{asked:?}");
    // One that does something to each asks each.
    bench.context("everyware").log.clear();
    bench.run("reconnect -b everyware 'gw-00000*' --yes").ends(0).tells("reconnect 9 of the 20 targets of everyware");
    assert_eq!(writes(&bench), 18);
}

#[test]
fn a_dry_run_of_a_mass_change_asks_no_device() {
    let bench = fleet(20);
    let run = bench.run("disconnect -b everyware 'gw-*' --dry-run --sort -o csv --fields target.name,state,changed");
    let run = run.ends(0).tells("dry run: would disconnect 12 of the 20 targets of everyware: gw-000001, gw-000002, …");
    assert_eq!(run.stdout.lines().filter(|line| line.ends_with(",connected,false")).count(), 12, "{run}");
    assert_eq!(run.stdout.lines().filter(|line| line.ends_with(",disconnected,false")).count(), 8, "{run}");
    assert_eq!(run.stderr.matches("dry run: would disconnect `gw-").count(), 12, "{run}");
    assert_eq!((called(&bench).len(), writes(&bench)), (0, 0));
}

#[test]
fn more_than_max_change_allows_is_refused_before_any_change() {
    let bench = fleet(40);
    for line in [
        "connect -b everyware 'gw-*' --yes --max-change 39.9%",
        "connect -b everyware 'gw-*' --dry-run --max-change 39.9%",
        "connect -A --yes --max-change 39.9% --switch",
        "disconnect -b everyware gw-000001 gw-000002 --max-change 4%",
        "disconnect -b everyware gw-000001 freebox/vpn1 --max-change 33%",
    ] {
        let run = bench.run(&format!("{line} -o json")).ends(9).without_output();
        let error = run.fails("conflict.guard");
        assert!(error["hint"].as_str().unwrap().contains("--force"), "{run}");
        assert_eq!((called(&bench).len(), bench.count("freebox", "PUT")), (0, 0), "{line}");
    }
    let run = bench.run("connect -b everyware 'gw-*' --yes --max-change 5%").ends(9);
    let run = run.tells("error: everyware: connect would change 16 of the 40 targets (40.0%); --max-change allows 5%");
    assert!(!run.stderr.contains("connect 16 of"), "{run}");
    // As many as are allowed are; and where nothing is to do, nothing is too much.
    bench.run("connect -b everyware 'gw-*' --yes --max-change 40%").ends(0);
    assert_eq!(writes(&bench), 16);
    bench.run("connect -b everyware 'gw-*' --yes --max-change 0%").ends(0);
    assert_eq!(writes(&bench), 16);
    bench.run("disconnect -b everyware 'gw-*' --yes --max-change 5% --force").ends(0);
    assert_eq!(writes(&bench), 56);
}

#[test]
fn one_target_is_a_share_too() {
    let bench = Bench::new();
    for line in [
        "disconnect -b freebox --max-change 1%",
        "connect freebox/vpn0 --max-change 33%",
        "disconnect -b everyware gw-lyon-02 --max-change 0%",
        "disconnect -b everyware '*-lyon-02' --max-change 5%",
        // Of two that are named each counts, whatever its state may be.
        "connect freebox/vpn0 everyware/gw-lyon-02 --max-change 33%",
    ] {
        bench.run(&format!("{line} -o json")).ends(9).without_output().fails("conflict.guard");
        bench.run(&format!("{line} --dry-run")).ends(9).without_output();
    }
    assert_eq!((writes(&bench), bench.count("freebox", "PUT")), (0, 0));
    bench.run("disconnect -b freebox --max-change 34%").ends(0);
    bench.run("connect freebox/vpn0 everyware/gw-lyon-02 --max-change 34%").ends(0);
    bench.run("disconnect -b everyware '*-lyon-02' --max-change 5% --force").ends(0);
}

#[test]
fn a_batch_begins_after_the_one_before_has_ended() {
    let bench = fleet(25);
    // Each is down at first, and is asked several times before it is up.
    bench.fault("everyware", "connect-late=2");
    bench.fault("everyware", "device-slow=15");
    let run = bench.run("connect -b everyware 'gw-*' --yes --batch 3 --jobs 10 -v").ends(0);
    let calls = called(&bench);
    let mut spans: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (at, device) in calls.iter().enumerate() {
        spans.entry(device).or_insert((at, at)).1 = at;
    }
    let mut spans: Vec<(usize, usize)> = spans.into_values().collect();
    spans.sort_unstable();
    assert_eq!(spans.len(), 8, "{run}");
    let batches: Vec<&[(usize, usize)]> = spans.chunks(3).collect();
    for two in batches.windows(2) {
        let ended = two[0].iter().map(|(_, last)| last).max().unwrap();
        let begun = two[1].iter().map(|(first, _)| first).min().unwrap();
        assert!(ended < begun, "a batch begins before the one before has ended: {calls:?}");
    }
    // Within a batch they go side by side.
    assert!(batches[0].windows(2).all(|two| two[1].0 < two[0].1), "{calls:?}");
    run.tells("batch 1 of 3: 3 targets").tells("batch 3 of 3: 2 targets");
}

#[test]
fn no_further_target_is_begun_after_so_many_failures() {
    let bench = fleet(40);
    bench.fault("everyware", "device-error=RESPONSE_BAD_REQUEST");
    for (limit, failures) in [("--fail-fast", 1), ("--max-failures 2", 2), ("--max-failures 10%", 2)] {
        bench.context("everyware").log.clear();
        let run = bench.run(&format!("connect -b everyware 'gw-*' --yes --jobs 1 {limit} -o json"));
        let asked: BTreeSet<String> = called(&bench).into_iter().collect();
        assert_eq!(asked.len(), failures, "{limit}: {run}");
        let failed = run.items().iter().filter(|item| !item["error"].is_null()).count();
        // What the list told is told, what was not begun is no item.
        assert_eq!((failed, run.items().len()), (failures, 24 + failures), "{limit}: {run}");
        assert_eq!(run.error()["exit"], 10, "{limit}: {run}");
        run.tells(&format!("{} targets were not begun (everyware/gw-0000", 16 - failures))
            .tells("--retry-failed does what");
    }
    // What is under way when enough have failed comes to its end and is told.
    bench.context("everyware").log.clear();
    let run = bench.run("connect -b everyware 'gw-*' --yes --jobs 4 --max-failures 2 -o json");
    let asked: BTreeSet<String> = called(&bench).into_iter().collect();
    assert!((4..=5).contains(&asked.len()), "{asked:?}");
    let failed = run.items().iter().filter(|item| !item["error"].is_null()).count();
    assert_eq!(failed, asked.len(), "{run}");
}

#[test]
fn what_was_not_begun_is_done_by_the_same_command() {
    let bench = fleet(40);
    bench.fault("everyware", "device-fails=Cannot start OpenVPN*1");
    bench.run("connect -b everyware 'gw-*' --yes --jobs 1 --fail-fast").ends(10).tells("15 targets were not begun");
    bench.run("connect -b everyware 'gw-*' --yes --jobs 1 --fail-fast").ends(0).tells("24 are connected already");
    assert_eq!(writes(&bench), 17);
    // Reconnecting what has just come up is not what anybody wants.
    bench.fault("everyware", "device-fails=Cannot start OpenVPN*1");
    let run = bench.run("reconnect -b everyware gw-000001 gw-000002 gw-000003 --jobs 1 --fail-fast").ends(7);
    let run = run.tells("2 targets were not begun (everyware/gw-000002, everyware/gw-000003)");
    assert!(!run.stderr.contains("same command"), "{run}");
}

#[test]
fn no_batch_follows_enough_failures() {
    let bench = fleet(40);
    bench.fault("everyware", "device-fails=Cannot start OpenVPN*1");
    let run = bench.run("connect -b everyware 'gw-*' --yes --batch 4 --fail-fast -v").ends(10);
    assert_eq!(writes(&bench), 4, "{run}");
    let run = run.tells("12 targets were not begun").tells("batch 1 of 4");
    assert!(!run.stderr.contains("batch 2"), "{run}");
}

#[test]
fn what_was_not_found_fails_before_anything_is_changed() {
    let bench = Bench::new();
    let run = bench.run("connect -b everyware gw-lyon-03 nobody --fail-fast").ends(6).tells("1 target was not begun");
    assert_eq!(writes(&bench), 0, "{run}");
    // Without a limit the others are left alone by it.
    bench.run("connect -b everyware nobody gw-lyon-03").ends(10);
    assert_eq!(writes(&bench), 1);
}

#[test]
fn targets_of_a_one_vpn_backend_stop_at_a_failure_too() {
    let bench = Bench::new();
    bench.run("disconnect -b freebox").ends(0);
    bench.context("freebox").log.clear();
    bench.fault("freebox", "activation=busy");
    bench.run("connect -b freebox vpn0 vpn1 --fail-fast").ends(9).tells("1 target was not begun (freebox/Downloads)");
    let second = "PUT /api/v16/vpn_client/config/vpn1";
    assert_eq!(bench.count("freebox", second), 0, "{:?}", bench.asked("freebox"));
    bench.run("connect -b freebox vpn0 vpn1").ends(9);
    assert!(bench.count("freebox", second) > 0, "{:?}", bench.asked("freebox"));
}

#[test]
fn a_share_of_failures_is_one_of_the_targets_that_need_a_change() {
    let bench = fleet(40);
    bench.fault("everyware", "device-error=RESPONSE_BAD_REQUEST");
    // 16 of the 40 need one: 10% of these are 2, 10% of all would be 4.
    let run = bench.run("connect -b everyware 'gw-*' --yes --jobs 1 --max-failures 10% -o json").ends(10);
    assert_eq!(called(&bench).into_iter().collect::<BTreeSet<_>>().len(), 2, "{run}");
    run.tells("14 targets were not begun");
}

/// Waits until so many changes have been sent.
#[cfg(unix)]
fn written(bench: &Bench, line: &str, count: usize) -> std::process::Child {
    let child = bench.start(line);
    let started = std::time::Instant::now();
    while writes(bench) < count {
        assert!(started.elapsed() < std::time::Duration::from_secs(30), "never: {:?}", bench.asked("everyware"));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child
}

#[cfg(unix)]
fn left(bench: &Bench) -> Vec<String> {
    let text = std::fs::read_to_string(bench.state().join("failed/connect.ndjson")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[cfg(unix)]
#[test]
fn what_a_signal_ends_is_told_and_done_again() {
    use crate::run::Run;
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let bench = fleet(40);
        bench.run("connect -b freebox nobody").ends(6);
        assert_eq!(left(&bench).len(), 1);
        bench.fault("everyware", "connect-never");
        let child = written(&bench, "connect -b everyware 'gw-*' --yes --jobs 2 --interval 20ms -o json", 2);
        crate::signals::send(signal, &child);
        let run = Run::end_of(child, signal.to_owned()).ends(code).tells("14 targets were not begun");
        run.fails("interrupted");
        let items = run.items();
        let ended: Vec<_> = items.iter().filter(|item| item["error"]["code"] == "interrupted").collect();
        assert_eq!((ended.len(), items.len()), (2, 26), "{run}");
        assert!(ended.iter().all(|item| item["changed"] == true && item["action"] == "connect"), "{run}");
        assert_eq!(run.json()["summary"]["by_code"]["interrupted"], 2, "{run}");
        assert_eq!(left(&bench).len(), 2, "they replace what failed before");
        bench.context("everyware").faults.clear("connect-never");
        bench.context("everyware").log.clear();
        let again = bench.run("connect --retry-failed --yes -o json").ends(0);
        let ids = |items: Vec<serde_json::Value>| -> BTreeSet<String> {
            items.iter().map(|item| item["target"]["id"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(ids(again.items()), ids(ended.into_iter().cloned().collect()), "{again}");
        assert_eq!(left(&bench).len(), 0);
    }
}

#[test]
fn only_one_target_is_switched_to() {
    let bench = Bench::new();
    for line in [
        "connect freebox/vpn0 freebox/vpn2 --switch",
        "connect -b freebox '*' --switch --yes",
        "reconnect -b freebox vpn0 vpn1 --switch",
        "connect freebox/vpn0 freebox/vpn2 --switch --dry-run",
    ] {
        let run = bench.run(&format!("{line} -o json")).ends(2).without_output();
        let error = run.fails("usage");
        assert_eq!(error["message"], "only one target of `freebox` can be connected at a time", "{run}");
    }
    bench.run("connect freebox/vpn0 freebox/vpn2 -o json").ends(9).fails("conflict.active");
    assert_eq!(bench.count("freebox", "PUT"), 0);
    bench.run("connect freebox/vpn0 everyware/gw-lyon-02 --switch").ends(0);
    bench.run("disconnect freebox/vpn0 freebox/vpn1 --switch").ends(0);
}
