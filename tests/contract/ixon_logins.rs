//! Logins to the IXON cloud that may count there: those whose answer is lost, and those that it limits.

use futures_util::future::join_all;
use vpnctl::error::{Code, Error, Exit};

use super::bench::{Bench, Somebody, failed, listed, login};
use super::everyware_attempts::{age, kept, old, spoil};
use super::ixon_cloud::{by_password, logins};

async fn list(bench: &Bench) -> vpnctl::error::Result<()> {
    listed(&*bench.open()).await.map(drop)
}

async fn log_in(bench: &Bench) -> vpnctl::error::Result<()> {
    login(&*bench.open(), &Somebody::default()).await.map(drop)
}

#[tokio::test]
async fn logins_whose_answer_is_lost_are_counted() {
    let bench = by_password(&[]).await;
    bench.fault("wire=hangup@/access-tokens");
    for _ in 0..2 {
        failed(list(&bench).await, Code::NetReset);
    }
    let error = failed(list(&bench).await, Code::AuthRejected);
    assert!(
        error.message().contains("brought no answer that tells how they ended, so none is tried by itself until 20"),
        "{error}"
    );
    let hint = error.hint_text().unwrap();
    assert!(hint.contains("vpnctl auth login -b ixon") && !hint.contains("lock"), "{hint}");
    assert_eq!(logins(&bench), 2);
    // Somebody who asks for one has it sent.
    failed(log_in(&bench).await, Code::NetReset);
    assert_eq!(logins(&bench), 3);
    bench.heal();
    age(&bench, 601);
    list(&bench).await.unwrap();
    assert_eq!(logins(&bench), 4);
}

