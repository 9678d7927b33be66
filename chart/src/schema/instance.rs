//! What is held against a schema: values, schemas themselves, and names of properties.

use std::{collections::BTreeMap, fmt::Write as _};

use cairn_spec::{Map, Node, OriginId, Value};

use super::{
    json::Json,
    model::{Type, Types},
};

/// A value, wherever it is kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Instance<'v> {
    Node(&'v Node),
    Json(&'v Json),
    Name(&'v str),
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape<'v> {
    Null,
    Bool(bool),
    Number(f64),
    String(&'v str),
    Array(Items<'v>),
    Object(Fields<'v>),
}

/// The items of an array.
#[derive(Debug, Clone, Copy)]
pub(super) enum Items<'v> {
    Nodes(&'v [Node]),
    Jsons(&'v [Json]),
}

/// The properties of an object.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fields<'v> {
    Map(&'v Map),
    Object(&'v BTreeMap<String, Json>),
}

impl<'v> Instance<'v> {
    #[expect(clippy::cast_precision_loss, reason = "Helm's numbers are floats")]
    pub(super) fn shape(self) -> Shape<'v> {
        match self {
            Self::Name(name) => Shape::String(name),
            Self::Node(node) => match &node.value {
                Value::Null => Shape::Null,
                Value::Bool(value) => Shape::Bool(*value),
                Value::Int(value) => Shape::Number(*value as f64),
                Value::Float(value) => Shape::Number(*value),
                Value::String(text) => Shape::String(text),
                Value::List(items) => Shape::Array(Items::Nodes(items)),
                Value::Map(map) => Shape::Object(Fields::Map(map)),
            },
            Self::Json(json) => match json {
                Json::Null => Shape::Null,
                Json::Bool(value) => Shape::Bool(*value),
                Json::Number(number) => Shape::Number(number.value),
                Json::String(text) => Shape::String(text),
                Json::Array(items) => Shape::Array(Items::Jsons(items)),
                Json::Object(fields) => Shape::Object(Fields::Object(fields)),
            },
        }
    }

    /// Where the value was written.
    pub(super) fn origin(self) -> Option<OriginId> {
        match self {
            Self::Node(node) => Some(node.origin),
            _ => None,
        }
    }
}

impl Shape<'_> {
    pub(super) fn kind(self) -> Type {
        match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Boolean,
            Self::Number(_) => Type::Number,
            Self::String(_) => Type::String,
            Self::Array(_) => Type::Array,
            Self::Object(_) => Type::Object,
        }
    }

    pub(super) fn is_of(self, types: Types) -> bool {
        if types.contains(self.kind()) {
            return true;
        }
        let is_integer = matches!(self, Self::Number(value) if value.fract() == 0.0);
        is_integer && types.contains(Type::Integer)
    }

    /// The same value; numbers are compared by what they are, not by how they are written.
    #[expect(clippy::float_cmp, reason = "numbers are equal when they are the same")]
    pub(super) fn equals(self, other: Shape<'_>) -> bool {
        match (self, other) {
            (Self::Null, Shape::Null) => true,
            (Self::Bool(left), Shape::Bool(right)) => left == right,
            (Self::Number(left), Shape::Number(right)) => left == right,
            (Self::String(left), Shape::String(right)) => left == right,
            (Self::Array(left), Shape::Array(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .zip(right.iter())
                        .all(|(left, right)| left.shape().equals(right.shape()))
            }
            (Self::Object(left), Shape::Object(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(key, left)| {
                        let right = right.get(key);
                        right.is_some_and(|right| left.shape().equals(right.shape()))
                    })
            }
            _ => false,
        }
    }
}

impl Shape<'_> {
    /// Writes a text that is the same for equal values, and for no others.
    pub(super) fn write_key(self, out: &mut String) {
        match self {
            Self::Null => out.push('n'),
            Self::Bool(value) => out.push(if value { 't' } else { 'f' }),
            // Both zeros are one.
            Self::Number(value) => drop(write!(out, "{:?}", value + 0.0)),
            Self::String(text) => drop(write!(out, "{text:?}")),
            Self::Array(items) => {
                out.push('[');
                for item in items.iter() {
                    item.shape().write_key(out);
                    out.push(',');
                }
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (key, value) in fields.iter() {
                    let _ = write!(out, "{key:?}:");
                    value.shape().write_key(out);
                    out.push(',');
                }
                out.push('}');
            }
        }
    }
}

impl<'v> Items<'v> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Nodes(items) => items.len(),
            Self::Jsons(items) => items.len(),
        }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Instance<'v>> {
        let (nodes, jsons): (&[Node], &[Json]) = match self {
            Self::Nodes(items) => (items, &[]),
            Self::Jsons(items) => (&[], items),
        };
        let nodes = nodes.iter().map(Instance::Node);
        nodes.chain(jsons.iter().map(Instance::Json))
    }
}

impl<'v> Fields<'v> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Map(map) => map.len(),
            Self::Object(fields) => fields.len(),
        }
    }

    pub(super) fn get(self, key: &str) -> Option<Instance<'v>> {
        match self {
            Self::Map(map) => map.get(key).map(Instance::Node),
            Self::Object(fields) => fields.get(key).map(Instance::Json),
        }
    }

    /// In the order of their keys; Helm's own order is one of chance.
    pub(super) fn iter(self) -> impl Iterator<Item = (&'v str, Instance<'v>)> {
        let (map, object) = match self {
            Self::Map(map) => (Some(map), None),
            Self::Object(fields) => (None, Some(fields)),
        };
        let nodes = map.into_iter().flat_map(Map::iter);
        let nodes = nodes.map(|(key, node)| (&**key, Instance::Node(node)));
        let jsons = object.into_iter().flatten();
        nodes.chain(jsons.map(|(key, json)| (key.as_str(), Instance::Json(json))))
    }
}
