//! The spellings of a secret in which a server may repeat it: escaped for JSON, a URL or HTML, in base64 and in hex. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::MASK;

/// How long, in bytes, a secret is that is looked for in other spellings: a shorter one stands in words by accident, and
/// one that is longer, which only a server makes, would take too long to be looked for.
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=4096;
/// How many backslashes in a row count as one escape: what is escaped three times has seven.
const RUN: usize = 8;
/// The names that HTML has for what escaping it replaces.
const NAMES: [(&[u8], u8); 8] = [
    (b"quot", b'"'),
    (b"amp", b'&'),
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"apos", b'\''),
    (b"sol", b'/'),
    (b"plus", b'+'),
    (b"equals", b'='),
];

/// What is looked for of one secret.
#[derive(Default)]
pub struct Spellings(Vec<String>);

impl Spellings {
    /// Makes the spellings of a secret; none of one that is too short or too long.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        if !LENGTHS.contains(&secret.len()) {
            return Self::default();
        }
        let hex = secret.bytes().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let upper = hex.to_ascii_uppercase();
        Self(vec![secret.to_owned(), STANDARD_NO_PAD.encode(secret), URL_SAFE_NO_PAD.encode(secret), hex, upper])
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Masks them in a text, however their characters are escaped there.
    #[must_use]
    pub fn hide(&self, text: String) -> String {
        self.0
            .iter()
            .fold(text, |text, spelling| if text.len() < spelling.len() { text } else { hidden(&text, spelling) })
    }
}

