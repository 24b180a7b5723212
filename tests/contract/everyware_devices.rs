//! What the cloud says about devices: offline, silent, without the bundle, and how a VPN is taken down.

use vpnctl::error::{Code, Exit};
use vpnctl::model::{State, Status, Word};

use super::bench::{Bench, connect, failed, word};
use super::facts::EVERYWARE;

const UP: &str = "/v1/_/devices/-Kf2x0nQbDE/vpn";
const RIGHT: &str = "POST /v1/_/devices/-Kf2x0nQbDE/vpn/_disconnect";
const WRONG: &str = "POST /v1/_/devices/-Kf2x0nQbDE/vpn/_discconect";

/// An account that is logged in to, with faults switched on afterwards.
async fn known(faults: &[&str]) -> Bench {
    let bench = Bench::new("everyware").await;
    bench.logged_in(&EVERYWARE).await;
    faults.iter().for_each(|fault| bench.fault(fault));
    bench
}

async fn disconnect(bench: &Bench) -> vpnctl::error::Result<Status> {
    bench.open().disconnect(&EVERYWARE.up()).await
}

#[tokio::test]
async fn the_misspelt_path_is_tried_only_where_the_right_one_is_no_route() {
    for (fault, asked) in [("right", &[RIGHT][..]), ("both", &[RIGHT]), ("wrong", &[RIGHT, WRONG])] {
        let bench = known(&[&format!("disconnect-path={fault}")]).await;
        assert_eq!(word(disconnect(&bench).await), Word::Disconnected, "{fault}");
        assert_eq!(bench.asked(), asked, "{fault}");
    }
    let bench = known(&["disconnect-path=neither"]).await;
    let error = failed(disconnect(&bench).await, Code::VendorProtocol);
    assert_eq!(error.report().http_status, Some(404));
    assert!(error.hint_text().unwrap().contains("`disconnect_path`"), "{error:?}");
    assert!(error.message().contains("_disconnect") && !error.outcome_is_unknown(), "{error}");
    assert_eq!(bench.asked(), [RIGHT, WRONG]);
    assert_eq!(word(bench.open().status(Some(&EVERYWARE.up())).await), Word::Connected);
}

#[tokio::test]
async fn a_405_is_no_route_either() {
    let bench = known(&["http-status=405@_disconnect"]).await;
    bench.fault("disconnect-path=wrong");
    assert_eq!(word(disconnect(&bench).await), Word::Disconnected);
    assert_eq!(bench.asked(), [RIGHT, WRONG]);
}

#[tokio::test]
async fn a_404_that_says_why_is_final() {
    let bench = known(&[]).await;
    let backend = bench.open();
    failed(backend.disconnect(&EVERYWARE.by_id("AQ")).await, Code::TargetNotFound);
    assert_eq!(bench.asked(), ["POST /v1/_/devices/AQ/vpn/_disconnect"]);
    let error = failed(backend.disconnect(&EVERYWARE.by_id("dIVxI5QpFUI")).await, Code::DeviceNoVpn);
    assert_eq!((error.exit(), error.vendor_code_text()), (Exit::Failed, Some("RESPONSE_NOT_FOUND")));
    assert_eq!(bench.asked(), ["POST /v1/_/devices/dIVxI5QpFUI/vpn/_disconnect"]);
}

#[tokio::test]
async fn a_path_that_is_configured_is_the_only_one() {
    let mut bench = known(&["disconnect-path=wrong"]).await;
    bench.text("disconnect_path", "/_discconect");
    assert_eq!(word(disconnect(&bench).await), Word::Disconnected);
    assert_eq!(bench.asked(), [WRONG]);
    bench.text("disconnect_path", "_disconnect");
    failed(disconnect(&bench).await, Code::VendorProtocol);
    assert_eq!(bench.asked(), [RIGHT]);
}

#[tokio::test]
async fn a_wrapped_answer_is_unwrapped() {
    let bench = known(&["wrapped-disconnect"]).await;
    assert_eq!(word(disconnect(&bench).await), Word::Disconnected);
}

