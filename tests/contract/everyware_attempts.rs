//! Logins that count at the cloud: each refusal, and each whose answer is lost, brings the lock of three hours nearer.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use vpnctl::backend::Asked;
use vpnctl::error::Code;

use super::bench::{Bench, Somebody, failed, listed, login};
use super::facts::EVERYWARE;

/// Serves every request with one answer, without one by closing the connection; counts them.
async fn served(status: &str, body: &str) -> (Bench, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = if status.is_empty() { String::new() } else { answer };
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            // The body is the last of a login, and it is one JSON object.
            while !request.ends_with(b"}") {
                let mut part = [0; 4096];
                match stream.read(&mut part).await {
                    Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
                    _ => break,
                }
            }
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let mut bench = Bench::new("everyware").await;
    bench.text("url", &format!("http://127.0.0.1:{port}/v1"));
    (bench, count)
}

async fn status(bench: &Bench) -> vpnctl::error::Result<vpnctl::model::Status> {
    bench.open().status(Some(&EVERYWARE.up())).await
}

#[tokio::test]
async fn a_refusal_is_one_whatever_it_says() {
    for body in ["", "{\"kapuaErrorCode\":\"CALL_ERROR\"}", "{\"kapuaErrorCode\":\"AUTHENTICATION_ERROR\"}", "<p>no"] {
        let (bench, sent) = served("401 Unauthorized", body).await;
        let error = failed(status(&bench).await, Code::AuthRejected);
        assert!(error.hint_text().unwrap().contains("three refusals lock"), "{error:?}");
        failed(status(&bench).await, Code::AuthRejected);
        assert_eq!(sent.load(Ordering::SeqCst), 1, "{body}");
    }
}

#[tokio::test]
async fn a_login_that_failed_is_sent_once_in_a_command() {
    for (answer, code) in [
        ("200 OK", Code::VendorProtocol),
        ("400 Bad Request", Code::VendorProtocol),
        ("403 Forbidden", Code::AuthForbidden),
        ("503 Service Unavailable", Code::HttpServerError),
        ("", Code::NetReset),
    ] {
        let (bench, sent) = served(answer, "{\"tokenId\":{\"secret\":\"canary\"}}").await;
        let backend = bench.open();
        let error = failed(backend.status(Some(&EVERYWARE.up())).await, code);
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        failed(listed(&*backend).await.map(|_| ()), code);
        failed(backend.status(Some(&EVERYWARE.up())).await, code);
        assert_eq!(sent.load(Ordering::SeqCst), 1, "{answer}");
    }
}

#[tokio::test]
async fn logins_whose_answer_is_lost_count_like_refusals() {
    let (mut bench, sent) = served("", "").await;
    // One may be chance.
    failed(status(&bench).await, Code::NetReset);
    failed(status(&bench).await, Code::NetReset);
    let error = failed(status(&bench).await, Code::AuthRejected);
    assert!(
        error.message().contains("brought no answer that tells how they ended")
            && error.message().contains(" until 20"),
        "{error:?}"
    );
    // Time mends it, and it is said how much.
    assert!(error.is_temporary() && error.report().retry_after_s.is_some_and(|wait| wait > 60.0), "{error:?}");
    assert!(error.hint_text().unwrap().contains("vpnctl auth login -b everyware"), "{error:?}");
    // What never logged in is in doubt for as long as the cloud counts it.
    age(&bench, 3000);
    failed(status(&bench).await, Code::AuthRejected);
    // The cloud counts by user, not by secret.
    bench.secret("password", "another");
    failed(status(&bench).await, Code::AuthRejected);
    assert_eq!(sent.load(Ordering::SeqCst), 2);
    failed(login(&*bench.open(), &Somebody::default()).await, Code::NetReset);
    assert_eq!(sent.load(Ordering::SeqCst), 3);
    bench.text("username", "somebody-else");
    failed(status(&bench).await, Code::NetReset);
}

