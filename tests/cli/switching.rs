//! Switching from one tunnel of a box to another: what came of it is read back and told truthfully.

use crate::bench::Bench;

fn switched(faults: &[&str]) -> (Bench, crate::run::Run) {
    let faults: Vec<String> = faults.iter().map(|fault| format!("freebox:{fault}")).collect();
    let bench = Bench::with_faults(&faults.iter().map(String::as_str).collect::<Vec<_>>());
    let run = bench.run("connect -b freebox vpn0 --switch -o json");
    (bench, run)
}

#[test]
fn a_switch_is_told_as_it_went() {
    for fault in ["slow=1", "keeps-others-active", "put-without-result", "old-last-error=auth_failed"] {
        let (bench, run) = switched(&[fault]);
        let item = run.ends(0).quietly().item();
        assert_eq!((&item["state"], &item["target"]["id"]), (&"connected".into(), &"vpn0".into()), "{fault}");
        let now = bench.run("status -b freebox -o json").ends(0).item();
        assert_eq!((&now["state"], &now["target"]["id"]), (&"connected".into(), &"vpn0".into()), "{fault}");
    }
}

#[test]
fn a_box_that_is_busy_is_told_and_not_asked_again() {
    let (bench, run) = switched(&["activation=busy*1"]);
    let error = run.clone().ends(9).fails("conflict.busy");
    assert_eq!(error["vendor_code"], "busy");
    assert_eq!(bench.count("freebox", "PUT /api/v16/vpn_client/config/vpn0"), 1, "a write is sent once");
    // The other one was taken down for it, and that is told.
    assert_eq!((&run.item()["changed"], &run.item()["state"]), (&true.into(), &"disconnected".into()), "{run}");
    assert_eq!(bench.run("status -b freebox -o json").ends(0).item()["state"], "disconnected");
}

#[test]
fn a_refused_activation_is_told_with_what_it_left() {
    for (fault, code, exit) in [("exist", "conflict.exists", 9), ("inval", "usage", 2), ("odd", "vendor.error", 14)] {
        let (bench, run) = switched(&[&format!("activation={fault}")]);
        run.clone().ends(exit).fails(code);
        assert_eq!((&run.item()["changed"], &run.item()["state"]), (&true.into(), &"disconnected".into()), "{run}");
        assert_eq!(bench.count("freebox", "PUT /api/v16/vpn_client/config/vpn0"), 1, "sent once");
    }
}

#[test]
fn a_new_failure_is_the_attempts_and_an_old_one_is_not() {
    let (bench, run) = switched(&["tunnel-fails=resolv_failed*1", "old-last-error=auth_failed"]);
    let error = run.clone().ends(7).fails("tunnel.resolv_failed");
    assert_eq!((&error["vendor_code"], &run.item()["state"]), (&"resolv_failed".into(), &"failed".into()), "{run}");
    bench.run("disconnect -b freebox").ends(0);
    let item = bench.run("connect -b freebox vpn2 -o json").ends(0).quietly().item();
    assert_eq!(item["state"], "connected", "{item}");
}

#[test]
fn another_one_that_the_box_keeps_active_is_told() {
    let bench = Bench::with_faults(&["freebox:keeps-others-active"]);
    // Somebody else has activated a second one, and the box has left the first active.
    bench.run("api -b freebox PUT vpn_client/config/vpn2 --data '{\"active\":true}'").ends(0);
    bench.until("connected", "status -b freebox vpn2");
    let run = bench.run("connect -b freebox vpn0 --switch").ends(0);
    run.tells("keeps `Downloads` active too").tells("vpn_client/config/vpn1");
    // By itself a connect costs no list.
    bench.run("disconnect -b freebox").ends(0);
    bench.requests();
    bench.run("connect -b freebox --id vpn2 --no-wait").ends(0);
    assert_eq!(bench.asked("freebox").len(), 2);
}
