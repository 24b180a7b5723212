//! `tunnel`: VPN configurations that a vendor keeps.

use std::sync::Arc;

use futures_util::future::join_all;
use secrecy::SecretString;

use super::selection::{Job, Plan};
use super::{Emit, Open, Patience, Setup, emit, emit_failed, emit_nothing};
use crate::backend::{Asked, ImportFile, Imported, Person, Tunnel, TunnelChange, Tunnels, naming, unsupported};
use crate::error::{Code, Error, Layer, Result};
use crate::model::document::TunnelItem;
use crate::model::{Target, item};
use crate::render::Item;

/// The backends that a verb works on, and those that can't do it.
#[derive(Debug, Default)]
pub struct Able {
    /// Those that keep configurations.
    pub open: Vec<Arc<Open>>,
    /// Why the others can't, each with its name.
    pub unable: Vec<(String, Error)>,
}

impl Able {
    /// Opens backends and sorts out those that keep no configurations; sends no request.
    ///
    /// # Errors
    /// Fails where none of them can do it, with the first one's reason.
    pub fn sort_out(setup: &Setup, names: &[String], patience: Patience) -> Result<Self> {
        let mut able = Self::default();
        for name in names {
            let Some(settings) = setup.config.backends.get(name) else { continue };
            match setup.open(settings, patience) {
                Ok(open) if open.backend.tunnels().is_some() => able.open.push(Arc::new(open)),
                Ok(open) => able.unable.push((name.clone(), unsupported(&*open.backend, "tunnel"))),
                Err(error) => able.unable.push((name.clone(), error.backend(name))),
            }
        }
        match able.unable.first() {
            Some((_, error)) if able.open.is_empty() => Err(error.clone()),
            _ => Ok(able),
        }
    }

    /// Names those that can.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.open.iter().map(|open| open.info().backend.clone()).collect()
    }

    /// Reads a file that other VPN software wrote, as the first of them does.
    ///
    /// # Errors
    /// Fails with `usage` where that can't be read.
    pub fn import(&self, file: &ImportFile<'_>) -> Result<Imported> {
        match self.open.first() {
            Some(open) => facet(open)?.import(file),
            None => Err(Error::usage("no backend is chosen")),
        }
    }

    /// Checks what a change says by itself.
    ///
    /// # Errors
    /// Fails with `usage` where it can fit nothing.
    pub fn check_change(&self, change: &TunnelChange) -> Result<()> {
        self.open.iter().try_for_each(|open| facet(open)?.check_change(change).map_err(|error| open.own(error)))
    }

    fn emit_unable(&self, out: &Emit) {
        for (_, error) in &self.unable {
            emit_failed(out, None, error.clone());
        }
    }
}

fn facet(open: &Open) -> Result<&dyn Tunnels> {
    open.backend.tunnels().ok_or_else(|| unsupported(&*open.backend, "tunnel"))
}

/// Makes an item; what a change did is told beside it.
fn told(open: &Open, tunnel: &Tunnel, changed: Option<bool>) -> Item {
    let info = open.info();
    item::of(&TunnelItem {
        backend: &info.backend,
        vendor: info.vendor,
        target: (&tunnel.target).into(),
        active: tunnel.active,
        config: &tunnel.config,
        changed,
    })
}

/// Emits every configuration of every backend.
pub async fn list(able: Able, out: &Emit) {
    able.emit_unable(out);
    join_all(able.open.iter().map(|open| list_one(open, out))).await;
}

async fn list_one(open: &Open, out: &Emit) {
    let all = match facet(open) {
        Ok(tunnels) => tunnels.list().await,
        Err(error) => Err(error),
    };
    match all {
        Err(error) => emit_failed(out, None, open.own(error)),
        Ok(all) if all.is_empty() => emit_nothing(out),
        Ok(all) => all.iter().for_each(|tunnel| emit(out, told(open, tunnel, None))),
    }
}

/// Emits the configurations that a plan names.
pub async fn show(plan: Plan, out: &Emit) {
    for (_, _, error) in plan.unopened {
        emit_failed(out, None, error);
    }
    for job in plan.jobs {
        match look(&job).await {
            Ok(tunnel) => emit(out, told(&job.open, &tunnel, None)),
            Err(error) => emit_failed(out, None, job.open.own(error)),
        }
    }
}

