//! The README's way to put the rows of several parts together, on what real parts write.

use std::collections::BTreeSet;
use std::io::Write as _;

use serde_json::Value;
use vpnctl::render::jq::Filter;

use crate::{bare, read};

/// How many parts there are.
const PARTS: u32 = 3;

/// Reads the account of the demonstration, or a part of it; both streams, one after the other, as a log of a pod has them.
fn log(part: Option<u32>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bare(folder.path());
    command.args(["--demo", "status", "-b", "everyware", "--live", "-o", "ndjson"]);
    if let Some(part) = part {
        // As in a pod of an Indexed Job.
        command.args(["--shard", &format!("/{PARTS}")]).env("JOB_COMPLETION_INDEX", part.to_string());
    }
    let done = command.output().unwrap();
    [done.stderr, done.stdout].map(|bytes| String::from_utf8(bytes).unwrap()).concat()
}

/// Gives the lines of a type, as `grep` of the README finds them.
fn of_type(log: &str, kind: &str) -> Vec<Value> {
    let begin = format!(r#"{{"type":"{kind}""#);
    let pattern = format!("grep '^{begin}' sweep.log");
    assert!(read("README.md").contains(&pattern), "README.md has no {pattern}");
    log.lines().filter(|line| line.starts_with(&begin)).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Gives what the README's expression for `jq -s` makes of some values.
fn merged(values: &[Value]) -> Value {
    let readme = read("README.md");
    let (_, rest) = readme.split_once("sweep.log | jq -cs '").expect("README.md merges summaries");
    let expression = rest.split('\'').next().unwrap();
    let out = tempfile::NamedTempFile::new().unwrap();
    let filter = Filter::start(expression, out.reopen().unwrap(), false).expect("an expression");
    let mut feed = filter.feed(false);
    feed.write_all(&serde_json::to_vec(values).unwrap()).unwrap();
    drop(feed);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(filter.end()).expect("it works");
    serde_json::from_slice(&std::fs::read(out.path()).unwrap()).unwrap()
}

/// Gives the ids of devices, in order, each as often as it is there.
fn ids(rows: &[Value]) -> Vec<&str> {
    let mut ids: Vec<&str> = rows.iter().map(|row| row["target"]["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn parts_put_together_are_the_whole() {
    let whole = log(None);
    let parts: Vec<String> = (0..PARTS).map(|part| log(Some(part))).collect();
    let sizes: BTreeSet<usize> = parts.iter().map(|part| of_type(part, "status").len()).collect();
    assert!(!sizes.contains(&of_type(&whole, "status").len()), "a part is the whole: {sizes:?}");
    let together = parts.concat();
    let (rows, all) = (of_type(&together, "status"), of_type(&whole, "status"));
    assert!(all.len() > 5 && ids(&rows) == ids(&all), "{:?} and {:?}", ids(&rows), ids(&all));

    let summaries = of_type(&together, "summary");
    assert_eq!(summaries.len(), parts.len());
    let [expected] = of_type(&whole, "summary").try_into().expect("one summary");
    assert!(expected["failed"].as_u64() > Some(0), "of no use without failures: {expected}");
    assert_eq!(merged(&summaries), expected);
}
