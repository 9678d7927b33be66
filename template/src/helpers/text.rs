//! Texts. What only moves or quotes a value leaves its bytes exact; what changes it makes them
//! derived.

use std::{ops::Range, rc::Rc};

use cairn_spec::yaml::{quote_double, quote_single};

use crate::{
    call::Call,
    spans::{Class, OriginSet},
    state::Outcome,
    value::{Data, Value},
    writer::{Text, utf8},
};

pub(super) fn include(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let name = call.read_text(0)?;
    let context = match call.count() {
        1 => None,
        _ => Some(call.value(1)?),
    };
    let text = call.caller.include(name.as_str(), context)?;
    let included = call.finished(text)?;
    Ok(call.chosen(included))
}

pub(super) fn indent(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (text, used) = indented(call)?;
    let result = call.finished(text)?;
    Ok(call.chosen_by(used, result))
}

pub(super) fn nindent(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (text, used) = indented(call)?;
    let span = call.span;
    let newline = match text.marks().next() {
        Some(first) => first,
        None => call.state().mark(span, Class::Template, OriginSet::EMPTY),
    };
    let mut all = Text::marked("\n", newline);
    all.absorb(&text);
    let result = call.finished(all)?;
    Ok(call.chosen_by(used, result))
}

/// The indented text, and what the width came from.
fn indented(call: &mut Call<'_, '_>) -> Outcome<(Text, OriginSet)> {
    let width = call.integer(0)?;
    let used = call.used;
    let Ok(width) = usize::try_from(width) else {
        return Err(call.error(0, format!("must not be negative, found {width}")));
    };
    let text = call.text(1)?;
    let lines = text.as_str().matches('\n').count() + 1;
    let length = width.saturating_mul(lines).saturating_add(text.len());
    call.state().check_length(length)?;
    Ok((text.indented(&" ".repeat(width)), used))
}

pub(super) fn quote(call: &mut Call<'_, '_>) -> Outcome<Value> {
    quoted(call, '"', quote_double)
}

pub(super) fn squote(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.text(0)?;
    if text.as_str().contains(char::is_control) {
        let problem = "holds line breaks or control characters, which single quotes cannot keep";
        return Err(call.error(0, problem).hint("use `quote`"));
    }
    quoted(call, '\'', quote_single)
}

/// Quotes piece by piece, so that each keeps its mark.
fn quoted(call: &mut Call<'_, '_>, quote: char, rewrite: fn(&str) -> String) -> Outcome<Value> {
    let value = call.value(0)?;
    let text = call.as_text(0, &value)?;
    let inner = text.map(|piece| {
        let quoted = rewrite(utf8(piece));
        quoted[1..quoted.len() - 1].to_owned()
    });
    let span = call.span;
    let state = call.state();
    let ends = text.marks().next().zip(text.marks().next_back());
    let (first, last) = if let Some((first, last)) = ends {
        (first, last)
    } else {
        let source = value.source(state);
        let mark = state.mark(span, source.class, source.origins);
        (mark, mark)
    };
    let mut all = Text::marked(quote.to_string(), first);
    all.absorb(&inner);
    all.push(quote.encode_utf8(&mut [0; 4]).as_bytes(), last);
    call.finished(all)
}

pub(super) fn string(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.text(0)?;
    Ok(Data::Text(text).into())
}

pub(super) fn join(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let separator = call.text(0)?;
    let items = call.list(1)?;
    let span = call.caller.argument_span(1);
    let mut joined = Text::new();
    for (index, item) in items.iter().enumerate() {
        let Some(text) = item.to_text(span, call.state()) else {
            let problem = format!(
                "must be a list of strings, but item {index} is {}",
                item.kind()
            );
            return Err(call.error(1, problem));
        };
        if index > 0 {
            joined.absorb(&separator);
        }
        joined.absorb(&text);
        call.state().check_length(joined.len())?;
    }
    joined.add_shape(call.used);
    call.finished(joined)
}

pub(super) fn split(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let separator = call.read_text(0)?;
    if separator.is_empty() {
        return Err(call.error(0, "must not be empty"));
    }
    let used = call.used;
    let text = call.read_text(1)?;
    call.state().check_length(text.len())?;
    let mut parts = Vec::new();
    let mut start = 0;
    for part in text.as_str().split(separator.as_str()) {
        call.state().step(1)?;
        let end = start + part.len();
        let mut part = text.slice(start..end).derived();
        part.add_shape(call.used);
        parts.push(Value::from(part));
        start = end + separator.len();
    }
    let parts = call.listed(parts);
    Ok(call.chosen_by(used, parts))
}

