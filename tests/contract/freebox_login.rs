//! The Freebox's sessions, rights and pairing.

use std::time::Duration;

use futures_util::future::join_all;
use vpnctl::backend::{Asked, LoginState, Person};
use vpnctl::error::{Code, Error, Exit, Result};
use vpnctl::http::Deadline;
use vpnctl::model::Word;
use vpnctl::simulate::freebox::APP_ID;

use super::bench::{Bench, Somebody, connect, failed, login, word};
use super::facts::FREEBOX;

const STATUS: &str = "GET /api/v16/vpn_client/status";
const CHALLENGE: &str = "GET /api/v16/login/";
const SESSION: &str = "POST /api/v16/login/session/";

/// A box that vpnctl has logged in to.
async fn known() -> Bench {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    bench
}

#[tokio::test]
async fn a_session_that_has_ended_is_renewed_twice_at_most() {
    let bench = known().await;
    bench.fault("expire-sessions");
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    assert_eq!(bench.asked(), [STATUS, CHALLENGE, SESSION, STATUS]);
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    assert_eq!(bench.asked(), [STATUS]);
    bench.fault("expire-sessions*2");
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    assert_eq!(bench.asked(), [STATUS, CHALLENGE, SESSION, STATUS, CHALLENGE, SESSION, STATUS]);
    bench.fault("expire-sessions*3");
    let error = failed(bench.open().status(None).await, Code::AuthExpired);
    assert_eq!(error.vendor_code_text(), Some("auth_required"));
    assert_eq!(bench.asked(), [STATUS, CHALLENGE, SESSION, STATUS, CHALLENGE, SESSION, STATUS]);
}

#[tokio::test]
async fn a_write_is_sent_again_after_a_session_has_ended() {
    let bench = known().await;
    bench.fault("expire-sessions");
    connect(&*bench.open(), &FREEBOX.down()).await.unwrap();
    assert_eq!(bench.asked(), [FREEBOX.writes[0], CHALLENGE, SESSION, FREEBOX.writes[0]]);
}

#[tokio::test]
async fn many_calls_renew_a_session_together() {
    let bench = known().await;
    let backend = bench.open();
    bench.fault("expire-sessions");
    for status in join_all((0..20).map(|_| backend.status(None))).await {
        assert_eq!(word(status), Word::Connected);
    }
    assert_eq!(bench.count(SESSION), 1);
}

#[tokio::test]
async fn a_missing_right_is_forbidden_after_one_new_login() {
    let bench = Bench::faulty("freebox", &["no-settings-right"]).await;
    bench.logged_in(&FREEBOX).await;
    let error = failed(connect(&*bench.open(), &FREEBOX.down()).await, Code::AuthForbidden);
    assert_eq!(bench.asked(), [FREEBOX.writes[0], CHALLENGE, SESSION, FREEBOX.writes[0]]);
    assert_eq!((error.exit(), error.vendor_code_text()), (Exit::Forbidden, Some("insufficient_rights")));
    assert!(error.message().contains("settings") && error.message().contains(APP_ID), "{error}");
    let hint = error.hint_text().unwrap();
    assert!(hint.contains("Gestion des accès") && hint.contains("réglages de la Freebox"), "{hint}");
    assert!(!error.outcome_is_unknown() && !error.is_temporary());
}

#[tokio::test]
async fn a_fresh_session_without_the_right_is_not_renewed_again() {
    let bench = Bench::faulty("freebox", &["no-settings-right"]).await;
    let backend = bench.open();
    backend.status(None).await.unwrap();
    bench.asked();
    failed(connect(&*backend, &FREEBOX.down()).await, Code::AuthForbidden);
    assert_eq!(bench.asked(), [FREEBOX.writes[0]]);
}

#[tokio::test]
async fn a_right_that_was_granted_meanwhile_is_seen() {
    let bench = Bench::faulty("freebox", &["no-settings-right"]).await;
    bench.logged_in(&FREEBOX).await;
    bench.heal();
    assert_eq!(word(connect(&*bench.open(), &FREEBOX.down()).await), Word::Connecting);
    assert_eq!(bench.asked(), [FREEBOX.writes[0], CHALLENGE, SESSION, FREEBOX.writes[0]]);
}