#[tokio::test]
async fn what_a_proxy_answers_in_place_of_the_cloud_counts_as_lost() {
    for (answer, code) in [
        ("504 Gateway Timeout", Code::HttpServerError),
        ("502 Bad Gateway", Code::HttpServerError),
        ("500 Internal Server Error", Code::HttpServerError),
        ("408 Request Timeout", Code::TimeoutRequest),
        ("302 Found", Code::VendorProtocol),
        ("200 OK", Code::VendorProtocol),
    ] {
        let (bench, sent) = served(answer, "<html>a proxy</html>").await;
        for _ in 0..2 {
            failed(status(&bench).await, code);
        }
        for error in futures_util::future::join_all((0..20).map(|_| status(&bench))).await {
            let error = failed(error, Code::AuthRejected);
            assert!(error.message().contains("so none is tried by itself until 20"), "{error}");
        }
        assert_eq!(sent.load(Ordering::SeqCst), 2, "{answer}");
        failed(login(&*bench.open(), &Somebody::default()).await, code);
        assert_eq!(sent.load(Ordering::SeqCst), 3, "{answer}: who asks for a login has it sent");
    }
}

#[tokio::test]
async fn a_login_that_is_forbidden_is_sent_again_for_who_asks_for_it() {
    for body in ["", "{\"kapuaErrorCode\":\"SUBJECT_UNAUTHORIZED\"}", "<html>a firewall</html>"] {
        let (bench, sent) = served("403 Forbidden", body).await;
        for error in futures_util::future::join_all((0..20).map(|_| status(&bench))).await {
            failed(error, Code::AuthForbidden);
        }
        let error = failed(status(&bench).await, Code::AuthForbidden);
        assert!(error.message().contains("forbade this login 0 min ago"), "{error}");
        assert!(error.hint_text().unwrap().contains("vpnctl auth login -b everyware"), "{error:?}");
        assert_eq!(sent.load(Ordering::SeqCst), 1, "{body}");
        for count in 2..=3 {
            failed(login(&*bench.open(), &Somebody::default()).await, Code::AuthForbidden);
            assert_eq!(sent.load(Ordering::SeqCst), count, "{body}");
        }
        failed(status(&bench).await, Code::AuthForbidden);
        assert_eq!(sent.load(Ordering::SeqCst), 3, "{body}");
    }
}

/// Gives the file in which the attempts of the one login are kept.
pub(crate) fn kept(bench: &Bench) -> PathBuf {
    let entries = std::fs::read_dir(bench.state_file().parent().unwrap()).unwrap();
    let is_it = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("login-") && name.ends_with(".json")
    };
    entries.map(|entry| entry.unwrap().path()).find(is_it).unwrap()
}

/// Makes the attempts that are kept so many seconds older.
pub(crate) fn age(bench: &Bench, seconds: i64) {
    let path = kept(bench);
    let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for one in kept["tries"].as_array_mut().unwrap() {
        one["at"] = (one["at"].as_i64().unwrap() - seconds).into();
    }
    std::fs::write(&path, kept.to_string()).unwrap();
}

/// Puts something else in the place of the attempts.
pub(crate) fn spoil(bench: &Bench, bytes: &[u8]) {
    std::fs::write(kept(bench), bytes).unwrap();
}

/// Has the file of the attempts be written so many seconds ago.
pub(crate) fn old(bench: &Bench, seconds: u64) {
    let file = std::fs::File::options().write(true).open(kept(bench)).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(seconds)).unwrap();
}

