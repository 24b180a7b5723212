//! The flags of `wait` and `watch`.

use std::time::Duration;

use clap::Args;

use super::{Targets, parse_duration, parse_state};
use crate::app::Probe;
use crate::model::Word;

// What is waited for.
#[derive(Debug, Args)]
pub(in crate::cli) struct Waiting {
    #[command(flatten)]
    pub(in crate::cli) targets: Targets,
    /// The states that are waited for, any of them.
    #[arg(long = "for", value_name = "STATE", value_delimiter = ',', required = true, value_parser = parse_state)]
    pub(in crate::cli) states: Vec<Word>,
    /// How long the state has to hold without a break.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(in crate::cli) stable: Option<Duration>,
    /// Something that has to answer too: tcp:HOST:PORT, http(s)://… (below 400) or dns:NAME (repeatable).
    #[arg(long, value_name = "PROBE", value_parser = Probe::parse)]
    pub(in crate::cli) probe: Vec<Probe>,
    /// End with the first target for which it holds, instead of the last.
    #[arg(long)]
    pub(in crate::cli) any: bool,
}

// What is watched, and how long.
#[derive(Debug, Args)]
pub(in crate::cli) struct Watching {
    #[command(flatten)]
    pub(in crate::cli) targets: Targets,
    /// End after so many events, the first ones included.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) count: Option<u64>,
    /// End after this time.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(in crate::cli) duration: Option<Duration>,
}
