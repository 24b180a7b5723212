//! The configurations that the box keeps: vendor page, sections 4.1 to 4.5.

use async_trait::async_trait;
use serde_json::Value;

use super::change::{self, Wanted};
use super::convert::masked;
use super::document;
use super::fields::{Protocol, same};
use super::{Freebox, ovpn, reach, wg_conf};
use crate::backend::{Edited, ImportFile, Imported, Tunnel, TunnelChange, Tunnels, naming};
use crate::error::{Code, Error, Layer, Result};
use crate::model::Target;

/// Tells whether a changed field, dotted, is one whose value the box may not show.
fn is_hidden(path: &str) -> bool {
    super::convert::is_secret(path.rsplit('.').next().unwrap_or(path))
}

/// Names the fields that were to change and did not.
fn kept(document: &Value, wanted: &Wanted, changed: &[String]) -> Vec<String> {
    let section = wanted.protocol.section();
    let differs = |path: &&String| match path.as_str() {
        "description" => document["description"].as_str() != wanted.name.as_deref(),
        "active" => document["active"] == false,
        // What the box never gives back, or masks, can't be compared.
        path if is_hidden(path) => false,
        path => {
            let name = path.rsplit('.').next().unwrap_or(path);
            let there = document[section].get(name);
            wanted.conf.get(name).is_some_and(|value| !same(wanted.protocol.field(name), there, value))
        }
    };
    changed.iter().filter(differs).cloned().collect()
}

