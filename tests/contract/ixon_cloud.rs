//! The IXON cloud: agents, names, tokens.

use futures_util::future::join_all;
use vpnctl::backend::{Asked, How, LoginState};
use vpnctl::error::{Code, Error, Exit, Layer};
use vpnctl::model::{Target, Word};

use super::bench::{Bench, Somebody, connect, failed, find, found, listed, login, word};
use super::facts::IXON;
use super::ixon::{EMAIL, PASSWORD, TOKEN, heard};

/// A cloud that is logged in to by e-mail and password.
pub(crate) async fn by_password(faults: &[&str]) -> Bench {
    let mut bench = Bench::faulty("ixon", faults).await;
    bench.unset("token");
    bench.text("email", EMAIL);
    bench.secret("password", PASSWORD);
    bench
}

pub(crate) fn logins(bench: &Bench) -> usize {
    bench.count("POST /api/access-tokens")
}

#[tokio::test]
async fn agents_are_found_by_what_their_users_know() {
    let bench = Bench::new("ixon").await;
    let backend = bench.open();
    assert_eq!(found(&*backend, "Pump").await, ["AAAAAAAAAAAD", "AAAAAAAAAAAE"]);
    assert_eq!(found(&*backend, "aaaaaaaaaaab").await, ["AAAAAAAAAAAB"]);
    for also in ["dev-0003", "21500003", "00:22:44:00:00:03", "00:22:44:00:00:03".to_uppercase().as_str()] {
        assert_eq!(found(&*backend, also).await, ["AAAAAAAAAAAC"], "{also}");
    }
    assert_eq!(find(&*backend, "AAAAAAAAAAAB").await[0].name, None);
}

#[tokio::test]
async fn a_list_without_the_client_leaves_states_out() {
    let bench = Bench::new("ixon").await;
    bench.fault("http-status=404@/status");
    let all = listed(&*bench.open()).await.unwrap();
    assert_eq!(all.len(), 7);
    assert!(all.iter().all(|listed| listed.status.is_none()));
}

#[tokio::test]
async fn a_configured_token_that_has_ended_says_so() {
    let bench = Bench::faulty("ixon", &["token-expired"]).await;
    let error = failed(listed(&*bench.open()).await, Code::AuthExpired);
    assert_eq!(error.exit(), Exit::Auth);
    assert!(error.hint_text().unwrap().contains("token"));
    assert_eq!((bench.count("GET /api/agents?"), logins(&bench)), (1, 0));
    assert_eq!(bench.open().session().unwrap().show().await.unwrap().state, LoginState::Expired);
    // What needs no token goes on.
    assert_eq!(word(bench.open().status(None).await), Word::Disconnected);
}

#[tokio::test]
async fn a_token_is_made_once_and_kept() {
    let bench = by_password(&[]).await;
    let backend = bench.open();
    let states = join_all((0..20).map(|_| backend.session().unwrap().show())).await;
    assert!(states.into_iter().all(|login| login.unwrap().state == LoginState::Ok));
    assert_eq!(logins(&bench), 1);
    let entries = bench.running().context.log.entries();
    let made = entries.iter().find(|entry| entry.method == "POST").unwrap();
    // Standard base64 of e-mail, empty code and password.
    assert_eq!(made.headers["authorization"], "Basic ZGVtb0BleGFtcGxlLm9yZzo6ZGVtbzpww6Rzc3dvcmQ+Pj9+");
    assert!(made.body.contains("\"expiresIn\":2592000"), "{}", made.body);
    bench.asked();
    connect(&*bench.open(), &IXON.down()).await.unwrap();
    assert_eq!(logins(&bench), 0);
}

#[tokio::test]
async fn a_kept_token_that_has_ended_is_made_anew_twice_at_most() {
    let bench = by_password(&[]).await;
    listed(&*bench.open()).await.unwrap();
    bench.asked();
    bench.fault("cloud-status=401*1");
    assert_eq!(listed(&*bench.open()).await.unwrap().len(), 7);
    assert_eq!((logins(&bench), bench.count("GET /api/agents?")), (1, 2));
    bench.asked();
    bench.fault("token-expired");
    failed(listed(&*bench.open()).await, Code::AuthExpired);
    assert_eq!((logins(&bench), bench.count("GET /api/agents?")), (2, 3));
}

