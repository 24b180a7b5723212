//! The sentences of `Settings`, for those who have them.

use serde_json::{Value, json};
use vpnctl::backend::VpnBackend;
use vpnctl::error::{Code, Error, Exit, Result};

use super::bench::{Bench, failed};
use super::ixon::{TOKEN, heard};

/// What the simulated client's settings are at first.
fn pristine() -> Value {
    json!({
        "simulated": true,
        "simulatedProxyServer": "",
        "simulatedConnectionType": "tap",
        "simulatedTapAdapter": {"automatic": true},
        "simulatedCertificate": null,
    })
}

async fn set(backend: &dyn VpnBackend, changes: &[(&str, Value)]) -> Result<(Value, Vec<String>)> {
    let changes: Vec<(String, Value)> = changes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let changed = backend.settings().unwrap().set(&changes, false).await?;
    Ok((changed.settings, changed.differences))
}

async fn show(backend: &dyn VpnBackend) -> Result<Value> {
    backend.settings().unwrap().show().await
}

/// A client whose links are known, so that only what is meant is asked.
async fn known(faults: &[&str]) -> Bench {
    let bench = Bench::faulty("ixon", faults).await;
    bench.open().status(None).await.unwrap();
    bench.asked();
    bench
}

fn writes(bench: &Bench) -> Vec<String> {
    bench.asked().into_iter().filter(|asked| !asked.starts_with("GET ")).collect()
}

#[tokio::test]
async fn settings_are_shown_as_they_are() {
    let bench = known(&[]).await;
    assert_eq!(show(&*bench.open()).await.unwrap(), pristine());
    assert_eq!(bench.asked(), ["GET /configuration"]);
}

#[tokio::test]
async fn keys_are_changed_by_one_put_and_the_rest_stays() {
    let bench = known(&[]).await;
    let changes = [("simulatedTapAdapter.automatic", json!(false)), ("simulatedProxyServer", json!("proxy:3128"))];
    let (after, differences) = set(&*bench.open(), &changes).await.unwrap();
    assert_eq!(differences.len(), 2);
    let mut expected = pristine();
    expected["simulatedTapAdapter"]["automatic"] = json!(false);
    expected["simulatedProxyServer"] = json!("proxy:3128");
    assert_eq!(after, expected);
    let entries = bench.running().context.log.entries();
    assert_eq!(serde_json::from_str::<Value>(&entries[1].body).unwrap(), expected);
    assert!(!entries.iter().any(|entry| format!("{entry:?}").contains(TOKEN)));
    assert_eq!(bench.asked(), ["GET /configuration", "PUT /configuration", "GET /configuration"]);
    assert_eq!(show(&*bench.open()).await.unwrap(), expected);
    bench.asked();
    // Nothing differs any more.
    assert_eq!(set(&*bench.open(), &changes).await.unwrap(), (expected, Vec::new()));
    assert_eq!(bench.asked(), ["GET /configuration"]);
}

#[tokio::test]
async fn a_dry_run_tells_and_writes_nothing() {
    let bench = known(&[]).await;
    let changes = [("simulatedConnectionType".to_owned(), json!("tun"))];
    let changed = bench.open().settings().unwrap().set(&changes, true).await.unwrap();
    assert_eq!(changed.differences, ["simulatedConnectionType: \"tap\" → \"tun\""]);
    assert_eq!(changed.settings, pristine());
    assert_eq!(writes(&bench), Vec::<String>::new());
}

#[tokio::test]
async fn what_could_do_harm_is_refused_before_any_request() {
    let bench = known(&[]).await;
    for bad in ["a\nb", "a\rb", "a\0b"] {
        for value in [json!(bad), json!([bad]), json!({"x": [{"y": bad}]}), json!({bad: 1})] {
            let error = failed(set(&*bench.open(), &[("simulatedProxyServer", value)]).await, Code::Usage);
            assert!(error.hint_text().unwrap().contains("CVE-2026-75925"), "{error}");
        }
        failed(set(&*bench.open(), &[(bad, json!("x"))]).await, Code::Usage);
    }
    assert_eq!(bench.requests(), 0);
}

