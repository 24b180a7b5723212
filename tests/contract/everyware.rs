//! An account of Everyware Cloud: what commands cost, lists, names.

use vpnctl::error::Code;
use vpnctl::model::{Source, State, Word};

use super::bench::{Bench, connect, failed, find, found, listed, word};
use super::facts::EVERYWARE;

const LOGIN: &str = "POST /v1/authentication/user";
const STATUS: &str = "GET /v1/_/devices/-Kf2x0nQbDE/vpn";

#[tokio::test]
async fn a_status_by_id_costs_two_requests_at_first_and_then_one() {
    let bench = Bench::new("everyware").await;
    let target = EVERYWARE.by_id("-Kf2x0nQbDE");
    let status = bench.open().status(Some(&target)).await.unwrap();
    assert_eq!((status.word(), status.source), (Word::Connected, Source::Device));
    assert_eq!(bench.running().context.log.connections(), 1);
    assert_eq!(bench.asked(), [LOGIN, STATUS]);
    assert_eq!(word(bench.open().status(Some(&target)).await), Word::Connected);
    assert_eq!(bench.asked(), [STATUS]);
}

#[tokio::test]
async fn a_status_by_name_costs_three_requests_at_first_and_then_one() {
    let bench = Bench::new("everyware").await;
    let question = "GET /v1/_/devices?matchTerm=gw-lyon-02&sortParam=clientId&sortDir=ASCENDING&limit=100";
    for expected in [&[LOGIN, question, STATUS][..], &[STATUS][..]] {
        let backend = bench.open();
        let target = find(&*backend, "gw-lyon-02").await.remove(0);
        assert_eq!(word(backend.status(Some(&target)).await), Word::Connected);
        assert_eq!(bench.asked(), expected);
    }
    // Whatever the name is: a display name or a serial number costs the same.
    for (name, id) in [("Packaging line 1", "WyczTs_GuDM"), ("SN-200-000001", "WyczTs_GuDM")] {
        let bench = Bench::new("everyware").await;
        for requests in [3, 1] {
            let backend = bench.open();
            let target = find(&*backend, name).await.remove(0);
            assert_eq!((target.id.as_str(), target.name.as_deref()), (id, Some("00:60:0C:81:5F:2A")));
            assert_eq!(word(backend.status(Some(&target)).await), Word::Connected);
            assert_eq!(bench.asked().len(), requests, "{name}");
        }
    }
}

#[tokio::test]
async fn connect_and_disconnect_cost_a_status_and_a_write() {
    let bench = Bench::new("everyware").await;
    bench.logged_in(&EVERYWARE).await;
    let backend = bench.open();
    let target = EVERYWARE.down();
    assert_eq!(word(backend.status(Some(&target)).await), Word::Disconnected);
    let status = connect(&*backend, &target).await.unwrap();
    let State::Connected(link) = status.state else { panic!("{status:?}") };
    assert!(link.ip_address.is_some_and(|address| address.starts_with("10.200.")));
    let posts = bench.running().context.log.entries();
    assert_eq!((posts[1].body.as_str(), posts[1].headers["content-length"].as_str()), ("", "0"));
    assert_eq!(bench.asked(), ["GET /v1/_/devices/_Kf2x0nQbDE/vpn", EVERYWARE.writes[0]]);
    let backend = bench.open();
    assert_eq!(word(backend.status(Some(&EVERYWARE.up())).await), Word::Connected);
    assert_eq!(word(backend.disconnect(&EVERYWARE.up()).await), Word::Disconnected);
    assert_eq!(bench.asked(), [STATUS, EVERYWARE.writes[1]]);
}

#[tokio::test]
async fn lists_have_several_forms() {
    for (fault, count) in [("legacy-items", 7), ("missing-items", 0), ("null-display-name", 7)] {
        let bench = Bench::faulty("everyware", &[fault]).await;
        assert_eq!(listed(&*bench.open()).await.unwrap().len(), count, "{fault}");
    }
}

#[tokio::test]
async fn without_the_servers_list_states_are_left_out() {
    for fault in ["vpn-connections-status=403", "vpn-connections-status=404", "no-permission=vpn:read"] {
        let bench = Bench::faulty("everyware", &[fault]).await;
        let all = listed(&*bench.open()).await.unwrap();
        assert_eq!(all.len(), 7, "{fault}");
        assert!(all.iter().all(|listed| listed.status.is_none()), "{fault}");
        assert_eq!(bench.count("/vpnConnections?"), 1, "{fault}");
    }
    // Anything else is a failure: no state at all must not look like no VPN.
    let bench = Bench::faulty("everyware", &["http-status=500@vpnConnections", "retry-after=0"]).await;
    failed(listed(&*bench.open()).await, Code::HttpServerError);
    assert_eq!(bench.count("/vpnConnections?"), 4);
}

