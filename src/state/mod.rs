//! What vpnctl remembers between runs: sessions, tokens, ids. Locked, replaced atomically, for its owner only.
//!
//! One JSON file and one lock per backend. A file is read without the lock, for it is always replaced as a whole;
//! who changes it takes the lock, reads it again and writes it. Where nothing can be written, this process alone
//! remembers: a command that asks three devices still logs in once.

pub mod failures;
mod holder;
mod look;
mod pin;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use look::{ENDINGS, Look};
pub use pin::Pin;

use crate::error::{Code, Error, Layer, Result};

/// How often a lock that another process holds is tried.
const LOCK_POLL: Duration = Duration::from_millis(20);
/// After which time somebody is told that a lock is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// How long a lock is waited for; a login takes seconds, so more means that its holder hangs.
const LOCK_LIMIT: Duration = Duration::from_secs(20);

/// The state folder; clones share it.
#[derive(Debug, Clone)]
pub struct Folder {
    path: Option<PathBuf>,
    told: Arc<AtomicBool>,
    /// What was said already, and of which backend.
    said: Arc<Mutex<BTreeSet<(String, &'static str)>>>,
    /// What could not be written, by the name of the backend; it is newer than the file.
    unwritten: Arc<Mutex<BTreeMap<String, serde_json::Value>>>,
}

impl Folder {
    /// Names the folder; `None` remembers no longer than this lives. Nothing is made before something is written.
    #[must_use]
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { path, told: Arc::default(), said: Arc::default(), unwritten: Arc::default() }
    }

    /// Gives the store of one backend.
    #[must_use]
    pub fn backend(&self, name: &str) -> Store {
        Store { folder: self.clone(), name: name.to_owned(), until: None }
    }

    fn unwritten(&self) -> MutexGuard<'_, BTreeMap<String, serde_json::Value>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says once that state can't be written or read; the command goes on without.
    fn tell(&self, error: &std::io::Error) {
        self.tell_of("written", error);
    }

    fn tell_of(&self, what: &str, error: &std::io::Error) {
        if !self.told.swap(true, Ordering::Relaxed) {
            let place = self.path.as_deref().unwrap_or(Path::new("?")).display();
            tracing::warn!("the state folder {place} can't be {what} ({error}); logins are not kept");
        }
    }
}

/// The state of one backend.
#[derive(Debug, Clone)]
pub struct Store {
    folder: Folder,
    name: String,
    until: Option<Instant>,
}

/// Holds the lock of one backend until it is dropped.
#[derive(Debug)]
pub struct Guard {
    store: Store,
    // The lock ends with the file's handle, also when the process is killed.
    lock: Option<File>,
}

impl Store {
    /// Tells whether something is to be said now: a command that opens a backend twice says it once.
    #[must_use]
    pub fn says(&self, what: &'static str) -> bool {
        self.folder.said.lock().unwrap_or_else(PoisonError::into_inner).insert((self.name.clone(), what))
    }

    /// Bounds the wait for its lock by the end of the command.
    #[must_use]
    pub fn until(self, until: Option<Instant>) -> Self {
        Self { until, ..self }
    }

    /// Gives the store of something that several backends share, such as a login at one cloud.
    #[must_use]
    pub fn sibling(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }

    /// Names the backend: what stands beside its document is called after it, with a dot, which no name of one has.
    fn owner(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }

    fn path(&self, ending: &str) -> Option<PathBuf> {
        self.folder.path.as_ref().map(|folder| folder.join(format!("{}.{ending}", self.name)))
    }