#[tokio::test]
async fn a_refused_login_says_why_and_is_sent_once() {
    for (key, wrong) in [("email", "nobody@example.org"), ("password", "wrong")] {
        let mut bench = by_password(&[]).await;
        match key {
            "email" => bench.text("email", wrong),
            _ => bench.secret("password", wrong),
        }
        let backend = bench.open();
        let error = failed(connect(&*backend, &IXON.down()).await, Code::AuthRejected);
        assert!(error.hint_text().unwrap().contains("password"));
        failed(listed(&*backend).await, Code::AuthRejected);
        assert_eq!((logins(&bench), bench.count("POST /connect")), (1, 0));
        // Nor by another command, until something was changed or somebody logs out.
        let error = failed(listed(&*bench.open()).await, Code::AuthRejected);
        assert!(error.message().contains("not tried again"), "{error}");
        assert_eq!((logins(&bench), bench.count("POST /connect")), (1, 0));
        let error = failed(login(&*bench.open(), &Somebody::default()).await, Code::AuthRejected);
        assert!(error.hint_text().unwrap().contains("vpnctl auth logout -b ixon"), "{error:?}");
        assert_eq!(logins(&bench), 1);
        bench.open().session().unwrap().logout().await.unwrap();
        failed(login(&*bench.open(), &Somebody::default()).await, Code::AuthRejected);
        assert_eq!(logins(&bench), 2);
        bench.text("email", EMAIL);
        bench.secret("password", PASSWORD);
        listed(&*bench.open()).await.unwrap();
        assert_eq!(logins(&bench), 3);
    }
}

#[tokio::test]
async fn a_second_factor_is_asked_for_once() {
    let bench = by_password(&["otp-needed"]).await;
    let error = failed(listed(&*bench.open()).await, Code::AuthMfaRequired);
    assert!(error.hint_text().unwrap().contains("vpnctl auth login -b ixon"));
    assert_eq!(logins(&bench), 1);
    // Another command does not ask the cloud again, and the login is told as one that is not there.
    assert_eq!(bench.open().session().unwrap().show().await.unwrap().state, LoginState::Missing);
    failed(listed(&*bench.open()).await, Code::AuthMfaRequired);
    assert_eq!(logins(&bench), 1);
    bench.asked();

    let error = failed(login(&*bench.open(), &Somebody::default()).await, Code::AuthMfaRequired);
    assert!(error.hint_text().unwrap().contains("--otp-stdin"));
    let person = Somebody { knows: vec![(Asked::Otp, "123456")], ..Somebody::default() };
    let made = login(&*bench.open(), &person).await.unwrap();
    assert_eq!((made.state, made.account.as_deref()), (LoginState::Ok, Some(EMAIL)));
    assert_eq!(logins(&bench), 3);
    let person = Somebody { brings: vec![(Asked::Otp, "123456")], ..Somebody::default() };
    login(&*bench.open(), &person).await.unwrap();
    assert_eq!(logins(&bench), 4, "a code that is brought goes with the first try");
    assert_eq!(listed(&*bench.open()).await.unwrap().len(), 7);
    assert_eq!(logins(&bench), 4);
}

#[tokio::test]
async fn a_block_is_not_prolonged() {
    let bench = Bench::new("ixon").await;
    bench.fault("cloud-status=429");
    let error = failed(listed(&*bench.open()).await, Code::HttpRateLimited);
    assert_eq!(bench.count("GET /api/agents?"), 1);
    assert!(error.is_temporary() && !error.is_repeatable());
    assert_eq!(error.report().retry_after_s, Some(600.0));
    let bench = by_password(&["login-rate-limited"]).await;
    let backend = bench.open();
    failed(listed(&*backend).await, Code::HttpRateLimited);
    failed(listed(&*backend).await, Code::HttpRateLimited);
    assert_eq!(logins(&bench), 1);
}

#[tokio::test]
async fn the_clouds_failures_have_their_codes() {
    for (fault, code) in [
        ("cloud-status=403", Code::AuthForbidden),
        ("cloud-status=404", Code::TargetNotFound),
        ("cloud-status=400", Code::VendorError),
    ] {
        let bench = Bench::faulty("ixon", &[fault]).await;
        failed(listed(&*bench.open()).await, code);
        assert_eq!(bench.count("GET /api/agents?"), 1, "{fault}");
    }
    for fault in ["cloud-status=500*1", "cloud-not-json*1"] {
        let bench = Bench::faulty("ixon", &[fault]).await;
        assert_eq!(listed(&*bench.open()).await.unwrap().len(), 7);
        assert_eq!(bench.count("GET /api/agents?"), 2, "{fault}");
    }
}

