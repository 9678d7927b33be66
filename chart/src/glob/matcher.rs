//! The library's matchers. Each tells whether it matches a whole text, and where in a text it
//! matches first, with all lengths that it may have there.
//!
//! Texts are bytes: the library cuts characters in two here and there, and so does this.

use std::cell::Cell;

use crate::go_path::decode_char;

/// How many bytes of text a step covers.
pub(super) const STEP_BYTES: usize = 16;

/// A matcher.
#[derive(Debug, Clone)]
pub(super) enum Matcher {
    Any,
    AnyOf(Vec<Matcher>),
    Tree(Box<Tree>),
    Contains {
        needle: String,
        not: bool,
    },
    EveryOf(Vec<Matcher>),
    List {
        chars: String,
        not: bool,
    },
    Max(usize),
    Min(usize),
    Nothing,
    Prefix(String),
    PrefixAny(String),
    PrefixSuffix(String, String),
    Range {
        low: char,
        high: char,
        not: bool,
    },
    Row {
        matchers: Vec<Matcher>,
        length: usize,
    },
    Single,
    Suffix(String),
    SuffixAny(String),
    Super,
    Text(String),
}

/// A matcher and what must match before and behind it.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) value: Matcher,
    pub(super) left: Option<Matcher>,
    pub(super) right: Option<Matcher>,
}

/// Where a matcher matches first, and the lengths it may have there.
type Found = Option<(usize, Vec<usize>)>;

impl Matcher {
    /// How many characters it matches, where that is known.
    pub(super) fn length(&self) -> Option<usize> {
        match self {
            Self::Nothing => Some(0),
            Self::List { .. } | Self::Range { .. } | Self::Single => Some(1),
            Self::Text(text) => Some(text.chars().count()),
            Self::Row { length, .. } => Some(*length),
            Self::Tree(tree) => {
                let side = |side: &Option<Self>| side.as_ref().map_or(Some(0), Self::length);
                Some(tree.value.length()? + side(&tree.left)? + side(&tree.right)?)
            }
            Self::AnyOf(matchers) => {
                let mut length = None;
                for matcher in matchers {
                    let own = matcher.length();
                    // A first one without a length is forgotten.
                    if length.is_none() {
                        length = own;
                    } else if own != length {
                        return None;
                    }
                }
                length
            }
            _ => None,
        }
    }

    /// Whether it matches the whole text.
    pub(super) fn matches(&self, text: &[u8], steps: &Cell<u32>) -> bool {
        if spend(steps, text).is_none() {
            return false;
        }
        match self {
            Self::Any => !text.contains(&b'/'),
            Self::AnyOf(matchers) => matchers.iter().any(|matcher| matcher.matches(text, steps)),
            Self::EveryOf(matchers) => matchers.iter().all(|matcher| matcher.matches(text, steps)),
            Self::Tree(tree) => tree.matches(text, steps),
            Self::Contains { needle, not } => find(text, needle).is_some() != *not,
            Self::List { .. } | Self::Range { .. } | Self::Single => {
                let (char, rest) = decode_char(text);
                rest.is_empty() && self.holds(char)
            }
            Self::Max(limit) => runes(text).count() <= *limit,
            Self::Min(limit) => runes(text).count() >= *limit,
            Self::Nothing => text.is_empty(),
            Self::Prefix(prefix) => text.starts_with(prefix.as_bytes()),
            Self::PrefixAny(prefix) => text
                .strip_prefix(prefix.as_bytes())
                .is_some_and(|rest| !rest.contains(&b'/')),
            Self::PrefixSuffix(prefix, suffix) => {
                text.starts_with(prefix.as_bytes()) && text.ends_with(suffix.as_bytes())
            }
            Self::Row { matchers, length } => {
                runes(text).count() == *length && row_matches(matchers, text, steps)
            }
            Self::Suffix(suffix) => text.ends_with(suffix.as_bytes()),
            Self::SuffixAny(suffix) => text
                .strip_suffix(suffix.as_bytes())
                .is_some_and(|rest| !rest.contains(&b'/')),
            Self::Super => true,
            Self::Text(own) => own.as_bytes() == text,
        }
    }

    /// Whether a matcher of one character matches it.
    fn holds(&self, char: u32) -> bool {
        match self {
            Self::List { chars, not } => chars.chars().any(|c| u32::from(c) == char) != *not,
            Self::Range { low, high, not } => {
                (u32::from(*low)..=u32::from(*high)).contains(&char) != *not
            }
            _ => char != u32::from('/'),
        }
    }

