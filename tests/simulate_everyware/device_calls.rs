//! The VPN calls of a device (sections 4.1 to 4.3) and their refusals (section 6).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vpnctl::simulate::everyware::CHILD_ACCOUNT;

use crate::cloud::{
    BERGEN_MISSING, Cloud, LYON_DOWN, LYON_UP, OSLO_NO_BUNDLE, PACKAGING, SPARE_NEVER, TURIN_OFFLINE, assert_shape,
    example, send,
};

fn up(address: &str) -> Value {
    json!({"connected": true, "ipAddress": address})
}

fn down() -> Value {
    example("vpn-disconnect")
}

#[tokio::test]
async fn the_vendors_page_plays_out() {
    let cloud = Cloud::with(&[]).await;
    assert_eq!(cloud.vpn(PACKAGING, "").await.ok(), example("vpn-status"));
    assert_eq!(cloud.vpn(PACKAGING, "/_disconnect").await.ok(), example("vpn-disconnect"));
    assert_eq!(cloud.vpn(PACKAGING, "").await.ok(), example("vpn-disconnect"));
    assert_eq!(cloud.vpn(PACKAGING, "/_connect").await.ok(), example("vpn-connect"));
    assert_eq!(cloud.vpn(PACKAGING, "").await.ok(), example("vpn-status"));
}

#[tokio::test]
async fn devices_keep_apart() {
    let cloud = Cloud::with(&[]).await;
    cloud.vpn(LYON_UP, "/_disconnect").await.ok();
    assert_eq!(cloud.vpn(LYON_DOWN, "/_connect").await.ok(), up("10.200.12.51"));
    assert_eq!(cloud.vpn(LYON_UP, "").await.ok(), down());
    assert_eq!(cloud.vpn(PACKAGING, "").await.ok(), up("10.200.12.49"));
}

#[tokio::test]
async fn a_second_call_changes_nothing() {
    let cloud = Cloud::with(&[]).await;
    assert_eq!(cloud.vpn(PACKAGING, "/_connect").await.ok(), up("10.200.12.49"));
    assert_eq!(cloud.vpn(LYON_DOWN, "/_disconnect").await.ok(), down());
}

#[tokio::test]
async fn posts_take_any_content_type_and_unknown_parameters() {
    let cloud = Cloud::with(&[]).await;
    for kind in ["application/json", "text/plain", "nonsense"] {
        let path = format!("/_/devices/{LYON_DOWN}/vpn/_connect?timeout=5&colour=red");
        let request = cloud.request(reqwest::Method::POST, &path).header("Content-Type", kind);
        assert_eq!(send(request).await.ok(), up("10.200.12.51"));
    }
}

#[tokio::test]
async fn only_the_path_with_v1_is_the_api() {
    let mut cloud = Cloud::with(&[]).await;
    cloud.url = cloud.url.replace("/v1", "");
    for path in [format!("/_/devices/{PACKAGING}/vpn"), "/".to_owned(), "/authentication/user".to_owned()] {
        let reply = cloud.get(&path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.json().get("kapuaErrorCode"), None, "{path}");
    }
}

#[tokio::test]
async fn devices_that_are_not_online_are_refused_with_their_status() {
    let cloud = Cloud::with(&[]).await;
    let never = cloud.vpn(SPARE_NEVER, "").await;
    assert_eq!(never.refused(409, "DEVICE_NOT_CONNECTED"), example("field-device-not-connected"));
    for (device, number, status) in
        [(TURIN_OFFLINE, "1863717829781522299", "DISCONNECTED"), (BERGEN_MISSING, "742", "MISSING")]
    {
        for call in ["", "/_connect", "/_disconnect"] {
            let body = cloud.vpn(device, call).await.refused(409, "DEVICE_NOT_CONNECTED");
            let text = format!("The device {number} is not CONNECTED. Current device connection status is: {status}");
            assert_eq!((&body["message"], &body["connectionStatus"]), (&json!(text), &json!(status)));
        }
    }
    cloud.fault("offline=gw-lyon-02,00:60:0C:81:5F:2A");
    let offline = cloud.vpn(PACKAGING, "").await;
    assert_eq!(offline.refused(409, "DEVICE_NOT_CONNECTED"), example("field-device-disconnected"));
    cloud.vpn(LYON_UP, "").await.refused(409, "DEVICE_NOT_CONNECTED");
    cloud.vpn(LYON_DOWN, "").await.ok();
}

