//! The sentences of `Tunnels`, and what is the Freebox's alone about them.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use vpnctl::backend::{SecretDocument, Tunnel, TunnelChange, VpnBackend};
use vpnctl::error::{Code, Exit, Result};
use vpnctl::model::{Target, TargetKind};

use super::bench::{Bench, failed, find};
use super::facts::{ALL, FREEBOX};
use super::freebox::by_hand;

const LIST: &str = "GET /api/v16/vpn_client/config/";
const ADD: &str = "POST /api/v16/vpn_client/config/";
const KEY: &str = "TdbS1Y0RHZ6rRNSxlEUssD/pnRDfrHMFfJPLl5icvQg=";
const PRESHARED: &str = "QZnLR0TYPbPbhfVWeLVRf1zsPC0JXG/woVmsmEkgsw8=";

fn get(id: &str) -> String {
    format!("GET /api/v16/vpn_client/config/{id}")
}

fn put(id: &str) -> String {
    format!("PUT /api/v16/vpn_client/config/{id}")
}

fn tunnel(id: &str) -> Target {
    Target::by_id(TargetKind::Tunnel, id)
}

fn document(value: Value) -> TunnelChange {
    TunnelChange { document: Some(SecretDocument(value)), ..TunnelChange::default() }
}

fn pptp(name: &str) -> TunnelChange {
    TunnelChange {
        kind: Some("pptp".to_owned()),
        name: Some(name.to_owned()),
        host: Some("test.example.org".to_owned()),
        username: Some("fbxtest".to_owned()),
        password: Some("canary-password".into()),
        mppe: Some("require".to_owned()),
        auth: Some(vec!["mschapv2".to_owned()]),
        ..TunnelChange::default()
    }
}

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/freebox/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A box that vpnctl has logged in to.
async fn known() -> (Bench, Box<dyn VpnBackend>) {
    faulty(&[]).await
}

async fn faulty(faults: &[&str]) -> (Bench, Box<dyn VpnBackend>) {
    let bench = Bench::faulty("freebox", faults).await;
    let backend = bench.logged_in(&FREEBOX).await;
    (bench, backend)
}

/// Changes something as the box's owner would; a session is there for it.
async fn hand(bench: &Bench, method: &str, path: &str, body: &Value) -> Value {
    bench.open().status(None).await.unwrap();
    by_hand(bench, method, path, body).await
}

/// The bodies of the writes so far.
fn written(bench: &Bench) -> Vec<Value> {
    let entries = bench.running().context.log.entries();
    let writes = entries.iter().filter(|entry| entry.method != "GET" && entry.path.contains("vpn_client"));
    writes.map(|entry| serde_json::from_str(&entry.body).unwrap_or(Value::Null)).collect()
}

async fn edit(backend: &dyn VpnBackend, id: &str, change: &TunnelChange) -> Result<(Tunnel, Vec<String>)> {
    backend.tunnels().unwrap().edit(&tunnel(id), change, false).await.map(|edited| (edited.tunnel, edited.changed))
}

#[tokio::test]
async fn a_vendor_without_configurations_says_why() {
    for facts in ALL {
        let bench = facts.bench().await;
        let backend = bench.open();
        assert_eq!(backend.tunnels().is_some(), facts.vendor == "freebox", "{}", facts.vendor);
        assert!(facts.vendor == "freebox" || !backend.why_not("tunnel").is_empty());
    }
}

#[tokio::test]
async fn every_configuration_is_listed_once_and_no_secret_with_it() {
    let (bench, backend) = known().await;
    hand(&bench, "PUT", "vpn_client/config/vpn2", &json!({"conf_wireguard": with_preshared()})).await;
    bench.asked();
    let all = backend.tunnels().unwrap().list().await.unwrap();
    assert_eq!(bench.asked(), [LIST]);
    let told: Vec<(&str, &str, Option<bool>)> =
        all.iter().map(|one| (one.target.id.as_str(), one.target.kind_word.as_deref().unwrap(), one.active)).collect();
    assert_eq!(
        told,
        [("vpn0", "pptp", Some(false)), ("vpn1", "openvpn", Some(true)), ("vpn2", "wireguard", Some(false))]
    );
    let conf = &all[2].config["conf_wireguard"];
    assert_eq!((&conf["local_priv_key"], &conf["remote_preshared_key"]), (&json!("***"), &json!("***")));
    assert_eq!(conf["remote_addr"], "192.0.2.1");
    assert!(!format!("{all:?}").contains(KEY));
}

