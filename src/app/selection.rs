//! Which backends and which targets a command is about: contract sections 1 to 3.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Patience;
pub use super::finding::{Job, Plan, found, one, plan};
use super::shard::Shard;
use crate::backend::{Info, naming, registry};
use crate::config::Config;
use crate::error::{Code, Error, Layer, Result};
use crate::model::Word;

/// What a selector calls a tag.
const TAG: &str = "tag";

/// Says which backends were chosen.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Those named by `-b`.
    pub named: Vec<String>,
    /// Whether all were asked for.
    pub all: bool,
    /// The one that `VPNCTL_BACKEND` names.
    pub environment: Option<String>,
}

impl Choice {
    /// Gives the backends that `-b` names; nothing where it is not given.
    ///
    /// # Errors
    /// Fails with `backend.unknown`, and with `usage.ambiguous`.
    pub fn restriction(&self, config: &Config) -> Result<Option<Vec<String>>> {
        if self.named.is_empty() { Ok(None) } else { backends(config, self).map(Some) }
    }
}

/// One condition on labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    name: String,
    value: String,
    equal: bool,
}

/// Says which targets were chosen.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Names, ids or globs, each perhaps with a backend in front.
    pub names: Vec<String>,
    /// Whether names are ids that are not looked up.
    pub by_id: bool,
    /// Conditions on labels.
    pub labels: Vec<Condition>,
    /// The state that a target has to have.
    pub state: Option<Word>,
    /// The file from which names come too; `-` is standard input.
    pub file: Option<PathBuf>,
    /// Which part of them.
    pub shard: Option<Shard>,
    /// Whether all backends were asked for.
    pub all: bool,
}

impl Selection {
    /// Tells whether targets are filtered rather than named.
    #[must_use]
    pub fn filters(&self) -> bool {
        !self.labels.is_empty() || self.state.is_some()
    }

    /// Tells whether more than one target would be a mass change: contract section 3.
    #[must_use]
    pub fn is_mass(&self) -> bool {
        self.all
            || self.file.is_some()
            || self.filters()
            || (!self.by_id && self.names.iter().any(|name| naming::is_glob(name)))
    }

    /// Gives how long the verb may take where nothing else is said.
    #[must_use]
    pub fn patience(&self, usual: Patience) -> Patience {
        let fleet = self.file.is_some() || self.filters() || self.names.len() > 1 || (self.is_mass() && !self.all);
        if fleet && !matches!(usual, Patience::Wait | Patience::Follow) { Patience::Fleet } else { usual }
    }

    /// Tells whether something with that id is in the part that was asked for.
    #[must_use]
    pub fn is_in_shard(&self, id: &str) -> bool {
        self.shard.is_none_or(|shard| shard.has(id))
    }

    /// Tells whether a target with these labels of the vendor's fulfils every condition; `tag=X` is `tag.X=true`.
    #[must_use]
    pub fn labels_fit(&self, info: &Info, vendors: &BTreeMap<String, String>) -> bool {
        // What the configuration says goes over what the vendor does.
        let label = |name: &str| info.labels.get(name).or_else(|| vendors.get(name));
        self.labels.iter().all(|Condition { name, value, equal }| {
            let is_so = match label(name) {
                Some(own) => own == value,
                // A target has several tags, so each is a label of its own.
                None => name == TAG && label(&format!("{TAG}.{value}")).is_some(),
            };
            is_so == *equal
        })
    }
}

