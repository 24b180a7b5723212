//! Reads the configuration file, keeping where each value stands.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use toml_edit::{Document, Item, Table, TableLike};

use super::environment::find_vendor;
use super::schema::{URL_HINT, nearest};
use super::{Backend, COMMON, Config, Key, Kind, Origin, Setting, Value, Vendor, paths};
use crate::error::{Code, Error, Layer, Result};
use crate::secrets::{SecretRef, check_private};

/// Reads the text of a configuration file.
pub(super) fn parse(path: &Path, text: &str, vendors: &[Vendor]) -> Result<Config> {
    let reader = Reader { path, text };
    let document: Document<&str> = Document::parse(text).map_err(|error| {
        let place = reader.place(error.span());
        Error::config(format!("{place}: this is no TOML: {}", error.message().lines().collect::<Vec<_>>().join(", ")))
            .hint("correct that line; texts stand in quotes; compare with: vpnctl config init --stdout")
    })?;
    let mut config = Config {
        file: Some(path.to_owned()),
        default_backend: None,
        backends: BTreeMap::new(),
        groups: BTreeMap::new(),
    };
    for (key, item) in document.as_table() {
        let span = key_span(document.as_table(), key).or_else(|| item.span());
        match key {
            "default_backend" => {
                let name = item.as_str().ok_or_else(|| reader.wrong(item.span(), key, "is no text"))?;
                config.default_backend = Some((name.to_owned(), reader.origin(item.span())));
            }
            "backend" => reader.backends(item, vendors, &mut config)?,
            "group" => reader.groups(item, &mut config)?,
            _ => return Err(reader.unknown(span, key, ["default_backend", "backend", "group"])),
        }
    }
    if let Some((name, origin)) = &config.default_backend
        && !config.backends.contains_key(name)
    {
        let error = Error::config(format!("{origin}: `default_backend` names `{name}`, but no backend has that name"));
        let names: Vec<&str> = config.backends.keys().map(String::as_str).collect();
        return Err(match names.is_empty() {
            true => error.hint("define it in the file as [backend.NAME], or leave the key out"),
            false => error.hint(format!("name one that the file has: {}", names.join(", "))),
        });
    }
    Ok(config)
}

fn key_span(table: &Table, key: &str) -> Option<Range<usize>> {
    table.key(key).and_then(toml_edit::Key::span)
}

