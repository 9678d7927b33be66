//! Literals of Go templates: numbers as Go's `strconv` reads them, and quoted texts.

use std::borrow::Cow;

/// A number as the template writes it: what it is depends on where it is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number {
    /// It is a whole number that fits.
    pub(super) int: Option<i64>,
    /// Of a complex number, the real part.
    pub(super) float: f64,
    /// It is written as a complex number with this part.
    pub(super) imaginary: Option<f64>,
    /// Written as a float, so it is one where nothing says otherwise.
    pub(super) is_float: bool,
}

/// Reads a number, or says what is wrong with it.
pub(super) fn number(text: &str) -> Result<Number, String> {
    if let Some(parts) = text.strip_suffix('i') {
        return complex(parts).ok_or_else(|| format!("illegal number syntax: {text:?}"));
    }
    if let Some(int) = integer(text) {
        return Ok(Number {
            int: i64::try_from(int).ok(),
            #[expect(clippy::cast_precision_loss, reason = "as Go does")]
            float: int as f64,
            imaginary: None,
            is_float: false,
        });
    }
    let Some(float) = parse_float(text) else {
        return Err(format!("illegal number syntax: {text:?}"));
    };
    if !text.contains(['.', 'e', 'E', 'p', 'P']) {
        return Err(format!("integer overflow: {text:?}"));
    }
    Ok(Number {
        int: whole(float),
        float,
        imaginary: None,
        is_float: true,
    })
}

/// What stands before the `i`: an imaginary part, perhaps behind a real one. Either part may have an exponent
/// with a sign of its own.
fn complex(parts: &str) -> Option<Number> {
    let middle = parts.char_indices().skip(1).find(|&(at, char)| {
        let before = parts.get(..at).unwrap_or_default();
        let lower = before.to_ascii_lowercase();
        let exponent = if lower.contains("0x") { 'p' } else { 'e' };
        matches!(char, '+' | '-') && !lower.ends_with(exponent)
    });
    let (real, imaginary) = match middle {
        Some((at, _)) => (parse_float(parts.get(..at)?)?, parts.get(at..)?),
        None => (0.0, parts),
    };
    let imaginary = parse_float(imaginary)?;
    Some(Number {
        int: whole(real).filter(|_| imaginary == 0.0),
        float: real,
        imaginary: Some(imaginary),
        is_float: true,
    })
}

/// The integer that a float equals.
fn whole(float: f64) -> Option<i64> {
    /// 2^63, the first float above every `i64`.
    const ABOVE: f64 = 9_223_372_036_854_775_808.0;
    if !(-ABOVE..ABOVE).contains(&float) || float.fract() != 0.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
    Some(float as i64)
}

/// An integer in any of Go's bases, as far as it fits 64 bits, signed or not.
pub(super) fn integer(text: &str) -> Option<i128> {
    let (sign, digits) = split_sign(text);
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let has_prefix = base != 10;
    if !underscores_fit(digits, has_prefix) {
        return None;
    }
    let digits: String = digits.chars().filter(|&char| char != '_').collect();
    if digits.is_empty() || digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(&digits, base).ok()?;
    let int = i128::from(magnitude) * sign;
    // A sign makes it a signed number.
    let fits = if text.starts_with(['+', '-']) {
        i64::try_from(int).is_ok()
    } else {
        true
    };
    fits.then_some(int)
}

fn split_sign(text: &str) -> (i128, &str) {
    match text.as_bytes() {
        [b'-', ..] => (-1, &text[1..]),
        [b'+', ..] => (1, &text[1..]),
        _ => (1, text),
    }
}

/// Underscores only between digits, or after the prefix of a base.
fn underscores_fit(digits: &str, has_prefix: bool) -> bool {
    if !digits.contains('_') {
        return true;
    }
    if digits.ends_with('_') || digits.contains("__") {
        return false;
    }
    has_prefix || !digits.starts_with('_')
}

