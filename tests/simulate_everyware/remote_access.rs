//! Who is connected to the VPN server, servers and profiles (sections 4.6 and 4.7).

use serde_json::{Value, json};
use vpnctl::simulate::everyware::CHILD_ACCOUNT;

use crate::cloud::{Cloud, LYON_DOWN, LYON_UP, PACKAGING, assert_shape, example};

impl Cloud {
    async fn connections(&self, query: &str) -> Value {
        self.get(&format!("/_/vpnConnections?{query}")).await.ok()
    }

    /// Tells which devices the server has a connection of.
    async fn connected(&self) -> Vec<String> {
        let list = self.connections("").await;
        let items = list["items"].as_array().unwrap();
        items.iter().filter_map(|item| Some(item.get("deviceId")?.as_str().unwrap().to_owned())).collect()
    }
}

#[tokio::test]
async fn connections_have_the_vendors_shape() {
    let cloud = Cloud::with(&[]).await;
    let list = cloud.connections("").await;
    assert_shape(&list, &example("field-vpn-connections"), &[]);
    let users = list["items"].as_array().unwrap().iter().filter(|item| item.get("userId").is_some()).count();
    assert_eq!((users, &list["size"]), (1, &json!(3)));
    assert_eq!(list["items"][1]["inetAddress"], "10.200.12.49");
}

#[tokio::test]
async fn connections_follow_the_devices() {
    let cloud = Cloud::with(&[]).await;
    assert_eq!(cloud.connected().await, [PACKAGING, LYON_UP]);
    cloud.vpn(PACKAGING, "/_disconnect").await.ok();
    cloud.vpn(LYON_DOWN, "/_connect").await.ok();
    assert_eq!(cloud.connected().await, [LYON_UP, LYON_DOWN]);
    cloud.fault("offline=gw-lyon-02");
    assert_eq!(cloud.connected().await, [LYON_DOWN]);
    cloud.heal();
    cloud.fault("no-bundle=gw-lyon-02");
    assert_eq!(cloud.connected().await, [LYON_DOWN]);
    cloud.heal();
    cloud.fault("connect-late=1");
    cloud.vpn(PACKAGING, "/_connect").await.ok();
    assert_eq!(cloud.connected().await, [LYON_UP, LYON_DOWN]);
    cloud.vpn(PACKAGING, "").await.ok();
    cloud.vpn(PACKAGING, "").await.ok();
    assert_eq!(cloud.connected().await, [PACKAGING, LYON_UP, LYON_DOWN]);
}

#[tokio::test]
async fn connections_come_in_pages() {
    let cloud = Cloud::with(&["page-size=2"]).await;
    let first = cloud.connections("limit=1000&askTotalCount=true").await;
    assert_eq!((&first["size"], &first["limitExceeded"], &first["totalCount"]), (&json!(2), &json!(true), &json!(3)));
    let last = cloud.connections("limit=1000&offset=2").await;
    assert_eq!((&last["size"], &last["limitExceeded"]), (&json!(1), &json!(false)));
    assert_eq!(last["items"][0]["deviceId"], LYON_UP);
    assert_eq!(cloud.tell("/_/vpnConnections/_count").await.ok(), json!({"count": 3}));
    let query = cloud.post("/_/vpnConnections/_query", json!({"offset": 2})).await.ok();
    assert_eq!(query, last);
}

#[tokio::test]
async fn connections_of_a_child_are_its_own() {
    let cloud = Cloud::with(&[]).await;
    let list = cloud.get(&format!("/{CHILD_ACCOUNT}/vpnConnections")).await.ok();
    assert_eq!((&list["size"], &list["items"][0]["inetAddress"]), (&json!(1), &json!("10.240.0.10")));
    assert_eq!(list["items"][0]["scopeId"], CHILD_ACCOUNT);
}

#[tokio::test]
async fn a_connection_can_be_ended_at_the_server() {
    let cloud = Cloud::with(&[]).await;
    let connection = cloud.connections("").await["items"][1].clone();
    let path = format!("/_/vpnConnections/{}", connection["id"].as_str().unwrap());
    assert_eq!(cloud.get(&path).await.ok(), connection);
    assert_eq!(cloud.tell(&format!("{path}/_disconnect")).await.ok(), connection);
    cloud.get(&path).await.refused(404, "ENTITY_NOT_FOUND");
    assert_eq!(cloud.vpn(PACKAGING, "").await.ok(), example("vpn-disconnect"));
}

#[tokio::test]
async fn connections_can_be_closed_to_the_user() {
    let cloud = Cloud::with(&["vpn-connections-status=403"]).await;
    let body = cloud.get("/_/vpnConnections").await.refused(403, "SUBJECT_UNAUTHORIZED");
    assert_eq!(body["permission"]["domain"], "vpn");
    cloud.fault("vpn-connections-status=404");
    let reply = cloud.get("/_/vpnConnections").await;
    assert_eq!((reply.status.as_u16(), reply.json().get("kapuaErrorCode")), (404, None));
    cloud.heal();
    cloud.fault("no-permission=vpn:read");
    for path in ["/_/vpnConnections", "/_/vpnServers", "/_/vpnServers/_configurations"] {
        cloud.get(path).await.refused(403, "SUBJECT_UNAUTHORIZED");
    }
}

#[tokio::test]
async fn servers_and_profiles_have_the_vendors_shape() {
    let cloud = Cloud::with(&[]).await;
    let servers = cloud.get("/_/vpnServers").await.ok();
    assert_shape(&servers, &example("field-vpn-servers"), &[]);
    let found = cloud.get("/_/vpnServers?matchTerm=vpn2").await.ok();
    assert_eq!((&found["size"], &found["items"][0]["name"]), (&json!(1), &json!("backup")));
    assert_eq!(cloud.get("/_/vpnServers?name=remote").await.ok()["size"], 0);
    let ordered = cloud.get("/_/vpnServers?sortParam=name").await.ok();
    assert_eq!(ordered["items"][0]["name"], "backup");
    let profiles = cloud.get("/_/vpnServers/_configurations").await.ok();
    assert_shape(&profiles, &example("field-vpn-configurations"), &[]);
    assert!(profiles["items"].as_array().unwrap().iter().any(|item| item["name"] == "OpenVPN_3_0_0"));
}
