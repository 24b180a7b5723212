//! Logins to Everyware Cloud: made once, kept, refreshed, and never repeated where they were refused.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use vpnctl::backend::{Asked, LoginState, VpnBackend};
use vpnctl::error::{Code, Exit};
use vpnctl::model::Word;
use vpnctl::simulate::everyware::{API_KEY, MFA_CODE, MFA_PASSWORD, MFA_USERNAME, PASSWORD};

use super::bench::{Bench, Somebody, connect, failed, login, word};
use super::facts::EVERYWARE;

const LOGIN: &str = "POST /v1/authentication/user";
const KEY_LOGIN: &str = "POST /v1/authentication/apikey";
const REFRESH: &str = "POST /v1/authentication/refresh";
const STATUS: &str = "GET /v1/_/devices/-Kf2x0nQbDE/vpn";

async fn known() -> Bench {
    let bench = Bench::new("everyware").await;
    bench.logged_in(&EVERYWARE).await;
    bench
}

async fn status(bench: &Bench) -> vpnctl::error::Result<vpnctl::model::Status> {
    bench.open().status(Some(&EVERYWARE.up())).await
}

#[tokio::test]
async fn a_login_by_password_is_kept() {
    let bench = Bench::new("everyware").await;
    assert_eq!(word(status(&bench).await), Word::Connected);
    let sent = bench.running().context.log.entries().remove(0);
    let body: serde_json::Value = serde_json::from_str(&sent.body).unwrap();
    assert_eq!(body, serde_json::json!({"username": "operator", "password": PASSWORD}));
    assert_eq!(bench.asked(), [LOGIN, STATUS]);
    assert_eq!(word(status(&bench).await), Word::Connected);
    assert_eq!(bench.asked(), [STATUS]);
    let state = std::fs::read_to_string(bench.state_file()).unwrap();
    assert!(!state.contains(PASSWORD), "the password is kept nowhere else");
}

#[tokio::test]
async fn a_login_by_api_key_needs_no_code_and_goes_before_a_password() {
    let mut bench = Bench::faulty("everyware", &["mfa"]).await;
    bench.secret("api_key", API_KEY);
    assert_eq!(word(status(&bench).await), Word::Connected);
    assert_eq!(bench.asked(), [KEY_LOGIN, STATUS]);
    assert_eq!(word(status(&bench).await), Word::Connected);
    assert_eq!(bench.asked(), [STATUS]);
}

#[tokio::test]
async fn a_token_that_has_ended_is_refreshed() {
    // Its end is within the margin in which a token is no longer used by another command.
    let bench = Bench::faulty("everyware", &["token-ttl=20"]).await;
    status(&bench).await.unwrap();
    bench.asked();
    bench.heal();
    assert_eq!(word(status(&bench).await), Word::Connected);
    assert_eq!(bench.asked(), [REFRESH, STATUS]);
    assert_eq!(word(status(&bench).await), Word::Connected);
    assert_eq!(bench.asked(), [STATUS]);
}

#[tokio::test]
async fn processes_refresh_a_token_one_after_the_other() {
    let bench = Bench::faulty("everyware", &["token-ttl=20"]).await;
    status(&bench).await.unwrap();
    bench.asked();
    bench.heal();
    // The new token ends the old one at once, so two who refresh would end each other's.
    for status in join_all((0..6).map(|_| status(&bench))).await {
        assert_eq!(word(status), Word::Connected);
    }
    assert_eq!((bench.count(REFRESH), bench.count(LOGIN), bench.requests()), (1, 0, 7));
}

#[tokio::test]
async fn a_token_of_this_process_is_refreshed_too_when_it_ends() {
    let bench = Bench::faulty("everyware", &["token-ttl=61.5"]).await;
    let backend = bench.open();
    backend.status(Some(&EVERYWARE.up())).await.unwrap();
    bench.heal();
    bench.asked();
    // The margin is a minute, and it is counted in whole seconds.
    tokio::time::sleep(Duration::from_millis(1550)).await;
    assert_eq!(word(backend.status(Some(&EVERYWARE.up())).await), Word::Connected);
    assert_eq!(bench.asked(), [REFRESH, STATUS]);
}

