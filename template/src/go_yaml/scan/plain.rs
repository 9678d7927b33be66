//! Plain scalars.

use std::borrow::Cow;

use super::{Kind, Scan, ScannedText, Scanner};

impl<'t> Scanner<'t> {
    pub(super) fn plain_scalar(&mut self) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let scalar = self.plain_text()?;
        if scalar.ends_line {
            self.simple_key_allowed = true;
        }
        self.tokens.push_back(super::Token {
            kind: Kind::Scalar {
                text: scalar.text,
                plain: true,
            },
            start: scalar.start,
            end: scalar.end,
        });
        Ok(())
    }

    /// Reads a plain scalar, and goes over the blanks, breaks and indentation behind it.
    pub(in crate::go_yaml) fn plain_text(&mut self) -> Scan<ScannedText<'t>> {
        let start = self.cursor.mark;
        let mut end = start;
        let mut text: Cow<'t, str> = Cow::Borrowed("");
        let inner_column = self.inner_column();
        // The breaks before the next line; none while on the first one.
        let mut first_break: Option<&'static str> = None;
        let mut more_breaks = String::new();
        loop {
            if self.cursor.at_document_indicator() || self.cursor.byte(0) == b'#' {
                break;
            }
            let length = self.plain_length();
            if length > 0 {
                let from = self.cursor.mark.offset;
                self.cursor.skip_bytes(length);
                let line = self.cursor.since(from);
                match first_break.take() {
                    None => text = Cow::Borrowed(line),
                    Some(first) => {
                        let whole = text.to_mut();
                        match first {
                            "\n" if more_breaks.is_empty() => whole.push(' '),
                            "\n" => whole.push_str(&more_breaks),
                            _ => {
                                whole.push_str(first);
                                whole.push_str(&more_breaks);
                            }
                        }
                        more_breaks.clear();
                        whole.push_str(line);
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
                    self.cursor.skip_spaces_or_one();
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
        Ok(ScannedText {
            text,
            start,
            end,
            ends_line: first_break.is_some(),
        })
    }

    /// How many bytes of the line belong to a plain scalar that starts or goes on here, without
    /// the blanks at their end.
    pub(in crate::go_yaml) fn plain_length(&self) -> usize {
        let bytes = self.cursor.rest();
        let in_flow = self.flow_level > 0;
        let mut end = 0;
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let ends = match PLAIN[usize::from(byte)] {
                Role::Text => false,
                Role::Blank => {
                    at += 1;
                    continue;
                }
                Role::Break => true,
                Role::FlowIndicator => in_flow,
                Role::Colon => self.cursor.is_blankz(at + 1),
                Role::Hash => at > end,
                Role::PerhapsBreak => self.cursor.break_length(at) > 0,
            };
            if ends {
                break;
            }
            at += 1;
            end = at;
        }
        end
    }
}

/// What a byte may be to a plain scalar.
#[derive(Clone, Copy)]
enum Role {
    Text,
    Blank,
    Break,
    /// Ends the scalar before a blank or a break.
    Colon,
    /// Begins a comment behind a blank.
    Hash,
    FlowIndicator,
    /// The first byte of a break of several.
    PerhapsBreak,
}

const PLAIN: [Role; 256] = {
    let mut table = [Role::Text; 256];
    table[b' ' as usize] = Role::Blank;
    table[b'\t' as usize] = Role::Blank;
    table[b'\n' as usize] = Role::Break;
    table[b'\r' as usize] = Role::Break;
    table[b':' as usize] = Role::Colon;
    table[b'#' as usize] = Role::Hash;
    table[0xc2] = Role::PerhapsBreak;
    table[0xe2] = Role::PerhapsBreak;
    let flow = b",?[]{}";
    let mut at = 0;
    while at < flow.len() {
        table[flow[at] as usize] = Role::FlowIndicator;
        at += 1;
    }
    table
};
