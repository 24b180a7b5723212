//! The filters that an expression may use: those of jq that need nothing of the process. No environment, no file, no
//! further input, no way to end the process or to write past the one that prints.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jaq_core::box_iter::box_once;
use jaq_core::load::{self, parse::Def};
use jaq_core::native::{self, Filter, Fun, bome, v};
use jaq_core::{Error, RunPtr, ValR};
use jaq_json::Val;
use jaq_std::ValT as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Kind;

/// What RFC 3986 does not reserve stays as it is.
const URI: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Definitions of the libraries that stand on something that is not here, with the number of their arguments where one
/// of the same name stays.
const LEFT_OUT: &[(&str, Option<usize>)] = &[
    ("stderr", None),
    ("debug", None),
    ("halt", None),
    ("halt_error", None),
    ("logb", None),
    ("significand", None),
    ("pow10", None),
    ("drem", None),
    ("nexttoward", None),
    ("scalb", None),
    ("gamma", None),
    ("capture_of_match", None),
    ("test", None),
    ("scan_", None),
    ("match", None),
    ("capture", None),
    ("split", Some(2)),
    ("splits", None),
    ("sub", None),
    ("gsub", None),
    ("scan", None),
    ("@htmld", None),
];

/// Native filters of the libraries that are not offered: the one ends the process, the others make or read what is no
/// JSON.
const NATIVE_LEFT_OUT: &[&str] = &["halt", "tobytes", "fromjson"];

/// What `vpnctl help formats` says of filters that users of jq may miss.
pub const MISSING: &str = "regular expressions (test, match, capture, scan, sub, gsub, split/2), strftime and its \
                           family, most of the mathematics, streams (tostream, fromstream), builtins, $__loc__, ?//, \
                           input, inputs, debug, stderr, halt, import, include; $ENV and env are empty";

/// Filters that are written in the language itself.
const OWN: &str = r#"
def env: {};
def toarray: if isarray then . else [.] end;
def leaf_paths: paths(scalars);
def ascii: [.] | implode;
def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
def INDEX(s; f): reduce s as $row ({}; .[$row | f | tostring] = $row);
def INDEX(f): INDEX(.[]; f);
def csv_cell: if isstring then "\"" + (split("\"") | join("\"\"")) + "\"" elif . == null then ""
  elif type == "array" or type == "object" then error("\(type) has no place in a row of CSV") else tostring end;
def @csv: [.[] | csv_cell] | join(",");
def @tsv: [.[] | if isstring then escape_tsv elif type == "array" or type == "object" then csv_cell elif . == null then ""
  else tostring end] | join("\t");
"#;

/// Gives the definitions.
pub(super) fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    let offered = |def: &Def<&'static str>| {
        !LEFT_OUT.iter().any(|(name, count)| *name == def.name && count.is_none_or(|count| count == def.args.len()))
    };
    let own = load::parse(OWN, |parser| parser.defs()).unwrap_or_default();
    jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).filter(offered).chain(own)
}

/// Gives the native filters.
pub(super) fn natives() -> impl Iterator<Item = Fun<Kind>> {
    let library = jaq_core::funs().chain(jaq_std::base_funs()).chain(jaq_json::funs());
    library
        .filter(|(name, ..)| !NATIVE_LEFT_OUT.contains(name))
        .chain(own().into_iter().map(|filter| native::run::<Kind>(filter)))
}

fn own() -> [Filter<RunPtr<Kind>>; 13] {
    [
        ("fromjson", v(0), |cv| bome(text(&cv.1).and_then(|text| serde_json::from_str(&text).map_err(Error::str)))),
        ("escape_html", v(0), |cv| bome(escaped(&cv.1, html))),
        ("escape_tsv", v(0), |cv| bome(escaped(&cv.1, tsv))),
        ("encode_uri", v(0), |cv| bome(text(&cv.1).map(|text| utf8_percent_encode(&text, URI).to_string().into()))),
        ("decode_uri", v(0), |cv| {
            let decoded = |text: String| percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned();
            bome(text(&cv.1).map(|text| decoded(text).into()))
        }),
        ("encode_base64", v(0), |cv| bome(text(&cv.1).map(|text| STANDARD.encode(text).into()))),
        ("decode_base64", v(0), |cv| {
            let decoded = |text: String| STANDARD.decode(text).map_err(Error::str);
            let readable = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned().into();
            bome(text(&cv.1).and_then(decoded).map(readable))
        }),
        ("now", v(0), |_| box_once(Ok(Val::from(jiff::Timestamp::now().as_millisecond() as f64 / 1000.0)))),
        ("fromdateiso8601", v(0), |cv| {
            let seconds = |text: String| text.parse::<jiff::Timestamp>().map_err(Error::str);
            bome(text(&cv.1).and_then(seconds).map(|at| Val::from(at.as_second() as isize)))
        }),
        ("todateiso8601", v(0), |cv| {
            let whole = cv.1.as_f64().ok_or_else(|| Error::typ(cv.1.clone(), "number"));
            let written = |seconds: f64| jiff::Timestamp::from_second(seconds as i64).map_err(Error::str);
            bome(whole.and_then(written).map(|at| at.to_string().into()))
        }),
        ("sqrt", v(0), |cv| bome(number(&cv.1).map(|number| number.sqrt().into()))),
        ("fabs", v(0), |cv| bome(number(&cv.1).map(|number| number.abs().into()))),
        ("pow", v(2), |mut cv| {
            let exponent = cv.0.pop_var();
            let base = cv.0.pop_var();
            bome(number(&base).and_then(|base| Ok(base.powf(number(&exponent)?).into())))
        }),
    ]
}

fn number(value: &Val) -> Result<f64, Error<Val>> {
    value.as_f64().ok_or_else(|| Error::typ(value.clone(), "number"))
}

fn text(value: &Val) -> Result<String, Error<Val>> {
    let bytes = value.as_utf8_bytes().ok_or_else(|| Error::typ(value.clone(), "string"))?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn escaped(value: &Val, replaced: fn(char) -> Option<&'static str>) -> ValR<Val> {
    let mut escaped = String::new();
    for c in text(value)?.chars() {
        match replaced(c) {
            Some(instead) => escaped.push_str(instead),
            None => escaped.push(c),
        }
    }
    Ok(escaped.into())
}

fn html(c: char) -> Option<&'static str> {
    match c {
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '&' => Some("&amp;"),
        '\'' => Some("&#39;"),
        '"' => Some("&quot;"),
        _ => None,
    }
}

fn tsv(c: char) -> Option<&'static str> {
    match c {
        '\t' => Some("\\t"),
        '\n' => Some("\\n"),
        '\r' => Some("\\r"),
        '\\' => Some("\\\\"),
        _ => None,
    }
}
