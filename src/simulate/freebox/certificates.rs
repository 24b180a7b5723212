//! The certificates of the box's HTTPS (vendor/freebox.md section 2.5).

use std::sync::Arc;

use rcgen::{DnType, PKCS_ECDSA_P384_SHA384};
use rustls::sign::CertifiedKey;

use super::discovery::{self, Country};
use crate::simulate::faults::Faults;
use crate::simulate::tls::{self, Authority, Wardrobe};

/// Makes the certificates that the fault `tls` can ask for.
///
/// The chain has the real one's shape: a P-256 leaf without authority key identifier under a P-384 root. The real leaf
/// is signed with SHA-256, which ring does not do with a P-384 key; here it is SHA-384.
#[derive(Debug)]
pub(super) struct Certificates {
    faults: Faults,
    root: Authority,
    intermediate: Authority,
}

impl Certificates {
    /// Makes the test root, which stands in for the vendor's four, and an intermediate below it.
    pub(super) fn new(faults: Faults) -> Result<Self, rcgen::Error> {
        let root = Authority::root(&subject("Simulated Freebox ECC Root CA"), &PKCS_ECDSA_P384_SHA384)?;
        let below = subject("Simulated Freebox ECC Intermediate CA");
        let intermediate = root.intermediate(&below, &PKCS_ECDSA_P384_SHA384)?;
        Ok(Self { faults, root, intermediate })
    }

    /// Gives the test root in PEM.
    pub(super) fn root_pem(&self) -> String {
        self.root.pem()
    }
}

fn subject(name: &str) -> [(DnType, &str); 3] {
    [(DnType::CountryName, "FR"), (DnType::OrganizationName, "Freebox SA"), (DnType::CommonName, name)]
}

impl Wardrobe for Certificates {
    fn wanted(&self) -> String {
        let kind = self.faults.arg("tls").unwrap_or_default();
        format!("{kind}@{}", discovery::country(&self.faults).api_domain)
    }

    fn make(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let (kind, _) = name.split_once('@')?;
        let country = discovery::country(&self.faults);
        let own = |hosts| {
            let subject = [(DnType::CountryName, country.code), (DnType::CommonName, country.api_domain)];
            tls::named(&subject, hosts).ok()
        };
        match kind {
            "with-intermediate" => self.intermediate.sign(own(hosts(country))?, &[&self.intermediate]),
            // Valid for the remote names only: whoever comes by `localhost` or an address is at the wrong door.
            "wrong-name" => self.root.sign(own(vec![country.api_domain.to_owned()])?, &[]),
            "self-signed" => tls::self_signed(&own(hosts(country))?),
            "expired-foobar" => {
                let subject = [
                    (DnType::CountryName, "AU"),
                    (DnType::OrganizationName, "Internet Widgits Pty Ltd"),
                    (DnType::CommonName, "foobar"),
                ];
                let mut leaf = tls::named(&subject, Vec::new()).ok()?;
                (leaf.not_before, leaf.not_after) =
                    (rcgen::date_time_ymd(2014, 1, 1), rcgen::date_time_ymd(2017, 1, 1));
                tls::self_signed(&leaf)
            }
            _ => self.root.sign(own(hosts(country))?, &[]),
        }
    }
}

fn hosts(country: Country) -> Vec<String> {
    let mut hosts = tls::loopback();
    hosts.extend([country.host, country.api_domain].map(str::to_owned));
    hosts
}