    /// Reads the document; where there is none, or it is corrupt, gives the empty one.
    ///
    /// A corrupt file is set aside as `NAME.json.corrupt`, so that nothing is lost.
    #[must_use]
    pub fn read<T: DeserializeOwned + Default>(&self) -> T {
        if let Some(document) = self.folder.unwritten().get(&self.name) {
            return T::deserialize(document).unwrap_or_default();
        }
        let Some(path) = self.path("json") else { return T::default() };
        let bytes = match own_bytes(&path) {
            Ok(bytes) => bytes,
            Err(error) if is_nowhere(&error) => return T::default(),
            Err(error) => {
                self.folder.tell_of("read", &error);
                return T::default();
            }
        };
        match serde_json::from_slice(&bytes) {
            Ok(document) => document,
            Err(error) => {
                let aside = path.with_extension("json.corrupt");
                tracing::warn!(
                    "the state file {} is corrupt ({error}); it is set aside and built anew",
                    path.display()
                );
                // Where it can't be set aside it is overwritten by the next write.
                let _ = std::fs::rename(&path, &aside);
                T::default()
            }
        }
    }

    /// Takes the lock, waiting for another process that holds it.
    ///
    /// # Errors
    /// Fails with `conflict.busy` where another process holds it for more than 20 s, with `timeout.deadline` where the
    /// command ends before.
    pub async fn lock(&self) -> Result<Guard> {
        let Some(path) = self.path("lock") else {
            return Ok(Guard { store: self.clone(), lock: None });
        };
        let file = match open_lock(&path) {
            Ok(file) => file,
            Err(error) => {
                self.folder.tell(&error);
                return Ok(Guard { store: self.clone(), lock: None });
            }
        };
        let started = Instant::now();
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Guard { store: self.clone(), lock: Some(file) }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    // A file system without locks: better without than not at all.
                    self.folder.tell(&error);
                    return Ok(Guard { store: self.clone(), lock: None });
                }
            }
            let is_late = self.until.is_some_and(|until| until <= Instant::now());
            if is_late || started.elapsed() > LOCK_LIMIT {
                return Err(self.held(&path, &holder::of(&file), is_late));
            }
            if !told && started.elapsed() > LOCK_PATIENCE {
                told = true;
                tracing::warn!(
                    "waiting for {}, which holds {}; for {} s at most",
                    holder::of(&file),
                    path.display(),
                    LOCK_LIMIT.as_secs()
                );
            }
            tokio::time::sleep(LOCK_POLL).await;
        }
    }

    /// Says that somebody has held the lock for too long; `is_late` where the command has no more time, else he hangs.
    fn held(&self, path: &Path, holder: &str, is_late: bool) -> Error {
        let path = path.display();
        let (code, what, hint) = if is_late {
            (
                Code::TimeoutDeadline,
                format!("the time for the command ran out while {holder} held the lock {path}"),
                "give it more time with --timeout, or end the process that hangs",
            )
        } else {
            (
                Code::ConflictBusy,
                format!("{holder} holds the lock {path} for more than {} s", LOCK_LIMIT.as_secs()),
                "end the process that hangs, then try again",
            )
        };
        Error::new(code, Layer::Config, what).temporary().backend(self.owner()).hint(hint)
    }

    /// Takes the lock, changes the document and writes it.
    ///
    /// # Errors
    /// Fails where the lock can't be had.
    pub async fn change<T: DeserializeOwned + Default + Serialize>(&self, change: impl FnOnce(&mut T)) -> Result<()> {
        let guard = self.lock().await?;
        let mut document = guard.read();
        change(&mut document);
        guard.write(&document);
        Ok(())
    }
}

impl Guard {
    /// Reads the document again, now that nobody else changes it.
    #[must_use]
    pub fn read<T: DeserializeOwned + Default>(&self) -> T {
        self.store.read()
    }

    /// Replaces the document, and tells whether it is kept; where it is not, says so once and remembers it here.
    pub fn write<T: Serialize>(&self, document: &T) -> bool {
        self.replace(document, true)
    }

    /// Replaces a document of which nothing is lost that could not be had again: the disk need not have it before the
    /// command goes on, which takes a disk longer than a box takes for a login.
    pub fn write_soon<T: Serialize>(&self, document: &T) -> bool {
        self.replace(document, false)
    }

