//! `tunnel`: VPN configurations that a vendor keeps.

use std::path::Path;
use std::time::Instant;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{confirm, unless_stopped};
use crate::app::selection::{self, Plan};
use crate::app::tunnel::{self, Able};
use crate::app::{Choice, Emit, Patience, Selection, act};
use crate::backend::{Asked, ImportFile, Person as _, SecretDocument, TunnelChange};
use crate::cli::args::{PasswordFlags, Targets, TunnelFlags, TunnelVerb};
use crate::cli::dispatch::Command;
use crate::cli::settings::{self, Environment, Settings};
use crate::config::{check_private, read_input, read_secret};
use crate::error::{Error, Exit, Result};
use crate::model::Schema;
use crate::render::Format;
use crate::ui::{self, Operator};

impl Command<'_> {
    pub(in crate::cli) async fn tunnel(&self, settings: &Settings, verb: &TunnelVerb) -> anyhow::Result<Exit> {
        settings::shape(self.global, self.format, Schema::Tunnel)?;
        match verb {
            TunnelVerb::List => self.tunnel_list(settings).await,
            TunnelVerb::Show { targets, id } => self.tunnel_show(settings, named(targets, *id)).await,
            TunnelVerb::Add(flags) => self.tunnel_add(settings, flags).await,
            TunnelVerb::Edit { target, id, flags } => {
                self.tunnel_edit(settings, named(std::slice::from_ref(target), *id), flags).await
            }
            TunnelVerb::Rm { targets, id } => self.tunnel_rm(settings, named(targets, *id)).await,
            TunnelVerb::Import { file, name, username, password, activate } => {
                let mut flags = TunnelChange {
                    name: name.clone(),
                    username: username.clone(),
                    activate: *activate,
                    ..TunnelChange::default()
                };
                self.tunnel_import(settings, file, &mut flags, password).await
            }
        }
    }

    async fn tunnel_list(&self, settings: &Settings) -> anyhow::Result<Exit> {
        let chosen = settings::selection(self.global, None, &settings.setup.config)?;
        let able = self.able(settings, Patience::Read)?;
        if chosen.filters() {
            // Which of them fit the conditions only their states and labels tell.
            return self.tunnel_show(settings, named(&[], false)).await;
        }
        let job = async |out: Emit| tunnel::list(able, &out).await;
        self.report(Schema::Tunnel, false, job).await.map(|(exit, _)| exit)
    }

    async fn tunnel_show(&self, settings: &Settings, targets: Targets) -> anyhow::Result<Exit> {
        // Who asks for one wants to see what is in it; a narrow table has no room for that.
        let shown = Command {
            global: self.global,
            environment: Environment::default(),
            format: if self.format == Format::Table && !targets.targets.is_empty() {
                Format::Wide
            } else {
                self.format
            },
            filter: self.filter.take().into(),
            started: self.started,
            underway: std::sync::Arc::clone(&self.underway),
            record: std::cell::Cell::default(),
            look: std::cell::Cell::default(),
        };
        let chosen = settings::selection(self.global, Some(&targets), &settings.setup.config)?;
        if chosen.names.is_empty() && !chosen.filters() {
            let able = self.able(settings, Patience::Read)?;
            let job = async |out: Emit| tunnel::list(able, &out).await;
            return shown.report(Schema::Tunnel, false, job).await.map(|(exit, _)| exit);
        }
        let plan = self.tunnel_plan(settings, &chosen, Patience::Read).await?;
        let job = async |out: Emit| tunnel::show(plan, &out).await;
        shown.report(Schema::Tunnel, targets.sort, job).await.map(|(exit, _)| exit)
    }

    /// Tells when the command has to be done, for what waits before it asks a vendor.
    pub(super) fn pipes_until(&self, settings: &Settings) -> Option<Instant> {
        let limit = settings.setup.limits.timeout.filter(|limit| !limit.is_zero());
        limit.and_then(|limit| self.started.checked_add(limit))
    }

    async fn tunnel_add(&self, settings: &Settings, flags: &TunnelFlags) -> anyhow::Result<Exit> {
        self.guard_chosen(settings)?;
        let able = self.able(settings, Patience::Change)?;
        let mut wanted = unless_stopped(change(flags, self.pipes_until(settings))).await?;
        let person = self.person(settings, &flags.password);
        wanted.password = unless_stopped(given_password(&flags.password, &person, self.pipes_until(settings))).await?;
        self.tunnel_added(settings, &able, wanted, &person).await
    }

    async fn tunnel_import(
        &self,
        settings: &Settings,
        file: &Path,
        flags: &mut TunnelChange,
        password: &PasswordFlags,
    ) -> anyhow::Result<Exit> {
        self.guard_chosen(settings)?;
        let able = self.able(settings, Patience::Change)?;
        let text = unless_stopped(given_text("FILE", file, self.pipes_until(settings))).await?;
        let text = text.expose_secret();
        let folder = file.parent().unwrap_or(Path::new(""));
        private_if_keys(file, text)?;
        let lax = std::cell::RefCell::new(None);
        let beside = |name: &str| {
            let path = folder.join(name);
            if path.exists() && !path.is_file() {
                // A pipe would be waited for.
                return Err(std::io::Error::other("it is no file"));
            }
            let text = std::fs::read_to_string(&path)?;
            lax.replace_with(|lax: &mut Option<Error>| lax.take().or_else(|| private_if_keys(&path, &text).err()));
            Ok(text)
        };
        let name = file.display().to_string();
        let file_read = ImportFile { name: &name, text, beside: &beside };
        let imported = able.import(&file_read)?;
        if let Some(lax) = lax.take() {
            return Err(lax.into());
        }
        imported.notes.iter().for_each(|note| tracing::warn!("{note}"));
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let person = self.person(settings, password);
        let given = unless_stopped(given_password(password, &person, self.pipes_until(settings))).await?;
        // The password in the file is that of the user in the file.
        let other = flags.username.is_some() && flags.username != imported.wanted.username;
        let of_file = imported.wanted.password.filter(|_| !other);
        let wanted = TunnelChange {
            name: flags.name.take().or(stem),
            username: flags.username.take().or(imported.wanted.username),
            password: given.or(of_file),
            activate: flags.activate,
            ..imported.wanted
        };
        self.tunnel_added(settings, &able, wanted, &person).await
    }

    async fn tunnel_added(
        &self,
        settings: &Settings,
        able: &Able,
        wanted: TunnelChange,
        person: &Operator,
    ) -> anyhow::Result<Exit> {
        let wanted = unless_stopped(tunnel::prepare(able, wanted, person)).await?;
        // The time that somebody took to type a password is none of the command's.
        let able = self.able(settings, Patience::Change)?;
        let dry_run = self.global.dry_run;
        self.changes("tunnel list", able.open.iter());
        let job = async |out: Emit| tunnel::add(able, &wanted, dry_run, &out).await;
        self.report(Schema::Tunnel, false, job).await.map(|(exit, _)| exit)
    }

    async fn tunnel_edit(&self, settings: &Settings, target: Targets, flags: &TunnelFlags) -> anyhow::Result<Exit> {
        self.guard(settings, &target)?;
        let chosen = settings::selection(self.global, Some(&target), &settings.setup.config)?;
        let (able, _) = self.tunnel_able(settings, &chosen, Patience::Change)?;
        let mut wanted = unless_stopped(change(flags, self.pipes_until(settings))).await?;
        let person = self.person(settings, &flags.password);
        wanted.password = unless_stopped(given_password(&flags.password, &person, self.pipes_until(settings))).await?;
        able.check_change(&wanted)?;
        let mut plan = self.tunnel_plan(settings, &chosen, Patience::Change).await?;
        if plan.jobs.len() != 1 {
            let names: Vec<&str> = plan.jobs.iter().filter_map(|job| job.target.as_ref().map(|t| t.label())).collect();
            return Err(Error::usage(format!("edit changes one tunnel, and {} are named", names.join(", ")))
                .hint("name one of them")
                .into());
        }
        self.changes_targets("tunnel show", &plan.jobs);
        let only = plan.jobs.remove(0);
        let dry_run = self.global.dry_run;
        let job = async |out: Emit| tunnel::edit(only, &wanted, dry_run, &out).await;
        self.report(Schema::Tunnel, false, job).await.map(|(exit, _)| exit)
    }

    async fn tunnel_rm(&self, settings: &Settings, targets: Targets) -> anyhow::Result<Exit> {
        self.guard(settings, &targets)?;
        let sure = self.global.yes || self.global.dry_run;
        let chosen = settings::selection(self.global, Some(&targets), &settings.setup.config)?;
        self.tunnel_able(settings, &chosen, Patience::Change)?;
        if !sure && (settings.no_input || !ui::can_ask()) {
            return Err(Error::usage("tunnel rm removes configurations for good, and nobody can be asked")
                .hint("look first with --dry-run, then confirm with --yes")
                .into());
        }
        let plan = self.tunnel_plan(settings, &chosen, Patience::Change).await?;
        self.changes("tunnel list", plan.jobs.iter().map(|job| &job.open));
        let mut doomed = unless_stopped(tunnel::doomed(plan)).await?;
        let names: Vec<String> = doomed.iter().filter_map(tunnel::Doomed::describe).collect();
        if !sure && !names.is_empty() {
            confirm(&format!("remove for good: {}?", names.join(", "))).await?;
        }
        for one in &mut doomed {
            // The time that somebody took to answer is none of the command's.
            one.reopen(&settings.setup)?;
        }
        let dry_run = self.global.dry_run;
        let job = async |out: Emit| tunnel::remove(doomed, dry_run, &out).await;
        self.report(Schema::Tunnel, false, job).await.map(|(exit, _)| exit)
    }

    /// Refuses before any request where a guard forbids changes of the chosen backends.
    fn guard_chosen(&self, settings: &Settings) -> anyhow::Result<()> {
        let names = selection::backends(&settings.setup.config, &settings.choice)?;
        Ok(act::guard(&settings.setup, settings.read_only, &names)?)
    }

    fn able(&self, settings: &Settings, patience: Patience) -> Result<Able> {
        let names = selection::backends(&settings.setup.config, &settings.choice)?;
        Able::sort_out(&settings.setup, &names, patience)
    }

    /// Opens the backends that names are looked up in: those of their prefixes, and of the chosen ones, for names without,
    /// those that keep configurations; gives the names of the latter too.
    fn tunnel_able(&self, settings: &Settings, chosen: &Selection, patience: Patience) -> Result<(Able, Vec<String>)> {
        let config = &settings.setup.config;
        let prefix = |name: &String| {
            let (prefix, _) = name.split_once('/')?;
            config.backends.contains_key(prefix).then(|| prefix.to_owned())
        };
        let prefixes: Vec<Option<String>> = chosen.names.iter().map(prefix).collect();
        let mut able = Able::default();
        let mut bare = Vec::new();
        if prefixes.is_empty() || prefixes.contains(&None) {
            able = Able::sort_out(&settings.setup, &selection::backends(config, &settings.choice)?, patience)?;
            bare = able.names();
        }
        for prefix in prefixes.iter().flatten() {
            // Who names a backend means that one, whatever others can do.
            able.open.extend(Able::sort_out(&settings.setup, std::slice::from_ref(prefix), patience)?.open);
        }
        Ok((able, bare))
    }

    /// Finds the targets where there can be any: a backend that keeps no configurations is asked nothing.
    async fn tunnel_plan(&self, settings: &Settings, chosen: &Selection, patience: Patience) -> anyhow::Result<Plan> {
        let (_, named) = self.tunnel_able(settings, chosen, patience)?;
        let choice = Choice { named, ..Choice::default() };
        Ok(unless_stopped(selection::plan(&settings.setup, &choice, chosen, patience)).await?)
    }

    fn person(&self, settings: &Settings, password: &PasswordFlags) -> Operator {
        let announced = if password.password_stdin { vec![Asked::Password] } else { Vec::new() };
        Operator::new(announced, settings.no_input, self.global.quiet)
    }
}

