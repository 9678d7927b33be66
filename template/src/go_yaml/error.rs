//! Why a value cannot be written as YAML, or a text not be read, in Go's words.

use std::{borrow::Cow, fmt};

use super::{
    MAX_DEPTH, MAX_INPUT_BYTES, MAX_NODES,
    compose::mark_of,
    input::{Input, InputError},
    scan::Mark,
};

/// Why a value cannot be written. `toYaml` then gives the empty text, `mustToYaml` this one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// A text holds a character that go-yaml does not read.
    ControlCharacter,
    /// A key is longer than 1,024 characters in JSON, or holds U+0085.
    Key {
        /// How many lines U+0085 makes of the key beyond the first.
        lines: usize,
    },
    /// U+0085 begins a line that starts with `---` or `...`.
    DocumentIndicator,
    /// A number is infinite or not a number, and JSON has no such numbers.
    NotFinite(String),
    /// Lists and maps nest deeper than [`MAX_DEPTH`].
    TooDeep,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControlCharacter => f.write_str("yaml: control characters are not allowed"),
            Self::Key { lines: 0 } => f.write_str("yaml: did not find expected ',' or '}'"),
            Self::Key { lines } => {
                write!(f, "yaml: line {lines}: did not find expected ',' or '}}'")
            }
            Self::DocumentIndicator => f.write_str("yaml: found unexpected document indicator"),
            Self::NotFinite(value) => write!(
                f,
                "error marshaling into JSON: json: unsupported value: {value}"
            ),
            Self::TooDeep => write!(f, "yaml: exceeded max depth of {MAX_DEPTH}"),
        }
    }
}

impl std::error::Error for WriteError {}

/// Why a text cannot be read: its text is the one that Go prints, its place is more exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    message: String,
    place: Option<ErrorPlace>,
}

/// A place in a text that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorPlace {
    /// In bytes from 0.
    pub offset: usize,
    /// From 1.
    pub line: usize,
    /// In characters from 1.
    pub column: usize,
}

impl ReadError {
    /// Where the mistake was found.
    pub fn place(&self) -> Option<ErrorPlace> {
        self.place
    }

    pub(super) fn new(message: String, place: Option<ErrorPlace>) -> Self {
        Self { message, place }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

/// A mistake as the part that found it knows it.
#[derive(Debug, Clone)]
pub(super) struct Failure(Box<Mistake>);

#[derive(Debug, Clone)]
struct Mistake {
    problem: Cow<'static, str>,
    /// What go-yaml counts lines from, if it knows any place.
    mark: Mark,
    context: Mark,
    found_by_scanner: bool,
    place: Option<Mark>,
    /// As `place`, where only the offset is known.
    offset: Option<usize>,
}

impl Failure {
    /// A mistake whose place Go does not print.
    pub(super) fn new(problem: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Mistake {
            problem: problem.into(),
            mark: Mark::default(),
            context: Mark::default(),
            found_by_scanner: false,
            place: None,
            offset: None,
        }))
    }

    /// A mistake at an offset of the text, which [`Self::placed`] makes a place of.
    pub(super) fn at_offset(mut self, offset: usize) -> Self {
        self.0.offset = Some(offset);
        self
    }

    pub(super) fn placed(self, input: &Input<'_>) -> Self {
        match self.0.offset {
            Some(offset) => self.at(mark_of(input, offset)),
            None => self,
        }
    }

    pub(super) fn at(mut self, place: Mark) -> Self {
        self.0.place = Some(place);
        self
    }

    /// A mistake of tokens at `mark`, in what began at `context`.
    pub(super) fn by_scanner(
        problem: impl Into<Cow<'static, str>>,
        mark: Mark,
        context: Mark,
    ) -> Self {
        let mut failure = Self::by_parser(problem, mark, context);
        failure.0.found_by_scanner = true;
        failure
    }

    /// A mistake of structure at `mark`, in what began at `context`.
    pub(super) fn by_parser(
        problem: impl Into<Cow<'static, str>>,
        mark: Mark,
        context: Mark,
    ) -> Self {
        let mut failure = Self::new(problem).at(mark);
        failure.0.mark = mark;
        failure.0.context = context;
        failure
    }

    pub(super) fn too_deep() -> Self {
        Self::new(format!("exceeded max depth of {MAX_DEPTH}"))
    }

    pub(super) fn too_many_nodes() -> Self {
        Self::new(format!("the document holds more than {MAX_NODES} values"))
    }

    pub(super) fn too_long(bytes: usize) -> Self {
        Self::new(format!(
            "the document has {bytes} bytes, more than {MAX_INPUT_BYTES}"
        ))
    }

    /// The error as `go-yaml` prints it: only the scanner's lines count from 1.
    pub(super) fn yaml(self) -> ReadError {
        let line = match self.0.mark.line {
            0 => self.0.context.line,
            line => line + usize::from(self.0.found_by_scanner),
        };
        let problem = &self.0.problem;
        let message = if line > 0 {
            format!("yaml: line {line}: {problem}")
        } else {
            format!("yaml: {problem}")
        };
        self.conversion(&message)
    }

    /// The error as it is printed after go-yaml is done.
    pub(super) fn after_yaml(self) -> ReadError {
        self.conversion(&self.0.problem)
    }

    fn conversion(&self, message: &str) -> ReadError {
        ReadError {
            message: format!("error converting YAML to JSON: {message}"),
            place: self.0.place.map(|mark| ErrorPlace {
                offset: mark.offset,
                line: mark.line + 1,
                column: mark.column + 1,
            }),
        }
    }
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        Self::new(error.problem).at(error.mark)
    }
}
