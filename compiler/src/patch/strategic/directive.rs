//! The directives of strategic merge patches: keys that start with `$` and say how to merge.

use std::collections::BTreeMap;

use cairn_spec::{Field, Map, Node, OriginId, Value, suggest};

use super::list::ListPatch;
use crate::patch::session::{Session, scalar_text};

/// The directive that says what happens to the map or list item it stands in.
pub(super) const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM_PRIMITIVE_LIST: &str = "$deleteFromPrimitiveList";
const SET_ELEMENT_ORDER: &str = "$setElementOrder";

/// The values of `$patch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PatchDirective {
    Merge,
    Replace,
    Delete,
}

impl PatchDirective {
    /// The `$patch` of a map, if it has one, and where it is written.
    pub(super) fn of(map: &Map, session: &mut Session<'_>) -> Option<(Self, OriginId)> {
        let node = map.get(PATCH)?;
        let directive = match node.as_str() {
            Some("merge") => Self::Merge,
            Some("replace") => Self::Replace,
            Some("delete") => Self::Delete,
            other => {
                let message = format!(
                    "`$patch` is `merge`, `replace` or `delete`, found {}",
                    other.map_or_else(
                        || format!("a {}", node.value.kind()),
                        |text| format!("`{text}`")
                    )
                );
                let hint = other.and_then(|text| suggest(text, ["merge", "replace", "delete"]));
                session.problem_with_hint("patch-directive", message, node.origin, hint);
                return None;
            }
        };
        Some((directive, node.origin))
    }
}

/// Nothing can be said beside `$patch: delete`, since it would be lost.
pub(super) fn refuse_beside_delete(
    map: &Map,
    allowed: impl Fn(&str) -> bool,
    at: OriginId,
    session: &mut Session<'_>,
) {
    if let Some(other) = map.keys().find(|key| &***key != PATCH && !allowed(key)) {
        let message =
            format!("`$patch: delete` stands beside `{other}`, which would have no effect");
        session.problem_with_hint(
            "patch-directive",
            message,
            at,
            Some("delete the rest, or use `$patch: replace`".to_owned()),
        );
    }
}

/// The directives of one patch map, except `$patch`.
#[derive(Default)]
pub(super) struct Directives<'p> {
    retain_keys: Option<(Vec<String>, OriginId)>,
    delete_from: BTreeMap<&'p str, &'p Field>,
    order: BTreeMap<&'p str, &'p Field>,
}

impl<'p> Directives<'p> {
    pub(super) fn read(patch: &'p Map, session: &mut Session<'_>) -> Self {
        let mut directives = Self::default();
        for (key, field) in patch.fields().filter(|(key, _)| key.starts_with('$')) {
            let origin = field.node.origin;
            match key.split_once('/') {
                None if &**key == PATCH => {}
                None if &**key == RETAIN_KEYS => {
                    directives.retain_keys = texts(&field.node).map(|keys| (keys, origin));
                    if directives.retain_keys.is_none() {
                        session.problem(
                            "patch-directive",
                            format!("`{key}` is a list of keys"),
                            origin,
                        );
                    }
                }
                Some((DELETE_FROM_PRIMITIVE_LIST, list)) if is_list(key, field, session) => {
                    directives.delete_from.insert(list, field);
                }
                Some((SET_ELEMENT_ORDER, list)) if is_list(key, field, session) => {
                    directives.order.insert(list, field);
                }
                Some((DELETE_FROM_PRIMITIVE_LIST | SET_ELEMENT_ORDER, _)) => {}
                _ => refuse_unknown(key, field.key_origin, session),
            }
        }
        directives
    }

    /// Removes the fields that `$retainKeys` does not name.
    pub(super) fn retain_keys(&self, target: &mut Map, patch: &Map, session: &mut Session<'_>) {
        let Some((keys, origin)) = &self.retain_keys else {
            return;
        };
        let named = |key: &str| keys.iter().any(|kept| kept == key);
        for key in patch
            .keys()
            .filter(|key| !key.starts_with('$') && !named(key))
        {
            let message =
                format!("the patch writes `{key}`, which its `$retainKeys` does not name");
            session.problem("patch-directive", message, *origin);
        }
        let lost: Vec<_> = target.keys().filter(|key| !named(key)).cloned().collect();
        for key in lost {
            target.delete(&key, session.own(*origin));
        }
    }

    /// The lists that directives name.
    pub(super) fn lists(&self) -> impl Iterator<Item = &'p str> {
        let mut lists: Vec<_> = self
            .delete_from
            .keys()
            .chain(self.order.keys())
            .copied()
            .collect();
        lists.sort_unstable();
        lists.dedup();
        lists.into_iter()
    }

    /// What the patch does to a list: its items, if it has the field, and directives about it.
    pub(super) fn list_patch<'a>(&self, list: &str, field: Option<&'a Field>) -> ListPatch<'a>
    where
        'p: 'a,
    {
        ListPatch {
            field,
            delete: self.delete_from.get(list).copied(),
            order: self.order.get(list).copied(),
        }
    }
}

fn is_list(key: &str, field: &Field, session: &mut Session<'_>) -> bool {
    let list = field.node.as_list().is_some();
    if !list {
        session.problem(
            "patch-directive",
            format!("`{key}` is a list"),
            field.node.origin,
        );
    }
    list
}

fn texts(node: &Node) -> Option<Vec<String>> {
    node.as_list()?
        .iter()
        .map(|item| scalar_text(&item.value))
        .collect()
}

fn refuse_unknown(key: &str, at: OriginId, session: &mut Session<'_>) {
    let known = [
        PATCH,
        RETAIN_KEYS,
        "$deleteFromPrimitiveList/",
        "$setElementOrder/",
    ];
    let (name, list) = key
        .split_once('/')
        .map_or((key, ""), |(name, list)| (name, list));
    let hint = match known
        .iter()
        .find(|known| known.trim_end_matches('/') == name)
    {
        Some(known) if known.ends_with('/') => Some(format!("name the list: `{name}/<field>`")),
        Some(known) => Some(format!("write `{known}` without `/{list}`")),
        None => suggest(key, known),
    };
    session.problem_with_hint(
        "patch-directive",
        format!("unknown directive `{key}`"),
        at,
        hint,
    );
}

/// Refuses directives in what is written as it stands, where they would become data.
pub(super) fn refuse_in_literal(node: &Node, session: &mut Session<'_>) {
    match &node.value {
        Value::Map(map) => {
            for (key, field) in map.fields() {
                if key.starts_with('$') {
                    let message = format!(
                        "`{key}` stands in the list `{}`, which has no merge key and is replaced as a whole",
                        session.path()
                    );
                    let hint = "write the whole list, or use a patch of `type: json6902`";
                    session.problem_with_hint(
                        "patch-directive",
                        message,
                        field.key_origin,
                        Some(hint.to_owned()),
                    );
                }
                refuse_in_literal(&field.node, session);
            }
        }
        Value::List(items) => items
            .iter()
            .for_each(|item| refuse_in_literal(item, session)),
        _ => {}
    }
}
