//! Lists, which never change once they are made.

use std::rc::Rc;

use super::{Data, ElementType, Value};

/// A list and what its items are declared to be.
#[derive(Debug, Default)]
pub(crate) struct List {
    items: Vec<Value>,
    pub(crate) of: ElementType,
    is_nil: bool,
}

impl List {
    pub(crate) fn new(items: Vec<Value>, of: ElementType) -> Self {
        Self {
            items,
            of,
            is_nil: false,
        }
    }

    /// A list that was never made, which is empty in most places.
    pub(crate) fn nil(of: ElementType) -> Self {
        Self {
            items: Vec::new(),
            of,
            is_nil: true,
        }
    }

    pub(crate) fn is_nil(&self) -> bool {
        self.is_nil
    }

    pub(crate) fn items(&self) -> &[Value] {
        &self.items
    }
}

impl Drop for List {
    fn drop(&mut self) {
        drop_flat(&mut self.items);
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