fn with_preshared() -> Value {
    let mut conf = fixture("field-config-add-wireguard.request.json")["conf_wireguard"].clone();
    conf["remote_preshared_key"] = json!(PRESHARED);
    conf
}

#[tokio::test]
async fn no_configuration_is_no_error() {
    for form in ["empty-list=array", "empty-list=null", "empty-list=absent"] {
        let bench = Bench::faulty("freebox", &["no-tunnels", form]).await;
        assert!(bench.open().tunnels().unwrap().list().await.unwrap().is_empty(), "{form}");
    }
}

#[tokio::test]
async fn one_is_shown_and_an_unknown_one_is_not_found() {
    let (bench, backend) = known().await;
    let one = backend.tunnels().unwrap().show(&tunnel("vpn0")).await.unwrap();
    assert_eq!(
        (one.target.name.as_deref(), one.config["conf_pptp"]["mppe"].as_str()),
        (Some("Office PPTP"), Some("require"))
    );
    assert_eq!(bench.asked(), [get("vpn0")]);
    let tunnels = backend.tunnels().unwrap();
    for error in [
        failed(tunnels.show(&tunnel("vpn9")).await, Code::TargetNotFound),
        failed(tunnels.remove(&tunnel("vpn9")).await, Code::TargetNotFound),
        failed(edit(&*backend, "vpn9", &pptp("x")).await, Code::TargetNotFound),
    ] {
        assert_eq!((error.exit(), error.target_name()), (Exit::NotFound, Some("vpn9")));
        assert!(error.hint_text().is_some());
    }
    assert_eq!(written(&bench).len(), 1, "only the removal had nothing to read before");
}

#[tokio::test]
async fn an_addition_is_one_write_of_the_documented_form() {
    let (bench, backend) = known().await;
    let tunnels = backend.tunnels().unwrap();
    let added = tunnels.add(&pptp("test pptp")).await.unwrap();
    assert_eq!((added.target.id.as_str(), added.active), ("vpn3", Some(false)));
    assert!(!format!("{added:?}").contains("canary"));
    let mut expected = fixture("config-add.request.json");
    expected["conf_pptp"]["password"] = json!("canary-password");
    for name in ["eap", "pap", "chap", "mschap"] {
        expected["conf_pptp"]["allowed_auth"][name] = json!(false);
    }
    assert_eq!(written(&bench), [expected]);
    assert_eq!(bench.asked(), [LIST, ADD]);

    let mut wireguard = fixture("field-config-add-wireguard.request.json");
    tunnels.add(&document(wireguard.clone())).await.unwrap();
    assert_eq!(written(&bench), [wireguard.clone()]);
    bench.asked();
    let mut openvpn = fixture("field-config-add-openvpn.request.json");
    openvpn["conf_openvpn"]["password"] = json!("canary-password");
    let added = tunnels.add(&TunnelChange { activate: true, ..document(openvpn.clone()) }).await.unwrap();
    openvpn["active"] = json!(true);
    assert_eq!(written(&bench), [openvpn]);
    assert_eq!(added.active, Some(true));
    // A document's own `active` and `id` are what it was, not what is asked for.
    (wireguard["active"], wireguard["id"], wireguard["description"]) = (json!(true), json!("vpn0"), json!("third"));
    bench.asked();
    assert_eq!(tunnels.add(&document(wireguard)).await.unwrap().active, Some(false));
    assert_eq!(written(&bench)[0]["active"], false);
}

