//! Prints one value with one verb, flags, width and precision, as Go's `fmt` does, with Go's
//! marks for verbs that do not fit (`%!d(string=x)`).

use std::fmt::Write as _;

use super::{
    float::float,
    integer::print_bytes,
    quote::{quote, quote_ascii},
};
use crate::{
    go_time::integer_text,
    value::{Data, Map, Value},
};

/// How deep values may nest when printed: what is deeper prints as `...`. Go has no limit and
/// would never end where a map holds itself.
const MAX_DEPTH: usize = 256;

/// The flags of one verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Flags {
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `%#v`: as Go source.
    pub(super) sharp_v: bool,
}

impl Flags {
    pub(super) fn are_none(self) -> bool {
        self == Self::default()
    }
}

pub(crate) struct Printer<'o> {
    pub(super) out: &'o mut Vec<u8>,
    pub(super) flags: Flags,
    depth: usize,
}

impl<'o> Printer<'o> {
    pub(crate) fn new(out: &'o mut Vec<u8>, flags: Flags) -> Self {
        Self {
            out,
            flags,
            depth: 0,
        }
    }

    /// Prints an argument.
    pub(crate) fn argument(&mut self, value: &Value, verb: char) {
        match (&value.data, verb) {
            (Data::Missing | Data::Nil, 'v' | 'T') => self.pad(b"<nil>"),
            (Data::Missing | Data::Nil, _) | (_, 'w') => self.bad_verb(value, verb),
            (_, 'T') => {
                let name = value.type_name();
                let name = self.truncated(name.as_bytes());
                self.pad(name);
            }
            _ => self.value(value, verb),
        }
    }

    fn value(&mut self, value: &Value, verb: char) {
        if self.depth > MAX_DEPTH {
            self.out.extend_from_slice(b"...");
            return;
        }
        self.depth += 1;
        let fits = match &value.data {
            Data::Missing | Data::Nil => {
                let nil: &[u8] = if self.flags.sharp_v {
                    b"interface {}(nil)"
                } else {
                    b"<nil>"
                };
                self.out.extend_from_slice(nil);
                true
            }
            Data::Bool(value) if matches!(verb, 't' | 'v') => {
                self.pad(if *value { b"true" } else { b"false" });
                true
            }
            Data::Bool(_) => false,
            Data::Int(int, kind) if self.flags.sharp_v && kind.is_unsigned() => {
                let hex = format!("{int:#x}");
                self.pad(hex.as_bytes());
                true
            }
            Data::Int(number, kind) => match integer_text(*kind, *number) {
                Some(text)
                    if !self.flags.sharp_v && matches!(verb, 'v' | 's' | 'q' | 'x' | 'X') =>
                {
                    self.string(text.as_bytes(), verb)
                }
                _ => self.integer(*number, kind.is_unsigned(), verb),
            },
            Data::Float(value) => self.float(*value, verb),
            Data::Str(text) => self.string(text, verb),
            Data::Text(text) => self.string(text.as_bytes(), verb),
            Data::Bytes(bytes) => self.bytes(bytes, verb),
            Data::List(list) if list.is_nil() && self.flags.sharp_v => {
                let _ = write!(Utf8(self.out), "{}(nil)", value.type_name());
                true
            }
            Data::List(list) => {
                self.list(&value.type_name(), list.items(), verb);
                true
            }
            Data::Map(map) => {
                self.map(&value.type_name(), map, verb);
                true
            }
            Data::Object(object) if verb == 'v' && self.flags.are_none() => {
                object.print_to(self.out);
                true
            }
            Data::Object(object) => self.string(object.print().as_bytes(), verb),
        };
        if !fits {
            self.bad_verb(value, verb);
        }
        self.depth -= 1;
    }

