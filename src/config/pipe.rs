//! Files that may be pipes: who reads one waits for who writes it, but not for ever.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::secrets::{overdue, pipes_end};

/// The most that a pipe may give, in bytes: what gives more may never end.
const MOST: u64 = 64 << 20;

/// Reads a file that a flag names; what is no file, such as a pipe, is waited for until then, and for two minutes at most.
/// `what` names it in messages, and `wrong` says of an error that it can't be read.
///
/// # Errors
/// Fails with what `wrong` makes, or with `timeout.deadline` where nothing comes.
pub async fn read_input(
    what: &str,
    path: &Path,
    until: Option<Instant>,
    wrong: impl Fn(io::Error) -> Error,
) -> Result<Vec<u8>> {
    if !is_pipe(path) {
        return std::fs::read(path).map_err(wrong);
    }
    let (done, told) = tokio::sync::oneshot::channel();
    begin(path, |read| drop(done.send(read))).map_err(&wrong)?;
    match tokio::time::timeout_at(pipes_end(until).into(), told).await {
        Ok(read) => read.unwrap_or_else(|gone| Err(io::Error::other(gone))).map_err(wrong),
        Err(_) => Err(overdue(what, path)),
    }
}

/// Reads a file as [`read_input`] does, where nothing else can go on meanwhile.
pub(super) fn read_now(
    what: &str,
    path: &Path,
    until: Option<Instant>,
    wrong: impl Fn(io::Error) -> Error,
) -> Result<Vec<u8>> {
    if !is_pipe(path) {
        return std::fs::read(path).map_err(wrong);
    }
    let (done, told) = mpsc::channel();
    begin(path, move |read| drop(done.send(read))).map_err(&wrong)?;
    let left = pipes_end(until).saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    told.recv_timeout(left).map_or_else(|_| Err(overdue(what, path)), |read| read.map_err(wrong))
}

/// Tells whether something is there that is neither a file nor a folder.
fn is_pipe(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|data| !data.is_file() && !data.is_dir())
}

/// Reads on a thread that nobody waits for: to open a pipe may take as long as to read it.
fn begin(path: &Path, done: impl FnOnce(io::Result<Vec<u8>>) + Send + 'static) -> io::Result<()> {
    let place = path.to_owned();
    let run = move || done(File::open(place).and_then(bytes_of));
    std::thread::Builder::new().spawn(run).map(drop)
}

fn bytes_of(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        Err(io::Error::other(format!("it gives more than {MOST} bytes")))
    } else {
        Ok(bytes)
    }
}
