//! Text that knows where each of its bytes came from.
//!
//! A [`Text`] is what a template writes into, and what helpers that work on text take and give.
//! It knows nothing of template languages or of values.

use std::ops::Range;

use memchr::{memchr, memchr_iter};

use crate::{
    memory::Held,
    spans::{CauseId, Class, Mark, OriginSet, Tracker},
    unicode::runes,
};

/// Bytes up to `end` that share one mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) end: u32,
    pub(crate) mark: Mark,
}

/// A text and the marks of its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text {
    bytes: Vec<u8>,
    runs: Vec<Run>,
    /// What decided what is in the text and what is not, beyond what the marks tell: a
    /// condition that was false left no bytes to mark.
    shape: Vec<Shape>,
    /// Where nothing was written, in the order of the text.
    gaps: Vec<Gap>,
    held: Held,
}

/// A place in a text where something might have been written and was not: a condition was false,
/// or a value empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) at: u32,
    pub(crate) cause: CauseId,
    /// What is missing would have begun with a line break.
    pub(crate) is_of_lines: bool,
}

/// What decided what is in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Origins(OriginSet),
    /// All causes in a range of the tracker's: looked up only when somebody asks.
    Causes(Range<usize>),
}

impl Text {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An empty text that has room for so many bytes.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// A text with one mark.
    pub(crate) fn marked(text: impl Into<Vec<u8>>, mark: Mark) -> Self {
        let bytes = text.into();
        let runs = match end(bytes.len()) {
            0 => Vec::new(),
            end => vec![Run { end, mark }],
        };
        let held = Held::new(bytes.len());
        Self {
            bytes,
            runs,
            held,
            ..Self::default()
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text as far as it is UTF-8. Handlebars makes nothing else.
    pub(crate) fn as_str(&self) -> &str {
        utf8(&self.bytes)
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn run_count(&self) -> usize {
        self.runs.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes the bytes out, and leaves the marks. They count as held until those are dropped.
    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    pub(crate) fn into_parts(self) -> (Vec<u8>, Vec<Run>, Vec<Gap>) {
        (self.bytes, self.runs, self.gaps)
    }

    /// Remembers that nothing was written at the end of the text.
    pub(crate) fn add_gap(&mut self, cause: CauseId, is_of_lines: bool) {
        let at = end(self.bytes.len());
        self.push_gap(Gap {
            at,
            cause,
            is_of_lines,
        });
    }

    fn push_gap(&mut self, gap: Gap) {
        if self.gaps.last() != Some(&gap) {
            self.gaps.push(gap);
        }
    }

    pub(crate) fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Puts the gaps of another text into this one: `position` says where.
    fn take_gaps(&mut self, of: &[Gap], mut position: impl FnMut(u32) -> u32) {
        for gap in of {
            let at = position(gap.at);
            self.push_gap(Gap { at, ..*gap });
        }
    }

    pub(crate) fn push(&mut self, text: impl AsRef<[u8]>, mark: Mark) {
        let text = text.as_ref();
        if text.is_empty() {
            return;
        }
        self.bytes.extend_from_slice(text);
        self.close_run(mark);
        self.count();
    }

    /// Counts what the text holds.
    fn count(&self) {
        let runs = self.runs.capacity().saturating_mul(size_of::<Run>());
        self.held.set(self.bytes.capacity().saturating_add(runs));
    }

    /// Appends a text for good: what shaped it no longer matters.
    pub(crate) fn append(&mut self, other: &Self) {
        let before = end(self.bytes.len());
        self.bytes.extend_from_slice(&other.bytes);
        let mut runs = other.runs.iter().map(|run| Run {
            end: before.saturating_add(run.end),
            mark: run.mark,
        });
        if let Some(first) = runs.next() {
            match self.runs.last_mut() {
                Some(last) if last.mark == first.mark => last.end = first.end,
                _ => self.runs.push(first),
            }
        }
        self.runs.extend(runs);
        self.take_gaps(&other.gaps, |at| before.saturating_add(at));
        self.count();
    }

    /// Appends a text that becomes a part of this value.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.append(other);
        for shape in &other.shape {
            self.push_shape(shape.clone());
        }
    }

    /// Remembers what decided what is in the text.
    pub(crate) fn add_shape(&mut self, origins: OriginSet) {
        if origins != OriginSet::EMPTY {
            self.push_shape(Shape::Origins(origins));
        }
    }

    /// Remembers that what is in the text was decided by all causes in a range of the tracker's.
    pub(crate) fn add_causes(&mut self, causes: Range<usize>) {
        if !causes.is_empty() {
            self.push_shape(Shape::Causes(causes));
        }
    }

    fn push_shape(&mut self, shape: Shape) {
        if !self.shape.contains(&shape) {
            self.shape.push(shape);
        }
    }

    /// Adds what decided what is in the text, beyond what the marks tell.
    pub(crate) fn collect_shape(&self, tracker: &Tracker, sets: &mut Vec<OriginSet>) {
        for shape in &self.shape {
            match shape {
                Shape::Origins(origins) => sets.push(*origins),
                Shape::Causes(causes) => tracker.decided(causes.clone(), sets),
            }
        }
    }

    fn with_shape_of(mut self, other: &Self) -> Self {
        self.shape.clone_from(&other.shape);
        self
    }

    /// The pieces in order, each with its mark.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (&[u8], Mark)> {
        let mut start = 0;
        self.runs.iter().map(move |run| {
            let piece = &self.bytes[start..run.end as usize];
            start = run.end as usize;
            (piece, run.mark)
        })
    }

    /// The marks in order.
    pub(crate) fn marks(&self) -> impl DoubleEndedIterator<Item = Mark> + Clone {
        self.runs.iter().map(|run| run.mark)
    }

    /// A part of the text.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let mut part = Self::new();
        let first = self
            .runs
            .partition_point(|run| run.end as usize <= range.start);
        let mut start = range.start;
        for run in &self.runs[first..] {
            let end = (run.end as usize).min(range.end);
            if start >= end {
                break;
            }
            part.push(&self.bytes[start..end], run.mark);
            start = end;
        }
        let (first, last) = (end(range.start), end(range.end));
        let within = self.gaps.partition_point(|gap| gap.at < first);
        let after = self.gaps.partition_point(|gap| gap.at <= last);
        if let Some(gaps) = self.gaps.get(within..after) {
            part.take_gaps(gaps, |at| at - first);
        }
        part.with_shape_of(self)
    }

    /// Takes everything from `start` on out of the text.
    pub(crate) fn split_off(&mut self, start: usize) -> Self {
        let tail = self.slice(start..self.len());
        self.truncate(start);
        tail
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
        let kept = self.runs.partition_point(|run| (run.end as usize) < length);
        self.runs.truncate(kept + 1);
        if length == 0 {
            self.runs.clear();
        } else if let Some(last) = self.runs.last_mut() {
            last.end = last.end.min(end(length));
        }
        let kept = self.gaps.partition_point(|gap| gap.at <= end(length));
        self.gaps.truncate(kept);
    }

    /// The same text with every piece rewritten; the marks stay.
    pub(crate) fn map<T: AsRef<[u8]>>(&self, mut rewrite: impl FnMut(&[u8]) -> T) -> Self {
        let mut mapped = Self::new();
        let mut moved = Moved::new(self);
        for (piece, mark) in self.pieces() {
            moved.before(piece, &mut mapped);
            mapped.push(rewrite(piece), mark);
        }
        moved.rest(&mut mapped);
        mapped.with_shape_of(self)
    }

    /// The same text with every character rewritten, which keeps the mark of its first byte.
    pub(crate) fn map_runes(&self, mut rewrite: impl FnMut(char, &mut Vec<u8>)) -> Self {
        let mut mapped = Self::new();
        let mut rewritten = Vec::new();
        let mut runs = self.runs.iter();
        let mut run = runs.next();
        for (start, char) in runes(&self.bytes) {
            while let Some(done) = run.filter(|run| run.end as usize <= start) {
                mapped.push(&rewritten, done.mark);
                rewritten.clear();
                run = runs.next();
            }
            rewrite(char, &mut rewritten);
        }
        if let Some(last) = run {
            mapped.push(&rewritten, last.mark);
        }
        // Hardly a character changes its length, so the places are near enough.
        let length = end(mapped.len());
        mapped.take_gaps(&self.gaps, |at| at.min(length));
        mapped.with_shape_of(self)
    }

    /// The same text with every mark changed.
    pub(crate) fn remark(mut self, mut change: impl FnMut(Mark) -> Mark) -> Self {
        for run in &mut self.runs {
            run.mark = change(run.mark);
        }
        self
    }

    /// The same text with the cause of every gap changed.
    pub(crate) fn with_gaps_because(mut self, mut change: impl FnMut(CauseId) -> CauseId) -> Self {
        for gap in &mut self.gaps {
            gap.cause = change(gap.cause);
        }
        self
    }

    /// The same bytes, no longer the value itself but computed from it.
    pub(crate) fn derived(self) -> Self {
        self.remark(|mark| Mark {
            class: mark.class.max(Class::Derived),
            ..mark
        })
    }

    /// Each line that is not empty starts with `padding`.
    pub(crate) fn indented(&self, padding: &str) -> Self {
        let mut indented = Self::new();
        let mut moved = Moved::new(self);
        let mut at_line_start = true;
        for (piece, mark) in self.pieces() {
            for line in lines(piece) {
                moved.before(line, &mut indented);
                if at_line_start && !matches!(line, b"\n" | b"\r\n") {
                    indented.push(padding, mark);
                }
                indented.push(line, mark);
                at_line_start = line.ends_with(b"\n");
            }
        }
        moved.rest(&mut indented);
        indented.with_shape_of(self)
    }

    /// The text without each occurrence of some bytes.
    pub(crate) fn without(self, unwanted: &[u8]) -> Self {
        let mut kept = Self::new();
        let mut start = 0;
        let mut at = 0;
        while let Some(found) = find(&self.bytes[at..], unwanted) {
            kept.append(&self.slice(start..at + found));
            at += found + unwanted.len();
            start = at;
        }
        if start == 0 {
            return self;
        }
        kept.append(&self.slice(start..self.len()));
        kept.with_shape_of(&self)
    }

    /// The first line, and after each line break, `padding` and what follows.
    pub(crate) fn padded(&self, padding: &str) -> Self {
        let mut padded = Self::new();
        let mut moved = Moved::new(self);
        let mut pads = true;
        for (piece, mark) in self.pieces() {
            for line in lines(piece) {
                moved.before(line, &mut padded);
                if pads {
                    padded.push(padding, mark);
                }
                padded.push(line, mark);
                pads = line.ends_with(b"\n");
            }
        }
        moved.rest(&mut padded);
        if pads && let Some(last) = self.marks().next_back() {
            padded.push(padding, last);
        }
        padded.with_shape_of(self)
    }

    fn close_run(&mut self, mark: Mark) {
        let end = end(self.bytes.len());
        match self.runs.last_mut() {
            Some(last) if last.mark == mark => last.end = end,
            _ => self.runs.push(Run { end, mark }),
        }
    }
}

/// The gaps of a text that is copied piece by piece into another.
struct Moved<'t> {
    gaps: std::slice::Iter<'t, Gap>,
    /// How much was copied.
    at: usize,
}

