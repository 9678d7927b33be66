//! Go's `fmt.Sprintf`, told apart by what each byte came from.

use std::ops::Range;

use super::verb::{Flags, Printer, char_length};
use crate::value::{Data, IntKind, Value};

/// Widths and precisions above this are no numbers to Go.
const MAX_NUMBER: usize = 1_000_000;

/// Where a part of the result came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Bytes of the format itself.
    Format(Range<usize>),
    /// What an argument printed as.
    Argument(usize, Vec<u8>),
    /// An argument that is a text, as it is.
    Verbatim(usize),
    /// What `Sprintf` says about a format that does not fit its arguments.
    Complaint(Vec<u8>),
}

/// The result in segments, or nothing if it gets longer than `limit` bytes.
pub(crate) fn printf(format: &[u8], arguments: &[Value], limit: usize) -> Option<Vec<Segment>> {
    let mut printing = Printing {
        format,
        arguments,
        at: 0,
        argument: 0,
        reordered: false,
        segments: Vec::new(),
        room: limit,
    };
    printing.run()?;
    Some(printing.segments)
}

struct Printing<'a> {
    format: &'a [u8],
    arguments: &'a [Value],
    at: usize,
    argument: usize,
    /// Arguments were taken out of order, so that some may be left over.
    reordered: bool,
    segments: Vec<Segment>,
    room: usize,
}

impl Printing<'_> {
    fn run(&mut self) -> Option<()> {
        while self.at < self.format.len() {
            let start = self.at;
            let rest = &self.format[start..];
            let length = rest
                .iter()
                .position(|&byte| byte == b'%')
                .unwrap_or(rest.len());
            if length > 0 {
                self.at += length;
                self.push(Segment::Format(start..self.at), length)?;
            }
            if self.at < self.format.len() {
                self.at += 1;
                self.verb()?;
            }
        }
        if !self.reordered && self.argument < self.arguments.len() {
            self.extra()?;
        }
        Some(())
    }

    fn push(&mut self, segment: Segment, length: usize) -> Option<()> {
        self.room = self.room.checked_sub(length)?;
        self.segments.push(segment);
        Some(())
    }

    fn complain(&mut self, text: impl Into<Vec<u8>>) -> Option<()> {
        let text = text.into();
        let length = text.len();
        self.push(Segment::Complaint(text), length)
    }

    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn verb(&mut self) -> Option<()> {
        let mut flags = Flags::default();
        self.flags(&mut flags);
        let mut good_index = true;
        let mut after_index = self.argument_index(&mut good_index);
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.integer_argument() {
                Some(width) => {
                    flags.minus |= width < 0;
                    flags.zero &= width >= 0;
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => self.complain("%!(BADWIDTH)")?,
            }
            after_index = false;
        } else {
            flags.width = self.number();
            good_index &= !(after_index && flags.width.is_some());
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            good_index &= !after_index;
            after_index = self.argument_index(&mut good_index);
            if self.peek() == Some(b'*') {
                self.at += 1;
                match self.integer_argument() {
                    Some(precision) if precision >= 0 => {
                        flags.precision = usize::try_from(precision).ok();
                    }
                    _ => self.complain("%!(BADPREC)")?,
                }
                after_index = false;
            } else {
                flags.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.argument_index(&mut good_index);
        }
        let Some(verb) = self.verb_char() else {
            return self.complain("%!(NOVERB)");
        };
        if verb == '%' {
            let place = self.at - 1..self.at;
            return self.push(Segment::Format(place), 1);
        }
        if !good_index {
            return self.complain(format!("%!{verb}(BADINDEX)"));
        }
        if self.argument >= self.arguments.len() {
            return self.complain(format!("%!{verb}(MISSING)"));
        }
        self.print(flags, verb)
    }

    fn flags(&mut self, flags: &mut Flags) {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => return,
            }
            self.at += 1;
        }
    }

    fn verb_char(&mut self) -> Option<char> {
        let rest = self.format.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = char_length(rest);
        self.at += length;
        std::str::from_utf8(&rest[..length])
            .ok()
            .and_then(|text| text.chars().next())
            .or(Some(char::REPLACEMENT_CHARACTER))
    }

    fn print(&mut self, mut flags: Flags, verb: char) -> Option<()> {
        let index = self.argument;
        self.argument += 1;
        let value = &self.arguments[index];
        let is_plain = flags.width.is_none() && flags.precision.is_none() && !flags.sharp;
        if is_plain
            && matches!(verb, 's' | 'v')
            && let Some(text) = value.as_bytes()
        {
            return self.push(Segment::Verbatim(index), text.len());
        }
        if verb == 'v' {
            flags.sharp_v = std::mem::take(&mut flags.sharp);
            flags.plus = false;
        }
        let mut out = Vec::new();
        Printer::new(&mut out, flags).argument(value, verb);
        let length = out.len();
        self.push(Segment::Argument(index, out), length)
    }

    fn extra(&mut self) -> Option<()> {
        let mut out = b"%!(EXTRA ".to_vec();
        for (index, value) in self.arguments[self.argument..].iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            if matches!(value.data, Data::Missing | Data::Nil) {
                out.extend_from_slice(b"<nil>");
            } else {
                out.extend_from_slice(value.type_name().as_bytes());
                out.push(b'=');
                super::print_into(value, &mut out);
            }
        }
        out.push(b')');
        self.complain(out)
    }

    /// A width or precision in the format.
    fn number(&mut self) -> Option<usize> {
        let start = self.at;
        let mut number: usize = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            if number > MAX_NUMBER {
                self.at = self.format.len();
                return None;
            }
            number = number * 10 + usize::from(digit - b'0');
            self.at += 1;
        }
        (self.at > start).then_some(number)
    }

    /// A width or precision from an argument.
    fn integer_argument(&mut self) -> Option<i64> {
        let value = self.arguments.get(self.argument)?;
        self.argument += 1;
        match value.data {
            Data::Int(number, IntKind::Int | IntKind::Int64 | IntKind::Uint8 | IntKind::Uint64)
                if number.unsigned_abs() <= MAX_NUMBER as u64 =>
            {
                Some(number)
            }
            _ => None,
        }
    }

    /// `[3]`: the next argument is the third. Gives whether there was an index.
    fn argument_index(&mut self, good: &mut bool) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let Some(close) = rest.iter().position(|&byte| byte == b']') else {
            *good = false;
            self.at += 1;
            return false;
        };
        let index = std::str::from_utf8(&rest[1..close])
            .ok()
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse::<usize>().ok());
        self.at += close + 1;
        match index.and_then(|index| index.checked_sub(1)) {
            Some(index) if index < self.arguments.len() => {
                self.argument = index;
                true
            }
            _ => {
                *good = false;
                true
            }
        }
    }
}
