//! Sprig's functions for regular expressions. Those named `must…` say what is wrong with a
//! pattern, the others panic in Go, which ends a render just as well; only `regexMatch` takes it
//! for one that does not match.

use std::{ops::Range, rc::Rc};

use super::{
    Function, functions,
    parts::{Whole, check_growing, remade},
};
use crate::{
    ElementType,
    call::Call,
    go::format::{can_backquote, quote},
    go_regexp::{Haystack, Piece, Regexp, pieces, quote_meta},
    state::Outcome,
    value::{Data, List, Source, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "mustRegexFind" (String, String) => must_find;
    "mustRegexFindAll" (String, String, Int) => must_find_all;
    "mustRegexMatch" (String, String) => must_match;
    "mustRegexReplaceAll" (String, String, String) => must_replace_all;
    "mustRegexReplaceAllLiteral" (String, String, String) => must_replace_all_literal;
    "mustRegexSplit" (String, String, Int) => must_split;
    "regexFind" (String, String) => find;
    "regexFindAll" (String, String, Int) => find_all;
    "regexMatch" (String, String) => is_match;
    "regexQuoteMeta" (String) => regex_quote_meta;
    "regexReplaceAll" (String, String, String) => replace_all;
    "regexReplaceAllLiteral" (String, String, String) => replace_all_literal;
    "regexSplit" (String, String, Int) => split;
];

/// What a pattern that is none ends in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Invalid {
    Panic,
    Error,
}

/// What compiling a pattern costs, in steps.
const COMPILE_STEPS: usize = 50_000;
/// So many bytes that may have to be read once more for each match cost a step.
const BYTES_PER_MATCH_STEP: usize = 256;

/// The first argument as a pattern.
fn compiled(call: &mut Call<'_, '_>) -> Outcome<Result<Rc<Regexp>, String>> {
    let pattern = call.read_text(0)?;
    let state = call.state();
    if let Some(kept) = state.patterns.find(pattern.as_bytes()) {
        return Ok(kept);
    }
    state.step(COMPILE_STEPS)?;
    Ok(state.patterns.compile(pattern.as_bytes()))
}

fn pattern(call: &mut Call<'_, '_>, invalid: Invalid) -> Outcome<Rc<Regexp>> {
    let error = match compiled(call)? {
        Ok(pattern) => return Ok(pattern),
        Err(error) => error,
    };
    if invalid == Invalid::Error {
        return Err(call.failure(error));
    }
    let text = call.text(0)?;
    let shown = if can_backquote(text.as_bytes()) {
        format!("`{}`", text.as_str())
    } else {
        quote(text.as_bytes())
    };
    Err(call.failure(format!("regexp: Compile({shown}): {error}")))
}

/// The text to look in; the result depends on all of it.
fn subject(call: &mut Call<'_, '_>) -> Outcome<Whole> {
    let whole = Whole::of(call, 1)?;
    call.uses_origins(whole.origins);
    call.state().check_length(whole.text.len())?;
    Ok(whole)
}

/// What looking for a match costs, in steps, where so many bytes are left.
fn cost(left: usize) -> usize {
    1 + left / BYTES_PER_MATCH_STEP
}

fn is_match(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let compiled = compiled(call)?;
    let whole = subject(call)?;
    let found = compiled.is_ok_and(|pattern| pattern.is_match(whole.bytes()));
    Ok(call.computed(found))
}

fn must_match(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let pattern = pattern(call, Invalid::Error)?;
    let whole = subject(call)?;
    let found = pattern.is_match(whole.bytes());
    Ok(call.computed(found))
}

fn find(call: &mut Call<'_, '_>) -> Outcome<Value> {
    found(call, Invalid::Panic)
}

fn must_find(call: &mut Call<'_, '_>) -> Outcome<Value> {
    found(call, Invalid::Error)
}

fn found(call: &mut Call<'_, '_>, invalid: Invalid) -> Outcome<Value> {
    let pattern = pattern(call, invalid)?;
    let whole = subject(call)?;
    let found = pattern.find(&Haystack::new(whole.bytes()), 0);
    let found = call.finished(whole.part(found.unwrap_or(0..0)))?;
    Ok(call.chosen(found))
}

fn find_all(call: &mut Call<'_, '_>) -> Outcome<Value> {
    all_found(call, Invalid::Panic)
}

