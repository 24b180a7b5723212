//! A world of simulated vendors, a configuration that drives it, and the binary beside both.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;
use vpnctl::simulate::Context;
use vpnctl::simulate::world::{Options, World};

use crate::beside::{at_home, started};
use crate::run::{Run, words};

/// One step of the simulated worlds.
const PACE: Duration = Duration::from_millis(40);

/// How often the binary looks while it waits.
const POLL: &str = "20ms";

/// The vendors, as the backends of the written configuration are called.
pub(crate) const VENDORS: [&str; 3] = ["freebox", "ixon", "everyware"];

/// The simulators, in a thread of this process, and a place for the binary's files.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    world: World,
    environment: Vec<(String, String)>,
    _stop: oneshot::Sender<()>,
}

impl Bench {
    /// Starts all vendors with their small worlds.
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    /// Starts vendors with faults.
    pub(crate) fn with_faults(faults: &[&str]) -> Self {
        Self::with(Options { faults: faults.iter().map(|fault| (*fault).to_owned()).collect(), ..Options::default() })
    }

    /// Starts all vendors with that many devices and agents.
    pub(crate) fn with_devices(count: usize) -> Self {
        Self::with(Options { devices: Some(count), ..Options::default() })
    }

    fn with(options: Options) -> Self {
        let options = Options { pace: PACE, ..options };
        let (world, stop) = started(options);
        let folder = TempDir::new().unwrap();
        world.write_config(&folder.path().join("vpnctl.toml")).unwrap();
        Self { folder, world, environment: Vec::new(), _stop: stop }
    }

    /// Adds a variable to every later run.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.push((name.to_owned(), value.into()));
    }

    /// Gives a path in the folder of this bench.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Gives the folder of the binary's state.
    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Writes a file that only its owner can read.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        private(&path);
        path
    }

    /// Gives what a simulator is told and what it has seen.
    pub(crate) fn context(&self, vendor: &str) -> &Context {
        &self.world.vendor(vendor).unwrap().context
    }

    /// Gives a URL of a simulator.
    pub(crate) fn url(&self, vendor: &str, what: &str) -> String {
        let urls = &self.world.vendor(vendor).unwrap().urls;
        urls.iter().find(|(name, _)| *name == what).unwrap().1.clone()
    }

    /// Switches a fault on.
    pub(crate) fn fault(&self, vendor: &str, written: &str) {
        self.context(vendor).faults.set(written);
    }

    /// Counts the requests to all vendors since the last call of this.
    pub(crate) fn requests(&self) -> usize {
        VENDORS
            .iter()
            .map(|vendor| {
                let log = &self.context(vendor).log;
                let count = log.requests();
                log.clear();
                count
            })
            .sum()
    }

    /// Lists the requests to a vendor as `METHOD PATH`.
    pub(crate) fn asked(&self, vendor: &str) -> Vec<String> {
        let entries = self.context(vendor).log.entries();
        entries.iter().map(|entry| format!("{} {}", entry.method, entry.path)).collect()
    }

    /// Counts the requests to a vendor whose line begins so, without its query.
    pub(crate) fn count(&self, vendor: &str, begin: &str) -> usize {
        self.asked(vendor).iter().filter(|line| line.starts_with(begin)).count()
    }

    /// Makes the command, with this world's configuration and nothing of the machine.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = bare(self.folder.path());
        command.env("VPNCTL_CONFIG", self.path("vpnctl.toml"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let words = words(line);
        let acts =
            words.first().is_some_and(|verb| ["connect", "disconnect", "reconnect", "with"].contains(&verb.as_str()));
        if acts && !line.contains("--interval") {
            // The worlds of these tests go on in smaller steps than those of people.
            command.args(["--interval", POLL]);
        }
        command.args(words);
        command
    }

    /// Runs the binary.
    pub(crate) fn run(&self, line: &str) -> Run {
        Run::of(self.command(line), "")
    }

    /// Runs the binary with something on standard input.
    pub(crate) fn run_with(&self, line: &str, stdin: &str) -> Run {
        Run::of(self.command(line), stdin)
    }

    /// Runs the binary with a variable more.
    pub(crate) fn run_where(&self, name: &str, value: &str, line: &str) -> Run {
        let mut command = self.command(line);
        command.env(name, value);
        Run::of(command, "")
    }

    /// Runs the binary with another configuration.
    pub(crate) fn run_by(&self, config: &str, line: &str) -> Run {
        let path = self.write("other.toml", config);
        let mut command = self.command(line);
        command.env("VPNCTL_CONFIG", path);
        Run::of(command, "")
    }

    /// Runs the binary until its one item is in a state: what failed is tried again by the box itself, now and then.
    pub(crate) fn until(&self, state: &str, line: &str) -> serde_json::Value {
        for _ in 0..200 {
            let item = self.run(&format!("{line} -o json")).ends(0).item();
            if item["state"] == state {
                return item;
            }
        }
        panic!("`{line}` never tells {state}");
    }

    /// Starts the binary and does not wait.
    pub(crate) fn start(&self, line: &str) -> Child {
        let mut command = self.command(line);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Gives the text of the written configuration.
    pub(crate) fn config(&self) -> String {
        std::fs::read_to_string(self.path("vpnctl.toml")).unwrap()
    }

    /// Gives the written configuration without the lines that hold a text.
    pub(crate) fn config_without(&self, parts: &[&str]) -> String {
        let text = self.config();
        let kept = text.lines().filter(|line| !parts.iter().any(|part| line.contains(part)));
        kept.map(|line| format!("{line}\n")).collect()
    }

    /// Gives the text of a secret that stands beside the configuration.
    pub(crate) fn secret(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("vpnctl.{name}"))).unwrap()
    }
}

/// Makes the command with an empty environment and its own places, all in one folder.
pub(crate) fn bare(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vpnctl"));
    at_home(&mut command, folder);
    command
}

/// Takes everybody's rights to a file but its owner's.
pub(crate) fn private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Gives the rights of a file or folder, where the system has such.
#[cfg(unix)]
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Sets them.
#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
