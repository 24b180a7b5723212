//! Logins, tokens and rights (section 3).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use vpnctl::simulate::everyware::{API_KEY, MFA_CODE, MFA_PASSWORD, MFA_USERNAME, PASSWORD, USERNAME};

use crate::cloud::{Cloud, Reply, assert_shape, example, send};

const INVALIDATED: &str = "The provided AccessToken has been invalidated in the past";
const EXPIRED: &str = "The provided access token is expired";
const MALFORMED: &str = "The provided access token is malformed";
const OTHER: &str = "An error occurred during the authentication process with the provided access token";

impl Cloud {
    /// Asks for something with a bearer and tells how Jetty refused it.
    async fn refusal(&self, bearer: Option<&str>) -> String {
        let mut request = self.client.get(format!("{}/account", self.url)).header("Accept", "application/json");
        if let Some(bearer) = bearer {
            request = request.header("Authorization", bearer);
        }
        let reply = send(request).await;
        assert_eq!(reply.status, 401, "{}", reply.text);
        let body = reply.json();
        assert_eq!(body["status"], "401");
        assert_eq!(body["url"], "/v1/account");
        assert_eq!(body.get("kapuaErrorCode"), None);
        body["message"].as_str().unwrap().to_owned()
    }

    async fn refresh(&self, token: &Value) -> Reply {
        let body = json!({"tokenId": token["tokenId"], "refreshToken": token["refreshToken"]});
        self.post("/authentication/refresh", body).await
    }

    async fn with_code(&self, extra: Value) -> Reply {
        let mut body = json!({"username": MFA_USERNAME, "password": MFA_PASSWORD});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        self.post("/authentication/user", body).await
    }
}

#[track_caller]
fn assert_refused_login(reply: &Reply) {
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (401, ""));
}

fn bearer(token: &Value) -> String {
    format!("Bearer {}", token["tokenId"].as_str().unwrap())
}