#[tokio::test]
async fn a_spoilt_record_holds_logins_back_for_as_long_as_what_it_held_may_count() {
    for bytes in [&b""[..], b"{\"tries\":[", b"\0\0", b"[]", b"{}"] {
        let bench = Bench::faulty("everyware", &["refuse-login"]).await;
        failed(status(&bench).await, Code::AuthRejected);
        spoil(&bench, bytes);
        let path = kept(&bench);
        let all = futures_util::future::join_all((0..20).map(|_| status(&bench))).await;
        for error in all {
            let error = failed(error, Code::AuthRejected);
            assert!(error.message().contains("was spoilt, so none is tried by itself until 20"), "{error}");
            assert!(error.hint_text().unwrap().contains("vpnctl auth login -b everyware"), "{error:?}");
        }
        assert_eq!(std::fs::read(path.with_extension("json.corrupt")).unwrap(), bytes);
        // To begin anew is no proof that nothing counts, and who asks for a login has it sent.
        bench.open().session().unwrap().logout().await.unwrap();
        failed(status(&bench).await, Code::AuthRejected);
        assert_eq!(bench.count("POST /v1/authentication/user"), 1);
        bench.heal();
        login(&*bench.open(), &Somebody::default()).await.unwrap();
        bench.fault("invalidate-tokens");
        status(&bench).await.unwrap();
    }
}

#[tokio::test]
async fn a_record_that_was_spoilt_long_ago_holds_nothing_back() {
    let bench = Bench::faulty("everyware", &["refuse-login"]).await;
    failed(status(&bench).await, Code::AuthRejected);
    bench.heal();
    bench.asked();
    spoil(&bench, b"");
    old(&bench, 3000);
    failed(status(&bench).await, Code::AuthRejected);
    assert_eq!(bench.requests(), 0);
    spoil(&bench, b"");
    old(&bench, 3701);
    status(&bench).await.unwrap();
}

#[tokio::test]
async fn a_record_that_is_not_ours_to_use_keeps_all_from_logging_in_but_who_asks() {
    let bench = Bench::faulty("everyware", &["refuse-login"]).await;
    failed(status(&bench).await, Code::AuthRejected);
    let path = kept(&bench);
    let newer = br#"{"version":2,"tries":{"of":"another kind"}}"#;
    spoil(&bench, newer);
    old(&bench, 100_000);
    bench.asked();
    for _ in 0..2 {
        let error = failed(status(&bench).await, Code::ConfigInvalid);
        assert!(error.message().contains(&*path.to_string_lossy()), "{error}");
        assert!(error.hint_text().unwrap().contains("vpnctl auth login -b everyware"), "{error:?}");
    }
    bench.open().session().unwrap().logout().await.unwrap();
    assert_eq!(bench.requests(), 0);
    bench.heal();
    login(&*bench.open(), &Somebody::default()).await.unwrap();
    status(&bench).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), newer);
    // What is no file can't be replaced either.
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    bench.fault("invalidate-tokens");
    failed(status(&bench).await, Code::ConfigInvalid);
}

#[tokio::test]
async fn a_logout_that_the_cloud_is_not_told_of_says_what_is_left() {
    let bench = Bench::new("everyware").await;
    status(&bench).await.unwrap();
    bench.fault("http-status=403@/authentication/logout");
    let error = failed(bench.open().session().unwrap().logout().await, Code::AuthForbidden);
    assert!(error.message().contains("the login is forgotten here, but the server was not told"), "{error}");
    assert!(error.hint_text().unwrap().contains("vpnctl auth login -b everyware"), "{error:?}");
    status(&bench).await.unwrap();
    let person = Somebody { brings: vec![(Asked::Password, "wrong")], ..Somebody::default() };
    failed(login(&*bench.open(), &person).await, Code::AuthRejected);
    let error = failed(bench.open().session().unwrap().logout().await, Code::AuthForbidden);
    assert!(error.message().contains("and so is a refusal"), "{error}");
}

/// Logs anybody in, and repeats at the logout what it was sent.
async fn repeats(headers: axum::http::HeaderMap, uri: axum::http::Uri) -> (axum::http::StatusCode, String) {
    if !uri.path().ends_with("/logout") {
        return (
            axum::http::StatusCode::OK,
            r#"{"tokenId":"canary-token","expiresOn":"2199-01-01T00:00:00Z"}"#.to_owned(),
        );
    }
    let sent = headers["authorization"].to_str().unwrap();
    let body = format!(r#"{{"kapuaErrorCode":"OTHER","message":"wrong: {sent}"}}"#);
    (axum::http::StatusCode::BAD_REQUEST, body)
}

#[tokio::test]
async fn a_token_that_a_failed_logout_repeats_is_not_shown() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut bench = Bench::new("everyware").await;
    bench.text("url", &format!("http://{}/v1", listener.local_addr().unwrap()));
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(repeats)).await });
    login(&*bench.open(), &Somebody::default()).await.unwrap();
    let backend = bench.open();
    let error = failed(backend.session().unwrap().logout().await, Code::VendorError);
    assert!(error.message().ends_with("wrong: Bearer ***"), "{error}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    let kept = std::fs::read_to_string(bench.state_file()).unwrap();
    assert!(!kept.contains("canary"), "{kept}");
}

