//! `settings`, waking, explanations and warnings of the VPN client on this computer, as its users see them.

use serde_json::json;

use crate::bench::Bench;
use crate::stranger::Stranger;

fn writes(bench: &Bench) -> Vec<String> {
    bench.asked("ixon").into_iter().filter(|line| !line.starts_with("GET ")).collect()
}

#[test]
fn settings_are_shown_whole_and_by_field() {
    let bench = Bench::new();
    let run = bench.run("settings show -b ixon -o json").ends(0).quietly();
    assert_eq!(run.json()["schema"], "vpnctl.settings/v1");
    let item = run.item();
    assert_eq!((&item["backend"], &item["settings"]["simulatedConnectionType"]), (&json!("ixon"), &json!("tap")));
    let run = bench.run("settings show -b ixon -o value --fields settings.simulatedConnectionType").ends(0).quietly();
    assert_eq!(run.stdout, "tap\n");
    bench.run("settings show -b ixon").ends(0).prints("simulatedConnectionType=tap");
    bench.run("settings show -b ixon --fields setting.x -o json").ends(2).fails("usage");
}

#[test]
fn a_change_needs_a_yes_and_is_read_back() {
    let bench = Bench::new();
    let set = "settings set -b ixon simulatedConnectionType=tun simulatedTapAdapter.automatic=false";
    let error = bench.run(&format!("{set} -o json")).ends(2).without_output().fails("usage");
    assert!(error["hint"].as_str().unwrap().contains("--yes"), "{error}");
    bench.run("settings reset -b ixon -o json").ends(2).without_output().fails("usage");
    assert_eq!(bench.requests(), 0, "nothing is asked before it is confirmed");

    let run = bench.run(&format!("{set} --dry-run -o json")).ends(0);
    let run = run.tells("dry run: would set simulatedConnectionType: \"tap\" → \"tun\"");
    assert_eq!(run.item()["settings"]["simulatedConnectionType"], "tap");
    assert_eq!(writes(&bench), Vec::<String>::new());

    let run = bench.run(&format!("{set} --yes -o json")).ends(0).tells("documents no method");
    let run = run.tells("set simulatedTapAdapter.automatic: true → false");
    assert_eq!(run.item()["settings"]["simulatedTapAdapter"], json!({"automatic": false}));
    assert_eq!(writes(&bench), ["PUT /configuration"]);
    bench.run(&format!("{set} --yes")).ends(0).tells("nothing differs");
    assert_eq!(writes(&bench), ["PUT /configuration"]);

    let run = bench.run("settings reset -b ixon -y -o json").ends(0).tells("documents no method");
    assert_eq!(run.item()["settings"]["simulatedConnectionType"], "tap");
    assert_eq!(writes(&bench), ["PUT /configuration", "POST /configuration/reset"]);
}

#[test]
fn guards_and_harmful_values_refuse_before_any_request() {
    let bench = Bench::new();
    for line in ["settings set -b ixon simulatedProxyServer=x --yes", "settings reset -b ixon --yes"] {
        bench.run(&format!("{line} --read-only -o json")).ends(9).without_output().fails("conflict.guard");
        let run = bench.run_where("VPNCTL_BACKEND_IXON_READ_ONLY", "true", &format!("{line} -o json"));
        run.ends(9).without_output().fails("conflict.guard");
    }
    for value in ["'simulatedProxyServer=a\nup /tmp/x'", "'simulatedProxyServer=\"a\\nb\"'", "'a\nb=x'", "noequals"] {
        bench.run(&format!("settings set -b ixon {value} --yes -o json")).ends(2).without_output().fails("usage");
    }
    bench.run("settings set -A x=y --yes -o json").ends(2).fails("usage");
    for line in ["show", "set x=y --yes", "reset --yes"] {
        bench.run(&format!("settings {line} -b freebox -o json")).ends(12).fails("unsupported");
    }
    assert_eq!(bench.requests(), 0);
    let error = bench.run("settings set -b ixon simulatedProxyServr=x --yes -o json").ends(2).fails("usage");
    assert!(error["hint"].as_str().unwrap().contains("simulatedProxyServer"), "{error}");
    assert_eq!(writes(&bench), Vec::<String>::new());
}

