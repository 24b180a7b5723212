//! What is the Freebox's alone: paths, envelopes, tunnels that change behind a name.

use serde_json::{Value, json};
use vpnctl::error::{Code, Exit};
use vpnctl::model::{Target, Word};

use super::bench::{Bench, connect, failed, find, found, listed, word};
use super::facts::FREEBOX;

const STATUS: &str = "GET /api/v16/vpn_client/status";

/// Sends a request as the box's owner would by another program, with the session that vpnctl used last.
pub(crate) async fn by_hand(bench: &Bench, method: &str, path: &str, body: &Value) -> Value {
    let entries = bench.running().context.log.entries();
    let session = entries.iter().rev().find_map(|entry| entry.headers.get("x-fbx-app-auth")).unwrap().clone();
    // Fails where another test of this process was first, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
    let url = format!("{}/api/v16/{path}", bench.url("api"));
    let request = client.request(method.parse().unwrap(), url).header("X-Fbx-App-Auth", session);
    let answer = request.body(body.to_string()).send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&answer).unwrap()
}

async fn rename(bench: &Bench, id: &str, name: &str) {
    let answer = by_hand(bench, "PUT", &format!("vpn_client/config/{id}"), &json!({"description": name})).await;
    assert_eq!(answer["success"], true, "{answer}");
}

#[tokio::test]
async fn a_status_costs_four_requests_at_first_and_then_one() {
    let bench = Bench::new("freebox").await;
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    let first = ["GET /api_version", "GET /api/v16/login/", "POST /api/v16/login/session/", STATUS];
    assert_eq!(bench.asked(), first);
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    assert_eq!(bench.running().context.log.connections(), 1);
    assert_eq!(bench.asked(), [STATUS]);
}

#[tokio::test]
async fn connect_and_disconnect_cost_a_status_and_a_write() {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    let backend = bench.open();
    backend.status(None).await.unwrap();
    connect(&*backend, &FREEBOX.down()).await.unwrap();
    let body = bench.running().context.log.entries().last().unwrap().body.clone();
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!({"active": true}));
    assert_eq!(bench.asked(), [STATUS, FREEBOX.writes[0]]);
    let backend = bench.open();
    backend.status(None).await.unwrap();
    backend.disconnect(&FREEBOX.down()).await.unwrap();
    let body = bench.running().context.log.entries().last().unwrap().body.clone();
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!({"active": false}));
    assert_eq!(bench.asked(), [STATUS, FREEBOX.writes[0]]);
}

#[tokio::test]
async fn a_list_costs_two_requests() {
    let bench = Bench::new("freebox").await;
    let backend = bench.logged_in(&FREEBOX).await;
    assert_eq!(listed(&*backend).await.unwrap().len(), 3);
    assert_eq!(bench.asked(), ["GET /api/v16/vpn_client/config/", STATUS]);
}

#[tokio::test]
async fn an_empty_list_has_three_forms() {
    for form in ["empty-list=array", "empty-list=null", "empty-list=absent"] {
        let bench = Bench::faulty("freebox", &["no-tunnels", form]).await;
        let backend = bench.open();
        assert!(listed(&*backend).await.unwrap().is_empty(), "{form}");
        assert!(found(&*backend, "Downloads").await.is_empty(), "{form}");
        let status = backend.status(None).await.unwrap();
        assert_eq!((status.word(), status.target), (Word::Disconnected, None));
    }
}

#[tokio::test]
async fn an_error_with_http_200_is_one() {
    let codes = [
        ("noent", Code::TargetNotFound),
        ("inval", Code::Usage),
        ("exist", Code::ConflictExists),
        ("busy", Code::ConflictBusy),
        ("notsupp", Code::Unsupported),
        ("nomem", Code::VendorError),
        ("ioerror", Code::VendorError),
        ("nodev", Code::VendorError),
        ("internal_error", Code::VendorError),
        ("never_heard_of", Code::VendorError),
    ];
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    for (word, code) in codes {
        bench.fault(&format!("vpn-client={word}"));
        let error = failed(bench.open().status(None).await, code);
        assert_eq!((error.vendor_code_text(), error.report().http_status), (Some(word), Some(200)));
        assert!(!error.is_repeatable());
    }
    bench.fault("vpn-client=inval");
    bench.fault("no-error-code");
    let error = failed(bench.open().status(None).await, Code::VendorError);
    assert_eq!(error.vendor_code_text(), None);
}

