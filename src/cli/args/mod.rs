//! The command tree: verbs and flags of contract sections 2 and 3, and nothing that does anything.

mod check;
mod client;
mod config;
mod doctor;
mod follow;
mod help;
mod schema;
mod serve;
mod tunnel;
mod with;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::app::limit::{MaxFailures, Percent};
use crate::app::shard;
use crate::config::schema::{read_duration, read_rate};
use crate::error::EXITS;
use crate::model::Word;
use crate::render::Format;
use crate::trace::LogFormat;
use crate::ui::Color;

pub(super) use check::Checking;
pub(super) use client::{SettingsVerb, TrustVerb};
pub(super) use config::ConfigVerb;
pub(super) use doctor::Doctoring;
pub(super) use follow::{Waiting, Watching};
pub(super) use help::Asked;
pub(super) use schema::Documented;
pub(super) use serve::ServeVerb;
pub(super) use tunnel::{PasswordFlags, TunnelFlags, TunnelVerb};
pub(super) use with::With;

/// Gives the command tree, for help, completions and the man page.
#[must_use]
pub fn command_tree() -> clap::Command {
    let mut tree = Cli::command();
    tree.build();
    tree
}

/// Parses the arguments of a process.
///
/// Building what every verb takes is most of what a start costs, so that is done for the one verb that seems to be asked
/// for. What does not parse so, be it a request for help, is left to the whole tree, which can say what is wrong.
///
/// # Errors
/// Fails with what clap has to say.
pub(in crate::cli) fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    match alone(arguments) {
        Some(cli) => Ok(cli),
        None => Cli::command().try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches)),
    }
}

/// Parses arguments for the one verb that they seem to ask for; nothing where they do not parse so.
fn alone(arguments: &[OsString]) -> Option<Cli> {
    let mut words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    let (index, name) = words.by_ref().enumerate().find(|(_, word)| Verb::has_subcommand(word))?;
    let verbs = Verb::augment_subcommands(clap::Command::new("vpnctl"));
    let verb = verbs.find_subcommand(name)?;
    let tree = clap::Command::new("vpnctl").subcommand_required(true).disable_help_subcommand(true);
    if index == 0 {
        // No flag stands in front of the verb, so the flags of all can be its own: handing them down costs more. Below a
        // verb that has verbs they would be missing, which the other way then finds.
        let own = Global::augment_args(verb.clone()).mut_args(|flag| flag.global(false));
        if let Ok(mut matches) = tree.clone().subcommand(own).try_get_matches_from(arguments) {
            let global = Global::from_arg_matches(matches.subcommand()?.1).ok()?;
            return Some(Cli { global, verb: Verb::from_arg_matches_mut(&mut matches).ok()? });
        }
    }
    let tree = Global::augment_args(tree).subcommand(verb.clone());
    Cli::from_arg_matches(&tree.try_get_matches_from(arguments).ok()?).ok()
}

/// Gives what stands below the help of all.
fn after() -> String {
    let codes = EXITS.iter().filter(|row| row.2 != "signal").map(|row| format!("{} {}", row.1, row.2));
    let codes = super::topics::wrapped(&format!("Exit codes: {}.", codes.collect::<Vec<_>>().join(", ")), 0);
    let topics = super::topics::Topic::ALL.map(|topic| format!("  {:14}{}", topic.name(), topic.about())).join("\n");
    format!(
        "Try it without any VPN:  vpnctl --demo status --all\n\n{codes}\nMore about, with vpnctl help TOPIC:\n{topics}"
    )
}

/// One command line for the VPN clients of Everyware Cloud, IXON and Freebox.
#[derive(Debug, Parser)]
#[command(name = "vpnctl", version, after_help = after(), disable_help_subcommand = true, arg_required_else_help = true, max_term_width = 100)]
pub(in crate::cli) struct Cli {
    #[command(flatten)]
    pub(in crate::cli) global: Global,
    #[command(subcommand)]
    pub(in crate::cli) verb: Verb,
}

