//! Sprig's functions that look for a text in another: `contains` and its like, `replace`; and
//! `repeat`.

use super::{Function, functions, parts::Whole};
use crate::{call::Call, state::Outcome, unicode::runes, value::Value, writer::find};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "contains" (String, String) => contains;
    "hasPrefix" (String, String) => has_prefix;
    "hasSuffix" (String, String) => has_suffix;
    "repeat" (Int, String) => repeat;
    "replace" (String, String, String) => replace;
];

fn contains(call: &mut Call<'_, '_>) -> Outcome<Value> {
    compared(call, |wanted, text| {
        wanted.is_empty() || find(text, wanted).is_some()
    })
}

fn has_prefix(call: &mut Call<'_, '_>) -> Outcome<Value> {
    compared(call, |wanted, text| text.starts_with(wanted))
}

fn has_suffix(call: &mut Call<'_, '_>) -> Outcome<Value> {
    compared(call, |wanted, text| text.ends_with(wanted))
}

fn compared(call: &mut Call<'_, '_>, compare: impl FnOnce(&[u8], &[u8]) -> bool) -> Outcome<Value> {
    let wanted = call.value(0)?;
    let text = call.value(1)?;
    call.read(&wanted);
    call.read(&text);
    let bytes = text.as_bytes().unwrap_or_default();
    call.state().check_length(bytes.len())?;
    let holds = compare(wanted.as_bytes().unwrap_or_default(), bytes);
    Ok(call.computed(holds))
}

fn repeat(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let Ok(count) = usize::try_from(call.integer(0)?) else {
        return Err(call.failure("strings: negative Repeat count"));
    };
    let used = call.used;
    let whole = Whole::of(call, 1)?;
    let length = whole.text.len().saturating_mul(count);
    if i64::try_from(length).is_err() || length == usize::MAX {
        return Err(call.failure("strings: Repeat output length overflow"));
    }
    call.state().check_length(length)?;
    let mut repeated = whole.part(0..0);
    if length > 0 {
        for _ in 0..count {
            repeated.append(&whole.text);
        }
    }
    let result = call.finished(repeated)?;
    Ok(call.chosen_by(used, result))
}

fn replace(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let old = call.read_text(0)?;
    let used = call.used;
    let value = call.value(2)?;
    let bytes = value.as_bytes().unwrap_or_default();
    call.state().check_length(bytes.len())?;
    let places = occurrences(bytes, old.as_bytes());
    if places.is_empty() {
        return Ok(call.chosen_by(used, value));
    }
    call.state().step(places.len())?;
    let whole = Whole::of_value(call, 2, &value)?;
    let new = whole.inserted(call, 1)?;
    let growth = places.len().saturating_mul(new.len());
    let left = bytes.len() - places.len() * old.len();
    call.state().check_length(left.saturating_add(growth))?;
    let mut replaced = whole.part(0..0);
    let mut start = 0;
    for at in places {
        replaced.append(&whole.text.slice(start..at));
        replaced.absorb(&new);
        start = at + old.len();
    }
    replaced.absorb(&whole.part(start..whole.text.len()));
    let result = call.finished(replaced)?;
    Ok(call.chosen(result))
}

/// Where a text occurs, one after the other; nothing occurs before each character and at the end.
fn occurrences(text: &[u8], wanted: &[u8]) -> Vec<usize> {
    if wanted.is_empty() {
        return runes(text)
            .map(|(start, _)| start)
            .chain([text.len()])
            .collect();
    }
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(found) = find(&text[at..], wanted) {
        places.push(at + found);
        at += found + wanted.len();
    }
    places
}
