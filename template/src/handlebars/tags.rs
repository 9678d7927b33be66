//! Finds the tags of a Handlebars template and the words in them, each with its place.
//!
//! The `handlebars` crate judges what stands in a tag, but tells only in which line it starts;
//! here is found out where each word stands, what is text, and how white space is trimmed.

use std::ops::Range;

use super::{problem::Problem, space, words::Word};

#[derive(Debug)]
pub(super) enum Piece {
    Text(Range<usize>),
    Tag(Tag),
}

#[derive(Debug)]
pub(super) struct Tag {
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
    /// What stands between the sigil and the closing braces.
    pub(super) inner: Range<usize>,
    pub(super) words: Vec<Word>,
    /// Blanks before, and line break after a tag that is alone on its line.
    pub(super) line: Option<(Range<usize>, Range<usize>)>,
    /// `{{~`
    pub(super) trim_before: bool,
    /// `~}}`
    pub(super) trim_after: bool,
    /// What is wrong was reported already.
    pub(super) broken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `{{x}}`, `{{{x}}}`, `{{&x}}`
    Print,
    /// `{{#x}}`
    Open,
    /// `{{#*x}}` or `{{#>x}}`
    OpenUnsupported,
    /// `{{else}}`, `{{^}}`, `{{else if x}}`
    Else,
    /// `{{/x}}`
    Close,
    /// `{{! x }}`
    Comment,
    /// `{{> x}}`
    Partial,
    /// `{{* x}}` or a raw block
    Unsupported,
}

/// Cuts a template into text and tags.
pub(super) fn scan(text: &str) -> (Vec<Piece>, Vec<Problem>) {
    let mut scanner = Scanner {
        text,
        at: 0,
        problems: Vec::new(),
    };
    let mut pieces = scanner.pieces();
    space::trim(text, &mut pieces);
    (pieces, scanner.problems)
}

pub(super) struct Scanner<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
    problems: Vec<Problem>,
}

impl Scanner<'_> {
    fn pieces(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut text_start = 0;
        while let Some(found) = self.text[self.at..].find("{{") {
            let start = self.at + found;
            let before = &self.text[text_start..start];
            let backslashes = before.len() - before.trim_end_matches('\\').len();
            if backslashes > 0 {
                // One backslash goes; a lone one makes the braces text.
                let backslash = start - backslashes;
                push_text(&mut pieces, text_start..backslash);
                text_start = backslash + 1;
            }
            if backslashes == 1 {
                let raw = self.text[start..].starts_with("{{{{");
                self.at = start + if raw { 4 } else { 2 };
                continue;
            }
            push_text(&mut pieces, text_start..start);
            let tag = self.tag(start);
            self.at = tag.range.end;
            text_start = self.at;
            pieces.push(Piece::Tag(tag));
        }
        push_text(&mut pieces, text_start..self.text.len());
        pieces
    }

    fn tag(&mut self, start: usize) -> Tag {
        self.at = start + 2;
        if self.rest().starts_with("{{") {
            return self.raw_block(start);
        }
        let trim_before = self.eat("~");
        self.skip_blanks();
        let mut tag = Tag {
            range: start..start,
            kind: Kind::Print,
            inner: start..start,
            words: Vec::new(),
            line: None,
            trim_before,
            trim_after: false,
            broken: false,
        };
        if self.rest().starts_with('!') {
            self.comment(&mut tag);
            return tag;
        }
        let triple = self.eat("{");
        tag.kind = if triple { Kind::Print } else { self.kind() };
        let inner_start = self.at;
        match self.words(triple, 0) {
            Ok(words) => tag.words = words,
            Err(problem) => {
                self.problems.push(problem);
                tag.broken = true;
                if let Some(end) = self.rest().find("}}") {
                    self.at += end;
                } else {
                    self.at = self.text.len();
                }
            }
        }
        tag.inner = inner_start..self.at;
        self.end_of_tag(triple, &mut tag);
        tag
    }

    fn end_of_tag(&mut self, triple: bool, tag: &mut Tag) {
        if triple {
            self.eat("}");
        }
        tag.trim_after = self.eat("~");
        if !self.eat("}}") && !tag.broken {
            let opening = tag.range.start..tag.range.start + 2;
            let problem = Problem::new(opening, "this tag is never closed")
                .hint("end it with `}}`; write `\\{{` to print two braces");
            self.problems.push(problem);
            tag.broken = true;
            self.at = self.text.len();
        }
        tag.range.end = self.at;
    }

    fn kind(&mut self) -> Kind {
        if self.eat("#") {
            self.skip_blanks();
            if self.eat("*") || self.eat(">") {
                return Kind::OpenUnsupported;
            }
            return Kind::Open;
        }
        for (sigil, kind) in [
            ("/", Kind::Close),
            (">", Kind::Partial),
            ("&", Kind::Print),
            ("*", Kind::Unsupported),
            ("^", Kind::Else),
        ] {
            if self.eat(sigil) {
                return kind;
            }
        }
        let is_else = self.rest().strip_prefix("else").is_some_and(|after| {
            after.starts_with(|c: char| c.is_whitespace() || c == '~' || c == '}')
        });
        if is_else {
            self.at += "else".len();
            return Kind::Else;
        }
        Kind::Print
    }

    fn comment(&mut self, tag: &mut Tag) {
        tag.kind = Kind::Comment;
        // Only `--}}` ends a comment that starts with `{{!--`.
        let terminator = if self.rest().starts_with("!--") {
            "--"
        } else {
            ""
        };
        let body = self.at + 1;
        self.at = body;
        while let Some(end) = self.rest().find("}}") {
            let end = self.at + end;
            self.at = end + 2;
            let comment = &self.text[body..end];
            let kept = comment.strip_suffix('~').unwrap_or(comment);
            if kept.ends_with(terminator) {
                tag.trim_after = kept.len() < comment.len();
                tag.range.end = self.at;
                return;
            }
        }
        let opening = tag.range.start..body + terminator.len();
        let message = format!("this comment is never closed: expected `{terminator}}}}}`");
        self.problems.push(Problem::new(opening, message));
        self.at = self.text.len();
        tag.range.end = self.at;
    }

    fn raw_block(&mut self, start: usize) -> Tag {
        let closes = self.rest().starts_with("{{/");
        let end = self.rest().find("}}}}");
        self.at = end.map_or(self.text.len(), |end| self.at + end + 4);
        if !closes {
            let problem = Problem::new(start..self.at, "raw blocks are not supported")
                .hint("write `\\{{` to print two braces");
            self.problems.push(problem);
        }
        Tag {
            range: start..self.at,
            kind: Kind::Unsupported,
            inner: start..start,
            words: Vec::new(),
            line: None,
            trim_before: false,
            trim_after: false,
            broken: true,
        }
    }

    pub(super) fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    pub(super) fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    pub(super) fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }
}

fn push_text(pieces: &mut Vec<Piece>, range: Range<usize>) {
    if !range.is_empty() {
        pieces.push(Piece::Text(range));
    }
}
