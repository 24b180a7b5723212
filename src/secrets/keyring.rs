//! The system's own keyring: the Secret Service, the Keychain or the Credential Manager.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use keyring_core::{CredentialStore, Entry};
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{Code, Error, Layer, Result};

/// The service under which every secret of vpnctl's stands.
const SERVICE: &str = "vpnctl";
/// How long one call may take: a keyring that is locked asks somebody, who may not be there.
const PATIENCE: Duration = Duration::from_secs(3);

/// Says why a keyring did not do what it was asked for.
#[derive(Debug)]
enum Fault {
    /// It has no such secret.
    Missing,
    /// It did not answer in time.
    Silent,
    /// It refused, or there is none; none of its messages holds the secret.
    Refused(String),
}

impl From<keyring_core::Error> for Fault {
    fn from(error: keyring_core::Error) -> Self {
        match error {
            keyring_core::Error::NoEntry => Self::Missing,
            other => Self::Refused(other.to_string()),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("it holds no such secret"),
            Self::Silent => write!(f, "it did not answer within {} s; it may be locked", PATIENCE.as_secs()),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

/// Fetches a secret; `key` names it in messages.
pub(super) fn fetch(key: &str, user: &str) -> Result<String> {
    let told = user.to_owned();
    within(PATIENCE, move || Ok(entry(&told)?.get_password()?)).map_err(|fault| match fault {
        Fault::Missing => {
            let backend = user.split('/').next().unwrap_or_default();
            Error::new(
                Code::AuthRequired,
                Layer::Auth,
                format!("`{key}`: the keyring holds nothing for the service {SERVICE} and the user {user}"),
            )
            .hint(format!("run: vpnctl auth login -b {backend}; or put the secret there under these two names"))
        }
        fault => Error::config(format!("`{key}`: the system's keyring can't be asked: {fault}"))
            .hint("unlock it, or name another place for the secret in the configuration"),
    })
}

/// Puts a secret there, and tells whether it is; where it is not, says that it is kept elsewhere.
pub(super) fn keep(user: &str, secret: &SecretString) -> bool {
    let (told, secret) = (user.to_owned(), secret.clone());
    let kept = within(PATIENCE, move || Ok(entry(&told)?.set_password(secret.expose_secret())?));
    if let Err(fault) = &kept {
        tracing::warn!(
            "the system's keyring does not take {user} ({fault}); it is kept in the state folder, readable by you alone"
        );
    }
    kept.is_ok()
}

/// Removes a secret; what is not there is removed already.
pub(super) fn forget(user: &str) {
    let told = user.to_owned();
    match within(PATIENCE, move || Ok(entry(&told)?.delete_credential()?)) {
        Ok(()) | Err(Fault::Missing) => {}
        Err(fault) => tracing::warn!("{user} stays in the system's keyring: {fault}"),
    }
}

fn entry(user: &str) -> keyring_core::Result<Entry> {
    let store = match keyring_core::get_default_store() {
        Some(store) => store,
        None => platform()?,
    };
    store.build(SERVICE, user, None)
}

fn platform() -> keyring_core::Result<Arc<CredentialStore>> {
    #[cfg(target_os = "macos")]
    let store = apple_native_keyring_store::keychain::Store::new()?;
    #[cfg(windows)]
    let store = windows_native_keyring_store::Store::new()?;
    #[cfg(all(unix, not(target_os = "macos")))]
    let store = zbus_secret_service_keyring_store::Store::new()?;
    Ok(store)
}

/// Does a keyring's work in a thread of its own and waits no longer than given: the systems' calls know no time-out,
/// and the Secret Service's client may not run inside a runtime.
fn within<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let (sender, receiver) = mpsc::channel();
    // A thread that is still at it when nobody waits any more ends with the process.
    let started = std::thread::Builder::new().name("keyring".to_owned()).spawn(move || sender.send(work()));
    started.map_err(|error| Fault::Refused(error.to_string()))?;
    match receiver.recv_timeout(patience) {
        Ok(done) => done,
        Err(RecvTimeoutError::Timeout) => Err(Fault::Silent),
        Err(RecvTimeoutError::Disconnected) => Err(Fault::Refused("its client broke down".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::{Fault, within};

    #[test]
    fn a_keyring_that_hangs_is_not_waited_for() {
        let (release, hang) = mpsc::channel::<()>();
        let work = move || {
            // It ends when this test does.
            let _ = hang.recv();
            Ok(())
        };
        let fault = within(Duration::from_millis(20), work).expect_err("too late");
        assert!(matches!(fault, Fault::Silent) && fault.to_string().contains("locked"), "{fault}");
        drop(release);
    }

    #[test]
    fn a_client_that_panics_is_a_refusal() {
        let fault = within(Duration::from_secs(20), || -> Result<(), Fault> { panic!("broken") }).expect_err("broken");
        assert!(matches!(fault, Fault::Refused(_)), "{fault}");
    }
}