/// The flags of every verb.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(in crate::cli) struct Global {
    /// Use this backend (repeatable); a vendor's name means its only backend.
    #[arg(short, long, global = true, value_name = "NAME")]
    pub(in crate::cli) backend: Vec<String>,
    /// Use all backends.
    #[arg(short = 'A', long, global = true, conflicts_with = "backend")]
    pub(in crate::cli) all: bool,
    /// Only targets whose labels fulfil this: k=v,k!=v or group=NAME.
    #[arg(short = 'l', long, global = true, value_name = "LABELS")]
    pub(in crate::cli) selector: Vec<String>,
    /// Only targets in this state.
    #[arg(long, global = true, value_name = "STATE", value_parser = parse_state)]
    pub(in crate::cli) state: Option<Word>,
    /// How to print [default: table].
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub(in crate::cli) output: Option<Format>,
    /// The same as -o json.
    #[arg(long, global = true, conflicts_with = "output")]
    pub(in crate::cli) json: bool,
    /// Only these fields, nested ones dotted: a,b.c.
    #[arg(long, global = true, value_name = "FIELDS", value_delimiter = ',')]
    pub(in crate::cli) fields: Vec<String>,
    /// Print what a jq expression makes of the JSON document; see `vpnctl help formats`.
    #[arg(long, global = true, value_name = "EXPR", allow_hyphen_values = true)]
    pub(in crate::cli) jq: Option<String>,
    /// Leave headers out.
    #[arg(long, global = true)]
    pub(in crate::cli) no_header: bool,
    /// Bound of the whole command: 500ms, 30s, 5m; 0 for none.
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    pub(in crate::cli) timeout: Option<Duration>,
    /// Bound of one HTTP attempt.
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    pub(in crate::cli) request_timeout: Option<Duration>,
    /// How often to poll while waiting [default: 250ms, growing to 5s].
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_interval)]
    pub(in crate::cli) interval: Option<Duration>,
    /// How many targets of a backend to ask at once [default: 8].
    #[arg(short, long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(in crate::cli) jobs: Option<u16>,
    /// How many requests to a backend may start in a second, evenly spaced: 10/s.
    #[arg(long, global = true, value_name = "N/s", value_parser = read_rate)]
    pub(in crate::cli) rate: Option<f64>,
    /// Begin no further target after the first failure.
    #[arg(long, global = true, conflicts_with = "max_failures")]
    pub(in crate::cli) fail_fast: bool,
    /// Begin no further target after so many failures: 10, or 5% of the targets.
    #[arg(long, global = true, value_name = "N|P%", value_parser = MaxFailures::parse)]
    pub(in crate::cli) max_failures: Option<MaxFailures>,
    /// Say what would be changed, and change nothing.
    #[arg(long, global = true)]
    pub(in crate::cli) dry_run: bool,
    /// Do not ask before mass changes.
    #[arg(short, long, global = true)]
    pub(in crate::cli) yes: bool,
    /// Refuse every change.
    #[arg(long, global = true)]
    pub(in crate::cli) read_only: bool,
    /// Never prompt.
    #[arg(long, global = true)]
    pub(in crate::cli) no_input: bool,
    /// Errors only on standard error.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(in crate::cli) quiet: bool,
    /// More on standard error; repeatable.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(in crate::cli) verbose: u8,
    /// How to write warnings and traces.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(in crate::cli) log_format: LogFormat,
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(in crate::cli) color: Color,
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,
    /// Run against simulated vendors; needs and touches nothing of yours.
    #[arg(long, global = true)]
    pub(in crate::cli) demo: bool,
    /// status: end with 3 unless all are connected.
    #[arg(long, global = true)]
    pub(in crate::cli) exit_code: bool,
}

