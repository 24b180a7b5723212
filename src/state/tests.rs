//! What is written is read, whole and private, and nobody is waited for in vain.

use serde::{Deserialize, Serialize};

use super::{Folder, Record};

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

#[tokio::test(flavor = "current_thread")]
async fn two_locks_are_waited_for_no_longer_than_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || Folder::new(Some(folder.path().to_owned())).backend("home");
    let _held = open().sibling("login-1").lock().await.expect("locked");
    let soon = || Some(std::time::Instant::now() + std::time::Duration::from_millis(30));
    let mut guard = open().until(soon()).lock().await.expect("free");
    let error = guard.sibling("login-1").lock().await.expect_err("held");
    assert_eq!(error.code(), crate::error::Code::TimeoutDeadline);
    // As if it had been waited for.
    guard.since -= 2 * super::LOCK_LIMIT;
    guard.store.until = soon();
    let error = guard.sibling("login-1").lock().await.expect_err("held");
    assert_eq!(error.code(), crate::error::Code::ConflictBusy);
    assert_eq!(error.report().backend.as_deref(), Some("home"));
    // Nor does another call of this process wait for it again.
    guard.store.until = soon();
    let error = guard.store.sibling("login-1").lock().await.expect_err("held");
    assert_eq!(error.code(), crate::error::Code::ConflictBusy);
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
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path()).expect("listed").map(|entry| entry.expect("an entry").file_name()).collect();
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
    for text in [r#"{"version":1,"word":"ours"}"#, r#"{"word":"ours"}"#, r#"{"word":"ours","more":{"version":2}}"#] {
        std::fs::write(&path, text).expect("written");
        let store = Folder::new(Some(folder.path().to_owned())).backend("home");
        assert_eq!(store.read::<Document>().word, "ours", "{text}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_version_that_is_not_our_own_number_is_a_later_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("home.json");
    for version in [
        "2.0",
        "1.0",
        "\"2\"",
        "\"1\"",
        "1e400",
        "-1",
        "0",
        "99999999999999999999999",
        "null",
        "[1]",
        "1,\"version\":2",
    ] {
        let text = format!("{{\"word\":\"theirs\",\"version\":{version}}}");
        std::fs::write(&path, &text).expect("written");
        let store = Folder::new(Some(folder.path().to_owned())).backend("home");
        assert_eq!(store.read::<Document>(), Document::default(), "{text}");
        store.change(|document: &mut Document| document.word = "ours".to_owned()).await.expect("goes on");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), text);
    }
    assert!(!folder.path().join("home.json.corrupt").exists());
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_that_is_larger_than_any_of_ours_is_set_aside_and_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("home.json");
    let store = Folder::new(Some(folder.path().to_owned())).backend("home");
    std::fs::write(&path, format!("{{\"word\":\"planted\"}}{}", " ".repeat(64 << 20))).expect("written");
    assert_eq!(store.read::<Document>(), Document::default());
    assert!(!path.exists() && folder.path().join("home.json.corrupt").exists());
    assert!(Folder::new(Some(folder.path().to_owned())).look().corrupt.contains(&"home.json.corrupt".to_owned()));
    // What would be too large to be read again is not written.
    let word = "x".repeat(64 << 20);
    store.change(|document: &mut Document| document.word = word).await.expect("goes on");
    assert!(!path.exists());
}

#[tokio::test(flavor = "current_thread")]
async fn what_keeps_something_from_being_done_is_not_empty_where_it_cannot_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("home.json");
    let read = async || {
        let store = Folder::new(Some(folder.path().to_owned())).backend("home");
        let record: Record<Document> = store.lock().await.expect("locked").record();
        record
    };
    assert!(matches!(read().await, Record::Read(document) if document.word.is_empty()), "nothing was done yet");
    std::fs::write(&path, r#"{"version":2}"#).expect("written");
    assert!(matches!(read().await, Record::Closed(why) if why.contains("newer vpnctl")));
    for bytes in [&b""[..], b"{\"word\":\"ha", b"\0\0"] {
        std::fs::write(&path, bytes).expect("written");
        assert!(matches!(read().await, Record::Lost(Some(at)) if at > 1_600_000_000));
        assert_eq!(std::fs::read(folder.path().join("home.json.corrupt")).expect("set aside"), bytes);
        assert!(matches!(read().await, Record::Read(_)), "who finds it writes down that it was lost");
    }
    std::fs::create_dir(&path).expect("a folder");
    assert!(matches!(read().await, Record::Closed(why) if why.contains("is no file")));
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
async fn a_folder_of_somebody_else_is_not_used_by_root_nor_where_all_can_write() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("home.json"), r#"{"word":"ours"}"#).expect("written");
    let read = || Folder::new(Some(folder.path().to_owned())).backend("home").read::<Document>().word;
    assert_eq!(read(), "ours");
    // Only root can give a folder away; who is not has none of somebody else's that he could try.
    if std::os::unix::fs::chown(folder.path(), Some(4711), None).is_ok() {
        for mode in [0o700, 0o755, 0o770, 0o1777] {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).expect("set");
            assert_eq!(read(), "", "{mode:o}");
        }
        let store = Folder::new(Some(folder.path().to_owned())).backend("home");
        store.change(|document: &mut Document| document.word = "mine".to_owned()).await.expect("goes on");
        let kept = std::fs::read_to_string(folder.path().join("home.json")).expect("there");
        assert_eq!(kept, r#"{"word":"ours"}"#);
        let why = store.lock().await.expect("goes on").prepare(&Document::default(), 1).expect_err("not kept");
        assert!(why.contains("somebody else owns the state folder"), "{why}");
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
