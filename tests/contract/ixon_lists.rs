//! The lists of the IXON cloud: pages, companies, the forms that they come in.

use vpnctl::error::Code;

use super::bench::{Bench, failed, found, listed};
use super::ixon::{TOKEN, heard};

#[tokio::test]
async fn a_list_asks_the_cloud_for_pages_and_the_client_once() {
    let bench = Bench::of("ixon", 2500).await;
    bench.open().status(None).await.unwrap();
    bench.asked();
    let backend = bench.open();
    assert_eq!(listed(&*backend).await.unwrap().len(), 2500);
    assert_eq!((bench.count("GET /api/agents?"), bench.count("GET /status"), bench.requests()), (3, 1, 4));
    for entry in bench.running().context.log.entries().iter().filter(|entry| entry.path.starts_with("/api/")) {
        let header = |name: &str| entry.headers.get(name).map(String::as_str);
        assert_eq!(header("api-version"), Some("2"));
        assert_eq!(header("api-application"), Some("VpnctlDemo01"));
        assert_eq!(header("api-company"), Some("1111-2222-3333-4444-5555"));
        assert_eq!(header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    }
    assert_eq!(found(&*backend, "Machine 2500").await, ["G00000002500"]);
    assert_eq!(bench.requests(), 4, "a name of that list is known");
    assert_eq!(found(&*bench.open(), "Machine 2499").await, ["G00000002499"]);
    assert_eq!(bench.requests(), 4);
}

#[tokio::test]
async fn a_cursor_that_repeats_ends_the_list() {
    let bench = Bench::of("ixon", 1500).await;
    bench.fault("cursor-repeats");
    let (all, lines) = heard(async { listed(&*bench.open()).await.unwrap() }).await;
    assert_eq!(lines.matches("may be incomplete").count(), 1, "{lines}");
    let mut ids: Vec<String> = all.into_iter().map(|listed| listed.target.id).collect();
    assert_eq!(bench.count("GET /api/agents?"), 2);
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((all, ids.len()), (1000, 1000), "each target once");
    // What is behind the first page may be there all the same.
    let error = failed(bench.open().targets().unwrap().find("Machine 1400").await, Code::VendorProtocol);
    assert!(error.message().starts_with("whether `Machine 1400` is there can't be told: "), "{error}");
    assert_eq!(found(&*bench.open(), "machine 999").await, ["G00000000999"]);
}

#[tokio::test]
async fn lists_have_several_forms() {
    let bench = Bench::of("ixon", 1).await;
    bench.fault("single-object");
    assert_eq!(listed(&*bench.open()).await.unwrap().len(), 1);
    let bench = Bench::faulty("ixon", &["no-moreafter"]).await;
    assert_eq!(listed(&*bench.open()).await.unwrap().len(), 7);
}

#[tokio::test]
async fn all_companies_are_searched_where_none_is_configured() {
    let mut bench = Bench::new("ixon").await;
    bench.unset("company_id");
    let backend = bench.open();
    assert_eq!(listed(&*backend).await.unwrap().len(), 9);
    assert_eq!((bench.count("GET /api/companies?"), bench.count("GET /api/agents?")), (1, 2));
    assert_eq!(found(&*backend, "Press 7").await, ["AAAAAAAAAAAA", "BBBBBBBBBBBA"], "never a guess");
    assert_eq!(found(&*backend, "Mixer").await, ["BBBBBBBBBBBB"]);
    // The second company is on a page of its own.
    bench.asked();
    bench.fault("page-size=1");
    assert_eq!(listed(&*bench.open()).await.unwrap().len(), 9);
    assert_eq!(bench.count("GET /api/companies?"), 2);
    // Nor is it known to be the last where the cloud names the same page again.
    bench.fault("cursor-repeats");
    let error = failed(bench.open().targets().unwrap().find("Mixers").await, Code::VendorProtocol);
    assert!(error.message().contains("the list of the companies may be incomplete"), "{error}");
}
