//! The flags of `check`.

use clap::Args;

use super::{Targets, parse_state};
use crate::model::Word;
use crate::model::threshold::Threshold;
use crate::render::Format;

// What is expected, and how the verdict is told.
#[derive(Debug, Args)]
pub(in crate::cli) struct Checking {
    #[command(flatten)]
    pub(in crate::cli) targets: Targets,
    /// The state that every target should be in.
    #[arg(long, value_name = "STATE", default_value = "connected", value_parser = parse_state)]
    pub(in crate::cli) expect: Word,
    /// The same as -o FORMAT [default: text].
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    pub(in crate::cli) format: Option<Format>,
    /// Warn where a value is outside of a range, or inside of @RANGE: 10, 10:, ~:10, 10:20, @10:20. METRIC is age
    /// (seconds since it is connected; meant where none is written), rx_rate or tx_rate (bytes per second). Repeatable.
    #[arg(long, value_name = "[METRIC=]RANGE", value_parser = Threshold::parse, allow_hyphen_values = true)]
    pub(in crate::cli) warn: Vec<Threshold>,
    /// The same, and the answer is no.
    #[arg(long, value_name = "[METRIC=]RANGE", value_parser = Threshold::parse, allow_hyphen_values = true)]
    pub(in crate::cli) crit: Vec<Threshold>,
}
