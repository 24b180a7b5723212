//! The sentences of `Raw`, for each vendor.

use reqwest::Method;
use vpnctl::error::Code;

use super::bench::failed;
use super::facts::Facts;
use super::sentences::for_each_vendor;

for_each_vendor! {
    a_raw_answer_is_untouched
    a_raw_path_that_does_not_exist_is_told_with_its_answer
    a_raw_write_is_sent_once
    a_raw_read_is_repeated
}

/// A read that every vendor's simulator answers.
fn path(facts: &Facts) -> &'static str {
    match facts.vendor {
        "freebox" => "/vpn_client/status",
        "ixon" => "Status",
        _ => "_/devices?limit=1",
    }
}

async fn a_raw_answer_is_untouched(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = facts.log_in(&bench).await;
    let odd = "{\"success\" :true,\n \"z\":1.50, \"a\":\"\\/\u{202e}\", \"status\":\"idle\"}";
    bench.fault(&format!("body={odd}"));
    let answer = backend.raw().unwrap().call(Method::GET, path(facts), None).await.unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), odd);
}

async fn a_raw_path_that_does_not_exist_is_told_with_its_answer(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = facts.log_in(&bench).await;
    let error = backend.raw().unwrap().call(Method::GET, "surely/not/there", None).await.unwrap_err();
    assert_eq!((error.code(), error.exit().number()), (Code::ApiNotFound, 6));
    assert!(!error.answer().is_empty());
    assert!(!format!("{error:?}").contains(&String::from_utf8_lossy(error.answer()).into_owned()));
}

async fn a_raw_write_is_sent_once(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = facts.log_in(&bench).await;
    bench.fault("http-status=503");
    failed(backend.raw().unwrap().call(Method::POST, path(facts), None).await, Code::HttpServerError);
    assert_eq!(bench.asked().len(), 1);
}

async fn a_raw_read_is_repeated(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = facts.log_in(&bench).await;
    bench.fault("http-status=503*1");
    backend.raw().unwrap().call(Method::GET, path(facts), None).await.unwrap();
    assert_eq!(bench.asked().len(), 2);
}

#[tokio::test]
async fn a_log_is_lines_or_unsupported_without_a_request() {
    for facts in super::facts::ALL {
        let bench = facts.bench().await;
        let backend = bench.open();
        let Some(logs) = backend.logs() else {
            assert_eq!(bench.requests(), 0);
            continue;
        };
        bench.fault("clear-log");
        assert_eq!(logs.lines().await.unwrap(), [], "an empty log is no error");
        bench.heal();
        backend.disconnect(&facts.up()).await.unwrap();
        let lines = logs.lines().await.unwrap();
        assert!(!lines.is_empty());
        assert!(
            lines.iter().all(|line| line.at.is_none() && line.level.is_some() && !line.text.is_empty()),
            "{lines:?}"
        );
    }
}
