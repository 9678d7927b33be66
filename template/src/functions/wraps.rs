//! Sprig's functions for text that people read: `wrap`, `nospace`, `plural`.

use std::rc::Rc;

use super::{
    Function, functions,
    parts::{Whole, changed, check_growing},
};
use crate::{
    call::Call,
    state::Outcome,
    unicode::{is_space, push_rune},
    value::Value,
    writer::Text,
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "nospace" (String) => nospace;
    "plural" (String, String, Int) => plural;
    "wrap" (Int, String) => wrap;
    "wrapWith" (Int, String, String) => wrap_with;
];

/// What to do with words longer than a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LongWords {
    Keep,
    Break,
}

fn wrap(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let width = call.integer(0)?;
    wrapped(call, width, None, LongWords::Keep)
}

fn wrap_with(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let width = call.integer(0)?;
    wrapped(call, width, Some(1), LongWords::Break)
}

/// Lines of so many bytes at most, with a break between them: the argument at `line_break`, or a
/// new line where there is none or it is empty.
fn wrapped(
    call: &mut Call<'_, '_>,
    width: i64,
    line_break: Option<usize>,
    long_words: LongWords,
) -> Outcome<Value> {
    let used = call.used;
    let given = line_break.map(|index| call.text(index)).transpose()?;
    let whole = Whole::of(call, line_break.map_or(1, |index| index + 1))?;
    call.state().check_length(whole.text.len())?;
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let new_line = match given {
        Some(given) if !given.is_empty() => given,
        _ => {
            let mark = whole.mark(call);
            Rc::new(Text::marked("\n", mark))
        }
    };
    let mut all = whole.part(0..0);
    let bytes = whole.bytes();
    let mut at = 0;
    while bytes.len() - at > width {
        if bytes[at] == b' ' {
            at += 1;
            continue;
        }
        let space = bytes[at..=at + width]
            .iter()
            .rposition(|&byte| byte == b' ');
        let end = match (space, long_words) {
            (Some(space), _) => at + space,
            (None, LongWords::Break) => at + width,
            (None, LongWords::Keep) => {
                let rest = &bytes[at + width..];
                match rest.iter().position(|&byte| byte == b' ') {
                    Some(space) => at + width + space,
                    None => break,
                }
            }
        };
        all.append(&whole.text.slice(at..end));
        all.absorb(&new_line);
        check_growing(call, &all)?;
        let is_broken = space.is_none() && long_words == LongWords::Break;
        at = if is_broken { end } else { end + 1 };
    }
    all.append(&whole.text.slice(at..bytes.len()));
    let result = call.finished(all)?;
    Ok(call.chosen_by(used, result))
}

/// The text without white space. If there is any, bytes are taken for characters.
fn nospace(call: &mut Call<'_, '_>) -> Outcome<Value> {
    changed(call, 0, |text| {
        let is_white = |&byte: &u8| is_space(char::from(byte));
        if !text.as_bytes().iter().any(is_white) {
            return text.clone();
        }
        text.map(|piece| {
            let mut kept = Vec::with_capacity(piece.len());
            for &byte in piece.iter().filter(|byte| !is_white(byte)) {
                push_rune(char::from(byte), &mut kept);
            }
            kept
        })
    })
}

fn plural(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let count = call.integer(2)?;
    let chosen = call.value(usize::from(count != 1))?;
    Ok(call.chosen(chosen))
}
