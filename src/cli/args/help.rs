//! The words of `help`.

use clap::Args;

// What is explained.
#[derive(Debug, Args)]
pub(in crate::cli) struct Asked {
    /// A command, such as `auth login`, or a topic: exit-codes, errors, environment, formats, config.
    #[arg(value_name = "COMMAND|TOPIC")]
    pub(in crate::cli) words: Vec<String>,
}
