//! Where rendered bytes come from: which place in a template wrote them, from which values,
//! and under which conditions.
//!
//! While a template renders, origin sets and causes are interned in a [`Tracker`], so that a
//! mark is a few integers; the tracker then becomes part of the finished [`Spans`].

use std::{ops::Range, sync::Arc};

use cairn_spec::{OriginId, Span};
use foldhash::HashMap;

use crate::writer::{Gap, Run};

/// How the bytes follow from the values that are named as their origins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// They are the value itself, perhaps quoted or indented.
    Exact,
    /// They were computed from the values.
    Derived,
    /// They stand in the template: a constant of the pack.
    Template,
    /// They were generated, or asked of whoever renders: nothing in the inputs says them.
    Opaque,
}

/// Why a piece of a template was rendered at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// An `if` or `unless` block, or one of their `else` branches.
    Condition,
    /// A loop: once for each item.
    Loop,
    /// A `with` block.
    With,
    /// A helper that chose between its arguments, such as `default`.
    Choice,
    /// A partial or template, included here.
    Partial,
    /// A text that was rendered as a template here (`tpl`).
    Text,
    /// The chart of the template is switched on.
    Chart,
}

/// One reason why bytes were rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause<'a> {
    /// What kind of reason.
    pub kind: CauseKind,
    /// The condition, collection or inclusion in the template.
    pub place: Span,
    /// The values that decided.
    pub origins: &'a [OriginId],
}

/// Maps each byte of a rendered text to where it came from.
#[derive(Debug, Clone)]
pub struct Spans {
    runs: Vec<Run>,
    gaps: Vec<Gap>,
    tracker: Arc<Tracker>,
}

/// A place where something might have been written and was not: a condition was false, a list had
/// no items, or a value was empty.
#[derive(Debug, Clone, Copy)]
pub struct Absence<'a> {
    /// Where in the text.
    pub offset: usize,
    /// What is missing would have begun with a line break.
    pub is_of_lines: bool,
    cause: CauseId,
    tracker: &'a Tracker,
}

/// Where a range of bytes came from.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// The place in the template that wrote them.
    pub place: Span,
    /// How they follow from `origins`.
    pub class: Class,
    /// The values they came from; none for text of the template.
    pub origins: &'a [OriginId],
    cause: CauseId,
    tracker: &'a Tracker,
}

impl Spans {
    pub(crate) fn new(runs: Vec<Run>, gaps: Vec<Gap>, tracker: Arc<Tracker>) -> Self {
        Self {
            runs,
            gaps,
            tracker,
        }
    }

    /// The places from the start of a range to its end, both included, where something is missing.
    pub fn absences(&self, range: Range<usize>) -> impl Iterator<Item = Absence<'_>> {
        let first = self
            .gaps
            .partition_point(|gap| (gap.at as usize) < range.start);
        let gaps = self.gaps.get(first..).unwrap_or_default().iter();
        gaps.take_while(move |gap| gap.at as usize <= range.end)
            .map(|gap| Absence {
                offset: gap.at as usize,
                is_of_lines: gap.is_of_lines,
                cause: gap.cause,
                tracker: &self.tracker,
            })
    }

    /// Where one byte came from; none past the end.
    pub fn at(&self, offset: usize) -> Option<Piece<'_>> {
        let index = self.runs.partition_point(|run| run.end as usize <= offset);
        self.runs.get(index).map(|run| self.piece(run))
    }

    /// Where the bytes of a range came from, in order.
    pub fn within(&self, range: Range<usize>) -> impl Iterator<Item = (Range<usize>, Piece<'_>)> {
        let first = self
            .runs
            .partition_point(|run| run.end as usize <= range.start);
        let mut start = range.start;
        self.runs[first..]
            .iter()
            .map_while(move |run| {
                let piece = start..(run.end as usize).min(range.end);
                start = piece.end;
                (piece.start < piece.end).then_some((piece, run))
            })
            .map(|(piece, run)| (piece, self.piece(run)))
    }

    /// How many ranges with different sources there are.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// The text is empty.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    fn piece(&self, run: &Run) -> Piece<'_> {
        Piece {
            place: run.mark.place,
            class: run.mark.class,
            origins: self.tracker.origins(run.mark.origins),
            cause: run.mark.cause,
            tracker: &self.tracker,
        }
    }
}

