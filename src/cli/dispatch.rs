//! From a verb to what it does.

use std::future::Future;
use std::pin::pin;

use tokio::sync::mpsc;

use super::args::{Acting, AuthVerb, Cli, ConfigVerb, Global, Targets, Verb};
use super::settings::{self, Environment, Settings};
use crate::app::act::{self, Act};
use crate::app::selection::{self, Plan};
use crate::app::{Emit, Outcome, Patience, Selection, api, auth, backends, emit_failed, list, log, status};
use crate::backend::{Asked, How};
use crate::config::paths;
use crate::error::{Code, Error, Exit, Layer};
use crate::model::Schema;
use crate::render::{Format, Item, Report, fault, sanitize};
use crate::ui::{self, Operator};

/// An error, and the format in which it is told.
pub(super) type Failed = (anyhow::Error, Format);

/// The example configuration, as it stands in the repository.
const EXAMPLE: &str = include_str!("../../config.example.toml");

/// Runs a verb.
pub(super) fn run(cli: Cli) -> Result<Exit, Failed> {
    let Cli { global, verb } = cli;
    let environment = Environment::of_process();
    let format = settings::format(&global, &environment).map_err(|error| (error.into(), Format::Table))?;
    let failed = |error: anyhow::Error| (error, format);
    match &verb {
        Verb::Completion { shell } => return completion(*shell).map_err(failed),
        Verb::Man => return man().map_err(failed),
        _ => {}
    }
    super::start_trace(&global, environment.get("VPNCTL_LOG"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(error.into()))?;
    let command = Command { global: &global, environment, format };
    let ended = runtime.block_on(command.run(verb));
    // A look-up of a name that hangs in a thread must not hold the process.
    runtime.shutdown_background();
    ended.map_err(failed)
}

fn completion(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::command_tree(), "vpnctl", &mut script);
    ui::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}

fn man() -> anyhow::Result<Exit> {
    let mut page = Vec::new();
    clap_mangen::Man::new(super::command_tree()).render(&mut page)?;
    ui::print(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Ok)
}

/// A command that needs a runtime.
struct Command<'a> {
    global: &'a Global,
    environment: Environment,
    format: Format,
}

