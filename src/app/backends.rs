//! `backends`: what is configured, and what it can do.

use std::time::Duration;

use super::{Emit, Limits, Open, Patience, Setup, emit, emit_failed, emit_nothing};
use crate::backend::{self, Found, registry};
use crate::config::{self, Origin, Setting, Sources};
use crate::error::Result;
use crate::http::mdns::{self, Where};
use crate::model::document::{BackendsItem, CapabilityMap};
use crate::model::{Support, item};
use crate::render::Item;
use crate::state::Folder;

/// Emits every configured backend; sends no request.
pub fn run(setup: &Setup, out: &Emit) {
    for settings in setup.config.backends.values() {
        match setup.open(settings, Patience::Read) {
            Ok(open) => {
                let item = BackendsItem {
                    backend: Some(&settings.name),
                    vendor: settings.vendor,
                    url: Some(&open.info().url),
                    capabilities: Some(capabilities_of(&open)),
                    found: None,
                };
                emit(out, item::of(&item));
            }
            // One that is not set up yet is still a backend: it is shown, and what it lacks is told.
            Err(error) => {
                let item = item::of(&BackendsItem {
                    backend: Some(&settings.name),
                    vendor: settings.vendor,
                    url: settings.text("url"),
                    capabilities: None,
                    found: None,
                });
                if settings.origin == Origin::BuiltIn {
                    emit(out, item);
                } else {
                    emit_failed(out, Some(item), error.backend(&settings.name));
                }
            }
        }
    }
}

fn capabilities_of(open: &Open) -> CapabilityMap {
    CapabilityMap(backend::capabilities(&*open.backend))
}

/// Emits what each vendor can do, whatever is configured; sends no request.
///
/// # Errors
/// Fails where a vendor can't be opened, which its tests don't let happen.
pub fn matrix(out: &Emit) -> Result<()> {
    for (vendor, open) in vendors()? {
        let capabilities = Some(capabilities_of(&open));
        emit(out, item::of(&BackendsItem { backend: None, vendor, url: None, capabilities, found: None }));
    }
    Ok(())
}

/// How long boxes are given to answer; those that are awake do so within a second.
const LISTEN: Duration = Duration::from_secs(3);

/// Emits what announces itself on the local network, with the backend that is configured for it.
pub async fn discover(setup: &Setup, out: &Emit) {
    let time = setup.limits.timeout.filter(|time| !time.is_zero()).map_or(LISTEN, |time| time.min(LISTEN));
    let place = if setup.on_loopback { Where::Loopback } else { Where::Everywhere };
    let mut any = false;
    for vendor in &registry::VENDORS {
        let Some(discovery) = vendor.discovery else { continue };
        match mdns::browse(discovery.service, place, time).await {
            Ok(announced) => {
                for one in announced {
                    any = true;
                    emit(out, found(setup, vendor, &(discovery.read)(&one)));
                }
            }
            Err(error) => {
                any = true;
                emit_failed(out, None, error);
            }
        }
    }
    if !any {
        tracing::warn!(
            "nothing announces itself here; a box in bridge mode never does, so try its usual name: vpnctl backends"
        );
        emit_nothing(out);
    }
}

fn found(setup: &Setup, vendor: &registry::Vendor, found: &Found) -> Item {
    let address = found.address.as_deref();
    let urls = [Some(found.url.as_str()), found.remote_url.as_deref()];
    let configured = setup.config.backends.values().find(|backend| {
        let own = backend.text("url").map(|url| url.trim_end_matches('/'));
        let there = match backend.text("connect_address") {
            Some(own) => Some(own) == address,
            None => own.is_some() && urls.contains(&own),
        };
        backend.vendor == vendor.name && there
    });
    item::of(&BackendsItem {
        backend: configured.map(|backend| backend.name.as_str()),
        vendor: vendor.name,
        url: Some(&found.url),
        capabilities: capabilities_of_vendor(vendor),
        found: Some(found),
    })
}

fn capabilities_of_vendor(vendor: &registry::Vendor) -> Option<CapabilityMap> {
    let (_, open) = vendors().ok()?.into_iter().find(|(name, _)| *name == vendor.name)?;
    Some(capabilities_of(&open))
}

/// Opens every vendor with settings that lead nowhere, for what it can do is known without asking it.
fn vendors() -> Result<Vec<(&'static str, Open)>> {
    // Without a source there is one backend per vendor, with the built-in values.
    let config = config::load(&Sources::default(), &registry::keys())?;
    let setup = Setup {
        config,
        folder: Folder::new(None),
        limits: Limits::default(),
        recursive: false,
        native: false,
        live: false,
        on_loopback: true,
        observer: None,
    };
    let open = |vendor: &registry::Vendor| {
        let mut settings = setup.config.backends[vendor.name].clone();
        let nowhere = config::Value::Text("https://localhost:1".to_owned());
        settings.settings.entry("url").or_insert(Setting { value: nowhere, origin: Origin::BuiltIn });
        Ok((vendor.name, setup.open(&settings, Patience::Read)?))
    };
    registry::VENDORS.iter().map(open).collect()
}

/// Writes the matrix as a page of documentation: `docs/capabilities.md`.
///
/// # Errors
/// Fails where a vendor can't be opened.
pub fn page() -> Result<String> {
    let head = "# What each vendor can do\n\n\
        Generated from the code and held by a test; `vpnctl backends --matrix` prints the same table.\n\n";
    Ok(format!("{head}{}", table()?))
}

/// Writes the matrix as a table in Markdown, which is read well on a terminal too.
///
/// # Errors
/// Fails where a vendor can't be opened.
pub fn table() -> Result<String> {
    let vendors = vendors()?;
    let mut text = String::from("| |");
    let mut rows: Vec<(&str, Vec<String>)> = Vec::new();
    for (vendor, open) in &vendors {
        let title = registry::find(vendor).map_or(*vendor, |vendor| vendor.title);
        text.push_str(&format!(" {title} |"));
        for (name, support) in backend::capabilities(&*open.backend) {
            let cell = match support {
                Support::Native => "native".to_owned(),
                Support::Emulated(how) => format!("emulated: {how}"),
                Support::No(why) => format!("no: {why}"),
            };
            match rows.iter_mut().find(|(row, _)| *row == name) {
                Some((_, cells)) => cells.push(cell),
                None => rows.push((name, vec![cell])),
            }
        }
    }
    text.push_str(&format!("\n| --- |{}\n", " --- |".repeat(vendors.len())));
    for (name, cells) in rows {
        text.push_str(&format!("| `{name}` | {} |\n", cells.join(" | ")));
    }
    Ok(text)
}
