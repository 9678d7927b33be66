//! Lists in strategic merge patches: by key, by value, or replaced as a whole.

use cairn_spec::{Field, Map, Node, OriginId, Value};

use super::{
    directive::{self, PatchDirective},
    item::{ItemKey, ItemPatch},
    merge_into,
    order::interleave,
    refuse_kind_change,
};
use crate::patch::{
    merge_keys::{Key, Merge, Rules},
    session::{Session, scalar_text},
};

/// What a patch does to one list.
#[derive(Clone, Copy)]
pub(super) struct ListPatch<'p> {
    /// The list in the patch, if there is one.
    pub(super) field: Option<&'p Field>,
    /// `$deleteFromPrimitiveList/<field>`.
    pub(super) delete: Option<&'p Field>,
    /// `$setElementOrder/<field>`.
    pub(super) order: Option<&'p Field>,
}

impl<'p> ListPatch<'p> {
    /// A field that is no list in the patch cannot have directives of lists.
    pub(super) fn refuse_directives(self, session: &mut Session<'_>) {
        if let Some(field) = self.delete.or(self.order) {
            let path = session.path();
            session.problem(
                "patch-directive",
                format!(
                    "a list directive names `{path}`, which the patch writes as something else"
                ),
                field.key_origin,
            );
        }
    }

    /// A list that the patch deletes has no order; one that it replaces loses nothing by value.
    fn refuse_without_effect(self, deletes: bool, replaces: bool, session: &mut Session<'_>) {
        let delete = self.delete.filter(|_| deletes || replaces);
        if let Some(field) = delete.or(self.order.filter(|_| deletes)) {
            let path = session.path();
            session.problem(
                "patch-directive",
                format!("the patch replaces or deletes `{path}`, so that this has no effect"),
                field.key_origin,
            );
        }
    }

    /// The field of the patch that writes the list: itself, or the directive that does.
    fn writer(self) -> Option<&'p Field> {
        self.field.or(self.delete).or(self.order)
    }
}

/// The list after the patch; none when it is deleted or was never there.
pub(super) fn merge(
    existing: Option<Field>,
    patch: ListPatch<'_>,
    (rule, below): (&Merge, Rules<'_>),
    session: &mut Session<'_>,
) -> Option<Field> {
    let writer = patch.writer()?;
    let items = patch.field.and_then(|field| field.node.as_list());
    let (directive, items) = split_directive(items.unwrap_or_default(), rule, session);
    let deletes = matches!(directive, Some((PatchDirective::Delete, _)));
    let replaces = matches!(directive, Some((PatchDirective::Replace, _)))
        || (matches!(rule, Merge::Plain | Merge::Replace) && patch.field.is_some());
    patch.refuse_without_effect(deletes, replaces, session);
    if let Some((_, by)) = directive.filter(|_| deletes) {
        session.note_deletion(by, existing.is_some());
        return None;
    }
    let loser = existing.as_ref().map(|field| field.node.origin);
    let key_origin = existing
        .as_ref()
        .map_or_else(|| session.own(writer.key_origin), |field| field.key_origin);
    let mut list = List::take(existing, writer, session)?;
    let mut shrinks = false;
    if let Some(values) = patch.delete {
        shrinks = list.delete_values(&values.node, session);
    }
    if replaces {
        list.entries.clear();
    }
    match rule {
        Merge::ByKey(keys) => shrinks |= list.add_by_key(&items, (keys, below), session),
        Merge::Union => list.add_by_value(&items, session),
        Merge::Plain | Merge::Replace => list.add_as_written(&items, session),
    }
    match patch.order {
        Some(order) => list.set_order(order, rule, session),
        None => list.interleave(),
    }
    if list.entries.is_empty() && loser.is_none() && patch.field.is_none() {
        return None;
    }
    let origin = match loser {
        Some(old) if !replaces && !shrinks => old,
        loser => session.over(writer.node.origin, loser),
    };
    Some(Field {
        key_origin,
        node: Node::new(list.into_items(), origin),
    })
}

/// Separates an item that is nothing but a directive: it speaks of the list.
fn split_directive<'p>(
    items: &'p [Node],
    rule: &Merge,
    session: &mut Session<'_>,
) -> (Option<(PatchDirective, OriginId)>, Vec<&'p Node>) {
    let bare_map = |item: &&'p Node| -> Option<&'p Map> {
        let map = item.as_map()?;
        (map.len() == 1 && map.contains_key(directive::PATCH)).then_some(map)
    };
    let (bare, rest): (Vec<&Node>, Vec<&Node>) =
        items.iter().partition(|item| bare_map(item).is_some());
    if let [_, second, ..] = bare.as_slice() {
        let message = "a list has at most one `$patch` of its own";
        session.problem("patch-directive", message, second.origin);
    }
    let directive = bare
        .first()
        .and_then(bare_map)
        .and_then(|map| PatchDirective::of(map, session));
    match directive {
        Some((PatchDirective::Delete, by)) if !rest.is_empty() => session.problem_with_hint(
            "patch-directive",
            "`$patch: delete` deletes the whole list, so that its other items would have no effect",
            by,
            "use `$patch: replace` to replace the list".to_owned(),
        ),
        Some((PatchDirective::Merge, by)) if *rule == Merge::Plain => {
            let path = session.path();
            let message = format!("`{path}` has no merge key and is replaced as a whole");
            session.problem("patch-directive", message, by);
        }
        _ => {}
    }
    (directive, rest)
}

