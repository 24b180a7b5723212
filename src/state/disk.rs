//! Files of the state folder: whose they are, how they are read and replaced.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// The version of what this vpnctl writes; a document without one is of this version.
const VERSION: u64 = 1;

/// How large a document may be, in bytes: several times what 100,000 names take, and no burden on a small computer.
const LARGEST: u64 = 64 << 20;

/// Why a document is not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// There is none.
    Nothing,
    /// It can't be read.
    Broken(std::io::Error),
    /// It is none of ours, whole as we write them: why.
    Corrupt(String),
    /// It is not ours to use or to replace: what it is, and what to do.
    Left(String),
}

/// Tells that there is no such file, be it for the folder, which is told when it is to be written.
pub(super) fn is_nowhere(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// Reads a state file. Takes away the rights that others have on it, and says so: it may have been copied with wider
/// ones. One that somebody else has put there is not used: it would say where to send what. Nor is one of a newer vpnctl,
/// whose pairings would be lost with what this one can't read.
pub(super) fn own_bytes(path: &Path) -> std::result::Result<Vec<u8>, Unread> {
    let bytes = bytes(path)?;
    if is_newer(&bytes) {
        return Err(Unread::Left(format!(
            "the state file {} was written by a newer vpnctl; update this one, or name another folder with \
             VPNCTL_STATE_DIR",
            path.display()
        )));
    }
    Ok(bytes)
}

/// Tells whether a newer vpnctl has written a document, which says so where an older one would not understand it. What
/// is there and is not our own number is a later one's, however that counts.
pub(super) fn is_newer(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Versioned {
        version: u64,
    }
    type Keys<'a> = BTreeMap<Cow<'a, str>, IgnoredAny>;
    // Seldom there at all, so it is looked for before it is looked at.
    let may_be = bytes.windows(7).any(|part| part == b"version");
    // A number that no number holds breaks the second reading, not the first: that one tells what is no document at all.
    let is_there =
        || serde_json::from_slice::<Keys<'_>>(bytes).is_ok_and(|keys| keys.keys().any(|key| key == "version"));
    may_be && is_there() && !serde_json::from_slice::<Versioned>(bytes).is_ok_and(|found| found.version == VERSION)
}

/// Reads a file, unless it is larger than any that vpnctl writes.
pub(super) fn bounded(path: &Path) -> std::result::Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    // One more than may be there, so that one that grows meanwhile is seen too.
    let read = File::open(path).and_then(|file| {
        let length = file.metadata()?.len();
        if length <= LARGEST {
            bytes.reserve_exact(usize::try_from(length).unwrap_or_default());
            file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        }
        Ok(length.max(bytes.len() as u64))
    });
    match read {
        Ok(length) if length > LARGEST => Err(Unread::Corrupt(format!("{length} bytes are more than vpnctl writes"))),
        Ok(_) => Ok(bytes),
        Err(error) if is_nowhere(&error) => Err(Unread::Nothing),
        Err(error) => Err(Unread::Broken(error)),
    }
}

fn bytes(path: &Path) -> std::result::Result<Vec<u8>, Unread> {
    let broken = |error: std::io::Error| if is_nowhere(&error) { Unread::Nothing } else { Unread::Broken(error) };
    let data = std::fs::metadata(path).map_err(broken)?;
    if !data.is_file() {
        // A pipe would be waited for.
        return Err(broken(std::io::Error::other(format!("{} is no file", path.display()))));
    }
    if is_foreign(&data) {
        return Err(Unread::Left(format!(
            "the state file {} belongs to somebody else; remove it, or name another folder with VPNCTL_STATE_DIR",
            path.display()
        )));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if data.permissions().mode() & 0o077 != 0 {
            // Behind a link is a file of another place, whose rights are not ours to change.
            let is_ours = std::fs::symlink_metadata(path).map_err(broken)?.is_file();
            if is_ours && std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).is_ok() {
                tracing::warn!("others could read {}, which holds a login; it is private again", path.display());
            } else {
                tracing::warn!("others can read {}, which holds a login", path.display());
            }
        }
    }
    bounded(path)
}