#[tokio::test]
async fn a_revoked_token_is_tried_once() {
    let bench = known().await;
    bench.fault("invalid-token");
    let backend = bench.open();
    let error = failed(backend.status(None).await, Code::AuthRejected);
    assert_eq!(bench.asked(), [STATUS, CHALLENGE, SESSION]);
    assert_eq!((error.exit(), error.vendor_code_text()), (Exit::Auth, Some("invalid_token")));
    assert!(error.hint_text().unwrap().contains("vpnctl auth login -b freebox"));
    for status in join_all((0..20).map(|_| backend.status(None))).await {
        failed(status, Code::AuthRejected);
    }
    assert_eq!(bench.count(SESSION), 0);
    // Somebody who asks for it gets another try.
    failed(login(&*backend, &Somebody::default()).await, Code::AuthRejected);
    assert_eq!(bench.count(SESSION), 1);
}

#[tokio::test]
async fn a_challenge_that_was_refused_is_not_signed_again() {
    let bench = Bench::faulty("freebox", &["challenge-consumed*1"]).await;
    failed(bench.open().status(None).await, Code::AuthRejected);
    assert_eq!(bench.count(SESSION), 1);
    // Nor by another process, until somebody asks for a login.
    let error = failed(bench.open().status(None).await, Code::AuthRejected);
    assert!(error.message().contains("so it is not tried again"), "{error}");
    assert_eq!(bench.count(SESSION), 1);
    login(&*bench.open(), &Somebody::default()).await.unwrap();
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
}

#[tokio::test]
async fn logins_are_refused_in_several_ways() {
    for (fault, code) in [
        ("pending-token", Code::AuthPending),
        ("apps-denied", Code::AuthDenied),
        ("ratelimited", Code::HttpRateLimited),
        ("web-ui-challenge", Code::VendorProtocol),
    ] {
        let bench = Bench::faulty("freebox", &[fault]).await;
        let error = failed(bench.open().status(None).await, code);
        assert_eq!(bench.count(SESSION), usize::from(fault != "web-ui-challenge"), "{fault}");
        assert!(error.hint_text().is_some() && !error.is_repeatable(), "{fault}");
    }
}

#[tokio::test]
async fn a_limit_of_logins_is_not_run_into_by_each_process() {
    let bench = Bench::faulty("freebox", &["ratelimited*1"]).await;
    failed(bench.open().status(None).await, Code::HttpRateLimited);
    for _ in 0..2 {
        let error = failed(bench.open().status(None).await, Code::HttpRateLimited);
        assert!(error.message().contains("so none is sent for now") && !error.is_repeatable(), "{error}");
        assert!(error.report().retry_after_s.is_some_and(|wait| wait > 200.0 && wait <= 300.0), "{error:?}");
    }
    assert_eq!(bench.count(SESSION), 1);
    login(&*bench.open(), &Somebody::default()).await.unwrap();
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
}

#[tokio::test]
async fn a_session_belongs_to_its_token() {
    let mut bench = known().await;
    bench.secret("app_token", "another");
    failed(bench.open().status(None).await, Code::AuthRejected);
    let asked = bench.asked();
    assert!(!asked.contains(&STATUS.to_owned()), "the session was opened with another token: {asked:?}");
}

#[tokio::test]
async fn the_app_token_is_never_sent() {
    let bench = known().await;
    bench.fault("expire-sessions");
    bench.open().status(None).await.unwrap();
    for entry in bench.running().context.log.entries() {
        let all = format!("{} {:?} {}", entry.path, entry.headers, entry.body);
        assert!(!all.contains("dyNYgfK0Ya6FWGqq83sB"), "{all}");
    }
    let state = std::fs::read_to_string(bench.state_file()).unwrap();
    assert!(!state.contains("dyNYgfK0Ya6FWGqq83sB"), "a configured token is kept nowhere else");
}

