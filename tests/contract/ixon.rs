//! The IXON VPN client on this computer: links, headers, versions.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use vpnctl::error::{Code, Error, Exit, Layer};
use vpnctl::model::{State, Target, TargetKind, Word};
use vpnctl::simulate::server::Entry;
use vpnctl::simulate::world::Options;

use super::bench::{Bench, FAST, connect, failed, find, word};
use super::facts::IXON;
use super::ixon_cloud::attempt_failed;

/// The user whom the simulated cloud knows.
pub(crate) const EMAIL: &str = "demo@example.org";
/// The user's password; its traps are for careless encoders of base64.
pub(crate) const PASSWORD: &str = "demo:pässword>>?~";
/// The token of the written configuration.
pub(crate) const TOKEN: &str = "vpnctlSimulatedToken000000000001";

/// Takes the last connect request out of the log.
fn last_connect(bench: &Bench) -> Entry {
    let entries = bench.running().context.log.entries();
    entries.into_iter().rfind(|entry| entry.path == "/connect").unwrap()
}

#[tokio::test]
async fn a_status_costs_two_requests_at_first_and_then_one() {
    let bench = Bench::new("ixon").await;
    let status = bench.open().status(None).await.unwrap();
    assert_eq!((status.word(), status.target, status.engaged), (Word::Disconnected, None, false));
    assert_eq!(bench.running().context.log.connections(), 1);
    assert_eq!(bench.asked(), ["GET /", "GET /status"]);
    bench.open().status(None).await.unwrap();
    assert_eq!(bench.asked(), ["GET /status"]);
}

#[tokio::test]
async fn connect_and_disconnect_cost_a_status_and_a_write() {
    let bench = Bench::new("ixon").await;
    let backend = bench.logged_in(&IXON).await;
    connect(&*backend, &IXON.down()).await.unwrap();
    assert_eq!(bench.asked(), ["GET /api/sectors/me", "POST /connect"], "the sector is asked for once");
    let backend = bench.open();
    backend.status(None).await.unwrap();
    connect(&*backend, &IXON.down()).await.unwrap();
    assert_eq!(bench.asked(), ["GET /status", "POST /connect"]);
    let backend = bench.open();
    backend.status(None).await.unwrap();
    backend.disconnect(&IXON.down()).await.unwrap();
    assert_eq!(bench.asked(), ["GET /status", "POST /disconnect"]);
}

#[tokio::test]
async fn a_connect_carries_the_documented_headers() {
    let bench = Bench::faulty("ixon", &["strict-sector"]).await;
    connect(&*bench.open(), &IXON.down()).await.unwrap();
    let entry = last_connect(&bench);
    assert_eq!(entry.status, 200);
    let header = |name: &str| entry.headers.get(name).map(String::as_str);
    assert_eq!(header("api-access-token"), Some(TOKEN), "bare, without Bearer");
    assert_eq!(header("api-version"), Some("2"));
    assert_eq!(header("api-sector"), Some("SSSSSSSSSSSS"));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("origin"), None);
    let controller = header("vpn-client-controller-identifier").unwrap();
    assert!(uuid::Uuid::parse_str(controller).is_ok(), "{controller}");
    for old in ["ixplatform-access-token", "ixclient-controller-identifier", "ixapi-version", "authorization"] {
        assert_eq!(header(old), None);
    }
    let body: Value = serde_json::from_str(&entry.body).unwrap();
    assert_eq!(body, json!({"agentId": "AAAAAAAAAAAG", "companyId": "1111-2222-3333-4444-5555"}));
}

#[tokio::test]
async fn legacy_headers_come_beside_the_new_ones() {
    let mut bench = Bench::new("ixon").await;
    bench.set("legacy_headers", vpnctl::config::Value::Bool(true));
    connect(&*bench.open(), &IXON.down()).await.unwrap();
    let headers = last_connect(&bench).headers;
    assert_eq!(headers["ixplatform-access-token"], TOKEN);
    assert_eq!(headers["api-access-token"], TOKEN);
    assert_eq!(headers["ixclient-controller-identifier"], headers["vpn-client-controller-identifier"]);
}

