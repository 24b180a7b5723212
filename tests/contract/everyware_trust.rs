//! Second factors, trusted computers, logins that can't be made again by themselves, and the lock-out.

use futures_util::future::join_all;
use serde_json::Value;
use vpnctl::backend::{Asked, LoginState};
use vpnctl::error::Code;
use vpnctl::model::Word;
use vpnctl::simulate::everyware::{MFA_CODE, MFA_PASSWORD, MFA_USERNAME, PASSWORD};
use vpnctl::state::Folder;

use super::bench::{Bench, Somebody, failed, login, word};
use super::facts::EVERYWARE;

const LOGIN: &str = "POST /v1/authentication/user";
const REFRESH: &str = "POST /v1/authentication/refresh";
const STATUS: &str = "GET /v1/_/devices/-Kf2x0nQbDE/vpn";

async fn status(bench: &Bench) -> vpnctl::error::Result<vpnctl::model::Status> {
    bench.open().status(Some(&EVERYWARE.up())).await
}

fn knows(what: Asked, secret: &'static str) -> Somebody {
    Somebody { knows: vec![(what, secret)], ..Somebody::default() }
}

/// A user with a second factor who has logged in, so that this computer is trusted.
async fn trusted() -> Bench {
    let mut bench = Bench::new("everyware").await;
    bench.text("username", MFA_USERNAME);
    bench.secret("password", MFA_PASSWORD);
    login(&*bench.open(), &knows(Asked::Otp, MFA_CODE)).await.unwrap();
    bench.asked();
    bench
}

fn kept(bench: &Bench) -> Value {
    serde_json::from_str(&std::fs::read_to_string(bench.state_file()).unwrap()).unwrap()
}

/// Changes the state, as time does.
fn keep(bench: &Bench, change: impl FnOnce(&mut Value)) {
    let mut state = kept(bench);
    change(&mut state);
    std::fs::write(bench.state_file(), state.to_string()).unwrap();
}

/// Gives what the logins since the last time were made with, and forgets the requests.
fn logins(bench: &Bench) -> Vec<Value> {
    let entries = bench.running().context.log.entries();
    bench.asked();
    let sent = entries.iter().filter(|entry| entry.path == "/v1/authentication/user");
    sent.map(|entry| serde_json::from_str(&entry.body).unwrap()).collect()
}