impl<'a> Piece<'a> {
    /// Why these bytes are there, the innermost reason first.
    pub fn causes(&self) -> impl Iterator<Item = Cause<'a>> + use<'a> {
        self.tracker.chain(self.cause)
    }
}

impl<'a> Absence<'a> {
    /// Why nothing is there, the innermost reason first.
    pub fn causes(&self) -> impl Iterator<Item = Cause<'a>> + use<'a> {
        self.tracker.chain(self.cause)
    }
}

/// A set of origins in a [`Tracker`]: 0 is the empty set, an origin's index plus one is the set of
/// that origin alone, and the rest are indices into the tracker's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct OriginSet(u32);

impl OriginSet {
    pub(crate) const EMPTY: Self = Self(0);
    /// Set in what is an index into the table.
    const TABLE: u32 = 1 << 31;
}

/// A chain of causes in a [`Tracker`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct CauseId(u32);

/// What is known about a run of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) place: Span,
    pub(crate) class: Class,
    pub(crate) origins: OriginSet,
    pub(crate) cause: CauseId,
}

#[derive(Debug, Clone, Copy)]
struct CauseEntry {
    kind: CauseKind,
    place: Span,
    origins: OriginSet,
    parent: CauseId,
}

/// The interned origin sets and causes of one run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tracker {
    /// Sorted sets of two and more.
    sets: Vec<Arc<[OriginId]>>,
    set_ids: HashMap<Arc<[OriginId]>, OriginSet>,
    /// Every origin that is a set of its own, at its index, so that it can be borrowed as one.
    singles: Vec<OriginId>,
    /// Number `n` is `CauseId(n + 1)`.
    causes: Vec<CauseEntry>,
    /// Nothing is tracked: every set is empty, and there are no causes.
    off: bool,
}

impl Tracker {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A tracker that tracks nothing.
    pub(crate) fn off() -> Self {
        Self {
            off: true,
            ..Self::default()
        }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.off
    }

    /// The set of one origin.
    pub(crate) fn single(&mut self, origin: OriginId) -> OriginSet {
        if self.off {
            return OriginSet::EMPTY;
        }
        let index = origin.index();
        while self.singles.len() <= index {
            let next = u32::try_from(self.singles.len()).unwrap_or(u32::MAX);
            self.singles.push(OriginId::from_index(next));
        }
        // The table of origins is far smaller than 2^31.
        OriginSet(u32::try_from(index).unwrap_or(0) + 1)
    }

    /// All origins of both. What Cairn made itself says nothing, so it is left out.
    pub(crate) fn union(&mut self, left: OriginSet, right: OriginSet) -> OriginSet {
        if left == right || right == OriginSet::EMPTY {
            return left;
        }
        if left == OriginSet::EMPTY {
            return right;
        }
        let both = [self.origins(left), self.origins(right)].concat();
        self.set(both)
    }

    /// The set of all given origins, without what Cairn made itself.
    pub(crate) fn set(&mut self, mut origins: Vec<OriginId>) -> OriginSet {
        origins.retain(|&origin| origin != OriginId::GENERATED);
        origins.sort_unstable();
        origins.dedup();
        self.intern(&origins)
    }

    pub(crate) fn origins(&self, set: OriginSet) -> &[OriginId] {
        match set.0 {
            0 => &[],
            table if table & OriginSet::TABLE != 0 => {
                &self.sets[(table & !OriginSet::TABLE) as usize]
            }
            single => std::slice::from_ref(&self.singles[single as usize - 1]),
        }
    }

    /// A further cause inside of `parent`.
    pub(crate) fn add_cause(
        &mut self,
        kind: CauseKind,
        place: Span,
        origins: OriginSet,
        parent: CauseId,
    ) -> CauseId {
        if self.off {
            return CauseId::default();
        }
        self.causes.push(CauseEntry {
            kind,
            place,
            origins,
            parent,
        });
        CauseId(u32::try_from(self.causes.len()).unwrap_or(u32::MAX))
    }