    fn replace<T: Serialize>(&self, document: &T, synced: bool) -> bool {
        let Store { folder, name, .. } = &self.store;
        if let Some(path) = self.store.path("json") {
            match replace(&path, document, synced, self.lock.is_some()) {
                Ok(()) => {
                    folder.unwritten().remove(name);
                    return true;
                }
                Err(error) => folder.tell(&error),
            }
        }
        if let Ok(document) = serde_json::to_value(document) {
            folder.unwritten().insert(name.clone(), document);
        }
        false
    }
}

/// Tells that there is no such file, be it for the folder, which is told when it is to be written.
fn is_nowhere(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// Reads a state file. Takes away the rights that others have on it, and says so: it may have been copied with wider
/// ones. One that somebody else has put there is not used: it would say where to send what.
fn own_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let data = std::fs::metadata(path)?;
    if !data.is_file() {
        // A pipe would be waited for.
        return Err(std::io::Error::other(format!("{} is no file", path.display())));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let me = rustix::process::geteuid().as_raw();
        if data.uid() != me && me != 0 && data.uid() != 0 {
            return Err(std::io::Error::other(format!("{} belongs to somebody else", path.display())));
        }
        if data.mode() & 0o077 != 0 {
            // Behind a link is a file of another place, whose rights are not ours to change.
            let is_ours = std::fs::symlink_metadata(path)?.is_file();
            if is_ours && std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).is_ok() {
                tracing::warn!("others could read {}, which holds a login; it is private again", path.display());
            } else {
                tracing::warn!("others can read {}, which holds a login", path.display());
            }
        }
    }
    std::fs::read(path)
}

fn open_lock(path: &Path) -> std::io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Makes a folder that only its owner can enter; on Windows the profile's own rights do that.
fn make_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

fn replace<T: Serialize>(path: &Path, document: &T, synced: bool, is_locked: bool) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let bytes = serde_json::to_vec(document)?;
    let mut file = if is_locked { locked_temporary(path, folder)? } else { temporary(".").tempfile_in(folder)? };
    file.write_all(&bytes)?;
    if synced {
        file.as_file().sync_data()?;
    }
    // Renaming it is atomic.
    file.persist(path)?;
    Ok(())
}

/// Says how a temporary file is made; its mode is 0600.
fn temporary(prefix: &str) -> tempfile::Builder<'_, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(".tmp");
    builder
}

