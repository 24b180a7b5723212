//! The command line: parses, resolves settings, runs the verb, ends with the right code.

mod args;
mod child;
mod completion;
mod dispatch;
mod documents;
mod failure;
mod filtering;
mod manual;
mod progress;
mod report;
mod retrying;
mod settings;
#[cfg(feature = "simulate")]
mod simulation;
mod topics;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::error::{Error, Exit};
use crate::render::{Format, fault};
use crate::{trace, ui};

pub use args::command_tree;

/// Runs vpnctl with the arguments of a process, and gives the code to end with.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let format = failure::wanted_format(&arguments);
    if let [_, only] = arguments.as_slice()
        && (only == "--version" || only == "-V")
    {
        // Where nobody reads, there is nobody to tell.
        let _ = ui::print(concat!("vpnctl ", env!("CARGO_PKG_VERSION"), "\n"));
        return ExitCode::SUCCESS;
    }
    let cli = match args::parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return exit_code(failure::of_parsing(&error, format, &arguments)),
    };
    let passes_codes = matches!(cli.verb, args::Verb::With(_));
    match dispatch::run(cli, format) {
        Ok(exit) => exit_code(exit),
        Err((error, format)) => exit_code(told(&error, format, passes_codes)),
    }
}

/// Tells an error, and gives its code; output that nobody reads any more is no error. `passes_codes` tells that the
/// verb's codes are those of a command, so that vpnctl's own failures have one code.
fn told(error: &anyhow::Error, format: Format, passes_codes: bool) -> Exit {
    if let Some(io) = error.downcast_ref::<std::io::Error>()
        && io.kind() == std::io::ErrorKind::BrokenPipe
    {
        return Exit::Ok;
    }
    let known = match error.downcast_ref::<Error>() {
        Some(known) => known.clone(),
        None => Error::new(crate::error::Code::Internal, crate::error::Layer::Usage, format!("{error:#}")),
    };
    if format == Format::Nagios {
        return failure::unknown(&known);
    }
    let known = if passes_codes { failure::as_own(known) } else { known };
    for line in fault::lines(&known, format) {
        ui::tell(&line);
    }
    known.exit()
}

fn exit_code(exit: Exit) -> ExitCode {
    ExitCode::from(exit.number())
}

/// Starts the trace from the flags.
fn start_trace(global: &args::Global, log: Option<&str>) {
    trace::start(global.quiet, global.verbose, global.log_format, log);
}