#[tokio::test]
async fn a_session_token_is_unescaped() {
    let bench = known().await;
    // A token is 64 characters of base64, so two of three have a slash, which the box writes as `\/`.
    for _ in 0..100 {
        bench.fault("expire-sessions");
        assert_eq!(word(bench.open().status(None).await), Word::Connected);
        let sent = bench.running().context.log.entries().pop().unwrap();
        let token = &sent.headers["x-fbx-app-auth"];
        assert!(!token.contains('\\'), "{token}");
        if token.contains('/') {
            return;
        }
    }
    panic!("no session token had a slash");
}

/// A box to which vpnctl has no token yet.
async fn unpaired(faults: &[&str]) -> Bench {
    let mut bench = Bench::faulty("freebox", faults).await;
    bench.unset("app_token");
    bench.text("app_id", "org.example.fresh");
    bench
}

#[tokio::test]
async fn pairing_waits_for_the_button_and_keeps_the_token() {
    let bench = unpaired(&["pairing=granted"]).await;
    let error = failed(bench.open().status(None).await, Code::AuthRequired);
    assert!(error.hint_text().unwrap().contains("vpnctl auth login"));
    bench.asked();
    let person = Somebody::default();
    let made = login(&*bench.open(), &person).await.unwrap();
    assert_eq!((made.state, made.account.as_deref()), (LoginState::Ok, Some("org.example.fresh")));
    assert_eq!(bench.count("POST /api/v16/login/authorize/"), 1);
    let heard = person.heard.lock().unwrap().join("\n");
    // The front panel does not grant the right that writes need; better to hear of it now than at the first connect.
    assert!(heard.contains("✓") && heard.contains("`settings`"), "{heard}");
    assert!(!made.rights.unwrap().contains(&"settings".to_owned()));
    bench.asked();
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    assert_eq!(bench.asked(), [STATUS]);
}

#[tokio::test]
async fn pairing_ends_in_several_ways() {
    for (fault, code, word) in [
        ("pairing=denied", Code::AuthDenied, "denied"),
        ("pairing=timeout", Code::AuthDenied, "timeout"),
        ("pairing=unknown", Code::AuthDenied, "unknown"),
        ("new-apps-denied", Code::AuthDenied, "new_apps_denied"),
        ("denied-from-external-ip", Code::AuthDenied, "denied_from_external_ip"),
    ] {
        let bench = unpaired(&[fault]).await;
        let error = failed(login(&*bench.open(), &Somebody::default()).await, code);
        assert_eq!(error.vendor_code_text(), Some(word));
        assert!(error.hint_text().is_some());
        assert_eq!(bench.count("POST /api/v16/login/authorize/"), 1);
        failed(bench.open().status(None).await, Code::AuthRequired);
    }
}

#[tokio::test]
async fn pairing_that_nobody_answers_ends_with_the_deadline() {
    let bench = unpaired(&["pairing=pending"]).await;
    let backend = bench.open_with(|opening| opening.deadline = Deadline::after(Some(Duration::from_millis(900))));
    failed(login(&*backend, &Somebody::default()).await, Code::AuthPending);
}

/// Somebody at the box, while whose way there the state is spoilt.
struct Spoiler(std::path::PathBuf);

#[async_trait::async_trait]
impl Person for Spoiler {
    fn tell(&self, _: &str) {}

    fn show_wait(&self, _: &str) -> Box<dyn Send> {
        std::fs::write(&self.0, r#"{"version":2}"#).unwrap();
        Box::new(())
    }

    async fn ask(&self, _: Asked, _: &str) -> Result<secrecy::SecretString> {
        Err(Error::usage("nobody to ask"))
    }

    fn brings(&self, _: Asked) -> bool {
        false
    }
}

#[tokio::test]
async fn a_pairing_that_is_lost_is_no_login() {
    let bench = unpaired(&["pairing=granted"]).await;
    let made = bench.open().session().unwrap().login(&Spoiler(bench.state_file())).await;
    let error = failed(made, Code::ConfigInvalid);
    assert!(error.message().contains("the box has granted the pairing") && error.message().contains("lost"), "{error}");
    assert!(error.hint_text().unwrap().contains("vpnctl auth login -b freebox"), "{error:?}");
    assert_eq!((bench.count("authorize/"), bench.count(SESSION)), (2, 0), "{:?}", bench.asked());
}