#[tokio::test]
async fn a_refresh_that_is_refused_is_followed_by_a_login() {
    // Of itself it has ended; else it is the server that refuses, or answers what is no answer.
    for refused in ["refresh-ttl=0", "http-status=401@refresh", "http-status=400@refresh", "redirect=/x@refresh"] {
        let is_refused = refused.contains('@');
        let bench =
            Bench::faulty("everyware", &["token-ttl=20", if is_refused { "all-online" } else { refused }]).await;
        status(&bench).await.unwrap();
        bench.asked();
        bench.heal();
        if is_refused {
            bench.fault(refused);
        }
        assert_eq!(word(status(&bench).await), Word::Connected);
        let asked = bench.asked();
        assert_eq!(asked[asked.len() - 2..], [LOGIN, STATUS], "{refused}");
        assert_eq!(asked.len(), if is_refused { 3 } else { 2 }, "{asked:?}");
    }
}

#[tokio::test]
async fn an_invalidated_token_is_replaced_once_and_the_call_sent_again() {
    for empty in [false, true] {
        let bench = known().await;
        bench.fault("invalidate-tokens");
        if empty {
            bench.fault("empty-401");
        }
        assert_eq!(word(status(&bench).await), Word::Connected);
        assert_eq!(bench.asked(), [STATUS, LOGIN, STATUS]);
        bench.fault("invalidate-tokens");
        connect(&*bench.open(), &EVERYWARE.down()).await.unwrap();
        assert_eq!(bench.asked(), [EVERYWARE.writes[0], LOGIN, EVERYWARE.writes[0]]);
        // Another process may end the new one before it is used; of a third nobody thinks so any more.
        bench.fault("invalidate-tokens*2");
        assert_eq!(word(status(&bench).await), Word::Connected);
        assert_eq!(bench.asked(), [STATUS, LOGIN, STATUS, LOGIN, STATUS]);
        bench.fault("invalidate-tokens*3");
        let error = failed(status(&bench).await, Code::AuthExpired);
        assert!(error.hint_text().unwrap().contains("vpnctl auth login -b everyware"));
        assert_eq!(bench.asked(), [STATUS, LOGIN, STATUS, LOGIN, STATUS]);
        bench.fault("invalidate-tokens");
        bench.fault("refuse-login");
        failed(status(&bench).await, Code::AuthRejected);
        assert_eq!(bench.asked(), [STATUS, LOGIN], "a login that was refused is not repeated");
    }
}

#[tokio::test]
async fn many_calls_replace_a_token_together() {
    let bench = known().await;
    let backend = bench.open();
    bench.fault("invalidate-tokens");
    let up = EVERYWARE.up();
    for status in join_all((0..20).map(|_| backend.status(Some(&up)))).await {
        assert_eq!(word(status), Word::Connected);
    }
    assert_eq!(bench.count(LOGIN), 1);
}

/// Asks for so many states, eight at once; gives how many were told.
async fn fleet(backend: &dyn VpnBackend, count: usize) -> usize {
    let up = EVERYWARE.up();
    let asked = stream::iter((0..count).map(|_| backend.status(Some(&up)))).buffer_unordered(8);
    asked.filter(|status| std::future::ready(status.is_ok())).count().await
}

#[tokio::test]
async fn a_call_that_others_have_used_its_token_up_for_does_not_fail() {
    for uses in [1, 2, 3, 7] {
        let bench = known().await;
        bench.fault(&format!("token-uses={uses}"));
        assert_eq!(fleet(&*bench.open(), 60).await, 60, "{uses}");
        assert!(bench.count(LOGIN) <= 60 / uses + 1, "{uses}: {}", bench.count(LOGIN));
    }
}

