//! Opens the vendors' real backends against a server that gives a case's replies.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use vpnctl::backend::{Asked, How, Opening, Person, VpnBackend, registry};
use vpnctl::config::{Sources, load};
use vpnctl::error::{Error, Result};
use vpnctl::http::Deadline;
use vpnctl::model::{Target, TargetKind};
use vpnctl::state::Folder;

use super::folder::Case;
use super::server::{Answer, Rule, Server};

/// The company of the IXON cases.
const COMPANY: &str = "1111-2222-3333-4444-5555";

/// An open backend and the server that it talks to.
pub(crate) struct Opened {
    pub(crate) backend: Box<dyn VpnBackend>,
    pub(crate) server: Server,
    /// Where it keeps what it remembers: a box is asked for a pairing only where that can be kept.
    _state: tempfile::TempDir,
}

/// A failure: `case.toml` and the reply.
pub(crate) struct Failing {
    /// What is done: `status`, `list`, `connect`, `disconnect`, `login`.
    pub(crate) operation: String,
    /// The requests that get the reply, as their lines begin.
    at: String,
    answer: Answer,
}

impl Failing {
    /// Reads it.
    pub(crate) fn read(case: &Case) -> Self {
        let settings: toml::Table = case.read("case.toml").parse().unwrap();
        let text = |key: &str| settings.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        for key in settings.keys() {
            assert!(["operation", "at", "status", "headers"].contains(&&**key), "{}: unknown key `{key}`", case.name);
        }
        let replies: Vec<(String, &str)> =
            [("reply.json", "application/json"), ("reply.txt", "text/plain"), ("reply.html", "text/html")]
                .into_iter()
                .filter_map(|(file, kind)| Some((case.maybe(file)?, kind)))
                .collect();
        let (body, kind) = match replies.as_slice() {
            [] => (String::new(), "text/plain"),
            [(body, kind)] => (body.clone(), *kind),
            _ => panic!("{}: more than one reply", case.name),
        };
        let further = text("headers").map(|lines| format!("{}\r\n", lines.trim())).unwrap_or_default();
        Self {
            operation: text("operation").unwrap(),
            at: text("at").unwrap(),
            answer: Answer {
                status: settings["status"].as_integer().and_then(|status| status.try_into().ok()).unwrap(),
                headers: format!("Content-Type: {kind}\r\n{further}"),
                body,
            },
        }
    }
}

/// Opens a backend; what the case does not answer goes well.
pub(crate) async fn open(vendor: &'static str, case: &Case, failing: &[Failing]) -> Opened {
    let mut rules: Vec<Rule> =
        failing.iter().map(|failing| Rule::always(&failing.at, failing.answer.clone()).counted()).collect();
    rules.extend(replies(vendor, case));
    rules.extend(usual(vendor));
    let server = Server::start(rules).await;
    let login = failing.iter().any(|failing| failing.operation == "login");
    let environment = environment(vendor, &server.url, login, case.maybe("companies.json").is_some());
    let config = load(&Sources { variables: environment, ..Sources::default() }, &registry::keys()).unwrap();
    let state = tempfile::tempdir().unwrap();
    let opening = Opening {
        // Long enough for the repeats of a read; shorter than any `Retry-After` of a case.
        deadline: Deadline::after(Some(Duration::from_secs(20))),
        native: true,
        ..Opening::new(config.backends[vendor].clone(), Folder::new(Some(state.path().to_owned())).backend(vendor))
    };
    let backend = (registry::find(vendor).unwrap().open)(opening).unwrap();
    Opened { backend, server, _state: state }
}

/// Configures the vendor's built-in backend by its variables.
fn environment(vendor: &str, url: &str, login: bool, all_companies: bool) -> BTreeMap<String, String> {
    let cloud = format!("{url}/api");
    let mut settings = vec![("URL", url)];
    match vendor {
        "freebox" => {
            settings.push(("API_VERSION", "4"));
            // A login with a token opens a session; one without pairs.
            if !login {
                settings.push(("APP_TOKEN", "app_token_xyz"));
            }
        }
        "ixon" => {
            settings.extend([
                ("CLOUD_URL", &*cloud),
                ("APPLICATION_ID", "aaaaaaaaaaaa"),
                ("SECTOR_ID", "SSSSSSSSSSSS"),
            ]);
            if !all_companies {
                settings.push(("COMPANY_ID", COMPANY));
            }
            if login {
                settings.extend([("EMAIL", "me@example.org"), ("PASSWORD", "secret")]);
            } else {
                settings.push(("TOKEN", "s0s0s0s0s0s0s0s0s0s0s0s0s0s0s0s0"));
            }
        }
        _ => settings.extend([("USERNAME", "ci"), ("PASSWORD", "secret")]),
    }
    let prefix = vendor.to_uppercase();
    settings.into_iter().map(|(key, value)| (format!("VPNCTL_BACKEND_{prefix}_{key}"), value.to_owned())).collect()
}

