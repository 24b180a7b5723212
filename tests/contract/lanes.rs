//! How many connections a fleet opens, and how it slows down where the server asks for it: exact, by the server's log.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use vpnctl::backend::VpnBackend;
use vpnctl::error::{Code, Result};
use vpnctl::http::Deadline;
use vpnctl::model::{Status, Word};
use vpnctl::simulate::server::Entry;

use super::bench::{Bench, connect, failed, word};
use super::facts::EVERYWARE;

/// A server with a login, and a backend that has sent nothing yet.
async fn fresh(faults: &[&str]) -> (Bench, Box<dyn VpnBackend>) {
    let bench = EVERYWARE.bench().await;
    EVERYWARE.log_in(&bench).await;
    faults.iter().for_each(|fault| bench.fault(fault));
    let backend = bench.open_with(|opening| opening.deadline = Deadline::none());
    (bench, backend)
}

/// Makes that many calls, so many of them at once, and gives what came of them.
async fn calls(backend: &dyn VpnBackend, all: usize, jobs: usize) -> Vec<Result<Status>> {
    let up = EVERYWARE.up();
    futures_util::stream::iter(0..all).map(|_| backend.status(Some(&up))).buffer_unordered(jobs).collect().await
}

fn all_connected(results: Vec<Result<Status>>) {
    for result in results {
        assert_eq!(word(result), Word::Connected);
    }
}

fn entries(bench: &Bench) -> Vec<Entry> {
    bench.running().context.log.entries()
}

fn connections(bench: &Bench) -> usize {
    bench.running().context.log.connections()
}

fn by_connection(entries: &[Entry]) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    entries.iter().for_each(|entry| *counts.entry(entry.connection).or_default() += 1);
    counts
}

/// Gives how many were refused one after the other, each time.
fn refused(entries: &[Entry]) -> Vec<usize> {
    let runs = entries.chunk_by(|a, b| (a.status == 429) == (b.status == 429));
    runs.filter(|run| run[0].status == 429).map(<[Entry]>::len).collect()
}

#[tokio::test]
async fn a_hundred_calls_at_once_over_http2_open_one_connection() {
    let (bench, backend) = fresh(&[]).await;
    all_connected(calls(&*backend, 100, 100).await);
    assert_eq!((connections(&bench), bench.requests()), (1, 100));
    let entries = entries(&bench);
    assert!(entries.iter().all(|entry| entry.version == "HTTP/2.0"));
    // The first goes alone, the others together.
    assert_eq!(entries.iter().filter(|entry| entry.after == 0).count(), 1);
    all_connected(calls(&*backend, 1000, 100).await);
    assert_eq!((connections(&bench), bench.requests()), (1, 1100));
    bench.fault("slow=100");
    all_connected(calls(&*backend, 100, 100).await);
    assert_eq!((connections(&bench), bench.requests()), (1, 1200));
    let most = self::entries(&bench).iter().map(|entry| entry.at_once).max();
    assert!(most > Some(16), "they go together: {most:?}");
}

#[tokio::test]
async fn further_connections_are_opened_where_the_limit_of_streams_is_the_brake() {
    let (bench, backend) = fresh(&["max-streams=10", "slow=30"]).await;
    all_connected(calls(&*backend, 300, 100).await);
    let entries = entries(&bench);
    assert_eq!(bench.requests(), 300);
    assert!((2..=8).contains(&connections(&bench)), "{}", connections(&bench));
    assert_eq!(entries.iter().map(|entry| entry.at_once).max(), Some(10));
    // The first of each goes alone.
    for line in by_connection(&entries).into_keys() {
        let ones = entries.iter().filter(|entry| entry.connection == line && entry.at_once == 1).count();
        assert!(ones >= 1, "connection {line}");
    }
}

#[tokio::test]
async fn as_many_connections_as_the_limit_of_streams_asks_for_are_enough() {
    let (bench, backend) = fresh(&["max-streams=10", "slow=30"]).await;
    all_connected(calls(&*backend, 100, 10).await);
    assert_eq!(connections(&bench), 1, "10 at once are no more than one connection takes");
    all_connected(calls(&*backend, 200, 20).await);
    assert!((2..=3).contains(&connections(&bench)), "{}", connections(&bench));
}

