//! Which fields tell the items of a list from one another.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::Path;

/// The fields that tell an item from others, with their values.
pub(crate) type ItemKey = Vec<(&'static str, Json)>;

/// The keys by which Kubernetes merges lists (`x-kubernetes-list-map-keys`), longest first.
const MERGE_KEYS: [&[&str]; 10] = [
    &["containerPort", "protocol"],
    &["port", "protocol"],
    &["topologyKey", "whenUnsatisfiable"],
    &["mountPath"],
    &["devicePath"],
    &["uid"],
    &["name"],
    &["type"],
    &["key"],
    &["ip"],
];
/// What a key is when an item does not say: the API's default.
const DEFAULTS: [(&str, &str); 1] = [("protocol", "TCP")];

/// The keys that tell all items of both lists apart, if there are such.
pub(super) fn merge_keys(old: &[Json], new: &[Json]) -> Option<&'static [&'static str]> {
    if old.is_empty() && new.is_empty() {
        return None;
    }
    let tells_apart = |items: &[Json], keys: &[&'static str]| {
        let mut seen = BTreeSet::new();
        items
            .iter()
            .all(|item| item_key(item, keys).is_some_and(|key| seen.insert(name(&key))))
    };
    MERGE_KEYS
        .into_iter()
        .find(|keys| tells_apart(old, keys) && tells_apart(new, keys))
}

/// The path of an item of a list, and the place of the same item in another one.
pub(crate) fn same_item(
    path: &Path,
    items: &[Json],
    index: usize,
    others: &[Json],
) -> (Path, Option<usize>) {
    let key = |item| item_key(item, merge_keys(items, others)?);
    match items.get(index).and_then(key) {
        Some(wanted) => {
            let place = others
                .iter()
                .position(|item| key(item).as_ref() == Some(&wanted));
            (path.item(wanted, index), place)
        }
        None => (path.index(index), (index < others.len()).then_some(index)),
    }
}

/// An item's key; none when it lacks one of the fields.
pub(super) fn item_key(item: &Json, keys: &[&'static str]) -> Option<ItemKey> {
    let fields = item.as_object()?;
    keys.iter()
        .map(|&key| {
            let default = || DEFAULTS.iter().find(|(of, _)| *of == key);
            let value = match fields.get(key) {
                Some(value @ (Json::String(_) | Json::Number(_))) => value.clone(),
                Some(_) => return None,
                None => default()?.1.into(),
            };
            Some((key, value))
        })
        .collect()
}

/// `name=web`, `containerPort=80,protocol=TCP`.
pub(super) fn name(key: &ItemKey) -> String {
    let parts = key.iter().map(|(field, value)| match value {
        Json::String(text) => format!("{field}={text}"),
        other => format!("{field}={other}"),
    });
    parts.collect::<Vec<_>>().join(",")
}
