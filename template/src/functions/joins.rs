//! Sprig's functions between texts and lists of texts: `join`, `split`, `toStrings` and their
//! like.

use std::{ops::Range, rc::Rc};

use super::{
    Function, functions,
    parts::{Whole, as_string, check_growing},
};
use crate::{
    ElementType, MapType,
    call::Call,
    state::Outcome,
    unicode::first_rune,
    value::{Data, Source, Value},
    writer::{Text, find},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "cat" (.. Any) => cat;
    "join" (String, Any) => join;
    "sortAlpha" (Any) => sort_alpha;
    "split" (String, String) => split;
    "splitList" (String, String) => split_list;
    "splitn" (String, Int, String) => splitn;
    "toStrings" (Any) => to_strings;
];

/// What is not nil, with blanks between.
fn cat(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let span = call.span;
    let source = Source::TEMPLATE;
    let blank = call.state().mark(span, source.class, source.origins);
    let mut all = Text::new();
    let mut is_first = true;
    for index in 0..call.count() {
        let value = call.value(index)?;
        if is_nil(&value) {
            call.read(&value);
            continue;
        }
        if !std::mem::take(&mut is_first) {
            all.push(" ", blank);
        }
        let text = call.printed(index)?;
        all.absorb(&text);
        check_growing(call, &all)?;
    }
    let result = call.finished(all)?;
    Ok(call.chosen(result))
}

fn is_nil(value: &Value) -> bool {
    matches!(value.data, Data::Nil | Data::Missing)
}

/// The items of a list as texts, or the value as the only one; nil is none.
fn strings(call: &mut Call<'_, '_>, index: usize) -> Outcome<Vec<Rc<Text>>> {
    let value = call.value(index)?;
    call.read(&value);
    let items: Vec<Value> = match &value.data {
        Data::List(list) => list.items().to_vec(),
        Data::Bytes(bytes) => {
            let source = value.source(call.state());
            let item = |byte: &u8| Value::scalar(i64::from(*byte), source);
            bytes.iter().map(item).collect()
        }
        Data::Object(object) if object.kind_name() == "slice" => {
            let entries = object.entries().unwrap_or_default();
            entries.into_iter().map(|(_, item)| item).collect()
        }
        Data::Nil | Data::Missing => Vec::new(),
        _ => vec![value],
    };
    call.state().make_texts(items.len())?;
    items
        .iter()
        .filter(|item| !is_nil(item))
        .map(|item| as_string(call, index, item))
        .collect()
}

fn join(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let separator = call.text(0)?;
    let texts = strings(call, 1)?;
    let mut joined = Text::new();
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            joined.absorb(&separator);
        }
        joined.absorb(text);
        check_growing(call, &joined)?;
    }
    joined.add_shape(call.used);
    call.finished(joined)
}

fn to_strings(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let texts = strings(call, 0)?;
    Ok(string_list(call, texts))
}

fn sort_alpha(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    let is_list = match &value.data {
        Data::List(_) | Data::Bytes(_) => true,
        Data::Object(object) => object.kind_name() == "slice",
        _ => false,
    };
    if !is_list {
        call.read(&value);
        let text = as_string(call, 0, &value)?;
        return Ok(string_list(call, vec![text]));
    }
    // Where each of them stands depends on all of them.
    let value = call.whole(0)?;
    let mut texts = strings(call, 0)?;
    call.uses(&value);
    texts.sort_by(|left, right| left.as_bytes().cmp(right.as_bytes()));
    let sorted = string_list(call, texts);
    if let (Data::List(list), Data::List(of)) = (&value.data, &sorted.data)
        && list.of == ElementType::String
    {
        list.sort(of.items().to_vec());
    }
    Ok(sorted)
}

/// A `[]string` that depends on all that was looked at.
fn string_list(call: &mut Call<'_, '_>, texts: Vec<Rc<Text>>) -> Value {
    let used = call.used;
    let items = texts.into_iter().map(|text| Data::Text(text).into());
    let list = Value::typed_list(items, ElementType::String);
    call.chosen(Value {
        source: Source::derived(used),
        ..list
    })
}

/// Where the parts of a text are between separators, of which at most so many are made; between
/// all characters where there is no separator.
fn part_ranges(text: &[u8], separator: &[u8], most: Option<usize>) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    if most == Some(0) {
        return ranges;
    }
    while most.is_none_or(|most| ranges.len() + 1 < most) {
        let rest = &text[start..];
        let (end, next) = match separator {
            [] => match first_rune(rest) {
                Some((_, width)) if width < rest.len() => (start + width, start + width),
                _ => break,
            },
            _ => match find(rest, separator) {
                Some(at) => (start + at, start + at + separator.len()),
                None => break,
            },
        };
        ranges.push(start..end);
        start = next;
    }
    if !separator.is_empty() || start < text.len() {
        ranges.push(start..text.len());
    }
    ranges
}

/// The parts of the text at `index`, split at the first argument.
fn parts(call: &mut Call<'_, '_>, index: usize, most: Option<usize>) -> Outcome<Vec<Value>> {
    let separator = call.read_text(0)?;
    let whole = Whole::of(call, index)?;
    call.uses_origins(whole.origins);
    call.state().check_length(whole.text.len())?;
    let ranges = part_ranges(whole.bytes(), separator.as_bytes(), most);
    call.state().make_texts(ranges.len())?;
    let mut parts = Vec::with_capacity(ranges.len());
    for range in ranges {
        let mut part = whole.part(range);
        part.add_shape(call.used);
        parts.push(Value::from(part));
    }
    Ok(parts)
}

fn split_list(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let parts = parts(call, 1, None)?;
    let list = Value::typed_list(parts, ElementType::String);
    let source = Source::derived(call.used);
    Ok(call.chosen(Value { source, ..list }))
}

fn split(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let parts = parts(call, 1, None)?;
    Ok(numbered(call, parts))
}

fn splitn(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let most = usize::try_from(call.integer(1)?).ok();
    let parts = parts(call, 2, most)?;
    Ok(numbered(call, parts))
}

/// A `map[string]string` with `_0`, `_1` and so on as its keys.
fn numbered(call: &mut Call<'_, '_>, parts: Vec<Value>) -> Value {
    let entries = parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| (format!("_{index}"), part));
    let map = Value::typed_map(entries, MapType::String);
    let source = Source::derived(call.used);
    call.chosen(Value { source, ..map })
}
