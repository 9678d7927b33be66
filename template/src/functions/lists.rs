//! Sprig's functions of lists, which work on whatever Go's reflection takes for a slice. Items
//! keep where they came from; a list that a function filtered is what it is because of all that
//! was looked at.

use std::rc::Rc;

use super::{Function, functions};
use crate::{
    call::Call,
    go::cast::to_int64,
    state::{Failure, Outcome},
    value::{Data, ElementType, IntKind, List, Source, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "append" (Any, Any) => append;
    "chunk" (Int, Any) => chunk;
    "compact" (Any) => compact;
    "concat" (.. Any) => concat;
    "first" (Any) => first;
    "has" (Any, Any) => has;
    "initial" (Any) => initial;
    "last" (Any) => last;
    "mustAppend" (Any, Any) => append;
    "mustChunk" (Int, Any) => chunk;
    "mustCompact" (Any) => compact;
    "mustFirst" (Any) => first;
    "mustHas" (Any, Any) => has;
    "mustInitial" (Any) => initial;
    "mustLast" (Any) => last;
    "mustPrepend" (Any, Any) => prepend;
    "mustPush" (Any, Any) => append;
    "mustRest" (Any) => rest;
    "mustReverse" (Any) => reverse;
    "mustSlice" (Any, .. Any) => slice;
    "mustUniq" (Any) => uniq;
    "mustWithout" (Any, .. Any) => without;
    "prepend" (Any, Any) => prepend;
    "push" (Any, Any) => append;
    "rest" (Any) => rest;
    "reverse" (Any) => reverse;
    "slice" (Any, .. Any) => slice;
    "uniq" (Any) => uniq;
    "without" (Any, .. Any) => without;
];

/// What Go says where a function asks nil for its type.
const NIL_POINTER: &str = "runtime error: invalid memory address or nil pointer dereference";

/// The items of an argument that must be a slice; what is none is told by its kind after
/// `problem`. What comes of them depends on what decided that it is this slice.
fn items(call: &mut Call<'_, '_>, index: usize, problem: &str) -> Outcome<Vec<Value>> {
    let value = call.value(index)?;
    call.state().read_shallow(&value);
    let because = value.reasons(call.state());
    call.uses_origins(because);
    let Some(items) = slice_items(&value) else {
        return Err(no_slice(call, &value, |kind| format!("{problem} {kind}")));
    };
    if items.is_empty() {
        // There are no items that would tell.
        call.uses(&value);
    }
    call.state().make_items(items.len())?;
    Ok(items)
}

fn no_slice(
    call: &Call<'_, '_>,
    value: &Value,
    problem: impl FnOnce(&'static str) -> String,
) -> Failure {
    match value.data {
        Data::Missing | Data::Nil => call.failure(NIL_POINTER),
        _ => call.failure(problem(value.kind_name())),
    }
}

/// The items of what is a slice to Go.
fn slice_items(value: &Value) -> Option<Vec<Value>> {
    match &value.data {
        Data::List(list) => Some(list.items().to_vec()),
        Data::Bytes(bytes) => Some(
            bytes
                .iter()
                .map(|&byte| {
                    let byte = Data::Int(i64::from(byte), IntKind::Uint8);
                    Value::new(byte, value.source)
                })
                .collect(),
        ),
        Data::Object(object) if object.kind_name() == "slice" => {
            let entries = object.entries().unwrap_or_default();
            Some(entries.into_iter().map(|(_, item)| item).collect())
        }
        _ => None,
    }
}

/// A list of what was picked from the arguments.
fn picked(call: &mut Call<'_, '_>, items: Vec<Value>) -> Value {
    call.chosen(Value::list_of(items, Source::TEMPLATE))
}

/// The item, or nil where there is none.
fn picked_one(call: &mut Call<'_, '_>, item: Option<Value>) -> Value {
    call.chosen(item.unwrap_or_else(Value::nil))
}

fn no_list(call: &mut Call<'_, '_>) -> Value {
    call.chosen(Value::nil_list(ElementType::Any))
}

fn append(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut items = items(call, 0, "Cannot push on type")?;
    items.push(call.value(1)?);
    Ok(picked(call, items))
}

fn prepend(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut items = items(call, 0, "Cannot prepend on type")?;
    items.insert(0, call.value(1)?);
    Ok(picked(call, items))
}

fn concat(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut all = Vec::new();
    for index in 0..call.count() {
        let value = call.value(index)?;
        if slice_items(&value).is_none() {
            let problem = |kind| format!("Cannot concat type {kind} as list");
            return Err(no_slice(call, &value, problem));
        }
        all.append(&mut items(call, index, "")?);
    }
    if all.is_empty() {
        return Ok(no_list(call));
    }
    Ok(picked(call, all))
}

fn first(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let items = items(call, 0, "Cannot find first on type")?;
    Ok(picked_one(call, items.into_iter().next()))
}

fn last(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut items = items(call, 0, "Cannot find last on type")?;
    let last = items.pop();
    Ok(picked_one(call, last))
}

fn rest(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut items = items(call, 0, "Cannot find rest on type")?;
    if items.is_empty() {
        return Ok(no_list(call));
    }
    items.remove(0);
    Ok(picked(call, items))
}

fn initial(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut items = items(call, 0, "Cannot find initial on type")?;
    if items.pop().is_none() {
        return Ok(no_list(call));
    }
    Ok(picked(call, items))
}

fn reverse(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut items = items(call, 0, "Cannot find reverse on type")?;
    items.reverse();
    Ok(picked(call, items))
}

fn compact(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let mut items = items(call, 0, "Cannot compact on type")?;
    for item in &items {
        call.read(item);
    }
    items.retain(Value::is_true);
    Ok(picked(call, items))
}

fn uniq(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let items = items(call, 0, "Cannot find uniq on type")?;
    call.whole(0)?;
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        if !is_among(call, &kept, &item)? {
            kept.push(item);
        }
    }
    Ok(picked(call, kept))
}

fn without(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let items = items(call, 0, "Cannot find without on type")?;
    for index in 0..call.count() {
        call.whole(index)?;
    }
    let unwanted = call.rest(1)?;
    let mut kept = Vec::new();
    for item in items {
        if !is_among(call, &unwanted, &item)? {
            kept.push(item);
        }
    }
    Ok(picked(call, kept))
}

fn has(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let (needle, list) = (call.whole(0)?, call.whole(1)?);
    if matches!(list.data, Data::Missing | Data::Nil) {
        return Ok(call.computed(false));
    }
    let items = items(call, 1, "Cannot find has on type")?;
    let found = is_among(call, &items, &needle)?;
    Ok(call.computed(found))
}

fn is_among(call: &mut Call<'_, '_>, items: &[Value], wanted: &Value) -> Outcome<bool> {
    for item in items {
        if wanted.deep_equals(item, call.state())? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn slice(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let items = items(call, 0, "list should be type of slice or array but")?;
    let list = call.value(0)?;
    let length = items.len();
    if length == 0 {
        return Ok(picked_one(call, None));
    }
    let mut bounds = [0, length];
    for (place, bound) in bounds.iter_mut().enumerate() {
        if place + 1 < call.count() {
            let index = call.value(place + 1)?;
            call.read(&index);
            *bound = usize::try_from(to_int64(&index)).unwrap_or(usize::MAX);
        }
    }
    let [start, end] = bounds;
    let Some(part) = items.get(start..end) else {
        return Err(call.failure("reflect.Value.Slice: slice index out of bounds"));
    };
    let part = match &list.data {
        Data::Bytes(bytes) => Value::scalar(Value::bytes(&bytes[start..end]), list.source),
        Data::List(of_list) => {
            let list = List::new(part.to_vec(), of_list.of);
            Data::List(Rc::new(list)).into()
        }
        _ => Value::list_of(part.to_vec(), Source::TEMPLATE),
    };
    Ok(call.chosen(part))
}

/// Lists of so many items each. Go computes how many with floats, so that there are results
/// for some negative sizes, too.
fn chunk(call: &mut Call<'_, '_>) -> Outcome<Value> {
    let size = call.integer(0)?;
    let items = items(call, 1, "Cannot chunk type")?;
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let size = match (size, length) {
        (1.., _) => usize::try_from(size).unwrap_or(usize::MAX),
        (..=-2, 1) => 1,
        (..=-1, 2..) if length.saturating_add(size) <= 1 => {
            return Ok(call.chosen(Value::typed_list([], ElementType::List)));
        }
        _ => return Err(call.failure("runtime error: makeslice: len out of range")),
    };
    let lists: Vec<Value> = items
        .chunks(size)
        .map(|chunk| Value::list_of(chunk.to_vec(), Source::TEMPLATE))
        .collect();
    Ok(call.chosen(Value::typed_list(lists, ElementType::List)))
}
