//! Choices, comparisons and truth. Arguments that do not matter are not evaluated.

use std::cmp::Ordering;

use cairn_spec::Diagnostic;

use crate::{
    call::Call,
    state::Outcome,
    value::{Value, View, compare_numbers},
};

pub(super) fn default(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (value, is_true) = call.truth(1)?;
    if is_true {
        return Ok(value);
    }
    let default = call.value(0)?;
    Ok(call.chosen(default))
}

pub(super) fn coalesce(call: &mut Call<'_, '_>) -> Outcome<Value> {
    first_where(call, true)
}

pub(super) fn or(call: &mut Call<'_, '_>) -> Outcome<Value> {
    first_where(call, true)
}

pub(super) fn and(call: &mut Call<'_, '_>) -> Outcome<Value> {
    first_where(call, false)
}

/// The first argument whose truth is `wanted`, else the last.
fn first_where(call: &mut Call<'_, '_>, wanted: bool) -> Outcome<Value> {
    let last = call.count() - 1;
    for index in 0..last {
        let before = call.used;
        let (value, truth) = call.truth(index)?;
        if truth == wanted {
            call.used = before;
            return Ok(call.chosen(value));
        }
    }
    let value = call.value(last)?;
    Ok(call.chosen(value))
}

pub(super) fn ternary(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (_, condition) = call.truth(2)?;
    let value = call.value(usize::from(!condition))?;
    Ok(call.chosen(value))
}

pub(super) fn required(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(1)?;
    if !matches!(value.view(), View::Null | View::Str("")) {
        return Ok(value);
    }
    call.read(&value);
    let message = call.text(0)?;
    let span = call.caller.argument_span(1);
    let used = call.used;
    let state = call.state();
    let given = state.tracker.origins(used).first().copied();
    let given = given.and_then(|origin| state.origins.span(origin));
    Err(Diagnostic::error("template-required", message.as_str())
        .label(span, "this value is required")
        .label(given, "it is empty here")
        .into())
}

pub(super) fn fail(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let message = call.text(0)?;
    Err(Diagnostic::error("template-fail", message.as_str())
        .label(call.span, "the template refuses this here")
        .into())
}

pub(super) fn eq(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let equal = equals_any(call)?;
    Ok(call.computed(equal))
}

pub(super) fn ne(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let equal = equals_any(call)?;
    Ok(call.computed(!equal))
}

fn equals_any(call: &mut Call<'_, '_>) -> Outcome<bool> {
    let first = whole(call, 0)?;
    for index in 1..call.count() {
        let other = whole(call, index)?;
        if first.same(&other, call.state())? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An argument of which everything matters.
pub(super) fn whole(call: &mut Call<'_, '_>, index: usize) -> Outcome<Value> {
    let value = call.value(index)?;
    let origins = value.deep_origins(call.state())?;
    call.uses_origins(origins);
    Ok(value)
}

pub(super) fn lt(call: &mut Call<'_, '_>) -> Outcome<Value> {
    compare(call, Ordering::is_lt)
}

pub(super) fn gt(call: &mut Call<'_, '_>) -> Outcome<Value> {
    compare(call, Ordering::is_gt)
}

pub(super) fn le(call: &mut Call<'_, '_>) -> Outcome<Value> {
    compare(call, Ordering::is_le)
}

pub(super) fn ge(call: &mut Call<'_, '_>) -> Outcome<Value> {
    compare(call, Ordering::is_ge)
}

fn compare(call: &mut Call<'_, '_>, fits: fn(Ordering) -> bool) -> Outcome<Value> {
    let left = call.value(0)?;
    call.read(&left);
    if !matches!(left.view(), View::Int(_) | View::Float(_) | View::Str(_)) {
        return Err(call.wrong_type(0, "a number or a string", &left));
    }
    let right = call.value(1)?;
    call.read(&right);
    let order = match (left.view(), right.view()) {
        (View::Str(left), View::Str(right)) => Some(left.cmp(right)),
        (left, right) => compare_numbers(left, right),
    };
    let Some(order) = order else {
        let expected = format!("{}, as argument 1 is", left.kind());
        return Err(call.wrong_type(1, &expected, &right));
    };
    Ok(call.computed(fits(order)))
}

pub(super) fn not(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (_, truth) = call.truth(0)?;
    Ok(call.computed(!truth))
}