fn named(targets: &[String], id: bool) -> Targets {
    Targets { targets: targets.to_vec(), id, targets_from: None, shard: None, sort: false }
}

/// Reads the flags and the document that they name; the password comes by itself.
async fn change(flags: &TunnelFlags, until: Option<Instant>) -> Result<TunnelChange> {
    let from_stdin = flags.from_json.as_deref() == Some(Path::new("-"));
    if from_stdin && flags.password.password_stdin {
        return Err(Error::usage("--from-json - and --password-stdin both want standard input")
            .hint("put the password into a file of yours alone, and name it with --password-file"));
    }
    let document = match &flags.from_json {
        Some(path) => Some(document(path, until).await?),
        None => None,
    };
    Ok(TunnelChange {
        kind: flags.kind.clone(),
        name: flags.name.clone(),
        host: flags.host.clone(),
        port: flags.port,
        username: flags.username.clone(),
        password: None,
        mppe: flags.mppe.clone(),
        auth: flags.auth.clone(),
        dns: flags.dns.clone(),
        mtu: flags.mtu,
        document,
        activate: flags.activate,
    })
}

async fn document(path: &Path, until: Option<Instant>) -> Result<SecretDocument> {
    let from_stdin = path == Path::new("-");
    let place = if from_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let wrong = |error| Error::usage(format!("--from-json: {place} can't be read: {error}"));
    let bytes = if from_stdin {
        ui::stdin_bytes().map_err(wrong)?
    } else {
        read_input("--from-json", path, until, wrong).await?
    };
    // What serde_json says of broken syntax has line and column, and quotes nothing.
    let value = serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes))
        .map_err(|error| Error::usage(format!("--from-json: {place} is no JSON: {error}")))?;
    unwrapped(value).map(SecretDocument).map_err(|error| error.context(&format!("--from-json: {place}")))
}

