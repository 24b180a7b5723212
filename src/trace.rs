//! Warnings and traces on standard error.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::render::sanitize;
use crate::ui;

/// Says how the trace is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts the trace: warnings by default, more with each `-v`, errors only with `-q`; `VPNCTL_LOG` overrides.
pub fn start(quiet: bool, verbose: u8, format: LogFormat, log: Option<&str>) {
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    let targets = log
        .and_then(|log| log.parse::<Targets>().ok())
        // The trace of libraries can hold what ours never does, such as headers.
        .unwrap_or_else(|| Targets::new().with_target("vpnctl", level));
    let registry = tracing_subscriber::registry().with(targets);
    // A second start in one process, as in tests, changes nothing.
    let _ = match format {
        LogFormat::Text => {
            let layer = tracing_subscriber::fmt::layer().with_writer(ui::stderr).event_format(Plain);
            // Where standard error is gone it would panic, and leave undone what has to be restored.
            let layer = layer.log_internal_errors(false);
            registry.with(layer).try_init()
        }
        LogFormat::Json => {
            let layer =
                tracing_subscriber::fmt::layer().with_writer(ui::stderr).json().flatten_event(true).without_time();
            let layer = layer.log_internal_errors(false).map_event_format(Escaped);
            registry.with(layer).try_init()
        }
    };
}

/// Writes `warning: what happened`, as the other lines of standard error are written.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let word = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let mut text = String::new();
        context.field_format().format_fields(Writer::new(&mut text), event)?;
        writeln!(writer, "{word}: {}", sanitize::line(&text))
    }
}

/// Writes JSON as another format does, with escapes for what JSON lets pass and a terminal does not.
struct Escaped<F>(F);

impl<S, N, F> FormatEvent<S, N> for Escaped<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut text = String::new();
        self.0.format_event(context, Writer::new(&mut text), event)?;
        writer.write_str(&sanitize::json(&text))
    }
}
