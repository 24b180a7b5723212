//! What a filter gives, as text: strings as they are, everything else as JSON.

use jaq_json::{Num, Val};
use serde_json::{Number, Value};

use crate::render::{json, sanitize};

/// How deep a value may be nested that is printed: jq's own bound.
const DEEPEST: usize = 10_000;

/// Above this, neighbouring whole numbers are one.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Writes a value as a line, or as several where that is `pretty`; what would drive a terminal is escaped.
pub(super) fn line(value: &Val, pretty: bool) -> Result<String, String> {
    let mut text = match value {
        // Line ends and tabs stay, for a filter may have made them.
        Val::TStr(bytes) | Val::BStr(bytes) => sanitize::block(&String::from_utf8_lossy(bytes)),
        value => {
            let value = plain(value, 0)?;
            let written = if pretty { json::pretty(&value) } else { json::compact(&value) };
            written.map_err(|error| error.to_string())?
        }
    };
    text.push('\n');
    Ok(text)
}

fn plain(value: &Val, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err(format!("the filter of --jq gives a value that is nested deeper than {DEEPEST} levels"));
    }
    Ok(match value {
        Val::Null => Value::Null,
        Val::Bool(yes) => Value::Bool(*yes),
        Val::Num(number) => number_of(number),
        Val::TStr(bytes) | Val::BStr(bytes) => Value::String(String::from_utf8_lossy(bytes).into_owned()),
        Val::Arr(items) => Value::Array(items.iter().map(|item| plain(item, depth + 1)).collect::<Result<_, _>>()?),
        Val::Obj(entries) => {
            let entry = |(key, value): (&Val, &Val)| match key {
                Val::TStr(key) => Ok((String::from_utf8_lossy(key).into_owned(), plain(value, depth + 1)?)),
                _ => Err("the filter of --jq gives an object with a key that is no string".to_owned()),
            };
            Value::Object(entries.iter().map(entry).collect::<Result<_, _>>()?)
        }
    })
}

/// Writes whole numbers without a point and what is no number as null, as jq does.
fn number_of(number: &Num) -> Value {
    if let Num::Int(whole) = number {
        return (*whole as i64).into();
    }
    let text = number.to_string();
    if let Ok(whole) = text.parse::<u64>() {
        return whole.into();
    }
    let float = match number {
        Num::Float(float) => *float,
        _ => text.parse().unwrap_or(f64::NAN),
    };
    if float.is_nan() {
        Value::Null
    } else if float.fract() == 0.0 && float.abs() < EXACT {
        (float as i64).into()
    } else {
        Number::from_f64(float.clamp(f64::MIN, f64::MAX)).map_or(Value::Null, Value::Number)
    }
}
