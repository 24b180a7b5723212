//! Whether secrets are where the configuration says, without asking anybody for them.

use super::{Backend, Value};
use crate::error::Result;
use crate::secrets::SecretRef;

impl Backend {
    /// Looks whether the secrets of the configuration are there, and gives the keys of those that only asking would
    /// tell: a command or a keyring may ask its user.
    ///
    /// # Errors
    /// Fails with `config.invalid` where one is missing, or stands in a file that others can read.
    pub async fn secrets_at_hand(&self) -> Result<Vec<&'static str>> {
        let mut unasked = Vec::new();
        for (key, setting) in &self.settings {
            let Value::Secret(secret) = &setting.value else { continue };
            match secret {
                SecretRef::Plain(_) => {}
                SecretRef::Env(_) | SecretRef::File(..) => drop(secret.fetch(key).await?),
                _ => unasked.push(*key),
            }
        }
        Ok(unasked)
    }
}