async fn look(job: &Job) -> Result<Tunnel> {
    match (&job.error, &job.target) {
        (Some(error), _) => Err(error.clone()),
        (None, Some(target)) => facet(&job.open)?.show(target).await,
        (None, None) => Err(Error::usage("no target is named")),
    }
}

/// Checks what is to be added, and gets the password where one is needed, before any request.
///
/// # Errors
/// Fails with `usage` where a backend could not take it, or nobody can be asked for the password.
pub async fn prepare(able: &Able, mut wanted: TunnelChange, person: &dyn Person) -> Result<TunnelChange> {
    for open in &able.open {
        facet(open)?.check_new(&wanted).map_err(|error| open.own(error))?;
    }
    for open in &able.open {
        if wanted.password.is_none() && facet(open)?.lacks_password(&wanted) {
            let password: SecretString =
                person.ask(Asked::Password, "Password for the VPN server: ").await.map_err(|error| {
                    error.context("the tunnel needs a password").hint("give it by --password-stdin or --password-file")
                })?;
            wanted.password = Some(password);
        }
    }
    Ok(wanted)
}

/// Refuses to bring a configuration up where another one has the one VPN: contract section 6.
async fn refuse_active(open: &Open, own: Option<&Target>, name: &str) -> Result<()> {
    if !open.info().one_vpn {
        return Ok(());
    }
    let status = open.backend.status(None).await?;
    if !status.engaged || own.is_some_and(|own| status.is_of(own)) {
        return Ok(());
    }
    let backend = &open.info().backend;
    let other = status.target.as_ref().map_or("another VPN", Target::label);
    let what = format!("`{other}` is {} and has the one VPN of `{backend}`", status.word().as_str());
    Err(Error::new(Code::ConflictActive, Layer::Tunnel, what).backend(backend).target(name).hint(format!(
        "nothing was changed; leave --activate out, then: vpnctl connect --switch {}",
        naming::argument(backend, &Target { name: Some(name.to_owned()), ..Target::by_id(open.info().kind, name) })
    )))
}

/// Adds a configuration to every backend that can.
pub async fn add(able: Able, wanted: &TunnelChange, dry_run: bool, out: &Emit) {
    able.emit_unable(out);
    for open in &able.open {
        match add_one(open, wanted, dry_run).await {
            Ok(tunnel) => emit(out, told(open, &tunnel, Some(!dry_run))),
            Err(error) => emit_failed(out, None, open.own(error)),
        }
    }
}

async fn add_one(open: &Open, wanted: &TunnelChange, dry_run: bool) -> Result<Tunnel> {
    let tunnels = facet(open)?;
    let preview = tunnels.preview(wanted)?;
    let name = preview.target.label();
    if wanted.activate {
        refuse_active(open, None, name).await?;
    }
    if dry_run {
        tunnels.check_name(name).await?;
        let and = if wanted.activate { " and bring it up" } else { "" };
        tracing::warn!("dry run: would add `{name}` to `{}`{and}", open.info().backend);
        return Ok(preview);
    }
    let added = tunnels.add(wanted).await;
    if wanted.activate
        && let Ok(there) = &added
        && there.active == Some(false)
    {
        tracing::warn!(
            "`{name}` was added, but is not active: vpnctl connect {}",
            naming::argument(&open.info().backend, &there.target)
        );
    }
    added.map_err(|error| error.target(name).in_doubt(&format!("whether `{name}` was added"), &listing(open), true))
}

fn listing(open: &Open) -> String {
    format!("look again: vpnctl tunnel list -b {}", open.info().backend)
}

/// Changes the configuration that a job names.
pub async fn edit(job: Job, change: &TunnelChange, dry_run: bool, out: &Emit) {
    match edit_one(&job, change, dry_run).await {
        Ok((tunnel, changed)) => emit(out, told(&job.open, &tunnel, Some(changed))),
        Err(error) => emit_failed(out, None, job.open.own(error)),
    }
}

