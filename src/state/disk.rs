//! Files of the state folder: whose they are, how they are read and replaced.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The version of what this vpnctl writes; a document without one is of this version.
const VERSION: u64 = 1;

/// Why a document is not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// There is none.
    Nothing,
    /// It can't be read.
    Broken(std::io::Error),
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

/// Tells whether a newer vpnctl has written a document, which says so where an older one would not understand it.
pub(super) fn is_newer(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Versioned {
        #[serde(default)]
        version: serde_json::Value,
    }
    // Seldom there at all, so it is looked for before it is looked at.
    let may_be = std::str::from_utf8(bytes).is_ok_and(|text| text.contains("version\""));
    let found: Option<Versioned> = if may_be { serde_json::from_slice(bytes).ok() } else { None };
    found.and_then(|found| found.version.as_u64()).is_some_and(|version| version > VERSION)
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
    std::fs::read(path).map_err(broken)
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

/// Tells whether anybody can put files into a folder and take away those of others, as in /tmp he can't.
pub(super) fn is_exposed(folder: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(folder).is_ok_and(|data| data.is_dir() && data.permissions().mode() & 0o1002 == 0o002)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        false
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

/// Replaces a document at once and as a whole, unless what stands there is to be left.
pub(super) fn replace<T: Serialize>(
    path: &Path,
    document: &T,
    synced: bool,
    is_locked: bool,
) -> std::result::Result<(), Unread> {
    if let Err(Unread::Left(why)) = own_bytes(path) {
        return Err(Unread::Left(why));
    }
    write(path, document, synced, is_locked).map_err(Unread::Broken)
}

fn write<T: Serialize>(path: &Path, document: &T, synced: bool, is_locked: bool) -> std::io::Result<()> {
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
