//! A world of one vendor for each cell, and the binary beside it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use vpnctl::simulate::world::{Options, World};

use crate::beside::{at_home, started};

/// After which time a command that has not ended hangs. Nothing is measured by it: no cell comes near.
const HANGS: Duration = Duration::from_secs(90);

/// A simulated vendor, in a thread of this process, and a place for the binary's files.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) vendor: &'static str,
    pub(crate) world: World,
    environment: Vec<(String, String)>,
    wrapper: Option<String>,
    _stop: oneshot::Sender<()>,
}

impl Bench {
    pub(crate) fn new(vendor: &'static str) -> Self {
        let options =
            Options { vendors: vec![vendor.to_owned()], pace: Duration::from_millis(10), ..Options::default() };
        let (world, stop) = started(options);
        let folder = TempDir::new().unwrap();
        world.write_config(&folder.path().join("vpnctl.toml")).unwrap();
        Self { folder, vendor, world, environment: Vec::new(), wrapper: None, _stop: stop }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Gives the file in which the state of the backend is.
    pub(crate) fn state_file(&self) -> PathBuf {
        self.path("state").join(format!("{}.json", self.vendor))
    }

    /// Sets a key of the backend, by its variable.
    pub(crate) fn key(&mut self, key: &str, value: &str) {
        self.set(&format!("VPNCTL_BACKEND_{}_{key}", self.vendor.to_uppercase()), value);
    }

    /// Adds a variable to every later run.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Lets a shell do something before it becomes the binary.
    pub(crate) fn wrap(&mut self, script: &str) {
        self.wrapper = Some(format!("{script}; exec \"$@\""));
    }

    /// Takes lines of the configuration away that hold one of these texts.
    pub(crate) fn without(&self, parts: &[&str]) {
        let path = self.path("vpnctl.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let kept = text.lines().filter(|line| !parts.iter().any(|part| line.contains(part)));
        std::fs::write(&path, kept.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    }

    pub(crate) fn fault(&self, written: &str) {
        self.world.running[0].context.faults.set(written);
    }

    /// Keeps the state as it is now, for [`Bench::heal`].
    pub(crate) fn keep_state(&self) {
        let _ = std::fs::remove_dir_all(self.path("kept"));
        copy(&self.path("state"), &self.path("kept"));
    }

    /// Switches all faults off, puts the state back that was kept, and forgets what was asked.
    pub(crate) fn heal(&self) {
        let context = &self.world.running[0].context;
        context.faults.clear_all();
        let _ = std::fs::remove_dir_all(self.path("state"));
        copy(&self.path("kept"), &self.path("state"));
        context.log.clear();
    }

    /// Lists the requests as `METHOD PATH`.
    pub(crate) fn asked(&self) -> Vec<String> {
        let entries = self.world.running[0].context.log.entries();
        entries.iter().map(|entry| format!("{} {}", entry.method, entry.path)).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.world.running[0].context.log.connections()
    }

    /// Gives the secrets of the configuration.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let secrets = files.filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("vpnctl.") && !name.ends_with(".pem") && !name.ends_with(".toml")
        });
        secrets.map(|path| std::fs::read_to_string(path).unwrap().trim().to_owned()).collect()
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Run {
        let mut command = match &self.wrapper {
            Some(script) => {
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", script, "sh", env!("CARGO_BIN_EXE_vpnctl")]);
                shell
            }
            None => Command::new(env!("CARGO_BIN_EXE_vpnctl")),
        };
        let folder: &Path = self.folder.path();
        command.args(words);
        at_home(&mut command, folder);
        command.env("VPNCTL_CONFIG", folder.join("vpnctl.toml")).env("VPNCTL_BACKEND", self.vendor);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Run::of(command)
    }
}

/// Copies a folder, where it is one, with the rights of its files.
fn copy(from: &Path, to: &Path) {
    let Ok(entries) = std::fs::read_dir(from) else { return };
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// What one run of the binary came to.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code; `None` where a signal ended it, or nothing did.
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    fn of(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Whoever reads a password from there gets the one of the simulated account; who does not may have ended.
        let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), "demo:pässword>>?~\n".as_bytes());
        let (out, err) = (gather(child.stdout.take()), gather(child.stderr.take()));
        let started = Instant::now();
        let exit = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status.code();
            }
            if started.elapsed() > HANGS {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        Self { exit, stdout: out.join().unwrap(), stderr: err.join().unwrap() }
    }

    /// Gives the error object that stands last on standard error.
    pub(crate) fn error(&self) -> Option<Value> {
        let last: Value = serde_json::from_str(self.stderr.lines().last()?).ok()?;
        (last["type"] == "error").then_some(last)
    }
}

fn gather(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            stream.read_to_end(&mut bytes).unwrap();
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Builds the clock that jumps, once for all cells: a library that stands before the system's own.
pub(crate) fn clock() -> &'static Path {
    static BUILT: std::sync::OnceLock<(TempDir, PathBuf)> = std::sync::OnceLock::new();
    &BUILT
        .get_or_init(|| {
            let folder = TempDir::new().unwrap();
            let (source, library) = (folder.path().join("clock.c"), folder.path().join("clock.so"));
            std::fs::write(&source, include_str!("clock.c")).unwrap();
            let mut compiler = Command::new("cc");
            compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl");
            assert!(compiler.status().unwrap().success(), "the C compiler that `ring` needs builds no library");
            (folder, library)
        })
        .1
}
