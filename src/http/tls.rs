//! How a server's certificate is verified: one rustls configuration, for REST and WebSocket alike.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, CipherSuite, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};
use url::{Host, Url};
use x509_cert::der::Decode as _;

use super::lanes::track;
use super::{bare_key, dial};
use crate::error::{Error, Result};

/// Says how a server's certificate is verified.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Trust the CAs of this file and the certificates in it, and no others.
    pub ca_file: Option<PathBuf>,
    /// Trust the certificate with this fingerprint and no other.
    pub pin: Option<Fingerprint>,
    /// Whether `vpnctl trust add` can keep a pin for this server.
    pub pinnable: bool,
    /// Whether the pin is one that `vpnctl trust add` kept, and none of the configuration.
    pub pin_kept: bool,
    /// Trust anything; for loopback only.
    pub insecure: bool,
    /// The name to verify instead of the URL's host.
    pub server_name: Option<String>,
    /// Roots in PEM to trust beside the system's.
    pub extra_roots: Option<&'static str>,
}

/// The SHA-256 of a certificate in DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Takes the fingerprint of a certificate.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }

    /// Reads `sha256:` and 64 hexadecimal digits; colons between them are fine.
    ///
    /// # Errors
    /// Fails where the text is anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::config(format!("`{text}` is no fingerprint: write sha256: and 64 hexadecimal digits"));
        let (algorithm, digits) = text.split_once(':').ok_or_else(wrong)?;
        let digits: String = digits.chars().filter(|c| *c != ':').collect();
        // A sign is no digit, although it can be parsed.
        let is_hex = digits.chars().all(|c| c.is_ascii_hexdigit());
        if !algorithm.eq_ignore_ascii_case("sha256") || digits.len() != 64 || !is_hex {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Tells that a server's certificate is not the pinned one.
#[derive(Debug, Clone)]
pub(super) struct PinChanged {
    pub(super) seen: Fingerprint,
    pub(super) pinned: Fingerprint,
}

impl PinChanged {
    pub(super) fn find(error: &rustls::Error) -> Option<&Self> {
        match error {
            rustls::Error::InvalidCertificate(CertificateError::Other(other)) => other.0.downcast_ref(),
            _ => None,
        }
    }
}

impl std::fmt::Display for PinChanged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} instead of the pinned {}", self.seen, self.pinned)
    }
}

impl std::error::Error for PinChanged {}

/// Tells whether a URL names this computer.
#[must_use]
pub fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).to_canonical().is_loopback(),
        None => false,
    }
}

/// Makes the configuration; for plain http (`secure` false) one that trusts nobody, for it is never used.
///
/// # Errors
/// Fails where the CA file can't be read or holds no certificate.
pub(super) fn client_config(trust: &Trust, secure: bool) -> Result<ClientConfig> {
    let (builder, provider) = builder()?;
    let mut config = if !secure {
        builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    } else if trust.insecure {
        verified_by(builder, Arc::new(Exception { pin: None, provider }))
    } else if let Some(pin) = trust.pin {
        verified_by(builder, Arc::new(Exception { pin: Some(pin), provider }))
    } else if let Some(path) = &trust.ca_file {
        let (roots, known) = roots_of(path)?;
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| Error::config(format!("TLS can't be set up: {error}")))?;
        verified_by(builder, Arc::new(Named { usual, known }))
    } else {
        let extra = trust.extra_roots.map(certificates).unwrap_or_default();
        match rustls_platform_verifier::Verifier::new_with_extra_roots(extra.clone(), provider) {
            Ok(verifier) => verified_by(builder, Arc::new(verifier)),
            Err(error) => {
                tracing::warn!("this system has no certificate store ({error}); the built-in roots are used");
                builder.with_root_certificates(built_in_roots(extra)).with_no_client_auth()
            }
        }
    };
    config.alpn_protocols = protocols();
    config.client_auth_cert_resolver = Arc::new(Nobody);
    Ok(config)
}

/// Shows servers no certificate, and notes that a handshake begins: it is asked while the first message is made, which is
/// after the other side has taken the connection.
#[derive(Debug)]
struct Nobody;