#[tokio::test]
async fn wrong_settings_are_named() {
    for (key, value) in [("application_id", "short"), ("application_id", "VpnctlDemo02"), ("company_id", "1-2-3-4-5")] {
        let mut bench = Bench::new("ixon").await;
        bench.text(key, value);
        let error = failed(listed(&*bench.open()).await, Code::ConfigInvalid);
        assert!(error.message().contains(key), "{error}");
    }
    let mut bench = Bench::new("ixon").await;
    bench.unset("application_id");
    let error = failed(listed(&*bench.open()).await, Code::ConfigInvalid);
    assert!(error.hint_text().unwrap().contains("VPNCTL_BACKEND_IXON_APPLICATION_ID"));
    assert_eq!(bench.requests(), 0);
}

#[tokio::test]
async fn waking_switches_the_router_on_first() {
    let bench = Bench::new("ixon").await;
    let target = find(&*bench.open(), "Press 8").await.remove(0);
    bench.asked();
    bench.open().connect(&target, How { wake: true }).await.unwrap();
    let asked: Vec<String> =
        bench.asked().into_iter().map(|asked| asked.split('?').next().unwrap().to_owned()).collect();
    let agent = "GET /api/agents";
    let wake = "POST /api/agents/AAAAAAAAAAAC/connection/openvpn";
    assert_eq!(asked[..3], [agent, wake, agent], "looked at before and after");
    assert_eq!(asked.last().unwrap(), "POST /connect");
    // Now it is up, and nothing is switched.
    bench.open().connect(&target, How { wake: true }).await.unwrap();
    assert_eq!((bench.count("connection/openvpn"), bench.count("GET /api/agents?")), (0, 1));
    // Who may not look may switch.
    bench.asked();
    bench.fault("cloud-status=403@/agents*1");
    bench.open().connect(&target, How { wake: true }).await.unwrap();
    assert_eq!((bench.count("connection/openvpn"), bench.count("POST /connect")), (1, 1));
}

#[tokio::test]
async fn a_router_that_cannot_be_woken_is_offline() {
    let bench = Bench::new("ixon").await;
    let wake = async |id: &str| bench.open().connect(&IXON.by_id(id), How { wake: true }).await.unwrap_err();
    let error = wake("AAAAAAAAAAAF").await;
    assert_eq!((error.code(), error.exit()), (Code::DeviceOffline, Exit::Unreachable), "{error}");
    assert!(!error.outcome_is_unknown() && error.hint_text().unwrap().contains("switch the router on"));
    assert_eq!((bench.count("connection/openvpn"), bench.count("POST /connect")), (0, 0), "known beforehand");
    bench.asked();
    bench.fault("cloud-status=503@/connection");
    let error = wake("AAAAAAAAAAAC").await;
    assert_eq!((error.code(), error.report().http_status), (Code::DeviceOffline, Some(503)), "{error}");
    assert_eq!((bench.count("connection/openvpn"), bench.count("POST /connect")), (1, 0));
}

#[tokio::test]
async fn a_router_whose_waking_was_not_answered_is_connected_to_once_it_is_up() {
    let bench = Bench::new("ixon").await;
    let target = find(&*bench.open(), "Press 8").await.remove(0);
    bench.asked();
    bench.fault("http-status=504@/connection");
    let backend = bench.open();
    // What the lost one did, another one does, so that it is done after the first look.
    let done = async {
        while bench.count("connection/openvpn") == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!((bench.count("connection/openvpn"), bench.count("POST /connect")), (1, 0));
        bench.heal();
        bench.asked();
        bench.open().prepare(&target, How { wake: true }).await.unwrap();
    };
    let (connected, ()) = tokio::join!(backend.connect(&target, How { wake: true }), done);
    assert_eq!(connected.unwrap().word(), Word::Connecting);
    assert_eq!((bench.count("connection/openvpn"), bench.count("POST /connect")), (1, 1), "it was not sent again");
}

