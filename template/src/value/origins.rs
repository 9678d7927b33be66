//! Where values came from and what decided that they are these.

use std::{borrow::Cow, rc::Rc};

use cairn_spec::{OriginId, Span, Value as Tree, yaml};

use super::{Data, Source, Value};
use crate::{
    go::format::print,
    spans::{CauseId, Class, Mark, OriginSet},
    state::{Outcome, State},
    writer::Text,
};

impl Value {
    /// A boolean, number or text as Handlebars prints it; nothing for null, lists and maps.
    pub(crate) fn to_text(&self, place: Span, state: &mut State<'_>) -> Option<Rc<Text>> {
        if let Data::Text(text) = &self.data {
            return Some(self.explained(text, place, state));
        }
        let text: Cow<'_, [u8]> = match &self.data {
            Data::Str(text) => Cow::Borrowed(text),
            Data::Bool(value) => Cow::Borrowed(if *value { b"true" } else { b"false" }),
            Data::Int(value, _) => Cow::Owned(value.to_string().into_bytes()),
            Data::Float(value) => Cow::Owned(yaml::write_scalar(&Tree::Float(*value)).into_bytes()),
            _ => return None,
        };
        state.read_whole(self);
        let mark = self.mark(place, state);
        Some(Rc::new(self.marked(text.into_owned(), mark, state)))
    }

    /// Bytes that are this value; where there are none, it is known what left them out.
    fn marked(&self, bytes: impl Into<Vec<u8>>, mark: Mark, state: &mut State<'_>) -> Text {
        let mut text = Text::marked(bytes, mark);
        if text.is_empty() {
            let origins = state.tracker.union(self.source.origins, self.because);
            left_out(&mut text, origins, mark.place, state);
        }
        text
    }

    /// The value as Go prints it, each byte with where it came from.
    pub(crate) fn printed(&self, place: Span, state: &mut State<'_>) -> Outcome<Rc<Text>> {
        match &self.data {
            Data::Text(text) => return Ok(self.explained(text, place, state)),
            Data::Str(text) => {
                state.read_whole(self);
                let mark = self.mark(place, state);
                return Ok(Rc::new(self.marked(&**text, mark, state)));
            }
            _ => {}
        }
        state.check_unfolded(self)?;
        let bytes = print(self);
        state.check_length(bytes.len())?;
        let mark = if matches!(self.data, Data::List(_) | Data::Map(_)) {
            let origins = self.deep_origins(state)?;
            let source = Source::derived(origins);
            state.mark(place, source.class, source.origins)
        } else {
            state.read_whole(self);
            self.mark(place, state)
        };
        Ok(Rc::new(Text::marked(bytes, mark)))
    }

    /// The mark of bytes that are this value, written at a place of the template.
    pub(crate) fn mark(&self, place: Span, state: &mut State<'_>) -> Mark {
        Mark {
            cause: state.cause_of(self.because, place),
            ..state.mark(place, self.source.class, self.source.origins)
        }
    }

    /// The text, each piece of which is there also because of where it is printed, and of what
    /// chose this value.
    pub(crate) fn explained(
        &self,
        text: &Rc<Text>,
        place: Span,
        state: &mut State<'_>,
    ) -> Rc<Text> {
        if state.tracker.is_off() {
            return Rc::clone(text);
        }
        if text.is_empty() {
            if self.because == OriginSet::EMPTY {
                return Rc::clone(text);
            }
            let mut empty = Text::clone(text);
            left_out(&mut empty, self.because, place, state);
            return Rc::new(empty);
        }
        let outer = state.cause_of(self.because, place);
        let is_inside = |cause| state.tracker.is_inside(cause, outer);
        if text.marks().all(|mark| is_inside(mark.cause))
            && text.gaps().iter().all(|gap| is_inside(gap.cause))
        {
            return Rc::clone(text);
        }
        let mut last: Option<(CauseId, CauseId)> = None;
        let count = state.tracker.cause_count();
        let explained = Text::clone(text).remark(|mark| {
            let cause = match last {
                Some((known, cause)) if known == mark.cause => cause,
                _ => state.tracker.rebase(mark.cause, outer),
            };
            last = Some((mark.cause, cause));
            Mark { cause, ..mark }
        });
        let explained = explained.with_gaps_because(|cause| state.tracker.rebase(cause, outer));
        state.charge(state.tracker.cause_count() - count);
        Rc::new(explained)
    }

    /// Where the value itself came from, without what is in it.
    pub(crate) fn source(&self, state: &mut State<'_>) -> Source {
        match &self.data {
            Data::Text(text) => text_source(text, state),
            _ => self.source,
        }
    }

    /// What decided that the value is this one, besides where it came from.
    pub(crate) fn reasons(&self, state: &mut State<'_>) -> OriginSet {
        let Data::Text(text) = &self.data else {
            return self.because;
        };
        if state.tracker.is_off() {
            return OriginSet::EMPTY;
        }
        let mut all = vec![self.because];
        text.collect_shape(&state.tracker, &mut all);
        let mut last = None;
        for mark in text.marks() {
            if last.replace(mark.cause) != Some(mark.cause) {
                state
                    .tracker
                    .collect_causes(mark.cause, state.cause, &mut all);
            }
        }
        state.tracker.union_all(all)
    }

    /// Where the value came from and what decided it, without what is in it.
    pub(crate) fn shallow_origins(&self, state: &mut State<'_>) -> OriginSet {
        let own = self.source(state).origins;
        let reasons = self.reasons(state);
        state.tracker.union(own, reasons)
    }

    /// The origins of the value and all that is in it, counted as work and as read.
    pub(crate) fn deep_origins(&self, state: &mut State<'_>) -> Outcome<OriginSet> {
        state.read_whole(self);
        let mut all = Vec::new();
        self.collect_origins(0, &mut all, state)?;
        Ok(state.tracker.set(all))
    }

    fn collect_origins(
        &self,
        depth: usize,
        all: &mut Vec<OriginId>,
        state: &mut State<'_>,
    ) -> Outcome<()> {
        state.check_depth(depth)?;
        state.step(1)?;
        let own = self.shallow_origins(state);
        all.extend_from_slice(state.tracker.origins(own));
        match &self.data {
            Data::List(list) => list
                .items()
                .iter()
                .try_for_each(|item| item.collect_origins(depth + 1, all, state)),
            Data::Map(map) => map.entries().values().try_for_each(|entry| {
                // That a key of the context is there goes without saying once it is read.
                if self.standing.node() == 0 {
                    all.extend_from_slice(state.tracker.origins(entry.key.origins));
                }
                entry.value.collect_origins(depth + 1, all, state)
            }),
            _ => Ok(()),
        }
    }

    /// Where a value of the context was written.
    pub(crate) fn written_at(&self, state: &State<'_>) -> Option<Span> {
        if self.standing.node() == 0 {
            return None;
        }
        let origins = state.tracker.origins(self.source.origins);
        state.origins.span(*origins.first()?)
    }
}

/// There is nothing to mark in a text that is empty because of something.
fn left_out(text: &mut Text, because: OriginSet, place: Span, state: &mut State<'_>) {
    if because != OriginSet::EMPTY {
        text.add_shape(because);
        text.add_gap(state.cause_of(because, place), false);
    }
}

/// One source for a text of many pieces.
fn text_source(text: &Text, state: &mut State<'_>) -> Source {
    let mut marks = text.marks();
    let Some(first) = marks.next() else {
        return Source::TEMPLATE;
    };
    if marks.all(|mark| (mark.class, mark.origins) == (first.class, first.origins)) {
        return Source {
            class: first.class,
            origins: first.origins,
        };
    }
    let all = text.marks().map(|mark| mark.origins).collect();
    let origins = state.tracker.union_all(all);
    if text.marks().any(|mark| mark.class == Class::Opaque) {
        return Source {
            class: Class::Opaque,
            origins,
        };
    }
    Source::derived(origins)
}
