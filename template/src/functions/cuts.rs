//! Sprig's functions that leave something out of a text: `trim` and its like, `trunc`, `substr`,
//! `abbrev`.

use std::{collections::HashSet, ops::Range};

use super::{
    Function, functions,
    parts::{Whole, cut},
};
use crate::{
    call::Call,
    state::{Failure, Outcome},
    unicode::{is_space, runes},
    value::Value,
    writer::Text,
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "abbrev" (Int, String) => abbrev;
    "abbrevboth" (Int, Int, String) => abbrevboth;
    "substr" (Int, Int, String) => substr;
    "trim" (String) => trim;
    "trimAll" (String, String) => trim_all;
    "trimPrefix" (String, String) => trim_prefix;
    "trimSuffix" (String, String) => trim_suffix;
    "trimall" (String, String) => trim_all;
    "trunc" (Int, String) => trunc;
];

fn trim(call: &mut Call<'_, '_>) -> Outcome<Value> {
    cut(call, 0, |text| trimmed(text, is_space))
}

fn trim_all(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let unwanted = call.read_text(0)?;
    let unwanted: HashSet<char> = runes(unwanted.as_bytes()).map(|(_, char)| char).collect();
    call.state().step(unwanted.len())?;
    cut(call, 1, |text| {
        trimmed(text, |char| unwanted.contains(&char))
    })
}

/// What is left without unwanted characters at both ends.
fn trimmed(text: &[u8], is_unwanted: impl Fn(char) -> bool) -> Range<usize> {
    let ends_well = |byte: Option<&u8>| {
        byte.is_some_and(|&byte| byte.is_ascii() && !is_unwanted(char::from(byte)))
    };
    if ends_well(text.first()) && ends_well(text.last()) {
        return 0..text.len();
    }
    let mut all = runes(text).peekable();
    let mut kept: Option<Range<usize>> = None;
    while let Some((start, char)) = all.next() {
        let end = all.peek().map_or(text.len(), |(next, _)| *next);
        if !is_unwanted(char) {
            kept = Some(kept.map_or(start, |kept| kept.start)..end);
        }
    }
    kept.unwrap_or(0..0)
}

fn trim_prefix(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let prefix = call.read_text(0)?;
    cut(call, 1, |text| {
        let rest = text.strip_prefix(prefix.as_bytes()).unwrap_or(text);
        text.len() - rest.len()..text.len()
    })
}

fn trim_suffix(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let suffix = call.read_text(0)?;
    cut(call, 1, |text| {
        0..text.strip_suffix(suffix.as_bytes()).unwrap_or(text).len()
    })
}

/// The first bytes, or the last of a negative number.
fn trunc(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let count = call.integer(0)?;
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    cut(call, 1, |text| match text.len().checked_sub(wanted) {
        None | Some(0) => 0..text.len(),
        Some(_) if count >= 0 => 0..wanted,
        Some(start) => start..text.len(),
    })
}

fn substr(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (start, end) = (call.integer(0)?, call.integer(1)?);
    let length = call.value(2)?.as_bytes().unwrap_or_default().len();
    let position = |number: i64| usize::try_from(number).ok().filter(|&at| at <= length);
    let range = if start < 0 {
        match position(end) {
            Some(end) => 0..end,
            None if end < 0 => return Err(out_of_bounds(call, &format!("[:{end}]"))),
            None => {
                let bounds = format!("[:{end}] with length {length}");
                return Err(out_of_bounds(call, &bounds));
            }
        }
    } else {
        let end = position(end).unwrap_or(length);
        match position(start).filter(|&start| start <= end) {
            Some(start) => start..end,
            None => return Err(out_of_bounds(call, &format!("[{start}:{end}]"))),
        }
    };
    cut(call, 2, |_| range)
}

/// As Go panics.
fn out_of_bounds(call: &Call<'_, '_>, bounds: &str) -> Failure {
    call.failure(format!("runtime error: slice bounds out of range {bounds}"))
}

fn abbrev(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let width = call.integer(0)?;
    abbreviated(call, 1, 0, width)
}

fn abbrevboth(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (left, width) = (call.integer(0)?, call.integer(1)?);
    if left > 0 && width < 7 {
        return cut(call, 2, |text| 0..text.len());
    }
    abbreviated(call, 2, left, width)
}

const ELLIPSIS: &str = "...";

/// A text no longer than `width`, with what stands at `left` in it and an ellipsis where something
/// was left out.
fn abbreviated(call: &mut Call<'_, '_>, index: usize, left: i64, width: i64) -> Outcome<Value> {
    let used = call.used;
    let value = call.value(index)?;
    let length = value.as_bytes().unwrap_or_default().len();
    let Some(width) = usize::try_from(width)
        .ok()
        .filter(|width| (4..length).contains(width))
    else {
        return Ok(call.chosen_by(used, value));
    };
    let whole = Whole::of_value(call, index, &value)?;
    let mark = whole.mark(call);
    let room = width - ELLIPSIS.len();
    let left = usize::try_from(left).unwrap_or(0).min(length - room);
    let mut all = Text::new();
    if left <= 4 {
        all.absorb(&whole.part(0..room));
        all.push(ELLIPSIS, mark);
    } else if left + room < length {
        all.push(ELLIPSIS, mark);
        let end = left + room.saturating_sub(ELLIPSIS.len());
        all.absorb(&whole.part(left..end));
        all.push(ELLIPSIS, mark);
    } else {
        all.push(ELLIPSIS, mark);
        all.absorb(&whole.part(length - room..length));
    }
    let result = call.finished(all)?;
    Ok(call.chosen_by(used, result))
}
