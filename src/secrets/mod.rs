//! Where a secret is, and how it is fetched: from the configuration, the environment, a file, a command or the keyring.

#[cfg(feature = "keyring")]
mod keyring;

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{Code, Error, Layer, Result};

/// How often a command that prints a secret is looked after.
const COMMAND_POLL: Duration = Duration::from_millis(5);

/// Says where a secret is; it is fetched when it is needed and not before.
#[derive(Debug, Clone)]
pub enum SecretRef {
    /// It stands in the configuration or in its own `VPNCTL_BACKEND_…` variable.
    Plain(SecretString),
    /// It is the value of an environment variable.
    Env(String),
    /// It is the content of a file, without the line end.
    File(PathBuf),
    /// It is the first line that a command prints.
    Command {
        /// The program and its arguments.
        words: Vec<String>,
        /// When it has to be done.
        until: Option<Instant>,
    },
    /// It is in the system's keyring, of the service `vpnctl`, under `BACKEND/KEY`.
    #[cfg(feature = "keyring")]
    Keyring(String),
}

impl SecretRef {
    /// Names a backend's secret in the system's keyring; `None` in a build that has none.
    #[must_use]
    pub fn keyring(backend: &str, key: &str) -> Option<Self> {
        #[cfg(feature = "keyring")]
        {
            Some(Self::Keyring(format!("{backend}/{key}")))
        }
        #[cfg(not(feature = "keyring"))]
        {
            let _ = (backend, key);
            None
        }
    }

    /// Tells whether vpnctl may put the secret there itself: into the keyring, and nowhere else.
    #[must_use]
    pub fn is_kept_for_us(&self) -> bool {
        #[cfg(feature = "keyring")]
        {
            matches!(self, Self::Keyring(_))
        }
        #[cfg(not(feature = "keyring"))]
        false
    }

    /// Puts a secret into the keyring, where that is its place, and tells whether it is there now.
    ///
    /// Where the keyring does not take it within 3 s this says so, and the caller keeps it in the state folder.
    #[must_use]
    pub fn keep(&self, secret: &SecretString) -> bool {
        #[cfg(feature = "keyring")]
        if let Self::Keyring(user) = self {
            return keyring::keep(user, secret);
        }
        let _ = secret;
        false
    }

    /// Removes a secret from the keyring, where that is its place; says so where that fails.
    pub fn forget(&self) {
        #[cfg(feature = "keyring")]
        if let Self::Keyring(user) = self {
            keyring::forget(user);
        }
    }

    /// Says where it is, without showing it.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Plain(_) => "***".to_owned(),
            Self::Env(name) => format!("{{ env = \"{name}\" }}"),
            Self::File(path) => format!("{{ file = \"{}\" }}", path.display()),
            Self::Command { words, .. } => format!("{{ command = {words:?} }}"),
            #[cfg(feature = "keyring")]
            Self::Keyring(_) => "{ keyring = true }".to_owned(),
        }
    }

    /// Marks what a session was opened with, so that it is not used with another secret.
    ///
    /// A command is marked by its words, and a keyring by the name in it: asking a password manager just to compare
    /// would ask its user each time.
    #[must_use]
    pub fn mark(&self, key: &str) -> String {
        let what = match self {
            Self::Command { words, .. } => words.join("\0"),
            #[cfg(feature = "keyring")]
            Self::Keyring(user) => format!("keyring\0{user}"),
            _ => self.fetch(key).map(|secret| secret.expose_secret().to_owned()).unwrap_or_default(),
        };
        digest(&[&what])
    }

    /// Fetches the secret; `key` names it in messages.
    ///
    /// # Errors
    /// Fails with `config.invalid` where there is nothing, or the file, the command or the keyring can't be read; with
    /// `auth.required` where the keyring holds nothing yet.
    pub fn fetch(&self, key: &str) -> Result<SecretString> {
        let text = match self {
            Self::Plain(secret) => return Ok(secret.clone()),
            Self::Env(name) => std::env::var(name).map_err(|_| {
                Error::config(format!("`{key}`: the environment variable {name} is not set"))
                    .hint(format!("set {name}, or name another place for the secret in the configuration"))
            })?,
            Self::File(path) => read_file(key, path)?,
            Self::Command { words, until } => run(key, words, *until)?,
            #[cfg(feature = "keyring")]
            Self::Keyring(user) => keyring::fetch(key, user)?,
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(Error::config(format!("`{key}`: {} holds nothing", self.describe())));
        }
        Ok(SecretString::from(text))
    }
}