/// The verbs; the arguments of those that are not asked for are never made, for that is most of what a start costs.
///
/// What a verb's own struct of arguments has as a doc comment would take the place of the verb's help, so those structs and enums
/// have ordinary comments.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(in crate::cli) enum Verb {
    /// Read the state of VPNs.
    #[command(
        after_help = "Examples:\n  vpnctl status --backend freebox\n  vpnctl status -A -o json\n  vpnctl status plant/gw-7 -o value --fields ip_address"
    )]
    Status {
        #[command(flatten)]
        targets: Targets,
        #[command(flatten)]
        reading: Reading,
    },
    /// List what can be connected.
    #[command(after_help = "Examples:\n  vpnctl list -b plant --state disconnected\n  vpnctl list -A -o csv")]
    List {
        #[command(flatten)]
        reading: Reading,
        /// Sort by backend, then name.
        #[arg(long)]
        sort: bool,
    },
    /// Bring a VPN up, and wait until it is.
    #[command(
        after_help = "Examples:\n  vpnctl connect -b home Office\n  vpnctl connect --switch home/Downloads\n  vpnctl connect --no-wait -b plant gw-7\n  vpnctl connect -b plant -l site=lyon --dry-run\n  vpnctl connect -b plant 'gw-*' --max-change 10% --batch 20 --yes\n  vpnctl connect --retry-failed --yes"
    )]
    Connect(Acting),
    /// Take a VPN down, and wait until it is.
    #[command(after_help = "Examples:\n  vpnctl disconnect -b home\n  vpnctl disconnect -b plant 'gw-*' --yes")]
    Disconnect(Acting),
    /// Take a VPN down if it is up, then bring it up.
    Reconnect(Acting),
    /// Wait until a state holds; ends at once where it no longer can.
    #[command(
        after_help = "Examples:\n  vpnctl wait -b home --for connected --timeout 2m\n  vpnctl wait -b home Office --for connected --stable 10s"
    )]
    Wait(Waiting),
    /// Print the state, then each change as it happens, until interrupted.
    #[command(after_help = "Examples:\n  vpnctl watch -b bench\n  vpnctl watch -A -o ndjson --duration 1h")]
    Watch(Watching),
    /// Tell whether every target is in the expected state: 0 yes, 3 no.
    #[command(
        after_help = "Examples:\n  vpnctl check -b home\n  vpnctl check -A --expect disconnected -o json\n  vpnctl check home/Office -o nagios --warn age=300: --crit rx_rate=1:\n  vpnctl check -b plant -o junit > vpn.xml"
    )]
    Check(Checking),
    /// Connect, run a command, then bring back what was there before.
    #[command(
        after_help = "The command's exit code is passed through. vpnctl's own: 125 where it fails itself, 126 where the command can't be executed, 127 where it is not found.\n\nThe command sees VPNCTL_BACKEND, VPNCTL_TARGET and, where the VPN tells one, VPNCTL_IP_ADDRESS. --timeout bounds connecting and bringing back, each by itself, never the command.\n\nExamples:\n  vpnctl with -b home Office -- rsync -a ./reports backup@10.8.0.1:\n  vpnctl with --switch home/Office -- ./nightly.sh\n  vpnctl with plant/gw-7 -- sh -c 'ssh root@$VPNCTL_IP_ADDRESS uptime'"
    )]
    With(With),
    /// Log in, log out, look at logins.
    Auth {
        #[command(subcommand)]
        verb: AuthVerb,
    },
    /// Print the vendor's VPN log.
    #[command(after_help = "Examples:\n  vpnctl log -b home -n 20\n  vpnctl log -b home -f")]
    Log {
        /// A target, perhaps as BACKEND/NAME: the log is that of its backend.
        #[arg(value_name = "TARGET")]
        target: Option<String>,
        /// Go on with what is added, until interrupted.
        #[arg(short, long)]
        follow: bool,
        /// Only the last N lines.
        #[arg(short = 'n', long, value_name = "N")]
        lines: Option<usize>,
    },
    /// Manage the VPN configurations that the vendor keeps (Freebox).
    Tunnel {
        #[command(subcommand)]
        verb: TunnelVerb,
    },
    /// Manage the settings of the VPN client on this computer (IXON).
    Settings {
        #[command(subcommand)]
        verb: SettingsVerb,
    },
    /// Pin server certificates.
    Trust {
        #[command(subcommand)]
        verb: TrustVerb,
    },
    /// Send a raw call with the backend's credentials; the answer is printed untouched.
    #[command(
        after_help = "PATH is relative to /api/vN/ (Freebox), /v1/ (Everyware, scope written out) or the client's root (IXON;\na rel of its discovery, such as ControllerClosed, may stand for the path).\n\nExamples:\n  vpnctl api -b home GET vpn_client/config/\n  vpnctl api -b plant GET _/vpnServers\n  vpnctl api -b bench GET Status"
    )]
    Api {
        /// GET, POST, PUT, PATCH, DELETE …
        method: String,
        /// The path, perhaps with a query.
        path: String,
        /// The body: JSON, @FILE, or - for standard input.
        #[arg(long, value_name = "JSON|@FILE|-")]
        data: Option<String>,
    },
    /// Show the configured backends and what each can do.
    Backends {
        /// Show what each vendor can do, whatever is configured.
        #[arg(long)]
        matrix: bool,
        /// Look for boxes on the local network.
        #[arg(long, conflicts_with = "matrix")]
        discover: bool,
    },
    /// Make, find, show and check the configuration.
    Config {
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Find the layer that fails, from the configuration to the VPN.
    #[command(after_help = doctor::AFTER)]
    Doctor(Doctoring),
    /// Print the JSON Schema of a document that vpnctl prints; without a name, the names.
    #[command(after_help = schema::AFTER)]
    Schema(Documented),
    /// Answer Prometheus' scrapes, until interrupted.
    Serve {
        #[command(subcommand)]
        verb: ServeVerb,
    },
    /// Run the three vendors' APIs on loopback, until interrupted.
    #[cfg(feature = "simulate")]
    #[command(
        after_help = "Examples:\n  vpnctl simulate --write-config sim.toml &\n  vpnctl --config sim.toml status -A\n  vpnctl simulate --fault freebox:tunnel-fails=auth_failed\n\nWhile it runs: curl -X PUT URL/__simulate/faults/NAME=ARG. All faults: docs/faults.md."
    )]
    Simulate(Simulate),
    /// Print a completion script for a shell.
    Completion {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the man page.
    Man,
    /// Explain a command or a topic: exit-codes, errors, environment, formats, config.
    Help(Asked),
}

