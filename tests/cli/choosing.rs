//! Which backends and targets a command means: contract section 1.

use crate::bench::Bench;

/// The written configuration with a second Freebox.
fn two_boxes(bench: &Bench) -> String {
    let text = bench.config().replace("[backend.freebox]", "[backend.home]");
    let url = bench.url("freebox", "api");
    format!("{text}\n[backend.office]\nvendor = \"freebox\"\nurl = \"{url}\"\n")
}

#[test]
fn all_backends_side_by_side() {
    let bench = Bench::new();
    for flag in ["-A", "--all"] {
        let run = bench.run(&format!("status {flag} -o json")).ends(0).quietly();
        let mut backends: Vec<String> =
            run.items().iter().map(|item| item["backend"].as_str().unwrap().to_owned()).collect();
        backends.sort();
        backends.dedup();
        assert_eq!(backends, ["everyware", "freebox", "ixon"]);
    }
    bench.run("status -A -b freebox").ends(2).tells("--backend").without_output();
}

#[test]
fn several_backends_by_name() {
    let bench = Bench::new();
    let run = bench.run("status -b ixon -b freebox -b ixon -o csv --fields backend --sort --no-header").ends(0);
    assert_eq!(run.stdout, "freebox\nixon\n");
}

#[test]
fn a_vendor_means_its_only_backend() {
    let bench = Bench::new();
    let text = bench.config().replace("[backend.freebox]", "[backend.home]");
    let item = bench.run_by(&text, "status -b freebox -o json").ends(0).item();
    assert_eq!((&item["backend"], &item["vendor"]), (&"home".into(), &"freebox".into()));
}

#[test]
fn two_backends_of_a_vendor_are_listed_and_none_is_guessed() {
    let bench = Bench::new();
    let run = bench.run_by(&two_boxes(&bench), "status -b freebox -o json").ends(2).without_output();
    let error = run.fails("usage.ambiguous");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("home") && message.contains("office"), "{message}");
    assert_eq!(bench.requests(), 0);
}

#[test]
fn an_unknown_backend_is_told_with_the_nearest() {
    let bench = Bench::new();
    let error = bench.run("status -b freebx -o json").ends(6).fails("backend.unknown");
    assert_eq!(error["hint"], "did you mean `freebox`?");
    for line in ["status -b nobody", "list -b nobody", "connect -b nobody x", "auth status -b nobody"] {
        bench.run(line).ends(6).tells("there is no backend `nobody`").without_output();
    }
    bench.run_where("VPNCTL_BACKEND", "nobody", "status").ends(6).tells("VPNCTL_BACKEND");
    assert_eq!(bench.requests(), 0);
}

#[test]
fn several_backends_and_none_chosen_are_listed() {
    let bench = Bench::new();
    for line in ["status", "list", "connect x", "disconnect", "auth status"] {
        let run = bench.run(line).ends(2).without_output();
        run.tells("everyware, freebox, ixon").tells("hint: choose one with -b NAME");
    }
    assert_eq!(bench.requests(), 0);
}

#[test]
fn a_flag_wins_over_the_variable_and_that_over_the_file() {
    let bench = Bench::new();
    let config = format!("default_backend = \"ixon\"\n{}", bench.config());
    let path = bench.write("default.toml", &config);
    let backend = |name: Option<&str>, line: &str| {
        let mut command = bench.command(line);
        command.env("VPNCTL_CONFIG", &path);
        command.envs(name.map(|name| ("VPNCTL_BACKEND", name)));
        crate::run::Run::of(command, "").ends(0).item()["backend"].clone()
    };
    assert_eq!(backend(None, "status -o json"), "ixon");
    assert_eq!(backend(Some("freebox"), "status -o json"), "freebox");
    assert_eq!(backend(Some("freebox"), "status -b ixon -o json"), "ixon");
}

#[test]
fn the_only_backend_needs_no_choice() {
    let bench = Bench::new();
    let text = bench.config();
    let end = text.find("[backend.ixon]").unwrap();
    assert_eq!(bench.run_by(&text[..end], "status -o json").ends(0).item()["backend"], "freebox");
}

#[test]
fn a_target_is_a_name_or_an_id_perhaps_behind_its_backend() {
    let bench = Bench::new();
    let id = |line: &str| {
        let item = bench.run(&format!("{line} -o json")).ends(0).item();
        item["target"]["id"].as_str().unwrap().to_owned()
    };
    for (line, expected) in [
        ("status -b freebox Downloads", "vpn1"),
        ("status -b freebox downloads", "vpn1"),
        ("status -b freebox vpn0", "vpn0"),
        ("status 'freebox/Office PPTP'", "vpn0"),
        ("status freebox/vpn2", "vpn2"),
        ("status -b ixon 'Press 7'", "AAAAAAAAAAAA"),
        ("status ixon/AAAAAAAAAAAC", "AAAAAAAAAAAC"),
        ("status -b everyware 00:60:0C:81:5F:2A", "WyczTs_GuDM"),
        ("status 'everyware/Packaging line 1'", "WyczTs_GuDM"),
        ("status -b everyware --id WyczTs_GuDM", "WyczTs_GuDM"),
        ("status --id everyware/WyczTs_GuDM", "WyczTs_GuDM"),
        ("status -b freebox --id vpn0", "vpn0"),
    ] {
        assert_eq!(id(line), expected, "{line}");
    }
    // A prefix chooses by itself; what is bare is looked up where -b says.
    let run = bench.run("status freebox/vpn1 -b ixon 'Press 7' -o csv --fields target.id --sort").ends(0);
    assert_eq!(run.stdout, "target.id\nvpn1\nAAAAAAAAAAAA\n");
}

