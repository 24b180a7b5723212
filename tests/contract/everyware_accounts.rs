//! Accounts: what `scope` means, and what is below it.

use vpnctl::backend::{Listed, VpnBackend};
use vpnctl::error::{Code, Error, Result};
use vpnctl::model::{Target, Word};
use vpnctl::simulate::everyware::{ACCOUNT, CHILD_ACCOUNT};

use super::bench::{Bench, connect, failed, find, found, listed, word};
use super::facts::EVERYWARE;

const LOGIN: &str = "POST /v1/authentication/user";
const BELOW: &str = "GET /v1/_/accounts?recursive=true&limit=1001&offset=0&askTotalCount=true";
const NORTH: [&str; 2] = ["Ai9_3gE", "Ai9_3gI"];

async fn scoped(scope: &str, faults: &[&str]) -> Bench {
    let mut bench = Bench::faulty("everyware", faults).await;
    bench.text("scope", scope);
    bench
}

fn recursive(bench: &Bench) -> Box<dyn VpnBackend> {
    bench.open_with(|opening| opening.recursive = true)
}

/// Lists with child accounts: the targets, and why some could not be read.
async fn parts(backend: &dyn VpnBackend) -> Result<(Vec<Listed>, Vec<Error>)> {
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    backend.targets().unwrap().list_parts(&mut |listed| all.push(listed), &mut |error| errors.push(error)).await?;
    Ok((all, errors))
}

fn ids(all: &[Listed]) -> Vec<&str> {
    all.iter().map(|listed| listed.target.id.as_str()).collect()
}

#[tokio::test]
async fn a_scope_is_an_accounts_name_and_looked_up_once() {
    let bench = scoped("acme-north", &[]).await;
    let all = listed(&*bench.open()).await.unwrap();
    assert_eq!(ids(&all), NORTH);
    assert!(all.iter().all(|listed| listed.labels["account"] == "acme-north"));
    let asked = bench.asked();
    assert_eq!(asked[..2], [LOGIN, BELOW]);
    assert!(asked.len() == 4 && asked[2..].iter().all(|asked| asked.starts_with("GET /v1/Ai9_3Q/")), "{asked:?}");
    // It costs nothing later.
    let again = listed(&*bench.open()).await.unwrap();
    assert_eq!((ids(&again), again[0].labels["account"].as_str()), (NORTH.to_vec(), "acme-north"));
    assert_eq!(bench.asked().len(), 2);
    let target = find(&*bench.open(), "gw-north-02").await.remove(0);
    assert_eq!(word(bench.open().status(Some(&target)).await), Word::Disconnected);
    assert_eq!(word(connect(&*bench.open(), &target).await), Word::Connected);
    assert!(bench.asked().iter().all(|asked| asked.split_once(' ').unwrap().1.starts_with("/v1/Ai9_3Q/")));
}

#[tokio::test]
async fn a_scope_is_an_account_deeper_down_or_the_logins_own() {
    let bench = scoped("acme-north-lab", &["deep-accounts"]).await;
    assert!(listed(&*bench.open()).await.unwrap().is_empty());
    assert!(!bench.asked()[2].starts_with("GET /v1/_/"));
    // A name that is spelt like an id, and the account of the login itself.
    let bench = scoped("acme-inc", &[]).await;
    for requests in [5, 2] {
        assert_eq!(listed(&*bench.open()).await.unwrap().len(), 7);
        let asked = bench.asked();
        assert_eq!(asked.len(), requests, "{asked:?}");
        assert!(asked[requests - 1].starts_with(&format!("GET /v1/{ACCOUNT}/")), "{asked:?}");
    }
}

#[tokio::test]
async fn a_scope_is_an_id_in_either_form_and_costs_nothing() {
    for scope in [CHILD_ACCOUNT, "36667357"] {
        let bench = scoped(scope, &[]).await;
        let all = listed(&*bench.open()).await.unwrap();
        assert_eq!(ids(&all), NORTH, "{scope}");
        assert!(all.iter().all(|listed| listed.labels.is_empty()));
        assert_eq!(bench.asked().len(), 3);
    }
}

