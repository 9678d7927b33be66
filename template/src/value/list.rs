//! Lists, which never change once they are made, but for one function that sorts them in place.

use std::{cell::OnceCell, rc::Rc};

use super::{Data, ElementType, Value};
use crate::{changes::Owner, memory::Held};

/// A list and what its items are declared to be.
#[derive(Debug, Default)]
pub(crate) struct List {
    items: Vec<Value>,
    /// The items after `sortAlpha` sorted them.
    sorted: OnceCell<Vec<Value>>,
    pub(crate) of: ElementType,
    is_nil: bool,
    owner: Owner,
    held: Held,
}

impl List {
    pub(crate) fn new(items: Vec<Value>, of: ElementType) -> Self {
        let held = Held::new(items.capacity().saturating_mul(size_of::<Value>()));
        Self {
            items,
            sorted: OnceCell::new(),
            of,
            is_nil: false,
            owner: Owner::now(),
            held,
        }
    }

    /// A list that was never made, which is empty in most places.
    pub(crate) fn nil(of: ElementType) -> Self {
        Self {
            items: Vec::new(),
            sorted: OnceCell::new(),
            of,
            is_nil: true,
            owner: Owner::now(),
            held: Held::default(),
        }
    }

    pub(crate) fn is_nil(&self) -> bool {
        self.is_nil
    }

    pub(crate) fn items(&self) -> &[Value] {
        self.sorted.get().unwrap_or(&self.items)
    }

    /// Puts the items in order, for all that hold the list. Whoever goes through it at the moment
    /// goes on in the old order.
    pub(crate) fn sort(&self, sorted: Vec<Value>) {
        self.owner.notice();
        let bytes = sorted.capacity().saturating_mul(size_of::<Value>());
        self.held.add(bytes);
        // Sorting again changes nothing.
        let _ = self.sorted.set(sorted);
    }
}

impl Drop for List {
    fn drop(&mut self) {
        drop_flat(&mut self.items);
        if let Some(mut sorted) = self.sorted.take() {
            drop_flat(&mut sorted);
        }
    }
}

/// Drops values without recursion: templates can nest values deeper than any stack.
pub(super) fn drop_flat(pending: &mut Vec<Value>) {
    let nests = |value: &Value| matches!(value.data, Data::List(_) | Data::Map(_));
    if !pending.iter().any(nests) {
        return;
    }
    let mut pending = std::mem::take(pending);
    while let Some(value) = pending.pop() {
        match value.data {
            Data::List(list) => {
                if let Some(mut list) = Rc::into_inner(list) {
                    pending.append(&mut list.items);
                }
            }
            Data::Map(map) => {
                if let Some(map) = Rc::into_inner(map) {
                    pending.append(&mut map.take_values());
                }
            }
            _ => {}
        }
    }
}
