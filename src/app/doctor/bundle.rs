//! The support bundle: what was found, with a placeholder for whatever is somebody's own.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::scrub::Scrub;
use super::{Asked, Noted, Notes};
use crate::config::schema::Kind;
use crate::config::{self, COMMON, Origin, variables};
use crate::error::{Code, Error, Result};
use crate::http::{Call, Observer};
use crate::state::ENDINGS;

/// How many requests are told at most, the last ones.
const REQUESTS: usize = 200;

/// A request, as it is told.
#[derive(Debug)]
struct Request {
    backend: String,
    operation: &'static str,
    method: String,
    path: String,
    answer: Result<u16, Code>,
    took: Duration,
}

/// Hears of the requests that `doctor` makes.
#[derive(Debug, Default)]
pub struct Requests(Mutex<Vec<Request>>);

impl Observer for Requests {
    fn attempted(&self, backend: &str, call: &Call, answer: Result<u16, Code>, took: Duration) {
        let (backend, method, path) = (backend.to_owned(), call.method.to_string(), call.path.clone());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Request { backend, operation: call.operation, method, path, answer, took });
    }
}

/// Makes the bundle.
#[must_use]
pub fn of(asked: &Asked<'_>, notes: &Notes, requests: &Arc<Requests>) -> Value {
    let notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    let mut scrub = Scrub::new();
    learn(asked, &notes, &mut scrub);
    let items: Vec<Value> = notes.iter().map(|noted| item(noted, &mut scrub)).collect();
    let requests = requests.0.lock().unwrap_or_else(PoisonError::into_inner);
    let requests: Vec<Value> =
        requests.iter().skip(requests.len().saturating_sub(REQUESTS)).map(|one| request(one, &mut scrub)).collect();
    json!({
        "bundle": 1,
        "about": "A support bundle of vpnctl. host-1, name-2, ip-3 and the like stand for values that were taken out; \
            the same one stands for the same value.",
        "vpnctl": env!("CARGO_PKG_VERSION"),
        "platform": {"os": std::env::consts::OS, "arch": std::env::consts::ARCH},
        "features": {"simulate": cfg!(feature = "simulate"), "keyring": cfg!(feature = "keyring")},
        "configuration": settings(asked, &mut scrub),
        "doctor": items,
        "requests": requests,
        "state": state(asked, &mut scrub),
        "environment": environment(asked, &mut scrub),
    })
}

/// Learns what is somebody's own, so that a name of several words has one placeholder.
fn learn(asked: &Asked<'_>, notes: &[Noted], scrub: &mut Scrub) {
    let variables = [("USER", "user"), ("LOGNAME", "user"), ("HOSTNAME", "host"), ("HOME", "path")];
    for (variable, kind) in variables.into_iter().chain([(variables::CONFIG, "path")]) {
        if let Ok(value) = std::env::var(variable) {
            scrub.know(kind, &value);
        }
    }
    let config = &asked.setup.config;
    let places = [asked.file.clone(), config.file.clone(), asked.setup.folder.look().path];
    places.iter().flatten().for_each(|path| scrub.know("path", &path.display().to_string()));
    for (group, select) in &config.groups {
        scrub.know("name", group);
        scrub.know("name", select);
    }
    for backend in config.backends.values() {
        scrub.know("backend", &backend.name);
        backend.labels().iter().for_each(|(name, value)| {
            scrub.know("name", name);
            scrub.know("name", value);
        });
        for (key, setting) in &backend.settings {
            let text = setting.value.describe();
            match (kind(backend, key), url::Url::parse(&text)) {
                (Kind::Text, Ok(url)) if url.has_host() => scrub.know("host", url.host_str().unwrap_or_default()),
                (Kind::Text, _) if *key != "rate" => scrub.know("name", &text),
                (Kind::Path, _) => scrub.know("path", &text),
                _ => {}
            }
        }
    }
    notes.iter().flat_map(|noted| &noted.names).for_each(|name| scrub.know("name", name));
}

fn kind(backend: &config::Backend, key: &str) -> Kind {
    let own = crate::backend::registry::find(backend.vendor).map_or(&[][..], |vendor| vendor.keys);
    COMMON.iter().chain(own).find(|known| known.name == key).map_or(Kind::Secret, |known| known.kind)
}

fn item(noted: &Noted, scrub: &mut Scrub) -> Value {
    let mut told = Map::new();
    for (key, value) in &noted.item {
        let value = match (key.as_str(), value) {
            ("backend", Value::String(name)) => scrub.value("backend", name).into(),
            // What is well quotes nothing of a server or a file but names.
            ("finding" | "remedy", Value::String(text)) => {
                scrub.text(text, noted.item.get("ok") != Some(&Value::Bool(true))).into()
            }
            ("error", Value::Object(error)) => fault(error, scrub),
            // A closed word, a truth, or nothing.
            ("layer" | "ok", value) => value.clone(),
            _ => Value::Null,
        };
        told.insert(key.clone(), value);
    }
    told.into()
}

/// Keeps of an error what the finding does not say.
fn fault(error: &Map<String, Value>, scrub: &mut Scrub) -> Value {
    let kept = ["code", "exit", "layer", "retryable", "http_status"];
    let mut told: Map<String, Value> =
        kept.iter().filter_map(|key| Some(((*key).to_owned(), error.get(*key)?.clone()))).collect();
    if let Some(code) = error.get("vendor_code").and_then(Value::as_str) {
        told.insert("vendor_code".to_owned(), scrub.code(code).into());
    }
    told.into()
}

