//! Reads that fail for a while, servers that misbehave, and many calls at once, for each vendor.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use vpnctl::error::{Code, Exit};
use vpnctl::http::Deadline;
use vpnctl::model::Word;

use super::bench::{Bench, connect, failed, word};
use super::facts::{FREEBOX, Facts};
use super::sentences::for_each_vendor;

for_each_vendor! {
    a_read_that_fails_for_a_while_is_repeated
    a_read_is_tried_four_times_at_most
    a_read_inside_a_login_is_tried_four_times_at_most
    a_login_without_an_answer_is_sent_once
    a_wait_beyond_the_deadline_is_not_begun
    a_redirect_is_not_followed
    a_body_without_an_end_is_cut
    a_server_that_is_silent_ends_with_the_attempts_time
    a_write_to_a_silent_server_has_an_unknown_outcome
    a_deadline_ends_what_is_slow
    a_write_after_the_deadline_is_not_sent
    a_connection_that_breaks_is_tried_again
    a_name_that_does_not_resolve_is_named
    many_calls_on_a_fresh_login_make_one
    processes_at_once_make_one_login
}

/// Waits are the transport's and no vendor's, so they are waited for once.
#[tokio::test]
async fn waits_double_and_give_way_to_what_the_server_asks_for() {
    let bench = FREEBOX.bench().await;
    let backend = FREEBOX.log_in(&bench).await;
    // Only that it waits at all can be told on a machine that others use: how much longer it took is theirs.
    for (faults, least) in [
        (&["http-status=503*2"][..], 600),
        (&["http-status=503*1", "retry-after=1"], 1000),
        (&["http-status=503*3", "retry-after=0"], 0),
    ] {
        faults.iter().for_each(|fault| bench.fault(fault));
        let started = Instant::now();
        assert_eq!(word(backend.status(None).await), Word::Connected);
        assert!(started.elapsed() >= Duration::from_millis(least), "{faults:?}");
        bench.heal();
    }
}

fn within(bench: &Bench, millis: u64) -> Box<dyn vpnctl::backend::VpnBackend> {
    bench.open_with(|opening| {
        opening.deadline = Deadline::after(Some(Duration::from_millis(millis)));
        opening.request_timeout = Some(Duration::from_millis(50));
    })
}

async fn a_read_that_fails_for_a_while_is_repeated(facts: &Facts) {
    for status in ["500", "502", "503", "504"] {
        let bench = facts.bench().await;
        let backend = facts.log_in(&bench).await;
        bench.fault(&format!("http-status={status}*2"));
        bench.fault("retry-after=0");
        assert_eq!(word(backend.status(Some(&facts.up())).await), Word::Connected, "{status}");
        assert_eq!(bench.requests(), 3, "{status}");
    }
}

async fn a_read_is_tried_four_times_at_most(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = facts.log_in(&bench).await;
    bench.fault("http-status=503");
    bench.fault("retry-after=0");
    let error = failed(backend.status(Some(&facts.up())).await, Code::HttpServerError);
    assert_eq!((error.exit(), error.report().http_status), (Exit::Unreachable, Some(503)));
    assert!(error.is_temporary() && !error.outcome_is_unknown());
    assert_eq!(error.backend_name(), Some(facts.vendor));
    let asked = bench.asked();
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|path| *path == asked[0]));
}

async fn a_read_inside_a_login_is_tried_four_times_at_most(facts: &Facts) {
    let bench = facts.bench().await;
    bench.fault("http-status=503");
    bench.fault("retry-after=0");
    failed(bench.open().session().unwrap().show().await, Code::HttpServerError);
    // A login that may have arrived is a write; what a Freebox is asked before it are reads.
    let once = bench.asked().iter().all(|asked| asked.starts_with("POST "));
    let most = if once { 1 } else { 4 };
    bench.asked();
    failed(bench.open().session().unwrap().show().await, Code::HttpServerError);
    assert_eq!(bench.requests(), most, "{:?}", bench.asked());
}

/// A login whose answer is lost may have been counted as a refusal: no other call sends it again.
async fn a_login_without_an_answer_is_sent_once(facts: &Facts) {
    let bench = facts.bench().await;
    if facts.vendor == "freebox" {
        // The version and the challenge are read before.
        facts.log_in(&bench).await;
        bench.fault("expire-sessions");
    }
    let path = facts.login.trim_start_matches("POST ").split('?').next().unwrap_or_default();
    bench.fault(&format!("http-status=503@{path}"));
    let session_of = |backend: Box<dyn vpnctl::backend::VpnBackend>| async move {
        let up = facts.up();
        let all = (0..3).map(|_| backend.status(Some(&up)));
        join_all(all).await
    };
    if facts.vendor == "ixon" {
        failed(bench.open().session().unwrap().show().await, Code::HttpServerError);
    } else {
        for result in session_of(bench.open()).await {
            failed(result, Code::HttpServerError);
        }
    }
    let logins =
        bench.asked().into_iter().filter(|asked| asked.contains(path)).filter(|asked| asked.starts_with("POST "));
    assert_eq!(logins.count(), 1);
}

async fn a_wait_beyond_the_deadline_is_not_begun(facts: &Facts) {
    let bench = facts.bench().await;
    facts.log_in(&bench).await;
    bench.fault("http-status=503");
    bench.fault("retry-after=30");
    let backend = bench.open_with(|opening| opening.deadline = Deadline::after(Some(Duration::from_secs(5))));
    let error = failed(backend.status(Some(&facts.up())).await, Code::HttpServerError);
    assert_eq!(error.report().retry_after_s, Some(30.0));
    assert!(error.is_temporary());
    assert_eq!(bench.requests(), 1);
}

