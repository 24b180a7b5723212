//! What vpnctl remembers between runs: sessions, tokens, ids. Locked, replaced atomically, for its owner only.
//!
//! One JSON file and one lock per backend. A file is read without the lock, for it is always replaced as a whole;
//! who changes it takes the lock, reads it again and writes it. Where nothing can be written, this process alone
//! remembers: a command that asks three devices still logs in once.

mod disk;
pub mod failures;
mod holder;
mod look;
mod pin;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use disk::Unread;
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
    /// Whether others can put there what they like; looked at once, before the first use.
    exposed: Arc<OnceLock<bool>>,
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
        Self { path, exposed: Arc::default(), told: Arc::default(), said: Arc::default(), unwritten: Arc::default() }
    }

    /// Gives the folder, where it is one to use: what others can write may say where to send what.
    fn place(&self) -> Option<&Path> {
        let path = self.path.as_deref()?;
        let is_exposed = *self.exposed.get_or_init(|| {
            let is_exposed = disk::is_exposed(path);
            if is_exposed && !self.told.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "others can write to the state folder {}, so nothing in it is used and logins are not kept; run: chmod \
                     700 '{}', or name another with VPNCTL_STATE_DIR",
                    path.display(),
                    path.display()
                );
            }
            is_exposed
        });
        (!is_exposed).then_some(path)
    }

    /// Gives the store of one backend.
    #[must_use]
    pub fn backend(&self, name: &str) -> Store {
        Store { folder: self.clone(), name: name.to_owned(), backend: name.to_owned(), until: None, since: None }
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
            tracing::warn!(
                "the state folder {place} can't be {what} ({error}); logins are not kept; make it writable, or name another \
                 with VPNCTL_STATE_DIR"
            );
        }
    }
}

/// The state of one backend.
#[derive(Debug, Clone)]
pub struct Store {
    folder: Folder,
    name: String,
    /// The backend that it belongs to, also where something of several backends stands in it.
    backend: String,
    until: Option<Instant>,
    /// When the wait for its lock began, where another lock was waited for before.
    since: Option<Instant>,
}

/// Holds the lock of one backend until it is dropped.
#[derive(Debug)]
pub struct Guard {
    store: Store,
    // The lock ends with the file's handle, also when the process is killed.
    lock: Option<File>,
    /// When the wait for it began.
    since: Instant,
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

    fn path(&self, ending: &str) -> Option<PathBuf> {
        self.folder.place().map(|folder| folder.join(format!("{}.{ending}", self.name)))
    }

    /// Reads the document; where there is none, or it is corrupt, gives the empty one.
    ///
    /// A corrupt file is set aside as `NAME.json.corrupt`, so that nothing is lost. One that is not ours to use is left as
    /// it is, and this process alone remembers.
    #[must_use]
    pub fn read<T: DeserializeOwned + Default>(&self) -> T {
        self.document().unwrap_or_else(|unread| {
            match unread {
                Unread::Nothing => {}
                Unread::Broken(error) => self.folder.tell_of("read", &error),
                Unread::Left(why) => self.tell_left(&why),
            }
            T::default()
        })
    }

