//! Reads a pattern in Go's syntax and writes it in that of the crate `regex`.

use super::{
    MAX_NESTING,
    class::{self, Class},
    error::{Code, SyntaxError},
};

/// A pattern for the crate, and the names of its groups.
#[derive(Debug)]
pub(super) struct Translated {
    pub(super) pattern: String,
    pub(super) group_names: Vec<Option<String>>,
}

/// What letters in `(?…)` switch.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a letter that stands alone"
)]
pub(super) struct Flags {
    pub(super) fold_case: bool,
    multi_line: bool,
    dot_matches_newline: bool,
    swap_greed: bool,
}

/// A group that is still open, or the whole pattern.
#[derive(Debug, Default)]
struct Group {
    is_capture: bool,
    /// What holds after it.
    outer: Flags,
    /// The alternatives before this one.
    alternatives: String,
    atoms: Vec<Atom>,
    /// See [`Atom::copies`].
    copies: u32,
}

/// What a repetition operator applies to.
#[derive(Debug)]
struct Atom {
    pattern: String,
    /// How often counted repetitions in it repeat what is innermost.
    copies: u32,
}

/// Go's limit of nested counted repetitions.
const MAX_COPIES: u32 = 1000;

pub(super) fn translate(pattern: &[u8]) -> Result<Translated, SyntaxError> {
    let text = match std::str::from_utf8(pattern) {
        Ok(text) => text,
        Err(error) => {
            let (valid, rest) = pattern.split_at(error.valid_up_to());
            let valid = std::str::from_utf8(valid).unwrap_or_default();
            return Err(match Parser::new(valid).run() {
                Err(error) if error.code.is_about_all() => {
                    SyntaxError::new(error.code, String::from_utf8_lossy(pattern))
                }
                Err(error) if !error.code.is_about_end() => error,
                _ => SyntaxError::new(Code::InvalidUtf8, String::from_utf8_lossy(rest)),
            });
        }
    };
    Parser::new(text).run()
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    flags: Flags,
    groups: Vec<Group>,
    /// The innermost group.
    group: Group,
    names: Vec<Option<String>>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            flags: Flags::default(),
            groups: Vec::new(),
            group: Group::default(),
            names: vec![None],
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// What was read since `start`.
    fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn error(&self, code: Code, start: usize) -> SyntaxError {
        SyntaxError::new(code, self.since(start))
    }

    fn next_char(&mut self) -> Option<char> {
        let char = self.rest().chars().next()?;
        self.at += char.len_utf8();
        Some(char)
    }

    fn run(mut self) -> Result<Translated, SyntaxError> {
        let mut last_repeat = None;
        while let Some(char) = self.rest().chars().next() {
            let start = self.at;
            let mut repeat = None;
            match char {
                '(' if self.rest().starts_with("(?") => self.flags_or_group()?,
                '(' => {
                    self.at += 1;
                    self.names.push(None);
                    self.open(true, self.flags)?;
                }
                '|' => {
                    self.at += 1;
                    self.group.end_alternative();
                }
                ')' => {
                    self.at += 1;
                    self.close()?;
                }
                '^' if self.flags.multi_line => self.fixed(1, "(?m:^)"),
                '^' => self.fixed(1, r"\A"),
                '$' if self.flags.multi_line => self.fixed(1, "(?m:$)"),
                '$' => self.fixed(1, r"\z"),
                '.' if self.flags.dot_matches_newline => self.fixed(1, "(?s:.)"),
                '.' => self.fixed(1, "."),
                '[' => {
                    let class = Class::parse(self.text, &mut self.at)?;
                    self.push(class.write(self.flags));
                }
                '*' | '+' | '?' => {
                    self.at += 1;
                    let suffix = char.to_string();
                    self.repeat(start, last_repeat, &suffix, Some(1))?;
                    repeat = Some(start);
                }
                '{' => match self.count() {
                    None => self.literal_at(char),
                    Some(Count { least, most }) => {
                        self.check_count(start, least, most)?;
                        let copies = Some(most.unwrap_or(least)).filter(|_| most != Some(0));
                        let suffix = self.since(start).to_owned();
                        self.repeat(start, last_repeat, &suffix, copies)?;
                        repeat = Some(start);
                    }
                },
                '\\' => self.escape()?,
                _ => self.literal_at(char),
            }
            last_repeat = repeat;
        }
        if !self.groups.is_empty() {
            return Err(SyntaxError::new(Code::MissingParen, self.text));
        }
        Ok(Translated {
            pattern: self.group.finish().pattern,
            group_names: self.names,
        })
    }

    fn push(&mut self, pattern: String) {
        self.group.atoms.push(Atom { pattern, copies: 1 });
    }

    /// So many bytes that always mean the same.
    fn fixed(&mut self, length: usize, pattern: &str) {
        self.at += length;
        self.push(pattern.to_owned());
    }

    fn literal_at(&mut self, char: char) {
        self.at += char.len_utf8();
        self.literal(u32::from(char));
    }

    fn literal(&mut self, char: u32) {
        self.push(class::write_literal(char, self.flags));
    }

    /// Opens a group, after which other flags hold.
    fn open(&mut self, is_capture: bool, outer: Flags) -> Result<(), SyntaxError> {
        if self.groups.len() >= MAX_NESTING {
            return Err(SyntaxError::new(Code::NestingDepth, self.text));
        }
        let group = Group {
            is_capture,
            outer,
            ..Group::default()
        };
        let outer = std::mem::replace(&mut self.group, group);
        self.groups.push(outer);
        Ok(())
    }

    fn close(&mut self) -> Result<(), SyntaxError> {
        let Some(outer) = self.groups.pop() else {
            return Err(SyntaxError::new(Code::UnexpectedParen, self.text));
        };
        let group = std::mem::replace(&mut self.group, outer);
        self.flags = group.outer;
        let opening = if group.is_capture { "(" } else { "(?:" };
        let Atom { pattern, copies } = group.finish();
        self.group.atoms.push(Atom {
            pattern: format!("{opening}{pattern})"),
            copies,
        });
        Ok(())
    }

    /// Repeats what stands before, nothing of which is left where there are no copies. With a `?`
    /// after it, it takes as little as possible.
    fn repeat(
        &mut self,
        start: usize,
        last_repeat: Option<usize>,
        suffix: &str,
        copies: Option<u32>,
    ) -> Result<(), SyntaxError> {
        let mut is_lazy = self.flags.swap_greed;
        if self.rest().starts_with('?') {
            self.at += 1;
            is_lazy = !is_lazy;
        }
        if let Some(last) = last_repeat {
            return Err(self.error(Code::InvalidRepeatOp, last));
        }
        let too_many = self.error(Code::InvalidRepeatSize, start);
        let Some(atom) = self.group.atoms.last_mut() else {
            return Err(self.error(Code::MissingRepeatArgument, start));
        };
        atom.copies = copies.map_or(1, |copies| atom.copies.saturating_mul(copies.max(1)));
        if atom.copies > MAX_COPIES {
            return Err(too_many);
        }
        let laziness = if is_lazy { "?" } else { "" };
        atom.pattern = format!("(?:{}){suffix}{laziness}", atom.pattern);
        Ok(())
    }

    fn check_count(&self, start: usize, least: u32, most: Option<u32>) -> Result<(), SyntaxError> {
        let is_too_large = |count: u32| count > MAX_COPIES;
        if is_too_large(least) || most.is_some_and(|most| is_too_large(most) || least > most) {
            return Err(self.error(Code::InvalidRepeatSize, start));
        }
        Ok(())
    }

    /// Reads `{2}`, `{2,}` or `{2,3}`; anything else is no repetition.
    fn count(&mut self) -> Option<Count> {
        let inner = self.rest().strip_prefix('{')?;
        let (inner, _) = inner.split_once('}')?;
        let (least, most) = match inner.split_once(',') {
            None => {
                let count = number(inner)?;
                (count, Some(count))
            }
            Some((least, "")) => (number(least)?, None),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        };
        self.at += inner.len() + 2;
        Some(Count { least, most })
    }

    /// `(?i)`, `(?i:` or `(?P<name>`.
    fn flags_or_group(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        let rest = self.rest();
        let name = rest
            .strip_prefix("(?P<")
            .or_else(|| rest.strip_prefix("(?<"))
            .filter(|name| !name.is_empty());
        if let Some(name) = name {
            let Some((name, after)) = name.split_once('>') else {
                return Err(SyntaxError::new(Code::InvalidNamedCapture, rest));
            };
            self.at = self.text.len() - after.len();
            let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || !name.bytes().all(is_valid) {
                return Err(self.error(Code::InvalidNamedCapture, start));
            }
            self.names.push(Some(name.to_owned()));
            return self.open(true, self.flags);
        }
        self.at += 2;
        let mut flags = self.flags;
        let (mut switch_to, mut saw_flag) = (true, false);
        while let Some(char) = self.next_char() {
            match char {
                'i' => flags.fold_case = switch_to,
                'm' => flags.multi_line = switch_to,
                's' => flags.dot_matches_newline = switch_to,
                'U' => flags.swap_greed = switch_to,
                '-' if switch_to => {
                    switch_to = false;
                    saw_flag = false;
                    continue;
                }
                ':' | ')' if switch_to || saw_flag => {
                    let outer = std::mem::replace(&mut self.flags, flags);
                    if char == ':' {
                        self.open(false, outer)?;
                    }
                    return Ok(());
                }
                _ => break,
            }
            saw_flag = true;
        }
        Err(self.error(Code::InvalidPerlOp, start))
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        match self.rest().as_bytes().get(1) {
            Some(b'A') => self.fixed(2, r"\A"),
            Some(b'b') => self.fixed(2, r"(?-u:\b)"),
            Some(b'B') => self.fixed(2, r"(?-u:\B)"),
            Some(b'z') => self.fixed(2, r"\z"),
            Some(b'C') => return Err(SyntaxError::new(Code::InvalidEscape, r"\C")),
            Some(b'Q') => {
                let quoted = &self.rest()[2..];
                let (quoted, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
                self.at = self.text.len() - after.len();
                for char in quoted.chars() {
                    self.literal(u32::from(char));
                }
            }
            _ => {
                if let Some(class) = Class::parse_escape(self.text, &mut self.at)? {
                    self.push(class.write(self.flags));
                    return Ok(());
                }
                self.at = start;
                let char = class::parse_char_escape(self.text, &mut self.at)?;
                self.literal(char);
            }
        }
        Ok(())
    }
}

impl Group {
    fn end_alternative(&mut self) {
        for atom in std::mem::take(&mut self.atoms) {
            self.alternatives.push_str(&atom.pattern);
            self.copies = self.copies.max(atom.copies);
        }
        self.alternatives.push('|');
    }

    /// All of it as one atom, without the parentheses.
    fn finish(mut self) -> Atom {
        self.end_alternative();
        self.alternatives.pop();
        Atom {
            pattern: self.alternatives,
            copies: self.copies.max(1),
        }
    }
}

/// How often something repeats.
struct Count {
    least: u32,
    most: Option<u32>,
}

/// Digits without a zero before them. What is too large for Go is too large here.
fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || text.len() > 1 && text.starts_with('0') {
        return None;
    }
    Some(text.parse().unwrap_or(u32::MAX))
}
