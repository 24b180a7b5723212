//! The certificates of the local client, changed while it runs.

use std::sync::Arc;

use reqwest::StatusCode;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::bench::Bench;

/// Takes any certificate, to look at it.
#[derive(Debug)]
struct Any(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

impl Bench {
    async fn shake(&self, config: Arc<ClientConfig>) -> std::io::Result<Vec<CertificateDer<'static>>> {
        let port = self.local.rsplit_once(':').unwrap().1.parse().unwrap();
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let stream = TlsConnector::from(config).connect(ServerName::try_from("localhost").unwrap(), stream).await?;
        let chain = stream.get_ref().1.peer_certificates().unwrap();
        Ok(chain.iter().map(|one| one.clone().into_owned()).collect())
    }

    /// Gives what the client sends, trusted or not.
    async fn chain(&self) -> Vec<CertificateDer<'static>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let usual =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Any(usual)))
            .with_no_client_auth();
        self.shake(Arc::new(config)).await.unwrap()
    }

    async fn is_trusted(&self) -> bool {
        self.shake(Arc::clone(&self.tls)).await.is_ok()
    }
}

#[tokio::test]
async fn the_certificate_changes_while_the_client_runs() {
    let bench = Bench::start(&[]).await;
    let usual = bench.chain().await;
    assert_eq!((usual.len(), bench.is_trusted().await), (1, true), "the CA's certificate is not sent");
    bench.faults().set("certificate=renewed");
    let renewed = bench.chain().await;
    assert!(renewed != usual && bench.is_trusted().await);
    assert_eq!(renewed, bench.chain().await, "the same one until it is renewed again");
    bench.faults().set("certificate=renewed-again");
    let again = bench.chain().await;
    assert!(again != renewed && again != usual && bench.is_trusted().await);
    bench.faults().set("certificate=self-signed");
    assert_eq!((bench.chain().await.len(), bench.is_trusted().await), (1, false));
    bench.faults().clear("certificate");
    assert_eq!(bench.chain().await, usual);
}

#[tokio::test]
async fn a_user_may_provide_the_certificate() {
    let bench = Bench::start(&[]).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.pem");
    std::fs::write(&path, format!("{}{}", own.pem(), key.serialize_pem())).unwrap();
    bench.faults().set(&format!("certificate=user-provided:{}", path.display()));
    assert_eq!(bench.chain().await, [own.der().clone()]);
    bench.faults().set("certificate=user-provided:/nowhere.pem");
    assert!(!bench.is_trusted().await, "no certificate, no handshake");
}

#[tokio::test]
async fn the_socket_shares_the_port_and_so_the_certificate() {
    let bench = Bench::start(&["certificate=self-signed", "first-push"]).await;
    let url = format!("{}/status", bench.local);
    assert!(bench.client.get(&url).send().await.is_err() && !bench.is_trusted().await);
    bench.faults().set("certificate=renewed");
    assert_eq!(bench.client.get(&url).send().await.unwrap().status(), StatusCode::OK);
    let mut socket = crate::socket::open(&bench).await.unwrap();
    assert_eq!(crate::socket::status(&mut socket).await["status"], "idle");
}
