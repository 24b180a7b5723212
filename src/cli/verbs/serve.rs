//! `serve`: endpoints that Prometheus scrapes.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::app::Setup;
use crate::app::serve::{Listener, Pages, Place, metrics, probe};
use crate::cli::args::{ServeVerb, Targets};
use crate::cli::dispatch::Command;
use crate::cli::report::Signals;
use crate::cli::settings::{self, Settings};
use crate::error::{Code, Error, Exit, Layer, Result};
use crate::trace::LogFormat;
use crate::ui;

impl Command<'_> {
    pub(in crate::cli) async fn serve(&self, settings: &Settings, verb: &ServeVerb) -> anyhow::Result<Exit> {
        self.refuse_what_means_nothing(verb)?;
        match verb {
            ServeVerb::Metrics { targets, listen } => self.serve_metrics(settings, targets, *listen).await,
            ServeVerb::Probe(probing) => self.serve_probe(settings, probing.listen).await,
        }
    }

    async fn serve_metrics(&self, settings: &Settings, targets: &Targets, listen: Place) -> anyhow::Result<Exit> {
        let selection = settings::selection(self.global, Some(targets), &settings.setup.config)?;
        let mut exporter = metrics::Exporter::new(unbounded(settings), &settings.choice, &selection)?;
        let listener = Listener::bind(listen, "serve metrics").await?;
        let mut signals = Signals::listen();
        self.tell_place(&listener, "/metrics");
        let mut readers = exporter.start();
        let over = async {
            tokio::select! {
                error = over(self.global.timeout) => error,
                error = readers.selects_nothing() => error,
            }
        };
        let (exit, ended) = until_signal(over, listener, exporter.pages(), &mut signals).await;
        if ended {
            // A reader that hangs ends with the process.
            let bounded = tokio::time::timeout(LAST, readers.end());
            tokio::select! {
                _ = bounded => {}
                _ = signals.next() => {}
            }
        }
        Ok(exit?)
    }

    async fn serve_probe(&self, settings: &Settings, listen: Place) -> anyhow::Result<Exit> {
        let exporter = probe::Exporter::new(unbounded(settings), &settings.choice)?;
        let listener = Listener::bind(listen, "serve probe").await?;
        let mut signals = Signals::listen();
        self.tell_place(&listener, "/probe");
        Ok(until_signal(over(self.global.timeout), listener, exporter.pages(), &mut signals).await.0?)
    }

    /// Tells where it listens, for people and for scripts that let the system choose the port.
    fn tell_place(&self, listener: &Listener, path: &str) {
        if !listener.is_on_loopback() {
            tracing::warn!("there is no authentication: everybody who can reach {} can read it", listener.url("/"));
        }
        let url = listener.url(path);
        let told = format!("listening on {url}");
        // Where the system chose the port, nothing else tells it, so it is told with -q too.
        ui::tell(&match self.global.log_format {
            LogFormat::Text => told,
            LogFormat::Json => {
                serde_json::json!({ "level": "INFO", "message": told, "target": "vpnctl::serve", "url": url })
                    .to_string()
            }
        });
    }

    /// Refuses flags that choose or shape what this verb does not print.
    fn refuse_what_means_nothing(&self, verb: &ServeVerb) -> Result<()> {
        let global = self.global;
        let probes = matches!(verb, ServeVerb::Probe(_));
        let refused = [
            // JSON is how its own failures are told.
            (
                global.output.is_some_and(|format| !format.is_json()),
                "-o",
                "what it serves has the format of Prometheus",
            ),
            (!global.fields.is_empty(), "--fields", "what it serves has the format of Prometheus"),
            (probes && !global.selector.is_empty(), "-l", "each probe names its target"),
            (probes && global.state.is_some(), "--state", "each probe names its target, and what it expects"),
        ];
        match refused.into_iter().find(|(given, ..)| *given) {
            Some((_, flag, why)) => Err(Error::usage(format!("`serve` takes no {flag}: {why}"))
                .hint(format!("leave {flag} out; see: vpnctl serve --help"))),
            None => Ok(()),
        }
    }
}

/// How long readers may take to end.
const LAST: Duration = Duration::from_secs(1);

/// Gives what backends are opened with: readings have bounds of their own, the time for the command is that of serving.
fn unbounded(settings: &Settings) -> Setup {
    let mut setup = settings.setup.clone();
    setup.limits.timeout = None;
    setup
}

/// Serves until a signal comes or `over` tells why it is over, then answers what was asked; gives whether that ended in
/// order: a second signal ends it at once.
async fn until_signal(
    over: impl Future<Output = Error>,
    listener: Listener,
    pages: Pages,
    signals: &mut Signals,
) -> (Result<Exit>, bool) {
    let (stop, stopped) = oneshot::channel::<()>();
    let mut serving = pin!(listener.serve(pages, async {
        // An error means that the sender is gone, which is the end too.
        let _ = stopped.await;
    }));
    let exit = tokio::select! {
        exit = signals.next() => Ok(exit),
        error = over => Err(error),
        // It does not end by itself.
        () = &mut serving => return (Ok(Exit::Ok), true),
    };
    // It waits for nothing else.
    let _ = stop.send(());
    tokio::select! {
        () = &mut serving => (exit, true),
        _ = signals.next() => (exit, false),
    }
}

/// Waits for the end of the time that --timeout gives; a variable for all commands is not meant for a server.
async fn over(time: Option<Duration>) -> Error {
    match time.filter(|time| !time.is_zero()) {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
    Error::new(Code::TimeoutDeadline, Layer::Usage, "the time given with --timeout is over")
        .hint("leave --timeout out, and it serves until it is interrupted")
}
