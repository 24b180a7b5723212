//! Secrets in the system's keyring, which a store in this process stands for.

use std::sync::Arc;

use secrecy::ExposeSecret as _;
use vpnctl::backend::LoginState;
use vpnctl::config::{Sources, Value, load};
use vpnctl::error::{Code, Exit};
use vpnctl::model::Word;
use vpnctl::secrets::SecretRef;

use super::bench::{Bench, Somebody, failed, login, word};
use super::facts::EVERYWARE;
use super::keyring_store::{Held, held};

/// A box that nothing is paired with yet, whose token belongs into the keyring.
async fn unpaired(name: &str) -> (Bench, Arc<Held>) {
    let mut bench = Bench::faulty("freebox", &["pairing=granted"]).await;
    bench.set("app_token", Value::Secret(SecretRef::keyring(name, "app_token").unwrap()));
    bench.text("app_id", "org.example.fresh");
    (bench, held(&format!("{name}/app_token")))
}

fn state(bench: &Bench) -> String {
    std::fs::read_to_string(bench.state_file()).unwrap()
}

#[tokio::test]
async fn a_configured_keyring_is_the_backends_own() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "[backend.den]\nvendor = \"everyware\"\nurl = \"https://localhost:1\"\npassword = { keyring = true }\n";
    std::fs::write(file.path(), text).unwrap();
    let sources = Sources { named: Some(file.path().to_owned()), ..Sources::default() };
    let config = load(&sources, &vpnctl::backend::registry::keys()).unwrap();
    let secret = config.backends["den"].secret("password").unwrap();
    assert_eq!(secret.describe(), "{ keyring = true }");
    held("den/password").put("s3cret");
    assert_eq!(secret.fetch("password").await.unwrap().expose_secret(), "s3cret");
}

#[tokio::test]
async fn a_login_by_a_secret_of_the_keyring_works() {
    let mut bench = EVERYWARE.bench().await;
    let password = bench.config.secret("password").unwrap().fetch("password").await.unwrap();
    held("works/password").put(password.expose_secret());
    bench.set("password", Value::Secret(SecretRef::keyring("works", "password").unwrap()));
    bench.open().status(Some(&EVERYWARE.up())).await.unwrap();
    // A session that holds is used without asking the keyring again.
    let (entry, before) = (held("works/password"), held("works/password").asked());
    entry.lock(true);
    bench.open().status(Some(&EVERYWARE.up())).await.unwrap();
    assert_eq!((entry.asked(), before), (before, 1), "it was asked");
}

#[tokio::test]
async fn a_keyring_that_cannot_be_asked_is_told_and_nothing_is_sent() {
    let mut bench = EVERYWARE.bench().await;
    let entry = held("locked/password");
    bench.set("password", Value::Secret(SecretRef::keyring("locked", "password").unwrap()));
    let error = failed(bench.open().status(Some(&EVERYWARE.up())).await, Code::AuthRequired);
    assert!(error.message().contains("locked/password") && error.exit() == Exit::Auth, "{error}");
    assert!(error.hint_text().unwrap().contains("vpnctl auth login -b locked"), "{error:?}");
    entry.lock(true);
    let error = failed(bench.open().status(Some(&EVERYWARE.up())).await, Code::ConfigInvalid);
    assert!(error.message().contains("keyring") && error.message().contains("locked"), "{error}");
    assert_eq!(bench.requests(), 0);
}

#[tokio::test]
async fn a_pairing_is_kept_in_the_keyring_and_nowhere_else() {
    let (bench, entry) = unpaired("paired").await;
    failed(bench.open().status(None).await, Code::AuthRequired);
    assert_eq!(bench.open().session().unwrap().show().await.unwrap().state, LoginState::Missing);
    assert_eq!(login(&*bench.open(), &Somebody::default()).await.unwrap().state, LoginState::Ok);
    let token = entry.secret().unwrap();
    assert!(token.len() > 20 && !state(&bench).contains(&token), "{}", state(&bench));
    // It is what later sessions are made with.
    bench.fault("expire-sessions");
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    assert_eq!(bench.open().session().unwrap().show().await.unwrap().state, LoginState::Ok);
    bench.open().session().unwrap().logout().await.unwrap();
    assert_eq!(entry.secret(), None);
    failed(bench.open().status(None).await, Code::AuthRequired);
    // There is nothing more to forget.
    bench.open().session().unwrap().logout().await.unwrap();
}

#[tokio::test]
async fn a_pairing_that_the_keyring_does_not_take_is_kept_in_the_state_folder() {
    let (bench, entry) = unpaired("fallen").await;
    entry.lock(true);
    assert_eq!(login(&*bench.open(), &Somebody::default()).await.unwrap().state, LoginState::Ok);
    assert_eq!(entry.secret(), None);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(bench.state_file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    bench.fault("expire-sessions");
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
    // The next login moves it, once the keyring is open again.
    entry.lock(false);
    assert_eq!(login(&*bench.open(), &Somebody::default()).await.unwrap().state, LoginState::Ok);
    assert!(!state(&bench).contains(&entry.secret().unwrap()), "{}", state(&bench));
    bench.fault("expire-sessions");
    assert_eq!(word(bench.open().status(None).await), Word::Connected);
}

#[tokio::test]
async fn a_keyring_that_stays_locked_at_logout_does_not_keep_the_session() {
    let (bench, entry) = unpaired("leaving").await;
    login(&*bench.open(), &Somebody::default()).await.unwrap();
    entry.lock(true);
    bench.open().session().unwrap().logout().await.unwrap();
    assert!(entry.secret().is_some(), "only the keyring can forget it");
    assert!(!state(&bench).contains("session\":{"), "{}", state(&bench));
}