pub(super) fn replace(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let old = call.read_text(0)?;
    if old.is_empty() {
        return Err(call.error(0, "must not be empty"));
    }
    let used = call.used;
    let new = call.text(1)?;
    let text = call.read_text(2)?;
    let count = text.as_str().matches(old.as_str()).count();
    let length = count.saturating_mul(new.len()).saturating_add(text.len());
    call.state().check_length(length)?;
    call.state().step(count)?;
    if count == 0 {
        return Ok(call.chosen_by(used, Data::Text(text)));
    }
    let mut replaced = Text::new();
    let mut start = 0;
    for (found, _) in text.as_str().match_indices(old.as_str()) {
        replaced.append(&text.slice(start..found));
        replaced.absorb(&new);
        start = found + old.len();
    }
    replaced.absorb(&text.slice(start..text.len()));
    // Where nothing is left of the text, it still decided that something was replaced.
    let result = call.finished(replaced.derived())?;
    Ok(call.chosen(result))
}

pub(super) fn lower(call: &mut Call<'_, '_>) -> Outcome<Value> {
    changed(call, |text| text.map(|piece| utf8(piece).to_lowercase()))
}

pub(super) fn upper(call: &mut Call<'_, '_>) -> Outcome<Value> {
    changed(call, |text| text.map(|piece| utf8(piece).to_uppercase()))
}

fn changed(call: &mut Call<'_, '_>, change: fn(&Text) -> Text) -> Outcome<Value> {
    let text = call.text(0)?;
    call.state().check_length(text.len())?;
    let changed = change(&text);
    if changed.as_str() == text.as_str() {
        return Ok(Data::Text(text).into());
    }
    call.finished(changed.derived())
}

pub(super) fn trim(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let text = call.text(0)?;
    let start = text.len() - text.as_str().trim_start().len();
    let end = text.as_str().trim_end().len().max(start);
    part(call, OriginSet::EMPTY, &text, start..end)
}

pub(super) fn trim_prefix(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let prefix = call.read_text(0)?;
    let used = call.used;
    let text = call.text(1)?;
    let kept = text.as_str().strip_prefix(prefix.as_str());
    let start = text.len() - kept.unwrap_or(text.as_str()).len();
    part(call, used, &text, start..text.len())
}

pub(super) fn trim_suffix(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let suffix = call.read_text(0)?;
    let used = call.used;
    let text = call.text(1)?;
    let kept = text.as_str().strip_suffix(suffix.as_str());
    let end = kept.unwrap_or(text.as_str()).len();
    part(call, used, &text, 0..end)
}

/// The first `n` characters, or the last when `n` is negative.
pub(super) fn trunc(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let count = call.integer(0)?;
    let used = call.used;
    let text = call.text(1)?;
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let mut offsets = text.as_str().char_indices().map(|(offset, _)| offset);
    if count >= 0 {
        let end = offsets.nth(wanted).unwrap_or(text.len());
        return part(call, used, &text, 0..end);
    }
    let start = offsets.nth_back(wanted - 1).unwrap_or(0);
    part(call, used, &text, start..text.len())
}

/// A part of a text, cut as `used` says.
fn part(
    call: &mut Call<'_, '_>,
    used: OriginSet,
    text: &Rc<Text>,
    range: Range<usize>,
) -> Outcome<Value> {
    if range == (0..text.len()) {
        return Ok(call.chosen_by(used, Data::Text(Rc::clone(text))));
    }
    let mut kept = text.slice(range).derived();
    // What was cut away decided where to cut.
    let whole = Value::from(Data::Text(Rc::clone(text)));
    kept.add_shape(whole.shallow_origins(call.state()));
    let result = call.finished(kept)?;
    Ok(call.chosen_by(used, result))
}

pub(super) fn has_prefix(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let prefix = call.read_text(0)?;
    let text = call.read_text(1)?;
    Ok(call.computed(text.as_str().starts_with(prefix.as_str())))
}

pub(super) fn has_suffix(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let suffix = call.read_text(0)?;
    let text = call.read_text(1)?;
    Ok(call.computed(text.as_str().ends_with(suffix.as_str())))
}
