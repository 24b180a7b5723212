//! Who holds a lock, where the system tells: nothing has to be written down for it, so nothing is ever wrong.

use std::fs::File;

/// Names the process that holds the lock of a file, `process 4711 (vpnctl)`; "another vpnctl" where that is not known.
pub(super) fn of(file: &File) -> String {
    named(file).unwrap_or_else(|| "another vpnctl".to_owned())
}

#[cfg(target_os = "linux")]
fn named(file: &File) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let inode = file.metadata().ok()?.ino();
    let id = holder(&std::fs::read_to_string("/proc/locks").ok()?, inode)?;
    let name = std::fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
    // A process gives itself its name, whatever is in it.
    let name: String = name.chars().filter(|c| c.is_ascii_graphic()).collect();
    Some(format!("process {id} ({name})"))
}

#[cfg(not(target_os = "linux"))]
fn named(_file: &File) -> Option<String> {
    None
}

/// Finds the one process that holds a lock of the kind that we take on a file of this number; of several, on several
/// file systems, none is sure.
#[cfg(any(target_os = "linux", test))]
fn holder(locks: &str, inode: u64) -> Option<u32> {
    let end = format!(":{inode}");
    let mut found = locks.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // A line of one who waits has an arrow in second place.
        let [_, "FLOCK", _, _, id, place, ..] = words.as_slice() else { return None };
        place.ends_with(&end).then(|| id.parse().ok())?
    });
    match (found.next(), found.next()) {
        (Some(id), None) => Some(id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::holder;

    const LOCKS: &str = "1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 4712 08:01:131 0 EOF\n\
                         2: POSIX  ADVISORY  READ 815 08:01:131 128 128\n3: FLOCK  ADVISORY  WRITE 9 00:2a:77 0 EOF\n\
                         4: FLOCK  ADVISORY  WRITE 10 00:2b:77 0 EOF\nnonsense";

    #[test]
    fn one_holder_is_named_and_no_guess_is_made() {
        assert_eq!(holder(LOCKS, 131), Some(4711));
        assert_eq!(holder(LOCKS, 31), None, "another number that ends alike");
        assert_eq!(holder(LOCKS, 77), None, "two file systems have a file of that number");
        assert_eq!(holder("", 1), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_lock_of_this_process_is_its_own() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let file = file.as_file();
        file.try_lock().unwrap();
        // Where another file system has a locked file of the same number, nothing is said, which is right too.
        let name = super::of(file);
        assert!(name.contains(&format!("process {} (", std::process::id())) || name == "another vpnctl", "{name}");
    }
}
