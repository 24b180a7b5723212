//! Waits for the filter of `--jq`, which runs beside the command: until it is done, time is over, nobody reads any more,
//! or a signal comes.

use std::future::pending;
use std::io::Write as _;
use std::time::{Duration, Instant};

use super::dispatch::Command;
use super::report::interrupted;
use super::settings;
use crate::error::{Code, Error, Exit, Layer};
use crate::render::jq::{Filter, Trouble};
use crate::ui;

/// How long a filter may take after the last document where no `--timeout` bounds the command.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it may take in any case, so that what a command found at its end is still told.
const GRACE: Duration = Duration::from_millis(500);

impl Command<'_> {
    /// Waits until a filter is through with what it was given.
    pub(super) async fn end_of(&self, filter: Filter, stopped: Option<Exit>) -> anyhow::Result<()> {
        let grace = Instant::now() + GRACE;
        let until = match settings::timeout(self.global, &self.environment)? {
            _ if stopped.is_some() => Some(grace),
            Some(Duration::ZERO) => None,
            Some(bound) => Some(grace.max(self.started + bound)),
            None => Some(Instant::now() + PATIENCE),
        };
        let over = async {
            match until {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            ended = filter.end() => ended.map_err(error),
            exit = interrupted() => Err(self.stopped_by(exit).into()),
            () = ui::reader_gone() => Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into()),
            // Who stopped the command is told that, and not of a filter.
            () = over => match stopped {
                Some(_) => Ok(()),
                None => Err(late().into()),
            },
        }
    }

    /// Prints a vendor's answer: untouched, or as the filter of `--jq` makes it.
    pub(super) async fn print_answer(&self, answer: &[u8]) -> anyhow::Result<()> {
        match self.filter.take() {
            Some(filter) if !answer.trim_ascii().is_empty() => {
                filter.feed(false).write_all(answer)?;
                self.end_of(filter, None).await
            }
            Some(_) => Ok(()),
            None => Ok(ui::print_bytes(answer)?),
        }
    }
}

/// Waits until a filter fails; none never does.
pub(super) async fn failure(filter: Option<&mut Filter>) -> anyhow::Error {
    match filter {
        Some(filter) => error(filter.failure().await),
        None => pending().await,
    }
}

fn error(trouble: Trouble) -> anyhow::Error {
    match trouble {
        Trouble::Filter(error) => error.into(),
        Trouble::Output(error) => error.into(),
    }
}

fn late() -> Error {
    Error::new(Code::TimeoutDeadline, Layer::Usage, "the time was over before the filter of --jq was done")
        .hint("give it more with --timeout, or an end with limit(N; …) or first(…)")
}