#[tokio::test]
async fn the_token_goes_to_the_connect_alone() {
    let bench = Bench::new("ixon").await;
    let backend = bench.open();
    backend.status(None).await.unwrap();
    connect(&*backend, &IXON.down()).await.unwrap();
    backend.disconnect(&IXON.down()).await.unwrap();
    for entry in bench.running().context.log.entries() {
        let carries = format!("{:?}{}{}", entry.headers, entry.path, entry.body).contains(TOKEN);
        assert_eq!(carries, entry.path == "/connect", "{} {}", entry.method, entry.path);
        if entry.path == "/disconnect" {
            assert_eq!((entry.body.as_str(), entry.headers["content-length"].as_str()), ("", "0"));
            assert!(!entry.headers.contains_key("vpn-client-controller-identifier"));
        }
        if entry.path == "/" {
            assert_eq!(entry.headers["accept"], "application/json");
        }
    }
}

#[tokio::test]
async fn the_controller_is_the_same_in_every_process() {
    let bench = Bench::new("ixon").await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        connect(&*bench.open(), &IXON.down()).await.unwrap();
        seen.push(last_connect(&bench).headers["vpn-client-controller-identifier"].clone());
    }
    bench.open().session().unwrap().logout().await.unwrap();
    connect(&*bench.open(), &IXON.down()).await.unwrap();
    seen.push(last_connect(&bench).headers["vpn-client-controller-identifier"].clone());
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[tokio::test]
async fn links_that_leave_the_client_are_refused() {
    // A stranger who would take the token, and the same port under another name.
    let stranger = Bench::new("ixon").await;
    let port = stranger.url("client").rsplit(':').next().unwrap().to_owned();
    for host in [format!("localhost:{port}"), "vpn.example.net:9250".to_owned(), "localhost:1@evil.example".to_owned()]
    {
        let bench = Bench::faulty("ixon", &[&format!("foreign-hrefs={host}")]).await;
        let backend = bench.open();
        for error in [
            connect(&*backend, &IXON.down()).await.unwrap_err(),
            backend.disconnect(&IXON.down()).await.unwrap_err(),
            backend.status(None).await.unwrap_err(),
        ] {
            assert_eq!((error.code(), error.exit()), (Code::VendorProtocol, Exit::Vendor), "{error}");
        }
        assert!(bench.asked().iter().all(|asked| asked == "GET /" || asked == "GET /api/sectors/me"));
        assert_eq!(stranger.running().context.log.connections(), 0, "{host}");
    }
}

#[tokio::test]
async fn links_of_this_computer_by_its_other_name_are_fine() {
    let bench = Bench::new("ixon").await;
    let port = bench.url("client").rsplit(':').next().unwrap();
    bench.fault(&format!("foreign-hrefs=127.0.0.1:{port}"));
    assert_eq!(word(bench.open().status(None).await), Word::Disconnected);
    let hosts: Vec<String> =
        bench.running().context.log.entries().iter().map(|entry| entry.headers["host"].clone()).collect();
    assert_eq!(hosts, [format!("localhost:{port}"), format!("localhost:{port}")], "the configured name stays");
}

#[tokio::test]
async fn a_remembered_link_that_is_gone_is_looked_up_once() {
    let bench = Bench::new("ixon").await;
    bench.open().status(None).await.unwrap();
    let state = std::fs::read_to_string(bench.state_file()).unwrap();
    std::fs::write(bench.state_file(), state.replace("\"/status\"", "\"/old/status\"")).unwrap();
    bench.asked();
    bench.open().status(None).await.unwrap();
    assert_eq!(bench.asked(), ["GET /old/status", "GET /", "GET /status"]);
    bench.open().status(None).await.unwrap();
    assert_eq!(bench.asked(), ["GET /status"]);
    bench.fault("http-status=404@/status");
    let error = failed(bench.open().status(None).await, Code::VendorProtocol);
    assert_eq!(error.report().http_status, Some(404));
    assert_eq!(bench.asked(), ["GET /status", "GET /"]);
}

#[tokio::test]
async fn what_knows_no_path_is_not_the_client_whichever_path_is_asked_first() {
    let bench = Bench::new("ixon").await;
    bench.fault("http-status=404");
    let error = failed(bench.open().status(None).await, Code::VendorProtocol);
    assert_eq!(bench.asked(), ["GET /"]);
    assert!(error.hint_text().unwrap().contains("check that `url` is the IXON VPN Client"), "{error:?}");
}