impl ResolvesClientCert for Nobody {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn only_raw_public_keys(&self) -> bool {
        track::comes_to(dial::TLS);
        false
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// Makes the configuration of a handshake that only looks at the certificate; nothing may be sent after it.
pub(super) fn onlooker_config() -> Result<ClientConfig> {
    let (builder, provider) = builder()?;
    let mut config = verified_by(builder, Arc::new(Exception { pin: None, provider }));
    config.alpn_protocols = protocols();
    Ok(config)
}

fn protocols() -> Vec<Vec<u8>> {
    vec![b"h2".to_vec(), b"http/1.1".to_vec()]
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn builder() -> Result<(Builder, Arc<CryptoProvider>)> {
    let mut provider = rustls::crypto::ring::default_provider();
    // As strong as anybody needs, and a handshake with SHA-256 costs a third of one with SHA-384. Servers that have a
    // preference of their own keep it.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let provider = Arc::new(provider);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::config(format!("TLS can't be set up: {error}")))?;
    Ok((builder, provider))
}

fn verified_by(builder: Builder, verifier: Arc<dyn ServerCertVerifier>) -> ClientConfig {
    builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(std::result::Result::ok).collect()
}

fn roots_of(path: &std::path::Path) -> Result<(RootCertStore, Vec<CertificateDer<'static>>)> {
    let wrong = |why: &str| {
        Error::config(format!("the CA file {} {why}", path.display()))
            .hint("`tls.ca_file` names a file with one or more certificates in PEM")
    };
    // A pipe that nobody writes, or a device without an end, would be read for ever.
    if std::fs::metadata(path).is_ok_and(|data| !data.is_file()) {
        return Err(wrong("is no file"));
    }
    let text = std::fs::read(path).map_err(|error| wrong(&format!("can't be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    let mut known = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| wrong(&format!("is no PEM: {error}")))?;
        known.push(certificate.clone());
        roots.add(certificate).map_err(|error| wrong(&format!("holds a certificate that can't be used: {error}")))?;
    }
    if roots.is_empty() {
        return Err(wrong("holds no certificate"));
    }
    Ok((roots, known))
}

fn built_in_roots(extra: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(extra);
    roots
}

/// Accepts what the CAs of a file have signed, and a certificate that stands in that file itself, as a self-signed one
/// does; its names and dates count all the same.
#[derive(Debug)]
struct Named {
    usual: Arc<WebPkiServerVerifier>,
    known: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let fault = match self.usual.verify_server_cert(leaf, intermediates, name, ocsp, now) {
            Err(fault) if self.known.iter().any(|known| known == leaf) => fault,
            verdict => return verdict,
        };
        // One that can't be read is judged as it was.
        let (Ok(parsed), Ok(read)) = (ParsedCertificate::try_from(leaf), x509_cert::Certificate::from_der(leaf)) else {
            return Err(fault);
        };
        verify_server_name(&parsed, name)?;
        let validity = read.tbs_certificate().validity();
        if now.as_secs() < validity.not_before.to_unix_duration().as_secs() {
            return Err(CertificateError::NotValidYet.into());
        }
        if now.as_secs() > validity.not_after.to_unix_duration().as_secs() {
            return Err(CertificateError::Expired.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// Accepts one pinned certificate, whatever its names, dates and issuer; or, without a pin, any certificate, which the
/// configuration allows for loopback only and a look at the certificate needs.
#[derive(Debug)]
struct Exception {
    pin: Option<Fingerprint>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Exception {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen = Fingerprint::of(leaf);
        match self.pin {
            Some(pinned) if pinned != seen => {
                let changed = PinChanged { seen, pinned };
                Err(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(changed)))))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
            .or_else(|_| bare_key::verify_tls12(message, certificate, signed, known))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
            .or_else(|_| bare_key::verify_tls13(message, certificate, signed, known))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{Fingerprint, is_local};

    #[test]
    fn only_loopback_is_local() {
        for (url, local) in [
            ("https://localhost:9250", true),
            ("https://127.0.0.1", true),
            ("https://127.9.9.9", true),
            ("https://[::1]:1", true),
            ("https://localhost.example.org", false),
            ("https://192.168.1.254", false),
            ("https://127.0.0.1.example.org", false),
            ("https://127.1", true),
            ("https://2130706433", true),
            ("https://[::ffff:127.0.0.1]", true),
            ("https://LOCALHOST", true),
            ("https://localhost.", false),
            ("https://0.0.0.0", false),
            ("https://[::]", false),
            ("https://[::ffff:192.168.1.254]", false),
            ("https://localhost@example.org", false),
            ("https://example.org#localhost", false),
        ] {
            assert_eq!(is_local(&Url::parse(url).expect("a URL")), local, "{url}");
        }
    }

    #[test]
    fn the_four_roots_of_the_freeboxes_are_trusted() {
        let pem = include_str!("../backends/freebox/roots.pem");
        let roots = super::certificates(pem);
        let fingerprints: Vec<String> = roots.iter().map(|root| Fingerprint::of(root).to_string()).collect();
        // The beginnings of the fingerprints that the vendor page lists.
        for known in ["sha256:23cfb726", "sha256:2bd8b5be", "sha256:a210b1de", "sha256:74f795bb"] {
            assert_eq!(fingerprints.iter().filter(|found| found.starts_with(known)).count(), 1, "{known}");
        }
        assert_eq!(super::built_in_roots(roots.clone()).len() - super::built_in_roots(Vec::new()).len(), 4);
        let trust = super::Trust { extra_roots: Some(pem), ..super::Trust::default() };
        assert!(super::client_config(&trust, true).is_ok());
    }

    #[test]
    fn a_fingerprint_reads_what_it_writes() {
        let text = format!("sha256:{}", "0a".repeat(32));
        let fingerprint = Fingerprint::parse(&text).expect("a fingerprint");
        assert_eq!(fingerprint.to_string(), text);
        assert_eq!(Fingerprint::parse(&format!("sha256:{}", ["0A"; 32].join(":"))).expect("colons"), fingerprint);
        assert_eq!(Fingerprint::parse(&text.to_uppercase()).expect("capitals"), fingerprint);
        for wrong in ["", "sha256:", &format!("sha256:{}", "+a".repeat(32)), "0a", "sha256:zz", "sha1:0a"] {
            assert!(Fingerprint::parse(wrong).is_err(), "{wrong}");
        }
    }
}
