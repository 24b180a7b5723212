//! The box's HTTPS: the chain's shape, and the certificates that real boxes were seen with.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::bench::{Bench, FAST};

/// The object identifier of the authority key identifier, 2.5.29.35, as it stands in DER.
const AUTHORITY_KEY_ID: [u8; 5] = [6, 3, 0x55, 0x1d, 0x23];
/// That of the subject alternative names, 2.5.29.17.
const NAMES: [u8; 5] = [6, 3, 0x55, 0x1d, 0x11];
/// Those of the curves P-256 and P-384.
const P256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: [u8; 7] = [6, 5, 0x2b, 0x81, 0x04, 0, 0x22];

impl Bench {
    fn root(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.running().ca_pem().as_bytes()).unwrap()
    }

    fn https_port(&self) -> u16 {
        self.running().url("https").unwrap().rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// Shakes hands with the box under a name; gives the chain that it sent.
    async fn handshake(&self, name: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(("127.0.0.1", self.https_port())).await.unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
            Ok(stream) => {
                Ok(stream.get_ref().1.peer_certificates().unwrap().iter().map(|one| one.clone().into_owned()).collect())
            }
            Err(error) => Err(error.into_inner().unwrap().downcast_ref::<Error>().unwrap().clone()),
        }
    }
}

fn holds(certificate: &CertificateDer<'_>, part: &[u8]) -> bool {
    certificate.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn the_chain_has_the_real_ones_shape() {
    let bench = Bench::new(FAST, &[]).await;
    assert!(holds(&bench.root(), &P384) && !holds(&bench.root(), &P256));
    for name in ["localhost", "mafreebox.freebox.fr", "example.fbxos.fr", "127.0.0.1"] {
        let chain = bench.handshake(name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(chain.len(), 1, "{name}");
        assert!(holds(&chain[0], &P256) && holds(&chain[0], &NAMES) && !holds(&chain[0], &AUTHORITY_KEY_ID));
    }
    let usual = bench.handshake("localhost").await.unwrap();
    assert_eq!(usual, bench.handshake("localhost").await.unwrap(), "one certificate, not one for each handshake");
    bench.fault("tls=with-intermediate");
    let chain = bench.handshake("localhost").await.unwrap();
    assert_eq!(chain.len(), 2);
    assert!(holds(&chain[1], &P384) && !holds(&chain[0], &AUTHORITY_KEY_ID));
    bench.clear("tls");
    assert_eq!(usual, bench.handshake("localhost").await.unwrap());
}

#[tokio::test]
async fn certificates_of_real_trouble_are_refused_for_what_is_wrong_with_them() {
    let bench = Bench::new(FAST, &["tls=wrong-name"]).await;
    let wrong = bench.handshake("localhost").await.unwrap_err();
    let is_name = |error: &CertificateError| {
        matches!(error, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
    };
    assert!(matches!(&wrong, Error::InvalidCertificate(error) if is_name(error)), "{wrong}");
    bench.handshake("example.fbxos.fr").await.unwrap();
    for fault in ["tls=self-signed", "tls=expired-foobar"] {
        bench.fault(fault);
        let error = bench.handshake("localhost").await.unwrap_err();
        assert!(matches!(error, Error::InvalidCertificate(_)), "{fault}: {error}");
    }
}

#[tokio::test]
async fn the_api_answers_by_https_and_names_the_port() {
    let bench = Bench::new(FAST, &[]).await;
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(bench.running().ca_pem().as_bytes()).unwrap()])
        .no_proxy()
        .build()
        .unwrap();
    let url = format!("{}/api_version", bench.running().url("https").unwrap());
    let text = client.get(&url).send().await.unwrap().text().await.unwrap();
    assert_eq!(text, bench.send("GET", "/api_version", "").await.text, "one box behind both");
    let version: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&version["https_port"], &version["https_available"]), (&bench.https_port().into(), &true.into()));
    assert_eq!(version["api_domain"], "example.fbxos.fr");
}

#[tokio::test]
async fn an_italian_box_has_names_of_its_own() {
    let bench = Bench::logged_in(FAST, &["italy"]).await;
    for name in ["myiliadbox.iliad.it", "example.ibxos.it", "localhost"] {
        bench.handshake(name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    bench.handshake("mafreebox.freebox.fr").await.unwrap_err();
    assert_eq!(bench.send("GET", "/api_version", "").await.json()["api_domain"], "example.ibxos.it");
    let config = bench.get("connection/config/").await.json()["result"].clone();
    assert_eq!(
        (&config["api_domain"], &config["https_port"]),
        (&"example.ibxos.it".into(), &bench.https_port().into())
    );
    bench.clear("italy");
    bench.handshake("mafreebox.freebox.fr").await.unwrap();
}

#[tokio::test]
async fn the_root_is_written_beside_the_configuration() {
    let bench = Bench::new(FAST, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    bench.world.write_config(&folder.path().join("demo.toml")).unwrap();
    let written = std::fs::read_to_string(folder.path().join("demo.freebox-ca.pem")).unwrap();
    assert_eq!(written, bench.running().ca_pem());
    assert_ne!(written, bench.world.ca_pem());
    let text = std::fs::read_to_string(folder.path().join("demo.toml")).unwrap();
    assert!(text.contains(&format!("# url = \"{}\"", bench.running().url("https").unwrap())), "{text}");
}
