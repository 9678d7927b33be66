//! What functions share that take texts apart: each byte that is kept still knows where it came
//! from, and the whole text decided what is kept.

use std::{ops::Range, rc::Rc};

use crate::{
    call::Call,
    spans::{Class, Mark, OriginSet},
    state::Outcome,
    value::{Data, Value},
    writer::Text,
};

/// A text that a function takes apart.
pub(super) struct Whole {
    pub(super) text: Rc<Text>,
    /// What all of it came from.
    pub(super) origins: OriginSet,
}

impl Whole {
    pub(super) fn of(call: &mut Call<'_, '_>, index: usize) -> Outcome<Self> {
        let value = call.value(index)?;
        Self::of_value(call, index, &value)
    }

    pub(super) fn of_value(call: &mut Call<'_, '_>, index: usize, value: &Value) -> Outcome<Self> {
        let text = call.as_text(index, value)?;
        let origins = value.shallow_origins(call.state());
        Ok(Self { text, origins })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    pub(super) fn part(&self, range: Range<usize>) -> Text {
        let mut part = self.text.slice(range);
        part.add_shape(self.origins);
        part
    }

    /// The text at `index`, put in somewhere because of what is in this one.
    pub(super) fn inserted(&self, call: &mut Call<'_, '_>, index: usize) -> Outcome<Rc<Text>> {
        let value = call.value(index)?;
        let value = call.chosen_by(self.origins, value);
        call.as_text(index, &value)
    }

    /// The mark of bytes that stand in the result because of what is in the text.
    pub(super) fn mark(&self, call: &mut Call<'_, '_>) -> Mark {
        let span = call.span;
        let class = if self.origins == OriginSet::EMPTY {
            Class::Template
        } else {
            Class::Derived
        };
        call.state().mark(span, class, self.origins)
    }
}

/// Refuses a text that has grown too long already.
pub(super) fn check_growing(call: &mut Call<'_, '_>, text: &Text) -> Outcome<()> {
    if text.len() > call.state().limits.output_bytes {
        call.state().check_length(text.len())?;
    }
    call.state().check_runs(text)
}

/// A part of an argument; what was looked at before decided how it is cut.
pub(super) fn cut(
    call: &mut Call<'_, '_>,
    index: usize,
    choose: impl FnOnce(&[u8]) -> Range<usize>,
) -> Outcome<Value> {
    let used = call.used;
    let value = call.value(index)?;
    let bytes = value.as_bytes().unwrap_or_default();
    call.state().check_length(bytes.len())?;
    let range = choose(bytes);
    if range == (0..bytes.len()) {
        return Ok(call.chosen_by(used, value));
    }
    let whole = Whole::of_value(call, index, &value)?;
    let part = call.finished(whole.part(range))?;
    Ok(call.chosen_by(used, part))
}

/// A text made of an argument: the argument itself or the beginning of it where it is that, else
/// all of it is computed.
pub(super) fn remade(
    call: &mut Call<'_, '_>,
    index: usize,
    write: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Outcome<Value> {
    let value = call.value(index)?;
    let bytes = value.as_bytes().unwrap_or_default();
    let made = write(bytes);
    if bytes.starts_with(&made) {
        return cut(call, index, |_| 0..made.len());
    }
    call.read_text(index)?;
    call.computed_bytes(made)
}

/// The same text where nothing changed, else one whose bytes were computed each from its own.
pub(super) fn changed(
    call: &mut Call<'_, '_>,
    index: usize,
    change: impl FnOnce(&Text) -> Text,
) -> Outcome<Value> {
    let value = call.value(index)?;
    let whole = Whole::of_value(call, index, &value)?;
    call.state().check_length(whole.text.len())?;
    let mut changed = change(&whole.text);
    if changed.as_bytes() == whole.bytes() {
        return Ok(value);
    }
    changed.add_shape(whole.origins);
    call.finished(changed.derived())
}

/// The value as Sprig makes it a text: as it prints, but for bytes, which are taken for one.
pub(super) fn as_string(call: &mut Call<'_, '_>, index: usize, value: &Value) -> Outcome<Rc<Text>> {
    let span = call.argument_span(index);
    match &value.data {
        Data::Bytes(bytes) => {
            let mark = value.mark(span, call.state());
            Ok(Rc::new(Text::marked(&**bytes, mark)))
        }
        _ => value.printed(span, call.state()),
    }
}
