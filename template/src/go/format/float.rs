//! Floats as Go's `strconv.FormatFloat` writes them.

/// No float has more decimals than the smallest one: all further ones are zeros. Rust's own
/// formatting takes no precision beyond 65,535, Go's takes a million.
const MAX_DECIMALS: usize = 1_074;

/// The float in one of Go's formats: `e`, `E`, `f`, `g`, `G`, `x` or `X`. Without a precision it
/// is the shortest that reads back the same.
pub(super) fn float(value: f64, format: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let value = value.abs();
    let text = match format {
        'e' | 'E' => {
            let digits = match precision {
                Some(precision) => Digits::rounded(value, precision),
                None => Digits::shortest(value),
            };
            digits.exponential(precision.unwrap_or(digits.count() - 1))
        }
        'f' | 'F' => match precision {
            Some(precision) => fixed(value, precision),
            None => format!("{value}"),
        },
        'x' | 'X' => hexadecimal(value, precision),
        'b' => binary(value),
        _ => general(value, precision),
    };
    let text = if format.is_ascii_uppercase() && format != 'F' {
        text.to_uppercase()
    } else {
        text
    };
    format!("{sign}{text}")
}

/// So many decimals.
fn fixed(value: f64, precision: usize) -> String {
    let decimals = precision.min(MAX_DECIMALS);
    let zeros = precision - decimals;
    let mut text = format!("{value:.decimals$}");
    text.extend(std::iter::repeat_n('0', zeros));
    text
}

/// The digits of a float and where its point is.
struct Digits {
    /// Without leading and trailing zeros, but never empty.
    digits: String,
    /// The power of ten of the first digit.
    exponent: i32,
}

impl Digits {
    fn shortest(value: f64) -> Self {
        Self::parse(&format!("{value:e}"))
    }

    /// So many digits after the first.
    fn rounded(value: f64, precision: usize) -> Self {
        let precision = precision.min(MAX_DECIMALS);
        Self::parse(&format!("{value:.precision$e}"))
    }

    fn parse(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let digits = mantissa.replace('.', "");
        let digits = digits.trim_end_matches('0');
        Self {
            digits: if digits.is_empty() { "0" } else { digits }.to_owned(),
            exponent: exponent.parse().unwrap_or(0),
        }
    }

    fn count(&self) -> usize {
        self.digits.len()
    }

    fn exponential(&self, precision: usize) -> String {
        let (first, rest) = self.digits.split_at(1);
        let mut text = first.to_owned();
        if precision > 0 {
            text.push('.');
            text.push_str(&rest[..rest.len().min(precision)]);
            text.extend(std::iter::repeat_n(
                '0',
                precision.saturating_sub(rest.len()),
            ));
        }
        let sign = if self.exponent < 0 { '-' } else { '+' };
        format!("{text}e{sign}{:02}", self.exponent.abs())
    }
}

/// `%g`: the exponent decides whether it is shown.
fn general(value: f64, precision: Option<usize>) -> String {
    let digits = match precision {
        Some(precision) => Digits::rounded(value, precision.max(1) - 1),
        None => Digits::shortest(value),
    };
    let count = i32::try_from(digits.count()).unwrap_or(i32::MAX);
    let before_point = digits.exponent + 1;
    let mut limit = match precision {
        Some(precision) => i32::try_from(precision.max(1)).unwrap_or(i32::MAX),
        None => 6,
    };
    if precision.is_some() && limit > count && count >= before_point {
        limit = count;
    }
    if digits.exponent < -4 || digits.exponent >= limit {
        return digits.exponential(digits.count() - 1);
    }
    let decimals = usize::try_from((count - before_point).max(0)).unwrap_or(0);
    match precision {
        Some(_) => format!("{value:.decimals$}"),
        None => format!("{value}"),
    }
}

/// `6755399441055744p-52`: the mantissa and the power of two that it is multiplied with.
fn binary(value: f64) -> String {
    let bits = value.to_bits();
    let mantissa = bits & ((1 << 52) - 1);
    match i32::try_from(bits >> 52).unwrap_or(0) {
        0 => format!("{mantissa}p-1074"),
        raw => format!("{}p{:+}", mantissa | 1 << 52, raw - 1075),
    }
}

