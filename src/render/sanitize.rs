//! Makes vendor text harmless: no control character reaches a terminal, none turns the line around.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What a formula begins with, in full width too: some programs take one for the other.
const SIGNS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// What ends a cell, in one country or another, whatever the file is called.
const ENDS: [char; 2] = [',', ';'];

/// Tells whether a character controls a terminal or the direction of text, or is there and is never seen.
///
/// What writing needs is none of them: the joiners of Persian and of emoji, the selectors of a variant.
#[must_use]
pub fn is_harmful(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        // Marks, embeddings, overrides and isolates of direction; ends of lines and paragraphs.
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}')
        // Two names that differ by these alone look the same, and tags carry a whole text that nobody sees.
        || matches!(c, '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        // The soft hyphen, the joiner of graphemes, and what fills the place of a letter in Hangul and Khmer.
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
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

/// Escapes what is harmful in text of several lines: their ends and tabs stay.
#[must_use]
pub fn block(text: &str) -> String {
    let tabs = |line_of: &str| line_of.split('\t').map(line).collect::<Vec<_>>().join("\t");
    text.split('\n').map(tabs).collect::<Vec<_>>().join("\n")
}

/// Escapes what JSON lets pass and a terminal does not, in JSON that is written already; its line end stays.
#[must_use]
pub fn json(written: &str) -> Cow<'_, str> {
    let passes = |c: char| is_harmful(c) && c != '\n';
    if !written.contains(passes) {
        return Cow::Borrowed(written);
    }
    let mut clean = String::with_capacity(written.len() + 8);
    for c in written.chars() {
        if passes(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // A text takes whatever is written.
                let _ = write!(clean, "\\u{unit:04x}");
            }
        } else {
            clean.push(c);
        }
    }
    Cow::Owned(clean)
}

/// Makes a cell of CSV or TSV that a spreadsheet does not run as a formula: such a one begins with a quote.
///
/// Where the comma is in numbers, `;` ends a cell, and it does so within quotes that the file's own rules set; so what
/// stands behind one is looked at as a cell too.
#[must_use]
pub fn cell(text: &str) -> Cow<'_, str> {
    let clean = line(text);
    // A dash alone stands for nothing; with something behind its end it is the beginning of a cell.
    if !clean.contains(SIGNS) || clean.trim() == "-" {
        return clean;
    }
    // Where nothing is cut, a number with anything but numbers behind it begins a formula too.
    let is_begun = begins(&clean) && !clean.split(ENDS).all(is_number);
    if !is_begun && !clean.split(ENDS).any(runs) {
        return clean;
    }
    let mut quoted = String::with_capacity(clean.len() + 2);
    for (at, part) in clean.split_inclusive(ENDS).enumerate() {
        if runs(part.trim_end_matches(ENDS)) || at == 0 && is_begun {
            quoted.push('\'');
        }
        quoted.push_str(part);
    }
    Cow::Owned(quoted)
}

/// Tells whether a spreadsheet takes a cell for a formula; spaces and quotes before it are sometimes left out.
fn runs(cell: &str) -> bool {
    begins(cell) && !is_number(unquoted(cell))
}

fn begins(cell: &str) -> bool {
    unquoted(cell).starts_with(SIGNS)
}

fn unquoted(cell: &str) -> &str {
    cell.trim_start_matches(|c: char| c.is_whitespace() || c == '"')
}

/// Tells whether a text is a number, in digits: `-inf` and `+nan` are names to a spreadsheet.
fn is_number(text: &str) -> bool {
    let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    text.chars().all(digits) && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::{block, cell, json, line};

    #[test]
    fn what_is_harmless_stays_as_it_is() {
        // Joiners, selectors and marks above letters are how people write.
        for text in ["Lyon WireGuard", "Été à l’ouest", "日本", "a\u{0301}", "👩‍🔧", "می‌خواهم", "❤\u{fe0f}", "ＡＢ"]
        {
            assert_eq!(line(text), text);
            assert_eq!(block(text), text);
            assert_eq!(json(text), text);
            assert_eq!(cell(text), text);
        }
    }

    #[test]
    fn what_is_harmful_is_shown_and_not_done() {
        assert_eq!(line("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(line("a\nb\tc\r"), "a\\nb\\tc\\r");
        assert_eq!(line("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(line("a\u{9b}b\u{7f}\0"), "a\\u{9b}b\\u{7f}\\u{0}");
        assert_eq!(block("a\n\tb\u{1b}\r\n"), "a\n\tb\\u{1b}\\r\n");
    }

    #[test]
    fn every_kind_of_harm_is_known() {
        let ranges = [0..=0x1f, 0x7f..=0x9f, 0x200e..=0x200f, 0x2028..=0x202e, 0x2060..=0x206f, 0xfff9..=0xfffb];
        let alone = [0x061c, 0x180e, 0x200b, 0xfeff, 0xad, 0x34f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x3164, 0xffa0];
        let tags = 0xe0000..=0xe007f_u32;
        let all = ranges.into_iter().flatten().chain(alone).chain(tags);
        for c in all.map(|code| char::from_u32(code).expect("a character")) {
            let escaped = line(&format!("a{c}b")).into_owned();
            assert!(!escaped.contains(c) && escaped.starts_with("a\\"), "{:x}: {escaped}", u32::from(c));
        }
    }

    #[test]
    fn json_means_the_same_afterwards() {
        for text in ["a\u{9b}b\u{7f}", "\u{202e}x\u{2028}", "\u{e0041}"] {
            let written = serde_json::to_string(text).expect("written");
            let clean = json(&written);
            assert!(clean.is_ascii(), "{clean}");
            assert_eq!(serde_json::from_str::<String>(&clean).expect("read"), text);
        }
        assert_eq!(json("{}\n"), "{}\n");
    }

    #[test]
    fn a_formula_is_quoted() {
        for text in [
            "=cmd|' /C calc'!A0",
            "@SUM(A1)",
            "-Kf2x0nQbDE",
            "+1+cmd",
            "--5",
            "-inf",
            "+nan",
            "＝1+1",
            "＠SUM(A1)",
            " =1+1",
            "\u{a0}=1+1",
            "\"=1+1\"",
            " \" -2+3",
        ] {
            assert_eq!(cell(text), format!("'{text}"));
        }
        // Whoever opens the file may have it cut elsewhere.
        assert_eq!(cell("a;=1+1"), "a;'=1+1");
        assert_eq!(cell("a, =1+1;b"), "a,' =1+1;b");
        assert_eq!(cell("=1;=2"), "'=1;'=2");
        assert_eq!(cell("-;2.5)5"), "'-;2.5)5");
        assert_eq!(cell("+1;"), "'+1;");
        assert_eq!(cell("-1;b"), "'-1;b");
    }

    #[test]
    fn what_is_no_formula_is_left_alone() {
        for text in [
            "",
            "plain",
            "-12.5",
            "+33123456789",
            "-1e5",
            "-",
            " - ",
            "-1;+2",
            "10.0.0.1",
            "a=b,c=d",
            "me@example.org",
            "a-b;c",
        ] {
            assert_eq!(cell(text), text);
        }
        // A tab or the end of a line is shown, and so begins nothing.
        assert_eq!(cell("\t=1+1"), "\\t=1+1");
        assert_eq!(cell("\r=1+1"), "\\r=1+1");
    }
}
