//! A command that runs below vpnctl: finding it, starting it, and the signals that are meant for it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;
#[cfg(not(unix))]
use std::time::Instant;

use tokio::process::{Child, Command};

use crate::error::{Code, Error, Exit, Layer, Result};

/// Where commands are looked for if `PATH` is not set.
const USUAL_PATH: &str = "/bin:/usr/bin";

/// Makes sure that a command is there and can be executed, as far as that can be told without starting it.
pub(super) fn check(program: &OsStr) -> Result<()> {
    if !cfg!(unix) {
        // Endings are added there by rules of the system's own; starting it tells.
        return Ok(());
    }
    let has_place = program.as_encoded_bytes().contains(&b'/');
    let places: Vec<PathBuf> = if has_place || program.is_empty() {
        vec![PathBuf::from(program)]
    } else {
        let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from(USUAL_PATH));
        std::env::split_paths(&path).map(|folder| folder.join(program)).collect()
    };
    if places.iter().any(|place| is_executable(place)) {
        return Ok(());
    }
    let there = places.iter().find(|place| place.exists());
    match there {
        Some(place) if place.is_dir() && !has_place => Err(not_found(program)),
        Some(place) if place.is_dir() => Err(not_executable(program, "it is a folder")),
        Some(_) => Err(not_executable(program, "its file may not be executed")),
        None => Err(not_found(program)),
    }
}

#[cfg(unix)]
fn is_executable(place: &Path) -> bool {
    place.is_file() && rustix::fs::access(place, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn is_executable(place: &Path) -> bool {
    place.is_file()
}

fn not_found(program: &OsStr) -> Error {
    let name = program.to_string_lossy();
    Error::new(Code::Usage, Layer::Usage, format!("the command `{name}` is not found; nothing runs"))
        .with_exit(Exit::NOTHING_TO_RUN)
        .hint("behind -- stands a program in PATH or the path of one; for a line of shell write: -- sh -c 'LINE'")
}

fn not_executable(program: &OsStr, why: &str) -> Error {
    let name = program.to_string_lossy();
    Error::new(Code::Usage, Layer::Usage, format!("the command `{name}` can't be executed: {why}"))
        .with_exit(Exit::NO_PROGRAM)
        .hint("make it executable with chmod +x, or name what it runs with: -- sh FILE")
}

/// Starts a command with the standard streams of vpnctl; a variable without a value is not passed on.
pub(super) fn start(words: &[OsString], variables: &[(&str, Option<&str>)]) -> Result<Child> {
    let (program, arguments) = words.split_first().ok_or_else(|| Error::usage("there is no command to run"))?;
    let mut command = Command::new(program);
    command.args(arguments);
    for (name, value) in variables {
        match value {
            // No process can be given what holds NUL, and whatever else a vendor writes is only text.
            Some(value) if !value.contains('\0') => command.env(name, value),
            _ => command.env_remove(name),
        };
    }
    command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => not_found(program),
        _ => not_executable(program, &error.to_string()),
    })
}

/// Gives the code that a shell would give for the end of a command.
pub(super) fn code(ended: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&ended) {
        return u8::try_from(128 + signal).unwrap_or(u8::MAX);
    }
    ended.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// A signal that vpnctl got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caught {
    number: i32,
}

impl Caught {
    /// Gives the code of a command that it ends.
    pub(super) fn exit(self) -> Exit {
        match self.number {
            INTERRUPT => Exit::Interrupted,
            TERMINATE => Exit::Terminated,
            number => Exit::Passed(u8::try_from(128 + number).unwrap_or(u8::MAX)),
        }
    }

    /// Tells whether somebody asks vpnctl to end by it. Who hangs up sends that more than once, and means no hurry.
    pub(super) fn is_urgent(self) -> bool {
        matches!(self.number, INTERRUPT | QUIT | TERMINATE)
    }

    /// Tells whether it asks a command to end. What sends it to a whole group may send it to vpnctl by itself too.
    pub(super) fn ends(self) -> bool {
        matches!(self.number, HANG_UP | INTERRUPT | QUIT | TERMINATE)
    }

    /// Tells whether a terminal sends it to everything in its foreground.
    #[cfg(unix)]
    fn is_typed(self) -> bool {
        matches!(self.number, INTERRUPT | QUIT)
    }
}

/// Within which time two equal signals are one: `timeout` for one signals its command, and then its command's group.
const TWIN_WITHIN: Duration = Duration::from_millis(500);
/// How long such a twin is waited for before a signal is passed on.
pub(super) const TWIN_COMES: Duration = Duration::from_millis(100);

const HANG_UP: i32 = 1;
const INTERRUPT: i32 = 2;
const QUIT: i32 = 3;
const TERMINATE: i32 = 15;

#[cfg(unix)]
pub(super) use unix::Signals;

#[cfg(unix)]
mod unix {
    use std::future::poll_fn;
    use std::io::Read as _;
    use std::task::Poll;
    use std::time::Instant;

    use futures_util::FutureExt as _;
    use rustix::process::{Pid, Signal as Number};
    use tokio::process::Child;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::{Caught, HANG_UP};