#[tokio::test]
async fn an_absent_address_has_three_forms() {
    for faults in [&[][..], &["no-address=empty"], &["no-address=absent"]] {
        let bench = known(faults).await;
        assert_eq!(disconnect(&bench).await.unwrap().state, State::Disconnected, "{faults:?}");
    }
    let bench = known(&[r#"body={"connected":true,"ipAddress":"0.0.0.0"}"#]).await;
    let status = bench.open().status(Some(&EVERYWARE.up())).await.unwrap();
    let State::Connected(link) = status.state else { panic!("{status:?}") };
    assert_eq!(link.ip_address, None);
    let bench = known(&["body={}"]).await;
    failed(bench.open().status(Some(&EVERYWARE.up())).await, Code::VendorProtocol);
}

#[tokio::test]
async fn devices_that_are_not_there_are_offline_whatever_the_status() {
    for faults in [&[][..], &["offline-as-500"]] {
        let bench = known(faults).await;
        for id in ["Gd1BfeWwh3s", "LQNak9Yzkus", "AuY"] {
            for write in [false, true] {
                let backend = bench.open();
                let target = EVERYWARE.by_id(id);
                let answer =
                    if write { connect(&*backend, &target).await } else { backend.status(Some(&target)).await };
                let error = failed(answer, Code::DeviceOffline);
                assert_eq!((error.exit(), error.target_name()), (Exit::Unreachable, Some(id)));
                assert!(error.is_temporary() && !error.is_repeatable() && !error.outcome_is_unknown());
                assert_eq!(bench.asked().len(), 1, "asking again within seconds does not help");
            }
        }
    }
}

#[tokio::test]
async fn the_words_say_how_a_device_was_lost_and_which_one_is_meant() {
    let bench = known(&[]).await;
    let backend = bench.open();
    for (id, word) in [("Gd1BfeWwh3s", "DISCONNECTED"), ("AuY", "MISSING"), ("LQNak9Yzkus", "null")] {
        let error = failed(backend.status(Some(&EVERYWARE.by_id(id))).await, Code::DeviceOffline);
        assert!(error.message().contains(word) && error.hint_text().is_some(), "{error:?}");
    }
    let error = failed(backend.status(Some(&EVERYWARE.by_id("AQ"))).await, Code::TargetNotFound);
    assert!(error.message().contains("no device AQ = 1 in"), "both forms of the id: {error}");
    bench.fault("no-permission=device_management:read");
    let error = failed(backend.status(Some(&EVERYWARE.up())).await, Code::AuthForbidden);
    assert!(
        error.message().ends_with("device_management:read in the account LgJHjS2jvdE = 3315290947379772881"),
        "{error}"
    );
    bench.heal();
    bench.fault("device-timeout");
    let error = failed(backend.status(Some(&EVERYWARE.up())).await, Code::DeviceTimeout);
    assert!(error.hint_text().unwrap().contains("account's name"), "{error:?}");
}

#[tokio::test]
async fn an_id_is_taken_as_messages_print_it() {
    let bench = known(&[]).await;
    let backend = bench.open();
    // -Kf2x0nQbDE and WyczTs_GuDM.
    for (decimal, id) in [("-529183095395423183", "-Kf2x0nQbDE"), ("6568274995129530419", "WyczTs_GuDM")] {
        assert_eq!(word(backend.status(Some(&EVERYWARE.by_id(decimal))).await), Word::Connected, "{decimal}");
        assert_eq!(bench.asked(), [format!("GET /v1/_/devices/{id}/vpn")]);
        assert_eq!(super::bench::found(&*backend, decimal).await, [id]);
        bench.asked();
    }
    assert_eq!(super::bench::found(&*backend, "742").await, ["AuY"]);
}

#[tokio::test]
async fn an_answer_without_a_word_is_not_taken_for_a_state() {
    let bench = known(&["empty=_connect"]).await;
    let status = connect(&*bench.open(), &EVERYWARE.down()).await.unwrap();
    assert_eq!(status.word(), Word::Unknown);
    assert_eq!(bench.asked(), [EVERYWARE.writes[0]]);
}

#[tokio::test]
async fn a_missing_bundle_is_told_whatever_the_status() {
    for faults in [&[][..], &["no-bundle-as-500"]] {
        let bench = known(faults).await;
        let error = failed(bench.open().status(Some(&EVERYWARE.by_id("dIVxI5QpFUI"))).await, Code::DeviceNoVpn);
        assert!(error.hint_text().unwrap().contains("bundle") && !error.is_temporary());
        assert_eq!(bench.requests(), 1);
    }
}

#[tokio::test]
async fn a_device_that_is_silent_is_not_asked_again() {
    let bench = known(&["device-timeout"]).await;
    let error = failed(bench.open().status(Some(&EVERYWARE.up())).await, Code::DeviceTimeout);
    assert!(error.is_temporary() && !error.is_repeatable());
    assert!(!error.outcome_is_unknown(), "a read leaves nothing undone");
    assert_eq!(bench.asked(), [format!("GET {UP}")]);
    let error = failed(connect(&*bench.open(), &EVERYWARE.down()).await, Code::DeviceTimeout);
    assert!(error.outcome_is_unknown());
    assert_eq!(bench.asked(), [EVERYWARE.writes[0]]);
}

#[tokio::test]
async fn a_write_that_timed_out_may_have_been_done() {
    for fault in ["timeout-but-done", "proxy-page=504@_connect", "proxy-page=502@_connect"] {
        let bench = known(&[fault]).await;
        let backend = bench.open();
        let error = connect(&*backend, &EVERYWARE.down()).await.unwrap_err();
        assert!(error.outcome_is_unknown(), "{fault}: {error}");
        assert_eq!(bench.asked(), [EVERYWARE.writes[0]], "one POST only");
        assert_eq!(word(backend.status(Some(&EVERYWARE.down())).await), Word::Connected, "{fault}");
    }
}

#[tokio::test]
async fn a_write_on_a_connection_that_breaks_is_sent_once() {
    let bench = known(&["reset*1"]).await;
    let backend = bench.open();
    let error = failed(connect(&*backend, &EVERYWARE.down()).await, Code::NetReset);
    assert!(!error.outcome_is_unknown() && error.is_temporary(), "no connection came about to send it by: {error:?}");
    assert_eq!(bench.asked(), Vec::<String>::new(), "neither arrived nor was it sent again");
    bench.fault("wire=hangup@POST*1");
    let error = failed(connect(&*bench.open(), &EVERYWARE.down()).await, Code::NetReset);
    assert!(error.outcome_is_unknown() && error.is_temporary(), "{error:?}");
    bench.heal();
    assert_eq!(bench.asked(), [EVERYWARE.writes[0]], "sent once");
    assert_eq!(word(backend.status(Some(&EVERYWARE.down())).await), Word::Disconnected);
}

#[tokio::test]
async fn a_device_that_fails_shows_its_reason() {
    let bench = known(&["device-fails=Cannot start OpenVPN"]).await;
    let error = failed(connect(&*bench.open(), &EVERYWARE.down()).await, Code::DeviceFailed);
    assert!(error.message().contains("Cannot start OpenVPN"), "{error}");
    assert_eq!((error.exit(), error.vendor_code_text()), (Exit::Failed, Some("RESPONSE_INTERNAL_ERROR")));
    assert!(!error.outcome_is_unknown() && !error.is_temporary());
    assert_eq!(bench.asked(), [EVERYWARE.writes[0]]);
}

#[tokio::test]
async fn a_connect_may_take_effect_late() {
    let bench = known(&["connect-late=2"]).await;
    let backend = bench.open();
    let target = EVERYWARE.down();
    assert_eq!(word(connect(&*backend, &target).await), Word::Disconnected);
    let mut words = Vec::new();
    for _ in 0..4 {
        words.push(word(backend.status(Some(&target)).await));
    }
    assert_eq!(words, [Word::Disconnected, Word::Disconnected, Word::Connected, Word::Connected]);
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    for (fault, right, write) in [
        ("no-permission=device_management:execute", "device_management:execute", true),
        ("no-permission=device_management:read", "device_management:read", false),
    ] {
        let bench = known(&[fault]).await;
        let backend = bench.open();
        let target = EVERYWARE.up();
        let answer = if write { connect(&*backend, &target).await } else { backend.status(Some(&target)).await };
        let error = failed(answer, Code::AuthForbidden);
        assert!(error.message().contains(right) && error.hint_text().unwrap().contains(right), "{error}");
        assert_eq!((error.exit(), bench.requests()), (Exit::Forbidden, 1));
    }
}
