//! The lines of a document, and the scalars that span some of them.

use super::scalar::{self, Quoted};

/// A line that holds a key or an item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'t> {
    /// How many spaces stand before its text.
    pub(super) column: usize,
    /// Its text, without space at either end.
    pub(super) text: &'t str,
}

/// The lines of a text that are still to come.
#[derive(Debug)]
pub(super) struct Lines<'t> {
    rest: &'t str,
}

impl<'t> Lines<'t> {
    /// The lines of a document, unless there is a character in it that needs a closer look.
    pub(super) fn new(document: &'t [u8]) -> Option<Self> {
        let text = std::str::from_utf8(document).ok()?;
        // Not `all`: to look at each byte is faster than to stop.
        let is_simple = document
            .iter()
            .fold(true, |all, byte| all & matches!(byte, b' '..=b'~' | b'\n'));
        if !is_simple && !text.chars().all(is_allowed) {
            return None;
        }
        Some(Self { rest: text })
    }

    /// The next line that is neither blank nor a comment.
    pub(super) fn next_entry(&mut self) -> Option<Line<'t>> {
        loop {
            let line = self.peek()?;
            self.skip(line);
            let text = scalar::without_spaces(line);
            if !text.is_empty() && !text.starts_with('#') {
                return Some(Line {
                    column: line.len() - text.len(),
                    text: text.trim_end_matches(' '),
                });
            }
        }
    }

    /// The next line, without its end.
    fn peek(&self) -> Option<&'t str> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest.as_bytes());
        Some(end.map_or(self.rest, |end| &self.rest[..end]))
    }

    fn skip(&mut self, line: &str) {
        self.rest = self.rest.get(line.len() + 1..).unwrap_or_default();
    }

    /// Goes past a scalar that starts with `text` in a collection at column `indent`; nothing
    /// where it needs a closer look.
    pub(super) fn scalar(&mut self, text: &'t str, indent: usize) -> Option<()> {
        match text.as_bytes().first()? {
            quote @ (b'"' | b'\'') => self.quoted(&text[1..], *quote),
            b'|' | b'>' => self.block(&text[1..], indent),
            b'{' | b'[' => scalar::is_end(super::flow::collection(text)?).then_some(()),
            _ => {
                let is_whole = scalar::plain(text)?.len() == text.len();
                if is_whole {
                    return self.continue_plain(indent);
                }
                Some(())
            }
        }
    }

    /// A text of one line that is nothing else in YAML.
    pub(super) fn name(&mut self, text: &'t str, indent: usize) -> Option<&'t str> {
        match text.as_bytes().first()? {
            quote @ (b'"' | b'\'') => {
                let Quoted::Closed(inner, after) = scalar::quoted(&text[1..], *quote)? else {
                    return None;
                };
                let is_exact = !inner.contains(['\\', '\'']);
                (is_exact && scalar::is_end(after)).then_some(inner)
            }
            b'A'..=b'Z' | b'a'..=b'z' => {
                let plain = scalar::plain(text)?;
                let is_continued = plain.len() == text.len() && self.is_continued(indent);
                (!is_continued && scalar::is_text(plain)).then_some(plain)
            }
            _ => None,
        }
    }

    /// What follows the quote that opens.
    fn quoted(&mut self, text: &'t str, quote: u8) -> Option<()> {
        let mut text = text;
        loop {
            if let Some(after) = scalar::quoted(text, quote)?.after() {
                return scalar::is_end(after).then_some(());
            }
            text = self.peek()?;
            if text.contains('\t') || text.starts_with("---") || text.starts_with("...") {
                return None;
            }
            self.skip(text);
        }
    }

    /// What follows the `|` or `>`.
    fn block(&mut self, header: &'t str, indent: usize) -> Option<()> {
        let header = header.strip_prefix(['-', '+']).unwrap_or(header);
        if !scalar::is_end(header) {
            return None;
        }
        let mut blank = 0;
        let mut content = None;
        while let Some(line) = self.peek() {
            let text = scalar::without_spaces(line);
            let column = line.len() - text.len();
            match content {
                // A blank line before the content may not be longer than what indents it.
                None if text.is_empty() => blank = blank.max(column),
                None if column <= indent => break,
                None if column < blank || text.starts_with('\t') => return None,
                None => content = Some(column),
                Some(content) if !text.is_empty() && column < content => break,
                Some(_) => {}
            }
            self.skip(line);
        }
        Some(())
    }

    /// Whether a plain scalar that fills its line goes on in the next one.
    fn is_continued(&self, indent: usize) -> bool {
        let text = self.rest.trim_start_matches([' ', '\n']);
        let before = &self.rest.as_bytes()[..self.rest.len() - text.len()];
        let spaces = before.iter().rev().take_while(|byte| **byte == b' ');
        !text.is_empty() && spaces.count() > indent && !text.starts_with('#')
    }

    fn continue_plain(&mut self, indent: usize) -> Option<()> {
        while self.is_continued(indent) {
            let line = self.peek()?;
            self.skip(line);
            let text = line.trim_matches(' ');
            if text.is_empty() {
                continue;
            }
            if scalar::plain_part(text)?.len() < text.len() {
                // A comment ends it.
                return Some(());
            }
        }
        Some(())
    }
}

/// What libyaml reads and takes for no line break. Tabs are looked at where they stand.
fn is_allowed(c: char) -> bool {
    match c {
        ' '..='~' | '\n' | '\t' => true,
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
        c => c >= '\u{a0}',
    }
}
