//! What a plain scalar means to go-yaml: YAML 1.1 with Go's numbers.

use super::Dialect;

/// What a plain scalar means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Meaning {
    Null,
    Bool(bool),
    Int(i64),
    /// An integer above `i64::MAX`.
    Uint(u64),
    Float(f64),
    Timestamp,
    Text,
}

/// What the plain scalar `text` means. `timestamps` are told from texts only where no tag, or
/// that of a timestamp, stands before it.
pub(super) fn meaning(text: &str, timestamps: bool, dialect: Dialect) -> Meaning {
    let Some(first) = text.bytes().next() else {
        return Meaning::Null;
    };
    match first {
        b'~' | b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => {
            word(text, dialect)
        }
        b'.' => special_float(text).unwrap_or_else(|| dotted(text)),
        b'+' | b'-' | b'0'..=b'9' => {
            special_float(text).unwrap_or_else(|| number(text, timestamps, dialect))
        }
        _ => Meaning::Text,
    }
}

fn word(text: &str, dialect: Dialect) -> Meaning {
    if text.len() > 5 {
        return Meaning::Text;
    }
    match text {
        "~" | "null" | "Null" | "NULL" => Meaning::Null,
        "true" | "True" | "TRUE" => Meaning::Bool(true),
        "false" | "False" | "FALSE" => Meaning::Bool(false),
        _ if dialect == Dialect::V3 => Meaning::Text,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Meaning::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Meaning::Bool(false),
        _ => Meaning::Text,
    }
}

/// Whether YAML 1.1 reads the text as a boolean where version 3 no longer does.
pub(super) fn is_old_bool(text: &str) -> bool {
    matches!(word(text, Dialect::V2), Meaning::Bool(_))
}

fn special_float(text: &str) -> Option<Meaning> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" => Some(Meaning::Float(if text.starts_with('-') {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        })),
        ".nan" | ".NaN" | ".NAN" if text.len() == 4 => Some(Meaning::Float(f64::NAN)),
        _ => None,
    }
}

/// A number that starts with a dot: Go's `ParseFloat`, which takes underscores between digits.
fn dotted(text: &str) -> Meaning {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    let separates = |at: usize| {
        // Several underscores in a row are one too many.
        is_digit(at.checked_sub(1)) && is_digit(at.checked_add(1))
    };
    let mut underscores = text.match_indices('_').map(|(at, _)| at).peekable();
    let value = if underscores.peek().is_none() {
        float(text)
    } else if underscores.all(separates) {
        float(&text.replace('_', ""))
    } else {
        None
    };
    value.map_or(Meaning::Text, Meaning::Float)
}

fn number(text: &str, timestamps: bool, dialect: Dialect) -> Meaning {
    if timestamps && is_timestamp(text) {
        return Meaning::Timestamp;
    }
    let without;
    let plain = if text.contains('_') {
        without = text.replace('_', "");
        without.as_str()
    } else {
        text
    };
    if let Some(int) = integer(plain) {
        return int;
    }
    if let Some(value) = float(plain) {
        return Meaning::Float(value);
    }
    // `0b+1` and `0o-7` pass here, since what follows the prefix is read as a number of its own.
    let (sign, prefixed) = match plain.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", plain),
    };
    let base = match prefixed.get(..2) {
        Some("0b") => 2,
        Some("0o") if dialect == Dialect::V3 => 8,
        _ => return Meaning::Text,
    };
    radix(&format!("{sign}{}", &prefixed[2..]), base).unwrap_or(Meaning::Text)
}