/// Reads `k=v,k!=v`; `group=NAME` stands for what the configuration says of that group.
///
/// # Errors
/// Fails where it is not of that form or the group does not exist.
pub fn conditions(selector: &str, config: &Config) -> Result<Vec<Condition>> {
    let mut conditions = Vec::new();
    for part in selector.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| Error::usage(format!("`{part}` is no condition: write NAME=VALUE or NAME!=VALUE")))?;
        let (name, equal) = name.strip_suffix('!').map_or((name, true), |name| (name, false));
        if name == "group" && equal {
            let select = config.groups.get(value).ok_or_else(|| {
                Error::new(Code::SelectionEmpty, Layer::Config, format!("there is no group `{value}`"))
                    .hint("groups are written as [group.NAME] with select = \"…\"")
            })?;
            if select.contains("group=") {
                return Err(Error::config(format!("the group `{value}` names another group")));
            }
            conditions.extend(self::conditions(select, config)?);
        } else {
            conditions.push(Condition { name: name.to_owned(), value: value.to_owned(), equal });
        }
    }
    Ok(conditions)
}

/// Finds the backends that a choice means; names choose by their prefix too.
///
/// # Errors
/// Fails with `backend.unknown`, or `usage` where none is chosen and several are there.
pub fn backends(config: &Config, choice: &Choice) -> Result<Vec<String>> {
    let all = || config.backends.keys().cloned().collect::<Vec<_>>();
    if choice.all {
        return Ok(all());
    }
    if !choice.named.is_empty() {
        let mut found = Vec::new();
        for name in &choice.named {
            let backend = backend(config, name)?;
            if !found.contains(&backend) {
                found.push(backend);
            }
        }
        return Ok(found);
    }
    if let Some(name) = &choice.environment {
        return Ok(vec![backend(config, name).map_err(|error| error.context("VPNCTL_BACKEND"))?]);
    }
    if let Some((name, _)) = &config.default_backend {
        return Ok(vec![name.clone()]);
    }
    let all = all();
    match all.as_slice() {
        [_] => Ok(all),
        _ => Err(Error::usage(format!("which backend? There are {}", all.join(", ")))
            .hint("choose one with -b NAME, all with -A, or set `default_backend` in the configuration")),
    }
}

/// Finds a backend by its name, or by its vendor where it is the only one of that vendor.
fn backend(config: &Config, name: &str) -> Result<String> {
    if config.backends.contains_key(name) {
        return Ok(name.to_owned());
    }
    let of_vendor: Vec<&str> = config
        .backends
        .values()
        .filter(|backend| backend.vendor == name)
        .map(|backend| backend.name.as_str())
        .collect();
    match of_vendor.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => {
            let known: Vec<&str> = config.backends.keys().map(String::as_str).collect();
            let error = Error::new(
                Code::BackendUnknown,
                Layer::Usage,
                format!("there is no backend `{name}`; there are {}", known.join(", ")),
            );
            let vendors = registry::VENDORS.map(|vendor| vendor.name);
            Err(match crate::config::schema::nearest(name, known.into_iter().chain(vendors)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("see: vpnctl backends"),
            })
        }
        several => Err(Error::new(
            Code::UsageAmbiguous,
            Layer::Usage,
            format!("`{name}` is the vendor of several backends: {}", several.join(", ")),
        )
        .hint("name one of them")),
    }
}

/// Gives the labels of a target: the vendor's, and over them what the configuration says of the backend.
#[must_use]
pub fn labels(info: &Info, vendors: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    vendors.iter().chain(&info.labels).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Makes the error for a selection that selects nothing.
#[must_use]
pub fn empty(selection: &Selection) -> Error {
    let how = match (selection.file.is_some(), selection.filters(), selection.names.is_empty()) {
        (true, _, true) => "the list of targets is empty".to_owned(),
        (_, true, _) => "no target fulfils the conditions".to_owned(),
        (_, _, false) => format!("nothing fits {}", selection.names.join(", ")),
        _ => "there is no target".to_owned(),
    };
    Error::new(Code::SelectionEmpty, Layer::Usage, how).hint("see what there is: vpnctl list")
}

/// Makes the error for a glob that fits nothing, beside what was found otherwise.
#[must_use]
pub fn fits_nothing(glob: &str) -> Error {
    Error::new(Code::TargetNotFound, Layer::Usage, format!("nothing fits `{glob}`"))
        .target(glob)
        .hint("see what there is: vpnctl list")
}
