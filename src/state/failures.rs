//! What the last run of a verb could not read or do, for `--retry-failed`: a line for each, in the state folder.

use std::collections::{BTreeSet, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::Folder;
use super::disk::{bear_limits, is_nowhere, make_folder, temporary};

/// The folder in the state folder.
pub(super) const PLACE: &str = "failed";

/// How long a line may be, in bytes: many times what the longest name takes.
const LONGEST_LINE: u64 = 1 << 20;

/// One that failed: a target, a name that means none, or all that a backend has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The backend.
    pub backend: String,
    /// The target's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The vendor's word for its type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind_word: Option<String>,
    /// The part of the account that it belongs to, where that is not the configured one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Whether it stands for a choice of the backend's targets that could not be made: which they are only the command
    /// that chose them can tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub chosen: bool,
}

/// What failed in an earlier run, read as it is needed.
#[derive(Debug)]
pub struct Failures {
    reader: Option<BufReader<File>>,
    path: Option<PathBuf>,
}

impl Failures {
    /// Opens what the last run of a verb left behind; `part` names the part of a fleet that it was about.
    #[must_use]
    pub fn of(folder: &Folder, verb: &str, part: Option<&str>) -> Self {
        let path = path(folder, verb, part);
        let reader = path.as_ref().and_then(|path| match open(path) {
            Ok(file) => Some(BufReader::new(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!("what failed before can't be read from {}: {error}", path.display());
                None
            }
        });
        Self { reader, path }
    }
}

impl Iterator for Failures {
    type Item = Failed;

    /// Gives the next one; a line that is none is left out, and said.
    fn next(&mut self) -> Option<Failed> {
        let reader = self.reader.as_mut()?;
        loop {
            let mut line = Vec::new();
            let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
            let is_whole = line.len() as u64 != LONGEST_LINE || line.ends_with(b"\n");
            match read.and_then(|read| if is_whole { Ok(read) } else { reader.skip_until(b'\n').map(|_| read) }) {
                Ok(0) => return None,
                Ok(_) => match serde_json::from_slice(&line) {
                    Ok(failed) => return Some(failed),
                    Err(error) => tracing::warn!("a line of {} is left out: {error}", shown(self.path.as_ref())),
                },
                Err(error) => {
                    tracing::warn!("what failed before can't be read from {}: {error}", shown(self.path.as_ref()));
                    return None;
                }
            }
        }
    }
}

/// Opens a list; what is no file, such as a pipe that nobody writes to, would be waited for.
fn open(path: &Path) -> std::io::Result<File> {
    if std::fs::metadata(path)?.is_file() { File::open(path) } else { Err(std::io::Error::other("it is no file")) }
}

fn shown(path: Option<&PathBuf>) -> std::path::Display<'_> {
    path.map_or(Path::new("?").display(), |path| path.display())
}

fn path(folder: &Folder, verb: &str, part: Option<&str>) -> Option<PathBuf> {
    let part = part.map(|part| format!(".{}", part.replace('/', "-of-"))).unwrap_or_default();
    folder.place().map(|folder| folder.join(PLACE).join(format!("{verb}{part}.ndjson")))
}

/// Writes down what fails in a run; nothing is written before something does.
#[derive(Debug)]
pub struct Record {
    folder: Folder,
    path: Option<PathBuf>,
    file: Option<BufWriter<NamedTempFile>>,
    /// What was asked again, by a hash: it is only needed where the run breaks off.
    asked: Option<(RandomState, HashSet<u64>)>,
    /// The backends that were asked again, where not all were.
    only: Option<Vec<String>>,
    /// The backends that could not be asked again, so that what they left before still stands.
    left: BTreeSet<String>,
}

impl Record {
    /// Begins the record of a run; `is_retry` says that it asks again what failed before.
    #[must_use]
    pub fn new(folder: &Folder, verb: &str, part: Option<&str>, is_retry: bool) -> Self {
        let asked = is_retry.then(Default::default);
        let path = path(folder, verb, part);
        Self { folder: folder.clone(), path, file: None, asked, only: None, left: BTreeSet::new() }
    }

    /// Says which backends are asked again, where not all are: what the others left stands.
    #[must_use]
    pub fn only(self, backends: Option<Vec<String>>) -> Self {
        Self { only: backends, ..self }
    }

    /// Notes that a backend could not be asked; tells whether what it left before stands for that.
    pub fn leaves(&mut self, backend: &str) -> bool {
        if self.asked.is_some() {
            self.left.insert(backend.to_owned());
        }
        self.asked.is_some()
    }