    fn find(&self, text: &[u8], steps: &Cell<u32>) -> Found {
        spend(steps, text)?;
        match self {
            Self::Any => {
                let end = text.iter().position(|byte| *byte == b'/');
                Some((0, starts_and_end(text.get(..end.unwrap_or(text.len()))?)))
            }
            Self::Super => Some((0, starts_and_end(text))),
            Self::AnyOf(matchers) => any_of(matchers, text, steps),
            Self::EveryOf(matchers) => every_of(matchers, text, steps),
            // The library has not got round to it.
            Self::Tree(_) => None,
            Self::Contains { needle, not } => contains(text, needle, *not),
            Self::List { .. } | Self::Range { .. } | Self::Single => {
                let (at, char) = runes(text).find(|(_, char)| self.holds(*char))?;
                Some((at, vec![rune_length(char)]))
            }
            Self::Max(limit) => {
                let ends = runes(text)
                    .take(*limit)
                    .map(|(at, char)| at + rune_length(char));
                Some((0, std::iter::once(0).chain(ends).collect()))
            }
            Self::Min(limit) => {
                let ends = runes(text).skip(limit.saturating_sub(1));
                let ends: Vec<_> = ends.map(|(at, char)| at + rune_length(char)).collect();
                (text.len() >= *limit && !ends.is_empty()).then_some((0, ends))
            }
            Self::Nothing => Some((0, vec![0])),
            Self::Prefix(prefix) => {
                let at = find(text, prefix)?;
                let rest = text.get(at + prefix.len()..)?;
                Some((at, ends_from(prefix.len(), rest)))
            }
            Self::PrefixAny(prefix) => {
                let at = find(text, prefix)?;
                let rest = text.get(at + prefix.len()..)?;
                let end = rest.iter().position(|byte| *byte == b'/');
                let rest = rest.get(..end.unwrap_or(rest.len()))?;
                Some((at, ends_from(prefix.len(), rest)))
            }
            Self::PrefixSuffix(prefix, suffix) => prefix_suffix(text, prefix, suffix),
            Self::Row { matchers, length } => {
                let mut starts = runes(text).map(|(at, _)| at);
                let at = starts.find(|at| {
                    let rest = text.get(*at..).unwrap_or_default();
                    rest.len() >= *length && row_matches(matchers, rest, steps)
                })?;
                Some((at, vec![*length]))
            }
            Self::Suffix(suffix) => Some((0, vec![find(text, suffix)? + suffix.len()])),
            Self::SuffixAny(suffix) => {
                let at = find(text, suffix)?;
                let slash = text.get(..at)?.iter().rposition(|byte| *byte == b'/');
                let start = slash.map_or(0, |slash| slash + 1);
                Some((start, vec![at + suffix.len() - start]))
            }
            Self::Text(own) => Some((find(text, own)?, vec![own.len()])),
        }
    }
}

impl Tree {
    fn matches(&self, text: &[u8], steps: &Cell<u32>) -> bool {
        let side = |side: &Option<Matcher>| side.as_ref().map_or(Some(0), Matcher::length);
        let (left, right) = (side(&self.left), side(&self.right));
        let whole = self.value.length().zip(left).zip(right);
        if whole.is_some_and(|((value, left), right)| value + left + right > text.len()) {
            return false;
        }
        let mut offset = left.unwrap_or(0);
        let limit = text.len().saturating_sub(right.unwrap_or(0));
        while offset < limit {
            let within = text.get(offset..limit).unwrap_or_default();
            let Some((index, lengths)) = self.value.find(within, steps) else {
                return false;
            };
            let at = offset + index;
            let before = text.get(..at).unwrap_or_default();
            let left = match &self.left {
                Some(left) => left.matches(before, steps),
                None => before.is_empty(),
            };
            if left {
                let right = lengths.iter().rev().any(|length| {
                    let behind = text.get(at + length..).unwrap_or_default();
                    match &self.right {
                        Some(right) => right.matches(behind, steps),
                        None => behind.is_empty(),
                    }
                });
                if right {
                    return true;
                }
            }
            let rest = text.get(at..).unwrap_or_default();
            let step = rest.len() - decode_char(rest).1.len();
            if step == 0 && index == 0 {
                return false;
            }
            offset = at + step;
        }
        false
    }
}

