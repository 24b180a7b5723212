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

use disk::{Manner, Unread};
pub use look::{ENDINGS, Look};
pub use pin::Pin;

use crate::error::{Code, Error, Layer, Result};

/// How often a lock that another process holds is tried.
const LOCK_POLL: Duration = Duration::from_millis(20);
/// After which time somebody is told that a lock is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// How long a lock is waited for; a login takes seconds, so more means that its holder hangs.
const LOCK_LIMIT: Duration = Duration::from_secs(20);

/// For how long nobody waits again for a lock that was waited for in vain: as long as others in this process may have
/// waited for the same.
const LOCK_STUCK: Duration = Duration::from_secs(5);

/// The state folder; clones share it.
#[derive(Debug, Clone)]
pub struct Folder {
    path: Option<PathBuf>,
    /// Why it is not used, where others can put there what they like; looked at once, before the first use.
    barred: Arc<OnceLock<Option<String>>>,
    told: Arc<AtomicBool>,
    /// What was said already, and of which backend.
    said: Arc<Mutex<BTreeSet<(String, &'static str)>>>,
    /// Of which backend a lock was waited for in vain, and when.
    stuck: Arc<Mutex<Option<(String, Instant)>>>,
    /// What could not be written, by the name of the backend; it is newer than the file.
    unwritten: Arc<Mutex<BTreeMap<String, serde_json::Value>>>,
}

impl Folder {
    /// Names the folder; `None` remembers no longer than this lives. Nothing is made before something is written.
    #[must_use]
    pub fn new(path: Option<PathBuf>) -> Self {
        Self {
            path,
            barred: Arc::default(),
            told: Arc::default(),
            said: Arc::default(),
            stuck: Arc::default(),
            unwritten: Arc::default(),
        }
    }

    /// Gives the folder, where it is one to use: what others can write may say where to send what.
    fn place(&self) -> Option<&Path> {
        let path = self.path.as_deref()?;
        self.barred().is_none().then_some(path)
    }

    /// Says why the folder is not used, where it is not; once also to the user.
    fn barred(&self) -> Option<&str> {
        let path = self.path.as_deref()?;
        let look = || {
            let (whose, remedy) = disk::exposed_to(path)?;
            let why = format!("{whose} the state folder {}", path.display());
            if !self.told.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "{why}, so nothing in it is used and logins are not kept; {remedy}, or name another with \
                     VPNCTL_STATE_DIR"
                );
            }
            Some(why)
        };
        self.barred.get_or_init(look).as_deref()
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

/// What is known of something that is written down to keep it from being done again.
#[derive(Debug)]
pub enum Record<T> {
    /// What was written down, the empty document where nothing was.
    Read(T),
    /// It was spoilt, and is set aside; when it was written last, in unix time, where that is known.
    Lost(Option<i64>),
    /// There is one that can't or may not be read, now and later: why.
    Closed(String),
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
                Unread::Corrupt(why) => self.set_aside(&why),
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
        serde_json::from_slice(&bytes).map_err(|error| Unread::Corrupt(error.to_string()))
    }

    /// Sets a corrupt document aside, so that nothing is lost.
    fn set_aside(&self, why: &str) {
        let Some(path) = self.path("json") else { return };
        tracing::warn!("the state file {} is corrupt ({why}); it is set aside and built anew", path.display());
        // Where it can't be set aside it is overwritten by the next write.
        let _ = std::fs::rename(&path, path.with_extension("json.corrupt"));
    }

    /// Says why there is a document that is out of reach, where one is in a folder that is not used.
    fn out_of_reach(&self) -> Option<&str> {
        let folder = self.folder.path.as_deref()?;
        self.folder.barred().filter(|_| folder.join(format!("{}.json", self.name)).exists())
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
        let is_stuck = self.was_stuck();
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
            if is_late || is_stuck || started.elapsed() > LOCK_LIMIT {
                if !is_late {
                    *self.stuck() = Some((self.backend.clone(), Instant::now()));
                }
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

    fn stuck(&self) -> MutexGuard<'_, Option<(String, Instant)>> {
        self.folder.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether this process has just waited in vain for a lock of the backend: who waits for two is no faster.
    fn was_stuck(&self) -> bool {
        self.stuck().as_ref().is_some_and(|(backend, at)| *backend == self.backend && at.elapsed() < LOCK_STUCK)
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

    /// Makes sure that a document like this one would be kept, with so many bytes more, by writing it: for what can't be
    /// had again where it is lost.
    ///
    /// # Errors
    /// Gives why it would not be.
    pub fn prepare<T: Serialize>(&self, document: &T, room: usize) -> std::result::Result<(), String> {
        let Some(path) = self.store.path("json") else {
            let barred = self.store.folder.barred().map(str::to_owned);
            return Err(barred.unwrap_or_else(|| "this system has no place for a state folder".to_owned()));
        };
        disk::replace(&path, document, self.manner(true, room)).map_err(|unread| match unread {
            Unread::Left(why) | Unread::Corrupt(why) => why,
            Unread::Broken(error) => format!("{}: {error}", path.display()),
            Unread::Nothing => format!("{} is nowhere", path.display()),
        })
    }

    /// Reads a document whose content keeps something from being done: where it can't be read, it is not taken for empty.
    #[must_use]
    pub fn record<T: DeserializeOwned + Default>(&self) -> Record<T> {
        let path = self.store.path("json");
        match self.store.document() {
            Ok(document) => Record::Read(document),
            Err(Unread::Corrupt(why)) => {
                let at = path.as_deref().and_then(disk::written_at);
                self.store.set_aside(&why);
                Record::Lost(at)
            }
            Err(Unread::Left(why)) => Record::Closed(why),
            Err(Unread::Broken(error)) => match path.filter(|path| path.symlink_metadata().is_ok()) {
                Some(path) => Record::Closed(format!("the state file {} can't be read ({error})", path.display())),
                None => {
                    self.store.folder.tell_of("read", &error);
                    Record::Read(T::default())
                }
            },
            Err(Unread::Nothing) => Record::Read(T::default()),
        }
    }

    fn manner(&self, synced: bool, room: usize) -> Manner {
        Manner { synced, is_locked: self.lock.is_some(), room }
    }

    fn replace<T: Serialize>(&self, document: &T, synced: bool) -> bool {
        let Store { folder, name, .. } = &self.store;
        if let Some(path) = self.store.path("json") {
            match disk::replace(&path, document, self.manner(synced, 0)) {
                Ok(()) => {
                    folder.unwritten().remove(name);
                    return true;
                }
                Err(Unread::Broken(error)) => folder.tell(&error),
                Err(Unread::Left(why)) => self.store.tell_left(&why),
                Err(Unread::Nothing | Unread::Corrupt(_)) => {}
            }
        }
        if let Ok(document) = serde_json::to_value(document) {
            folder.unwritten().insert(name.clone(), document);
        }
        false
    }
}

#[cfg(test)]
mod tests;
