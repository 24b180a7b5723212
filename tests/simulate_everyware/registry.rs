//! The device registry (sections 4.4 and 4.5) and large fleets.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use vpnctl::simulate::everyware::CHILD_ACCOUNT;

use crate::cloud::{Cloud, LYON_UP, OSLO_NO_BUNDLE, PACKAGING, SPARE_NEVER, assert_shape, example};

/// What the vendor leaves out where it is null, and what a device that never connected has not reported.
const OPTIONAL: [&str; 20] = [
    "displayName",
    "connection",
    "connectionId",
    "lastEvent",
    "lastEventId",
    "extendedProperties",
    "modelId",
    "modelName",
    "biosVersion",
    "firmwareVersion",
    "osVersion",
    "jvmVersion",
    "osgiFrameworkVersion",
    "applicationFrameworkVersion",
    "connectionInterface",
    "connectionIp",
    "applicationIdentifiers",
    "acceptEncoding",
    "totalCount",
    "customAttribute1",
];

fn clients(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["clientId"].as_str().unwrap()).collect()
}

fn device<'a>(list: &'a Value, id: &str) -> &'a Value {
    list["items"].as_array().unwrap().iter().find(|item| item["id"] == id).unwrap()
}

/// Leaves out tags, of which the vendor's examples have none, after a look at their form.
fn strip_tags(device: &mut Value) {
    let tags = std::mem::replace(&mut device["tagIds"], json!([]));
    assert!(tags.as_array().unwrap().iter().all(Value::is_string), "{tags}");
}

fn untagged(mut list: Value) -> Value {
    list["items"].as_array_mut().unwrap().iter_mut().for_each(strip_tags);
    list
}

impl Cloud {
    async fn devices(&self, query: &str) -> Value {
        self.get(&format!("/_/devices?{query}")).await.ok()
    }