#[tokio::test]
async fn a_waking_of_which_nobody_knows_the_outcome_is_no_refusal() {
    let mut bench = Bench::new("ixon").await;
    bench.text("sector_id", "SSSSSSSSSSSS");
    let asked = [("http-status=504@/connection", "can't be read"), ("redirect=/x@/connection", "can't be read")];
    for (fault, now) in asked.into_iter().chain([("wire=hangup@/connection", "its VPN is off")]) {
        bench.heal();
        bench.asked();
        bench.fault(fault);
        if now.contains("read") {
            bench.fault("cloud-status=403@/agents");
        }
        let backend = bench.open_with(|opening| {
            opening.deadline = vpnctl::http::Deadline::after(Some(std::time::Duration::from_secs(3)));
        });
        let asleep = IXON.by_id("AAAAAAAAAAAC");
        let error = failed(backend.connect(&asleep, How { wake: true }).await, Code::TimeoutUnknownOutcome);
        assert!(error.message().contains(now) && error.message().contains("told to switch its VPN on"), "{error}");
        assert!(error.hint_text().unwrap().ends_with("vpnctl list -b ixon -l vpn=on"), "{:?}", error.hint_text());
        // It is that of the router: the client was told nothing.
        assert!(!error.outcome_is_unknown(), "{error}");
        assert_eq!((bench.count("connection/openvpn"), bench.count("POST /connect")), (1, 0), "{fault}");
    }
}

/// An answer about one agent whose VPN is off.
const ASLEEP: &str = concat!(
    r#"body={"status":"success","type":"Agent","moreAfter":null,"data":[{"publicId":"AAAAAAAAAAAC","#,
    r#""mdrServer":{"publicId":"MMMMMMMMMMMM"},"activeVpnSession":null}]}"#
);

#[tokio::test]
async fn a_router_that_stays_asleep_is_waited_for_until_the_deadline() {
    let mut bench = Bench::new("ixon").await;
    bench.text("sector_id", "SSSSSSSSSSSS");
    bench.fault(ASLEEP);
    let backend = bench.open_with(|opening| {
        opening.deadline = vpnctl::http::Deadline::after(Some(std::time::Duration::from_millis(1500)));
    });
    let error = failed(backend.connect(&IXON.by_id("AAAAAAAAAAAC"), How { wake: true }).await, Code::TimeoutDeadline);
    assert!(!error.outcome_is_unknown() && error.exit() == Exit::Timeout, "{error}");
    assert_eq!((bench.count("connection/openvpn"), bench.count("POST /connect")), (1, 0));
    // Before it was told, after that, and after the first two waits at most.
    assert!(bench.count("GET /api/agents?") <= 4, "{:?}", bench.asked());
}

pub(crate) fn attempt_failed() -> Error {
    Error::new(Code::TunnelStepFailed, Layer::Tunnel, "`x` did not connect: a step failed").hint("look closer")
}

#[tokio::test]
async fn why_an_attempt_failed_is_asked_of_the_cloud_once() {
    let bench = Bench::new("ixon").await;
    for (id, why, hint) in [
        ("AAAAAAAAAAAC", "own VPN is off", "vpnctl connect --wake ixon/AAAAAAAAAAAC"),
        ("AAAAAAAAAAAF", "router is offline", "switch the router on"),
    ] {
        bench.asked();
        let error = bench.open().explain(&IXON.by_id(id), attempt_failed()).await;
        assert_eq!(error.code(), Code::TunnelStepFailed);
        assert!(error.message().starts_with("`x` did not connect") && error.message().contains(why), "{error}");
        assert!(error.hint_text().unwrap().contains(hint), "{:?}", error.hint_text());
        assert_eq!((bench.count("GET /api/agents?"), bench.requests()), (1, 1));
    }
    let named = find(&*bench.open(), "Press 8").await.remove(0);
    let error = bench.open().explain(&named, attempt_failed()).await;
    assert!(error.hint_text().unwrap().contains("vpnctl connect --wake \"ixon/Press 8\""), "{:?}", error.hint_text());
}

#[tokio::test]
async fn an_explanation_that_fails_leaves_the_error_as_it_was() {
    let mut bench = Bench::new("ixon").await;
    let target = IXON.by_id("AAAAAAAAAAAC");
    let same = |error: Error| {
        assert_eq!(error.code(), Code::TunnelStepFailed);
        assert_eq!(error.message(), attempt_failed().message());
        assert_eq!(error.hint_text(), Some("look closer"));
    };
    for fault in ["cloud-status=403", "cloud-status=429", "cloud-not-json*9", "not-json"] {
        bench.fault(fault);
        same(bench.open().explain(&target, attempt_failed()).await);
        bench.heal();
    }
    // A router that is up, an agent that nobody knows, an id that would break the question, no company.
    for id in ["AAAAAAAAAAAA", "ZZZZZZZZZZZZ", "A\"),x", "no id"] {
        same(bench.open().explain(&IXON.by_id(id), attempt_failed()).await);
    }
    bench.asked();
    let late = bench.open_with(|opening| {
        opening.deadline = vpnctl::http::Deadline::after(Some(std::time::Duration::from_nanos(1)));
    });
    same(late.explain(&target, attempt_failed()).await);
    bench.unset("company_id");
    same(bench.open().explain(&target, attempt_failed()).await);
    assert_eq!(bench.requests(), 0);
}