#[tokio::test]
async fn a_service_that_is_down_is_asked_again() {
    for word in ["service_down", "netdown"] {
        let bench = Bench::new("freebox").await;
        let backend = bench.logged_in(&FREEBOX).await;
        bench.fault(&format!("vpn-client={word}*1"));
        assert_eq!(backend.status(None).await.unwrap().word(), Word::Connected, "{word}");
        assert_eq!(bench.asked(), [STATUS, STATUS]);
        bench.fault(&format!("vpn-client={word}"));
        let error = failed(connect(&*backend, &FREEBOX.down()).await, Code::HttpServerError);
        assert_eq!(error.exit(), Exit::Unreachable);
        assert_eq!(bench.requests(), 1);
    }
}

#[tokio::test]
async fn an_activation_that_is_refused_is_not_sent_again() {
    let bench = Bench::new("freebox").await;
    let backend = bench.logged_in(&FREEBOX).await;
    for (word, code) in [
        ("exist", Code::ConflictExists),
        ("inval", Code::Usage),
        ("odd", Code::VendorError),
        ("netdown", Code::HttpServerError),
    ] {
        bench.fault(&format!("activation={word}"));
        let error = failed(connect(&*backend, &FREEBOX.down()).await, code);
        assert!(!error.outcome_is_unknown());
        assert_eq!(bench.asked(), [FREEBOX.writes[0]]);
    }
}

