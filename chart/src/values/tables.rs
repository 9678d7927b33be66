//! Helm's maps while they are merged. Helm's are references: a table below `global` is often one
//! and the same in a chart and in the charts below it, and what is merged into one is there in
//! all. Maps that no merge changes are only pointed at.

use std::{collections::BTreeMap, sync::Arc};

use cairn_spec::{Field, Map, Node, OriginId, Value};

/// How deep values may nest. Files of values nest less; deeper ones come from long paths of
/// `import-values` alone, which can also make tables that contain themselves.
pub(crate) const MAX_DEPTH: usize = 256;

/// Values nest deeper than [`MAX_DEPTH`].
#[derive(Debug)]
pub(crate) struct TooDeep;

/// A table in [`Tables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableId(usize);

/// A map that is only pointed at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Untouched<'n> {
    pub(crate) map: &'n Map,
    pub(crate) origin: OriginId,
    /// Its nulls, and those of the maps in it, are not there.
    pub(crate) without_nulls: bool,
}

/// What stands under a key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Slot<'n> {
    /// Null, a scalar or a list; lists are never merged.
    Leaf(&'n Value, OriginId),
    Untouched(Untouched<'n>),
    Table(TableId),
}

impl<'n> Slot<'n> {
    pub(crate) fn of(node: &'n Node, without_nulls: bool) -> Self {
        match &node.value {
            Value::Map(map) => Self::Untouched(Untouched {
                map,
                origin: node.origin,
                without_nulls,
            }),
            leaf => Self::Leaf(leaf, node.origin),
        }
    }

    pub(crate) fn is_null(self) -> bool {
        matches!(self, Self::Leaf(Value::Null, _))
    }

    pub(crate) fn is_table(self) -> bool {
        !matches!(self, Self::Leaf(..))
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'n> {
    pub(crate) key_origin: OriginId,
    pub(crate) slot: Slot<'n>,
}

#[derive(Debug, Default)]
struct Table<'n> {
    origin: OriginId,
    entries: BTreeMap<Arc<str>, Entry<'n>>,
    /// Keys that a null deleted, and where that null was written.
    deleted: BTreeMap<Arc<str>, OriginId>,
}

/// All tables of one merge.
#[derive(Debug, Default)]
pub(crate) struct Tables<'n> {
    all: Vec<Table<'n>>,
}

impl<'n> Tables<'n> {
    pub(crate) fn add(&mut self, origin: OriginId) -> TableId {
        self.push(Table {
            origin,
            ..Table::default()
        })
    }

    fn push(&mut self, table: Table<'n>) -> TableId {
        self.all.push(table);
        TableId(self.all.len() - 1)
    }

    /// The table of a node; of one that is no map, an empty table.
    pub(crate) fn of(&mut self, node: &'n Node) -> TableId {
        match Slot::of(node, false) {
            Slot::Untouched(untouched) => self.touch(untouched),
            _ => self.add(node.origin),
        }
    }

    /// Makes a table of a map, so that it can be changed; the maps in it stay untouched.
    fn touch(&mut self, untouched: Untouched<'n>) -> TableId {
        let Untouched {
            map,
            origin,
            without_nulls,
        } = untouched;
        let tombstones = map.tombstones();
        let mut deleted: BTreeMap<_, _> = tombstones
            .map(|(key, origin)| (Arc::clone(key), origin))
            .collect();
        if without_nulls {
            deleted.extend(nulls(map));
        }
        let kept = map
            .fields()
            .filter(|(_, field)| !(without_nulls && field.node.value == Value::Null));
        let entries = kept
            .map(|(key, field)| (Arc::clone(key), Entry::of(field, without_nulls)))
            .collect();
        self.push(Table {
            origin,
            entries,
            deleted,
        })
    }

    pub(crate) fn is_empty(&self, table: TableId) -> bool {
        self.all[table.0].entries.is_empty()
    }

