//! Integers as Go's `fmt` writes them.

use super::{
    quote::{is_print, quote_char},
    verb::Printer,
};

impl Printer<'_> {
    /// Writes an integer with one of the verbs that take one; gives whether it is one.
    pub(super) fn integer(&mut self, value: i64, is_unsigned: bool, verb: char) -> bool {
        let negative = value < 0 && !is_unsigned;
        let magnitude = if is_unsigned {
            value.cast_unsigned()
        } else {
            value.unsigned_abs()
        };
        match verb {
            'v' | 'd' if self.flags.are_none() && (value >= 0 || negative) => {
                push_decimal(value, self.out);
            }
            'v' | 'd' => self.based(magnitude, negative, 10, verb),
            'b' => self.based(magnitude, negative, 2, verb),
            'o' | 'O' => self.based(magnitude, negative, 8, verb),
            'x' | 'X' => self.based(magnitude, negative, 16, verb),
            'c' => {
                let char = character(value);
                self.pad(char.encode_utf8(&mut [0; 4]).as_bytes());
            }
            'q' => {
                let quoted = quote_char(character(value), self.flags.plus);
                self.pad(quoted.as_bytes());
            }
            'U' => self.unicode(value),
            _ => return false,
        }
        true
    }

    fn based(&mut self, magnitude: u64, negative: bool, base: u32, verb: char) {
        let flags = self.flags;
        let mut least = 0;
        if let Some(precision) = flags.precision {
            least = precision;
            if precision == 0 && magnitude == 0 {
                self.flags.zero = false;
                self.padding(flags.width.unwrap_or(0));
                self.flags.zero = flags.zero;
                return;
            }
        } else if flags.zero
            && !flags.minus
            && let Some(width) = flags.width
        {
            least = width;
            if negative || flags.plus || flags.space {
                least = least.saturating_sub(1);
            }
        }
        let digits = match (base, verb) {
            (2, _) => format!("{magnitude:b}"),
            (8, _) => format!("{magnitude:o}"),
            (16, 'X') => format!("{magnitude:X}"),
            (16, _) => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        let mut text = String::new();
        if negative {
            text.push('-');
        } else if flags.plus {
            text.push('+');
        } else if flags.space {
            text.push(' ');
        }
        let zeros = least.saturating_sub(digits.len());
        if verb == 'O' {
            text.push_str("0o");
        }
        if flags.sharp {
            match (base, verb) {
                (2, _) => text.push_str("0b"),
                (8, _) if zeros == 0 && !digits.starts_with('0') => text.push('0'),
                (16, 'X') => text.push_str("0X"),
                (16, _) => text.push_str("0x"),
                _ => {}
            }
        }
        text.extend(std::iter::repeat_n('0', zeros));
        text.push_str(&digits);
        self.flags.zero = false;
        self.pad(text.as_bytes());
        self.flags.zero = flags.zero;
    }

    fn unicode(&mut self, value: i64) {
        let least = self.flags.precision.unwrap_or(4).max(4);
        #[expect(clippy::cast_sign_loss, reason = "as Go does")]
        let mut text = format!("U+{:0least$X}", value as u64);
        if self.flags.sharp
            && let Ok(number) = u32::try_from(value)
            && let Some(char) = char::from_u32(number)
            && is_print(char)
        {
            text.extend([' ', '\'', char, '\'']);
        }
        let zero = self.flags.zero;
        self.flags.zero = false;
        self.pad(text.as_bytes());
        self.flags.zero = zero;
    }
}

/// Writes a number in decimal.
fn push_decimal(value: i64, out: &mut Vec<u8>) {
    // Nineteen digits and a sign.
    let mut text = [0; 20];
    let mut start = text.len();
    let mut rest = value.unsigned_abs();
    while let Some(slot) = start.checked_sub(1).and_then(|at| text.get_mut(at)) {
        start -= 1;
        *slot = digit(rest % 10);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&text[start..]);
}

fn digit(value: u64) -> u8 {
    b'0' + u8::try_from(value).unwrap_or_default()
}

/// How each byte stands in a list of bytes: a space, its digits, and how many bytes that takes.
const LISTED_BYTES: [([u8; 4], u8); 256] = {
    let mut table = [([b' '; 4], 0); 256];
    let mut byte = 0;
    while byte < table.len() {
        #[expect(clippy::cast_possible_truncation, reason = "there are 256 bytes")]
        let value = byte as u8;
        let digits = [
            b'0' + value / 100,
            b'0' + value / 10 % 10,
            b'0' + value % 10,
        ];
        table[byte] = match value {
            0..10 => ([b' ', digits[2], 0, 0], 2),
            10..100 => ([b' ', digits[1], digits[2], 0], 3),
            100.. => ([b' ', digits[0], digits[1], digits[2]], 4),
        };
        byte += 1;
    }
    table
};

/// Writes a `[]byte` as `%v` does: charts print whole files so, when they take `.` for a text.
pub fn print_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    const CHUNK: usize = 256;
    out.reserve(bytes.len() * 4 + 2);
    let open = out.len();
    for chunk in bytes.chunks(CHUNK) {
        let mut listed = [0; CHUNK * 4];
        let mut end = 0;
        for byte in chunk {
            let (text, length) = &LISTED_BYTES[usize::from(*byte)];
            // All four bytes: the next number overwrites those that are too many.
            if let Some(place) = listed[end..].first_chunk_mut() {
                *place = *text;
            }
            end += usize::from(*length);
        }
        out.extend_from_slice(&listed[..end]);
    }
    match out.get_mut(open) {
        Some(space) => *space = b'[',
        None => out.push(b'['),
    }
    out.push(b']');
}

/// The character of a number; U+FFFD for what is none.
fn character(value: i64) -> char {
    u32::try_from(value)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_listed_as_numbers() {
        for length in [0, 1, 2, 255, 256, 257, 1000] {
            let bytes: Vec<u8> = (0..=u8::MAX).rev().cycle().take(length).collect();
            let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
            let mut out = b"before ".to_vec();
            print_bytes(&bytes, &mut out);
            let expected = format!("before [{}]", numbers.join(" "));
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
