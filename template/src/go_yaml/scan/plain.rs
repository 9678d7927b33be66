//! Plain scalars.

use std::borrow::Cow;

use super::{Kind, Scan, Scanner};

impl<'t> Scanner<'t> {
    pub(super) fn plain_scalar(&mut self) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark;
        let mut end = start;
        let mut text: Cow<'t, str> = Cow::Borrowed("");
        let inner_column = self.inner_column();
        // The breaks before the next word; none when it stands on the same line.
        let mut first_break: Option<&'static str> = None;
        let mut more_breaks = String::new();
        loop {
            if self.cursor.at_document_indicator() || self.cursor.byte(0) == b'#' {
                break;
            }
            let length = self.word_length();
            if length > 0 {
                let from = self.cursor.mark.offset;
                self.cursor.skip_bytes(length);
                let word = self.cursor.since(from);
                match (first_break.take(), &mut text) {
                    (None, Cow::Borrowed(whole)) => {
                        *whole = self.cursor.since(start.offset);
                    }
                    (None, Cow::Owned(whole)) => {
                        whole.push_str(&self.cursor.text[end.offset..from]);
                        whole.push_str(word);
                    }
                    (Some(first), whole) => {
                        let whole = whole.to_mut();
                        match first {
                            "\n" if more_breaks.is_empty() => whole.push(' '),
                            "\n" => whole.push_str(&more_breaks),
                            _ => {
                                whole.push_str(first);
                                whole.push_str(&more_breaks);
                            }
                        }
                        more_breaks.clear();
                        whole.push_str(word);
                    }
                }
                end = self.cursor.mark;
            }
            if !self.cursor.at_blank() && !self.cursor.at_break() {
                break;
            }
            loop {
                if self.cursor.at_blank() {
                    if first_break.is_some()
                        && self.cursor.mark.column < inner_column
                        && self.cursor.byte(0) == b'\t'
                    {
                        let problem = "found a tab character that violates indentation";
                        return Err(self.scanner_error(start, problem));
                    }
                    self.cursor.skip();
                } else if self.cursor.at_break() {
                    let line_break = self.cursor.take_break();
                    if first_break.is_none() {
                        first_break = Some(line_break);
                    } else {
                        more_breaks.push_str(line_break);
                    }
                } else {
                    break;
                }
            }
            if self.flow_level == 0 && self.cursor.mark.column < inner_column {
                break;
            }
        }
        if first_break.is_some() {
            self.simple_key_allowed = true;
        }
        self.tokens.push_back(super::Token {
            kind: Kind::Scalar { text, plain: true },
            start,
            end,
        });
        Ok(())
    }

    /// How many bytes stand before the next blank, break or indicator.
    fn word_length(&self) -> usize {
        let bytes = self.cursor.rest();
        let in_flow = self.flow_level > 0;
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b' ' | b'\t' | b'\n' | b'\r' => break,
                b':' if self.cursor.is_blankz(at + 1) => break,
                b',' | b'?' | b'[' | b']' | b'{' | b'}' if in_flow => break,
                0xc2 | 0xe2 if self.cursor.break_length(at) > 0 => break,
                _ => at += 1,
            }
        }
        at
    }
}
