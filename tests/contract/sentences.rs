//! The sentences of `VpnBackend` and `Targets`, for each vendor; and that no claimed capability goes without a case.

use vpnctl::backend::{Info, capabilities, registry, unsupported};
use vpnctl::error::Code;
use vpnctl::model::{Support, Word};

use super::bench::{connect, failed, find, found, listed, word};
use super::facts::{ALL, Facts};

/// Makes one test for each vendor and sentence; a sentence is an async function of the vendor's facts.
macro_rules! for_each_vendor {
    ($($sentence:ident)*) => {
        for_each_vendor!(@ freebox FREEBOX $($sentence)*);
        for_each_vendor!(@ ixon IXON $($sentence)*);
        for_each_vendor!(@ everyware EVERYWARE $($sentence)*);
    };
    (@ $vendor:ident $facts:ident $($sentence:ident)*) => {
        mod $vendor {
            $(
                #[tokio::test]
                async fn $sentence() {
                    super::$sentence(&$crate::facts::$facts).await;
                }
            )*
        }
    };
}
pub(crate) use for_each_vendor;

/// The capabilities that have cases, here, in `sentences_session` or in `raw`.
const CASES: &[&str] = &[
    "status",
    "list",
    "connect",
    "disconnect",
    "reconnect",
    "wait",
    "watch",
    "auth",
    "log",
    "tunnel",
    "settings",
    "api",
];

for_each_vendor! {
    every_capability_has_a_case_or_a_reason
    opening_and_info_send_no_request
    status_changes_nothing
    status_of_the_one_vpn_or_unsupported
    status_of_a_target_without_the_vpn_is_disconnected
    connect_is_one_write_and_not_waited_for
    disconnect_is_one_write_and_not_waited_for
    a_write_whose_outcome_is_unknown_is_sent_once
    a_write_that_was_refused_has_a_known_outcome
    a_write_that_never_left_has_a_known_outcome
    list_gives_each_target_once
    an_empty_list_is_no_error
    count_is_how_many_the_list_gives
    exact_takes_names_and_ids_to_the_letter
    find_takes_names_and_ids
    nothing_found_is_an_empty_list
}

#[test]
fn every_vendor_of_the_registry_has_facts() {
    let ours: Vec<&str> = ALL.iter().map(|facts| facts.vendor).collect();
    let theirs: Vec<&str> = registry::VENDORS.iter().map(|vendor| vendor.name).collect();
    assert_eq!(ours, theirs);
}

async fn every_capability_has_a_case_or_a_reason(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = bench.open();
    let all = capabilities(&*backend);
    assert!(CASES.iter().all(|case| all.iter().any(|(name, _)| name == case)), "a case without capability");
    for (name, support) in all {
        match support {
            Support::Native | Support::Emulated(_) => assert!(CASES.contains(&name), "`{name}` is claimed, not tested"),
            Support::No(why) => assert!(!why.is_empty(), "`{name}` without a reason"),
        }
        let error = unsupported(&*backend, name);
        assert_eq!((error.code(), error.exit().number()), (Code::Unsupported, 12));
        assert_eq!(error.backend_name(), Some(facts.vendor));
        assert!(error.hint_text().is_some());
    }
    assert_eq!(bench.requests(), 0);
}

async fn opening_and_info_send_no_request(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = bench.open();
    let Info { backend: name, vendor, url, kind, one_vpn, .. } = backend.info().clone();
    assert_eq!((name.as_str(), vendor), (facts.vendor, facts.vendor));
    assert_eq!(Some(url.as_str()), bench.config.text("url"));
    assert_eq!((kind, one_vpn), (facts.kind, facts.one_vpn));
    assert_eq!(bench.requests(), 0);
    assert_eq!(bench.running().context.log.connections(), 0);
}

async fn status_changes_nothing(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = facts.log_in(&bench).await;
    for _ in 0..2 {
        assert_eq!(word(backend.status(Some(&facts.up())).await), Word::Connected);
        assert_eq!(word(backend.status(Some(&facts.down())).await), Word::Disconnected);
    }
    let asked = bench.asked();
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|asked| asked.starts_with("GET ")), "{asked:?}");
}

async fn status_of_the_one_vpn_or_unsupported(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = bench.open();
    if facts.one_vpn {
        let status = backend.status(None).await.unwrap();
        assert_eq!(status.word(), Word::Connected);
        assert!(status.is_connected_to(&facts.up()));
        assert!(status.engaged && status.raw_state.is_some() && status.native.is_some());
    } else {
        failed(backend.status(None).await, Code::Unsupported);
        assert_eq!(bench.requests(), 0);
    }
}

async fn status_of_a_target_without_the_vpn_is_disconnected(facts: &Facts) {
    let bench = facts.bench().await;
    let status = bench.open().status(Some(&facts.down())).await.unwrap();
    assert_eq!(status.word(), Word::Disconnected);
    assert_eq!(status.target, Some(facts.down()));
    assert!(!status.engaged);
}

async fn connect_is_one_write_and_not_waited_for(facts: &Facts) {
    // Nothing gets done within this world's pace, so what waits for the end of it never returns.
    let bench = facts.bench_of(None, &["connect-late=1000"]).await;
    let backend = facts.log_in(&bench).await;
    let status = connect(&*backend, &facts.down()).await.unwrap();
    assert!(status.is_of(&facts.down()) && status.word() != Word::Connected, "{status:?}");
    assert_eq!(bench.asked(), [facts.writes[0]]);
}

