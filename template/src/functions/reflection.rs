//! Sprig's functions that ask for the types of values.

use super::{Function, functions};
use crate::{call::Call, state::Outcome, value::Value};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "deepEqual" (Any, Any) => deep_equal;
    "kindIs" (String, Any) => kind_is;
    "kindOf" (Any) => kind_of;
    "typeIs" (String, Any) => type_is;
    "typeIsLike" (String, Any) => type_is_like;
    "typeOf" (Any) => type_of;
];

/// An argument of which only the type matters.
fn typed(call: &mut Call<'_, '_>, index: usize) -> Outcome<Value> {
    let value = call.value(index)?;
    call.read(&value);
    Ok(value)
}

fn kind_of(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let kind = typed(call, 0)?.kind_name();
    Ok(call.computed(kind))
}

fn kind_is(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (wanted, kind) = (call.read_text(0)?, typed(call, 1)?.kind_name());
    Ok(call.computed(wanted.as_bytes() == kind.as_bytes()))
}

fn type_of(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let name = typed(call, 0)?.type_name().into_owned();
    call.computed_text(name)
}

fn type_is(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (wanted, value) = (call.read_text(0)?, typed(call, 1)?);
    Ok(call.computed(wanted.as_bytes() == value.type_name().as_bytes()))
}

/// The type, or a pointer to it.
fn type_is_like(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (wanted, value) = (call.read_text(0)?, typed(call, 1)?);
    let name = value.type_name();
    let pointed_to = name.strip_prefix('*').map(str::as_bytes);
    let wanted = wanted.as_bytes();
    Ok(call.computed(wanted == name.as_bytes() || pointed_to == Some(wanted)))
}

fn deep_equal(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (left, right) = (call.whole(0)?, call.whole(1)?);
    let equal = left.deep_equals(&right, call.state())?;
    Ok(call.computed(equal))
}