/// Says where a case's replies belong.
fn replies(vendor: &str, case: &Case) -> Vec<Rule> {
    let places: &[(&str, &[&str])] = match vendor {
        "freebox" => &[
            ("GET /api/v4/vpn_client/config/ ", &["configs.json"]),
            ("GET /api/v4/vpn_client/status ", &["status.json", "reply.json"]),
        ],
        "ixon" => &[
            ("GET /status ", &["status.json", "reply.json"]),
            ("GET /api/companies?", &["companies.json"]),
            ("GET /api/agents?", &["agents.json", "agents-2.json"]),
        ],
        _ => &[
            ("GET /v1/_/devices/WyczTs_GuDM/vpn ", &["reply.json"]),
            ("GET /v1/_/devices?", &["devices.json", "devices-2.json"]),
            ("GET /v1/_/vpnConnections?", &["connections.json", "connections-2.json"]),
        ],
    };
    let rule = |(at, files): &(&str, &[&str])| {
        let answers: Vec<Answer> = files.iter().filter_map(|file| case.maybe(file)).map(Answer::ok).collect();
        (!answers.is_empty()).then(|| Rule::in_turn(*at, answers))
    };
    places.iter().filter_map(rule).collect()
}

/// Answers what a vendor answers when all is well.
fn usual(vendor: &str) -> Vec<Rule> {
    let rule = |at: &str, body: serde_json::Value| Rule::always(at, Answer::ok(body.to_string()));
    match vendor {
        "freebox" => vec![
            rule("GET /api/v4/login/ ", json!({"success": true, "result": {"logged_in": false, "challenge": "c"}})),
            rule(
                "POST /api/v4/login/session/ ",
                json!({"success": true, "result": {"session_token": "s", "challenge": "d",
                    "permissions": {"settings": true}}}),
            ),
            rule("GET /api/v4/vpn_client/status ", json!({"success": true, "result": {"enabled": false}})),
        ],
        "ixon" => vec![
            rule(
                "GET / ",
                json!({"links": [
                    {"href": "{url}/connect", "rel": "Connect"},
                    {"href": "{url}/disconnect", "rel": "Disconnect"},
                    {"href": "{url}/status", "rel": "Status"},
                ]}),
            ),
            rule("GET /status ", json!({"status": "idle", "activeRequest": ""})),
        ],
        _ => vec![
            rule("POST /v1/authentication/user ", json!({"type": "accessToken", "tokenId": "t"})),
            rule("GET /v1/_/vpnConnections?", json!({"type": "vpnConnectionListResult", "items": []})),
        ],
    }
}

/// Somebody who knows a password and nothing else.
struct Somebody;

#[async_trait::async_trait]
impl Person for Somebody {
    fn tell(&self, _text: &str) {}

    fn show_wait(&self, _text: &str) -> Box<dyn Send> {
        Box::new(())
    }

    async fn ask(&self, what: Asked, _prompt: &str) -> Result<SecretString> {
        match what {
            Asked::Password => Ok(SecretString::from("secret")),
            _ => Err(Error::usage("nobody can be asked")),
        }
    }

    fn brings(&self, _what: Asked) -> bool {
        false
    }
}

/// Does what a failure's case says.
pub(crate) async fn operate(backend: &dyn VpnBackend, operation: &str) -> Result<()> {
    let target = match backend.info().kind {
        TargetKind::Tunnel => Target::by_id(TargetKind::Tunnel, "vpn1"),
        TargetKind::Agent => Target::by_id(TargetKind::Agent, "AAAAAAAAAAAA"),
        TargetKind::Device => Target::by_id(TargetKind::Device, super::DEVICE),
    };
    match operation {
        "status" => {
            let target = (!backend.info().one_vpn).then_some(&target);
            backend.status(target).await.map(|_| ())
        }
        "connect" => backend.connect(&target, How::default()).await.map(|_| ()),
        "wake" => backend.connect(&target, How { wake: true }).await.map(|_| ()),
        "disconnect" => backend.disconnect(&target).await.map(|_| ()),
        "list" => backend.targets().unwrap().list(&mut |_| ()).await,
        "login" => backend.session().unwrap().login(&Somebody).await.map(|_| ()),
        other => panic!("no operation `{other}`"),
    }
}
