//! Certificates that are trusted and those that are not.

use vpnctl::error::{Code, Exit, Layer};
use vpnctl::http::tls::Fingerprint;
use vpnctl::simulate::tls::Identity;

use super::bench::{Bench, connect, failed};
use super::facts::{EVERYWARE, Facts, IXON};

const TLS: [&Facts; 2] = [&IXON, &EVERYWARE];

#[tokio::test]
async fn a_stranger_of_another_ca_is_not_trusted() {
    for facts in TLS {
        let mut bench = facts.bench().await;
        let other = bench.folder.path().join("other.pem");
        std::fs::write(&other, Identity::generate().unwrap().ca_pem()).unwrap();
        bench.text("tls.ca_file", other.to_str().unwrap());
        let error = failed(bench.open().status(Some(&facts.up())).await, Code::NetTlsUntrusted);
        assert_eq!((error.exit(), error.report().layer), (Exit::Unreachable, Layer::Tls));
        assert!(error.hint_text().unwrap().contains("tls.ca_file") && !error.is_temporary());
        let error = connect(&*bench.open(), &facts.down()).await.unwrap_err();
        assert!(!error.outcome_is_unknown(), "{error}");
        assert_eq!(bench.requests(), 0);
    }
}

#[tokio::test]
async fn a_ca_of_ones_own_is_not_the_systems() {
    for facts in TLS {
        let mut bench = facts.bench().await;
        bench.unset("tls.ca_file");
        failed(bench.open().status(Some(&facts.up())).await, Code::NetTlsUntrusted);
        assert_eq!(bench.requests(), 0);
    }
}

#[tokio::test]
async fn a_pin_is_the_certificate_and_nothing_else() {
    for facts in TLS {
        let mut bench = facts.bench().await;
        bench.unset("tls.ca_file");
        let wrong = format!("sha256:{}", "0a".repeat(32));
        bench.text("tls.pin", &wrong);
        let error = failed(bench.open().status(Some(&facts.up())).await, Code::NetTlsPinChanged);
        assert_eq!((error.exit(), error.report().layer), (Exit::Unreachable, Layer::Tls));
        assert!(error.message().contains(&wrong), "{error}");
        assert_eq!(bench.requests(), 0);

        // What the message calls the certificate is what can be pinned.
        let seen =
            error.message().split_whitespace().find(|word| word.starts_with("sha256:") && !word.contains(&wrong));
        let seen = seen.unwrap().trim_end_matches(',').to_owned();
        assert_ne!(Fingerprint::parse(&seen).unwrap(), Fingerprint::parse(&wrong).unwrap());
        bench.text("tls.pin", &seen);
        bench.open().status(Some(&facts.up())).await.unwrap();
        assert!(bench.requests() > 0);
    }
}

#[tokio::test]
async fn a_pin_or_ca_that_cannot_be_used_is_a_wrong_configuration() {
    for facts in TLS {
        let mut bench = facts.bench().await;
        bench.text("tls.pin", "sha256:short");
        let error = bench.try_open(|_| {}).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), Code::ConfigInvalid);
        assert!(error.message().contains("tls.pin"), "{error}");
        bench.unset("tls.pin");
        for (name, text) in [("missing.pem", None), ("empty.pem", Some("")), ("junk.pem", Some("no PEM at all"))] {
            let path = bench.folder.path().join(name);
            text.iter().for_each(|text| std::fs::write(&path, text).unwrap());
            bench.text("tls.ca_file", path.to_str().unwrap());
            let error = match bench.try_open(|_| {}) {
                Ok(backend) => failed(backend.status(Some(&facts.up())).await, Code::ConfigInvalid),
                Err(error) => error,
            };
            assert!(
                error.code() == Code::ConfigInvalid && error.message().contains(name) && error.exit() == Exit::Config,
                "{error}"
            );
        }
        assert_eq!(bench.requests(), 0);
    }
}

#[tokio::test]
async fn a_name_can_be_verified_that_is_not_the_hosts() {
    let mut bench = EVERYWARE.bench().await;
    bench.text("tls.server_name", "127.0.0.1");
    bench.open().status(Some(&EVERYWARE.up())).await.unwrap();
    bench.text("tls.server_name", "vpn.example.org");
    let error = failed(bench.open().status(Some(&EVERYWARE.up())).await, Code::NetTlsUntrusted);
    assert!(error.message().contains("another name"), "{error}");
}

#[tokio::test]
async fn plain_http_where_tls_is_expected_is_told() {
    let plain = Bench::new("freebox").await;
    let mut bench = EVERYWARE.bench().await;
    bench.text("url", &plain.url("api").replace("http://", "https://"));
    let error = failed(bench.open().status(Some(&EVERYWARE.up())).await, Code::NetTls);
    assert_eq!(error.report().layer, Layer::Tls);
}

#[tokio::test]
async fn a_self_signed_certificate_can_be_named_itself() {
    use rcgen::{CertificateParams, IsCa, KeyPair, date_time_ymd};

    let valid = |hosts: &[&str]| CertificateParams::new(hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>());
    let here = ["localhost", "127.0.0.1"];
    let mut expired = valid(&here).unwrap();
    expired.not_after = date_time_ymd(2001, 1, 1);
    let mut early = valid(&here).unwrap();
    early.not_before = date_time_ymd(4000, 1, 1);
    for (mut params, fault) in [
        (valid(&here).unwrap(), None),
        (valid(&["vpn.example.org"]).unwrap(), Some("another name")),
        (expired, Some("expired")),
        (early, Some("not valid yet")),
    ] {
        // As `openssl req -x509` makes them.
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let mut bench = Bench::new("ixon").await;
        let path = |name: &str| bench.folder.path().join(name).to_str().unwrap().to_owned();
        let (shown, named) = (path("shown.pem"), path("named.pem"));
        std::fs::write(&shown, certificate.pem() + &key.serialize_pem()).unwrap();
        std::fs::write(&named, certificate.pem()).unwrap();
        bench.fault(&format!("certificate=user-provided:{shown}"));
        bench.text("tls.ca_file", &named);
        let status = bench.open().status(None).await;
        match fault {
            None => drop(status.unwrap()),
            Some(words) => {
                let error = failed(status, Code::NetTlsUntrusted);
                assert!(error.message().contains(words), "{error}");
            }
        }
        // Another of the same names is a stranger.
        let other = KeyPair::generate().unwrap();
        std::fs::write(&named, params.self_signed(&other).unwrap().pem()).unwrap();
        failed(bench.open().status(None).await, Code::NetTlsUntrusted);
    }
}