#[tokio::test]
async fn an_unknown_account_is_a_wrong_configuration() {
    for (scope, hint) in [("acme-south", "`acme-north`"), ("nobody at all", "_"), ("00:11", "_")] {
        let bench = scoped(scope, &[]).await;
        for _ in 0..2 {
            let backend = bench.open();
            let error = failed(listed(&*backend).await, Code::ConfigInvalid);
            assert!(error.message().contains("`scope`") && error.message().contains("acme-inc, acme-north"), "{error}");
            assert!(error.hint_text().unwrap().contains(hint), "{error:?}");
            failed(backend.status(Some(&EVERYWARE.up())).await, Code::ConfigInvalid);
            assert_eq!(bench.count(BELOW), 1, "once in a command");
            bench.asked();
        }
    }
    // What looks like an id is refused first.
    let bench = scoped("AcmeSouth00", &[]).await;
    let error = failed(listed(&*bench.open()).await, Code::ConfigInvalid);
    assert!(error.message().contains("AcmeSouth00"), "{error}");
}

#[tokio::test]
async fn a_name_that_can_not_be_looked_up_says_which_right_is_missing() {
    let bench = scoped("acme-north", &["no-permission=account:read"]).await;
    let error = failed(listed(&*bench.open()).await, Code::AuthForbidden);
    assert!(error.message().contains("acme-north") && error.message().contains("account:read"), "{error}");
    let bench = scoped(CHILD_ACCOUNT, &["no-permission=account:read"]).await;
    assert_eq!(listed(&*bench.open()).await.unwrap().len(), 2, "an id needs no such right");
}

#[tokio::test]
async fn a_remembered_account_that_is_refused_is_looked_up_anew() {
    let bench = scoped("acme-north", &[]).await;
    listed(&*bench.open()).await.unwrap();
    let state = std::fs::read_to_string(bench.state_file()).unwrap();
    for (other, write) in [("AuY", false), ("AuY", true)] {
        std::fs::write(bench.state_file(), state.replace(CHILD_ACCOUNT, other)).unwrap();
        bench.asked();
        let target = EVERYWARE.by_id("Ai9_3gI");
        let backend = bench.open();
        let status = if write { connect(&*backend, &target).await } else { backend.status(Some(&target)).await };
        status.unwrap();
        let asked = bench.asked();
        let method = if write { "POST" } else { "GET" };
        assert!(asked[0].starts_with(&format!("{method} /v1/{other}/devices/Ai9_3gI/vpn")), "{asked:?}");
        assert_eq!(asked[1], BELOW);
        assert!(asked[2].starts_with(&format!("{method} /v1/Ai9_3Q/devices/Ai9_3gI/vpn")), "{asked:?}");
        assert_eq!(asked.len(), 3);
    }
    assert!(std::fs::read_to_string(bench.state_file()).unwrap().contains(CHILD_ACCOUNT));
}

#[tokio::test]
async fn a_device_that_is_not_there_is_no_wrong_account() {
    let bench = scoped("acme-north", &[]).await;
    listed(&*bench.open()).await.unwrap();
    failed(bench.open().status(Some(&EVERYWARE.up())).await, Code::TargetNotFound);
    assert_eq!(found(&*bench.open(), "gw-lyon-02").await, Vec::<String>::new());
}

#[tokio::test]
async fn child_accounts_are_listed_with_their_names() {
    let bench = Bench::faulty("everyware", &["deep-accounts"]).await;
    let (all, errors) = parts(&*recursive(&bench)).await.unwrap();
    assert!(errors.is_empty());
    assert_eq!(ids(&all), [EVERYWARE.ids, &NORTH].concat());
    for listed in &all {
        let of_child = NORTH.contains(&listed.target.id.as_str());
        assert_eq!(listed.labels["account"], if of_child { "acme-north" } else { "acme-inc" });
        assert_eq!(listed.target.scope.as_deref(), of_child.then_some(CHILD_ACCOUNT));
        let state = listed.status.as_ref().unwrap();
        assert_eq!(state.target.as_ref(), Some(&listed.target));
    }
    let up: Vec<_> = all.iter().filter(|listed| listed.status.as_ref().unwrap().word() == Word::Connected).collect();
    assert_eq!(up.last().unwrap().target.id, "Ai9_3gE");
    // Login, own account, accounts below, and two lists of each of three.
    assert_eq!(bench.asked().len(), 9);
    parts(&*recursive(&bench)).await.unwrap();
    assert_eq!(bench.asked().len(), 7, "login and name of the own account are remembered");
    assert_eq!(listed(&*bench.open()).await.unwrap().len(), 7, "and not asked for they are not there");
}

