//! What is wrong with a pattern, as Go says it.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    InvalidCharRange,
    InvalidEscape,
    InvalidNamedCapture,
    InvalidPerlOp,
    InvalidRepeatOp,
    InvalidRepeatSize,
    InvalidUtf8,
    MissingBracket,
    MissingParen,
    MissingRepeatArgument,
    TrailingBackslash,
    UnexpectedParen,
    NestingDepth,
    Large,
}

impl Code {
    /// What is wrong is said of the whole pattern.
    pub(super) fn is_about_all(self) -> bool {
        matches!(self, Self::UnexpectedParen | Self::NestingDepth)
    }

    /// It is what is missing at the end.
    pub(super) fn is_about_end(self) -> bool {
        matches!(
            self,
            Self::MissingBracket | Self::MissingParen | Self::TrailingBackslash
        )
    }
}

/// What is wrong, and the part of the pattern that it is wrong with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) code: Code,
    pub(super) part: String,
}

impl SyntaxError {
    pub(super) fn new(code: Code, part: impl Into<String>) -> Self {
        let part = part.into();
        Self { code, part }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.code {
            Code::InvalidCharRange => "invalid character class range",
            Code::InvalidEscape => "invalid escape sequence",
            Code::InvalidNamedCapture => "invalid named capture",
            Code::InvalidPerlOp => "invalid or unsupported Perl syntax",
            Code::InvalidRepeatOp => "invalid nested repetition operator",
            Code::InvalidRepeatSize => "invalid repeat count",
            Code::InvalidUtf8 => "invalid UTF-8",
            Code::MissingBracket => "missing closing ]",
            Code::MissingParen => "missing closing )",
            Code::MissingRepeatArgument => "missing argument to repetition operator",
            Code::TrailingBackslash => "trailing backslash at end of expression",
            Code::UnexpectedParen => "unexpected )",
            Code::NestingDepth => "expression nests too deeply",
            Code::Large => "expression too large",
        };
        write!(f, "error parsing regexp: {problem}: `{}`", self.part)
    }
}
