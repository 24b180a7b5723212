//! One of many targets that never gets where it is wanted.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;
use vpnctl::app::act::{Act, Verb};
use vpnctl::app::mass::{Way, run};
use vpnctl::app::selection::{Job, Plan};
use vpnctl::app::{Emit, Open, Stop, Underway};
use vpnctl::backend::How;
use vpnctl::error::Code;
use vpnctl::http::Deadline;

use super::bench::{Bench, find};

/// After which time a run that does not end is a failure of its own; none comes near.
const HANGS: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_device_that_never_connects_holds_up_no_other_where_the_command_has_no_end() {
    let bench = Bench::faulty("everyware", &["all-online", "connect-never"]).await;
    let backend = bench.open_with(|opening| opening.deadline = Deadline::none());
    let mut targets = Vec::new();
    for name in ["gw-lyon-03", "gw-turin-04"] {
        targets.extend(find(&*backend, name).await);
    }
    let open = Arc::new(Open::new(backend, Deadline::none(), 1, false));
    let job = |target| Job { open: Arc::clone(&open), target: Some(target), known: None, error: None };
    let plan = Plan { jobs: targets.into_iter().map(job).collect(), unopened: Vec::new() };
    let (verb, how, interval) = (Verb::Connect, How::default(), Some(Duration::from_millis(10)));
    let act = Act { verb, wait: true, switch: false, dry_run: false, how, interval, begun: None };
    let underway = Underway::default();
    let way = Way { batch: Some(1), bound: Some(Duration::from_millis(300)), changes: 2, underway: &underway };
    let (sender, mut told) = unbounded_channel();
    let out = Emit::new(sender, Stop::default());
    tokio::time::timeout(HANGS, run(plan, act, way, &out)).await.unwrap();
    drop(out);
    let mut names = Vec::new();
    while let Some(told) = told.recv().await {
        assert_eq!(told.error.map(|error| error.code()), Some(Code::TimeoutDeadline));
        let item = told.row.unwrap().into_item();
        // The last state that was seen is told, as it is where the command has an end.
        assert_eq!((&item["state"], &item["changed"]), (&"disconnected".into(), &true.into()), "{item:?}");
        names.push(item["target"]["name"].as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(names, ["gw-lyon-03", "gw-turin-04"]);
    assert_eq!(bench.count("_connect"), 2);
    assert!(underway.lock().unwrap().is_empty(), "what was told is not under way any more");
}