#[tokio::test]
async fn a_client_that_is_not_there_is_named() {
    let mut bench = Bench::new("ixon").await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    bench.text("url", &format!("https://127.0.0.1:{closed}"));
    let backend = bench.open_with(|opening| {
        opening.deadline = vpnctl::http::Deadline::after(Some(std::time::Duration::from_secs(5)));
    });
    let error = failed(backend.status(None).await, Code::NetRefused);
    assert!(error.hint_text().unwrap().contains("install the IXON VPN Client"));
}

#[tokio::test]
async fn a_status_is_read_in_every_form() {
    for fault in
        ["null-request", "missing-request", "escaped-slashes", "unpadded-codes", "numeric-codes", "stringified-request"]
    {
        let bench = Bench::faulty("ixon", &[fault]).await;
        assert_eq!(word(bench.open().status(None).await), Word::Disconnected, "{fault}");
        connect(&*bench.open(), &IXON.down()).await.unwrap();
        let status = bench.open().status(None).await.unwrap();
        assert!(status.word() == Word::Connecting && status.is_of(&IXON.down()), "{fault}: {status:?}");
    }
    let bench = Bench::faulty("ixon", &["unknown-status=resting"]).await;
    let status = bench.open().status(None).await.unwrap();
    assert_eq!((status.state, status.raw_state.as_deref()), (State::Unknown, Some("resting")));
}

#[tokio::test]
async fn a_failed_step_is_told_with_its_code() {
    let bench = with_pace(&["step-fails=openvpn.connection:312:No route"]).await;
    connect(&*bench.open(), &IXON.down()).await.unwrap();
    let backend = bench.open();
    let mut status = backend.status(None).await.unwrap();
    for _ in 0..200 {
        if status.word() == Word::Failed {
            break;
        }
        status = backend.status(None).await.unwrap();
    }
    assert_eq!(status.word(), Word::Failed);
    let error = vpnctl::backend::failed_attempt(backend.info(), &IXON.down(), &status);
    assert_eq!((error.code(), error.vendor_code_text()), (Code::TunnelStepFailed, Some("312")));
    assert!(error.message().contains("openvpn.connection") && error.message().contains("No route"), "{error}");
}

async fn with_pace(faults: &[&str]) -> Bench {
    let faults = faults.iter().map(|&fault| fault.to_owned()).collect();
    Bench::with("ixon", Options { pace: FAST, faults, ..Options::default() }).await
}

#[tokio::test]
async fn a_refused_connect_shows_what_the_client_said() {
    for form in ["text", "message", "data", "error", "html"] {
        let bench = Bench::faulty("ixon", &["connect-refused=418:Out of coffee", &format!("error-form={form}")]).await;
        let error = failed(connect(&*bench.open(), &IXON.down()).await, Code::VendorError);
        assert!(error.message().contains("Out of coffee") && error.message().contains("418"), "{form}: {error}");
        assert!(!error.outcome_is_unknown());
        assert_eq!(bench.count("POST /connect"), 1);
    }
    for (status, code) in [("401", Code::AuthRejected), ("500", Code::HttpServerError)] {
        let bench = Bench::faulty("ixon", &[&format!("connect-refused={status}")]).await;
        let error = failed(connect(&*bench.open(), &IXON.down()).await, code);
        assert_eq!(error.outcome_is_unknown(), status == "500");
        assert_eq!(bench.count("POST /connect"), 1);
    }
}

#[tokio::test]
async fn an_agent_by_its_id_alone_needs_a_company() {
    let mut bench = Bench::new("ixon").await;
    bench.unset("company_id");
    let by_id = Target::by_id(TargetKind::Agent, "BBBBBBBBBBBB");
    let error = failed(connect(&*bench.open(), &by_id).await, Code::ConfigInvalid);
    assert!(error.message().contains("company_id") && error.hint_text().is_some(), "{error}");
    assert_eq!(bench.count("POST"), 0);
    // Once a name was found its company is known.
    let target = find(&*bench.open(), "Mixer").await.remove(0);
    connect(&*bench.open(), &target).await.unwrap();
    assert!(last_connect(&bench).body.contains("5555-4444-3333-2222-1111"));
}

/// Keeps what a subscriber writes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs something and gives the warnings with its result.
pub(crate) async fn heard<T>(work: impl Future<Output = T>) -> (T, String) {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let result = work.await;
    drop(guard);
    let bytes = lines.0.lock().unwrap().clone();
    (result, String::from_utf8(bytes).unwrap())
}

