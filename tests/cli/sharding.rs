//! `--shard`: the parts of a fleet, which never overlap and leave nothing out.

use std::collections::BTreeSet;

use crate::bench::Bench;
use crate::fleets::{distinct, file, fleet, ids};

/// Gives the ids that each of three parts tells, and holds them to be parts.
#[track_caller]
fn parts(bench: &Bench, line: &str) -> Vec<BTreeSet<String>> {
    let part = |index: usize| {
        let run = bench.run(&format!("{line} --shard {index}/3 -o json")).ends(0);
        let part = distinct(&run.items());
        assert!(!part.is_empty(), "{run}");
        part
    };
    let parts: Vec<BTreeSet<String>> = (0..3).map(part).collect();
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        assert!(parts[one].is_disjoint(&parts[other]), "{line}");
    }
    parts
}

#[test]
fn parts_make_the_whole_and_a_device_stays_in_its_part() {
    let bench = fleet(60);
    let all: BTreeSet<String> = ids(&bench).into_iter().collect();
    let names: Vec<String> = (1..=60).map(|number| format!("gw-{number:06}")).collect();
    let ids = file(&bench, &all.iter().cloned().collect::<Vec<_>>());
    let names = bench.write("names", &names.join("\n")).display().to_string();
    let first = parts(&bench, "status -b everyware");
    assert_eq!(first.iter().flatten().cloned().collect::<BTreeSet<_>>(), all);
    for line in [
        "status -b everyware --live".to_owned(),
        "status -b everyware 'gw-*'".to_owned(),
        "status 'everyware/gw-0000*'".to_owned(),
        "status -b everyware 'gw-00000?' 'gw-00001?' 'gw-00002?' 'gw-00003?' 'gw-00004?' 'gw-00005?' gw-000060"
            .to_owned(),
        format!("status -b everyware --targets-from {names}"),
        format!("status -b everyware --id --targets-from {ids}"),
        format!("connect -b everyware --yes --targets-from {names}"),
        "disconnect -b everyware 'gw-*' --yes".to_owned(),
    ] {
        assert_eq!(parts(&bench, &line), first, "{line}");
    }
}

#[test]
fn kubernetes_tells_the_part() {
    let bench = fleet(20);
    for index in ["0", "1", "2"] {
        let by_hand = bench.run(&format!("status -b everyware --shard {index}/3 -o value --fields target.id")).ends(0);
        for written in ["/3", "3"] {
            let line = format!("status -b everyware --shard {written} -o value --fields target.id");
            let told = bench.run_where("JOB_COMPLETION_INDEX", index, &line).ends(0);
            assert_eq!(told.stdout, by_hand.stdout, "{index} of {written}");
        }
        // What is written goes over it.
        let line = "status -b everyware --shard 1/3 -o value --fields target.id";
        let written = bench.run_where("JOB_COMPLETION_INDEX", index, line).ends(0);
        assert_eq!(written.stdout, bench.run(line).ends(0).stdout);
        // Where no part is asked for it means nothing.
        let all = bench.run_where("JOB_COMPLETION_INDEX", index, "status -b everyware -o json").ends(0);
        assert_eq!(all.items().len(), 20);
    }
    bench.requests();
    bench.run("status -b everyware --shard /3").ends(2).tells("$JOB_COMPLETION_INDEX").without_output();
    for index in ["3", "-1", "x", ""] {
        let run = bench.run_where("JOB_COMPLETION_INDEX", index, "status -b everyware --shard /3 -o json").ends(2);
        run.without_output().fails("usage");
    }
    for written in ["3/3", "1/0", "0", "a/b", "1/", "-1/3"] {
        bench.run(&format!("status -b everyware --shard={written} -o json")).ends(2).without_output().fails("usage");
    }
    assert_eq!(bench.requests(), 0);
}

#[test]
fn a_part_may_have_nothing_but_the_fleet_may_not() {
    let bench = fleet(3);
    let empty = |line: &str| {
        let run = bench.run(&format!("{line} -o json")).ends(0).quietly();
        run.items().is_empty()
    };
    // Of ten parts of three devices seven at least have none.
    for line in
        ["status -b everyware", "status -b everyware --live", "status -b everyware gw-000001 gw-000002 gw-000003"]
    {
        let parts = (0..10).filter(|index| empty(&format!("{line} --shard {index}/10"))).count();
        assert!((7..10).contains(&parts), "{line}: {parts}");
    }
    let file = file(&bench, &["# nobody".to_owned()]);
    for part in ["0/3", "1/3", "2/3"] {
        for line in [
            "status -b everyware 'nothing-*'".to_owned(),
            "status -b everyware -l tag=none".to_owned(),
            "status -b everyware --state failed".to_owned(),
            format!("status -b everyware --targets-from {file}"),
            "disconnect -b everyware 'nothing-*' --yes".to_owned(),
        ] {
            let run = bench.run(&format!("{line} --shard {part} -o json")).ends(6).without_output();
            run.fails("selection.empty");
        }
    }
}

#[test]
fn what_is_not_found_and_what_has_no_devices_is_told_by_one_part() {
    let bench = Bench::new();
    for line in ["status -b everyware nobody", "status -b freebox", "status -b ixon", "status freebox/vpn1"] {
        let told = |index: usize| {
            let run = bench.run(&format!("{line} --shard {index}/3 -o json"));
            run.items().len()
        };
        let parts: usize = (0..3).map(told).sum();
        assert_eq!(parts, 1, "{line}");
    }
}
