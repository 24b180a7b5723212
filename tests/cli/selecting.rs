//! Selections across backends and vendors: names, globs, labels, states, and all of them together.

use crate::bench::Bench;
use crate::fleets::{device_requests, fleet};

/// Gives what a selection selects, as `BACKEND/NAME`.
#[track_caller]
fn selected(bench: &Bench, selection: &str) -> Vec<String> {
    let run = bench.run(&format!("status {selection} -o csv --no-header --sort --fields backend,target.name")).ends(0);
    run.stdout.lines().map(|line| line.replace(',', "/")).collect()
}

fn names(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("everyware/gw-{number:06}")).collect()
}

/// The configuration with labels and groups, and a second box.
fn labelled(bench: &Bench) -> String {
    let label = |text: &str, backend: &str, labels: &str| {
        text.replace(&format!("[backend.{backend}]\n"), &format!("[backend.{backend}]\nlabels = {{ {labels} }}\n"))
    };
    let text = label(&bench.config(), "freebox", "site = \"lyon\", rank = \"1\"");
    let text = label(&text, "everyware", "site = \"oslo\", rank = \"1\"");
    let text = label(&text, "ixon", "site = \"delft\"");
    format!("{text}\n[group.north]\nselect = \"site=oslo,tag=AQ\"\n\n[group.first]\nselect = \"rank=1\"\n")
}

#[test]
fn several_targets_and_globs_are_selected_together_and_once() {
    let bench = fleet(30);
    assert_eq!(selected(&bench, "-b everyware gw-000003 gw-000001"), names([1, 3]));
    assert_eq!(selected(&bench, "-b everyware 'gw-00001?' gw-000010 gw-000030"), names((10..20).chain([30])));
    assert_eq!(selected(&bench, "everyware/gw-000001 freebox/vpn1"), ["everyware/gw-000001", "freebox/Downloads"]);
    assert_eq!(selected(&bench, "-b everyware -b freebox 'gw-00000?' 'Down*'").len(), 10);
    assert_eq!(selected(&bench, "-A '*Wire*'"), ["freebox/Lyon WireGuard"]);
}

#[test]
fn configured_labels_select_backends() {
    let bench = fleet(20);
    let text = labelled(&bench);
    let count = |selection: &str, backend: &str| {
        let run = bench.run_by(&text, &format!("status -A {selection} -o json")).ends(0);
        let items = run.items();
        (items.iter().filter(|item| item["backend"] == backend).count(), items.len())
    };
    assert_eq!(count("-l site=oslo", "everyware"), (20, 20));
    assert_eq!(count("-l site=lyon", "freebox"), (3, 3));
    assert_eq!(count("-l site=oslo,rank=1", "everyware"), (20, 20));
    assert_eq!(count("-l rank=1", "everyware").1, 23);
    assert_eq!(count("-l rank=1,site!=oslo", "freebox"), (3, 3));
    assert_eq!(count("-l rank=1 -l site!=oslo", "freebox"), (3, 3));
    assert_eq!(count("-l group=first", "freebox"), (3, 23));
    assert_eq!(count("-l group=north", "everyware"), (2, 2));
    assert_eq!(count("-l group=first,site=lyon", "freebox"), (3, 3));
    for selection in ["-l site=moon", "-l group=first,site=delft", "-l group=nowhere"] {
        let run = bench.run_by(&text, &format!("status -A {selection} -o json")).ends(6).without_output();
        run.fails("selection.empty");
    }
    bench.run_by(&text, "status -A -l site -o json").ends(2).without_output().fails("usage");
}

#[test]
fn vendors_labels_select_targets() {
    let bench = fleet(40);
    for tag in ["tag=AQ", "tag.AQ=true"] {
        assert_eq!(selected(&bench, &format!("-A -l {tag}")), names([10, 20, 30, 40]), "{tag}");
    }
    let others = names((1..=40).filter(|number| number % 10 != 0));
    assert_eq!(selected(&bench, "-b everyware -l tag!=AQ"), others);
    assert_eq!(device_requests(&bench), 0, "labels come with the list");
    let bench = Bench::new();
    let lyon = ["ixon/AAAAAAAAAAAA", "ixon/AAAAAAAAAAAB", "ixon/AAAAAAAAAAAC"];
    let line = "status -A -l custom.site=Lyon -o csv --no-header --fields backend,target.id";
    let run = bench.run(line).ends(0);
    let mut told: Vec<String> = run.stdout.lines().map(|line| line.replace(',', "/")).collect();
    told.sort();
    assert_eq!(told, lyon);
    let run = bench.run("status -b ixon -l custom.site=Lyon,custom.commission=C-4002 -o json").ends(0);
    assert_eq!(run.item()["target"]["id"], "AAAAAAAAAAAB");
}