#[tokio::test]
async fn faults_take_devices_away_and_give_them_back() {
    let cloud = Cloud::with(&["offline=*", "offline-as-500"]).await;
    cloud.vpn(PACKAGING, "").await.refused(500, "DEVICE_NOT_CONNECTED");
    cloud.heal();
    cloud.fault("missing=gw-lyon-02");
    cloud.fault("never-connected=gw-lyon-03");
    assert_eq!(cloud.vpn(LYON_UP, "").await.refused(409, "DEVICE_NOT_CONNECTED")["connectionStatus"], "MISSING");
    assert_eq!(cloud.vpn(LYON_DOWN, "").await.refused(409, "DEVICE_NOT_CONNECTED").get("connectionStatus"), None);
    cloud.heal();
    assert_eq!(cloud.vpn(LYON_UP, "").await.ok(), up("10.200.12.50"));
    cloud.fault("all-online");
    for device in [SPARE_NEVER, TURIN_OFFLINE, BERGEN_MISSING, OSLO_NO_BUNDLE] {
        assert_eq!(cloud.vpn(device, "").await.ok(), down());
    }
}

#[tokio::test]
async fn a_missing_bundle_is_told() {
    let cloud = Cloud::with(&[]).await;
    let reply = cloud.vpn(OSLO_NO_BUNDLE, "/_connect").await;
    assert_eq!(reply.refused(404, "RESPONSE_NOT_FOUND"), example("field-error-no-vpn-bundle"));
    cloud.fault("no-bundle=gw-lyon-02");
    cloud.fault("no-bundle-as-500");
    let reply = cloud.vpn(LYON_UP, "").await;
    assert_eq!(reply.refused(500, "RESPONSE_NOT_FOUND"), example("field-error-no-vpn-bundle-old"));
    cloud.vpn(PACKAGING, "").await.ok();
}

#[tokio::test]
async fn checks_come_in_the_vendors_order() {
    let mut cloud = Cloud::with(&["no-permission=device_management:execute", "device-timeout"]).await;
    let unknown = "AuQ";
    let body = cloud.vpn(unknown, "/_connect").await.refused(403, "SUBJECT_UNAUTHORIZED");
    assert_shape(&body, &example("field-error-subject-unauthorized"), &[]);
    assert_eq!(
        body["message"],
        "User does not have permission to perform this action. \
         Required permission: device_management:execute:3315290947379772881:*."
    );
    assert_eq!(body["permission"]["targetScopeId"], "LgJHjS2jvdE");
    let body = cloud.vpn(unknown, "").await.refused(404, "ENTITY_NOT_FOUND");
    assert_shape(&body, &example("field-error-entity-not-found"), &[]);
    assert_eq!(body["message"], "The entity of type device with id/name 740 was not found.");
    assert_eq!((&body["entityType"], &body["entityId"]), (&json!("device"), &json!(unknown)));
    cloud.vpn(TURIN_OFFLINE, "").await.refused(409, "DEVICE_NOT_CONNECTED");
    cloud.vpn(OSLO_NO_BUNDLE, "").await.refused(500, "TIMEOUT");
    cloud.token = None;
    assert_eq!(cloud.vpn(unknown, "/_connect").await.status, 401);
}

#[tokio::test]
async fn ids_are_base64url_and_have_no_wildcard() {
    let cloud = Cloud::with(&[]).await;
    let body = cloud.vpn("_", "").await.refused(400, "ILLEGAL_ARGUMENT");
    assert_eq!(body["message"], "An illegal value was provided for the argument deviceId: _.");
    let body = cloud.vpn("00:60:0C:81:5F:2A", "").await.refused(400, "ILLEGAL_ARGUMENT");
    assert_eq!((&body["argumentName"], &body["argumentValue"]), (&json!("deviceId"), &json!("00:60:0C:81:5F:2A")));
    // Client ids that happen to be base64url are ids of nothing.
    cloud.vpn("gw-lyon-02", "").await.refused(404, "ENTITY_NOT_FOUND");
    cloud.vpn("gateway-lyon-2", "").await.refused(404, "ENTITY_NOT_FOUND");
    let child = format!("/{CHILD_ACCOUNT}/devices/{PACKAGING}/vpn");
    cloud.get(&child).await.refused(404, "ENTITY_NOT_FOUND");
    let path = format!("/LgJHjS2jvdE/devices/{PACKAGING}/vpn");
    assert_eq!(cloud.get(&path).await.ok(), up("10.200.12.49"));
}

#[tokio::test]
async fn a_timeout_leaves_a_device_alone_unless_it_was_done() {
    let cloud = Cloud::with(&["device-timeout=gw-lyon-03"]).await;
    let reply = cloud.vpn(LYON_DOWN, "/_connect").await;
    assert_eq!(reply.refused(500, "TIMEOUT"), example("field-error-device-timeout"));
    cloud.vpn(PACKAGING, "").await.ok();
    cloud.heal();
    assert_eq!(cloud.vpn(LYON_DOWN, "").await.ok(), down());
    cloud.fault("timeout-but-done*1");
    assert_eq!(cloud.vpn(LYON_DOWN, "").await.ok(), down());
    cloud.vpn(LYON_DOWN, "/_connect").await.refused(500, "TIMEOUT");
    assert_eq!(cloud.vpn(LYON_DOWN, "").await.ok(), up("10.200.12.51"));
    assert_eq!(cloud.vpn(LYON_DOWN, "/_disconnect").await.ok(), down());
}

