//! The characters of an argument.

use std::ops::Range;

/// A position in an argument.
#[derive(Debug)]
pub(super) struct Scanner<'t> {
    text: &'t str,
    pub(super) at: usize,
}

/// What stands before a character that ends it.
#[derive(Debug)]
pub(super) struct Token {
    /// The text, without the backslashes of its escapes.
    pub(super) text: String,
    /// Where it stands.
    pub(super) range: Range<usize>,
}

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Takes a character, if it is the next.
    pub(super) fn take(&mut self, wanted: char) -> bool {
        let is_next = self.rest().starts_with(wanted);
        if is_next {
            self.at += wanted.len_utf8();
        }
        is_next
    }

    /// All up to one of `stops`, which is taken and given too; none is the end. A backslash
    /// takes away the meaning of what follows, unless the argument is `literal`.
    pub(super) fn until(&mut self, stops: &[char], literal: bool) -> (Token, Option<char>) {
        let start = self.at;
        let mut text = String::new();
        loop {
            let end = self.at;
            let token = |text| Token {
                text,
                range: start..end,
            };
            match self.next() {
                None => return (token(text), None),
                Some(stop) if stops.contains(&stop) => return (token(text), Some(stop)),
                Some('\\') if !literal => match self.next() {
                    None => return (token(text), None),
                    Some(escaped) => text.push(escaped),
                },
                Some(other) => text.push(other),
            }
        }
    }

    /// Whether nothing but spaces comes before the next comma or the end; takes all of that.
    pub(super) fn blank_value(&mut self) -> bool {
        loop {
            let before = self.at;
            match self.next() {
                None | Some(',') => return true,
                Some(space) if space.is_whitespace() => {}
                Some(_) => {
                    self.at = before;
                    return false;
                }
            }
        }
    }
}
