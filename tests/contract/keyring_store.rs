//! A keyring in this process, which can be locked and stays so, as a real one does.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use keyring_core::api::{CredentialApi, CredentialStoreApi};
use keyring_core::{Credential, CredentialStore, Entry, Error, Result};

/// One secret, and what happens to who asks for it.
#[derive(Debug)]
pub(crate) struct Held {
    names: (String, String),
    secret: Mutex<Option<Vec<u8>>>,
    locked: AtomicBool,
    asked: AtomicUsize,
}

impl Held {
    /// Locks it, until it is unlocked.
    pub(crate) fn lock(&self, locked: bool) {
        self.locked.store(locked, Ordering::SeqCst);
    }

    /// Tells how often anything was asked of it.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Gives the secret past the lock, and without counting.
    pub(crate) fn secret(&self) -> Option<String> {
        self.secret.lock().unwrap().clone().map(|bytes| String::from_utf8(bytes).unwrap())
    }

    /// Puts a secret there past the lock.
    pub(crate) fn put(&self, secret: &str) {
        *self.secret.lock().unwrap() = Some(secret.as_bytes().to_vec());
    }

    fn ask(&self) -> Result<std::sync::MutexGuard<'_, Option<Vec<u8>>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.locked.load(Ordering::SeqCst) {
            return Err(Error::NoStorageAccess("the collection is locked".into()));
        }
        Ok(self.secret.lock().unwrap())
    }
}

/// What the keyring's crate holds of a secret.
#[derive(Debug)]
struct Handle(Arc<Held>);

impl CredentialApi for Handle {
    fn set_secret(&self, secret: &[u8]) -> Result<()> {
        *self.0.ask()? = Some(secret.to_vec());
        Ok(())
    }

    fn get_secret(&self) -> Result<Vec<u8>> {
        self.0.ask()?.clone().ok_or(Error::NoEntry)
    }

    fn delete_credential(&self) -> Result<()> {
        self.0.ask()?.take().map(drop).ok_or(Error::NoEntry)
    }

    fn get_credential(&self) -> Result<Option<Arc<Credential>>> {
        Ok(None)
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        Some(self.0.names.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// All secrets of this process.
#[derive(Debug, Default)]
struct Store(Mutex<Vec<Arc<Held>>>);

impl Store {
    fn held(&self, service: &str, user: &str) -> Arc<Held> {
        let names = (service.to_owned(), user.to_owned());
        let mut all = self.0.lock().unwrap();
        if let Some(held) = all.iter().find(|held| held.names == names) {
            return Arc::clone(held);
        }
        let (secret, locked, asked) = (Mutex::new(None), AtomicBool::new(false), AtomicUsize::new(0));
        all.push(Arc::new(Held { names, secret, locked, asked }));
        Arc::clone(all.last().unwrap())
    }
}

impl CredentialStoreApi for Store {
    fn vendor(&self) -> String {
        "tests".to_owned()
    }

    fn id(&self) -> String {
        "tests".to_owned()
    }

    fn build(&self, service: &str, user: &str, _: Option<&HashMap<&str, &str>>) -> Result<Entry> {
        Ok(Entry::new_with_credential(Arc::new(Handle(self.held(service, user)))))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Gives what stands in the keyring under `vpnctl` and a user, in the store that all tests of this process share.
pub(crate) fn held(user: &str) -> Arc<Held> {
    static STORE: OnceLock<Arc<Store>> = OnceLock::new();
    let store = STORE.get_or_init(|| {
        let store = Arc::new(Store::default());
        let shared: Arc<CredentialStore> = Arc::clone(&store) as Arc<CredentialStore>;
        keyring_core::set_default_store(shared);
        store
    });
    store.held("vpnctl", user)
}
