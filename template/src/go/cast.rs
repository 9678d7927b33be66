//! What Sprig makes numbers of, as `spf13/cast` does: whatever is none is zero.

use super::literal::{integer, parse_float};
use crate::value::{Data, IntKind, Value};

/// A value as an `int64`.
pub(crate) fn to_int64(value: &Value) -> i64 {
    match &value.data {
        // It is no type that `cast` knows, unlike months and weekdays.
        Data::Int(_, IntKind::Duration) => 0,
        Data::Int(number, _) => *number,
        Data::Float(number) => float_to_int64(*number),
        Data::Bool(value) => i64::from(*value),
        Data::Str(_) | Data::Text(_) => value
            .as_bytes()
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .and_then(|text| integer(without_zero_fraction(text)))
            .and_then(|number| i64::try_from(number).ok())
            .unwrap_or(0),
        _ => 0,
    }
}

/// A value as a `float64`.
pub(crate) fn to_float64(value: &Value) -> f64 {
    match &value.data {
        Data::Int(_, IntKind::Duration) => 0.0,
        #[expect(clippy::cast_precision_loss, reason = "as Go does")]
        Data::Int(number, IntKind::Uint64) => number.cast_unsigned() as f64,
        #[expect(clippy::cast_precision_loss, reason = "as Go does")]
        Data::Int(number, _) => *number as f64,
        Data::Float(number) => *number,
        Data::Bool(value) => f64::from(u8::from(*value)),
        Data::Str(_) | Data::Text(_) => value
            .as_bytes()
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .and_then(parse_float)
            .unwrap_or(0.0),
        _ => 0.0,
    }
}

/// Go's `int64(float)` on the machines that Helm runs on: all that does not fit is the least
/// number.
pub(crate) fn float_to_int64(number: f64) -> i64 {
    /// 2^63, the first float above every `i64`.
    const ABOVE: f64 = 9_223_372_036_854_775_808.0;
    if !(-ABOVE..ABOVE).contains(&number) {
        return i64::MIN;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
    let whole = number as i64;
    whole
}

/// Digits with a sign or without one, as Go's `strconv.ParseInt` reads them in a base up to ten.
///
/// # Errors
///
/// What Go gives beside the error: zero, or the number nearest to one that is too large.
pub(crate) fn parse_int(text: &[u8], base: u8) -> Result<i64, i64> {
    let is_negative = text.starts_with(b"-");
    let digits = text
        .strip_prefix(if is_negative { b"-" } else { b"+" })
        .unwrap_or(text);
    if digits.is_empty() {
        return Err(0);
    }
    let nearest = if is_negative { i64::MIN } else { i64::MAX };
    let mut number = 0_i128;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit >= base {
            return Err(0);
        }
        number = number * i128::from(base) + i128::from(digit);
        if number > i128::from(u64::MAX) {
            return Err(nearest);
        }
    }
    let number = if is_negative { -number } else { number };
    i64::try_from(number).map_err(|_| nearest)
}

/// `1.00` is taken for `1`.
fn without_zero_fraction(text: &str) -> &str {
    match text.trim_end_matches('0').strip_suffix('.') {
        Some(whole) if !text.ends_with('.') => whole,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbers_in_every_base_of_go() {
        let ints = [
            "12", "-0x1F", "0b11", "0o17", "017", "1_000", "1.00", "1.", "1.5", "08", "",
        ];
        let ints: Vec<i64> = ints.map(|text| to_int64(&text.into())).into();
        assert_eq!(ints, [12, -31, 3, 15, 15, 1000, 1, 0, 0, 0, 0]);
        let floats = ["1.5", "1e3", ".5", "0x1p-2", "x", "1e999"];
        let floats: Vec<f64> = floats.map(|text| to_float64(&text.into())).into();
        assert_eq!(floats, [1.5, 1000.0, 0.5, 0.25, 0.0, 0.0]);
    }

    #[test]
    fn what_does_not_fit_is_the_least_number() {
        let floats = [1e19, -1e19, f64::NAN, -1.9];
        let ints = floats.map(|number| to_int64(&number.into()));
        assert_eq!(ints, [i64::MIN, i64::MIN, i64::MIN, -1]);
    }
}