#[tokio::test]
async fn devices_are_found_by_every_name_they_have() {
    let bench = Bench::new("everyware").await;
    let backend = bench.open();
    for (name, id) in [
        ("00:60:0C:81:5F:2A", "WyczTs_GuDM"),
        ("Packaging line 1", "WyczTs_GuDM"),
        ("SN-200-000003", "_Kf2x0nQbDE"),
        ("gw-bergen-07", "AuY"),
        ("AuY", "AuY"),
        ("-Kf2x0nQbDE", "-Kf2x0nQbDE"),
        ("_Kf2x0nQbDE", "_Kf2x0nQbDE"),
    ] {
        let found = find(&*backend, name).await;
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert_eq!(found[0].id, id, "{name}");
        assert!(found[0].name.as_ref().is_some_and(|name| name == "00:60:0C:81:5F:2A" || name.starts_with("gw-")));
    }
    let colons: Vec<_> = bench.asked().into_iter().filter(|asked| asked.contains("matchTerm=00")).collect();
    assert_eq!(colons.len(), 1, "{colons:?}");
    assert!(colons[0].starts_with("GET /v1/_/devices?matchTerm=00%3A60%3A0C%3A81%3A5F%3A2A&"), "{colons:?}");
}

#[tokio::test]
async fn a_display_name_of_two_is_ambiguous_and_not_remembered() {
    let bench = Bench::new("everyware").await;
    for _ in 0..2 {
        assert_eq!(found(&*bench.open(), "Lyon pumping station").await, ["-Kf2x0nQbDE", "_Kf2x0nQbDE"]);
        assert_eq!(bench.count("/devices?"), 1);
        bench.asked();
    }
    // A name that is only the beginning of others is none.
    assert_eq!(found(&*bench.open(), "Lyon").await, Vec::<String>::new());
    assert_eq!(found(&*bench.open(), "gw-lyon").await, Vec::<String>::new());
}

#[tokio::test]
async fn ids_that_begin_oddly_are_asked_as_they_are() {
    let bench = Bench::new("everyware").await;
    let backend = bench.logged_in(&EVERYWARE).await;
    for (id, word_there) in [("-Kf2x0nQbDE", Word::Connected), ("_Kf2x0nQbDE", Word::Disconnected)] {
        assert_eq!(word(backend.status(Some(&EVERYWARE.by_id(id))).await), word_there);
        assert_eq!(bench.asked(), [format!("GET /v1/_/devices/{id}/vpn")]);
    }
    for (id, path, code) in [
        ("_", "/v1/_/devices/_/vpn", "usage target.not_found"),
        ("00:60:0C", "/v1/_/devices/00%3A60%3A0C/vpn", "usage target.not_found"),
        ("../AuY", "/v1/_/devices/..%2FAuY/vpn", "usage target.not_found"),
    ] {
        let error = backend.status(Some(&EVERYWARE.by_id(id))).await.unwrap_err();
        assert!(code.split(' ').any(|code| code == error.code().as_str()), "{id}: {error:?}");
        assert_eq!(bench.asked(), [format!("GET {path}")]);
    }
}

#[tokio::test]
async fn a_remembered_id_that_is_gone_is_found_anew() {
    let bench = Bench::new("everyware").await;
    find(&*bench.open(), "gw-lyon-03").await;
    let state = std::fs::read_to_string(bench.state_file()).unwrap();
    let other = state.replace("_Kf2x0nQbDE", "AQ");
    for write in [false, true] {
        std::fs::write(bench.state_file(), &other).unwrap();
        bench.asked();
        let backend = bench.open();
        let target = find(&*backend, "gw-lyon-03").await.remove(0);
        assert_eq!(target.id, "AQ");
        let status = match write {
            true => connect(&*backend, &target).await,
            false => backend.status(Some(&target)).await,
        };
        assert_eq!(status.unwrap().target.unwrap().id, "_Kf2x0nQbDE");
        let asked = bench.asked();
        let (method, end) = if write { ("POST", "vpn/_connect") } else { ("GET", "vpn") };
        assert_eq!(asked.len(), 3, "{asked:?}");
        assert_eq!(asked[0], format!("{method} /v1/_/devices/AQ/{end}"));
        assert_eq!(asked[2], format!("{method} /v1/_/devices/_Kf2x0nQbDE/{end}"));
    }
    assert_eq!(find(&*bench.open(), "gw-lyon-03").await[0].id, "_Kf2x0nQbDE");
    assert_eq!(bench.requests(), 0);
}

#[tokio::test]
async fn a_scope_is_written_into_each_path() {
    let mut bench = Bench::new("everyware").await;
    bench.text("scope", vpnctl::simulate::everyware::CHILD_ACCOUNT);
    let backend = bench.open();
    let ids: Vec<String> = listed(&*backend).await.unwrap().into_iter().map(|listed| listed.target.id).collect();
    assert_eq!(ids, ["Ai9_3gE", "Ai9_3gI"]);
    assert!(bench.asked()[1..].iter().all(|asked| asked.starts_with("GET /v1/Ai9_3Q/")));
    failed(backend.status(Some(&EVERYWARE.up())).await, Code::TargetNotFound);
}

#[tokio::test]
async fn an_account_without_a_url_is_a_wrong_configuration() {
    let mut bench = Bench::new("everyware").await;
    bench.unset("url");
    let error = bench.try_open(|_| {}).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), Code::ConfigInvalid);
    assert!(error.hint_text().unwrap().contains("VPNCTL_BACKEND_EVERYWARE_URL"));
}