#[tokio::test]
async fn a_cloud_that_takes_each_login_and_refuses_what_follows_is_not_stormed() {
    for fault in ["invalidate-tokens*100000", "token-uses=0"] {
        let bench = known().await;
        bench.fault(fault);
        let backend = bench.open();
        assert_eq!(fleet(&*backend, 100).await, 0);
        assert_eq!(bench.count(LOGIN), 6, "{fault}");
        assert!(bench.requests() <= 100 + 6 * 9, "{fault}: {}", bench.requests());
    }
}

#[tokio::test]
async fn a_clock_that_is_off_costs_one_login_a_command() {
    let bench = Bench::faulty("everyware", &["token-expired-at-issue"]).await;
    for _ in 0..2 {
        let backend = bench.open();
        for _ in 0..3 {
            assert_eq!(word(backend.status(Some(&EVERYWARE.up())).await), Word::Connected);
        }
        let asked = bench.asked();
        assert_eq!((asked.len(), asked[0].as_str()), (4, LOGIN), "{asked:?}");
    }
}

#[tokio::test]
async fn a_refused_login_is_never_sent_a_second_time() {
    let mut bench = Bench::new("everyware").await;
    bench.secret("password", "wrong");
    let backend = bench.open();
    let up = EVERYWARE.up();
    let error = failed(backend.status(Some(&up)).await, Code::AuthRejected);
    assert_eq!((error.exit(), error.report().http_status), (Exit::Auth, Some(401)));
    assert!(error.hint_text().unwrap().contains("three"), "the lock is told: {error:?}");
    for status in join_all((0..20).map(|_| backend.status(Some(&up)))).await {
        failed(status, Code::AuthRejected);
    }
    failed(connect(&*backend, &up).await, Code::AuthRejected);
    assert_eq!(bench.asked(), [LOGIN]);
    // Neither by the next commands, nor by somebody who asks for a login.
    failed(status(&bench).await, Code::AuthRejected);
    assert_eq!(bench.open().session().unwrap().show().await.unwrap().state, LoginState::Expired);
    for _ in 0..3 {
        let error = failed(login(&*bench.open(), &Somebody::default()).await, Code::AuthRejected);
        assert!(error.message().contains("refused this login 0 min ago"), "{error:?}");
        let hint = error.hint_text().unwrap();
        assert!(hint.contains("vpnctl auth logout -b everyware, then vpnctl auth login -b everyware"), "{hint}");
    }
    assert_eq!(bench.asked(), Vec::<String>::new());
    // Another one is, and it counts besides.
    bench.secret("password", "wrong too");
    failed(login(&*bench.open(), &Somebody::default()).await, Code::AuthRejected);
    assert_eq!(bench.asked(), [LOGIN]);
    bench.secret("password", "wrong");
    failed(login(&*bench.open(), &Somebody::default()).await, Code::AuthRejected);
    assert_eq!(bench.requests(), 0);
}

#[tokio::test]
async fn who_logs_out_may_send_again_what_was_refused() {
    for key in [false, true] {
        let mut bench = Bench::faulty("everyware", &["refuse-login*1"]).await;
        let mut person = Somebody::default();
        if key {
            bench.unset("password");
            bench.unset("username");
            person.brings = vec![(Asked::ApiKey, API_KEY)];
        }
        failed(login(&*bench.open(), &person).await, Code::AuthRejected);
        failed(login(&*bench.open(), &person).await, Code::AuthRejected);
        assert_eq!(bench.asked().len(), 1);
        bench.open().session().unwrap().logout().await.unwrap();
        assert_eq!(bench.requests(), 0);
        assert_eq!(login(&*bench.open(), &person).await.unwrap().state, LoginState::Ok);
    }
}

#[tokio::test]
async fn processes_at_once_are_refused_once() {
    let bench = Bench::faulty("everyware", &["refuse-login"]).await;
    for status in join_all((0..6).map(|_| status(&bench))).await {
        failed(status, Code::AuthRejected);
    }
    assert_eq!(bench.asked(), [LOGIN]);
}

