//! The certificates that the local client may serve (vendors/ixon.md section 2).

use std::sync::Arc;

use rcgen::DnType;
use rustls::sign::CertifiedKey;

use crate::simulate::faults::Faults;
use crate::simulate::tls::{self, Identity, Wardrobe};

/// Makes the certificates that the fault `certificate` can ask for; REST and WebSocket share them.
#[derive(Debug)]
pub(super) struct Certificates {
    /// Says which one is wanted.
    pub(super) faults: Faults,
    /// The private CA, whose own certificate is not sent, and the usual certificate.
    pub(super) identity: Identity,
}

impl Wardrobe for Certificates {
    fn wanted(&self) -> String {
        self.faults.arg("certificate").unwrap_or_default()
    }

    fn make(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        if let Some(path) = name.strip_prefix("user-provided:") {
            return tls::provided(path);
        }
        let leaf = || tls::named(&[(DnType::CommonName, "localhost")], tls::loopback()).ok();
        match name {
            "self-signed" => tls::self_signed(&leaf()?),
            "" | "private-ca" => Some(Arc::clone(self.identity.certified())),
            // Each other name is one more certificate of the same CA, as after a renewal.
            _ => self.identity.authority().sign(leaf()?, &[]),
        }
    }
}
