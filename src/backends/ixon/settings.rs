//! The client's own settings, at `Configuration` and `ConfigurationReset`: no schema and no method is documented, so
//! what the client shows is what can be set, and what it does not take is told in its words.

use async_trait::async_trait;
use serde_json::Value;

use super::api::PEER;
use super::{Ixon, document};
use crate::backend::{Changed, Settings};
use crate::error::{Code, Error, Layer, Result};

#[async_trait]
impl Settings for Ixon {
    async fn show(&self) -> Result<Value> {
        self.local.configuration().await.map(|document| document::masked(&document))
    }

    fn check(&self, changes: &[(String, Value)]) -> Result<()> {
        document::check(changes)
    }

    async fn set(&self, changes: &[(String, Value)], dry_run: bool) -> Result<Changed> {
        document::check(changes)?;
        let before = self.local.configuration().await?;
        let mut wanted = before.clone();
        let differences = document::apply(&mut wanted, changes).map_err(|error| error.backend(&self.info.backend))?;
        if !differences.is_empty() {
            document::check_whole(&wanted).map_err(|error| error.backend(&self.info.backend))?;
        }
        if !differences.is_empty()
            && let Some(key) = document::hidden(&wanted)
        {
            tracing::warn!(
                "{PEER} does not show `{key}`, so what it shows in its place is sent back; whether it keeps the value \
                 then is not documented: give it too"
            );
        }
        if differences.is_empty() || dry_run {
            return Ok(Changed { settings: document::masked(&before), differences });
        }
        tracing::warn!("the vendor documents no method for changing settings; they are sent back by PUT");
        let doubt = match self.local.configure(&wanted).await {
            Err(error) if error.outcome_is_unknown() => Some(error),
            written => written.map(|()| None)?,
        };
        let after = self.settled(before, &wanted, changes, doubt).await?;
        Ok(Changed { settings: document::masked(&after), differences })
    }

    async fn reset(&self) -> Result<Value> {
        tracing::warn!("the vendor documents no method for resetting settings; it is tried by POST");
        // What the reset makes of them is not documented, so a lost answer leaves only this to compare with. Settings that
        // can't be read may be why somebody resets them.
        let before = match self.local.configuration().await {
            Err(error) if error.report().http_status.is_none() => return Err(error),
            before => before.ok(),
        };
        match self.local.reset_configuration().await {
            Err(error) if error.outcome_is_unknown() => {
                let now = match (self.local.configuration().await, before) {
                    (Ok(now), Some(before)) if now == before => "they are what they were".to_owned(),
                    (Ok(_), Some(_)) => "they are other ones than before".to_owned(),
                    (Ok(_), None) => "they can be read now".to_owned(),
                    (Err(again), _) => format!("they can't be read ({again})"),
                };
                Err(self.unknown("reset", error.found(&now)))
            }
            Err(error) => Err(error),
            Ok(()) => self.show().await,
        }
    }
}

impl Ixon {
    /// Reads back what was written, and says what the client made of it; `lost` is why its answer did not come.
    async fn settled(
        &self,
        mut before: Value,
        wanted: &Value,
        changes: &[(String, Value)],
        lost: Option<Error>,
    ) -> Result<Value> {
        let mut after = match (self.local.configuration().await, lost.clone()) {
            (Ok(after), _) => after,
            (Err(again), Some(lost)) => {
                return Err(self.unknown("changed", lost.found(&format!("they can't be read ({again})"))));
            }
            (Err(error), None) => {
                tracing::warn!("{PEER} took the settings, but they can't be read back: {error}");
                return Ok(wanted.clone());
            }
        };
        let (mut kept, mut taken, mut odd) = (Vec::new(), Vec::new(), Vec::new());
        for (key, value) in changes {
            let (was, now) = (document::find(&mut before, key), document::find(&mut after, key));
            match (was, now) {
                (Some(was), _) if was == value => {}
                (_, Some(now)) if now == value => taken.push(format!("`{key}`")),
                (Some(was), Some(now)) if was == now && (lost.is_some() || !document::is_hidden(now)) => {
                    kept.push(format!("`{key}`"))
                }
                // It may show a secret masked, or write a value in its own way.
                _ => odd.push(format!("`{key}`")),
            }
        }
        match lost {
            // It was one request, so one key that is as it was set tells that it was carried out.
            Some(lost) if taken.is_empty() => {
                let told = [(kept, "as before"), (odd, "otherwise")].into_iter();
                let told = told.filter(|(keys, _)| !keys.is_empty());
                let now: Vec<String> = told.map(|(keys, how)| format!("{} {how}", keys.join(", "))).collect();
                return Err(self.unknown("changed", lost.found(&format!("it shows {}", now.join(", ")))));
            }
            Some(lost) => tracing::info!("the answer to the change was lost, but it was carried out: {lost}"),
            None => {}
        }
        if !kept.is_empty() {
            return Err(self.ignored(&kept, &taken));
        }
        for key in odd {
            tracing::warn!("{PEER} took the settings, but does not show {key} as it was set");
        }
        Ok(after)
    }

    /// Says that a write was answered as done and was not.
    fn ignored(&self, kept: &[String], taken: &[String]) -> Error {
        let also = if taken.is_empty() { String::new() } else { format!("; it changed {}", taken.join(", ")) };
        let what = format!("{PEER} took the settings, but {} is still what it was{also}", kept.join(", "));
        Error::new(Code::VendorProtocol, Layer::Api, what)
            .backend(&self.info.backend)
            .hint("it may refuse that value without a word; use the settings page of the client itself")
    }

    fn unknown(&self, done: &str, error: Error) -> Error {
        let look = format!("look with: vpnctl settings show -b {}", self.info.backend);
        error.in_doubt(&format!("whether the settings were {done}"), &look, true)
    }
}