fn request(request: &Request, scrub: &mut Scrub) -> Value {
    let (status, code) = match request.answer {
        Ok(status) => (Some(status), None),
        Err(code) => (None, Some(code.as_str())),
    };
    json!({
        "backend": scrub.value("backend", &request.backend),
        "operation": request.operation,
        "method": request.method,
        "path": scrub.path(&request.path),
        "status": status,
        "code": code,
        "ms": u64::try_from(request.took.as_millis()).unwrap_or(u64::MAX),
    })
}

/// Tells the settings of the backends, where each stands, and of secrets only in what way they are given.
fn settings(asked: &Asked<'_>, scrub: &mut Scrub) -> Value {
    let config = &asked.setup.config;
    let mut backends = Map::new();
    for backend in config.backends.values() {
        let mut keys = Map::new();
        keys.insert("vendor".to_owned(), json!({"value": backend.vendor, "origin": origin(&backend.origin)}));
        for (key, setting) in &backend.settings {
            let text = setting.value.describe();
            let value = match kind(backend, key) {
                Kind::Secret => way(&text).to_owned(),
                Kind::Labels => format!("{} labels", backend.labels().len()),
                Kind::Path => scrub.value("path", &text),
                // What was read as such holds nothing else.
                Kind::Integer | Kind::Bool | Kind::Duration => text,
                Kind::Text if *key == "rate" => text,
                Kind::Text => scrub.value("name", &text),
                Kind::Url => scrub.text(&text, true),
            };
            keys.insert((*key).to_owned(), json!({"value": value, "origin": origin(&setting.origin)}));
        }
        backends.insert(scrub.value("backend", &backend.name), keys.into());
    }
    json!({
        "file": config.file.is_some(),
        "default_backend": config.default_backend.as_ref().map(|(name, _)| scrub.value("backend", name)),
        "groups": config.groups.len(),
        "backends": backends,
    })
}

/// Says in what way a secret is given.
fn way(described: &str) -> &'static str {
    ["env", "file", "command", "keyring"]
        .into_iter()
        .find(|way| described.starts_with(&format!("{{ {way} =")))
        .unwrap_or("***")
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::BuiltIn => "built-in".to_owned(),
        Origin::File(_, line, column) => format!("file:{line}:{column}"),
        Origin::Environment(_) => "environment".to_owned(),
    }
}

/// Tells the names and sizes of what is in the state folder, and nothing of what it holds.
fn state(asked: &Asked<'_>, scrub: &mut Scrub) -> Value {
    let look = asked.setup.folder.look();
    let files: Vec<Value> = look
        .files
        .iter()
        .map(|(name, size)| {
            let (stem, ending) = name.split_once('.').unwrap_or((name, ""));
            let ending = if ENDINGS.contains(&ending) { ending } else { "other" };
            json!({"name": format!("{}.{ending}", scrub.value("backend", stem)), "bytes": size})
        })
        .collect();
    json!({"exists": look.is_there, "writable": look.unwritable.is_none(), "files": files})
}

/// Names the variables that are set and that vpnctl reads.
fn environment(asked: &Asked<'_>, scrub: &mut Scrub) -> Vec<String> {
    let known = |name: &str| variables::VARIABLES.iter().any(|(known, _)| *known == name);
    let proxies = |name: &str| crate::http::proxy::VARIABLES.iter().any(|proxy| name.eq_ignore_ascii_case(proxy));
    let mut names: Vec<String> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("VPNCTL_") || known(name) || proxies(name))
        .map(|name| if known(&name) || proxies(&name) { name } else { of_backend(asked, &name, scrub) })
        .collect();
    names.sort();
    names
}

/// Writes the variable of a backend's key with a placeholder for its name.
fn of_backend(asked: &Asked<'_>, name: &str, scrub: &mut Scrub) -> String {
    for backend in asked.setup.config.backends.values() {
        for key in backend.settings.keys().copied().chain(["vendor"]) {
            if backend.variable(key) == name {
                return format!("{key} of {}", scrub.value("backend", &backend.name));
            }
        }
    }
    "VPNCTL_… (another one)".to_owned()
}

/// Writes it for its owner alone; what is there already is replaced only where that was said.
///
/// # Errors
/// Fails with `conflict.exists`, or where the file can't be written.
pub fn write(path: &Path, bundle: &Value, replaces: bool) -> Result<()> {
    let unwritable =
        |error: &std::io::Error| Error::usage(format!("the bundle can't be written to {}: {error}", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| unwritable(&error))?;
    let text = format!("{bundle:#}\n");
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(|error| unwritable(&error))?;
    let kept = if replaces { file.persist(path) } else { file.persist_noclobber(path) };
    kept.map(drop).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(path),
        _ => unwritable(&error.error),
    })
}

/// Says that something is there already.
#[must_use]
pub fn exists(path: &Path) -> Error {
    Error::new(
        Code::ConflictExists,
        crate::error::Layer::Usage,
        format!("{} is there already and was left as it is", path.display()),
    )
    .hint("name another file, or replace it with --yes")
}
