//! Accounts and scopes (section 4.8), the build (4.11), and the configuration that drives all this.

use reqwest::Url;
use serde_json::{Value, json};
use vpnctl::simulate::everyware::{ACCOUNT, CHILD_ACCOUNT, PASSWORD, USERNAME};

use crate::cloud::{Cloud, assert_shape, example};

/// Fields of an organization that the vendor leaves out where they are null, and the date of an account that ends.
const OPTIONAL: [&str; 7] = [
    "expirationDate",
    "addressLine1",
    "addressLine2",
    "addressLine3",
    "phoneNumber",
    "stateProvinceCounty",
    "zipPostCode",
];

impl Cloud {
    async fn names(&self, scope: &str, query: &str) -> Vec<String> {
        let list = self.get(&format!("/{scope}/accounts?{query}")).await.ok();
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn accounts_have_the_vendors_shape() {
    let cloud = Cloud::with(&[]).await;
    let account = cloud.get("/account").await.ok();
    assert_shape(&account, &example("field-account"), &OPTIONAL);
    assert_eq!((&account["id"], &account["parentAccountPath"]), (&json!(ACCOUNT), &json!("/1/3315290947379772881")));
    let list = cloud.get("/_/accounts").await.ok();
    assert_shape(&list, &example("field-account-list"), &OPTIONAL);
    assert_eq!(list["items"][0]["scopeId"], ACCOUNT);
    assert_eq!(list["items"][0]["parentAccountPath"], "/1/3315290947379772881/36667357");
}

#[tokio::test]
async fn accounts_are_listed_by_level_or_as_a_tree() {
    let cloud = Cloud::with(&[]).await;
    assert_eq!(cloud.names("_", "recursive=true").await, ["acme-north"]);
    cloud.fault("deep-accounts");
    assert_eq!(cloud.names("_", "").await, ["acme-north"]);
    assert_eq!(cloud.names("_", "recursive=true").await, ["acme-north", "acme-north-lab"]);
    assert_eq!(cloud.names(CHILD_ACCOUNT, "").await, ["acme-north-lab"]);
    assert_eq!(cloud.names("_", "recursive=true&sortParam=name&sortDir=DESCENDING&limit=1").await, ["acme-north-lab"]);
    assert_eq!(cloud.names("_", "name=nobody").await, [""; 0]);
    assert_eq!(cloud.names("_", "name=nobody&recursive=true").await.len(), 2);
    assert_eq!(cloud.names("_", "recursive=true&matchTerm=ACME+North+Lab").await, ["acme-north-lab"]);
}

#[tokio::test]
async fn a_scope_is_the_users_or_below() {
    let cloud = Cloud::with(&[]).await;
    let body = cloud.get("/AQ/devices").await.refused(403, "SUBJECT_UNAUTHORIZED");
    assert_eq!(
        body["message"],
        "User does not have permission to perform this action. Required permission: device:read:1:*."
    );
    let body = cloud.get("/acme:inc/devices").await.refused(400, "ILLEGAL_ARGUMENT");
    assert_eq!(body["argumentName"], "scopeId");
}

#[tokio::test]
async fn the_build_is_told_to_those_who_have_a_bearer() {
    let cloud = Cloud::with(&[]).await;
    assert_shape(&cloud.get("/sys-info").await.ok(), &example("field-sys-info"), &[]);
}

#[tokio::test]
async fn the_configuration_drives_the_simulation() {
    let cloud = Cloud::bare(&[], None).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vpnctl.toml");
    cloud.world.write_config(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let config: Value = serde_json::to_value(toml::from_str::<toml::Value>(&text).unwrap()).unwrap();
    let backend = &config["backend"]["everyware"];
    assert_eq!((&backend["url"], &backend["scope"]), (&json!(cloud.url), &json!("_")));
    assert_eq!(Url::parse(&cloud.url).unwrap().path(), "/v1");
    let file = |value: &Value| std::fs::read_to_string(value.as_str().unwrap()).unwrap();
    assert_eq!(file(&backend["tls"]["ca_file"]), cloud.world.ca_pem());
    let password = file(&backend["password"]["file"]);
    assert_eq!((&backend["username"], password.as_str()), (&json!(USERNAME), PASSWORD));
    cloud.password(USERNAME, &password).await.ok();
}