#[tokio::test]
async fn accounts_come_in_pages_too() {
    let bench = Bench::faulty("everyware", &["deep-accounts", "page-size=1"]).await;
    let (all, errors) = parts(&*recursive(&bench)).await.unwrap();
    assert_eq!((all.len(), errors.len(), bench.count("/accounts?")), (9, 0, 2));
    let bench = Bench::faulty("everyware", &["legacy-items"]).await;
    assert_eq!(parts(&*recursive(&bench)).await.unwrap().0.len(), 9);
}

#[tokio::test]
async fn what_is_below_a_scope_is_listed_from_there() {
    for scope in ["acme-north", CHILD_ACCOUNT] {
        let bench = scoped(scope, &["deep-accounts"]).await;
        let (all, _) = parts(&*recursive(&bench)).await.unwrap();
        assert_eq!(ids(&all), NORTH, "{scope}");
        assert!(all.iter().all(|listed| listed.labels["account"] == "acme-north" && listed.target.scope.is_none()));
        assert_eq!(bench.count("GET /v1/Ai9_3Q/accounts?recursive=true"), 1);
    }
}

#[tokio::test]
async fn targets_of_child_accounts_are_asked_and_told_in_theirs() {
    let bench = Bench::new("everyware").await;
    let backend = recursive(&bench);
    let (all, _) = parts(&*backend).await.unwrap();
    bench.asked();
    let target = &all.iter().find(|listed| listed.target.id == "Ai9_3gI").unwrap().target;
    assert_eq!(word(backend.status(Some(target)).await), Word::Disconnected);
    assert_eq!(word(connect(&*backend, target).await), Word::Connected);
    assert_eq!(word(backend.disconnect(target).await), Word::Disconnected);
    let path = "/v1/Ai9_3Q/devices/Ai9_3gI/vpn";
    assert_eq!(
        bench.asked(),
        [format!("GET {path}"), format!("POST {path}/_connect"), format!("POST {path}/_disconnect")]
    );
    let shown = serde_json::to_value(target).unwrap();
    assert_eq!(shown.as_object().unwrap().keys().collect::<Vec<_>>(), ["kind", "id", "name", "type"]);
}

#[tokio::test]
async fn an_account_that_is_forbidden_hides_no_other() {
    for (fault, code) in [
        ("http-status=403@/Ai9_3Q/devices", Code::AuthForbidden),
        ("http-status=404@/Ai9_3Q/devices", Code::VendorProtocol),
    ] {
        let bench = Bench::faulty("everyware", &[fault]).await;
        let (all, errors) = parts(&*recursive(&bench)).await.unwrap();
        assert_eq!(ids(&all), EVERYWARE.ids, "{fault}");
        let [error] = errors.as_slice() else { panic!("{errors:?}") };
        assert_eq!(error.code(), code, "{error}");
        assert!(error.message().contains("acme-north (Ai9_3Q = 36667357)"), "{error}");
        // Who wants a list or nothing is told as well.
        failed(listed(&*recursive(&bench)).await, code);
    }
    // Accounts that can't be listed at all are told in the same way.
    let bench = Bench::faulty("everyware", &["http-status=403@/accounts"]).await;
    let (all, errors) = parts(&*recursive(&bench)).await.unwrap();
    assert_eq!((all.len(), errors.len(), errors[0].code()), (7, 1, Code::AuthForbidden));
    // A login that is none is no matter of one account.
    let bench = Bench::faulty("everyware", &["refuse-login"]).await;
    failed(parts(&*recursive(&bench)).await, Code::AuthRejected);
}

#[tokio::test]
async fn an_account_without_the_servers_list_still_lists_its_devices() {
    let bench = Bench::faulty("everyware", &["http-status=403@/Ai9_3Q/vpnConnections"]).await;
    let (all, errors) = parts(&*recursive(&bench)).await.unwrap();
    assert!(errors.is_empty());
    for listed in &all {
        assert_eq!(listed.status.is_none(), listed.target.scope.is_some(), "{listed:?}");
    }
}