    fn bad_verb(&mut self, value: &Value, verb: char) {
        let flags = std::mem::take(&mut self.flags);
        let _ = write!(Utf8(self.out), "%!{verb}(");
        if matches!(value.data, Data::Missing | Data::Nil) {
            self.out.extend_from_slice(b"<nil>");
        } else {
            let _ = write!(Utf8(self.out), "{}=", value.type_name());
            // Go keeps the flags here.
            self.flags = flags;
            self.value(value, 'v');
        }
        self.out.push(b')');
        self.flags = flags;
    }

    pub(super) fn float(&mut self, value: f64, verb: char) -> bool {
        let (format, default) = match verb {
            'v' => ('g', None),
            'e' | 'E' | 'f' => (verb, Some(6)),
            'F' => ('f', Some(6)),
            'b' | 'g' | 'G' | 'x' | 'X' => (verb, None),
            _ => return false,
        };
        let text = float(value, format, self.flags.precision.or(default));
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', text.strip_prefix('+').unwrap_or(&text)),
        };
        let precision = self.flags.precision.or(default);
        let sharp;
        let digits = if self.flags.sharp && format != 'b' && !digits.starts_with(['I', 'N']) {
            sharp = with_point(digits, format, precision);
            sharp.as_str()
        } else {
            digits
        };
        let flags = self.flags;
        let sign = if flags.space && sign == '+' && !flags.plus {
            ' '
        } else {
            sign
        };
        if digits.starts_with(['I', 'N']) {
            self.flags.zero = false;
            let shows_sign = !digits.starts_with('N') || flags.space || flags.plus;
            let sign = if shows_sign {
                sign.to_string()
            } else {
                String::new()
            };
            self.pad(format!("{sign}{digits}").as_bytes());
            self.flags.zero = flags.zero;
            return true;
        }
        if !flags.plus && sign == '+' {
            self.pad(digits.as_bytes());
            return true;
        }
        let length = digits.len() + 1;
        match flags.width {
            Some(width) if flags.zero && !flags.minus && width > length => {
                let _ = write!(Utf8(self.out), "{sign}");
                self.padding(width - length);
                self.out.extend_from_slice(digits.as_bytes());
            }
            _ => self.pad(format!("{sign}{digits}").as_bytes()),
        }
        true
    }

    fn string(&mut self, text: &[u8], verb: char) -> bool {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => {
                let text = self.truncated(text);
                self.pad(text);
            }
            'x' | 'X' => self.hex(text, verb),
            'q' => self.quoted(text),
            _ => return false,
        }
        true
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.truncated(text);
        let raw = std::str::from_utf8(text)
            .ok()
            .filter(|text| self.flags.sharp && can_backquote(text));
        let quoted = match raw {
            Some(raw) => format!("`{raw}`"),
            None if self.flags.plus => quote_ascii(text),
            None => quote(text),
        };
        self.pad(quoted.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8], verb: char) -> bool {
        if !matches!(verb, 'v' | 'd') {
            return self.string(bytes, verb);
        }
        if self.flags.are_none() {
            print_bytes(bytes, self.out);
            return true;
        }
        self.out.push(b'[');
        for (index, &byte) in bytes.iter().enumerate() {
            if index > 0 {
                self.out.push(b' ');
            }
            self.integer(i64::from(byte), true, verb);
        }
        self.out.push(b']');
        true
    }

    fn list(&mut self, type_name: &str, items: &[Value], verb: char) {
        let (open, between, close): (&str, &[u8], u8) = if self.flags.sharp_v {
            (type_name, b", ", b'}')
        } else {
            ("", b" ", b']')
        };
        self.out.extend_from_slice(open.as_bytes());
        self.out.push(if self.flags.sharp_v { b'{' } else { b'[' });
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(between);
            }
            self.value(item, verb);
        }
        self.out.push(close);
    }

    fn map(&mut self, type_name: &str, map: &Map, verb: char) {
        let sharp = self.flags.sharp_v;
        let open = if sharp {
            format!("{type_name}{{")
        } else {
            "map[".to_owned()
        };
        self.out.extend_from_slice(open.as_bytes());
        for (index, (key, entry)) in map.entries().iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(if sharp { b", " } else { b" " });
            }
            self.value(&Value::from(&**key), verb);
            self.out.push(b':');
            self.value(&entry.value, verb);
        }
        self.out.push(if sharp { b'}' } else { b']' });
    }

    /// The text up to as many characters as the precision says.
    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.flags.precision else {
            return text;
        };
        let mut offset = 0;
        for _ in 0..precision {
            if offset >= text.len() {
                break;
            }
            offset += char_length(&text[offset..]);
        }
        &text[..offset.min(text.len())]
    }

    fn hex(&mut self, text: &[u8], verb: char) {
        let length = self
            .flags
            .precision
            .map_or(text.len(), |precision| precision.min(text.len()));
        let prefix = if verb == 'X' { "0X" } else { "0x" };
        let mut hex = String::new();
        for (index, byte) in text[..length].iter().enumerate() {
            if self.flags.space && index > 0 {
                hex.push(' ');
            }
            if self.flags.sharp && (self.flags.space || index == 0) {
                hex.push_str(prefix);
            }
            let _ = if verb == 'X' {
                write!(hex, "{byte:02X}")
            } else {
                write!(hex, "{byte:02x}")
            };
        }
        self.pad(hex.as_bytes());
    }

    /// Writes a text, padded to the width in characters.
    pub(super) fn pad(&mut self, text: &[u8]) {
        let Some(width) = self.flags.width else {
            self.out.extend_from_slice(text);
            return;
        };
        let mut length = 0;
        let mut offset = 0;
        while offset < text.len() {
            offset += char_length(&text[offset..]);
            length += 1;
        }
        let missing = width.saturating_sub(length);
        if self.flags.minus {
            self.out.extend_from_slice(text);
            self.padding(missing);
        } else {
            self.padding(missing);
            self.out.extend_from_slice(text);
        }
    }

    pub(super) fn padding(&mut self, count: usize) {
        let byte = if self.flags.zero && !self.flags.minus {
            b'0'
        } else {
            b' '
        };
        self.out.extend(std::iter::repeat_n(byte, count));
    }
}

