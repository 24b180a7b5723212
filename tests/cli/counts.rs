//! How many requests a command costs: contract section 8.

use crate::bench::Bench;

/// Runs a line and gives how many requests it made.
#[track_caller]
fn cost(bench: &Bench, line: &str) -> usize {
    bench.requests();
    bench.run(line).ends(0).quietly();
    bench.requests()
}

#[test]
fn a_freebox_costs_four_requests_and_then_one() {
    let bench = Bench::new();
    bench.run("status -b freebox").ends(0);
    let asked = bench.asked("freebox");
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(asked[0].ends_with("/api_version"), "{asked:?}");
    assert!(asked[1].ends_with("/login/"), "{asked:?}");
    assert!(asked[2].ends_with("/login/session/"), "{asked:?}");
    assert!(asked[3].ends_with("/vpn_client/status"), "{asked:?}");
    assert_eq!(cost(&bench, "status -b freebox"), 1);
    assert_eq!(cost(&bench, "status -b freebox --id vpn0"), 1);
}

#[test]
fn an_ixon_client_costs_two_requests_and_then_one() {
    let bench = Bench::new();
    assert_eq!(cost(&bench, "status -b ixon"), 2);
    assert_eq!(cost(&bench, "status -b ixon"), 1);
}

#[test]
fn a_device_by_id_costs_two_requests_and_then_one() {
    let bench = Bench::new();
    assert_eq!(cost(&bench, "status -b everyware --id WyczTs_GuDM"), 2);
    assert_eq!(cost(&bench, "status -b everyware --id WyczTs_GuDM"), 1);
}

#[test]
fn a_device_by_name_costs_three_requests_and_then_one() {
    let bench = Bench::new();
    assert_eq!(cost(&bench, "status -b everyware gw-lyon-02"), 3);
    assert_eq!(cost(&bench, "status -b everyware gw-lyon-02"), 1);
}

#[test]
fn an_account_costs_its_pages() {
    let bench = Bench::new();
    assert_eq!(cost(&bench, "status -b everyware"), 3);
    assert_eq!(cost(&bench, "status -b everyware"), 2);
    let bench = Bench::with_devices(2500);
    assert!(cost(&bench, "status -b everyware") <= 7);
    let run = bench.run("status -b everyware -o json").ends(0);
    assert_eq!(run.json()["summary"]["total"], 2500);
    assert_eq!(bench.count("everyware", "GET /v1/_/devices?"), 3);
    assert!(bench.count("everyware", "GET /v1/_/vpnConnections?") <= 3);
    assert!(bench.requests() <= 6);
}

#[test]
fn a_large_account_costs_twenty_requests_at_most() {
    let bench = Bench::with_devices(10_000);
    bench.run("status -b everyware --id AQ");
    // 6,000 of the devices are connected, and an operator.
    assert_eq!(cost(&bench, "status -b everyware -o ndjson"), 10 + 6);
    // Choosing by a tag costs no more than the list.
    let run = bench.run("list -b everyware -l tag.AQ=true -o json").ends(0);
    assert_eq!(run.json()["summary"]["total"], 1000);
    assert_eq!(bench.requests(), 16);
}

#[test]
fn a_change_costs_a_read_and_a_write() {
    let bench = Bench::new();
    for (vendor, target) in [("freebox", "Downloads"), ("ixon", "'Press 7'"), ("everyware", "gw-lyon-02")] {
        // Names, logins and links are known after these.
        bench.run(&format!("disconnect -b {vendor} {target}")).ends(0);
        bench.run(&format!("connect -b {vendor} {target}")).ends(0);
        assert_eq!(cost(&bench, &format!("disconnect -b {vendor} {target} --no-wait")), 2, "disconnect {vendor}");
        bench.run(&format!("disconnect -b {vendor} {target}")).ends(0);
        assert_eq!(cost(&bench, &format!("connect -b {vendor} {target} --no-wait")), 2, "connect {vendor}");
        // What is so already costs the read alone, once the attempt is over.
        bench.run(&format!("connect -b {vendor} {target}")).ends(0);
        assert_eq!(cost(&bench, &format!("connect -b {vendor} {target}")), 1, "connected {vendor}");
    }
}

#[test]
fn a_command_opens_one_connection_to_a_host() {
    let bench = Bench::new();
    for vendor in ["freebox", "everyware"] {
        let log = &bench.context(vendor).log;
        for line in ["status", "list", "status 'x*'"] {
            log.clear();
            bench.run(&format!("{line} -b {vendor}"));
            assert_eq!(log.connections(), 1, "{line} -b {vendor}");
        }
    }
    bench.run("status -b ixon").ends(0);
    assert_eq!(bench.context("ixon").log.connections(), 1);
}

#[test]
fn a_session_that_ended_is_renewed_once() {
    let bench = Bench::new();
    for vendor in ["freebox", "everyware"] {
        bench.run(&format!("status -b {vendor}")).ends(0);
    }
    bench.fault("freebox", "expire-sessions*1");
    // The refused one, the two of the login, and the one that counts.
    assert_eq!(cost(&bench, "status -b freebox"), 4);
    assert_eq!(cost(&bench, "status -b freebox"), 1);
    bench.fault("everyware", "invalidate-tokens");
    assert_eq!(cost(&bench, "status -b everyware --id WyczTs_GuDM"), 3);
    assert_eq!(cost(&bench, "status -b everyware --id WyczTs_GuDM"), 1);
}