/// `0x1.8p+01`
fn hexadecimal(value: f64, precision: Option<usize>) -> String {
    const FRACTION_BITS: u32 = 52;
    let bits = value.to_bits();
    let mut mantissa = bits & ((1 << FRACTION_BITS) - 1);
    let raw = i32::try_from(bits >> FRACTION_BITS).unwrap_or(0);
    if value == 0.0 {
        let zeros = "0".repeat(precision.unwrap_or(0));
        let point = if zeros.is_empty() { "" } else { "." };
        return format!("0x0{point}{zeros}p+00");
    }
    let mut exponent = raw - 1023;
    if raw == 0 {
        // Denormal: shift until there is a leading one.
        exponent = -1022;
        while mantissa & (1 << FRACTION_BITS) == 0 {
            mantissa <<= 1;
            exponent -= 1;
        }
        mantissa &= (1 << FRACTION_BITS) - 1;
    }
    let fraction = match precision {
        Some(precision) if precision < 13 => {
            let dropped = 4 * u32::try_from(13 - precision).unwrap_or(13);
            let unit = 1_u64 << dropped;
            let (mut kept, rest) = (mantissa / unit, mantissa % unit);
            let is_odd = precision == 0 || kept & 1 == 1;
            if rest > unit / 2 || (rest == unit / 2 && is_odd) {
                kept += 1;
            }
            if kept >> (4 * precision) > 0 {
                // Rounded up to the next power of two.
                kept = 0;
                exponent += 1;
            }
            if precision == 0 {
                String::new()
            } else {
                format!("{kept:0precision$x}")
            }
        }
        Some(precision) => format!("{mantissa:013x}{}", "0".repeat(precision - 13)),
        None => format!("{mantissa:013x}").trim_end_matches('0').to_owned(),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("0x1{point}{fraction}p{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_go_prints_them() {
        let shown = |value| float(value, 'g', None);
        assert_eq!(shown(1.0), "1");
        assert_eq!(shown(1e6), "1e+06");
        assert_eq!(shown(123_456.0), "123456");
        assert_eq!(shown(1_234_567.0), "1.234567e+06");
        assert_eq!(shown(0.0001), "0.0001");
        assert_eq!(shown(0.00001), "1e-05");
        assert_eq!(shown(-0.0), "-0");
        assert_eq!(shown(0.1 + 0.2), "0.30000000000000004");
        assert_eq!(shown(9_007_199_254_740_993.0), "9.007199254740992e+15");
    }

    #[test]
    fn precisions_round_to_even() {
        assert_eq!(float(2.55, 'f', Some(1)), "2.5");
        assert_eq!(float(0.5, 'f', Some(0)), "0");
        assert_eq!(float(1.5, 'f', Some(0)), "2");
        assert_eq!(float(1234.5678, 'e', Some(2)), "1.23e+03");
        assert_eq!(float(1234.5678, 'g', Some(2)), "1.2e+03");
        assert_eq!(float(100_000.0, 'g', Some(3)), "1e+05");
        assert_eq!(float(100.0, 'g', Some(3)), "100");
        assert_eq!(float(1.0, 'e', None), "1e+00");
        assert_eq!(float(0.0, 'e', Some(3)), "0.000e+00");
        assert_eq!(float(1.5, 'x', None), "0x1.8p+00");
    }

    #[test]
    fn a_million_decimals_are_written() {
        const PRECISION: usize = 1_000_000;
        let smallest = f64::from_bits(1);
        let written = float(smallest, 'f', Some(PRECISION));
        let read: f64 = written.parse().unwrap();
        assert_eq!(read.to_bits(), smallest.to_bits());
        assert_eq!(float(0.5, 'f', Some(PRECISION)).len(), PRECISION + 2);
        assert_eq!(float(0.5, 'e', Some(PRECISION)).len(), PRECISION + 6);
        assert_eq!(float(0.5, 'g', Some(PRECISION)), "0.5");
    }
}
