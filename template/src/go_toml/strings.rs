//! Strings of a TOML text, and the characters that one may hold.

use super::lexer::{Lex, Lexer};

impl Lexer<'_> {
    pub(super) fn basic_string(&mut self) -> Lex<String> {
        let mut bytes = Vec::new();
        loop {
            if self.is_at_end() {
                return Err(self.problem_at_end("unexpected EOF; expected '\"'"));
            }
            match self.peek() {
                b'"' => {
                    self.skip();
                    return Ok(String::from_utf8_lossy(&bytes).into_owned());
                }
                b'\\' => self.escape(&mut bytes)?,
                _ if self.is_new_line() => {
                    return Err(self.problem("strings cannot contain newlines"));
                }
                _ => self.character(&mut bytes)?,
            }
        }
    }

    pub(super) fn literal_string(&mut self) -> Lex<String> {
        let mut bytes = Vec::new();
        loop {
            if self.is_at_end() {
                return Err(self.problem_at_end("unexpected EOF; expected \"'\""));
            }
            if self.take(b'\'') {
                return Ok(String::from_utf8_lossy(&bytes).into_owned());
            }
            if self.is_new_line() {
                return Err(self.problem("strings cannot contain newlines"));
            }
            self.character(&mut bytes)?;
        }
    }

    /// The text up to three quotes; up to two more may stand before them.
    pub(super) fn multiline(&mut self, quote: u8) -> Lex<String> {
        let mut bytes = Vec::new();
        if self.is_new_line() {
            self.take(b'\r');
            self.skip();
        }
        loop {
            if self.is_at_end() {
                let quotes = if quote == b'"' {
                    r#"'"""'"#
                } else {
                    r#""'''""#
                };
                return Err(self.problem_at_end(format!("unexpected EOF; expected {quotes}")));
            }
            let quotes = self
                .rest()
                .iter()
                .take_while(|byte| **byte == quote)
                .count();
            if quotes >= 3 {
                if quotes > 5 {
                    let shown = if quote == b'"' {
                        r#"'""""""'"#
                    } else {
                        r#""''''''""#
                    };
                    return Err(self.problem(format!("unexpected {shown}")));
                }
                bytes.extend(std::iter::repeat_n(quote, quotes - 3));
                self.at += quotes;
                return Ok(String::from_utf8_lossy(&bytes).into_owned());
            }
            if quote == b'"' && self.peek() == b'\\' {
                if !self.skip_escaped_lines() {
                    self.escape(&mut bytes)?;
                }
            } else {
                self.character(&mut bytes)?;
            }
        }
    }

    /// A `\` at the end of a line goes with all the white space behind it.
    fn skip_escaped_lines(&mut self) -> bool {
        let blank = self.text[self.at + 1..]
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
            .count();
        let range = self.at + 1..self.at + 1 + blank;
        let lines = self.text[range.clone()]
            .split(|byte| *byte == b'\n')
            .count()
            - 1;
        if lines > 0 {
            self.line += lines;
            self.at = range.end;
        }
        lines > 0
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Lex<()> {
        let (digits, words) = match self.byte(1) {
            b'x' => (2, "two"),
            b'u' => (4, "four"),
            b'U' => (8, "eight"),
            letter => {
                let value = match letter {
                    b'b' => 8,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'f' => 12,
                    b'r' => b'\r',
                    b'e' => 27,
                    b'"' | b'\\' => letter,
                    _ => {
                        self.skip();
                        let shown = String::from_utf8_lossy(self.rest())
                            .chars()
                            .next()
                            .unwrap_or_default();
                        return Err(self.problem(format!("invalid escape in string '\\{shown}'")));
                    }
                };
                bytes.push(value);
                self.at += 2;
                return Ok(());
            }
        };
        let letter = char::from(self.byte(1));
        let hex = self
            .text
            .get(self.at + 2..self.at + 2 + digits)
            .unwrap_or_default();
        let hex = String::from_utf8_lossy(hex).into_owned();
        let is_hex = hex.len() == digits && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex {
            return Err(self.problem(format!(
                "expected {words} hexadecimal digits after '\\{letter}', but got {hex:?} instead"
            )));
        }
        let code = u32::from_str_radix(&hex, 16).unwrap_or(u32::MAX);
        let Some(c) = char::from_u32(code) else {
            return Err(self.problem(format!("Escaped character '\\u{hex}' is not valid UTF-8.")));
        };
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += 2 + digits;
        Ok(())
    }

    fn character(&mut self, bytes: &mut Vec<u8>) -> Lex<()> {
        self.check_character()?;
        bytes.push(self.peek());
        self.skip();
        Ok(())
    }

    pub(super) fn check_character(&self) -> Lex<()> {
        let byte = self.peek();
        let is_lone_return = byte == b'\r' && self.byte(1) != b'\n';
        let is_control = byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r' | b'\n');
        if is_lone_return || is_control {
            return Err(self.control());
        }
        if byte >= 0xc0 || (0x80..0xc0).contains(&byte) {
            return self.check_utf8(byte);
        }
        Ok(())
    }

    /// Every character is looked at once, from its first byte.
    fn check_utf8(&self, byte: u8) -> Lex<()> {
        let starts = byte >= 0xc0;
        let width = match byte {
            0xf0.. => 4,
            0xe0.. => 3,
            _ => 2,
        };
        let character = self.text.get(self.at..self.at + width).unwrap_or_default();
        let continues = !starts
            && self.text[self.at.saturating_sub(3)..self.at]
                .iter()
                .any(|before| *before >= 0xc0);
        if continues || (starts && std::str::from_utf8(character).is_ok_and(|c| !c.is_empty())) {
            return Ok(());
        }
        Err(self.problem(format!("invalid UTF-8 byte: 0x{byte:02x}")))
    }
}
