//! The cloud: tokens, headers, lists and the router's own VPN.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::bench::{Bench, COMPANY, Json as _, TOKEN, fixture, shape};

const PASSWORD: &str = "demo:pässword>>?~";

impl Bench {
    pub(crate) fn login(&self, query: &str, otp: &str, body: &Value) -> RequestBuilder {
        let basic = STANDARD.encode(format!("demo@example.org:{otp}:{PASSWORD}"));
        self.login_with(&format!("Basic {basic}"), query, body)
    }

    fn login_with(&self, authorization: &str, query: &str, body: &Value) -> RequestBuilder {
        self.client
            .post(format!("{}/access-tokens{query}", self.cloud))
            .header("Api-Version", "2")
            .header("Api-Application", "VpnctlDemo01")
            .header("Authorization", authorization)
            .body(body.to_string())
    }

    async fn ids(&self, query: &str) -> Vec<String> {
        let page = self.get(&format!("/agents{query}")).await;
        page["data"].as_array().unwrap().iter().map(|agent| agent["publicId"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn discovery_needs_the_version_only() {
    let bench = Bench::start(&[]).await;
    let answer = bench.client.get(format!("{}/", bench.cloud)).header("Api-Version", "2").send().await.unwrap();
    let document: Value = answer.json().await.unwrap();
    assert_eq!(document["type"], "Discovery");
    assert_eq!(shape(&document), shape(&fixture("field-api-discovery")));
    let known = fixture("field-api-discovery")["data"].as_array().unwrap().clone();
    for link in document["data"].as_array().unwrap() {
        let path = link["href"].as_str().unwrap().strip_prefix(&bench.cloud).unwrap();
        if let Some(known) = known.iter().find(|known| known["rel"] == link["rel"]) {
            assert!(known["href"].as_str().unwrap().ends_with(&format!("/api{path}")), "{link}");
        }
    }
    let (status, body) = bench.fail(bench.client.get(&bench.cloud)).await;
    assert_eq!((status, &body["data"][0]["propertyName"]), (400, &json!("Api-Version")));
}

#[tokio::test]
async fn a_login_gives_a_token_that_holds_until_it_is_deleted() {
    let bench = Bench::start(&[]).await;
    let request = bench.login("?fields=secretId,expiresOn,user(publicId,type,name)", "", &json!({ "expiresIn": 3600 }));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let token: Value = answer.json().await.unwrap();
    assert_eq!(shape(&token), shape(&fixture("field-api-access-token")));
    let secret = token["data"]["secretId"].as_str().unwrap().to_owned();
    assert_eq!(secret.len(), 32);
    let me = |method| {
        let request = bench.client.request(method, format!("{}/access-tokens/me?fields=expiresOn", bench.cloud));
        let request = request.header("Api-Version", "2").header("Api-Application", "VpnctlDemo01");
        request.bearer_auth(&secret)
    };
    let shown: Value = me(Method::GET).send().await.unwrap().json().await.unwrap();
    assert_eq!(shown["data"]["expiresOn"], token["data"]["expiresOn"]);
    assert_eq!(shown["data"]["publicId"], token["data"]["publicId"]);
    assert_eq!(me(Method::DELETE).send().await.unwrap().json::<Value>().await.unwrap()["data"], Value::Null);
    assert_eq!(bench.fail(me(Method::GET)).await, (401, fixture("field-api-error-token-expired")));
}

#[tokio::test]
async fn a_token_shows_what_is_asked_for_and_never_its_secret_again() {
    let bench = Bench::start(&[]).await;
    let answer = bench.login("", "", &json!({ "expiresIn": 60 })).send().await.unwrap();
    let token: Value = answer.json().await.unwrap();
    assert_eq!(token["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["publicId"]);
    let me = bench.get("/access-tokens/me?fields=*").await;
    assert!(me["data"]["expiresOn"].is_string() && me["data"].get("secretId").is_none(), "{me}");
}

#[tokio::test]
async fn logins_that_are_wrong_are_refused() {
    let bench = Bench::start(&[]).await;
    let body = json!({ "expiresIn": 60 });
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let url_safe = format!("Basic {}", URL_SAFE.encode(format!("demo@example.org::{PASSWORD}")));
    let invalid = fixture("field-api-error-invalid-authorization");
    let cases = [
        (basic("demo@example.org::wrong"), fixture("field-api-error-basic-failed")),
        (basic(&format!("demo@example.org:{PASSWORD}")), fixture("field-api-error-basic-failed")),
        (basic("demo@example.org"), invalid.clone()),
        (url_safe, invalid.clone()),
        (format!("Bearer {TOKEN}"), invalid),
    ];
    for (authorization, expected) in cases {
        let answer = bench.fail(bench.login_with(&authorization, "", &body)).await;
        assert_eq!(answer, (401, expected), "{authorization}");
    }
    let unknown = bench.fail(bench.login_with(&basic("nobody@example.org::x"), "", &body)).await;
    assert_eq!(unknown.1["data"][0]["message"], "Unknown user");
    for life in [59, 5_184_001] {
        let (status, error) = bench.fail(bench.login("", "", &json!({ "expiresIn": life }))).await;
        assert_eq!((status, &error["data"][0]["propertyName"]), (400, &json!("expiresIn")));
    }
    let scoped = fixture("field-api-access-token-scoped.request");
    assert_eq!(bench.login("", "", &scoped).send().await.unwrap().status(), 201);
    let (status, _) = bench.fail(bench.login("", "", &json!({ "expiresIn": 60, "scope": { "type": "x" } }))).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_login_may_need_a_code_or_patience() {
    let bench = Bench::start(&["otp-needed"]).await;
    let body = json!({ "expiresIn": 60 });
    for otp in ["", "000000"] {
        let answer = bench.fail(bench.login("", otp, &body)).await;
        assert_eq!(answer, (401, fixture("field-api-error-otp-required")));
    }
    assert_eq!(bench.login("", "123456", &body).send().await.unwrap().status(), 201);
    bench.faults().set("login-rate-limited*1");
    let (status, error) = bench.fail(bench.login("", "123456", &body)).await;
    assert_eq!((status, &error["data"][0]["message"]), (429, &json!("Login is rate limited")));
    assert_eq!(bench.login("", "123456", &body).send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn headers_are_checked_one_by_one() {
    let bench = Bench::start(&[]).await;
    let cases: [(&str, Option<&str>, &str, u16); 11] = [
        ("Api-Version", None, "Required header", 400),
        ("Api-Version", Some("1"), "Invalid value", 400),
        ("Api-Application", None, "Required header", 400),
        ("Api-Application", Some("short"), "Value is too short", 400),
        ("Api-Application", Some("VpnctlDemo011"), "Value is too long", 400),
        ("Api-Application", Some("VpnctlDemo02"), "Invalid value", 400),
        ("Api-Company", None, "Required header", 400),
        ("Api-Company", Some("1111"), "Invalid value", 400),
        ("Api-Company", Some("9999-9999-9999-9999-9999"), "Invalid value", 400),
        ("Authorization", None, "Required header", 401),
        ("Authorization", Some(TOKEN), "Invalid value", 401),
    ];
    for (name, value, message, expected) in cases {
        let (client, request) = bench.call(Method::GET, "/agents").build_split();
        let mut request = request.unwrap();
        request.headers_mut().remove(name);
        if let Some(value) = value {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let (status, error) = bench.fail(RequestBuilder::from_parts(client, request)).await;
        let envelope = json!({
            "data": [{ "message": message, "propertyName": name }],
            "moreAfter": null, "status": "error", "type": "Error",
        });
        assert_eq!((status, error), (expected, envelope), "{name} {value:?}");
    }
}

#[tokio::test]
async fn companies_user_and_sector_have_the_documented_shapes() {
    let bench = Bench::start(&[]).await;
    let companies = bench.get("/companies?fields=publicId,name").await;
    assert_eq!(companies, fixture("field-api-companies"));
    assert_eq!(bench.get("/companies/me?fields=name").await["data"]["publicId"], COMPANY);
    assert_eq!(bench.get("/users/me?fields=emailAddress").await["data"]["emailAddress"], "demo@example.org");
    let request = bench.client.get(format!("{}/sectors/me?fields=publicId,name", bench.cloud));
    let request = request.header("Api-Version", "2").header("Api-Application", "VpnctlDemo01");
    let sector: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(sector, fixture("field-api-sector-me"));
}

#[tokio::test]
async fn agents_have_the_documented_shape() {
    let bench = Bench::start(&[]).await;
    let fields = "fields=name,activeVpnSession(vpnAddress,startedOn)&fields=mdrServer.publicId,mdrServer.name";
    let filter = r#"filters=in(publicId,"AAAAAAAAAAAA","AAAAAAAAAAAB","AAAAAAAAAAAF","AAAAAAAAAAAG")&page-size=3"#;
    let page = bench.get(&format!("/agents?{fields}&{filter}")).await;
    assert_eq!(shape(&page), shape(&fixture("field-api-agents-page")));
    let last = bench.get(&format!(r#"/agents?{fields}&filters=eq(name,"Press 8")"#)).await;
    assert_eq!(shape(&last), shape(&fixture("field-api-agents-last-page")));
    let one = bench.get(&format!("/agents/AAAAAAAAAAAC?{fields}")).await;
    assert_eq!(one["data"], last["data"][0]);
    let nobody = bench.call(Method::GET, "/agents/BBBBBBBBBBBA");
    assert_eq!(bench.fail(nobody).await.0, 404, "it belongs to the other company");
}

#[tokio::test]
async fn the_world_has_names_to_stumble_over() {
    let bench = Bench::start(&[]).await;
    assert_eq!(bench.ids("?fields=name").await.len(), 7);
    assert_eq!(bench.ids(r#"?filters=eq(name,"Pump")"#).await, ["AAAAAAAAAAAD", "AAAAAAAAAAAE"]);
    assert_eq!(bench.ids("?filters=isnull(name)").await, ["AAAAAAAAAAAB"]);
    assert_eq!(bench.ids("?filters=isnull(mdrServer),isnull(activeVpnSession)").await, ["AAAAAAAAAAAF"]);
    assert_eq!(bench.ids(r#"?filters=ne(activeStatus,"active")"#).await, ["AAAAAAAAAAAF"]);
    assert_eq!(bench.ids(r#"?filters=eq(name,"CUTTERLINE04")"#).await, ["AAAAAAAAAAAG"]);
    for (field, value) in [
        ("deviceId", "dev-0003"),
        ("serialNumber", "21500003"),
        ("macAddress", "00:22:44:00:00:03"),
        ("custom.commission", "C-4003"),
    ] {
        assert_eq!(bench.ids(&format!(r#"?filters=eq({field},"{value}")"#)).await, ["AAAAAAAAAAAC"], "{field}");
    }
    let other = bench.call(Method::GET, r#"/agents?fields=name&filters=contains(name,"Press")"#);
    let (client, request) = other.build_split();
    let mut request = request.unwrap();
    request.headers_mut().insert("Api-Company", "5555-4444-3333-2222-1111".parse().unwrap());
    let page: Value = client.execute(request).await.unwrap().json().await.unwrap();
    assert_eq!(page["data"], json!([{ "publicId": "BBBBBBBBBBBA", "name": "Press 7" }]));
}

#[tokio::test]
async fn queries_that_are_malformed_are_refused() {
    let bench = Bench::start(&[]).await;
    for (query, property) in [
        ("fields=nam", "fields"),
        ("fields=mdrServer(", "fields"),
        ("filters=eq(name)", "filters"),
        ("filters=eq(nam,\"x\")", "filters"),
        ("page-size=0", "page-size"),
        ("page-size=many", "page-size"),
        ("page-after=ZZZZZZZZZZZZ", "page-after"),
    ] {
        let (status, error) = bench.fail(bench.call(Method::GET, &format!("/agents?{query}"))).await;
        assert_eq!((status, &error["data"][0]["propertyName"]), (400, &json!(property)), "{query}");
    }
}

#[tokio::test]
async fn pages_hold_twenty_and_the_cursor_leads_through_all() {
    let bench = Bench::with(&[], 20, Some(45)).await;
    let mut seen: Vec<String> = Vec::new();
    let mut path = "/agents?fields=name".to_owned();
    for expected in [20, 20, 5] {
        let page = bench.get(&path).await;
        let ids: Vec<_> = page["data"].as_array().unwrap().iter().map(|agent| agent["publicId"].to_string()).collect();
        assert_eq!(ids.len(), expected);
        seen.extend(ids);
        path = format!("/agents?page-after={}", page["moreAfter"].as_str().unwrap_or_default());
    }
    assert!(path.ends_with('='), "the last page has no cursor");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 45);
    assert_eq!(bench.ids("?page-size=200").await.len(), 45);
    assert_eq!(Bench::with(&[], 20, Some(2)).await.ids("").await, ["AAAAAAAAAAAA", "AAAAAAAAAAAB"]);
}

#[tokio::test]
async fn lists_can_be_written_in_odd_ways() {
    let bench = Bench::start(&["single-object", "no-moreafter"]).await;
    let one = bench.get("/agents?filters=isnull(name)").await;
    assert_eq!(one["data"]["publicId"], "AAAAAAAAAAAB");
    assert!(one.get("moreAfter").is_none());
    assert_eq!(bench.ids("?page-size=2").await.len(), 2, "only one value becomes an object");
    bench.faults().clear_all();
    bench.faults().set("cursor-repeats");
    let first = bench.get("/agents?page-size=2").await;
    let second = bench.get(&format!("/agents?page-size=2&page-after={}", first["moreAfter"].as_str().unwrap())).await;
    assert_eq!(first, second);
}

#[tokio::test]
async fn the_cloud_can_be_unwell() {
    let bench = Bench::start(&["cloud-status=403@/agents*1"]).await;
    assert_eq!(bench.get("/companies").await["status"], "success");
    let (status, error) = bench.fail(bench.call(Method::GET, "/agents")).await;
    assert_eq!((status, shape(&error)), (403, shape(&fixture("field-api-error-agent-not-online"))));
    bench.faults().set("cloud-not-json*1");
    let answer = bench.call(Method::GET, "/agents").send().await.unwrap();
    assert_eq!(answer.status(), 502);
    assert!(answer.json::<Value>().await.is_err());
    bench.faults().set("token-expired");
    let answer = bench.fail(bench.call(Method::GET, "/agents")).await;
    assert_eq!(answer, (401, fixture("field-api-error-token-expired")));
    bench.faults().clear_all();
    bench.faults().set("rate-limit=2");
    bench.get("/companies").await;
    bench.get("/companies").await;
    assert_eq!(bench.fail(bench.call(Method::GET, "/companies")).await.0, 429);
}

#[tokio::test]
async fn a_routers_own_vpn_is_switched() {
    let bench = Bench::with(&[], 3, None).await;
    let session = async |id: &str| bench.get(&format!("/agents/{id}?fields=activeVpnSession.vpnAddress")).await;
    assert_eq!(session("AAAAAAAAAAAC").await["data"]["activeVpnSession"], Value::Null);
    let switch = |path: &str, body: Value| bench.call(Method::POST, path).body(body.to_string());
    let on = switch("/agents/AAAAAAAAAAAC/connection/openvpn", fixture("field-api-agent-openvpn.request"));
    let answer = on.send().await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.json::<Value>().await.unwrap(), fixture("field-api-empty-success"));
    assert!(session("AAAAAAAAAAAC").await["data"]["activeVpnSession"]["vpnAddress"].is_string());
    bench.connect_to("AAAAAAAAAAAC", COMPANY).send().await.unwrap();
    bench.until("connected").await;
    let offline = switch("/agents/AAAAAAAAAAAF/connection/openvpn", json!({ "action": "connect" }));
    assert_eq!(bench.fail(offline).await, (503, fixture("field-api-error-agent-not-online")));
    let list = json!([{ "publicId": "AAAAAAAAAAAC", "action": "disconnect" }]);
    assert_eq!(switch("/agents/connection/openvpn", list.clone()).send().await.unwrap().status(), 201);
    assert_eq!(session("AAAAAAAAAAAC").await["data"]["activeVpnSession"], Value::Null);
    let mixed = switch("/agents/AAAAAAAAAAAC/connection/openvpn", list);
    assert_eq!(bench.fail(mixed).await.0, 400, "a list does not belong into the single form");
}

#[tokio::test]
async fn who_is_connected_is_seen_in_the_cloud() {
    let bench = Bench::with(&[], 3, None).await;
    let users = async || bench.get("/agents/AAAAAAAAAAAA?fields=connectedUsers(name)").await["data"].clone();
    assert_eq!(users().await["connectedUsers"], json!([]));
    bench.connected().await;
    assert_eq!(users().await["connectedUsers"], json!([{ "name": "Example User" }]));
}