/// Lists the names of fields.
fn ticked(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Shows a configuration.
fn shown((target, document): (Target, Value)) -> Tunnel {
    Tunnel { target, active: document["active"].as_bool(), config: masked(document) }
}

impl Freebox {
    /// Reads the configuration that a target means now. One that was found by a remembered name is looked up in the box's
    /// list first: the name may be another's since, or several may have it.
    async fn current(&self, target: &Target) -> Result<(Target, Value)> {
        if self.is_guess(target) {
            let now = self.look_again(target).await?;
            return self.api.config(&now.id).await;
        }
        self.api.config(&target.id).await
    }

    /// Refuses a name that another configuration has: the box may allow it, but every verb that takes a name would from
    /// then on have to refuse it as ambiguous. Names that differ by case alone can be told apart.
    async fn refuse_taken(&self, name: &str, own: Option<&str>) -> Result<()> {
        let taken = self
            .api
            .tunnels()
            .await?
            .into_iter()
            .find(|there| there.name.as_deref() == Some(name) && Some(there.id.as_str()) != own);
        let Some(there) = taken else { return Ok(()) };
        let argument = naming::argument(&self.info.backend, &Target { name: None, ..there.clone() });
        Err(Error::new(
            Code::ConflictExists,
            Layer::Api,
            format!("the box has a tunnel `{name}` already ({})", there.id),
        )
        .backend(&self.info.backend)
        .target(name)
        .hint(format!("choose another --name, or change that one: vpnctl tunnel edit {argument}")))
    }

    /// Finds out what became of an addition whose answer was lost or said nothing: its name was nobody's before.
    async fn added(&self, name: &str, lost: Option<Error>) -> Result<Tunnel> {
        let there = match self.api.configs().await {
            Ok(configs) => configs.into_iter().find(|(target, _)| target.name.as_deref() == Some(name)),
            Err(error) => {
                return Err(match lost {
                    Some(lost) => lost.found(&format!("whether it is there can't be read ({error})")),
                    None => error.unknown_outcome(),
                });
            }
        };
        match (there, lost) {
            (Some(found), lost) => {
                if let Some(error) = lost {
                    tracing::info!("the answer to the addition was lost, but it was carried out: {error}");
                }
                Ok(shown(found))
            }
            (None, Some(error)) => Err(error.found("the box does not list it")),
            (None, None) => Err(Error::new(
                Code::VendorProtocol,
                Layer::Api,
                format!("the box says that it added `{name}`, but does not list it"),
            )
            .unknown_outcome()
            .hint(format!("look again: vpnctl tunnel list -b {}", self.info.backend))),
        }
    }

    /// Reads the change as one of what is there.
    fn fitting(target: &Target, document: &Value, change: &TunnelChange) -> Result<Wanted> {
        let word = document["type"].as_str().unwrap_or_default();
        let protocol = Protocol::ALL.into_iter().find(|protocol| protocol.word() == word).ok_or_else(|| {
            Error::new(
                Code::Unsupported,
                Layer::Api,
                format!("`{}` is of the type `{word}`, which vpnctl does not know", target.label()),
            )
            .hint("change it in Freebox OS, or by a raw call: vpnctl api PUT vpn_client/config/ID --data …")
        })?;
        if let Some(wanted) = change::named_protocol(change)?.filter(|wanted| *wanted != protocol) {
            return Err(Error::usage(format!(
                "`{}` is {}, and the type of a tunnel can't be changed to {}",
                target.label(),
                protocol.title(),
                wanted.word()
            ))
            .hint("add another one: vpnctl tunnel add"));
        }
        let mut wanted = change::read(change, protocol)?;
        document::check_top(change, protocol, document)?;
        document::complete_methods(&mut wanted, &document[protocol.section()]);
        document::check_names(&wanted, document[protocol.section()].as_object())?;
        Ok(wanted)
    }

    /// Reads back what the box made of an edit. Where the answer shows another value than was sent, the box is asked
    /// once more, for whether it answers with the old or the new state is not documented.
    ///
    /// # Errors
    /// Fails with `vendor.protocol` where the box keeps something else.
    async fn edited(
        &self,
        id: &str,
        answer: Option<(Target, Value)>,
        wanted: &Wanted,
        changed: &[String],
    ) -> Result<Tunnel> {
        let (target, document) = match answer {
            Some(found) if kept(&found.1, wanted, changed).is_empty() => found,
            // The answer lacks its result, or contradicts the request: what is there now is asked for.
            _ => self.api.config(id).await.map_err(Error::unknown_outcome)?,
        };
        let kept = kept(&document, wanted, changed);
        if kept.is_empty() {
            return Ok(shown((target, document)));
        }
        let argument = naming::argument(&self.info.backend, &target);
        Err(Error::new(
            Code::VendorProtocol,
            Layer::Api,
            format!("the box took the change of `{}`, but keeps another {}", target.label(), ticked(&kept)),
        )
        .target(target.label())
        .hint(format!("look at what it has: vpnctl tunnel show {argument}")))
    }
}

#[async_trait]
impl Tunnels for Freebox {
    async fn list(&self) -> Result<Vec<Tunnel>> {
        Ok(self.api.configs().await?.into_iter().map(shown).collect())
    }

    async fn show(&self, target: &Target) -> Result<Tunnel> {
        self.current(target).await.map(shown)
    }

    fn check_new(&self, wanted: &TunnelChange) -> Result<()> {
        change::read_new(wanted).map(|_| ())
    }

    fn preview(&self, wanted: &TunnelChange) -> Result<Tunnel> {
        let read = change::read_new(wanted)?;
        let target = Target {
            name: read.name.clone(),
            kind_word: Some(read.protocol.word().to_owned()),
            ..Target::by_id(self.info.kind, "")
        };
        Ok(shown((target, change::addition(read, wanted.activate))))
    }

    async fn check_name(&self, name: &str) -> Result<()> {
        self.refuse_taken(name, None).await
    }

    fn check_change(&self, change: &TunnelChange) -> Result<()> {
        let TunnelChange { kind, name, host, port, username, password, mppe, auth, dns, mtu, document, activate } =
            change;
        let texts = [kind, name, host, username, mppe];
        let lists = [auth, dns];
        let nothing = texts.iter().all(|text| text.is_none())
            && lists.iter().all(|list| list.is_none())
            && port.is_none()
            && mtu.is_none()
            && password.is_none()
            && document.is_none();
        if nothing && !activate {
            return Err(Error::usage("nothing is to be changed")
                .hint("name what is: --name, --host, --username, --password-stdin …; see vpnctl tunnel edit --help"));
        }
        change::read_any(change)
    }

    fn lacks_password(&self, wanted: &TunnelChange) -> bool {
        change::read_new(wanted).is_ok_and(|wanted| change::lacks_password(&wanted))
    }

    fn import(&self, file: &ImportFile<'_>) -> Result<Imported> {
        let ending = file.name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        match ending.as_deref() {
            Some("conf") => wg_conf::read(file),
            Some("ovpn") => ovpn::read(file),
            _ => Err(Error::usage(format!("{}: the ending says nothing of what it is", file.name))
                .hint("name a WireGuard file NAME.conf, and an OpenVPN file NAME.ovpn")),
        }
    }

    async fn add(&self, wanted: &TunnelChange) -> Result<Tunnel> {
        let read = change::read_new(wanted)?;
        let name = read.name.clone().unwrap_or_default();
        self.refuse_taken(&name, None).await?;
        match self.api.add(&change::addition(read, wanted.activate)).await {
            Ok(Some(added)) => Ok(shown(added)),
            Ok(None) => self.added(&name, None).await,
            Err(error) if error.outcome_is_unknown() => self.added(&name, Some(error)).await,
            Err(error) => Err(error.target(name)),
        }
    }

    async fn edit(&self, target: &Target, change: &TunnelChange, dry_run: bool) -> Result<Edited> {
        // A session opens here at the latest; without the right it would show secrets masked or not at all.
        let mut found = self.current(target).await?;
        if !dry_run && self.api.auth.refresh_rights().await? {
            found = self.current(&found.0).await?;
        }
        let (target, document) = found;
        let wanted = Self::fitting(&target, &document, change)?;
        let found = change::difference(&document, &wanted, change.activate);
        if found.changed.iter().any(|path| path == "description")
            && let Some(name) = &wanted.name
        {
            self.refuse_taken(name, Some(&target.id)).await?;
        }
        if dry_run || found.changed.is_empty() {
            return Ok(Edited { tunnel: shown((target, document)), changed: found.changed });
        }
        for field in &found.unseen {
            tracing::warn!(
                "`{}`: the box does not show `{field}`, so it is left out; check the tunnel",
                target.label()
            );
        }
        let tunnel = match self.api.change(&target.id, &Value::Object(found.body)).await {
            Err(error) if error.outcome_is_unknown() => {
                self.after_doubt(&target, &wanted, change, &found.changed, error).await?
            }
            Err(error) => return Err(error.target(target.label())),
            Ok(answer) => self.edited(&target.id, answer, &wanted, &found.changed).await?,
        };
        Ok(Edited { tunnel, changed: found.changed })
    }

    async fn remove(&self, target: &Target) -> Result<()> {
        let id = if self.is_guess(target) { self.current(target).await?.0.id } else { target.id.clone() };
        match self.api.remove(&id).await {
            Err(error) if error.outcome_is_unknown() => match self.api.config(&id).await {
                Err(gone) if gone.code() == Code::TargetNotFound => {
                    tracing::info!("the answer to the removal was lost, but it was carried out: {error}");
                    Ok(())
                }
                Ok(_) => Err(error.found("it is still there")),
                Err(again) => Err(error.found(&format!("whether it is still there can't be read ({again})"))),
            },
            // Whether a box takes an active configuration away is not documented.
            Err(error) if error.code() == Code::ConflictBusy => Err(reach::with_hint(
                &error,
                format!("disconnect it first: vpnctl disconnect -b {}", self.info.backend),
            )),
            result => result,
        }
    }
}

impl Freebox {
    /// Reads what became of an edit whose answer was lost: where all that was to change and is shown has changed, it was
    /// carried out, for it was one request.
    async fn after_doubt(
        &self,
        target: &Target,
        wanted: &Wanted,
        change: &TunnelChange,
        changed: &[String],
        lost: Error,
    ) -> Result<Tunnel> {
        let (now, document) = match self.api.config(&target.id).await {
            Ok(found) => found,
            Err(again) => return Err(lost.found(&format!("what it holds now can't be read ({again})"))),
        };
        let kept = kept(&document, wanted, changed);
        if !kept.is_empty() {
            return Err(lost.found(&format!("it does not have the new {}", ticked(&kept))));
        }
        let left = change::difference(&document, wanted, change.activate).changed;
        if !left.is_empty() && changed.iter().all(|path| is_hidden(path)) {
            return Err(lost.found(&format!("that it has the new {} can't be seen", ticked(&left))));
        }
        tracing::info!("the answer to the edit was lost, but it was carried out: {lost}");
        Ok(shown((now, document)))
    }
}
