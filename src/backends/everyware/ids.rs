//! Ids of devices and accounts, in the two forms that the cloud writes them in: paths have base64url without padding of
//! the bytes of a 64-bit number, messages and `parentAccountPath` the number itself (vendor's page, section 5).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Reads the form that stands in paths; `None` where a text is not the one way to write a number so.
pub(super) fn number(text: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| (1..=8).contains(&bytes.len()))?;
    let sign = if *bytes.first()? < 0x80 { 0 } else { -1 };
    let number = bytes.iter().fold(sign, |value, byte| (value << 8) | i64::from(*byte));
    (written(number) == text).then_some(number)
}

/// Writes a number as paths have it: the shortest big-endian two's complement.
fn written(number: i64) -> String {
    let bytes = number.to_be_bytes();
    let is_needless =
        |pair: &&[u8]| matches!(pair, [0, next] if *next < 0x80) || matches!(pair, [0xFF, next] if *next >= 0x80);
    let skip = bytes.windows(2).take_while(is_needless).count();
    URL_SAFE_NO_PAD.encode(bytes.get(skip..).unwrap_or(&bytes))
}

/// Gives the form for paths of an id that somebody copied out of a message; `None` where it is no such number.
///
/// Digits alone could be the form for paths too, but ids are random: of 64 bits one in a thousand millions is.
pub(super) fn of_decimal(text: &str) -> Option<String> {
    text.parse().ok().filter(|number: &i64| number.to_string() == text).map(written)
}

/// Gives an id as paths have it, from either form; what is neither stays as it is.
pub(super) fn for_path(text: &str) -> String {
    of_decimal(text).unwrap_or_else(|| text.to_owned())
}

/// Shows an id in both forms, for the console and the cloud's messages show the number.
pub(super) fn shown(id: &str) -> String {
    number(id).map_or_else(|| id.to_owned(), |number| format!("{id} = {number}"))
}

#[cfg(test)]
mod tests {
    use super::{for_path, number, of_decimal, shown, written};

    #[test]
    fn both_forms_of_the_vendors_ids_are_known() {
        let known = [
            ("AQ", 1),
            ("Ag", 2),
            ("AuY", 742),
            ("LQNak9Yzkus", 3_243_535_747_637_285_611),
            ("LgJHjS2jvdE", 3_315_290_947_379_772_881),
            ("WyczTs_GuDM", 6_568_274_995_129_530_419),
            ("Gd1BfeWwh3s", 1_863_717_829_781_522_299),
        ];
        for (text, id) in known {
            assert_eq!((number(text), written(id).as_str()), (Some(id), text));
            assert_eq!((of_decimal(&id.to_string()).as_deref(), for_path(text).as_str()), (Some(text), text));
            assert_eq!(shown(text), format!("{text} = {id}"));
        }
        for id in [0, -1, 127, 128, -128, -129, i64::MAX, i64::MIN] {
            assert_eq!(number(&written(id)), Some(id), "{id}");
        }
    }

    #[test]
    fn names_are_no_ids() {
        for text in ["", "_", "00:60:0C", "gw-lyon-02", "acme-north", "AB", "a b", "AAAAAAAAAAAAAAAA", "AAE"] {
            assert_eq!(number(text), None, "{text}");
        }
        for text in ["", "-", "+1", "01", "1.0", "99999999999999999999", "gw-1"] {
            assert_eq!(of_decimal(text), None, "{text}");
        }
        assert_eq!((for_path("gw:1").as_str(), shown("gw:1").as_str()), ("gw:1", "gw:1"));
    }
}
