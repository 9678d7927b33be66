//! Kubernetes' strategic merge patch.
//!
//! Maps merge, scalars are replaced, `null` deletes; lists merge as the rules of the type say
//! (`list.rs`); directives (`directive.rs`) say otherwise. What is new in an object goes through
//! the same code as what is merged into it, so that directives mean the same in both.

mod directive;
mod item;
mod list;
mod order;

use std::sync::Arc;

use cairn_spec::{Field, Map, Node, OriginId, Value};

use super::{
    Effect, MergeKeys,
    merge_keys::{Merge, Rules},
    session::Session,
};
use directive::{Directives, PatchDirective};
use list::ListPatch;

/// Applies a strategic merge patch to an object.
pub(super) fn apply(
    object: &mut Node,
    patch: &Node,
    merge_keys: &MergeKeys,
    session: &mut Session<'_>,
) -> Effect {
    let Some(patch_map) = patch.as_map() else {
        return Effect::Changed;
    };
    let rules = merge_keys.of(object);
    let identity = Identity::of(object);
    let directive = PatchDirective::of(patch_map, session);
    match directive {
        Some((PatchDirective::Delete, by)) => {
            Identity::refuse_more(patch_map, by, session);
            merge_into(object, patch_map, rules, session);
        }
        Some((PatchDirective::Replace, by)) => {
            let origin = session.over(by, Some(object.origin));
            let before = std::mem::replace(object, Node::new(Map::new(), origin));
            merge_into(object, patch_map, rules, session);
            Identity::restore(object, &before);
        }
        Some((PatchDirective::Merge, _)) | None => merge_into(object, patch_map, rules, session),
    }
    if Identity::of(object) != identity {
        let at = Identity::place_in(patch).unwrap_or(patch.origin);
        session.problem_with_hint(
            "patch-identity",
            "a strategic patch must not change `apiVersion`, `kind`, name or namespace",
            at,
            Some("leave them out: `target` selects the objects".to_owned()),
        );
    }
    match directive {
        Some((PatchDirective::Delete, by)) if session.problems().is_empty() => {
            Effect::Removed(session.own(by))
        }
        _ => Effect::Changed,
    }
}

fn merge_into(object: &mut Node, patch: &Map, rules: Rules<'_>, session: &mut Session<'_>) {
    if let Some(map) = object.as_map_mut() {
        merge_map(map, patch, rules, session);
    }
}

/// Merges a patch map, except its `$patch`, into a map.
fn merge_map(target: &mut Map, patch: &Map, rules: Rules<'_>, session: &mut Session<'_>) {
    let directives = Directives::read(patch, session);
    directives.retain_keys(target, patch, session);
    let fields = patch.fields().filter(|(key, _)| !key.starts_with('$'));
    for (key, field) in fields {
        let (rule, below) = rules.field(key);
        let list = directives.list_patch(key, Some(field));
        session.below(key, |session| {
            let existing = target.remove(key);
            let by = session.own(field.node.origin);
            let existed = existing.is_some();
            match merge_field(existing, field, list, (rule, below), session) {
                Some(merged) => {
                    target.insert_field(Arc::clone(key), merged);
                }
                None if existed => {
                    target.delete(key, by);
                }
                None => {}
            }
        });
    }
    for key in directives.lists().filter(|key| !patch.contains_key(key)) {
        let list = directives.list_patch(key, None);
        session.below(key, |session| {
            let existing = target.remove(key);
            if let Some(merged) = list::merge(existing, list, rules.field(key), session) {
                target.insert_field(key, merged);
            }
        });
    }
}

