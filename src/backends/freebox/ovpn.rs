//! OpenVPN's `.ovpn`: its text goes into the box's configuration, with everything in it that it only names; pure but for
//! the files that it names.

use serde_json::{Map, Value, json};

use super::wg_conf::at;
use crate::backend::{ImportFile, Imported, SecretDocument, TunnelChange};
use crate::error::{Error, Result};

/// Directives whose first argument is a file that can stand in the configuration instead, between tags.
const FILES: [&str; 10] =
    ["ca", "cert", "key", "dh", "extra-certs", "secret", "tls-auth", "tls-crypt", "tls-crypt-v2", "crl-verify"];
/// Directives that name what can't stand there as text.
const IMPOSSIBLE: [(&str, &str); 4] = [
    ("pkcs12", "take it apart: `openssl pkcs12 -in FILE -nodes` shows ca, cert and key, each for its own file"),
    ("askpass", "the box can't be told the passphrase: store the key without one, `openssl pkey -in FILE -out NEW`"),
    ("config", "write what that file holds in its place"),
    ("cd", "leave it out, and name files relative to this one"),
];

/// What was read so far.
#[derive(Default)]
struct Reading {
    out: String,
    username: Option<String>,
    password: Option<String>,
    server: bool,
}

/// Reads the file.
pub(super) fn read(file: &ImportFile<'_>) -> Result<Imported> {
    let mut reading = Reading::default();
    let text = file.text.trim_start_matches('\u{feff}');
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end()));
    while let Some((number, line)) = lines.next() {
        let words = words(line);
        let Some(first) = words.first() else {
            reading.line(line);
            continue;
        };
        if let Some(tag) = first.strip_prefix('<').and_then(|tag| tag.strip_suffix('>')) {
            let end = format!("</{tag}>");
            let mut is_closed = false;
            let is_inside = |(_, line): &(usize, &str)| {
                is_closed = line.trim() == end;
                !is_closed
            };
            let block: Vec<&str> = lines.by_ref().take_while(is_inside).map(|(_, line)| line).collect();
            if !is_closed {
                return Err(at(file.name, number, &format!("<{tag}> is never closed"))
                    .hint(format!("end it with a line </{tag}>")));
            }
            reading.block(tag, &block, file.name, number)?;
            continue;
        }
        reading.directive(line, &words, file, number)?;
    }
    reading.done(file.name)
}

impl Reading {
    fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    fn block(&mut self, tag: &str, block: &[&str], file: &str, number: usize) -> Result<()> {
        if tag == "auth-user-pass" {
            self.credentials(block, file, number)?;
            self.line("auth-user-pass");
            return Ok(());
        }
        self.server |= tag == "connection";
        self.line(&format!("<{tag}>"));
        block.iter().for_each(|line| self.line(line));
        self.line(&format!("</{tag}>"));
        Ok(())
    }

    /// Takes a user, and perhaps a password, out of the file: the box has fields of its own for them.
    fn credentials(&mut self, lines: &[&str], file: &str, number: usize) -> Result<()> {
        let mut lines = lines.iter().map(|line| line.trim_end()).filter(|line| !line.is_empty());
        let Some(user) = lines.next() else {
            return Err(at(file, number, "`auth-user-pass` names no user")
                .hint("leave the block empty of all but user and password, a line each; or give --username"));
        };
        self.username = Some(user.to_owned());
        self.password = lines.next().map(str::to_owned);
        Ok(())
    }

    fn directive(&mut self, line: &str, words: &[String], file: &ImportFile<'_>, number: usize) -> Result<()> {
        let name = words[0].to_ascii_lowercase();
        let argument = words.get(1).map(String::as_str);
        self.server |= name == "remote";
        if let Some((_, remedy)) = IMPOSSIBLE.iter().find(|(word, _)| *word == name && argument.is_some()) {
            let what =
                format!("`{name}` names something that can't stand in the configuration, and the box sees no file");
            return Err(at(file.name, number, &what).hint(*remedy));
        }
        match argument {
            Some(path) if name == "auth-user-pass" && path != "[inline]" => {
                let text = beside(file, &name, path, number)?;
                self.credentials(&text.lines().collect::<Vec<_>>(), file.name, number)?;
                self.line("auth-user-pass");
            }
            Some(path) if FILES.contains(&name.as_str()) && !["[inline]", "none"].contains(&path) => {
                if name == "crl-verify" && words.get(2).is_some_and(|word| word == "dir") {
                    return Err(at(file.name, number, "`crl-verify` names a folder, and the box sees none")
                        .hint("name a file with the revoked certificates, or leave it out"));
                }
                let text = beside(file, &name, path, number)?;
                self.line(&format!("<{name}>\n{}\n</{name}>", text.trim().replace("\r\n", "\n")));
                // Of `tls-auth FILE 1` the second argument has a directive of its own between tags.
                if let Some(direction) = words.get(2).filter(|_| name == "tls-auth" || name == "secret") {
                    self.line(&format!("key-direction {direction}"));
                }
            }
            _ => self.line(line),
        }
        Ok(())
    }

    fn done(self, file: &str) -> Result<Imported> {
        if !self.server {
            return Err(Error::usage(format!("{file}: names no server (`remote HOST PORT`)"))
                .hint("take the file that the VPN server made for this client; a WireGuard file ends with .conf"));
        }
        let document = json!({"type": "openvpn", "conf_openvpn": {"config_file": self.out}});
        Ok(Imported {
            wanted: TunnelChange {
                username: self.username,
                password: self.password.map(Into::into),
                document: Some(SecretDocument(document)),
                ..TunnelChange::default()
            },
            notes: Vec::new(),
        })
    }
}

fn beside(file: &ImportFile<'_>, name: &str, path: &str, number: usize) -> Result<String> {
    (file.beside)(path).map_err(|error| {
        at(file.name, number, &format!("`{name}` names the file {path}, which can't be read: {error}"))
            .hint(format!("put it beside {}, or its text between <{name}> and </{name}>", file.name))
    })
}

/// Tells whether the file of a configuration asks for a user and brings none.
pub(super) fn asks_for_user(conf: &Map<String, Value>) -> bool {
    let text = conf.get("config_file").and_then(Value::as_str).unwrap_or_default();
    text.lines().any(|line| words(line) == ["auth-user-pass"])
}

/// Takes a line apart as OpenVPN does: `#` and `;` begin comments, quotes hold words together, `\` takes the next
/// character as it is.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (_, '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            (None, '#' | ';') if word.is_none() => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn lines_are_taken_apart_as_openvpn_does() {
        for (line, expected) in [
            ("ca ca.crt", &["ca", "ca.crt"][..]),
            ("  cert \"my cert.pem\" # mine", &["cert", "my cert.pem"]),
            ("key 'it''s.pem'", &["key", "its.pem"]),
            ("ca C:\\\\keys\\\\ca.crt", &["ca", "C:\\keys\\ca.crt"]),
            ("; comment", &[]),
            ("tls-auth ta.key 1", &["tls-auth", "ta.key", "1"]),
            ("", &[]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }
}
