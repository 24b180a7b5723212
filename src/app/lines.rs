//! Targets from a file, read as they are needed: a million lines take no more room than ten.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::sync::mpsc;

use crate::config::overdue;
use crate::error::{Error, Result};

/// How many lines a thread hands over at most at once; waking somebody for each would cost more than reading it.
const BATCH: usize = 128;
/// How many such batches may wait to be taken.
const AHEAD: usize = 4;

/// The lines of a file, or of standard input.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    source: Source,
    /// When the command has to be done; a pipe is not waited for any longer.
    until: Option<Instant>,
}

enum Source {
    /// A file on a disk, which is never waited for.
    Here(Box<dyn BufRead>),
    /// A pipe, on which a thread waits: answers of vendors go on meanwhile.
    Elsewhere { batches: mpsc::Receiver<io::Result<Vec<String>>>, batch: std::vec::IntoIter<String> },
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Here(_) => "Here",
            Self::Elsewhere { .. } => "Elsewhere",
        })
    }
}

impl Lines {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// Fails with `usage` where it can't be read.
    pub fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            let source = elsewhere(|| Ok(io::stdin()));
            return Ok(Self { path: PathBuf::from("standard input"), source, until: None });
        }
        let unreadable = |error| unreadable(path, &error);
        let data = std::fs::metadata(path).map_err(unreadable)?;
        let source = if data.is_file() || data.is_dir() {
            Source::Here(Box::new(BufReader::new(File::open(path).map_err(unreadable)?)))
        } else {
            // To open a pipe may take as long as to read it.
            let place = path.to_owned();
            elsewhere(|| File::open(place))
        };
        Ok(Self { path: path.to_owned(), source, until: None })
    }

    /// Waits for no line any longer than until then.
    #[must_use]
    pub fn until(self, until: Option<Instant>) -> Self {
        Self { until, ..self }
    }

    /// Gives the next line that says something: no empty one, and none that begins with `#`.
    ///
    /// # Errors
    /// Fails with `usage` where it can't be read.
    pub async fn next(&mut self) -> Result<Option<String>> {
        loop {
            let line = match &mut self.source {
                Source::Here(reader) => line(reader).map_err(|error| unreadable(&self.path, &error))?,
                Source::Elsewhere { batches, batch } => match batch.next() {
                    None => match received(batches, self.until, &self.path).await? {
                        Some(Ok(next)) => {
                            *batch = next.into_iter();
                            continue;
                        }
                        Some(Err(error)) => return Err(unreadable(&self.path, &error)),
                        None => None,
                    },
                    line => line,
                },
            };
            match line {
                Some(line) if line.is_empty() || line.starts_with('#') => {}
                line => return Ok(line),
            }
        }
    }
}

async fn received(
    batches: &mut mpsc::Receiver<io::Result<Vec<String>>>,
    until: Option<Instant>,
    path: &Path,
) -> Result<Option<io::Result<Vec<String>>>> {
    let Some(until) = until else { return Ok(batches.recv().await) };
    tokio::time::timeout_at(until.into(), batches.recv()).await.map_err(|_| overdue("--targets-from", path))
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::usage(format!("the targets can't be read from {}: {error}", path.display()))
        .hint("--targets-from names a file with one target a line, or is - for standard input")
}

/// Reads a line, without what stands around it; nothing at the end.
fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if reader.read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    // Of what is no text nobody has the name: it is told as such, and the lines behind it are read.
    let mut line =
        String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    // A byte order mark is no part of a name.
    let meant = line.trim_start_matches('\u{feff}').trim();
    if meant.len() < line.len() {
        line = meant.to_owned();
    }
    Ok(Some(line))
}

fn elsewhere<R: Read>(open: impl FnOnce() -> io::Result<R> + Send + 'static) -> Source {
    let (sender, batches) = mpsc::channel(AHEAD);
    std::thread::spawn(move || {
        let mut reader = match open() {
            Ok(opened) => BufReader::new(opened),
            // Where nobody waits any more, nobody is told.
            Err(error) => return drop(sender.blocking_send(Err(error))),
        };
        loop {
            let batch = batch(&mut reader);
            let is_last = match &batch {
                Ok(lines) => lines.is_empty(),
                Err(_) => true,
            };
            let is_end = is_last && batch.is_ok();
            // Who read them is gone where they can't be sent.
            if is_end || sender.blocking_send(batch).is_err() || is_last {
                return;
            }
        }
    });
    Source::Elsewhere { batches, batch: Vec::new().into_iter() }
}

/// Reads what is there, a line at least; nothing is the end.
fn batch<R: Read>(reader: &mut BufReader<R>) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    while let Some(line) = line(reader)? {
        lines.push(line);
        // What has not come yet is waited for with what has come handed over.
        if lines.len() == BATCH || !reader.buffer().contains(&b'\n') {
            break;
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::Lines;

    async fn all(mut lines: Lines) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            all.push(line);
        }
        all
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_says_nothing_is_left_out() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "\u{feff}one\n\n  # two\n \r\n  three  \r\n-four\nfive # six").unwrap();
        assert_eq!(all(Lines::open(file.path()).unwrap()).await, ["one", "three", "-four", "five # six"]);
    }

    #[cfg(unix)]
    #[tokio::test(flavor = "current_thread")]
    async fn a_pipe_is_read_as_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let (line_read, told) = std::sync::mpsc::channel::<()>();
        let writer = std::thread::spawn({
            let path = path.clone();
            move || {
                let mut pipe = std::fs::OpenOptions::new().write(true).open(path).unwrap();
                pipe.write_all(b"first\nsec").unwrap();
                // The rest is written only after the first line has come out at the other end.
                told.recv().unwrap();
                pipe.write_all(b"ond\n").unwrap();
                for number in 0..1000 {
                    writeln!(pipe, "{number}").unwrap();
                }
            }
        });
        let mut lines = Lines::open(&path).unwrap();
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("first"));
        line_read.send(()).unwrap();
        let rest = all(lines).await;
        assert_eq!((rest.len(), rest[0].as_str(), rest[1000].as_str()), (1001, "second", "999"));
        writer.join().unwrap();
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_no_text_is_nobodys_name_and_hides_nothing_behind_it() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one\n\xff\ntwo\n").unwrap();
        assert_eq!(all(Lines::open(file.path()).unwrap()).await, ["one", "\u{fffd}", "two"]);
        assert!(Lines::open(&file.path().join("below")).is_err());
    }
}