#[tokio::test]
async fn a_trust_key_is_kept_for_its_owner_and_sent_instead_of_a_code() {
    let bench = trusted().await;
    let key = kept(&bench)["trust_key"].as_str().unwrap().to_owned();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(bench.state_file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    keep(&bench, |state| state["token"] = Value::Null);
    assert_eq!(word(status(&bench).await), Word::Connected);
    let sent = logins(&bench);
    assert_eq!((sent.len(), &sent[0]["trustKey"]), (1, &key.into()));
    assert!(sent[0].get("authenticationCode").is_none() && sent[0].get("trustMe").is_none());
}

#[tokio::test]
async fn a_trust_key_that_is_over_is_not_sent_and_the_code_is_asked_for() {
    let bench = trusted().await;
    keep(&bench, |state| {
        state["token"] = Value::Null;
        state["trusted_at"] = "2020-01-01T00:00:00Z".into();
    });
    let error = failed(status(&bench).await, Code::AuthMfaRequired);
    assert!(error.hint_text().unwrap().contains("vpnctl auth login -b everyware"), "{error:?}");
    let sent = logins(&bench);
    assert!(sent.len() == 1 && sent[0].get("trustKey").is_none(), "{sent:?}");
    login(&*bench.open(), &knows(Asked::Otp, MFA_CODE)).await.unwrap();
    assert_eq!(logins(&bench).len(), 2);
    keep(&bench, |state| state["token"] = Value::Null);
    assert_eq!(word(status(&bench).await), Word::Connected);
    assert!(logins(&bench)[0]["trustKey"].is_string());
}

#[tokio::test]
async fn a_trust_key_that_the_cloud_no_longer_knows_is_sent_once() {
    for by_hand in [false, true] {
        let bench = trusted().await;
        keep(&bench, |state| {
            state["token"] = Value::Null;
            state["trust_key"] = "00000000-0000-4000-8000-000000000000".into();
        });
        if !by_hand {
            failed(status(&bench).await, Code::AuthMfaRequired);
            failed(status(&bench).await, Code::AuthMfaRequired);
            let keys: Vec<bool> = logins(&bench).iter().map(|body| body.get("trustKey").is_some()).collect();
            assert_eq!(keys, [true, false]);
        }
        login(&*bench.open(), &knows(Asked::Otp, MFA_CODE)).await.unwrap();
        let sent = logins(&bench);
        assert_eq!(sent.len(), 2);
        assert_eq!((sent[0].get("trustKey").is_some(), &sent[1]["authenticationCode"]), (by_hand, &MFA_CODE.into()));
        assert!(sent[1].get("trustKey").is_none());
        assert_ne!(kept(&bench)["trust_key"], "00000000-0000-4000-8000-000000000000");
    }
}

#[tokio::test]
async fn a_trust_key_may_be_why_a_login_was_refused() {
    // The cloud never says which part of a login it refused, so the next try goes without the doubtful part.
    for by_hand in [false, true] {
        let bench = trusted().await;
        keep(&bench, |state| state["token"] = Value::Null);
        bench.fault("refuse-login*1");
        let error = if by_hand {
            failed(login(&*bench.open(), &knows(Asked::Otp, MFA_CODE)).await, Code::AuthMfaRequired)
        } else {
            failed(status(&bench).await, Code::AuthMfaRequired)
        };
        assert!(error.message().contains("no longer trusted, or the password is wrong"), "{error}");
        let sent = logins(&bench);
        assert!(sent.len() == 1 && sent[0]["trustKey"].is_string(), "{sent:?}");
        // The secret itself was not refused, as far as anybody knows.
        failed(status(&bench).await, Code::AuthMfaRequired);
        assert!(logins(&bench)[0].get("trustKey").is_none());
        login(&*bench.open(), &knows(Asked::Otp, MFA_CODE)).await.unwrap();
        let sent = logins(&bench);
        assert!(sent.len() == 2 && sent[0].get("trustKey").is_none(), "{sent:?}");
    }
}

#[tokio::test]
async fn a_wrong_code_is_refused_once() {
    let mut bench = Bench::new("everyware").await;
    bench.text("username", MFA_USERNAME);
    bench.secret("password", MFA_PASSWORD);
    let person = knows(Asked::Otp, "000000");
    let error = failed(login(&*bench.open(), &person).await, Code::AuthRejected);
    assert!(error.message().contains("one-time code"), "{error}");
    assert_eq!(bench.asked(), [LOGIN, LOGIN], "asked for once, sent once");
    assert_eq!(person.heard.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_token_that_ended_early_is_refreshed_where_nothing_can_log_in() {
    // A password that was typed is not kept.
    let mut bench = Bench::new("everyware").await;
    bench.unset("password");
    login(&*bench.open(), &knows(Asked::Password, PASSWORD)).await.unwrap();
    bench.asked();
    bench.fault("http-status=401@/vpn*1");
    assert_eq!(word(status(&bench).await), Word::Connected);
    assert_eq!(bench.asked(), [STATUS, REFRESH, STATUS]);
    bench.fault("http-status=401@/vpn");
    failed(status(&bench).await, Code::AuthExpired);
    assert_eq!(bench.asked(), [STATUS, REFRESH, STATUS, REFRESH, STATUS], "twice in a command");
    bench.heal();
    // What was invalidated can't be refreshed, and is not tried a second time.
    bench.fault("invalidate-tokens");
    failed(status(&bench).await, Code::AuthExpired);
    assert_eq!(bench.asked(), [STATUS, REFRESH]);
    failed(status(&bench).await, Code::AuthExpired);
    assert_eq!(bench.asked(), [STATUS]);
    // A second factor that nobody can give.
    let bench = trusted().await;
    keep(&bench, |state| state["trust_key"] = Value::Null);
    bench.fault("http-status=401@/vpn*1");
    assert_eq!(word(status(&bench).await), Word::Connected);
    assert_eq!(bench.asked(), [STATUS, LOGIN, REFRESH, STATUS]);
}

#[tokio::test]
async fn a_refresh_token_that_is_over_is_followed_by_a_login_or_by_what_to_do() {
    let bench = Bench::faulty("everyware", &["token-ttl=20", "refresh-ttl=0"]).await;
    status(&bench).await.unwrap();
    bench.heal();
    bench.asked();
    assert_eq!(word(status(&bench).await), Word::Connected);
    assert_eq!(bench.asked(), [LOGIN, STATUS]);
    let mut bench = Bench::faulty("everyware", &["token-ttl=20", "refresh-ttl=0"]).await;
    bench.unset("password");
    login(&*bench.open(), &knows(Asked::Password, PASSWORD)).await.unwrap();
    bench.asked();
    let error = failed(status(&bench).await, Code::AuthExpired);
    assert!(error.hint_text().unwrap().contains("vpnctl auth login -b everyware"));
    assert_eq!(bench.requests(), 0);
    assert_eq!(bench.open().session().unwrap().show().await.unwrap().state, LoginState::Expired);
}

#[tokio::test]
async fn a_refresh_of_another_process_is_picked_up() {
    let bench = Bench::faulty("everyware", &["token-ttl=20"]).await;
    let (one, other) = (bench.open(), bench.open());
    one.status(Some(&EVERYWARE.up())).await.unwrap();
    bench.heal();
    bench.asked();
    other.status(Some(&EVERYWARE.up())).await.unwrap();
    assert_eq!(bench.asked(), [REFRESH, STATUS]);
    // The new token ended the old one at once: what was refused with it is sent again with the other's, without a login.
    one.status(Some(&EVERYWARE.up())).await.unwrap();
    assert_eq!(bench.asked(), [STATUS, STATUS]);
}

#[tokio::test]
async fn backends_with_one_user_are_refused_once_together() {
    let mut bench = Bench::new("everyware").await;
    bench.secret("password", "wrong");
    let folder = bench.state_file().parent().unwrap().to_owned();
    let open = |name: &str| {
        bench.open_with(|opening| {
            opening.store = Folder::new(Some(folder.clone())).backend(name);
            opening.config.name = name.to_owned();
        })
    };
    let backends: Vec<_> = ["north", "south", "west", "north", "south"].iter().map(|name| open(name)).collect();
    let up = EVERYWARE.up();
    for status in join_all(backends.iter().map(|backend| backend.status(Some(&up)))).await {
        failed(status, Code::AuthRejected);
    }
    assert_eq!(bench.asked(), [LOGIN], "three refusals lock the user");
}
