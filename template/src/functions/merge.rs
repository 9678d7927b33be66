//! Sprig's `merge` and its like, as `dario.cat/mergo` merges maps: into the first map, in place,
//! and without copies, so that a map which only the source has becomes a part of both.

use std::{rc::Rc, sync::Arc};

use super::{Function, functions, maps::stored};
use crate::{
    call::Call,
    spans::OriginSet,
    state::Outcome,
    value::{Data, Entries, Entry, Map, MapType, Value},
};

pub(super) static FUNCTIONS: &[Function] = &functions![
    "merge" (Map, .. Map) => merge;
    "mergeOverwrite" (Map, .. Map) => merge_overwrite;
    "mustMerge" (Map, .. Map) => must_merge;
    "mustMergeOverwrite" (Map, .. Map) => must_merge_overwrite;
];

/// Which value wins where both maps have one that is not empty.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Winner {
    Destination,
    Source,
}

fn merge(call: &mut Call<'_, '_>) -> Outcome<Value> {
    or_empty(call, Winner::Destination)
}

fn merge_overwrite(call: &mut Call<'_, '_>) -> Outcome<Value> {
    or_empty(call, Winner::Source)
}

fn must_merge(call: &mut Call<'_, '_>) -> Outcome<Value> {
    match merged(call, Winner::Destination)? {
        Ok(map) => Ok(map),
        Err(MixedTypes) => Err(call.failure("src and dst must be of same type")),
    }
}

fn must_merge_overwrite(call: &mut Call<'_, '_>) -> Outcome<Value> {
    match merged(call, Winner::Source)? {
        Ok(map) => Ok(map),
        Err(MixedTypes) => Err(call.failure("src and dst must be of same type")),
    }
}

/// What cannot be merged is an empty text.
fn or_empty(call: &mut Call<'_, '_>, winner: Winner) -> Outcome<Value> {
    Ok(match merged(call, winner)? {
        Ok(map) => map,
        Err(MixedTypes) => Value::from(""),
    })
}

/// A pointer to a struct meets what is none.
struct MixedTypes;

fn merged(call: &mut Call<'_, '_>, winner: Winner) -> Outcome<Result<Value, MixedTypes>> {
    let destination = call.value(0)?;
    let map = match &destination.data {
        Data::Map(map) if map.of == MapType::Any => Rc::clone(map),
        Data::Map(map) => Rc::new(map.retyped(MapType::Any)),
        _ => Rc::new(Map::new(Entries::new(), MapType::Any)),
    };
    let mut because_of_all = destination.because;
    for index in 1..call.count() {
        let source = call.value(index)?;
        call.state().read_shallow(&source);
        let because = source.because;
        let origins = source.shallow_origins(call.state());
        because_of_all = call.state().tracker.union(because_of_all, because);
        because_of_all = call.state().tracker.union(because_of_all, origins);
        if let Data::Map(entries) = &source.data {
            if let Err(mixed) = merge_into(call, (&map, entries), winner, because, 0)? {
                return Ok(Err(mixed));
            }
            note_kept(call, (&map, entries), winner, &source)?;
        }
    }
    // That nothing is in it follows from all that were merged.
    let because = if map.is_empty() {
        because_of_all
    } else {
        destination.because
    };
    Ok(Ok(Value {
        data: Data::Map(map),
        because,
        ..destination
    }))
}

fn merge_into(
    call: &mut Call<'_, '_>,
    (destination, source): (&Rc<Map>, &Rc<Map>),
    winner: Winner,
    because: OriginSet,
    depth: usize,
) -> Outcome<Result<(), MixedTypes>> {
    call.state().check_depth(depth)?;
    let entries = source.entries();
    call.state().step(entries.len())?;
    for (key, entry) in entries.iter() {
        let new = &entry.value;
        let old = destination.get(key).unwrap_or_else(Value::missing);
        if matches!(new.data, Data::Missing | Data::Nil) {
            if winner == Winner::Source {
                store(call, destination, key, entry, because)?;
            }
            continue;
        }
        call.state().read_shallow(&old);
        let reasons = old.shallow_origins(call.state());
        let because = call.state().tracker.union(because, reasons);
        if let (Data::Map(into), Data::Map(from)) = (&old.data, &new.data) {
            let result = merge_into(call, (into, from), winner, because, depth + 1)?;
            if result.is_err() {
                return Ok(result);
            }
            note_kept(call, (into, from), winner, new)?;
        }
        if winner == Winner::Destination && is_mixed(&old, new) {
            return Ok(Err(MixedTypes));
        }
        let both_maps = old.kind_name() == "map" && new.kind_name() == "map";
        if !old.is_true() || (winner == Winner::Source && !both_maps) {
            store(call, destination, key, entry, because)?;
        }
    }
    Ok(Ok(()))
}

/// Where the source wins, what the destination keeps is there because the source has no such key.
fn note_kept(
    call: &mut Call<'_, '_>,
    (destination, source): (&Map, &Map),
    winner: Winner,
    of_source: &Value,
) -> Outcome<()> {
    if winner != Winner::Source || call.state().tracker.is_off() {
        return Ok(());
    }
    let reasons = of_source.shallow_origins(call.state());
    if reasons == OriginSet::EMPTY {
        return Ok(());
    }
    let entries = destination.entries();
    call.state().step(entries.len())?;
    let kept: Vec<_> = entries
        .iter()
        .filter(|(key, _)| !source.contains_key(key))
        .map(|(key, entry)| (Arc::clone(key), entry.clone()))
        .collect();
    drop(entries);
    for (key, mut entry) in kept {
        let because = entry.value.because;
        entry.value.because = call.state().tracker.union(because, reasons);
        destination.insert(key, entry);
    }
    Ok(())
}

/// Go would look into what the pointer of the destination points to, and finds another type.
fn is_mixed(old: &Value, new: &Value) -> bool {
    old.kind_name() == "ptr" && matches!(new.kind_name(), "map" | "struct")
}

fn store(
    call: &mut Call<'_, '_>,
    destination: &Map,
    key: &Arc<str>,
    entry: &Entry,
    because: OriginSet,
) -> Outcome<()> {
    if destination.of == MapType::String && entry.value.as_bytes().is_none() {
        return Err(call.failure(
            "reflect.Value.SetMapIndex: value of type interface {} is not assignable to type string",
        ));
    }
    let mut reasons = because;
    if let Some(origin) = destination.deletion(key) {
        let deleted = call.state().tracker.single(origin);
        reasons = call.state().tracker.union(reasons, deleted);
    }
    let value = stored(call, entry.value.clone(), reasons);
    let key_source = entry.key;
    destination.insert(
        Arc::clone(key),
        Entry {
            key: key_source,
            value,
        },
    );
    Ok(())
}
