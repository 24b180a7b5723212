//! The flags of `serve`.

use clap::{Args, Subcommand};

use super::Targets;
use crate::app::serve::Place;

// What is served.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ServeVerb {
    /// Show the states on /metrics, from a cache: a scrape never causes a request to a vendor.
    ///
    /// Each backend is read by itself every --interval (15s where it is not given, after the last reading has ended),
    /// and at once where the vendor pushes. After failures the wait doubles up to 5 min; Retry-After is honoured; a login
    /// that was refused is asked for again after an hour, doubling to a day, or as soon as somebody logs in. What can't be
    /// read, or is being read for long, is shown as state="unknown", without vpnctl_connected. As with every verb, -b or -A choose the backends, else it is the default
    /// one.
    #[command(
        after_help = "Examples:\n  vpnctl serve metrics -A\n  vpnctl serve metrics -b home --listen 127.0.0.1:0\n  curl http://127.0.0.1:19570/metrics"
    )]
    Metrics {
        #[command(flatten)]
        targets: Targets,
        /// Where to listen; port 0 is any free one. There is no authentication: think before it is not loopback.
        #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:19570", value_parser = Place::parse)]
        listen: Place,
    },
    /// Read the target that a scrape names, on /probe?target=BACKEND/NAME, as the blackbox exporter does.
    ///
    /// More of the query: expect=STATE,… (connected; `any` is any that can be read), id=1 (the target is an id), timeout=D
    /// (at most what the scrape gives, less half a second). target=BACKEND/ is the one VPN of a backend. An answer is told
    /// again for --interval (5s where it is not given), and vpnctl_probe_cached says so. Without -b or -A, all backends of
    /// the configuration can be probed.
    #[command(
        after_help = "Examples:\n  vpnctl serve probe\n  curl 'http://127.0.0.1:19571/probe?target=home/Office&expect=connected'"
    )]
    Probe(Probing),
}

// Where probes are answered.
#[derive(Debug, Args)]
pub(in crate::cli) struct Probing {
    /// Where to listen; port 0 is any free one. There is no authentication: think before it is not loopback.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:19571", value_parser = Place::parse)]
    pub(in crate::cli) listen: Place,
}
