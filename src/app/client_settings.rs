//! `settings`: shows and changes the settings of a VPN client on this computer.

use serde_json::Value;

use super::selection::Plan;
use super::{Emit, Open, emit, emit_failed};
use crate::backend::{self, unsupported};
use crate::error::{Error, Result};
use crate::model::document::SettingsItem;
use crate::model::item;

/// Says what is done with the settings.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// Show them.
    Show,
    /// Change keys.
    Set {
        /// Dotted keys and their new values.
        changes: Vec<(String, Value)>,
        /// Whether nothing is written.
        dry_run: bool,
    },
    /// Put them back to what they were at first.
    Reset {
        /// Whether nothing is written.
        dry_run: bool,
    },
}

/// Reads `KEY=VALUE`; the value is JSON, or else text.
///
/// # Errors
/// Fails where it is not of that form; the value is not shown, for it may be a secret.
pub fn change(text: &str) -> Result<(String, Value)> {
    let (key, value) = text.split_once('=').ok_or_else(|| {
        Error::usage("a setting is written as KEY=VALUE").hint("see the keys with: vpnctl settings show -o json")
    })?;
    Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

/// Refuses, before any request, backends that have no settings and changes that could do harm.
///
/// # Errors
/// Fails with `unsupported` or `usage`.
pub fn check(open: &Open, verb: &Verb) -> Result<()> {
    let facet = facet(open)?;
    match verb {
        Verb::Set { changes, .. } => facet.check(changes).map_err(|error| open.own(error)),
        Verb::Show | Verb::Reset { .. } => Ok(()),
    }
}

fn facet(open: &Open) -> Result<&dyn backend::Settings> {
    open.backend.settings().ok_or_else(|| unsupported(&*open.backend, "settings"))
}

/// Does it for every backend of the plan; `notice` is told what was, or would be, changed.
pub async fn run(plan: Plan, verb: &Verb, notice: &(dyn Fn(&str) + Sync), out: &Emit) {
    for (_, _, error) in plan.unopened {
        emit_failed(out, None, error);
    }
    for job in &plan.jobs {
        match one(&job.open, verb, notice).await {
            Ok(settings) => {
                let backend = &job.open.info().backend;
                emit(out, item::of(&SettingsItem { backend, settings: &settings }));
            }
            Err(error) => emit_failed(out, None, job.open.own(error)),
        }
    }
}

async fn one(open: &Open, verb: &Verb, notice: &(dyn Fn(&str) + Sync)) -> Result<Value> {
    let facet = facet(open)?;
    match verb {
        Verb::Show => facet.show().await,
        Verb::Set { changes, dry_run } => {
            let changed = facet.set(changes, *dry_run).await?;
            for difference in &changed.differences {
                notice(&format!("{} {difference}", if *dry_run { "dry run: would set" } else { "set" }));
            }
            if changed.differences.is_empty() {
                notice("nothing differs; nothing was sent");
            }
            Ok(changed.settings)
        }
        Verb::Reset { dry_run: false } => facet.reset().await,
        Verb::Reset { dry_run: true } => {
            notice("dry run: would put the settings back to what they were at first");
            facet.show().await
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::change;

    #[test]
    fn a_value_is_json_or_else_text() {
        for (text, key, value) in [
            ("a=1", "a", json!(1)),
            ("a.b=true", "a.b", json!(true)),
            ("a=", "a", json!("")),
            ("a=b=c", "a", json!("b=c")),
            ("a=\"1\"", "a", json!("1")),
            ("a=007", "a", json!("007")),
            ("a=null", "a", json!(null)),
            ("a={\"b\":[1]}", "a", json!({"b": [1]})),
            ("=x", "", json!("x")),
        ] {
            assert_eq!(change(text).ok(), Some((key.to_owned(), value)), "{text}");
        }
        let error = change("hunter2").expect_err("no key");
        assert!(!error.message().contains("hunter2"));
    }
}
