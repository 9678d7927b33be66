//! The page that the YAML writer writes on: where it stands, and what it has just written.

use std::ops::Range;

use super::Dialect;

/// How far each level is indented.
pub(super) const INDENT: usize = 2;
const SPACES: &str = "                                                                ";
/// `toYaml` breaks texts at the first space behind this column; `toYamlPretty` never does.
const FOLD_COLUMN: usize = 80;

/// The text so far, with libyaml's notion of the position in it.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) text: String,
    pub(super) dialect: Dialect,
    /// Characters since the line began.
    pub(super) column: usize,
    /// No space is needed before the next word.
    pub(super) whitespace: bool,
    /// Nothing but indentation and indicators stand on the line.
    pub(super) indention: bool,
    /// The indentation of the current level; none before the root.
    pub(super) indent: Option<usize>,
    /// The lines of the current key or scalar.
    pub(super) pieces: Vec<Range<usize>>,
    piece: Option<usize>,
}

impl Output {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            text: String::new(),
            dialect,
            column: 0,
            whitespace: true,
            indention: true,
            indent: None,
            pieces: Vec::new(),
            piece: None,
        }
    }

    /// The next space may become a line break.
    pub(super) fn may_fold(&self) -> bool {
        self.dialect == Dialect::V2 && self.column > FOLD_COLUMN
    }

    /// Even the last space of a text this long could not become a line break.
    pub(super) fn never_folds(&self, bytes: usize) -> bool {
        self.dialect == Dialect::V3 || self.column + bytes <= FOLD_COLUMN
    }

    /// Writes text of one line.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += if text.is_ascii() {
            text.len()
        } else {
            text.chars().count()
        };
    }

    pub(super) fn push_char(&mut self, c: char) {
        self.text.push(c);
        self.column += 1;
    }

    /// Ends the line.
    pub(super) fn put_break(&mut self) {
        self.end_piece();
        self.text.push('\n');
        self.column = 0;
        if self.dialect == Dialect::V3 {
            self.indention = true;
        }
    }

    /// Writes a break that a text contains: `\n` or another of YAML's breaks.
    pub(super) fn write_break(&mut self, c: char) {
        if c == '\n' {
            self.put_break();
        } else {
            self.text.push(c);
            self.column = 0;
            if self.dialect == Dialect::V3 {
                self.indention = true;
            }
        }
    }

    /// Goes to the indentation of the current level, on a new line if need be.
    pub(super) fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        let continues = self.piece.is_some();
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break();
        }
        if continues {
            self.end_piece();
        }
        if self.column < indent {
            self.indent_by(indent - self.column);
            self.column = indent;
        }
        if continues {
            self.begin_piece();
        }
        self.whitespace = true;
        if self.dialect == Dialect::V2 {
            self.indention = true;
        }
    }

    fn indent_by(&mut self, mut missing: usize) {
        while missing > 0 {
            let spaces = &SPACES[..missing.min(SPACES.len())];
            self.text.push_str(spaces);
            missing -= spaces.len();
        }
    }

    /// Writes `-`, `?`, `:`, or what opens or closes a scalar.
    pub(super) fn write_indicator(&mut self, indicator: &str, spaced: bool, indention: bool) {
        if spaced {
            self.space();
        }
        self.push(indicator);
        self.whitespace = false;
        self.indention = self.indention && indention;
    }

    /// Puts a space where the next word needs one.
    pub(super) fn space(&mut self) {
        if !self.whitespace {
            self.text.push(' ');
            self.column += 1;
            self.whitespace = true;
        }
    }

    /// Indents one level more, and gives the level to go back to.
    pub(super) fn deeper(&mut self, root: usize) -> Option<usize> {
        let outer = self.indent;
        self.indent = Some(outer.map_or(root, |indent| indent + INDENT));
        outer
    }

    /// What follows belongs to a key or scalar, until [`Self::end_piece`].
    pub(super) fn begin_piece(&mut self) {
        self.piece = Some(self.text.len());
    }

    pub(super) fn end_piece(&mut self) {
        if let Some(start) = self.piece.take()
            && start < self.text.len()
        {
            self.pieces.push(start..self.text.len());
        }
    }
}
