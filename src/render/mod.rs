//! Writes reports: one file per format. A renderer gets items one by one and never asks the network.

mod board;
mod cells;
pub mod check;
mod delimited;
pub mod fault;
mod findings;
pub mod jq;
mod json;
pub mod prometheus;
pub mod sanitize;
mod table;
mod value;
mod yaml;

use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::error::Code;
use crate::model::item::StatusRow;
use crate::model::threshold::Thresholds;
use crate::model::{Schema, Summary};

/// An item of a report.
pub type Item = Map<String, Value>;

/// A row of a report: an item, or a status of which one can be made.
#[derive(Debug)]
pub enum Row {
    /// An item.
    Item(Item),
    /// A status that was read; most rows of a fleet are such, and most formats need no map of them.
    Status(Box<StatusRow>),
}

impl Row {
    /// Makes the item of it.
    #[must_use]
    pub fn into_item(self) -> Item {
        match self {
            Self::Item(item) => item,
            Self::Status(row) => crate::model::item::of(&row.document()),
        }
    }
}

impl From<Item> for Row {
    fn from(item: Item) -> Self {
        Self::Item(item)
    }
}

/// Names an output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// A table with more columns.
    Wide,
    /// One JSON document.
    Json,
    /// One JSON object a line, as soon as it is known.
    Ndjson,
    /// One YAML document.
    Yaml,
    /// Comma-separated values.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// One plain value a line.
    Value,
    /// check: a line for each target.
    Text,
    /// check: for Nagios and its kin, with performance data and their exit codes.
    Nagios,
    /// check: JUnit XML.
    Junit,
    /// check: TAP version 13.
    Tap,
    /// check: annotations, and a table in the summary of a job.
    Github,
    /// check: metrics as text.
    Prometheus,
}

impl Format {
    /// Tells whether failures are told as JSON objects.
    #[must_use]
    pub fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Ndjson)
    }

    /// Tells whether only `check` has it: it tells verdicts, and no other verb has any.
    #[must_use]
    pub fn is_of_check(self) -> bool {
        matches!(self, Self::Text | Self::Nagios | Self::Junit | Self::Tap | Self::Github | Self::Prometheus)
    }
}

/// Tells how many lines and columns a terminal has now.
pub type Screen = fn() -> (usize, usize);

/// Says how a report is written.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The format.
    pub format: Format,
    /// The fields that were asked for, dotted; empty means all.
    pub fields: Vec<String>,
    /// Whether headers are left out.
    pub no_header: bool,
    /// Whether colours are used.
    pub color: bool,
    /// Whether documents are indented for reading.
    pub pretty: bool,
    /// What makes a warning or a failure of a verdict.
    pub thresholds: Thresholds,
}

impl Shape {
    /// Tells whether people read it, and not a script.
    #[must_use]
    pub fn is_for_people(&self) -> bool {
        matches!(self.format, Format::Table | Format::Wide)
    }
}

/// Writes the items of one report in one format.
trait Renderer {
    /// Writes an item, or keeps it where the format needs all of them.
    fn item(&mut self, out: &mut dyn Write, item: Item) -> io::Result<()>;

    /// Writes a status; who can do so without its item does.
    fn status(&mut self, out: &mut dyn Write, row: Box<StatusRow>) -> io::Result<()> {
        self.item(out, Row::Status(row).into_item())
    }

    /// Writes what it would keep until the end, for it has taken long already.
    fn hurry(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    /// Writes what is left.
    fn finish(&mut self, out: &mut dyn Write, summary: &Summary) -> io::Result<()>;
}

/// A report that is being written.
pub struct Report<'a> {
    out: Box<dyn Write + 'a>,
    renderer: Box<dyn Renderer + 'a>,
    summary: Summary,
    /// The document, where it is written as rows without any column for errors.
    rows_of: Option<Schema>,
}

impl std::fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Report").field("summary", &self.summary).finish_non_exhaustive()
    }
}