/// Makes a digest of texts that tells them apart without showing them.
#[must_use]
pub fn digest(texts: &[&str]) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for text in texts {
        context.update(&text.len().to_le_bytes());
        context.update(text.as_bytes());
    }
    context.finish().as_ref().iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn read_file(key: &str, path: &std::path::Path) -> Result<String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::config(format!("`{key}`: the file {} can't be read: {error}", path.display())))?;
    if others_can_read(path) {
        tracing::warn!("{} holds a secret and others can read it; run: chmod 600 {0}", path.display());
    }
    Ok(text)
}

/// Tells whether others than the owner can read a file; on Windows the profile's own rights keep them out.
#[must_use]
pub fn others_can_read(path: &std::path::Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

fn run(key: &str, words: &[String], until: Option<Instant>) -> Result<String> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Error::config(format!("`{key}`: the command is empty")));
    };
    let broken =
        |error: std::io::Error| Error::config(format!("`{key}`: the command `{program}` can't be run: {error}"));
    // A password manager may ask on the terminal, so it keeps standard input and standard error.
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::inherit())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(broken)?;
    let output = child.stdout.take().map(|mut output| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            output.read_to_end(&mut bytes).map(|_| bytes)
        })
    });
    let status = loop {
        if let Some(status) = child.try_wait().map_err(broken)? {
            break status;
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            // Where it has just ended by itself there is nothing to end.
            let _ = child.kill();
            let _ = child.wait();
            return Err(Error::new(
                Code::TimeoutDeadline,
                Layer::Config,
                format!("`{key}`: the time for the command ran out while `{program}` was waited for"),
            )
            .temporary()
            .hint("unlock the password manager first, or give it more time with --timeout"));
        }
        std::thread::sleep(COMMAND_POLL);
    };
    if !status.success() {
        return Err(Error::config(format!("`{key}`: the command `{program}` ended with {status}")));
    }
    let bytes = output.and_then(|reader| reader.join().ok()).transpose().map_err(broken)?.unwrap_or_default();
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::config(format!("`{key}`: the command `{program}` printed no text")))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::SecretRef;

    #[test]
    fn a_file_gives_its_content_without_the_line_end() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "s3cret\r\n").expect("written");
        let secret = SecretRef::File(file.path().to_owned()).fetch("token").expect("fetched");
        assert_eq!(secret.expose_secret(), "s3cret");
    }

    #[cfg(unix)]
    #[test]
    fn a_command_gives_its_first_line() {
        let words = ["printf", "one\\ntwo\\n"].map(str::to_owned).to_vec();
        let secret = SecretRef::Command { words, until: None }.fetch("token").expect("fetched");
        assert_eq!(secret.expose_secret(), "one");
    }

    #[test]
    fn nothing_is_an_error_that_names_the_key_and_the_place() {
        let error = SecretRef::Env("VPNCTL_TEST_SURELY_NOT_SET".to_owned()).fetch("password").expect_err("nothing");
        assert!(error.message().contains("`password`"), "{error}");
        assert!(error.message().contains("VPNCTL_TEST_SURELY_NOT_SET"), "{error}");
    }

    #[test]
    fn a_plain_secret_is_never_described() {
        let reference = SecretRef::Plain("canary".into());
        assert_eq!(reference.describe(), "***");
        assert!(!format!("{reference:?}").contains("canary"));
    }
}