#[tokio::test]
async fn a_refused_login_is_sent_once_without_a_state_folder_too() {
    let mut bench = Bench::new("everyware").await;
    bench.secret("password", "wrong");
    let backend = bench.open_with(|opening| opening.store = vpnctl::state::Folder::new(None).backend("everyware"));
    for _ in 0..3 {
        failed(backend.status(Some(&EVERYWARE.up())).await, Code::AuthRejected);
    }
    assert_eq!(bench.asked(), [LOGIN]);
}

#[tokio::test]
async fn a_changed_secret_is_tried() {
    let mut bench = Bench::new("everyware").await;
    bench.secret("password", "wrong");
    failed(status(&bench).await, Code::AuthRejected);
    bench.secret("password", PASSWORD);
    assert_eq!(word(status(&bench).await), Word::Connected);
    assert_eq!(bench.asked(), [LOGIN, LOGIN, STATUS]);
}

#[tokio::test]
async fn a_login_that_failed_otherwise_is_no_refusal() {
    let bench = Bench::faulty("everyware", &["http-status=500@authentication", "retry-after=0"]).await;
    failed(status(&bench).await, Code::HttpServerError);
    assert!(bench.count(LOGIN) <= 4, "{:?}", bench.asked());
    bench.heal();
    assert_eq!(word(status(&bench).await), Word::Connected);
}

#[tokio::test]
async fn a_second_factor_is_asked_for_once() {
    let mut bench = Bench::new("everyware").await;
    bench.text("username", MFA_USERNAME);
    bench.secret("password", MFA_PASSWORD);
    let backend = bench.open();
    let up = EVERYWARE.up();
    for status in join_all((0..5).map(|_| backend.status(Some(&up)))).await {
        let error = failed(status, Code::AuthMfaRequired);
        assert!(error.hint_text().unwrap().contains("api_key"));
    }
    assert_eq!(bench.asked(), [LOGIN]);
    assert_eq!(bench.open().session().unwrap().show().await.unwrap().state, LoginState::Pending);
    failed(login(&*bench.open(), &Somebody::default()).await, Code::AuthMfaRequired);
    bench.asked();

    let person = Somebody { knows: vec![(Asked::Otp, MFA_CODE)], ..Somebody::default() };
    assert_eq!(login(&*bench.open(), &person).await.unwrap().state, LoginState::Ok);
    assert_eq!(bench.asked(), [LOGIN, LOGIN]);
    // This computer is trusted from now on.
    bench.fault("invalidate-tokens");
    assert_eq!(word(status(&bench).await), Word::Connected);
    assert_eq!(bench.asked(), [STATUS, LOGIN, STATUS]);
    bench.open().session().unwrap().logout().await.unwrap();
    bench.asked();
    let person = Somebody { brings: vec![(Asked::Otp, MFA_CODE)], ..Somebody::default() };
    login(&*bench.open(), &person).await.unwrap();
    assert_eq!(bench.asked(), [LOGIN], "a code that is brought goes with the first try");
}

#[tokio::test]
async fn an_api_key_that_is_brought_is_kept() {
    let mut bench = Bench::new("everyware").await;
    bench.unset("password");
    bench.unset("username");
    failed(status(&bench).await, Code::AuthRequired);
    assert_eq!(bench.requests(), 0);
    let person = Somebody { brings: vec![(Asked::ApiKey, API_KEY)], ..Somebody::default() };
    assert_eq!(login(&*bench.open(), &person).await.unwrap().state, LoginState::Ok);
    bench.fault("invalidate-tokens");
    assert_eq!(word(status(&bench).await), Word::Connected);
    assert_eq!(bench.asked(), [KEY_LOGIN, STATUS, KEY_LOGIN, STATUS]);
    bench.open().session().unwrap().logout().await.unwrap();
    failed(status(&bench).await, Code::AuthRequired);
}

