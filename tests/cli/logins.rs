//! `auth`: pairing, logins by e-mail, password and key, and what is told of each.

use serde_json::Value;

use crate::bench::Bench;

/// The e-mail address that the simulated IXON cloud knows.
const EMAIL: &str = "demo@example.org";
const IXON_PASSWORD: &str = "demo:pässword>>?~";

/// A bench whose box has not been paired with.
fn unpaired(faults: &[&str]) -> Bench {
    let bench = Bench::with_faults(faults);
    let text = bench.config_without(&["app_id", "app_token"]);
    bench.write("vpnctl.toml", &text);
    bench
}

/// A bench whose IXON login is by e-mail.
fn by_mail(faults: &[&str]) -> Bench {
    let mut bench = Bench::with_faults(faults);
    let text = bench.config_without(&["token = { file"]);
    bench.write("vpnctl.toml", &text);
    bench.set("VPNCTL_BACKEND_IXON_EMAIL", EMAIL);
    bench
}

/// A bench whose Everyware configuration holds no password.
fn without_password() -> Bench {
    let bench = Bench::new();
    let text = bench.config_without(&["password ="]);
    bench.write("vpnctl.toml", &text);
    bench
}

fn kept(bench: &Bench, vendor: &str) -> Value {
    let text = std::fs::read_to_string(bench.state().join(format!("{vendor}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_box_is_paired_with_and_tells_which_right_is_missing() {
    let bench = unpaired(&["freebox:pairing=granted:1"]);
    bench.run("status -b freebox -o json").ends(4).fails("auth.required");
    let missing = bench.run("auth status -b freebox -o json").ends(4);
    assert_eq!(missing.item()["login"], "missing");
    missing.fails("auth.required");
    let run = bench.run("auth login -b freebox --no-input -o json").ends(0);
    run.clone().tells("press ").tells("The right `settings` is still missing").tells("Gestion des accès");
    let item = run.item();
    assert_eq!(item["login"], "ok");
    assert!(!item["rights"].as_array().unwrap().contains(&"settings".into()), "{run}");
    bench.run("status -b freebox").ends(0).quietly();
    let told = bench.run("connect -b freebox vpn0 --switch -o json").ends(11);
    assert!(told.fails("auth.forbidden")["hint"].as_str().unwrap().contains("Gestion des accès"), "{told}");
    // What is ticked on the box counts without another pairing.
    bench.fault("freebox", "grant-settings");
    bench.run("connect -b freebox vpn0 --switch").ends(0);
    bench.run("auth status -b freebox").ends(0).prints("ok");
    bench.run("auth logout -b freebox").ends(0);
    bench.run("status -b freebox -o json").ends(4).fails("auth.required");
    bench.run("auth logout -b freebox").ends(0);
}

#[test]
fn a_pairing_that_is_not_granted_says_so() {
    for (faults, word) in [
        (&["freebox:pairing=denied:0"][..], "denied"),
        (&["freebox:pairing=timeout:0"], "pressed the button"),
        (&["freebox:new-apps-denied"], "does not let new applications pair"),
        (&["freebox:apps-denied"], "lets no application in"),
        (&["freebox:denied-from-external-ip"], "own network"),
    ] {
        let bench = unpaired(faults);
        let run = bench.run("auth login -b freebox -o json").ends(4);
        let error = run.fails("auth.denied");
        assert!(error["message"].as_str().unwrap().contains(word), "{run}");
        assert!(!error["hint"].is_null(), "{run}");
        assert_eq!(bench.run("auth status -b freebox -o json").ends(4).item()["login"], "missing");
    }
    let bench = unpaired(&["freebox:pairing=pending"]);
    bench.run("auth login -b freebox --timeout 300ms -o json").ends(4).fails("auth.pending");
}

#[test]
fn a_token_of_the_users_own_is_proved_and_not_paired() {
    let bench = Bench::new();
    bench.run("auth login -b freebox -o json").ends(0);
    assert_eq!(bench.count("freebox", "POST /api/v8/login/authorize"), 0);
    assert!(!bench.asked("freebox").iter().any(|line| line.contains("authorize")));
    bench.fault("freebox", "invalid-token");
    let run = bench.run("auth status -b freebox -o json").ends(4);
    assert_eq!(run.item()["login"], "expired");
    run.fails("auth.rejected");
}

#[test]
fn ixon_takes_password_and_one_time_password_by_standard_input() {
    let bench = by_mail(&["ixon:otp-needed"]);
    let missing = bench.run("auth status -b ixon -o json").ends(4);
    assert_eq!(missing.item()["login"], "missing");
    let alone = bench.run_with("auth login -b ixon --password-stdin -o json", &format!("{IXON_PASSWORD}\n")).ends(4);
    alone.fails("auth.mfa_required");
    let both = format!("{IXON_PASSWORD}\n123456\n");
    let run = bench.run_with("auth login -b ixon --password-stdin --otp-stdin -o json", &both).ends(0).quietly();
    let item = run.item();
    assert_eq!((&item["login"], &item["account"]), (&"ok".into(), &EMAIL.into()), "{run}");
    assert!(item["expires_at"].is_string(), "{run}");
    bench.run("list -b ixon").ends(0).prints("Press 7");
    bench.run("auth status -b ixon").ends(0).prints(EMAIL);
    bench.run("auth logout -b ixon").ends(0);
    assert_eq!(bench.count("ixon", "DELETE /api/access-tokens/me"), 1);
    bench.run("list -b ixon -o json").ends(4).fails("auth.required");
}

#[test]
fn a_wrong_password_of_ixon_is_refused_once() {
    let bench = by_mail(&[]);
    let run = bench.run_with("auth login -b ixon --password-stdin -o json", "wrong-canary\n").ends(4);
    run.fails("auth.rejected");
    assert!(!run.to_string().contains("wrong-canary"), "{run}");
    assert_eq!(bench.count("ixon", "POST /api/access-tokens"), 1);
    bench.run_with("auth login -b ixon --password-stdin", "").ends(2).tells("empty");
    bench.run("auth login -b ixon -o json").ends(2).fails("usage");
}

#[test]
fn everyware_takes_an_api_key_and_keeps_it() {
    let bench = without_password();
    bench.run("status -b everyware -o json").ends(4).fails("auth.required");
    assert_eq!(bench.run("auth status -b everyware -o json").ends(4).item()["login"], "missing");
    let key = format!("{}\n", vpnctl::simulate::everyware::API_KEY);
    let run = bench.run_with("auth login -b everyware --api-key-stdin -o json", &key).ends(0).quietly();
    assert_eq!(run.item()["login"], "ok");
    bench.run("status -b everyware").ends(0);
    let status = bench.run("auth status -b everyware -o json").ends(0).item();
    assert!(status["rights"].as_array().unwrap().contains(&"vpn:connect".into()), "{status}");
    // A token that has ended is followed by another one, with the key that was kept.
    bench.fault("everyware", "invalidate-tokens");
    bench.run("status -b everyware").ends(0);
    bench.run("auth logout -b everyware").ends(0);
    assert_eq!(bench.count("everyware", "POST /v1/authentication/logout"), 1);
    bench.run("status -b everyware -o json").ends(4).fails("auth.required");
    assert!(!kept(&bench, "everyware").to_string().contains(key.trim()));
}

#[test]
fn everyware_takes_a_password_and_a_code() {
    let bench = without_password();
    let password = format!("{}\n", vpnctl::simulate::everyware::PASSWORD);
    let run = bench.run_with("auth login -b everyware --password-stdin -o json", &password).ends(0).quietly();
    assert_eq!(run.item()["account"], "operator");
    bench.run("status -b everyware").ends(0);
    let mut bench = without_password();
    bench.set("VPNCTL_BACKEND_EVERYWARE_USERNAME", vpnctl::simulate::everyware::MFA_USERNAME);
    let password = vpnctl::simulate::everyware::MFA_PASSWORD;
    let alone = bench.run_with("auth login -b everyware --password-stdin -o json", &format!("{password}\n")).ends(4);
    alone.fails("auth.mfa_required");
    let both = format!("{password}\n{}\n", vpnctl::simulate::everyware::MFA_CODE);
    bench.run_with("auth login -b everyware --password-stdin --otp-stdin", &both).ends(0);
    bench.run("status -b everyware").ends(0);
}

#[test]
fn a_refused_login_of_everyware_is_not_sent_a_second_time() {
    let mut bench = Bench::new();
    bench.set("VPNCTL_BACKEND_EVERYWARE_PASSWORD", "wrong-canary");
    let sent = |bench: &Bench| bench.count("everyware", "POST /v1/authentication/user");
    bench.run("status -b everyware -o json").ends(4).fails("auth.rejected");
    assert_eq!(sent(&bench), 1);
    for line in
        ["status -b everyware", "list -b everyware", "connect -b everyware gw-lyon-03", "status -A --timeout 3s"]
    {
        let run = bench.run(line);
        assert!([4, 10].contains(&run.code), "{run}");
        run.tells("so it is not tried again");
    }
    assert_eq!(sent(&bench), 1, "three refusals lock a user for three hours");
    bench.run("auth status -b everyware").ends(4);
    assert_eq!(sent(&bench), 1);
    // Who asks for a login by that verb has it sent where it is another one.
    bench.run("auth login -b everyware").ends(4).tells("refused this login 0 min ago");
    assert_eq!(sent(&bench), 1);
    bench.set("VPNCTL_BACKEND_EVERYWARE_PASSWORD", "wrong-canary-too");
    bench.run("auth login -b everyware").ends(4);
    assert_eq!(sent(&bench), 2);
    // A third refusal would lock the user, whatever the secret, so the next one is sent where somebody asks for it.
    bench.set("VPNCTL_BACKEND_EVERYWARE_PASSWORD", vpnctl::simulate::everyware::PASSWORD);
    bench.run("status -b everyware -o json").ends(4).fails("auth.rejected");
    assert_eq!(sent(&bench), 2);
    bench.run("auth login -b everyware").ends(0);
    bench.run("status -b everyware").ends(0);
}

#[test]
fn who_logs_out_may_send_again_what_was_refused() {
    let bench = Bench::new();
    bench.fault("everyware", "refuse-login*1");
    for _ in 0..3 {
        let run = bench.run("auth login -b everyware").ends(4);
        assert!(run.stderr.contains("three refusals lock"), "{run}");
    }
    assert_eq!(bench.count("everyware", "POST /v1/authentication/user"), 1);
    bench.run("auth logout -b everyware").ends(0);
    bench.run("auth login -b everyware").ends(0);
    let mut bench = by_mail(&[]);
    bench.set("VPNCTL_BACKEND_IXON_PASSWORD", "wrong");
    for code in 1..=3 {
        let run = bench.run("auth login -b ixon").ends(4);
        assert_eq!(run.stderr.contains("vpnctl auth logout -b ixon, then"), code > 1, "{run}");
    }
    assert_eq!(bench.count("ixon", "POST /api/access-tokens"), 1);
    bench.run("auth logout -b ixon").ends(0);
    bench.run("auth login -b ixon").ends(4);
    assert_eq!(bench.count("ixon", "POST /api/access-tokens"), 2);
    bench.set("VPNCTL_BACKEND_IXON_PASSWORD", IXON_PASSWORD);
    bench.run("auth login -b ixon").ends(0);
}

#[test]
fn another_secret_is_tried_after_one_refusal() {
    let mut bench = Bench::new();
    bench.set("VPNCTL_BACKEND_EVERYWARE_PASSWORD", "wrong-canary");
    bench.run("status -b everyware -o json").ends(4).fails("auth.rejected");
    bench.set("VPNCTL_BACKEND_EVERYWARE_PASSWORD", vpnctl::simulate::everyware::PASSWORD);
    bench.run("status -b everyware").ends(0);
}

#[test]
fn the_logins_of_all_are_shown_together() {
    let bench = Bench::new();
    let run = bench.run("auth status -A -o json").ends(0).quietly();
    assert!(run.items().iter().all(|item| item["login"] == "ok"), "{run}");
    let keys: Vec<String> = run.items()[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["backend", "vendor", "login", "account", "expires_at", "rights"]);
    bench.fault("ixon", "token-expired");
    let run = bench.run("auth status -A -o json");
    assert_eq!(run.items().iter().filter(|item| item["login"] == "expired").count(), 1, "{run}");
    // One missing or expired login is what this verb is there to tell: contract section 2.
    assert_eq!(run.code, 4, "{run}");
}
