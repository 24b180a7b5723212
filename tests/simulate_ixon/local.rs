//! The REST API of the local client.

use std::time::Instant;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::bench::{Bench, COMPANY, CONTROLLER, Json as _, TOKEN, fixture, shape};

#[tokio::test]
async fn discovery_is_the_vendors_with_its_own_links() {
    let bench = Bench::start(&[]).await;
    let request = bench.client.get(&bench.local).header("Accept", "application/json");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["server"], "VPN Client/1.4.7");
    let host = bench.local.strip_prefix("https://").unwrap();
    let expected = fixture("discovery").to_string().replace("localhost:9250", host);
    assert_eq!(answer.json::<Value>().await.unwrap(), serde_json::from_str::<Value>(&expected).unwrap());
}

#[tokio::test]
async fn a_browser_gets_a_page_where_a_program_gets_json() {
    let bench = Bench::start(&[]).await;
    for accept in ["*/*", "text/html,application/xhtml+xml"] {
        let answer = bench.client.get(&bench.local).header("Accept", accept).send().await.unwrap();
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"), "{accept}");
    }
}

#[tokio::test]
async fn a_preflight_allows_what_the_portal_sends() {
    let bench = Bench::start(&[]).await;
    let url = format!("{}/connect", bench.local);
    let request = bench.client.request(Method::OPTIONS, url).header("Origin", "https://portal.ixon.cloud");
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success());
    let headers = answer.headers();
    assert_eq!(headers["access-control-allow-origin"], "https://portal.ixon.cloud");
    assert_eq!(headers["access-control-expose-headers"], "Server");
    let allowed = headers["access-control-allow-headers"].to_str().unwrap().to_ascii_lowercase();
    for name in ["api-access-token", "api-sector", "api-version", "vpn-client-controller-identifier", "content-type"] {
        assert!(allowed.contains(name), "{name}");
    }
}

#[tokio::test]
async fn every_answer_names_the_version() {
    let bench = Bench::start(&[]).await;
    for path in ["/", "/status", "/configuration", "/connect", "/nowhere"] {
        let answer = bench.client.get(format!("{}{path}", bench.local)).send().await.unwrap();
        assert_eq!(answer.headers()["server"], "VPN Client/1.4.7", "{path}");
    }
    for (fault, expected) in
        [("version=1.4.2", Some("VPN Client/1.4.2")), ("version=garbage", Some("garbage")), ("version=missing", None)]
    {
        bench.faults().set(fault);
        let answer = bench.client.get(format!("{}/status", bench.local)).send().await.unwrap();
        assert_eq!(answer.headers().get("server").map(|value| value.to_str().unwrap()), expected);
    }
}