fn hidden(text: &str, spelling: &str) -> String {
    let mut rest = text.as_bytes();
    let mut shown = Vec::with_capacity(rest.len());
    while let Some((byte, after)) = rest.split_first() {
        let may_begin = spelling.as_bytes().first() == Some(byte) || b"\\%&+".contains(byte);
        if let Some(length) = may_begin.then(|| eaten(rest, spelling.as_bytes())).flatten() {
            shown.extend_from_slice(MASK.as_bytes());
            rest = &rest[length..];
            // What fills base64 up says how long the secret is.
            while let Some(length) = eaten(rest, b"=") {
                rest = &rest[length..];
            }
        } else {
            shown.push(*byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&shown).into_owned()
}

/// Tells how much of the beginning of a text spells what is looked for; nothing where it does not.
fn eaten(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let run_of = |text: &[u8]| text.iter().take(RUN).take_while(|byte| **byte == b'\\').count();
    let (mut rest, mut left) = (text, wanted);
    while !left.is_empty() {
        // Backslashes are escaped by backslashes, so that they can only be counted.
        let (run, own) = (run_of(rest), run_of(left));
        if run > 0
            && let Some((meaning, length)) = escape(&rest[run..], true)
            && let Some(after) = left.strip_prefix(meaning.as_slice())
        {
            (rest, left) = (&rest[run + length..], after);
            continue;
        }
        let is_escaped = run > 0 && run >= own;
        if is_escaped {
            (rest, left) = (&rest[run..], &left[own..]);
        }
        let Some(first) = left.first() else { break };
        if let Some((meaning, length)) = escape(rest, is_escaped)
            && let Some(after) = left.strip_prefix(meaning.as_slice())
        {
            (rest, left) = (&rest[length..], after);
            continue;
        }
        let byte = rest.first()?;
        if byte != first && (*byte, *first) != (b'+', b' ') {
            return None;
        }
        (rest, left) = (&rest[1..], &left[1..]);
    }
    Some(text.len() - rest.len())
}

/// Reads one escape at the beginning of a text: what it means, and its length.
fn escape(text: &[u8], is_escaped: bool) -> Option<(Vec<u8>, usize)> {
    match text {
        [b'%', ..] => Some((vec![u8::try_from(number(text.get(1..3)?, 16)?).ok()?], 3)),
        [b'&', ..] => {
            let length = text.iter().take(12).position(|byte| *byte == b';')?;
            let code = match &text[1..length] {
                [b'#', b'x' | b'X', digits @ ..] => number(digits, 16)?,
                [b'#', digits @ ..] => number(digits, 10)?,
                name => u32::from(NAMES.iter().find(|(known, _)| *known == name)?.1),
            };
            Some((written(code)?, length + 1))
        }
        [b'u', ..] if is_escaped => {
            let high = number(text.get(1..5)?, 16)?;
            if !(0xd800..0xdc00).contains(&high) {
                return Some((written(high)?, 5));
            }
            let second = text[5..].iter().take(RUN).position(|byte| *byte != b'\\')? + 5;
            let low = number(text.get(second + 1..second + 5)?, 16)?.checked_sub(0xdc00)?;
            Some((written(0x10000 + ((high - 0xd800) << 10) + low)?, second + 5))
        }
        [b'n', ..] if is_escaped => Some((vec![b'\n'], 1)),
        [b'r', ..] if is_escaped => Some((vec![b'\r'], 1)),
        [b't', ..] if is_escaped => Some((vec![b'\t'], 1)),
        _ => None,
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

fn written(code: u32) -> Option<Vec<u8>> {
    char::from_u32(code).map(|c| c.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::Spellings;

    const SECRET: &str = "p/w+\"<é&>'=\\ 😀?";

    fn hidden(text: &str) -> String {
        Spellings::of(SECRET).hide(format!("a {text} b"))
    }

    #[test]
    fn json_is_seen_through_however_often_it_was_written() {
        let mut text = SECRET.to_owned();
        for _ in 0..3 {
            text = serde_json::Value::from(text).to_string().trim_matches('"').to_owned();
            // A quote at the beginning or end of the secret would be trimmed; it has none.
            assert_eq!(hidden(&text), "a *** b", "{text}");
            assert_eq!(hidden(&text.replace('/', "\\/")), "a *** b", "{text}");
        }
        let units = SECRET.encode_utf16().fold(String::new(), |text, unit| text + &format!("\\u{unit:04X}"));
        assert_eq!(hidden(&units), "a *** b");
        assert_eq!(hidden(&units.replace('\\', "\\\\")), "a *** b");
        let lines = Spellings::of("line one\nline two");
        assert_eq!(lines.hide("line one\\nline two".to_owned()), "***");
    }

    #[test]
    fn a_url_is_seen_through() {
        for keeps in ["", "/", "/+'"] {
            for is_upper in [true, false] {
                let text = SECRET.bytes().fold(String::new(), |text, byte| {
                    let c = char::from(byte);
                    if c.is_ascii_alphanumeric() || keeps.contains(c) {
                        text + &c.to_string()
                    } else if is_upper {
                        text + &format!("%{byte:02X}")
                    } else {
                        text + &format!("%{byte:02x}")
                    }
                });
                assert_eq!(hidden(&text), "a *** b", "{text}");
                assert_eq!(hidden(&text.replace("%20", "+")), "a *** b", "{text}");
            }
        }
    }

    #[test]
    fn html_is_seen_through() {
        let named = SECRET.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;");
        let more = named.replace('\'', "&apos;").replace('/', "&sol;").replace('+', "&plus;").replace('=', "&equals;");
        let code = |write: fn(u32) -> String| {
            let is_plain = |c: char| c.is_ascii_alphanumeric();
            SECRET.chars().map(|c| if is_plain(c) { c.to_string() } else { write(c.into()) }).collect::<String>()
        };
        let written = [code(|c| format!("&#{c};")), code(|c| format!("&#x{c:X};")), code(|c| format!("&#X{c:04x};"))];
        for text in [named, more].iter().chain(&written) {
            assert_eq!(hidden(text), "a *** b", "{text}");
        }
    }

    #[test]
    fn base64_and_hex_are_seen_through() {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE};
        // Of each length that is filled up otherwise; with characters that the alphabets write otherwise.
        for secret in ["user:~~~???>>>", "user:~~~???>>>1", "user:~~~???>>>12"] {
            let spelled = Spellings::of(secret);
            let hex = secret.bytes().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
            for text in [STANDARD.encode(secret), URL_SAFE.encode(secret), hex.to_uppercase(), hex] {
                for text in [text.trim_end_matches('='), &text, &text.replace('=', "%3D"), &text.replace('/', "\\/")] {
                    assert_eq!(spelled.hide(format!("a {text} b")), "a *** b", "{text}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "",
            "%",
            "&",
            "\\",
            "&#;",
            "%zz",
            "\\u12",
            "\\ud83d\\",
            "&#x110000;",
            "p/w+&quot",
            "é😀",
            "\\\\\\\\\\\\\\\\\\\\",
        ] {
            assert_eq!(hidden(text), format!("a {text} b"));
        }
        let short = Spellings::of("a/secre");
        assert_eq!(short.hide("a%2Fsecre".to_owned()), "a%2Fsecre");
        assert_eq!(Spellings::of("a/secret").hide("é a%2Fsecret😀".to_owned()), "é ***😀");
    }
}