impl Command<'_> {
    async fn run(mut self, verb: Verb) -> anyhow::Result<Exit> {
        #[cfg(feature = "simulate")]
        if let Verb::Simulate(simulate) = verb {
            return super::simulation::run(&simulate, self.global.quiet).await;
        }
        if self.global.demo
            && matches!(&verb, Verb::Config { verb: ConfigVerb::Init { stdout: false } | ConfigVerb::Path })
        {
            return Err(Error::usage("the demonstration has no configuration that lasts; leave --demo out")
                .hint("to see the example: vpnctl config init --stdout")
                .into());
        }
        if let Verb::Config { verb: ConfigVerb::Init { stdout } } = &verb {
            return self.init(*stdout);
        }
        if let Verb::Config { verb: ConfigVerb::Path } = &verb {
            return self.path();
        }
        #[cfg(feature = "simulate")]
        let demo = if self.global.demo { Some(super::simulation::Demo::start().await?) } else { None };
        #[cfg(feature = "simulate")]
        let settings = match &demo {
            Some(demo) => {
                self.environment = std::mem::take(&mut self.environment).for_demo();
                demo.settings(self.global, &self.environment)?
            }
            None => settings::resolve(self.global, &self.environment)?,
        };
        #[cfg(not(feature = "simulate"))]
        if self.global.demo {
            return Err(Error::new(Code::Unsupported, Layer::Usage, "this build has no simulators").into());
        }
        #[cfg(not(feature = "simulate"))]
        let settings = settings::resolve(self.global, &std::mem::take(&mut self.environment))?;
        self.verb(verb, &settings).await
    }

    async fn verb(&self, verb: Verb, settings: &Settings) -> anyhow::Result<Exit> {
        match verb {
            Verb::Status { targets, reading } => self.status(settings, &targets, reading.live, reading.native).await,
            Verb::List { sort, .. } => self.list(settings, sort).await,
            Verb::Connect(acting) => self.act(settings, act::Verb::Connect, &acting).await,
            Verb::Disconnect(acting) => self.act(settings, act::Verb::Disconnect, &acting).await,
            Verb::Reconnect(acting) => self.act(settings, act::Verb::Reconnect, &acting).await,
            Verb::Auth { verb } => self.auth(settings, &verb).await,
            Verb::Log { follow, lines } => self.log(settings, follow, lines).await,
            Verb::Api { method, path, data } => self.api(settings, &method, &path, data.as_deref()).await,
            Verb::Backends { matrix } => {
                let job = async |out: Emit| match matrix.then(|| backends::matrix(&out)) {
                    None => backends::run(&settings.setup, &out),
                    Some(Ok(())) => {}
                    Some(Err(error)) => emit_failed(&out, None, error),
                };
                self.report(Schema::Backends, false, job).await.map(|(exit, _)| exit)
            }
            Verb::Config { verb: ConfigVerb::Validate } => self.validate(settings),
            Verb::Config { .. } => {
                let job = async |out: Emit| crate::app::settings::show(&settings.setup.config, &out);
                self.report(Schema::Config, false, job).await.map(|(exit, _)| exit)
            }
            // Answered before a runtime was needed.
            _ => Ok(Exit::Ok),
        }
    }

    async fn plan(
        &self,
        settings: &Settings,
        targets: Option<&Targets>,
        patience: Patience,
    ) -> anyhow::Result<(Plan, Selection)> {
        let chosen = settings::selection(self.global, targets, &settings.setup.config)?;
        let plan = unless_stopped(selection::plan(&settings.setup, &settings.choice, &chosen, patience)).await?;
        Ok((plan, chosen))
    }

    async fn status(&self, settings: &Settings, targets: &Targets, live: bool, native: bool) -> anyhow::Result<Exit> {
        settings::shape(self.global, self.format, Schema::Status)?;
        let (plan, _) = self.plan(settings, Some(targets), Patience::Read).await?;
        let reading = status::Reading { live, native };
        let job = async |out: Emit| status::run(plan, reading, &out).await;
        let (exit, summary) = self.report(Schema::Status, targets.sort, job).await?;
        let connected = summary.by_state.get("connected").copied().unwrap_or(0);
        let no = self.global.exit_code && exit == Exit::Ok && (connected < summary.total || summary.total == 0);
        Ok(if no { Exit::No } else { exit })
    }

    async fn list(&self, settings: &Settings, sort: bool) -> anyhow::Result<Exit> {
        settings::shape(self.global, self.format, Schema::List)?;
        let chosen = settings::selection(self.global, None, &settings.setup.config)?;
        let unfiltered = Selection { all: chosen.all, ..Selection::default() };
        let plan = selection::plan(&settings.setup, &settings.choice, &unfiltered, Patience::Read).await?;
        let job = async |out: Emit| list::run(plan, &chosen, &out).await;
        let (exit, summary) = self.report(Schema::List, sort, job).await?;
        if exit == Exit::Ok && summary.total == 0 && chosen.filters() {
            return Err(selection::empty(&chosen).into());
        }
        Ok(exit)
    }

    async fn act(&self, settings: &Settings, verb: act::Verb, acting: &Acting) -> anyhow::Result<Exit> {
        settings::shape(self.global, self.format, Schema::Action)?;
        self.guard(settings, &acting.targets)?;
        let (mut plan, chosen) = self.plan(settings, Some(&acting.targets), Patience::Change).await?;
        unless_stopped(act::fill_in(&mut plan, verb, &chosen)).await?;
        self.confirm(settings, verb, &plan, &chosen)?;
        let act = Act {
            verb,
            wait: !acting.no_wait,
            switch: acting.switch,
            dry_run: self.global.dry_run,
            how: How { wake: acting.wake },
            interval: settings.setup.limits.interval,
        };
        let job = async |out: Emit| act::run(plan, act, &out).await;
        self.report(Schema::Action, acting.targets.sort, job).await.map(|(exit, _)| exit)
    }

    /// Refuses before any request where a guard forbids changes.
    fn guard(&self, settings: &Settings, targets: &Targets) -> anyhow::Result<()> {
        let config = &settings.setup.config;
        let mut touched: Vec<String> = targets
            .targets
            .iter()
            .filter_map(|name| name.split_once('/').map(|(prefix, _)| prefix.to_owned()))
            .filter(|prefix| config.backends.contains_key(prefix))
            .collect();
        if touched.len() < targets.targets.len() || targets.targets.is_empty() {
            touched.extend(selection::backends(config, &settings.choice)?);
        }
        Ok(act::guard(&settings.setup, settings.read_only, &touched)?)
    }

    /// Asks before a mass change; where nobody can be asked, `--yes` has to be there.
    fn confirm(&self, settings: &Settings, verb: act::Verb, plan: &Plan, chosen: &Selection) -> anyhow::Result<()> {
        let count = plan.jobs.len();
        if !chosen.is_mass() || count < 2 || self.global.yes || self.global.dry_run {
            return Ok(());
        }
        if settings.no_input || !ui::can_ask() {
            return Err(Error::usage(format!(
                "{} would act on {count} targets, and nobody can be asked",
                verb.as_str()
            ))
            .hint("look first with --dry-run, then confirm with --yes")
            .into());
        }
        if ui::confirm(&format!("{} {count} targets?", verb.as_str()))? {
            return Ok(());
        }
        Err(Error::usage("not confirmed; nothing was changed").into())
    }

    async fn auth(&self, settings: &Settings, verb: &AuthVerb) -> anyhow::Result<Exit> {
        let mut announced = Vec::new();
        let verb = match verb {
            AuthVerb::Login { otp_stdin, api_key_stdin, password_stdin } => {
                let flags =
                    [(*password_stdin, Asked::Password), (*api_key_stdin, Asked::ApiKey), (*otp_stdin, Asked::Otp)];
                announced.extend(flags.iter().filter(|(given, _)| *given).map(|(_, asked)| *asked));
                auth::Verb::Login
            }
            AuthVerb::Logout => auth::Verb::Logout,
            AuthVerb::Status => auth::Verb::Status,
        };
        settings::shape(self.global, self.format, Schema::Auth)?;
        let person = Operator::new(announced, settings.no_input, self.global.quiet);
        let patience = if verb == auth::Verb::Login { Patience::Login } else { Patience::Read };
        let (plan, _) = self.plan(settings, None, patience).await?;
        let job = async |out: Emit| auth::run(plan, verb, &person, &out).await;
        // One login that is missing or expired is what `auth status` is there to tell.
        let outcome = if verb == auth::Verb::Status { Outcome::default().of_any() } else { Outcome::default() };
        self.report_as(outcome, Schema::Auth, false, job).await.map(|(exit, _)| exit)
    }

    async fn log(&self, settings: &Settings, follow: bool, last: Option<usize>) -> anyhow::Result<Exit> {
        let patience = if follow { Patience::Fleet } else { Patience::Read };
        let (plan, _) = self.plan(settings, None, patience).await?;
        let reading = log::Reading { last, follow, interval: settings.setup.limits.interval };
        let job = async |out: Emit| log::run(plan, reading, &out).await;
        self.report(Schema::Log, false, job).await.map(|(exit, _)| exit)
    }

    async fn api(&self, settings: &Settings, method: &str, path: &str, data: Option<&str>) -> anyhow::Result<Exit> {
        let backend = match selection::backends(&settings.setup.config, &settings.choice)?.as_slice() {
            [one] => one.clone(),
            several => {
                let names = several.join(", ");
                return Err(Error::usage(format!("a raw call goes to one backend, not to {names}"))
                    .hint("choose one with -b")
                    .into());
            }
        };
        if !api::is_read(method)? {
            act::guard(&settings.setup, settings.read_only, std::slice::from_ref(&backend))?;
        }
        let body = data.map(settings::body).transpose()?;
        let chosen = &settings.setup.config.backends[&backend];
        let open = settings.setup.open(chosen, Patience::Read).map_err(|error| error.backend(&backend))?;
        match unless_stopped(api::run(&open, method, path, body)).await {
            Ok(answer) => ui::print_bytes(&answer)?,
            Err(error) => {
                ui::print_bytes(error.answer())?;
                return Err(error.into());
            }
        }
        Ok(Exit::Ok)
    }

    fn init(&self, stdout: bool) -> anyhow::Result<Exit> {
        if stdout {
            ui::print(EXAMPLE)?;
            return Ok(Exit::Ok);
        }
        let (named, usual) = settings::config_paths(self.global, &self.environment);
        let path = named
            .or(usual)
            .ok_or_else(|| Error::config("this system has no place for a configuration; name one with --config"))?;
        if path.exists() {
            return Err(Error::new(
                Code::ConflictExists,
                Layer::Config,
                format!("{} is there already and was left as it is", path.display()),
            )
            .hint("print the example with: vpnctl config init --stdout")
            .into());
        }
        let folder = path.parent().unwrap_or(std::path::Path::new("."));
        std::fs::create_dir_all(folder)?;
        // A temporary file is made with mode 0600, for secrets may be written into it.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, EXAMPLE.as_bytes())?;
        file.persist_noclobber(&path)?;
        ui::print(&format!("{}\n", path.display()))?;
        Ok(Exit::Ok)
    }

    fn path(&self) -> anyhow::Result<Exit> {
        let (named, usual) = settings::config_paths(self.global, &self.environment);
        let path = named.or(usual).or_else(paths::config_file);
        let path =
            path.ok_or_else(|| Error::config("this system has no place for a configuration; name one with --config"))?;
        ui::print(&format!("{}\n", sanitize::line(&path.display().to_string())))?;
        Ok(Exit::Ok)
    }

    fn validate(&self, settings: &Settings) -> anyhow::Result<Exit> {
        let count = crate::app::settings::validate(&settings.setup)?;
        if !self.global.quiet {
            let file = settings.setup.config.file.as_ref();
            let place = file.map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
            ui::tell(&format!("{}: ok, {count} backends", sanitize::line(&place)));
        }
        Ok(Exit::Ok)
    }

    /// Runs a job that emits items, writes them as they come, and tells what failed.
    async fn report<F, Fut>(&self, schema: Schema, sort: bool, job: F) -> anyhow::Result<(Exit, crate::model::Summary)>
    where
        F: FnOnce(Emit) -> Fut,
        Fut: Future<Output = ()>,
    {
        self.report_as(Outcome::default(), schema, sort, job).await
    }

    /// Runs a job as [`Self::report`] does; `outcome` says how its failures make one.
    async fn report_as<F, Fut>(
        &self,
        mut outcome: Outcome,
        schema: Schema,
        sort: bool,
        job: F,
    ) -> anyhow::Result<(Exit, crate::model::Summary)>
    where
        F: FnOnce(Emit) -> Fut,
        Fut: Future<Output = ()>,
    {
        let shape = settings::shape(self.global, self.format, schema)?;
        let mut report = Report::new(ui::stdout(), schema, &shape);
        let mut kept: Vec<(Item, Option<Code>)> = Vec::new();
        let (sender, mut receiver) = mpsc::unbounded_channel::<(Option<Item>, Option<Error>)>();
        let write = async {
            while let Some((item, error)) = receiver.recv().await {
                outcome.count(error.as_ref());
                let code = error.map(|error| error.code());
                match item {
                    Some(item) if sort => kept.push((item, code)),
                    // What went well and has no item, such as an empty list, is nothing to count.
                    None if code.is_none() => {}
                    item => report.item(item, code)?,
                }
            }
            Ok::<_, std::io::Error>(())
        };
        let stopped = alongside(job(sender), write).await?;
        kept.sort_by_cached_key(|(item, _)| place(item));
        for (item, code) in kept {
            report.item(Some(item), code)?;
        }
        report.finish()?;
        if let Some(exit) = stopped {
            return Err(stopped_by(exit).into());
        }
        if report.summary().total == 0 && outcome.verdict().is_none() && !self.global.quiet && shape.is_for_people() {
            ui::tell("nothing to show");
        }
        Ok((self.told(&outcome), report.summary().clone()))
    }

    /// Tells the failures of a run: each to people, one object to scripts.
    fn told(&self, outcome: &Outcome) -> Exit {
        let Some(verdict) = outcome.verdict() else { return Exit::Ok };
        let (failures, more) = outcome.failures();
        if !self.format.is_json() && outcome.total() > 1 {
            for error in failures {
                fault::text(error).iter().for_each(|line| ui::tell(line));
            }
            if more > 0 {
                ui::tell(&format!("error: and {more} more"));
            }
            if verdict.code() == Code::Partial {
                ui::tell(&format!("error: {}", sanitize::line(verdict.message())));
            }
            if self.format == Format::Value {
                ui::tell(verdict.code().as_str());
            }
        } else {
            fault::lines(&verdict, self.format).iter().for_each(|line| ui::tell(line));
        }
        verdict.exit()
    }
}

