//! Where the scanner stands in the text.

use std::borrow::Cow;

use memchr::{memchr2, memchr2_iter};

use crate::go_yaml::{
    error::Failure,
    input::{Input, InputError},
};

/// A place in the text: all count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::go_yaml) struct Mark {
    /// In bytes.
    pub(in crate::go_yaml) offset: usize,
    /// In characters.
    pub(in crate::go_yaml) index: usize,
    pub(in crate::go_yaml) line: usize,
    /// In characters.
    pub(in crate::go_yaml) column: usize,
}

#[derive(Debug)]
pub(in crate::go_yaml) struct Cursor<'t> {
    pub(super) text: &'t str,
    bytes: &'t [u8],
    pub(in crate::go_yaml) mark: Mark,
    broken: Option<&'t InputError>,
}

impl<'t> Cursor<'t> {
    pub(in crate::go_yaml) fn new(input: &'t Input<'_>) -> Self {
        Self {
            text: &input.text,
            bytes: input.text.as_bytes(),
            mark: Mark::default(),
            broken: input.broken.as_ref(),
        }
    }

    /// The byte `ahead` of here; NUL past the end, which the text itself cannot contain.
    pub(in crate::go_yaml) fn byte(&self, ahead: usize) -> u8 {
        self.bytes
            .get(self.mark.offset + ahead)
            .copied()
            .unwrap_or(0)
    }

    pub(in crate::go_yaml) fn rest(&self) -> &'t [u8] {
        &self.bytes[self.mark.offset..]
    }

    pub(in crate::go_yaml) fn since(&self, start: usize) -> &'t str {
        &self.text[start..self.mark.offset]
    }

    pub(in crate::go_yaml) fn at_end(&self) -> bool {
        self.mark.offset >= self.bytes.len()
    }

    pub(super) fn at_blank(&self) -> bool {
        matches!(self.byte(0), b' ' | b'\t')
    }

    /// How many bytes the line break `ahead` has; 0 when there is none.
    pub(super) fn break_length(&self, ahead: usize) -> usize {
        break_length(self.bytes.get(self.mark.offset + ahead..).unwrap_or(&[]))
    }

    pub(in crate::go_yaml) fn at_break(&self) -> bool {
        self.break_length(0) > 0
    }

    /// A blank, a line break or the end stands `ahead`.
    pub(in crate::go_yaml) fn is_blankz(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t' | 0) || self.break_length(ahead) > 0
    }

    pub(super) fn at_breakz(&self) -> bool {
        self.byte(0) == 0 || self.at_break()
    }

    /// `---` or `...` stands here and at the start of a line.
    pub(in crate::go_yaml) fn at_document_indicator(&self) -> bool {
        self.mark.column == 0
            && (self.rest().starts_with(b"---") || self.rest().starts_with(b"..."))
            && self.is_blankz(3)
    }

    /// Goes one character on.
    pub(in crate::go_yaml) fn skip(&mut self) {
        let bytes = match self.byte(0) {
            0..=0x7f => 1,
            0x80..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        };
        self.advance(bytes, 1);
    }

    /// Goes `bytes` on within the line.
    pub(in crate::go_yaml) fn skip_bytes(&mut self, bytes: usize) {
        let skipped = &self.text[self.mark.offset..self.mark.offset + bytes];
        let characters = if skipped.is_ascii() {
            bytes
        } else {
            skipped.chars().count()
        };
        self.advance(bytes, characters);
    }

    /// Goes `bytes` on within the line, all of them ASCII.
    pub(in crate::go_yaml) fn skip_ascii(&mut self, bytes: usize) {
        self.advance(bytes, bytes);
    }

    fn advance(&mut self, bytes: usize, characters: usize) {
        self.mark.offset += bytes;
        self.mark.index += characters;
        self.mark.column += characters;
    }

    /// Goes to the end of the line.
    pub(in crate::go_yaml) fn skip_line(&mut self) {
        let rest = self.rest();
        let length = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let line = &rest[..length];
        if line.is_ascii() {
            return self.skip_ascii(length);
        }
        let mut others = memchr2_iter(0xc2, 0xe2, line);
        let other = others.find(|&at| break_length(&line[at..]) > 0);
        self.skip_bytes(other.unwrap_or(length));
    }

    /// Goes over all spaces that stand here, or else over one character.
    pub(super) fn skip_spaces_or_one(&mut self) {
        if self.skip_spaces() == 0 {
            self.skip();
        }
    }

    /// Goes over all spaces that stand here, and says how many they are.
    pub(in crate::go_yaml) fn skip_spaces(&mut self) -> usize {
        self.skip_spaces_up_to(usize::MAX)
    }

    /// As [`Self::skip_spaces`], but not over more than `most`.
    pub(super) fn skip_spaces_up_to(&mut self, most: usize) -> usize {
        let rest = self.rest().iter().take(most);
        let spaces = rest.take_while(|byte| **byte == b' ').count();
        self.skip_ascii(spaces);
        spaces
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.at_blank() {
            self.skip();
        }
    }

    /// Goes to the end of the line if a comment stands here.
    pub(in crate::go_yaml) fn skip_comment(&mut self) {
        if self.byte(0) == b'#' {
            self.skip_line();
        }
    }

    /// Goes over the line break that stands here, and gives what it is read as.
    pub(in crate::go_yaml) fn take_break(&mut self) -> &'static str {
        let Some(found) = line_break(self.rest()) else {
            return "";
        };
        self.mark.index += found.characters;
        self.mark.offset += found.bytes;
        self.mark.column = 0;
        self.mark.line += 1;
        found.read_as
    }

    /// A mistake that is found here. What cannot be read comes first when it is near: libyaml
    /// reads ahead.
    pub(super) fn error(&self, context: Mark, problem: impl Into<Cow<'static, str>>) -> Failure {
        if self.mark.offset + 4 > self.bytes.len()
            && let Some(broken) = self.broken
        {
            return broken.clone().into();
        }
        Failure::by_scanner(problem, self.mark, context)
    }

    /// What ends the text before its time.
    pub(super) fn broken_end(&self) -> Option<Failure> {
        self.broken.cloned().map(Into::into)
    }
}

/// How many bytes the line break at the start has; 0 when there is none.
pub(in crate::go_yaml) fn break_length(bytes: &[u8]) -> usize {
    line_break(bytes).map_or(0, |found| found.bytes)
}

/// A line break, and what it is read as.
struct LineBreak {
    read_as: &'static str,
    bytes: usize,
    characters: usize,
}

/// The line break at the start, if there is one.
fn line_break(bytes: &[u8]) -> Option<LineBreak> {
    let (read_as, bytes, characters) = match bytes {
        [b'\r', b'\n', ..] => ("\n", 2, 2),
        [b'\n' | b'\r', ..] => ("\n", 1, 1),
        [0xc2, 0x85, ..] => ("\n", 2, 1),
        [0xe2, 0x80, 0xa8, ..] => ("\u{2028}", 3, 1),
        [0xe2, 0x80, 0xa9, ..] => ("\u{2029}", 3, 1),
        _ => return None,
    };
    Some(LineBreak {
        read_as,
        bytes,
        characters,
    })
}