/// Names the place in a file that a text ends at.
pub(super) fn place(path: &Path, before: &str) -> Origin {
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Origin::File(path.to_owned(), line, column)
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn origin(&self, span: Option<Range<usize>>) -> Origin {
        place(self.path, self.text.get(..span.map_or(0, |span| span.start)).unwrap_or_default())
    }

    fn place(&self, span: Option<Range<usize>>) -> String {
        self.origin(span).to_string()
    }

    fn wrong(&self, span: Option<Range<usize>>, key: &str, why: &str) -> Error {
        Error::config(format!("{}: `{key}` {why}", self.place(span)))
    }

    fn unknown<'k>(&self, span: Option<Range<usize>>, key: &str, known: impl IntoIterator<Item = &'k str>) -> Error {
        let message = format!("{}: there is no key `{key}`", self.place(span));
        let error = Error::new(Code::ConfigUnknownKey, Layer::Config, message);
        match nearest(key, known) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("the keys are in config.example.toml; print it with: vpnctl config init --stdout"),
        }
    }

    fn table<'t>(&self, item: &'t Item, key: &str) -> Result<&'t dyn TableLike> {
        item.as_table_like().ok_or_else(|| self.wrong(item.span(), key, "is no table"))
    }

    fn backends(&self, item: &Item, vendors: &[Vendor], config: &mut Config) -> Result<()> {
        for (name, item) in self.table(item, "backend")?.iter() {
            let key = format!("backend.{name}");
            let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty() || !name.chars().all(legal) {
                return Err(self.wrong(item.span(), &key, "is no name for a backend: use a-z, 0-9 and -"));
            }
            let table = self.table(item, &key)?;
            let vendor =
                table.get("vendor").ok_or_else(|| self.wrong(item.span(), &key, "does not say its `vendor`"))?;
            let origin = self.origin(vendor.span());
            let word = vendor.as_str().ok_or_else(|| self.wrong(vendor.span(), "vendor", "is no text"))?;
            let vendor = find_vendor(word, vendors, &origin)?;
            let own = vendors.iter().find(|known| known.name == vendor).map_or(&[][..], |known| known.keys);
            let known: Vec<&Key> = COMMON.iter().chain(own).collect();
            let mut backend = Backend { name: name.to_owned(), vendor, origin, settings: BTreeMap::new() };
            self.settings("", table, &known, &mut backend)?;
            config.backends.insert(name.to_owned(), backend);
        }
        Ok(())
    }

    fn settings(&self, prefix: &str, table: &dyn TableLike, known: &[&Key], backend: &mut Backend) -> Result<()> {
        for (key, item) in table.iter() {
            if prefix.is_empty() && key == "vendor" {
                continue;
            }
            let name = format!("{prefix}{key}");
            if let Some(known) = known.iter().find(|known| known.name == name) {
                let value = self.value(&backend.name, known, item)?;
                let origin = self.origin(item.span());
                backend.settings.insert(known.name, Setting { value, origin });
                continue;
            }
            let inner = format!("{name}.");
            match item.as_table_like() {
                Some(table) if known.iter().any(|known| known.name.starts_with(&inner)) => {
                    self.settings(&inner, table, known, backend)?;
                }
                _ => {
                    let span = table.key(key).and_then(toml_edit::Key::span).or_else(|| item.span());
                    let names = known.iter().map(|known| known.name).chain(["vendor"]);
                    return Err(self.unknown(span, &name, names));
                }
            }
        }
        Ok(())
    }

    fn value(&self, backend: &str, key: &Key, item: &Item) -> Result<Value> {
        let wrong = |why: &str| self.wrong(item.span(), key.name, why);
        match key.kind {
            Kind::Text => item.as_str().map(|text| Value::Text(text.to_owned())).ok_or_else(|| wrong("is no text")),
            Kind::Url => {
                let text = item.as_str().ok_or_else(|| wrong("is no text"))?;
                key.kind.read(text).map_err(|why| wrong(&why).hint(URL_HINT))
            }
            Kind::Path => item
                .as_str()
                .map(|text| Value::Text(self.resolve(text).to_string_lossy().into_owned()))
                .ok_or_else(|| wrong("is no text")),
            Kind::Integer => item
                .as_integer()
                .and_then(|number| u64::try_from(number).ok())
                .map(Value::Integer)
                .ok_or_else(|| wrong("is no whole number from 0")),
            Kind::Bool => item.as_bool().map(Value::Bool).ok_or_else(|| wrong("is neither true nor false")),
            Kind::Duration => {
                let text = item.as_str().ok_or_else(|| wrong("is no duration in quotes, such as \"30s\""))?;
                key.kind.read(text).map_err(|why| wrong(&why))
            }
            Kind::Secret => self.secret(backend, key, item).map(Value::Secret),
            Kind::Labels => {
                let mut labels = BTreeMap::new();
                for (name, value) in self.table(item, key.name)?.iter() {
                    let text = value.as_str().ok_or_else(|| self.wrong(value.span(), name, "is no text"))?;
                    labels.insert(name.to_owned(), text.to_owned());
                }
                Ok(Value::Labels(labels))
            }
        }
    }

    fn secret(&self, backend: &str, key: &Key, item: &Item) -> Result<SecretRef> {
        if let Some(text) = item.as_str() {
            check_private(
                &format!("{}: `{}` is written out; this file", self.place(item.span()), key.name),
                self.path,
            )?;
            return Ok(SecretRef::Plain(SecretString::from(text)));
        }
        let ways = "is no secret: write \"…\", { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"…\"] }";
        let table = item.as_table_like().ok_or_else(|| self.wrong(item.span(), key.name, ways))?;
        let mut entries = table.iter();
        let (Some((way, value)), None) = (entries.next(), entries.next()) else {
            return Err(self.wrong(item.span(), key.name, ways));
        };
        let text = || value.as_str().ok_or_else(|| self.wrong(value.span(), way, "is no text"));
        match way {
            "env" => Ok(SecretRef::Env(text()?.to_owned())),
            "file" => Ok(SecretRef::File(self.resolve(text()?), None)),
            "command" => {
                let words = value.as_array().ok_or_else(|| self.wrong(value.span(), way, "is no list of words"))?;
                let words = words.iter().map(|word| word.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
                words
                    .map(|words| SecretRef::Command { words, until: None })
                    .ok_or_else(|| self.wrong(value.span(), way, "is no list of words"))
            }
            "keyring" if value.as_bool() != Some(true) => {
                Err(self.wrong(value.span(), way, "is not `true`; leave the key out where no keyring is meant"))
            }
            "keyring" => SecretRef::keyring(backend, key.name).ok_or_else(|| {
                self.wrong(item.span(), key.name, "asks for the keyring, which this build does not have")
                    .hint("use { file = \"PATH\" } or { command = [\"pass\", \"show\", \"…\"] }")
            }),
            _ => {
                let span = table.key(way).and_then(toml_edit::Key::span).or_else(|| value.span());
                Err(self.unknown(span, way, ["env", "file", "command", "keyring"]))
            }
        }
    }

    /// Makes a path that stands in the file absolute: `~/` is the home folder, the rest is beside the file.
    fn resolve(&self, text: &str) -> PathBuf {
        if let Some(rest) = text.strip_prefix("~/")
            && let Some(home) = paths::home()
        {
            return home.join(rest);
        }
        self.path.parent().map_or_else(|| PathBuf::from(text), |folder| folder.join(text))
    }

    fn groups(&self, item: &Item, config: &mut Config) -> Result<()> {
        for (name, item) in self.table(item, "group")?.iter() {
            for (key, value) in self.table(item, name)?.iter() {
                if key != "select" {
                    return Err(self.unknown(value.span(), key, ["select"]));
                }
                let select = value.as_str().ok_or_else(|| self.wrong(value.span(), key, "is no text"))?;
                config.groups.insert(name.to_owned(), select.to_owned());
            }
        }
        Ok(())
    }
}
