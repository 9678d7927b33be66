//! Numbers, dates and times of a TOML text.

use super::{
    lexer::{Lex, Lexer},
    reader::TomlValue,
};

impl Lexer<'_> {
    pub(super) fn word_of(&mut self, length: usize) -> String {
        let end = self.at + length;
        let word = String::from_utf8_lossy(&self.text[self.at..end]).into_owned();
        self.at = end;
        word
    }

    pub(super) fn signed_number(&mut self) -> Lex<TomlValue> {
        let sign = char::from(self.peek());
        let (first, second) = (self.byte(1), self.byte(2));
        match (first, second) {
            (b'0', b'b' | b'o' | b'x') => {
                let base = char::from(second);
                return Err(self.problem(format!(
                    "cannot use sign with non-decimal numbers: '{sign}0{base}'"
                )));
            }
            (b'.', _) => return Err(self.problem("floats must start with a digit, not '.'")),
            (b'i' | b'n', _) => {
                let word = self.word_of(4.min(self.rest().len()));
                return match &word[1..] {
                    "inf" | "nan" => Ok(TomlValue::Float(word.parse().unwrap_or(f64::NAN))),
                    _ => Err(self.problem(format!("invalid float: '{word}'"))),
                };
            }
            (b'0'..=b'9', _) => {}
            _ => {
                self.skip();
                let shown = self.shown();
                return Err(self.problem(format!("expected a digit but got {shown}")));
            }
        }
        self.number()
    }

    pub(super) fn number_or_date(&mut self) -> Lex<TomlValue> {
        let digits = self
            .rest()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if matches!(self.byte(digits), b'-' | b':') {
            let date = self.word(|byte| {
                byte.is_ascii_digit()
                    || matches!(
                        byte,
                        b'-' | b':' | b'T' | b't' | b' ' | b'.' | b'Z' | b'z' | b'+'
                    )
            });
            let date = date.trim();
            let normal = date.replace('z', "Z").replace(['t', ' '], "T");
            if is_date_time(&normal) {
                return Ok(TomlValue::DateTime(normal));
            }
            return Err(self.problem(format!("invalid datetime: {normal:?}")));
        }
        if self.peek() == b'0' && matches!(self.byte(1), b'b' | b'o' | b'x') {
            return self.based_number();
        }
        self.number()
    }

    fn based_number(&mut self) -> Lex<TomlValue> {
        let (radix, name) = match self.byte(1) {
            b'b' => (2, "a binary"),
            b'o' => (8, "an octal"),
            _ => (16, "a hexadecimal"),
        };
        let is_digit = |byte: u8| char::from(byte).is_digit(radix);
        if !is_digit(self.byte(2)) {
            let prefix = self.word_of(3.min(self.rest().len()));
            return Err(self.problem(format!("not {name} number: '{prefix}'")));
        }
        let prefix = self.word_of(2);
        let word = format!(
            "{prefix}{}",
            self.word(|byte| is_digit(byte) || byte == b'_')
        );
        self.check_underscores(&word, "integer", &word)?;
        let digits = word[2..].replace('_', "");
        i64::from_str_radix(&digits, radix)
            .map(TomlValue::Int)
            .map_err(|_| self.problem(format!("{word} is out of range for int64")))
    }

    fn number(&mut self) -> Lex<TomlValue> {
        let sign = matches!(self.peek(), b'+' | b'-');
        let start = self.at;
        if sign {
            self.skip();
        }
        self.word(|byte| byte.is_ascii_digit() || byte == b'_');
        let is_float = matches!(self.peek(), b'.' | b'e' | b'E');
        if is_float {
            self.word(|byte| {
                byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-' | b'+' | b'e' | b'E')
            });
        }
        let word = String::from_utf8_lossy(&self.text[start..self.at]).into_owned();
        let kind = if is_float { "float" } else { "integer" };
        for part in word.split(['.', 'e', 'E']).filter(|part| !part.is_empty()) {
            self.check_underscores(part, kind, &word)?;
        }
        let whole = word.split(['.', 'e', 'E']).next().unwrap_or_default();
        let digits = whole.trim_start_matches(['+', '-']);
        if digits.len() > 1 && digits.starts_with('0') {
            return Err(self.problem(format!(
                "Invalid {kind} {word:?}: cannot have leading zeroes"
            )));
        }
        let plain = word.replace('_', "");
        if !is_float {
            return plain
                .parse()
                .map(TomlValue::Int)
                .map_err(|_| self.problem(format!("{word} is out of range for int64")));
        }
        let follows_digit = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
        if !word.split('.').skip(1).all(follows_digit) {
            return Err(self.problem(format!(
                "Invalid float {word:?}: '.' must be followed by one or more digits"
            )));
        }
        match plain.parse::<f64>() {
            Ok(value) if value.is_infinite() => {
                Err(self.problem(format!("{word} is out of range for float64")))
            }
            Ok(value) => Ok(TomlValue::Float(value)),
            Err(_) => Err(self.problem(format!("Invalid float value: {word:?}"))),
        }
    }

    fn check_underscores(&self, part: &str, kind: &str, word: &str) -> Lex<()> {
        let mut after_digit = false;
        for c in part.chars() {
            if c == '_' && !after_digit {
                after_digit = false;
                break;
            }
            after_digit = c.is_ascii_hexdigit();
        }
        if after_digit {
            return Ok(());
        }
        Err(self.problem(format!(
            "Invalid {kind} {word:?}: underscores must be surrounded by digits"
        )))
    }
}

/// A date, a time or both with or without a zone, each field with its leading zero.
fn is_date_time(text: &str) -> bool {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (Some(date), Some(time)),
        None if text.get(2..3) == Some(":") => (None, Some(text)),
        None => (Some(text), None),
    };
    date.is_none_or(is_date) && time.is_none_or(|time| is_time(time, date.is_some()))
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let (Some(year), Some(month), Some(day)) =
        (field(&text[..4]), field(&text[5..7]), field(&text[8..]))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

fn is_time(text: &str, may_have_zone: bool) -> bool {
    let (clock, zone) = match text.find(['Z', '+', '-']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    let fields: Option<Vec<_>> = clock
        .split(':')
        .map(|part| field(part).filter(|_| part.len() == 2))
        .collect();
    let in_range = match fields.as_deref() {
        Some([hour, minute]) => fraction.is_none() && *hour < 24 && *minute < 60,
        Some([hour, minute, second]) => *hour < 24 && *minute < 60 && *second < 60,
        _ => false,
    };
    let zone_fits = match zone.as_bytes() {
        [] => true,
        [b'Z'] => may_have_zone,
        [b'+' | b'-', _, _, b':', _, _] => {
            may_have_zone
                && field(&zone[1..3]).is_some_and(|hours| hours <= 24)
                && field(&zone[4..]).is_some_and(|minutes| minutes <= 60)
        }
        _ => false,
    };
    in_range && zone_fits && fraction.is_none_or(|digits| field(digits).is_some())
}

fn field(text: &str) -> Option<u64> {
    let digits = &text[..text.len().min(18)];
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}