#[test]
fn states_select_and_conditions_add_up() {
    let bench = fleet(20);
    // 12 of 20 are connected; of the box's one.
    assert_eq!(selected(&bench, "-b everyware --state connected"), names(1..=12));
    assert_eq!(selected(&bench, "-b everyware --state disconnected"), names(13..=20));
    let all: Vec<String> = names(1..=12).into_iter().chain(["freebox/Downloads".to_owned()]).collect();
    assert_eq!(selected(&bench, "-A --state connected"), all);
    assert_eq!(selected(&bench, "-b everyware --state connected -l tag=AQ"), names([10]));
    assert_eq!(selected(&bench, "-b everyware 'gw-00001*' --state connected -l tag!=AQ"), names([11, 12]));
    assert_eq!(selected(&bench, "-A 'gw-00001*' --state disconnected"), names(13..=19));
    for selection in ["--state failed", "'gw-00002*' --state connected", "-l tag=AQ,tag!=AQ"] {
        bench
            .run(&format!("status -b everyware {selection} -o json"))
            .ends(6)
            .without_output()
            .fails("selection.empty");
    }
    // A change takes the same selections.
    let run = bench.run("disconnect -b everyware --state connected -l tag=AQ --yes -o json").ends(0);
    assert_eq!((&run.item()["target"]["name"], &run.item()["changed"]), (&"gw-000010".into(), &true.into()));
    assert_eq!(selected(&bench, "-b everyware --state connected -l tag!=AQ").len(), 11);
}

#[test]
fn an_exact_name_wins_over_a_glob() {
    let bench = Bench::new();
    let add = "tunnel add -b freebox --type pptp --name 'Do*' --host h --username u --password-stdin";
    bench.run_with(add, "secret\n").ends(0);
    assert_eq!(selected(&bench, "-b freebox 'Do*'"), ["freebox/Do*"]);
    assert_eq!(selected(&bench, "-b freebox 'D?*'"), ["freebox/Do*", "freebox/Downloads"]);
}

#[test]
fn rows_come_as_they_finish_and_sorted_on_request() {
    let bench = fleet(20);
    let run = bench.run("list -b everyware -o json").ends(0);
    let first = run.items().into_iter().find(|item| item["target"]["name"] == "gw-000001").unwrap();
    let id = first["target"]["id"].as_str().unwrap().to_owned();
    // One login and one connection are there before the first answer, so all the others overtake it.
    bench.fault("everyware", &format!("slow=600@/devices/{id}/"));
    let order = |flag: &str| {
        let line = format!("status -b everyware --live {flag} -o value --fields target.name");
        bench.run(&line).ends(0).stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let as_they_finish = order("");
    assert_eq!((as_they_finish.len(), as_they_finish.last().map(String::as_str)), (20, Some("gw-000001")));
    let sorted: Vec<String> = (1..=20).map(|number| format!("gw-{number:06}")).collect();
    assert_eq!(order("--sort"), sorted);
    bench.fault("everyware", "slow=0");
    let run = bench.run("status -A --sort -o csv --no-header --fields backend,target.name").ends(0);
    let mut lines: Vec<&str> = run.stdout.lines().collect();
    let told = lines.clone();
    lines.sort_unstable();
    assert_eq!(told, lines);
}

#[test]
fn a_condition_beside_a_name_is_refused_before_anything_is_asked_or_changed() {
    let bench = fleet(20);
    let file = bench.write("targets", "gw-000001\ngw-000002\n");
    bench.requests();
    for condition in ["-l tag=AQ", "-l site=paris", "--state disconnected"] {
        for named in ["gw-000001".to_owned(), "--id AQ".to_owned(), format!("--targets-from {}", file.display())] {
            for verb in ["status", "check", "connect --yes --no-wait", "disconnect --yes --no-wait"] {
                let run = bench.run(&format!("{verb} -b everyware {condition} {named}")).ends(2).without_output();
                run.tells("is named, and -l or --state choose as well").tells("hint: ");
            }
        }
    }
    assert_eq!(bench.requests(), 0);
}

#[test]
fn a_glob_that_fits_nothing_is_told_beside_what_is_found() {
    let bench = fleet(20);
    let run = bench.run("status -b everyware gw-000001 'zz*' -o json").ends(10);
    assert_eq!(run.json()["summary"]["by_code"], serde_json::json!({"target.not_found": 1}), "{run}");
    run.tells("nothing fits `zz*`");
    let run = bench.run("connect -b everyware gw-000013 'zz*' --yes -o json").ends(10);
    assert_eq!(run.json()["summary"]["by_code"], serde_json::json!({"target.not_found": 1}), "{run}");
}

#[test]
fn who_asks_every_device_needs_no_list_of_the_vpn_server() {
    let bench = fleet(20);
    bench.fault("everyware", "vpn-connections-status=403");
    bench.requests();
    bench.run("status -b everyware --live -o json").quietly();
    assert_eq!(bench.count("everyware", "GET /v1/_/vpnConnections"), 0);
    assert_eq!(device_requests(&bench), 20);
}
