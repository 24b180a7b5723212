//! A simulated box, one client of it, and the comparison with the vendor's bodies.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ring::hmac;
use serde_json::{Value, json};
use vpnctl::simulate::freebox::{APP_ID, APP_TOKEN};
use vpnctl::simulate::world::{Options, Running, World};

/// A pace that no test outlives: what is on its way stays on its way.
pub(crate) const SLOW: Duration = Duration::from_secs(3600);
/// A pace that no test notices.
pub(crate) const FAST: Duration = Duration::from_millis(1);

/// A simulated box and one client of it.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) client: reqwest::Client,
    pub(crate) session: Option<String>,
}

/// What came over the wire.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn code(&self) -> (u16, String) {
        (self.status, self.json()["error_code"].as_str().unwrap_or("none").to_owned())
    }
}

impl Bench {
    pub(crate) async fn new(pace: Duration, faults: &[&str]) -> Self {
        // Fails where another test of this process was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = Options {
            vendors: vec!["freebox".to_owned()],
            faults: faults.iter().map(|&fault| fault.to_owned()).collect(),
            pace,
            ..Options::default()
        };
        let world = World::start(&options).await.unwrap();
        let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
        Self { world, client, session: None }
    }

    pub(crate) async fn logged_in(pace: Duration, faults: &[&str]) -> Self {
        let mut bench = Self::new(pace, faults).await;
        let reply = bench.log_in(APP_ID, APP_TOKEN).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        bench
    }

    pub(crate) fn running(&self) -> &Running {
        self.world.vendor("freebox").unwrap()
    }

    pub(crate) fn fault(&self, written: &str) {
        self.running().context.faults.set(written);
    }

    pub(crate) fn clear(&self, name: &str) {
        self.running().context.faults.clear(name);
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: impl Into<String>) -> Reply {
        let url = format!("{}{path}", self.running().urls[0].1);
        let mut request = self.client.request(method.parse().unwrap(), url).body(body.into());
        if let Some(session) = &self.session {
            request = request.header("X-Fbx-App-Auth", session);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let headers =
            response.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        Reply { status, headers: headers.collect(), text: response.text().await.unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", &format!("/api/v16/{path}"), "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", &format!("/api/v16/{path}"), body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send("PUT", &format!("/api/v16/{path}"), body.to_string()).await
    }

    pub(crate) async fn activate(&self, id: &str, active: bool) -> Reply {
        self.put(&format!("vpn_client/config/{id}"), &json!({"active": active})).await
    }

    pub(crate) async fn status(&self) -> Value {
        self.get("vpn_client/status").await.json()["result"].clone()
    }

    pub(crate) async fn log_in(&mut self, app_id: &str, app_token: &str) -> Reply {
        let challenge = self.get("login/").await.json()["result"]["challenge"].as_str().unwrap().to_owned();
        self.sign_in(app_id, app_token, &challenge).await
    }

    pub(crate) async fn sign_in(&mut self, app_id: &str, app_token: &str, challenge: &str) -> Reply {
        let body = json!({"app_id": app_id, "password": signed(app_token, challenge)});
        let reply = self.post("login/session/", &body).await;
        self.session = reply.json().pointer("/result/session_token").and_then(Value::as_str).map(str::to_owned);
        reply
    }

    pub(crate) async fn ask_for_token(&self) -> Reply {
        self.post("login/authorize/", &fixture("field-authorize.request")).await
    }

    /// Polls the status until it fits, for two seconds at most.
    pub(crate) async fn until(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(2);
        loop {
            let status = self.status().await;
            if fits(&status) {
                return status;
            }
            assert!(Instant::now() < end, "{what}: {status}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

pub(crate) fn signed(app_token: &str, challenge: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, app_token.as_bytes());
    hmac::sign(&key, challenge.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/freebox/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))).unwrap()
}

/// Reduces a document to its keys and types; of an array the distinct shapes are kept.
pub(crate) fn shape(value: &Value) -> Value {
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("bool"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("string"),
        Value::Array(items) => {
            let mut shapes = Vec::new();
            for item in items.iter().map(shape) {
                if !shapes.contains(&item) {
                    shapes.push(item);
                }
            }
            Value::Array(shapes)
        }
        Value::Object(object) => {
            let sorted: BTreeMap<_, _> = object.iter().map(|(name, value)| (name.clone(), shape(value))).collect();
            json!(sorted)
        }
    }
}

#[track_caller]
pub(crate) fn same_shape(reply: &Value, name: &str) {
    let (seen, wanted) = (shape(reply), shape(&fixture(name)));
    assert_eq!(seen, wanted, "{name}: {reply}");
}
