//! A look at the state folder that leaves it as it is.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::{Folder, disk, failures};

/// How the names of vpnctl's files go on behind that of the backend.
pub const ENDINGS: [&str; 6] = ["json", "lock", "pin.json", "pin.lock", "json.corrupt", "pin.json.corrupt"];

/// What is in the state folder.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// Where it is; `None` where this system has no place for it.
    pub path: Option<PathBuf>,
    /// Whether it was made already.
    pub is_there: bool,
    /// Why nothing can be written there.
    pub unwritable: Option<String>,
    /// Whether others than its owner may enter it.
    pub is_open: bool,
    /// Whether it is vpnctl's alone, so that its rights may be changed: no link, nobody else's, and nothing else in it.
    pub is_own: bool,
    /// Names and sizes in bytes of what is in it.
    pub files: Vec<(String, u64)>,
    /// Files that others than their owner can read.
    pub readable: Vec<String>,
    /// Files that are not what they should be, or were set aside for that.
    pub corrupt: Vec<String>,
    /// Files that a newer vpnctl has written, or that belong to somebody else: they are left as they are.
    pub left: Vec<String>,
    /// What stands where a file should, and is none.
    pub misplaced: Vec<String>,
    /// Locks that another process holds.
    pub held: Vec<String>,
}

impl Folder {
    /// Looks at the folder and the files in it.
    #[must_use]
    pub fn look(&self) -> Look {
        let mut look = Look { path: self.path.clone(), ..Look::default() };
        let Some(path) = &self.path else { return look };
        look.is_there = path.is_dir();
        // Where it is to be made, what counts is the first folder above it that is there.
        let place = path.ancestors().find(|place| place.exists()).unwrap_or(path);
        // It has no name, so nothing of it is left.
        look.unwritable = tempfile::tempfile_in(place).err().map(|error| error.to_string());
        if !look.is_there {
            return look;
        }
        look.is_open = is_wide(path);
        look.is_own = is_own(path);
        let Ok(entries) = std::fs::read_dir(path) else { return look };
        for entry in entries.flatten() {
            look.file(&entry.path());
        }
        look.files.sort();
        look.readable.sort();
        look
    }
}

impl Look {
    fn file(&mut self, path: &Path) {
        let Ok(data) = std::fs::metadata(path) else { return };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !is_ours(&name) {
            self.is_own = false;
        } else if data.is_dir() != (name == failures::PLACE) {
            self.misplaced.push(name.clone());
        } else if data.is_file() {
            if is_wide(path) {
                self.readable.push(name.clone());
            }
            let bytes = if name.ends_with(".json") { disk::bounded(path).ok() } else { None };
            if name.ends_with(".json") && (disk::is_foreign(&data) || bytes.as_deref().is_some_and(disk::is_newer)) {
                self.left.push(name.clone());
            }
            let is_json = name.ends_with(".json") && !bytes.is_some_and(|bytes| is_json(&bytes));
            if is_json || name.ends_with(".corrupt") {
                self.corrupt.push(name.clone());
            }
            if name.ends_with(".lock") && File::open(path).is_ok_and(|file| is_held(&file)) {
                self.held.push(name.clone());
            }
        }
        self.files.push((name, data.len()));
    }
}

fn is_ours(name: &str) -> bool {
    let of_backend = |(_, ending): (&str, &str)| ENDINGS.contains(&ending);
    name == failures::PLACE
        || name.starts_with('.') && name.ends_with(".tmp")
        || name.split_once('.').is_some_and(of_backend)
}

/// Tells whether a folder is no link, and is not shared with others, as /tmp is.
fn is_own(path: &Path) -> bool {
    let Ok(data) = std::fs::symlink_metadata(path) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        data.is_dir() && data.mode() & 0o1000 == 0 && data.uid() == rustix::process::geteuid().as_raw()
    }
    #[cfg(not(unix))]
    data.is_dir()
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

fn is_held(file: &File) -> bool {
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

fn is_wide(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
