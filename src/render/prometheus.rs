//! Prometheus text: states of targets as metrics, by the names of contract section 5.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Registry, TextEncoder};
use serde_json::Value;

use super::{Item, field, sanitize};
use crate::model::Word;

/// The labels that every metric of a target has.
pub const LABELS: [&str; 3] = ["backend", "vendor", "target"];

/// Samples of one target: the word that is the label `state`, where there is one, and the value.
type Samples<'r> = Vec<(Option<&'r str>, f64)>;

/// A metric of a target: its name, what it means, whether it only ever grows, and how it is read.
struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    samples: fn(&Row) -> Samples<'_>,
}

/// Every family.
const FAMILIES: [Family; 5] = [
    Family {
        name: "vpnctl_connected",
        help: "Whether the VPN of the target is connected; absent where that could not be read.",
        kind: MetricType::GAUGE,
        samples: |row| match row.state.as_str() {
            "unknown" => Vec::new(),
            state => vec![(None, f64::from(u8::from(state == Word::Connected.as_str())))],
        },
    },
    Family {
        name: "vpnctl_connected_since_timestamp_seconds",
        help: "Since when the VPN of the target is connected, in seconds since 1970.",
        kind: MetricType::GAUGE,
        samples: |row| row.since.map(|since| (None, since)).into_iter().collect(),
    },
    Family {
        name: "vpnctl_rx_bytes_total",
        help: "Bytes that the VPN client received, as the vendor counts them.",
        kind: MetricType::COUNTER,
        samples: |row| row.rx_bytes.map(|bytes| (None, bytes)).into_iter().collect(),
    },
    Family {
        name: "vpnctl_state",
        help: "The state of the target: 1 for the one that it is in, 0 for the others; `unknown` could not be read.",
        kind: MetricType::GAUGE,
        samples: states,
    },
    Family {
        name: "vpnctl_tx_bytes_total",
        help: "Bytes that the VPN client sent, as the vendor counts them.",
        kind: MetricType::COUNTER,
        samples: |row| row.tx_bytes.map(|bytes| (None, bytes)).into_iter().collect(),
    },
];

/// Gives a sample for each known word, and for a state that has a word of its own.
fn states(row: &Row) -> Samples<'_> {
    let known = Word::ALL.map(Word::as_str);
    let own = Some(row.state.as_str()).filter(|state| !known.contains(state));
    let words = known.into_iter().chain(own);
    words.map(|word| (Some(word), f64::from(u8::from(word == row.state)))).collect()
}

/// Says whose a sample is; no two targets of one set of items have the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels {
    /// The backend.
    pub backend: String,
    /// Its vendor.
    pub vendor: String,
    /// The target's name, else its id, with the id behind it where another target is called the same; empty for a
    /// one VPN that is connected to nothing.
    pub target: String,
}

impl Labels {
    /// Gives the values in the order of [`LABELS`].
    #[must_use]
    pub fn values(&self) -> [&str; 3] {
        [&self.backend, &self.vendor, &self.target]
    }

    pub(super) fn of(item: &Item) -> Self {
        let name = ["target.name", "target.id", "error.target"].map(|name| text(item, name));
        Self {
            backend: text(item, "backend"),
            vendor: text(item, "vendor"),
            target: name.into_iter().find(|name| !name.is_empty()).unwrap_or_default(),
        }
    }
}

/// Gives the labels of each item, in their order; targets that are called the same have their ids behind the name.
#[must_use]
pub fn labels(items: &[Item]) -> Vec<Labels> {
    let mut all: Vec<Labels> = items.iter().map(Labels::of).collect();
    let ids: Vec<String> = items.iter().map(|item| text(item, "target.id")).collect();
    // A name may look like another one with an id behind it, so what was changed is looked at again. It ends, for each
    // round makes a name longer, and ids of one backend differ.
    for _ in 0..=items.len() {
        let mut owners: BTreeMap<&Labels, BTreeSet<&str>> = BTreeMap::new();
        for (labels, id) in all.iter().zip(&ids) {
            owners.entry(labels).or_default().insert(id);
        }
        let shared: Vec<bool> = all.iter().map(|labels| owners.get(labels).is_some_and(|ids| ids.len() > 1)).collect();
        if !shared.contains(&true) {
            break;
        }
        for ((labels, id), _) in
            all.iter_mut().zip(&ids).zip(shared).filter(|((_, id), shared)| *shared && !id.is_empty())
        {
            labels.target = format!("{} ({id})", labels.target);
        }
    }
    all
}