#[tokio::test]
async fn what_is_there_already_and_could_do_harm_is_not_written_back() {
    let bench = known(&[]).await;
    bench.fault(r#"body={"proxy":"a\nup /tmp/x","type":"tap"}"#);
    let error = failed(set(&*bench.open(), &[("type", json!("tun"))]).await, Code::ConflictGuard);
    assert!(error.exit() == Exit::Conflict && error.message().contains("`proxy`"), "{error}");
    assert_eq!(writes(&bench), Vec::<String>::new());
    // Who mends it may write; that this client shows the same ever after is another matter.
    failed(set(&*bench.open(), &[("proxy", json!(""))]).await, Code::VendorProtocol);
    assert_eq!(writes(&bench), ["PUT /configuration"]);
}

#[tokio::test]
async fn a_key_that_is_not_shown_is_a_typing_error() {
    let bench = known(&[]).await;
    let error = failed(set(&*bench.open(), &[("simulatedProxyServr", json!("x"))]).await, Code::Usage);
    assert!(error.hint_text().unwrap().contains("`simulatedProxyServer`"), "{error}");
    failed(set(&*bench.open(), &[("simulatedTapAdapter", json!("x"))]).await, Code::Usage);
    assert_eq!(writes(&bench), Vec::<String>::new());
}

#[tokio::test]
async fn a_reset_is_one_post_to_its_own_place() {
    let bench = known(&[]).await;
    set(&*bench.open(), &[("simulatedConnectionType", json!("tun"))]).await.unwrap();
    bench.asked();
    assert_eq!(bench.open().settings().unwrap().reset().await.unwrap(), pristine());
    assert_eq!(bench.asked(), ["GET /configuration", "POST /configuration/reset", "GET /configuration"]);
}

async fn refused(status: &str, code: Code) -> Error {
    let bench = known(&[]).await;
    bench.fault(&format!("http-status={status}@/configuration"));
    let read = failed(show(&*bench.open()).await, code);
    assert!(read.message().contains(status), "{read}");
    bench.asked();
    let reset = failed(bench.open().settings().unwrap().reset().await, code);
    assert_eq!(writes(&bench).len(), 1, "{status}");
    assert!(!reset.outcome_is_unknown());
    reset
}

#[tokio::test]
async fn what_the_client_does_not_take_is_told_plainly() {
    for status in ["405", "501"] {
        let error = refused(status, Code::Unsupported).await;
        assert!(error.message().contains("change its settings") && error.hint_text().is_some(), "{error}");
    }
    let error = refused("403", Code::AuthForbidden).await;
    assert!(error.message().contains("change its settings") && !error.hint_text().unwrap().contains("token"));
    refused("422", Code::VendorError).await;
    let bench = known(&[]).await;
    bench.fault("http-status=404@/configuration");
    failed(show(&*bench.open()).await, Code::Unsupported);
    bench.heal();
    bench.fault("body={\"links\":[{\"rel\":\"Status\",\"href\":\"/status\"}]}");
    let other = Bench::faulty("ixon", &["body={\"links\":[{\"rel\":\"Status\",\"href\":\"/status\"}]}"]).await;
    assert!(failed(show(&*other.open()).await, Code::Unsupported).message().contains("Configuration"));
}

#[tokio::test]
async fn a_write_of_unknown_outcome_is_read_and_told() {
    let bench = known(&[]).await;
    let backend = bench.open();
    show(&*backend).await.unwrap();
    bench.asked();
    bench.fault("http-status=504@/configuration/reset");
    let error = failed(backend.settings().unwrap().reset().await, Code::TimeoutUnknownOutcome);
    assert_eq!(error.exit(), Exit::Timeout);
    assert!(error.message().ends_with("; they are what they were"), "{error}");
    let asked = ["GET /configuration", "POST /configuration/reset", "GET /configuration"];
    assert_eq!(bench.asked(), asked);
}

/// A client that carries writes out and loses its answers.
async fn forgetful() -> Bench {
    use axum::http::{Method, StatusCode};
    let kept = std::sync::Arc::new(std::sync::Mutex::new(json!({"a": 1, "b": {"c": true}, "psk": "***"})));
    let handle = move |request: axum::extract::Request| {
        let kept = std::sync::Arc::clone(&kept);
        async move {
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let body = axum::body::to_bytes(request.into_body(), 1 << 16).await.unwrap();
            let mut kept = kept.lock().unwrap();
            match (method, path.as_str()) {
                (Method::GET, "/") => {
                    let link = |rel: &str, href: &str| json!({"rel": rel, "href": href});
                    let links = [link("Configuration", "/configuration"), link("ConfigurationReset", "/reset")];
                    return (StatusCode::OK, json!({"links": links}).to_string());
                }
                (Method::GET, _) => return (StatusCode::OK, kept.to_string()),
                (Method::PUT, _) => {
                    *kept = serde_json::from_slice(&body).unwrap();
                    kept["psk"] = json!("***");
                }
                _ => *kept = json!({"a": 0}),
            }
            (StatusCode::GATEWAY_TIMEOUT, String::new())
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(handle)).await });
    let mut bench = Bench::new("ixon").await;
    bench.text("url", &url);
    bench
}