    /// Notes what has ended, well or not, by its id and by its name.
    pub fn ended<'a>(&mut self, backend: &str, words: impl IntoIterator<Item = &'a str>) {
        if let Some((state, asked)) = &mut self.asked {
            asked.extend(words.into_iter().map(|word| state.hash_one((backend, word))));
        }
    }

    /// Writes down what failed.
    pub fn failed(&mut self, failed: &Failed) {
        if self.path.is_none() {
            return;
        }
        if let Err(error) = self.append(failed) {
            // Without a place for it nothing of this run is kept, and that is said once.
            self.path = None;
            self.folder.tell(&error);
        }
    }

    fn append(&mut self, failed: &Failed) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let place = self.path.as_deref().and_then(Path::parent).ok_or(std::io::ErrorKind::NotFound)?;
                make_folder(place)?;
                bear_limits();
                sweep(place);
                self.file.insert(BufWriter::new(locked_temporary(place)?))
            }
        };
        serde_json::to_writer(&mut *file, failed)?;
        file.write_all(b"\n")
    }

    /// Replaces what the run before left behind. A run that broke off leaves what it should have asked again; one in
    /// which nothing had failed by then says nothing of what failed before.
    pub fn keep(mut self, is_whole: bool, verb: &str, part: Option<&str>) {
        if !is_whole && self.asked.is_none() && self.file.is_none() {
            return;
        }
        if let Some((state, asked)) = self.asked.take() {
            for failed in Failures::of(&self.folder, verb, part) {
                let word = failed.id.as_deref().or(failed.name.as_deref()).unwrap_or_default();
                let is_elsewhere = self.only.as_ref().is_some_and(|only| !only.contains(&failed.backend));
                let was_due = !is_whole || self.left.contains(&failed.backend);
                if is_elsewhere || (was_due && !asked.contains(&state.hash_one((failed.backend.as_str(), word)))) {
                    self.failed(&failed);
                }
            }
        }
        let Some(path) = &self.path else { return };
        let kept = match self.file.take() {
            Some(file) => file.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|file| {
                file.as_file().sync_data()?;
                file.persist(path).map(|_| ()).map_err(std::io::Error::from)
            }),
            None => match std::fs::remove_file(path) {
                Err(error) if !is_nowhere(&error) => Err(error),
                _ => Ok(()),
            },
        };
        if let Err(error) = kept {
            self.folder.tell(&error);
        }
    }
}

