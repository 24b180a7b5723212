//! Faults switched from outside, and the knobs of the VPN client's own answers.

use serde_json::json;

use crate::bench::{Bench, FAST};
use vpnctl::simulate::world::{Options, World, check_faults};

#[tokio::test]
async fn a_fault_that_does_not_exist_is_refused_with_the_nearest_name() {
    let bench = Bench::new(FAST, &[]).await;
    let refused = bench.send("PUT", "/__simulate/faults/expired-sessions*2", "").await;
    assert_eq!(
        (refused.status, refused.text.as_str()),
        (404, "there is no fault called expired-sessions; the nearest is expire-sessions")
    );
    assert_eq!(bench.send("PUT", "/__simulate/faults/expire-sessions*2", "").await.status, 204);
    assert_eq!(bench.send("GET", "/__simulate/faults", "").await.json(), json!(["expire-sessions*2"]));
    assert_eq!(bench.send("DELETE", "/__simulate/faults/expire-sessions", "").await.status, 204);
    assert_eq!(bench.send("GET", "/__simulate/faults", "").await.json(), json!([]));
}

#[tokio::test]
async fn a_world_does_not_start_with_a_fault_of_nobodys() {
    let start = async |vendors: &[&str], fault: &str| {
        let vendors = vendors.iter().map(|&vendor| vendor.to_owned()).collect();
        let options = Options { vendors, faults: vec![fault.to_owned()], ..Options::default() };
        World::start(&options).await.map(|_| ()).map_err(|error| error.to_string())
    };
    let unknown = Err("there is no fault called itali; the nearest is italy".to_owned());
    assert_eq!(start(&["freebox"], "itali").await, unknown);
    assert_eq!(start(&[], "freebox:itali").await, unknown);
    assert!(start(&[], "everyware:italy").await.is_err(), "another vendor's");
    assert_eq!(start(&["ixon"], "italy").await, Ok(()), "one vendor's is enough");
    let check = |vendor: &str| check_faults(&[vendor.to_owned()], &["italy=1*2".to_owned()]);
    assert!(check("freebox").is_ok() && check("ixon").is_err(), "on the command line it is that of a vendor asked for");
    assert_eq!(start(&["ixon"], "slow=1").await, Ok(()));
}

#[tokio::test]
async fn errors_of_the_domain_may_have_another_status() {
    let bench = Bench::logged_in(FAST, &["domain-status=403"]).await;
    assert_eq!(bench.get("vpn_client/config/vpn99").await.code(), (403, "noent".to_owned()));
    assert_eq!(bench.get("vpn_client/config/vpn0").await.status, 200);
}

#[tokio::test]
async fn changes_are_refused_as_told_and_nothing_is_changed() {
    let bench = Bench::logged_in(FAST, &["changing=ioerror*3"]).await;
    let before = bench.get("vpn_client/config/").await.json();
    assert_eq!(bench.activate("vpn0", true).await.code(), (200, "ioerror".to_owned()));
    assert_eq!(bench.send("DELETE", "/api/v16/vpn_client/config/vpn0", "").await.code().1, "ioerror");
    assert_eq!(bench.post("vpn_client/config/", &json!({})).await.code().1, "ioerror");
    assert_eq!(bench.get("vpn_client/config/").await.json(), before);
    assert_eq!(bench.activate("vpn0", true).await.code(), (200, "none".to_owned()));
}

#[tokio::test]
async fn a_sub_object_is_merged_to_the_depth_that_is_told() {
    let bench = Bench::logged_in(FAST, &["merge-conf=deep"]).await;
    let body = json!({"conf_pptp": {"allowed_auth": {"chap": true}}});
    let methods = async || bench.put("vpn_client/config/vpn0", &body).await.json()["result"]["conf_pptp"].clone();
    let deep = methods().await;
    assert_eq!((&deep["allowed_auth"]["chap"], &deep["allowed_auth"]["mschapv2"]), (&json!(true), &json!(true)));
    bench.fault("merge-conf");
    let keys = methods().await;
    assert_eq!((&keys["allowed_auth"]["chap"], &keys["allowed_auth"]["mschapv2"]), (&json!(true), &json!(false)));
    assert_eq!(keys["username"], json!("freeuser"));
}

#[tokio::test]
async fn a_log_that_rotates_loses_its_oldest_lines() {
    let bench = Bench::logged_in(FAST, &[]).await;
    let log = async || bench.get("vpn_client/log").await.json()["result"].as_str().unwrap().to_owned();
    bench.activate("vpn0", true).await;
    bench.until("up", |status| status["state"] == json!("up") && status["active_vpn"] == json!("vpn0")).await;
    let whole = log().await;
    bench.fault("log-limit=2");
    let kept = log().await;
    assert_eq!(kept.lines().count(), 2);
    assert!(whole.ends_with(&kept) && whole.lines().count() == 6, "{whole}\n--\n{kept}");
    bench.activate("vpn0", false).await;
    let moved = log().await;
    assert_eq!(moved.lines().count(), 2);
    assert!(!moved.contains("vpn0 connecting"), "{moved}");
}

#[tokio::test]
async fn what_is_only_written_is_never_read() {
    let bench = Bench::logged_in(FAST, &[]).await;
    let secret = "only-written";
    let pptp = json!({"type": "pptp", "description": "a", "conf_pptp": {
        "remote_host": "h.example.org", "username": "u", "password": secret}});
    let openvpn = json!({"type": "openvpn", "description": "b", "conf_openvpn": {
        "username": "u", "password": secret, "config_file": format!("client\n# {secret}\n")}});
    for body in [&pptp, &openvpn] {
        let added = bench.post("vpn_client/config/", body).await;
        assert!(added.text.contains(r#""password":"""#) && !added.text.contains(secret), "{}", added.text);
        let id = added.json()["result"]["id"].as_str().unwrap().to_owned();
        let changed = bench.put(&format!("vpn_client/config/{id}"), body).await;
        assert!(changed.status == 200 && !changed.text.contains("password"), "{}", changed.text);
    }
    for path in ["vpn_client/config/", "vpn_client/config/vpn3", "vpn_client/config/vpn4", "vpn_client/log"] {
        let read = bench.get(path).await;
        assert!(!read.text.contains(secret) && !read.text.contains("config_file"), "{path}: {}", read.text);
    }
}