    /// Signals that end a process which does not catch them.
    #[derive(Debug)]
    pub(in crate::cli) struct Signals {
        caught: Vec<(i32, Signal)>,
        pub(super) last: Option<(Caught, Instant)>,
    }

    impl Signals {
        /// Begins to catch all that may be meant for a command below.
        pub(in crate::cli) fn listen() -> Self {
            // Under `nohup` the end of the terminal is to be nothing, also to the command below.
            let hang_up = (hang_up_is_ignored() != Some(true)).then(SignalKind::hangup);
            let others = [SignalKind::quit(), SignalKind::user_defined1(), SignalKind::user_defined2()];
            Self::of([SignalKind::interrupt(), SignalKind::terminate()].into_iter().chain(others).chain(hang_up))
        }

        /// Begins to catch those that end a command in order.
        pub(in crate::cli) fn listen_for_the_end() -> Self {
            // Where the system does not show what is ignored, `nohup` is not broken.
            let hang_up = (hang_up_is_ignored() == Some(false)).then(SignalKind::hangup);
            Self::of([SignalKind::interrupt(), SignalKind::terminate()].into_iter().chain(hang_up))
        }

        fn of(kinds: impl Iterator<Item = SignalKind>) -> Self {
            let caught = kinds.filter_map(|kind| Some((kind.as_raw_value(), signal(kind).ok()?))).collect();
            Self { caught, last: None }
        }

        /// Waits for one.
        pub(in crate::cli) async fn next(&mut self) -> Caught {
            let caught = poll_fn(|context| {
                for (number, signal) in &mut self.caught {
                    if let Poll::Ready(Some(())) = signal.poll_recv(context) {
                        return Poll::Ready(Caught { number: *number });
                    }
                }
                Poll::Pending
            })
            .await;
            self.last = Some((caught, Instant::now()));
            caught
        }

        /// Gives one that has come already.
        pub(in crate::cli) fn pending(&mut self) -> Option<Caught> {
            self.next().now_or_never()
        }

        /// Forgets those that have come already.
        pub(in crate::cli) fn forget(&mut self) {
            while self.pending().is_some() {}
        }

        /// Passes one on, unless the command has got it by itself.
        pub(in crate::cli) fn forward(&self, caught: Caught, child: &Child) {
            if caught.is_typed() && in_foreground() {
                return;
            }
            let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
            if let Some((id, number)) = id.zip(Number::from_named_raw(caught.number)) {
                // It may have ended just now, which is as good.
                let _ = rustix::process::kill_process(id, number);
            }
        }
    }

    /// Tells whether a terminal sends what is typed there to vpnctl, and so to the command, which is in the same group.
    fn in_foreground() -> bool {
        let terminal = std::fs::File::open("/dev/tty").ok();
        let group = terminal.and_then(|terminal| rustix::termios::tcgetpgrp(&terminal).ok());
        group == Some(rustix::process::getpgrp())
    }

    /// Tells whether vpnctl was started so that it ignores the end of its terminal, where the system shows that.
    fn hang_up_is_ignored() -> Option<bool> {
        static KNOWN: std::sync::OnceLock<Option<bool>> = std::sync::OnceLock::new();
        *KNOWN.get_or_init(|| {
            // The system writes the text anew for each look at it, and says nothing of its length.
            let mut status = String::with_capacity(4096);
            std::fs::File::open("/proc/self/status").ok()?.read_to_string(&mut status).ok()?;
            let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
            let mask = u64::from_str_radix(ignored.trim(), 16).ok()?;
            Some(mask & (1 << (HANG_UP - 1)) != 0)
        })
    }
}

impl Signals {
    /// Waits for one that is not the twin of the last one.
    pub(super) async fn another(&mut self) -> Caught {
        loop {
            let last = self.last;
            let caught = self.next().await;
            if !last.is_some_and(|(one, at)| one == caught && at.elapsed() < TWIN_WITHIN) {
                return caught;
            }
            // A third one is measured by the first.
            self.last = last;
        }
    }
}

/// Ctrl-C, which the system sends to every process of the console.
#[cfg(not(unix))]
#[derive(Debug)]
pub(super) struct Signals {
    last: Option<(Caught, Instant)>,
}

#[cfg(not(unix))]
impl Signals {
    /// Begins to catch them.
    pub(super) fn listen() -> Self {
        Self { last: None }
    }

    /// Begins to catch them.
    pub(super) fn listen_for_the_end() -> Self {
        Self { last: None }
    }

    /// Waits for one.
    pub(super) async fn next(&mut self) -> Caught {
        match tokio::signal::ctrl_c().await {
            Ok(()) => {}
            Err(_) => std::future::pending().await,
        }
        let caught = Caught { number: INTERRUPT };
        self.last = Some((caught, Instant::now()));
        caught
    }

    /// Gives none that has come already: each wait begins anew here.
    pub(super) fn pending(&mut self) -> Option<Caught> {
        None
    }

    /// Forgets those that have come already: each wait begins anew here.
    pub(super) fn forget(&mut self) {}

    /// The command has got it by itself.
    pub(super) fn forward(&self, _caught: Caught, _child: &Child) {}
}
