//! What vpnctl measures of itself: its version, and the requests that it sends.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::{Made, unregistered};
use crate::error::Code;
use crate::http::{Call, Observer};

/// The upper bounds of the histogram in seconds: from a box in the house to a device that is asked through a cloud.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 45.0];

/// Counts the requests to vendors and measures how long they take.
pub(super) struct Requests {
    total: IntCounterVec,
    duration: HistogramVec,
}

impl std::fmt::Debug for Requests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}

impl Requests {
    /// Registers them, and the version.
    pub(super) fn register(registry: &Registry) -> Made<Arc<Self>> {
        let build =
            gauge(registry, "vpnctl_build_info", "Always 1; the label tells the version of vpnctl.", "version")?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let help = "HTTP requests sent to the vendor, repeats and logins included, by the status of the answer or, \
                    where none came, by the error's code.";
        let total = IntCounterVec::new(Opts::new("vpnctl_requests_total", help), &["backend", "operation", "code"])
            .map_err(unregistered)?;
        let help = "How long HTTP requests to the vendor took until the answer was read or failed.";
        let options = HistogramOpts::new("vpnctl_request_duration_seconds", help).buckets(BUCKETS.to_vec());
        let duration = HistogramVec::new(options, &["backend", "operation"]).map_err(unregistered)?;
        registry.register(Box::new(total.clone())).map_err(unregistered)?;
        registry.register(Box::new(duration.clone())).map_err(unregistered)?;
        Ok(Arc::new(Self { total, duration }))
    }
}

impl Observer for Requests {
    fn attempted(&self, backend: &str, call: &Call, answer: Result<u16, Code>, took: Duration) {
        let status = answer.map(|status| status.to_string());
        let code = status.as_deref().unwrap_or_else(|code| code.as_str());
        self.total.with_label_values(&[backend, call.operation, code]).inc();
        self.duration.with_label_values(&[backend, call.operation]).observe(took.as_secs_f64());
    }
}

/// Registers a gauge with one label.
pub(super) fn gauge(registry: &Registry, name: &str, help: &str, label: &str) -> Made<IntGaugeVec> {
    let gauge = IntGaugeVec::new(Opts::new(name, help), &[label]).map_err(unregistered)?;
    registry.register(Box::new(gauge.clone())).map_err(unregistered)?;
    Ok(gauge)
}