/// Runs a job and what writes its items side by side, until both are done, nobody reads any more, or a signal comes;
/// gives the signal's code.
async fn alongside(
    job: impl Future<Output = ()>,
    write: impl Future<Output = std::io::Result<()>>,
) -> std::io::Result<Option<Exit>> {
    let (mut job, mut write, mut signal) = (pin!(job), pin!(write), pin!(interrupted()));
    let mut done = false;
    loop {
        tokio::select! {
            biased;
            written = &mut write => return written.map(|()| None),
            exit = &mut signal => return Ok(Some(exit)),
            () = &mut job, if !done => done = true,
        }
    }
}

/// Runs something before the first item, unless a signal comes.
async fn unless_stopped<T>(work: impl Future<Output = crate::error::Result<T>>) -> crate::error::Result<T> {
    tokio::select! {
        done = work => done,
        exit = interrupted() => Err(stopped_by(exit)),
    }
}

fn stopped_by(exit: Exit) -> Error {
    Error::new(Code::Interrupted, Layer::Usage, "interrupted; what was asked for may go on at the vendor")
        .with_exit(exit)
        .hint("look with: vpnctl status")
}

/// Sorts by backend, then name.
fn place(item: &Item) -> (String, String, String) {
    let text =
        |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let target = item.get("target");
    (
        text(item.get("backend")),
        text(target.and_then(|target| target.get("name"))),
        text(target.and_then(|target| target.get("id"))),
    )
}

/// Waits for a signal that ends the command.
pub(super) async fn interrupted() -> Exit {
    Signals::listen().next().await
}

/// The signals that end a command, caught from the moment that this is made.
#[derive(Debug)]
pub(super) struct Signals {
    #[cfg(unix)]
    caught: Option<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)>,
}

impl Signals {
    /// Begins to catch them.
    pub(super) fn listen() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let both = signal(SignalKind::interrupt()).ok().zip(signal(SignalKind::terminate()).ok());
            Self { caught: both }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// Waits for one; where none can be caught, the system's own way of ending is left.
    pub(super) async fn next(&mut self) -> Exit {
        #[cfg(unix)]
        match &mut self.caught {
            Some((interrupt, terminate)) => tokio::select! {
                _ = interrupt.recv() => Exit::Interrupted,
                _ = terminate.recv() => Exit::Terminated,
            },
            None => std::future::pending().await,
        }
        #[cfg(not(unix))]
        match tokio::signal::ctrl_c().await {
            Ok(()) => Exit::Interrupted,
            Err(_) => std::future::pending().await,
        }
    }
}
