//! The client's settings as a document of unknown schema: what may be written, what differs, what is secret. Pure.

use serde_json::Value;

use super::secrets::Secrets;
use crate::config::schema::nearest;
use crate::error::{Code, Error, Layer, Result};

/// What stands for a secret.
pub(super) use crate::secrets::MASK;
/// What a key that holds a secret has in it, in whatever case.
const SECRET: &[&str] = &["password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "privatekey"];

/// Finds where a document holds what the client writes into a file that a privileged process reads line by line
/// (CVE-2026-75925): CR, LF or NUL, in a value or a key, at whatever depth.
pub(super) fn harmful(value: &Value, at: &str) -> Option<String> {
    let bad = |text: &str| text.contains(['\r', '\n', '\0']);
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    match value {
        Value::String(text) => bad(text).then(|| at.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(index, item)| harmful(item, &below(&index.to_string())))
        }
        Value::Object(map) => map.iter().find_map(|(key, item)| {
            if bad(key) { Some(below(&key.escape_debug().to_string())) } else { harmful(item, &below(key)) }
        }),
        _ => None,
    }
}

/// Refuses changes that could do harm, before any request.
pub(super) fn check(changes: &[(String, Value)]) -> Result<()> {
    for (key, value) in changes {
        let named = Value::String(key.clone());
        if harmful(&named, "").is_some() {
            return Err(refusal(&key.escape_debug().to_string()));
        }
        if let Some(at) = harmful(value, key) {
            return Err(refusal(&at));
        }
        if key.is_empty() {
            return Err(Error::usage("a setting without a key: write KEY=VALUE"));
        }
        if value.as_str() == Some(MASK) && key.rsplit('.').next().is_some_and(is_secret) {
            return Err(Error::usage(format!("`{key}`: {MASK} is what stands for a secret, not a secret"))
                .hint("give the secret itself, or leave the key out"));
        }
    }
    Ok(())
}

fn refusal(at: &str) -> Error {
    Error::usage(format!("`{at}` holds a line break or NUL, which is never written to the VPN client's settings"))
        .hint("with such values others could run commands on this computer (CVE-2026-75925)")
}

/// Refuses to write a document back that holds what could do harm already.
pub(super) fn check_whole(document: &Value) -> Result<()> {
    let Some(at) = harmful(document, "") else { return Ok(()) };
    let what =
        format!("the VPN client's settings hold a line break or NUL at `{at}`, which vpnctl does not write back");
    Err(Error::new(Code::ConflictGuard, Layer::Api, what).hint(
        "somebody may have tampered with this client (CVE-2026-75925): look with `vpnctl settings show`, update it, and \
         set that key anew or use `vpnctl settings reset`",
    ))
}

/// Changes keys, and tells which differ.
///
/// The schema is unknown, so what the client shows is the schema: a key that is not there is refused as a typing error,
/// and so is a value of another kind; null is of every kind.
pub(super) fn apply(document: &mut Value, changes: &[(String, Value)]) -> Result<Vec<String>> {
    let mut differences = Vec::new();
    for (key, new) in changes {
        let known = keys(document);
        let Some(old) = find(document, key) else {
            let error = Error::usage(format!("the VPN client shows no setting `{key}`"));
            return Err(match nearest(key, known.iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("it has what `vpnctl settings show` shows; what it does not show can only be written as a whole, with: vpnctl api PUT Configuration --data @FILE"),
            });
        };
        if kind(old) != kind(new) && !old.is_null() && !new.is_null() {
            return Err(Error::usage(format!("`{key}` is {} now, and the new value is {}", kind(old), kind(new)))
                .hint(format!("text that looks like something else goes in quotes: '{key}=\"…\"'")));
        }
        if old != new {
            let last = key.rsplit('.').next().unwrap_or(key);
            differences.push(format!("{key}: {} → {}", masked_by(last, old), masked_by(last, new)));
            *old = new.clone();
        }
    }
    Ok(differences)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Finds what a dotted key names; a key that holds a dot itself is found too.
pub(super) fn find<'v>(value: &'v mut Value, key: &str) -> Option<&'v mut Value> {
    let here = match value {
        Value::Object(map) => map.contains_key(key),
        Value::Array(items) => key.parse::<usize>().is_ok_and(|index| index < items.len()),
        _ => return None,
    };
    if here {
        return match value {
            Value::Object(map) => map.get_mut(key),
            Value::Array(items) => items.get_mut(key.parse::<usize>().ok()?),
            _ => None,
        };
    }
    let (head, tail) = key.split_once('.')?;
    let inner = match value {
        Value::Object(map) => map.get_mut(head)?,
        Value::Array(items) => items.get_mut(head.parse::<usize>().ok()?)?,
        _ => return None,
    };
    find(inner, tail)
}

