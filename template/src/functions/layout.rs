//! Sprig's `indent`, `nindent`, `quote` and `squote`, which leave the bytes of a value exact.

use std::rc::Rc;

use super::{
    Function, functions,
    parts::{as_string, check_growing},
};
use crate::{
    call::Call,
    go::format::escaped,
    spans::Class,
    state::Outcome,
    value::{Data, Source, Value},
    writer::Text,
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "indent" (Int, String) => indent;
    "nindent" (Int, String) => nindent;
    "quote" (.. Any) => quote;
    "squote" (.. Any) => squote;
];

fn indent(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = indented(call)?;
    let result = call.finished(text)?;
    Ok(call.chosen(result))
}

fn nindent(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = indented(call)?;
    let span = call.span;
    let newline = match text.marks().next() {
        Some(first) => first,
        None => call
            .state()
            .mark(span, Class::Template, Source::TEMPLATE.origins),
    };
    let mut all = Text::marked("\n", newline);
    all.absorb(&text);
    let result = call.finished(all)?;
    Ok(call.chosen(result))
}

fn indented(call: &mut Call<'_, '_>) -> Outcome<Text> {
    let width = call.integer(0)?;
    let Ok(width) = usize::try_from(width) else {
        return Err(call.failure("strings: negative Repeat count"));
    };
    let text = call.text(1)?;
    let lines = memchr::memchr_iter(b'\n', text.as_bytes()).count() + 1;
    let length = width.saturating_mul(lines).saturating_add(text.len());
    call.state().check_length(length)?;
    let padding = " ".repeat(width);
    if text.is_empty() {
        // There is no piece that the blanks could belong to.
        let span = call.span;
        let mark = call
            .state()
            .mark(span, Class::Template, Source::TEMPLATE.origins);
        let mut blanks = Text::marked(padding, mark);
        blanks.absorb(&text);
        return Ok(blanks);
    }
    Ok(text.padded(&padding))
}

fn quote(call: &mut Call<'_, '_>) -> Outcome<Value> {
    quoted(call, "\"", |call, index, value| {
        let text = as_string(call, index, value)?;
        Ok(Rc::new(text.map(escaped)))
    })
}

/// What is in the quotes stays as it is.
fn squote(call: &mut Call<'_, '_>) -> Outcome<Value> {
    quoted(call, "'", |call, index, _| call.printed(index))
}

/// Each argument that is not nil in quotes, with blanks between them.
fn quoted(
    call: &mut Call<'_, '_>,
    quote: &str,
    mut text_of: impl FnMut(&mut Call<'_, '_>, usize, &Value) -> Outcome<Rc<Text>>,
) -> Outcome<Value> {
    let mut all = Text::new();
    for index in 0..call.count() {
        let value = call.value(index)?;
        if matches!(value.data, Data::Nil | Data::Missing) {
            call.read(&value);
            continue;
        }
        let text = text_of(call, index, &value)?;
        let span = call.span;
        let ends = text.marks().next().zip(text.marks().next_back());
        let (first, last) = ends.unwrap_or_else(|| {
            let source = value.source(call.state());
            let mark = call.state().mark(span, source.class, source.origins);
            (mark, mark)
        });
        if !all.is_empty() {
            all.push(" ", first);
        }
        all.push(quote, first);
        all.absorb(&text);
        all.push(quote, last);
        check_growing(call, &all)?;
    }
    let result = call.finished(all)?;
    Ok(call.chosen(result))
}
