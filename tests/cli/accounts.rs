//! Accounts of a cloud with child accounts, by the binary: scopes, names, lists, and what goes wrong with them.

use serde_json::Value;

use crate::bench::Bench;

const CHILD: &str = "Ai9_3Q";

fn scoped(scope: &str, faults: &[&str]) -> Bench {
    let mut bench = Bench::with_faults(faults);
    bench.set("VPNCTL_BACKEND_EVERYWARE_SCOPE", scope);
    bench
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["target"]["name"].as_str().unwrap_or_default()).collect()
}

/// Counts the writes to devices.
fn writes(bench: &Bench) -> usize {
    bench.asked("everyware").iter().filter(|line| line.starts_with("POST") && line.contains("/vpn/")).count()
}

#[test]
fn a_child_account_is_a_scope_by_its_name() {
    let bench = scoped("acme-north", &[]);
    let run = bench.run("list -b everyware -o json").ends(0).quietly();
    assert_eq!(names(&run.items()), ["gw-north-01", "gw-north-02"]);
    assert!(run.items().iter().all(|item| item["labels"]["account"] == "acme-north"), "{run}");
    let keys: Vec<String> = run.items()[0]["target"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["kind", "id", "name", "type"]);
    bench.requests();
    bench.run("status -b everyware --id Ai9_3gE").ends(0).quietly();
    assert_eq!(bench.requests(), 1, "the account is remembered");
    bench.run("connect -b everyware gw-north-02").ends(0).quietly();
    bench.run("disconnect -b everyware 'Narvik port'").ends(0).quietly();
    let run = bench.run("status -b everyware gw-lyon-02 -o json").ends(6);
    run.fails("target.not_found");
}

#[test]
fn an_account_that_is_none_is_a_wrong_configuration() {
    let bench = scoped("acme-nroth", &[]);
    let run = bench.run("status -b everyware -o json").ends(13);
    let error = run.fails("config.invalid");
    let message = error["message"].as_str().unwrap();
    for part in ["VPNCTL_BACKEND_EVERYWARE_SCOPE", "`scope`", "`everyware`", "acme-inc, acme-north"] {
        assert!(message.contains(part), "{part}: {run}");
    }
    assert!(error["hint"].as_str().unwrap().contains("did you mean `acme-north`?"), "{run}");
    bench.run("connect -b everyware gw-north-01 -o json").ends(13).fails("config.invalid");
    assert_eq!(writes(&bench), 0);
}

#[test]
fn child_accounts_are_listed_on_demand() {
    let bench = Bench::with_faults(&["everyware:deep-accounts"]);
    assert_eq!(bench.run("list -b everyware -o json").ends(0).items().len(), 7);
    let run = bench.run("list -b everyware --recursive -o json").ends(0).quietly();
    let items = run.items();
    assert_eq!(names(&items)[7..], ["gw-north-01", "gw-north-02"]);
    assert_eq!(
        (&items[0]["labels"]["account"], &items[8]["labels"]["account"]),
        (&"acme-inc".into(), &"acme-north".into())
    );
    let run = bench.run("list -b everyware --recursive -l account=acme-north -o value").ends(0).quietly();
    assert_eq!(run.stdout, "Ai9_3gE\nAi9_3gI\n");
    let run =
        bench.run("status -b everyware --recursive -l account=acme-north,account!=acme-inc -o json").ends(0).quietly();
    assert_eq!(names(&run.items()), ["gw-north-01", "gw-north-02"]);
    bench.run("list -b everyware --recursive -l account=acme-lost").ends(6);
    let run = bench.run("status -A --recursive -o json").ends(0).quietly();
    assert_eq!(run.items().len(), 11, "{run}");
}

#[test]
fn each_device_is_asked_in_its_own_account() {
    let bench = Bench::with_faults(&["everyware:all-online"]);
    let run = bench.run("status -b everyware --recursive --live -o json").ends(0).quietly();
    assert_eq!(run.items().len(), 9);
    assert!(run.items().iter().all(|item| item["source"] == "device"), "{run}");
    assert_eq!(bench.count("everyware", &format!("GET /v1/{CHILD}/devices/Ai9_3gE/vpn")), 1);
    assert_eq!(bench.count("everyware", &format!("GET /v1/{CHILD}/devices/Ai9_3gI/vpn")), 1);
    let run = bench.run("status -b everyware --recursive --sort gw-north-01 'gw-lyon-*' -o json").ends(0).quietly();
    assert_eq!(names(&run.items()), ["gw-lyon-02", "gw-lyon-03", "gw-north-01"]);
    bench.requests();
    bench.run("status -b everyware --recursive gw-north-01").ends(0).quietly();
    assert_eq!(bench.requests(), 1);
}

