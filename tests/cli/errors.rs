//! What people read where something is wrong.

use crate::bench::Bench;
use crate::redact::redacted;

fn told(bench: &Bench, lines: &[&str]) -> String {
    let mut out = String::new();
    for line in lines {
        let run = bench.run(line);
        let stderr = redacted(bench, &run.stderr);
        out.push_str(&format!("===== vpnctl {line}\n{}--- {}\n\n", stderr, run.code));
    }
    out
}

#[test]
fn errors_say_what_happened_and_what_to_do() {
    let bench = Bench::new();
    let lines = [
        "status",
        "status --nonsense",
        "status -b nobody",
        "status -b freebx",
        "status -b freebox --fields ip_adress",
        "status -b freebox nobody",
        "status -b freebox 'x*'",
        "status -b everyware 'Lyon pumping station'",
        "status -b everyware gw-turin-04",
        "status -b everyware gw-spare-05",
        "status -b everyware gw-bergen-07",
        "status -b everyware gw-oslo-06",
        "status -b everyware gw-lyon-02 gw-turin-04 gw-oslo-06 --sort -j 1",
        "status -A --state sleeping",
        "connect -b freebox",
        "connect -b everyware",
        "connect -b freebox 'Office PPTP'",
        "connect -b everyware 'gw-lyon-*'",
        "connect -b ixon 'Boiler 3'",
        "connect -b freebox vpn0 --read-only",
        "config init --config vpnctl.toml",
    ];
    insta::assert_snapshot!("errors", told(&bench, &lines));
}

#[test]
fn errors_of_logins_say_what_to_do() {
    let bench = Bench::with_faults(&["freebox:invalid-token", "ixon:token-expired", "everyware:refuse-login"]);
    let lines = [
        "status -b freebox",
        "list -b ixon",
        "status -b everyware",
        "status -b everyware",
        "auth status -A",
        "auth login -b ixon --no-input",
    ];
    insta::assert_snapshot!("login_errors", told(&bench, &lines));
}

#[test]
fn errors_of_attempts_say_why() {
    let bench = Bench::with_faults(&[
        "freebox:tunnel-fails=auth_failed",
        "freebox:no-settings-right",
        "ixon:step-fails=openvpn.connection:203:No route to the agent.",
        "everyware:device-fails=The VPN server is not assigned.",
    ]);
    let lines = [
        "disconnect -b freebox",
        "connect -b ixon 'Press 7'",
        "connect -b everyware gw-lyon-03",
        "connect -b everyware gw-oslo-06",
    ];
    insta::assert_snapshot!("attempt_errors", told(&bench, &lines));
}
