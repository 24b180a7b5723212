//! Checks handshakes by the bare key of a pinned certificate: the usual verifier reads no X.509 of version 1 and no
//! critical extension that it does not know, and a pin accepts exactly one certificate whatever it says.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::{CertificateError, DigitallySignedStruct, Error};
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

/// Checks the signature of a TLS 1.3 handshake.
pub(super) fn verify_tls13(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    known: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = key_of(certificate)?.to_der().map_err(|_| unreadable())?;
    verify_tls13_signature_with_raw_key(message, &SubjectPublicKeyInfoDer::from(key), signed, known)
}

/// Checks the signature of a TLS 1.2 handshake, for which rustls takes no bare key.
pub(super) fn verify_tls12(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    known: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = key_of(certificate)?;
    // The algorithms are told apart by what stands inside this sequence.
    let algorithm = key.algorithm.to_der().map_err(|_| unreadable())?;
    let algorithm = AnyRef::from_der(&algorithm).map_err(|_| unreadable())?;
    let bits = key.subject_public_key.as_bytes().ok_or_else(unreadable)?;
    let fitting = known.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme).flat_map(|(_, fitting)| *fitting);
    let proven = fitting
        .filter(|known| known.public_key_alg_id().as_ref() == algorithm.value())
        .any(|known| known.verify_signature(bits, message, signed.signature()).is_ok());
    if proven { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
}

fn key_of(certificate: &CertificateDer<'_>) -> Result<SubjectPublicKeyInfoOwned, Error> {
    let certificate = x509_cert::Certificate::from_der(certificate).map_err(|_| unreadable())?;
    Ok(certificate.tbs_certificate().subject_public_key_info().clone())
}

fn unreadable() -> Error {
    CertificateError::BadEncoding.into()
}

#[cfg(test)]
#[cfg(feature = "simulate")]
mod tests {
    use std::sync::Arc;

    use rcgen::{CertificateParams, KeyPair};
    use rustls::crypto::ring;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    use rustls::{ClientConnection, Error, ServerConfig, ServerConnection, SupportedProtocolVersion, version};
    use x509_cert::der::{Decode as _, Encode as _};

    use crate::http::certificate::Certificate;
    use crate::http::tls::{Fingerprint, Trust, client_config};

    /// Writes a value of DER with its tag and the shortest form of its length.
    fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(content.len()).expect("short").to_be_bytes();
        let length = match (high, low) {
            (0, 0..=127) => vec![low],
            (0, _) => vec![0x81, low],
            _ => vec![0x82, high, low],
        };
        [&[tag], &length[..], content].concat()
    }

    /// Makes a certificate of version 1 for a key; nobody has signed it.
    fn first_version(key: &KeyPair) -> CertificateDer<'static> {
        let made = CertificateParams::new(["localhost".to_owned()]).and_then(|params| params.self_signed(key));
        let third = x509_cert::Certificate::from_der(made.expect("made").der()).expect("read");
        let parts = third.tbs_certificate();
        let algorithm = third.signature_algorithm().to_der().expect("written");
        let body = [
            parts.serial_number().to_der(),
            Ok(algorithm.clone()),
            parts.issuer().to_der(),
            parts.validity().to_der(),
            parts.subject().to_der(),
            parts.subject_public_key_info().to_der(),
        ];
        let body: Vec<u8> = body.into_iter().flat_map(|part| part.expect("written")).collect();
        let signature = tagged(0x03, &[&[0][..], &[7; 70]].concat());
        CertificateDer::from(tagged(0x30, &[tagged(0x30, &body), algorithm, signature].concat()))
    }

    /// Shakes hands in memory with a server that shows a certificate and signs with a key.
    fn handshake(
        shown: &CertificateDer<'static>,
        key: &KeyPair,
        pin: Fingerprint,
        version: &'static SupportedProtocolVersion,
    ) -> Result<(), Error> {
        let provider = Arc::new(ring::default_provider());
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let key = ring::sign::any_supported_type(&key).expect("supported");
        let certified = CertifiedKey::new(vec![shown.clone()], key);
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut server = ServerConnection::new(Arc::new(server)).expect("a server");
        let config = client_config(&Trust { pin: Some(pin), ..Trust::default() }, true).expect("a configuration");
        let name = ServerName::try_from("localhost").expect("a name");
        let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).expect("written");
            }
            let mut rest = wire.as_slice();
            while !rest.is_empty() {
                server.read_tls(&mut rest).expect("read");
                server.process_new_packets()?;
            }
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).expect("written");
            }
            let mut rest = wire.as_slice();
            while !rest.is_empty() {
                client.read_tls(&mut rest).expect("read");
                client.process_new_packets()?;
            }
        }
        Ok(())
    }

    #[test]
    fn a_pinned_certificate_of_version_1_is_accepted_from_who_has_its_key_and_nobody_else() {
        let (own, other) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
        let shown = first_version(&own);
        let seen = Certificate::of(&shown);
        assert_eq!(seen.subject.as_deref(), Some("CN=rcgen self signed cert"), "it can be read");
        for version in [&version::TLS12, &version::TLS13] {
            handshake(&shown, &own, seen.fingerprint, version).expect("the pinned one");
            let error = handshake(&shown, &other, seen.fingerprint, version).expect_err("a copy without its key");
            assert!(format!("{error:?}").contains("BadSignature"), "{version:?}: {error:?}");
            let strange = Fingerprint::of(&first_version(&other));
            handshake(&shown, &own, strange, version).expect_err("not the pinned one");
        }
    }
}