#[tokio::test]
async fn what_a_list_told_explains_where_the_cloud_cannot_be_asked_any_more() {
    let bench = Bench::new("ixon").await;
    let backend = bench.open();
    listed(&*backend).await.unwrap();
    bench.fault("cloud-status=403");
    for (id, why) in [("AAAAAAAAAAAC", "own VPN is off"), ("AAAAAAAAAAAF", "router is offline")] {
        let error = backend.explain(&IXON.by_id(id), attempt_failed()).await;
        assert!(error.message().contains(why), "{error}");
    }
    let error = backend.explain(&IXON.by_id("AAAAAAAAAAAA"), attempt_failed()).await;
    assert_eq!(error.message(), attempt_failed().message());
}

#[tokio::test]
async fn an_old_client_explains_itself() {
    let bench = Bench::faulty("ixon", &["version=1.4.6"]).await;
    let backend = bench.open();
    backend.status(None).await.unwrap();
    bench.asked();
    let error = backend.explain(&IXON.by_id("AAAAAAAAAAAC"), attempt_failed()).await;
    assert!(error.hint_text().unwrap().contains("install the newest"), "{:?}", error.hint_text());
    assert!(error.code() == Code::TunnelStepFailed && error.message().contains("1.4.7"), "{error}");
    assert_eq!(bench.requests(), 0);
}

#[tokio::test]
async fn agents_are_found_by_custom_properties_and_any_spelling_of_an_address() {
    let bench = Bench::new("ixon").await;
    let backend = bench.open();
    for also in ["C-4003", "c-4003", "00-22-44-00-00-03", "002244000003", "0022.4400.0003"] {
        assert_eq!(found(&*backend, also).await, ["AAAAAAAAAAAC"], "{also}");
    }
    assert_eq!(found(&*backend, "Lyon").await.len(), 3, "never a guess");
    assert_eq!(found(&*backend, "CUTTERLINE04").await, ["AAAAAAAAAAAG"], "a name that looks like an id");
}

#[tokio::test]
async fn what_the_cloud_tells_of_agents_are_their_labels() {
    let mut bench = Bench::new("ixon").await;
    let all = listed(&*bench.open()).await.unwrap();
    let labels = |id: &str| &all.iter().find(|listed| listed.target.id == id).unwrap().labels;
    for (id, online, vpn) in
        [("AAAAAAAAAAAA", "yes", "on"), ("AAAAAAAAAAAC", "yes", "off"), ("AAAAAAAAAAAF", "no", "off")]
    {
        assert_eq!((labels(id)["online"].as_str(), labels(id)["vpn"].as_str()), (online, vpn), "{id}");
        assert_eq!(labels(id)["company"], "Example Machines");
    }
    assert_eq!(labels("AAAAAAAAAAAC")["custom.commission"], "C-4003");
    assert_eq!(labels("AAAAAAAAAAAC")["custom.site"], "Lyon");
    assert_eq!(bench.count("GET /api/agents"), 1, "they cost nothing");

    bench.unset("company_id");
    let backend = bench.open();
    let two = find(&*backend, "Press 7").await;
    let not_one = |name: &str, found: &[Target]| backend.targets().unwrap().not_one("ixon", name, found);
    let told = not_one("Press 7", &two).message().to_owned();
    for part in ["(Press 7, Example Machines, online)", "(Press 7, Second Company, online)"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(find(&*backend, "Pres 7").await.is_empty());
    let hint = |name: &str| not_one(name, &[]).hint_text().unwrap().to_owned();
    assert!(hint("Pres 7").starts_with("did you mean `Press 7` or `Press 8`?"), "{}", hint("Pres 7"));
    assert!(hint("boil").starts_with("did you mean `Boiler 3`?"), "{}", hint("boil"));
    assert!(!hint("zzz").contains("did you mean"), "{}", hint("zzz"));
}

#[tokio::test]
async fn a_login_tells_whose_it_is_and_when_it_ends() {
    let bench = Bench::new("ixon").await;
    let (login, lines) = heard(async { bench.open().session().unwrap().show().await.unwrap() }).await;
    assert_eq!((login.state, login.account.as_deref(), lines.as_str()), (LoginState::Ok, Some(EMAIL), ""));
    assert!(login.expires_at.unwrap() > jiff::Timestamp::now());

    for (hours, warned) in [(7, true), (9, false)] {
        let end = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + hours * 3600).unwrap();
        let user = r#""user":{"name":"Service","emailAddress":null}"#;
        bench.fault(&format!(
            r#"body={{"status":"success","type":"AccessToken","data":{{"publicId":"T","expiresOn":"{end}",{user}}}}}"#
        ));
        let (login, lines) = heard(async { bench.open().session().unwrap().show().await.unwrap() }).await;
        assert_eq!(login.account.as_deref(), Some("Service"));
        assert_eq!(lines.contains("may be interrupted"), warned, "{hours} h: {lines}");
        assert!(!lines.contains(TOKEN));
    }
}