/// Takes what looking at a text costs, if so much is left.
fn spend(steps: &Cell<u32>, text: &[u8]) -> Option<()> {
    let cost = u32::try_from(1 + text.len() / STEP_BYTES).ok()?;
    steps.set(steps.get().checked_sub(cost)?);
    Some(())
}

fn row_matches(matchers: &[Matcher], text: &[u8], steps: &Cell<u32>) -> bool {
    let mut rest = text;
    for matcher in matchers {
        let length = matcher.length().unwrap_or(0);
        // The library ends a part at the first byte of its last character.
        let starts: Vec<_> = runes(rest).map(|(at, _)| at).take(length.max(1)).collect();
        if starts.len() < length {
            return false;
        }
        let end = starts.last().map_or(0, |last| last + 1);
        let Some((part, after)) = rest.split_at_checked(end) else {
            return false;
        };
        if !matcher.matches(part, steps) {
            return false;
        }
        rest = after;
    }
    true
}

fn any_of(matchers: &[Matcher], text: &[u8], steps: &Cell<u32>) -> Found {
    let mut best: Found = None;
    for matcher in matchers {
        let Some((at, mut lengths)) = matcher.find(text, steps) else {
            continue;
        };
        match &mut best {
            Some((first, _)) if at > *first => {}
            Some((first, all)) if at == *first => {
                all.append(&mut lengths);
                all.sort_unstable();
                all.dedup();
            }
            _ => best = Some((at, lengths)),
        }
    }
    best
}

fn every_of(matchers: &[Matcher], text: &[u8], steps: &Cell<u32>) -> Found {
    let (mut index, mut offset) = (0, 0);
    let mut current = Vec::new();
    let mut rest = text;
    for (number, matcher) in matchers.iter().enumerate() {
        let (at, lengths) = matcher.find(rest, steps)?;
        if number == 0 {
            current = lengths;
        } else {
            let moved = (at + offset).saturating_sub(index);
            current.retain(|length| lengths.iter().any(|own| own + moved == *length));
            if current.is_empty() {
                return None;
            }
        }
        index = at + offset;
        rest = text.get(index..)?;
        offset += at;
    }
    Some((index, current))
}

fn contains(text: &[u8], needle: &str, not: bool) -> Found {
    let found = find(text, needle);
    let (offset, rest) = match (found, not) {
        (None, false) => return None,
        (Some(at), false) => {
            let offset = at + needle.len();
            (offset, text.get(offset..)?)
        }
        (Some(at), true) => (0, text.get(..at)?),
        (None, true) => (0, text),
    };
    let lengths = starts_and_end(rest);
    Some((0, lengths.into_iter().map(|at| offset + at).collect()))
}

fn prefix_suffix(text: &[u8], prefix: &str, suffix: &str) -> Found {
    let at = find(text, prefix)?;
    let from_prefix = text.get(at..)?;
    if suffix.is_empty() {
        return Some((at, vec![from_prefix.len()]));
    }
    let mut lengths = Vec::new();
    let mut rest = from_prefix;
    while let Some(last) = find_last(rest, suffix) {
        lengths.push(last + suffix.len());
        rest = rest.get(..last)?;
    }
    lengths.reverse();
    (!lengths.is_empty()).then_some((at, lengths))
}

/// The places where characters begin, and the end.
fn starts_and_end(text: &[u8]) -> Vec<usize> {
    let starts = runes(text).map(|(at, _)| at);
    starts.chain([text.len()]).collect()
}

/// `start`, and the places behind it where the characters of `rest` end.
fn ends_from(start: usize, rest: &[u8]) -> Vec<usize> {
    let ends = runes(rest).map(|(at, char)| start + at + rune_length(char));
    std::iter::once(start).chain(ends).collect()
}

/// Characters and where they begin.
fn runes(text: &[u8]) -> impl Iterator<Item = (usize, u32)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let at = text.len() - rest.len();
        let (char, after) = decode_char(rest);
        rest = after;
        Some((at, char))
    })
}

fn rune_length(char: u32) -> usize {
    char::from_u32(char).map_or(1, char::len_utf8)
}

fn find(text: &[u8], needle: &str) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    text.windows(needle.len())
        .position(|window| window == needle.as_bytes())
}

fn find_last(text: &[u8], needle: &str) -> Option<usize> {
    text.windows(needle.len())
        .rposition(|window| window == needle.as_bytes())
}
