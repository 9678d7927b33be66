//! What the parser says of a text that is not YAML, in the words of the one who wrote it.

use granit_parser::ErrorKind;

use crate::Diagnostic;

/// The finding for a parser's error in a text; `line` is the line it is on, as far as it was read.
pub(super) fn finding(
    kind: &ErrorKind,
    (text, line): (&str, &str),
    max_depth: usize,
) -> Diagnostic {
    if matches!(kind, ErrorKind::RecursionLimitExceeded) {
        return too_deep(max_depth);
    }
    let (reason, hint) = if has_conflict(text) {
        (
            "a merge conflict is left in it".to_owned(),
            Some("choose one side, and remove the lines with `<<<<<<<`, `=======` and `>>>>>>>`"),
        )
    } else {
        (reason(kind), hint(kind, line))
    };
    Diagnostic::error("yaml-syntax", format!("this is not valid YAML: {reason}"))
        .maybe_hint(hint.map(str::to_owned))
}

/// Values are nested too deep.
pub(super) fn too_deep(max_depth: usize) -> Diagnostic {
    Diagnostic::error(
        "yaml-too-deep",
        format!("values are nested more than {max_depth} levels deep"),
    )
    .hint("flatten the values, or close the brackets that were left open")
}

/// Git leaves these lines; no YAML of ours begins a line so.
fn has_conflict(text: &str) -> bool {
    text.lines()
        .any(|line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> "))
}

fn reason(kind: &ErrorKind) -> String {
    let known = match kind {
        ErrorKind::MappingValueNotAllowed => "a `:` is not allowed here",
        ErrorKind::InvalidColonPlacement => "a `:` is not expected here",
        ErrorKind::UnknownAnchor => "there is no anchor of this name above",
        ErrorKind::UnclosedQuotedScalar => "the quote is never closed",
        ErrorKind::ExpectedBlockMappingKey => "a key is expected here",
        ErrorKind::ExpectedBlockSequenceEntry => "a `-` is expected here",
        ErrorKind::ExpectedDocumentStart => "the text goes on after its value has ended",
        ErrorKind::ExpectedNodeContent => "a value is expected here",
        ErrorKind::ExpectedFlowMappingSeparator => "a `,` or `}` is expected here",
        ErrorKind::ExpectedFlowSequenceSeparator => "a `,` or `]` is expected here",
        ErrorKind::UnexpectedEofImplicitFlowMapping => "a key or value is expected here",
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabNotAllowed => "a tab is not allowed here",
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            "a key must be followed by `:` on its line"
        }
        ErrorKind::UnexpectedCharacter { character } => {
            return format!("unexpected character `{}`", character.escape_default());
        }
        ErrorKind::UnclosedFlowCollection { open } => {
            return format!("the bracket `{open}` is never closed");
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            return format!("the bracket `{open}` is closed by `{close}`");
        }
        other => return other.to_string(),
    };
    known.to_owned()
}

fn hint(kind: &ErrorKind, line: &str) -> Option<&'static str> {
    let hint = match kind {
        _ if line.contains('\t') => "indent with blanks, not tabs",
        ErrorKind::MappingValueNotAllowed => {
            "quote a text that holds `: `; keys of one map have the same indentation"
        }
        ErrorKind::InvalidColonPlacement => {
            "close the `[` or `{` before it, or quote a text that holds a `:`"
        }
        ErrorKind::UnknownAnchor => {
            "`*name` repeats a value marked with `&name` before it; quote a text that starts with `*`"
        }
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidTrailingSingleQuotedScalar
        | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            "quote the whole text; within single quotes write `''` for a quote, within double quotes `\\\"`"
        }
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::ExpectedDocumentStart
        | ErrorKind::InvalidIndentation => {
            "keys of one map, and items of one list, have the same indentation"
        }
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::MismatchedFlowCollectionEnd { .. }
        | ErrorKind::MisplacedFlowCollectionEnd => {
            "check the brackets and commas; between two items stands one `,`"
        }
        ErrorKind::UnexpectedCharacter { character } if character.is_control() => {
            "control characters can only be written as an escape within double quotes, such as `\"\\u001b\"`"
        }
        ErrorKind::UnexpectedCharacter { .. } => "quote a text that starts with this character",
        ErrorKind::UnknownQuotedScalarEscape => {
            "write `\\\\` for a backslash, or use single quotes, which have no escapes"
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            "add the `:`, or a `|` after the key before to begin a text of several lines"
        }
        _ => return None,
    };
    Some(hint)
}
