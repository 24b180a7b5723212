//! What a run that finds everything warm leaves alone: the system's trust store, and the state folder.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::bench::Bench;

/// A pipe in the place of a file: whoever opens it to read it is seen.
#[cfg(target_os = "linux")]
struct Trap {
    path: PathBuf,
    fed: std::sync::mpsc::Receiver<()>,
    is_over: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

#[cfg(target_os = "linux")]
impl Trap {
    /// Sets it up; who opens it reads the text.
    fn new(path: PathBuf, text: String) -> Self {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        use std::sync::atomic::Ordering;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        let (sender, fed) = std::sync::mpsc::channel();
        let is_over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (over, pipe) = (std::sync::Arc::clone(&is_over), path.clone());
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        std::thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                // It can't be opened to write before somebody has opened it to read.
                if let Ok(mut end) = std::fs::OpenOptions::new().write(true).custom_flags(nonblocking).open(&pipe) {
                    let _ = sender.send(());
                    let _ = end.write_all(text.as_bytes());
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        });
        Self { path, fed, is_over }
    }

    /// Tells whether anybody has opened it.
    fn was_opened(self) -> bool {
        self.is_over.store(true, std::sync::atomic::Ordering::SeqCst);
        // The channel ends with the thread.
        self.fed.recv().is_ok()
    }
}

/// Runs a line where the system's trust store is a pipe that gives a certificate, and tells whether it was opened.
#[cfg(target_os = "linux")]
fn opens_the_trust_store(bench: &Bench, config: &str, ca: &str, line: &str) -> bool {
    let path = bench.path("trust-store");
    let _ = std::fs::remove_file(&path);
    let trap = Trap::new(path, ca.to_owned());
    let config = bench.write("trusting.toml", config);
    let mut command = bench.command(line);
    command.env("VPNCTL_CONFIG", config).env("SSL_CERT_FILE", &trap.path).env("SSL_CERT_DIR", bench.path("nowhere"));
    crate::run::Run::of(command, "").ends(0);
    trap.was_opened()
}

#[cfg(target_os = "linux")]
#[test]
fn the_systems_trust_store_is_opened_only_where_nothing_else_says_whom_to_trust() {
    let bench = Bench::new();
    let ca_file = bench.config().lines().find_map(|line| line.strip_prefix("tls.ca_file = ")).unwrap().to_owned();
    let ca = std::fs::read_to_string(bench.path(ca_file.trim_matches('"'))).unwrap();
    let line = "status -b everyware";
    let trusts_the_system = bench.config_without(&["ca_file"]);
    assert!(
        opens_the_trust_store(&bench, &trusts_the_system, &ca, line),
        "nothing was opened that would be a trust store"
    );
    for _ in 0..2 {
        assert!(!opens_the_trust_store(&bench, &bench.config(), &ca, line));
    }
    // Loopback's own certificates are known by their pin, so IXON's client needs none either.
    assert!(!opens_the_trust_store(&bench, &bench.config(), &ca, "status -b ixon"));
    assert!(!opens_the_trust_store(&bench, &bench.config(), &ca, "status -b freebox"));
}

/// Gives what shows that a file or folder was written, by its path.
fn marks(folder: &Path) -> BTreeMap<PathBuf, (u64, u64, SystemTime, SystemTime)> {
    let mark = |path: &Path| {
        let data = std::fs::metadata(path).unwrap();
        // The time of the last change of what is known of it, too: a name, its rights, its length.
        let changed = SystemTime::UNIX_EPOCH
            + std::time::Duration::new(data.ctime().unsigned_abs(), u32::try_from(data.ctime_nsec()).unwrap());
        (data.ino(), data.len(), data.modified().unwrap(), changed)
    };
    let mut marks = BTreeMap::from([(folder.to_owned(), mark(folder))]);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let below = if path.is_dir() { self::marks(&path) } else { BTreeMap::from([(path.clone(), mark(&path))]) };
        marks.extend(below);
    }
    marks
}

#[test]
fn nothing_is_written_where_all_is_known_and_nothing_failed() {
    let bench = Bench::new();
    let lines = [
        "status -b freebox",
        "status -b ixon",
        "status -b everyware",
        "status -b everyware gw-lyon-02",
        "check -b everyware gw-lyon-02",
        "list -b ixon",
        "list -b everyware",
        "status -A",
    ];
    for line in lines {
        bench.run(line).ends(0);
    }
    let warm = marks(bench.folder.path());
    assert!(warm.keys().any(|path| path.ends_with("state/everyware.json")), "{warm:?}");
    for line in lines {
        bench.run(line).ends(0);
        assert_eq!(marks(bench.folder.path()), warm, "`{line}` wrote");
    }
    // And what is held so far would show a write.
    bench.run("status -b everyware gw-lyon-03").ends(0);
    assert_ne!(marks(bench.folder.path()), warm);
}