async fn a_redirect_is_not_followed(facts: &Facts) {
    let stranger = facts.bench().await;
    let bench = facts.bench().await;
    let backend = facts.log_in(&bench).await;
    bench.fault(&format!("redirect={}", stranger.running().urls[0].1));
    let error = failed(backend.status(Some(&facts.up())).await, Code::VendorProtocol);
    assert_eq!((error.exit(), error.report().http_status), (Exit::Vendor, Some(302)));
    assert!(error.message().contains(&stranger.running().urls[0].1) && error.hint_text().is_some());
    failed(connect(&*backend, &facts.down()).await, Code::VendorProtocol);
    assert_eq!(bench.requests(), 2);
    assert_eq!(stranger.running().context.log.connections(), 0);
}

async fn a_body_without_an_end_is_cut(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = facts.log_in(&bench).await;
    bench.fault("endless");
    let error = failed(backend.status(Some(&facts.up())).await, Code::VendorProtocol);
    assert!(error.message().contains("16 MiB"), "{error}");
    assert_eq!(bench.requests(), 1);
}

async fn a_server_that_is_silent_ends_with_the_attempts_time(facts: &Facts) {
    let bench = facts.bench().await;
    facts.log_in(&bench).await;
    bench.fault("silent");
    let error = failed(within(&bench, 200).status(Some(&facts.up())).await, Code::TimeoutRequest);
    assert_eq!(error.exit(), Exit::Unreachable);
    assert!(error.is_temporary() && error.hint_text().unwrap().contains("--request-timeout"));
}

async fn a_write_to_a_silent_server_has_an_unknown_outcome(facts: &Facts) {
    let bench = facts.bench().await;
    facts.log_in(&bench).await;
    bench.fault("slow=300");
    let error = failed(connect(&*within(&bench, 2000), &facts.down()).await, Code::TimeoutRequest);
    assert!(error.outcome_is_unknown());
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert!(bench.requests() <= 1, "{:?}", bench.asked());
}

async fn a_deadline_ends_what_is_slow(facts: &Facts) {
    let bench = facts.bench().await;
    facts.log_in(&bench).await;
    bench.fault("slow=5000");
    let backend = bench.open_with(|opening| opening.deadline = Deadline::after(Some(Duration::from_millis(50))));
    let error = failed(backend.status(Some(&facts.up())).await, Code::TimeoutDeadline);
    assert_eq!(error.exit(), Exit::Timeout);
    assert!(error.hint_text().unwrap().contains("--timeout"));
    // What broke the tries before says more than that the time is over.
    bench.heal();
    bench.fault("http-status=503*1");
    bench.fault("slow=1000");
    let backend = bench.open_with(|opening| opening.deadline = Deadline::after(Some(Duration::from_millis(1900))));
    failed(backend.status(Some(&facts.up())).await, Code::HttpServerError);
}

async fn a_write_after_the_deadline_is_not_sent(facts: &Facts) {
    let bench = facts.bench().await;
    facts.log_in(&bench).await;
    let backend = bench.open_with(|opening| opening.deadline = Deadline::after(Some(Duration::from_nanos(1))));
    let error = failed(connect(&*backend, &facts.down()).await, Code::TimeoutDeadline);
    assert!(!error.outcome_is_unknown(), "nothing was sent: {error}");
    assert_eq!(bench.requests(), 0);
}

async fn a_connection_that_breaks_is_tried_again(facts: &Facts) {
    let bench = facts.bench().await;
    facts.log_in(&bench).await;
    bench.fault("reset*1");
    assert_eq!(word(bench.open().status(Some(&facts.up())).await), Word::Connected);
    assert_eq!((bench.running().context.log.connections(), bench.requests()), (2, 1));
    bench.fault("reset*1");
    let error = failed(connect(&*bench.open(), &facts.down()).await, Code::NetReset);
    assert!(error.is_temporary());
    assert_eq!(bench.requests(), 1, "a write is not repeated");
}

async fn a_name_that_does_not_resolve_is_named(facts: &Facts) {
    let mut bench = facts.bench().await;
    // No name has so long a part, so the system refuses it without asking anybody.
    let name = format!("{}.invalid", "x".repeat(64));
    bench.text("url", &format!("http://{name}"));
    if facts.vendor == "everyware" {
        bench.secret("api_key", "any");
    }
    let backend = bench.open_with(|opening| opening.deadline = Deadline::after(Some(Duration::from_secs(10))));
    let error = failed(backend.status(Some(&facts.up())).await, Code::NetDns);
    assert!(error.message().contains(&name), "{error}");
    assert!(!error.outcome_is_unknown() && error.exit() == Exit::Unreachable);
}

async fn many_calls_on_a_fresh_login_make_one(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = bench.open();
    let up = facts.up();
    for status in join_all((0..20).map(|_| backend.status(Some(&up)))).await {
        assert_eq!(word(status), Word::Connected);
    }
    if facts.vendor == "everyware" {
        assert_eq!(bench.running().context.log.connections(), 1, "HTTP/2 takes all of them");
    }
    let asked = bench.asked();
    let reads =
        asked.iter().filter(|asked| asked.starts_with("GET ") && asked.contains("vpn") || asked.ends_with("/status"));
    assert_eq!(reads.count(), 20);
    // Beside those only what one call alone would cost.
    let first = if facts.vendor == "freebox" { 3 } else { 1 };
    assert_eq!(asked.len(), 20 + first, "{asked:?}");
}

async fn processes_at_once_make_one_login(facts: &Facts) {
    let bench = facts.bench().await;
    let process = || async { bench.open().session().unwrap().show().await };
    for login in join_all((0..6).map(|_| process())).await {
        assert_eq!(login.unwrap().state, vpnctl::backend::LoginState::Ok);
    }
    assert_eq!(bench.count(facts.login), 1, "{:?}", bench.asked());
}