#[test]
fn what_a_write_of_unknown_outcome_left_is_read_and_told() {
    let bench = Bench::new();
    bench.run("settings show -b ixon").ends(0);
    let set = "settings set -b ixon simulatedConnectionType=tun --yes";
    for (line, write, told) in [
        (set, "PUT /configuration", "it shows `simulatedConnectionType` as before"),
        ("settings reset -b ixon --yes", "POST /configuration", "they are what they were"),
    ] {
        for fault in ["http-status=504", "http-status=408", "redirect=http://192.0.2.1/"] {
            bench.requests();
            bench.fault("ixon", &format!("{fault}@{write}"));
            let run = bench.run(&format!("{line} -o json")).ends(8);
            bench.context("ixon").faults.clear_all();
            assert_eq!(writes(&bench).len(), 1, "{run}");
            let error = run.fails("timeout.unknown_outcome");
            assert!(error["message"].as_str().unwrap().ends_with(&format!("; {told}")), "{run}");
            assert!(error["hint"].as_str().unwrap().contains("look with: vpnctl settings show -b ixon"), "{run}");
        }
    }
}

#[test]
fn secrets_in_settings_are_masked_and_written_back_untouched() {
    let bench = Bench::new();
    let whole = r#"{"proxyPassword":"hunter2","proxy":"http://me:hunter2@proxy:1/","type":"tap"}"#;
    bench.run(&format!("api -b ixon PUT Configuration --data '{whole}'")).ends(0);
    for output in ["json", "yaml", "csv", "table"] {
        let run = bench.run(&format!("settings show -b ixon -o {output}")).ends(0).prints("***");
        assert!(!run.stdout.contains("hunter2"), "{run}");
    }
    let run = bench.run("settings set -b ixon type=tun proxyPassword=hunter3 --yes -o json -vvv").ends(0);
    assert!(!format!("{run}").replace("proxyPassword=hunter3", "").contains("hunter"), "{run}");
    let raw = bench.run("api -b ixon GET Configuration").ends(0).json();
    assert_eq!((&raw["proxyPassword"], &raw["type"]), (&json!("hunter3"), &json!("tun")));
    assert_eq!(raw["proxy"], "http://me:hunter2@proxy:1/");
}

/// Whether the client hides secrets is not known, so one that does is no liar.
#[test]
fn a_secret_that_the_client_hides_is_told_before_it_is_sent_back() {
    let hidden = Stranger::answering(|_, path| match path {
        "/" => json!({"links": [{"rel": "Configuration", "href": "/configuration"}]}).into(),
        _ => json!({"proxyPassword": "•••", "type": "tap"}).into(),
    });
    for (line, exit, sent_back) in [
        ("settings set -b ixon type=tun --yes", 14, true),
        ("settings set -b ixon type=tun --dry-run", 0, true),
        ("settings set -b ixon proxyPassword=hunter2 --yes", 0, false),
    ] {
        let run = hidden.run(line).ends(exit);
        assert_eq!(run.stderr.contains("does not show `proxyPassword`, so"), sent_back, "{run}");
        assert_eq!(run.stderr.contains("does not show `proxyPassword` as it was set"), !sent_back, "{run}");
    }
}

