//! Servers that nobody should talk to: with certificates that are not to be trusted, or where a redirect leads.

use std::io::Read as _;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rcgen::{CertificateParams, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::rows::Leaf;

/// A server with a certificate of its own, and the CA that the client is told to trust.
pub(crate) struct Stranger {
    pub(crate) port: u16,
    /// The CA, in PEM.
    pub(crate) ca: String,
    /// What came over connections that were trusted.
    pub(crate) requests: Arc<AtomicUsize>,
}

/// Gives the server with that certificate; one of each is made for all cells.
pub(crate) fn with(leaf: Leaf) -> &'static Stranger {
    static ALL: [OnceLock<Stranger>; 4] = [const { OnceLock::new() }; 4];
    ALL[leaf as usize].get_or_init(|| start(leaf))
}

fn start(leaf: Leaf) -> Stranger {
    let authority = || {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), Issuer::new(params, key))
    };
    let (ca, issuer) = authority();
    let host = if leaf == Leaf::WrongName { "vpn.example.org" } else { "localhost" };
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    if leaf == Leaf::Expired {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = match leaf {
        Leaf::SelfSigned => params.self_signed(&key),
        Leaf::UnknownCa => params.signed_by(&key, &authority().1),
        Leaf::Expired | Leaf::WrongName => params.signed_by(&key, &issuer),
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.unwrap().der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, requests) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let (config, seen) = (Arc::new(config), Arc::clone(&requests));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, seen) = (Arc::clone(&config), Arc::clone(&seen));
            std::thread::spawn(move || {
                let connection = rustls::ServerConnection::new(config).unwrap();
                let mut tls = rustls::StreamOwned::new(connection, stream);
                if matches!(tls.read(&mut [0; 1]), Ok(1)) {
                    seen.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    Stranger { port, ca, requests }
}

/// Where a redirect leads: counts who comes.
pub(crate) struct Elsewhere {
    pub(crate) url: String,
    visitors: Arc<AtomicUsize>,
}

impl Elsewhere {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/elsewhere", listener.local_addr().unwrap());
        let visitors = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&visitors);
        std::thread::spawn(move || {
            for _ in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { url, visitors }
    }

    pub(crate) fn visitors(&self) -> usize {
        self.visitors.load(Ordering::SeqCst)
    }
}
