//! Files that hold a secret: read only where nobody else can read them.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use crate::error::{Code, Error, Layer, Result};

/// The most that a secret can be, in bytes; what gives more is none, and may never end.
pub(super) const MOST: usize = 64 * 1024;

/// How long a pipe or a command may take where nothing else bounds it: somebody may have to unlock a password manager first.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// What came by pipes: each gives it once, and more than one request may need it.
static PIPED: Mutex<BTreeMap<PathBuf, SecretString>> = Mutex::const_new(BTreeMap::new());

/// Reads a secret's file; `key` names the secret in messages. What is no file, such as a pipe, is waited for until then,
/// and for two minutes at most.
///
/// # Errors
/// Fails with `config.invalid` where it can't be read or others can read it, with `timeout.deadline` where nothing comes.
pub async fn read(key: &str, path: &Path, until: Option<Instant>) -> Result<SecretString> {
    if is_regular(path) {
        return read_regular(key, path);
    }
    match tokio::time::timeout_at(pipes_end(until).into(), piped(path)).await {
        Ok(read) => read.map_err(|error| broken(key, path, &error)),
        Err(_) => Err(overdue(&format!("`{key}`"), path)),
    }
}

/// Gives until when a pipe is waited for, where a command ends then.
#[must_use]
pub fn pipes_end(until: Option<Instant>) -> Instant {
    let most = Instant::now() + PATIENCE;
    until.map_or(most, |until| until.min(most))
}

/// Says that nobody has written into a pipe, or not to the end; `what` says what was to come by it.
#[must_use]
pub fn overdue(what: &str, path: &Path) -> Error {
    let what = format!("{what}: what {} gives did not end in time", path.display());
    Error::new(Code::TimeoutDeadline, Layer::Config, what)
        .temporary()
        .hint("look at what writes into it, or give it more time with --timeout")
}

/// Reads what is no file, on a thread that nobody waits for: to open a pipe may take as long as to read it.
async fn piped(path: &Path) -> std::io::Result<SecretString> {
    // Held while it is read, so that nobody else takes a part of it.
    let mut piped = PIPED.lock().await;
    if let Some(secret) = piped.get(path) {
        return Ok(secret.clone());
    }
    let (done, told) = tokio::sync::oneshot::channel();
    let place = path.to_owned();
    let run = move || {
        // Where nobody waits any more, nobody is told.
        let _ = done.send(File::open(place).and_then(text_of));
    };
    std::thread::Builder::new().spawn(run)?;
    let secret = SecretString::from(told.await.map_err(std::io::Error::other)??);
    piped.insert(path.to_owned(), secret.clone());
    Ok(secret)
}

fn broken(key: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::config(format!("`{key}`: the file {} can't be read: {error}", path.display()))
        .hint("write the secret into that file, or name another place for it in the configuration")
}

fn read_regular(key: &str, path: &Path) -> Result<SecretString> {
    let broken = |error: std::io::Error| broken(key, path, &error);
    let file = File::open(path).map_err(broken)?;
    // Of what was opened, not of what has the name by now.
    let data = file.metadata().map_err(broken)?;
    if is_exposed(&data) {
        return Err(exposed(&format!("`{key}`: the file {}", path.display()), path, &data));
    }
    text_of(file).map(SecretString::from).map_err(broken)
}

/// Tells whether a path is that of a file which can be read more than once.
pub(super) fn is_regular(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|data| data.is_file())
}

fn text_of(source: impl Read) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    source.take(MOST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MOST {
        return Err(std::io::Error::other(format!("it is longer than {MOST} bytes, which no secret is")));
    }
    // What it says of the place in the text is left out: it is a secret.
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is no text in UTF-8"))
}

/// Makes sure that nobody else can read a file that holds a secret; `what` names it in the message. What is no file, such
/// as a pipe, is whose end it is.
///
/// # Errors
/// Fails with `config.invalid`, which names the file and its mode; the hint is what mends it.
pub fn check_private(what: &str, path: &Path) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(data) if is_exposed(&data) => Err(exposed(what, path, &data)),
        // Where it can't be looked at, it can't be read either.
        _ => Ok(()),
    }
}

fn exposed(what: &str, path: &Path, data: &Metadata) -> Error {
    Error::config(format!("{what} holds a secret, and others can read it{}", mode_of(data)))
        .hint(format!("run: chmod 600 {}; in a container, mount it with mode 0400", quoted(path)))
}

