//! How a Freebox is reached: its names at home and from outside, addresses apart from names, and another box instead.

use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use serde_json::Value;
use tokio::net::TcpListener;
use vpnctl::backend::VpnBackend;
use vpnctl::error::{Code, Layer};
use vpnctl::model::Word;

use super::bench::{Bench, Somebody, failed, login, word};
use super::facts::FREEBOX;

/// The URL from elsewhere that the simulated box tells of itself: its own TLS port.
fn remote(bench: &Bench) -> String {
    let port = bench.url("https").rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    format!("https://example.fbxos.fr:{port}")
}

fn kept(bench: &Bench) -> Value {
    serde_json::from_str(&std::fs::read_to_string(bench.state_file()).unwrap()).unwrap()
}

/// A port of this computer at which nothing listens.
async fn nowhere() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn the_name_and_port_from_outside_are_remembered_and_told() {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    let (place, remote) = (kept(&bench)["place"].clone(), remote(&bench));
    assert_eq!(place["api_domain"], "example.fbxos.fr", "{place}");
    assert!(remote.ends_with(&format!(":{}", place["https_port"])), "{place}");
    let backend = bench.open();
    bench.fault("reset*5");
    drop(bench.world);
    let error = failed(backend.status(None).await, Code::NetRefused);
    let hint = error.hint_text().unwrap();
    assert!(hint.contains(&remote) && hint.contains("check that"), "{hint}");
    assert!(error.is_temporary() && error.report().layer == Layer::Tcp);
}

#[tokio::test]
async fn a_box_that_is_silent_at_home_is_told_of_too() {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    bench.fault("silent");
    let hurried = |opening: &mut vpnctl::backend::Opening| {
        opening.request_timeout = Some(std::time::Duration::from_millis(50));
    };
    let error = failed(bench.open_with(hurried).status(None).await, Code::TimeoutRequest);
    assert!(error.hint_text().unwrap().contains(&remote(&bench)), "{error:?}");
}

#[tokio::test]
async fn of_a_box_that_told_no_name_none_is_told() {
    let bench = Bench::faulty("freebox", &["partial-api-version"]).await;
    bench.logged_in(&FREEBOX).await;
    assert!(kept(&bench)["place"]["api_domain"].is_null());
    let backend = bench.open();
    drop(bench.world);
    let error = failed(backend.status(None).await, Code::NetRefused);
    assert!(!error.hint_text().unwrap().contains("fbxos.fr"), "{error:?}");
}

#[tokio::test]
async fn the_name_of_the_certificate_and_the_address_to_connect_to_are_apart() {
    let mut bench = Bench::new("freebox").await;
    let port = bench.url("api").rsplit(':').next().unwrap().to_owned();
    // Without the address this name would have to be looked up, and nobody has it.
    bench.text("url", &format!("http://box.invalid:{port}"));
    bench.text("connect_address", "127.0.0.1");
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    let host = bench.running().context.log.entries().last().unwrap().headers["host"].clone();
    assert_eq!(host, format!("box.invalid:{port}"));
    // A session that was made there is not sent to another address.
    bench.asked();
    bench.text("connect_address", "localhost");
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    assert_eq!(bench.count("POST /api/v16/login/session/"), 1);
}

#[tokio::test]
async fn a_remote_port_at_which_nothing_listens_may_have_changed() {
    let mut bench = Bench::new("freebox").await;
    for name in ["example.fbxos.fr", "example.ibxos.it"] {
        bench.text("url", &format!("https://{name}:{}", nowhere().await));
        bench.text("connect_address", "127.0.0.1");
        let error = failed(bench.open().status(None).await, Code::NetRefused);
        let hint = error.hint_text().unwrap();
        assert!(hint.contains(&format!("_https._tcp.{name}")) && hint.contains("backends --discover"), "{hint}");
    }
}

/// Shows a certificate in front of a plain server.
async fn secured(leaf: rcgen::Certificate, key: &KeyPair, to: Option<String>) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who refuses the certificate ends it.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            if let Some(to) = &to {
                let mut plain = tokio::net::TcpStream::connect(to).await.unwrap();
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut plain).await });
            }
        }
    });
    port
}

/// A server with the certificate that some boxes show at their remote port.
async fn foobar() -> u16 {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "foobar");
    (params.not_before, params.not_after) = (date_time_ymd(2014, 1, 1), date_time_ymd(2017, 1, 1));
    let key = KeyPair::generate().unwrap();
    secured(params.self_signed(&key).unwrap(), &key, None).await
}