/// The value of a field after the patch; none when it is deleted.
fn merge_field(
    existing: Option<Field>,
    patch: &Field,
    list: ListPatch<'_>,
    rule: (&Merge, Rules<'_>),
    session: &mut Session<'_>,
) -> Option<Field> {
    match &patch.node.value {
        Value::List(_) => return list::merge(existing, list, rule, session),
        _ => list.refuse_directives(session),
    }
    match &patch.node.value {
        Value::Null => {
            session.note_deletion(patch.node.origin, existing.is_some());
            None
        }
        Value::Map(map) => merge_map_field(existing, (patch, map), rule, session),
        _ => match existing {
            Some(field) if matches!(field.node.value, Value::Map(_) | Value::List(_)) => {
                refuse_kind_change(&field.node, &patch.node, session);
                Some(field)
            }
            existing => Some(replace(
                existing.as_ref(),
                patch,
                patch.node.value.clone(),
                session,
            )),
        },
    }
}

fn merge_map_field(
    existing: Option<Field>,
    (patch, map): (&Field, &Map),
    (merge, rules): (&Merge, Rules<'_>),
    session: &mut Session<'_>,
) -> Option<Field> {
    let directive = PatchDirective::of(map, session).map(|(directive, _)| directive);
    if directive == Some(PatchDirective::Delete) {
        directive::refuse_beside_delete(map, |_| false, patch.node.origin, session);
        session.note_deletion(patch.node.origin, existing.is_some());
        return None;
    }
    let replaces = directive == Some(PatchDirective::Replace)
        || (*merge == Merge::Replace && directive.is_none());
    let mut field = match existing {
        Some(mut field) if !replaces && field.node.as_map().is_some() => {
            if let Some(target) = field.node.as_map_mut() {
                merge_map(target, map, rules, session);
            }
            return Some(field);
        }
        Some(field) if !replaces && field.node.value != Value::Null => {
            refuse_kind_change(&field.node, &patch.node, session);
            return Some(field);
        }
        existing => replace(existing.as_ref(), patch, Map::new().into(), session),
    };
    merge_into(&mut field.node, map, rules, session);
    Some(field)
}

/// A field that the patch writes, in place of what was there.
fn replace(
    existing: Option<&Field>,
    patch: &Field,
    value: Value,
    session: &mut Session<'_>,
) -> Field {
    let loser = existing.map(|field| field.node.origin);
    Field {
        key_origin: existing
            .map_or_else(|| session.own(patch.key_origin), |field| field.key_origin),
        node: Node::new(value, session.over(patch.node.origin, loser)),
    }
}

/// A map over a list is a typo far more often than a wish.
fn refuse_kind_change(existing: &Node, patch: &Node, session: &mut Session<'_>) {
    let message = format!(
        "`{}` is a {}, the patch writes a {}",
        session.path(),
        existing.value.kind(),
        patch.value.kind()
    );
    let hint = match patch.value {
        Value::Map(_) => "`$patch: replace` in the map replaces whatever is there",
        _ => "a patch of `type: merge` replaces whatever is there",
    };
    session.problem_with_hint(
        "patch-kind-change",
        message,
        patch.origin,
        Some(hint.to_owned()),
    );
    session.also_at(existing.origin, "it is written here");
}

/// What tells objects apart; a patch that changes it would make another object.
#[derive(PartialEq)]
struct Identity([Option<String>; 4]);

impl Identity {
    const PATHS: [&[&str]; 4] = [
        &["apiVersion"],
        &["kind"],
        &["metadata", "name"],
        &["metadata", "namespace"],
    ];

    fn of(object: &Node) -> Self {
        Self(Self::PATHS.map(|path| object.at(path).map(|node| node.to_json().to_string())))
    }

    /// Where a patch writes to the identity, to point at it.
    fn place_in(patch: &Node) -> Option<OriginId> {
        let deepest = Self::PATHS.iter().rev().find_map(|path| patch.at(path));
        deepest
            .or_else(|| patch.get("metadata"))
            .map(|node| node.origin)
    }

    /// A patch that deletes an object may say which one, and nothing else.
    fn refuse_more(patch: &Map, by: OriginId, session: &mut Session<'_>) {
        let of_object = |key: &str| matches!(key, "apiVersion" | "kind" | "metadata");
        let of_metadata = |key: &str| matches!(key, "name" | "namespace");
        directive::refuse_beside_delete(patch, of_object, by, session);
        if let Some(metadata) = patch.get("metadata").and_then(Node::as_map) {
            directive::refuse_beside_delete(metadata, of_metadata, by, session);
        }
    }

    /// Gives a replaced object the parts of its identity that the patch does not mention.
    fn restore(object: &mut Node, before: &Node) {
        for path in Self::PATHS {
            let Some(old) = before.at(path) else { continue };
            if object.at(path).is_none() {
                insert_at(object, path, old.clone());
            }
        }
    }
}

/// Sets a value below maps, which are made when they are missing.
fn insert_at(node: &mut Node, path: &[&str], value: Node) {
    let Some(map) = node.as_map_mut() else { return };
    match path {
        [] => {}
        [key] => {
            map.insert(*key, value);
        }
        [key, rest @ ..] => {
            if !map.contains_key(key) {
                map.insert(*key, Node::new(Map::new(), value.origin));
            }
            if let Some(child) = map.get_mut(key) {
                insert_at(child, rest, value);
            }
        }
    }
}
