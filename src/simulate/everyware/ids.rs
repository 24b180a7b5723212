//! Ids of entities, in the two forms that the vendor writes them in.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Serialize, Serializer};

/// Reads with or without padding and whatever the unused bits are, writes without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Names an entity: a 64-bit integer, in paths as base64url of its bytes, in messages as a decimal number.
///
/// The bytes are the shortest big-endian two's complement, so ids from `-` to `_` are negative (section 5, Ids).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Id(pub(super) i64);

/// Tells what an id in a path can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// An id.
    Id(Id),
    /// A longer number, which names nothing: client ids often decode as one.
    TooLong,
    /// No base64url.
    Malformed,
}

impl Id {
    /// Reads an id as it stands in a path.
    pub(super) fn read(text: &str) -> Written {
        let Ok(bytes) = BASE64.decode(text) else { return Written::Malformed };
        let Some(first) = bytes.first() else { return Written::Malformed };
        if bytes.len() > 8 {
            return Written::TooLong;
        }
        let sign = if *first < 0x80 { 0 } else { -1 };
        Written::Id(Self(bytes.iter().fold(sign, |value, byte| (value << 8) | i64::from(*byte))))
    }

    /// Reads an id that is a constant of this module; 0 where it is none.
    pub(super) fn known(text: &str) -> Self {
        match Self::read(text) {
            Written::Id(id) => id,
            Written::TooLong | Written::Malformed => Self(0),
        }
    }

    /// Makes another id out of this one, each `salt` a different one, the same each time.
    pub(super) fn derived(self, salt: i64) -> Self {
        // An odd multiplier and a xor-shift both lose nothing, so no two ids become one.
        let mixed = self.0.wrapping_add(salt).wrapping_mul(0x2545_F491_4F6C_DD1D);
        let mixed = (mixed ^ ((mixed >> 32) & 0xFFFF_FFFF)).wrapping_mul(0x5851_F42D_4C95_7F2D);
        Self(mixed ^ ((mixed >> 29) & 0x7_FFFF_FFFF))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.to_be_bytes();
        let needless =
            |pair: &&[u8]| matches!(pair, [0, next] if *next < 0x80) || matches!(pair, [0xFF, next] if *next >= 0x80);
        let skip = bytes.windows(2).take_while(needless).count();
        let mut text = [0_u8; 12];
        // Eight bytes are eleven characters of base64.
        let length = BASE64.encode_slice(bytes.get(skip..).unwrap_or(&bytes), &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(text.get(..length).unwrap_or(&text)).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::{Id, Written};

    #[test]
    fn ids_of_the_vendor_are_read_and_written() {
        let known = [
            ("AQ", 1),
            ("Ag", 2),
            ("AuY", 742),
            ("LQNak9Yzkus", 3_243_535_747_637_285_611),
            ("LgJHjS2jvdE", 3_315_290_947_379_772_881),
            ("WyczTs_GuDM", 6_568_274_995_129_530_419),
            ("Gd1BfeWwh3s", 1_863_717_829_781_522_299),
        ];
        for (text, number) in known {
            assert_eq!(Id::read(text), Written::Id(Id(number)));
            assert_eq!(Id(number).to_string(), text);
        }
    }

    #[test]
    fn every_sign_and_length_survives() {
        for number in [0, -1, 127, 128, -128, -129, 32_767, 32_768, i64::MAX, i64::MIN, -0x0757_0938_B62F_93CF] {
            assert_eq!(Id::read(&Id(number).to_string()), Written::Id(Id(number)), "{number}");
        }
        assert!(Id(-0x0757_0938_B62F_93CF).to_string().starts_with('-'));
    }

    #[test]
    fn what_is_no_id_is_told_from_what_is_too_long() {
        assert_eq!(Id::read("_"), Written::Malformed);
        assert_eq!(Id::read(""), Written::Malformed);
        assert_eq!(Id::read("00:60:0C"), Written::Malformed);
        assert_eq!(Id::read("gateway-lyon"), Written::TooLong);
    }
}