/// A float as Go's `strconv.ParseFloat` reads it, with hexadecimal ones, `Inf` and `NaN`.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let (sign, digits) = split_sign(text);
    let lower = digits.to_ascii_lowercase();
    let magnitude = match lower.as_str() {
        "inf" | "infinity" => f64::INFINITY,
        "nan" if digits.len() == text.len() => f64::NAN,
        _ if lower.starts_with("0x") => hexadecimal_float(&lower[2..])?,
        _ => {
            let starts_well = lower.starts_with(|char: char| char.is_ascii_digit() || char == '.');
            if !starts_well || (lower.contains('_') && !decimal_underscores_fit(&lower)) {
                return None;
            }
            let plain: f64 = lower.replace('_', "").parse().ok()?;
            // Too large is an error, unlike too small.
            if plain.is_infinite() {
                return None;
            }
            plain
        }
    };
    Some(if sign < 0 { -magnitude } else { magnitude })
}

/// Underscores only between digits.
fn decimal_underscores_fit(digits: &str) -> bool {
    let bytes = digits.as_bytes();
    let is_digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    bytes.iter().enumerate().all(|(index, &byte)| {
        byte != b'_' || (index > 0 && is_digit(index - 1) && is_digit(index + 1))
    })
}

fn hexadecimal_float(digits: &str) -> Option<f64> {
    let (mantissa, exponent) = digits.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut value = 0.0_f64;
    let mut count = 0;
    for char in whole.chars().chain(fraction.chars()) {
        if char == '_' {
            continue;
        }
        value = value * 16.0 + f64::from(char.to_digit(16)?);
        count += 1;
    }
    if count == 0 {
        return None;
    }
    let shift = i32::try_from(fraction.chars().filter(|&char| char != '_').count()).ok()?;
    Some(value * 2.0_f64.powi(exponent.checked_sub(4 * shift)?))
}

/// The text that a quoted literal, with its quotes, stands for.
pub(super) fn unquote(literal: &str) -> Option<Cow<'_, [u8]>> {
    let inner = literal.get(1..literal.len().checked_sub(1)?)?;
    if literal.starts_with('`') {
        if !inner.as_bytes().contains(&b'\r') {
            return Some(inner.as_bytes().into());
        }
        return Some(inner.bytes().filter(|&byte| byte != b'\r').collect());
    }
    let quote = literal.as_bytes()[0];
    let is_plain = |byte: u8| !matches!(byte, b'\\' | b'\n') && byte != quote;
    if inner.bytes().all(is_plain) {
        return Some(inner.as_bytes().into());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while !rest.is_empty() {
        rest = unquote_char(rest, quote, &mut bytes)?.1;
    }
    Some(bytes.into())
}

/// The character of a constant such as `'a'`, with its quotes.
pub(super) fn character(literal: &str) -> Result<i64, String> {
    let inner = &literal[1..];
    let mut bytes = Vec::new();
    let Some((char, rest)) = unquote_char(inner, b'\'', &mut bytes) else {
        return Err("invalid syntax".to_owned());
    };
    if rest != "'" {
        return Err(format!("malformed character constant: {literal}"));
    }
    Ok(i64::from(char))
}

/// Reads one character or escape; gives its number and what follows.
fn unquote_char<'t>(text: &'t str, quote: u8, bytes: &mut Vec<u8>) -> Option<(u32, &'t str)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    if first != '\\' {
        if first == char::from(quote) || first == '\n' {
            return None;
        }
        push_char(first, bytes);
        return Some((u32::from(first), chars.as_str()));
    }
    let escape = chars.next()?;
    let rest = chars.as_str();
    let simple = match escape {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        '\'' | '"' if escape == char::from(quote) => quote,
        'x' => {
            let byte = u8::try_from(digits(rest, 2, 16)?).ok()?;
            bytes.push(byte);
            return Some((u32::from(byte), &rest[2..]));
        }
        '0'..='7' => {
            let byte = u8::try_from(digits(&text[1..], 3, 8)?).ok()?;
            bytes.push(byte);
            return Some((u32::from(byte), &text[4..]));
        }
        'u' | 'U' => {
            let count = if escape == 'u' { 4 } else { 8 };
            let char = char::from_u32(digits(rest, count, 16)?)?;
            push_char(char, bytes);
            return Some((u32::from(char), &rest[count..]));
        }
        _ => return None,
    };
    bytes.push(simple);
    Some((u32::from(simple), rest))
}

fn digits(text: &str, count: usize, base: u32) -> Option<u32> {
    let digits = text.get(..count)?;
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u32::from_str_radix(digits, base).ok()
}

fn push_char(char: char, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}