impl Verb {
    /// Tells whether child accounts are asked for.
    pub(in crate::cli) fn is_recursive(&self) -> bool {
        matches!(self, Self::Status { reading, .. } | Self::List { reading, .. } if reading.recursive)
    }

    /// Tells whether every device is asked itself.
    pub(in crate::cli) fn is_live(&self) -> bool {
        matches!(self, Self::Status { reading, .. } | Self::List { reading, .. } if reading.live)
    }

    /// Tells whether the vendors' own documents are asked for.
    pub(in crate::cli) fn shows_native(&self) -> bool {
        matches!(self, Self::Status { reading, .. } if reading.native)
    }

    /// Tells whether it goes on until it is ended.
    pub(in crate::cli) fn is_endless(&self) -> bool {
        matches!(self, Self::Watch(_) | Self::Log { follow: true, .. })
    }

    /// Tells whether it prints a document, or a vendor's answer.
    pub(in crate::cli) fn prints_items(&self) -> bool {
        #[cfg(feature = "simulate")]
        if matches!(self, Self::Simulate(_)) {
            return false;
        }
        match self {
            Self::Completion { .. } | Self::Man | Self::Help(_) | Self::With(_) | Self::Serve { .. } => false,
            Self::Config { verb } => matches!(verb, ConfigVerb::Show),
            _ => true,
        }
    }
}

// Which targets.
#[derive(Debug, Args)]
pub(in crate::cli) struct Targets {
    /// Names or ids, perhaps as BACKEND/NAME; * and ? are globs. Ids that begin with - come after --.
    #[arg(value_name = "TARGET")]
    pub(in crate::cli) targets: Vec<String>,
    /// The targets are ids; nothing is looked up.
    #[arg(long)]
    pub(in crate::cli) id: bool,
    /// Read targets from a file, one a line; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) targets_from: Option<PathBuf>,
    /// Only the part I (from 0) of N that the targets' ids make; /N takes I from $JOB_COMPLETION_INDEX.
    #[arg(long, value_name = "I/N", value_parser = shard::Asked::parse)]
    pub(in crate::cli) shard: Option<shard::Asked>,
    /// Sort by backend, then name, instead of as they become known.
    #[arg(long)]
    pub(in crate::cli) sort: bool,
}

