//! The certificate that a server shows now, seen without trusting it.

use std::sync::Arc;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::TlsConnector;
use x509_cert::der::Decode as _;

use super::dial::Progress;
use super::tls::{self, Fingerprint};
use super::{Call, FIRST_WAIT, REPEATS, Transport, dial};
use crate::error::{Code, Error, Layer, Result};

/// Describes a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its SHA-256.
    pub fingerprint: Fingerprint,
    /// Whose it is, as RFC 4514 text; `None` where it says nothing or can't be read.
    pub subject: Option<String>,
    /// Who has signed it, as RFC 4514 text; `None` where it can't be read.
    pub issuer: Option<String>,
    /// Until when it is valid; `None` where it can't be read.
    pub not_after: Option<Timestamp>,
}

impl Certificate {
    /// Reads a certificate in DER; one that can't be read has its fingerprint all the same.
    #[must_use]
    pub fn of(der: &CertificateDer<'_>) -> Self {
        let fingerprint = Fingerprint::of(der);
        let Ok(certificate) = x509_cert::Certificate::from_der(der) else {
            return Self { fingerprint, subject: None, issuer: None, not_after: None };
        };
        let certificate = certificate.tbs_certificate();
        let subject = certificate.subject().to_string();
        let seconds = certificate.validity().not_after.to_unix_duration().as_secs();
        Self {
            fingerprint,
            subject: Some(subject).filter(|subject| !subject.is_empty()),
            issuer: Some(certificate.issuer().to_string()).filter(|issuer| !issuer.is_empty()),
            not_after: i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok()),
        }
    }
}

impl Transport {
    /// Makes a TLS handshake that accepts any certificate, sends nothing, and ends; gives the certificate.
    ///
    /// It goes straight to the server, past a proxy that the environment may name: what a proxy between shows is not
    /// the server's. Failures that may pass are tried again, as reads are.
    ///
    /// # Errors
    /// Fails with `usage` where the URL is not https, else with what the network or the handshake said.
    pub async fn certificate(&self) -> Result<Certificate> {
        if self.settings.url.scheme() != "https" {
            let what = format!("{} has no certificate, for `url` is plain http", self.settings.peer);
            return Err(self.told(Error::usage(what).hint("only an https:// URL can be pinned")));
        }
        let mut waits =
            ExponentialBuilder::default().with_min_delay(FIRST_WAIT).with_factor(2.0).with_max_times(REPEATS).build();
        let mut earlier = None;
        loop {
            let error = match (self.look().await, earlier) {
                (Ok(certificate), _) => return Ok(certificate),
                // What broke the earlier looks says more than that the time is over.
                (Err(error), Some(earlier)) if error.code() == Code::TimeoutDeadline => return Err(self.told(earlier)),
                (Err(error), _) if error.is_repeatable() => error,
                (Err(error), _) => return Err(self.told(error)),
            };
            let Some(wait) = waits.next().filter(|wait| self.can_wait(*wait)) else { return Err(self.told(error)) };
            tokio::time::sleep(wait).await;
            earlier = Some(error);
        }
    }

    /// Looks once, within an attempt's time-out and the deadline.
    async fn look(&self) -> Result<Certificate> {
        let call = Call::get("certificate", "");
        let progress = Progress::default();
        self.dialling(&call, self.settings.connecting(), &progress, self.handshake(&call, &progress)).await
    }

    async fn handshake(&self, call: &Call, progress: &Progress) -> Result<Certificate> {
        let settings = &self.settings;
        let host = settings.tls.server_name.as_deref().or(settings.url.host_str()).unwrap_or_default();
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|error| dial::broken(settings, &error))?;
        let stream = dial::connected(settings, call, progress).await?;
        let connector = TlsConnector::from(Arc::new(tls::onlooker_config()?));
        let mut stream = connector.connect(name, stream).await.map_err(|error| dial::broken(settings, &error))?;
        let seen = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).map(Certificate::of);
        // What was to be seen has been seen; how the server takes the farewell does not matter.
        let _ = stream.shutdown().await;
        seen.ok_or_else(|| Error::new(Code::NetTls, Layer::Tls, format!("{} shows no certificate", settings.peer)))
    }
}