/// Gives a text of an item; what is none is empty.
fn text(item: &Item, name: &str) -> String {
    field(item, name).as_str().map(|text| sanitize::line(text).into_owned()).unwrap_or_default()
}

/// What is told of one target.
#[derive(Debug, Clone)]
struct Row {
    labels: Labels,
    state: String,
    rx_bytes: Option<f64>,
    tx_bytes: Option<f64>,
    since: Option<f64>,
}

impl Row {
    fn of(item: &Item, labels: Labels) -> Self {
        let since = field(item, "connected_since").as_str().and_then(|at| at.parse::<Timestamp>().ok());
        let state = text(item, "state");
        Self {
            labels,
            state: if state.is_empty() { Word::Unknown.as_str().to_owned() } else { state },
            rx_bytes: field(item, "traffic.rx_bytes").as_f64(),
            tx_bytes: field(item, "traffic.tx_bytes").as_f64(),
            since: since.and_then(|at| Value::from(at.as_second()).as_f64()),
        }
    }

    fn metric(&self, kind: MetricType, state: Option<&str>, value: f64) -> Metric {
        let state = state.map(|state| ("state", state));
        let labels = LABELS.into_iter().zip(self.labels.values()).chain(state);
        let mut metric = Metric::default();
        metric.set_label(labels.map(|(name, value)| pair(name, value)).collect());
        if kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        metric
    }
}

fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

/// The states of targets, registered where other families may be registered too; a clone shows the same.
///
/// Rows are kept instead of the crate's own vectors of gauges, so that a set of targets takes the place of the one
/// before as a whole: whoever gathers meanwhile sees the one or the other.
#[derive(Debug, Clone)]
pub struct States {
    rows: Arc<RwLock<Vec<Row>>>,
    descriptions: Arc<Vec<Desc>>,
}

impl States {
    /// Registers the families of contract section 5; there is nothing to gather before [`Self::set`].
    ///
    /// # Errors
    /// Fails where one of that name is registered already.
    pub fn register(registry: &Registry) -> io::Result<Self> {
        let mut descriptions = Vec::new();
        for family in &FAMILIES {
            let state = (family.name == "vpnctl_state").then_some("state");
            let labels = LABELS.into_iter().chain(state).map(str::to_owned).collect();
            let description = Desc::new(family.name.to_owned(), family.help.to_owned(), labels, HashMap::new());
            descriptions.push(description.map_err(io::Error::other)?);
        }
        let states = Self { rows: Arc::default(), descriptions: Arc::new(descriptions) };
        registry.register(Box::new(states.clone())).map_err(io::Error::other)?;
        Ok(states)
    }

    /// Puts status items (or items that hold one: `check`, `wait`) in the place of all that were there.
    pub fn set(&self, items: &[Item]) {
        // What is there twice is the same target, asked for in two ways; the later one is newer.
        let rows: BTreeMap<Labels, Row> =
            items.iter().zip(labels(items)).map(|(item, labels)| (labels.clone(), Row::of(item, labels))).collect();
        *self.rows.write().unwrap_or_else(PoisonError::into_inner) = rows.into_values().collect();
    }
}

impl Collector for States {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let family = |Family { name, help, kind, samples }: &Family| {
            let of = |row: &Row| -> Vec<Metric> {
                samples(row).into_iter().map(|(state, value)| row.metric(*kind, state, value)).collect()
            };
            let mut family = MetricFamily::default();
            family.set_name((*name).to_owned());
            family.set_help((*help).to_owned());
            family.set_field_type(*kind);
            family.set_metric(rows.iter().flat_map(of).collect());
            family
        };
        FAMILIES.iter().map(family).collect()
    }
}