#[test]
fn globs_select_and_an_exact_name_wins() {
    let bench = Bench::new();
    let ids = |line: &str| {
        let run = bench.run(&format!("{line} --sort -o value --fields target.id")).ends(0);
        run.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ids("status -b freebox 'vpn?'"), ["vpn1", "vpn2", "vpn0"]);
    assert_eq!(ids("status -b freebox 'Do*'"), ["vpn1"]);
    assert_eq!(ids("status 'freebox/*PPTP'"), ["vpn0"]);
    assert_eq!(ids("status -b freebox -b ixon 'P*'"), ["AAAAAAAAAAAA", "AAAAAAAAAAAC", "AAAAAAAAAAAD", "AAAAAAAAAAAE"]);
    bench.run("status -b freebox 'x*' -o json").ends(6).fails("selection.empty");
}

#[test]
fn what_is_named_twice_is_meant_once() {
    let bench = Bench::new();
    for line in [
        "status freebox/vpn0 -b freebox vpn0 'Office PPTP'",
        "status -b freebox 'Office*' 'vpn0'",
        "status -b everyware gw-lyon-02 everyware/gw-lyon-02",
        "status -b everyware --id WyczTs_GuDM WyczTs_GuDM",
        "disconnect -b freebox 'Down*' 'D*' --yes",
    ] {
        bench.run(&format!("{line} -o json")).ends(0).item();
    }
    assert_eq!(bench.count("freebox", "PUT"), 1);
    // What could not be found is told each time that it was asked for.
    assert_eq!(bench.run("status -b freebox nobody neither -o json").ends(6).items().len(), 2);
}

#[test]
fn labels_states_and_files_select() {
    let mut bench = Bench::new();
    bench.set("VPNCTL_BACKEND_FREEBOX_LABELS", "site=lyon,floor=2");
    let names = |line: &str| bench.run(&format!("{line} --sort -o value --fields target.name")).ends(0).stdout;
    assert_eq!(names("status -A -l site=lyon"), "Downloads\nLyon WireGuard\nOffice PPTP\n");
    assert_eq!(names("list -A -l site=lyon,floor=2 --state connected"), "Downloads\n");
    assert_eq!(names("status -b everyware --state connected"), "00:60:0C:81:5F:2A\ngw-lyon-02\n");
    let file = bench.write("targets.txt", "# two of them\nDownloads\n\n  Office PPTP  \n");
    assert_eq!(names(&format!("status -b freebox --targets-from {}", file.display())), "Downloads\nOffice PPTP\n");
    let piped = bench.run_with("status -b freebox --targets-from - -o value --fields target.id", "vpn2\n").ends(0);
    assert_eq!(piped.stdout, "vpn2\n");
    for line in ["status -A -l site=nowhere", "list -A -l site=nowhere", "status -b freebox --targets-from -"] {
        bench.run(&format!("{line} -o json")).ends(6).fails("selection.empty");
    }
    bench.run("status -A -l nonsense").ends(2).tells("nonsense");
    bench.run("status -A --state sleeping").ends(2).tells("connected, connecting");
}

#[test]
fn a_glob_is_answered_by_the_list_that_found_it() {
    let bench = Bench::new();
    for (line, source, calls) in [("", "server", 0), (" --live", "device", 2)] {
        bench.context("everyware").log.clear();
        let report = bench.run(&format!("status -b everyware 'gw-lyon-*' -o json{line}")).ends(0).json();
        let items = report["items"].as_array().unwrap();
        assert_eq!(items.len(), 2, "{report}");
        assert!(items.iter().all(|item| item["source"] == source), "{report}");
        assert_eq!(bench.asked("everyware").iter().filter(|asked| asked.ends_with("/vpn")).count(), calls);
    }
    bench.context("freebox").log.clear();
    assert_eq!(bench.run("status -b freebox '*' -o json").ends(0).json()["summary"]["total"], 3);
    let states = bench.asked("freebox").iter().filter(|asked| asked.ends_with("/status")).count();
    assert_eq!(states, 1, "{:?}", bench.asked("freebox"));
}

#[test]
fn a_bare_name_is_looked_for_in_every_chosen_backend() {
    let bench = Bench::new();
    // A serial number, by which only the cloud of one of them finds it.
    let item = bench.run("status -A 21500001 -o json").ends(0).item();
    assert_eq!((&item["backend"], &item["target"]["id"]), (&"ixon".into(), &"AAAAAAAAAAAA".into()), "{item}");
    bench.run("status -A nobody-has-this -o json").ends(6).fails("target.not_found");
}
