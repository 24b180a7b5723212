//! Private certificate authorities for simulators, made anew in each process, and certificates that change at run time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SignatureAlgorithm,
};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Holds a certificate authority, which can sign.
#[derive(Debug)]
pub(super) struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// Names whom a certificate is for, in the order in which the vendors' certificates write it.
pub(super) type Subject<'a> = &'a [(DnType, &'a str)];

impl Authority {
    /// Makes a root that may sign leaves and intermediates.
    pub(super) fn root(subject: Subject<'_>, algorithm: &'static SignatureAlgorithm) -> Result<Self, rcgen::Error> {
        let params = Self::params(subject)?;
        let key = KeyPair::generate_for(algorithm)?;
        Ok(Self { certificate: params.self_signed(&key)?, issuer: Issuer::new(params, key) })
    }

    /// Makes an authority that this one vouches for.
    pub(super) fn intermediate(
        &self,
        subject: Subject<'_>,
        algorithm: &'static SignatureAlgorithm,
    ) -> Result<Self, rcgen::Error> {
        let params = Self::params(subject)?;
        let key = KeyPair::generate_for(algorithm)?;
        Ok(Self { certificate: params.signed_by(&key, &self.issuer)?, issuer: Issuer::new(params, key) })
    }

    /// Signs a leaf with a P-256 key; what it sends is the leaf and what `chain` names.
    ///
    /// No leaf has an authority key identifier: a Freebox's has none, and no vendor's is known to have one.
    pub(super) fn sign(&self, leaf: CertificateParams, chain: &[&Self]) -> Option<Arc<CertifiedKey>> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).ok()?;
        let leaf = leaf.signed_by(&key, &self.issuer).ok()?;
        let above = chain.iter().map(|authority| authority.certificate.der().clone());
        certified(std::iter::once(leaf.der().clone()).chain(above).collect(), &key)
    }

    /// Gives its certificate in PEM.
    pub(super) fn pem(&self) -> String {
        self.certificate.pem()
    }

    fn params(subject: Subject<'_>) -> Result<CertificateParams, rcgen::Error> {
        let mut params = named(subject, Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(params)
    }
}

/// Begins a certificate for a subject and the host names and addresses that it is valid for.
pub(super) fn named(subject: Subject<'_>, hosts: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, text) in subject {
        params.distinguished_name.push(kind.clone(), *text);
    }
    Ok(params)
}

/// Signs a leaf with its own key.
pub(super) fn self_signed(leaf: &CertificateParams) -> Option<Arc<CertifiedKey>> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).ok()?;
    let leaf = leaf.self_signed(&key).ok()?;
    certified(vec![leaf.der().clone()], &key)
}

/// Reads a chain and its key from a PEM file, as a user may provide them.
pub(super) fn provided(path: &str) -> Option<Arc<CertifiedKey>> {
    let chain = CertificateDer::pem_file_iter(path).ok()?.collect::<Result<Vec<_>, _>>().ok()?;
    let key = PrivateKeyDer::from_pem_file(path).ok()?;
    let key = default_provider().key_provider.load_private_key(key).ok()?;
    Some(Arc::new(CertifiedKey::new(chain, key)))
}

fn certified(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Option<Arc<CertifiedKey>> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).ok()?;
    let key = default_provider().key_provider.load_private_key(key).ok()?;
    Some(Arc::new(CertifiedKey::new(chain, key)))
}

/// Says which certificate a server has at the moment, and how to make it.
pub(super) trait Wardrobe: fmt::Debug + Send + Sync {
    /// Names the certificate that the faults of this moment ask for.
    fn wanted(&self) -> String;
    /// Makes the certificate of that name; nothing where there is none, and the handshake fails.
    fn make(&self, name: &str) -> Option<Arc<CertifiedKey>>;
}

/// Shows each handshake the certificate that is wanted at that moment, the same one for the same name.
#[derive(Debug)]
struct Switching<W> {
    wardrobe: W,
    made: Mutex<BTreeMap<String, Arc<CertifiedKey>>>,
}

impl<W: Wardrobe> ResolvesServerCert for Switching<W> {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = self.wardrobe.wanted();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(&name) {
            return Some(Arc::clone(known));
        }
        let new = self.wardrobe.make(&name)?;
        made.insert(name, Arc::clone(&new));
        Some(new)
    }
}

/// Makes a TLS configuration whose certificate can change, with the protocols to offer by ALPN, best first.
///
/// Sessions are not resumed: a client would be spared the new certificate.
pub(super) fn switching(wardrobe: impl Wardrobe + 'static, alpn: &[&str]) -> Result<Arc<ServerConfig>, rustls::Error> {
    let resolver = Arc::new(Switching { wardrobe, made: Mutex::default() });
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Gives the names under which every simulator is reached.
pub(super) fn loopback() -> Vec<String> {
    ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec()
}

/// Holds a CA and one server certificate for `localhost`, `127.0.0.1` and `::1`.
///
/// The CA's own certificate is not sent by the servers, as vendor/ixon.md section 2 infers of the real client.
#[derive(Debug, Clone)]
pub struct Identity {
    authority: Arc<Authority>,
    ca_pem: String,
    leaf: Arc<CertifiedKey>,
}

impl Identity {
    /// Makes a CA and a server certificate.
    ///
    /// # Errors
    /// Fails where the system gives no randomness.
    pub fn generate() -> Result<Self, rcgen::Error> {
        let subject = [(DnType::CommonName, "vpnctl simulator CA")];
        let authority = Authority::root(&subject, &PKCS_ECDSA_P256_SHA256)?;
        let leaf = authority.sign(named(&[(DnType::CommonName, "localhost")], loopback())?, &[]);
        let leaf = leaf.ok_or(rcgen::Error::CouldNotParseKeyPair)?;
        Ok(Self { ca_pem: authority.pem(), authority: Arc::new(authority), leaf })
    }

    /// Gives the CA's certificate in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Gives the certificate that servers show, in DER.
    #[must_use]
    pub fn leaf(&self) -> &CertificateDer<'static> {
        &self.leaf.cert[0]
    }

    /// Gives the CA, for further certificates.
    pub(super) fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// Gives the server certificate with its key.
    pub(super) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.leaf
    }

    /// Makes a TLS configuration that offers the given protocols by ALPN, best first.
    ///
    /// # Errors
    /// Fails where the provider knows no version of TLS, which does not happen with ring.
    pub fn server_config(&self, alpn: &[&str]) -> Result<Arc<ServerConfig>, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(Arc::clone(&self.leaf))));
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }
}