async fn edit_one(job: &Job, change: &TunnelChange, dry_run: bool) -> Result<(Tunnel, bool)> {
    let target = match (&job.error, &job.target) {
        (Some(error), _) => return Err(error.clone()),
        (None, Some(target)) => target,
        (None, None) => return Err(Error::usage("no target is named")),
    };
    let open = &job.open;
    let mut target = target.clone();
    if change.activate {
        // Whose the VPN may be only the tunnel itself tells, not a remembered name.
        target = facet(open)?.show(&target).await?.target;
        refuse_active(open, Some(&target), target.label()).await?;
    }
    let edited = facet(open)?.edit(&target, change, dry_run).await;
    let label = target.label();
    let look = format!("look again: vpnctl tunnel show {}", naming::argument(&open.info().backend, &target));
    let what = format!("whether `{label}` was changed");
    let edited = edited.map_err(|error| error.target(label).in_doubt(&what, &look, true))?;
    let label = edited.tunnel.target.label();
    if edited.changed.is_empty() {
        tracing::warn!("`{label}` is so already; nothing was sent");
        return Ok((edited.tunnel, false));
    }
    let fields = edited.changed.join(", ");
    if dry_run {
        tracing::warn!("dry run: would change {fields} of `{label}`");
        return Ok((edited.tunnel, false));
    }
    tracing::info!("changed {fields} of `{label}`");
    let of_connection = edited.changed.iter().any(|field| field.contains('.'));
    if of_connection && edited.tunnel.active == Some(true) && !change.activate {
        // No vendor says when an active tunnel takes up its new settings.
        tracing::warn!(
            "`{label}` is active, and may take this up at its next connection only: vpnctl reconnect {}",
            naming::argument(&open.info().backend, &edited.tunnel.target)
        );
    }
    Ok((edited.tunnel, true))
}

/// What is to be removed, as it is now.
#[derive(Debug)]
pub struct Doomed {
    open: Arc<Open>,
    found: Result<Tunnel>,
}

impl Doomed {
    /// Opens its backend anew, so that its time begins now.
    ///
    /// # Errors
    /// Fails where its settings are wrong.
    pub fn reopen(&mut self, setup: &Setup) -> Result<()> {
        if let Some(settings) = setup.config.backends.get(&self.open.info().backend) {
            self.open = Arc::new(setup.open(settings, Patience::Change)?);
        }
        Ok(())
    }

    /// Describes it for a question, where it is there.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        let tunnel = self.found.as_ref().ok()?;
        let up = if tunnel.active == Some(true) { " (active: its connection ends)" } else { "" };
        Some(format!("`{}` of `{}`{up}", tunnel.target.label(), self.open.info().backend))
    }
}

/// Looks at all that is to be removed, so that a question can tell what it is.
pub async fn doomed(plan: Plan) -> Result<Vec<Doomed>> {
    let mut all = Vec::new();
    for job in plan.jobs {
        let found = look(&job).await;
        all.push(Doomed { open: job.open, found });
    }
    Ok(all)
}

/// Removes configurations, one after the other.
pub async fn remove(all: Vec<Doomed>, dry_run: bool, out: &Emit) {
    for doomed in all {
        let open = &doomed.open;
        let tunnel = match doomed.found {
            Ok(tunnel) => tunnel,
            Err(error) => {
                emit_failed(out, None, open.own(error));
                continue;
            }
        };
        let label = tunnel.target.label();
        if dry_run {
            let up = if tunnel.active == Some(true) { ", which is active and would go down" } else { "" };
            tracing::warn!("dry run: would remove `{label}` of `{}`{up}", open.info().backend);
            emit(out, told(open, &tunnel, Some(false)));
            continue;
        }
        let removed = match facet(open) {
            Ok(tunnels) => tunnels.remove(&tunnel.target).await,
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) => {
                if tunnel.active == Some(true) {
                    tracing::warn!("`{label}` was active: its connection ends");
                }
                emit(out, told(open, &tunnel, Some(true)));
            }
            Err(error) => {
                let what = format!("whether `{label}` was removed");
                emit_failed(out, None, open.own(error.target(label).in_doubt(&what, &listing(open), true)));
            }
        }
    }
}
