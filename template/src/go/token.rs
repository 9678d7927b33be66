//! Cuts a Go template into tokens, one at a time, as Go's lexer does.

use std::ops::Range;

use super::parse::number;
use crate::writer::find;

/// One token: short enough to be passed in registers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    start: u32,
    end: u32,
}

impl Token {
    /// The end of an empty text.
    pub(super) const END: Self = Self {
        kind: TokenKind::Eof,
        start: 0,
        end: 0,
    };

    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    pub(super) fn end(self) -> usize {
        self.end as usize
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start()..self.end()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// [`Lexer::error`] says which.
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Dot,
    Nil,
    Keyword(Keyword),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

/// What is wrong with the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LexError {
    UnclosedComment,
    CommentEndsEarly,
    UnclosedLeftParen,
    UnexpectedRightParen,
    UnclosedAction,
    ExpectedDeclare,
    BadCharacter(char),
    UnrecognizedCharacter(char),
    BadNumber,
    UnterminatedCharacter,
    UnterminatedString,
    UnterminatedRawString,
}

fn keyword(word: &str) -> Option<TokenKind> {
    use Keyword::{Block, Break, Continue, Define, Else, End, If, Range, Template, With};
    Some(TokenKind::Keyword(match word {
        "block" => Block,
        "break" => Break,
        "continue" => Continue,
        "define" => Define,
        "else" => Else,
        "end" => End,
        "if" => If,
        "nil" => return Some(TokenKind::Nil),
        "range" => Range,
        "template" => Template,
        "with" => With,
        _ => return None,
    }))
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
/// A trim marker and the white space beside it.
const TRIM_MARKER: usize = 2;

/// The position in a template.
#[derive(Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    start: usize,
    inside_action: bool,
    parens: usize,
    /// What is wrong with the text, once that is found.
    error: Option<LexError>,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            start: 0,
            inside_action: false,
            parens: 0,
            error: None,
        }
    }

    /// The next token; after an error or the end there are only ends.
    pub(super) fn next(&mut self) -> Token {
        if self.error.is_some() {
            return self.token(TokenKind::Eof);
        }
        if self.inside_action {
            self.action()
        } else {
            self.text()
        }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn rest_bytes(&self) -> &'t [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        Some(char)
    }

    fn token(&mut self, kind: TokenKind) -> Token {
        let token = Token {
            kind,
            start: number(self.start),
            end: number(self.at),
        };
        self.start = self.at;
        token
    }

    fn fail(&mut self, error: LexError) -> Token {
        self.error = Some(error);
        self.token(TokenKind::Error)
    }

    /// What is wrong with the text, once a token of [`TokenKind::Error`] was given.
    pub(super) fn error(&self) -> Option<LexError> {
        self.error
    }

    fn ignore(&mut self) {
        self.start = self.at;
    }

    fn text(&mut self) -> Token {
        loop {
            let Some(found) = find(self.rest_bytes(), LEFT.as_bytes()) else {
                self.at = self.text.len();
                let kind = if self.at > self.start {
                    TokenKind::Text
                } else {
                    TokenKind::Eof
                };
                return self.token(kind);
            };
            let delim = self.at + found;
            let mut end = delim;
            if has_left_trim_marker(&self.text[delim + LEFT.len()..]) {
                end = self.start
                    + self.text[self.start..delim]
                        .trim_end_matches(is_space)
                        .len();
            }
            if end > self.start {
                self.at = end;
                let token = self.token(TokenKind::Text);
                self.at = delim;
                self.ignore();
                return token;
            }
            self.at = delim;
            self.ignore();
            match self.left_delim() {
                Some(token) => return token,
                // A comment; more text follows.
                None => self.ignore(),
            }
        }
    }

    fn left_delim(&mut self) -> Option<Token> {
        self.at += LEFT.len();
        let marker = if has_left_trim_marker(self.rest()) {
            TRIM_MARKER
        } else {
            0
        };
        if self.rest()[marker..].starts_with("/*") {
            self.at += marker;
            self.ignore();
            return self.comment();
        }
        let token = self.token(TokenKind::LeftDelim);
        self.inside_action = true;
        self.at += marker;
        self.ignore();
        self.parens = 0;
        Some(token)
    }

    fn comment(&mut self) -> Option<Token> {
        let Some(length) = self.rest()[2..].find("*/") else {
            return Some(self.fail(LexError::UnclosedComment));
        };
        self.at += length + 4;
        let Some(trims) = self.at_right_delim() else {
            return Some(self.fail(LexError::CommentEndsEarly));
        };
        self.skip_right_delim(trims);
        None
    }

    /// Whether a right delimiter stands here, and whether it trims what follows.
    fn at_right_delim(&self) -> Option<bool> {
        match self.rest_bytes() {
            [b'}', b'}', ..] => Some(false),
            [b' ' | b'\t' | b'\r' | b'\n', b'-', b'}', b'}', ..] => Some(true),
            _ => None,
        }
    }

    fn skip_right_delim(&mut self, trims: bool) {
        if trims {
            self.at += TRIM_MARKER;
        }
        self.at += RIGHT.len();
        if trims {
            self.skip_space();
        }
    }

    fn right_delim(&mut self, trims: bool) -> Token {
        if trims {
            self.at += TRIM_MARKER;
            self.ignore();
        }
        self.at += RIGHT.len();
        let token = self.token(TokenKind::RightDelim);
        if trims {
            self.skip_space();
            self.ignore();
        }
        self.inside_action = false;
        token
    }

    fn action(&mut self) -> Token {
        if let Some(trims) = self.at_right_delim() {
            if self.parens == 0 {
                return self.right_delim(trims);
            }
            return self.fail(LexError::UnclosedLeftParen);
        }
        let Some(char) = self.bump() else {
            return self.fail(LexError::UnclosedAction);
        };
        match char {
            _ if is_space(char) => self.space(),
            '=' => self.token(TokenKind::Assign),
            ':' if self.bump() == Some('=') => self.token(TokenKind::Declare),
            ':' => self.fail(LexError::ExpectedDeclare),
            '|' => self.token(TokenKind::Pipe),
            '"' => self.quoted('"', TokenKind::String, LexError::UnterminatedString),
            '\'' => self.quoted(
                '\'',
                TokenKind::CharConstant,
                LexError::UnterminatedCharacter,
            ),
            '`' => self.raw_string(),
            '$' => self.field_or_variable(TokenKind::Variable, TokenKind::Variable),
            '.' if !self.rest().starts_with(|c: char| c.is_ascii_digit()) => {
                self.field_or_variable(TokenKind::Field, TokenKind::Dot)
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.at = self.start;
                self.number()
            }
            _ if is_alphanumeric(char) => self.identifier(),
            '(' => {
                self.parens += 1;
                self.token(TokenKind::LeftParen)
            }
            ')' if self.parens == 0 => self.fail(LexError::UnexpectedRightParen),
            ')' => {
                self.parens -= 1;
                self.token(TokenKind::RightParen)
            }
            _ if char.is_ascii_graphic() => self.token(TokenKind::Char),
            _ => self.fail(LexError::UnrecognizedCharacter(char)),
        }
    }

    fn space(&mut self) -> Token {
        self.skip_space();
        // The last blank may belong to a delimiter that trims.
        if self.rest_bytes().starts_with(b"-}}") {
            self.at -= 1;
            if self.at == self.start {
                return self.right_delim(true);
            }
        }
        self.token(TokenKind::Space)
    }

    fn skip_space(&mut self) {
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.at += self.rest_bytes().iter().take_while(is_space).count();
    }

    fn identifier(&mut self) -> Token {
        self.skip_alphanumeric();
        if let Some(char) = self.not_at_terminator() {
            return self.fail(LexError::BadCharacter(char));
        }
        let word = &self.text[self.start..self.at];
        let kind = match word {
            "true" | "false" => TokenKind::Bool,
            _ => keyword(word).unwrap_or(TokenKind::Identifier),
        };
        self.token(kind)
    }

    fn field_or_variable(&mut self, kind: TokenKind, alone: TokenKind) -> Token {
        if self.not_at_terminator().is_none() {
            return self.token(alone);
        }
        self.skip_alphanumeric();
        match self.not_at_terminator() {
            Some(char) => self.fail(LexError::BadCharacter(char)),
            None => self.token(kind),
        }
    }

    fn skip_alphanumeric(&mut self) {
        let is_usual = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        self.at += self.rest_bytes().iter().take_while(is_usual).count();
        if self
            .rest_bytes()
            .first()
            .is_some_and(|byte| !byte.is_ascii())
        {
            self.at = self.text.len() - self.rest().trim_start_matches(is_alphanumeric).len();
        }
    }

    /// The next character, when it is none that may follow a name.
    fn not_at_terminator(&self) -> Option<char> {
        match self.rest_bytes() {
            [
                b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(',
                ..,
            ]
            | [b'}', b'}', ..] => None,
            _ => self.peek(),
        }
    }

    fn quoted(&mut self, quote: char, kind: TokenKind, error: LexError) -> Token {
        loop {
            // What means something here is ASCII, and so never part of another character.
            let is_plain = |byte: &&u8| !matches!(byte, b'\\' | b'\n' | b'"' | b'\'');
            self.at += self.rest_bytes().iter().take_while(is_plain).count();
            match self.bump() {
                Some('\\') => {
                    if matches!(self.bump(), None | Some('\n')) {
                        return self.fail(error);
                    }
                }
                None | Some('\n') => return self.fail(error),
                Some(char) if char == quote => return self.token(kind),
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Token {
        if let Some(length) = self.rest().find('`') {
            self.at += length + 1;
            return self.token(TokenKind::RawString);
        }
        self.at = self.text.len();
        self.fail(LexError::UnterminatedRawString)
    }

    fn number(&mut self) -> Token {
        if !self.scan_number() {
            return self.fail(LexError::BadNumber);
        }
        if self.rest().starts_with(['+', '-']) {
            if !self.scan_number() || !self.text[..self.at].ends_with('i') {
                return self.fail(LexError::BadNumber);
            }
            return self.token(TokenKind::Complex);
        }
        self.token(TokenKind::Number)
    }

    fn accept(&mut self, valid: &[char]) -> bool {
        let found = self.rest().starts_with(valid);
        if found {
            self.at += 1;
        }
        found
    }

    fn accept_run(&mut self, is_valid: fn(char) -> bool) {
        self.at = self.text.len() - self.rest().trim_start_matches(is_valid).len();
    }

    fn scan_number(&mut self) -> bool {
        fn decimal(char: char) -> bool {
            char.is_ascii_digit() || char == '_'
        }
        self.accept(&['+', '-']);
        let mut digits: fn(char) -> bool = decimal;
        let (mut is_decimal, mut is_hex) = (true, false);
        if self.accept(&['0']) {
            if self.accept(&['x', 'X']) {
                digits = |char| char.is_ascii_hexdigit() || char == '_';
                (is_decimal, is_hex) = (false, true);
            } else if self.accept(&['o', 'O']) {
                digits = |char| matches!(char, '0'..='7' | '_');
                is_decimal = false;
            } else if self.accept(&['b', 'B']) {
                digits = |char| matches!(char, '0' | '1' | '_');
                is_decimal = false;
            }
        }
        self.accept_run(digits);
        if self.accept(&['.']) {
            self.accept_run(digits);
        }
        let has_exponent =
            (is_decimal && self.accept(&['e', 'E'])) || (is_hex && self.accept(&['p', 'P']));
        if has_exponent {
            self.accept(&['+', '-']);
            self.accept_run(decimal);
        }
        self.accept(&['i']);
        if self.peek().is_some_and(is_alphanumeric) {
            self.bump();
            return false;
        }
        true
    }
}

pub(super) fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(char: char) -> bool {
    char == '_' || char.is_alphabetic() || char.is_numeric()
}

fn has_left_trim_marker(text: &str) -> bool {
    text.strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(is_space))
}
