//! The IXON cloud: agents, names, tokens.

use futures_util::future::join_all;
use vpnctl::backend::{Asked, How, LoginState};
use vpnctl::error::{Code, Exit};
use vpnctl::model::Word;

use super::bench::{Bench, Somebody, connect, failed, find, found, listed, login, word};
use super::facts::IXON;
use super::ixon::{EMAIL, PASSWORD, TOKEN};

/// A cloud that is logged in to by e-mail and password.
async fn by_password(faults: &[&str]) -> Bench {
    let mut bench = Bench::faulty("ixon", faults).await;
    bench.unset("token");
    bench.text("email", EMAIL);
    bench.secret("password", PASSWORD);
    bench
}

fn logins(bench: &Bench) -> usize {
    bench.count("POST /api/access-tokens")
}

#[tokio::test]
async fn a_list_asks_the_cloud_for_pages_and_the_client_once() {
    let bench = Bench::of("ixon", 2500).await;
    bench.open().status(None).await.unwrap();
    bench.asked();
    let backend = bench.open();
    assert_eq!(listed(&*backend).await.unwrap().len(), 2500);
    assert_eq!((bench.count("GET /api/agents?"), bench.count("GET /status"), bench.requests()), (3, 1, 4));
    for entry in bench.running().context.log.entries().iter().filter(|entry| entry.path.starts_with("/api/")) {
        let header = |name: &str| entry.headers.get(name).map(String::as_str);
        assert_eq!(header("api-version"), Some("2"));
        assert_eq!(header("api-application"), Some("VpnctlDemo01"));
        assert_eq!(header("api-company"), Some("1111-2222-3333-4444-5555"));
        assert_eq!(header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    }
    assert_eq!(found(&*backend, "Machine 2500").await, ["G00000002500"]);
    assert_eq!(bench.requests(), 4, "a name of that list is known");
    assert_eq!(found(&*bench.open(), "Machine 2499").await, ["G00000002499"]);
    assert_eq!(bench.requests(), 4);
}

#[tokio::test]
async fn a_cursor_that_repeats_ends_the_list() {
    let bench = Bench::of("ixon", 1500).await;
    bench.fault("cursor-repeats");
    let mut ids: Vec<String> =
        listed(&*bench.open()).await.unwrap().into_iter().map(|listed| listed.target.id).collect();
    assert_eq!(bench.count("GET /api/agents?"), 2);
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((all, ids.len()), (1000, 1000), "each target once");
}

#[tokio::test]
async fn lists_have_several_forms() {
    let bench = Bench::of("ixon", 1).await;
    bench.fault("single-object");
    assert_eq!(listed(&*bench.open()).await.unwrap().len(), 1);
    let bench = Bench::faulty("ixon", &["no-moreafter"]).await;
    assert_eq!(listed(&*bench.open()).await.unwrap().len(), 7);
}

#[tokio::test]
async fn all_companies_are_searched_where_none_is_configured() {
    let mut bench = Bench::new("ixon").await;
    bench.unset("company_id");
    let backend = bench.open();
    assert_eq!(listed(&*backend).await.unwrap().len(), 9);
    assert_eq!((bench.count("GET /api/companies?"), bench.count("GET /api/agents?")), (1, 2));
    assert_eq!(found(&*backend, "Press 7").await, ["AAAAAAAAAAAA", "BBBBBBBBBBBA"], "never a guess");
    assert_eq!(found(&*backend, "Mixer").await, ["BBBBBBBBBBBB"]);
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
async fn a_kept_token_that_has_ended_is_made_anew_once() {
    let bench = by_password(&[]).await;
    listed(&*bench.open()).await.unwrap();
    bench.asked();
    bench.fault("cloud-status=401*1");
    assert_eq!(listed(&*bench.open()).await.unwrap().len(), 7);
    assert_eq!((logins(&bench), bench.count("GET /api/agents?")), (1, 2));
    bench.asked();
    bench.fault("token-expired");
    failed(listed(&*bench.open()).await, Code::AuthExpired);
    assert_eq!((logins(&bench), bench.count("GET /api/agents?")), (1, 2));
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
    }
}

#[tokio::test]
async fn a_second_factor_is_asked_for_once() {
    let bench = by_password(&["otp-needed"]).await;
    let error = failed(listed(&*bench.open()).await, Code::AuthMfaRequired);
    assert!(error.hint_text().unwrap().contains("vpnctl auth login -b ixon"));
    assert_eq!(logins(&bench), 1);
    bench.asked();

    failed(login(&*bench.open(), &Somebody::default()).await, Code::AuthMfaRequired);
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
    let posts: Vec<String> = bench.asked().into_iter().filter(|asked| asked.starts_with("POST")).collect();
    assert_eq!(posts, ["POST /api/agents/AAAAAAAAAAAC/connection/openvpn", "POST /connect"]);

    let error = bench.open().connect(&IXON.by_id("AAAAAAAAAAAF"), How { wake: true }).await.unwrap_err();
    assert_eq!((error.code(), error.exit()), (Code::DeviceOffline, Exit::Unreachable), "{error}");
    assert!(!error.outcome_is_unknown());
    assert_eq!((bench.count("connection/openvpn"), bench.count("POST /connect")), (1, 0));
}
