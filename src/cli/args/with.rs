//! The flags of `with`.

use std::ffi::OsString;

use clap::Args;

// What is connected, and what runs meanwhile.
#[derive(Debug, Args)]
pub(in crate::cli) struct With {
    /// A name or id, perhaps as BACKEND/NAME; without one the only target that can be meant.
    #[arg(value_name = "TARGET")]
    pub(in crate::cli) target: Option<String>,
    /// The target is an id; nothing is looked up.
    #[arg(long)]
    pub(in crate::cli) id: bool,
    /// Run the command at once, without waiting until it is connected.
    #[arg(long)]
    pub(in crate::cli) no_wait: bool,
    /// Disconnect another target that has the one VPN; it is connected again afterwards.
    #[arg(long)]
    pub(in crate::cli) switch: bool,
    /// Switch the router's own VPN on first (IXON); it stays on.
    #[arg(long)]
    pub(in crate::cli) wake: bool,
    /// Connect the target that the last run of this command could not connect; where it could, nothing is run.
    #[arg(long)]
    pub(in crate::cli) retry_failed: bool,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(in crate::cli) command: Vec<OsString>,
}