impl<'a> Report<'a> {
    /// Begins a report; nothing is written before the first item or the end.
    ///
    /// On a `screen`, a table of what is followed is drawn again in its place.
    pub fn new(out: impl Write + 'a, schema: Schema, shape: &Shape, screen: Option<Screen>) -> Self {
        let shape = shape.clone();
        let screen = screen.filter(|_| schema == Schema::Event);
        let is_document = shape.format.is_json() || shape.format == Format::Yaml;
        let rows_of = Some(schema).filter(|_| !is_document && shape.fields.is_empty());
        let renderer: Box<dyn Renderer> = match shape.format {
            // A log is read as lines, as they come; a table would wait for the end.
            Format::Table | Format::Wide if schema == Schema::Log && shape.fields.is_empty() => {
                Box::new(value::Plain::new(schema, shape))
            }
            // Sentences are no columns.
            Format::Table if schema == Schema::Doctor && shape.fields.is_empty() => {
                Box::new(findings::Findings::new(shape.color))
            }
            // Names alone, one a line, are what the next command takes.
            Format::Table if schema == Schema::Documents && shape.fields.is_empty() => {
                Box::new(value::Plain::new(schema, shape))
            }
            Format::Table | Format::Wide => match screen {
                Some(screen) => Box::new(board::Board::new(schema, shape, screen)),
                None => Box::new(table::Table::new(schema, shape)),
            },
            Format::Json => Box::new(json::Document::new(schema, shape)),
            Format::Ndjson => Box::new(json::Lines::new(schema, shape)),
            Format::Yaml => Box::new(yaml::Yaml::new(schema, shape)),
            Format::Csv => Box::new(delimited::Delimited::new(schema, shape, b',')),
            Format::Tsv => Box::new(delimited::Delimited::new(schema, shape, b'\t')),
            Format::Value => Box::new(value::Plain::new(schema, shape)),
            Format::Text | Format::Nagios | Format::Junit | Format::Tap | Format::Github | Format::Prometheus => {
                check::renderer(shape)
            }
        };
        Self { out: Box::new(out), renderer, summary: Summary::default(), rows_of }
    }

    /// Adds a row, or counts what failed without one; what is to be seen at once is flushed by [`Report::flush`].
    ///
    /// # Errors
    /// Fails where the output can't be written.
    pub fn row(&mut self, row: Option<Row>, error: Option<Code>) -> io::Result<()> {
        let item = match row {
            Some(Row::Status(row)) if error.is_none() => {
                self.summary.count_state(row.status.word());
                return self.renderer.status(&mut *self.out, row);
            }
            row => row.map(Row::into_item),
        };
        self.summary.count(item.as_ref(), error.map(Code::as_str));
        let item = item.filter(|item| !self.rows_of.is_some_and(|schema| is_blank(schema, item)));
        item.map_or(Ok(()), |item| self.renderer.item(&mut *self.out, item))
    }

    /// Shows what was written.
    ///
    /// # Errors
    /// Fails where the output can't be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes what is kept for the end, for people who have waited long enough.
    ///
    /// # Errors
    /// Fails where the output can't be written.
    pub fn hurry(&mut self) -> io::Result<()> {
        self.renderer.hurry(&mut *self.out)?;
        self.out.flush()
    }

    /// Ends the report.
    ///
    /// # Errors
    /// Fails where the output can't be written.
    pub fn finish(&mut self) -> io::Result<()> {
        self.renderer.finish(&mut *self.out, &self.summary)?;
        self.out.flush()
    }

    /// Tells what was counted so far.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }
}

/// Finds a field by its dotted name; what is not there is null.
fn field<'v>(item: &'v Item, name: &str) -> &'v Value {
    let mut parts = name.split('.');
    let mut value = parts.next().and_then(|part| item.get(part)).unwrap_or(&Value::Null);
    for part in parts {
        value = value.get(part).unwrap_or(&Value::Null);
    }
    value
}

/// Tells whether nothing of an item could be told but its error, and rows have no column for that: such a row would be
/// blank, and standard error tells the error anyway.
fn is_blank(schema: Schema, item: &Item) -> bool {
    let has_error = !field(item, "error").is_null();
    has_error && !schema.columns().contains(&"error.code") && field(item, schema.value_field()).is_null()
}

/// Keeps of an item the fields that were asked for, nested as they were; without any asked for, all.
fn keep(item: Item, fields: &[String]) -> Item {
    if fields.is_empty() {
        return item;
    }
    let mut kept = Map::new();
    for name in fields {
        let value = field(&item, name).clone();
        insert(&mut kept, name, value);
    }
    kept
}

fn insert(map: &mut Item, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            map.insert(name.to_owned(), value);
        }
        Some((head, tail)) => {
            let inner = map.entry(head).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, tail, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
