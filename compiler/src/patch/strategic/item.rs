//! Items of keyed lists: what tells them apart, and which of them a patch means.

use std::fmt;

use cairn_spec::{Map, Node};

use super::directive::{self, PatchDirective};
use crate::patch::{
    merge_keys::Key,
    session::{Session, scalar_text},
};

/// An item that a patch merges into a keyed list.
pub(super) struct ItemPatch<'p> {
    pub(super) node: &'p Node,
    pub(super) map: &'p Map,
    pub(super) key: ItemKey<'p>,
    pub(super) directive: PatchDirective,
}

impl<'p> ItemPatch<'p> {
    /// Reads an item; what has no key is reported, since it could only be lost.
    pub(super) fn read(node: &'p Node, keys: &'p [Key], session: &mut Session<'_>) -> Option<Self> {
        let path = session.path();
        let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        let names = names.join("`, `");
        let Some(map) = node.as_map() else {
            let found = node.value.kind();
            session.problem(
                "patch-item",
                format!("items of `{path}` are maps with `{names}`, found a {found}"),
                node.origin,
            );
            return None;
        };
        let key = ItemKey::of(map, keys);
        if key.given.iter().all(Option::is_none) {
            session.problem_with_hint(
                "patch-item",
                format!("an item of `{path}` has no `{names}`, by which this list merges"),
                node.origin,
                format!("name the item by `{names}`"),
            );
            return None;
        }
        let directive = PatchDirective::of(map, session)
            .map_or(PatchDirective::Merge, |(directive, _)| directive);
        if directive == PatchDirective::Delete {
            let is_key = |name: &str| keys.iter().any(|key| key.name == name);
            directive::refuse_beside_delete(map, is_key, node.origin, session);
        }
        Some(Self {
            node,
            map,
            key,
            directive,
        })
    }

    /// The items of a list that this one means: none when it is new, several only when it deletes
    /// them. Nothing at all when that is not clear, which is reported.
    pub(super) fn find<'n>(
        &self,
        items: impl Iterator<Item = (usize, &'n Node)> + Clone,
        session: &mut Session<'_>,
    ) -> Option<Vec<usize>> {
        let exact: Vec<_> = self.key.among(&self.key.complete, items.clone());
        let step = format!("{}{}", session.path(), self.key);
        let (message, candidates) = match exact.as_slice() {
            [] => {
                let near = self.key.among(&self.key.given, items);
                if near.is_empty() {
                    return Some(Vec::new());
                }
                let completed = self.key.completed();
                let message = format!("`{step}` means {completed}, which no item has");
                (message, near)
            }
            [(only, _)] => return Some(vec![*only]),
            many if self.directive == PatchDirective::Delete && self.key.is_whole() => {
                return Some(many.iter().map(|(index, _)| *index).collect());
            }
            many => (
                format!("`{step}` could be any of {} items", many.len()),
                exact,
            ),
        };
        let missing = self.key.missing();
        let hint = if missing.is_empty() {
            "a patch of `type: json6902` reaches items by their position".to_owned()
        } else {
            format!("say which one by adding `{missing}`")
        };
        session.problem_with_hint("patch-item", message, self.node.origin, hint);
        for (_, node) in candidates {
            session.also_at(node.origin, "it could be this one");
        }
        None
    }
}

/// The values of a list's keys in one item.
pub(super) struct ItemKey<'k> {
    keys: &'k [Key],
    /// The parts that the item has.
    given: Vec<Option<String>>,
    /// The same, with defaults for the others.
    complete: Vec<Option<String>>,
}

impl<'k> ItemKey<'k> {
    pub(super) fn of(map: &Map, keys: &'k [Key]) -> Self {
        let given: Vec<_> = keys
            .iter()
            .map(|key| map.get(&key.name).and_then(|node| scalar_text(&node.value)))
            .collect();
        let complete = keys
            .iter()
            .zip(&given)
            .map(|(key, given)| given.clone().or_else(|| key.default.clone()))
            .collect();
        Self {
            keys,
            given,
            complete,
        }
    }

    /// Both name the same item, as far as they name one.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.complete == other.complete
    }

    fn is_whole(&self) -> bool {
        self.complete.iter().all(Option::is_some)
    }

    /// The items that have all the `wanted` parts.
    fn among<'n>(
        &self,
        wanted: &[Option<String>],
        items: impl Iterator<Item = (usize, &'n Node)>,
    ) -> Vec<(usize, &'n Node)> {
        let fits = |node: &Node| {
            node.as_map().is_some_and(|map| {
                let there = Self::of(map, self.keys);
                wanted
                    .iter()
                    .zip(&there.complete)
                    .all(|(wanted, there)| wanted.is_none() || wanted == there)
            })
        };
        items.filter(|(_, node)| fits(node)).collect()
    }

    /// The names of the parts that the item lacks.
    fn missing(&self) -> String {
        let parts = self.keys.iter().zip(&self.given);
        let lacking = parts.filter(|(_, given)| given.is_none());
        let names: Vec<&str> = lacking.map(|(key, _)| key.name.as_str()).collect();
        names.join("`, `")
    }

    /// The parts that defaults fill in, in words.
    fn completed(&self) -> String {
        let parts = self.keys.iter().zip(self.given.iter().zip(&self.complete));
        let filled = parts.filter_map(|(key, values)| match values {
            (None, Some(text)) => Some(format!("`{}: {text}`", key.name)),
            _ => None,
        });
        filled.collect::<Vec<_>>().join(" and ")
    }
}

impl fmt::Display for ItemKey<'_> {
    /// `[port=53,protocol=UDP]`, as a path predicate has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.keys.iter().zip(&self.given);
        let given: Vec<_> = parts
            .filter_map(|(key, given)| Some(format!("{}={}", key.name, given.as_ref()?)))
            .collect();
        write!(f, "[{}]", given.join(","))
    }
}