/// Writes a path as a shell takes it.
#[must_use]
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(unix)]
fn mode_of(data: &Metadata) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    format!(" (mode {:04o})", data.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode_of(_data: &Metadata) -> String {
    String::new()
}

/// Tells whether others can read a file; on Windows the profile's own rights keep them out.
#[must_use]
pub fn is_exposed(data: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        data.is_file() && is_lax(data.mode(), data.uid())
    }
    #[cfg(not(unix))]
    {
        let _ = data;
        false
    }
}

/// Tells whether a mode lets in others than the owner. A group may read what belongs to root: so systems hand out
/// secrets to those who are not (Kubernetes with `fsGroup`, systemd), and it is the only way for those to read it.
#[cfg(unix)]
fn is_lax(mode: u32, owner: u32) -> bool {
    let (group, others) = (mode & 0o060, mode & 0o006);
    others != 0 || !(group == 0 || (group == 0o040 && owner == 0))
}

/// Gives the content of a file without its line ends, where that can be had at once: no pipe is emptied.
pub(super) fn at_hand(path: &Path) -> Option<SecretString> {
    let secret = is_regular(path).then(|| read_regular("", path))?.ok()?;
    Some(SecretString::from(secret.expose_secret().trim_end_matches(['\r', '\n'])))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use secrecy::ExposeSecret as _;

    use super::{check_private, is_lax, quoted, read};
    use crate::error::Code;

    const ME: u32 = 1000;

    #[test]
    fn only_the_owner_reads_a_secret_or_a_group_that_root_chose() {
        for (mode, owner, lax) in [
            (0o600, ME, false),
            (0o400, ME, false),
            (0o700, ME, false),
            (0o640, ME, true),
            (0o604, ME, true),
            (0o620, ME, true),
            (0o602, ME, true),
            (0o644, ME, true),
            (0o666, ME, true),
            // What Kubernetes makes of defaultMode 0400 and 0644 for a pod with fsGroup.
            (0o440, 0, false),
            (0o644, 0, true),
            (0o400, 0, false),
            (0o660, 0, true),
        ] {
            assert_eq!(is_lax(0o100_000 | mode, owner), lax, "{mode:o} of {owner}");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_file_that_others_can_read_is_refused_with_what_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a token");
        std::fs::write(&path, "canary-in-a-file\n").unwrap();
        let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        set(0o644);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for path in [&path, &link] {
            let error = read("token", path, None).await.unwrap_err();
            assert_eq!(error.code(), crate::error::Code::ConfigInvalid);
            assert!(error.message().contains("`token`") && error.message().contains("(mode 0644)"), "{error}");
            let hint = error.hint_text().unwrap();
            assert!(hint.contains(&format!("chmod 600 {}", quoted(path))), "{hint}");
            assert!(!format!("{error:?}").contains("canary"));
            assert!(check_private("it", path).is_err());
        }
        set(0o600);
        assert_eq!(read("token", &link, None).await.unwrap().expose_secret(), "canary-in-a-file\n");
        assert!(check_private("it", &link).is_ok());
    }

    fn make_pipe(path: &Path) -> rustix::io::Result<()> {
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o644),
            0,
        )
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_pipe_that_nobody_writes_to_is_waited_for_no_longer_than_the_command_may_take() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        make_pipe(&path).unwrap();
        let soon = Instant::now() + Duration::from_millis(50);
        let error = read("token", &path, Some(soon)).await.unwrap_err();
        assert_eq!(error.code(), Code::TimeoutDeadline, "{error}");
        assert!(error.message().contains("`token`"), "{error}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_pipe_gives_its_secret_to_all_who_ask() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        make_pipe(&path).unwrap();
        let writer = std::thread::spawn({
            let path = path.clone();
            move || std::fs::write(path, "by-a-pipe").unwrap()
        });
        for _ in 0..2 {
            assert_eq!(read("token", &path, None).await.unwrap().expose_secret(), "by-a-pipe");
        }
        writer.join().unwrap();
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_never_ends_or_is_no_text_is_no_secret() {
        assert!(read("token", Path::new("/dev/zero"), None).await.unwrap_err().message().contains("no secret is"));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"canary\xff").unwrap();
        let error = read("token", file.path(), None).await.unwrap_err();
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }

    #[test]
    fn a_path_is_quoted_where_a_shell_would_split_it() {
        assert_eq!(quoted(Path::new("/run/secrets/token-1")), "/run/secrets/token-1");
        assert_eq!(quoted(Path::new("/my files/it's")), r"'/my files/it'\''s'");
    }
}
