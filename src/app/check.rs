//! `check`: whether every target is in the state that is expected of it.

use futures_util::future::join;
use tokio::sync::mpsc;

use super::asks::Asks;
use super::status::{self, Reading};
use super::{Emit, emit, emit_failed, emit_no, with_error};
use crate::error::{Code, Error, Layer, Result};
use crate::model::document::Checked;
use crate::model::threshold::Thresholds;
use crate::model::{Word, item};
use crate::render::Item;

/// Says what is expected.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The state.
    pub state: Word,
    /// What of a target in that state is a failure all the same.
    pub thresholds: Thresholds,
}

impl Expectation {
    /// Holds a status item to it: `true`, `false`, or `None` where it could not be told.
    fn holds(&self, item: &Item) -> Option<bool> {
        let state = item.get("state").and_then(serde_json::Value::as_str)?;
        let word = Word::parse(state).filter(|word| *word != Word::Unknown)?;
        if word != self.state || !self.thresholds.failures(item).is_empty() {
            return Some(false);
        }
        // An alert that can't come would be an answer to another question.
        self.thresholds.unknown(item).is_none().then_some(true)
    }
}

/// Refuses an expectation that nothing could fulfil.
///
/// # Errors
/// Fails with `usage`.
pub fn validate(expectation: &Expectation) -> Result<()> {
    if expectation.state == Word::Unknown {
        return Err(Error::usage("`unknown` is what could not be told, so it can't be expected")
            .hint("expect connected, disconnected, connecting, disconnecting, waiting or failed"));
    }
    for (flag, thresholds) in [("--warn", &expectation.thresholds.warn), ("--crit", &expectation.thresholds.crit)] {
        for (index, threshold) in thresholds.iter().enumerate() {
            let name = threshold.metric.as_str();
            if thresholds[..index].iter().any(|earlier| earlier.metric == threshold.metric) {
                return Err(Error::usage(format!("{flag} is given twice for `{name}`"))
                    .hint(format!("give one range, such as: {flag} {name}=10:20")));
            }
        }
    }
    Ok(())
}

/// Reads the state of everything that is asked about as `status` does, and emits for each whether it is as expected; `each`
/// sees what is emitted.
pub async fn run(asks: Asks<'_>, expectation: &Expectation, each: &dyn Fn(&Item), out: &Emit) {
    let (sender, mut read) = mpsc::unbounded_channel();
    // The sender goes with it, so that the other ends too.
    let sender = Emit::judged_by(sender, out);
    let reading = async move { status::run(asks, Reading::default(), &sender).await };
    let judging = async {
        while let Some(told) = read.recv().await {
            let Some(row) = told.row else {
                // What has no row of its own, as an empty selection, is told as it is.
                told.error.into_iter().for_each(|error| emit_failed(out, None, error));
                continue;
            };
            let (item, error) = judged(row.into_item(), told.error, expectation);
            each(&item);
            match error {
                Some(error) => emit_failed(out, Some(item), error),
                None if item.get("ok") == Some(&serde_json::Value::Bool(false)) => emit_no(out, item),
                None => emit(out, item),
            }
        }
    };
    join(reading, judging).await;
}

/// Adds to a status item what is expected and whether it holds.
fn judged(item: Item, error: Option<Error>, expectation: &Expectation) -> (Item, Option<Error>) {
    let ok = expectation.holds(&item).filter(|_| error.is_none());
    let error = error.or_else(|| ok.is_none().then(|| why_not(&item, expectation)));
    let item = match &error {
        Some(error) => with_error(item, error),
        None => item,
    };
    (item::marked(item, &Checked { expect: expectation.state, ok }), error)
}

/// Says why a state that could be read is no answer to the question.
fn why_not(item: &Item, expectation: &Expectation) -> Error {
    let text = |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_str).map(str::to_owned);
    let known = text(item.get("state")).and_then(|state| Word::parse(&state)).is_some_and(|word| word != Word::Unknown);
    let error = match expectation.thresholds.unknown(item).filter(|_| known) {
        Some(metric) => Error::new(
            Code::Unsupported,
            Layer::Api,
            format!(
                "the state is {}, but the vendor tells no {} here, so it can't be held to --warn or --crit",
                expectation.state.as_str(),
                metric.as_str()
            ),
        )
        .hint(format!("leave the range of {} out for this target", metric.as_str())),
        // A word that this version does not know is an answer, but none to the question.
        None => {
            let raw = text(item.get("raw_state")).unwrap_or_default();
            let what = format!("the state is `{raw}`, which is none that this version of vpnctl knows");
            Error::new(Code::VendorProtocol, Layer::Api, what)
                .hint("see what the vendor says: vpnctl status --native -o json")
        }
    };
    let error = match text(item.get("backend")) {
        Some(backend) => error.backend(backend),
        None => error,
    };
    let target = item.get("target");
    match text(target.and_then(|target| target.get("name")))
        .or_else(|| text(target.and_then(|target| target.get("id"))))
    {
        Some(target) => error.target(target),
        None => error,
    }
}
