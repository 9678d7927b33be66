//! Sprig's arithmetic: on `int64`, where what does not fit wraps around, and on floats.

use super::{Function, functions};
use crate::{
    call::Call,
    go::cast::{to_float64, to_int64},
    state::Outcome,
    value::{Data, IntKind, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "add" (.. Any) => add;
    "add1" (Any) => add1;
    "biggest" (Any, .. Any) => max;
    "ceil" (Any) => ceil;
    "div" (Any, Any) => div;
    "floor" (Any) => floor;
    "max" (Any, .. Any) => max;
    "maxf" (Any, .. Any) => maxf;
    "min" (Any, .. Any) => min;
    "minf" (Any, .. Any) => minf;
    "mod" (Any, Any) => modulo;
    "mul" (Any, .. Any) => mul;
    "round" (Any, Int, .. Float) => round;
    "sub" (Any, Any) => sub;
];

/// An argument of which the result depends on all that it is.
fn number(call: &mut Call<'_, '_>, index: usize) -> Outcome<Value> {
    let value = call.value(index)?;
    call.read(&value);
    Ok(value)
}

fn int(call: &mut Call<'_, '_>, index: usize) -> Outcome<i64> {
    Ok(to_int64(&number(call, index)?))
}

pub(super) fn float(call: &mut Call<'_, '_>, index: usize) -> Outcome<f64> {
    Ok(to_float64(&number(call, index)?))
}

fn int64(call: &mut Call<'_, '_>, number: i64) -> Value {
    call.computed(Data::Int(number, IntKind::Int64))
}

/// The result of an operation on all arguments, one after the other.
fn fold(call: &mut Call<'_, '_>, operation: fn(i64, i64) -> i64) -> Outcome<Value> {
    let mut result = int(call, 0)?;
    for index in 1..call.count() {
        result = operation(result, int(call, index)?);
    }
    Ok(int64(call, result))
}

fn add(call: &mut Call<'_, '_>) -> Outcome<Value> {
    if call.count() == 0 {
        return Ok(int64(call, 0));
    }
    fold(call, i64::wrapping_add)
}

fn add1(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let sum = int(call, 0)?.wrapping_add(1);
    Ok(int64(call, sum))
}

fn sub(call: &mut Call<'_, '_>) -> Outcome<Value> {
    fold(call, i64::wrapping_sub)
}

fn mul(call: &mut Call<'_, '_>) -> Outcome<Value> {
    fold(call, i64::wrapping_mul)
}

fn div(call: &mut Call<'_, '_>) -> Outcome<Value> {
    divided(call, i64::wrapping_div)
}

fn modulo(call: &mut Call<'_, '_>) -> Outcome<Value> {
    divided(call, i64::wrapping_rem)
}

fn divided(call: &mut Call<'_, '_>, operation: fn(i64, i64) -> i64) -> Outcome<Value> {
    let (dividend, divisor) = (int(call, 0)?, int(call, 1)?);
    if divisor == 0 {
        return Err(call.failure("runtime error: integer divide by zero"));
    }
    Ok(int64(call, operation(dividend, divisor)))
}

fn max(call: &mut Call<'_, '_>) -> Outcome<Value> {
    fold(call, i64::max)
}

fn min(call: &mut Call<'_, '_>) -> Outcome<Value> {
    fold(call, i64::min)
}

fn maxf(call: &mut Call<'_, '_>) -> Outcome<Value> {
    fold_floats(call, greater)
}

fn minf(call: &mut Call<'_, '_>) -> Outcome<Value> {
    fold_floats(call, |left, right| -greater(-left, -right))
}

fn fold_floats(call: &mut Call<'_, '_>, operation: fn(f64, f64) -> f64) -> Outcome<Value> {
    let mut result = float(call, 0)?;
    for index in 1..call.count() {
        result = operation(result, float(call, index)?);
    }
    Ok(call.computed(result))
}

/// Go's `math.Max`: infinity wins over NaN, which wins over all else; 0 is above -0.
fn greater(left: f64, right: f64) -> f64 {
    if left == f64::INFINITY || right == f64::INFINITY {
        return f64::INFINITY;
    }
    if left.is_nan() || right.is_nan() {
        return f64::NAN;
    }
    if left == 0.0 && right == 0.0 {
        return if left.is_sign_negative() { right } else { left };
    }
    left.max(right)
}

fn floor(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let number = float(call, 0)?.floor();
    Ok(call.computed(number))
}

fn ceil(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let number = float(call, 0)?.ceil();
    Ok(call.computed(number))
}

/// Up from where the fraction reaches a bound, else down, which rounds negative numbers down
/// always.
fn round(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = float(call, 0)?;
    let places = call.integer(1)?;
    let up_from = if call.count() > 2 {
        float(call, 2)?
    } else {
        0.5
    };
    let power = power_of_ten(places);
    let digits = power * value;
    let rounded = if digits.fract() >= up_from {
        digits.ceil()
    } else {
        digits.floor()
    };
    Ok(call.computed(rounded / power))
}

/// Go's `math.Pow(10, n)`, with the bits that its repeated squaring gives.
fn power_of_ten(exponent: i64) -> f64 {
    /// Beyond this the power of two of a square is no float's any more.
    const LIMIT: i64 = 1 << 12;
    match exponent {
        0 => return 1.0,
        1 => return 10.0,
        _ => {}
    }
    // 10 as a fraction of at least one half, and a power of two.
    let (mut square, mut square_exponent) = (0.625_f64, 4_i64);
    let (mut fraction, mut binary_exponent) = (1.0_f64, 0_i64);
    let mut left = exponent.unsigned_abs();
    while left != 0 {
        if square_exponent.abs() > LIMIT {
            binary_exponent += square_exponent;
            break;
        }
        if left & 1 == 1 {
            fraction *= square;
            binary_exponent += square_exponent;
        }
        square *= square;
        square_exponent <<= 1;
        if square < 0.5 {
            square += square;
            square_exponent -= 1;
        }
        left >>= 1;
    }
    if exponent < 0 {
        fraction = 1.0 / fraction;
        binary_exponent = -binary_exponent;
    }
    scaled(fraction, binary_exponent)
}

/// The number times a power of two, rounded once.
fn scaled(number: f64, exponent: i64) -> f64 {
    let exponent = i32::try_from(exponent.clamp(-3000, 3000)).unwrap_or(0);
    match exponent {
        // Two steps, of which only the last can leave the range of floats or lose digits.
        1000.. => number * 2.0_f64.powi(1000) * 2.0_f64.powi((exponent - 1000).min(1023)),
        ..=-1000 => number * 2.0_f64.powi(-1000) * 2.0_f64.powi((exponent + 1000).max(-1074)),
        _ => number * 2.0_f64.powi(exponent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_ten_stay_in_range() {
        let powers = [2, -1, 22, 309, -323, i64::MAX, i64::MIN].map(power_of_ten);
        let expected = [100.0, 0.1, 1e22, f64::INFINITY, 1e-323, f64::INFINITY, 0.0];
        assert_eq!(powers.map(f64::to_bits), expected.map(f64::to_bits));
    }
}
