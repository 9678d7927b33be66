//! Literal and folded block scalars.

use std::borrow::Cow;

use super::{Kind, Mark, Scan, ScannedText, Scanner};

/// What becomes of the line breaks at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

impl<'t> Scanner<'t> {
    pub(super) fn block_scalar(&mut self, literal: bool) -> Scan<()> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        let scalar = self.block_text(literal)?;
        self.tokens.push_back(super::Token {
            kind: Kind::Scalar {
                text: scalar.text,
                plain: false,
            },
            start: scalar.start,
            end: scalar.end,
        });
        Ok(())
    }

    /// Reads a block scalar from its `|` or `>` on, and goes to what follows it.
    pub(in crate::go_yaml) fn block_text(&mut self, literal: bool) -> Scan<ScannedText<'t>> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let (chomping, increment) = self.block_header(start)?;
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        if !self.cursor.at_breakz() {
            let problem = "did not find expected comment or line break";
            return Err(self.scanner_error(start, problem));
        }
        self.cursor.take_break();
        let mut indent = match increment {
            0 => 0,
            _ => self.indent.unwrap_or(0) + increment,
        };
        let mut text = String::new();
        let mut first_break = "";
        let mut more_breaks = String::new();
        let mut end = self.cursor.mark;
        self.block_breaks(&mut indent, &mut more_breaks, start, &mut end)?;
        let mut after_blank = false;
        while self.cursor.mark.column == indent && !self.cursor.at_end() {
            let starts_blank = self.cursor.at_blank();
            if !literal && !after_blank && !starts_blank && first_break == "\n" {
                if more_breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.push_str(first_break);
            }
            text.push_str(&more_breaks);
            more_breaks.clear();
            after_blank = starts_blank;
            let from = self.cursor.mark.offset;
            self.cursor.skip_line();
            text.push_str(self.cursor.since(from));
            first_break = self.cursor.take_break();
            self.block_breaks(&mut indent, &mut more_breaks, start, &mut end)?;
        }
        if chomping != Chomping::Strip {
            text.push_str(first_break);
        }
        if chomping == Chomping::Keep {
            text.push_str(&more_breaks);
        }
        Ok(ScannedText {
            text: Cow::Owned(text),
            start,
            end,
            ends_line: true,
        })
    }

    /// Reads `+`, `-` and the number of columns to indent by, in any order.
    fn block_header(&mut self, start: Mark) -> Scan<(Chomping, usize)> {
        let mut chomping = self.chomping();
        let mut increment = 0;
        if self.cursor.byte(0).is_ascii_digit() {
            increment = usize::from(self.cursor.byte(0) - b'0');
            if increment == 0 {
                let problem = "found an indentation indicator equal to 0";
                return Err(self.scanner_error(start, problem));
            }
            self.cursor.skip();
            if chomping.is_none() {
                chomping = self.chomping();
            }
        }
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    fn chomping(&mut self) -> Option<Chomping> {
        let chomping = match self.cursor.byte(0) {
            b'+' => Chomping::Keep,
            b'-' => Chomping::Strip,
            _ => return None,
        };
        self.cursor.skip();
        Some(chomping)
    }

    /// Goes over indentation and empty lines, and finds out how far the text is indented.
    fn block_breaks(
        &mut self,
        indent: &mut usize,
        breaks: &mut String,
        start: Mark,
        end: &mut Mark,
    ) -> Scan<()> {
        *end = self.cursor.mark;
        let mut deepest = 0;
        loop {
            let column = self.cursor.mark.column;
            self.cursor.skip_spaces_up_to(match *indent {
                0 => usize::MAX,
                indent => indent.saturating_sub(column),
            });
            deepest = deepest.max(self.cursor.mark.column);
            if (*indent == 0 || self.cursor.mark.column < *indent) && self.cursor.byte(0) == b'\t' {
                let problem = "found a tab character where an indentation space is expected";
                return Err(self.scanner_error(start, problem));
            }
            if !self.cursor.at_break() {
                break;
            }
            breaks.push_str(self.cursor.take_break());
            *end = self.cursor.mark;
        }
        if *indent == 0 {
            *indent = deepest.max(self.inner_column()).max(1);
        }
        Ok(())
    }
}
