//! JSON merge patch (RFC 7396): maps merge, `null` deletes, everything else is replaced.

use std::sync::Arc;

use cairn_spec::{Field, Map, Node, Value};

use super::session::Session;

/// Applies a merge patch to an object.
pub(super) fn apply(object: &mut Node, patch: &Node, session: &mut Session<'_>) {
    if let (Some(target), Some(patch)) = (object.as_map_mut(), patch.as_map()) {
        merge_map(target, patch, session);
    }
}

fn merge_map(target: &mut Map, patch: &Map, session: &mut Session<'_>) {
    for (key, field) in patch.fields() {
        if is_directive(key) {
            session.problem_with_hint(
                "patch-directive",
                format!("`{key}` is a directive of strategic patches, which a merge patch would write as data"),
                field.key_origin,
                "use `type: strategic`".to_owned(),
            );
            continue;
        }
        session.below(key, |session| merge_key(target, key, field, session));
    }
}

fn is_directive(key: &str) -> bool {
    let name = key.split_once('/').map_or(key, |(name, _)| name);
    matches!(
        name,
        "$patch" | "$retainKeys" | "$setElementOrder" | "$deleteFromPrimitiveList"
    )
}

fn merge_key(target: &mut Map, key: &Arc<str>, patch: &Field, session: &mut Session<'_>) {
    let origin = patch.node.origin;
    let map = match &patch.node.value {
        Value::Null => {
            let found = target.contains_key(key);
            session.note_deletion(origin, found);
            if found {
                target.delete(key, session.own(origin));
            }
            return;
        }
        Value::Map(map) => Some(map),
        _ => None,
    };
    if let (Some(map), Some(Value::Map(inner))) = (map, target.get_mut(key).map(|n| &mut n.value)) {
        return merge_map(inner, map, session);
    }
    let existing = target.field(key);
    let loser = existing.map(|field| field.node.origin);
    let key_origin =
        existing.map_or_else(|| session.own(patch.key_origin), |field| field.key_origin);
    let mut node = match map {
        // Merged into an empty map, so that the nulls in it delete nothing and are gone.
        Some(map) => {
            let mut fresh = Map::new();
            merge_map(&mut fresh, map, session);
            Node::new(fresh, origin)
        }
        None => session.adopt(&patch.node),
    };
    node.origin = session.over(origin, loser);
    target.insert_field(Arc::clone(key), Field { key_origin, node });
}
