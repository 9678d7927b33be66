//! Finds the tags of a Handlebars template and the words in them, each with its place.
//!
//! The `handlebars` crate judges what stands in a tag, but tells only in which line it starts;
//! here is found out where each word stands, what is text, and how white space is trimmed.

use std::ops::Range;

/// How deep parentheses may nest in one tag.
const MAX_PARENTHESES: usize = 32;

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
    trim_before: bool,
    trim_after: bool,
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

/// A name, literal or parenthesised call, perhaps as `key=…`.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) key: Option<Range<usize>>,
    pub(super) range: Range<usize>,
    /// The words inside of parentheses.
    pub(super) group: Option<Vec<Word>>,
}

/// What is wrong, where, and what to do.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) range: Range<usize>,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// A second place, and what it has to do with it.
    pub(super) other: Option<(Range<usize>, String)>,
}

impl Problem {
    pub(super) fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            range,
            code: "template-syntax",
            message: message.into(),
            hint: None,
            other: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Cuts a template into text and tags.
pub(super) fn scan(text: &str) -> (Vec<Piece>, Vec<Problem>) {
    let mut scanner = Scanner {
        text,
        at: 0,
        problems: Vec::new(),
    };
    let mut pieces = scanner.pieces();
    trim(text, &mut pieces);
    (pieces, scanner.problems)
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    problems: Vec<Problem>,
}

type Lexed<T> = Result<T, Problem>;

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
        let end = self.rest().find("}}}}");
        self.at = end.map_or(self.text.len(), |end| self.at + end + 4);
        let problem = Problem::new(start..self.at, "raw blocks are not supported")
            .hint("write `\\{{` to print two braces");
        self.problems.push(problem);
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

    /// The words up to the end of the tag, or to the closing parenthesis.
    fn words(&mut self, triple: bool, depth: usize) -> Lexed<Vec<Word>> {
        let mut words: Vec<Word> = Vec::new();
        loop {
            self.skip_blanks();
            let rest = self.rest();
            if rest.is_empty() || self.at_end_of_tag(triple) {
                return Ok(words);
            }
            if depth > 0 && rest.starts_with(')') {
                return Ok(words);
            }
            if rest.starts_with('|') && depth == 0 && self.is_as(words.last()) {
                words.pop();
                self.block_parameters()?;
                continue;
            }
            words.push(self.word(triple, depth)?);
        }
    }

    fn is_as(&self, word: Option<&Word>) -> bool {
        word.is_some_and(|word| &self.text[word.range.clone()] == "as")
    }

    /// Skips `|a b|`; what the names are, the parser says.
    fn block_parameters(&mut self) -> Lexed<()> {
        let start = self.at;
        let end = self.text[start + 1..]
            .find(['|', '}'])
            .map(|end| start + 1 + end)
            .filter(|&end| self.text[end..].starts_with('|'));
        let Some(end) = end else {
            return Err(Problem::new(
                start..start + 1,
                "the block parameters are never closed: expected `|`",
            ));
        };
        self.at = end + 1;
        Ok(())
    }

    fn word(&mut self, triple: bool, depth: usize) -> Lexed<Word> {
        let mut word = self.value(triple, depth)?;
        let after = self.at;
        self.skip_blanks();
        if !self.rest().starts_with('=') {
            self.at = after;
            return Ok(word);
        }
        let equals = self.at;
        self.at += 1;
        self.skip_blanks();
        if self.rest().starts_with('=') {
            return Err(Problem::new(equals..self.at + 1, "unexpected `==`")
                .hint("to compare, write `(eq a b)`"));
        }
        let key = word.range;
        if self.rest().starts_with(')') || self.at_end_of_tag(triple) {
            let message = format!("`{}=` has no value", &self.text[key.clone()]);
            return Err(Problem::new(key.start..equals + 1, message));
        }
        word = self.value(triple, depth)?;
        word.key = Some(key);
        Ok(word)
    }

    fn value(&mut self, triple: bool, depth: usize) -> Lexed<Word> {
        let start = self.at;
        let mut group = None;
        match self.rest().chars().next() {
            Some('(') => group = Some(self.group(triple, depth)?),
            Some('"' | '\'') => self.string()?,
            Some('{') => self.at = self.json_end().unwrap_or(start),
            Some('[') => match self.json_end() {
                Some(end) => self.at = end,
                None => self.bare()?,
            },
            _ => self.bare()?,
        }
        if self.at == start {
            let found = self.rest().chars().next().unwrap_or(' ');
            let range = start..start + found.len_utf8();
            return Err(Problem::new(
                range,
                format!("unexpected `{found}` in this tag"),
            ));
        }
        Ok(Word {
            key: None,
            range: start..self.at,
            group,
        })
    }

    fn group(&mut self, triple: bool, depth: usize) -> Lexed<Vec<Word>> {
        let open = self.at..self.at + 1;
        if depth == MAX_PARENTHESES {
            let message = format!("parentheses are nested more than {MAX_PARENTHESES} deep");
            return Err(Problem::new(open, message));
        }
        self.at += 1;
        let words = self.words(triple, depth + 1)?;
        if !self.eat(")") {
            return Err(Problem::new(open, "this parenthesis is never closed"));
        }
        if words.is_empty() {
            return Err(
                Problem::new(open.start..self.at, "the parentheses are empty")
                    .hint("write a helper and its arguments: `(eq a b)`"),
            );
        }
        Ok(words)
    }

