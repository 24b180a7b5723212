//! Certificates that `vpnctl trust add` keeps: what holds a backend to them and what does not.

use std::net::TcpListener;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use vpnctl::config::Value;
use vpnctl::error::{Code, Error, Exit, Layer};
use vpnctl::http::Deadline;
use vpnctl::http::certificate::Certificate;
use vpnctl::simulate::tls::Identity;
use vpnctl::state::{Folder, Pin};

use super::bench::{Bench, failed, listed};
use super::facts::{EVERYWARE, Facts, IXON};

const TLS: [&Facts; 2] = [&IXON, &EVERYWARE];

fn wrong() -> String {
    format!("sha256:{}", "0a".repeat(32))
}

async fn seen(bench: &Bench) -> String {
    let certificate = bench.open().transport().unwrap().certificate().await;
    certificate.map_err(|error| error.message().to_owned()).unwrap().fingerprint.to_string()
}

async fn keep(bench: &Bench, url: &str, fingerprint: &str) {
    let store = Folder::new(Some(bench.folder.path().join("state"))).backend(bench.vendor());
    let pin = Pin { url: url.to_owned(), fingerprint: fingerprint.to_owned(), subject: None, not_after: None };
    assert!(Pin::place(&store).lock().await.unwrap().write(&Some(pin)));
}

/// Gives the URL of the server that a pin of the vendor's is for.
fn server(bench: &Bench) -> String {
    bench.config.text("url").unwrap().to_owned()
}

fn changed(error: &Error, seen: &str, pinned: &str) {
    assert_eq!((error.exit(), error.report().layer), (Exit::Unreachable, Layer::Tls));
    assert!(error.message().contains(seen) && error.message().contains(pinned), "{error}");
    assert!(!error.is_temporary(), "a retry does not help");
}

#[tokio::test]
async fn a_look_at_the_certificate_sends_no_request_and_trusts_nothing() {
    for facts in TLS {
        let mut bench = facts.bench().await;
        bench.unset("tls.ca_file");
        let first = seen(&bench).await;
        assert!(first.starts_with("sha256:") && first == seen(&bench).await, "{first}");
        failed(bench.open().status(Some(&facts.up())).await, Code::NetTlsUntrusted);
        assert_eq!(bench.requests(), 0);
    }
}

#[tokio::test]
async fn a_kept_pin_is_the_certificate_and_nothing_else() {
    for facts in TLS {
        let mut bench = facts.bench().await;
        bench.unset("tls.ca_file");
        let shown = seen(&bench).await;
        keep(&bench, &server(&bench), &shown).await;
        bench.open().status(Some(&facts.up())).await.unwrap();
        // Whatever name it is for.
        bench.text("tls.server_name", "vpn.example.org");
        bench.open().status(Some(&facts.up())).await.unwrap();
        bench.unset("tls.server_name");

        bench.asked();
        let before = bench.requests();
        keep(&bench, &server(&bench), &wrong()).await;
        let error = failed(bench.open().status(Some(&facts.up())).await, Code::NetTlsPinChanged);
        changed(&error, &shown, &wrong());
        let hint = error.hint_text().unwrap();
        let next = format!("vpnctl trust rm -b {}", facts.vendor);
        assert!(hint.contains(&next) && hint.contains("vpnctl trust add"), "{hint}");
        assert_eq!(bench.requests(), before, "something was sent");
    }
}

#[tokio::test]
async fn a_kept_pin_wins_over_a_ca_and_over_trusting_anything() {
    for facts in TLS {
        let mut bench = facts.bench().await;
        bench.open().status(Some(&facts.up())).await.unwrap();
        keep(&bench, &server(&bench), &wrong()).await;
        failed(bench.open().status(Some(&facts.up())).await, Code::NetTlsPinChanged);
        bench.unset("tls.ca_file");
        bench.set("tls.insecure", Value::Bool(true));
        failed(bench.open().status(Some(&facts.up())).await, Code::NetTlsPinChanged);
    }
}