async fn disconnect_is_one_write_and_not_waited_for(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = facts.log_in(&bench).await;
    let status = backend.disconnect(&facts.up()).await.unwrap();
    assert!(status.is_of(&facts.up()) && status.word() != Word::Connected, "{status:?}");
    assert_eq!(bench.asked(), [facts.writes[1]]);
    assert_ne!(word(backend.status(Some(&facts.up())).await), Word::Connected);
}

async fn a_write_whose_outcome_is_unknown_is_sent_once(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = facts.log_in(&bench).await;
    bench.fault("http-status=504");
    let error = failed(connect(&*backend, &facts.down()).await, Code::HttpServerError);
    assert!(error.outcome_is_unknown() && error.is_temporary());
    let error = failed(backend.disconnect(&facts.up()).await, Code::HttpServerError);
    assert!(error.outcome_is_unknown());
    assert_eq!(bench.asked(), facts.writes);
}

async fn a_write_that_was_refused_has_a_known_outcome(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = facts.log_in(&bench).await;
    let error = connect(&*backend, &facts.by_id(facts.unknown.0)).await.unwrap_err();
    assert_eq!(error.code().as_str(), facts.unknown.1, "{error}");
    assert!(!error.outcome_is_unknown());
    assert_eq!(bench.requests(), 1);
    assert_eq!(word(backend.status(Some(&facts.up())).await), Word::Connected);
}

async fn a_write_that_never_left_has_a_known_outcome(facts: &Facts) {
    let bench = facts.bench().await;
    facts.log_in(&bench).await;
    // The login has gone and can't be renewed: the write is never sent.
    bench.open().session().unwrap().logout().await.unwrap();
    bench.asked();
    bench.fault(&format!("http-status=503@{}", facts.login.split_whitespace().last().unwrap()));
    let error = failed(connect(&*bench.open(), &facts.down()).await, Code::HttpServerError);
    assert!(!error.outcome_is_unknown(), "{error}");
    assert_eq!(bench.count(facts.writes[0]), 0);
}

async fn list_gives_each_target_once(facts: &Facts) {
    let bench = facts.bench().await;
    let all = listed(&*bench.open()).await.unwrap();
    let ids: Vec<&str> = all.iter().map(|listed| listed.target.id.as_str()).collect();
    assert_eq!(ids, facts.ids);
    let up: Vec<&str> = all
        .iter()
        .filter(|listed| listed.status.as_ref().unwrap().word() == Word::Connected)
        .map(|listed| listed.target.id.as_str())
        .collect();
    assert!(up.contains(&facts.up.0) && !up.contains(&facts.down.0), "{up:?}");
    assert!(all.iter().all(|listed| listed.status.as_ref().unwrap().is_of(&listed.target)));

    let (devices, faults, count) = facts.paged;
    let bench = facts.bench_of(devices, faults).await;
    let mut ids: Vec<String> =
        listed(&*bench.open()).await.unwrap().into_iter().map(|listed| listed.target.id).collect();
    assert_eq!(ids.len(), count);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

async fn an_empty_list_is_no_error(facts: &Facts) {
    let bench = facts.bench_of(Some(0), &["no-tunnels"]).await;
    assert!(listed(&*bench.open()).await.unwrap().is_empty());
}

async fn count_is_how_many_the_list_gives(facts: &Facts) {
    let bench = facts.bench().await;
    assert_eq!(bench.open().targets().unwrap().count().await.unwrap(), facts.ids.len());
    let (devices, faults, count) = facts.paged;
    let bench = facts.bench_of(devices, faults).await;
    assert_eq!(bench.open().targets().unwrap().count().await.unwrap(), count);
    let bench = facts.bench_of(Some(0), &["no-tunnels"]).await;
    assert_eq!(bench.open().targets().unwrap().count().await.unwrap(), 0);
}

async fn exact_takes_names_and_ids_to_the_letter(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = facts.log_in(&bench).await;
    let exact = async |name: &str| -> Vec<String> {
        backend.targets().unwrap().exact(name).await.unwrap().into_iter().map(|target| target.id).collect()
    };
    for (id, name) in [facts.up, facts.down] {
        assert_eq!(exact(name).await, [id]);
        assert!(bench.asked().len() <= 2, "few requests");
        assert_eq!(exact(&name.to_uppercase()).await, if name == name.to_uppercase() { vec![id] } else { vec![] });
    }
    for name in ["nothing", "*", "?", ""] {
        assert_eq!(exact(name).await, Vec::<String>::new(), "{name:?}");
    }
}

async fn find_takes_names_and_ids(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = bench.open();
    for (id, name) in [facts.up, facts.down] {
        let by_name = find(&*backend, name).await;
        assert_eq!(by_name.len(), 1);
        assert_eq!((by_name[0].id.as_str(), by_name[0].name.as_deref()), (id, Some(name)));
        assert_eq!(found(&*backend, id).await, [id]);
    }
    if facts.one_vpn {
        assert_eq!(found(&*backend, facts.other_case.0).await, [facts.other_case.1]);
    }
    // What the name was found for is what a status is told of.
    assert_eq!(word(backend.status(find(&*backend, facts.up.1).await.first()).await), Word::Connected);
}

async fn nothing_found_is_an_empty_list(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = bench.open();
    for name in ["nothing", "no such thing", "../devices", "*", "%2e%2e", "-", ""] {
        assert_eq!(found(&*backend, name).await, Vec::<String>::new(), "{name:?}");
    }
}
