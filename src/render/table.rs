//! Tables for people.

use std::io::{self, Write};

use serde_json::Value;
use tabled::builder::Builder;
use tabled::settings::{Padding, Style};
use unicode_width::UnicodeWidthStr;

use super::{Format, Item, Renderer, Shape, cells, field, sanitize};
use crate::model::{Schema, Summary};

/// How wide a column of a table is that is written row by row: as wide as what it usually holds.
const LIVE_WIDTHS: &[(&str, usize)] =
    &[("TIME", 20), ("BACKEND", 9), ("TARGET", 20), ("FROM", 13), ("STATE", 13), ("ADDRESS", 15)];

/// How many rows are collected at most before the table is written as far as it is known.
const COLLECTED: usize = 1000;

/// A column: its header, and the fields of which the first that holds something is shown.
pub(super) type Column = (String, Vec<String>);

/// Collects rows, for a column is as wide as its widest cell; what is followed is written row by row instead, and so is
/// the rest of a long table.
pub(super) struct Table {
    columns: Vec<Column>,
    shape: Shape,
    rows: Vec<Vec<String>>,
    live: bool,
    begun: bool,
    /// How wide columns are from now on, once the table is written row by row.
    widths: Vec<usize>,
}

impl Table {
    pub(super) fn new(schema: Schema, shape: Shape) -> Self {
        let columns = columns_of(schema, &shape);
        let widths = Vec::new();
        Self { columns, shape, rows: Vec::new(), live: schema == Schema::Event, begun: false, widths }
    }

    /// Writes a row of a table whose end is not known.
    fn write_live(&mut self, out: &mut dyn Write, row: &[String]) -> io::Result<()> {
        if !std::mem::replace(&mut self.begun, true) && !self.shape.no_header {
            let header: Vec<String> = self.columns.iter().map(|(header, _)| header.clone()).collect();
            self.write_padded(out, &header)?;
        }
        self.write_padded(out, row)
    }

    fn write_padded(&self, out: &mut dyn Write, cells: &[String]) -> io::Result<()> {
        let mut line = String::new();
        for (index, ((header, _), cell)) in self.columns.iter().zip(cells).enumerate() {
            let usual =
                || LIVE_WIDTHS.iter().find(|(name, _)| name == header).map_or(header.len(), |(_, width)| *width);
            let room = self.widths.get(index).copied().unwrap_or_else(usual);
            line.push_str(cell);
            line.push_str(&" ".repeat(room.saturating_sub(width(cell)) + 2));
        }
        writeln!(out, "{}", line.trim_end())
    }

    /// Writes what was collected, and goes on row by row with columns as wide as they are by now.
    fn begin_rows(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let of_rows = |index: usize| rows.iter().filter_map(|row| row.get(index)).map(|cell| width(cell)).max();
        let widths = self.columns.iter().enumerate();
        self.widths = widths.map(|(index, (header, _))| header.len().max(of_rows(index).unwrap_or(0))).collect();
        self.live = true;
        rows.iter().try_for_each(|row| self.write_live(out, row))
    }
}

/// Tells how many columns of a terminal a cell takes; colours take none.
fn width(cell: &str) -> usize {
    anstream::adapter::strip_str(cell).map(UnicodeWidthStr::width).sum()
}

impl Renderer for Table {
    fn item(&mut self, out: &mut dyn Write, item: Item) -> io::Result<()> {
        let row = row(&self.columns, &self.shape, &item);
        if self.live {
            return self.write_live(out, &row);
        }
        self.rows.push(row);
        if self.rows.len() >= COLLECTED { self.begin_rows(out) } else { Ok(()) }
    }

    fn hurry(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.live || self.rows.is_empty() { Ok(()) } else { self.begin_rows(out) }
    }

