//! Takes secrets out of what the box writes: its log may hold a VPN server's whole configuration, and a message may
//! repeat what was sent. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

use super::change::MASK;
use super::convert::is_secret;
use crate::secrets::hide;

/// What names a secret in a daemon's log and in the files of VPN software.
const WORDS: [&str; 9] =
    ["pass", "private", "priv_key", "privkey", "preshared", "pre-shared", "psk", "secret", "token"];
/// The directive of an OpenVPN file, after which its user and password may stand.
const USER_AND_PASSWORD: &str = "auth-user-pass";
/// The length of a WireGuard key in base64.
const KEY_LENGTH: usize = 44;
/// The shortest text that is looked for in a message; a shorter one would take harmless words apart.
const SHORTEST: usize = 4;

/// Takes the secrets out of the lines of a log, each by itself, but for a PEM block, which goes over several.
#[derive(Debug, Default)]
pub(super) struct Lines {
    in_block: bool,
}

impl Lines {
    /// Gives a line without its secrets.
    pub(super) fn next(&mut self, line: &str) -> String {
        let line = self.without_blocks(line);
        without_keys(&without_passwords(&without_values(&line)))
    }

    /// Masks what stands between the lines of a PEM block.
    fn without_blocks(&mut self, line: &str) -> String {
        let mut shown = String::new();
        let mut rest = line;
        if self.in_block {
            if let Some((_, after)) = end_of_block(rest) {
                (self.in_block, rest) = (false, after);
                shown.push_str(MASK);
            } else {
                // What the daemon writes before each line of a block stays.
                let start = rest.rfind(": ").map_or(0, |at| at + 2);
                if !rest[start..].trim().contains(' ') {
                    return format!("{}{MASK}", &rest[..start]);
                }
                // It broke off: this is another message.
                self.in_block = false;
            }
        }
        while let Some(at) = rest.find("-----BEGIN ") {
            shown.push_str(&rest[..at]);
            shown.push_str(MASK);
            match end_of_block(&rest[at..]) {
                Some((_, after)) => rest = after,
                None => {
                    self.in_block = true;
                    return shown;
                }
            }
        }
        shown + rest
    }
}

fn end_of_block(text: &str) -> Option<(&str, &str)> {
    let (before, after) = text.split_once("-----END ")?;
    Some((before, after.split_once("-----").map_or("", |(_, after)| after)))
}

/// Masks the values of what is called a secret: `password="…"`, `PrivateKey = …`, `"psk": "…"`, `auth-user-pass …`.
fn without_values(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let (mut shown, mut at) = (String::new(), 0);
    for (start, word) in words(&lower) {
        // It stands in what was looked at already.
        if start < at {
            continue;
        }
        let mut end = start + word.len();
        end += lower[end..].len()
            - lower[end..].trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_-".contains(c)).len();
        if lower[end..].starts_with(" key") {
            end += " key".len();
        }
        let value = value_of(&lower[start..end], &line[end..]);
        let Some((before, length)) = value else {
            shown.push_str(&line[at..end]);
            at = end;
            continue;
        };
        shown.push_str(&line[at..end + before]);
        shown.push_str(MASK);
        at = end + before + length;
    }
    shown + &line[at..]
}

/// Finds all that names a secret, the longest first where several begin at one place. At once, for a line may have
/// megabytes, and looking for each word anew behind every one that was found takes the square of that.
fn words(lower: &str) -> Vec<(usize, &'static str)> {
    let words = WORDS.into_iter().chain([USER_AND_PASSWORD]);
    let mut found: Vec<_> = words.flat_map(|word| lower.match_indices(word).map(move |(at, _)| (at, word))).collect();
    found.sort_by_key(|(at, word)| (*at, std::cmp::Reverse(word.len())));
    found
}

/// Finds the value after a name: how far it is to it, and how long it is.
fn value_of(name: &str, rest: &str) -> Option<(usize, usize)> {
    let unquoted = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
    let spaced = unquoted.trim_start();
    let (after, own_line) = if let Some(after) = spaced.strip_prefix(['=', ':']) {
        // `name = value` is a line of a file, `name=value` one of several in a line.
        (after.trim_start(), after.starts_with(' '))
    } else if name == USER_AND_PASSWORD || spaced.starts_with(['"', '\'']) {
        (spaced, true)
    } else {
        return None;
    };
    let before = rest.len() - after.len();
    let length = match after.chars().next()? {
        quote @ ('"' | '\'') => after[1..].find(quote).map_or(after.len(), |at| at + 2),
        _ if own_line => after.trim_end().len(),
        _ => after.find(|c: char| c.is_whitespace() || ",;)}]>&".contains(c)).unwrap_or(after.len()),
    };
    (length > 0).then_some((before, length))
}

/// Masks the password of `scheme://user:password@host`.
fn without_passwords(line: &str) -> String {
    let (mut shown, mut rest) = (String::new(), line);
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let ends = |what: &'static str| {
            after.find(move |c: char| c.is_whitespace() || what.contains(c)).unwrap_or(after.len())
        };
        let mut end = ends("/\"'<>");
        // What stands in the place of a port is a number, or else a password that has a slash, as it may not.
        let port = after[..end].rsplit_once(':').map_or("", |(_, port)| port);
        if !port.contains(']') && !port.chars().all(|c| c.is_ascii_digit()) {
            end = ends("\"'<>");
        }
        rest = after;
        if let Some(host) = after[..end].rfind('@')
            && let Some(colon) = after[..host].find(':')
        {
            shown.push_str(&after[..=colon]);
            shown.push_str(MASK);
            rest = &after[host..];
        }
    }
    shown + rest
}

