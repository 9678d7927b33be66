//! Regular expressions of schemas, which are Go's: linear in time, without look-around.

use cairn_template::go_regexp::Regexp;

/// A regular expression.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: String,
    compiled: Regexp,
}

impl Pattern {
    /// Compiles it, or says in Go's words what is wrong.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        Ok(Self {
            text: text.to_owned(),
            compiled: Regexp::new(text)?,
        })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches anywhere in the text.
    pub(super) fn is_match(&self, text: &str) -> bool {
        self.compiled.is_match(text.as_bytes())
    }
}
