//! Sprig's functions that make maps and lists out of maps, and reach deep into them.

use std::{rc::Rc, sync::Arc};

use super::{Function, functions};
use crate::{
    call::Call,
    spans::OriginSet,
    state::{Failure, Outcome},
    value::{Data, ElementType, Entries, List, Map, MapType, Source, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "deepCopy" (Any) => deep_copy;
    "dig" (.. Any) => dig;
    "keys" (.. Map) => keys;
    "mustDeepCopy" (Any) => deep_copy;
    "omit" (Map, .. String) => omit;
    "pick" (Map, .. String) => pick;
    "pluck" (String, .. Map) => pluck;
    "values" (Map) => values;
];

/// The entries of a map, and where it came from; nil has none. What comes of them depends on what
/// decided that it is this map.
fn entries(call: &mut Call<'_, '_>, index: usize) -> Outcome<(Rc<Entries>, Source)> {
    let map = call.value(index)?;
    call.state().read_shallow(&map);
    call.uses_origins(map.because);
    let entries = map.entries().unwrap_or_default();
    call.state().step(entries.len())?;
    Ok((entries, Source::derived(map.source.origins)))
}

/// A key that the result depends on.
fn key(call: &mut Call<'_, '_>, index: usize) -> Outcome<Arc<str>> {
    let key = call.read_text(index)?;
    Ok(String::from_utf8_lossy(key.as_bytes()).into())
}

/// Sorted, where Go has them in another order each time.
fn keys(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut keys = Vec::new();
    let mut origins = OriginSet::EMPTY;
    for index in 0..call.count() {
        let (entries, source) = entries(call, index)?;
        origins = call.state().tracker.union(origins, source.origins);
        keys.extend(entries.iter().map(|(key, entry)| entry.key_value(key)));
    }
    let keys = Value {
        source: Source::derived(origins),
        ..Value::typed_list(keys, ElementType::String)
    };
    Ok(call.chosen(keys))
}

/// In the order of their keys, where Go has them in another order each time.
fn values(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (entries, source) = entries(call, 0)?;
    let values = entries.values().map(|entry| entry.value.clone()).collect();
    Ok(call.chosen(Value::list_of(values, source)))
}

fn pluck(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let key = key(call, 0)?;
    let mut found = Vec::new();
    for index in 1..call.count() {
        if let Some(entry) = entries(call, index)?.0.get(&key) {
            found.push(entry.value.clone());
        }
    }
    Ok(call.chosen(Value::list_of(found, Source::TEMPLATE)))
}

fn pick(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (entries, source) = entries(call, 0)?;
    let mut picked = Entries::new();
    for index in 1..call.count() {
        if let Some((key, entry)) = entries.get_key_value(&key(call, index)?) {
            picked.insert(Arc::clone(key), entry.clone());
        }
    }
    Ok(call.chosen(Value::map_of(picked, source)))
}

fn omit(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (entries, source) = entries(call, 0)?;
    call.state().make_map(entries.len())?;
    let mut left = Rc::unwrap_or_clone(entries);
    for index in 1..call.count() {
        left.remove(&key(call, index)?);
    }
    Ok(call.chosen(Value::map_of(left, source)))
}

/// `dig KEY … DEFAULT MAP`
fn dig(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let Some(keys) = call.count().checked_sub(2).filter(|&keys| keys > 0) else {
        return Err(call.failure("dig needs at least three arguments"));
    };
    let mut value = call.value(keys + 1)?;
    let mut because = OriginSet::EMPTY;
    let mut map = plain_map(call, &value)?;
    let mut names = Vec::new();
    for index in 0..keys {
        let argument = call.value(index)?;
        if argument.as_bytes().is_none() {
            return Err(not_of_type(call, &argument, "string"));
        }
        names.push(key(call, index)?);
    }
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            map = plain_map(call, &value)?;
        }
        let reasons = value.because;
        because = call.state().tracker.union(because, reasons);
        let Some(found) = map.get(name) else {
            let default = call.value(keys)?;
            call.state().read_shallow(&value);
            call.uses_deletion(&value, name);
            let default = call.chosen_by(because, default);
            return Ok(call.chosen(default));
        };
        value = found;
    }
    let value = call.chosen_by(because, value);
    Ok(call.chosen(value))
}

/// The value as a `map[string]interface {}`, of just that type.
fn plain_map(call: &Call<'_, '_>, value: &Value) -> Outcome<Rc<Map>> {
    match &value.data {
        Data::Map(map) if map.of == MapType::Any => Ok(Rc::clone(map)),
        _ => Err(not_of_type(call, value, MapType::Any.name())),
    }
}

fn not_of_type(call: &Call<'_, '_>, value: &Value, wanted: &str) -> Failure {
    let found = match value.data {
        Data::Missing | Data::Nil => "nil".into(),
        _ => value.type_name(),
    };
    call.failure(format!(
        "interface conversion: interface {{}} is {found}, not {wanted}"
    ))
}

fn deep_copy(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let value = call.value(0)?;
    if matches!(value.data, Data::Missing | Data::Nil) {
        return Err(call.failure("reflect: call of reflect.Value.Type on zero Value"));
    }
    copied(call, &value, 0)
}

/// A copy of all maps and lists; what is in them keeps where it came from.
fn copied(call: &mut Call<'_, '_>, value: &Value, depth: usize) -> Outcome<Value> {
    call.state().check_depth(depth)?;
    call.state().step(1)?;
    let data = match &value.data {
        Data::List(list) if !list.items().is_empty() => {
            call.state().make_items(list.items().len())?;
            let mut items = Vec::with_capacity(list.items().len());
            for item in list.items() {
                items.push(copied(call, item, depth + 1)?);
            }
            Data::List(Rc::new(List::new(items, list.of)))
        }
        Data::Map(map) => {
            call.state().make_map(map.len())?;
            let mut entries = Rc::unwrap_or_clone(map.entries());
            for entry in entries.values_mut() {
                entry.value = copied(call, &entry.value, depth + 1)?;
            }
            Data::Map(Rc::new(map.with_entries(entries)))
        }
        other => other.clone(),
    };
    Ok(Value {
        data,
        ..value.clone()
    })
}
