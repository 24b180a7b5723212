//! Tokens, challenges and salts that look like the box's.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA384, digest};

/// Makes values that never repeat within a process and differ between processes.
///
/// Each holds a `/`: the box escapes it as `\/`, and a client that does not decode JSON must fail here, not in the
/// field (vendor/freebox.md section 2.1, fact 4).
#[derive(Debug)]
pub(super) struct Mint {
    seed: String,
    made: u64,
}

impl Mint {
    /// Makes a mint with a seed of this moment and process.
    pub(super) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { seed: format!("{}-{}", now.as_nanos(), std::process::id()), made: 0 }
    }

    /// Makes an app token or a session token: 64 characters of base64.
    pub(super) fn token(&mut self) -> String {
        self.text(64)
    }

    /// Makes a challenge or a salt: 32 characters of base64.
    pub(super) fn challenge(&mut self) -> String {
        self.text(32)
    }

    fn text(&mut self, length: usize) -> String {
        self.made += 1;
        let hash = digest(&SHA384, format!("{}-{}", self.seed, self.made).as_bytes());
        let mut text = STANDARD.encode(hash);
        text.truncate(length);
        text.replace_range(1..2, "/");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Mint;

    #[test]
    fn values_have_the_documented_lengths_a_slash_and_differ() {
        let mut mint = Mint::new();
        let (token, challenge, other) = (mint.token(), mint.challenge(), mint.token());
        assert_eq!((token.len(), challenge.len()), (64, 32));
        assert!(token.contains('/') && challenge.contains('/'));
        assert_ne!(token, other);
        assert!(!token.starts_with(&challenge[..20]));
    }
}
