//! The sentences of `Events`, for those who push: the changes, what goes wrong on the way, and whom it trusts.

use std::time::Duration;

use vpnctl::backend::{Subscription, VpnBackend};
use vpnctl::error::{Code, Error, Exit, Result};
use vpnctl::http::Deadline;
use vpnctl::model::{Source, Status, Word};
use vpnctl::simulate::tls::Identity;

use super::bench::{Bench, connect, failed, listed, word};
use super::facts::IXON;
use super::ixon::TOKEN;

async fn subscribe(backend: &dyn VpnBackend) -> Result<Box<dyn Subscription>> {
    backend.events().unwrap().subscribe().await
}

async fn next(subscription: &mut Box<dyn Subscription>) -> Status {
    subscription.next().await.map_err(|error| error.message().to_owned()).unwrap()
}

async fn refused(bench: &Bench, code: Code) -> Error {
    let opened = subscribe(&*bench.open()).await;
    failed(opened.map(|_| ()), code)
}

#[tokio::test]
async fn each_change_is_pushed_with_its_target_and_name() {
    let bench = Bench::new("ixon").await;
    let backend = bench.open();
    listed(&*backend).await.unwrap();
    let mut subscription = subscribe(&*backend).await.unwrap();
    assert_eq!(word(backend.status(None).await), Word::Disconnected);
    connect(&*bench.open(), &IXON.down()).await.unwrap();
    let status = next(&mut subscription).await;
    assert_eq!((status.word(), status.source), (Word::Connecting, Source::Push));
    assert_eq!(status.target, Some(IXON.down()));
    assert!(status.engaged && status.native.is_some());
    bench.open().disconnect(&IXON.down()).await.unwrap();
    let status = next(&mut subscription).await;
    assert_eq!((status.word(), status.target, status.engaged), (Word::Disconnected, None, false));
}

#[tokio::test]
async fn subscribing_is_one_request_without_a_token() {
    let bench = Bench::new("ixon").await;
    subscribe(&*bench.open()).await.unwrap();
    assert_eq!(bench.asked(), ["GET /", "GET /"], "the discovery, then the socket");
    subscribe(&*bench.open()).await.unwrap();
    let entries = bench.running().context.log.entries();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].headers["upgrade"], "websocket");
    assert!(!format!("{:?}", entries[0].headers).contains(TOKEN));
    let port = bench.url("client").rsplit(':').next().unwrap();
    assert_eq!(entries[0].headers["host"], format!("localhost:{port}"));
}

#[tokio::test]
async fn a_first_push_is_a_status_like_any_other() {
    let bench = Bench::faulty("ixon", &["first-push"]).await;
    let mut subscription = subscribe(&*bench.open()).await.unwrap();
    assert_eq!(next(&mut subscription).await.word(), Word::Disconnected);
    bench.heal();
    let mut subscription = subscribe(&*bench.open()).await.unwrap();
    connect(&*bench.open(), &IXON.down()).await.unwrap();
    assert_eq!(next(&mut subscription).await.word(), Word::Connecting);
}

#[tokio::test]
async fn what_is_no_status_is_left_out() {
    let bench = Bench::faulty("ixon", &["ws-junk"]).await;
    let mut subscription = subscribe(&*bench.open()).await.unwrap();
    connect(&*bench.open(), &IXON.down()).await.unwrap();
    let status = next(&mut subscription).await;
    assert!(status.word() == Word::Connecting && status.is_of(&IXON.down()), "{status:?}");
}

#[tokio::test]
async fn a_socket_that_is_silent_is_waited_for() {
    let bench = Bench::faulty("ixon", &["ws-silent"]).await;
    let backend = bench.open();
    let mut subscription = subscribe(&*backend).await.unwrap();
    connect(&*backend, &IXON.down()).await.unwrap();
    let polls = async {
        for _ in 0..20 {
            assert_eq!(word(backend.status(None).await), Word::Connecting);
        }
    };
    tokio::select! {
        status = subscription.next() => panic!("{status:?}"),
        () = polls => {}
    }
}

#[tokio::test]
async fn a_socket_that_is_refused_says_so_and_may_work_later() {
    for (fault, code, status) in [
        ("ws-refused", Code::NetReset, 403),
        ("ws-refused=404", Code::NetReset, 404),
        ("ws-refused=503", Code::HttpServerError, 503),
        ("ws-refused=429", Code::HttpRateLimited, 429),
    ] {
        let bench = Bench::faulty("ixon", &[fault]).await;
        let error = refused(&bench, code).await;
        assert_eq!((error.report().http_status, error.exit()), (Some(status), Exit::Unreachable), "{fault}: {error}");
        assert!(error.is_temporary() && error.backend_name() == Some("ixon"), "{fault}");
        assert_eq!(word(bench.open().status(None).await), Word::Disconnected, "{fault}");
        bench.heal();
        subscribe(&*bench.open()).await.unwrap();
    }
    // An answer that is no upgrade at all.
    let bench = Bench::new("ixon").await;
    bench.open().status(None).await.unwrap();
    bench.fault("not-json");
    assert!(refused(&bench, Code::NetReset).await.message().contains("200"));
}

#[tokio::test]
async fn a_socket_that_breaks_is_an_error_that_may_pass() {
    let bench = Bench::faulty("ixon", &["ws-dropped=1*1"]).await;
    let mut subscription = subscribe(&*bench.open()).await.unwrap();
    let error = failed(subscription.next().await, Code::NetReset);
    assert!(error.is_temporary() && error.backend_name() == Some("ixon"), "{error}");
    let mut subscription = subscribe(&*bench.open()).await.unwrap();
    connect(&*bench.open(), &IXON.down()).await.unwrap();
    assert_eq!(next(&mut subscription).await.word(), Word::Connecting);
}