impl<'t> Moved<'t> {
    fn new(text: &'t Text) -> Self {
        Self {
            gaps: text.gaps.iter(),
            at: 0,
        }
    }

    /// Moves what stands before a piece that is copied next.
    fn before(&mut self, piece: &[u8], into: &mut Text) {
        self.move_to(self.at, into);
        self.at += piece.len();
    }

    fn rest(&mut self, into: &mut Text) {
        self.move_to(usize::MAX, into);
    }

    fn move_to(&mut self, at: usize, into: &mut Text) {
        while let Some(gap) = self.gaps.as_slice().first()
            && gap.at as usize <= at
        {
            into.add_gap(gap.cause, gap.is_of_lines);
            self.gaps.next();
        }
    }
}

/// Texts are far below 4 GiB, since every render has a limit.
fn end(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Where some bytes occur first.
pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut at = 0;
    while let Some(found) = memchr(first, &bytes[at..]) {
        if bytes[at + found..].starts_with(wanted) {
            return Some(at + found);
        }
        at += found + 1;
    }
    None
}

/// The lines of some bytes, each with the break at its end.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    let ends = memchr_iter(b'\n', bytes).map(|at| at + 1);
    ends.chain([bytes.len()]).filter_map(move |end| {
        let line = &bytes[std::mem::replace(&mut start, end)..end];
        (!line.is_empty()).then_some(line)
    })
}

