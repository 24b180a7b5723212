//! One simulated vendor, and backends opened on it as processes one after the other would open them.

use std::sync::Mutex;
use std::time::Duration;

use secrecy::SecretString;
use tempfile::TempDir;
use vpnctl::backend::{Asked, How, Listed, Login, Opening, Person, VpnBackend, registry};
use vpnctl::config::{self, Origin, Setting, Value};
use vpnctl::error::{Code, Error, Result};
use vpnctl::http::Deadline;
use vpnctl::model::{Status, Target, Word};
use vpnctl::secrets::SecretRef;
use vpnctl::simulate::world::{Options, Running, World};
use vpnctl::state::Folder;

/// A pace that no test outlives: what is on its way stays on its way.
pub(crate) const SLOW: Duration = Duration::from_secs(3600);
/// A pace that no test notices.
pub(crate) const FAST: Duration = Duration::from_millis(1);

/// One simulated vendor, its configuration, and the state folder that all backends opened here share.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) folder: TempDir,
    pub(crate) config: config::Backend,
    vendor: &'static str,
}

impl Bench {
    pub(crate) async fn new(vendor: &'static str) -> Self {
        Self::with(vendor, Options { pace: SLOW, ..Options::default() }).await
    }

    pub(crate) async fn faulty(vendor: &'static str, faults: &[&str]) -> Self {
        let faults = faults.iter().map(|&fault| fault.to_owned()).collect();
        Self::with(vendor, Options { pace: SLOW, faults, ..Options::default() }).await
    }

    pub(crate) async fn of(vendor: &'static str, devices: usize) -> Self {
        Self::with(vendor, Options { pace: SLOW, devices: Some(devices), ..Options::default() }).await
    }

    pub(crate) async fn with(vendor: &'static str, options: Options) -> Self {
        let world = World::start(&Options { vendors: vec![vendor.to_owned()], ..options }).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        world.write_config(&file).unwrap();
        let sources = config::Sources { named: Some(file), ..config::Sources::default() };
        let config = config::load(&sources, &registry::keys()).unwrap().backends.remove(vendor).unwrap();
        Self { world, folder, config, vendor }
    }

    pub(crate) fn vendor(&self) -> &'static str {
        self.vendor
    }

    pub(crate) fn running(&self) -> &Running {
        self.world.vendor(self.vendor).unwrap()
    }

    pub(crate) fn url(&self, server: &str) -> &str {
        &self.running().urls.iter().find(|(name, _)| *name == server).unwrap().1
    }

    /// Opens the backend as another process would: nothing is shared but the state folder.
    pub(crate) fn open(&self) -> Box<dyn VpnBackend> {
        self.open_with(|_| {})
    }

    pub(crate) fn open_with(&self, change: impl FnOnce(&mut Opening)) -> Box<dyn VpnBackend> {
        self.try_open(change).map_err(|error| error.message().to_owned()).unwrap()
    }

    pub(crate) fn try_open(&self, change: impl FnOnce(&mut Opening)) -> Result<Box<dyn VpnBackend>> {
        let store = Folder::new(Some(self.folder.path().join("state"))).backend(self.vendor);
        let mut opening = Opening {
            deadline: Deadline::after(Some(Duration::from_secs(15))),
            native: true,
            ..Opening::new(self.config.clone(), store)
        };
        change(&mut opening);
        (registry::find(self.vendor).unwrap().open)(opening)
    }

    /// Opens the backend, logs it in by the cheapest read there is, and forgets the requests for that.
    pub(crate) async fn logged_in(&self, facts: &super::facts::Facts) -> Box<dyn VpnBackend> {
        let backend = self.open();
        backend.status(Some(&facts.up())).await.unwrap();
        self.asked();
        backend
    }

    pub(crate) fn state_file(&self) -> std::path::PathBuf {
        self.folder.path().join("state").join(format!("{}.json", self.vendor))
    }

    pub(crate) fn fault(&self, written: &str) {
        self.running().context.faults.set(written);
    }

    pub(crate) fn heal(&self) {
        self.running().context.faults.clear_all();
    }

    pub(crate) fn text(&mut self, key: &'static str, text: &str) {
        self.set(key, Value::Text(text.to_owned()));
    }

    pub(crate) fn secret(&mut self, key: &'static str, text: &str) {
        self.set(key, Value::Secret(SecretRef::Plain(text.into())));
    }

    pub(crate) fn set(&mut self, key: &'static str, value: Value) {
        self.config.settings.insert(key, Setting { value, origin: Origin::BuiltIn });
    }

    pub(crate) fn unset(&mut self, key: &str) {
        self.config.settings.remove(key);
    }

    /// Gives method and path of each request since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        let entries = self.running().context.log.entries();
        self.running().context.log.clear();
        entries.into_iter().map(|entry| format!("{} {}", entry.method, entry.path)).collect()
    }

    /// Counts the requests since the last [`Bench::asked`] whose method and path contain a text.
    pub(crate) fn count(&self, text: &str) -> usize {
        let entries = self.running().context.log.entries();
        entries.iter().filter(|entry| format!("{} {}", entry.method, entry.path).contains(text)).count()
    }

    pub(crate) fn requests(&self) -> usize {
        self.running().context.log.requests()
    }
}

/// Gives the words of the states that were read.
pub(crate) fn word(status: Result<Status>) -> Word {
    status.map_err(|error| error.message().to_owned()).unwrap().word()
}

/// Takes the error, and shows what came instead where there is none.
#[track_caller]
pub(crate) fn failed<T: std::fmt::Debug>(result: Result<T>, code: Code) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    error
}

pub(crate) async fn listed(backend: &dyn VpnBackend) -> Result<Vec<Listed>> {
    let mut all = Vec::new();
    backend.targets().unwrap().list(&mut |listed| all.push(listed)).await?;
    Ok(all)
}

pub(crate) async fn found(backend: &dyn VpnBackend, name: &str) -> Vec<String> {
    find(backend, name).await.into_iter().map(|target| target.id).collect()
}

pub(crate) async fn find(backend: &dyn VpnBackend, name: &str) -> Vec<Target> {
    backend.targets().unwrap().find(name).await.map_err(|error| error.message().to_owned()).unwrap()
}

pub(crate) async fn connect(backend: &dyn VpnBackend, target: &Target) -> Result<Status> {
    backend.connect(target, How::default()).await
}

pub(crate) async fn login(backend: &dyn VpnBackend, person: &Somebody) -> Result<Login> {
    backend.session().unwrap().login(person).await
}

/// Somebody who logs in; brings some secrets by standard input, knows some, and hears what is told.
#[derive(Default)]
pub(crate) struct Somebody {
    pub(crate) brings: Vec<(Asked, &'static str)>,
    pub(crate) knows: Vec<(Asked, &'static str)>,
    pub(crate) heard: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl Person for Somebody {
    fn tell(&self, text: &str) {
        self.heard.lock().unwrap().push(text.to_owned());
    }

    fn show_wait(&self, text: &str) -> Box<dyn Send> {
        self.tell(text);
        Box::new(())
    }

    async fn ask(&self, what: Asked, prompt: &str) -> Result<SecretString> {
        self.heard.lock().unwrap().push(prompt.to_owned());
        let known = self.brings.iter().chain(&self.knows).find(|(asked, _)| *asked == what);
        known.map(|(_, secret)| SecretString::from(*secret)).ok_or_else(|| Error::usage("nobody to ask"))
    }

    fn brings(&self, what: Asked) -> bool {
        self.brings.iter().any(|(asked, _)| *asked == what)
    }
}
