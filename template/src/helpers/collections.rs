//! Lists and maps.

use std::{collections::BTreeSet, rc::Rc, sync::Arc};

use super::{logic::whole, yaml::write_json};
use crate::{
    call::Call,
    state::{Outcome, State},
    value::{Entries, Entry, Source, Value, View},
    writer::Text,
};

/// Characters of a text, items of a list, keys of a map.
pub(super) fn len(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    call.read(&value);
    let length = match value.view() {
        View::Str(text) => text.chars().count(),
        View::List(length) | View::Map(length) => length,
        _ => return Err(call.wrong_type(0, "a string, a list or a map", &value)),
    };
    Ok(call.computed(i64::try_from(length).unwrap_or(i64::MAX)))
}

pub(super) fn list(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let items = (0..call.count())
        .map(|index| call.value(index))
        .collect::<Outcome<Vec<_>>>()?;
    Ok(Value::list_of(items, Source::TEMPLATE))
}

pub(super) fn dict(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut entries = Entries::new();
    for index in (0..call.count()).step_by(2) {
        let key = call.value(index)?;
        let name = call.as_text(index, &key)?;
        if index + 1 == call.count() {
            return Err(call.error(
                index,
                format!("is the key `{}` without a value", name.as_str()),
            ));
        }
        let value = call.value(index + 1)?;
        let key = key.source(call.state());
        entries.insert(Arc::from(name.as_str()), Entry { key, value });
    }
    Ok(Value::map_of(entries, Source::TEMPLATE))
}

pub(super) fn keys(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let entries = call.map(0)?;
    let keys: Vec<_> = entries
        .into_iter()
        .map(|(key, entry)| Value::scalar(&*key, entry.key))
        .collect();
    Ok(call.listed(keys))
}

/// Maps are merged deep; anything else of a later map replaces what was there.
pub(super) fn merge(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut merged = call.map(0)?;
    for index in 1..call.count() {
        let later = call.map(index)?;
        merge_into(&mut merged, &later, 0, call.state())?;
    }
    Ok(Value::map_of(merged, Source::derived(call.used)))
}

fn merge_into(
    merged: &mut Entries,
    later: &Entries,
    depth: usize,
    state: &mut State<'_>,
) -> Outcome<()> {
    state.check_depth(depth)?;
    for (key, entry) in later {
        state.step(1)?;
        let both = merged.get(key).and_then(|earlier| {
            let earlier = Rc::unwrap_or_clone(earlier.value.entries()?);
            Some((earlier, entry.value.entries()?))
        });
        let value = match both {
            Some((mut earlier, later)) => {
                state.step(earlier.len())?;
                merge_into(&mut earlier, &later, depth + 1, state)?;
                // Which keys there are follows from both, as each key tells.
                Value::map_of(earlier, Source::TEMPLATE)
            }
            None => entry.value.clone(),
        };
        let key_source = entry.key;
        merged.insert(
            Arc::clone(key),
            Entry {
                key: key_source,
                value,
            },
        );
    }
    Ok(())
}

/// The first item, or null.
pub(super) fn first(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let items = call.list(0)?;
    let item = items.into_iter().next().unwrap_or_else(Value::nil);
    Ok(call.chosen(item))
}

/// The last item, or null.
pub(super) fn last(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let items = call.list(0)?;
    let item = items.into_iter().next_back().unwrap_or_else(Value::nil);
    Ok(call.chosen(item))
}

pub(super) fn append(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut items = call.list(0)?;
    items.push(call.value(1)?);
    Ok(call.listed(items))
}

/// Joins lists, or texts.
pub(super) fn concat(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let first = call.value(0)?;
    if matches!(first.view(), View::List(_)) {
        let mut items = call.as_list(0, &first)?;
        for index in 1..call.count() {
            items.extend(call.list(index)?);
        }
        return Ok(call.listed(items));
    }
    let mut text = Text::clone(&*call.as_text(0, &first)?);
    for index in 1..call.count() {
        let next = call.text(index)?;
        call.state().check_length(text.len() + next.len())?;
        text.absorb(&next);
    }
    call.finished(text)
}

pub(super) fn sort_alpha(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let items = call.list(0)?;
    let mut texts = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        texts.push((item_text(call, &item, index)?, item));
    }
    texts.sort_by(|(left, _), (right, _)| left.cmp(right));
    let sorted: Vec<_> = texts.into_iter().map(|(_, item)| item).collect();
    let sorted = Value::list_of(sorted, Source::TEMPLATE);
    Ok(call.chosen(sorted))
}

fn item_text(call: &mut Call<'_, '_>, item: &Value, index: usize) -> Outcome<String> {
    let span = call.span;
    match item.to_text(span, call.state()) {
        Some(text) => {
            call.uses(item);
            Ok(text.as_str().to_owned())
        }
        None => Err(call.error(
            0,
            format!(
                "must be a list of strings, but item {index} is {}",
                item.kind()
            ),
        )),
    }
}

pub(super) fn uniq(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut kept = Vec::new();
    let mut known = BTreeSet::new();
    let span = call.span;
    for item in call.list(0)? {
        let origins = item.deep_origins(call.state())?;
        call.uses_origins(origins);
        // Equal values, and only those, are written alike.
        if known.insert(write_json(&item, span, call.state())?) {
            kept.push(item);
        }
    }
    let kept = Value::list_of(kept, Source::TEMPLATE);
    Ok(call.chosen(kept))
}

/// A part of a text, an item of a list, or a key of a map.
pub(super) fn contains(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let haystack = call.value(0)?;
    let found = match haystack.view() {
        View::List(_) => {
            let needle = whole(call, 1)?;
            let mut found = false;
            let origins = haystack.deep_origins(call.state())?;
            call.uses_origins(origins);
            for item in haystack.items().unwrap_or_default() {
                found = found || item.same(&needle, call.state())?;
            }
            found
        }
        View::Map(_) => {
            call.read(&haystack);
            let key = call.read_text(1)?;
            let entry = haystack.child(key.as_str());
            if let Some(entry) = &entry {
                call.read(entry);
            }
            entry.is_some()
        }
        View::Str(_) => {
            call.uses(&haystack);
            let text = call.as_text(0, &haystack)?;
            let part = call.read_text(1)?;
            text.as_str().contains(part.as_str())
        }
        _ => return Err(call.wrong_type(0, "a string, a list or a map", &haystack)),
    };
    Ok(call.computed(found))
}
