//! Numbers of three kinds that are compared by what they are worth, and turned into one another.

use std::cmp::Ordering;

use super::{CelError, value::Value};

/// Compares two numbers; none if one is no number, or is none at all (`NaN`).
pub(super) fn compare(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    use Value::{Double, Int, Uint};
    match (left, right) {
        (Int(left), Int(right)) => Some(left.cmp(right)),
        (Uint(left), Uint(right)) => Some(left.cmp(right)),
        (Double(left), Double(right)) => left.partial_cmp(right),
        (Int(left), Uint(right)) => Some(i128::from(*left).cmp(&i128::from(*right))),
        (Uint(left), Int(right)) => Some(i128::from(*left).cmp(&i128::from(*right))),
        (Int(left), Double(right)) => whole_and_double(i128::from(*left), *right),
        (Uint(left), Double(right)) => whole_and_double(i128::from(*left), *right),
        (Double(left), Int(right)) => {
            whole_and_double(i128::from(*right), *left).map(Ordering::reverse)
        }
        (Double(left), Uint(right)) => {
            whole_and_double(i128::from(*right), *left).map(Ordering::reverse)
        }
        _ => None,
    }
}

/// Exactly: a double does not hold every integer.
fn whole_and_double(whole: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast to an integer goes to the nearest one there is"
    )]
    let floor = double.floor() as i128;
    Some(match whole.cmp(&floor) {
        Ordering::Equal if double > double.floor() => Ordering::Less,
        ordering => ordering,
    })
}

/// `int(…)`.
pub(super) fn to_int(value: &Value<'_>) -> Result<i64, CelError> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Uint(number) => i64::try_from(*number).map_err(|_| CelError::Overflow),
        Value::Double(number) => truncated(*number),
        Value::Text(text) => text.parse().map_err(|_| unfit(value, "an integer")),
        _ => Err(unfit(value, "an integer")),
    }
}

/// `uint(…)`.
pub(super) fn to_uint(value: &Value<'_>) -> Result<u64, CelError> {
    match value {
        Value::Uint(number) => Ok(*number),
        Value::Text(text) => text
            .parse()
            .map_err(|_| unfit(value, "an unsigned integer")),
        Value::Double(number) if *number >= 9_223_372_036_854_775_808.0 => {
            if *number >= 18_446_744_073_709_551_616.0 {
                return Err(CelError::Overflow);
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it was looked at just before"
            )]
            let whole = *number as u64;
            Ok(whole)
        }
        value => u64::try_from(to_int(value)?).map_err(|_| CelError::Overflow),
    }
}

/// `double(…)`.
pub(super) fn to_double(value: &Value<'_>) -> Result<f64, CelError> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "the nearest one there is, as everywhere"
    )]
    match value {
        Value::Int(number) => Ok(*number as f64),
        Value::Uint(number) => Ok(*number as f64),
        Value::Double(number) => Ok(*number),
        Value::Text(text) => text
            .parse()
            .map_err(|_| unfit(value, "a floating-point number")),
        _ => Err(unfit(value, "a floating-point number")),
    }
}

fn truncated(number: f64) -> Result<i64, CelError> {
    if number.is_nan() || number.abs() >= 9_223_372_036_854_775_808.0 {
        return Err(CelError::Overflow);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it was looked at just before"
    )]
    let whole = number as i64;
    Ok(whole)
}

fn unfit(value: &Value<'_>, wanted: &str) -> CelError {
    CelError::Unfit(format!("{} is not {wanted}", value.kind()))
}
