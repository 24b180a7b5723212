//! Lists of Everyware Cloud, page by page: what they cost, and what changes meanwhile.

use std::collections::BTreeSet;

use vpnctl::backend::{Listed, VpnBackend};
use vpnctl::error::{Code, Error};
use vpnctl::model::{Source, Word};

use super::bench::{Bench, failed, listed};
use super::facts::EVERYWARE;

const LOGIN: &str = "POST /v1/authentication/user";

async fn fleet(devices: usize, faults: &[&str]) -> Bench {
    let bench = Bench::of("everyware", devices).await;
    bench.open().session().unwrap().show().await.unwrap();
    bench.asked();
    faults.iter().for_each(|fault| bench.fault(fault));
    bench
}

fn page(what: &str, offset: usize) -> String {
    format!("GET /v1/_/{what}?limit=1001&offset={offset}&askTotalCount=true")
}

/// Gives the requests for a list, in the order of their offsets: pages that are asked for side by side come in any.
fn pages(bench: &Bench, what: &str) -> Vec<String> {
    let offset = |asked: &String| -> usize {
        asked.split("offset=").nth(1).and_then(|rest| rest.split('&').next()).unwrap().parse().unwrap()
    };
    let entries = bench.running().context.log.entries();
    let mut asked: Vec<String> = entries.iter().map(|entry| format!("{} {}", entry.method, entry.path)).collect();
    asked.retain(|asked| asked.contains(&format!("/{what}?")));
    asked.sort_by_key(offset);
    asked
}

fn names(all: &[Listed]) -> Vec<&str> {
    all.iter().map(|listed| listed.target.name.as_deref().unwrap()).collect()
}

/// Gives the names of numbered devices.
fn numbered(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("gw-{number:06}")).collect()
}

#[tokio::test]
async fn an_account_costs_a_page_of_connections_and_of_devices_for_each_thousand() {
    let bench = Bench::of("everyware", 5000).await;
    let all = listed(&*bench.open()).await.unwrap();
    let count = |wanted: Word| all.iter().filter(|listed| listed.status.as_ref().unwrap().word() == wanted).count();
    assert_eq!((all.len(), count(Word::Connected), count(Word::Disconnected)), (5000, 3000, 2000));
    assert!(all.iter().all(|listed| listed.status.as_ref().unwrap().source == Source::Server));
    assert_eq!(bench.running().context.log.connections(), 1);
    assert_eq!(pages(&bench, "devices"), [0, 1000, 2000, 3000, 4000].map(|offset| page("devices", offset)));
    assert_eq!(pages(&bench, "vpnConnections"), [0, 1000, 2000].map(|offset| page("vpnConnections", offset)));
    let asked = bench.asked();
    assert_eq!(asked[0], LOGIN);
    // An operator is connected too; it is the one that three pages have beside their thousands.
    assert_eq!(asked.len(), 1 + 5 + 3, "{asked:?}");
}

#[tokio::test]
async fn a_server_that_caps_pages_is_followed_by_what_it_gave() {
    let bench = Bench::of("everyware", 50).await;
    bench.fault("page-size=20");
    assert_eq!(listed(&*bench.open()).await.unwrap().len(), 50);
    // The last of each page is the first of the next.
    assert_eq!(pages(&bench, "devices"), [0, 19, 38].map(|offset| page("devices", offset)));
}

