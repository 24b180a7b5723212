//! One plain value a line.

use std::io::{self, Write};

use super::{Item, Renderer, Shape, cells, field, sanitize};
use crate::model::{Schema, Summary};

/// Writes the fields that were asked for, each on its own line; else the one that the schema is about.
pub(super) struct Plain {
    fields: Vec<String>,
}

impl Plain {
    pub(super) fn new(schema: Schema, shape: Shape) -> Self {
        let fields = if shape.fields.is_empty() { vec![schema.value_field().to_owned()] } else { shape.fields };
        Self { fields }
    }
}

impl Renderer for Plain {
    fn item(&mut self, out: &mut dyn Write, item: Item) -> io::Result<()> {
        for name in &self.fields {
            writeln!(out, "{}", sanitize::line(&cells::plain(field(&item, name))))?;
        }
        out.flush()
    }

    fn finish(&mut self, _out: &mut dyn Write, _summary: &Summary) -> io::Result<()> {
        Ok(())
    }
}