fn moment(token: &Value, key: &str) -> Timestamp {
    token[key].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_token_has_the_vendors_shape_and_lifetimes() {
    let mut cloud = Cloud::bare(&[], None).await;
    let token = cloud.log_in().await;
    assert_shape(&token, &example("field-access-token"), &[]);
    let created = moment(&token, "createdOn");
    assert!(created.duration_until(Timestamp::now()) < SignedDuration::from_secs(10));
    assert_eq!(created.duration_until(moment(&token, "expiresOn")), SignedDuration::from_mins(30));
    assert_eq!(created.duration_until(moment(&token, "refreshExpiresOn")), SignedDuration::from_hours(5));
    let parts: Vec<&str> = token["tokenId"].as_str().unwrap().split('.').collect();
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    assert_eq!(parts.len(), 3);
    assert_eq!(payload["exp"].as_i64().unwrap() - payload["iat"].as_i64().unwrap(), 1800);
    assert_eq!((&payload["sub"], &payload["sId"]), (&token["userId"], &token["scopeId"]));
    assert_eq!(payload["iss"], "https://www.eclipse.org/kapua");
}

#[tokio::test]
async fn an_api_key_logs_in() {
    let mut cloud = Cloud::bare(&["mfa"], None).await;
    assert_eq!(API_KEY.len(), example("field-login-apikey.request")["apiKey"].as_str().unwrap().len());
    let token = cloud.post("/authentication/apikey", json!({"apiKey": API_KEY})).await.ok();
    assert_shape(&token, &example("field-access-token"), &[]);
    cloud.token = token["tokenId"].as_str().map(str::to_owned);
    assert_eq!(cloud.get("/account").await.ok()["name"], "acme-inc");
}

#[tokio::test]
async fn refused_logins_are_empty_whatever_the_reason() {
    let cloud = Cloud::bare(&[], None).await;
    assert_refused_login(&cloud.password(USERNAME, "wrong").await);
    assert_refused_login(&cloud.password("nobody", PASSWORD).await);
    assert_refused_login(&cloud.post("/authentication/apikey", json!({"apiKey": "wrong"})).await);
    cloud.fault("locked");
    assert_refused_login(&cloud.password(USERNAME, PASSWORD).await);
    cloud.post("/authentication/apikey", json!({"apiKey": API_KEY})).await.ok();
    cloud.heal();
    cloud.fault("refuse-login*2");
    assert_refused_login(&cloud.password(USERNAME, PASSWORD).await);
    assert_refused_login(&cloud.post("/authentication/apikey", json!({"apiKey": API_KEY})).await);
    cloud.password(USERNAME, PASSWORD).await.ok();
}

#[tokio::test]
async fn a_login_body_that_is_wrong_is_no_failed_login() {
    let cloud = Cloud::bare(&[], None).await;
    let missing = cloud.post("/authentication/user", json!({"user": USERNAME, "password": PASSWORD})).await;
    let body = missing.refused(400, "ILLEGAL_NULL_ARGUMENT");
    assert_shape(&body, &example("field-error-illegal-null-argument"), &[]);
    assert_eq!(body["message"], "An illegal null value was provided for the argument username.");
    let array = cloud.post("/authentication/user", json!({"username": USERNAME, "password": [PASSWORD]})).await;
    assert_shape(&array.refused(400, "ILLEGAL_ARGUMENT"), &example("field-error-illegal-argument"), &[]);
}

#[tokio::test]
async fn three_failures_in_a_row_lock_the_password() {
    let cloud = Cloud::bare(&[], None).await;
    // A login that succeeds starts the count anew.
    for _ in 0..2 {
        for _ in 0..2 {
            cloud.password(USERNAME, "wrong").await;
        }
        cloud.password(USERNAME, PASSWORD).await.ok();
    }
    for _ in 0..3 {
        cloud.password(USERNAME, "wrong").await;
    }
    assert_refused_login(&cloud.password(USERNAME, PASSWORD).await);
    cloud.post("/authentication/apikey", json!({"apiKey": API_KEY})).await.ok();
    cloud.with_code(json!({"authenticationCode": MFA_CODE})).await.ok();
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_a_device_can_be_trusted() {
    let cloud = Cloud::bare(&[], None).await;
    let asked = cloud.with_code(json!({})).await;
    assert_eq!(asked.refused(403, "REQUIRE_MFA_CREDENTIALS"), example("field-error-mfa-required"));
    assert_refused_login(&cloud.with_code(json!({"authenticationCode": "000000"})).await);
    let plain = cloud.with_code(json!({"authenticationCode": MFA_CODE})).await.ok();
    assert_eq!(plain.get("trustKey"), None);
    let number: u32 = MFA_CODE.parse().unwrap();
    let trusted = cloud.with_code(json!({"authenticationCode": number, "trustMe": true})).await.ok();
    assert_shape(&trusted, &example("field-access-token"), &["trustKey"]);
    let key = trusted["trustKey"].as_str().unwrap();
    cloud.with_code(json!({"trustKey": key})).await.ok();
    cloud
        .with_code(json!({"trustKey": "1c34b3d4-ca23-11ec-9d64-0242ac120002"}))
        .await
        .refused(403, "REQUIRE_MFA_CREDENTIALS");
    cloud.fault("mfa");
    cloud.password(USERNAME, PASSWORD).await.refused(403, "REQUIRE_MFA_CREDENTIALS");
}

#[tokio::test]
async fn a_refresh_kills_the_old_token_at_once() {
    let mut cloud = Cloud::bare(&[], None).await;
    let old = cloud.log_in().await;
    let new = cloud.refresh(&old).await.ok();
    assert_shape(&new, &example("field-access-token"), &[]);
    assert_ne!(new["refreshToken"], old["refreshToken"]);
    assert_eq!(cloud.refusal(Some(&bearer(&old))).await, INVALIDATED);
    cloud.token = new["tokenId"].as_str().map(str::to_owned);
    cloud.get("/account").await.ok();
}

#[tokio::test]
async fn a_refresh_needs_no_bearer_and_no_live_token() {
    let mut cloud = Cloud::bare(&["token-ttl=0"], None).await;
    let old = cloud.log_in().await;
    cloud.token = None;
    cloud.heal();
    assert_eq!(cloud.refusal(Some(&bearer(&old))).await, EXPIRED);
    let new = cloud.refresh(&old).await.ok();
    cloud.token = new["tokenId"].as_str().map(str::to_owned);
    cloud.get("/account").await.ok();
}

#[tokio::test]
async fn refresh_errors_have_the_five_texts() {
    let mut cloud = Cloud::bare(&["refresh-ttl=0"], None).await;
    let late = cloud.log_in().await;
    cloud.heal();
    let expired = cloud.refresh(&late).await.refused(401, "REFRESH_ERROR");
    assert_eq!(expired, example("field-error-refresh"));
    let token = cloud.log_in().await;
    let message = async |id: &Value, refresh: &Value| {
        let body = cloud.refresh(&json!({"tokenId": id, "refreshToken": refresh})).await.refused(401, "REFRESH_ERROR");
        body["message"].as_str().unwrap().strip_prefix("Error while refreshing the AccessToken. ").unwrap().to_owned()
    };
    assert_eq!(message(&json!("gibberish"), &token["refreshToken"]).await, "");
    let unknown = &example("field-refresh.request")["tokenId"];
    assert_eq!(message(unknown, &token["refreshToken"]).await, "AccessToken not found");
    assert_eq!(
        message(&token["tokenId"], &late["refreshToken"]).await,
        "The provided refresh token doesn't match the one for this AccessToken"
    );
    cloud.refresh(&token).await.ok();
    assert_eq!(
        message(&token["tokenId"], &token["refreshToken"]).await,
        "The provided AccessToken has been invalidated"
    );
    cloud.fault("empty-401");
    assert_refused_login(&cloud.refresh(&token).await);
}

#[tokio::test]
async fn a_logout_ends_the_token() {
    let mut cloud = Cloud::bare(&[], None).await;
    let token = cloud.log_in().await;
    let reply = cloud.tell("/authentication/logout").await;
    assert_eq!((reply.status.as_u16(), reply.text.as_str()), (204, ""));
    assert_eq!(cloud.refusal(Some(&bearer(&token))).await, INVALIDATED);
}

#[tokio::test]
async fn a_bearer_is_refused_with_one_of_four_texts() {
    let cloud = Cloud::with(&[]).await;
    assert_eq!(cloud.refusal(None).await, OTHER);
    assert_eq!(cloud.refusal(Some("Bearer gibberish")).await, MALFORMED);
    let unknown = bearer(&example("field-access-token"));
    assert_eq!(cloud.refusal(Some(&unknown)).await, OTHER);
    // The filter only removes the word, so a bare token passes.
    let bare = cloud.token.clone().unwrap();
    let request = cloud.client.get(format!("{}/account", cloud.url)).header("Authorization", bare);
    send(request).await.ok();
}

#[tokio::test]
async fn a_refused_bearer_is_a_page_unless_json_is_accepted() {
    let cloud = Cloud::bare(&[], None).await;
    let url = format!("{}/_/devices", cloud.url);
    let page = send(cloud.client.get(&url)).await;
    assert_eq!(page.status, 401);
    assert!(page.kind.starts_with("text/html"), "{}", page.kind);
    assert!(page.text.contains(OTHER), "{}", page.text);
    cloud.fault("empty-401");
    assert_refused_login(&cloud.get("/_/devices").await);
    let options = send(cloud.client.request(Method::OPTIONS, &url)).await;
    assert_ne!(options.status, 401);
}

#[tokio::test]
async fn every_path_of_the_api_asks_for_a_bearer_first() {
    let cloud = Cloud::bare(&[], None).await;
    for path in ["/account", "/sys-info", "/_/nothing", "/authentication/info", "/_/vpnConnections"] {
        assert_eq!(cloud.get(path).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn tokens_can_be_invalidated_from_outside() {
    let mut cloud = Cloud::with(&["invalidate-tokens"]).await;
    assert_eq!(cloud.get("/account").await.status, 401);
    cloud.log_in().await;
    cloud.get("/account").await.ok();
    cloud.fault("invalidate-tokens*2");
    assert_eq!(cloud.get("/account").await.status, 401);
    cloud.log_in().await;
    assert_eq!(cloud.get("/account").await.status, 401);
    cloud.log_in().await;
    cloud.get("/account").await.ok();
}

#[tokio::test]
async fn a_clock_that_is_behind_makes_tokens_that_look_dead_and_work() {
    let mut cloud = Cloud::bare(&["token-expired-at-issue"], None).await;
    let token = cloud.log_in().await;
    assert!(moment(&token, "expiresOn") < Timestamp::now());
    cloud.get("/account").await.ok();
}

#[tokio::test]
async fn the_rights_of_the_user_are_told() {
    let cloud = Cloud::with(&["no-permission=vpn:read,device_management:execute"]).await;
    let info = cloud.get("/authentication/info").await.ok();
    assert_shape(&info, &example("field-login-info"), &["action"]);
    let rights = |list: &str| -> Vec<String> {
        let entries = info[list].as_array().unwrap().iter().map(|entry| &entry["permission"]);
        entries.map(|right| format!("{}:{}", right["domain"], right["action"]).replace('"', "")).collect()
    };
    assert_eq!(rights("accessPermission"), ["vpn:connect"]);
    assert_eq!(rights("rolePermission"), ["account:read", "device:read", "device_management:read"]);
    assert_eq!(info["accessToken"]["tokenId"], json!(cloud.token));
}
