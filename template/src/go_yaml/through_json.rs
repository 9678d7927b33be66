//! What becomes of a text on its way through JSON into go-yaml.
//!
//! `sigs.k8s.io/yaml` writes JSON first and lets go-yaml read it before it is written as YAML.
//! Most texts come through as they are; a few do not, and some make go-yaml refuse the JSON.

use std::borrow::Cow;

use super::WriteError;

/// How many characters a key in JSON, with its quotes and escapes, may have before go-yaml
/// takes the `:` behind it for a mistake.
const SIMPLE_KEY_CHARACTERS: usize = 1024;
/// The longest escape that `encoding/json` writes for one byte: `\u003c`.
const LONGEST_ESCAPE: usize = 6;
const NEXT_LINE: char = '\u{85}';

/// The text as go-yaml reads it from JSON.
pub(super) fn value(text: &[u8]) -> Result<Cow<'_, str>, WriteError> {
    let text = valid(text);
    if text.is_ascii() && !text.as_bytes().contains(&0x7f) {
        return Ok(text);
    }
    let mut folds = false;
    for c in text.chars() {
        match c {
            NEXT_LINE => folds = true,
            '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                return Err(WriteError::ControlCharacter);
            }
            _ => {}
        }
    }
    if folds {
        return fold(&text).map(Cow::Owned);
    }
    Ok(text)
}

/// The key as go-yaml reads it from JSON.
pub(super) fn key(text: &[u8]) -> Result<Cow<'_, str>, WriteError> {
    let key = value(text)?;
    let is_long = text.len() > SIMPLE_KEY_CHARACTERS / LONGEST_ESCAPE
        && escaped_characters(text) > SIMPLE_KEY_CHARACTERS;
    let lines = if text.is_ascii() {
        0
    } else {
        valid(text).matches(NEXT_LINE).count()
    };
    if is_long || lines > 0 {
        return Err(WriteError::Key { lines });
    }
    Ok(key)
}

/// Each byte that is not UTF-8 becomes a replacement character.
pub(crate) fn valid(text: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for chunk in text.utf8_chunks() {
        out.push_str(chunk.valid());
        for _ in chunk.invalid() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
    Cow::Owned(out)
}

fn escaped_characters(text: &[u8]) -> usize {
    let quotes = 2;
    text.utf8_chunks().fold(quotes, |count, chunk| {
        let valid: usize = chunk
            .valid()
            .chars()
            .map(|c| match c {
                '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 2,
                '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => LONGEST_ESCAPE,
                _ => 1,
            })
            .sum();
        count + valid + chunk.invalid().len() * LONGEST_ESCAPE
    })
}

/// `encoding/json` leaves U+0085 as it is, and to YAML it is a line break within the quotes.
fn fold(text: &str) -> Result<String, WriteError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(NEXT_LINE) {
        out.push_str(rest[..at].trim_end_matches(' '));
        let after = rest[at..].trim_start_matches([' ', NEXT_LINE]);
        let blank = &rest[at..rest.len() - after.len()];
        match blank.matches(NEXT_LINE).count() {
            1 => out.push(' '),
            breaks => out.extend(std::iter::repeat_n('\n', breaks - 1)),
        }
        let starts_line = blank.ends_with(NEXT_LINE);
        let marker = after.strip_prefix("---").or(after.strip_prefix("..."));
        if starts_line && marker.is_some_and(|next| next.starts_with([' ', NEXT_LINE])) {
            return Err(WriteError::DocumentIndicator);
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}
