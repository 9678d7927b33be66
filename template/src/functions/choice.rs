//! Sprig's functions that choose by what is empty: `default`, `coalesce`, `ternary` and their
//! like. What they choose is what it is also because of what decided.

use super::{Function, functions};
use crate::{call::Call, state::Outcome, value::Value};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "all" (.. Any) => all;
    "any" (.. Any) => any;
    "coalesce" (.. Any) => coalesce;
    "default" (Any, .. Any) => default;
    "empty" (Any) => empty;
    "hello" () => hello;
    "ternary" (Any, Any, Bool) => ternary;
];

fn hello(call: &mut Call<'_, '_>) -> Outcome<Value> {
    call.computed_text("Hello!".to_owned())
}

fn default(call: &mut Call<'_, '_>) -> Outcome<Value> {
    if call.count() > 1 {
        let (given, is_set) = call.truth(1)?;
        if is_set {
            return Ok(given);
        }
    }
    let default = call.value(0)?;
    Ok(call.chosen(default))
}

fn empty(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (_, is_set) = call.truth(0)?;
    Ok(call.computed(!is_set))
}

fn coalesce(call: &mut Call<'_, '_>) -> Outcome<Value> {
    for index in 0..call.count() {
        let passed_over = call.used;
        let (value, is_set) = call.truth(index)?;
        if is_set {
            return Ok(call.chosen_by(passed_over, value));
        }
    }
    Ok(call.chosen(Value::nil()))
}

fn all(call: &mut Call<'_, '_>) -> Outcome<Value> {
    for index in 0..call.count() {
        if !call.truth(index)?.1 {
            return Ok(call.computed(false));
        }
    }
    Ok(call.computed(true))
}

fn any(call: &mut Call<'_, '_>) -> Outcome<Value> {
    for index in 0..call.count() {
        if call.truth(index)?.1 {
            return Ok(call.computed(true));
        }
    }
    Ok(call.computed(false))
}

fn ternary(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (_, truth) = call.truth(2)?;
    let chosen = call.value(usize::from(!truth))?;
    Ok(call.chosen(chosen))
}