#[tokio::test]
async fn the_certificate_is_the_names_whatever_the_address() {
    let mut bench = Bench::new("freebox").await;
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let file = bench.folder.path().join("ca.pem");
    std::fs::write(&file, ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    // As a real box's it names its issuer, but not that one's key: strict verifiers stumble over that.
    let leaf = CertificateParams::new(vec!["mafreebox.freebox.fr".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let to = bench.url("api").trim_start_matches("http://").to_owned();
    let port = secured(leaf, &key, Some(to)).await;
    bench.text("tls.ca_file", file.to_str().unwrap());
    bench.text("connect_address", "127.0.0.1");
    bench.text("url", &format!("https://mafreebox.freebox.fr:{port}"));
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    bench.text("url", &format!("https://127.0.0.1:{port}"));
    let error = failed(bench.open().status(None).await, Code::NetTlsUntrusted);
    assert!(error.message().contains("another name"), "{error}");
    // The name can be said apart from the URL too.
    bench.text("tls.server_name", "mafreebox.freebox.fr");
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
}

#[tokio::test]
async fn the_certificate_of_nobody_is_not_trusted_and_the_local_name_is_told() {
    let mut bench = Bench::new("freebox").await;
    bench.text("connect_address", "127.0.0.1");
    for (name, local) in
        [("example.fbxos.fr", "https://mafreebox.freebox.fr"), ("example.ibxos.it", "https://myiliadbox.iliad.it")]
    {
        bench.text("url", &format!("https://{name}:{}", foobar().await));
        let error = failed(bench.open().status(None).await, Code::NetTlsUntrusted);
        let hint = error.hint_text().unwrap();
        assert!(hint.contains("CN=foobar") && hint.contains(local), "{hint}");
        assert!(!error.is_temporary());
    }
}

#[tokio::test]
async fn another_box_at_the_same_address_is_told_as_one() {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    bench.fault("uid=0123456789abcdef");
    bench.fault("invalid-token");
    let error = failed(bench.open().status(None).await, Code::AuthRejected);
    assert!(error.message().contains("another box"), "{error}");
    assert!(error.hint_text().unwrap().contains("vpnctl auth login -b freebox"));
    // The same box that has revoked the token is no other one.
    bench.heal();
    bench.fault("invalid-token");
    let error = failed(bench.open().status(None).await, Code::AuthRejected);
    assert!(!error.message().contains("another box answers"), "{error}");
}

#[tokio::test]
async fn pairing_with_another_box_forgets_the_first_one() {
    let mut bench = Bench::faulty("freebox", &["pairing=granted"]).await;
    bench.unset("app_token");
    login(&*bench.open(), &Somebody::default()).await.unwrap();
    assert_eq!(kept(&bench)["place"]["uid"], "23b86ec8091013d668829fe12791fdab");
    bench.fault("uid=0123456789abcdef");
    login(&*bench.open(), &Somebody::default()).await.unwrap();
    assert_eq!(kept(&bench)["place"]["uid"], "0123456789abcdef");
    bench.fault("invalid-token");
    let error = failed(bench.open().status(None).await, Code::AuthRejected);
    assert!(!error.message().contains("another box answers"), "{error}");
}

#[tokio::test]
async fn an_iliadbox_has_its_own_host_in_every_remedy() {
    let mut bench = Bench::faulty("freebox", &["no-settings-right"]).await;
    let port = bench.url("api").rsplit(':').next().unwrap().to_owned();
    bench.text("url", &format!("http://myiliadbox.iliad.it:{port}"));
    bench.text("connect_address", "127.0.0.1");
    let backend: Box<dyn VpnBackend> = bench.open();
    let error = failed(backend.connect(&FREEBOX.down(), Default::default()).await, Code::AuthForbidden);
    assert!(error.hint_text().unwrap().contains("http://myiliadbox.iliad.it/#Fbx"), "{error:?}");
    for fault in ["denied-from-external-ip", "new-apps-denied", "apps-denied"] {
        bench.heal();
        bench.fault(fault);
        bench.unset("app_token");
        let error = failed(login(&*bench.open(), &Somebody::default()).await, Code::AuthDenied);
        let hint = error.hint_text().unwrap();
        assert!(hint.contains("myiliadbox.iliad.it") && !hint.contains("mafreebox"), "{fault}: {hint}");
    }
}
