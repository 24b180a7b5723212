//! What is remembered between runs: rebuilt where it is corrupt, private, and not missed where it can't be kept.

use vpnctl::backend::LoginState;
use vpnctl::model::Word;
use vpnctl::state::Folder;

use super::bench::{find, listed, word};
use super::facts::Facts;
use super::sentences::for_each_vendor;

for_each_vendor! {
    a_corrupt_file_is_set_aside_and_built_anew
    a_file_of_another_shape_is_built_anew
    what_is_kept_is_private
    another_place_gets_none_of_it
    without_a_folder_a_command_logs_in_once
    a_folder_that_cannot_be_written_is_no_failure
}

async fn a_corrupt_file_is_set_aside_and_built_anew(facts: &Facts) {
    let bench = facts.bench().await;
    facts.log_in(&bench).await;
    let kept = std::fs::read(bench.state_file()).unwrap();
    let half = &kept[..kept.len() / 2];
    std::fs::write(bench.state_file(), half).unwrap();
    assert_eq!(bench.open().session().unwrap().show().await.unwrap().state, LoginState::Ok);
    assert_eq!(bench.count(facts.login), 1);
    let aside = bench.state_file().with_extension("json.corrupt");
    assert_eq!(std::fs::read(aside).unwrap(), half);
    bench.asked();
    assert_eq!(bench.open().session().unwrap().show().await.unwrap().state, LoginState::Ok);
    assert_eq!(bench.count(facts.login), 0, "it was built anew");
}

async fn a_file_of_another_shape_is_built_anew(facts: &Facts) {
    for text in ["", "[]", "null", "{\"token\":7,\"session\":7,\"links\":7}", "\u{0}\u{0}"] {
        let bench = facts.bench().await;
        facts.log_in(&bench).await;
        std::fs::write(bench.state_file(), text).unwrap();
        assert_eq!(word(bench.open().status(Some(&facts.up())).await), Word::Connected, "{text:?}");
        bench.asked();
        assert_eq!(word(bench.open().status(Some(&facts.up())).await), Word::Connected, "{text:?}");
        assert_eq!(bench.requests(), 1, "{text:?}");
    }
}

async fn what_is_kept_is_private(facts: &Facts) {
    let bench = facts.bench().await;
    facts.log_in(&bench).await;
    assert!(bench.state_file().is_file());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(bench.state_file().parent().unwrap()), 0o700);
        for entry in std::fs::read_dir(bench.state_file().parent().unwrap()).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
    }
}

async fn another_place_gets_none_of_it(facts: &Facts) {
    let mut bench = facts.bench().await;
    facts.log_in(&bench).await;
    let kept = std::fs::read_to_string(bench.state_file()).unwrap();
    let other = facts.bench().await;
    for (key, server) in [("url", 0), ("cloud_url", 1)] {
        if let Some((_, url)) = other.running().urls.get(server) {
            bench.text(key, url);
        }
    }
    let ca = other.folder.path().join("config.ca.pem");
    bench.text("tls.ca_file", ca.to_str().unwrap());
    bench.open().session().unwrap().show().await.unwrap();
    bench.open().status(Some(&facts.up())).await.unwrap();
    assert_eq!(other.count(facts.login), 1, "a login of its own");
    let document: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let secret = ["/session/token", "/token/secret", "/token/token"]
        .iter()
        .find_map(|place| document.pointer(place).and_then(serde_json::Value::as_str))
        .unwrap();
    for entry in other.running().context.log.entries() {
        assert!(!format!("{:?}{}{}", entry.headers, entry.path, entry.body).contains(secret), "{}", entry.path);
    }
}

async fn without_a_folder_a_command_logs_in_once(facts: &Facts) {
    let bench = facts.bench().await;
    let backend = bench.open_with(|opening| opening.store = Folder::new(None).backend(facts.vendor));
    // Each of these remembers something, and none of them forgets what the one before did.
    for _ in 0..2 {
        assert_eq!(listed(&*backend).await.unwrap().len(), facts.ids.len());
        let target = find(&*backend, facts.up.1).await.remove(0);
        assert_eq!(word(backend.status(Some(&target)).await), Word::Connected);
        assert_eq!(backend.session().unwrap().show().await.unwrap().state, LoginState::Ok);
    }
    assert_eq!(bench.count(facts.login), 1, "{:?}", bench.asked());
    assert!(!bench.state_file().exists());
}

async fn a_folder_that_cannot_be_written_is_no_failure(facts: &Facts) {
    let bench = facts.bench().await;
    // A file stands where the folder would be, which stops an administrator too.
    std::fs::write(bench.folder.path().join("state"), "").unwrap();
    let backend = bench.open();
    for _ in 0..2 {
        let target = find(&*backend, facts.up.1).await.remove(0);
        assert_eq!(word(backend.status(Some(&target)).await), Word::Connected);
        assert_eq!(backend.session().unwrap().show().await.unwrap().state, LoginState::Ok);
    }
    assert_eq!(bench.count(facts.login), 1, "{:?}", bench.asked());
}