/// Runs a status and a connect and gives the warnings.
async fn warnings(fault: &str) -> String {
    let bench = Bench::faulty("ixon", &[fault]).await;
    let work = async {
        let backend = bench.open();
        backend.status(None).await.unwrap();
        connect(&*backend, &IXON.down()).await.unwrap();
        backend.status(None).await.unwrap();
    };
    heard(work).await.1
}

#[tokio::test]
async fn an_old_client_is_warned_about_once() {
    let old = warnings("version=1.4.6").await;
    assert_eq!(old.matches("CVE-2026-75925").count(), 1, "{old}");
    assert!(old.contains("1.4.6") && !old.contains("CVE-2025-26168"), "{old}");
    let older = warnings("version=1.4.2").await;
    assert_eq!(older.matches("CVE-2025-26168").count(), 1, "{older}");
    for fine in ["version=1.4.7", "version=1.10.0", "version=missing", "version=garbage"] {
        assert_eq!(warnings(fine).await, "", "{fine}");
    }
}

#[tokio::test]
async fn insecure_is_for_this_computer_only() {
    let mut bench = Bench::new("ixon").await;
    bench.unset("tls.ca_file");
    bench.set("tls.insecure", vpnctl::config::Value::Bool(true));
    assert_eq!(word(bench.open().status(None).await), Word::Disconnected);
    for url in ["https://192.0.2.1:9250", "https://localhost.example.org:9250", "https://vpn.example.net"] {
        bench.text("url", url);
        let error = bench.try_open(|_| {}).map(|_| ()).unwrap_err();
        assert_eq!((error.code(), error.exit()), (Code::ConfigInvalid, Exit::Config));
        assert!(error.message().contains("tls.insecure"), "{error}");
    }
}

#[tokio::test]
async fn a_secret_that_a_server_echoes_is_not_shown() {
    for form in ["text", "message", "data", "error", "html"] {
        let refusal = format!("connect-refused=400:bad token {TOKEN}");
        let bench = Bench::faulty("ixon", &[&refusal, &format!("error-form={form}")]).await;
        let error = failed(connect(&*bench.open(), &IXON.down()).await, Code::VendorError);
        assert!(!error.message().contains(TOKEN), "{form}: {error}");
        assert!(form == "html" || error.message().contains("bad token ***"), "{form}: {error}");
    }
    // Neither the token that is configured nor one that only the client knows.
    let bench = Bench::new("ixon").await;
    bench.open().status(None).await.unwrap();
    let document = json!({"status": "connecting", "activeRequest": {
        "agentId": "AAAAAAAAAAAA", "accessToken": "another-token",
        "steps": [{"name": "x", "status": {"code": "101", "message": format!("no {TOKEN}, no another-token")}}],
    }});
    for form in
        [document.clone(), json!({"status": "connecting", "activeRequest": document["activeRequest"].to_string()})]
    {
        bench.fault(&format!("body={form}"));
        let status = bench.open().status(None).await.unwrap();
        let error = status.last_error.as_ref().unwrap();
        assert_eq!(error.message, "step x: no ***, no *** (code 101)");
        let shown = status.native.unwrap().to_string();
        assert!(!shown.contains(TOKEN) && !shown.contains("another-token"), "{shown}");
        assert!(shown.contains("AAAAAAAAAAAA"), "{shown}");
        bench.heal();
    }
}

#[tokio::test]
async fn a_token_that_the_cloud_refuses_is_why_an_attempt_failed() {
    let bench = Bench::faulty("ixon", &["token-expired"]).await;
    let error = failed(
        Err::<(), _>(bench.open().explain(&IXON.by_id("AAAAAAAAAAAC"), attempt_failed()).await),
        Code::AuthExpired,
    );
    assert!(error.message().starts_with("`x` did not connect: a step failed: "), "{error}");
    assert!(error.hint_text().unwrap().contains("make a new token"), "{:?}", error.hint_text());
    // What is pending at the deadline is pending, whatever the token is.
    let late = Error::new(Code::TimeoutDeadline, Layer::Tunnel, "late");
    assert_eq!(bench.open().explain(&IXON.by_id("AAAAAAAAAAAC"), late).await.code(), Code::TimeoutDeadline);
}
