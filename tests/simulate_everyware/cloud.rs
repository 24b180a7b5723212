//! A simulated cloud for tests, and a client of it that knows nothing of vpnctl.

use std::sync::Arc;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use vpnctl::simulate::everyware::{PASSWORD, USERNAME};
use vpnctl::simulate::world::{Options, World};

/// Devices of the default world, by what they are there for.
pub(crate) const PACKAGING: &str = "WyczTs_GuDM";
pub(crate) const LYON_UP: &str = "-Kf2x0nQbDE";
pub(crate) const LYON_DOWN: &str = "_Kf2x0nQbDE";
pub(crate) const TURIN_OFFLINE: &str = "Gd1BfeWwh3s";
pub(crate) const SPARE_NEVER: &str = "LQNak9Yzkus";
pub(crate) const OSLO_NO_BUNDLE: &str = "dIVxI5QpFUI";
pub(crate) const BERGEN_MISSING: &str = "AuY";

/// A simulated cloud and a client of it that knows nothing of vpnctl.
pub(crate) struct Cloud {
    pub(crate) world: World,
    pub(crate) client: Client,
    pub(crate) url: String,
    pub(crate) token: Option<String>,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }

    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        assert_eq!(self.kind, "application/json");
        self.json()
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        let body = self.json();
        assert_eq!(body["kapuaErrorCode"], code);
        assert_eq!(body["httpErrorCode"], status);
        body
    }
}

impl Cloud {
    /// Starts a cloud with faults on and nobody logged in.
    pub(crate) async fn bare(faults: &[&str], devices: Option<usize>) -> Self {
        let options = Options {
            vendors: vec!["everyware".to_owned()],
            devices,
            faults: faults.iter().map(ToString::to_string).collect(),
            ..Options::default()
        };
        let world = World::start(&options).await.unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(world.ca_pem().as_bytes()).unwrap()).unwrap();
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
        let url = world.vendor("everyware").unwrap().urls[0].1.clone();
        Self { world, client, url, token: None }
    }

    /// Starts a cloud and logs the operator in, then switches faults on.
    pub(crate) async fn with(faults: &[&str]) -> Self {
        let mut cloud = Self::bare(&[], None).await;
        cloud.log_in().await;
        faults.iter().for_each(|fault| cloud.fault(fault));
        cloud
    }

    /// Starts a cloud with so many devices and logs the operator in.
    pub(crate) async fn of(devices: usize) -> Self {
        let mut cloud = Self::bare(&[], Some(devices)).await;
        cloud.log_in().await;
        cloud
    }

    pub(crate) fn fault(&self, written: &str) {
        self.world.vendor("everyware").unwrap().context.faults.set(written);
    }

    pub(crate) fn heal(&self) {
        self.world.vendor("everyware").unwrap().context.faults.clear_all();
    }

    pub(crate) async fn log_in(&mut self) -> Value {
        let token = self.password(USERNAME, PASSWORD).await.ok();
        self.token = token["tokenId"].as_str().map(str::to_owned);
        token
    }

    pub(crate) async fn password(&self, username: &str, password: &str) -> Reply {
        self.post("/authentication/user", json!({"username": username, "password": password})).await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url)).header("Accept", "application/json");
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        let request = self.request(Method::POST, path).header("Content-Type", "application/json");
        send(request.body(body.to_string())).await
    }

    /// Sends a POST without body.
    pub(crate) async fn tell(&self, path: &str) -> Reply {
        send(self.request(Method::POST, path)).await
    }

    /// Makes a VPN call: `""`, `"/_connect"` or `"/_disconnect"`.
    pub(crate) async fn vpn(&self, device: &str, call: &str) -> Reply {
        let path = format!("/_/devices/{device}/vpn{call}");
        if call.is_empty() { self.get(&path).await } else { self.tell(&path).await }
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let status = response.status();
    let kind = response.headers().get("content-type").map_or("", |value| value.to_str().unwrap()).to_owned();
    Reply { status, kind, text: response.text().await.unwrap() }
}

pub(crate) fn example(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/everyware/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Compares keys and types; `optional` are keys that may be missing on either side, or null.
#[track_caller]
pub(crate) fn assert_shape(ours: &Value, vendors: &Value, optional: &[&str]) {
    if let Err(difference) = same_shape(ours, vendors, optional, "$") {
        panic!("{difference}\nours: {ours:#}\nvendor's: {vendors:#}");
    }
}

fn same_shape(ours: &Value, vendors: &Value, optional: &[&str], at: &str) -> Result<(), String> {
    match (ours, vendors) {
        (Value::Object(ours), Value::Object(vendors)) => {
            for key in ours.keys().chain(vendors.keys()) {
                match (ours.get(key), vendors.get(key)) {
                    (Some(ours), Some(vendors)) => {
                        let is_null = ours.is_null() || vendors.is_null();
                        if !(is_null && optional.contains(&key.as_str())) {
                            same_shape(ours, vendors, optional, &format!("{at}.{key}"))?;
                        }
                    }
                    _ if optional.contains(&key.as_str()) => {}
                    (ours, _) => {
                        let side = if ours.is_some() { "is ours alone" } else { "is missing" };
                        return Err(format!("{at}.{key} {side}"));
                    }
                }
            }
            Ok(())
        }
        (Value::Array(ours), Value::Array(vendors)) => {
            if ours.is_empty() != vendors.is_empty() {
                return Err(format!("{at} is empty on one side only"));
            }
            // Each of ours is like one of the vendor's.
            ours.iter().enumerate().try_for_each(|(index, item)| {
                let at = format!("{at}[{index}]");
                let mut first = None;
                for vendors in vendors {
                    match same_shape(item, vendors, optional, &at) {
                        Ok(()) => return Ok(()),
                        Err(difference) => first = first.or(Some(difference)),
                    }
                }
                first.map_or(Ok(()), Err)
            })
        }
        (ours, vendors) if std::mem::discriminant(ours) == std::mem::discriminant(vendors) => Ok(()),
        _ => Err(format!("{at} differs in type")),
    }
}