/// An item of a list that is being merged.
struct Entry {
    node: Node,
    /// Where it stood in the object's list.
    position: Option<usize>,
    /// Where it stands among the items that the patch orders.
    rank: Option<usize>,
}

/// A list at work.
struct List {
    entries: Vec<Entry>,
}

impl List {
    /// The items of what is there; none, which is reported, when that is no list.
    fn take(existing: Option<Field>, writer: &Field, session: &mut Session<'_>) -> Option<Self> {
        let items = match existing {
            None => Vec::new(),
            Some(field) => match field.node.value {
                Value::List(items) => items,
                Value::Null => Vec::new(),
                _ => {
                    refuse_kind_change(&field.node, &writer.node, session);
                    return None;
                }
            },
        };
        let entry = |(position, node)| Entry {
            node,
            position: Some(position),
            rank: None,
        };
        Some(Self {
            entries: items.into_iter().enumerate().map(entry).collect(),
        })
    }

    fn add(&mut self, node: Node, rank: usize) {
        self.entries.push(Entry {
            node,
            position: None,
            rank: Some(rank),
        });
    }

    fn add_as_written(&mut self, items: &[&Node], session: &mut Session<'_>) {
        for (rank, item) in items.iter().enumerate() {
            directive::refuse_in_literal(item, session);
            self.add(session.adopt(item), rank);
        }
    }

    fn add_by_value(&mut self, items: &[&Node], session: &mut Session<'_>) {
        for (rank, item) in items.iter().enumerate() {
            let Some(text) = scalar_text(&item.value) else {
                let (path, found) = (session.path(), item.value.kind());
                let message = format!("items of `{path}` are scalars, found a {found}");
                session.problem("patch-item", message, item.origin);
                continue;
            };
            match self.entries.iter_mut().find(|entry| entry.is_scalar(&text)) {
                Some(entry) => entry.rank = entry.rank.or(Some(rank)),
                None => self.add(session.adopt(item), rank),
            }
        }
    }

