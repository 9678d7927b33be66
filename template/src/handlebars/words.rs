//! The words in a tag: names, paths, literals, parenthesised calls, `key=value`.

use std::ops::Range;

use super::{problem::Problem, tags::Scanner};

/// How deep parentheses may nest in one tag.
const MAX_PARENTHESES: usize = 32;

/// A name, literal or parenthesised call, perhaps as `key=…`.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) key: Option<Range<usize>>,
    pub(super) range: Range<usize>,
    /// The words inside of parentheses.
    pub(super) group: Option<Vec<Word>>,
}

type Lexed<T> = Result<T, Problem>;

impl Scanner<'_> {
    /// The words up to the end of the tag, or to the closing parenthesis.
    pub(super) fn words(&mut self, triple: bool, depth: usize) -> Lexed<Vec<Word>> {
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
        let names = self.text[start + 1..end].split_whitespace().count();
        if !(1..=2).contains(&names) {
            let message = format!("a block binds 1 or 2 parameters, found {names}");
            return Err(Problem::new(start..end + 1, message));
        }
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
            return Err(Problem::new(open, message)
                .hint("put a part of it into a partial, and take its text with `include`"));
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
                '[' => {
                    let Some(end) = self.rest().find(']') else {
                        let range = self.at..self.at + 1;
                        return Err(Problem::new(range, "this bracket is never closed"));
                    };
                    self.at += end + 1;
                }
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