#[tokio::test]
async fn a_device_can_fail() {
    let cloud = Cloud::with(&["device-fails=Cannot start OpenVPN"]).await;
    let reply = cloud.vpn(LYON_DOWN, "/_connect").await;
    assert_eq!(reply.refused(500, "RESPONSE_INTERNAL_ERROR"), example("field-error-device-internal"));
    assert_eq!(cloud.vpn(LYON_DOWN, "").await.ok(), down());
    cloud.heal();
    cloud.fault("broken=2");
    cloud.vpn(LYON_UP, "").await.refused(500, "RESPONSE_INTERNAL_ERROR");
    cloud.vpn(PACKAGING, "").await.ok();
    cloud.vpn(LYON_DOWN, "").await.ok();
}

#[tokio::test]
async fn a_tunnel_can_come_late_or_never() {
    let cloud = Cloud::with(&["connect-late=2"]).await;
    let mut told = vec![cloud.vpn(LYON_DOWN, "/_connect").await.ok()];
    for _ in 0..3 {
        told.push(cloud.vpn(LYON_DOWN, "").await.ok());
    }
    assert_eq!(told, [down(), down(), down(), up("10.200.12.51")]);
    cloud.vpn(LYON_DOWN, "/_disconnect").await.ok();
    cloud.heal();
    cloud.fault("connect-never");
    for call in ["/_connect", "", ""] {
        assert_eq!(cloud.vpn(LYON_DOWN, call).await.ok(), down());
    }
    cloud.heal();
    cloud.fault("not-connected-answer");
    assert_eq!(cloud.vpn(LYON_DOWN, "/_connect").await.ok(), down());
    assert_eq!(cloud.vpn(LYON_DOWN, "").await.ok(), up("10.200.12.51"));
}

#[tokio::test]
async fn no_address_is_written_in_three_ways() {
    let cloud = Cloud::with(&["no-address=empty"]).await;
    assert_eq!(cloud.vpn(LYON_DOWN, "").await.ok(), json!({"connected": false, "ipAddress": ""}));
    cloud.fault("no-address=absent");
    assert_eq!(cloud.vpn(LYON_DOWN, "").await.ok(), json!({"connected": false}));
}

#[tokio::test]
async fn disconnect_can_be_spelt_right_wrong_both_or_neither() {
    let cloud = Cloud::with(&[]).await;
    for (fault, right, wrong) in [("right", 200, 404), ("wrong", 404, 200), ("both", 200, 200), ("neither", 404, 404)] {
        cloud.fault(&format!("disconnect-path={fault}"));
        for (call, status) in [("/_disconnect", right), ("/_discconect", wrong)] {
            let reply = cloud.vpn(PACKAGING, call).await;
            assert_eq!(reply.status, status, "{fault} {call}");
            assert_eq!(reply.json().get("kapuaErrorCode"), None);
        }
    }
    cloud.heal();
    assert_eq!(cloud.vpn(PACKAGING, "/_discconect").await.status, 404);
    cloud.fault("wrapped-disconnect");
    assert_eq!(cloud.vpn(PACKAGING, "/_disconnect").await.ok(), example("field-vpn-disconnect-wrapped"));
    assert_eq!(cloud.vpn(PACKAGING, "").await.ok(), down());
}

#[tokio::test]
async fn a_proxy_in_front_hides_what_was_done() {
    let cloud = Cloud::with(&["proxy-page=504@_connect"]).await;
    assert_eq!(cloud.vpn(LYON_DOWN, "").await.ok(), down());
    let reply = cloud.vpn(LYON_DOWN, "/_connect").await;
    assert_eq!((reply.status.as_u16(), reply.kind.as_str()), (504, "text/html"));
    assert_eq!(cloud.vpn(LYON_DOWN, "").await.ok(), up("10.200.12.51"));
    cloud.fault("proxy-page=502*1");
    assert_eq!(cloud.vpn(LYON_DOWN, "").await.status, 502);
    cloud.vpn(LYON_DOWN, "").await.ok();
}

#[tokio::test]
async fn a_device_can_be_slow() {
    let cloud = Cloud::with(&["device-slow=30"]).await;
    let begun = Instant::now();
    cloud.vpn(PACKAGING, "").await.ok();
    assert!(begun.elapsed() >= Duration::from_millis(30));
}