/// Lists the keys of a document, nested ones dotted.
fn keys(document: &Value) -> Vec<String> {
    let Value::Object(map) = document else { return Vec::new() };
    let nested = |(key, value): (&String, &Value)| {
        let inner: Vec<String> = keys(value).into_iter().map(|inner| format!("{key}.{inner}")).collect();
        std::iter::once(key.clone()).chain(inner).collect::<Vec<_>>()
    };
    map.iter().flat_map(nested).collect()
}

/// Masks secrets. The schema is unknown, so what a key is called has to do, and what a value looks like.
pub(super) fn masked(value: &Value) -> Value {
    masked_below(value, false)
}

fn masked_by(key: &str, value: &Value) -> Value {
    masked_below(value, is_secret(key))
}

fn masked_below(value: &Value, secret: bool) -> Value {
    match value {
        Value::Object(map) => {
            map.iter().map(|(key, item)| (key.clone(), masked_below(item, secret || is_secret(key)))).collect()
        }
        Value::Array(items) => items.iter().map(|item| masked_below(item, secret)).collect(),
        Value::String(text) if text.is_empty() => value.clone(),
        Value::String(text) if secret || text.contains("PRIVATE KEY") => MASK.into(),
        Value::String(text) => match inner(text) {
            // Kept as it was written where there is nothing to mask.
            Some(document) if masked(&document) != document => masked(&document).to_string().into(),
            Some(_) => value.clone(),
            None => without_password(text).into(),
        },
        Value::Number(_) if secret => MASK.into(),
        other => other.clone(),
    }
}

/// Tells whether the client itself shows something in place of a secret. None is known to; the schema is unknown.
pub(super) fn is_hidden(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty() && text.chars().all(|c| matches!(c, '*' | '•' | '●')))
}

/// Names the first key of which a document holds no more than what the client shows in its place.
pub(super) fn hidden(document: &Value) -> Option<String> {
    keys(document).into_iter().find(|key| find(&mut document.clone(), key).is_some_and(|value| is_hidden(value)))
}

/// Gives the secrets of a document: what is masked where it is shown.
pub(super) fn secrets(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(document, false, &mut found);
    found
}

fn collect(value: &Value, secret: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, item)| collect(item, secret || is_secret(key), found)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, secret, found)),
        Value::String(text) if secret || text.contains("PRIVATE KEY") => found.push(text.clone()),
        Value::String(text) => match inner(text) {
            Some(document) => collect(&document, secret, found),
            None => found.extend(url::Url::parse(text).ok().and_then(|url| url.password().map(str::to_owned))),
        },
        Value::Number(number) if secret => found.push(number.to_string()),
        _ => {}
    }
}

/// Reads the object that a text holds, where it holds one.
fn inner(text: &str) -> Option<Value> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str::<Value>(text).ok().filter(Value::is_object)
}

/// Masks what the keys of a document name as secrets, and each of these wherever else it stands in it.
pub(super) fn clean(document: Value) -> Value {
    let known = Secrets::default();
    known.add_all(&document);
    known.hide_in(masked(&document))
}

/// Tells whether a key names a secret: by a part of it that is long enough to be no accident, or by the word `key`.
fn is_secret(key: &str) -> bool {
    let lower = key.to_lowercase();
    let words = key.split(|c: char| !c.is_alphanumeric());
    let is_key = |word: &str| {
        let ends = word.ends_with("Key") || word.ends_with("KEY");
        ends || word.eq_ignore_ascii_case("key") || word.eq_ignore_ascii_case("psk")
    };
    SECRET.iter().any(|part| lower.contains(part)) || words.into_iter().any(is_key)
}

