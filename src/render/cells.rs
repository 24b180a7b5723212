//! One value as text of a cell.

use serde_json::Value;

/// Writes a value as plain text: nothing for null, lists with commas, labels as `name=value`.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(","),
        Value::Object(map) => {
            let pairs = map.iter().map(|(name, value)| format!("{name}={}", inner(value)));
            pairs.collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

/// Writes a value inside another; a capability is told by its word alone.
fn inner(value: &Value) -> String {
    match value.get("support") {
        Some(support) => plain(support),
        None => plain(value),
    }
}