    /// Reads the document, or says why it is not to be read.
    fn document<T: DeserializeOwned + Default>(&self) -> std::result::Result<T, Unread> {
        if let Some(document) = self.folder.unwritten().get(&self.name) {
            return Ok(T::deserialize(document).unwrap_or_default());
        }
        let path = self.path("json").ok_or(Unread::Nothing)?;
        let bytes = disk::own_bytes(&path)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let aside = path.with_extension("json.corrupt");
            tracing::warn!("the state file {} is corrupt ({error}); it is set aside and built anew", path.display());
            // Where it can't be set aside it is overwritten by the next write.
            let _ = std::fs::rename(&path, &aside);
            Unread::Nothing
        })
    }

    /// Tells whether there is a document in a folder that is not used.
    fn is_out_of_reach(&self) -> bool {
        let path = self.folder.path.as_deref().filter(|_| self.folder.place().is_none());
        path.is_some_and(|folder| folder.join(format!("{}.json", self.name)).exists())
    }

    fn tell_left(&self, why: &str) {
        let mut said = self.folder.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.insert((self.name.clone(), "left")) {
            tracing::warn!("{why}; it is left as it is, and logins are not kept");
        }
    }

    /// Takes the lock, waiting for another process that holds it.
    ///
    /// # Errors
    /// Fails with `conflict.busy` where another process holds it for more than 20 s, with `timeout.deadline` where the
    /// command ends before.
    pub async fn lock(&self) -> Result<Guard> {
        let Some(path) = self.path("lock") else {
            return Ok(self.guarded(None, Instant::now()));
        };
        let file = match disk::open_lock(&path) {
            Ok(file) => file,
            Err(error) => {
                self.folder.tell(&error);
                return Ok(self.guarded(None, Instant::now()));
            }
        };
        let started = self.since.unwrap_or_else(Instant::now);
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(self.guarded(Some(file), started)),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    // A file system without locks: better without than not at all.
                    self.folder.tell(&error);
                    return Ok(self.guarded(None, started));
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

    fn guarded(&self, lock: Option<File>, since: Instant) -> Guard {
        Guard { store: self.clone(), lock, since }
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
        Error::new(code, Layer::Config, what).temporary().backend(&self.backend).hint(hint)
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

    /// Gives the store of something else that is to be locked besides; both are waited for no longer than one would be.
    #[must_use]
    pub fn sibling(&self, name: &str) -> Store {
        Store { since: Some(self.since), ..self.store.sibling(name) }
    }

    fn replace<T: Serialize>(&self, document: &T, synced: bool) -> bool {
        let Store { folder, name, .. } = &self.store;
        if let Some(path) = self.store.path("json") {
            match disk::replace(&path, document, synced, self.lock.is_some()) {
                Ok(()) => {
                    folder.unwritten().remove(name);
                    return true;
                }
                Err(Unread::Broken(error)) => folder.tell(&error),
                Err(Unread::Left(why)) => self.store.tell_left(&why),
                Err(Unread::Nothing) => {}
            }
        }
        if let Ok(document) = serde_json::to_value(document) {
            folder.unwritten().insert(name.clone(), document);
        }
        false
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

    #[tokio::test(flavor = "current_thread")]
    async fn what_a_newer_version_wrote_is_left_and_remembered_beside() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("home.json");
        for text in [r#"{"version":2,"word":"theirs"}"#, r#"{"word":["of another kind"],"version":7}"#] {
            std::fs::write(&path, text).expect("written");
            let store = Folder::new(Some(folder.path().to_owned())).backend("home");
            assert_eq!(store.read::<Document>(), Document::default());
            store.change(|document: &mut Document| document.word = "ours".to_owned()).await.expect("goes on");
            assert_eq!(store.read::<Document>().word, "ours", "this process remembers it");
            assert_eq!(std::fs::read_to_string(&path).expect("there"), text);
        }
        for text in [r#"{"version":1,"word":"ours"}"#, r#"{"word":"ours","version":"2"}"#] {
            std::fs::write(&path, text).expect("written");
            let store = Folder::new(Some(folder.path().to_owned())).backend("home");
            assert_eq!(store.read::<Document>().word, "ours", "{text}");
        }
    }

    #[cfg(unix)]
    #[tokio::test(flavor = "current_thread")]
    async fn what_somebody_else_put_there_is_left_also_by_root() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("home.json");
        std::fs::write(&path, r#"{"word":"theirs"}"#).expect("written");
        let is_theirs = std::os::unix::fs::chown(&path, Some(4711), None).is_ok();
        let store = Folder::new(Some(folder.path().to_owned())).backend("home");
        // Only root can give a file away.
        assert_eq!(is_theirs, rustix::process::geteuid().is_root());
        assert_eq!(store.read::<Document>().word, if is_theirs { "" } else { "theirs" });
        store.change(|document: &mut Document| document.word = "ours".to_owned()).await.expect("goes on");
        assert_eq!(std::fs::read_to_string(&path).expect("there").contains("theirs"), is_theirs);
    }

    #[cfg(unix)]
    #[tokio::test(flavor = "current_thread")]
    async fn a_folder_that_others_can_write_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("home.json");
        std::fs::write(&path, r#"{"word":"planted"}"#).expect("written");
        for (mode, word) in [(0o777, ""), (0o702, ""), (0o1777, "planted"), (0o755, "planted"), (0o770, "planted")] {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).expect("set");
            let store = Folder::new(Some(folder.path().to_owned())).backend("home");
            assert_eq!(store.read::<Document>().word, word, "{mode:o}");
            store.lock().await.expect("goes on");
            assert_eq!(folder.path().join("home.lock").exists(), !word.is_empty(), "{mode:o}");
        }
    }

    #[cfg(unix)]
    #[tokio::test(flavor = "current_thread")]
    async fn a_lock_is_not_made_behind_a_link_nor_waited_for_at_a_pipe() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let (folder, elsewhere) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let target = elsewhere.path().join("made");
        std::os::unix::fs::symlink(&target, folder.path().join("home.lock")).expect("linked");
        let pipe = folder.path().join("work.lock");
        mknodat(CWD, pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a pipe");
        for name in ["home", "work"] {
            let store = Folder::new(Some(folder.path().to_owned())).backend(name);
            store.change(|document: &mut Document| document.word = "kept".to_owned()).await.expect("goes on");
            assert_eq!(store.read::<Document>().word, "kept");
        }
        assert!(!target.exists());
        // The folder itself may be a link.
        let link = elsewhere.path().join("state");
        std::os::unix::fs::symlink(folder.path(), &link).expect("linked");
        assert_eq!(Folder::new(Some(link)).backend("home").read::<Document>().word, "kept");
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
