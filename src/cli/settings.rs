//! Flags over environment over file: one resolved struct for a command.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::args::{Global, Targets, Verb};
use super::documents::fields;
use crate::app::limit::MaxFailures;
use crate::app::{Choice, Limits, Selection, Setup, selection, shard};
use crate::backend::registry;
use crate::config::schema::{nearest, read_bool, read_duration};
use crate::config::{self, Config, Origin, Sources, paths, variables};
use crate::error::{Error, Result};
use crate::model::Schema;
use crate::model::threshold::Thresholds;
use crate::render::{Format, Shape};
use crate::state::Folder;
use crate::ui;

/// The variables of contract section 7. It has no `Debug`, for some hold secrets.
#[derive(Default)]
pub(super) struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// Takes the variables of the process that are vpnctl's.
    pub(super) fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("VPNCTL_"))
            .collect();
        Self { variables }
    }

    /// Leaves out what `--demo` must not see: configuration, state and backends.
    #[cfg(feature = "simulate")]
    pub(super) fn for_demo(mut self) -> Self {
        let kept = |name: &str| {
            !(name.starts_with(variables::BACKEND) || name == variables::CONFIG || name == variables::STATE_DIR)
        };
        self.variables.retain(|name, _| kept(name));
        self
    }

    /// Gives a variable that holds something.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn is_on(&self, name: &str) -> Result<bool> {
        match self.get(name) {
            Some(text) => {
                read_bool(text).ok_or_else(|| Error::usage(format!("${name} is neither true nor false: `{text}`")))
            }
            None => Ok(false),
        }
    }
}

/// What a command runs with.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) setup: Setup,
    pub(super) choice: Choice,
    pub(super) read_only: bool,
    pub(super) no_input: bool,
}

/// Gives the output format, from flags, then the environment, then what the verb usually has.
pub(super) fn format(global: &Global, environment: &Environment, verb: &Verb) -> Result<Format> {
    // What it serves has one format, and a variable for all commands is not meant for a server.
    if matches!(verb, Verb::Serve { .. }) && global.jq.is_none() && global.output.is_none() && !global.json {
        return Ok(Format::default());
    }
    let of_check = match verb {
        Verb::Check(checking) => checking.format,
        _ => None,
    };
    if of_check.is_some() && (global.json || global.output.is_some()) {
        return Err(Error::usage("--format and -o are the same; both are given").hint("give one of them"));
    }
    if global.jq.is_some() {
        return filtered_format(of_check.or(global.output), !global.json && verb.is_endless());
    }
    let Verb::Check(_) = verb else {
        let format = asked_format(global, environment)?.unwrap_or_default();
        if !format.is_of_check() {
            return Ok(format);
        }
        let name = <Format as clap::ValueEnum>::to_possible_value(&format);
        let name = name.as_ref().map_or("text", clap::builder::PossibleValue::get_name);
        return Err(Error::usage(format!("only `check` has verdicts to print as {name}"))
            .hint(format!("run: vpnctl check -o {name}, or choose another format with -o")));
    };
    let asked = match of_check {
        Some(format) => Some(format),
        None => asked_format(global, environment)?,
    };
    // Fields are columns, and a line of text has none.
    let usual = if global.fields.is_empty() { Format::Text } else { Format::Table };
    let format = asked.unwrap_or(usual);
    if format.is_of_check() && !global.fields.is_empty() {
        return Err(Error::usage("--fields does not go with the formats that only `check` has")
            .hint("choose another one, such as: -o table, or leave --fields out"));
    }
    Ok(format)
}

/// Gives the format that `--jq` works on.
fn filtered_format(asked: Option<Format>, endless: bool) -> Result<Format> {
    match asked {
        // A document that never ends is never there to be filtered; each of its lines is.
        None if endless => Ok(Format::Ndjson),
        None | Some(Format::Json) => Ok(Format::Json),
        Some(Format::Ndjson) => Ok(Format::Ndjson),
        Some(_) => Err(Error::usage("--jq works on JSON: it goes with -o json and -o ndjson only")
            .hint("leave -o out; `-r` of jq is what --jq does by itself")),
    }
}

fn asked_format(global: &Global, environment: &Environment) -> Result<Option<Format>> {
    if global.json {
        return Ok(Some(Format::Json));
    }
    if let Some(format) = global.output {
        return Ok(Some(format));
    }
    match environment.get(variables::OUTPUT) {
        Some(text) => <Format as clap::ValueEnum>::from_str(text, false).map(Some).map_err(|_| {
            Error::usage(format!("$VPNCTL_OUTPUT is no output format: `{text}`")).hint("see: vpnctl --help")
        }),
        None => Ok(None),
    }
}

/// Says how a report is written; refuses fields that its items don't have.
pub(super) fn shape(global: &Global, format: Format, schema: Schema) -> Result<Shape> {
    let known = if global.fields.is_empty() { Vec::new() } else { fields(schema) };
    for field in &global.fields {
        // What lies below these is the vendor's or the user's.
        let open = ["native", "labels", "capabilities", "settings", "config"]
            .iter()
            .any(|root| field.starts_with(&format!("{root}.")));
        if !open && !known.contains(&field.as_str()) {
            let error = Error::usage(format!("`{}` items have no field `{field}`", schema.name()));
            return Err(match nearest(field, known.iter().copied()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("they have {}", schema.columns().join(", "))),
            });
        }
    }
    Ok(Shape {
        format,
        fields: global.fields.clone(),
        no_header: global.no_header,
        color: global.color.on_stdout(),
        pretty: ui::stdout_is_terminal(),
        thresholds: Thresholds::default(),
    })
}

