//! The sentences of `Session`, for each vendor.

use vpnctl::backend::LoginState;
use vpnctl::error::{Code, Exit};
use vpnctl::model::Word;

use super::bench::{Somebody, failed, login, word};
use super::facts::Facts;
use super::sentences::for_each_vendor;

for_each_vendor! {
    a_login_is_kept
    a_refused_login_is_not_tried_again
    logging_out_twice_is_no_error
    logging_out_ends_the_login_at_the_vendor
    a_login_is_forgotten_also_where_the_vendor_fails
    show_tells_a_login
    show_tells_a_missing_login
    show_tells_a_login_that_is_refused
    show_fails_where_the_vendor_cannot_be_asked
    without_a_login_there_is_a_hint_to_make_one
}

async fn a_login_is_kept(facts: &Facts) {
    let bench = facts.bench().await;
    let made = login(&*bench.open(), &Somebody::default()).await.unwrap();
    assert_eq!(made.state, LoginState::Ok);
    assert!(made.account.is_some());
    assert_eq!(bench.count(facts.login), 1);
    bench.asked();
    assert_eq!(bench.open().session().unwrap().show().await.unwrap().state, LoginState::Ok);
    assert_eq!(word(bench.open().status(Some(&facts.up())).await), Word::Connected);
    assert_eq!(bench.count(facts.login), 0);
}

async fn a_refused_login_is_not_tried_again(facts: &Facts) {
    let mut bench = facts.bench().await;
    (facts.refuse)(&mut bench);
    let error = failed(login(&*bench.open(), &Somebody::default()).await, Code::AuthRejected);
    assert_eq!(error.exit(), Exit::Auth);
    assert!(!error.is_temporary());
    assert!(error.hint_text().is_some());
    assert_eq!(bench.count(facts.login), 1);

    bench.asked();
    let backend = bench.open();
    let many = (0..8).map(|_| backend.session().unwrap().show());
    for login in futures_util::future::join_all(many).await {
        assert_eq!(login.unwrap().state, LoginState::Expired);
    }
    assert!(bench.count(facts.login) <= 1, "{:?}", bench.asked());
}

async fn logging_out_twice_is_no_error(facts: &Facts) {
    let bench = facts.bench().await;
    facts.log_in(&bench).await;
    bench.open().session().unwrap().logout().await.unwrap();
    assert_eq!(bench.requests(), 1);
    bench.open().session().unwrap().logout().await.unwrap();
    let backend = bench.open();
    backend.session().unwrap().logout().await.unwrap();
    assert_eq!(bench.requests(), 1, "there was nothing left to end");
}

async fn logging_out_ends_the_login_at_the_vendor(facts: &Facts) {
    let bench = facts.bench().await;
    facts.log_in(&bench).await;
    let kept = std::fs::read(bench.state_file()).unwrap();
    bench.open().session().unwrap().logout().await.unwrap();
    // With what was kept before nobody gets in any more: a login has to be made.
    std::fs::write(bench.state_file(), kept).unwrap();
    bench.asked();
    assert_eq!(bench.open().session().unwrap().show().await.unwrap().state, LoginState::Ok);
    assert_eq!(bench.count(facts.login), 1, "{:?}", bench.asked());
}

async fn a_login_is_forgotten_also_where_the_vendor_fails(facts: &Facts) {
    for (fault, is_known) in
        [("http-status=403", true), ("http-status=504", false), ("wire=hangup@/", false), ("not-json=/", false)]
    {
        let bench = facts.bench().await;
        facts.log_in(&bench).await;
        bench.fault(fault);
        let error = bench.open().session().unwrap().logout().await.unwrap_err();
        assert_eq!(error.code() != Code::TimeoutUnknownOutcome, is_known, "{error:?}");
        let told =
            if is_known { ", but the server was not told" } else { ", but whether the server was told is not known" };
        assert!(error.message().contains(&format!("the login is forgotten here{told}: ")), "{error}");
        let hint = error.hint_text().unwrap();
        assert_eq!(hint.contains("if the server was not told, the "), !is_known, "{hint}");
        assert!(hint.contains("ends by itself") && hint.contains("vpnctl auth login -b "), "{hint}");
        // Here is nothing left that a retry could end.
        assert!(!error.is_temporary(), "{error:?}");
        assert_eq!(bench.requests(), 1);
        bench.heal();
        bench.asked();
        bench.open().session().unwrap().logout().await.unwrap();
        assert_eq!(bench.requests(), 0);
    }
}

async fn show_tells_a_login(facts: &Facts) {
    let bench = facts.bench().await;
    facts.log_in(&bench).await;
    let login = bench.open().session().unwrap().show().await.unwrap();
    assert_eq!(login.state, LoginState::Ok);
    let asked = bench.asked();
    assert!(asked.len() == 1 && asked[0].starts_with("GET "), "{asked:?}");
    let known = [login.account.is_some(), login.expires_at.is_some(), login.rights.is_some()];
    assert!(known.into_iter().filter(|known| *known).count() >= 1, "{login:?}");
}

async fn show_tells_a_missing_login(facts: &Facts) {
    let mut bench = facts.bench().await;
    (facts.strip)(&mut bench);
    let login = bench.open().session().unwrap().show().await.unwrap();
    assert_eq!(login.state, LoginState::Missing);
    assert_eq!(bench.requests(), 0);
}

async fn show_tells_a_login_that_is_refused(facts: &Facts) {
    let mut bench = facts.bench().await;
    (facts.refuse)(&mut bench);
    let login = bench.open().session().unwrap().show().await.unwrap();
    assert_eq!(login.state, LoginState::Expired);
    assert_eq!(bench.count(facts.login), 1);
}

async fn show_fails_where_the_vendor_cannot_be_asked(facts: &Facts) {
    let bench = facts.bench().await;
    facts.log_in(&bench).await;
    bench.fault("http-status=500");
    bench.fault("retry-after=0");
    failed(bench.open().session().unwrap().show().await, Code::HttpServerError);
}

async fn without_a_login_there_is_a_hint_to_make_one(facts: &Facts) {
    let mut bench = facts.bench().await;
    (facts.strip)(&mut bench);
    let backend = bench.open();
    let error = failed(backend.connect(&facts.down(), Default::default()).await, Code::AuthRequired);
    assert!(error.hint_text().unwrap().contains(&format!("vpnctl auth login -b {}", facts.vendor)), "{error:?}");
    assert!(!error.outcome_is_unknown());
    assert_eq!(bench.count(facts.writes[0]), 0);
}
