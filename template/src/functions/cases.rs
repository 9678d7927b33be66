//! Sprig's functions that change the case of letters, and those that make names of words.

use super::{Function, functions, parts::changed};
use crate::{
    call::Call,
    go::identifiers::{pascal_case, separated_case},
    state::Outcome,
    unicode::{
        is_digit, is_letter, is_lower, is_space, is_title, is_upper, push_rune, to_lower, to_title,
        to_upper,
    },
    value::Value,
    writer::Text,
};

/// This many bytes cost a step where each character is looked at.
const BYTES_PER_SLOW_STEP: usize = 2;

pub(super) static FUNCTIONS: &[Function] = &functions![
    "camelcase" (String) => camelcase;
    "initials" (String) => initials;
    "kebabcase" (String) => kebabcase;
    "lower" (String) => lower;
    "snakecase" (String) => snakecase;
    "swapcase" (String) => swapcase;
    "title" (String) => title;
    "untitle" (String) => untitle;
    "upper" (String) => upper;
];

fn upper(call: &mut Call<'_, '_>) -> Outcome<Value> {
    changed(call, 0, |text| {
        if text.as_bytes().is_ascii() {
            return text.map(<[u8]>::to_ascii_uppercase);
        }
        cased(text, to_upper)
    })
}

fn lower(call: &mut Call<'_, '_>) -> Outcome<Value> {
    changed(call, 0, |text| {
        if text.as_bytes().is_ascii() {
            return text.map(<[u8]>::to_ascii_lowercase);
        }
        cased(text, to_lower)
    })
}

/// Every letter that follows none in title case.
fn title(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut previous = ' ';
    let case = |char| {
        let starts_word = is_separator(previous);
        previous = char;
        if starts_word { to_title(char) } else { char }
    };
    changed_slowly(call, |text| cased(text, case))
}

/// As [`changed`], of one character after the other.
fn changed_slowly(call: &mut Call<'_, '_>, change: impl FnOnce(&Text) -> Text) -> Outcome<Value> {
    let length = call.value(0)?.as_bytes().map_or(0, <[u8]>::len);
    call.state().step(length / BYTES_PER_SLOW_STEP)?;
    changed(call, 0, change)
}

fn is_separator(char: char) -> bool {
    if char.is_ascii() {
        return !char.is_ascii_alphanumeric() && char != '_';
    }
    !is_letter(char) && !is_digit(char) && is_space(char)
}

/// The first letter of each word in lower case.
fn untitle(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut starts_word = true;
    let case = |char| {
        if is_space(char) {
            starts_word = true;
            return char;
        }
        if std::mem::take(&mut starts_word) {
            return to_lower(char);
        }
        char
    };
    changed_slowly(call, |text| cased(text, case))
}

fn swapcase(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut after_space = true;
    let case = |char| {
        if is_upper(char) || is_title(char) {
            after_space = false;
            return to_lower(char);
        }
        if !is_lower(char) {
            after_space = is_space(char);
            return char;
        }
        if std::mem::take(&mut after_space) {
            return to_title(char);
        }
        to_upper(char)
    };
    changed_slowly(call, |text| cased(text, case))
}

fn cased(text: &Text, mut case: impl FnMut(char) -> char) -> Text {
    text.map_runes(|char, out| push_rune(case(char), out))
}

/// The first letter of each word; bytes are taken for characters.
fn initials(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.read_text(0)?;
    let mut after_space = true;
    let mut out = Vec::new();
    for &byte in text.as_bytes() {
        let char = char::from(byte);
        if is_space(char) {
            after_space = true;
        } else if std::mem::take(&mut after_space) {
            push_rune(char, &mut out);
        }
    }
    call.state().check_length(text.len())?;
    call.computed_bytes(out)
}

fn camelcase(call: &mut Call<'_, '_>) -> Outcome<Value> {
    renamed(call, pascal_case)
}

fn snakecase(call: &mut Call<'_, '_>) -> Outcome<Value> {
    renamed(call, |bytes| separated_case(bytes, '_'))
}

fn kebabcase(call: &mut Call<'_, '_>) -> Outcome<Value> {
    renamed(call, |bytes| separated_case(bytes, '-'))
}

fn renamed(call: &mut Call<'_, '_>, rename: impl FnOnce(&[u8]) -> Vec<u8>) -> Outcome<Value> {
    let value = call.value(0)?;
    let bytes = value.as_bytes().unwrap_or_default();
    call.state().check_length(bytes.len())?;
    call.state().step(bytes.len() / BYTES_PER_SLOW_STEP)?;
    let renamed = rename(bytes);
    if renamed == bytes {
        return Ok(value);
    }
    call.uses(&value);
    call.computed_bytes(renamed)
}