/// Masks what has the form of a WireGuard key, and lines of base64 whose beginning the log has lost.
fn without_keys(line: &str) -> String {
    let base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let (mut shown, mut rest) = (String::new(), line);
    while let Some(start) = rest.find(base64) {
        let (before, after) = rest.split_at(start);
        let length = after.find(|c: char| !base64(c)).unwrap_or(after.len());
        // `PublicKey=KEY` is one run of these characters.
        let run = &after[..length];
        let name = run.trim_end_matches('=').rfind('=').map_or(0, |at| at + 1);
        let key = run[name..].len() == KEY_LENGTH && run.ends_with('=');
        let block = run[name..].len() >= 64 && !run.contains("//");
        shown.push_str(before);
        shown.push_str(&run[..name]);
        shown.push_str(if key || block { MASK } else { &run[name..] });
        rest = &after[length..];
    }
    shown + rest
}

/// Remembers the secrets of this process, so that no message repeats one.
#[derive(Default)]
pub(super) struct Known(BTreeSet<String>);

impl Known {
    /// Learns the secrets of a document that was sent or read.
    pub(super) fn learn(&mut self, document: &Value) {
        match document {
            Value::Object(map) => {
                for (name, value) in map {
                    if is_secret(name) {
                        self.learn_all(value);
                    } else {
                        self.learn(value);
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|value| self.learn(value)),
            _ => {}
        }
    }

    fn learn_all(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                let lines = text.lines().map(str::trim).chain([text.as_str()]);
                self.0.extend(lines.filter(|line| line.chars().count() >= SHORTEST).map(str::to_owned));
            }
            Value::Array(list) => list.iter().for_each(|value| self.learn_all(value)),
            Value::Object(map) => map.values().for_each(|value| self.learn_all(value)),
            _ => {}
        }
    }

    /// Gives a message of the box without them, and without what looks like one.
    pub(super) fn without(&self, message: &str) -> String {
        let text = hide(message, self.0.iter().map(String::as_str));
        let mut lines = Lines::default();
        text.lines().map(|line| lines.next(line)).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Known, Lines};
    use crate::http::without_quotes;

    const KEY: &str = "TdbS1Y0RHZ6rRNSxlEUssD/pnRDfrHMFfJPLl5icvQg=";

    fn shown(text: &str) -> String {
        let mut lines = Lines::default();
        text.lines().map(|line| lines.next(line)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn no_secret_is_left_in_a_line() {
        for line in [
            "2024-01-01 10:00:00 dbg: ppp: pppd: sent [PAP AuthReq id=0x1 user=\"u\" password=\"canary\"]",
            "dbg: openvpn: password=canary retry=1",
            "dbg: openvpn: Password: canary",
            "password = canary and canary again",
            "private_key=canary",
            "PrivateKey = canary",
            "private key: canary",
            "{\"local_priv_key\":\"canary\",\"mtu\":1420}",
            "PresharedKey=canary",
            "auth-user-pass canary canary",
            "fetching https://me:canary@vpn.example.org/file",
            "fetching https://me:a/canary@vpn.example.org/file",
            "-----BEGIN PRIVATE KEY-----canary-----END PRIVATE KEY-----",
        ] {
            let text = shown(line);
            assert!(!text.contains("canary") && text.contains("***"), "{line}: {text}");
        }
        for line in [format!("peer {KEY} up"), format!("PublicKey={KEY}"), "A".repeat(64)] {
            assert!(shown(&line).contains("***") && !shown(&line).contains(&KEY[..12]), "{line}");
        }
        let block = "dbg: openvpn: -----BEGIN PRIVATE KEY-----\ndbg: openvpn: Y2FuYXJ5\ndbg: openvpn: \
                     -----END PRIVATE KEY-----\ndbg: openvpn: connected to it";
        let text = shown(block);
        assert!(!text.contains("Y2Fu") && text.ends_with("dbg: openvpn: connected to it"), "{text}");
    }

    #[test]
    fn a_harmless_line_stays_as_it_is() {
        for line in [
            "2014-02-20 14:55:10 dbg: ppp: pppd: sent [LCP ConfReq id=0x1 <asyncmap 0x0>]",
            "info: openvpn: password authentication failed",
            "info: fetching https://vpn.example.org:443/a@b",
            "info: fetching https://vpn.example.org/a:b@c and https://[2001:db8::a]/a@b",
            "retry=1 key=0x55 — été",
        ] {
            assert_eq!(shown(line), line);
        }
        assert_eq!(shown("user=u password=p ip=192.0.2.1"), "user=u password=*** ip=192.0.2.1");
    }

    #[test]
    fn what_was_sent_or_read_is_not_repeated() {
        let mut known = Known::default();
        known
            .learn(&json!([{"description": "office", "conf_openvpn": {"config_file": "client\nremote vpn.example.org",
            "password": "canary-one"}}]));
        let text = known.without("bad line remote vpn.example.org of office near canary-one");
        assert_eq!(text, "bad line *** of office near ***");
        let serde = without_quotes("invalid type: string \"canary, expected\", expected a map");
        assert_eq!(serde, "invalid type: string …, expected a map");
    }
}
