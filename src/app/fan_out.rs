//! Many targets at once: bounded for each backend, and no more of them in memory than are worked at.

use std::collections::BTreeMap;
use std::future::Future;

use futures_util::StreamExt as _;
use futures_util::future::{join, join_all};
use futures_util::stream;
use tokio::sync::mpsc;

use super::asks::{Ask, Asks, Question};
use super::{Emit, emit_failed};
use crate::error::Error;

/// How many questions of a backend wait for their turn; a slow backend does not hold those behind it back before that.
const QUEUE: usize = 256;

/// Works at every question, those of different backends side by side and those of one as many at once as its `jobs`
/// say; `unopened` tells of a backend that can't be asked. After enough failures nothing further is begun.
pub async fn run<Work, Done>(mut asks: Asks<'_>, out: &Emit, unopened: impl Fn(&str, &'static str, Error), work: Work)
where
    Work: Fn(Question) -> Done,
    Done: Future<Output = ()>,
{
    let mut queues = BTreeMap::new();
    let mut workers = Vec::new();
    for name in asks.backends() {
        let (queue, questions) = mpsc::channel::<Question>(QUEUE);
        queues.insert(name, queue);
        workers.push(worker(questions, out, &work));
    }
    let feed = async move {
        while !out.stop().is_reached() {
            // Whoever writes the targets may take their time, or never end.
            let next = tokio::select! {
                biased;
                () = out.stop().reached() => return,
                next = asks.next() => next,
            };
            match next {
                Ok(Some(Ask::At(question))) => {
                    let queue = question.places.first().and_then(|open| queues.get(&open.info().backend));
                    if let Some(queue) = queue {
                        // Its worker ends only after this.
                        let _ = queue.send(question).await;
                    }
                }
                Ok(Some(Ask::Unopened(name, vendor, error))) => unopened(&name, vendor, error),
                Ok(None) => return,
                Err(error) => return emit_failed(out, None, error),
            }
        }
    };
    join(feed, join_all(workers)).await;
    if out.stop().is_reached() {
        let failures = match out.stop().failed() {
            1 => "1 failure".to_owned(),
            failed => format!("{failed} failures"),
        };
        tracing::warn!("ended after {failures} (--fail-fast or --max-failures): what was not begun is not told");
    }
}

async fn worker<Done: Future<Output = ()>>(
    mut questions: mpsc::Receiver<Question>,
    out: &Emit,
    work: &impl Fn(Question) -> Done,
) {
    let Some(first) = questions.recv().await else { return };
    let width = first.places.first().map_or(1, |open| open.jobs);
    let rest = stream::unfold(questions, |mut questions| async {
        questions.recv().await.map(|question| (question, questions))
    });
    let all = stream::once(std::future::ready(first)).chain(rest);
    all.for_each_concurrent(width, |question| async move {
        if !out.stop().is_reached() {
            work(question).await;
        }
    })
    .await;
}