/// A box whose VPN client answers with a status, and says in its document that all went well.
async fn contradictory(status: u16) -> Bench {
    let answer = move |request: axum::extract::Request| async move {
        let (path, good) = (request.uri().path().to_owned(), axum::http::StatusCode::OK);
        let (status, result) = match path.as_str() {
            "/api/v16/login/" => (good, json!({"challenge": "c"})),
            "/api/v16/login/session/" => (good, json!({"session_token": "s", "permissions": {"settings": true}})),
            _ => (
                axum::http::StatusCode::from_u16(status).unwrap(),
                json!({"id": "vpn0", "description": "a", "type": "pptp", "active": true, "state": "up"}),
            ),
        };
        (status, json!({"success": true, "result": result}).to_string())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    let mut bench = Bench::new("freebox").await;
    bench.text("url", &url);
    bench.set("api_version", vpnctl::config::Value::Integer(16));
    bench
}

#[tokio::test]
async fn a_status_that_says_no_wins_over_a_document_that_says_yes() {
    for (status, code) in [
        (500, Code::HttpServerError),
        (502, Code::HttpServerError),
        (408, Code::TimeoutRequest),
        (403, Code::VendorProtocol),
        (404, Code::VendorProtocol),
    ] {
        let bench = contradictory(status).await;
        let backend = bench.open();
        let error = failed(backend.status(None).await, code);
        assert!(!error.outcome_is_unknown() && error.report().http_status == Some(status), "{error}");
        let error = failed(connect(&*backend, &FREEBOX.down()).await, code);
        assert!(error.outcome_is_unknown(), "the box said both: {error}");
    }
}

#[tokio::test]
async fn a_box_that_is_busy_is_told_once() {
    let bench = Bench::new("freebox").await;
    let backend = bench.logged_in(&FREEBOX).await;
    bench.fault("activation=busy*1");
    let error = failed(connect(&*backend, &FREEBOX.down()).await, Code::ConflictBusy);
    assert!(!error.outcome_is_unknown() && error.is_temporary());
    assert_eq!(bench.asked(), [FREEBOX.writes[0]]);
    // A read is none of this: nothing waits for it.
    bench.fault("vpn-client=busy");
    failed(backend.status(None).await, Code::ConflictBusy);
    assert_eq!(bench.requests(), 1);
}

#[tokio::test]
async fn after_a_switch_it_is_read_which_others_are_active() {
    let bench = Bench::new("freebox").await;
    let backend = bench.logged_in(&FREEBOX).await;
    backend.disconnect(&FREEBOX.up()).await.unwrap();
    connect(&*backend, &FREEBOX.down()).await.unwrap();
    assert_eq!(bench.asked(), [FREEBOX.writes[1], FREEBOX.writes[0], "GET /api/v16/vpn_client/config/"]);
    // A reconnect is no switch.
    backend.disconnect(&FREEBOX.down()).await.unwrap();
    connect(&*backend, &FREEBOX.down()).await.unwrap();
    assert_eq!(bench.asked(), [FREEBOX.writes[0]; 2]);
}

#[tokio::test]
async fn a_model_without_a_vpn_client_is_unsupported() {
    let bench = Bench::faulty("freebox", &["api-version=1.0"]).await;
    let error = failed(bench.open().status(None).await, Code::Unsupported);
    assert_eq!(error.report().http_status, Some(404));
    assert_eq!(bench.count("GET /api_version"), 1, "the version is as fresh as can be");
}

#[tokio::test]
async fn a_version_that_has_moved_is_found_anew_and_kept() {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    bench.fault("api-version=6.0");
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    assert_eq!(bench.asked(), [STATUS, "GET /api_version", "GET /api/v6/vpn_client/status"]);
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    assert_eq!(bench.asked(), ["GET /api/v6/vpn_client/status"]);
    // A write to a path that is not known was not carried out, so it may be sent to the right one.
    bench.fault("api-version=5.0");
    connect(&*bench.open(), &FREEBOX.down()).await.unwrap();
    let write = |major: u32| format!("PUT /api/v{major}/vpn_client/config/vpn0");
    assert_eq!(bench.asked(), [write(6), "GET /api_version".to_owned(), write(5)]);
}

#[tokio::test]
async fn a_configured_version_is_not_asked_for() {
    let mut bench = Bench::faulty("freebox", &["partial-api-version"]).await;
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    bench.set("api_version", vpnctl::config::Value::Integer(4));
    bench.asked();
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    assert_eq!(bench.asked(), ["GET /api/v4/vpn_client/status"]);
}

#[tokio::test]
async fn what_is_not_json_says_so() {
    let bench = Bench::new("freebox").await;
    let backend = bench.logged_in(&FREEBOX).await;
    bench.fault("plain-400");
    let error = failed(backend.status(None).await, Code::VendorProtocol);
    assert!(error.message().contains("400 Bad Request"), "{error}");
    bench.heal();
    bench.fault("not-json");
    failed(backend.status(None).await, Code::VendorProtocol);
    failed(bench.open().status(None).await, Code::VendorProtocol);
    bench.heal();
    bench.fault("empty");
    failed(backend.status(None).await, Code::VendorProtocol);
    bench.heal();
    bench.fault("body={\"success\":true,\"result\":{\"enabled\":\"perhaps\"}}");
    let error = failed(backend.status(None).await, Code::VendorProtocol);
    assert!(error.message().contains("enabled"), "says where it is wrong: {error}");
}

#[tokio::test]
async fn names_rank_exact_before_case_and_ids_count_as_names() {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    bench.open().status(None).await.unwrap();
    rename(&bench, "vpn0", "Office").await;
    by_hand(&bench, "PUT", "vpn_client/config/vpn2", &json!({"description": "office"})).await;
    assert_eq!(found(&*bench.open(), "Office").await, ["vpn0"]);
    assert_eq!(found(&*bench.open(), "office").await, ["vpn2"]);
    assert_eq!(found(&*bench.open(), "OFFICE").await, ["vpn0", "vpn2"]);
    assert_eq!(found(&*bench.open(), "VPN1").await, ["vpn1"]);
    rename(&bench, "vpn2", "vpn0").await;
    std::fs::remove_file(bench.state_file()).unwrap();
    assert_eq!(found(&*bench.open(), "vpn0").await, ["vpn0", "vpn2"]);
}

#[tokio::test]
async fn a_name_that_fits_but_for_its_case_is_looked_up_again() {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    assert_eq!(found(&*bench.open(), "downloads").await, ["vpn1"]);
    rename(&bench, "vpn2", "downloads").await;
    assert_eq!(found(&*bench.open(), "downloads").await, ["vpn2"], "an exact name is better");
}

#[tokio::test]
async fn a_known_name_costs_nothing_and_ends_with_the_session() {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    assert_eq!(found(&*bench.open(), "Downloads").await, ["vpn1"]);
    assert_eq!(bench.asked(), ["GET /api/v16/vpn_client/config/"]);
    assert_eq!(found(&*bench.open(), "Downloads").await, ["vpn1"]);
    assert_eq!(bench.requests(), 0);
    bench.fault("expire-sessions");
    let backend = bench.open();
    backend.status(None).await.unwrap();
    bench.asked();
    assert_eq!(found(&*backend, "Downloads").await, ["vpn1"]);
    assert_eq!(bench.asked(), ["GET /api/v16/vpn_client/config/"]);
}

/// Remembers a name in one process and gives what another process finds by it.
async fn remembered(bench: &Bench, name: &str) -> (Box<dyn vpnctl::backend::VpnBackend>, Target) {
    find(&*bench.open(), name).await;
    let backend = bench.open();
    let target = find(&*backend, name).await.remove(0);
    (backend, target)
}

#[tokio::test]
async fn a_name_that_another_tunnel_has_now_connects_that_one() {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    let (backend, target) = remembered(&bench, "Office PPTP").await;
    rename(&bench, "vpn0", "Somewhere else").await;
    rename(&bench, "vpn2", "Office PPTP").await;
    bench.asked();
    let status = connect(&*backend, &target).await.unwrap();
    assert_eq!(status.target.map(|target| target.id).as_deref(), Some("vpn2"));
    let list = "GET /api/v16/vpn_client/config/";
    let right = "PUT /api/v16/vpn_client/config/vpn2";
    assert_eq!(bench.asked(), [FREEBOX.writes[0], FREEBOX.writes[0], list, right]);
}

#[tokio::test]
async fn a_name_that_no_tunnel_has_any_more_connects_none() {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    let (backend, target) = remembered(&bench, "Office PPTP").await;
    rename(&bench, "vpn0", "Somewhere else").await;
    failed(connect(&*backend, &target).await, Code::TargetNotFound);
    let status = backend.status(None).await.unwrap();
    assert!(!(status.is_connected_to(&target) || status.word() == Word::Connecting), "{status:?}");
    assert_eq!(found(&*bench.open(), "Office PPTP").await, Vec::<String>::new());
    assert_eq!(found(&*bench.open(), "Somewhere else").await, ["vpn0"]);
}

#[tokio::test]
async fn who_names_an_id_means_the_id_whatever_it_is_called() {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    let (backend, target) = remembered(&bench, "vpn0").await;
    rename(&bench, "vpn0", "Somewhere else").await;
    bench.asked();
    connect(&*backend, &target).await.unwrap();
    assert_eq!(bench.asked(), [FREEBOX.writes[0]]);
}

#[tokio::test]
async fn the_state_of_another_tunnel_is_not_told_for_a_name() {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    let (backend, target) = remembered(&bench, "Downloads").await;
    rename(&bench, "vpn1", "Somewhere else").await;
    failed(backend.status(Some(&target)).await, Code::TargetNotFound);
    assert_eq!(found(&*bench.open(), "Somewhere else").await, ["vpn1"]);
    // Who names the id means the id.
    let by_id = Target::by_id(target.kind, "vpn1");
    assert_eq!(word(bench.open().status(Some(&by_id)).await), Word::Connected);
}

#[tokio::test]
async fn a_name_that_is_not_the_connections_is_not_taken_down() {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    let (backend, target) = remembered(&bench, "Downloads").await;
    rename(&bench, "vpn1", "Somewhere else").await;
    rename(&bench, "vpn2", "Downloads").await;
    bench.asked();
    let error = backend.disconnect(&target).await.unwrap_err();
    assert_eq!(error.code(), Code::TargetNotFound);
    assert!(bench.asked().iter().all(|asked| asked.starts_with("GET ")));
}

#[tokio::test]
async fn an_id_that_is_gone_is_not_found_and_forgotten() {
    let bench = Bench::new("freebox").await;
    bench.logged_in(&FREEBOX).await;
    let target = find(&*bench.open(), "Lyon WireGuard").await.remove(0);
    by_hand(&bench, "DELETE", "vpn_client/config/vpn2", &Value::Null).await;
    let error = failed(connect(&*bench.open(), &target).await, Code::TargetNotFound);
    assert_eq!(error.exit(), Exit::NotFound);
    assert!(error.hint_text().is_some());
    assert_eq!(found(&*bench.open(), "Lyon WireGuard").await, Vec::<String>::new());
}

#[tokio::test]
async fn an_id_stays_one_segment_of_the_path() {
    let bench = Bench::new("freebox").await;
    let backend = bench.logged_in(&FREEBOX).await;
    for id in ["../../login", "a/b", "..", "vpn0?x=1", "vpn0#x"] {
        failed(connect(&*backend, &FREEBOX.by_id(id)).await, Code::TargetNotFound);
        let asked = bench.asked();
        assert!(asked.len() == 1 && asked[0].starts_with("PUT /api/v16/vpn_client/config/"), "{asked:?}");
        assert_eq!(asked[0].matches('/').count(), 5, "{asked:?}");
        assert!(!asked[0].contains('?'), "{asked:?}");
    }
    assert_eq!(word(backend.status(None).await), Word::Connected);
}
