//! The environment over the file: `VPNCTL_BACKEND_<NAME>_<KEY>`, contract section 7.

use std::collections::BTreeMap;

use super::schema::{URL_HINT, nearest};
use super::{Backend, COMMON, Config, Kind, Origin, Setting, Vendor};
use crate::error::{Error, Result};

/// How the variables of backends begin.
const BEGIN: &str = "VPNCTL_BACKEND_";

/// Names the variable of a backend's key.
pub(super) fn variable(backend: &str, key: &str) -> String {
    format!("{BEGIN}{backend}_{key}").replace(['-', '.'], "_").to_ascii_uppercase()
}

/// Makes the backends whose vendor is said by the environment alone.
pub(super) fn define_backends(
    config: &mut Config,
    environment: &BTreeMap<String, String>,
    vendors: &[Vendor],
) -> Result<()> {
    for (variable_name, vendor) in environment {
        let Some(name) = variable_name.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix("_VENDOR")) else {
            continue;
        };
        let known = config.backends.keys().find(|backend| variable(backend, "vendor") == *variable_name).cloned();
        let name = known.unwrap_or_else(|| name.to_ascii_lowercase().replace('_', "-"));
        let origin = Origin::Environment(variable_name.clone());
        let vendor = find_vendor(vendor, vendors, &origin)?;
        config
            .backends
            .entry(name.clone())
            .and_modify(|backend| {
                backend.vendor = vendor;
                backend.origin = origin.clone();
            })
            .or_insert(Backend { name, vendor, origin, settings: BTreeMap::new() });
    }
    Ok(())
}

/// Finds a vendor by its name.
pub(super) fn find_vendor(name: &str, vendors: &[Vendor], origin: &Origin) -> Result<&'static str> {
    vendors.iter().find(|vendor| vendor.name == name).map(|vendor| vendor.name).ok_or_else(|| {
        let all: Vec<&str> = vendors.iter().map(|vendor| vendor.name).collect();
        let error = Error::config(format!("{origin}: there is no vendor `{name}`; there are {}", all.join(", ")));
        match nearest(name, all) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

/// Lays the variables of known backends and keys over the file.
pub(super) fn apply(config: &mut Config, environment: &BTreeMap<String, String>, vendors: &[Vendor]) -> Result<()> {
    if !environment.keys().any(|name| name.starts_with(BEGIN)) {
        // Nearly always; making the name of every key would cost more than reading the file.
        return Ok(());
    }
    for backend in config.backends.values_mut() {
        let own = vendors.iter().find(|vendor| vendor.name == backend.vendor).map_or(&[][..], |vendor| vendor.keys);
        for key in COMMON.iter().chain(own) {
            let name = variable(&backend.name, key.name);
            let Some(text) = environment.get(&name) else { continue };
            let value = key.kind.read(text).map_err(|why| {
                // The text of a secret's variable is the secret, but reading one as a secret never fails.
                let error = Error::config(format!("${name}: {why}")).backend(&backend.name);
                if matches!(key.kind, Kind::Url) { error.hint(URL_HINT) } else { error }
            })?;
            backend.settings.insert(key.name, Setting { value, origin: Origin::Environment(name) });
        }
    }
    for (name, nearest) in strangers(config, environment, vendors) {
        let hint = nearest.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        tracing::warn!("${name} is no key of a backend and is ignored{hint}");
    }
    Ok(())
}

/// Finds variables that begin with a backend's name and go on with no key of it, each with the nearest one that is.
fn strangers(
    config: &Config,
    environment: &BTreeMap<String, String>,
    vendors: &[Vendor],
) -> Vec<(String, Option<String>)> {
    let known: Vec<String> = config
        .backends
        .values()
        .flat_map(|backend| {
            let own = vendors.iter().find(|vendor| vendor.name == backend.vendor).map_or(&[][..], |vendor| vendor.keys);
            let keys = COMMON.iter().chain(own).map(|key| key.name).chain(["vendor"]);
            keys.map(|key| variable(&backend.name, key)).collect::<Vec<_>>()
        })
        .collect();
    let begins = |name: &str| config.backends.keys().any(|backend| name.starts_with(&variable(backend, "")));
    environment
        .keys()
        .filter(|name| begins(name) && !known.contains(name))
        .map(|name| (name.clone(), nearest(name, known.iter().map(String::as_str)).map(str::to_owned)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::strangers;
    use crate::config::{Key, Kind, Sources, Vendor, load};

    #[test]
    fn a_mistyped_variable_finds_its_neighbour() {
        const KEYS: &[Key] = &[Key::new("token", Kind::Secret)];
        let vendors = [Vendor { name: "one", keys: KEYS }];
        let config = load(&Sources::default(), &vendors).expect("read");
        let names = ["VPNCTL_BACKEND", "VPNCTL_BACKEND_ONE_URL", "VPNCTL_BACKEND_ONE_URLL", "VPNCTL_BACKEND_TWO_URL"];
        let environment: BTreeMap<String, String> = names.map(|name| (name.to_owned(), "x".to_owned())).into();
        let found = strangers(&config, &environment, &vendors);
        let expected = ("VPNCTL_BACKEND_ONE_URLL".to_owned(), Some("VPNCTL_BACKEND_ONE_URL".to_owned()));
        assert_eq!(found, [expected]);
    }
}
