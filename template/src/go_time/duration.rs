//! Durations: `1h2m3.5s`.

use super::{SECOND, parse::quoted};

/// A duration in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Duration(pub(crate) i64);

const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let left = self.0.unsigned_abs();
        let (unit, digits) = match left {
            0 => return f.write_str("0s"),
            1..1_000 => ("ns", 0),
            1_000..1_000_000 => ("µs", 3),
            1_000_000..1_000_000_000 => ("ms", 6),
            _ => ("s", 9),
        };
        if digits < 9 {
            return write!(f, "{sign}{}{unit}", decimal(left, digits));
        }
        let second = SECOND.unsigned_abs();
        let (hours, minutes) = (left / (3600 * second), left / (60 * second) % 60);
        f.write_str(sign)?;
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write!(f, "{}s", decimal(left % (60 * second), digits))
    }
}

/// The number with its last digits behind a point, without zeros at the end.
fn decimal(number: u64, digits: usize) -> String {
    let unit = 10_u64.pow(u32::try_from(digits).unwrap_or(0));
    let fraction = format!("{:0digits$}", number % unit);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction}", number / unit)
}

impl Duration {
    pub(super) fn truncated(self, unit: Self) -> Self {
        if unit.0 <= 0 {
            return self;
        }
        Self(self.0 - self.0 % unit.0)
    }

    /// To the nearest multiple; half is rounded away from zero.
    pub(crate) fn rounded(self, unit: Self) -> Self {
        if unit.0 <= 0 {
            return self;
        }
        let rest = (self.0 % unit.0).abs();
        let is_less_than_half = rest.unsigned_abs() * 2 < unit.0.unsigned_abs();
        let toward_zero = self.0 - self.0 % unit.0;
        if is_less_than_half {
            return Self(toward_zero);
        }
        Self(match self.0 {
            0.. => toward_zero.saturating_add(unit.0),
            _ => toward_zero.saturating_sub(unit.0),
        })
    }

    pub(super) fn absolute(self) -> Self {
        Self(self.0.saturating_abs())
    }

    pub(super) fn seconds(self) -> f64 {
        self.in_units(SECOND)
    }

    pub(super) fn minutes(self) -> f64 {
        self.in_units(MINUTE)
    }

    pub(super) fn hours(self) -> f64 {
        self.in_units(HOUR)
    }

    #[expect(clippy::cast_precision_loss, reason = "as Go does")]
    fn in_units(self, unit: i64) -> f64 {
        (self.0 / unit) as f64 + (self.0 % unit) as f64 / unit as f64
    }
}

/// The greatest magnitude of a duration, which only a negative one has.
const MOST: u64 = 1 << 63;

/// Reads a duration as `time.ParseDuration` does.
pub(crate) fn parse_duration(text: &[u8]) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {}", quoted(text));
    let (is_negative, mut rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if rest == b"0" {
        return Ok(Duration(0));
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let (whole, after) = leading_integer(rest).ok_or_else(invalid)?;
        let has_whole = after.len() < rest.len();
        let (fraction, scale, after, has_fraction) = match after {
            [b'.', digits @ ..] => {
                let (fraction, scale, after) = leading_fraction(digits);
                (fraction, scale, after, after.len() < digits.len())
            }
            _ => (0, 1.0, after, false),
        };
        if !has_whole && !has_fraction {
            return Err(invalid());
        }
        let length = after
            .iter()
            .position(|&byte| byte == b'.' || byte.is_ascii_digit())
            .unwrap_or(after.len());
        let (name, after) = after.split_at(length);
        if name.is_empty() {
            return Err(format!("time: missing unit in duration {}", quoted(text)));
        }
        let Some(unit) = unit(name) else {
            let (name, text) = (quoted(name), quoted(text));
            return Err(format!("time: unknown unit {name} in duration {text}"));
        };
        let mut part = whole
            .checked_mul(unit)
            .filter(|_| whole <= MOST / unit)
            .ok_or_else(invalid)?;
        if fraction > 0 {
            part = part.saturating_add(of_unit(fraction, unit, scale));
        }
        sum = sum
            .checked_add(part)
            .filter(|&sum| part <= MOST && sum <= MOST)
            .ok_or_else(invalid)?;
        rest = after;
    }
    if is_negative {
        return Ok(Duration(0_i64.wrapping_sub_unsigned(sum)));
    }
    i64::try_from(sum).map(Duration).map_err(|_| invalid())
}

fn unit(name: &[u8]) -> Option<u64> {
    let unit = match std::str::from_utf8(name).ok()? {
        "ns" => 1,
        // The micro sign, and the Greek letter.
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    };
    Some(unit.unsigned_abs())
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "as Go does; it is less than one unit"
)]
fn of_unit(fraction: u64, unit: u64, scale: f64) -> u64 {
    (fraction as f64 * (unit as f64 / scale)) as u64
}

/// The digits at the beginning, if they are not too many, and what follows.
pub(super) fn leading_integer(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (index, byte) in text.iter().enumerate() {
        if !byte.is_ascii_digit() {
            return Some((number, &text[index..]));
        }
        if number > MOST / 10 {
            return None;
        }
        number = number * 10 + u64::from(byte - b'0');
        if number > MOST {
            return None;
        }
    }
    Some((number, &[]))
}

/// The digits at the beginning, as far as they fit, ten to the power of their count, and what
/// follows.
fn leading_fraction(text: &[u8]) -> (u64, f64, &[u8]) {
    let (mut number, mut scale, mut is_full) = (0_u64, 1.0, false);
    for (index, byte) in text.iter().enumerate() {
        if !byte.is_ascii_digit() {
            return (number, scale, &text[index..]);
        }
        is_full |= number > (MOST - 1) / 10;
        if !is_full {
            let next = number * 10 + u64::from(byte - b'0');
            is_full = next > MOST;
            if !is_full {
                (number, scale) = (next, scale * 10.0);
            }
        }
    }
    (number, scale, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_go_prints_them() {
        let shown = |number: i64| Duration(number).to_string();
        assert_eq!(shown(0), "0s");
        assert_eq!(shown(1), "1ns");
        assert_eq!(shown(1_100), "1.1µs");
        assert_eq!(shown(-2_200_000), "-2.2ms");
        assert_eq!(shown(61 * SECOND), "1m1s");
        assert_eq!(shown(HOUR), "1h0m0s");
        assert_eq!(shown(i64::MIN), "-2562047h47m16.854775808s");
    }

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let read = |text: &str| parse_duration(text.as_bytes()).map(|duration| duration.0);
        assert_eq!(read("1h15m30.918s"), Ok(4_530_918_000_000));
        assert_eq!(read("-.5s"), Ok(-500_000_000));
        assert_eq!(read("+0"), Ok(0));
        assert_eq!(
            read("3000000h").unwrap_err(),
            "time: invalid duration \"3000000h\""
        );
        assert_eq!(read("-9223372036854775808ns"), Ok(i64::MIN));
        assert_eq!(
            read("1").unwrap_err(),
            "time: missing unit in duration \"1\""
        );
        assert_eq!(
            read("1d").unwrap_err(),
            "time: unknown unit \"d\" in duration \"1d\""
        );
        assert_eq!(
            read("é").unwrap_err(),
            "time: invalid duration \"\\xc3\\xa9\""
        );
    }
}