/// Writes all that a registry gathers, in the text format that Prometheus scrapes ([`prometheus::TEXT_FORMAT`]).
///
/// # Errors
/// Fails where a family can't be written as text.
pub fn text_of(registry: &Registry) -> io::Result<String> {
    TextEncoder::new().encode_to_string(&registry.gather()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use prometheus::{IntGauge, Registry};
    use serde_json::{Value, json};

    use super::{States, text_of};
    use crate::model::item::object;
    use crate::render::Item;

    fn item(target: Value, state: &str, more: Value) -> Item {
        let mut item = object(json!({"backend": "home", "vendor": "freebox", "target": target, "state": state}));
        item.extend(object(more));
        item
    }

    fn named(id: &str, name: &str) -> Value {
        json!({"kind": "tunnel", "id": id, "name": name})
    }

    fn render(items: &[Item]) -> String {
        let registry = Registry::new();
        States::register(&registry).expect("registered").set(items);
        text_of(&registry).expect("text")
    }

    fn samples<'t>(text: &'t str, family: &str) -> Vec<&'t str> {
        let begin = format!("{family}{{");
        text.lines().filter(|line| line.starts_with(&begin)).collect()
    }

    #[test]
    fn a_target_has_the_metrics_that_are_known_of_it() {
        let more = json!({"connected_since": "2026-11-21T19:00:00Z", "traffic": {"rx_bytes": 94, "tx_bytes": null}});
        let text = render(&[item(named("vpn1", "Office"), "connected", more)]);
        let own = r#"{backend="home",vendor="freebox",target="Office"}"#;
        for line in [
            "# TYPE vpnctl_connected gauge".to_owned(),
            "# TYPE vpnctl_rx_bytes_total counter".to_owned(),
            format!("vpnctl_connected{own} 1"),
            format!("vpnctl_rx_bytes_total{own} 94"),
            format!("vpnctl_connected_since_timestamp_seconds{own} 1795287600"),
            r#"vpnctl_state{backend="home",vendor="freebox",target="Office",state="connected"} 1"#.to_owned(),
            r#"vpnctl_state{backend="home",vendor="freebox",target="Office",state="unknown"} 0"#.to_owned(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert_eq!(samples(&text, "vpnctl_state").len(), 7, "{text}");
        assert!(!text.contains("vpnctl_tx_bytes_total"), "{text}");
    }

    #[test]
    fn what_could_not_be_read_is_not_disconnected() {
        let text = render(&[item(Value::Null, "unknown", json!({}))]);
        assert!(!text.contains("vpnctl_connected{"), "{text}");
        let unknown = r#"vpnctl_state{backend="home",vendor="freebox",target="",state="unknown"} 1"#;
        assert!(text.contains(unknown), "{text}");
        let down = render(&[item(Value::Null, "disconnected", json!({}))]);
        assert_eq!(
            samples(&down, "vpnctl_connected"),
            [r#"vpnctl_connected{backend="home",vendor="freebox",target=""} 0"#]
        );
    }

    #[test]
    fn a_state_with_a_word_of_its_own_is_told_besides() {
        let text = render(&[item(named("1", "a"), "paused", json!({}))]);
        assert_eq!(samples(&text, "vpnctl_state").len(), 8, "{text}");
        let own = r#"vpnctl_state{backend="home",vendor="freebox",target="a",state="paused"} 1"#;
        assert!(text.contains(own), "{text}");
    }

    #[test]
    fn targets_that_are_called_the_same_are_told_apart() {
        let up = |id: &str, name: &str| item(named(id, name), "connected", json!({}));
        let text = render(&[up("1", "gw"), up("2", "gw"), up("3", "gw (1)"), up("4", "other"), up("4", "other")]);
        let mut found = samples(&text, "vpnctl_connected");
        found.sort_unstable();
        let own =
            |target: &str| format!("vpnctl_connected{{backend=\"home\",vendor=\"freebox\",target=\"{target}\"}} 1");
        assert_eq!(found, [own("gw (1) (1)"), own("gw (1) (3)"), own("gw (2)"), own("other")]);
    }

    #[test]
    fn harmful_names_stay_in_their_label() {
        let text = render(&[item(named("1", "a\"} 1\nvpnctl_connected{x=\"\\\u{1b}\u{202e}"), "connected", json!({}))]);
        assert_eq!(samples(&text, "vpnctl_connected").len(), 1, "{text}");
        let own = r#"target="a\"} 1\\nvpnctl_connected{x=\"\\\\u{1b}\\u{202e}"} 1"#;
        assert!(text.contains(own), "{text}");
    }

    #[test]
    fn others_may_register_beside_and_a_new_set_takes_the_place_of_the_old() {
        let registry = Registry::new();
        let states = States::register(&registry).expect("registered");
        let other = IntGauge::new("vpnctl_other", "Something else.").expect("a gauge");
        registry.register(Box::new(other)).expect("registered");
        assert!(text_of(&registry).expect("text").contains("vpnctl_other 0"));
        states.set(&[item(named("1", "old"), "connected", json!({}))]);
        states.set(&[item(named("2", "new"), "failed", json!({}))]);
        let text = text_of(&registry).expect("text");
        assert!(text.contains("target=\"new\"") && !text.contains("target=\"old\""), "{text}");
        assert!(States::register(&registry).is_err(), "the same families twice");
    }
}