#[tokio::test]
async fn names_reach_into_child_accounts_where_that_is_asked_for() {
    let bench = Bench::new("everyware").await;
    for name in ["gw-north-01", "Kiruna mine", "SN-240-000001", "Ai9_3gE", "GW-NORTH-01"] {
        let backend = bench.open();
        assert_eq!(found(&*backend, name).await, Vec::<String>::new(), "{name}");
        let error = backend.targets().unwrap().not_one("everyware", name, &[]);
        assert_eq!(error.code(), Code::TargetNotFound);
        assert!(error.hint_text().unwrap().contains("--recursive"), "{error:?}");
        for _ in 0..2 {
            let target = find(&*recursive(&bench), name).await.remove(0);
            assert_eq!((target.id.as_str(), target.scope.as_deref()), ("Ai9_3gE", Some(CHILD_ACCOUNT)), "{name}");
            assert_eq!(word(recursive(&bench).status(Some(&target)).await), Word::Connected);
        }
    }
    bench.asked();
    let target = find(&*recursive(&bench), "gw-north-01").await.remove(0);
    recursive(&bench).status(Some(&target)).await.unwrap();
    assert_eq!(bench.asked(), ["GET /v1/Ai9_3Q/devices/Ai9_3gE/vpn"], "the account is remembered with the name");
    // What was found below is not there without.
    assert_eq!(found(&*bench.open(), "gw-north-01").await, Vec::<String>::new());
    assert_eq!(found(&*recursive(&bench), "gw-lyon-02").await, ["-Kf2x0nQbDE"]);
}

#[tokio::test]
async fn a_client_id_of_two_accounts_is_ambiguous() {
    let bench = Bench::new("everyware").await;
    // One page for whatever is asked: the list of accounts, and the devices of each.
    let same = r#"body={"limitExceeded":false,"items":[{"id":"AQ","clientId":"gw","displayName":"Here"}]}"#;
    let backend = recursive(&bench);
    parts(&*backend).await.unwrap();
    bench.fault(same);
    let targets: Vec<Target> = find(&*backend, "gw").await;
    assert_eq!(targets.iter().map(|target| target.scope.as_deref()).collect::<Vec<_>>(), [None, Some("AQ")]);
    let error = backend.targets().unwrap().not_one("everyware", "gw", &targets);
    assert_eq!(error.code(), Code::UsageAmbiguous);
    assert!(error.message().contains("AQ (gw), 1, \"Here\"; AQ (gw), 1, \"Here\""), "{error}");
}

#[tokio::test]
async fn a_name_that_looks_like_an_id_is_looked_up_where_nothing_is_there() {
    // The cloud knows no account of that id and says so with empty lists, as it does to its administrators.
    let bench = scoped("Lyon", &[]).await;
    bench.open().session().unwrap().show().await.unwrap();
    bench.fault(r#"body={"limitExceeded":false,"items":[{"id":"AuY","name":"Lyon","clientId":"gw-1"}]}"#);
    assert_eq!(found(&*bench.open(), "gw-2").await, Vec::<String>::new());
    let asked = bench.asked();
    let first = |begin: &str| asked.iter().position(|asked| asked.starts_with(begin)).unwrap();
    assert!(first("GET /v1/Lyon/devices?") < first(BELOW) && first(BELOW) < first("GET /v1/AuY/devices?"), "{asked:?}");
    assert_eq!(found(&*bench.open(), "gw-1").await, ["AuY"]);
    assert!(bench.asked().iter().all(|asked| asked.starts_with("GET /v1/AuY/")), "it is remembered");
    // An id that the login's own accounts do not have, and that was not refused, is taken at its word.
    let bench = scoped("WyczTs_GuDM", &[]).await;
    bench.open().session().unwrap().show().await.unwrap();
    bench.fault(r#"body={"items":[]}"#);
    assert!(listed(&*bench.open()).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_whole_name_is_asked_for_where_too_much_begins_so() {
    let bench = Bench::of("everyware", 5000).await;
    bench.open().session().unwrap().show().await.unwrap();
    bench.asked();
    // 1111 display names begin so; which of them is the whole name is on the first page or on none.
    assert_eq!(find(&*bench.open(), "Gateway 1").await[0].name.as_deref(), Some("gw-000001"));
    let asked = bench.asked();
    assert!(asked[1].contains("clientId=Gateway%201&limit=2") && asked.len() == 4, "{asked:?}");
    assert_eq!(find(&*bench.open(), "gw-000001").await[0].name.as_deref(), Some("gw-000001"));
    assert_eq!(bench.asked().len(), 1);
    // A server that caps its pages tells of a client id all the same.
    bench.fault("page-size=1");
    assert_eq!(find(&*bench.open(), "gw-000012").await[0].name.as_deref(), Some("gw-000012"));
    assert_eq!(bench.asked().len(), 1);
}
