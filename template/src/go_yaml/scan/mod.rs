//! libyaml's scanner, which decides what go-yaml takes and what it refuses, in safe Rust.
//!
//! It keeps libyaml's rules, and its leniency, where they differ from the specification: keys
//! end within 1,024 characters, tabs stand wherever no key may start, flow collections need not
//! be indented.

mod block;
mod cursor;
mod indicators;
mod plain;
mod quoted;
mod tag;

use std::{borrow::Cow, collections::VecDeque};

pub(super) use cursor::{Cursor, Mark, break_length};

use super::error::Failure;
use super::input::Input;

/// How deep flow collections and indentation may go: libyaml's limits, which [`super::MAX_DEPTH`]
/// undercuts when values are made.
const MAX_LEVELS: usize = 10_000;
/// How many characters may stand between the start of a key and its `:`.
const SIMPLE_KEY_CHARACTERS: usize = 1024;

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'t> {
    StreamStart,
    StreamEnd,
    VersionDirective { major: u8, minor: u8 },
    TagDirective { handle: String, prefix: String },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'t str),
    Anchor(&'t str),
    Tag { handle: String, suffix: String },
    Scalar { text: Cow<'t, str>, plain: bool },
}

/// The text of a scalar, and where it stands.
#[derive(Debug)]
pub(super) struct ScannedText<'t> {
    pub(super) text: Cow<'t, str>,
    pub(super) start: Mark,
    pub(super) end: Mark,
    /// The scanner went on to a further line behind it.
    pub(super) ends_line: bool,
}

/// A place where a key may have started, one for each flow level.
#[derive(Debug, Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    /// The scanner looks ahead for its `:`. go-yaml forgets to for an empty flow collection.
    awaited: bool,
    required: bool,
    token: usize,
    mark: Mark,
}

type Scan<T> = Result<T, Failure>;

#[derive(Debug)]
pub(super) struct Scanner<'t> {
    pub(super) cursor: Cursor<'t>,
    tokens: VecDeque<Token<'t>>,
    /// How many tokens were handed out.
    taken: usize,
    started: bool,
    /// The column of the current block; none outside of all.
    pub(super) indent: Option<usize>,
    indents: Vec<Option<usize>>,
    pub(super) flow_level: usize,
    simple_key_allowed: bool,
    simple_keys: Vec<SimpleKey>,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(input: &'t Input<'_>) -> Self {
        Self {
            cursor: Cursor::new(input),
            tokens: VecDeque::new(),
            taken: 0,
            started: false,
            indent: None,
            indents: Vec::new(),
            flow_level: 0,
            simple_key_allowed: false,
            simple_keys: Vec::new(),
        }
    }

    /// The next token, which stays.
    pub(super) fn peek(&mut self) -> Scan<&Token<'t>> {
        while self.needs_more()? {
            self.fetch()?;
        }
        self.tokens
            .front()
            .ok_or_else(|| Failure::new("unexpected end of tokens"))
    }

    /// Takes the token that [`Self::peek`] showed.
    pub(super) fn take(&mut self) -> Option<Token<'t>> {
        self.taken += 1;
        self.tokens.pop_front()
    }

    /// Whether the first token is unknown, or may yet turn out to be a key.
    fn needs_more(&mut self) -> Scan<bool> {
        if self.tokens.is_empty() {
            return Ok(true);
        }
        let first = self
            .simple_keys
            .partition_point(|key| key.token < self.taken);
        for level in first..self.simple_keys.len() {
            let key = self.simple_keys[level];
            if key.token != self.taken {
                break;
            }
            if key.possible && key.awaited {
                return self.is_valid_key(level);
            }
        }
        Ok(false)
    }

    /// Whether the key may still be followed by its `:`.
    fn is_valid_key(&mut self, level: usize) -> Scan<bool> {
        let key = self.simple_keys[level];
        if !key.possible {
            return Ok(false);
        }
        let here = self.cursor.mark;
        if key.mark.line < here.line || key.mark.index + SIMPLE_KEY_CHARACTERS < here.index {
            if key.required {
                return Err(self.scanner_error(key.mark, "could not find expected ':'"));
            }
            self.simple_keys[level].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn save_simple_key(&mut self) -> Scan<()> {
        if !self.simple_key_allowed {
            return Ok(());
        }
        let mark = self.cursor.mark;
        let key = SimpleKey {
            possible: true,
            awaited: true,
            required: self.flow_level == 0 && self.indent == Some(mark.column),
            token: self.taken + self.tokens.len(),
            mark,
        };
        self.remove_simple_key()?;
        if let Some(last) = self.simple_keys.last_mut() {
            *last = key;
        }
        Ok(())
    }

    fn remove_simple_key(&mut self) -> Scan<()> {
        let Some(key) = self.simple_keys.last_mut() else {
            return Ok(());
        };
        if key.possible && key.required {
            let mark = key.mark;
            return Err(self.scanner_error(mark, "could not find expected ':'"));
        }
        key.possible = false;
        Ok(())
    }

    /// Begins a block at `column` if it is deeper; `before` is the token it starts at, the next
    /// one when there is none.
    fn roll_indent(
        &mut self,
        column: usize,
        before: Option<usize>,
        kind: Kind<'t>,
        mark: Mark,
    ) -> Scan<()> {
        if self.flow_level > 0 || self.indent.is_some_and(|indent| indent >= column) {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = Some(column);
        if self.indents.len() > MAX_LEVELS {
            return Err(self.scanner_error(mark, format!("exceeded max depth of {MAX_LEVELS}")));
        }
        let token = Token {
            kind,
            start: mark,
            end: mark,
        };
        match before {
            Some(number) => self.insert_token(number, token),
            None => self.tokens.push_back(token),
        }
        Ok(())
    }

    /// Puts a token before the one with a number; last, as go-yaml does, when that was taken.
    fn insert_token(&mut self, number: usize, token: Token<'t>) {
        match number.checked_sub(self.taken) {
            Some(index) => self.tokens.insert(index, token),
            None => self.tokens.push_back(token),
        }
    }

    /// Ends the blocks that are deeper than `column`; all of them when there is none.
    fn unroll_indent(&mut self, column: Option<usize>) {
        if self.flow_level > 0 {
            return;
        }
        while self.indent > column {
            self.push_empty(Kind::BlockEnd);
            self.indent = self.indents.pop().flatten();
        }
    }

    fn push_empty(&mut self, kind: Kind<'t>) {
        let mark = self.cursor.mark;
        self.tokens.push_back(Token {
            kind,
            start: mark,
            end: mark,
        });
    }

    /// The least column that a line must have to continue a scalar of the current block.
    fn inner_column(&self) -> usize {
        self.indent.map_or(0, |indent| indent + 1)
    }

    fn scanner_error(&self, context: Mark, problem: impl Into<Cow<'static, str>>) -> Failure {
        self.cursor.error(context, problem)
    }
}
