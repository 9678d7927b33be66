//! What a plain scalar means: the core schema of YAML 1.2, and where YAML 1.1 differs.

use crate::Value;

/// Why a plain scalar has no meaning that all readers share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ScalarProblem {
    /// YAML 1.1 reads something else; the text says what.
    Ambiguous(String),
    /// The number does not fit.
    Unrepresentable(&'static str),
}

/// The value of a plain scalar.
pub(super) fn resolve_plain(text: &str) -> Result<Value, ScalarProblem> {
    if let Some(other) = yaml_1_1_reading(text) {
        return Err(ScalarProblem::Ambiguous(other));
    }
    resolve_core(text)
}

/// The value of a plain scalar under YAML 1.2's core schema (YAML 1.2.2, §10.3.2).
pub(super) fn resolve_core(text: &str) -> Result<Value, ScalarProblem> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Err(ScalarProblem::Unrepresentable("JSON has no NaN")),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Err(ScalarProblem::Unrepresentable("JSON has no infinity"));
    }
    let too_large = ScalarProblem::Unrepresentable("it does not fit a 64-bit integer");
    if is_digits(unsigned, 10) {
        return text.parse().map(Value::Int).map_err(|_| too_large);
    }
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text
            .strip_prefix(prefix)
            .filter(|digits| is_digits(digits, radix))
        {
            return i64::from_str_radix(digits, radix)
                .map(Value::Int)
                .map_err(|_| too_large);
        }
    }
    if is_float(unsigned) {
        return match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::Float(value)),
            _ => Err(ScalarProblem::Unrepresentable(
                "it does not fit a 64-bit float",
            )),
        };
    }
    Ok(Value::from(text))
}

/// How YAML 1.1, which `kubectl` and Helm read, sees a plain scalar, when 1.2 sees it otherwise.
pub(super) fn yaml_1_1_reading(text: &str) -> Option<String> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return Some("the boolean true".to_owned());
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Some("the boolean false".to_owned());
        }
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.len() > 1 && unsigned.starts_with('0') && is_digits(unsigned, 8) {
        let octal = i64::from_str_radix(unsigned, 8).map_or_else(
            |_| "an octal number".to_owned(),
            |value| format!("the octal number {value}"),
        );
        return Some(octal);
    }
    if let Some(digits) = unsigned.strip_prefix("0b")
        && is_digits(digits, 2)
    {
        return Some("a binary number".to_owned());
    }
    let bare: String = unsigned.chars().filter(|&c| c != '_').collect();
    if unsigned.contains('_')
        && unsigned.starts_with(|c: char| c.is_ascii_digit())
        && (is_digits(&bare, 10) || is_float(&bare))
    {
        return Some(format!("the number {bare}"));
    }
    None
}

/// A plain text that YAML 1.1 or 1.2 would read as something other than that text.
pub(super) fn needs_quotes(text: &str) -> bool {
    !matches!(resolve_plain(text), Ok(Value::String(_)))
        || is_timestamp(text)
        || is_base_60(text)
        || matches!(text, "<<" | "=")
}

fn is_digits(text: &str, radix: u32) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_digit(radix))
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)),
        ),
        None => (unsigned, None),
    };
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            (is_digits(whole, 10) && (fraction.is_empty() || is_digits(fraction, 10)))
                || (whole.is_empty() && is_digits(fraction, 10))
        }
        None => is_digits(mantissa, 10),
    };
    mantissa_fits && exponent.is_none_or(|exponent| is_digits(exponent, 10))
}

/// `2001-01-01` and longer: a date to some YAML 1.1 readers.
fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 8
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[5].is_ascii_digit()
}

/// `1:30`: a base 60 number to YAML 1.1.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    unsigned.contains(':')
        && unsigned
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, value) in [
            ("1", Value::Int(1)),
            ("-12", Value::Int(-12)),
            ("0x1F", Value::Int(31)),
            ("0o14", Value::Int(12)),
            ("1.5", Value::Float(1.5)),
            ("1e3", Value::Float(1000.0)),
            (".5", Value::Float(0.5)),
            ("true", Value::Bool(true)),
            ("~", Value::Null),
            ("1.2.3", Value::from("1.2.3")),
            ("500m", Value::from("500m")),
            ("-", Value::from("-")),
            ("0", Value::Int(0)),
        ] {
            assert_eq!(resolve_plain(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_the_versions_read_differently_is_a_problem() {
        for text in ["yes", "NO", "on", "y", "0777", "1_000", "0b1"] {
            assert!(
                matches!(resolve_plain(text), Err(ScalarProblem::Ambiguous(_))),
                "{text}"
            );
        }
        for text in ["99999999999999999999", ".inf", "-.inf", ".nan", "1e999"] {
            assert!(
                matches!(resolve_plain(text), Err(ScalarProblem::Unrepresentable(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn the_writer_knows_what_to_quote() {
        for text in [
            "",
            "null",
            "true",
            "no",
            "1",
            "1.5",
            "0777",
            "1_0",
            "2024-01-01",
            "12:30",
            "<<",
        ] {
            assert!(needs_quotes(text), "{text}");
        }
        for text in ["nginx", "1.2.3", "500m", "a:b", "v1", "x=y"] {
            assert!(!needs_quotes(text), "{text}");
        }
    }
}