#[test]
fn a_device_of_a_child_account_is_not_found_without_a_word_about_that() {
    let bench = Bench::new();
    for line in ["status -b everyware gw-north-01 -o json", "connect -b everyware gw-north-01 -o json"] {
        let run = bench.run(line).ends(6);
        let hint = run.fails("target.not_found")["hint"].clone();
        assert!(hint.as_str().unwrap().contains("--recursive") && hint.as_str().unwrap().contains("`scope`"), "{run}");
    }
    let run = bench.run("status -b everyware gw-lyon-04 -o json").ends(6);
    assert!(run.fails("target.not_found")["hint"].as_str().unwrap().contains("did you mean gw-lyon-02"), "{run}");
}

#[test]
fn an_ambiguous_name_shows_what_tells_its_devices_apart() {
    let bench = Bench::new();
    let run = bench.run("status -b everyware 'Lyon pumping station' -o json").ends(2);
    let error = run.fails("usage.ambiguous");
    let message = error["message"].as_str().unwrap();
    for part in
        ["-Kf2x0nQbDE (gw-lyon-02), -529183095395423183, \"Lyon pumping station\"; ", "_Kf2x0nQbDE (gw-lyon-03)"]
    {
        assert!(message.contains(part), "{run}");
    }
    bench.run("connect -b everyware 'Lyon pumping station' -o json").ends(2).fails("usage.ambiguous");
    assert_eq!(writes(&bench), 0);
    bench.run("status -b everyware --id -- -Kf2x0nQbDE").ends(0).quietly();
    bench.run("status -b everyware --id -- _Kf2x0nQbDE").ends(0).quietly();
    bench.run("status -b everyware --id -- -529183095395423183").ends(0).quietly();
    bench.run("status -b everyware -- 6568274995129530419").ends(0).quietly();
}

#[test]
fn an_account_that_is_forbidden_is_told_and_hides_no_other() {
    let bench = Bench::with_faults(&["everyware:http-status=403@/Ai9_3Q/devices"]);
    let run = bench.run("list -b everyware --recursive -o json").ends(10);
    assert_eq!(run.json()["summary"]["by_code"]["auth.forbidden"], 1, "{run}");
    let items = run.items();
    let lost: Vec<&Value> = items.iter().filter(|item| item["target"].is_null()).collect();
    assert_eq!((items.len(), lost.len()), (8, 1), "{run}");
    let message = lost[0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("account acme-north (Ai9_3Q = 36667357)"), "{run}");
    let run = bench.run("status -b everyware --recursive -o json").ends(10);
    let items = run.items();
    let lost: Vec<&Value> = items.iter().filter(|item| !item["error"].is_null()).collect();
    assert_eq!((items.len(), lost.len()), (8, 1), "{run}");
    assert_eq!((&lost[0]["state"], &lost[0]["target"]), (&"unknown".into(), &Value::Null), "{run}");
    assert!(lost[0]["error"]["message"].as_str().unwrap().contains("acme-north"), "{run}");
    // What could not be read might have been selected.
    let run = bench.run("status -b everyware --recursive --state connected -o json").ends(10);
    assert_eq!(run.json()["summary"]["ok"], 2, "{run}");
}

#[test]
fn without_the_servers_list_that_is_told_once_and_devices_are_asked() {
    let bench = Bench::with_faults(&["everyware:no-permission=vpn:read", "everyware:all-online"]);
    let run = bench.run("list -b everyware --recursive -o json").ends(0).tells("states are left out");
    assert_eq!(run.stderr.lines().count(), 1, "{run}");
    assert!(run.items().iter().all(|item| item["state"].is_null()), "{run}");
    let run = bench.run("status -b everyware --recursive -o json").ends(0);
    assert_eq!(run.items().len(), 9, "{run}");
    assert!(run.items().iter().all(|item| item["source"] == "device"), "{run}");
}

#[test]
fn servers_and_profiles_are_reached_by_raw_calls() {
    for scope in ["_", "acme-north"] {
        let bench = scoped(scope, &[]);
        let run = bench.run("api -b everyware GET _/vpnServers").ends(0).quietly();
        assert!(run.json()["items"][0]["host"].is_string(), "{run}");
        let run = bench.run("api -b everyware GET /_/vpnServers/_configurations").ends(0).quietly();
        assert!(run.json()["items"][0]["configurationFile"].as_str().unwrap().contains("client"), "{run}");
        let asked = bench.asked("everyware");
        assert_eq!(
            asked[1..],
            ["GET /v1/_/vpnServers", "GET /v1/_/vpnServers/_configurations"],
            "`_` is sent as it is"
        );
    }
}

#[test]
fn the_vendors_document_of_a_device_is_shown_on_demand() {
    let bench = Bench::new();
    let item = bench.run("status -b everyware gw-lyon-02 --native -o json").ends(0).quietly().item();
    assert_eq!(item["native"]["connected"], true, "{item}");
    assert_eq!(item["native"]["ipAddress"], item["ip_address"]);
    assert!(bench.run("status -b everyware gw-lyon-02 -o json").ends(0).item()["native"].is_null());
}

