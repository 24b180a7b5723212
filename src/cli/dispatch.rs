//! From a verb to what it does.

use std::cell::Cell;
use std::time::Instant;

use super::args::{Cli, ConfigVerb, Global, Verb};
use super::retrying::Recorder;
use super::settings::{self, Environment, Settings};
use super::verbs::help;
use super::{completion, manual};
use crate::app::{Underway, act};
use crate::config::variables;
#[cfg(not(feature = "simulate"))]
use crate::error::{Code, Layer};
use crate::error::{Error, Exit};
use crate::render::Format;
use crate::render::jq::Filter;
use crate::ui;

/// An error, and the format in which it is told.
pub(super) type Failed = (anyhow::Error, Format);

/// Runs a verb; `wanted` is the format in which it is told that there is none.
pub(super) fn run(cli: Cli, wanted: Format) -> Result<Exit, Failed> {
    let started = Instant::now();
    let Cli { global, verb } = cli;
    let environment = Environment::of_process();
    let wanted = if global.jq.is_some() && wanted != Format::Nagios { Format::Json } else { wanted };
    let format = settings::format(&global, &environment, &verb).map_err(|error| (error.into(), wanted))?;
    let failed = |error: anyhow::Error| (error, format);
    let filter = filter(&global, &verb).map_err(failed)?;
    match &verb {
        Verb::Completion { shell } => return print(&completion::script(*shell)).map_err(failed),
        Verb::Man => {
            return manual::page().map_err(anyhow::Error::from).and_then(|page| print(&page)).map_err(failed);
        }
        Verb::Help(asked) => return help::help(&asked.words, global.color).map_err(failed),
        _ => {}
    }
    super::start_trace(&global, environment.get(variables::LOG));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(error.into()))?;
    let command = Command {
        global: &global,
        environment,
        format,
        filter,
        started,
        underway: Underway::default(),
        record: Cell::default(),
        look: Cell::default(),
    };
    let ended = runtime.block_on(command.run(verb));
    // A look-up of a name that hangs in a thread must not hold the process.
    runtime.shutdown_background();
    ended.map_err(failed)
}

/// Compiles the expression of `--jq`, before anything is asked of anybody.
fn filter(global: &Global, verb: &Verb) -> anyhow::Result<Cell<Option<Filter>>> {
    let Some(expression) = &global.jq else { return Ok(Cell::new(None)) };
    if !verb.prints_items() {
        return Err(Error::usage("this command prints no JSON document, so --jq has nothing to work on")
            .hint("leave --jq out")
            .into());
    }
    let filter = Filter::start(expression, ui::stdout(), ui::stdout_is_terminal())?;
    Ok(Cell::new(Some(filter)))
}

fn print(text: &str) -> anyhow::Result<Exit> {
    ui::print(text)?;
    Ok(Exit::Ok)
}

/// A command that needs a runtime.
pub(super) struct Command<'a> {
    pub(super) global: &'a Global,
    pub(super) environment: Environment,
    pub(super) format: Format,
    /// What `--jq` makes of the document, until the document is there.
    pub(super) filter: Cell<Option<Filter>>,
    pub(super) started: Instant,
    /// What is told of targets whose end is still waited for where a signal comes.
    pub(super) underway: Underway,
    /// Where what fails is written down for `--retry-failed`, until the run begins.
    pub(super) record: Cell<Option<Recorder>>,
    /// The command that shows what came of a change where a signal ends this one; nothing for as long as none is made.
    pub(super) look: Cell<Option<String>>,
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
        if let Verb::Schema(documented) = &verb {
            return self.schema(documented).await;
        }
        if let Verb::Config { verb: ConfigVerb::Path } = &verb {
            return self.path();
        }
        if let Verb::Doctor(doctoring) = &verb
            && !self.global.demo
        {
            return self.doctor_of_all(doctoring).await;
        }
        #[cfg(feature = "simulate")]
        let demo = if self.global.demo { Some(super::simulation::Demo::start().await?) } else { None };
        #[cfg(feature = "simulate")]
        let mut settings = match &demo {
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
        let mut settings = settings::resolve(self.global, &std::mem::take(&mut self.environment))?;
        settings.setup.recursive = verb.is_recursive();
        settings.setup.native = verb.shows_native();
        settings.setup.live = verb.is_live();
        self.verb(verb, &settings).await
    }

    async fn verb(&self, verb: Verb, settings: &Settings) -> anyhow::Result<Exit> {
        match verb {
            Verb::Status { targets, reading } => self.status(settings, &targets, reading).await,
            Verb::List { reading, sort } => self.list(settings, reading, sort).await,
            Verb::Connect(acting) => self.act(settings, act::Verb::Connect, &acting).await,
            Verb::Disconnect(acting) => self.act(settings, act::Verb::Disconnect, &acting).await,
            Verb::Reconnect(acting) => self.act(settings, act::Verb::Reconnect, &acting).await,
            Verb::Wait(waiting) => self.wait(settings, &waiting).await,
            Verb::Watch(watching) => self.watch(settings, &watching).await,
            Verb::Check(checking) => self.check(settings, &checking).await,
            Verb::With(with) => self.with(settings, &with).await,
            Verb::Auth { verb } => self.auth(settings, &verb).await,
            Verb::Log { target, follow, lines } => self.log(settings, target, follow, lines).await,
            Verb::Tunnel { verb } => self.tunnel(settings, &verb).await,
            Verb::Settings { verb } => self.client_settings(settings, &verb).await,
            Verb::Trust { verb } => self.trust(settings, verb).await,
            Verb::Api { method, path, data } => self.api(settings, &method, &path, data.as_deref()).await,
            Verb::Backends { discover: true, .. } => self.discover(settings).await,
            Verb::Backends { matrix, .. } => self.backends(settings, matrix).await,
            Verb::Doctor(doctoring) => self.doctor(settings.clone(), &doctoring, None).await,
            Verb::Serve { verb } => self.serve(settings, &verb).await,
            Verb::Config { verb: ConfigVerb::Validate } => self.validate(settings),
            Verb::Config { .. } => self.config_show(settings).await,
            // Answered before a runtime was needed.
            _ => Ok(Exit::Ok),
        }
    }
}