/// How many bytes the first character takes; one where the bytes are none.
pub(crate) fn char_length(text: &[u8]) -> usize {
    let first = &text[..text.len().min(4)];
    match first.utf8_chunks().next() {
        Some(chunk) => chunk.valid().chars().next().map_or(1, char::len_utf8),
        None => 1,
    }
}

/// A float without its sign as `#` wants it: with a point, and with as many digits as the
/// precision says.
fn with_point(number: &str, format: char, precision: Option<usize>) -> String {
    let mut missing: i64 = match format {
        'g' | 'G' | 'x' | 'X' => {
            precision.map_or(6, |precision| i64::try_from(precision).unwrap_or(i64::MAX))
        }
        _ => 0,
    };
    let is_hex = matches!(format, 'x' | 'X');
    let tail = number
        .find(|char: char| matches!(char, 'p' | 'P') || (!is_hex && matches!(char, 'e' | 'E')));
    let (digits, tail) = number.split_at(tail.unwrap_or(number.len()));
    let mut counts = false;
    for char in digits.chars().filter(|&char| char != '.') {
        counts |= char != '0';
        if counts {
            missing -= 1;
        }
    }
    let mut text = digits.to_owned();
    if !digits.contains('.') {
        if digits == "0" {
            missing -= 1;
        }
        text.push('.');
    }
    let missing = usize::try_from(missing).unwrap_or(0);
    text.extend(std::iter::repeat_n('0', missing));
    text + tail
}

fn can_backquote(text: &str) -> bool {
    text.chars()
        .all(|char| char != '`' && char != '\u{feff}' && (char == '\t' || !char.is_ascii_control()))
}

/// Writes text to bytes.
struct Utf8<'o>(&'o mut Vec<u8>);

impl std::fmt::Write for Utf8<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