/// Makes the one temporary file of a document: nobody but who holds the lock writes it, so one that is there is what a
/// killed process left.
fn locked_temporary(path: &Path, folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let name = format!(".{}", path.file_name().unwrap_or_default().to_string_lossy());
    let made = temporary(&name).rand_bytes(0).tempfile_in(folder);
    match made {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(folder.join(format!("{name}.tmp")))?;
            temporary(&name).rand_bytes(0).tempfile_in(folder)
        }
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::Folder;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Document {
        word: String,
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_written_is_read_and_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("deep/state");
        let store = Folder::new(Some(place.clone())).backend("home");
        assert_eq!(store.read::<Document>(), Document::default());
        store.change(|document: &mut Document| document.word = "kept".to_owned()).await.expect("changed");
        assert_eq!(store.read::<Document>().word, "kept");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &std::path::Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
            assert_eq!(mode(&place.join("home.json")), 0o600);
            assert_eq!(mode(&place.join("home.lock")), 0o600);
            assert_eq!(mode(&place), 0o700);
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_half_written_file_is_set_aside_and_rebuilt() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Folder::new(Some(folder.path().to_owned())).backend("home");
        std::fs::write(folder.path().join("home.json"), "{\"word\":\"ha").expect("written");
        assert_eq!(store.read::<Document>(), Document::default());
        let aside = std::fs::read_to_string(folder.path().join("home.json.corrupt")).expect("set aside");
        assert_eq!(aside, "{\"word\":\"ha");
        store.change(|document: &mut Document| document.word = "new".to_owned()).await.expect("changed");
        assert_eq!(store.read::<Document>().word, "new");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_lock_keeps_others_out_until_it_is_dropped() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Folder::new(Some(folder.path().to_owned())).backend("home");
        let guard = store.lock().await.expect("locked");
        let short = std::time::Duration::from_millis(60);
        assert!(tokio::time::timeout(short, store.lock()).await.is_err(), "taken twice");
        drop(guard);
        store.lock().await.expect("free again");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_lock_is_waited_for_no_longer_than_the_command_may_take() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Folder::new(Some(folder.path().to_owned())).backend("home");
        let _held = store.lock().await.expect("locked");
        let soon = std::time::Instant::now() + std::time::Duration::from_millis(30);
        let error = store.until(Some(soon)).lock().await.expect_err("too late");
        assert_eq!(error.code(), crate::error::Code::TimeoutDeadline);
    }

    #[cfg(unix)]
    #[tokio::test(flavor = "current_thread")]
    async fn a_file_that_others_can_read_is_made_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let store = Folder::new(Some(folder.path().to_owned())).backend("home");
        store.change(|document: &mut Document| document.word = "kept".to_owned()).await.expect("changed");
        let path = folder.path().join("home.json");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("set");
        assert_eq!(store.read::<Document>().word, "kept");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[tokio::test(flavor = "current_thread")]
    async fn what_a_link_leads_to_keeps_its_rights() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let target = elsewhere.path().join("document");
        std::fs::write(&target, r#"{"word":"there"}"#).expect("written");
        std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o644)).expect("set");
        let path = folder.path().join("home.json");
        std::os::unix::fs::symlink(&target, &path).expect("linked");
        let store = Folder::new(Some(folder.path().to_owned())).backend("home");
        assert_eq!(store.read::<Document>().word, "there");
        let mode = |path: &std::path::Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&target), 0o644, "it is not in the state folder");
        store.change(|document: &mut Document| document.word = "kept".to_owned()).await.expect("changed");
        assert!(std::fs::symlink_metadata(&path).expect("there").is_file(), "the link is replaced");
        assert_eq!((mode(&path), mode(&target)), (0o600, 0o644));
        assert_eq!(std::fs::read_to_string(&target).expect("there"), r#"{"word":"there"}"#);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_a_killed_process_left_is_replaced_and_does_not_pile_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Folder::new(Some(folder.path().to_owned())).backend("home");
        std::fs::write(folder.path().join(".home.json.tmp"), "{\"word\":\"ha").expect("written");
        store.change(|document: &mut Document| document.word = "kept".to_owned()).await.expect("changed");
        assert_eq!(store.read::<Document>().word, "kept");
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .expect("listed")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["home.json", "home.lock"]);
    }

    #[cfg(unix)]
    #[tokio::test(flavor = "current_thread")]
    async fn what_is_no_file_is_not_waited_for() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let folder = tempfile::tempdir().expect("a folder");
        let store = Folder::new(Some(folder.path().to_owned())).backend("home");
        mknodat(CWD, folder.path().join("home.json"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a pipe");
        assert_eq!(store.read::<Document>(), Document::default());
        store.change(|document: &mut Document| document.word = "kept".to_owned()).await.expect("changed");
        assert_eq!(store.read::<Document>().word, "kept", "it is replaced as any file");
        for name in ["work.json", "work.lock"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let store = Folder::new(Some(folder.path().to_owned())).backend("work");
        store.change(|document: &mut Document| document.word = "kept".to_owned()).await.expect("changed");
        assert_eq!(store.read::<Document>().word, "kept", "this process remembers it");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_folder_that_cannot_be_made_is_no_failure() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let store = Folder::new(Some(file.path().join("below"))).backend("home");
        store.change(|document: &mut Document| document.word = "here".to_owned()).await.expect("goes on");
        assert_eq!(store.read::<Document>().word, "here", "this process remembers it");
    }
}
