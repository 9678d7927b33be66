//! Diagnostics: user mistakes are data, collected and reported together.

use crate::{Origin, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The result cannot be used.
    Error,
    /// The result can be used, but probably is not what was meant.
    Warning,
    /// The result is fine; a careful author would still do it.
    Advice,
}

/// A place in a source text with a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The words; may be empty for the main place.
    pub text: String,
}

/// One finding: what, where, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable code such as `values-kind-change`, listed in `spec/diagnostics.md`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: one sentence, literals in backticks, no final period.
    pub message: String,
    /// Where; the first is the main place.
    pub labels: Vec<Label>,
    /// What to know besides.
    pub notes: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: Vec::new(),
            notes: Vec::new(),
            hint: None,
        }
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message)
        }
    }

    /// Advice.
    pub fn advice(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Advice,
            ..Self::error(code, message)
        }
    }

    /// Adds a place, unless there is none to point at.
    #[must_use]
    pub fn at(self, place: impl IntoSpan) -> Self {
        self.label(place, "")
    }

    /// Adds a place with a few words, unless there is none to point at.
    #[must_use]
    pub fn label(mut self, place: impl IntoSpan, text: impl Into<String>) -> Self {
        if let Some(span) = place.into_span() {
            self.labels.push(Label {
                span,
                text: text.into(),
            });
        }
        self
    }

    /// Adds something to know.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what to do next, if there is something to say.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }
}

/// Something that may point into a source text.
pub trait IntoSpan {
    /// The place, if there is one.
    fn into_span(self) -> Option<Span>;
}

impl IntoSpan for Span {
    fn into_span(self) -> Option<Span> {
        Some(self)
    }
}

impl IntoSpan for Option<Span> {
    fn into_span(self) -> Option<Span> {
        self
    }
}

impl IntoSpan for &Origin {
    fn into_span(self) -> Option<Span> {
        self.span
    }
}

/// The nearest of `candidates` to a mistyped `word`, for "did you mean".
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|&(distance, _)| distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `did you mean …?`, or what there is to choose from when nothing is near.
pub fn suggest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<String> {
    /// More than this many choices are not listed.
    const MAX_CHOICES: usize = 12;
    if let Some(near) = nearest(word, candidates.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let mut choices: Vec<&str> = candidates.into_iter().collect();
    choices.sort_unstable();
    choices.dedup();
    match choices.as_slice() {
        [] => None,
        [only] => Some(format!("expected `{only}`")),
        few if few.len() <= MAX_CHOICES => Some(format!("expected one of `{}`", few.join("`, `"))),
        _ => None,
    }
}

/// The most findings of one run that are kept: nobody reads more, and hostile inputs have millions.
const MAX_FINDINGS: usize = 500;

/// The findings of one run. Beyond a limit they are counted, but not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    all: Vec<Diagnostic>,
    errors_left_out: usize,
}

impl Diagnostics {
    /// No findings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a finding, unless the very same is already there.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.all.contains(&diagnostic) {
            return;
        }
        if self.all.len() < MAX_FINDINGS {
            self.all.push(diagnostic);
        } else if diagnostic.severity == Severity::Error {
            self.errors_left_out += 1;
        }
    }

    /// Adds all findings of another run, the count of those left out included.
    pub fn append(&mut self, others: Self) {
        self.errors_left_out += others.errors_left_out;
        self.extend(others.all);
    }

    /// Adds findings.
    pub fn extend(&mut self, others: impl IntoIterator<Item = Diagnostic>) {
        for diagnostic in others {
            self.push(diagnostic);
        }
    }

    /// There is an error among them.
    pub fn has_errors(&self) -> bool {
        self.error_count() > 0
    }

    /// How many errors there are.
    pub fn error_count(&self) -> usize {
        self.all
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .count()
            + self.errors_left_out
    }

    /// The findings in the order they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.all.iter()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many there are, without those that were left out.
    pub fn len(&self) -> usize {
        self.all.len()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested() {
        assert_eq!(nearest("imagee", ["image", "name"]), Some("image"));
        assert_eq!(nearest("zzz", ["image", "name"]), None);
        assert_eq!(
            suggest("zzz", ["b", "a"]).unwrap(),
            "expected one of `a`, `b`"
        );
    }

    #[test]
    fn the_same_finding_is_kept_once() {
        let mut diagnostics = Diagnostics::new();
        diagnostics.push(Diagnostic::error("a", "b"));
        diagnostics.push(Diagnostic::error("a", "b"));
        assert_eq!((diagnostics.len(), diagnostics.has_errors()), (1, true));
    }

    #[test]
    fn a_million_findings_are_counted_but_not_kept() {
        let mut diagnostics = Diagnostics::new();
        for index in 0..MAX_FINDINGS + 10 {
            diagnostics.push(Diagnostic::error("a", index.to_string()));
        }
        let mut all = Diagnostics::new();
        all.append(diagnostics);
        assert_eq!(
            (all.len(), all.error_count()),
            (MAX_FINDINGS, MAX_FINDINGS + 10)
        );
    }
}
