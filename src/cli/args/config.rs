//! The verbs of `config`.

use clap::Subcommand;

// What is done with the configuration.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConfigVerb {
    /// Write an example to start from.
    Init {
        /// Print it instead of writing it.
        #[arg(long)]
        stdout: bool,
    },
    /// Print where the configuration is.
    Path,
    /// Show every setting and where it comes from.
    Show,
    /// Check the configuration.
    Validate,
}
