//! `eq`, `lt` and their like, with Go's rules of what may be compared.

use std::cmp::Ordering;

use super::{Function, functions};
use crate::{
    call::Call,
    go::format::{Flags, Printer},
    state::{Failure, Outcome},
    value::{Data, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "eq" (Any, .. Any) => eq;
    "ge" (Any, Any) => ge;
    "gt" (Any, Any) => gt;
    "le" (Any, Any) => le;
    "lt" (Any, Any) => lt;
    "ne" (Any, Any) => ne;
];

/// What Go compares by value.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Basic<'v> {
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(&'v [u8]),
    Uint(u64),
}

impl Basic<'_> {
    fn is_same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

fn basic(value: &Value) -> Option<Basic<'_>> {
    Some(match &value.data {
        Data::Bool(value) => Basic::Bool(*value),
        Data::Int(value, kind) if kind.is_unsigned() => Basic::Uint(value.cast_unsigned()),
        Data::Int(value, _) => Basic::Int(*value),
        Data::Float(value) => Basic::Float(*value),
        Data::Str(_) | Data::Text(_) => Basic::Str(value.as_bytes()?),
        _ => return None,
    })
}

fn is_nil(value: &Value) -> bool {
    matches!(value.data, Data::Nil | Data::Missing)
}

/// Nil, or a list that is.
fn is_nil_of_its_type(value: &Value) -> bool {
    match &value.data {
        Data::List(list) => list.is_nil(),
        _ => is_nil(value),
    }
}

/// An argument of which the result depends on what it is.
fn compared(call: &mut Call<'_, '_>, index: usize) -> Outcome<Value> {
    let value = call.value(index)?;
    call.read(&value);
    Ok(value)
}

fn eq(call: &mut Call<'_, '_>) -> Outcome<Value> {
    if call.count() == 1 {
        return Err(call.failure("missing argument for comparison"));
    }
    let equal = equals_any(call)?;
    Ok(call.computed(equal))
}

fn ne(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let equal = equals_any(call)?;
    Ok(call.computed(!equal))
}

fn equals_any(call: &mut Call<'_, '_>) -> Outcome<bool> {
    let left = compared(call, 0)?;
    for index in 1..call.count() {
        let right = compared(call, index)?;
        if equals(call, &left, &right)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equals(call: &Call<'_, '_>, left: &Value, right: &Value) -> Outcome<bool> {
    match (basic(left), basic(right)) {
        (Some(Basic::Int(int)), Some(Basic::Uint(uint)))
        | (Some(Basic::Uint(uint)), Some(Basic::Int(int))) => {
            Ok(u64::try_from(int).is_ok_and(|int| int == uint))
        }
        (Some(left_basic), Some(right_basic)) if left_basic.is_same_kind(&right_basic) => {
            Ok(left_basic == right_basic)
        }
        (None, None) => {
            if is_nil(left) || is_nil(right) {
                return Ok(is_nil_of_its_type(left) == is_nil_of_its_type(right));
            }
            if left.kind_name() != right.kind_name() {
                return Err(call.failure(format!(
                    "non-comparable types {}: {}, {}: {}",
                    shown(left, 's'),
                    left.type_name(),
                    right.type_name(),
                    shown(right, 'v')
                )));
            }
            if is_nil_of_its_type(left) || is_nil_of_its_type(right) {
                return Ok(is_nil_of_its_type(left) == is_nil_of_its_type(right));
            }
            match (&left.data, &right.data) {
                (Data::Object(left), Data::Object(right)) => {
                    Ok(std::rc::Rc::ptr_eq(left, right) || left.is_equal(&**right))
                }
                _ => Err(call.failure(format!(
                    "non-comparable type {}: {}",
                    shown(right, 's'),
                    right.type_name()
                ))),
            }
        }
        _ if is_nil(left) || is_nil(right) => Ok(false),
        _ => Err(incompatible(call, left, right)),
    }
}

fn shown(value: &Value, verb: char) -> String {
    let mut out = Vec::new();
    Printer::new(&mut out, Flags::default()).argument(value, verb);
    String::from_utf8_lossy(&out).into_owned()
}

fn incompatible(call: &Call<'_, '_>, left: &Value, right: &Value) -> Failure {
    call.failure(format!(
        "incompatible types for comparison: {} and {}",
        left.type_name(),
        right.type_name()
    ))
}

fn lt(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (left, right) = (compared(call, 0)?, compared(call, 1)?);
    let less = is_less(call, &left, &right)?;
    Ok(call.computed(less))
}

fn le(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (left, right) = (compared(call, 0)?, compared(call, 1)?);
    let less = is_less(call, &left, &right)? || equals(call, &left, &right)?;
    Ok(call.computed(less))
}

fn gt(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (left, right) = (compared(call, 0)?, compared(call, 1)?);
    let less = is_less(call, &left, &right)? || equals(call, &left, &right)?;
    Ok(call.computed(!less))
}

fn ge(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (left, right) = (compared(call, 0)?, compared(call, 1)?);
    let less = is_less(call, &left, &right)?;
    Ok(call.computed(!less))
}

fn is_less(call: &Call<'_, '_>, left: &Value, right: &Value) -> Outcome<bool> {
    let (Some(left_basic), Some(right_basic)) = (basic(left), basic(right)) else {
        return Err(call.failure("invalid type for comparison"));
    };
    let order = match (left_basic, right_basic) {
        (Basic::Int(left), Basic::Int(right)) => left.cmp(&right),
        (Basic::Uint(left), Basic::Uint(right)) => left.cmp(&right),
        (Basic::Str(left), Basic::Str(right)) => left.cmp(right),
        (Basic::Float(left), Basic::Float(right)) => {
            return Ok(left.partial_cmp(&right) == Some(Ordering::Less));
        }
        (Basic::Int(left), Basic::Uint(right)) => i128::from(left).cmp(&i128::from(right)),
        (Basic::Uint(left), Basic::Int(right)) => i128::from(left).cmp(&i128::from(right)),
        (Basic::Bool(_), Basic::Bool(_)) => {
            return Err(call.failure("invalid type for comparison"));
        }
        _ => return Err(incompatible(call, left, right)),
    };
    Ok(order.is_lt())
}