#[test]
fn a_write_whose_answer_is_lost_is_sent_once_and_the_state_is_read() {
    for fault in
        ["timeout-but-done*1", "proxy-page=502@_connect*1", "proxy-page=503@_connect*1", "proxy-page=504@_connect*1"]
    {
        let bench = Bench::new();
        bench.run("status -b everyware gw-lyon-03").ends(0);
        bench.fault("everyware", fault);
        bench.context("everyware").log.clear();
        let item = bench.run("connect -b everyware gw-lyon-03 -o json").ends(0).item();
        assert_eq!((&item["state"], &item["changed"]), (&"connected".into(), &true.into()), "{fault}: {item}");
        let asked = bench.asked("everyware");
        let methods: Vec<&str> = asked.iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(methods, ["GET", "POST", "GET"], "{fault}: {asked:?}");
    }
    // Not done: the state that was read is told, and that it is not known what will come of it.
    for fault in
        ["device-timeout=gw-lyon-03", "http-status=504@_connect", "http-status=500@_connect", "slow=2000@_connect"]
    {
        let bench = Bench::new();
        bench.run("status -b everyware gw-lyon-03").ends(0);
        bench.fault("everyware", fault);
        bench.context("everyware").log.clear();
        let line = "connect -b everyware gw-lyon-03 --request-timeout 300ms --timeout 10s -o json";
        let run = bench.run(line);
        assert_eq!(run.code, if fault.starts_with("device-timeout") { 5 } else { 8 }, "{fault}: {run}");
        assert!(writes(&bench) <= 1, "{fault}: {run}");
        if run.code == 8 {
            run.fails("timeout.unknown_outcome");
            assert_eq!(run.item()["state"], "disconnected", "{fault}: {run}");
            // A request that nobody waits for any more has no answer, and so no line in the log.
            assert!(writes(&bench) == 1 || fault.starts_with("slow"), "{fault}: {run}");
        }
    }
}

#[test]
fn a_connect_that_says_not_yet_is_waited_for() {
    for fault in ["connect-late=3", "not-connected-answer", "empty=_connect"] {
        let bench = Bench::new();
        bench.run("status -b everyware gw-lyon-03").ends(0);
        bench.fault("everyware", fault);
        let run = bench.run("connect -b everyware gw-lyon-03 --timeout 2s -o json");
        // An empty answer of this simulator means that the device was not told.
        assert_eq!(run.code, if fault.starts_with("empty") { 8 } else { 0 }, "{fault}: {run}");
        assert_eq!(writes(&bench), 1, "{fault}");
    }
}

#[test]
fn processes_of_several_backends_with_one_user_are_refused_once() {
    let mut bench = Bench::new();
    let text = bench.config();
    let part: Vec<&str> = text.split("[backend.").filter(|part| part.starts_with("everyware]")).collect();
    let more: String = ["north", "south"]
        .iter()
        .map(|name| format!("[backend.{}", part[0].replacen("everyware]", &format!("{name}]"), 1)))
        .collect();
    bench.write("vpnctl.toml", &format!("{text}\n{more}"));
    for name in ["EVERYWARE", "NORTH", "SOUTH"] {
        bench.set(&format!("VPNCTL_BACKEND_{name}_PASSWORD"), "wrong-canary");
    }
    let children: Vec<_> = ["everyware", "north", "south", "everyware", "north", "south"]
        .iter()
        .map(|name| bench.start(&format!("status -b {name} -o json")))
        .collect();
    for child in children {
        crate::run::Run::end_of(child, "status".to_owned()).ends(4).fails("auth.rejected");
    }
    assert_eq!(bench.count("everyware", "POST /v1/authentication/user"), 1, "three refusals lock the user");
}

#[test]
fn a_second_factor_is_given_once_a_month() {
    let mut bench = Bench::new();
    bench.set("VPNCTL_BACKEND_EVERYWARE_USERNAME", vpnctl::simulate::everyware::MFA_USERNAME);
    bench.set("VPNCTL_BACKEND_EVERYWARE_PASSWORD", vpnctl::simulate::everyware::MFA_PASSWORD);
    let run = bench.run("status -b everyware -o json").ends(4);
    let hint = run.fails("auth.mfa_required")["hint"].clone();
    assert!(hint.as_str().unwrap().contains("vpnctl auth login -b everyware"), "{run}");
    let code = format!("{}\n", vpnctl::simulate::everyware::MFA_CODE);
    let item = bench.run_with("auth login -b everyware --otp-stdin -o json", &code).ends(0).quietly().item();
    assert!(item["expires_at"].is_string(), "{item}");
    bench.fault("everyware", "invalidate-tokens");
    bench.run("status -b everyware").ends(0).quietly();
    let run = bench.run("auth status -b everyware -v -o json").ends(0);
    assert_eq!(run.item()["login"], "ok");
    run.tells("renewed by itself");
    bench.run("auth logout -b everyware").ends(0);
    bench.run("status -b everyware -o json").ends(4).fails("auth.mfa_required");
}