#[tokio::test]
async fn a_page_that_comes_again_ends_the_list() {
    let bench = Bench::new("everyware").await;
    let backend = bench.logged_in(&EVERYWARE).await;
    // As of a server that ignores the offset; it is a page of devices and one of connections.
    bench.fault(r#"body={"limitExceeded":true,"items":[{"id":"AQ","clientId":"one"},{"id":"Ag","clientId":"two"}]}"#);
    let all = listed(&*backend).await.unwrap();
    assert_eq!(all.iter().map(|listed| listed.target.id.as_str()).collect::<Vec<_>>(), ["AQ", "Ag"]);
    assert_eq!(bench.requests(), 4);
    // The server says that there are more connections, so who is not among those is not told to be disconnected.
    assert!(all.iter().all(|listed| listed.status.is_none()), "{all:?}");
}

#[tokio::test]
async fn ten_thousand_devices_cost_twenty_requests_at_most() {
    let bench = fleet(10_000, &[]).await;
    let all = listed(&*bench.open()).await.unwrap();
    assert_eq!(names(&all), numbered(1..=10_000), "in the order of the list");
    let up = all.iter().filter(|listed| listed.status.as_ref().unwrap().word() == Word::Connected);
    assert_eq!(up.count(), 6000);
    assert_eq!((bench.count("/devices?"), bench.count("/vpnConnections?"), bench.requests()), (10, 6, 16));
    assert_eq!(bench.running().context.log.connections(), 1);
}

#[tokio::test]
async fn pages_are_read_side_by_side() {
    // Who asked for one after the other would wait for ever, and who asked for more would be refused.
    let only_devices = "vpn-connections-status=403";
    for (devices, faults) in
        [(9_000, &["pages-meet=3", "pages-at-most=3", only_devices][..]), (9_000, &["pages-meet=2", "pages-at-most=3"])]
    {
        let bench = fleet(devices, faults).await;
        assert_eq!(listed(&*bench.open()).await.unwrap().len(), devices);
        assert_eq!(bench.count("/devices?"), devices / 1000);
    }
    let bench = Bench::of("everyware", 4000).await;
    bench.fault("pages-meet=2");
    bench.fault(only_devices);
    let backend = bench.open_with(|opening| opening.recursive = true);
    assert_eq!(listed(&*backend).await.unwrap().len(), 4002, "accounts share what is allowed");
}

#[tokio::test]
async fn without_a_total_pages_are_read_one_by_one() {
    let bench = fleet(3500, &["no-total-count", "pages-at-most=2"]).await;
    assert_eq!(names(&listed(&*bench.open()).await.unwrap()), numbered(1..=3500));
    assert_eq!(pages(&bench, "devices"), [0, 1000, 2000, 3000].map(|offset| page("devices", offset)));
    assert_eq!(bench.count("/vpnConnections?"), 3);
}

#[tokio::test]
async fn capped_pages_are_read_side_by_side_too() {
    let bench = fleet(1000, &["page-size=300", "pages-meet=3", "vpn-connections-status=404"]).await;
    assert_eq!(names(&listed(&*bench.open()).await.unwrap()), numbered(1..=1000));
    assert_eq!(pages(&bench, "devices"), [0, 299, 598, 897].map(|offset| page("devices", offset)));
    for (cap, pages) in [(1, 20), (2, 19), (7, 4)] {
        for counted in [&[][..], &["no-total-count"]] {
            let bench = fleet(20, &[&[&*format!("page-size={cap}")], counted].concat()).await;
            assert_eq!(names(&listed(&*bench.open()).await.unwrap()), numbered(1..=20), "{cap}");
            assert_eq!(bench.count("/devices?"), pages, "{cap} {counted:?}");
        }
    }
}

#[tokio::test]
async fn behind_a_page_that_is_shorter_than_the_first_they_are_read_one_by_one() {
    let bench = fleet(5000, &["vpn-connections-status=403"]).await;
    let backend = bench.open();
    let mut told = Vec::new();
    let mut each = |listed: Listed| {
        if told.is_empty() {
            // By now it was said how many there are, and the others are not asked for yet.
            bench.fault("page-size=400");
        }
        told.push(listed);
    };
    backend.targets().unwrap().list(&mut each).await.unwrap();
    assert_eq!(names(&told), numbered(1..=5000));
    let asked = pages(&bench, "devices");
    let offset = |count: usize| page("devices", 1000 + 399 * count);
    assert!((1..10).all(|count| asked.contains(&offset(count))), "{asked:?}");
    // The first, those that were planned, and those from the gap on.
    assert!(asked.len() <= 1 + 4 + 10, "{asked:?}");
}

#[tokio::test]
async fn old_forms_of_lists_are_read_side_by_side_too() {
    let bench = fleet(4000, &["legacy-items", "pages-meet=2"]).await;
    assert_eq!(names(&listed(&*bench.open()).await.unwrap()), numbered(1..=4000));
    assert_eq!(bench.count("/devices?"), 4);
}

#[tokio::test]
async fn devices_that_leave_meanwhile_take_no_others_with_them() {
    for (leaving, cap) in [(1, 1000), (20, 1000), (1, 40)] {
        let faults = [format!("devices-leave={leaving}"), format!("page-size={cap}")];
        let bench = fleet(5000, &[&faults[0], &faults[1]]).await;
        let all = listed(&*bench.open()).await.unwrap();
        let gone = leaving * bench.count("/devices?");
        let told: BTreeSet<String> = names(&all).into_iter().map(str::to_owned).collect();
        assert_eq!(told.len(), all.len(), "none is told twice");
        let lost: Vec<String> = numbered(gone + 1..=5000).into_iter().filter(|name| !told.contains(name)).collect();
        assert_eq!(lost, Vec::<String>::new(), "{leaving} of {cap}");
        // Each page begins in the one before, from the first that showed it.
        let pages = 5000_usize.div_ceil(cap);
        assert!((pages..pages * 4 / 3 + 10).contains(&bench.count("/devices?")), "{}", bench.count("/devices?"));
    }
}

#[tokio::test]
async fn devices_that_leave_take_no_others_with_them_where_no_total_tells_of_it() {
    // Without a total, and with one that stays the same because as many come behind.
    for (faults, last) in [
        (&["devices-leave=1", "no-total-count"][..], 5000),
        (&["devices-leave=20", "no-total-count"], 5000),
        (&["devices-leave=4", "no-total-count", "page-size=40"], 5000),
        (&["devices-change=1"], 4500),
        (&["devices-change=20"], 4500),
    ] {
        let bench = fleet(5000, faults).await;
        let all = listed(&*bench.open()).await.unwrap();
        let told: BTreeSet<String> = names(&all).into_iter().map(str::to_owned).collect();
        assert_eq!(told.len(), all.len(), "none is told twice: {faults:?}");
        let gone = if last == 5000 { bench.count("/devices?") * 20 } else { 500 };
        let lost: Vec<String> = numbered(gone + 1..=last).into_iter().filter(|name| !told.contains(name)).collect();
        assert_eq!(lost, Vec::<String>::new(), "{faults:?}");
        // Each page begins in the one before, from the first that did not on.
        let pages = if faults.contains(&"page-size=40") { 125 } else { 5 };
        assert!(bench.count("/devices?") <= pages * 4 / 3 + 10, "{}", bench.count("/devices?"));
    }
}

#[tokio::test]
async fn a_list_that_changes_faster_than_it_is_read_is_told_and_called_no_whole() {
    for faults in
        [&["devices-leave=600"][..], &["devices-leave=600", "no-total-count"], &["devices-leave=10", "page-size=20"]]
    {
        let bench = fleet(5000, &[faults, &["vpn-connections-status=403"]].concat()).await;
        let backend = bench.open();
        let mut told = Vec::new();
        let mut each = |listed: Listed| told.extend(listed.target.name);
        let error = failed(backend.targets().unwrap().list(&mut each).await, Code::HttpServerError);
        assert!(error.message().contains("changed so much while it was read that some behind entry"), "{error}");
        assert!(error.is_temporary() && error.report().backend.as_deref() == Some("everyware"), "{error:?}");
        assert!(told.len() > 1000, "what is there is told: {}", told.len());
        // Nobody is called absent for it.
        let bench = fleet(5000, faults).await;
        let error = failed(bench.open().targets().unwrap().find("gw-nobody").await, Code::HttpServerError);
        assert!(error.message().contains("changed so much"), "{error}");
    }
}

#[tokio::test]
async fn connections_that_end_meanwhile_disconnect_no_others() {
    for faults in [&["connections-leave=1"][..], &["connections-leave=1", "no-total-count"], &["connections-leave=600"]]
    {
        let bench = fleet(5000, faults).await;
        let all = listed(&*bench.open()).await.unwrap();
        let word = |listed: &Listed| listed.status.as_ref().map(vpnctl::model::Status::word);
        // Of twenty devices the first twelve are connected, and those whose connection has ended are the first of all.
        let wrong = all.iter().filter(|listed| {
            let number: usize = listed.target.name.as_deref().unwrap().trim_start_matches("gw-").parse().unwrap();
            number > 20 && (number - 1) % 20 < 12 && word(listed) == Some(Word::Disconnected)
        });
        assert_eq!(wrong.count(), 0, "{faults:?}");
        let unknown = all.iter().filter(|listed| word(listed).is_none()).count();
        assert_eq!(unknown > 0, faults == ["connections-leave=600"], "{faults:?}: {unknown}");
    }
}

#[tokio::test]
async fn a_name_is_not_called_absent_for_a_list_that_ends_before_its_end() {
    let items = r#"[{"id":"AQ","clientId":"one"}]"#;
    for (rest, code) in [
        (r#""limitExceeded":false,"totalCount":5"#, Code::VendorProtocol),
        (r#""limitExceeded":true"#, Code::VendorProtocol),
        (r#""limitExceeded":false,"totalCount":1"#, Code::TargetNotFound),
    ] {
        let bench = fleet(3, &[]).await;
        bench.fault(&format!(r#"body={{{rest},"items":{items}}}"#));
        let backend = bench.open();
        let facet = backend.targets().unwrap();
        match facet.find("nobody").await {
            Ok(found) => {
                assert_eq!((found.len(), code), (0, Code::TargetNotFound), "{rest}");
            }
            Err(error) => {
                assert_eq!(error.code(), code, "{rest}: {error}");
                assert!(error.message().contains("whether `nobody` is there can't be told"), "{error}");
            }
        }
        assert_eq!(super::bench::found(&*bench.open(), "ONE").await, ["AQ"], "{rest}");
    }
}

#[tokio::test]
async fn devices_that_come_meanwhile_are_told_once_or_next_time() {
    for faults in
        [&["devices-come=5"][..], &["devices-come=5", "no-total-count"], &["devices-come=90", "page-size=100"]]
    {
        let bench = fleet(4500, faults).await;
        let all = listed(&*bench.open()).await.unwrap();
        assert_eq!(names(&all), numbered(501..=4500), "{faults:?}");
    }
}

#[tokio::test]
async fn a_total_that_is_wrong_misleads_nobody() {
    // More than there are, fewer, and one that grows without end: the pages count.
    for total in ["100000", "1", "\"2\"", "null", "-1", "18446744073709551615"] {
        let bench = fleet(3, &[]).await;
        let items = r#"[{"id":"AQ","clientId":"one"},{"id":"Ag","clientId":"two"}]"#;
        bench.fault(&format!(r#"body={{"limitExceeded":true,"totalCount":{total},"items":{items}}}"#));
        assert_eq!(names(&listed(&*bench.open()).await.unwrap()), ["one", "two"], "{total}");
        assert!(bench.requests() <= 2 + 8, "{total}: {}", bench.requests());
    }
}

#[tokio::test]
async fn a_page_that_fails_fails_the_list_and_what_was_told_holds() {
    let bench = fleet(5000, &["vpn-connections-status=403"]).await;
    let backend = bench.open();
    let mut told = 0;
    let mut each = |_: Listed| {
        told += 1;
        if told == 1 {
            bench.fault("not-json=devices");
        }
    };
    let error = backend.targets().unwrap().list(&mut each).await;
    failed(error, Code::VendorProtocol);
    assert_eq!(told, 1001);
}

#[tokio::test]
async fn who_is_not_in_a_list_that_contradicts_itself_is_not_called_disconnected() {
    let more = r#""limitExceeded":true,"totalCount":5"#;
    let items = r#"[{"id":"AQ","clientId":"one"}]"#;
    // One answer for both lists: the device is in neither as a connection, of which there should be five.
    for (rest, expected) in [
        (format!(r#"{more},"items":{items}"#), None),
        (r#""limitExceeded":false,"totalCount":5,"items":[{"id":"AQ","clientId":"one"}]"#.to_owned(), None),
        (
            r#""limitExceeded":false,"totalCount":1,"items":[{"id":"AQ","clientId":"one"}]"#.to_owned(),
            Some(Word::Disconnected),
        ),
        (r#""limitExceeded":false,"items":[{"id":"AQ","clientId":"one"}]"#.to_owned(), Some(Word::Disconnected)),
    ] {
        let bench = fleet(3, &[]).await;
        bench.fault(&format!("body={{{rest}}}"));
        let all = listed(&*bench.open()).await.unwrap();
        let told: Vec<_> = all.iter().map(|listed| listed.status.as_ref().map(vpnctl::model::Status::word)).collect();
        assert_eq!(told, [expected], "{rest}");
    }
}

/// Lists a fleet of which some pages of devices fail for good; gives what was told, and how the list ended.
async fn with_pages_that_fail(faults: &[&str]) -> (Bench, Vec<String>, Error) {
    let bench = fleet(5000, faults).await;
    let backend = bench.open();
    let mut told = Vec::new();
    let mut each = |listed: Listed| told.extend(listed.target.name);
    let error = failed(backend.targets().unwrap().list(&mut each).await, Code::HttpServerError);
    (bench, told, error)
}

#[tokio::test]
async fn a_page_that_fails_for_good_hides_none_behind_it() {
    let (bench, told, error) = with_pages_that_fail(&["http-status=500@/devices?limit=1001&offset=2000"]).await;
    // The pages beside it have its first and its last.
    assert_eq!(told, numbered((1..=2001).chain(3001..=5000)));
    assert!(error.message().starts_with("of the list of devices these are not read: 2002 to 3000: "), "{error}");
    assert!(error.hint_text().unwrap().contains("--retry-failed reads the whole list again"), "{error:?}");
    // The five pages, and a read is tried four times.
    assert_eq!(bench.count("/devices?"), 5 + 3);
    let (_, told, error) = with_pages_that_fail(&["http-status=500@/devices?limit=1001&offset=4000"]).await;
    assert_eq!(told, numbered(1..=4001));
    assert!(error.message().contains("not read: 4002 to 5000: "), "{error}");
}

#[tokio::test]
async fn a_server_that_fails_page_after_page_is_not_asked_for_all_of_them() {
    // Of a list without a total nobody knows what is behind.
    let (bench, told, error) =
        with_pages_that_fail(&["http-status=500@/devices?limit=1001&offset=2000", "no-total-count"]).await;
    assert_eq!(told, numbered(1..=2001));
    assert!(error.message().contains("not read: all from entry 2002 on: "), "{error}");
    assert_eq!(bench.count("/devices?"), 3 + 3);
    let (bench, told, error) =
        with_pages_that_fail(&["page-size=100", "http-status=500@/devices?limit=1001&offset=1"]).await;
    // The third page alone, and many in a row from the twelfth on, of which two are enough; four were on their way at once.
    assert_eq!(told, numbered((1..=199).chain(298..=1090)));
    assert!(error.message().contains("not read: 200 to 297, all from entry 1091 on: "), "{error}");
    assert!(bench.count("/devices?") <= 12 + 3 + 4 * 4, "{}", bench.count("/devices?"));
}

#[tokio::test]
async fn half_a_list_of_connections_is_none() {
    let bench = fleet(5000, &["http-status=500@/vpnConnections?limit=1001&offset=1000"]).await;
    let error = failed(listed(&*bench.open()).await, Code::HttpServerError);
    assert!(error.message().contains("of the list of vpnConnections these are not read"), "{error}");
}

#[tokio::test]
async fn a_device_that_is_not_as_documented_hides_no_other() {
    let bench = fleet(1, &[]).await;
    let items = r#"[{"id":"AQ"},{"clientId":"nobody"},{"id":"Ag","clientId":null,"displayName":7},{"id":"AuY","clientId":"gw"}]"#;
    bench.fault(&format!(r#"body={{"limitExceeded":false,"items":{items}}}"#));
    let all = listed(&*bench.open()).await.unwrap();
    let told: Vec<_> = all.iter().map(|listed| (listed.target.id.as_str(), listed.target.name.as_deref())).collect();
    assert_eq!(told, [("AQ", None), ("Ag", None), ("AuY", Some("gw"))]);
    // A server that has more of what nobody can tell apart, for ever.
    bench.fault(r#"body={"limitExceeded":true,"items":[{"displayName":"nobody"}]}"#);
    assert!(listed(&*bench.open()).await.unwrap().is_empty());
}

#[tokio::test]
async fn tags_and_custom_attributes_are_labels() {
    let bench = Bench::new("everyware").await;
    let all = listed(&*bench.open()).await.unwrap();
    let labels: Vec<(&str, String)> = all
        .iter()
        .filter(|listed| !listed.labels.is_empty())
        .map(|listed| {
            let labels: Vec<String> = listed.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            (listed.target.name.as_deref().unwrap(), labels.join(" "))
        })
        .collect();
    let expected = [
        ("00:60:0C:81:5F:2A", "customAttribute1=Hall 3 tag.AQ=true"),
        ("gw-lyon-02", "customAttribute1=lyon tag.AQ=true tag.Ag=true"),
        ("gw-lyon-03", "customAttribute1=lyon tag.Ag=true"),
        ("gw-spare-05", "customAttribute1=spare"),
    ];
    assert_eq!(labels, expected.map(|(name, labels)| (name, labels.to_owned())));
}

async fn count(backend: &dyn VpnBackend) -> usize {
    backend.targets().unwrap().count().await.unwrap()
}

async fn exact(backend: &dyn VpnBackend, name: &str) -> Vec<String> {
    backend.targets().unwrap().exact(name).await.unwrap().into_iter().map(|target| target.id).collect()
}

#[tokio::test]
async fn an_account_is_counted_by_one_request() {
    let bench = fleet(5000, &[]).await;
    assert_eq!(count(&*bench.open()).await, 5000);
    assert_eq!(bench.asked(), ["GET /v1/_/devices?limit=1&askTotalCount=true"]);
    bench.fault("no-total-count");
    assert_eq!(count(&*bench.open()).await, 5000);
    assert_eq!((bench.count("limit=1&"), bench.count("/devices?"), bench.requests()), (1, 6, 6));
    let bench = fleet(0, &["no-total-count"]).await;
    assert_eq!((count(&*bench.open()).await, bench.requests()), (0, 1));
    let bench = Bench::new("everyware").await;
    assert_eq!(count(&*bench.open_with(|opening| opening.recursive = true)).await, 9);
    // One that can't be counted is not left out: a share of the others would be too large.
    bench.fault("http-status=403@/Ai9_3Q/devices");
    let backend = bench.open_with(|opening| opening.recursive = true);
    let error = failed(backend.targets().unwrap().count().await, Code::AuthForbidden);
    assert!(error.message().contains("acme-north"), "{error}");
}

#[tokio::test]
async fn a_name_to_the_letter_is_found_by_one_request() {
    let bench = fleet(1, &[]).await;
    let question =
        |name: &str| format!("GET /v1/_/devices?matchTerm={name}&sortParam=clientId&sortDir=ASCENDING&limit=100");
    assert_eq!(exact(&*bench.open(), "gw-*").await, Vec::<String>::new());
    assert_eq!(bench.asked(), [question("gw-%2A")]);
    let items = r#"[{"id":"AQ","clientId":"gw-*"},{"id":"Ag","clientId":"gw-*1"},{"id":"AuY","displayName":"gw-*"},
        {"id":"AuZ","clientId":"a","displayName":"?"},{"id":"Aua","clientId":"b","displayName":"?","serialNumber":"s*"}]"#;
    bench.fault(&format!(r#"body={{"limitExceeded":false,"items":{}}}"#, items.replace('\n', "")));
    for (name, ids) in [("gw-*", &["AQ"][..]), ("?", &["AuZ", "Aua"]), ("*", &[]), ("s*", &[]), ("", &[])] {
        assert_eq!(exact(&*bench.open(), name).await, ids, "{name}");
        assert!(bench.asked().len() <= 1, "{name}");
    }
    // Where too much begins so, the client id is asked for, and nothing more.
    let bench = fleet(5000, &[]).await;
    assert_eq!(exact(&*bench.open(), "gw-0").await, Vec::<String>::new());
    assert_eq!(bench.asked(), [question("gw-0"), "GET /v1/_/devices?clientId=gw-0&limit=2".to_owned()]);
}

#[tokio::test]
async fn a_name_that_was_looked_up_before_is_known_to_the_letter() {
    let bench = Bench::new("everyware").await;
    let backend = bench.logged_in(&EVERYWARE).await;
    assert_eq!(exact(&*backend, "gw-lyon-02").await, ["-Kf2x0nQbDE"]);
    assert_eq!(exact(&*backend, "Lyon pumping station").await, ["-Kf2x0nQbDE", "_Kf2x0nQbDE"]);
    assert_eq!(exact(&*backend, "GW-lyon-02").await, Vec::<String>::new());
    assert_eq!(bench.requests(), 3);
    super::bench::found(&*backend, "gw-lyon-02").await;
    bench.asked();
    assert_eq!(exact(&*bench.open(), "gw-lyon-02").await, ["-Kf2x0nQbDE"]);
    assert_eq!(bench.requests(), 0);
    let recursive = bench.open_with(|opening| opening.recursive = true);
    assert_eq!(exact(&*recursive, "Kiruna mine").await, ["Ai9_3gE"]);
    bench.fault("http-status=403@/Ai9_3Q/devices");
    let recursive = bench.open_with(|opening| opening.recursive = true);
    assert_eq!(exact(&*recursive, "Kiruna mine").await, Vec::<String>::new(), "the list tells why");
}
