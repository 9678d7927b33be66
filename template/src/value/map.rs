//! Maps, which are references: all that hold a map see what is changed in it.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use cairn_spec::OriginId;

use super::{MapType, Source, Value, list::drop_flat};
use crate::{changes::Owner, memory::Held};

/// The keys and values of a map, sorted by key, each key with where it came from. Keys are
/// UTF-8: what else a template may use as a key is replaced by U+FFFD.
pub(crate) type Entries = BTreeMap<Arc<str>, Entry>;

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Source,
    pub(crate) value: Value,
}

impl Entry {
    /// The key as a value. It is there because of what its value is there for.
    pub(crate) fn key_value(&self, key: &Arc<str>) -> Value {
        Value {
            because: self.value.because,
            ..Value::scalar(Arc::clone(key), self.key)
        }
    }
}

/// A map, and what it is declared to be.
#[derive(Debug, Default)]
pub(crate) struct Map {
    /// Shared with whoever is reading; a change while somebody reads makes a copy. So no borrow
    /// outlives a call, and nothing a template does can change what is being looped over.
    entries: RefCell<Rc<Entries>>,
    pub(crate) of: MapType,
    /// Keys that a null deleted from the context, and where that null was written.
    deleted: Vec<(Arc<str>, OriginId)>,
    /// The map that this is under another type.
    alias: Option<Rc<Self>>,
    owner: Owner,
    held: Held,
}

/// What an entry holds beside its key.
const ENTRY_BYTES: usize = size_of::<Entry>() + size_of::<Arc<str>>();
/// A node of the tree of entries has room for so many, and is half full at least, unless it is the only one.
const NODE_ENTRIES: usize = 11;

/// What a map of so many entries holds beside its keys: whole nodes, and itself.
const fn bytes_of(entries: usize) -> usize {
    let nodes = if entries == 0 {
        0
    } else {
        1 + entries * 2 / (NODE_ENTRIES * 3)
    };
    size_of::<Map>() + nodes * NODE_ENTRIES * ENTRY_BYTES
}

impl Map {
    pub(crate) fn new(entries: Entries, of: MapType) -> Self {
        let held = Held::new(bytes_of(entries.len()));
        Self {
            entries: RefCell::new(Rc::new(entries)),
            of,
            deleted: Vec::new(),
            alias: None,
            owner: Owner::now(),
            held,
        }
    }

    pub(super) fn with_deleted(mut self, deleted: Vec<(Arc<str>, OriginId)>) -> Self {
        self.deleted = deleted;
        self
    }

    /// A map with the same of everything but its entries.
    pub(crate) fn with_entries(&self, entries: Entries) -> Self {
        Self::new(entries, self.of).with_deleted(self.itself().deleted.clone())
    }

    /// They are one map, perhaps under two types.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.itself(), other.itself())
    }

    /// The same map under another type.
    pub(crate) fn retyped(self: &Rc<Self>, of: MapType) -> Self {
        let mut map = Self::new(Entries::new(), of);
        map.alias = Some(
            self.alias
                .as_ref()
                .map_or_else(|| Rc::clone(self), Rc::clone),
        );
        map
    }

    fn itself(&self) -> &Self {
        self.alias.as_deref().unwrap_or(self)
    }

    /// What is in the map now.
    pub(crate) fn entries(&self) -> Rc<Entries> {
        Rc::clone(&self.itself().entries.borrow())
    }

    pub(crate) fn len(&self) -> usize {
        self.itself().entries.borrow().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get(&self, key: &str) -> Option<Value> {
        self.itself()
            .entries
            .borrow()
            .get(key)
            .map(|entry| entry.value.clone())
    }

    pub(crate) fn contains_key(&self, key: &str) -> bool {
        self.itself().entries.borrow().contains_key(key)
    }

    pub(crate) fn insert(&self, key: impl Into<Arc<str>>, entry: Entry) {
        let key = key.into();
        let key_bytes = key.len();
        let map = self.itself();
        map.owner.notice_unless(|| {
            let old = map.get(&key);
            old.is_some_and(|old| old.is_same_scalar(&entry.value))
        });
        let mut entries = map.entries.borrow_mut();
        let replaced = Rc::make_mut(&mut entries).insert(key, entry);
        if replaced.is_none() {
            let count = entries.len();
            let grown = bytes_of(count) - bytes_of(count - 1);
            map.held.add(grown + key_bytes);
        }
        drop(entries);
        // Dropped only now: it may hold this very map.
        drop(replaced);
    }

    pub(crate) fn remove(&self, key: &str) {
        let map = self.itself();
        map.owner.notice_unless(|| !map.contains_key(key));
        let removed = Rc::make_mut(&mut map.entries.borrow_mut()).remove(key);
        drop(removed);
    }

    /// Where the deletion of a key was written.
    pub(crate) fn deletion(&self, key: &str) -> Option<OriginId> {
        self.itself()
            .deleted
            .iter()
            .find(|(deleted, _)| &**deleted == key)
            .map(|&(_, origin)| origin)
    }

    /// Takes out all values that nobody else reads.
    pub(crate) fn take_values(&self) -> Vec<Value> {
        let entries = std::mem::take(&mut *self.entries.borrow_mut());
        match Rc::into_inner(entries) {
            Some(entries) => entries.into_values().map(|entry| entry.value).collect(),
            None => Vec::new(),
        }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        let nests = |entries: &Rc<Entries>| {
            entries
                .values()
                .any(|entry| matches!(entry.value.data, super::Data::List(_) | super::Data::Map(_)))
        };
        if nests(self.entries.get_mut()) {
            drop_flat(&mut self.take_values());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::{Rendering, changes};
    use crate::value::Data;

    #[test]
    fn a_map_of_maps_deeper_than_any_stack_is_dropped() {
        let mut value = Value::nil();
        for _ in 0..200_000 {
            value = Value::list([Value::map([("k", value)])]);
        }
        drop(value);
    }

    #[test]
    fn whoever_reads_sees_what_was_there() {
        let value = Value::map([("a", Value::from(1))]);
        let Data::Map(map) = &value.data else {
            panic!("it is a map");
        };
        let before = map.entries();
        assert!(map.take_values().is_empty(), "they are being read");
        assert_eq!(before.len(), 1);
        assert!(map.is_empty());
    }

    #[test]
    fn setting_the_same_is_no_change() {
        let map = Map::new(Entries::new(), MapType::default());
        let entry = |value: Value| Entry {
            key: Source::TEMPLATE,
            value,
        };
        let scalars = || [Value::from("text"), Value::from(true), Value::from("other")];
        map.insert("key", entry(Value::from(1)));
        let _rendering = Rendering::begin();
        let mut before = changes();
        for scalar in scalars() {
            map.insert("key", entry(scalar.clone()));
            assert_eq!(changes(), before + 1);
            map.insert("key", entry(scalar));
            assert_eq!(changes(), before + 1);
            before += 1;
        }
        for _ in 0..2 {
            // Whoever changes one of two equal maps does not change the other.
            map.insert("map", entry(Value::map::<&str>([])));
            before += 1;
            assert_eq!(changes(), before);
        }
        map.remove("none");
        assert_eq!(changes(), before);
        map.remove("key");
        assert_eq!(changes(), before + 1);
    }
}
