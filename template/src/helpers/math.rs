//! Arithmetic on 64-bit integers and floats: an integer that does not fit is an error, and an
//! operation with a float gives a float.

use std::cmp::Ordering;

use crate::{
    call::Call,
    state::Outcome,
    value::{Value, View, compare_numbers},
};

#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    #[expect(
        clippy::cast_precision_loss,
        reason = "mixed arithmetic is floating-point arithmetic"
    )]
    fn as_float(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    fn view(self) -> View<'static> {
        match self {
            Self::Int(value) => View::Int(value),
            Self::Float(value) => View::Float(value),
        }
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(value) => value.into(),
            Number::Float(value) => value.into(),
        }
    }
}

/// An operation on integers, which may not fit, and on floats.
struct Operation {
    on_integers: fn(i64, i64) -> Option<i64>,
    on_floats: fn(f64, f64) -> f64,
    divides: bool,
}

pub(super) fn add(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let operation = Operation {
        on_integers: i64::checked_add,
        on_floats: |left, right| left + right,
        divides: false,
    };
    fold(call, &operation)
}

pub(super) fn sub(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let operation = Operation {
        on_integers: i64::checked_sub,
        on_floats: |left, right| left - right,
        divides: false,
    };
    fold(call, &operation)
}

pub(super) fn mul(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let operation = Operation {
        on_integers: i64::checked_mul,
        on_floats: |left, right| left * right,
        divides: false,
    };
    fold(call, &operation)
}

pub(super) fn div(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let operation = Operation {
        on_integers: i64::checked_div,
        on_floats: |left, right| left / right,
        divides: true,
    };
    fold(call, &operation)
}

pub(super) fn remainder(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let operation = Operation {
        // Division by zero is refused before, and the smallest integer is a multiple of -1.
        on_integers: |left, right| Some(left.wrapping_rem(right)),
        on_floats: |left, right| left % right,
        divides: true,
    };
    fold(call, &operation)
}

fn fold(call: &mut Call<'_, '_>, operation: &Operation) -> Outcome<Value> {
    let mut result = number(call, 0)?;
    for index in 1..call.count() {
        let operand = number(call, index)?;
        if operation.divides
            && compare_numbers(operand.view(), View::Int(0)) == Some(Ordering::Equal)
        {
            return Err(call.error(index, "is zero: division by zero"));
        }
        result = match (result, operand) {
            (Number::Int(left), Number::Int(right)) => match (operation.on_integers)(left, right) {
                Some(value) => Number::Int(value),
                None => {
                    return Err(
                        call.error(index, "makes the result too large for a 64-bit integer")
                    );
                }
            },
            (left, right) => {
                let value = (operation.on_floats)(left.as_float(), right.as_float());
                if !value.is_finite() {
                    return Err(call.error(index, "makes the result too large for a 64-bit float"));
                }
                Number::Float(value)
            }
        };
    }
    Ok(call.computed(result))
}

pub(super) fn min(call: &mut Call<'_, '_>) -> Outcome<Value> {
    extreme(call, Ordering::Less)
}

pub(super) fn max(call: &mut Call<'_, '_>) -> Outcome<Value> {
    extreme(call, Ordering::Greater)
}

fn extreme(call: &mut Call<'_, '_>, wanted: Ordering) -> Outcome<Value> {
    let mut best = number(call, 0)?;
    for index in 1..call.count() {
        let other = number(call, index)?;
        if compare_numbers(other.view(), best.view()) == Some(wanted) {
            best = other;
        }
    }
    Ok(call.computed(best))
}

fn number(call: &mut Call<'_, '_>, index: usize) -> Outcome<Number> {
    let value = call.value(index)?;
    call.read(&value);
    match value.view() {
        View::Int(value) => Ok(Number::Int(value)),
        View::Float(value) => Ok(Number::Float(value)),
        View::Str(_) => {
            let failure = call.wrong_type(index, "a number", &value);
            Err(failure.hint("convert it with `int`"))
        }
        _ => Err(call.wrong_type(index, "a number", &value)),
    }
}

/// The integer that a number without its fraction, or a text, is.
pub(super) fn int(call: &mut Call<'_, '_>) -> Outcome<Value> {
    /// 2^63, the first float above every `i64`.
    const ABOVE: f64 = 9_223_372_036_854_775_808.0;
    let value = call.value(0)?;
    call.read(&value);
    match value.view() {
        View::Int(_) => Ok(value),
        View::Float(float) if (-ABOVE..ABOVE).contains(&float) => {
            #[expect(clippy::cast_possible_truncation, reason = "the bounds were checked")]
            let int = float.trunc() as i64;
            Ok(call.computed(int))
        }
        View::Float(_) => Err(call.error(0, "does not fit a 64-bit integer")),
        View::Str(text) => match text.trim().parse::<i64>() {
            Ok(int) => Ok(call.computed(int)),
            Err(_) => Err(call.error(0, format!("must be an integer, found `{text}`"))),
        },
        _ => Err(call.wrong_type(0, "a number or a string", &value)),
    }
}
