//! Replacements with `$1` or `${name}` in them.

use std::ops::Range;

use super::pattern::Groups;
use crate::unicode::{is_digit, is_letter, runes};

/// A piece of what takes the place of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A part of the replacement.
    Template(Range<usize>),
    /// Groups of the pattern, of which the first that matches is meant.
    Groups(Vec<usize>),
}

impl Piece {
    /// Where the group matches that is meant.
    pub(crate) fn group(numbers: &[usize], groups: &Groups) -> Option<Range<usize>> {
        numbers
            .iter()
            .find_map(|&number| groups.get(number).cloned().flatten())
    }
}

/// The pieces of a replacement.
pub(crate) fn pieces(template: &[u8], names: &[Option<String>]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(found) = template[at..].iter().position(|&byte| byte == b'$') {
        let dollar = at + found;
        pieces.push(Piece::Template(at..dollar));
        at = dollar + 1;
        let after = &template[at..];
        if after.starts_with(b"$") {
            pieces.push(Piece::Template(at..at + 1));
            at += 1;
        } else if let Some((name, length)) = reference(after) {
            pieces.push(Piece::Groups(groups_named(name, names)));
            at += length;
        } else {
            pieces.push(Piece::Template(dollar..at));
        }
    }
    pieces.push(Piece::Template(at..template.len()));
    pieces
}

/// What stands after a `$`: as many letters, digits and `_` as there are, or those in braces; and
/// how long it is.
fn reference(text: &[u8]) -> Option<(&[u8], usize)> {
    let (inner, has_brace) = match text.strip_prefix(b"{") {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    let is_name = |char| is_letter(char) || is_digit(char) || char == '_';
    let end = runes(inner)
        .find(|&(_, char)| !is_name(char))
        .map_or(inner.len(), |(end, _)| end);
    let name = inner.get(..end).filter(|name| !name.is_empty())?;
    if !has_brace {
        return Some((name, end));
    }
    (inner.get(end) == Some(&b'}')).then_some((name, end + 2))
}

/// The group with a number, or all with a name.
fn groups_named(name: &[u8], names: &[Option<String>]) -> Vec<usize> {
    let has_digits_only = name.iter().all(u8::is_ascii_digit);
    if has_digits_only && (name.len() == 1 || !name.starts_with(b"0")) {
        let number = std::str::from_utf8(name)
            .ok()
            .and_then(|digits| digits.parse().ok());
        return number.into_iter().collect();
    }
    let is_named =
        |group: &Option<String>| group.as_ref().is_some_and(|group| group.as_bytes() == name);
    let found = names
        .iter()
        .enumerate()
        .filter(|(_, group)| is_named(group));
    found.map(|(number, _)| number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_as_long_as_they_can_be() {
        let names = [None, Some("x".to_owned()), None];
        let shown = pieces(b"a$1b${1}c$x$$${y$", &names);
        assert_eq!(
            shown,
            [
                Piece::Template(0..1),
                Piece::Groups(vec![]),
                Piece::Template(4..4),
                Piece::Groups(vec![1]),
                Piece::Template(8..9),
                Piece::Groups(vec![1]),
                Piece::Template(11..11),
                Piece::Template(12..13),
                Piece::Template(13..13),
                Piece::Template(13..14),
                Piece::Template(14..16),
                Piece::Template(16..17),
                Piece::Template(17..17),
            ]
        );
    }
}