#[tokio::test]
async fn what_a_proxy_answers_in_place_of_the_cloud_counts_as_lost() {
    for (fault, code) in [
        ("cloud-status=504@/access-tokens", Code::HttpServerError),
        ("http-status=500@/access-tokens", Code::HttpServerError),
        ("http-status=408@/access-tokens", Code::TimeoutRequest),
        ("redirect=/login@/access-tokens", Code::VendorProtocol),
        ("not-json=/access-tokens", Code::VendorProtocol),
        // A success without a token.
        (r#"body={"status":"success","data":[]}"#, Code::VendorProtocol),
    ] {
        let bench = by_password(&[]).await;
        bench.fault(fault);
        for _ in 0..2 {
            failed(list(&bench).await, code);
        }
        for error in join_all((0..20).map(|_| list(&bench))).await {
            failed(error, Code::AuthRejected);
        }
        assert_eq!(logins(&bench), 2, "{fault}");
        failed(log_in(&bench).await, code);
        assert_eq!(logins(&bench), 3, "{fault}: who asks for a login has it sent");
    }
    // Who has no room for it has not looked at it.
    let bench = by_password(&["http-status=503@/access-tokens"]).await;
    for _ in 0..3 {
        failed(list(&bench).await, Code::HttpServerError);
    }
    assert_eq!(logins(&bench), 3);
}

#[tokio::test]
async fn a_login_that_is_forbidden_is_sent_again_for_who_asks_for_it() {
    for fault in ["cloud-status=403@/access-tokens", "bare-status=403@/access-tokens"] {
        let bench = by_password(&[fault]).await;
        for error in join_all((0..20).map(|_| list(&bench))).await {
            failed(error, Code::AuthForbidden);
        }
        let error = failed(list(&bench).await, Code::AuthForbidden);
        assert!(error.message().contains("forbade this login 0 min ago"), "{error}");
        assert!(error.hint_text().unwrap().contains("log in now: vpnctl auth login -b ixon"), "{error:?}");
        assert_eq!(logins(&bench), 1, "{fault}");
        failed(log_in(&bench).await, Code::AuthForbidden);
        assert_eq!(logins(&bench), 2, "{fault}");
        bench.heal();
        log_in(&bench).await.unwrap();
        list(&bench).await.unwrap();
    }
}

#[tokio::test]
async fn a_limit_of_logins_is_heeded_by_all_until_it_ends() {
    let told = |error: Error| {
        assert!(error.message().contains("limits logins, so none is sent until 20"), "{error}");
        assert!(error.is_temporary() && !error.is_repeatable() && error.exit() == Exit::Unreachable, "{error:?}");
        error.report().retry_after_s.unwrap()
    };
    for (fault, longest) in
        [("login-rate-limited*1", 600.0), ("http-status=429@/access-tokens*1;retry-after=120", 120.0)]
    {
        for by_hand in [false, true] {
            let bench = by_password(&[]).await;
            fault.split(';').for_each(|fault| bench.fault(fault));
            let first = if by_hand { log_in(&bench).await } else { list(&bench).await };
            failed(first, Code::HttpRateLimited);
            assert_eq!(logins(&bench), 1, "{fault}");
            let wait = told(failed(list(&bench).await, Code::HttpRateLimited));
            assert!(wait <= longest && wait > longest - 60.0, "{fault}: {wait}");
            told(failed(log_in(&bench).await, Code::HttpRateLimited));
            for error in join_all((0..20).map(|_| list(&bench))).await {
                told(failed(error, Code::HttpRateLimited));
            }
            assert_eq!(logins(&bench), 1, "{fault}");
            bench.heal();
            let path = kept(&bench);
            let text = std::fs::read_to_string(&path).unwrap();
            let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
            document["paused"] = 1.into();
            std::fs::write(&path, document.to_string()).unwrap();
            list(&bench).await.unwrap();
        }
    }
    // Who logs out begins anew.
    let bench = by_password(&["login-rate-limited*1"]).await;
    failed(list(&bench).await, Code::HttpRateLimited);
    bench.open().session().unwrap().logout().await.unwrap();
    list(&bench).await.unwrap();
}

#[tokio::test]
async fn a_spoilt_record_holds_a_login_back_for_as_long_as_one_may_count() {
    let mut bench = by_password(&[]).await;
    bench.secret("password", "wrong");
    failed(list(&bench).await, Code::AuthRejected);
    spoil(&bench, b"{");
    let error = failed(list(&bench).await, Code::AuthRejected);
    assert!(error.message().contains("was spoilt"), "{error}");
    failed(list(&bench).await, Code::AuthRejected);
    assert_eq!(logins(&bench), 1);
    spoil(&bench, b"");
    old(&bench, 601);
    failed(list(&bench).await, Code::AuthRejected);
    assert_eq!(logins(&bench), 2, "what stood there counts no longer");
    spoil(&bench, br#"{"version":"2"}"#);
    failed(list(&bench).await, Code::ConfigInvalid);
    failed(log_in(&bench).await, Code::AuthRejected);
    assert_eq!(logins(&bench), 3, "who asks for a login has it sent");
}

#[tokio::test]
async fn a_logout_that_the_cloud_is_not_told_of_says_what_is_left() {
    let mut bench = by_password(&[]).await;
    list(&bench).await.unwrap();
    bench.secret("password", "wrong");
    failed(log_in(&bench).await, Code::AuthRejected);
    bench.fault("cloud-status=403@/access-tokens/me");
    let error = failed(bench.open().session().unwrap().logout().await, Code::AuthForbidden);
    assert!(
        error.message().contains("the login is forgotten here, and so is a refusal, but the server was not told"),
        "{error}"
    );
    let hint = error.hint_text().unwrap();
    assert!(hint.contains("until it ends") && hint.contains("vpnctl auth login -b ixon"), "{hint}");
    let state = std::fs::read_to_string(bench.state_file()).unwrap();
    assert!(state.contains("\"token\":null"), "{state}");
    bench.asked();
    failed(log_in(&bench).await, Code::AuthRejected);
    assert_eq!(logins(&bench), 1, "it is sent again");
}