/// Gives how many connections a fleet opens over HTTP/1.1.
async fn pool(slow: bool) -> usize {
    let (bench, backend) = fresh(&["http1"]).await;
    all_connected(calls(&*backend, 100, 100).await);
    let entries = entries(&bench);
    assert!(entries.iter().all(|entry| entry.version == "HTTP/1.1" && entry.at_once == 1));
    assert_eq!(entries.iter().filter(|entry| entry.after == 0).count(), 1);
    all_connected(calls(&*backend, 1000, 100).await);
    assert_eq!(bench.requests(), 1100);
    if slow {
        // Where no answer comes at once, all of the pool is of use, and no more.
        bench.fault("slow=50");
        all_connected(calls(&*backend, 100, 100).await);
        assert!(connections(&bench) >= 2);
    }
    assert!(connections(&bench) <= 32, "{}", connections(&bench));
    connections(&bench)
}

#[tokio::test]
async fn over_http1_there_is_a_small_pool() {
    for slow in [false, true] {
        // A computer that stands still for a quarter of a second makes answers slow, for which the pool grows.
        let mut seen = Vec::new();
        while seen.last().is_none_or(|most| *most > 8) {
            assert!(seen.len() < 5, "{seen:?}");
            seen.push(pool(slow).await);
        }
    }
}

#[tokio::test]
async fn over_http1_slow_answers_have_the_pool_grow() {
    let (bench, backend) = fresh(&["http1", "slow=300"]).await;
    all_connected(calls(&*backend, 120, 100).await);
    assert!((9..=32).contains(&connections(&bench)), "{}", connections(&bench));
}

/// A server that closes each connection after some requests, as nginx does after 1,000.
#[tokio::test]
async fn a_connection_that_is_closed_in_good_order_is_followed_by_one() {
    for (faults, jobs) in [(&["goaway=20"][..], 50), (&["goaway=20", "slow=5"], 50), (&["goaway=20", "slow=5"], 8)] {
        let (bench, backend) = fresh(faults).await;
        all_connected(calls(&*backend, 200, jobs).await);
        let lines = by_connection(&entries(&bench));
        // Each takes 20 at least; one that nobody needed would take none.
        assert_eq!(connections(&bench), lines.len(), "{faults:?} {lines:?}");
        assert!(lines.len() <= 10, "{faults:?} {lines:?}");
    }
}

/// A server that is full gives requests back, as ones that it has not looked at.
#[tokio::test]
async fn a_read_that_is_given_back_unseen_has_four_tries_and_a_write_one() {
    let (bench, backend) = fresh(&["refuse-stream*3"]).await;
    all_connected(calls(&*backend, 1, 1).await);
    assert_eq!((bench.requests(), connections(&bench)), (4, 1));
    bench.fault("refuse-stream");
    let error = failed(backend.status(Some(&EVERYWARE.up())).await, Code::NetReset);
    assert!(error.is_temporary() && !error.outcome_is_unknown(), "{error}");
    assert_eq!(bench.requests(), 8);
    // What other failures have taken is not given again.
    bench.heal();
    bench.fault("http-status=500");
    bench.fault("refuse-stream*3");
    let error = failed(backend.status(Some(&EVERYWARE.up())).await, Code::HttpServerError);
    assert!(error.is_temporary(), "{error}");
    assert_eq!(bench.requests(), 12);
    bench.heal();
    bench.fault("refuse-stream=POST");
    let error = connect(&*backend, &EVERYWARE.down()).await.unwrap_err();
    assert!(error.outcome_is_unknown(), "the server's word is not enough: {error}");
    let entries = entries(&bench);
    assert_eq!(entries.iter().filter(|entry| entry.status == 0).count(), 3 + 4 + 3 + 1, "{entries:?}");
}

/// A connection whose other end is gone takes what is sent, and nothing ever comes back.
#[tokio::test]
async fn a_connection_without_a_sign_of_life_is_left_for_another() {
    let (bench, backend) = fresh(&["mute=2"]).await;
    all_connected(calls(&*backend, 1, 1).await);
    all_connected(calls(&*backend, 1, 1).await);
    assert_eq!((bench.requests(), connections(&bench)), (3, 2));
}

/// A proxy before the server may be another one after a while.
#[tokio::test]
async fn a_server_that_changes_its_version_is_followed() {
    let (bench, backend) = fresh(&["goaway=20"]).await;
    all_connected(calls(&*backend, 19, 10).await);
    bench.fault("http1");
    all_connected(calls(&*backend, 1, 1).await);
    bench.running().context.faults.clear("goaway");
    bench.asked();
    all_connected(calls(&*backend, 100, 50).await);
    assert!(entries(&bench).iter().all(|entry| entry.version == "HTTP/1.1"));
    assert!(connections(&bench) <= 8, "{}", connections(&bench));
    // Each of these connections ends with its next request.
    bench.fault("goaway=1");
    bench.running().context.faults.clear("http1");
    all_connected(calls(&*backend, 40, 1).await);
    bench.running().context.faults.clear("goaway");
    bench.asked();
    all_connected(calls(&*backend, 100, 50).await);
    assert!(entries(&bench).iter().all(|entry| entry.version == "HTTP/2.0"));
    assert!(connections(&bench) <= 1, "{}", connections(&bench));
}