#[tokio::test]
async fn a_link_that_leaves_the_client_is_refused() {
    let stranger = Bench::new("ixon").await;
    let port = stranger.url("client").rsplit(':').next().unwrap();
    for host in [format!("localhost:{port}"), "vpn.example.net:9250".to_owned()] {
        let bench = Bench::faulty("ixon", &[&format!("foreign-hrefs={host}")]).await;
        refused(&bench, Code::VendorProtocol).await;
        assert_eq!(stranger.running().context.log.connections(), 0, "{host}");
    }
    // A link without TLS to a client that has it.
    let bench = Bench::new("ixon").await;
    let plain = bench.url("client").replace("https://", "ws://");
    bench.fault(&format!("body={{\"links\":[{{\"rel\":\"StatusWebSocket\",\"href\":\"{plain}/\"}}]}}"));
    refused(&bench, Code::VendorProtocol).await;
    assert_eq!(bench.requests(), 1);
    bench.fault("body={\"links\":[]}");
    assert!(refused(&bench, Code::Unsupported).await.message().contains("StatusWebSocket"));
}

#[tokio::test]
async fn a_remembered_link_that_is_gone_is_looked_up_once() {
    let bench = Bench::new("ixon").await;
    bench.open().status(None).await.unwrap();
    let state = std::fs::read_to_string(bench.state_file()).unwrap();
    let old = state.replace("\"StatusWebSocket\":\"/\"", "\"StatusWebSocket\":\"/old\"");
    assert_ne!(old, state);
    std::fs::write(bench.state_file(), old).unwrap();
    bench.asked();
    subscribe(&*bench.open()).await.unwrap();
    assert_eq!(bench.asked(), ["GET /old", "GET /", "GET /"]);
}

#[tokio::test]
async fn the_trust_is_that_of_requests() {
    let mut bench = Bench::new("ixon").await;
    // The links are known, so that what fails is the socket's own handshake.
    bench.open().status(None).await.unwrap();
    bench.asked();
    let ca = bench.config.path("tls.ca_file").unwrap();
    let other = bench.folder.path().join("other.pem");
    std::fs::write(&other, Identity::generate().unwrap().ca_pem()).unwrap();
    bench.text("tls.ca_file", other.to_str().unwrap());
    let error = refused(&bench, Code::NetTlsUntrusted).await;
    assert!(!error.is_temporary() && error.hint_text().unwrap().contains("tls.ca_file"), "{error}");

    bench.unset("tls.ca_file");
    refused(&bench, Code::NetTlsUntrusted).await;
    let wrong = format!("sha256:{}", "0a".repeat(32));
    bench.text("tls.pin", &wrong);
    let error = refused(&bench, Code::NetTlsPinChanged).await;
    let seen = error.message().split_whitespace().find(|word| word.starts_with("sha256:") && !word.contains(&wrong));
    let seen = seen.unwrap().trim_end_matches(',').to_owned();
    assert_eq!(bench.requests(), 0);
    bench.text("tls.pin", &seen);
    subscribe(&*bench.open()).await.unwrap();

    bench.unset("tls.pin");
    bench.set("tls.insecure", vpnctl::config::Value::Bool(true));
    subscribe(&*bench.open()).await.unwrap();
    bench.unset("tls.insecure");
    bench.text("tls.ca_file", ca.to_str().unwrap());
    bench.text("tls.server_name", "127.0.0.1");
    subscribe(&*bench.open()).await.unwrap();
    bench.text("tls.server_name", "vpn.example.org");
    assert!(refused(&bench, Code::NetTlsUntrusted).await.message().contains("another name"));
}

#[tokio::test]
async fn opening_is_bounded() {
    let bench = Bench::new("ixon").await;
    bench.open().status(None).await.unwrap();
    bench.fault("silent");
    let short = bench.open_with(|opening| opening.request_timeout = Some(Duration::from_millis(20)));
    assert!(failed(subscribe(&*short).await.map(|_| ()), Code::TimeoutRequest).is_temporary());
    for limit in [1, 30] {
        let late = bench.open_with(|opening| opening.deadline = Deadline::after(Some(Duration::from_millis(limit))));
        failed(subscribe(&*late).await.map(|_| ()), Code::TimeoutDeadline);
    }
}

#[tokio::test]
async fn an_upgrade_is_asked_for_over_http_1_1_where_http_2_is_offered_too() {
    let mut bench = Bench::new("ixon").await;
    let cloud = bench.url("cloud").trim_end_matches("/api").to_owned();
    bench.text("url", &cloud);
    bench.fault("body={\"links\":[{\"rel\":\"StatusWebSocket\",\"href\":\"/api/nothing\"}]}*1");
    // An answer with a status was understood, so it came over HTTP/1.1.
    let error = refused(&bench, Code::NetReset).await;
    assert!(error.report().http_status.is_some(), "{error}");
    assert_eq!(bench.count("GET /api/nothing"), 1);
}

#[tokio::test]
async fn a_websocket_that_is_never_answered_is_given_up_soon() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut bench = Bench::new("ixon").await;
    bench.text("url", &format!("http://{}", listener.local_addr().unwrap()));
    let server = tokio::spawn(async move {
        let mut silent = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            if request[..read].starts_with(b"GET / ") {
                let body = r#"{"links":[{"rel":"StatusWebSocket","href":"/status/ws"}]}"#;
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
            silent.push(stream);
        }
    });
    let error = failed(bench.open().events().unwrap().subscribe().await.map(|_| ()), Code::TimeoutRequest);
    assert!(error.message().contains("within 2 s") && error.is_temporary(), "{error}");
    server.abort();
}
