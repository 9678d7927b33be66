//! Regular expressions of schemas, which are Go's: linear in time, without look-around.

use regex::bytes::Regex;

/// A regular expression.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: String,
    compiled: Regex,
}

impl Pattern {
    /// Compiles it, or says in Go's words what is wrong.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        Ok(Self {
            text: text.to_owned(),
            compiled: Regex::new(text).map_err(|e| format!("error parsing regexp: {e}"))?,
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
