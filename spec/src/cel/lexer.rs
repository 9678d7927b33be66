//! Cuts an expression into tokens (<https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax>).

use super::parser::Problem;

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Ident(String),
    Int(i64),
    /// The magnitude of the least integer: only after a minus.
    LeastInt,
    Uint(u64),
    Double(f64),
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
}

/// Longer signs first.
const SIGNS: [&str; 26] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}", "=", "&",
];
/// Words that are no names.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The tokens, each with its place in characters.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, Problem> {
    let mut lexer = Lexer {
        chars: text.chars().collect(),
        at: 0,
    };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_space();
        let at = lexer.at;
        let Some(first) = lexer.peek(0) else {
            return Ok(tokens);
        };
        let second = lexer.peek(1);
        let is_raw = matches!(first, 'r' | 'R') && matches!(second, Some('"' | '\''));
        let token = if is_raw {
            lexer.at += 1;
            lexer.text(true)?
        } else if matches!(first, '"' | '\'') {
            lexer.text(false)?
        } else if first.is_ascii_digit()
            || first == '.' && second.is_some_and(|it| it.is_ascii_digit())
        {
            lexer.number()?
        } else if first.is_ascii_alphabetic() || first == '_' {
            lexer.word()?
        } else {
            lexer.sign()?
        };
        tokens.push((token, at));
    }
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn take_while(&mut self, is_in: impl Fn(char) -> bool) -> String {
        let rest = self.chars.iter().skip(self.at);
        let taken: String = rest.take_while(|it| is_in(**it)).collect();
        self.at += taken.chars().count();
        taken
    }

    fn skip_space(&mut self) {
        loop {
            self.take_while(|it| matches!(it, ' ' | '\t' | '\n' | '\r' | '\x0c'));
            if self.peek(0) != Some('/') || self.peek(1) != Some('/') {
                return;
            }
            self.take_while(|it| it != '\n');
        }
    }

    fn word(&mut self) -> Result<Token, Problem> {
        let at = self.at;
        let word = self.take_while(|it| it.is_ascii_alphanumeric() || it == '_');
        if RESERVED.contains(&word.as_str()) {
            return Err((format!("`{word}` is a reserved word"), at));
        }
        Ok(Token::Ident(word))
    }

    fn sign(&mut self) -> Result<Token, Problem> {
        let found = SIGNS.iter().find(|sign| {
            let mut chars = sign.chars().enumerate();
            chars.all(|(ahead, it)| self.peek(ahead) == Some(it))
        });
        match found {
            Some(sign) if !matches!(*sign, "=" | "&") => {
                self.at += sign.len();
                Ok(Token::Sign(sign))
            }
            _ => Err(("there is a sign that means nothing".to_owned(), self.at)),
        }
    }

    fn number(&mut self) -> Result<Token, Problem> {
        let at = self.at;
        let bad = || ("this number is too large, or none".to_owned(), at);
        let is_unsigned = |it: Option<char>| matches!(it, Some('u' | 'U'));
        if self.peek(0) == Some('0') && matches!(self.peek(1), Some('x' | 'X')) {
            self.at += 2;
            let digits = self.take_while(|it| it.is_ascii_hexdigit());
            let magnitude = u64::from_str_radix(&digits, 16).map_err(|_| bad())?;
            let is_unsigned = is_unsigned(self.peek(0));
            self.at += usize::from(is_unsigned);
            return integer(magnitude, is_unsigned).ok_or_else(bad);
        }
        let mut text = self.take_while(|it| it.is_ascii_digit());
        let mut is_double = false;
        if self.peek(0) == Some('.') && self.peek(1).is_some_and(|it| it.is_ascii_digit()) {
            is_double = true;
            self.at += 1;
            text.push('.');
            text.push_str(&self.take_while(|it| it.is_ascii_digit()));
        }
        if matches!(self.peek(0), Some('e' | 'E')) {
            is_double = true;
            self.at += 1;
            text.push('e');
            if let Some(sign @ ('+' | '-')) = self.peek(0) {
                self.at += 1;
                text.push(sign);
            }
            text.push_str(&self.take_while(|it| it.is_ascii_digit()));
        }
        if is_double {
            return text.parse().map(Token::Double).map_err(|_| bad());
        }
        let is_unsigned = is_unsigned(self.peek(0));
        self.at += usize::from(is_unsigned);
        let magnitude = text.parse().map_err(|_| bad())?;
        integer(magnitude, is_unsigned).ok_or_else(bad)
    }

    fn text(&mut self, is_raw: bool) -> Result<Token, Problem> {
        let at = self.at;
        let open = || ("this text has no end".to_owned(), at);
        let quote = self.peek(0).ok_or_else(open)?;
        let is_long = self.peek(1) == Some(quote) && self.peek(2) == Some(quote);
        let width = if is_long { 3 } else { 1 };
        self.at += width;
        let mut text = String::new();
        loop {
            let ends = (0..width).all(|ahead| self.peek(ahead) == Some(quote));
            if ends {
                self.at += width;
                return Ok(Token::Text(text));
            }
            let next = self.peek(0).ok_or_else(open)?;
            self.at += 1;
            match next {
                '\n' | '\r' if !is_long => return Err(open()),
                '\\' if !is_raw => text.push(self.escape()?),
                next => text.push(next),
            }
        }
    }

    /// What stands after a backslash.
    fn escape(&mut self) -> Result<char, Problem> {
        let at = self.at;
        let bad = || ("there is no such escape".to_owned(), at);
        let first = self.peek(0).ok_or_else(bad)?;
        self.at += 1;
        let (digits, radix) = match first {
            'a' => return Ok('\x07'),
            'b' => return Ok('\x08'),
            'f' => return Ok('\x0c'),
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            'v' => return Ok('\x0b'),
            '\\' | '\'' | '"' | '`' | '?' => return Ok(first),
            'x' | 'X' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='3' => {
                self.at -= 1;
                (3, 8)
            }
            _ => return Err(bad()),
        };
        let end = self.at + digits;
        let code: String = self
            .chars
            .get(self.at..end)
            .ok_or_else(bad)?
            .iter()
            .collect();
        self.at = end;
        let code = u32::from_str_radix(&code, radix).map_err(|_| bad())?;
        char::from_u32(code).ok_or_else(bad)
    }
}

fn integer(magnitude: u64, is_unsigned: bool) -> Option<Token> {
    if is_unsigned {
        return Some(Token::Uint(magnitude));
    }
    match i64::try_from(magnitude) {
        Ok(number) => Some(Token::Int(number)),
        Err(_) => (magnitude == i64::MIN.unsigned_abs()).then_some(Token::LeastInt),
    }
}
