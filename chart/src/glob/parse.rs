//! Reads patterns.

/// How deep alternatives may nest.
const MAX_DEPTH: usize = 32;
/// The most parts of a pattern or an alternative: the compiler's time grows with their cube.
const MAX_PARTS: usize = 100;

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Parts one after the other.
    Pattern(Vec<Node>),
    /// Patterns of which one matches.
    AnyOf(Vec<Node>),
    /// `*`
    Any,
    /// `**`
    Super,
    /// `?`
    Single,
    /// What is left of an alternative once the others' common parts are taken out.
    Nothing,
    List {
        chars: String,
        not: bool,
    },
    Range {
        low: char,
        high: char,
        not: bool,
    },
    Text(String),
}

/// Reads a pattern, or says what is wrong with it.
pub(super) fn parse(pattern: &str) -> Result<Node, String> {
    let mut reader = Reader {
        // To the library, NUL is the end.
        rest: pattern.split('\0').next().unwrap_or_default(),
    };
    reader.pattern(0)
}

struct Reader<'p> {
    rest: &'p str,
}

impl Reader<'_> {
    /// A pattern up to its end, or up to the `,` or `}` after it within alternatives.
    fn pattern(&mut self, depth: usize) -> Result<Node, String> {
        if depth > MAX_DEPTH {
            return Err(format!("alternatives nested more than {MAX_DEPTH} deep"));
        }
        let mut parts = Vec::new();
        while let Some(c) = self.peek() {
            if parts.len() == MAX_PARTS {
                return Err(format!("pattern of more than {MAX_PARTS} parts"));
            }
            parts.push(match c {
                ',' | '}' if depth > 0 => break,
                '*' => {
                    self.eat('*');
                    if self.eat('*') {
                        Node::Super
                    } else {
                        Node::Any
                    }
                }
                '?' => {
                    self.eat('?');
                    Node::Single
                }
                '[' => {
                    self.eat('[');
                    self.class()?
                }
                '{' => {
                    self.eat('{');
                    self.alternatives(depth + 1)?
                }
                _ => match self.text(depth > 0) {
                    text if text.is_empty() => continue,
                    text => Node::Text(text),
                },
            });
        }
        Ok(Node::Pattern(parts))
    }

    /// What is between `{` and `}`; the end of the text counts as a `}` too.
    fn alternatives(&mut self, depth: usize) -> Result<Node, String> {
        let mut alternatives = vec![self.pattern(depth)?];
        while self.eat(',') {
            if alternatives.len() == MAX_PARTS {
                return Err(format!("more than {MAX_PARTS} alternatives"));
            }
            alternatives.push(self.pattern(depth)?);
        }
        self.eat('}');
        Ok(Node::AnyOf(alternatives))
    }

    fn text(&mut self, in_alternatives: bool) -> String {
        let mut text = String::new();
        while let Some(c) = self.peek() {
            match c {
                '*' | '?' | '[' | '{' => break,
                ',' | '}' if in_alternatives => break,
                '\\' => {
                    self.eat('\\');
                    text.extend(self.next());
                }
                _ => text.extend(self.next()),
            }
        }
        text
    }

    /// A class, whose `[` is gone: one range, or a list of characters.
    fn class(&mut self) -> Result<Node, String> {
        const UNEXPECTED_END: &str = "unexpected end of input";
        let not = self.eat('!');
        let first = self.peek().ok_or(UNEXPECTED_END)?;
        let after_first = self.rest.get(first.len_utf8()..).unwrap_or_default();
        if let Some(range) = after_first.strip_prefix('-') {
            self.rest = range;
            let high = self.next().ok_or(UNEXPECTED_END)?;
            self.close()?;
            if high < first {
                return Err(format!(
                    "hi character '{high}' should be greater than lo '{first}'"
                ));
            }
            return Ok(Node::Range {
                low: first,
                high,
                not,
            });
        }
        let mut chars = String::new();
        while let Some(c) = self.peek().filter(|c| *c != ']') {
            self.next();
            match c {
                '\\' => chars.extend(self.next()),
                _ => chars.push(c),
            }
        }
        self.close()?;
        if chars.is_empty() {
            return Err("could not parse range".to_owned());
        }
        Ok(Node::List { chars, not })
    }

    fn close(&mut self) -> Result<(), String> {
        match self.next() {
            Some(']') => Ok(()),
            Some(_) => Err("expected close range character".to_owned()),
            None => Err("unexpected end of input".to_owned()),
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = self.rest.get(c.len_utf8()..)?;
        Some(c)
    }

    fn eat(&mut self, expected: char) -> bool {
        let rest = self.rest.strip_prefix(expected);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}
