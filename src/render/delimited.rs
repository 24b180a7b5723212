//! CSV and TSV.

use std::io::{self, Write};

use super::{Item, Renderer, Shape, cells, field, sanitize};
use crate::model::{Schema, Summary};

/// Writes one row an item; the columns are the item's keys, nested ones dotted.
pub(super) struct Delimited {
    columns: Vec<String>,
    header: bool,
    delimiter: u8,
}

impl Delimited {
    pub(super) fn new(schema: Schema, shape: Shape, delimiter: u8) -> Self {
        let columns = if shape.fields.is_empty() {
            schema.columns().into_iter().map(str::to_owned).collect()
        } else {
            shape.fields
        };
        Self { columns, header: !shape.no_header, delimiter }
    }

    fn row(&self, out: &mut dyn Write, cells: impl IntoIterator<Item = String>) -> io::Result<()> {
        let mut writer = csv::WriterBuilder::new().delimiter(self.delimiter).from_writer(Vec::new());
        writer.write_record(cells).map_err(io::Error::other)?;
        out.write_all(&writer.into_inner().map_err(io::Error::other)?)
    }

    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if std::mem::replace(&mut self.header, false) {
            let names = self.columns.iter().map(|name| sanitize::cell(name).into_owned());
            self.row(out, names.collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

impl Renderer for Delimited {
    fn item(&mut self, out: &mut dyn Write, item: Item) -> io::Result<()> {
        self.begin(out)?;
        let cells = self.columns.iter().map(|name| {
            let value = field(&item, name);
            let text = cells::plain(value);
            // Numbers are ours; only text can be a formula.
            if value.is_number() { text } else { sanitize::cell(&text).into_owned() }
        });
        self.row(out, cells.collect::<Vec<_>>())
    }

    fn finish(&mut self, out: &mut dyn Write, _summary: &Summary) -> io::Result<()> {
        self.begin(out)
    }
}