#[tokio::test]
async fn a_refusal_in_the_middle_slows_the_whole_backend_and_loses_nothing() {
    let (bench, backend) = fresh(&["rate-limit=40/1"]).await;
    all_connected(calls(&*backend, 200, 50).await);
    let entries = entries(&bench);
    assert_eq!(entries.iter().filter(|entry| entry.status == 200).count(), 200);
    let refused = refused(&entries);
    // While it is paused the server refuses all: more than were in flight would mean that one was sent meanwhile.
    assert!(refused.first().is_some_and(|first| *first <= 50), "{refused:?}");
    assert!(refused.iter().skip(1).all(|later| *later <= 25), "half as many at most are in flight later: {refused:?}");
}

#[tokio::test]
async fn a_slow_server_answers_all_of_a_fleet() {
    let (bench, backend) = fresh(&["rate-limit=20/1"]).await;
    all_connected(join_all((0..100).map(|_| async { backend.status(Some(&EVERYWARE.up())).await })).await);
    assert_eq!(entries(&bench).iter().filter(|entry| entry.status == 200).count(), 100);
}

/// A pause that the server does not name is found by several calls, none of which has more than its tries.
#[tokio::test]
async fn a_pause_that_is_not_named_is_at_no_ones_cost() {
    let (bench, backend) = fresh(&["http-status=503*5"]).await;
    all_connected(calls(&*backend, 8, 8).await);
    let entries = entries(&bench);
    assert_eq!(entries.len(), 13);
    // Each of the five went alone, and so did the one that found out that the pause is over.
    assert!(entries[..6].iter().all(|entry| entry.at_once == 1), "{entries:?}");
}

#[tokio::test]
async fn a_write_that_is_refused_is_sent_once_and_brakes_the_others() {
    let (bench, _) = fresh(&["http-status=429", "retry-after=30"]).await;
    let backend = bench.open();
    let error = failed(connect(&*backend, &EVERYWARE.down()).await, Code::HttpRateLimited);
    assert!(!error.outcome_is_unknown());
    assert_eq!((error.report().retry_after_s, bench.requests()), (Some(30.0), 1));
    bench.heal();
    let error = failed(backend.status(Some(&EVERYWARE.up())).await, Code::HttpRateLimited);
    assert!(error.report().retry_after_s.is_some_and(|left| left <= 30.0 && left > 15.0), "{error}");
    let error = failed(connect(&*backend, &EVERYWARE.down()).await, Code::HttpRateLimited);
    assert!(!error.outcome_is_unknown(), "it was not sent");
    assert_eq!(bench.requests(), 1);
}

#[tokio::test]
async fn a_block_of_an_hour_is_told_at_once_and_asked_no_more() {
    for status in ["429", "503"] {
        let code = if status == "429" { Code::HttpRateLimited } else { Code::HttpServerError };
        let (bench, backend) = fresh(&[&format!("http-status={status}"), "retry-after=3600"]).await;
        let error = failed(backend.status(Some(&EVERYWARE.up())).await, code);
        assert_eq!(error.report().retry_after_s, Some(3600.0));
        let results = calls(&*backend, 20, 5).await;
        for result in results {
            let error = failed(result, code);
            assert!(error.is_temporary() && error.hint_text().is_some());
            assert!(error.report().retry_after_s.is_some_and(|left| left > 3000.0));
        }
        assert_eq!(bench.requests(), 1);
    }
}

/// A call that is given up gives back what it held.
#[tokio::test]
async fn a_call_that_is_given_up_leaves_its_place() {
    for faults in [&["slow=60000"][..], &["http1", "slow=60000"], &["max-streams=2", "slow=60000"]] {
        let (bench, backend) = fresh(&[]).await;
        faults.iter().for_each(|fault| bench.fault(fault));
        for _ in 0..3 {
            let many = calls(&*backend, 40, 40);
            assert!(tokio::time::timeout(std::time::Duration::from_millis(100), many).await.is_err());
        }
        bench.running().context.faults.clear("slow");
        all_connected(calls(&*backend, 40, 40).await);
    }
}