#[tokio::test]
async fn the_cloud_may_echo_secrets_and_none_is_shown() {
    let answer = |text: &str| format!(r#"body={{"status":"error","data":[{{"message":"{text}"}}]}}"#);
    let bench = Bench::new("ixon").await;
    bench.fault(&answer(&format!("no such thing for Bearer {TOKEN}")));
    let error = failed(listed(&*bench.open()).await, Code::VendorError);
    assert!(error.message().contains("Bearer ***") && !error.message().contains(TOKEN), "{error}");
    let bench = by_password(&[]).await;
    bench.fault(&answer(&format!("Unknown user demo@example.org with {PASSWORD}")));
    let error = failed(listed(&*bench.open()).await, Code::AuthRejected);
    assert!(error.message().contains("with ***") && !error.message().contains(PASSWORD), "{error}");
    // A token that is made, in a document of another shape.
    let bench = by_password(&[]).await;
    bench.fault(r#"body={"status":"success","data":[{"secretId":"brand-new-token","expiresOn":5}]}"#);
    let error = failed(listed(&*bench.open()).await, Code::VendorProtocol);
    assert!(!error.message().contains("brand-new-token"), "{error}");
}

#[tokio::test]
async fn a_company_that_is_forbidden_does_not_hide_the_others() {
    let mut bench = Bench::new("ixon").await;
    bench.unset("company_id");
    // The first company's page is refused, the second's is not.
    bench.fault("cloud-status=403@/agents*1");
    let (mut agents, mut errors) = (Vec::new(), Vec::new());
    let backend = bench.open();
    let targets = backend.targets().unwrap();
    targets.list_parts(&mut |one| agents.push(one.target.id), &mut |error| errors.push(error)).await.unwrap();
    assert_eq!((agents.len(), errors.len()), (2, 1), "{agents:?} {errors:?}");
    assert!(errors[0].code() == Code::AuthForbidden && errors[0].message().contains("1111-2222"), "{:?}", errors[0]);
    // A name that only one of them has is found, and what could not be read is told.
    bench.fault("cloud-status=403@/agents*1");
    let (ids, lines) = heard(async { found(&*bench.open(), "mixer").await }).await;
    assert!(ids == ["BBBBBBBBBBBB"] && lines.contains("1111-2222"), "{ids:?} {lines}");
    // One that the other does not have may be in what was not read, so it is not called absent.
    bench.fault("cloud-status=403@/agents*1");
    let error = failed(bench.open().targets().unwrap().find("Mixr").await, Code::AuthForbidden);
    assert!(error.message().starts_with("whether `Mixr` is there can't be told: "), "{error}");
    assert!(error.message().contains("1111-2222"), "{error}");
    bench.fault("cloud-status=403@/agents");
    failed(listed(&*bench.open()).await, Code::AuthForbidden);
}

#[tokio::test]
async fn who_has_woken_a_router_is_not_told_to() {
    let bench = Bench::new("ixon").await;
    let backend = bench.open();
    let target = IXON.by_id("AAAAAAAAAAAC");
    backend.connect(&target, How { wake: true }).await.unwrap();
    // It is off again.
    bench.fault(ASLEEP);
    let error = backend.explain(&target, attempt_failed()).await;
    assert!(error.message().contains("was told to switch"), "{error}");
    assert!(!error.hint_text().unwrap().contains("--wake"), "{error}");
}