/// Masks the password of a URL, such as that of a proxy.
fn without_password(text: &str) -> String {
    let Ok(mut url) = url::Url::parse(text) else {
        // A slash may not stand in a password as it is, and yet it is written so.
        let parts = text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1)));
        return parts.map_or_else(|| text.to_owned(), |(scheme, host)| format!("{scheme}://{MASK}@{host}"));
    };
    if url.password().is_some() && url.set_password(Some(MASK)).is_ok() { url.into() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{apply, check, check_whole, masked};
    use crate::error::Code;

    fn document() -> Value {
        json!({"proxy": "", "tap": {"automatic": true, "mtu": 1500}, "a.b": 1, "list": [{"x": "y"}], "none": null})
    }

    fn set(key: &str, value: Value) -> Result<(Value, Vec<String>), String> {
        let mut document = document();
        let differences = apply(&mut document, &[(key.to_owned(), value)]);
        differences.map(|differences| (document, differences)).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn keys_are_found_at_every_depth_and_the_rest_stays() {
        for (key, value, pointer) in [
            ("proxy", json!("p"), "/proxy"),
            ("tap.automatic", json!(false), "/tap/automatic"),
            ("a.b", json!(2), "/a.b"),
            ("list.0.x", json!("z"), "/list/0/x"),
            ("list.0", json!({"w": 1}), "/list/0"),
            ("none", json!([1]), "/none"),
            ("tap.mtu", Value::Null, "/tap/mtu"),
        ] {
            let (after, differences) = set(key, value.clone()).expect(key);
            assert_eq!(differences.len(), 1, "{key}");
            let mut expected = document();
            *expected.pointer_mut(pointer).expect(pointer) = value;
            assert_eq!(after, expected, "{key}");
        }
        assert_eq!(set("tap.mtu", json!(1500)).expect("the same"), (document(), Vec::new()));
    }

    #[test]
    fn a_key_that_is_not_there_and_another_kind_are_refused() {
        for key in ["proxi", "tap.x", "proxy.x", "list.1", "list.x", "", ".", "tap."] {
            assert!(set(key, json!("x")).is_err_and(|error| error.contains("no setting")), "{key}");
        }
        assert_eq!(set("tap.mtu", json!("x")), Err("`tap.mtu` is a number now, and the new value is text".to_owned()));
        assert!(set("tap", json!(true)).is_err());
    }

    #[test]
    fn line_breaks_and_nul_are_refused_wherever_they_hide() {
        for bad in ["\r", "\n", "\0", "a\nb"] {
            for value in [json!(bad), json!([bad]), json!({"x": {"y": [1, bad]}}), json!({ bad: 1 })] {
                let error = check(&[("proxy".to_owned(), value.clone())]).expect_err("harm");
                assert_eq!(error.code(), Code::Usage);
                assert!(!error.message().contains(bad), "{error}");
                assert_eq!(check_whole(&json!({"deep": value})).expect_err("harm").code(), Code::ConflictGuard);
            }
            assert!(check(&[(format!("a{bad}"), json!(1))]).is_err());
        }
        assert!(check(&[("proxy".to_owned(), json!("a\tb \u{2028} \\n"))]).is_ok());
        assert!(check(&[(String::new(), json!(1))]).is_err());
        assert!(check(&[("tap.privateKey".to_owned(), json!("***"))]).is_err());
    }

    #[test]
    fn secrets_are_masked_by_key_and_by_look() {
        let shown = masked(&json!({
            "proxyPassword": "x", "apiToken": 12, "client_secret": {"a": ["b"]}, "privateKey": "x", "key": "x",
            "TLS_KEY": "x", "password": "", "secret": null, "useToken": true, "keyboard": "azerty", "monkey": "m",
            "cert": "-----BEGIN PRIVATE KEY-----", "proxy": "http://me:pw@proxy:3128/", "host": "http://proxy:1/",
            "odd": "http://me:p/w@proxy:3128/",
        }));
        let expected = json!({
            "proxyPassword": "***", "apiToken": "***", "client_secret": {"a": ["***"]}, "privateKey": "***",
            "key": "***", "TLS_KEY": "***", "password": "", "secret": null, "useToken": true, "keyboard": "azerty",
            "monkey": "m", "cert": "***", "proxy": "http://me:***@proxy:3128/", "host": "http://proxy:1/",
            "odd": "http://***@proxy:3128/",
        });
        assert_eq!(shown, expected);
        let mut document = json!({"tap": {"psk": "old"}});
        let differences = apply(&mut document, &[("tap.psk".to_owned(), json!("new"))]).expect("applied");
        assert_eq!(differences, ["tap.psk: \"***\" → \"***\""]);
        assert_eq!(document, json!({"tap": {"psk": "new"}}), "what is written is not masked");
    }
}