    fn finish(&mut self, out: &mut dyn Write, _summary: &Summary) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        for line in lines(&self.columns, &self.shape, std::mem::take(&mut self.rows)) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

/// Gives the columns that were asked for, or those of a document.
pub(super) fn columns_of(schema: Schema, shape: &Shape) -> Vec<Column> {
    if shape.fields.is_empty() {
        return columns(schema, shape.format == Format::Wide);
    }
    shape.fields.iter().map(|name| (sanitize::line(name).to_uppercase(), vec![name.clone()])).collect()
}

/// Gives the cells of an item.
pub(super) fn row(columns: &[Column], shape: &Shape, item: &Item) -> Vec<String> {
    columns.iter().map(|(_, fields)| cell(shape, item, fields)).collect()
}

/// Lays rows out, each column as wide as its widest cell, under their headers.
pub(super) fn lines(columns: &[Column], shape: &Shape, rows: Vec<Vec<String>>) -> Vec<String> {
    let mut builder = Builder::default();
    if !shape.no_header {
        builder.push_record(columns.iter().map(|(header, _)| header.clone()));
    }
    for row in rows {
        builder.push_record(row);
    }
    let mut table = builder.build();
    table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
    table.to_string().lines().map(|line| line.trim_end().to_owned()).collect()
}

fn cell(shape: &Shape, item: &Item, fields: &[String]) -> String {
    let value = fields.iter().map(|name| field(item, name)).find(|value| !value.is_null()).unwrap_or(&Value::Null);
    let text = cells::plain(value);
    let text = sanitize::line(&text);
    if text.is_empty() {
        return "-".to_owned();
    }
    match paint(fields, &text) {
        Some(color) if shape.color => format!("\u{1b}[{color}m{text}\u{1b}[0m"),
        _ => text.into_owned(),
    }
}

/// Chooses a colour for a state or a login.
fn paint(fields: &[String], text: &str) -> Option<u8> {
    if !fields.iter().any(|name| name == "state" || name == "login" || name == "from") {
        return None;
    }
    match text {
        "connected" | "ok" => Some(32),
        "connecting" | "disconnecting" | "waiting" | "pending" => Some(33),
        "failed" | "unknown" | "missing" | "expired" => Some(31),
        _ => None,
    }
}

/// Headers and fields of a table, and what a wide one has besides.
type Columns = &'static [(&'static str, &'static str)];

const STATUS: Columns = &[
    ("BACKEND", "backend"),
    ("TARGET", "target.name target.id error.target"),
    ("STATE", "state"),
    ("ADDRESS", "ip_address"),
    ("SINCE", "connected_since"),
    ("DETAIL", "error.message last_error.message"),
];
const MORE_STATUS: Columns = &[
    ("ID", "target.id"),
    ("TYPE", "target.type"),
    ("RAW", "raw_state"),
    ("RX", "traffic.rx_bytes"),
    ("TX", "traffic.tx_bytes"),
    ("SOURCE", "source"),
];
const ACTION: Columns = &[
    ("BACKEND", "backend"),
    ("TARGET", "target.name target.id error.target"),
    ("ACTION", "action"),
    ("CHANGED", "changed"),
    ("STATE", "state"),
    ("ADDRESS", "ip_address"),
    ("DETAIL", "error.message"),
];
const LIST: Columns = &[
    ("BACKEND", "backend"),
    ("TARGET", "target.name target.id"),
    ("ID", "target.id"),
    ("TYPE", "target.type target.kind"),
    ("STATE", "state"),
];
const AUTH: Columns = &[
    ("BACKEND", "backend"),
    ("VENDOR", "vendor"),
    ("LOGIN", "login"),
    ("ACCOUNT", "account"),
    ("EXPIRES", "expires_at"),
];
const BACKENDS: Columns = &[("BACKEND", "backend"), ("VENDOR", "vendor"), ("URL", "url"), ("CAN", "capabilities")];
const DISCOVERED: Columns = &[
    ("BACKEND", "backend"),
    ("VENDOR", "vendor"),
    ("NAME", "found.name"),
    ("URL", "url"),
    ("ADDRESS", "found.address"),
    ("REMOTE", "found.remote_url"),
];
const MORE_DISCOVERED: Columns = &[("MODEL", "found.model"), ("API", "found.api_version"), ("ID", "found.id")];
const LOG: Columns = &[("BACKEND", "backend"), ("LEVEL", "level"), ("TEXT", "text")];
const WAIT: Columns = &[
    ("BACKEND", "backend"),
    ("TARGET", "target.name target.id error.target"),
    ("STATE", "state"),
    ("HELD", "held"),
    ("WAITED", "waited_s"),
    ("ADDRESS", "ip_address"),
    ("DETAIL", "error.message last_error.message"),
];
const CHECK: Columns = &[
    ("BACKEND", "backend"),
    ("TARGET", "target.name target.id error.target"),
    ("OK", "ok"),
    ("STATE", "state"),
    ("EXPECT", "expect"),
    ("ADDRESS", "ip_address"),
    ("DETAIL", "error.message last_error.message"),
];
const EVENT: Columns = &[
    ("TIME", "observed_at"),
    ("BACKEND", "backend"),
    ("TARGET", "target.name target.id error.target"),
    ("FROM", "from"),
    ("STATE", "state"),
    ("ADDRESS", "ip_address"),
    ("DETAIL", "error.message last_error.message"),
];
const TUNNEL: Columns = &[
    ("BACKEND", "backend"),
    ("TARGET", "target.name target.id"),
    ("ID", "target.id"),
    ("TYPE", "target.type"),
    ("ACTIVE", "active"),
];
const SETTINGS: Columns = &[("BACKEND", "backend"), ("SETTINGS", "settings")];
const TRUST: Columns = &[
    ("BACKEND", "backend"),
    ("URL", "url"),
    ("PINNED", "pinned"),
    ("FINGERPRINT", "fingerprint"),
    ("SUBJECT", "subject"),
    ("UNTIL", "not_after"),
];
const DOCUMENTS: Columns = &[("NAME", "name"), ("ID", "id"), ("VERBS", "verbs"), ("DESCRIPTION", "description")];
const DOCTOR: Columns =
    &[("BACKEND", "backend"), ("LAYER", "layer"), ("OK", "ok"), ("FINDING", "finding"), ("REMEDY", "remedy")];
const CONFIG: Columns = &[("KEY", "key"), ("VALUE", "value"), ("ORIGIN", "origin")];

fn columns(schema: Schema, wide: bool) -> Vec<Column> {
    let (narrow, more): (Columns, Columns) = match schema {
        Schema::Status => (STATUS, MORE_STATUS),
        Schema::Action => (ACTION, MORE_STATUS),
        Schema::List => (LIST, &[("VENDOR", "vendor"), ("LABELS", "labels")]),
        Schema::Auth => (AUTH, &[("RIGHTS", "rights")]),
        Schema::Backends => (BACKENDS, &[]),
        Schema::Discovered => (DISCOVERED, MORE_DISCOVERED),
        Schema::Config => (CONFIG, &[]),
        Schema::Log => (LOG, &[]),
        Schema::Wait => (WAIT, MORE_STATUS),
        Schema::Event => (EVENT, MORE_STATUS),
        Schema::Check => (CHECK, MORE_STATUS),
        Schema::Tunnel => (TUNNEL, &[("CONFIG", "config")]),
        Schema::Settings => (SETTINGS, &[]),
        Schema::Trust => (TRUST, &[]),
        Schema::Doctor => (DOCTOR, &[]),
        Schema::Documents => (DOCUMENTS, &[]),
    };
    let more = if wide { more } else { &[] };
    narrow
        .iter()
        .chain(more)
        .map(|(header, fields)| ((*header).to_owned(), fields.split(' ').map(str::to_owned).collect()))
        .collect()
}