#[tokio::test]
async fn a_connection_takes_its_time_and_disconnect_ends_it() {
    let bench = Bench::with(&[], 100, None).await;
    assert_eq!(bench.status().await, fixture("field-status-idle"));
    let begun = Instant::now();
    assert_eq!(bench.connect().send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(bench.status().await["status"], "connecting");
    let up = bench.until("connected").await;
    assert!(begun.elapsed().as_millis() >= 300, "three paces");
    assert_eq!(up, fixture("field-status-connected"));
    bench.disconnect().await;
    assert_eq!(bench.status().await, fixture("field-status-idle"));
}

#[tokio::test]
async fn connect_takes_the_old_header_names_in_any_case() {
    let bench = Bench::start(&[]).await;
    let request = bench.client.post(format!("{}/connect", bench.local));
    let request = request
        .header("ixAPI-version", "2")
        .header("IXplatform-Access-Token", TOKEN)
        .header("IXCLIENT-controller-identifier", CONTROLLER)
        .header("Content-Type", "application/json; charset=utf-8")
        .body(format!("{{\"companyId\":\"{COMPANY}\",\"agentId\":\"AAAAAAAAAAAA\"}}"));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(bench.until("connected").await["activeRequest"]["controllerId"], CONTROLLER);
}

/// A connect request that lacks a header, or carries another value in it.
fn changed(bench: &Bench, name: &str, value: Option<&str>) -> RequestBuilder {
    let (client, request) = bench.connect().build_split();
    let mut request = request.unwrap();
    request.headers_mut().remove(name);
    if let Some(value) = value {
        request.headers_mut().insert(reqwest::header::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    RequestBuilder::from_parts(client, request)
}

#[tokio::test]
async fn connect_refuses_what_is_missing_or_malformed() {
    let bench = Bench::start(&[]).await;
    let bearer = format!("Bearer {TOKEN}");
    let body = |text: Value| bench.connect().body(text.to_string());
    let requests = [
        ("no version", changed(&bench, "api-version", None)),
        ("version 3", changed(&bench, "api-version", Some("3"))),
        ("no token", changed(&bench, "api-access-token", None)),
        ("short token", changed(&bench, "api-access-token", Some("short"))),
        ("odd token", changed(&bench, "api-access-token", Some("-nctlSimulatedToken00000000000-1"))),
        ("bearer", changed(&bench, "api-access-token", Some(&bearer))),
        ("no controller", changed(&bench, "vpn-client-controller-identifier", None)),
        ("odd controller", changed(&bench, "vpn-client-controller-identifier", Some("me"))),
        ("no content type", changed(&bench, "content-type", None)),
        ("no agent", body(json!({ "companyId": COMPANY }))),
        ("short agent", body(json!({ "agentId": "AAAA", "companyId": COMPANY }))),
        ("no company", body(json!({ "agentId": "AAAAAAAAAAAA" }))),
        ("odd company", body(json!({ "agentId": "AAAAAAAAAAAA", "companyId": "1111-2222-3333-4444-555" }))),
        ("no JSON", bench.connect().body("agentId=AAAAAAAAAAAA")),
    ];
    for (what, request) in requests {
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_client_error(), "{what}: {}", answer.status());
        assert!(!answer.text().await.unwrap().is_empty(), "{what}");
        assert_eq!(bench.status().await["status"], "idle", "{what}");
    }
}

#[tokio::test]
async fn refusals_come_in_the_form_that_is_asked_for() {
    let bench = Bench::start(&["connect-refused=423:Locked by simulation"]).await;
    let text = "Locked by simulation";
    let forms = [
        ("message", json!({ "message": text }).to_string()),
        ("data", json!({ "data": [{ "message": text }] }).to_string()),
        ("error", json!({ "error": text }).to_string()),
        ("text", text.to_owned()),
        ("empty", String::new()),
    ];
    for (form, expected) in forms {
        bench.faults().set(&format!("error-form={form}"));
        let answer = bench.connect().send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::LOCKED);
        assert_eq!(answer.text().await.unwrap(), expected);
    }
    assert_eq!(bench.status().await["status"], "idle");
}

#[tokio::test]
async fn a_strict_client_wants_the_sector() {
    let bench = Bench::start(&["strict-sector"]).await;
    assert_eq!(bench.connect().send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    let sector = bench.get("/sectors/me").await["data"]["publicId"].as_str().unwrap().to_owned();
    assert_eq!(bench.connect().header("Api-Sector", sector).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn disconnect_takes_any_body_and_no_credentials() {
    let bench = Bench::start(&[]).await;
    for body in ["", "{}", "null"] {
        bench.connected().await;
        for _ in 0..2 {
            let request = bench.client.post(format!("{}/disconnect", bench.local)).body(body);
            assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
            assert_eq!(bench.status().await, fixture("field-status-idle"));
        }
    }
}

#[tokio::test]
async fn attempts_fail_where_and_as_they_are_told() {
    // The faults, the agent, and code and message of each step; the status stays connecting.
    let cases: [(&[&str], &str, [&str; 4]); 9] = [
        (&["step-fails=ixapi.openvpn_configuration:010"], "AAAAAAAAAAAA", ["003", "010", "001", "000"]),
        (&["step-fails=4:401:No route"], "AAAAAAAAAAAA", ["003", "003", "001", "401"]),
        (&["step-fails=stunnel.connection:300"], "AAAAAAAAAAAA", ["003", "003", "300", "000"]),
        (&["token-expired"], "AAAAAAAAAAAA", ["003", "010", "001", "000"]),
        (&["agent-offline"], "AAAAAAAAAAAA", ["003", "201", "001", "000"]),
        (&["version=1.4.6"], "AAAAAAAAAAAA", ["003", "010", "001", "000"]),
        (&["cloud-status=503"], "AAAAAAAAAAAA", ["101", "000", "001", "000"]),
        (&[], "AAAAAAAAAAAF", ["003", "201", "001", "000"]),
        (&[], "BBBBBBBBBBBA", ["003", "202", "001", "000"]),
    ];
    for (faults, agent, expected) in cases {
        let bench = Bench::with(faults, 3, None).await;
        bench.connect_to(agent, COMPANY).send().await.unwrap();
        let done = |status: &Value| codes(status).iter().any(|code| code.as_str() >= "010");
        let status = bench.until_it("shows a failed step", done).await;
        assert_eq!(codes(&status), expected, "{faults:?} {agent}");
        assert_eq!(status["status"], "connecting");
    }
    let bench = Bench::start(&["step-fails=2:010"]).await;
    bench.connect().send().await.unwrap();
    let failed = fixture("field-status-failed");
    bench.until_it("is the vendor's example", |status| *status == failed).await;
}

fn codes(status: &Value) -> Vec<String> {
    let steps = status["activeRequest"]["steps"].as_array().cloned().unwrap_or_default();
    steps.iter().map(|step| step["status"]["code"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn after_a_failure_the_client_may_be_idle() {
    let bench = Bench::with(&["step-fails=1:100", "failed-goes-idle"], 3, None).await;
    bench.connect().send().await.unwrap();
    assert_eq!(bench.until("idle").await, fixture("field-status-idle"));
    bench.faults().clear("failed-goes-idle");
    bench.faults().set("failed-keeps-request");
    bench.connect().send().await.unwrap();
    let status = bench.until("idle").await;
    assert_eq!(codes(&status), ["100", "000", "001", "000"]);
    assert_eq!(shape(&status), shape(&fixture("field-status-idle-with-request")));
}

#[tokio::test]
async fn old_clients_connect_where_the_cloud_takes_them() {
    let bench = Bench::with(&["version=1.4.2", "old-accepted"], 3, None).await;
    bench.connected().await;
    let bench = Bench::with(&["version=1.10.0"], 3, None).await;
    bench.connected().await;
}

#[tokio::test]
async fn a_stealthy_agent_has_a_step_more() {
    let bench = Bench::with(&[], 3, None).await;
    bench.connect_to("AAAAAAAAAAAG", COMPANY).send().await.unwrap();
    assert_eq!(codes(&bench.until("connected").await), ["003", "003", "004", "004"]);
}

#[tokio::test]
async fn the_status_can_be_written_in_odd_ways() {
    let bench = Bench::start(&["start-connected"]).await;
    let faults = bench.faults();
    let code = |status: &Value| status["activeRequest"]["steps"][3]["status"]["code"].clone();
    faults.set("unpadded-codes");
    assert_eq!(code(&bench.status().await), "4");
    faults.set("numeric-codes");
    assert_eq!(code(&bench.status().await), 4);
    faults.clear_all();
    faults.set("stringified-request");
    assert_eq!(shape(&bench.status().await), shape(&fixture("field-status-stringified-request")));
    faults.clear_all();
    faults.set("unknown-steps");
    assert_eq!(codes(&bench.status().await).len(), 6);
    faults.set("unknown-status=resuming@connected");
    assert_eq!(bench.status().await["status"], "resuming");
    faults.set("escaped-slashes");
    let text = bench.client.get(format!("{}/status", bench.local)).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("simulated.step\\/one"), "{text}");
    bench.disconnect().await;
    assert_eq!(bench.status().await["status"], "idle");
    faults.set("null-request");
    assert_eq!(bench.status().await, json!({ "status": "idle", "activeRequest": null }));
    faults.set("missing-request");
    assert_eq!(bench.status().await, json!({ "status": "idle" }));
}

#[tokio::test]
async fn a_disconnect_may_show_the_request_for_a_while() {
    let bench = Bench::with(&["idle-with-request"], 400, None).await;
    bench.faults().set("slow-connect=3");
    bench.connected().await;
    bench.disconnect().await;
    let status = bench.status().await;
    assert_eq!(status["status"], "idle");
    assert_eq!(shape(&status), shape(&fixture("field-status-idle-with-request")));
    bench.until_it("forgets the request", |status| status["activeRequest"] == "").await;
}

#[tokio::test]
async fn tunnels_can_hang_drop_and_be_taken() {
    let bench = Bench::with(&["never-connects*1"], 2, None).await;
    bench.connect().send().await.unwrap();
    let pending = |status: &Value| codes(status) == ["003", "003", "001", "002"];
    bench.until_it("hangs", pending).await;
    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    assert!(pending(&bench.status().await));
    bench.connected().await;
    bench.faults().set("drops-after=30*1");
    assert_eq!(bench.until("idle").await, fixture("field-status-idle"));
    assert!(!bench.faults().is_on("drops-after"));
    bench.faults().set("other-controller=BBBBBBBBBBBA");
    let request = bench.status().await["activeRequest"].clone();
    assert_eq!(request["agentId"], "BBBBBBBBBBBA");
    assert_eq!(request["companyId"], "5555-4444-3333-2222-1111");
}

#[tokio::test]
async fn links_may_lead_elsewhere() {
    let bench = Bench::start(&["foreign-hrefs=vpn.example.net:1"]).await;
    let request = bench.client.get(&bench.local).header("Accept", "application/json");
    let discovery: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(discovery["links"][1]["href"], "https://vpn.example.net:1/connect");
    assert_eq!(discovery["links"][7]["href"], "wss://vpn.example.net:1/");
}

#[tokio::test]
async fn the_configuration_is_replaced_and_restored() {
    let bench = Bench::start(&[]).await;
    let url = format!("{}/configuration", bench.local);
    let read = async || bench.client.get(&url).send().await.unwrap().json::<Value>().await.unwrap();
    let before = read().await;
    let new = json!({ "anything": ["goes"] });
    let put = |body: String| bench.client.put(&url).body(body).send();
    assert_eq!(put(new.to_string()).await.unwrap().status(), StatusCode::OK);
    assert_eq!(read().await, new);
    assert_eq!(put("[]".to_owned()).await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(read().await, new);
    assert_eq!(bench.client.post(format!("{url}/reset")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(read().await, before);
    let closed = bench.client.post(format!("{}/controller/closed", bench.local)).send().await.unwrap();
    assert_eq!(closed.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_written_configuration_names_both_and_holds_no_secret() {
    let bench = Bench::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.toml");
    bench.world().write_config(&path).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    assert!(!text.contains(TOKEN));
    let config: toml::Table = text.parse().unwrap();
    let backend = config["backend"]["ixon"].as_table().unwrap();
    assert_eq!(backend["url"].as_str(), Some(bench.local.as_str()));
    assert_eq!(backend["cloud_url"].as_str(), Some(bench.cloud.as_str()));
    let read = |value: &toml::Value| std::fs::read_to_string(value.as_str().unwrap()).unwrap();
    assert_eq!(read(&backend["token"]["file"]), TOKEN);
    assert_eq!(read(&backend["tls"]["ca_file"]), bench.world().ca_pem());
}
