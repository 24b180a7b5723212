//! A world, a client that trusts it, and the comparison of shapes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use vpnctl::simulate::faults::Faults;
use vpnctl::simulate::world::{Options, World};

/// The token that a written configuration would hold.
pub(crate) const TOKEN: &str = "vpnctlSimulatedToken000000000001";
pub(crate) const CONTROLLER: &str = "0b6cbb0e-6c0e-4e1c-8f0a-2b4f3e7a9d10";
pub(crate) const COMPANY: &str = "1111-2222-3333-4444-5555";

/// Reads an answer as JSON, which reqwest does only with a feature that nothing else needs.
pub(crate) trait Json {
    async fn json<T: DeserializeOwned>(self) -> serde_json::Result<T>;
}

impl Json for Response {
    async fn json<T: DeserializeOwned>(self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.bytes().await.unwrap())
    }
}

pub(crate) struct Bench {
    world: World,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) client: Client,
    pub(crate) local: String,
    pub(crate) cloud: String,
}

impl Bench {
    pub(crate) async fn start(faults: &[&str]) -> Self {
        Self::with(faults, 20, None).await
    }

    pub(crate) async fn with(faults: &[&str], pace: u64, devices: Option<usize>) -> Self {
        let options = Options {
            vendors: vec!["ixon".to_owned()],
            faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
            pace: Duration::from_millis(pace),
            devices,
            ..Options::default()
        };
        let world = World::start(&options).await.unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(world.ca_pem().as_bytes()).unwrap()).unwrap();
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder().tls_backend_preconfigured(tls.clone()).no_proxy().build().unwrap();
        let url = |index: usize| world.vendor("ixon").unwrap().urls[index].1.clone();
        Self { local: url(0), cloud: url(1), tls: Arc::new(tls), client, world }
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.world.vendor("ixon").unwrap().context.faults
    }

    pub(crate) async fn status(&self) -> Value {
        self.client.get(format!("{}/status", self.local)).send().await.unwrap().json().await.unwrap()
    }

    /// Looks at the status until its word is `word`; gives the document.
    pub(crate) async fn until(&self, word: &str) -> Value {
        self.until_it(&format!("is {word}"), |status| status["status"] == word).await
    }

    /// Looks at the status until it is as wanted; fails after some seconds.
    pub(crate) async fn until_it(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1000 {
            let status = self.status().await;
            if wanted(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the status never {what}: {}", self.status().await);
    }

    /// Makes the connect request of the vendor's page.
    pub(crate) fn connect(&self) -> RequestBuilder {
        self.connect_to("AAAAAAAAAAAA", COMPANY)
    }

    pub(crate) fn connect_to(&self, agent: &str, company: &str) -> RequestBuilder {
        self.client
            .post(format!("{}/connect", self.local))
            .header("Api-Version", "2")
            .header("Api-Access-Token", TOKEN)
            .header("VPN-Client-Controller-Identifier", CONTROLLER)
            .header("Content-Type", "application/json")
            .body(json!({ "agentId": agent, "companyId": company }).to_string())
    }

    pub(crate) async fn connected(&self) -> Value {
        assert_eq!(self.connect().send().await.unwrap().status(), StatusCode::OK);
        self.until("connected").await
    }

    pub(crate) async fn disconnect(&self) {
        let answer = self.client.post(format!("{}/disconnect", self.local)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }

    /// Makes a call of the cloud with all headers that a company's calls need.
    pub(crate) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.cloud))
            .header("Api-Version", "2")
            .header("Api-Application", "VpnctlDemo01")
            .header("Api-Company", COMPANY)
            .header("Authorization", format!("Bearer {TOKEN}"))
    }

    /// Gets a document of the cloud that must be a success.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.call(Method::GET, path).send().await.unwrap();
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Sends a call that must fail; gives status and envelope.
    pub(crate) async fn fail(&self, request: RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        assert!(status >= 400, "{status}");
        (status, answer.json().await.unwrap())
    }
}

/// Reads an example of the vendor's.
pub(crate) fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ixon").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Gives the types that stand at each path of a document; the items of a list share one path.
pub(crate) fn shape(document: &Value) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut shape = BTreeMap::new();
    collect(document, String::new(), &mut shape);
    shape
}

fn collect(value: &Value, path: String, shape: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(items) => {
            items.iter().for_each(|item| collect(item, format!("{path}[]"), shape));
            "array"
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| collect(member, format!("{path}.{name}"), shape));
            "object"
        }
    };
    shape.entry(path).or_default().insert(kind);
}

#[test]
fn shapes_differ_where_documents_do() {
    let one = shape(&json!({ "a": [{ "b": 1 }] }));
    for other in [json!({ "a": [{ "b": "1" }] }), json!({ "a": [{ "c": 1 }] }), json!({ "a": [{ "b": 1, "c": 1 }] })] {
        assert_ne!(one, shape(&other), "{other}");
    }
    assert_eq!(one, shape(&json!({ "a": [{ "b": 7 }, { "b": 8 }] })));
}