/// Takes the vendor's fields out of what `tunnel show` and `api` print: a report, an item of one, an answer.
fn unwrapped(value: Value) -> Result<Value> {
    let Value::Object(mut object) = value else { return Ok(value) };
    if let (true, Some(items)) = (object.contains_key("schema"), object.get_mut("items").and_then(Value::as_array_mut))
    {
        return match items.len() {
            1 => unwrapped(items.remove(0)),
            count => Err(Error::usage(format!("the report has {count} tunnels, and one is wanted"))
                .hint("show the one that is meant: vpnctl tunnel show NAME -o json")),
        };
    }
    for wrapper in ["config", "result"] {
        let wraps = object.len() == 1 || object.contains_key("target") || object.contains_key("success");
        if wraps && object.get(wrapper).is_some_and(Value::is_object) {
            return Ok(object.remove(wrapper).unwrap_or_default());
        }
    }
    Ok(Value::Object(object))
}

async fn given_password(
    flags: &PasswordFlags,
    person: &Operator,
    until: Option<Instant>,
) -> Result<Option<SecretString>> {
    if flags.password_stdin {
        return person.ask(Asked::Password, "").await.map(Some);
    }
    let Some(path) = &flags.password_file else { return Ok(None) };
    check_private(&format!("--password-file: {}", path.display()), path)?;
    let text = given_text("--password-file", path, until).await?;
    let text = text.expose_secret();
    let mut lines = text.lines();
    let password = lines.next().unwrap_or_default();
    if lines.any(|line| !line.trim().is_empty()) {
        return Err(Error::usage(format!("{} was to hold the password alone, but has several lines", path.display()))
            .hint("a file for OpenVPN has the user first: write the password alone, and the user with --username"));
    }
    if password.is_empty() {
        return Err(Error::usage(format!("{} was to hold the password, but is empty", path.display())));
    }
    Ok(Some(password.into()))
}

/// Refuses a file with keys or passwords that others can read; public certificates may stand in any file.
fn private_if_keys(path: &Path, text: &str) -> Result<()> {
    let text = text.to_ascii_lowercase();
    let holds_keys = ["privatekey", "presharedkey", "private key-----", "static key", "<auth-user-pass>"]
        .iter()
        .any(|word| text.contains(word));
    if holds_keys { check_private(&path.display().to_string(), path) } else { Ok(()) }
}

/// Reads a file that may hold a secret; what is there and is no file may be a pipe, that somebody has to write to.
async fn given_text(key: &str, path: &Path, until: Option<Instant>) -> Result<SecretString> {
    let is_pipe = path.exists() && !path.is_file() && !path.is_dir();
    if is_pipe { read_secret(key, path, until).await } else { text_of(path).map(SecretString::from) }
}

fn text_of(path: &Path) -> Result<String> {
    let wrong = |what: String| Error::usage(format!("{} {what}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| wrong(format!("can't be read: {error}")))?;
    String::from_utf8(bytes).map_err(|_| wrong("is no text in UTF-8".to_owned()))
}