/// `ParseInt(text, 0, 64)`, then `ParseUint`.
fn integer(text: &str) -> Option<Meaning> {
    let (sign, digits) = match text.as_bytes() {
        [b'+' | b'-', ..] => text.split_at(1),
        _ => ("", text),
    };
    let bytes = digits.as_bytes();
    let (base, rest) = match bytes {
        [b'0', prefix, _, ..] => match prefix | 0x20 {
            b'b' => (2, &digits[2..]),
            b'o' => (8, &digits[2..]),
            b'x' => (16, &digits[2..]),
            _ => (8, &digits[1..]),
        },
        [b'0'] => return Some(Meaning::Int(0)),
        [b'0', ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    parse_digits(sign, rest, base)
}

/// `ParseInt(text, base, 64)`, then `ParseUint`.
fn radix(text: &str, base: u32) -> Option<Meaning> {
    match text.as_bytes() {
        [b'+' | b'-', ..] => {
            let (sign, digits) = text.split_at(1);
            parse_digits(sign, digits, base)
        }
        _ => parse_digits("", text, base),
    }
}

fn parse_digits(sign: &str, digits: &str, base: u32) -> Option<Meaning> {
    if digits.is_empty() || !digits.bytes().all(|digit| char::from(digit).is_digit(base)) {
        return None;
    }
    let value = u64::from_str_radix(digits, base).ok()?;
    match (i64::try_from(value), sign) {
        (Ok(value), "-") => Some(Meaning::Int(-value)),
        (Ok(value), _) => Some(Meaning::Int(value)),
        (Err(_), "-") if value == i64::MIN.unsigned_abs() => Some(Meaning::Int(i64::MIN)),
        (Err(_), "") => Some(Meaning::Uint(value)),
        (Err(_), _) => None,
    }
}

/// A decimal float: `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, within `f64`.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if !digits(whole) || !digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if exponent.is_empty() || !digits(exponent) {
            return None;
        }
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// A number in base 60 as YAML 1.1 has them: go-yaml reads them as texts, but quotes them.
/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`
pub(super) fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.starts_with(|first: char| first.is_ascii_digit()) {
        return false;
    }
    let digits = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    let (places, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut places = places.split(':');
    let first = places.next().unwrap_or_default();
    let mut count = 0;
    digits(first)
        && places.all(|place| {
            count += 1;
            matches!(place.as_bytes(), [b'0'..=b'5', b'0'..=b'9'] | [b'0'..=b'9'])
        })
        && count > 0
        && digits(fraction)
}

/// Whether Go's `time.Parse` takes the text in one of the four layouts that go-yaml tries.
fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return false;
    }
    let mut rest = &bytes[5..];
    let year = bytes[..4]
        .iter()
        .fold(0, |year, digit| year * 10 + u32::from(digit - b'0'));
    let Some(month @ 1..=12) = one_or_two_digits(&mut rest) else {
        return false;
    };
    if !skip(&mut rest, b'-') {
        return false;
    }
    let Some(day) = one_or_two_digits(&mut rest) else {
        return false;
    };
    if day == 0 || day > days_in(month, year) {
        return false;
    }
    match rest.first() {
        None => true,
        Some(b'T' | b't') => {
            rest = &rest[1..];
            is_clock(&mut rest) && is_zone(rest)
        }
        Some(b' ') => {
            while skip(&mut rest, b' ') {}
            is_clock(&mut rest) && rest.is_empty()
        }
        Some(_) => false,
    }
}

fn days_in(month: u32, year: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `15:4:5.999999999`
fn is_clock(rest: &mut &[u8]) -> bool {
    for (place, limit) in [24, 60, 60].into_iter().enumerate() {
        if place > 0 && !skip(rest, b':') {
            return false;
        }
        if one_or_two_digits(rest).is_none_or(|value| value >= limit) {
            return false;
        }
    }
    if let [b'.' | b',', b'0'..=b'9', ..] = rest {
        *rest = &rest[1..];
        while rest.first().is_some_and(u8::is_ascii_digit) {
            *rest = &rest[1..];
        }
    }
    true
}

/// `Z07:00`
fn is_zone(rest: &[u8]) -> bool {
    match rest {
        [b'Z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            let two = |high: &u8, low: &u8| {
                (high.is_ascii_digit() && low.is_ascii_digit())
                    .then(|| (high - b'0') * 10 + low - b'0')
            };
            two(h1, h2).is_some_and(|hours| hours <= 24)
                && two(m1, m2).is_some_and(|minutes| minutes <= 60)
        }
        _ => false,
    }
}

fn one_or_two_digits(rest: &mut &[u8]) -> Option<u32> {
    let length = rest
        .iter()
        .take(2)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (digits, after) = rest.split_at(length);
    *rest = after;
    digits
        .iter()
        .map(|digit| u32::from(digit - b'0'))
        .reduce(|value, digit| value * 10 + digit)
}

fn skip(rest: &mut &[u8], expected: u8) -> bool {
    let found = rest.first() == Some(&expected);
    if found {
        *rest = &rest[1..];
    }
    found
}
