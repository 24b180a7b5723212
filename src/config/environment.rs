//! The environment over the file: `VPNCTL_BACKEND_<NAME>_<KEY>`, contract section 7.

use std::collections::BTreeMap;

use super::schema::nearest;
use super::{Backend, COMMON, Config, Origin, Setting, Vendor};
use crate::error::{Error, Result};

/// Names the variable of a backend's key.
pub(super) fn variable(backend: &str, key: &str) -> String {
    format!("VPNCTL_BACKEND_{backend}_{key}").replace(['-', '.'], "_").to_ascii_uppercase()
}

/// Makes the backends whose vendor is said by the environment alone.
pub(super) fn define_backends(
    config: &mut Config,
    environment: &BTreeMap<String, String>,
    vendors: &[Vendor],
) -> Result<()> {
    for (variable_name, vendor) in environment {
        let Some(name) = variable_name.strip_prefix("VPNCTL_BACKEND_").and_then(|rest| rest.strip_suffix("_VENDOR"))
        else {
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
    for backend in config.backends.values_mut() {
        let own = vendors.iter().find(|vendor| vendor.name == backend.vendor).map_or(&[][..], |vendor| vendor.keys);
        for key in COMMON.iter().chain(own) {
            let name = variable(&backend.name, key.name);
            let Some(text) = environment.get(&name) else { continue };
            let value = key.kind.read(text).map_err(|why| {
                // The text of a secret's variable is the secret, but reading one as a secret never fails.
                Error::config(format!("${name}: {why}")).backend(&backend.name)
            })?;
            backend.settings.insert(key.name, Setting { value, origin: Origin::Environment(name) });
        }
    }
    Ok(())
}
