//! Texts as parts, and the pairs of them that vpnctl itself says.
//!
//! The build script reads vpnctl's own messages with this file too, so that both take texts apart in one way.

/// Stands in a message for what is put in.
pub(super) const HOLE: &str = "\u{1}";
/// Stands before a text.
pub(super) const START: &str = "\u{2}";
/// Stands behind a text.
pub(super) const END: &str = "\u{3}";

/// Marks behind or between which stands what is put in.
const LOUD: &[char] = &[':', '`', '"', '«', '»'];
/// Marks that only part words.
const QUIET: &[char] = &[
    '/', '\\', '=', ',', ';', '(', ')', '[', ']', '{', '}', '<', '>', '\'', '→', '…', '|', '*', '+', '&', '!', '?',
    '#', '~', '$', '–', '·',
];

/// What a part of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A word, or what has no space and no mark in it.
    Word,
    /// A mark that counts.
    Loud,
    /// A space, or a mark that doesn't.
    Quiet,
}

/// Takes a text apart; all parts together are the text.
pub(super) fn parts(text: &str) -> Vec<(Part, &str)> {
    let kind = |c: char| match c {
        _ if LOUD.contains(&c) => Part::Loud,
        _ if c.is_whitespace() || QUIET.contains(&c) => Part::Quiet,
        _ => Part::Word,
    };
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kind_of_first = kind(first);
        let end = match kind_of_first {
            Part::Loud => first.len_utf8(),
            of_first => rest.find(|c| kind(c) != of_first).unwrap_or(rest.len()),
        };
        let (part, behind) = rest.split_at(end);
        rest = behind;
        if kind_of_first != Part::Word {
            parts.push((kind_of_first, part));
            continue;
        }
        // The full stop of a sentence is no part of its last word.
        let core = part.trim_matches('.');
        let (before, after) = part.split_once(core).filter(|_| !core.is_empty()).unwrap_or((part, ""));
        let three = [(Part::Quiet, before), (Part::Word, core), (Part::Quiet, after)];
        parts.extend(three.into_iter().filter(|(_, part)| !part.is_empty()));
    }
    parts
}

/// Gives a number for two neighbours (FNV-1a, folded): the table of them is smaller than their words, and shows none.
pub(super) fn pair(first: &str, second: &str) -> u32 {
    let bytes = first.bytes().chain([0]).chain(second.bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    ((hash >> 32) ^ (hash & 0xffff_ffff)) as u32
}

/// Gives a number for two neighbours behind which something is put in.
pub(super) fn before_hole(first: &str, second: &str) -> u32 {
    pair(first, &format!("{second}\0{HOLE}"))
}
