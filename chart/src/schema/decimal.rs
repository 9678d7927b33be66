//! Decimal numbers, exactly: whether one is a multiple of another.

/// Digits beyond this many do not fit 128 bits.
const MAX_DIGITS: usize = 36;

/// Whether the value is a whole number of times the one that is written as `step`.
pub(super) fn is_multiple(value: f64, step: &str) -> bool {
    match (Decimal::parse(&format!("{value:e}")), Decimal::parse(step)) {
        (Some(value), Some(step)) => value.is_multiple_of(step),
        // Further apart than numbers of charts are: as good as floats can say it.
        _ => step
            .parse()
            .is_ok_and(|step: f64| (value / step).fract() == 0.0),
    }
}

/// `digits × 10^exponent`, without its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Decimal {
    digits: u128,
    exponent: i32,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        if digits.len() > MAX_DIGITS {
            return None;
        }
        let exponent: i32 = exponent.parse().ok()?;
        Some(Self {
            digits: if digits.is_empty() {
                0
            } else {
                digits.parse().ok()?
            },
            exponent: exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?,
        })
    }

    fn is_multiple_of(self, step: Self) -> bool {
        if self.digits == 0 {
            return true;
        }
        let common = self.exponent.min(step.exponent);
        match (self.scaled(common), step.scaled(common)) {
            (Some(value), Some(step)) => step != 0 && value.is_multiple_of(step),
            // A step that large has no multiple but 0 here; a value that large is one of any step
            // that has fewer places.
            (None, _) => step.digits != 0 && self.digits.is_multiple_of(step.digits),
            (_, None) => false,
        }
    }

    fn scaled(self, exponent: i32) -> Option<u128> {
        let places = u32::try_from(self.exponent.checked_sub(exponent)?).ok()?;
        self.digits.checked_mul(10_u128.checked_pow(places)?)
    }
}

#[cfg(test)]
mod tests {
    use super::is_multiple;

    #[test]
    fn multiples_are_found_exactly() {
        for (value, step) in [
            (0.3, "0.1"),
            (4.5, "1.5"),
            (0.0, "7"),
            (1e20, "5"),
            (-9.0, "3"),
        ] {
            assert!(is_multiple(value, step), "{value} {step}");
        }
        for (value, step) in [(0.35, "0.1"), (7.0, "2"), (1.0, "1e30")] {
            assert!(!is_multiple(value, step), "{value} {step}");
        }
    }
}