    async fn found(&self, query: &str) -> Vec<String> {
        clients(&self.devices(query).await).into_iter().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn lists_have_the_vendors_shape() {
    let cloud = Cloud::with(&[]).await;
    let plain = untagged(cloud.get("/_/devices").await.ok());
    assert_shape(&plain, &example("field-device-list"), &OPTIONAL);
    assert!(plain["items"].as_array().unwrap().iter().all(|item| item.get("connection").is_none()));
    let full = untagged(cloud.devices("fetchAttributes=connection&fetchAttributes=lastEvent").await);
    assert_shape(&full, &example("field-device-list-connection"), &OPTIONAL);
    // What is optional for the one that never connected is there for those that did.
    let first = json!({"type": "deviceListResult", "limitExceeded": false, "size": 1, "items": [full["items"][0]]});
    assert_shape(
        &first,
        &example("field-device-list-connection"),
        &["displayName", "extendedProperties", "customAttribute1"],
    );
    assert_eq!(cloud.devices("clientId=nobody").await, example("field-device-list-empty"));
    let mut one = cloud.get(&format!("/_/devices/{PACKAGING}")).await.ok();
    strip_tags(&mut one);
    assert_shape(&one, &example("field-device"), &OPTIONAL);
    assert_shape(&one["extendedProperties"], &example("field-device")["extendedProperties"], &[]);
}

#[tokio::test]
async fn connections_tell_who_is_online_and_since_when() {
    let cloud = Cloud::with(&[]).await;
    let list = cloud.devices("fetchAttributes=connection").await;
    let states: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| &item["connection"]["status"]).collect();
    let online = json!("CONNECTED");
    let (offline, lost) = (json!("DISCONNECTED"), json!("MISSING"));
    assert_eq!(states, [&online, &online, &online, &offline, &Value::Null, &online, &lost]);
    assert_eq!(device(&list, SPARE_NEVER).get("connection"), None);
    let since: Timestamp = list["items"][3]["connection"]["modifiedOn"].as_str().unwrap().parse().unwrap();
    assert_eq!(since.duration_until(Timestamp::now()).as_hours(), 72);
    let again = cloud.devices("fetchAttributes=connection").await;
    assert_eq!(list, again);
}

#[tokio::test]
async fn the_vpn_bundle_shows_in_the_application_ids() {
    let cloud = Cloud::with(&["no-bundle=gw-lyon-02"]).await;
    let list = cloud.get("/_/devices").await.ok();
    let has_vpn = |id| device(&list, id)["applicationIdentifiers"].as_str().unwrap().contains("VPNCLIENT-V");
    assert!(has_vpn(PACKAGING));
    assert!(!has_vpn(OSLO_NO_BUNDLE));
    assert!(!has_vpn(LYON_UP));
    assert_eq!(device(&list, SPARE_NEVER).get("applicationIdentifiers"), None);
}

#[tokio::test]
async fn null_names_are_left_out_unless_asked_otherwise() {
    let cloud = Cloud::with(&[]).await;
    assert_eq!(device(&cloud.devices("").await, OSLO_NO_BUNDLE).get("displayName"), None);
    cloud.fault("null-display-name");
    let list = cloud.devices("").await;
    assert_eq!(device(&list, OSLO_NO_BUNDLE).get("displayName"), Some(&Value::Null));
    assert_eq!(device(&list, PACKAGING)["displayName"], "Packaging line 1");
}

#[tokio::test]
async fn filters_choose() {
    let cloud = Cloud::with(&[]).await;
    assert_eq!(cloud.found("clientId=00:60:0C:81:5F:2A").await, ["00:60:0C:81:5F:2A"]);
    assert_eq!(cloud.found("clientId=00%3A60%3A0C%3A81%3A5F%3A2A").await, ["00:60:0C:81:5F:2A"]);
    assert_eq!(cloud.found("clientId=gw-lyon").await, [""; 0]);
    assert_eq!(cloud.found("matchTerm=gw-lyon").await, ["gw-lyon-02", "gw-lyon-03"]);
    assert_eq!(cloud.found("matchTerm=Lyon%20pumping+station").await, ["gw-lyon-02", "gw-lyon-03"]);
    assert_eq!(cloud.found("matchTerm=pumping").await, [""; 0]);
    assert_eq!(cloud.found("matchTerm=SN-200-000004").await, ["gw-turin-04"]);
    assert_eq!(cloud.found("status=DISCONNECTED").await, ["gw-turin-04"]);
    assert_eq!(cloud.found("status=MISSING").await, ["gw-bergen-07"]);
    assert_eq!(cloud.found("status=NULL").await, ["gw-spare-05"]);
    assert_eq!(cloud.found("status=CONNECTED&matchTerm=gw-").await, ["gw-lyon-02", "gw-lyon-03", "gw-oslo-06"]);
    assert_eq!(cloud.found("status=CONNECTED&clientId=gw-turin-04").await, [""; 0]);
    assert_eq!(cloud.found("tagId=AQ").await, ["00:60:0C:81:5F:2A", "gw-lyon-02"]);
    assert_eq!(cloud.found("tagId=Ag&status=CONNECTED").await, ["gw-lyon-02", "gw-lyon-03"]);
    assert_eq!(cloud.found("tagId=AuY").await, [""; 0]);
    cloud.fault("offline=gw-lyon-02");
    assert_eq!(cloud.found("status=DISCONNECTED").await, ["gw-lyon-02", "gw-turin-04"]);
}

#[tokio::test]
async fn unknown_parameters_are_ignored_and_wrong_values_are_not() {
    let cloud = Cloud::with(&[]).await;
    assert_eq!(cloud.found("colour=red&limit=1").await, ["00:60:0C:81:5F:2A"]);
    for (query, name) in [
        ("limit=many", "limit"),
        ("offset=-1", "offset"),
        ("status=ONLINE", "status"),
        ("tagId=a:b", "tagId"),
        ("sortDir=descending", "sortDir"),
        ("fetchAttributes=everything", "fetchAttributes"),
    ] {
        let body = cloud.get(&format!("/_/devices?{query}")).await.refused(400, "ILLEGAL_ARGUMENT");
        assert_eq!(body["argumentName"], name);
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let cloud = Cloud::with(&[]).await;
    let page = cloud.devices("limit=3&offset=3&askTotalCount=true").await;
    assert_eq!(clients(&page), ["gw-turin-04", "gw-spare-05", "gw-oslo-06"]);
    assert_eq!((&page["limitExceeded"], &page["size"], &page["totalCount"]), (&json!(true), &json!(3), &json!(7)));
    let last = cloud.devices("limit=3&offset=6").await;
    assert_eq!((clients(&last), &last["limitExceeded"]), (vec!["gw-bergen-07"], &json!(false)));
    assert_eq!(last.get("totalCount"), None);
    let exact = cloud.devices("limit=7").await;
    assert_eq!((&exact["size"], &exact["limitExceeded"]), (&json!(7), &json!(false)));
    let beyond = cloud.devices("offset=100").await;
    assert_eq!(beyond, example("field-device-list-empty"));
    let filtered = cloud.devices("matchTerm=gw-lyon&limit=1&askTotalCount=true").await;
    assert_eq!((&filtered["limitExceeded"], &filtered["totalCount"]), (&json!(true), &json!(2)));
    cloud.fault("page-size=2");
    let capped = cloud.devices("limit=1000").await;
    assert_eq!((clients(&capped).len(), &capped["limitExceeded"]), (2, &json!(true)));
}

#[tokio::test]
async fn lists_can_be_ordered() {
    let cloud = Cloud::with(&[]).await;
    let names = cloud.found("sortParam=displayName&limit=3").await;
    // The one without a name comes first.
    assert_eq!(names, ["gw-oslo-06", "gw-bergen-07", "gw-lyon-02"]);
    let clients = cloud.found("sortParam=clientId&sortDir=DESCENDING&limit=2").await;
    assert_eq!(clients, ["gw-turin-04", "gw-spare-05"]);
    assert_eq!(cloud.found("sortParam=clientId&sortDir=ASCENDING&limit=1").await, ["00:60:0C:81:5F:2A"]);
}

#[tokio::test]
async fn one_device_is_found_by_its_id() {
    let cloud = Cloud::with(&[]).await;
    assert_eq!(cloud.get(&format!("/_/devices/{LYON_UP}")).await.ok()["clientId"], "gw-lyon-02");
    assert_eq!(cloud.get("/_/devices/_").await.status, 400);
    cloud.get("/_/devices/AQ").await.refused(404, "ENTITY_NOT_FOUND");
    cloud.fault("no-permission=device:read");
    for path in ["/_/devices", "/_/devices/AQ"] {
        let body = cloud.get(path).await.refused(403, "SUBJECT_UNAUTHORIZED");
        assert_eq!((&body["permission"]["domain"], &body["permission"]["action"]), (&json!("device"), &json!("read")));
    }
}

#[tokio::test]
async fn devices_are_counted_and_queried() {
    let cloud = Cloud::with(&[]).await;
    assert_eq!(cloud.tell("/_/devices/_count").await.ok(), json!({"count": 7}));
    let child = cloud.post(&format!("/{CHILD_ACCOUNT}/devices/_count"), json!({})).await.ok();
    assert_shape(&child, &example("field-count"), &[]);
    assert_eq!(child["count"], 2);
    let page = cloud.post("/_/devices/_query", json!({"limit": 2, "offset": 1, "askTotalCount": true})).await.ok();
    let page = untagged(page);
    assert_shape(&page, &example("field-device-list"), &OPTIONAL);
    assert_eq!((clients(&page), &page["totalCount"]), (vec!["gw-lyon-02", "gw-lyon-03"], &json!(7)));
    cloud.post("/_/devices/_query", json!({"limit": "2"})).await.refused(400, "ILLEGAL_ARGUMENT");
}

#[tokio::test]
async fn devices_have_tags_and_custom_attributes() {
    let cloud = Cloud::with(&[]).await;
    let list = cloud.devices("").await;
    assert_eq!(device(&list, LYON_UP)["tagIds"], json!(["AQ", "Ag"]));
    assert_eq!(device(&list, LYON_UP)["customAttribute1"], "lyon");
    assert_eq!(
        (&device(&list, SPARE_NEVER)["tagIds"], &device(&list, SPARE_NEVER)["customAttribute1"]),
        (&json!([]), &json!("spare"))
    );
    assert_eq!(device(&list, OSLO_NO_BUNDLE).get("customAttribute1"), None);
    let fleet = Cloud::of(60).await;
    assert_eq!(fleet.found("tagId=AQ&limit=2").await, ["gw-000010", "gw-000020"]);
    assert_eq!(fleet.devices("tagId=AQ&limit=1&askTotalCount=true").await["totalCount"], 6);
}

#[tokio::test]
async fn totals_can_be_left_out_and_devices_come_and_go() {
    let cloud = Cloud::of(600).await;
    let firsts = async |count: usize| {
        let mut seen = Vec::new();
        for _ in 0..count {
            let page = cloud.devices("limit=1&askTotalCount=true").await;
            seen.push((clients(&page)[0].to_owned(), page["totalCount"].as_u64()));
        }
        seen
    };
    let told = |name: &str, total| (name.to_owned(), total);
    cloud.fault("devices-leave=3");
    let gone = [told("gw-000001", Some(600)), told("gw-000004", Some(597)), told("gw-000007", Some(594))];
    assert_eq!(firsts(3).await, gone);
    cloud.fault("no-total-count");
    assert_eq!(firsts(1).await, [told("gw-000010", None)]);
    let cloud = Cloud::of(600).await;
    cloud.fault("devices-come=2");
    let first = cloud.devices("limit=1").await;
    let second = cloud.devices("limit=1").await;
    assert_eq!((clients(&first), clients(&second)), (vec!["gw-000501"], vec!["gw-000499"]));
    let cloud = Cloud::of(600).await;
    cloud.fault("devices-change=2");
    for last in ["gw-000100", "gw-000102", "gw-000104"] {
        let page = cloud.devices("offset=99&askTotalCount=true").await;
        assert_eq!((clients(&page), page["totalCount"].as_u64()), (vec![last], Some(100)));
    }
    let cloud = Cloud::of(40).await;
    cloud.fault("connections-leave=5");
    for (total, count) in [(25, 1), (20, 1), (15, 1)] {
        let page = cloud.get("/_/vpnConnections?limit=1&askTotalCount=true").await.ok();
        assert_eq!((page["totalCount"].as_u64(), page["items"].as_array().unwrap().len()), (Some(total), count));
    }
}

#[tokio::test]
async fn a_scope_holds_its_own_devices_only() {
    let cloud = Cloud::with(&[]).await;
    let child = cloud.get(&format!("/{CHILD_ACCOUNT}/devices")).await.ok();
    assert_eq!(clients(&child), ["gw-north-01", "gw-north-02"]);
    assert!(child["items"].as_array().unwrap().iter().all(|item| item["scopeId"] == CHILD_ACCOUNT));
    assert_eq!(cloud.get("/LgJHjS2jvdE/devices").await.ok(), cloud.get("/_/devices").await.ok());
}

#[tokio::test]
async fn old_lists_nest_their_items_or_have_none() {
    let cloud = Cloud::with(&["legacy-items"]).await;
    let list = cloud.get("/_/devices").await.ok();
    let legacy = example("field-list-legacy-items");
    let strip = |list: &Value| json!({"type": "", "limitExceeded": false, "size": 0, "items": list["items"].as_object().unwrap().keys().collect::<Vec<_>>()});
    assert_eq!(strip(&list), strip(&legacy));
    assert_eq!(list["items"]["item"].as_array().unwrap().len(), 7);
    cloud.fault("missing-items");
    let list = cloud.get("/_/devices").await.ok();
    assert_eq!(list, json!({"type": "deviceListResult", "limitExceeded": false, "size": 0}));
}

#[tokio::test]
async fn a_fleet_is_the_same_each_time() {
    let (first, second) = (Cloud::of(60).await, Cloud::of(60).await);
    let query = "limit=60&askTotalCount=true";
    let list = first.devices(query).await;
    assert_eq!((&list["totalCount"], &list["limitExceeded"]), (&json!(60), &json!(false)));
    let pairs = |list: &Value| -> Vec<(Value, Value)> {
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| (item["id"].clone(), item["clientId"].clone())).collect()
    };
    assert_eq!(pairs(&list), pairs(&second.devices(query).await));
    assert_eq!(clients(&list)[41], "gw-000042");
    for (status, count) in [("CONNECTED", 51), ("DISCONNECTED", 3), ("MISSING", 3), ("NULL", 3)] {
        let list = first.devices(&format!("limit=1&askTotalCount=true&status={status}")).await;
        assert_eq!(list["totalCount"], count, "{status}");
    }
    assert_eq!(first.found("clientId=gw-000060").await, ["gw-000060"]);
    assert_eq!(first.found("clientId=gw-000061").await, [""; 0]);
    assert_eq!(first.found("clientId=gw-60").await, [""; 0]);
}

#[tokio::test]
async fn a_hundred_thousand_devices_are_no_trouble() {
    let cloud = Cloud::of(100_000).await;
    let mut ids = BTreeSet::new();
    for offset in [0, 50_000, 99_000] {
        let page = cloud.devices(&format!("limit=1000&offset={offset}&fetchAttributes=connection")).await;
        assert_eq!((&page["size"], &page["limitExceeded"]), (&json!(1000), &json!(offset != 99_000)));
        ids.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(ids.len(), 3000);
    assert!(ids.iter().any(|id| id.starts_with('-')) && ids.iter().any(|id| id.starts_with('_')));
    let last = cloud.devices("offset=99980&limit=1&fetchAttributes=connection").await;
    let id = last["items"][0]["id"].as_str().unwrap();
    assert_eq!(cloud.vpn(id, "").await.ok(), json!({"connected": true, "ipAddress": "10.201.146.189"}));
}