fn must_find_all(call: &mut Call<'_, '_>) -> Outcome<Value> {
    all_found(call, Invalid::Error)
}

fn all_found(call: &mut Call<'_, '_>, invalid: Invalid) -> Outcome<Value> {
    let pattern = pattern(call, invalid)?;
    let most = usize::try_from(call.integer(2)?).unwrap_or(usize::MAX);
    let whole = subject(call)?;
    let text = Haystack::new(whole.bytes());
    let found = pattern.all(&text, most, &mut |left| call.state().step(cost(left)))?;
    let is_nil = found.is_empty();
    Ok(string_list(call, &whole, found, is_nil))
}

fn split(call: &mut Call<'_, '_>) -> Outcome<Value> {
    all_split(call, Invalid::Panic)
}

fn must_split(call: &mut Call<'_, '_>) -> Outcome<Value> {
    all_split(call, Invalid::Error)
}

fn all_split(call: &mut Call<'_, '_>, invalid: Invalid) -> Outcome<Value> {
    let pattern = pattern(call, invalid)?;
    let most = call.integer(2)?;
    let whole = subject(call)?;
    let text = Haystack::new(whole.bytes());
    let parts = pattern.split(&text, most, &mut |left| call.state().step(cost(left)))?;
    Ok(string_list(call, &whole, parts, most == 0))
}

/// Parts of a text as a `[]string`.
fn string_list(
    call: &mut Call<'_, '_>,
    whole: &Whole,
    ranges: Vec<Range<usize>>,
    is_nil: bool,
) -> Value {
    let used = call.used;
    let parts = ranges.into_iter().map(|range| {
        let mut part = whole.part(range);
        part.add_shape(used);
        Value::from(part)
    });
    let list = if is_nil {
        List::nil(ElementType::String)
    } else {
        List::new(parts.collect(), ElementType::String)
    };
    call.chosen(Value::new(Data::List(Rc::new(list)), Source::derived(used)))
}

/// How a replacement is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replacement {
    /// With references to groups.
    Template,
    Literal,
}

fn replace_all(call: &mut Call<'_, '_>) -> Outcome<Value> {
    all_replaced(call, Invalid::Panic, Replacement::Template)
}

fn must_replace_all(call: &mut Call<'_, '_>) -> Outcome<Value> {
    all_replaced(call, Invalid::Error, Replacement::Template)
}

fn replace_all_literal(call: &mut Call<'_, '_>) -> Outcome<Value> {
    all_replaced(call, Invalid::Panic, Replacement::Literal)
}

fn must_replace_all_literal(call: &mut Call<'_, '_>) -> Outcome<Value> {
    all_replaced(call, Invalid::Error, Replacement::Literal)
}

fn all_replaced(
    call: &mut Call<'_, '_>,
    invalid: Invalid,
    replacement: Replacement,
) -> Outcome<Value> {
    let pattern = pattern(call, invalid)?;
    let used = call.used;
    let whole = Whole::of(call, 1)?;
    call.state().check_length(whole.text.len())?;
    let new = whole.inserted(call, 2)?;
    let text = Haystack::new(whole.bytes());
    let matches = pattern.all_to_replace(&text, &mut |left| call.state().step(cost(left)))?;
    if matches.is_empty() {
        let value = call.value(1)?;
        return Ok(call.chosen_by(used, value));
    }
    let pieces = match replacement {
        Replacement::Template => pieces(new.as_bytes(), pattern.group_names()),
        Replacement::Literal => vec![Piece::Template(0..new.len())],
    };
    let mut all = whole.part(0..0);
    let mut at = 0;
    for groups in matches {
        let Some(found) = groups.first().cloned().flatten() else {
            continue;
        };
        all.append(&whole.text.slice(at..found.start));
        at = found.end;
        for piece in &pieces {
            match piece {
                Piece::Template(range) => all.absorb(&new.slice(range.clone())),
                Piece::Groups(numbers) => {
                    if let Some(group) = Piece::group(numbers, &groups) {
                        all.append(&whole.text.slice(group));
                    }
                }
            }
        }
        check_growing(call, &all)?;
    }
    all.append(&whole.text.slice(at..whole.text.len()));
    let result = call.finished(all)?;
    call.uses_origins(whole.origins);
    Ok(call.chosen(result))
}

fn regex_quote_meta(call: &mut Call<'_, '_>) -> Outcome<Value> {
    remade(call, 0, quote_meta)
}
