//! Where a secret is, and how it is fetched: from the configuration, the environment, a file, a command or the keyring.

mod command;
mod echo;
mod file;
#[cfg(feature = "keyring")]
mod keyring;
mod known;

use std::path::PathBuf;
use std::time::Instant;

use secrecy::{ExposeSecret as _, SecretString};

pub use echo::Spellings;
pub use file::{check_private, is_exposed, overdue, pipes_end, quoted, read};
pub use known::Secrets;

use crate::error::{Error, Result};

/// Says where a secret is; it is fetched when it is needed and not before.
#[derive(Debug, Clone)]
pub enum SecretRef {
    /// It stands in the configuration or in its own `VPNCTL_BACKEND_…` variable.
    Plain(SecretString),
    /// It is the value of an environment variable.
    Env(String),
    /// It is the content of a file, without the line end; a pipe has to be done by then.
    File(PathBuf, Option<Instant>),
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
            Self::File(path, _) => format!("{{ file = \"{}\" }}", path.display()),
            Self::Command { words, .. } => format!("{{ command = {words:?} }}"),
            #[cfg(feature = "keyring")]
            Self::Keyring(_) => "{ keyring = true }".to_owned(),
        }
    }

    /// Marks what a session was opened with, so that it is not used with another secret.
    ///
    /// A command is marked by its words, a keyring by the name in it and a pipe by its path: asking a password manager
    /// just to compare would ask its user each time.
    #[must_use]
    pub fn mark(&self) -> String {
        let secret = match self {
            Self::Command { words, .. } => return digest(&[&words.join("\0")]),
            #[cfg(feature = "keyring")]
            Self::Keyring(user) => return digest(&[&format!("keyring\0{user}")]),
            Self::File(path, _) if !file::is_regular(path) => return digest(&["file", &path.to_string_lossy()]),
            _ => self.at_hand(),
        };
        digest(&[secret.as_ref().map_or("", |secret| secret.expose_secret())])
    }

    /// Gives the secret where it can be had at once: nobody is asked, and no pipe is emptied.
    #[must_use]
    pub fn at_hand(&self) -> Option<SecretString> {
        match self {
            Self::Plain(secret) => Some(secret.clone()),
            Self::Env(name) => {
                std::env::var(name).ok().map(|text| SecretString::from(text.trim_end_matches(['\r', '\n'])))
            }
            Self::File(path, _) => file::at_hand(path),
            _ => None,
        }
    }

    /// Fetches the secret; `key` names it in messages.
    ///
    /// # Errors
    /// Fails with `config.invalid` where there is nothing, the file, the command or the keyring can't be read, or others
    /// can read the file; with `auth.required` where the keyring holds nothing yet; with `timeout.deadline` where the
    /// command or what a pipe gives does not end.
    pub async fn fetch(&self, key: &str) -> Result<SecretString> {
        let secret = match self {
            Self::Plain(secret) => return Ok(secret.clone()),
            Self::Env(name) => std::env::var(name).map(SecretString::from).map_err(|_| {
                Error::config(format!("`{key}`: the environment variable {name} is not set"))
                    .hint(format!("set {name}, or name another place for the secret in the configuration"))
            })?,
            Self::File(path, until) => Box::pin(file::read(key, path, *until)).await?,
            Self::Command { words, until } => Box::pin(command::run(key, words, *until)).await?,
            #[cfg(feature = "keyring")]
            Self::Keyring(user) => keyring::fetch(key, user).map(SecretString::from)?,
        };
        let text = secret.expose_secret().trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(Error::config(format!("`{key}`: {} holds nothing", self.describe())));
        }
        Ok(SecretString::from(text))
    }
}

/// The shortest text, in bytes, that is taken for a secret where one is looked for: shorter ones stand in words by accident.
const SHORTEST: usize = 4;

/// Masks secrets in what somebody else wrote, who may repeat what he was sent: as they are, and as JSON writes them;
/// those of 8 bytes or more also in other spellings.
#[must_use]
pub fn hide<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut secrets: Vec<&str> = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST).collect();
    // One may be a part of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.into_iter().fold(text.to_owned(), |text, secret| {
        let escaped = serde_json::Value::from(secret).to_string();
        let escaped = escaped.trim_matches('"');
        let text = text.replace(secret, MASK).replace(escaped, MASK).replace(&escaped.replace('/', "\\/"), MASK);
        Spellings::of(secret).hide(text)
    })
}

/// What stands in the place of a secret.
pub const MASK: &str = "***";

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

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::SecretRef;

    #[tokio::test(flavor = "current_thread")]
    async fn a_file_gives_its_content_without_the_line_end() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "s3cret\r\n").expect("written");
        let reference = SecretRef::File(file.path().to_owned(), None);
        assert_eq!(reference.fetch("token").await.expect("fetched").expose_secret(), "s3cret");
        assert_eq!(reference.at_hand().expect("at hand").expose_secret(), "s3cret");
        assert_eq!(reference.mark(), SecretRef::Plain("s3cret".into()).mark(), "the same secret at another place");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn nothing_is_an_error_that_names_the_key_and_the_place() {
        let nowhere = SecretRef::Env("VPNCTL_TEST_SURELY_NOT_SET".to_owned());
        let error = nowhere.fetch("password").await.expect_err("nothing");
        assert!(error.message().contains("`password`"), "{error}");
        assert!(error.message().contains("VPNCTL_TEST_SURELY_NOT_SET"), "{error}");
    }

    #[test]
    fn what_is_repeated_is_masked_however_it_is_written() {
        let secrets = ["a/secret", "a/secret-longer", "with\"quotes", "x"];
        let text = "a/secret-longer a\\/secret with\"quotes with\\\"quotes x";
        assert_eq!(super::hide(text, secrets), "*** *** *** *** x");
    }

    #[test]
    fn what_is_repeated_in_another_spelling_is_masked_from_eight_bytes_on() {
        let text = "a%2Fsecret eight%2fb a&#x2F;b c&#47;longer";
        assert_eq!(super::hide(text, ["a/secret", "eight/b", "c/longer", "a/b"]), "*** eight%2fb a&#x2F;b ***");
    }

    #[test]
    fn a_plain_secret_is_never_described() {
        let reference = SecretRef::Plain("canary".into());
        assert_eq!(reference.describe(), "***");
        assert!(!format!("{reference:?}").contains("canary"));
        assert!(!reference.mark().contains("canary"));
    }
}
