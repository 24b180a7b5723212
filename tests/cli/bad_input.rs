//! What users give wrongly: each has its own code, and nothing is lost.

use crate::bench::Bench;

#[test]
fn an_unknown_flag_is_a_usage_error_in_text_and_json() {
    let bench = Bench::new();
    bench.run("status --nonsense").ends(2).tells("error: unexpected argument '--nonsense'").without_output();
    for line in [
        "status --nonsense -o json",
        "status -o json --nonsense",
        "status --output=json --nonsense",
        "status -ojson --nonsense",
        "status --json --nonsense",
        "status --nonsense -o ndjson",
        "-o json nonsense",
        "status -b freebox --timeout soon -o json",
        "status -b freebox -j 0 -o json",
        "status -b freebox --interval 0 -o json",
        "status -b freebox --rate fast -o json",
    ] {
        let run = bench.run(line).ends(2).without_output();
        let error = run.fails("usage");
        assert_eq!(error["layer"], "usage", "{run}");
        assert_eq!(error["retryable"], false, "{run}");
        assert_eq!(run.stderr.lines().count(), 1, "{run}");
    }
    let by_variable = bench.run_where("VPNCTL_OUTPUT", "json", "status --nonsense").ends(2).without_output();
    by_variable.fails("usage");
    assert_eq!(bench.requests(), 0);
}

#[test]
fn the_object_of_a_usage_error_loses_nothing_of_what_the_text_says() {
    let bench = Bench::new();
    let error = |line: &str| bench.run(&format!("{line} -o json")).ends(2).without_output().fails("usage");
    assert!(error("completion")["message"].as_str().unwrap().contains("<SHELL>"));
    assert!(error("status --nativ")["hint"].as_str().unwrap().contains("'--native'"));
    assert!(error("status -b x -A")["message"].as_str().unwrap().contains("--all"));
    assert!(error("auth")["message"].as_str().unwrap().contains("subcommand"));
    assert!(error("")["message"].as_str().unwrap().contains("subcommand"));
    assert_eq!(error("status --nonsense")["hint"], "to pass '--nonsense' as a value, use '-- --nonsense'");
    assert_eq!(error("status -b freebox --timeout soon")["hint"], "see: vpnctl --help");
}

#[test]
fn value_prints_the_code_of_an_error() {
    let bench = Bench::new();
    for (line, code, word) in [
        ("status --nonsense -o value", 2, "usage"),
        ("status -b nobody -o value", 6, "backend.unknown"),
        ("status -b everyware nobody -o value", 6, "target.not_found"),
    ] {
        let run = bench.run(line).ends(code);
        assert_eq!(run.stderr.lines().last(), Some(word), "{run}");
    }
}

#[test]
fn an_ambiguous_name_lists_its_candidates_and_is_no_guess() {
    let bench = Bench::new();
    for (line, candidates) in [
        ("-b everyware 'Lyon pumping station'", ["-Kf2x0nQbDE (gw-lyon-02)", "_Kf2x0nQbDE (gw-lyon-03)"]),
        (
            "-b ixon Pump",
            ["AAAAAAAAAAAD (Pump, Example Machines, online)", "AAAAAAAAAAAE (Pump, Example Machines, online)"],
        ),
    ] {
        for verb in ["status", "connect", "disconnect", "reconnect"] {
            let run = bench.run(&format!("{verb} {line} -o json")).ends(2);
            let error = run.fails("usage.ambiguous");
            let message = error["message"].as_str().unwrap();
            assert!(candidates.iter().all(|candidate| message.contains(candidate)), "{run}");
            assert_eq!(run.item()["state"], "unknown", "{run}");
        }
    }
    for vendor in ["everyware", "ixon"] {
        assert_eq!(bench.count(vendor, "POST /v1/_/devices") + bench.count(vendor, "POST /connect"), 0);
    }
}

#[test]
fn a_name_in_several_backends_is_ambiguous() {
    let bench = Bench::new();
    let url = bench.url("freebox", "api");
    let text = format!(
        "{}\n[backend.office]\nvendor = \"freebox\"\nurl = \"{url}\"\napp_id = \"org.vpnctl.simulated\"\n\
         app_token = {{ file = \"vpnctl.freebox-app-token\" }}\n",
        bench.config()
    );
    let run = bench.run_by(&text, "status -b freebox -b office Downloads -o json").ends(2);
    let error = run.fails("usage.ambiguous");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("freebox/Downloads") && message.contains("office/Downloads"), "{run}");
    bench.run_by(&text, "status office/Downloads").ends(0);
}

#[test]
fn an_id_that_begins_with_a_dash_is_taken_after_two() {
    let bench = Bench::new();
    let item = bench.run("status -b everyware --id -o json -- -Kf2x0nQbDE").ends(0).item();
    assert_eq!(item["target"]["id"], "-Kf2x0nQbDE");
    assert_eq!(item["state"], "connected");
    let named = bench.run("status -b everyware -o json -- -Kf2x0nQbDE").ends(0).item();
    assert_eq!(named["target"]["name"], "gw-lyon-02");
    let behind = bench.run("status --id -o json everyware/-Kf2x0nQbDE").ends(0).item();
    assert_eq!(behind["target"]["id"], "-Kf2x0nQbDE");
    bench.run("status -b everyware --id _Kf2x0nQbDE").ends(0);
    bench.run("disconnect -b everyware --id -o json -- -Kf2x0nQbDE").ends(0);
    assert_eq!(bench.count("everyware", "POST /v1/_/devices/-Kf2x0nQbDE/vpn/_disconnect"), 1);
    // Without the two dashes it can only be read as flags, which is told.
    bench.run("status -b everyware --id -Kf2x0nQbDE").ends(2).without_output();
}

#[test]
fn an_unknown_target_is_not_found() {
    let bench = Bench::new();
    for vendor in ["freebox", "ixon", "everyware"] {
        for verb in ["status", "connect", "disconnect", "reconnect"] {
            let run = bench.run(&format!("{verb} -b {vendor} nobody -o json")).ends(6);
            let error = run.fails("target.not_found");
            assert_eq!((&error["backend"], &error["target"]), (&vendor.into(), &"nobody".into()), "{run}");
            let hint = error["hint"].as_str().unwrap();
            assert!(hint.starts_with(&format!("list what there is: vpnctl list -b {vendor}")), "{hint}");
        }
    }
    bench.run("disconnect -b freebox").ends(0);
    let run = bench.run("connect -b freebox --id vpn99 -o json").ends(6);
    assert_eq!(run.fails("target.not_found")["vendor_code"], "noent");
    bench.run("connect -b everyware --id AAAAAAAAAAA -o json").ends(6).fails("target.not_found");
}

#[test]
fn a_target_that_is_no_part_of_a_path_stays_one() {
    let bench = Bench::new();
    for id in ["..", ".", "a/../../b", "vpn0?x=1", "vpn0#x", "é"] {
        let run = bench.run(&format!("status -b everyware -o json --id '{id}'"));
        assert!([2, 6].contains(&run.code), "{run}");
        for line in bench.asked("everyware") {
            assert!(!line.starts_with("GET") || line.starts_with("GET /v1/_/devices/"), "{id}: {line}");
        }
    }
}
