//! Prometheus text: the states, and whether they are as expected.

use std::io::{self, Write};

use prometheus::{IntGaugeVec, Opts, Registry};

use super::Kept;
use crate::model::Summary;
use crate::render::prometheus::{LABELS, States, labels, text_of};
use crate::render::{Item, Renderer, field};

/// Collects everything: samples of one family stand together.
#[derive(Default)]
pub(super) struct Metrics {
    kept: Kept,
}

impl Renderer for Metrics {
    fn item(&mut self, _out: &mut dyn Write, item: Item) -> io::Result<()> {
        self.kept.add(item);
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write, _summary: &Summary) -> io::Result<()> {
        let items = &self.kept.items;
        let registry = Registry::new();
        States::register(&registry)?.set(items);
        let help = "Whether the target is in the state that is expected of it; absent where that could not be told.";
        let names = [LABELS.as_slice(), &["expect"]].concat();
        let held = IntGaugeVec::new(Opts::new("vpnctl_check_ok", help), &names).map_err(io::Error::other)?;
        for (item, labels) in items.iter().zip(labels(items)) {
            if let Some(ok) = field(item, "ok").as_bool() {
                let expect = field(item, "expect").as_str().unwrap_or_default();
                let values = [labels.values().as_slice(), &[expect]].concat();
                held.with_label_values(&values).set(i64::from(ok));
            }
        }
        registry.register(Box::new(held)).map_err(io::Error::other)?;
        out.write_all(text_of(&registry)?.as_bytes())
    }
}
