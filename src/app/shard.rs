//! One part of a fleet of several that never overlap: `--shard I/N`.

use ring::digest::{SHA256, digest};

use crate::error::{Error, Result};

/// The variable by which Kubernetes tells a pod of an Indexed Job which one it is.
pub const INDEX: &str = "JOB_COMPLETION_INDEX";

/// What was asked for: the part, where it was written, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    index: Option<u32>,
    count: u32,
}

impl Asked {
    /// Reads `I/N`; `/N`, or N alone, leaves I to the variable.
    ///
    /// # Errors
    /// Fails where it is neither, or I is not below N; the text is for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no shard: write I/N with I from 0 to N-1, or /N where ${INDEX} tells I");
        let (index, count) = text.split_once('/').unwrap_or(("", text));
        let count = count.parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
        let index = match index {
            "" => None,
            written => Some(written.parse().ok().filter(|index| *index < count).ok_or_else(wrong)?),
        };
        Ok(Self { index, count })
    }

    /// Settles which part it is; `variable` is what [`INDEX`] holds.
    ///
    /// # Errors
    /// Fails with `usage` where nothing tells.
    pub fn settle(self, variable: Option<&str>) -> Result<Shard> {
        let count = self.count;
        if let Some(index) = self.index {
            return Ok(Shard { index, count });
        }
        let Some(text) = variable else {
            return Err(Error::usage(format!("--shard /{count} leaves the part to ${INDEX}, which is not set"))
                .hint(format!("write the part: --shard 0/{count}; an Indexed Job of Kubernetes sets the variable")));
        };
        match text.trim().parse().ok().filter(|index| *index < count) {
            Some(index) => Ok(Shard { index, count }),
            None => Err(Error::usage(format!("${INDEX} is `{text}`, which is no part of {count}"))
                .hint("as many completions as the N of --shard make the parts 0 to N-1")),
        }
    }
}

/// One of several parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// Tells whether something with that id is in this part: the first eight bytes of the id's SHA-256, as a big-endian
    /// number, leave the part's number when divided by how many parts there are. That never changes, so that a device
    /// stays in its part whatever version asks, and others can compute it.
    #[must_use]
    pub fn has(self, id: &str) -> bool {
        let hash = digest(&SHA256, id.as_bytes());
        let number = hash.as_ref().iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        number % u64::from(self.count) == u64::from(self.index)
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Shard};

    fn part(id: &str, count: u32) -> Vec<u32> {
        (0..count).filter(|index| Shard { index: *index, count }.has(id)).collect()
    }

    #[test]
    fn everything_is_in_one_part_and_stays_there() {
        for number in 0..2000 {
            assert_eq!(part(&format!("gw-{number:06}"), 7).len(), 1, "{number}");
        }
        // printf ID | sha256sum | cut -c1-16, divided by hand; these must hold for ever.
        assert_eq!(part("WyczTs_GuDM", 8), [4]);
        assert_eq!(part("AQ", 8), [1]);
        assert_eq!(part("vpn0", 5), [2]);
    }

    #[test]
    fn parts_are_about_equal() {
        for count in [2, 3, 8, 100] {
            let mut sizes = vec![0_u32; count as usize];
            for number in 0..100 * count {
                sizes[part(&format!("{number}"), count)[0] as usize] += 1;
            }
            assert!(sizes.iter().all(|size| (50..200).contains(size)), "{sizes:?}");
        }
    }

    #[test]
    fn the_part_is_written_or_told_by_the_variable() {
        let settled = |text: &str, variable| {
            Asked::parse(text).map(|asked| asked.settle(variable).map(|shard| shard.to_string()).ok())
        };
        assert_eq!(settled("3/8", None), Ok(Some("3/8".to_owned())));
        assert_eq!(settled("3/8", Some("5")), Ok(Some("3/8".to_owned())));
        assert_eq!(settled("/8", Some("5")), Ok(Some("5/8".to_owned())));
        for variable in [None, Some(""), Some("8"), Some("-1"), Some("x")] {
            assert_eq!(settled("/8", variable), Ok(None), "{variable:?}");
        }
        assert_eq!(settled("8", Some("5")), Ok(Some("5/8".to_owned())));
        for text in ["", "8/8", "-1/8", "0/0", "/0", "1/", "/", "a/b", "1/2/3"] {
            assert!(Asked::parse(text).is_err(), "{text}");
        }
    }
}
