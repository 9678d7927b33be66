//! What is known of the bytes of a field: the values and places they came from, and why they are
//! there.

use std::{fmt, ops::Range};

use cairn_spec::{OriginId, Span};
use cairn_template::{Absence, Cause, CauseKind, Class, Piece};

use crate::Document;

/// How a field follows from the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OriginKind {
    /// It is one value, as it was written.
    Exact,
    /// It was computed from values, or put together from values and text of the template.
    Derived,
    /// It is text of the template that is there because of values.
    Controlled,
    /// It is text of the template.
    Template,
    /// It was generated, or asked of a cluster.
    Opaque,
}

impl fmt::Display for OriginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Exact => "exact",
            Self::Derived => "derived",
            Self::Controlled => "controlled",
            Self::Template => "template",
            Self::Opaque => "opaque",
        })
    }
}

/// Where a field came from.
#[derive(Debug, Clone)]
pub struct Explanation<'d> {
    /// How it follows from the inputs.
    pub kind: OriginKind,
    /// The values that it came from, in the order in which they show.
    pub origins: Vec<OriginId>,
    /// The places in templates that wrote it.
    pub written: Vec<Written>,
    /// What let it exist, the outermost first.
    pub because: Vec<Cause<'d>>,
    /// What kept more from being written there, the outermost first.
    pub without: Vec<Cause<'d>>,
}

/// A place in a template that wrote something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The place.
    pub place: Span,
    /// Where the template was included that it stands in, the innermost first.
    pub included: Vec<Span>,
}

impl<'d> Explanation<'d> {
    /// Explains the value in some bytes of a document, and why that which leads to it is there.
    pub fn of(document: &'d Document, value: Range<usize>, leads: &[Range<usize>]) -> Self {
        let bytes = document.bytes();
        let mut explanation = Self {
            kind: OriginKind::Template,
            origins: Vec::new(),
            written: Vec::new(),
            because: Vec::new(),
            without: Vec::new(),
        };
        for lead in leads {
            let inked = trimmed(bytes, lead.clone());
            for (_, piece) in document.origins_within(inked) {
                explanation.add_causes(&piece);
            }
        }
        let mut classes = Vec::new();
        let mut sets: Vec<&[OriginId]> = Vec::new();
        for (range, piece) in document.origins_within(content(bytes, value.clone())) {
            let text = bytes.get(range).unwrap_or_default();
            if text.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            classes.push(piece.class);
            sets.push(piece.origins);
            for &origin in piece.origins {
                if !explanation.origins.contains(&origin) {
                    explanation.origins.push(origin);
                }
            }
            explanation.add_causes(&piece);
            explanation.add_place(&piece);
        }
        for absence in missing_in(document, value) {
            explanation.add_missing(&absence);
        }
        let is_one =
            sets.windows(2).all(|pair| pair[0] == pair[1]) && explanation.origins.len() == 1;
        explanation.kind = if classes.contains(&Class::Opaque) {
            OriginKind::Opaque
        } else if is_one && classes.iter().all(|class| *class == Class::Exact) {
            OriginKind::Exact
        } else if !explanation.origins.is_empty() {
            OriginKind::Derived
        } else if explanation.reasons().any(|it| !it.origins.is_empty()) {
            OriginKind::Controlled
        } else {
            OriginKind::Template
        };
        explanation
    }

    fn add_place(&mut self, piece: &Piece<'d>) {
        let included = piece
            .causes()
            .filter(|cause| matches!(cause.kind, CauseKind::Partial | CauseKind::Text))
            .map(|cause| cause.place)
            .collect();
        let written = Written {
            place: piece.place,
            included,
        };
        if !self.written.contains(&written) {
            self.written.push(written);
        }
    }

    fn add_causes(&mut self, piece: &Piece<'d>) {
        for cause in outermost_first(piece.causes()) {
            if !self.because.contains(&cause) {
                self.because.push(cause);
            }
        }
    }

    fn add_missing(&mut self, absence: &Absence<'d>) {
        for cause in outermost_first(absence.causes()) {
            if !self.because.contains(&cause) && !self.without.contains(&cause) {
                self.without.push(cause);
            }
        }
    }

    /// All reasons, for what is there and for what is not.
    pub fn reasons(&self) -> impl Iterator<Item = &Cause<'d>> {
        self.because.iter().chain(&self.without)
    }
}

/// The conditions, without who included what.
fn outermost_first<'d>(causes: impl Iterator<Item = Cause<'d>>) -> Vec<Cause<'d>> {
    let mut causes: Vec<Cause<'d>> = causes
        .filter(|cause| match cause.kind {
            CauseKind::Partial => false,
            CauseKind::Choice | CauseKind::Text | CauseKind::Chart => !cause.origins.is_empty(),
            CauseKind::Condition | CauseKind::Loop | CauseKind::With => true,
        })
        .collect();
    causes.reverse();
    causes
}

/// Where in the bytes of a scalar something is missing that would be a part of it. Whole lines
/// are parts of blocks, and of what is empty as long as nothing is there.
pub fn missing_in(document: &Document, value: Range<usize>) -> impl Iterator<Item = Absence<'_>> {
    let bytes = document.bytes();
    let text = bytes.get(value.clone()).unwrap_or_default();
    let takes_lines = matches!(text, [] | [b'|' | b'>', ..]);
    let rest = bytes.get(value.end..).unwrap_or_default();
    let is_blank = |byte: u8| byte == b' ' || text.is_empty() && byte.is_ascii_whitespace();
    let blanks = rest.iter().take_while(|&&byte| is_blank(byte)).count();
    document
        .absences(value.start..value.end + blanks)
        .filter(move |absence| takes_lines || !absence.is_of_lines)
}

/// The bytes of a scalar without what only YAML needs: quotes, or the head of a block.
fn content(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let text = bytes.get(range.clone()).unwrap_or_default();
    match text {
        [first @ (b'"' | b'\''), .., last] if first == last && text.len() > 2 => {
            range.start + 1..range.end - 1
        }
        [b'|' | b'>', ..] => {
            let head = text.iter().position(|&byte| byte == b'\n');
            head.map_or(range.clone(), |head| range.start + head + 1..range.end)
        }
        _ => range,
    }
}

/// The range without the space around it.
pub(super) fn trimmed(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let text = bytes.get(range.clone()).unwrap_or_default();
    let start = text.len() - text.trim_ascii_start().len();
    let end = text.trim_ascii().len();
    range.start + start..range.start + start + end
}