#[tokio::test]
async fn a_lost_answer_is_no_failure_where_reading_proves_the_change() {
    let bench = forgetful().await;
    let backend = bench.open();
    let (after, _) = set(&*backend, &[("a", json!(2)), ("b.c", json!(false))]).await.unwrap();
    assert_eq!((&after["a"], &after["b"]["c"]), (&json!(2), &json!(false)));
    // A secret is shown as before whatever it is, so that proves nothing.
    let error = failed(set(&*backend, &[("psk", json!("canary"))]).await, Code::TimeoutUnknownOutcome);
    assert!(error.message().ends_with("; it shows `psk` as before") && !error.message().contains("canary"), "{error}");
    // What a reset makes of them nobody has written down.
    let error = failed(backend.settings().unwrap().reset().await, Code::TimeoutUnknownOutcome);
    assert!(error.message().ends_with("; they are other ones than before"), "{error}");
}

#[tokio::test]
async fn a_raw_call_is_held_to_the_same() {
    let bench = known(&[]).await;
    let raw = async |path: &str, body: &str| {
        let backend = bench.open();
        backend.raw().unwrap().call(reqwest::Method::PUT, path, Some(body.as_bytes().to_vec())).await
    };
    for path in [
        "Configuration",
        "/configuration",
        "configuration",
        "x/../configuration",
        "configuration/",
        "CONFIGURATION",
        "%63onfiguration",
        "%2563onfiguration",
        "configuration%2f",
        "//configuration?x=1",
        "x/%2e%2e/configuration",
    ] {
        for body in ["{\"a\":\"x\\ny\"}", "{\"a\":[{\"b\":\"\\u0000\"}]}", "a\nb"] {
            failed(raw(path, body).await, Code::Usage);
        }
    }
    assert_eq!(bench.requests(), 0);
    // Line breaks between the parts of a document are none in its values.
    raw("Configuration", "{\n  \"a\": \"b\"\n}\n").await.unwrap();
    assert_eq!(writes(&bench), ["PUT /configuration"]);
}

#[tokio::test]
async fn an_old_client_is_warned_about_before_each_write() {
    for fault in ["version=1.4.6", "version=1.4.2"] {
        let bench = known(&[fault]).await;
        // A client that takes no writes: what is heard was said before.
        bench.fault("http-status=403@/conf");
        let (result, lines) = heard(async { bench.open().settings().unwrap().reset().await.map(|_| ()) }).await;
        failed(result, Code::AuthForbidden);
        assert_eq!(lines.matches("CVE-2026-75925").count(), 1, "{lines}");
        assert_eq!(lines.matches("CVE-2025-26168").count(), usize::from(fault.ends_with('2')), "{lines}");
        bench.asked();
        let raw = async {
            bench.open().raw().unwrap().call(reqwest::Method::POST, "ControllerClosed", None).await.map(|_| ())
        };
        let (result, lines) = heard(raw).await;
        result.unwrap();
        assert_eq!(lines.matches("CVE-2026-75925").count(), 1, "{lines}");
        assert_eq!(bench.asked(), ["GET /", "POST /controller/closed"]);
    }
}

#[tokio::test]
async fn a_secret_that_a_refusal_echoes_is_not_shown() {
    let bench = known(&[]).await;
    bench.fault("configuration-refused=400:psk old-one and new-one are the same, really");
    let document = json!({"psk": "old-one", "proxy": "http://me:proxy-one@proxy:1/"});
    bench.running().context.faults.set(&format!("body={document}*1"));
    let error = failed(set(&*bench.open(), &[("psk", json!("new-one"))]).await, Code::VendorError);
    assert!(error.message().contains("psk *** and *** are the same"), "{error}");
}

#[tokio::test]
async fn a_value_that_the_client_silently_keeps_is_no_success() {
    let bench = known(&[]).await;
    // The write is answered with 200 and changes nothing.
    bench.fault(r#"body={"a":1,"b":2}"#);
    let error = failed(set(&*bench.open(), &[("b", json!(7)), ("a", json!(1))]).await, Code::VendorProtocol);
    assert!(error.message().contains("`b` is still what it was") && !error.message().contains("`a`"), "{error}");
    assert_eq!(bench.asked(), ["GET /configuration", "PUT /configuration", "GET /configuration"]);
}
