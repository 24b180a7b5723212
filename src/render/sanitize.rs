//! Makes vendor text harmless: no control character reaches a terminal, none turns the line around.

use std::borrow::Cow;

/// Tells whether a character controls a terminal or the direction of text.
#[must_use]
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Escapes what is harmful, so that the text stays on one line and says what it held.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => clean.push_str("\\n"),
            '\r' => clean.push_str("\\r"),
            '\t' => clean.push_str("\\t"),
            c if is_harmful(c) => clean.extend(c.escape_unicode()),
            c => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

/// Makes a cell of CSV or TSV that a spreadsheet does not run as a formula: such a one begins with a quote.
#[must_use]
pub fn cell(text: &str) -> Cow<'_, str> {
    let clean = line(text);
    let runs = clean.starts_with(['=', '+', '-', '@']) && clean.parse::<f64>().is_err();
    if runs { Cow::Owned(format!("'{clean}")) } else { clean }
}

#[cfg(test)]
mod tests {
    use super::{cell, line};

    #[test]
    fn what_is_harmless_stays_as_it_is() {
        for text in ["Lyon WireGuard", "Été à l’ouest", "日本", "a\u{0301}", "👩‍🔧"] {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn what_is_harmful_is_shown_and_not_done() {
        assert_eq!(line("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(line("a\nb\tc"), "a\\nb\\tc");
        assert_eq!(line("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(line("a\u{9b}b\u{7f}"), "a\\u{9b}b\\u{7f}");
    }

    #[test]
    fn a_formula_is_quoted_and_a_number_is_not() {
        assert_eq!(cell("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(cell("@SUM(A1)"), "'@SUM(A1)");
        assert_eq!(cell("-Kf2x0nQbDE"), "'-Kf2x0nQbDE");
        assert_eq!(cell("-12.5"), "-12.5");
        assert_eq!(cell("plain"), "plain");
    }
}