#[tokio::test]
async fn a_logout_of_which_nobody_knows_whether_the_cloud_heard_is_in_doubt_and_not_done() {
    let bench = Bench::new("everyware").await;
    for fault in ["http-status=503@", "wire=hangup@", "not-json="] {
        status(&bench).await.unwrap();
        bench.fault(&format!("{fault}/authentication/logout"));
        bench.asked();
        let error = failed(bench.open().session().unwrap().logout().await, Code::TimeoutUnknownOutcome);
        assert!(error.message().contains("whether the server was told is not known"), "{fault}: {error}");
        let hint = error.hint_text().unwrap();
        assert!(hint.contains("not repeated") && hint.contains("vpnctl auth login -b everyware"), "{fault}: {hint}");
        assert!(!error.report().retryable, "{fault}");
        assert_eq!(bench.requests(), 1, "{fault}");
        bench.heal();
    }
}

#[tokio::test]
async fn a_secret_that_logged_in_before_is_in_doubt_for_minutes_and_a_refused_one_for_an_hour() {
    let mut bench = Bench::new("everyware").await;
    status(&bench).await.unwrap();
    bench.fault("invalidate-tokens");
    bench.fault("wire=hangup@/authentication/user");
    bench.asked();
    for _ in 0..2 {
        failed(status(&bench).await, Code::NetReset);
    }
    let error = failed(status(&bench).await, Code::AuthRejected);
    assert!(error.message().contains("brought no answer that tells how they ended"), "{error:?}");
    bench.heal();
    age(&bench, 301);
    status(&bench).await.unwrap();
    bench.secret("password", "wrong");
    failed(status(&bench).await, Code::AuthRejected);
    age(&bench, 301);
    bench.asked();
    failed(status(&bench).await, Code::AuthRejected);
    assert_eq!(bench.requests(), 0);
}

#[tokio::test]
async fn a_login_counts_before_its_answer_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut bench = Bench::new("everyware").await;
    bench.text("url", &format!("http://{}/v1", listener.local_addr().unwrap()));
    for _ in 0..2 {
        // As by Ctrl-C: it has arrived, and nobody waits for the answer.
        tokio::select! {
            _ = status(&bench) => unreachable!("nobody answers"),
            accepted = listener.accept() => {
                accepted.unwrap().0.set_nodelay(true).unwrap();
            }
        }
    }
    failed(status(&bench).await, Code::AuthRejected);
}

#[tokio::test]
async fn answers_that_are_no_refusals_do_not_count() {
    for answer in ["503 Service Unavailable", "400 Bad Request"] {
        let (bench, sent) = served(answer, "").await;
        for _ in 0..3 {
            assert_ne!(status(&bench).await.unwrap_err().code(), Code::AuthRejected);
        }
        assert_eq!(sent.load(Ordering::SeqCst), 3, "{answer}");
    }
}

#[tokio::test]
async fn a_login_by_hand_is_not_sent_where_another_was_refused_meanwhile() {
    let bench = Bench::faulty("everyware", &["slow=300@authentication", "refuse-login"]).await;
    let (first, second) = (bench.open(), bench.open());
    let (person, other) = (Somebody::default(), Somebody::default());
    let (one, two) = tokio::join!(login(&*first, &person), login(&*second, &other));
    failed(one, Code::AuthRejected);
    failed(two, Code::AuthRejected);
    assert_eq!(bench.count("POST /v1/authentication/user"), 1);
}
