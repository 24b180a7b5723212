//! YAML, with the same document as JSON.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Item, Renderer, Shape, keep, sanitize};
use crate::model::{Schema, Summary};

/// Collects the items: a YAML document is written as a whole.
pub(super) struct Yaml {
    schema: Schema,
    shape: Shape,
    items: Vec<Value>,
}

impl Yaml {
    pub(super) fn new(schema: Schema, shape: Shape) -> Self {
        Self { schema, shape, items: Vec::new() }
    }
}

impl Renderer for Yaml {
    fn item(&mut self, _out: &mut dyn Write, item: Item) -> io::Result<()> {
        self.items.push(clean(Value::Object(keep(item, &self.shape.fields))));
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
        let items = std::mem::take(&mut self.items);
        let document = json!({"schema": self.schema.versioned(), "items": items, "summary": summary});
        let text = serde_saphyr::to_string(&document).map_err(io::Error::other)?;
        writeln!(out, "{}", text.trim_end())
    }
}

/// Escapes what is harmful in every text; YAML would let bidirectional characters pass.
fn clean(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(sanitize::line(&text).into_owned()),
        Value::Array(values) => Value::Array(values.into_iter().map(clean).collect()),
        Value::Object(map) => {
            // The vendor's own document has the vendor's own keys.
            let entry = |(name, value): (String, Value)| (sanitize::line(&name).into_owned(), clean(value));
            Value::Object(map.into_iter().map(entry).collect())
        }
        other => other,
    }
}