#[tokio::test]
async fn checks_send_no_request() {
    let bench = Bench::new("freebox").await;
    let backend = bench.open();
    let tunnels = backend.tunnels().unwrap();
    tunnels.check_new(&pptp("a")).unwrap();
    tunnels.check_change(&pptp("a")).unwrap();
    assert!(!tunnels.lacks_password(&pptp("a")));
    assert!(tunnels.lacks_password(&TunnelChange { password: None, ..pptp("a") }));
    assert_eq!(tunnels.preview(&pptp("a")).unwrap().config["conf_pptp"]["password"], "***");
    let lacking = TunnelChange { host: None, ..pptp("a") };
    assert!(failed(tunnels.check_new(&lacking), Code::Usage).message().contains("--host"));
    let foreign = TunnelChange { port: Some(1723), ..pptp("a") };
    assert!(failed(tunnels.check_new(&foreign), Code::Usage).message().contains("--port"));
    let odd = TunnelChange { auth: Some(vec!["mschap2".to_owned()]), ..pptp("a") };
    assert!(failed(tunnels.check_change(&odd), Code::Usage).hint_text().unwrap().contains("mschap"));
    failed(tunnels.check_change(&TunnelChange::default()), Code::Usage);
    assert_eq!(bench.requests(), 0);
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_before_the_write() {
    let (bench, backend) = known().await;
    let error = failed(backend.tunnels().unwrap().add(&pptp("Downloads")).await, Code::ConflictExists);
    assert!(error.message().contains("vpn1") && error.exit() == Exit::Conflict, "{error}");
    let name = TunnelChange { name: Some("Downloads".to_owned()), ..TunnelChange::default() };
    failed(edit(&*backend, "vpn0", &name).await, Code::ConflictExists);
    assert_eq!(written(&bench), Vec::<Value>::new());
    // Its own name is no conflict, and one that differs by case can be told apart.
    assert_eq!(edit(&*backend, "vpn1", &name).await.unwrap().1, Vec::<String>::new());
    let lower = TunnelChange { name: Some("downloads".to_owned()), ..TunnelChange::default() };
    edit(&*backend, "vpn0", &lower).await.unwrap();
    assert_eq!(written(&bench), [json!({"description": "downloads"})]);
}

#[tokio::test]
async fn an_edit_sends_what_differs_and_nothing_else() {
    let (bench, backend) = known().await;
    let change = TunnelChange { host: Some("new.example.org".to_owned()), ..TunnelChange::default() };
    let (now, changed) = edit(&*backend, "vpn0", &change).await.unwrap();
    assert_eq!(bench.asked(), [get("vpn0"), put("vpn0")]);
    assert_eq!(
        (changed, &now.config["conf_pptp"]["remote_host"]),
        (vec!["conf_pptp.remote_host".to_owned()], &json!("new.example.org"))
    );
    // The password was left out, so the box has it still; the rest of the section came along.
    assert_eq!(now.config["conf_pptp"]["mppe"], "require");
    let same = edit(&*backend, "vpn0", &change).await.unwrap();
    assert_eq!((bench.asked(), same.1), (vec![get("vpn0")], vec![]));
    let password = TunnelChange { password: Some("canary".into()), ..TunnelChange::default() };
    edit(&*backend, "vpn0", &password).await.unwrap();
    assert_eq!(written(&bench)[0]["conf_pptp"]["password"], "canary");
    bench.asked();
    let found = backend.tunnels().unwrap().edit(&tunnel("vpn0"), &pptp("Office PPTP"), true).await.unwrap();
    assert!(found.changed.contains(&"conf_pptp.username".to_owned()), "{found:?}");
    assert_eq!(bench.asked(), [get("vpn0")], "a dry run sends nothing");
}

#[tokio::test]
async fn an_edit_never_changes_the_type() {
    let (bench, backend) = known().await;
    for change in [
        TunnelChange { kind: Some("openvpn".to_owned()), ..TunnelChange::default() },
        document(json!({"conf_wireguard": {"mtu": 1400}})),
        TunnelChange { mtu: Some(1400), ..TunnelChange::default() },
    ] {
        failed(edit(&*backend, "vpn0", &change).await, Code::Usage);
    }
    assert_eq!(written(&bench), Vec::<Value>::new());
}

#[tokio::test]
async fn an_answer_without_a_result_is_asked_for() {
    for fault in ["put-without-result", "merge-conf", "typographic"] {
        let (bench, backend) = faulty(&[fault]).await;
        let change = TunnelChange { mtu: Some(1280), ..TunnelChange::default() };
        let (now, changed) = edit(&*backend, "vpn2", &change).await.unwrap();
        assert_eq!((&now.config["conf_wireguard"]["mtu"], changed.len()), (&json!(1280), 1), "{fault}");
        assert_eq!(now.config["conf_wireguard"]["local_priv_key"], "***");
        let again = if fault == "put-without-result" { vec![get("vpn2")] } else { vec![] };
        assert_eq!(bench.asked(), [vec![get("vpn2"), put("vpn2")], again].concat());
        // The key went along, for the section goes whole.
        let there = hand(&bench, "GET", "vpn_client/config/vpn2", &Value::Null).await;
        assert_eq!(there["result"]["conf_wireguard"]["local_priv_key"], KEY);
    }
}

#[tokio::test]
async fn a_secret_that_was_hidden_is_not_lost_when_the_right_comes() {
    for mask in ["no-settings-right", "masked-secrets=••••••••"] {
        let (bench, backend) = known().await;
        hand(&bench, "PUT", "vpn_client/config/vpn2", &json!({"conf_wireguard": with_preshared()})).await;
        // The session of another process lacks the right, and the box hides what it must not see.
        for fault in ["no-settings-right", mask, "expire-sessions"] {
            bench.fault(fault);
        }
        let shown = backend.tunnels().unwrap().show(&tunnel("vpn2")).await.unwrap();
        assert!(!format!("{shown:?}").contains('•'), "{shown:?}");
        bench.heal();
        bench.asked();
        let mtu = TunnelChange { mtu: Some(1280), ..TunnelChange::default() };
        edit(&*bench.open(), "vpn2", &mtu).await.unwrap();
        let sent = written(&bench);
        assert_eq!(sent.len(), 1);
        assert_eq!(
            (&sent[0]["conf_wireguard"]["local_priv_key"], &sent[0]["conf_wireguard"]["remote_preshared_key"]),
            (&json!(KEY), &json!(PRESHARED))
        );
    }
}

#[tokio::test]
async fn a_missing_right_is_told_and_nothing_is_changed() {
    let (bench, _) = faulty(&["no-settings-right"]).await;
    let backend = bench.open();
    let tunnels = backend.tunnels().unwrap();
    let mtu = TunnelChange { mtu: Some(1280), ..TunnelChange::default() };
    for error in [
        failed(tunnels.add(&pptp("x")).await, Code::AuthForbidden),
        failed(edit(&*backend, "vpn2", &mtu).await, Code::AuthForbidden),
        failed(tunnels.remove(&tunnel("vpn0")).await, Code::AuthForbidden),
    ] {
        assert!(error.hint_text().unwrap().contains("Gestion des accès") && !error.outcome_is_unknown());
    }
    assert_eq!(tunnels.list().await.unwrap().len(), 3);
}

#[tokio::test]
async fn what_the_box_refuses_is_told_with_its_code() {
    let (bench, backend) = known().await;
    let tunnels = backend.tunnels().unwrap();
    for (word, code) in [("inval", Code::Usage), ("exist", Code::ConflictExists), ("nomem", Code::VendorError)] {
        bench.fault(&format!("adding={word}"));
        let error = failed(tunnels.add(&pptp("x")).await, code);
        assert_eq!((error.vendor_code_text(), error.target_name()), (Some(word), Some("x")));
        assert_eq!(bench.asked(), [LIST, ADD]);
    }
    bench.fault("adding=busy*1");
    failed(tunnels.add(&pptp("x")).await, Code::ConflictBusy);
    assert_eq!(bench.asked(), [LIST, ADD], "a write is sent once, also to a box that is busy");
    bench.fault("vpn-client=invalid_request");
    failed(tunnels.list().await, Code::Unsupported);
    bench.asked();
    bench.fault("vpn-client=busy");
    let error = failed(tunnels.remove(&tunnel("vpn1")).await, Code::ConflictBusy);
    assert!(error.hint_text().unwrap().contains("vpnctl disconnect"), "{error:?}");
    let delete = |id: &str| format!("DELETE /api/v16/vpn_client/config/{id}");
    assert_eq!(bench.asked(), [delete("vpn1")]);
}

#[tokio::test]
async fn a_removal_is_one_write_and_what_it_had_is_forgotten() {
    let (bench, backend) = known().await;
    let found = find(&*backend, "Lyon WireGuard").await.remove(0);
    bench.asked();
    backend.tunnels().unwrap().remove(&found).await.unwrap();
    assert_eq!(bench.asked(), ["DELETE /api/v16/vpn_client/config/vpn2"]);
    assert!(find(&*bench.open(), "Lyon WireGuard").await.is_empty());
    failed(backend.tunnels().unwrap().remove(&found).await, Code::TargetNotFound);
}

#[tokio::test]
async fn a_name_that_another_tunnel_has_now_is_that_one() {
    let (bench, backend) = known().await;
    find(&*backend, "Office PPTP").await;
    let backend = bench.open();
    let remembered = find(&*backend, "Office PPTP").await.remove(0);
    assert_eq!(remembered.id, "vpn0");
    hand(&bench, "PUT", "vpn_client/config/vpn0", &json!({"description": "Precious"})).await;
    hand(&bench, "PUT", "vpn_client/config/vpn2", &json!({"description": "Office PPTP"})).await;
    backend.tunnels().unwrap().remove(&remembered).await.unwrap();
    let left: Vec<String> =
        backend.tunnels().unwrap().list().await.unwrap().into_iter().map(|one| one.target.id).collect();
    assert_eq!(left, ["vpn0", "vpn1"]);
    // And one that nothing has any more is removed nowhere.
    let backend = bench.open();
    let remembered = find(&*backend, "Downloads").await.remove(0);
    hand(&bench, "PUT", "vpn_client/config/vpn1", &json!({"description": "Other"})).await;
    failed(backend.tunnels().unwrap().remove(&remembered).await, Code::TargetNotFound);
    assert_eq!(backend.tunnels().unwrap().list().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_remembered_name_that_two_have_now_is_refused() {
    for verb in ["edit", "rm", "show"] {
        let (bench, backend) = known().await;
        find(&*backend, "Office PPTP").await;
        hand(&bench, "PUT", "vpn_client/config/vpn2", &json!({"description": "Office PPTP"})).await;
        let backend = bench.open();
        let remembered = find(&*backend, "Office PPTP").await.remove(0);
        bench.asked();
        let tunnels = backend.tunnels().unwrap();
        let host = TunnelChange { host: Some("new.example.org".to_owned()), ..TunnelChange::default() };
        let error = match verb {
            "edit" => failed(tunnels.edit(&remembered, &host, false).await, Code::UsageAmbiguous),
            "rm" => failed(tunnels.remove(&remembered).await, Code::UsageAmbiguous),
            _ => failed(tunnels.show(&remembered).await, Code::UsageAmbiguous),
        };
        assert!(error.to_string().contains("Office PPTP"), "{error}");
        assert_eq!(bench.asked(), [LIST], "{verb}");
    }
}

/// A box that carries a write out and loses its answer, or that loses the write.
async fn forgetful(done: bool) -> (Bench, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let handle = move |request: axum::extract::Request| {
        let line = format!("{} {}", request.method(), request.uri().path());
        let mut lines = noted.lock().unwrap();
        lines.push(line.clone());
        let was = |method: &str| done && lines.iter().any(|line| line.starts_with(method) && line.contains("config"));
        let answer = forgetful_answer(&line, [was("POST"), was("PUT"), was("DELETE")]);
        async move { answer }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(handle)).await });
    let mut bench = Bench::new("freebox").await;
    bench.text("url", &url);
    bench.set("api_version", vpnctl::config::Value::Integer(16));
    (bench, asked)
}

fn forgetful_answer(line: &str, [added, changed, removed]: [bool; 3]) -> (axum::http::StatusCode, String) {
    use axum::http::StatusCode;
    let ok = |result: Value| (StatusCode::OK, json!({"success": true, "result": result}).to_string());
    let one = |id: &str, name: &str, host: &str| {
        json!({"id": id, "type": "pptp", "description": name, "active": false,
            "conf_pptp": {"remote_host": host, "username": "u"}})
    };
    match line {
        "GET /api/v16/login/" => ok(json!({"challenge": "c"})),
        "POST /api/v16/login/session/" => ok(json!({"session_token": "s", "permissions": {"settings": true}})),
        "GET /api/v16/vpn_client/config/" if added => ok(json!([one("vpn0", "old", "h"), one("vpn1", "new", "h")])),
        "GET /api/v16/vpn_client/config/" => ok(json!([one("vpn0", "old", "h")])),
        "GET /api/v16/vpn_client/config/vpn0" => ok(one("vpn0", "old", if changed { "i" } else { "h" })),
        "GET /api/v16/vpn_client/config/vpn5" if removed => {
            (StatusCode::OK, json!({"success": false, "error_code": "noent"}).to_string())
        }
        "GET /api/v16/vpn_client/config/vpn5" => ok(one("vpn5", "old", "h")),
        _ => (StatusCode::GATEWAY_TIMEOUT, String::new()),
    }
}

#[tokio::test]
async fn a_lost_answer_is_read_back_and_no_write_is_sent_twice() {
    for done in [true, false] {
        let (bench, asked) = forgetful(done).await;
        let backend = bench.open();
        let tunnels = backend.tunnels().unwrap();
        let host = TunnelChange { host: Some("i".to_owned()), ..TunnelChange::default() };
        let outcomes: Vec<(&str, Result<()>)> = vec![
            ("POST", tunnels.add(&pptp("new")).await.map(|added| assert_eq!(added.target.id, "vpn1"))),
            ("PUT", edit(&*bench.open(), "vpn0", &host).await.map(|_| ())),
            ("DELETE", bench.open().tunnels().unwrap().remove(&tunnel("vpn5")).await),
        ];
        for (method, outcome) in outcomes {
            let sent =
                asked.lock().unwrap().iter().filter(|line| line.starts_with(method) && line.contains("config")).count();
            let unknown = outcome.err().map(|error| error.outcome_is_unknown());
            assert_eq!((sent, unknown), (1, if done { None } else { Some(true) }), "{method}, done: {done}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_broke_off_shows_no_key() {
    let (bench, backend) = known().await;
    bench.fault(&format!("body={{\"success\":true,\"result\":[{{\"conf_wireguard\":{{\"local_priv_key\":\"{KEY}"));
    let error = failed(backend.tunnels().unwrap().list().await, Code::VendorProtocol);
    assert!(!format!("{error:?}").contains(&KEY[..12]), "{error}");
}

#[tokio::test]
async fn what_the_answer_contradicts_is_not_told_as_done() {
    let (bench, backend) = known().await;
    let stubborn = json!({"success": true, "result": {"id": "vpn0", "type": "pptp", "description": "old",
        "active": false, "conf_pptp": {"remote_host": "h", "username": "u"}}});
    bench.fault(&format!("body={stubborn}"));
    let host = TunnelChange { host: Some("i".to_owned()), ..TunnelChange::default() };
    let error = failed(edit(&*backend, "vpn0", &host).await, Code::VendorProtocol);
    assert!(error.message().contains("remote_host") && error.hint_text().unwrap().contains("tunnel show"), "{error}");
    assert_eq!(bench.asked(), [get("vpn0"), put("vpn0"), get("vpn0")]);
    let told = backend.connect(&tunnel("vpn0"), vpnctl::backend::How::default()).await.unwrap();
    assert_eq!(told.word(), vpnctl::model::Word::Disconnected);
}

#[tokio::test]
async fn a_message_does_not_repeat_what_was_sent() {
    let (bench, backend) = known().await;
    bench.fault("body={\"success\":false,\"error_code\":\"inval\",\"msg\":\"odd canary-password here\"}");
    let body = json!({"conf_pptp": {"password": "canary-password"}}).to_string().into_bytes();
    let raw = backend.raw().unwrap();
    let error = failed(raw.call(reqwest::Method::PUT, "vpn_client/config/vpn0", Some(body)).await, Code::Usage);
    assert!(error.message().contains("odd *** here"), "{error}");
}

#[tokio::test]
async fn an_odd_configuration_does_not_hide_the_others() {
    let (bench, backend) = known().await;
    let list = json!({"success": true, "result": [{"id": 7, "type": "pptp"}, {"id": "vpn1", "type": "pptp"}]});
    bench.fault(&format!("body={list}"));
    let all = backend.tunnels().unwrap().list().await.unwrap();
    assert_eq!(all.iter().map(|one| one.target.id.as_str()).collect::<Vec<_>>(), ["vpn1"]);
}