    /// Merges items by their keys; says whether it deleted any.
    fn add_by_key(
        &mut self,
        items: &[&Node],
        (keys, below): (&[Key], Rules<'_>),
        session: &mut Session<'_>,
    ) -> bool {
        let mut deleted = Vec::new();
        let mut written: Vec<ItemPatch<'_>> = Vec::new();
        for (rank, item) in items.iter().enumerate() {
            let Some(item) = ItemPatch::read(item, keys, session) else {
                continue;
            };
            let old = self.entries.iter().enumerate();
            let old = old.filter(|(_, entry)| entry.position.is_some());
            let old = old.map(|(index, entry)| (index, &entry.node));
            let Some(found) = item.find(old, session) else {
                continue;
            };
            let again = written.iter().any(|other| other.key.equals(&item.key))
                || found
                    .iter()
                    .any(|index| deleted.contains(index) || self.entries[*index].rank.is_some());
            if again {
                let message = format!("the patch has `{}{}` twice", session.path(), item.key);
                session.problem("patch-item", message, item.node.origin);
                continue;
            }
            session.below(&item.key.to_string(), |session| {
                if item.directive == PatchDirective::Delete {
                    session.note_deletion(item.node.origin, !found.is_empty());
                    deleted.extend(found);
                } else {
                    self.write(found.first().copied(), &item, (rank, below), session);
                }
            });
            written.push(item);
        }
        let mut index = 0;
        self.entries.retain(|_| {
            index += 1;
            !deleted.contains(&(index - 1))
        });
        !deleted.is_empty()
    }

    /// Merges an item of the patch into its counterpart, or adds it.
    fn write(
        &mut self,
        counterpart: Option<usize>,
        item: &ItemPatch<'_>,
        (rank, below): (usize, Rules<'_>),
        session: &mut Session<'_>,
    ) {
        let Some(index) = counterpart else {
            let mut node = Node::new(Map::new(), session.own(item.node.origin));
            merge_into(&mut node, item.map, below, session);
            return self.add(node, rank);
        };
        let entry = &mut self.entries[index];
        entry.rank = Some(rank);
        if item.directive == PatchDirective::Replace {
            let origin = session.over(item.node.origin, Some(entry.node.origin));
            entry.node = Node::new(Map::new(), origin);
        }
        merge_into(&mut entry.node, item.map, below, session);
    }

    /// Removes scalars by value; says whether any was there.
    fn delete_values(&mut self, values: &Node, session: &mut Session<'_>) -> bool {
        let before = self.entries.len();
        for value in values.as_list().unwrap_or_default() {
            let Some(text) = scalar_text(&value.value) else {
                let found = value.value.kind();
                let message = format!("`$deleteFromPrimitiveList` lists scalars, found a {found}");
                session.problem("patch-directive", message, value.origin);
                continue;
            };
            let count = self.entries.len();
            self.entries.retain(|entry| !entry.is_scalar(&text));
            let found = self.entries.len() < count;
            session.below(&format!("[={text}]"), |session| {
                session.note_deletion(value.origin, found);
            });
        }
        self.entries.len() < before
    }

    /// Orders the list as `$setElementOrder` says.
    fn set_order(&mut self, order: &Field, rule: &Merge, session: &mut Session<'_>) {
        let patched: Vec<bool> = self
            .entries
            .iter()
            .map(|entry| entry.rank.is_some())
            .collect();
        self.entries.iter_mut().for_each(|entry| entry.rank = None);
        for (rank, item) in order.node.as_list().unwrap_or_default().iter().enumerate() {
            let unranked = self.entries.iter_mut().filter(|entry| entry.rank.is_none());
            let mut named = unranked.filter(|entry| entry.is_named_by(item, rule));
            if let Some(entry) = named.next() {
                entry.rank = Some(rank);
                continue;
            }
            let path = session.path();
            let message = format!("`$setElementOrder` names an item that `{path}` does not have");
            session.problem("patch-directive", message, item.origin);
        }
        let mut both = self.entries.iter().zip(patched);
        if both.any(|(entry, patched)| patched && entry.rank.is_none()) {
            let path = session.path();
            let message =
                format!("`$setElementOrder` leaves out an item of `{path}` that the patch writes");
            session.problem("patch-directive", message, order.node.origin);
        }
        self.interleave();
    }

    /// Orders the list by ranks, and where there are none, as the object has it.
    fn interleave(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        let (mut patched, others): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| entry.rank.is_some());
        patched.sort_by_key(|entry| entry.rank);
        self.entries = interleave(patched, others, |entry| entry.position);
    }

    fn into_items(self) -> Vec<Node> {
        self.entries.into_iter().map(|entry| entry.node).collect()
    }
}

impl Entry {
    fn is_scalar(&self, text: &str) -> bool {
        scalar_text(&self.node.value).as_deref() == Some(text)
    }

    /// The entry is what an item of `$setElementOrder` names.
    fn is_named_by(&self, item: &Node, rule: &Merge) -> bool {
        match (rule, item.as_map(), self.node.as_map()) {
            (Merge::ByKey(keys), Some(wanted), Some(map)) => {
                ItemKey::of(map, keys).equals(&ItemKey::of(wanted, keys))
            }
            _ => scalar_text(&item.value).is_some_and(|text| self.is_scalar(&text)),
        }
    }
}
