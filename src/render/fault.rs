//! Writes what went wrong, to be the end of standard error.

use super::{Format, json, sanitize};
use crate::error::Error;

/// Writes an error as lines for people, or as the error object of contract section 5.
#[must_use]
pub fn lines(error: &Error, format: Format) -> Vec<String> {
    if format.is_json() {
        return json::compact(&error.report()).into_iter().collect();
    }
    let mut lines = text(error);
    if format == Format::Value {
        lines.push(error.code().as_str().to_owned());
    }
    lines
}

/// Writes `error: …` and `hint: …`; whose error it is comes first.
#[must_use]
pub fn text(error: &Error) -> Vec<String> {
    let place: Vec<&str> = error.backend_name().into_iter().chain(error.target_name()).collect();
    let whose = if place.is_empty() { String::new() } else { format!("{}: ", sanitize::line(&place.join("/"))) };
    let mut lines = vec![format!("error: {whose}{}", sanitize::line(error.message()))];
    if let Some(hint) = error.hint_text() {
        lines.push(format!("hint: {}", sanitize::line(hint)));
    }
    lines
}