/// Gives the configuration file that was named, and the usual one.
pub(super) fn config_paths(global: &Global, environment: &Environment) -> (Option<PathBuf>, Option<PathBuf>) {
    let named = global.config.clone().or_else(|| environment.get(variables::CONFIG).map(PathBuf::from));
    (named, paths::config_file())
}

/// Reads the configuration and resolves everything else.
pub(super) fn resolve(global: &Global, environment: &Environment) -> Result<Settings> {
    let (named, usual) = config_paths(global, environment);
    let limit = timeout(global, environment)?.filter(|limit| !limit.is_zero());
    let until = limit.and_then(|limit| Instant::now().checked_add(limit));
    let sources = Sources { named, usual, variables: environment.variables.clone(), until };
    let config = config::load(&sources, &registry::keys())?;
    let state = environment.get(variables::STATE_DIR).map(PathBuf::from).or_else(paths::state_folder);
    with_config(global, environment, config, state.as_deref())
}

/// Resolves everything but a configuration that can't be read, for who tells what is wrong with it.
pub(super) fn without_config(global: &Global, environment: &Environment) -> Result<Settings> {
    let (named, usual) = config_paths(global, environment);
    let config =
        Config { file: named.or(usual), default_backend: None, backends: BTreeMap::new(), groups: BTreeMap::new() };
    let state = environment.get(variables::STATE_DIR).map(PathBuf::from).or_else(paths::state_folder);
    with_config(global, environment, config, state.as_deref())
}

/// Gives the bound of the whole command, where one is given; zero is none.
pub(super) fn timeout(global: &Global, environment: &Environment) -> Result<Option<Duration>> {
    match (global.timeout, environment.get(variables::TIMEOUT)) {
        (None, Some(text)) => {
            read_duration(text).map(Some).map_err(|why| Error::usage(format!("$VPNCTL_TIMEOUT {why}")))
        }
        (flag, _) => Ok(flag),
    }
}

/// Gives how many failures end a run.
pub(super) fn max_failures(global: &Global) -> Option<MaxFailures> {
    if global.fail_fast { Some(MaxFailures::Count(1)) } else { global.max_failures }
}

/// Resolves everything but the configuration, which is given.
pub(super) fn with_config(
    global: &Global,
    environment: &Environment,
    mut config: Config,
    state: Option<&Path>,
) -> Result<Settings> {
    if let Some(name) = environment.get(variables::BACKEND) {
        // So that `config show` tells which one won.
        config.default_backend = Some((name.to_owned(), Origin::Environment(variables::BACKEND.to_owned())));
    }
    let timeout = timeout(global, environment)?;
    let limits = Limits {
        timeout,
        request_timeout: global.request_timeout.filter(|time| !time.is_zero()),
        interval: global.interval,
        jobs: global.jobs.map(usize::from),
        rate: global.rate,
        max_failures: max_failures(global),
    };
    Ok(Settings {
        setup: Setup {
            config,
            folder: Folder::new(state.map(Path::to_owned)),
            limits,
            recursive: false,
            native: false,
            live: false,
            on_loopback: global.demo,
            observer: None,
        },
        choice: Choice {
            named: global.backend.clone(),
            all: global.all,
            environment: environment.get(variables::BACKEND).map(str::to_owned),
        },
        read_only: global.read_only || environment.is_on(variables::READ_ONLY)?,
        no_input: global.no_input || environment.is_on(variables::NO_INPUT)?,
    })
}

/// Reads which targets are meant.
pub(super) fn selection(global: &Global, targets: Option<&Targets>, config: &Config) -> Result<Selection> {
    let mut labels = Vec::new();
    for selector in &global.selector {
        labels.extend(selection::conditions(selector, config)?);
    }
    let shard = targets.and_then(|targets| targets.shard).map(|asked| {
        let index = std::env::var(shard::INDEX).ok();
        asked.settle(index.as_deref())
    });
    Ok(Selection {
        names: targets.map(|targets| targets.targets.clone()).unwrap_or_default(),
        by_id: targets.is_some_and(|targets| targets.id),
        labels,
        state: global.state,
        file: targets.and_then(|targets| targets.targets_from.clone()),
        shard: shard.transpose()?,
        all: global.all,
    })
}

/// Reads the body of a raw call: written out, from a file (`@FILE`), or from standard input (`-`).
pub(super) async fn body(data: &str, until: Option<Instant>) -> Result<Vec<u8>> {
    let unreadable =
        |what: &str, error: std::io::Error| Error::usage(format!("the body can't be read from {what}: {error}"));
    match data.strip_prefix('@') {
        Some(path) => config::read_input("--data", Path::new(path), until, |error| unreadable(path, error)).await,
        None if data == "-" => ui::stdin_bytes().map_err(|error| unreadable("standard input", error)),
        None => Ok(data.as_bytes().to_vec()),
    }
}
