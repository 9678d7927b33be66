//! Sprig's functions that make, read and change maps and lists one entry at a time.

use std::{rc::Rc, sync::Arc};

use super::{Function, functions};
use crate::{
    call::Call,
    go::format::print,
    spans::{CauseId, OriginSet},
    state::Outcome,
    value::{Data, Entries, Entry, MapType, Source, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "dict" (.. Any) => dict;
    "get" (Map, String) => get;
    "hasKey" (Map, String) => has_key;
    "list" (.. Any) => list;
    "set" (Map, String, Any) => set;
    "tuple" (.. Any) => list;
    "unset" (Map, String) => unset;
];

fn list(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let items = call.rest(0)?;
    call.state().make_items(items.len())?;
    Ok(Value::list_of(items, Source::TEMPLATE))
}

fn dict(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let count = call.count();
    call.state().make_map(count.div_ceil(2))?;
    let mut entries = Entries::new();
    for index in (0..count).step_by(2) {
        let key = call.value(index)?;
        call.state().check_unfolded(&key)?;
        let name = key_name(&key);
        // A key without a value has the empty text.
        let value = if index + 1 < count {
            call.value(index + 1)?
        } else {
            Value::from("")
        };
        let key = key.source(call.state());
        entries.insert(name, Entry { key, value });
    }
    Ok(Value::map_of(entries, Source::TEMPLATE))
}

/// What a value is as a key: charts also pass all of `.` as one, which prints as megabytes.
fn key_name(key: &Value) -> Arc<str> {
    if let Data::Str(text) = &key.data {
        return String::from_utf8_lossy(text).into();
    }
    match String::from_utf8(print(key)) {
        Ok(name) => name.into(),
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into(),
    }
}

/// The key that an argument names, which the result depends on.
fn key(call: &mut Call<'_, '_>) -> Outcome<Arc<str>> {
    let key = call.read_text(1)?;
    Ok(String::from_utf8_lossy(key.as_bytes()).into())
}

fn get(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let map = call.value(0)?;
    let key = key(call)?;
    let Some(mut found) = map.get(&key) else {
        call.read(&map);
        call.uses_deletion(&map, &key);
        return Ok(call.computed(""));
    };
    found.because = call.state().tracker.union(found.because, map.because);
    Ok(call.chosen(found))
}

fn has_key(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let map = call.value(0)?;
    let key = key(call)?;
    call.read(&map);
    let found = match &map.data {
        Data::Map(entries) => entries.contains_key(&key),
        _ => false,
    };
    match map.get(&key) {
        Some(value) => call.read(&value),
        None => call.uses_deletion(&map, &key),
    }
    Ok(call.computed(found))
}

fn set(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let map = call.value(0)?;
    let key = key(call)?;
    let Data::Map(entries) = &map.data else {
        return Err(call.failure("assignment to entry in nil map"));
    };
    let value = call.value(2)?;
    let used = call.used;
    let value = stored(call, value, used);
    let key_source = Source::derived(used);
    entries.insert(
        key,
        Entry {
            key: key_source,
            value,
        },
    );
    Ok(plain(&map))
}

/// A value as others see it in a map that is changed here: it is there also because this place
/// was rendered.
pub(super) fn stored(call: &mut Call<'_, '_>, value: Value, because: OriginSet) -> Value {
    let mut sets = vec![value.because, because];
    let state = call.state();
    state
        .tracker
        .collect_causes(state.cause, CauseId::default(), &mut sets);
    let because = state.tracker.union_all(sets);
    Value { because, ..value }
}

/// The same map as a `map[string]interface {}`, which is what parameters turn nil and maps of a
/// named type into.
fn plain(map: &Value) -> Value {
    let entries = match &map.data {
        Data::Map(entries) if entries.of == MapType::Any => Rc::clone(entries),
        Data::Map(entries) => Rc::new(entries.retyped(MapType::Any)),
        _ => Rc::default(),
    };
    Value {
        data: Data::Map(entries),
        ..map.clone()
    }
}

fn unset(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let map = call.value(0)?;
    let key = key(call)?;
    if let Data::Map(entries) = &map.data {
        entries.remove(&key);
    }
    Ok(plain(&map))
}