/// The bytes as text, up to the first that is not UTF-8.
pub(crate) fn utf8(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use cairn_spec::{SourceKind, Sources, Span};

    use super::*;
    use crate::spans::CauseId;

    fn mark(start: u32) -> Mark {
        let mut sources = Sources::new();
        let source = sources.add("t", "", SourceKind::Template);
        Mark {
            place: Span {
                source,
                start,
                end: start,
            },
            class: Class::Exact,
            origins: OriginSet::EMPTY,
            cause: CauseId::default(),
        }
    }

    fn two_lines() -> Text {
        let mut text = Text::new();
        text.push("ab", mark(1));
        text.push("c\n", mark(2));
        text.push("\nd", mark(2));
        text.push("ef", mark(3));
        text
    }

    fn shown(text: &Text) -> String {
        let pieces: Vec<String> = text
            .pieces()
            .map(|(piece, mark)| format!("{}:{:?}", mark.place.start, utf8(piece)))
            .collect();
        pieces.join(" ")
    }

    #[test]
    fn neighbours_with_equal_marks_become_one_run() {
        assert_eq!(shown(&two_lines()), r#"1:"ab" 2:"c\n\nd" 3:"ef""#);
    }

    #[test]
    fn parts_keep_their_marks() {
        let mut text = two_lines();
        assert_eq!(shown(&text.slice(1..4)), r#"1:"b" 2:"c\n""#);
        assert_eq!(shown(&text.split_off(6)), r#"3:"ef""#);
        assert_eq!(shown(&text), r#"1:"ab" 2:"c\n\nd""#);
        text.truncate(2);
        assert_eq!(shown(&text), r#"1:"ab""#);
        text.truncate(0);
        assert_eq!(shown(&text), "");
    }

    #[test]
    fn indentation_belongs_to_what_follows_and_spares_empty_lines() {
        assert_eq!(
            shown(&two_lines().indented("  ")),
            r#"1:"  ab" 2:"c\n\n  d" 3:"ef""#
        );
    }
}
