//! Makes values of the context's nodes, each with its origin and its number.

use std::{rc::Rc, sync::Arc};

use cairn_spec::{Node, Value as Tree};

use super::{Data, Entry, IntKind, List, Map, MapType, Source, Standing, Value};
use crate::{spans::OriginSet, state::State};

impl State<'_> {
    /// The node and all below it as values, numbered so that it can be told what was read.
    pub(crate) fn thaw(&mut self, node: &Node) -> Value {
        self.thaw_map_as(node, MapType::Any)
    }

    /// As [`Self::thaw`], where the outermost map is of a named type.
    pub(crate) fn thaw_map_as(&mut self, node: &Node, of: MapType) -> Value {
        let number = self.next_node();
        let data = match &node.value {
            Tree::List(items) => {
                let items = items.iter().map(|item| self.thaw(item)).collect();
                Data::List(Rc::new(List::new(items, super::ElementType::Any)))
            }
            Tree::Map(map) => {
                let entries = map.fields().map(|(key, field)| {
                    let entry = Entry {
                        key: Source::exact(field.key_origin, self),
                        value: self.thaw(&field.node),
                    };
                    (Arc::clone(key), entry)
                });
                let entries = entries.collect();
                let deleted = map
                    .tombstones()
                    .map(|(key, origin)| (Arc::clone(key), origin))
                    .collect();
                Data::Map(Rc::new(Map::new(entries, of).with_deleted(deleted)))
            }
            scalar => Data::of_scalar(scalar),
        };
        Value {
            data,
            source: Source::exact(node.origin, self),
            because: OriginSet::EMPTY,
            standing: Standing::of_node(number),
        }
    }
}

impl Data {
    fn of_scalar(scalar: &Tree) -> Self {
        match scalar {
            Tree::Null | Tree::List(_) | Tree::Map(_) => Self::Nil,
            Tree::Bool(value) => Self::Bool(*value),
            // Integers of a context come from the command line, where Go reads them as `int64`.
            Tree::Int(value) => Self::Int(*value, IntKind::Int64),
            Tree::Float(value) => Self::Float(*value),
            Tree::String(text) => Self::Str(Arc::clone(text).into()),
        }
    }
}

impl Value {
    /// A value that is neither a list nor a map.
    pub(crate) fn of_scalar(scalar: &Tree, source: Source) -> Self {
        Self::new(Data::of_scalar(scalar), source)
    }

    /// A tree of values that all came from `source`, where nothing more exact is known.
    pub(crate) fn from_tree(tree: &Tree, source: Source) -> Self {
        match tree {
            Tree::List(items) => {
                let items = items
                    .iter()
                    .map(|item| Self::from_tree(&item.value, source));
                Self::list_of(items.collect(), source)
            }
            Tree::Map(map) => {
                let entries = map.iter().map(|(key, item)| {
                    let value = Self::from_tree(&item.value, source);
                    (Arc::clone(key), Entry { key: source, value })
                });
                Self::map_of(entries.collect(), source)
            }
            scalar => Self::of_scalar(scalar, source),
        }
    }
}
