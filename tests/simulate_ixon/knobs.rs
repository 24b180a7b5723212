//! What operators meet: logins that end soon, routers that take their time, settings that are refused.

use std::time::{Duration, SystemTime};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::bench::{Bench, COMPANY, Json as _, TOKEN, fixture};

impl Bench {
    async fn expires_in(&self) -> i64 {
        let me = self.get("/access-tokens/me?fields=expiresOn").await;
        let end: jiff::Timestamp = me["data"]["expiresOn"].as_str().unwrap().parse().unwrap();
        end.as_second() - i64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
    }

    async fn wake(&self, agent: &str, action: &str) -> reqwest::Response {
        let path = format!("/agents/{agent}/connection/openvpn");
        self.call(Method::POST, &path).body(json!({ "action": action }).to_string()).send().await.unwrap()
    }

    /// Tells whether an agent's VPN is up.
    async fn reachable(&self, agent: &str) -> bool {
        let agent = self.get(&format!("/agents/{agent}?fields=activeVpnSession(vpnAddress),mdrServer(name)")).await;
        assert!(agent["data"]["mdrServer"].is_object(), "online all the time: {agent}");
        agent["data"]["activeVpnSession"].is_object()
    }
}

#[tokio::test]
async fn a_token_may_end_within_hours_or_have_ended() {
    let bench = Bench::start(&[]).await;
    assert!(bench.expires_in().await > 59 * 24 * 3600);
    bench.faults().set("token-life=7200");
    let left = bench.expires_in().await;
    assert!((7000..=7201).contains(&left), "{left}");
    bench.faults().set("token-life=0");
    let refused = bench.fail(bench.call(Method::GET, "/access-tokens/me")).await;
    assert_eq!(refused, (401, fixture("field-api-error-token-expired")));
}

#[tokio::test]
async fn tokens_are_listed_and_ended_by_id_without_their_secrets() {
    let bench = Bench::start(&[]).await;
    let list = bench.get("/access-tokens?fields=*").await;
    assert_eq!((list["type"].as_str(), list["data"].as_array().unwrap().len()), (Some("AccessToken"), 1));
    assert!(!list.to_string().contains(TOKEN));
    let path = format!("/access-tokens/{}", list["data"][0]["publicId"].as_str().unwrap());
    assert_eq!(bench.fail(bench.call(Method::DELETE, "/access-tokens/XXXXXXXXXXXX")).await.0, 404);
    assert_eq!(bench.call(Method::DELETE, &path).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(bench.fail(bench.call(Method::GET, "/companies")).await.0, 401);
}

#[tokio::test]
async fn sectors_are_listed_without_a_bearer() {
    let bench = Bench::start(&[]).await;
    let request = bench.client.get(format!("{}/sectors?fields=name", bench.cloud)).header("Api-Version", "2");
    let answer: Value = request.header("Api-Application", "VpnctlDemo01").send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"][0]["publicId"], bench.get("/sectors/me").await["data"]["publicId"]);
}

#[tokio::test]
async fn a_router_takes_its_time_to_wake() {
    let bench = Bench::start(&["wake-delay=3600000"]).await;
    assert!(!bench.reachable("AAAAAAAAAAAC").await);
    assert_eq!(bench.wake("AAAAAAAAAAAC", "connect").await.status(), StatusCode::CREATED);
    assert!(!bench.reachable("AAAAAAAAAAAC").await, "on its way");
    bench.faults().set("wake-delay=20");
    tokio::time::sleep(Duration::from_millis(25)).await;
    assert!(bench.reachable("AAAAAAAAAAAC").await);
    assert_eq!(bench.wake("AAAAAAAAAAAC", "disconnect").await.status(), StatusCode::CREATED);
    assert!(!bench.reachable("AAAAAAAAAAAC").await, "at once");
    bench.faults().set("wake-delay=3600000");
    bench.wake("AAAAAAAAAAAC", "connect").await;
    bench.wake("AAAAAAAAAAAC", "disconnect").await;
    bench.faults().clear("wake-delay");
    assert!(!bench.reachable("AAAAAAAAAAAC").await, "called off");
}

#[tokio::test]
async fn a_router_that_hears_nothing_can_not_be_told_to_connect() {
    let bench = Bench::start(&["no-mqtt=AAAAAAAAAAAC"]).await;
    let deaf = bench.wake("AAAAAAAAAAAC", "connect").await;
    assert_eq!(deaf.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!bench.reachable("AAAAAAAAAAAC").await);
    assert_eq!(bench.wake("AAAAAAAAAAAA", "connect").await.status(), StatusCode::CREATED);
    bench.faults().set("no-mqtt");
    assert_eq!(bench.wake("AAAAAAAAAAAA", "connect").await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_second_factor_is_asked_for_in_the_words_of_either_version() {
    let bench = Bench::start(&["otp-needed=v1"]).await;
    let body = json!({ "expiresIn": 60 });
    let said = async |otp: &str| bench.fail(bench.login("", otp, &body)).await.1["data"][0]["message"].clone();
    assert_eq!(
        (said("").await, said("000000").await),
        (json!("One-Time Password required"), json!("One-Time Password failed"))
    );
    assert_eq!(bench.login("", "123456", &body).send().await.unwrap().status(), StatusCode::CREATED);
    bench.faults().set("otp-enforced");
    assert_eq!(said("123456").await, "2FA is required");
}

#[tokio::test]
async fn settings_are_refused_in_the_form_that_is_told() {
    let bench = Bench::start(&["configuration-refused=403:Not from here", "error-form=message"]).await;
    let url = format!("{}/configuration", bench.local);
    let before: Value = bench.client.get(&url).send().await.unwrap().json().await.unwrap();
    for request in [bench.client.put(&url).body("{}"), bench.client.post(format!("{url}/reset"))] {
        let (status, body) = bench.fail(request).await;
        assert_eq!((status, &body["message"]), (403, &json!("Not from here")));
    }
    assert_eq!(bench.client.get(&url).send().await.unwrap().json::<Value>().await.unwrap(), before);
}

#[tokio::test]
async fn an_agent_shows_the_fields_that_users_search_by() {
    let bench = Bench::start(&[]).await;
    let fields = "name,deviceId,serialNumber,macAddress,custom(commission),activeVpnSession(rscServer(name),vpnAddress),\
                  config(routerLan(network,netMask)),servers(name,port),company.name";
    let one = bench.get(&format!("/agents/AAAAAAAAAAAA?fields={fields}")).await["data"].clone();
    assert_eq!(one["custom"], json!({ "commission": "C-4001" }));
    assert_eq!(one["activeVpnSession"], json!({ "rscServer": { "name": "rsc1" }, "vpnAddress": "10.0.0.1" }));
    assert_eq!(one["config"], json!({ "routerLan": { "network": "192.168.1.0", "netMask": "255.255.255.0" } }));
    assert_eq!(
        (&one["servers"], &one["company"]["name"]),
        (&json!([{ "name": "Panel", "port": 443 }]), &json!("Example Machines"))
    );
    let companies = bench.get("/companies?fields=name").await;
    assert_eq!(companies["data"].as_array().unwrap().len(), 2);
    assert_eq!(bench.get("/companies/me?fields=name").await["data"]["publicId"], COMPANY);
}