/// Makes a temporary file that is locked for as long as it is written, which tells it from what a killed process left.
fn locked_temporary(place: &Path) -> std::io::Result<NamedTempFile> {
    loop {
        let file = temporary(".").tempfile_in(place)?;
        match file.as_file().try_lock() {
            Ok(()) if !file.path().exists() => {}
            // Somebody who sweeps was faster.
            Err(TryLockError::WouldBlock) => {}
            // A file system without locks has nobody who sweeps.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
}

/// Removes what killed processes left: temporary files that nobody writes any more.
fn sweep(place: &Path) {
    let Ok(entries) = std::fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_temporary = name.starts_with('.') && name.ends_with(".tmp");
        // To open a pipe that nobody reads would take for ever.
        let is_file = || entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_temporary
            && is_file()
            && let Ok(file) = OpenOptions::new().write(true).open(entry.path())
            && file.try_lock().is_ok()
        {
            // It stays where it can't be removed, and does no harm.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Failed, Failures, Record};
    use crate::state::Folder;

    fn failed(id: &str) -> Failed {
        let (backend, id) = ("plant".to_owned(), Some(id.to_owned()));
        Failed { backend, id, name: None, kind_word: None, scope: None, chosen: false }
    }

    fn ids(folder: &Folder) -> Vec<String> {
        Failures::of(folder, "status", None).filter_map(|failed| failed.id).collect()
    }

    fn record(folder: &Folder, is_retry: bool, bad: &[&str], well: &[&str], is_whole: bool) {
        let mut record = Record::new(folder, "status", None, is_retry);
        for id in bad {
            record.ended("plant", [*id]);
            record.failed(&failed(id));
        }
        well.iter().for_each(|id| record.ended("plant", [*id]));
        record.keep(is_whole, "status", None);
    }

    #[test]
    fn a_run_replaces_what_the_run_before_left() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(Some(place.path().join("state")));
        record(&folder, false, &[], &["a"], true);
        assert!(!place.path().join("state").exists(), "nothing failed, so nothing is written");
        record(&folder, false, &["a", "b"], &["c"], true);
        assert_eq!(ids(&folder), ["a", "b"]);
        assert!(Failures::of(&folder, "status", Some("0/2")).next().is_none(), "a part has a list of its own");
        assert!(Failures::of(&folder, "connect", None).next().is_none());
        record(&folder, true, &["b"], &["a"], true);
        assert_eq!(ids(&folder), ["b"]);
        record(&folder, true, &[], &["b"], true);
        assert!(ids(&folder).is_empty());
    }

    #[test]
    fn a_retry_that_breaks_off_keeps_what_it_did_not_come_to() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(Some(place.path().to_owned()));
        record(&folder, false, &["a", "b", "c", "d"], &[], true);
        record(&folder, true, &["b"], &["a"], false);
        assert_eq!(ids(&folder), ["b", "c", "d"]);
        // A run that is no retry has no claim on what it did not ask.
        record(&folder, false, &["x"], &[], false);
        assert_eq!(ids(&folder), ["x"]);
    }

    #[test]
    fn what_was_not_asked_again_stands() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(Some(place.path().to_owned()));
        record(&folder, false, &["a", "b"], &[], true);
        let elsewhere = Record::new(&folder, "status", None, true).only(Some(vec!["home".to_owned()]));
        elsewhere.keep(true, "status", None);
        assert_eq!(ids(&folder), ["a", "b"], "another backend was asked");
        let mut unread = Record::new(&folder, "status", None, true);
        unread.ended("plant", ["a"]);
        assert!(unread.leaves("plant"), "all that it left stands for the backend");
        unread.keep(true, "status", None);
        assert_eq!(ids(&folder), ["b"]);
        assert!(!Record::new(&folder, "status", None, false).leaves("plant"));
    }

    #[test]
    fn a_damaged_line_does_not_hide_the_others() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(Some(place.path().to_owned()));
        record(&folder, false, &["a", "b"], &[], true);
        let path = place.path().join("failed/status.ndjson");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("\u{0}\n{text}{{\"backend\":")).unwrap();
        assert_eq!(ids(&folder), ["a", "b"]);
    }

    #[test]
    fn a_line_that_does_not_end_is_not_read_whole() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(Some(place.path().to_owned()));
        record(&folder, false, &["a"], &[], true);
        let path = place.path().join("failed/status.ndjson");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{}\n{text}{}", "x".repeat(3 << 20), " ".repeat(1 << 20))).unwrap();
        assert_eq!(ids(&folder), ["a"]);
    }

    #[test]
    fn what_killed_processes_left_goes_and_what_is_written_stays() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(Some(place.path().to_owned()));
        let mut other = Record::new(&folder, "list", None, false);
        other.failed(&failed("a"));
        std::fs::write(place.path().join("failed/.left.tmp"), "{").unwrap();
        record(&folder, false, &["a", "b"], &[], true);
        other.failed(&failed("b"));
        other.keep(true, "list", None);
        assert_eq!(ids(&folder), ["a", "b"]);
        assert_eq!(Failures::of(&folder, "list", None).filter_map(|failed| failed.id).collect::<Vec<_>>(), ["a", "b"]);
        let mut names: Vec<_> = std::fs::read_dir(place.path().join("failed"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["list.ndjson", "status.ndjson"]);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(Some(place.path().to_owned()));
        record(&folder, false, &["a"], &[], true);
        let mode = |name: &str| std::fs::metadata(place.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("failed"), mode("failed/status.ndjson")), (0o700, 0o600));
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_its_place_is_not_waited_for() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(Some(place.path().to_owned()));
        record(&folder, false, &["a"], &[], true);
        let path = place.path().join("failed/status.ndjson");
        std::fs::remove_file(&path).unwrap();
        for path in [path, place.path().join("failed/.left.tmp")] {
            mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        }
        assert!(ids(&folder).is_empty());
        record(&folder, false, &["b"], &[], true);
        assert_eq!(ids(&folder), ["b"], "it is replaced as any file");
    }

    #[test]
    fn where_nothing_can_be_written_the_run_goes_on() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let folder = Folder::new(Some(file.path().join("below")));
        record(&folder, false, &["a"], &[], true);
        assert!(ids(&folder).is_empty());
        record(&Folder::new(None), false, &["a"], &[], true);
    }
}