    fn string(&mut self) -> Lexed<()> {
        let start = self.at;
        match string_end(self.text, start) {
            Some(end) => {
                self.at = end;
                Ok(())
            }
            None => Err(
                Problem::new(start..start + 1, "this string is never closed")
                    .hint("write a line break in a string as `\\n`"),
            ),
        }
    }

    /// The end of a list or map in JSON that starts here.
    fn json_end(&self) -> Option<usize> {
        let mut closers = Vec::new();
        let mut at = self.at;
        loop {
            match self.text[at..].chars().next()? {
                '[' => closers.push(']'),
                '{' => closers.push('}'),
                closer @ (']' | '}') => {
                    if closers.pop()? != closer {
                        return None;
                    }
                }
                '"' | '\'' => {
                    at = string_end(self.text, at)?;
                    continue;
                }
                other => at += other.len_utf8() - 1,
            }
            at += 1;
            if closers.len() > MAX_PARENTHESES {
                return None;
            }
            if closers.is_empty() {
                let is_json = serde_json::from_str::<serde_json::Value>(&self.text[self.at..at]);
                return is_json.is_ok().then_some(at);
            }
        }
    }

    /// A path or name; segments in brackets may hold anything but `]`.
    fn bare(&mut self) -> Lexed<()> {
        while let Some(next) = self.rest().chars().next() {
            match next {
                '[' => match self.rest().find(']') {
                    Some(end) => self.at += end + 1,
                    None => {
                        let range = self.at..self.at + 1;
                        return Err(Problem::new(range, "this bracket is never closed"));
                    }
                },
                '(' | ')' | '|' | '=' | '~' | '"' | '\'' | '{' | '}' => break,
                next if next.is_whitespace() => break,
                next => self.at += next.len_utf8(),
            }
        }
        Ok(())
    }

    fn at_end_of_tag(&self, triple: bool) -> bool {
        let rest = self.rest();
        let rest = match (triple, rest.strip_prefix('}')) {
            (true, Some(rest)) => rest,
            (true, None) => return false,
            (false, _) => rest,
        };
        rest.strip_prefix('~').unwrap_or(rest).starts_with("}}")
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }
}

fn push_text(pieces: &mut Vec<Piece>, range: Range<usize>) {
    if !range.is_empty() {
        pieces.push(Piece::Text(range));
    }
}

/// One past the closing quote of a string on one line.
fn string_end(text: &str, start: usize) -> Option<usize> {
    let mut characters = text[start..].char_indices();
    let (_, quote) = characters.next()?;
    while let Some((offset, character)) = characters.next() {
        match character {
            '\\' => {
                characters.next()?;
            }
            '\n' => return None,
            character if character == quote => return Some(start + offset + 1),
            _ => {}
        }
    }
    None
}

/// White space control: `~` takes all white space on its side, and a tag alone on its line
/// takes the line with it.
fn trim(text: &str, pieces: &mut [Piece]) {
    for index in 0..pieces.len() {
        let Piece::Tag(tag) = &mut pieces[index] else {
            continue;
        };
        tag.line = own_line(text, tag);
        let line = tag.line.clone();
        let (trim_before, trim_after) = (tag.trim_before, tag.trim_after);
        if let Some(Piece::Text(before)) = index.checked_sub(1).map(|index| &mut pieces[index]) {
            let kept = &text[before.clone()];
            if trim_before {
                before.end = before.start + kept.trim_end().len();
            } else if let Some((blanks, _)) = &line {
                before.end = before.end.min(blanks.start).max(before.start);
            }
        }
        if let Some(Piece::Text(after)) = pieces.get_mut(index + 1) {
            let kept = &text[after.clone()];
            if trim_after {
                after.start = after.end - kept.trim_start().len();
            } else if let Some((_, newline)) = &line {
                after.start = after.start.max(newline.end).min(after.end);
            }
        }
    }
}

fn own_line(text: &str, tag: &Tag) -> Option<(Range<usize>, Range<usize>)> {
    if matches!(tag.kind, Kind::Print | Kind::Unsupported) {
        return None;
    }
    const BLANKS: [char; 2] = [' ', '\t'];
    let before = text[..tag.range.start].trim_end_matches(BLANKS);
    let after = text[tag.range.end..].trim_start_matches(BLANKS);
    let newline = match after {
        "" => 0,
        after if after.starts_with('\n') => 1,
        after if after.starts_with("\r\n") => 2,
        _ => return None,
    };
    if !before.is_empty() && !before.ends_with('\n') {
        return None;
    }
    let newline_start = text.len() - after.len();
    let blanks_start = if tag.trim_before {
        tag.range.start
    } else {
        before.len()
    };
    Some((
        blanks_start..tag.range.start,
        newline_start..newline_start + newline,
    ))
}
