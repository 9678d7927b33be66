//! Quoted scalars.

use std::borrow::Cow;

use super::{Kind, Mark, Scan, ScannedText, Scanner, cursor::break_length};

/// How the characters of a quoted scalar end.
enum End {
    Quote,
    Blank,
    EscapedBreak,
}

impl<'t> Scanner<'t> {
    pub(super) fn quoted_scalar(&mut self, single: bool) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let scalar = self.quoted_text(single)?;
        let kind = Kind::Scalar {
            text: scalar.text,
            plain: false,
        };
        self.push_token(kind, scalar.start);
        Ok(())
    }

    /// Reads a quoted scalar with its quotes.
    pub(in crate::go_yaml) fn quoted_text(&mut self, single: bool) -> Scan<ScannedText<'t>> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let text = match simple_length(self.cursor.rest(), single) {
            Some(length) => {
                let from = self.cursor.mark.offset;
                self.cursor.skip_bytes(length);
                Cow::Borrowed(self.cursor.since(from))
            }
            None => Cow::Owned(self.unquoted(single, start)?),
        };
        self.cursor.skip();
        Ok(ScannedText {
            text,
            start,
            end: self.cursor.mark,
            ends_line: false,
        })
    }

    fn unquoted(&mut self, single: bool, start: Mark) -> Scan<String> {
        let mut text = String::new();
        loop {
            if self.cursor.at_document_indicator() {
                return Err(self.scanner_error(start, "found unexpected document indicator"));
            }
            if self.cursor.at_end() {
                return Err(self.scanner_error(start, "found unexpected end of stream"));
            }
            let mut folded = match self.quoted_characters(single, start, &mut text)? {
                End::Quote => return Ok(text),
                End::Blank => None,
                End::EscapedBreak => Some(""),
            };
            let quote = if single { b'\'' } else { b'"' };
            if self.cursor.byte(0) == quote {
                return Ok(text);
            }
            let blanks = self.cursor.mark.offset;
            let mut more_breaks = String::new();
            let mut end_of_blanks = blanks;
            loop {
                if self.cursor.at_blank() {
                    self.cursor.skip();
                    if folded.is_none() {
                        end_of_blanks = self.cursor.mark.offset;
                    }
                } else if self.cursor.at_break() {
                    let line_break = self.cursor.take_break();
                    if folded.is_none() {
                        folded = Some(line_break);
                    } else {
                        more_breaks.push_str(line_break);
                    }
                } else {
                    break;
                }
            }
            match folded {
                None => text.push_str(&self.cursor.text[blanks..end_of_blanks]),
                Some("\n") if more_breaks.is_empty() => text.push(' '),
                Some("\n") => text.push_str(&more_breaks),
                Some(first) => {
                    text.push_str(first);
                    text.push_str(&more_breaks);
                }
            }
        }
    }

    /// Reads on to the next blank, break, closing quote or end.
    fn quoted_characters(&mut self, single: bool, start: Mark, text: &mut String) -> Scan<End> {
        while !self.cursor.is_blankz(0) {
            match (self.cursor.byte(0), self.cursor.byte(1)) {
                (b'\'', b'\'') if single => {
                    text.push('\'');
                    self.cursor.skip_bytes(2);
                }
                (b'\'', _) if single => return Ok(End::Quote),
                (b'"', _) if !single => return Ok(End::Quote),
                (b'\\', _) if !single && self.cursor.break_length(1) > 0 => {
                    self.cursor.skip();
                    self.cursor.take_break();
                    return Ok(End::EscapedBreak);
                }
                (b'\\', escape) if !single => self.escape(escape, start, text)?,
                _ => {
                    let from = self.cursor.mark.offset;
                    match text_length(self.cursor.rest()) {
                        0 => self.cursor.skip(),
                        length => self.cursor.skip_bytes(length),
                    }
                    text.push_str(self.cursor.since(from));
                }
            }
        }
        Ok(End::Blank)
    }

    fn escape(&mut self, escape: u8, start: Mark, text: &mut String) -> Scan<()> {
        let digits = match escape {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => {
                text.push(match escape {
                    b'0' => '\0',
                    b'a' => '\u{7}',
                    b'b' => '\u{8}',
                    b't' | b'\t' => '\t',
                    b'n' => '\n',
                    b'v' => '\u{b}',
                    b'f' => '\u{c}',
                    b'r' => '\r',
                    b'e' => '\u{1b}',
                    b' ' => ' ',
                    b'"' => '"',
                    b'\'' => '\'',
                    b'\\' => '\\',
                    b'N' => '\u{85}',
                    b'_' => '\u{a0}',
                    b'L' => '\u{2028}',
                    b'P' => '\u{2029}',
                    _ => return Err(self.scanner_error(start, "found unknown escape character")),
                });
                self.cursor.skip_bytes(2);
                return Ok(());
            }
        };
        self.cursor.skip_bytes(2);
        let mut code: u32 = 0;
        for ahead in 0..digits {
            let Some(digit) = char::from(self.cursor.byte(ahead)).to_digit(16) else {
                let problem = "did not find expected hexdecimal number"; // So it says: typos: ignore.
                return Err(self.scanner_error(start, problem));
            };
            code = (code << 4) | digit;
        }
        let Some(c) = char::from_u32(code) else {
            let problem = "found invalid Unicode character escape code";
            return Err(self.scanner_error(start, problem));
        };
        text.push(c);
        self.cursor.skip_bytes(digits);
        Ok(())
    }
}

/// How many bytes stand here that are nothing but text in any quotes.
fn text_length(bytes: &[u8]) -> usize {
    let special = |byte: &u8| {
        matches!(
            byte,
            b' ' | b'\t' | b'\n' | b'\r' | b'\'' | b'"' | b'\\' | 0xc2 | 0xe2
        )
    };
    bytes.iter().position(special).unwrap_or(bytes.len())
}

/// The length of a scalar on one line without escapes; none when there is more to it.
fn simple_length(bytes: &[u8], single: bool) -> Option<usize> {
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\'' if single => return (bytes.get(at + 1) != Some(&b'\'')).then_some(at),
            b'"' if !single => return Some(at),
            b'\\' if !single => return None,
            b'\n' | b'\r' => return None,
            0xc2 | 0xe2 if break_length(&bytes[at..]) > 0 => return None,
            _ => {}
        }
    }
    None
}