    pub(crate) fn origin(&self, table: TableId) -> OriginId {
        self.all[table.0].origin
    }

    pub(crate) fn set_origin(&mut self, table: TableId, origin: OriginId) {
        self.all[table.0].origin = origin;
    }

    pub(crate) fn origin_of(&self, slot: Slot<'n>) -> OriginId {
        match slot {
            Slot::Leaf(_, origin) | Slot::Untouched(Untouched { origin, .. }) => origin,
            Slot::Table(table) => self.origin(table),
        }
    }

    pub(crate) fn get(&self, table: TableId, key: &str) -> Option<Slot<'n>> {
        self.all[table.0].entries.get(key).map(|entry| entry.slot)
    }

    /// Where what stands under a key is written, or the null that deleted it.
    pub(crate) fn origin_at(&self, table: TableId, key: &str) -> Option<OriginId> {
        let slot = self.get(table, key).map(|slot| self.origin_of(slot));
        slot.or_else(|| self.all[table.0].deleted.get(key).copied())
    }

    pub(crate) fn entry_mut(&mut self, table: TableId, key: &str) -> Option<&mut Entry<'n>> {
        self.all[table.0].entries.get_mut(key)
    }

    /// What stands under a key, as a table that can be changed, when it is one.
    pub(crate) fn table(&mut self, table: TableId, key: &str) -> Option<TableId> {
        match self.get(table, key)? {
            Slot::Leaf(..) => None,
            Slot::Table(id) => Some(id),
            Slot::Untouched(untouched) => {
                let id = self.touch(untouched);
                if let Some(entry) = self.entry_mut(table, key) {
                    entry.slot = Slot::Table(id);
                }
                Some(id)
            }
        }
    }

    pub(crate) fn insert(&mut self, table: TableId, key: Arc<str>, entry: Entry<'n>) {
        let table = &mut self.all[table.0];
        table.deleted.remove(&key);
        table.entries.insert(key, entry);
    }

    /// Removes a key that is null, and remembers where that null was written.
    pub(crate) fn delete(&mut self, table: TableId, key: &str) {
        let table = &mut self.all[table.0];
        if let Some((key, entry)) = table.entries.remove_entry(key)
            && let Slot::Leaf(_, origin) = entry.slot
        {
            table.deleted.insert(key, origin);
        }
    }

    /// Remembers a null that deletes nothing, for whoever asks why the key is not there.
    pub(crate) fn remember_null(&mut self, table: TableId, key: &Arc<str>, origin: OriginId) {
        let table = &mut self.all[table.0];
        if !table.entries.contains_key(key) {
            table.deleted.entry(Arc::clone(key)).or_insert(origin);
        }
    }

    /// What is in a table, to be put into another: all maps are tables from now on, so that
    /// both have the same ones.
    pub(crate) fn shared_entries(&mut self, table: TableId) -> Vec<(Arc<str>, Entry<'n>)> {
        let untouched: Vec<Arc<str>> = self.all[table.0]
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.slot, Slot::Untouched(_)))
            .map(|(key, _)| Arc::clone(key))
            .collect();
        for key in untouched {
            self.table(table, &key);
        }
        let entries = self.all[table.0].entries.iter();
        entries
            .map(|(key, entry)| (Arc::clone(key), *entry))
            .collect()
    }

    /// A table with the same entries.
    pub(crate) fn shallow_copy(&mut self, table: TableId) -> TableId {
        let entries = self.shared_entries(table).into_iter().collect();
        let Table {
            origin, deleted, ..
        } = &self.all[table.0];
        let copy = Table {
            origin: *origin,
            entries,
            deleted: deleted.clone(),
        };
        self.push(copy)
    }

    /// A table with copies of all tables in it.
    pub(crate) fn deep_copy(&mut self, table: TableId) -> Result<TableId, TooDeep> {
        self.deep_copy_at(table, 0)
    }

    fn deep_copy_at(&mut self, table: TableId, depth: usize) -> Result<TableId, TooDeep> {
        if depth > MAX_DEPTH {
            return Err(TooDeep);
        }
        let Table {
            origin,
            entries,
            deleted,
        } = &self.all[table.0];
        let mut copy = Table {
            origin: *origin,
            entries: entries.clone(),
            deleted: deleted.clone(),
        };
        for entry in copy.entries.values_mut() {
            if let Slot::Table(below) = entry.slot {
                entry.slot = Slot::Table(self.deep_copy_at(below, depth + 1)?);
            }
        }
        Ok(self.push(copy))
    }

    /// The keys of a table that are null.
    pub(crate) fn nulls(&self, table: TableId) -> Vec<(Arc<str>, Entry<'n>)> {
        let entries = self.all[table.0].entries.iter();
        entries
            .filter(|(_, entry)| entry.slot.is_null())
            .map(|(key, entry)| (Arc::clone(key), *entry))
            .collect()
    }

    /// The table and all below it as a tree.
    pub(crate) fn node(&self, table: TableId) -> Result<Node, TooDeep> {
        self.node_at(table, 0)
    }

    fn node_at(&self, table: TableId, depth: usize) -> Result<Node, TooDeep> {
        if depth > MAX_DEPTH {
            return Err(TooDeep);
        }
        let table = &self.all[table.0];
        let mut map = table
            .entries
            .iter()
            .map(|(key, entry)| {
                let field = Field {
                    key_origin: entry.key_origin,
                    node: self.slot_node(entry.slot, depth)?,
                };
                Ok((Arc::clone(key), field))
            })
            .collect::<Result<Map, TooDeep>>()?;
        for (key, &by) in &table.deleted {
            map.delete(key, by);
        }
        Ok(Node::new(map, table.origin))
    }

    fn slot_node(&self, slot: Slot<'n>, depth: usize) -> Result<Node, TooDeep> {
        match slot {
            Slot::Leaf(value, origin) => Ok(Node::new(value.clone(), origin)),
            Slot::Untouched(untouched) => {
                let map = if untouched.without_nulls && holds_null(untouched.map) {
                    without_nulls(untouched.map)
                } else {
                    untouched.map.clone()
                };
                Ok(Node::new(map, untouched.origin))
            }
            Slot::Table(table) => self.node_at(table, depth + 1),
        }
    }

    /// What stands under a key as a value, for messages.
    pub(crate) fn shown(&self, slot: Slot<'n>) -> Value {
        self.slot_node(slot, 0)
            .map_or(Value::Null, |node| node.value)
    }
}

