//! `serve`: endpoints that Prometheus scrapes.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::app::serve::{Listener, Pages, Place, metrics, probe};
use crate::cli::args::{ServeVerb, Targets};
use crate::cli::dispatch::Command;
use crate::cli::report::Signals;
use crate::cli::settings::{self, Settings};
use crate::error::{Code, Error, Exit, Layer};
use crate::ui;

impl Command<'_> {
    pub(in crate::cli) async fn serve(&self, settings: &Settings, verb: &ServeVerb) -> anyhow::Result<Exit> {
        match verb {
            ServeVerb::Metrics { targets, listen } => self.serve_metrics(settings, targets, *listen).await,
            ServeVerb::Probe(probing) => self.serve_probe(settings, probing.listen).await,
        }
    }

    async fn serve_metrics(&self, settings: &Settings, targets: &Targets, listen: Place) -> anyhow::Result<Exit> {
        let selection = settings::selection(self.global, Some(targets), &settings.setup.config)?;
        let mut exporter = metrics::Exporter::new(settings.setup.clone(), &settings.choice, &selection)?;
        let listener = Listener::bind(listen, "serve metrics").await?;
        let mut signals = Signals::listen();
        self.tell_place(&listener, "/metrics");
        let readers = exporter.start();
        let (exit, ended) = until_signal(settings, listener, exporter.pages(), &mut signals).await;
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
        let exporter = probe::Exporter::new(settings.setup.clone(), &settings.choice)?;
        let listener = Listener::bind(listen, "serve probe").await?;
        let mut signals = Signals::listen();
        self.tell_place(&listener, "/probe");
        Ok(until_signal(settings, listener, exporter.pages(), &mut signals).await.0?)
    }

    /// Tells where it listens, for people and for scripts that let the system choose the port.
    fn tell_place(&self, listener: &Listener, path: &str) {
        if !listener.is_on_loopback() {
            tracing::warn!("there is no authentication: everybody who can reach {} can read it", listener.url("/"));
        }
        if !self.global.quiet {
            ui::tell(&format!("listening on {}", listener.url(path)));
        }
    }
}

/// How long readers may take to end.
const LAST: Duration = Duration::from_secs(1);

/// Serves until a signal comes or the time for the command is over, then answers what was asked; gives whether that
/// ended in order: a second signal ends it at once.
async fn until_signal(
    settings: &Settings,
    listener: Listener,
    pages: Pages,
    signals: &mut Signals,
) -> (crate::error::Result<Exit>, bool) {
    let (stop, stopped) = oneshot::channel::<()>();
    let mut serving = pin!(listener.serve(pages, async {
        // An error means that the sender is gone, which is the end too.
        let _ = stopped.await;
    }));
    let time = settings.setup.limits.timeout.filter(|time| !time.is_zero());
    let exit = tokio::select! {
        exit = signals.next() => Ok(exit),
        () = over(time) => Err(Error::new(Code::TimeoutDeadline, Layer::Usage, "the time given with --timeout is over")
            .hint("leave --timeout out, and it serves until it is interrupted")),
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

async fn over(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