// How states are read.
#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct Reading {
    /// Ask every device itself (Everyware), instead of the VPN server's list.
    #[arg(long)]
    pub(in crate::cli) live: bool,
    /// Show the vendor's own document in `native`.
    #[arg(long)]
    pub(in crate::cli) native: bool,
    /// Child accounts too (Everyware).
    #[arg(long)]
    pub(in crate::cli) recursive: bool,
    /// Ask again what the last run of this command could not read, on whatever backend.
    #[arg(long)]
    pub(in crate::cli) retry_failed: bool,
}

// What is done, and how.
#[derive(Debug, Args)]
pub(in crate::cli) struct Acting {
    #[command(flatten)]
    pub(in crate::cli) targets: Targets,
    /// Return at once, without waiting for the end.
    #[arg(long)]
    pub(in crate::cli) no_wait: bool,
    /// Disconnect another target first that has the one VPN.
    #[arg(long)]
    pub(in crate::cli) switch: bool,
    /// Switch the router's own VPN on first (IXON).
    #[arg(long)]
    pub(in crate::cli) wake: bool,
    /// Go on in batches of so many targets, each after the one before has ended.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) batch: Option<u32>,
    /// Refuse to change more than this share of a backend's targets: 5%.
    #[arg(long, value_name = "P%", value_parser = Percent::parse)]
    pub(in crate::cli) max_change: Option<Percent>,
    /// Change more than --max-change allows all the same.
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Do it again where the last run of this command failed, on whatever backend.
    #[arg(long)]
    pub(in crate::cli) retry_failed: bool,
}

// What is done with logins.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AuthVerb {
    /// Pair with a box, or log in to a cloud.
    Login {
        /// Read the one-time password from standard input.
        #[arg(long)]
        otp_stdin: bool,
        /// Read an API key from standard input.
        #[arg(long)]
        api_key_stdin: bool,
        /// Read the password from standard input; with --otp-stdin the one-time password follows on its own line.
        #[arg(long)]
        password_stdin: bool,
    },
    /// End the login and forget it.
    Logout,
    /// Show the logins; ends with 4 if one is missing or expired.
    Status,
}

// What is simulated.
#[cfg(feature = "simulate")]
#[derive(Debug, Args)]
pub(in crate::cli) struct Simulate {
    /// Simulate this vendor (repeatable) [default: all].
    #[arg(long, value_name = "VENDOR", value_parser = crate::simulate::world::VENDORS)]
    pub(in crate::cli) vendor: Vec<String>,
    /// How many devices (Everyware) and agents (IXON) there are.
    #[arg(long, value_name = "N")]
    pub(in crate::cli) devices: Option<usize>,
    /// Switch a fault on (repeatable): NAME[=ARG], or VENDOR:NAME[=ARG].
    #[arg(long, value_name = "FAULT")]
    pub(in crate::cli) fault: Vec<String>,
    /// Write a configuration that drives the simulation, its secrets and CA beside it.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) write_config: Option<PathBuf>,
    /// Use five ports from this one on instead of free ones.
    #[arg(long, value_name = "PORT")]
    pub(in crate::cli) port_base: Option<u16>,
}

pub(in crate::cli) fn parse_duration(text: &str) -> Result<Duration, String> {
    read_duration(text)
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    match read_duration(text)? {
        Duration::ZERO => Err("an interval of 0 would ask without pause".to_owned()),
        interval => Ok(interval),
    }
}

pub(in crate::cli) fn parse_state(text: &str) -> Result<Word, String> {
    let all = Word::ALL.map(Word::as_str).join(", ");
    Word::parse(text).ok_or_else(|| format!("there is no state `{text}`; there are {all}"))
}