/// Gives when a file was written last, in unix time.
pub(super) fn written_at(path: &Path) -> Option<i64> {
    let at = std::fs::metadata(path).ok()?.modified().ok()?;
    i64::try_from(at.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// Tells whether a file belongs to somebody who is neither this user nor root; root too uses nobody else's, who could
/// lead it where he likes.
pub(super) fn is_foreign(data: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        data.uid() != 0 && data.uid() != rustix::process::geteuid().as_raw()
    }
    #[cfg(not(unix))]
    {
        let _ = data;
        false
    }
}

/// Says whose hands a folder is in that is not used: anybody's, who can put files into it and take away those of
/// others, as in /tmp he can't; or its owner's, who can, whatever its rights are.
///
/// A group that an administrator lets write into a folder of its owner is trusted with it, as by the images of systems
/// that choose the user themselves. Root has no need of such a folder, and would be led by who owns it.
pub(super) fn exposed_to(folder: &Path) -> Option<(&'static str, String)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let data = std::fs::metadata(folder).ok().filter(Metadata::is_dir)?;
        let mode = data.permissions().mode();
        let is_others = is_foreign(&data) && (mode & 0o002 != 0 || rustix::process::geteuid().is_root());
        if mode & 0o1002 == 0o002 {
            Some(("others can write to", format!("run: chmod 700 '{}'", folder.display())))
        } else {
            is_others.then(|| ("somebody else owns", "run vpnctl as its owner".to_owned()))
        }
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

pub(super) fn open_lock(path: &Path) -> std::io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // A link would have a lock made elsewhere, and a pipe would be waited for.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}

/// Makes a folder that only its owner can enter; on Windows the profile's own rights do that.
pub(super) fn make_folder(folder: &Path) -> std::io::Result<()> {
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

/// How a document is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Whether the disk has it before anything else is done.
    pub(super) synced: bool,
    /// Whether nobody else writes it meanwhile.
    pub(super) is_locked: bool,
    /// How much room is made besides, in bytes, for what is to be written there next.
    pub(super) room: usize,
}

/// Replaces a document at once and as a whole, unless what stands there is to be left.
pub(super) fn replace<T: Serialize>(path: &Path, document: &T, manner: Manner) -> std::result::Result<(), Unread> {
    if let Err(Unread::Left(why)) = own_bytes(path) {
        return Err(Unread::Left(why));
    }
    write(path, document, manner).map_err(Unread::Broken)
}

fn write<T: Serialize>(path: &Path, document: &T, manner: Manner) -> std::io::Result<()> {
    let Manner { synced, is_locked, room } = manner;
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    let mut bytes = serde_json::to_vec(document)?;
    // Blanks behind a document mean nothing to who reads it.
    bytes.resize(bytes.len() + room, b' ');
    if bytes.len() as u64 > LARGEST {
        return Err(std::io::Error::other(format!("{} bytes are too many to be read again", bytes.len())));
    }
    bear_limits();
    let mut file = if is_locked { locked_temporary(path, folder)? } else { temporary(".").tempfile_in(folder)? };
    file.write_all(&bytes)?;
    if synced {
        file.as_file().sync_data()?;
    }
    // Renaming it is atomic.
    file.persist(path)?;
    Ok(())
}

/// Has a write fail that a limit of the system's forbids (`ulimit -f`), so that it is told as on a full disk: without
/// anybody who listens, the signal for it ends the process. Done before the first write, for it takes a moment.
pub(super) fn bear_limits() {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use tokio::signal::unix::{SignalKind, signal};
        static DONE: std::sync::Once = std::sync::Once::new();
        if tokio::runtime::Handle::try_current().is_ok() {
            let number = rustix::process::Signal::XFSZ.as_raw();
            // What listens goes, and who was told of the signal stays so. Where that fails, all is as it was.
            DONE.call_once(|| drop(signal(SignalKind::from_raw(number))));
        }
    }
}

/// Says how a temporary file is made; its mode is 0600.
pub(super) fn temporary(prefix: &str) -> tempfile::Builder<'_, 'static> {
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