#[tokio::test]
async fn a_password_that_is_typed_is_not_kept() {
    let mut bench = Bench::new("everyware").await;
    bench.unset("password");
    let person = Somebody { knows: vec![(Asked::Password, PASSWORD)], ..Somebody::default() };
    let made = login(&*bench.open(), &person).await.unwrap();
    assert_eq!((made.state, made.account.as_deref()), (LoginState::Ok, Some("operator")));
    assert!(made.expires_at.is_some());
    assert_eq!(word(status(&bench).await), Word::Connected);
    assert!(!std::fs::read_to_string(bench.state_file()).unwrap().contains(PASSWORD));
    bench.fault("invalidate-tokens");
    let error = failed(status(&bench).await, Code::AuthExpired);
    assert!(error.hint_text().unwrap().contains("vpnctl auth login"));
}

#[tokio::test]
async fn a_token_is_used_with_no_other_login() {
    let mut bench = known().await;
    bench.text("scope", vpnctl::simulate::everyware::ACCOUNT);
    status(&bench).await.unwrap();
    assert_eq!(bench.count(LOGIN), 1);
    bench.asked();
    bench.secret("api_key", API_KEY);
    status(&bench).await.unwrap();
    assert_eq!(bench.count(KEY_LOGIN), 1);
}

#[tokio::test]
async fn a_login_that_may_not_be_asked_about_is_one() {
    let bench = known().await;
    for status in [403, 404] {
        bench.heal();
        bench.fault(&format!("http-status={status}@info"));
        let login = bench.open().session().unwrap().show().await.unwrap();
        assert_eq!((login.state, login.rights, login.account.as_deref()), (LoginState::Ok, None, Some("operator")));
    }
}

#[tokio::test]
async fn why_a_login_does_not_work_is_told_with_its_state() {
    let bench = Bench::faulty("everyware", &["refuse-login"]).await;
    for _ in 0..2 {
        let login = bench.open().session().unwrap().show().await.unwrap();
        let reason = login.reason.unwrap();
        assert_eq!((login.state, reason.code()), (LoginState::Expired, Code::AuthRejected));
        assert!(reason.hint_text().unwrap().contains("three refusals"), "{reason:?}");
    }
}

#[tokio::test]
async fn a_device_that_tells_no_state_is_an_error() {
    let bench = known().await;
    for body in ["{}", "{\"connected\":null}", "{\"value\":{}}"] {
        bench.heal();
        bench.fault(&format!("body={body}"));
        let error = failed(status(&bench).await, Code::VendorProtocol);
        assert_eq!(error.exit().number(), 14);
        bench.heal();
        bench.fault(&format!("body={body}"));
        assert_eq!(word(connect(&*bench.open(), &EVERYWARE.up()).await), Word::Unknown, "a write's answer may be bare");
    }
}

#[tokio::test]
async fn the_legacy_api_is_refused_before_any_request() {
    let mut bench = Bench::new("everyware").await;
    for url in ["https://api.example.com/v2", "https://api.example.com/v2/"] {
        bench.text("url", url);
        let error = bench.try_open(|_| {}).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), Code::ConfigInvalid);
    }
}

#[tokio::test]
async fn a_raw_path_with_the_version_is_told_to_leave_it_out() {
    let bench = known().await;
    let call = |path| {
        let backend = bench.open();
        async move { failed(backend.raw().unwrap().call(reqwest::Method::GET, path, None).await, Code::ApiNotFound) }
    };
    for path in ["v1/_/devices", "/v1/_/devices"] {
        assert!(call(path).await.hint_text().unwrap().contains("leave out `v1/`"), "{path}");
    }
    assert!(!call("nothing/here/at/all").await.hint_text().unwrap().contains("leave out"));
}

#[tokio::test]
async fn rights_are_told_whatever_form_they_come_in() {
    let bench = known().await;
    let login = bench.open().session().unwrap().show().await.unwrap();
    let rights = login.rights.unwrap();
    for right in ["vpn:read", "device_management:read"] {
        assert!(rights.iter().any(|have| have == right), "{right} in {rights:?}");
    }
    assert!(login.expires_at.is_some());
}
