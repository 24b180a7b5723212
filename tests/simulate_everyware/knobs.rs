//! Rights that end at the account's border, machines that are no longer trusted, devices that are not what they seem.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use vpnctl::simulate::everyware::{CHILD_ACCOUNT, MFA_CODE, MFA_PASSWORD, MFA_USERNAME};

use crate::cloud::{Cloud, LYON_DOWN, PACKAGING, Reply};

impl Cloud {
    async fn by_trust(&self, extra: Value) -> Reply {
        let mut body = json!({"username": MFA_USERNAME, "password": MFA_PASSWORD});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        self.post("/authentication/user", body).await
    }

    /// Gives a device of the account's list by its id, with its connection and last event.
    async fn listed(&self, id: &str) -> Value {
        let list = self.get("/_/devices?fetchAttributes=connection&fetchAttributes=lastEvent").await.ok();
        list["items"].as_array().unwrap().iter().find(|item| item["id"] == id).unwrap().clone()
    }
}

fn age(date: &Value) -> SignedDuration {
    date.as_str().unwrap().parse::<Timestamp>().unwrap().duration_until(Timestamp::now())
}

#[tokio::test]
async fn a_trust_key_is_good_until_it_is_thirty_days_old() {
    let cloud = Cloud::bare(&[], None).await;
    let trusted = cloud.by_trust(json!({"authenticationCode": MFA_CODE, "trustMe": true})).await.ok();
    let key = json!({"trustKey": trusted["trustKey"]});
    cloud.by_trust(key.clone()).await.ok();
    cloud.fault("trust-expired");
    cloud.by_trust(key.clone()).await.refused(403, "REQUIRE_MFA_CREDENTIALS");
    let renewed = cloud.by_trust(json!({"trustKey": key["trustKey"], "authenticationCode": MFA_CODE, "trustMe": true}));
    assert_ne!(renewed.await.ok()["trustKey"], key["trustKey"]);
    cloud.heal();
    cloud.by_trust(key).await.ok();
}

#[tokio::test]
async fn rights_may_end_where_the_account_does() {
    let cloud = Cloud::with(&["not-forwardable=device:read"]).await;
    cloud.get("/_/devices").await.ok();
    let refused = cloud.get(&format!("/{CHILD_ACCOUNT}/devices")).await.refused(403, "SUBJECT_UNAUTHORIZED");
    assert_eq!(refused["permission"]["targetScopeId"], CHILD_ACCOUNT);
    cloud.get(&format!("/{CHILD_ACCOUNT}/vpnConnections")).await.ok();
    let info = cloud.get("/authentication/info").await.ok();
    let entries = info["rolePermission"].as_array().unwrap().iter().map(|entry| &entry["permission"]);
    let kept: Vec<&Value> =
        entries.filter(|right| right["forwardable"] == false).map(|right| &right["domain"]).collect();
    assert_eq!(kept, ["device"]);
    cloud.fault("not-forwardable");
    cloud.get(&format!("/{CHILD_ACCOUNT}/vpnConnections")).await.refused(403, "SUBJECT_UNAUTHORIZED");
    assert_eq!(cloud.get("/_/accounts").await.ok()["size"], 1, "the child is still seen");
}

#[tokio::test]
async fn a_disabled_device_is_connected_all_the_same() {
    let cloud = Cloud::with(&["disabled=gw-lyon-03"]).await;
    let device = cloud.listed(LYON_DOWN).await;
    assert_eq!((&device["status"], &device["connection"]["status"]), (&json!("DISABLED"), &json!("CONNECTED")));
    assert_eq!(cloud.listed(PACKAGING).await["status"], "ENABLED");
}

#[tokio::test]
async fn a_stale_connection_says_since_when_and_does_not_answer() {
    let cloud = Cloud::with(&[]).await;
    let fresh = cloud.listed(PACKAGING).await;
    assert!(age(&fresh["connection"]["modifiedOn"]) < SignedDuration::from_hours(3));
    cloud.fault("stale=00:60:0C:81:5F:2A");
    let stale = cloud.listed(PACKAGING).await;
    assert_eq!(stale["connection"]["status"], "CONNECTED");
    assert!(age(&stale["connection"]["modifiedOn"]) > SignedDuration::from_hours(48));
    assert!(age(&stale["lastEvent"]["receivedOn"]) > SignedDuration::from_hours(48));
    cloud.vpn(PACKAGING, "").await.refused(500, "TIMEOUT");
    cloud.vpn(LYON_DOWN, "").await.ok();
}

#[tokio::test]
async fn accounts_come_in_pages_too() {
    let cloud = Cloud::with(&["deep-accounts", "page-size=1"]).await;
    let first = cloud.get("/_/accounts?recursive=true&limit=100&askTotalCount=true").await.ok();
    assert_eq!((&first["size"], &first["limitExceeded"], &first["totalCount"]), (&json!(1), &json!(true), &json!(2)));
    let last = cloud.get("/_/accounts?recursive=true&limit=100&offset=1").await.ok();
    assert_eq!((&last["size"], &last["limitExceeded"]), (&json!(1), &json!(false)));
    assert_ne!(first["items"][0]["id"], last["items"][0]["id"]);
    let deep = last["items"][0]["id"].as_str().unwrap();
    assert_eq!(cloud.get(&format!("/{deep}/devices")).await.ok()["type"], "deviceListResult");
}

#[tokio::test]
async fn every_error_of_a_device_call_has_its_status_and_message() {
    let cloud = Cloud::with(&[]).await;
    for (code, status, class, message) in [
        ("RESPONSE_BAD_REQUEST", 500, "deviceManagementResponseCodeExceptionInfo", "The device has not understood"),
        (
            "RESPONSE_UNKNOWN_CODE",
            500,
            "deviceManagementResponseCodeExceptionInfo",
            "The device has returned an unknown",
        ),
        ("SEND_ERROR", 500, "deviceManagementSendExceptionInfo", "An error occurred when sending the message: "),
        ("APPLICATION_DISABLED", 500, "exceptionInfo", "The Device Management Application "),
        ("SERVICE_DISABLED", 404, "exceptionInfo", "The Service is disabled: "),
        ("SERVICE_OPERATION_NOT_SUPPORTED", 422, "exceptionInfo", ""),
    ] {
        cloud.fault(&format!("device-error={code}@_connect*1"));
        cloud.vpn(LYON_DOWN, "").await.ok();
        let body = cloud.vpn(LYON_DOWN, "/_connect").await.refused(status, code);
        assert_eq!((&body["type"], &body["httpErrorCode"]), (&json!(class), &json!(status)));
        assert!(body["message"].as_str().unwrap().starts_with(message), "{body}");
    }
    assert_eq!(cloud.vpn(LYON_DOWN, "").await.ok()["connected"], false, "nothing was done");
    cloud.fault("device-error=SEND_ERROR");
    cloud.vpn("LQNak9Yzkus", "").await.refused(409, "DEVICE_NOT_CONNECTED");
}
