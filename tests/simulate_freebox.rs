//! Holds the simulated Freebox to the vendor's own bodies, over real HTTP.
#![cfg(feature = "simulate")]

// The lint's exemption for tests does not reach their helpers.
#[allow(clippy::unwrap_used)]
#[path = "simulate_freebox/bench.rs"]
mod bench;

#[path = "simulate_freebox/beacon.rs"]
mod beacon;
#[path = "simulate_freebox/control.rs"]
mod control;
#[path = "simulate_freebox/https.rs"]
#[expect(clippy::unwrap_used, reason = "a test that can't go on fails")]
mod https;

use std::time::Duration;

use bench::{Bench, FAST, SLOW, fixture, same_shape, shape, signed};
use serde_json::{Value, json};
use vpnctl::simulate::freebox::{APP_ID, APP_TOKEN};

#[test]
fn the_comparison_of_shapes_can_fail() {
    assert_eq!(shape(&json!({"a": [1, 2], "b": "x"})), shape(&json!({"b": "y", "a": [3]})));
    for other in [
        json!({"a": ["1"], "b": "x"}),
        json!({"a": [1]}),
        json!({"a": [1], "b": "x", "c": null}),
        json!({"a": 1, "b": "x"}),
    ] {
        assert_ne!(shape(&json!({"a": [1], "b": "x"})), shape(&other), "{other}");
    }
}

