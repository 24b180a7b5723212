//! JSON and NDJSON.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::{Item, Renderer, Row, Shape, keep, sanitize};
use crate::model::item::StatusRow;
use crate::model::{Schema, Summary};

/// Writes one document, item by item, so that it need not fit into memory.
pub(super) struct Document {
    schema: Schema,
    shape: Shape,
    begun: bool,
    empty: bool,
}

impl Document {
    pub(super) fn new(schema: Schema, shape: Shape) -> Self {
        Self { schema, shape, begun: false, empty: true }
    }

    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            let name = self.schema.versioned();
            if self.shape.pretty {
                write!(out, "{{\n  \"schema\": \"{name}\",\n  \"items\": [")?;
            } else {
                write!(out, "{{\"schema\":\"{name}\",\"items\":[")?;
            }
        }
        Ok(())
    }
}

impl Renderer for Document {
    fn item(&mut self, out: &mut dyn Write, item: Item) -> io::Result<()> {
        self.begin(out)?;
        let first = std::mem::replace(&mut self.empty, false);
        let item = Value::Object(keep(item, &self.shape.fields));
        if self.shape.pretty {
            let text = pretty(&item)?;
            out.write_all(if first { b"\n    " } else { b",\n    " })?;
            out.write_all(text.replace('\n', "\n    ").as_bytes())
        } else {
            out.write_all(if first { b"" } else { b"," })?;
            out.write_all(compact(&item)?.as_bytes())
        }
    }

    fn finish(&mut self, out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
        self.begin(out)?;
        let summary = serde_json::to_value(summary)?;
        if self.shape.pretty {
            let close = if self.empty { "]" } else { "\n  ]" };
            writeln!(out, "{close},\n  \"summary\": {}\n}}", pretty(&summary)?.replace('\n', "\n  "))
        } else {
            writeln!(out, "],\"summary\":{}}}", compact(&summary)?)
        }
    }
}

/// Writes one object a line.
pub(super) struct Lines {
    schema: Schema,
    shape: Shape,
    line: Text,
}

/// A text that is written in many short pieces: quotes, colons, keys.
#[derive(Default)]
struct Text(Vec<u8>);

impl Write for Text {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_all(piece).map(|()| piece.len())
    }

    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        if piece.len() > 4 {
            self.0.extend_from_slice(piece);
        } else {
            // Copying a byte or two by the library's way costs several times what the byte does.
            piece.iter().for_each(|byte| self.0.push(*byte));
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An object with its type in front.
#[derive(Serialize)]
struct Typed<T> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    document: T,
}

impl Lines {
    pub(super) fn new(schema: Schema, shape: Shape) -> Self {
        Self { schema, shape, line: Text::default() }
    }
}

impl Renderer for Lines {
    fn item(&mut self, out: &mut dyn Write, item: Item) -> io::Result<()> {
        line(out, self.schema.name(), keep(item, &self.shape.fields))
    }

    fn status(&mut self, out: &mut dyn Write, row: Box<StatusRow>) -> io::Result<()> {
        if !self.shape.fields.is_empty() {
            return self.item(out, Row::Status(row).into_item());
        }
        let kind = self.schema.name();
        self.line.0.clear();
        append(&mut self.line, &Typed { kind, document: row.document() })?;
        self.line.0.push(b'\n');
        out.write_all(&self.line.0)
    }

    fn finish(&mut self, out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
        line(out, "summary", crate::model::item::object(serde_json::to_value(summary)?))
    }
}

fn line(out: &mut dyn Write, kind: &str, item: Item) -> io::Result<()> {
    let mut object = Item::new();
    object.insert("type".to_owned(), kind.into());
    object.extend(item);
    writeln!(out, "{}", compact(&Value::Object(object))?)
}

/// Writes JSON on one line.
pub(super) fn compact(value: &impl Serialize) -> io::Result<String> {
    write_with(value, Escaping(CompactFormatter))
}

pub(super) fn pretty(value: &impl Serialize) -> io::Result<String> {
    write_with(value, Escaping(PrettyFormatter::new()))
}

/// Adds JSON on one line to a text.
fn append(text: &mut Text, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(text, Escaping(CompactFormatter)))?;
    Ok(())
}

fn write_with<F: Formatter>(value: &impl Serialize, formatter: F) -> io::Result<String> {
    let mut bytes = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// Escapes also what JSON itself lets pass and a terminal does not: C1 and bidirectional characters.
struct Escaping<F>(F);

macro_rules! forward {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {
        $(fn $name<W: ?Sized + Write>(&mut self, writer: &mut W $(, $arg: $type)*) -> io::Result<()> {
            self.0.$name(writer $(, $arg)*)
        })*
    };
}

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // Nearly all text is plain, which a look at its bytes tells.
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return self.0.write_string_fragment(writer, fragment);
        }
        let mut rest = fragment;
        while let Some(at) = rest.find(sanitize::is_harmful) {
            let (clean, tail) = rest.split_at(at);
            self.0.write_string_fragment(writer, clean)?;
            let mut characters = tail.chars();
            let mut units = [0; 2];
            if let Some(c) = characters.next() {
                for unit in c.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        self.0.write_string_fragment(writer, rest)
    }

    forward! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        begin_object_value();
        end_object_value();
    }
}