#[test]
fn a_router_whose_vpn_is_off_is_said_and_woken() {
    let bench = Bench::new();
    let error = bench.run("connect -b ixon 'Press 8' -o json").ends(7).fails("tunnel.step_failed");
    assert!(error["message"].as_str().unwrap().contains("own VPN is off"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("vpnctl connect --wake \"ixon/Press 8\""), "{error}");
    assert_eq!(error["vendor_code"], "201");
    let error = bench.run("connect -b ixon 'Boiler 3' --switch -o json").ends(7).fails("tunnel.step_failed");
    assert!(error["message"].as_str().unwrap().contains("router is offline"), "{error}");
    bench.run("connect -b ixon 'Boiler 3' --wake --switch -o json").ends(5).fails("device.offline");
    let item = bench.run("connect -b ixon 'Press 8' --wake --switch -o json").ends(0).item();
    assert_eq!((&item["state"], &item["changed"]), (&json!("connected"), &json!(true)));
    // A router that can't be woken costs nobody the tunnel that is up.
    let run = bench.run("connect -b ixon 'Boiler 3' --wake --switch -o json").ends(5);
    run.fails("device.offline");
    assert_eq!(run.item()["changed"], json!(false));
    assert_eq!(bench.run("status -b ixon -o json").ends(0).item()["target"]["name"], "Press 8");
}

#[test]
fn a_router_of_which_nobody_knows_whether_it_was_woken_is_looked_at_and_told() {
    let bench = Bench::new();
    for line in ["connect -b ixon 'Press 8' --wake -o json", "with 'ixon/Press 8' --wake -o json -- true"] {
        bench.run("list -b ixon").ends(0);
        bench.context("ixon").log.clear();
        bench.fault("ixon", "http-status=504@/connection");
        bench.fault("ixon", "cloud-status=403@/agents");
        let with = line.starts_with("with");
        let run = bench.run(line).ends(if with { 125 } else { 8 });
        let error = run.fails("timeout.unknown_outcome");
        assert!(error["hint"].as_str().unwrap().contains("vpnctl list -b ixon -l vpn=on"), "{error}");
        assert_eq!((&error["target"], &error["retryable"]), (&json!("Press 8"), &json!(true)), "{error}");
        assert_eq!((bench.count("ixon", "POST /api/agents/"), bench.count("ixon", "POST /connect")), (1, 0), "{run}");
        bench.context("ixon").faults.clear_all();
    }
    // Where to look is there to be run, and so is the next try.
    bench.run("list -b ixon -l vpn=on").ends(0);
    bench.run("connect -b ixon 'Press 8' --wake --switch").ends(0);
}

#[test]
fn a_wait_says_too_that_the_router_is_what_fails() {
    let bench = Bench::new();
    let waiting = bench.start("wait -b ixon --for connected -o json");
    while bench.asked("ixon").iter().filter(|line| line.contains("/status")).count() == 0 {
        std::thread::yield_now();
    }
    bench.run("connect -b ixon 'Press 8' --no-wait").ends(0);
    let error = crate::run::Run::end_of(waiting, "wait".to_owned()).ends(7).fails("tunnel.step_failed");
    assert!(error["message"].as_str().unwrap().contains("own VPN is off"), "{error}");
}

#[test]
fn an_old_client_is_named_once_and_explains_a_failed_step() {
    let bench = Bench::with_faults(&["ixon:version=1.4.6"]);
    let run = bench.run("connect -b ixon 'Press 7' -o json").ends(7);
    assert_eq!(run.stderr.matches("CVE-2026-75925").count(), 1, "{run}");
    let error = run.fails("tunnel.step_failed");
    assert!(error["hint"].as_str().unwrap().contains("install the newest"), "{error}");
    for line in ["settings reset -b ixon -y", "api -b ixon POST ControllerClosed", "disconnect -b ixon"] {
        let run = bench.run(line).ends(0);
        assert_eq!(run.stderr.matches("CVE-2026-75925").count(), 1, "{run}");
        assert!(!run.stderr.contains("CVE-2025-26168"), "{run}");
    }
}

#[test]
fn agents_are_told_apart_and_near_names_are_named() {
    let bench = Bench::new();
    let text = bench.config();
    let all = text.lines().filter(|line| !line.starts_with("company_id")).collect::<Vec<_>>().join("\n");
    let error = bench.run_by(&all, "connect -b ixon 'Press 7' -o json").ends(2).fails("usage.ambiguous");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("AAAAAAAAAAAA (Press 7, Example Machines, online)"), "{message}");
    assert!(message.contains("BBBBBBBBBBBA (Press 7, Second Company, online)"), "{message}");
    let error = bench.run_by(&all, "connect -b ixon Presss -o json").ends(6).fails("target.not_found");
    assert!(error["hint"].as_str().unwrap().contains("did you mean"), "{error}");
    let run = bench.run_by(&all, "list -b ixon -l vpn=off -o value").ends(0);
    assert_eq!(run.stdout, "AAAAAAAAAAAC\nAAAAAAAAAAAF\n");
    let run = bench.run_by(&all, "list -b ixon -l 'company=Second Company' -o value --fields target.name").ends(0);
    assert_eq!(run.stdout, "Press 7\nMixer\n");
}

#[test]
fn a_login_that_ends_soon_is_said_in_words() {
    let bench = Bench::new();
    bench.run("auth status -b ixon").ends(0).quietly().prints("demo@example.org");
    let end = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + 3600).unwrap();
    let token = format!(r#"{{"publicId":"T","expiresOn":"{end}","user":{{"emailAddress":"me@example.org"}}}}"#);
    bench.fault("ixon", &format!(r#"body={{"status":"success","type":"AccessToken","data":{token}}}"#));
    let run = bench.run("auth status -b ixon -o json").ends(0).tells("may be interrupted");
    assert_eq!(
        (&run.item()["account"], &run.item()["expires_at"]),
        (&json!("me@example.org"), &json!(end.to_string()))
    );
}
