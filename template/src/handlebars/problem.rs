//! What is wrong with a template's text.

use std::ops::Range;

use cairn_spec::{Diagnostic, SourceId};

use super::ast::span;

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

    pub(super) fn into_diagnostic(self, source: SourceId) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(self.code, self.message)
            .at(span(source, &self.range))
            .maybe_hint(self.hint);
        if let Some((range, words)) = self.other {
            diagnostic = diagnostic.label(span(source, &range), words);
        }
        diagnostic
    }
}