impl<'n> Entry<'n> {
    pub(crate) fn of(field: &'n Field, without_nulls: bool) -> Self {
        Self {
            key_origin: field.key_origin,
            slot: Slot::of(&field.node, without_nulls),
        }
    }
}

fn nulls(map: &Map) -> impl Iterator<Item = (Arc<str>, OriginId)> {
    map.iter()
        .filter(|(_, node)| node.value == Value::Null)
        .map(|(key, node)| (Arc::clone(key), node.origin))
}

/// The map or a map in it, but not in a list, has a null.
fn holds_null(map: &Map) -> bool {
    map.iter().any(|(_, node)| match &node.value {
        Value::Null => true,
        Value::Map(map) => holds_null(map),
        _ => false,
    })
}

fn without_nulls(map: &Map) -> Map {
    let mut kept: Map = map
        .fields()
        .filter(|(_, field)| field.node.value != Value::Null)
        .map(|(key, field)| {
            let value = match &field.node.value {
                Value::Map(map) => without_nulls(map).into(),
                value => value.clone(),
            };
            let field = Field {
                key_origin: field.key_origin,
                node: Node::new(value, field.node.origin),
            };
            (Arc::clone(key), field)
        })
        .collect();
    for (key, by) in map.tombstones() {
        kept.delete(key, by);
    }
    for (key, by) in nulls(map) {
        kept.delete(&key, by);
    }
    kept
}