#[tokio::test]
async fn the_configurations_pin_wins_over_a_kept_one() {
    for facts in TLS {
        let mut bench = facts.bench().await;
        bench.unset("tls.ca_file");
        let shown = seen(&bench).await;
        bench.text("tls.pin", &shown);
        keep(&bench, &server(&bench), &wrong()).await;
        bench.open().status(Some(&facts.up())).await.unwrap();
        bench.text("tls.pin", &wrong());
        keep(&bench, &server(&bench), &shown).await;
        let error = failed(bench.open().status(Some(&facts.up())).await, Code::NetTlsPinChanged);
        changed(&error, &shown, &wrong());
        assert!(error.hint_text().unwrap().contains("`tls.pin`"), "{error:?}");
    }
}

#[tokio::test]
async fn a_pin_of_another_server_means_nothing() {
    for facts in TLS {
        let mut bench = facts.bench().await;
        keep(&bench, "https://vpn.example.org:9250", &wrong()).await;
        bench.open().status(Some(&facts.up())).await.unwrap();
        // Neither does it open a door.
        let shown = seen(&bench).await;
        keep(&bench, "https://vpn.example.org:9250", &shown).await;
        bench.unset("tls.ca_file");
        failed(bench.open().status(Some(&facts.up())).await, Code::NetTlsUntrusted);
    }
}

#[tokio::test]
async fn a_kept_pin_that_cannot_be_read_is_no_reason_to_go_on_without() {
    for facts in TLS {
        let bench = facts.bench().await;
        keep(&bench, &server(&bench), "sha256:short").await;
        let error = bench.try_open(|_| {}).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), Code::ConfigInvalid);
        assert!(error.hint_text().unwrap().contains("vpnctl trust rm"), "{error:?}");
    }
}

#[tokio::test]
async fn the_pin_of_the_client_is_not_the_clouds() {
    let mut bench = IXON.bench().await;
    bench.unset("tls.ca_file");
    // The simulated cloud shows the very certificate that is pinned for the client.
    keep(&bench, &server(&bench), &seen(&bench).await).await;
    let backend = bench.open();
    backend.status(None).await.unwrap();
    let error = failed(listed(&*backend).await.map(|_| ()), Code::NetTlsUntrusted);
    assert!(!error.hint_text().unwrap().contains("trust add"), "no pin would help: {error:?}");
}

#[tokio::test]
async fn a_look_is_bounded_like_any_request() {
    // It takes the connection and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut bench = EVERYWARE.bench().await;
    bench.text("url", &format!("https://{}", silent.local_addr().unwrap()));
    let look = async |bench: &Bench, attempt: Duration, command: Duration| {
        let backend = bench.open_with(|opening| {
            opening.request_timeout = Some(attempt);
            opening.deadline = Deadline::after(Some(command));
        });
        backend.transport().unwrap().certificate().await
    };
    let (short, long) = (Duration::from_millis(40), Duration::from_secs(20));
    failed(look(&bench, long, short).await, Code::TimeoutDeadline);
    let error = failed(look(&bench, short, Duration::from_secs(1)).await, Code::TimeoutRequest);
    assert_eq!(error.backend_name(), Some("everyware"));
    // Nobody listens there any more.
    drop(silent);
    let error = failed(look(&bench, long, Duration::from_secs(1)).await, Code::NetRefused);
    assert_eq!(error.exit(), Exit::Unreachable);
    let plain = Bench::new("freebox").await;
    bench.text("url", &plain.url("api").replace("http://", "https://"));
    failed(look(&bench, long, long).await, Code::NetTls);
    failed(look(&plain, long, long).await, Code::Usage);
    assert_eq!(plain.requests(), 0);
}

#[test]
fn a_certificate_tells_whose_it_is_and_until_when() {
    let identity = Identity::generate().unwrap();
    let certificate = Certificate::of(identity.leaf());
    assert_eq!(certificate.subject.as_deref(), Some("CN=localhost"));
    assert_eq!(certificate.not_after.unwrap().to_string(), "4096-01-01T00:00:00Z");
    let junk = Certificate::of(&CertificateDer::from(b"no certificate".to_vec()));
    assert_eq!((junk.subject, junk.not_after), (None, None));
    assert_ne!(junk.fingerprint, certificate.fingerprint);
}
