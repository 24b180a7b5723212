//! `--retry-failed` of changes and lists: what failed is done again, and nothing else.

use std::collections::BTreeSet;

use crate::bench::Bench;

/// Where the calls that ask or change a device have their paths.
const DEVICES: &str = "/v1/_/devices/";

/// A fleet that can all be reached: of 40 devices, 24 are connected and 16 are not.
fn fleet() -> Bench {
    let bench = Bench::with_devices(40);
    bench.fault("everyware", "all-online");
    bench.run("list -b everyware").ends(0);
    bench.requests();
    bench
}

/// Gives the devices that were asked or changed since the last call of this.
fn called(bench: &Bench) -> BTreeSet<String> {
    let asked = bench.asked("everyware");
    bench.context("everyware").log.clear();
    let paths = asked.iter().filter_map(|line| line.split_once(DEVICES)).map(|(_, path)| path);
    paths.filter_map(|path| path.split_once("/vpn")).map(|(id, _)| id.to_owned()).collect()
}

/// Gives what the last run of a verb left to be done again, a line for each.
fn left(bench: &Bench, list: &str) -> Vec<String> {
    let path = bench.state().join(format!("failed/{list}.ndjson"));
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// Counts what was sent to change something.
fn writes(bench: &Bench) -> usize {
    bench.count("everyware", &format!("POST {DEVICES}")) + bench.count("freebox", "PUT")
}

#[test]
fn changes_that_failed_are_made_again_and_the_list_shrinks() {
    for (verb, failures) in [("connect", 2), ("disconnect", 3), ("reconnect", 5)] {
        let bench = fleet();
        bench.fault("everyware", "broken=8");
        bench.run(&format!("{verb} -b everyware 'gw-*' --yes")).ends(10);
        assert_eq!(left(&bench, verb).len(), failures, "{verb}");
        called(&bench);
        // More than one is a mass change, however it came about.
        let run = bench.run(&format!("{verb} --retry-failed -o json")).ends(2).without_output();
        assert!(run.fails("usage")["hint"].as_str().unwrap().contains("--yes"), "{run}");
        assert_eq!((bench.requests(), left(&bench, verb).len()), (0, failures), "{verb}");
        // On whatever backend, and of these only those that failed.
        let run = bench.run(&format!("{verb} --retry-failed --yes -o json")).ends(7);
        assert_eq!((run.items().len(), called(&bench).len()), (failures, failures), "{run}");
        run.tells(&format!("{verb} {failures} targets of everyware: gw-0000"));
        bench.fault("everyware", "broken=24");
        let last = usize::from(verb != "connect");
        let run = bench.run(&format!("{verb} --retry-failed --yes -o json")).ends(if last == 1 { 10 } else { 0 });
        assert_eq!((run.items().len(), left(&bench, verb).len()), (failures, last), "{run}");
        assert_eq!(called(&bench).len(), failures, "{verb}");
        bench.context("everyware").faults.clear("broken");
        // One alone is no mass change; where none is left, nobody is asked.
        let run = bench.run(&format!("{verb} --retry-failed -o json")).ends(0).quietly();
        assert_eq!((run.items().len(), called(&bench).len()), (last, last), "{run}");
        let run = bench.run(&format!("{verb} --retry-failed -o json")).ends(0).quietly();
        assert_eq!((run.items().len(), bench.requests()), (0, 0), "{run}");
        let run = bench.run(&format!("{verb} --retry-failed")).ends(0).without_output();
        assert_eq!(run.stderr, "nothing failed in the last run\n");
        assert!(!bench.state().join(format!("failed/{verb}.ndjson")).exists(), "{verb}");
    }
}

#[test]
fn each_verb_has_a_list_of_its_own_and_so_has_each_part() {
    let bench = fleet();
    bench.fault("everyware", "broken=8");
    bench.run("disconnect -b everyware 'gw-*' --yes --shard 0/2").ends(10);
    bench.run("disconnect -b everyware 'gw-*' --yes --shard 1/2").ends(10);
    let parts = [left(&bench, "disconnect.0-of-2"), left(&bench, "disconnect.1-of-2")];
    assert_eq!((parts[0].len() + parts[1].len(), left(&bench, "disconnect").len()), (3, 0), "{parts:?}");
    bench.context("everyware").faults.clear("broken");
    called(&bench);
    for line in ["disconnect --retry-failed", "connect --retry-failed", "disconnect --retry-failed --shard 0/3"] {
        bench.run(line).ends(0).without_output();
    }
    assert_eq!(bench.requests(), 0);
    let run = bench.run("disconnect --retry-failed --yes --shard 0/2 -o json").ends(0);
    assert_eq!((run.items().len(), called(&bench).len()), (parts[0].len(), parts[0].len()), "{run}");
    assert_eq!(left(&bench, "disconnect.1-of-2"), parts[1], "the other part's list is left alone");
    let run = bench.run_where("JOB_COMPLETION_INDEX", "1", "disconnect --retry-failed --yes --shard /2 -o json");
    assert_eq!((run.ends(0).items().len(), called(&bench).len()), (parts[1].len(), parts[1].len()));
}

#[test]
fn guards_hold_for_what_failed_before() {
    let bench = fleet();
    bench.fault("everyware", "broken=8");
    bench.run("disconnect -b everyware 'gw-*' --yes").ends(10);
    bench.context("everyware").faults.clear("broken");
    called(&bench);
    bench.requests();
    let line = "disconnect --retry-failed --yes -o json";
    bench.run(&format!("{line} --read-only")).ends(9).without_output().fails("conflict.guard");
    let run = bench.run_where("VPNCTL_BACKEND_EVERYWARE_READ_ONLY", "true", line).ends(9).without_output();
    assert!(run.fails("conflict.guard")["message"].as_str().unwrap().contains("`everyware`"), "{run}");
    assert_eq!(bench.requests(), 0);
    bench.run(&format!("{line} --max-change 7%")).ends(9).without_output().fails("conflict.guard");
    assert_eq!((called(&bench).len(), left(&bench, "disconnect").len()), (0, 3));
    // Of what is only said nothing is forgotten.
    let run = bench.run("disconnect --retry-failed --dry-run").ends(0);
    run.tells("dry run: would disconnect 3 targets of everyware");
    assert_eq!((writes(&bench), left(&bench, "disconnect").len()), (0, 3));
    // Another backend's prohibition is none of its affairs.
    bench.run_where("VPNCTL_BACKEND_FREEBOX_READ_ONLY", "true", &format!("{line} --max-change 8%")).ends(0);
    assert_eq!((writes(&bench), left(&bench, "disconnect").len()), (3, 0));
}

#[test]
fn what_failed_selects_by_itself() {
    let bench = fleet();
    let file = bench.write("targets.txt", "gw-000008\n");
    for verb in ["connect", "disconnect", "reconnect", "status"] {
        for selection in
            ["gw-000008", "-l site=lyon", "--state connected", &format!("--targets-from {}", file.display())]
        {
            let run = bench.run(&format!("{verb} --retry-failed {selection} -o json")).ends(2).without_output();
            assert!(run.fails("usage")["hint"].as_str().unwrap().contains("-b"), "{run}");
        }
        bench
            .run(&format!("{verb} --retry-failed -b nobody -o json"))
            .ends(6)
            .without_output()
            .fails("backend.unknown");
    }
    for selection in ["-l site=lyon", "--state connected"] {
        bench.run(&format!("list --retry-failed {selection} -o json")).ends(2).without_output().fails("usage");
    }
    assert_eq!(bench.requests(), 0);
}

#[test]
fn a_backend_restricts_what_is_done_again_and_what_others_left_stands() {
    let bench = fleet();
    bench.fault("everyware", "broken=24");
    bench.fault("freebox", "not-json");
    bench.run("disconnect freebox/vpn1 everyware/gw-000024").ends(10);
    let before = left(&bench, "disconnect");
    assert_eq!(before.len(), 2, "{before:?}");
    bench.requests();
    bench.run("disconnect --retry-failed -b ixon").ends(0).tells("nothing failed there");
    assert_eq!((bench.requests(), left(&bench, "disconnect")), (0, before));
    // A vendor's name means its only backend here too.
    bench.context("freebox").faults.clear_all();
    let renamed = bench.config().replace("[backend.everyware]", "[backend.plant]");
    bench.run("disconnect --retry-failed -b freebox").ends(0);
    assert_eq!((called(&bench).len(), left(&bench, "disconnect").len()), (0, 1));
    bench.run("disconnect -b everyware gw-000024").ends(7);
    called(&bench);
    bench.run_by(&renamed, "disconnect plant/gw-000024").ends(7);
    bench.context("everyware").faults.clear("broken");
    called(&bench);
    bench.run_by(&renamed, "disconnect --retry-failed -b everyware").ends(0);
    assert_eq!((called(&bench).len(), left(&bench, "disconnect").len()), (1, 0));
}

#[test]
fn a_backend_that_can_not_be_opened_now_leaves_what_failed_before() {
    let bench = fleet();
    bench.fault("everyware", "broken=12");
    bench.run("disconnect -b everyware 'gw-*' --yes").ends(10);
    let before = left(&bench, "disconnect");
    assert_eq!(before.len(), 2);
    let damaged = bench.config().replace("vpnctl.ca.pem", "nowhere.pem");
    assert_ne!(damaged, bench.config());
    bench.run_by(&damaged, "disconnect --retry-failed --yes -o json").ends(13);
    assert_eq!(left(&bench, "disconnect"), before);
    bench.context("everyware").faults.clear("broken");
    called(&bench);
    let run = bench.run("disconnect --retry-failed --yes -o json").ends(0);
    assert_eq!((run.items().len(), called(&bench).len()), (2, 2), "{run}");
}

#[test]
fn a_choice_that_could_not_be_made_is_not_taken_for_all() {
    let bench = fleet();
    for selection in ["'gw-00000*'", "--state connected"] {
        bench.fault("everyware", "not-json=/devices");
        bench.fault("everyware", "not-json=/vpnConnections");
        bench.run(&format!("disconnect -b everyware {selection} --yes")).ends(14);
        bench.context("everyware").faults.clear("not-json");
        bench.requests();
        let run = bench.run("disconnect --retry-failed --yes -o json").ends(2);
        let error = run.fails("usage");
        assert!(error["hint"].as_str().unwrap().contains("that command again"), "{run}");
        // However often it is asked again.
        bench.run("disconnect --retry-failed --yes -o json").ends(2).fails("usage");
        assert_eq!((bench.requests(), left(&bench, "disconnect").len()), (0, 1), "{selection}");
    }
    // Where all were meant, all still are.
    bench.fault("everyware", "not-json=/devices");
    bench.run("disconnect -A --yes").ends(10);
    bench.context("everyware").faults.clear("not-json");
    called(&bench);
    bench.requests();
    bench.run("disconnect --retry-failed --yes --dry-run").ends(0).tells("would disconnect 24 of the 40 targets");
    bench.run("disconnect --retry-failed --yes").ends(0);
    assert_eq!((writes(&bench), left(&bench, "disconnect").len()), (24, 0));
}

#[test]
fn the_one_vpn_of_a_box_is_tried_again_as_it_was_meant() {
    let bench = Bench::new();
    bench.fault("freebox", "not-json");
    bench.run("disconnect -b freebox").ends(14);
    bench.context("freebox").faults.clear_all();
    bench.requests();
    let run = bench.run("disconnect --retry-failed -o json").ends(0);
    assert_eq!((&run.item()["target"]["id"], &run.item()["changed"]), (&"vpn1".into(), &true.into()), "{run}");
    // A name that means nothing is asked for by that name again.
    bench.run("connect -b freebox nobody").ends(6);
    bench.run("connect --retry-failed").ends(6).tells("nobody");
    assert_eq!(writes(&bench), 1);
}

#[test]
fn a_list_that_failed_is_read_again_and_no_other() {
    let bench = fleet();
    bench.fault("freebox", "not-json");
    bench.run("list -A").ends(10);
    assert_eq!(left(&bench, "list").len(), 1);
    bench.requests();
    bench.run("list --retry-failed -o json").ends(14);
    assert!(bench.count("freebox", "GET") > 0);
    assert_eq!((bench.asked("ixon").len(), bench.asked("everyware").len()), (0, 0));
    bench.context("freebox").faults.clear_all();
    let run = bench.run("list --retry-failed -o json").ends(0).quietly();
    assert!(run.items().iter().all(|item| item["backend"] == "freebox") && run.items().len() == 3, "{run}");
    bench.requests();
    let run = bench.run("list --retry-failed -o json").ends(0).quietly();
    assert_eq!((run.items().len(), bench.requests(), left(&bench, "list").len()), (0, 0, 0), "{run}");
    bench.run("list --retry-failed").ends(0).without_output().tells("nothing failed in the last run");
}

#[test]
fn devices_that_a_list_could_not_ask_are_asked_again_and_no_other() {
    let bench = fleet();
    bench.fault("everyware", "broken=8");
    let run = bench.run("list -b everyware --live -o json").ends(10);
    assert_eq!((run.items().len(), called(&bench).len(), left(&bench, "list").len()), (40, 40, 5));
    // What the server's list says of a device is no answer where it was asked itself.
    let run = bench.run("list --retry-failed -o json").ends(7);
    assert_eq!((run.items().len(), called(&bench).len(), left(&bench, "list").len()), (5, 5, 5), "{run}");
    bench.fault("everyware", "broken=16");
    bench.run("list --retry-failed").ends(10);
    assert_eq!((called(&bench).len(), left(&bench, "list").len()), (5, 2));
    bench.context("everyware").faults.clear("broken");
    let run = bench.run("list --retry-failed -o json").ends(0);
    assert_eq!((run.items().len(), called(&bench).len(), left(&bench, "list").len()), (2, 2, 0), "{run}");
}

#[cfg(unix)]
#[test]
fn a_command_runs_once_its_target_can_be_connected() {
    let bench = fleet();
    let ran = || std::fs::remove_file(bench.path("ran")).is_ok();
    bench.fault("everyware", "broken=8");
    bench.run("with everyware/gw-000016 -- touch ran").ends(125).tells("Cannot start OpenVPN");
    called(&bench);
    bench.run("with --retry-failed -- touch ran").ends(125).tells("gw-000016");
    assert_eq!((called(&bench).len(), left(&bench, "with").len(), ran()), (1, 1, false));
    bench.context("everyware").faults.clear("broken");
    // What is refused, wrong or only said tells nothing of the target.
    bench.requests();
    for line in ["--retry-failed --read-only", "--retry-failed gw-000016", "--retry-failed -b nobody", "-b everyware"] {
        bench.run(&format!("with {line} -- touch ran")).ends(125);
    }
    bench.run("with --retry-failed -b freebox -- touch ran").ends(0).tells("the command was not run");
    assert_eq!((bench.requests(), ran()), (0, false));
    bench.run("with --retry-failed --dry-run -- touch ran").ends(0).tells("would connect `gw-000016`");
    assert_eq!((writes(&bench), left(&bench, "with").len(), ran()), (0, 1, false));
    called(&bench);
    bench.run("with --retry-failed -- touch ran").ends(0).quietly();
    assert_eq!((writes(&bench), called(&bench).len(), left(&bench, "with").len(), ran()), (2, 1, 0, true));
    bench.requests();
    let run = bench.run("with --retry-failed -- touch ran").ends(0).without_output();
    assert_eq!(run.stderr, "nothing failed in the last run, so the command was not run\n");
    assert_eq!((bench.requests(), ran()), (0, false));
    // That the command itself fails is its own affair.
    bench.run("with everyware/gw-000016 -- false").ends(1);
    assert!(!bench.state().join("failed/with.ndjson").exists());
}

#[cfg(unix)]
#[test]
fn the_one_vpn_of_a_box_is_tried_again_for_a_command() {
    let bench = Bench::new();
    bench.fault("freebox", "not-json");
    bench.run("with freebox/vpn1 -- touch ran").ends(125);
    bench.context("freebox").faults.clear_all();
    let run = bench.run("with --retry-failed -- sh -c 'echo $VPNCTL_BACKEND/$VPNCTL_TARGET'").ends(0);
    assert_eq!((run.stdout.as_str(), left(&bench, "with").len()), ("freebox/Downloads\n", 0));
}
