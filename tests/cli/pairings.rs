//! Pairing with a box: each way in which it ends has its own words and its own remedy.

use crate::bench::Bench;

/// A bench whose box has not been paired with.
fn unpaired(faults: &[&str]) -> Bench {
    let bench = Bench::with_faults(faults);
    let text = bench.config_without(&["app_id", "app_token"]);
    bench.write("vpnctl.toml", &text);
    bench
}

#[test]
fn each_refusal_has_its_own_words_and_remedy() {
    for (fault, word, message, hint) in [
        ("pairing=denied", "denied", "has denied the pairing", "press ▶ or ✓"),
        ("pairing=timeout", "timeout", "before the box gave up", "minute and a half"),
        ("pairing=unknown", "unknown", "does not know this pairing", "vpnctl auth login -b freebox"),
        ("new-apps-denied", "new_apps_denied", "new applications", "nouvelles demandes d'associations"),
        ("denied-from-external-ip", "denied_from_external_ip", "own network", "https://mafreebox.freebox.fr"),
        ("apps-denied", "apps_denied", "no application in", "allow access by applications"),
    ] {
        let bench = unpaired(&[&format!("freebox:{fault}")]);
        let run = bench.run("auth login -b freebox --no-input -o json").ends(4);
        let error = run.fails("auth.denied");
        assert_eq!(error["vendor_code"], word, "{run}");
        assert!(error["message"].as_str().unwrap().contains(message), "{run}");
        assert!(error["hint"].as_str().unwrap().contains(hint), "{run}");
        assert_eq!(bench.count("freebox", "POST /api/v16/login/authorize/"), 1, "asked once");
        bench.run("status -b freebox -o json").ends(4).fails("auth.required");
    }
}

#[test]
fn a_word_that_is_not_documented_is_no_grant() {
    let bench = unpaired(&[]);
    // The answer is no envelope of a pairing's start either, so the first call already ends it.
    bench.fault(
        "freebox",
        "body={\"success\":true,\"result\":{\"app_token\":\"t\",\"track_id\":1,\"status\":\"perhaps\",\
        \"api_version\":\"16.0\"},\"api_version\":\"16.0\",\"api_base_url\":\"/api/\"}",
    );
    let run = bench.run("auth login -b freebox -o json").ends(4);
    let error = run.fails("auth.denied");
    assert!(error["message"].as_str().unwrap().contains("`perhaps`") && error["vendor_code"] == "perhaps", "{run}");
}

#[test]
fn nobody_at_the_button_ends_with_the_time() {
    let bench = unpaired(&["freebox:pairing=pending"]);
    let run = bench.run("auth login -b freebox --timeout 1500ms -o json").ends(4);
    let error = run.fails("auth.pending");
    assert!(error["hint"].as_str().unwrap().contains("--timeout 5m"), "{run}");
}

#[test]
fn a_token_that_is_refused_when_fresh_may_be_the_firmwares_fault() {
    let bench = unpaired(&["freebox:pairing=granted", "freebox:challenge-consumed*1"]);
    let run = bench.run("auth login -b freebox -o json").ends(4);
    assert!(run.fails("auth.rejected")["hint"].as_str().unwrap().contains("4.8.7"), "{run}");
    // It was kept, so after an update it may do, for who asks for a login; by itself it is not sent for now.
    bench.run("status -b freebox").ends(4).tells("so it is not tried again");
    bench.run("auth login -b freebox").ends(0);
    bench.run("status -b freebox").ends(0);
}

#[test]
fn the_token_is_its_owners_alone_and_the_missing_right_is_told_at_once() {
    let bench = unpaired(&["freebox:pairing=granted"]);
    let run = bench.run("auth login -b freebox").ends(0);
    run.clone().tells("`settings` is still missing").tells("http://mafreebox.freebox.fr/#Fbx.os.app.settings.Accounts");
    let file = bench.state().join("freebox.json");
    let token = serde_json::from_str::<serde_json::Value>(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let token = token["app_token"].as_str().unwrap();
    assert!(token.len() > 20 && !run.to_string().contains(token));
    #[cfg(unix)]
    assert_eq!((crate::bench::mode(&file), crate::bench::mode(&bench.state())), (0o600, 0o700));
    // Where it is there, nothing is said of it.
    let bench = unpaired(&["freebox:pairing=granted", "freebox:grant-settings"]);
    let run = bench.run("auth login -b freebox").ends(0);
    assert!(!run.stderr.contains("still missing"), "{run}");
}

#[test]
fn an_iliadbox_is_told_its_own_host() {
    let bench = unpaired(&["freebox:pairing=granted"]);
    let port = bench.url("freebox", "api").rsplit(':').next().unwrap().to_owned();
    let config = format!(
        "[backend.italy]\nvendor = \"freebox\"\nurl = \"http://myiliadbox.iliad.it:{port}\"\n\
         connect_address = \"127.0.0.1\"\n"
    );
    bench.run_by(&config, "auth login -b italy").ends(0).tells("http://myiliadbox.iliad.it/#Fbx");
}

#[test]
fn a_pairing_that_works_is_kept() {
    let bench = unpaired(&["freebox:pairing=granted", "freebox:grant-settings"]);
    bench.run("auth login -b freebox").ends(0);
    bench.run("auth login -b freebox").ends(0).tells("is paired with this box already");
    assert_eq!(bench.count("freebox", "POST /api/v16/login/authorize/"), 1);
}

#[cfg(unix)]
#[test]
fn what_could_not_be_kept_is_not_asked_for() {
    use crate::remembering::after;
    const LOGIN: &str = "auth login -b freebox --no-input -o json";
    // What holds the rest, and not the pairing too, is no room either.
    for limit in ["trap '' XFSZ; ulimit -f 0", "trap '' XFSZ; ulimit -f 1", "ulimit -f 1"] {
        let bench = unpaired(&["freebox:pairing=granted"]);
        let run = after(&bench, limit, LOGIN).ends(13);
        let error = run.fails("config.invalid");
        assert!(error["message"].as_str().unwrap().contains("was not asked for a pairing"), "{run}");
        assert!(error["hint"].as_str().unwrap().contains("VPNCTL_STATE_DIR"), "{run}");
        assert_eq!(bench.count("freebox", "authorize"), 0, "{run}");
        bench.run(LOGIN).ends(0);
        bench.run("status -b freebox").ends(0);
    }
    let bench = unpaired(&["freebox:pairing=granted"]);
    let newer = bench.state().join("freebox.json");
    bench.run("status -b freebox").ends(4);
    std::fs::write(&newer, r#"{"version":2}"#).unwrap();
    bench.run(LOGIN).ends(13).fails("config.invalid");
    std::fs::remove_file(&newer).unwrap();
    crate::bench::set_mode(&bench.state(), 0o777);
    let error = bench.run(LOGIN).ends(13).fails("config.invalid");
    assert!(error["message"].as_str().unwrap().contains("others can write to the state folder"), "{error}");
    std::fs::remove_dir_all(bench.state()).unwrap();
    std::fs::write(bench.state(), "").unwrap();
    bench.run(LOGIN).ends(13).fails("config.invalid");
    assert_eq!(bench.count("freebox", "authorize"), 0);
}
