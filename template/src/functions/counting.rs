//! Sprig's functions that count: `until`, `untilStep` and `seq`.

use cairn_spec::Diagnostic;

use super::{Function, functions};
use crate::{
    call::Call,
    limits::{BYTES_PER_STEP, MAX_COUNTED_NUMBERS},
    state::{Failure, Outcome},
    value::{ElementType, Source, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "seq" (.. Int) => seq;
    "until" (Int) => until;
    "untilStep" (Int, Int, Int) => until_step;
];

/// What a number of a list costs, by the memory that it takes.
const STEPS_PER_NUMBER: usize = size_of::<Value>() / BYTES_PER_STEP;

fn until(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let count = call.integer(0)?;
    let numbers = counted(call, 0, count, if count < 0 { -1 } else { 1 })?;
    Ok(list(call, &numbers))
}

fn until_step(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (start, end, step) = (call.integer(0)?, call.integer(1)?, call.integer(2)?);
    let numbers = counted(call, start, end, step)?;
    Ok(list(call, &numbers))
}

/// The numbers as Unix's `seq` counts them, with blanks between them.
fn seq(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut parameters = Vec::new();
    for index in 0..call.count() {
        parameters.push(call.integer(index)?);
    }
    let (start, step, end) = match *parameters.as_slice() {
        [end] => (1, if end < 1 { -1 } else { 1 }, end),
        [start, end] => (start, if end < start { -1 } else { 1 }, end),
        [start, step, end] if end >= start || step <= 0 => (start, step, end),
        _ => return Ok(call.computed("")),
    };
    let beyond = end.wrapping_add(if end < start { -1 } else { 1 });
    let numbers = counted(call, start, beyond, step)?;
    let words: Vec<String> = numbers.iter().map(i64::to_string).collect();
    call.computed_text(words.join(" "))
}

fn list(call: &mut Call<'_, '_>, numbers: &[i64]) -> Value {
    let source = Source::derived(call.used);
    let items = numbers.iter().map(|&number| Value::scalar(number, source));
    let list = Value::typed_list(items, ElementType::Int);
    Value {
        source,
        ..call.chosen(list)
    }
}

/// The numbers from `start` on, without `end`.
fn counted(call: &mut Call<'_, '_>, start: i64, end: i64, step: i64) -> Outcome<Vec<i64>> {
    let is_up = end >= start;
    if step == 0 || is_up != (step > 0) {
        return Ok(Vec::new());
    }
    let count = end.abs_diff(start).div_ceil(step.unsigned_abs());
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > MAX_COUNTED_NUMBERS {
        return Err(too_many(call, count));
    }
    call.state().step(count.saturating_mul(STEPS_PER_NUMBER))?;
    let numbers = std::iter::successors(Some(start), |number| number.checked_add(step));
    Ok(numbers.take(count).collect())
}

fn too_many(call: &Call<'_, '_>, count: usize) -> Failure {
    let message = format!("a list of {count} numbers is longer than {MAX_COUNTED_NUMBERS}");
    Failure::limit(
        Diagnostic::error("template-limit", message)
            .label(call.span, "the limit was reached here")
            .hint("count to less"),
    )
}
