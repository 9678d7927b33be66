//! Keys, scalars, white space and comments of a TOML text.

use super::reader::{TomlReadError, TomlValue};

pub(super) type Lex<T> = Result<T, TomlReadError>;

pub(super) struct Lexer<'t> {
    pub(super) text: &'t [u8],
    pub(super) at: usize,
    pub(super) line: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// The next byte; NUL at the end.
    pub(super) fn peek(&self) -> u8 {
        self.byte(0)
    }

    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    pub(super) fn rest(&self) -> &'t [u8] {
        &self.text[self.at..]
    }

    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte && !self.is_at_end();
        if found {
            self.skip();
        }
        found
    }

    pub(super) fn skip(&mut self) {
        self.line += usize::from(self.peek() == b'\n');
        self.at += 1;
    }

    pub(super) fn is_new_line(&self) -> bool {
        self.peek() == b'\n' || self.rest().starts_with(b"\r\n")
    }

    pub(super) fn skip_spaces(&mut self) {
        while matches!(self.peek(), b' ' | b'\t') {
            self.skip();
        }
    }

    /// Goes over white space, line breaks and comments.
    pub(super) fn skip_blank_lines(&mut self) -> Lex<()> {
        loop {
            self.skip_spaces();
            if self.peek() == b'#' {
                self.comment()?;
            } else if self.is_new_line() {
                self.skip();
            } else if self.peek() == b'\r' || (self.peek() == b'\n') {
                return Err(self.control());
            } else {
                return Ok(());
            }
        }
    }

    fn comment(&mut self) -> Lex<()> {
        while !self.is_at_end() && !self.is_new_line() {
            self.check_character()?;
            self.skip();
        }
        Ok(())
    }

    /// What stands here must be the end of the line.
    pub(super) fn end_of_line(&mut self) -> Lex<()> {
        self.skip_spaces();
        if self.peek() == b'#' {
            return self.comment();
        }
        if self.is_at_end() || self.is_new_line() {
            return Ok(());
        }
        let shown = self.shown();
        Err(self.problem(format!(
            "expected a top-level item to end with a newline, comment, or EOF, but got {shown} instead"
        )))
    }

    fn next_char(&self) -> Option<char> {
        let start = &self.rest()[..self.rest().len().min(4)];
        start.utf8_chunks().next()?.valid().chars().next()
    }

    fn boolean(&mut self) -> Lex<TomlValue> {
        let problem = self.problem("");
        let mut word = String::new();
        while let Some(c) = self.next_char().filter(|c| c.is_alphabetic()) {
            word.push(c);
            self.at += c.len_utf8();
        }
        match word.as_str() {
            "true" => Ok(TomlValue::Bool(true)),
            "false" => Ok(TomlValue::Bool(false)),
            _ => Err(TomlReadError {
                problem: format!("expected value but found {word:?} instead"),
                ..problem
            }),
        }
    }

    /// The name of a table up to its `]`.
    pub(super) fn table_name(&mut self) -> Lex<Vec<String>> {
        let mut name = Vec::new();
        loop {
            self.skip_spaces();
            match self.peek() {
                b']' | 0 => {
                    return Err(
                        self.problem("unexpected end of table name (table names cannot be empty)")
                    );
                }
                b'.' => {
                    return Err(
                        self.problem("unexpected table separator (table names cannot be empty)")
                    );
                }
                _ => name.push(self.name()?),
            }
            self.skip_spaces();
            match self.peek() {
                b'.' => self.skip(),
                b']' => {
                    self.skip();
                    return Ok(name);
                }
                _ => {
                    let shown = self.shown();
                    return Err(self.problem_at_next(format!(
                        "expected '.' or ']' to end table name, but got {shown} instead"
                    )));
                }
            }
        }
    }

    /// The names of a key up to its `=`.
    pub(super) fn key(&mut self) -> Lex<Vec<String>> {
        let mut key = Vec::new();
        loop {
            self.skip_spaces();
            let first = key.is_empty();
            match self.peek() {
                b'=' | 0 if first => {
                    return Err(self.problem("unexpected '=': key name appears blank"));
                }
                b'.' if first => {
                    return Err(self.problem("unexpected '.': keys cannot start with a '.'"));
                }
                b'=' | 0 => return Err(self.problem("unexpected '='")),
                b'.' => return Err(self.problem("unexpected '.'")),
                _ => key.push(self.name()?),
            }
            self.skip_spaces();
            match self.peek() {
                b'.' => self.skip(),
                b'=' => {
                    self.skip();
                    return Ok(key);
                }
                0 => {
                    let reason = "unexpected EOF; expected key separator '='";
                    return Err(self.problem_at_end(reason));
                }
                _ => {
                    let shown = self.shown();
                    return Err(
                        self.problem(format!("expected '.' or '=', but got {shown} instead"))
                    );
                }
            }
        }
    }

    fn name(&mut self) -> Lex<String> {
        match self.peek() {
            b'"' => {
                self.skip();
                self.basic_string()
            }
            b'\'' => {
                self.skip();
                self.literal_string()
            }
            _ => Ok(self.word(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))),
        }
    }

    pub(super) fn word(&mut self, belongs: impl Fn(u8) -> bool) -> String {
        let start = self.at;
        while !self.is_at_end() && belongs(self.peek()) {
            self.skip();
        }
        String::from_utf8_lossy(&self.text[start..self.at]).into_owned()
    }

    /// A value that is neither a list nor a table.
    pub(super) fn scalar(&mut self) -> Lex<TomlValue> {
        let rest = self.rest();
        if rest.starts_with(b"\"\"\"") {
            self.at += 3;
            return self.multiline(b'"').map(TomlValue::Text);
        }
        if rest.starts_with(b"'''") {
            self.at += 3;
            return self.multiline(b'\'').map(TomlValue::Text);
        }
        match self.peek() {
            b'"' => {
                self.skip();
                self.basic_string().map(TomlValue::Text)
            }
            b'\'' => {
                self.skip();
                self.literal_string().map(TomlValue::Text)
            }
            b'0'..=b'9' => self.number_or_date(),
            b'+' | b'-' => self.signed_number(),
            b'.' => Err(self.problem("floats must start with a digit, not '.'")),
            _ if rest.starts_with(b"inf") || rest.starts_with(b"nan") => {
                let word = self.word_of(3);
                Ok(TomlValue::Float(word.parse().unwrap_or(f64::NAN)))
            }
            _ if self.next_char().is_some_and(char::is_alphabetic) => self.boolean(),
            _ if self.is_at_end() => Err(self.problem_at_end("unexpected EOF; expected value")),
            _ => {
                self.check_character()?;
                let shown = self.shown();
                Err(self.problem(format!("expected value but found {shown} instead")))
            }
        }
    }

    pub(super) fn control(&self) -> TomlReadError {
        let byte = self.peek();
        self.problem(format!(
            "TOML files cannot contain control characters: '0x{byte:02x}'"
        ))
    }

    pub(super) fn problem(&self, problem: impl Into<String>) -> TomlReadError {
        TomlReadError {
            problem: problem.into(),
            line: self.line,
            last_key: String::new(),
        }
    }

    /// A mistake that is noticed after the next character, which may end the line.
    pub(super) fn problem_at_next(&self, problem: impl Into<String>) -> TomlReadError {
        if self.is_at_end() {
            return self.problem_at_end(problem);
        }
        let mut error = self.problem(problem);
        error.line += usize::from(self.is_new_line() && self.peek() == b'\n');
        error
    }

    pub(super) fn problem_at_end(&self, problem: impl Into<String>) -> TomlReadError {
        let mut error = self.problem(problem);
        error.line -= usize::from(self.text.ends_with(b"\n"));
        error
    }

    /// The next character as Go's `%q` shows it.
    pub(super) fn shown(&self) -> String {
        let c = String::from_utf8_lossy(self.rest()).chars().next();
        match c {
            None => "'\\x00'".to_owned(),
            Some(c) => format!("{c:?}"),
        }
    }

    pub(super) fn shown_or_end(&self) -> String {
        match String::from_utf8_lossy(self.rest()).chars().next() {
            None => "end of file".to_owned(),
            Some(c) => format!("'{c}'"),
        }
    }
}