#[tokio::test]
async fn the_version_is_a_bare_object_with_escaped_slashes() {
    let bench = Bench::new(FAST, &[]).await;
    let reply = bench.send("GET", "/api_version", "").await;
    same_shape(&reply.json(), "field-api-version");
    assert!(reply.text.contains(r#""api_base_url":"\/api\/""#), "{}", reply.text);
    assert_eq!(reply.headers["server"], "nginx");
    assert_eq!(reply.headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(reply.headers["content-length"], reply.text.len().to_string());
    bench.fault("partial-api-version");
    bench.fault("api-version=6.0");
    let reply = bench.send("GET", "/api_version", "").await.json();
    same_shape(&reply, "field-api-version-partial");
    assert_eq!(reply["api_version"], json!("6.0"));
}

#[tokio::test]
async fn any_known_version_answers_with_and_without_a_trailing_slash() {
    let bench = Bench::logged_in(FAST, &[]).await;
    for path in [
        "/api/v1/vpn_client/status",
        "/api/v4/vpn_client/status/",
        "/api/v16/vpn_client/status",
        "/api/latest/vpn_client/status?_dc=1700000000000",
    ] {
        assert_eq!(bench.send("GET", path, "").await.json()["result"]["enabled"], json!(true), "{path}");
    }
    for path in ["/api/v17/vpn_client/status", "/api/v16/vpn_client/nope", "/api/v16/nope", "/nope", "/"] {
        let reply = bench.send("GET", path, "").await;
        assert_eq!(reply.code(), (404, "invalid_request".to_owned()), "{path}");
        same_shape(&reply.json(), "field-error-invalid-request");
    }
    bench.fault("api-version=6.0");
    assert_eq!(bench.send("GET", "/api/v7/vpn_client/status", "").await.status, 404);
    assert_eq!(bench.send("GET", "/api/v6/vpn_client/status", "").await.status, 200);
    bench.fault("api-version=1.0");
    assert_eq!(bench.send("GET", "/api/v1/vpn_client/status", "").await.status, 404);
}

#[tokio::test]
async fn a_login_signs_the_challenge() {
    let mut bench = Bench::new(FAST, &[]).await;
    let greeting = bench.get("login/").await.json();
    same_shape(&greeting, "field-login-real-fields");
    assert_eq!(greeting["result"]["logged_in"], json!(false));
    let reply = bench.log_in(APP_ID, APP_TOKEN).await;
    same_shape(&reply.json(), "field-session-new-app");
    assert!(reply.text.contains(r"\/") && bench.session.as_deref().unwrap().contains('/'), "{}", reply.text);
    assert_eq!(reply.json()["result"]["permissions"]["settings"], json!(true));
    assert_eq!(bench.get("login").await.json()["result"]["logged_in"], json!(true));
    same_shape(&bench.get("login/perms/").await.json(), "field-login-perms");
    same_shape(&bench.get("connection/config/").await.json(), "field-connection-config");

    let live = bench.session.clone();
    bench.session = live.as_deref().map(|token| token.replace('/', "\\/"));
    assert_eq!(
        bench.get("login/perms/").await.code(),
        (403, "auth_required".to_owned()),
        "an undecoded token is no token"
    );
    bench.session = live;
    same_shape(&bench.send("POST", "/api/v16/login/logout/", "").await.json(), "field-logout");
    assert_eq!(bench.get("login/perms/").await.code(), (403, "auth_required".to_owned()));
    assert_eq!(bench.send("POST", "/api/v16/login/logout/", "").await.status, 403);
}

#[tokio::test]
async fn a_wrong_password_is_refused_with_a_challenge_that_can_be_signed() {
    let mut bench = Bench::new(FAST, &[]).await;
    let reply = bench.log_in(APP_ID, "another token").await;
    assert_eq!(reply.code(), (403, "invalid_token".to_owned()));
    same_shape(&reply.json(), "field-error-invalid-token");
    let challenge = reply.json()["result"]["challenge"].as_str().unwrap().to_owned();
    assert_eq!(bench.sign_in(APP_ID, APP_TOKEN, &challenge).await.status, 200);
    assert_eq!(bench.sign_in(APP_ID, APP_TOKEN, &challenge).await.status, 403, "a challenge is good once");
    assert_eq!(bench.log_in("another app", APP_TOKEN).await.code(), (403, "invalid_token".to_owned()));

    let refused = bench.get("vpn_client/status").await;
    assert_eq!(refused.code(), (403, "auth_required".to_owned()));
    same_shape(&refused.json(), "field-error-auth-required");
    let challenge = refused.json()["result"]["challenge"].as_str().unwrap().to_owned();
    assert_eq!(bench.sign_in(APP_ID, APP_TOKEN, &challenge).await.status, 200);
}

#[tokio::test]
async fn a_body_is_json_whatever_its_type_says() {
    let mut bench = Bench::new(FAST, &[]).await;
    let challenge = bench.get("login/").await.json()["result"]["challenge"].as_str().unwrap().to_owned();
    let url = format!("{}/api/v16/login/session/", bench.running().urls[0].1);
    let body = json!({"app_id": APP_ID, "password": signed(APP_TOKEN, &challenge), "app_version": null}).to_string();
    let request = bench.client.post(url).header("Content-Type", "text/plain; charset=utf-8").body(body);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let malformed = bench.send("POST", "/api/v16/login/session/", "{").await;
    assert_eq!(malformed.code(), (403, "invalid_request".to_owned()));
    bench.log_in(APP_ID, APP_TOKEN).await;
    assert_eq!(bench.send("PUT", "/api/v16/vpn_client/config/vpn0", "{").await.status, 403);
}

#[tokio::test]
async fn a_pairing_is_granted_by_polling_and_lacks_settings() {
    let mut bench = Bench::new(FAST, &[]).await;
    let asked = bench.ask_for_token().await.json();
    same_shape(&asked, "field-authorize");
    let token = asked["result"]["app_token"].as_str().unwrap().to_owned();
    let track = format!("login/authorize/{}", asked["result"]["track_id"]);
    let app_id = "fr.freebox.testapp";
    assert_eq!(bench.log_in(app_id, &token).await.code(), (403, "pending_token".to_owned()), "not polled yet");
    let mut words = Vec::new();
    for _ in 0..3 {
        let reply = bench.get(&track).await.json();
        same_shape(&reply, "field-authorize-pending");
        words.push(reply["result"]["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(words, ["pending", "pending", "granted"]);
    assert_eq!(bench.get("login/authorize/99").await.json()["result"]["status"], json!("unknown"));

    assert_eq!(bench.log_in(app_id, &token).await.json()["result"]["permissions"]["settings"], json!(false));
    let refused = bench.activate("vpn0", true).await;
    assert_eq!(refused.code(), (403, "insufficient_rights".to_owned()));
    same_shape(&refused.json(), "field-error-insufficient-rights");
    for (method, path) in [("POST", "config/"), ("DELETE", "config/vpn0"), ("PUT", "apps/")] {
        let path = format!("/api/v16/vpn_client/{path}");
        assert_eq!(bench.send(method, &path, "{}").await.status, 403, "{method} {path}");
    }
    bench.fault("grant-settings");
    assert_eq!(bench.activate("vpn0", true).await.status, 403, "a right is seen by the next session");
    bench.log_in(app_id, &token).await;
    assert_eq!(bench.activate("vpn0", true).await.status, 200);
}

#[tokio::test]
async fn pairing_again_ends_the_old_token_and_its_sessions() {
    let mut bench = Bench::logged_in(FAST, &["pairing=granted"]).await;
    let body = json!({"app_id": APP_ID, "app_name": "vpnctl", "device_name": "test"});
    let asked = bench.post("login/authorize/", &body).await.json();
    assert_eq!(bench.get("vpn_client/log").await.status, 200, "asking alone ends nothing");
    bench.get(&format!("login/authorize/{}", asked["result"]["track_id"])).await;
    assert_eq!(bench.get("vpn_client/log").await.code(), (403, "auth_required".to_owned()));
    assert_eq!(bench.log_in(APP_ID, APP_TOKEN).await.code(), (403, "invalid_token".to_owned()));
    let token = asked["result"]["app_token"].as_str().unwrap().to_owned();
    assert_eq!(bench.log_in(APP_ID, &token).await.status, 200);
}

#[tokio::test]
async fn secrets_are_not_read_without_settings() {
    let mut bench = Bench::logged_in(FAST, &["no-settings-right"]).await;
    let conf = bench.get("vpn_client/config/vpn2").await.json()["result"]["conf_wireguard"].clone();
    assert!(conf.get("local_priv_key").is_none() && conf.get("remote_preshared_key").is_none(), "{conf}");
    assert!(conf.get("remote_public_key").is_some());
    bench.fault("masked-secrets=******");
    let conf = bench.get("vpn_client/config/vpn2").await.json()["result"]["conf_wireguard"].clone();
    assert_eq!(conf["local_priv_key"], json!("******"));
    bench.clear("no-settings-right");
    bench.log_in(APP_ID, APP_TOKEN).await;
    let conf = bench.get("vpn_client/config/vpn2").await.json()["result"].clone();
    same_shape(&conf, "field-config-wireguard");
    assert_ne!(conf["conf_wireguard"]["local_priv_key"], json!("******"));
}

#[tokio::test]
async fn pairing_is_answered_as_told() {
    let bench = Bench::new(FAST, &["pairing=denied:1"]).await;
    let track = format!("login/authorize/{}", bench.ask_for_token().await.json()["result"]["track_id"]);
    let first = bench.get(&track).await.json()["result"]["status"].clone();
    let second = bench.get(&track).await.json()["result"]["status"].clone();
    assert_eq!((first, second), (json!("pending"), json!("denied")));
    bench.fault("new-apps-denied");
    let reply = bench.ask_for_token().await;
    assert_eq!(reply.code(), (403, "new_apps_denied".to_owned()));
    same_shape(&reply.json(), "field-error-new-apps-denied");
    bench.clear("new-apps-denied");
    for (fault, code) in [("denied-from-external-ip", "denied_from_external_ip"), ("apps-denied", "apps_denied")] {
        bench.fault(fault);
        assert_eq!(bench.ask_for_token().await.code(), (403, code.to_owned()));
        bench.clear(fault);
    }
    assert_eq!(bench.post("login/authorize/", &json!({"app_id": "a"})).await.code().1, "invalid_request");
}

#[tokio::test]
async fn logins_are_refused_as_told() {
    let mut bench = Bench::new(FAST, &["ratelimited*1"]).await;
    assert_eq!(bench.log_in(APP_ID, APP_TOKEN).await.code(), (403, "ratelimited".to_owned()));
    assert_eq!(bench.log_in(APP_ID, APP_TOKEN).await.status, 200);
    for (fault, code) in [
        ("apps-denied", "apps_denied"),
        ("pending-token", "pending_token"),
        ("challenge-consumed", "invalid_token"),
        ("challenge-ttl=0", "invalid_token"),
        ("invalid-token", "invalid_token"),
    ] {
        bench.fault(fault);
        assert_eq!(bench.log_in(APP_ID, APP_TOKEN).await.code(), (403, code.to_owned()), "{fault}");
        bench.clear(fault.split('=').next().unwrap());
    }
    bench.fault("uid=0123");
    assert_eq!(bench.log_in(APP_ID, "wrong").await.json()["uid"], json!("0123"));
    bench.fault("web-ui-challenge");
    same_shape(&bench.get("login/").await.json(), "field-login-web-ui-challenge");
}

#[tokio::test]
async fn sessions_die() {
    let mut bench = Bench::logged_in(FAST, &[]).await;
    assert_eq!(bench.get("vpn_client/log").await.status, 200);
    bench.fault("expire-sessions");
    assert_eq!(bench.get("vpn_client/log").await.code(), (403, "auth_required".to_owned()));
    bench.log_in(APP_ID, APP_TOKEN).await;
    assert_eq!(bench.get("vpn_client/log").await.status, 200, "once without a count");
    bench.fault("expire-sessions*2");
    for expected in [403, 403, 200] {
        bench.log_in(APP_ID, APP_TOKEN).await;
        assert_eq!(bench.get("vpn_client/log").await.status, expected);
    }
    bench.fault("session-ttl=0.03");
    bench.log_in(APP_ID, APP_TOKEN).await;
    tokio::time::sleep(Duration::from_millis(40)).await;
    assert_eq!(bench.get("vpn_client/log").await.status, 403);
    bench.clear("session-ttl");
    bench.log_in(APP_ID, APP_TOKEN).await;
    bench.fault("invalid-token");
    assert_eq!(bench.get("vpn_client/log").await.status, 403, "a revoked application has no session");
}

#[tokio::test]
async fn configurations_have_the_documented_shapes() {
    let bench = Bench::logged_in(FAST, &[]).await;
    let list = bench.get("vpn_client/config/").await.json();
    let documented: Vec<&Value> =
        list["result"].as_array().unwrap().iter().filter(|one| one["type"] != json!("openvpn")).collect();
    same_shape(&json!({"success": true, "result": documented}), "field-config-list-wireguard");
    assert_eq!(list["result"][1]["conf_openvpn"], json!({"username": "fbxtest"}));
    same_shape(&bench.get("vpn_client/config/vpn0").await.json(), "config-get");
    same_shape(&bench.get("vpn_client/config/vpn2").await.json()["result"], "field-config-wireguard");

    let added = bench.post("vpn_client/config/", &fixture("config-add.request")).await.json();
    same_shape(&added, "config-add");
    assert_eq!(added["result"]["id"], json!("vpn3"));
    for (name, id) in [("field-config-add-wireguard.request", "vpn4"), ("field-config-add-openvpn.request", "vpn5")] {
        assert_eq!(bench.post("vpn_client/config/", &fixture(name)).await.json()["result"]["id"], json!(id), "{name}");
    }
    let updated = bench.put("vpn_client/config/vpn0", &fixture("config-update.request")).await.json();
    same_shape(&updated, "config-update");
    let renamed = bench.put("vpn_client/config/vpn0", &json!({"description": "Other", "id": "x"})).await.json();
    assert_eq!((&renamed["result"]["description"], &renamed["result"]["id"]), (&json!("Other"), &json!("vpn0")));
    let removed = bench.send("DELETE", "/api/v16/vpn_client/config/vpn3", "").await.json();
    same_shape(&removed, "config-delete");
    assert_eq!(bench.get("vpn_client/config/vpn3").await.code(), (200, "noent".to_owned()));
}

#[tokio::test]
async fn an_update_replaces_or_merges_a_sub_object() {
    let bench = Bench::logged_in(FAST, &[]).await;
    let partial = json!({"conf_pptp": {"username": "other"}});
    assert_eq!(bench.put("vpn_client/config/vpn0", &partial).await.code(), (200, "inval".to_owned()));
    bench.fault("merge-conf");
    let merged = bench.put("vpn_client/config/vpn0", &partial).await.json();
    same_shape(&merged, "config-update");
    assert_eq!(merged["result"]["conf_pptp"]["username"], json!("other"));
    bench.put("vpn_client/config/vpn1", &json!({"description": "Renamed"})).await;
    let status = bench.status().await;
    assert_eq!((&status["active_vpn_description"], &status["state"]), (&json!("Renamed"), &json!("up")));
}

#[tokio::test]
async fn errors_of_the_domain_come_with_200() {
    let bench = Bench::logged_in(FAST, &[]).await;
    let reply = bench.get("vpn_client/config/vpn99").await;
    assert_eq!(reply.code(), (200, "noent".to_owned()));
    same_shape(&reply.json(), "field-error-noent");
    assert_eq!(bench.activate("vpn99", true).await.code(), (200, "noent".to_owned()));
    assert_eq!(bench.send("DELETE", "/api/v16/vpn_client/config/vpn99", "").await.code().1, "noent");
    assert_eq!(bench.put("vpn_client/config/vpn0", &json!({"active": "yes"})).await.code().1, "inval");
    assert_eq!(bench.post("vpn_client/config/", &json!({"type": "pptp"})).await.code(), (200, "inval".to_owned()));
    bench.fault("adding=exist*1");
    assert_eq!(bench.post("vpn_client/config/", &fixture("config-add.request")).await.code().1, "exist");
    for code in ["busy", "exist", "inval"] {
        bench.fault(&format!("activation={code}*1"));
        assert_eq!(bench.activate("vpn0", true).await.code(), (200, code.to_owned()));
    }
    for (code, name) in [("notsupp", "notsupp"), ("service_down", "service-down"), ("internal_error", "internal-error")]
    {
        bench.fault(&format!("vpn-client={code}*1"));
        let reply = bench.get("vpn_client/status").await;
        assert_eq!(reply.code(), (200, code.to_owned()));
        same_shape(&reply.json(), &format!("field-error-{name}"));
    }
    bench.fault("vpn-client=invalid_request*1");
    assert_eq!(bench.get("vpn_client/status").await.status, 404);
    bench.fault("no-error-code");
    same_shape(&bench.get("vpn_client/config/vpn99").await.json(), "field-error-no-code");
    bench.clear("no-error-code");
    bench.fault("plain-400=status*1");
    assert_eq!(bench.get("vpn_client/log").await.status, 200);
    let plain = bench.get("vpn_client/status").await;
    assert_eq!((plain.status, plain.text.as_str()), (400, "400 Bad Request"));
}

#[tokio::test]
async fn a_tunnel_goes_up_and_down() {
    let bench = Bench::logged_in(FAST, &[]).await;
    assert_eq!(bench.status().await["active_vpn"], json!("vpn1"));
    let answer = bench.activate("vpn0", true).await.json();
    assert_eq!(answer["result"]["active"], json!(true));
    bench.until("up", |status| status["state"] == json!("up") && status["active_vpn"] == json!("vpn0")).await;
    let reply = bench.get("vpn_client/status").await.json();
    same_shape(&reply, "status-up");
    assert!(reply["result"]["last_up"].as_u64() >= reply["result"]["last_try"].as_u64());
    let first = reply["result"]["stats"]["bytes_down"].as_u64();
    bench.until("traffic grows", |status| status["stats"]["bytes_down"].as_u64() > first).await;
    let list = bench.get("vpn_client/config/").await.json();
    let active: Vec<&Value> = list["result"].as_array().unwrap().iter().map(|one| &one["active"]).collect();
    assert_eq!(active, [true, false, false]);

    bench.activate("vpn0", false).await;
    bench.until("off", |status| status["enabled"] == json!(false)).await;
    assert_eq!(bench.get("vpn_client/status").await.json(), fixture("field-status-disabled"));
}

#[tokio::test]
async fn a_tunnel_is_seen_on_its_way() {
    let bench = Bench::logged_in(SLOW, &[]).await;
    bench.activate("vpn1", false).await;
    let down = bench.status().await;
    assert_eq!((&down["state"], &down["enabled"]), (&json!("going_down"), &json!(true)));
    assert!(down.get("ipv4").is_none());
    drop(bench);

    let bench = Bench::logged_in(SLOW, &["waiting-wan"]).await;
    assert_eq!(bench.status().await["state"], json!("waiting_wan"));
    bench.clear("waiting-wan");
    let up = bench.status().await;
    assert_eq!((&up["state"], &up["active_vpn"]), (&json!("going_up"), &json!("vpn1")));
}

#[tokio::test]
async fn a_failing_tunnel_counts_down() {
    let bench = Bench::logged_in(FAST, &["tunnel-fails=auth_failed"]).await;
    bench.activate("vpn2", true).await;
    let status = bench.until("down", |status| status["state"] == json!("down")).await;
    assert_eq!((&status["last_error"], &status["next_try"]), (&json!("auth_failed"), &json!(1)));
    bench.clear("tunnel-fails");
    let status = bench.until("tried again", |status| status["state"] == json!("up")).await;
    assert_eq!(status["last_error"], json!("none"));
}

#[tokio::test]
async fn the_status_shows_what_the_faults_say() {
    let bench =
        Bench::logged_in(FAST, &["unknown-state=napping", "unknown-last-error=tired", "ipv4-attribute=IPv4"]).await;
    let status = bench.status().await;
    assert_eq!((&status["state"], &status["last_error"]), (&json!("napping"), &json!("tired")));
    assert!(status.get("ipv4").is_none() && status["IPv4"]["ip_mask"].is_object(), "{status}");
}

#[tokio::test]
async fn lists_results_and_logs_can_be_missing() {
    let bench = Bench::logged_in(FAST, &["put-without-result"]).await;
    assert_eq!(bench.activate("vpn0", false).await.json(), json!({"success": true}));
    assert_eq!(bench.get("vpn_client/config/vpn0").await.json()["result"]["id"], json!("vpn0"));
    bench.fault("no-tunnels");
    assert_eq!(bench.get("vpn_client/config/").await.json(), fixture("field-config-list-empty"));
    bench.fault("empty-list=array");
    assert_eq!(bench.get("vpn_client/config/").await.json(), fixture("field-empty-list-array"));
    bench.fault("empty-list=null");
    assert_eq!(bench.get("vpn_client/config/").await.json(), json!({"success": true, "result": null}));
    assert_eq!(bench.get("vpn_client/status").await.json(), fixture("field-status-disabled"));
    assert_eq!(bench.get("vpn_client/log").await.json(), fixture("field-log-empty"));
    bench.post("vpn_client/config/", &fixture("config-add.request")).await;
    assert_eq!(bench.get("vpn_client/config/").await.json()["result"][0]["id"], json!("vpn0"), "what is added stays");
}

#[tokio::test]
async fn the_log_has_a_line_for_each_event() {
    let bench = Bench::logged_in(FAST, &[]).await;
    bench.activate("vpn0", true).await;
    bench.until("up", |status| status["state"] == json!("up") && status["active_vpn"] == json!("vpn0")).await;
    let reply = bench.get("vpn_client/log").await.json();
    same_shape(&reply, "log");
    let events: Vec<String> = reply["result"]
        .as_str()
        .unwrap()
        .lines()
        .map(|line| {
            let (time, rest) = line.split_at(19);
            assert!(jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", time).is_ok(), "{line}");
            rest.trim_start_matches(" info: vpn: client: ").to_owned()
        })
        .collect();
    assert_eq!(
        events,
        [
            "vpn1 connecting",
            "vpn1 connected",
            "vpn0 activation requested",
            "vpn1 disconnected",
            "vpn0 connecting",
            "vpn0 connected"
        ]
    );
    bench.fault("clear-log");
    assert_eq!(bench.get("vpn_client/log").await.json(), fixture("field-log-empty"));
}

#[tokio::test]
async fn downloads_can_be_bound_to_the_vpn() {
    let bench = Bench::logged_in(FAST, &[]).await;
    same_shape(&bench.get("vpn_client/apps/").await.json(), "field-vpn-apps");
    let mut wanted = fixture("field-vpn-apps.request");
    assert_eq!(bench.put("vpn_client/apps/", &wanted).await.json()["result"], wanted);
    wanted["fbxgrabberd"]["use_vpn"] = json!(false);
    bench.put("vpn_client/apps/", &wanted).await;
    assert_eq!(bench.get("vpn_client/apps/").await.json()["result"], wanted);
}

#[tokio::test]
async fn the_configuration_drives_the_world() {
    let bench = Bench::new(FAST, &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.toml");
    bench.world.write_config(&path).unwrap();
    let written: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    let backend = &written["backend"]["freebox"];
    assert_eq!(backend["url"].as_str(), Some(bench.running().urls[0].1.as_str()));
    assert_eq!(backend["app_id"].as_str(), Some(APP_ID));
    let file = backend["app_token"]["file"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), APP_TOKEN);
}