    /// How many causes there are: where a range for [`Self::decided`] begins or ends.
    pub(crate) fn cause_count(&self) -> usize {
        self.causes.len()
    }

    /// Adds all that decided anything while a range of the causes came to be.
    pub(crate) fn decided(&self, causes: Range<usize>, sets: &mut Vec<OriginSet>) {
        for entry in self.causes.get(causes).unwrap_or_default() {
            if entry.origins != OriginSet::EMPTY && sets.last() != Some(&entry.origins) {
                sets.push(entry.origins);
            }
        }
    }

    /// Adds the origins of a chain of causes, down to where `outer` begins.
    pub(crate) fn collect_causes(&self, cause: CauseId, outer: CauseId, sets: &mut Vec<OriginSet>) {
        let causes = self.inner_causes(cause, outer);
        sets.extend(causes.iter().map(|entry| entry.origins));
    }

    /// All origins of all sets.
    pub(crate) fn union_all(&mut self, mut sets: Vec<OriginSet>) -> OriginSet {
        sets.sort_unstable_by_key(|set| set.0);
        sets.dedup();
        match sets.as_slice() {
            [] => OriginSet::EMPTY,
            [only] | [OriginSet::EMPTY, only] => *only,
            sets => {
                let origins = sets.iter().flat_map(|&set| self.origins(set));
                self.set(origins.copied().collect())
            }
        }
    }

    /// The chain of `cause` put inside of `outer`, where it is not so already: what was made
    /// elsewhere is there also because of where it is printed.
    pub(crate) fn rebase(&mut self, cause: CauseId, outer: CauseId) -> CauseId {
        if cause == outer || self.is_inside(cause, outer) {
            return cause;
        }
        let inner = self.inner_causes(cause, outer);
        inner.into_iter().rev().fold(outer, |parent, entry| {
            self.add_cause(entry.kind, entry.place, entry.origins, parent)
        })
    }

    /// The chain of `cause` leads to `outer`.
    pub(crate) fn is_inside(&self, mut cause: CauseId, outer: CauseId) -> bool {
        // A cause is always younger than what it lies in.
        while cause.0 > outer.0 {
            cause = self
                .cause(cause)
                .map_or(CauseId::default(), |entry| entry.parent);
        }
        cause == outer
    }

    /// The causes of a chain that are not causes of `outer`, innermost first.
    fn inner_causes(&self, cause: CauseId, outer: CauseId) -> Vec<CauseEntry> {
        let (mut inner, mut outer) = (cause, outer);
        let mut found = Vec::new();
        // A cause is always younger than what it lies in.
        while inner != outer {
            if inner.0 > outer.0 {
                let Some(entry) = self.cause(inner) else {
                    break;
                };
                inner = entry.parent;
                found.push(entry);
            } else {
                outer = self
                    .cause(outer)
                    .map_or(CauseId::default(), |entry| entry.parent);
            }
        }
        found
    }

    fn chain(&self, cause: CauseId) -> impl Iterator<Item = Cause<'_>> {
        std::iter::successors(self.cause(cause), |entry| self.cause(entry.parent)).map(|entry| {
            Cause {
                kind: entry.kind,
                place: entry.place,
                origins: self.origins(entry.origins),
            }
        })
    }

    fn cause(&self, id: CauseId) -> Option<CauseEntry> {
        let index = id.0.checked_sub(1)?;
        self.causes.get(index as usize).copied()
    }

    fn intern(&mut self, sorted: &[OriginId]) -> OriginSet {
        if self.off {
            return OriginSet::EMPTY;
        }
        match sorted {
            [] => return OriginSet::EMPTY,
            [origin] => return self.single(*origin),
            _ => {}
        }
        if let Some(&id) = self.set_ids.get(sorted) {
            return id;
        }
        let index = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        let id = OriginSet(index | OriginSet::TABLE);
        let set: Arc<[OriginId]> = sorted.into();
        self.sets.push(Arc::clone(&set));
        self.set_ids.insert(set, id);
        id
    }
}
