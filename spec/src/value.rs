//! The value tree: what YAML and JSON say, and for every key and leaf, where it was said.
//!
//! A [`Node`] is a value and a 4-byte [`OriginId`]. The origin (file, line, column, what it
//! overrode) stands in an [`Origins`] table beside the tree, so trees stay small to copy.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use crate::Span;

/// An entry of an [`Origins`] table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct OriginId(u32);

impl OriginId {
    /// Made by Cairn itself: no text says it.
    pub const GENERATED: Self = Self(0);

    /// Its number in the table, for tables beside it.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The number of an origin that comes so many later.
    pub(crate) const fn after(self, origins: u32) -> Self {
        Self(self.0 + origins)
    }

    /// The origin of a number that [`Self::index`] gave.
    pub const fn from_index(index: u32) -> Self {
        Self(index)
    }
}

/// Where a key or a leaf was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The place; none for what Cairn made itself.
    pub span: Option<Span>,
    /// The local YAML tag written on the node, such as `append` for `!append`.
    pub tag: Option<Arc<str>>,
    /// What this value replaced.
    pub overrides: Option<OriginId>,
    /// Where the value came from when the text at `span` only refers to it: a variable's
    /// binding, or another layer's value.
    pub refers_to: Option<OriginId>,
}

/// All origins of one run.
#[derive(Debug, Clone)]
pub struct Origins {
    all: Vec<Origin>,
}

impl Default for Origins {
    fn default() -> Self {
        Self {
            all: vec![Origin::default()],
        }
    }
}

impl Origins {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an origin.
    pub fn add(&mut self, origin: Origin) -> OriginId {
        let id = OriginId(self.next_index());
        self.all.push(origin);
        id
    }

    /// The number of the origin that is added next.
    pub(crate) fn next_index(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }

    /// All that were added.
    pub(crate) fn into_added(self) -> impl Iterator<Item = Origin> {
        self.all.into_iter().skip(1)
    }

    /// Adds an origin that is only a place.
    pub fn add_span(&mut self, span: Span) -> OriginId {
        self.add(Origin {
            span: Some(span),
            ..Origin::default()
        })
    }

    /// One origin.
    pub fn get(&self, id: OriginId) -> &Origin {
        &self.all[id.0 as usize]
    }

    /// The place of an origin.
    pub fn span(&self, id: OriginId) -> Option<Span> {
        self.get(id).span
    }

    /// A copy of `winner` that remembers that it replaced `loser`.
    pub fn overriding(&mut self, winner: OriginId, loser: OriginId) -> OriginId {
        let origin = Origin {
            overrides: Some(loser),
            ..self.get(winner).clone()
        };
        self.add(origin)
    }

    /// The chain of writers, newest first.
    pub fn history(&self, id: OriginId) -> impl Iterator<Item = &Origin> {
        std::iter::successors(Some(self.get(id)), |origin| {
            origin.overrides.map(|older| self.get(older))
        })
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it was written.
    pub origin: OriginId,
}

/// A YAML or JSON value. Numbers that fit are integers; maps are sorted by key.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Null.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A finite floating-point number.
    Float(f64),
    /// A text.
    String(Arc<str>),
    /// A list.
    List(Vec<Node>),
    /// A map with texts as keys.
    Map(Map),
}

/// A value under a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Where the key was written.
    pub key_origin: OriginId,
    /// The value.
    pub node: Node,
}

/// A map, sorted by key, with a memory of what was deleted from it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Map {
    fields: BTreeMap<Arc<str>, Field>,
    /// Keys that a `null` deleted, and where that null was written.
    tombstones: BTreeMap<Arc<str>, OriginId>,
}

impl Map {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.fields.get(key).map(|field| &field.node)
    }

    /// The value under a key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.fields.get_mut(key).map(|field| &mut field.node)
    }

    /// Key origin and value under a key.
    pub fn field(&self, key: &str) -> Option<&Field> {
        self.fields.get(key)
    }

    /// Key origin and value under a key, to change them.
    pub fn field_mut(&mut self, key: &str) -> Option<&mut Field> {
        self.fields.get_mut(key)
    }

    /// Sets a value whose key was written where the value was.
    pub fn insert(&mut self, key: impl Into<Arc<str>>, node: Node) -> Option<Field> {
        let key_origin = node.origin;
        self.insert_field(key, Field { key_origin, node })
    }

    /// Sets a value and where its key was written.
    pub fn insert_field(&mut self, key: impl Into<Arc<str>>, field: Field) -> Option<Field> {
        let key = key.into();
        self.tombstones.remove(&key);
        self.fields.insert(key, field)
    }

    /// Removes a key without a trace.
    pub fn remove(&mut self, key: &str) -> Option<Field> {
        self.fields.remove(key)
    }

    /// Removes a key and remembers where the deletion was written.
    pub fn delete(&mut self, key: &str, by: OriginId) -> Option<Field> {
        self.tombstones.insert(key.into(), by);
        self.fields.remove(key)
    }

    /// Where the deletion of a key was written.
    pub fn tombstone(&self, key: &str) -> Option<OriginId> {
        self.tombstones.get(key).copied()
    }

    /// The keys that were deleted, and where the deletions were written.
    pub fn tombstones(&self) -> impl Iterator<Item = (&Arc<str>, OriginId)> {
        self.tombstones.iter().map(|(key, &origin)| (key, origin))
    }

    /// The keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> + Clone {
        self.fields.keys()
    }

    /// Keys and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Node)> {
        self.fields.iter().map(|(key, field)| (key, &field.node))
    }

    /// Keys and values, sorted by key, to change the values.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Arc<str>, &mut Node)> {
        self.fields
            .iter_mut()
            .map(|(key, field)| (key, &mut field.node))
    }

    /// Keys and fields, sorted by key.
    pub fn fields(&self) -> impl Iterator<Item = (&Arc<str>, &Field)> {
        self.fields.iter()
    }

    pub(crate) fn fields_mut(&mut self) -> impl Iterator<Item = &mut Field> {
        self.fields.values_mut()
    }

    pub(crate) fn tombstones_mut(&mut self) -> impl Iterator<Item = &mut OriginId> {
        self.tombstones.values_mut()
    }

    /// Keys and fields, taken out.
    pub fn into_fields(self) -> impl Iterator<Item = (Arc<str>, Field)> {
        self.fields.into_iter()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// There is no key.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The key is there.
    pub fn contains_key(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }
}

impl FromIterator<(Arc<str>, Field)> for Map {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Field)>>(fields: I) -> Self {
        Self {
            fields: fields.into_iter().collect(),
            tombstones: BTreeMap::new(),
        }
    }
}

impl Node {
    /// A value made by Cairn itself.
    pub fn generated(value: impl Into<Value>) -> Self {
        Self {
            value: value.into(),
            origin: OriginId::GENERATED,
        }
    }

    /// A value with an origin.
    pub fn new(value: impl Into<Value>, origin: OriginId) -> Self {
        Self {
            value: value.into(),
            origin,
        }
    }

    /// The value under a key, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.value.as_map()?.get(key)
    }

    /// The value at a path of keys, when every step is a map.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The value at a JSON Pointer (RFC 6901).
    pub fn pointer(&self, pointer: &str) -> Option<&Node> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer
            .strip_prefix('/')?
            .split('/')
            .try_fold(self, |node, token| {
                let key = token.replace("~1", "/").replace("~0", "~");
                match &node.value {
                    Value::Map(map) => map.get(&key),
                    Value::List(items) => items.get(key.parse::<usize>().ok()?),
                    _ => None,
                }
            })
    }

    /// The text, when this is one.
    pub fn as_str(&self) -> Option<&str> {
        self.value.as_str()
    }

    /// The map, when this is one.
    pub fn as_map(&self) -> Option<&Map> {
        self.value.as_map()
    }

    /// The map, when this is one, to change it.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The list, when this is one.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The same data as JSON, without origins.
    pub fn to_json(&self) -> serde_json::Value {
        self.value.to_json()
    }

    /// Calls `visit` for this node and all below it, parents first.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Node)) {
        visit(self);
        match &self.value {
            Value::List(items) => items.iter().for_each(|item| item.walk(visit)),
            Value::Map(map) => map.iter().for_each(|(_, node)| node.walk(visit)),
            _ => {}
        }
    }
}

impl Value {
    /// What kind of value this is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) | Self::Float(_) => "number",
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// The text, when this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, when this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The integer, when this is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The map, when this is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Null, `false`, zero, and the empty text, list and map are false; anything else is true.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(map) => !map.is_empty(),
        }
    }

    /// The same data, wherever it was written.
    pub fn same_data(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(left), Self::List(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .zip(right)
                        .all(|(l, r)| l.value.same_data(&r.value))
            }
            (Self::Map(left), Self::Map(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .zip(right.iter())
                        .all(|((lk, l), (rk, r))| lk == rk && l.value.same_data(&r.value))
            }
            (Self::List(_) | Self::Map(_), _) | (_, Self::List(_) | Self::Map(_)) => false,
            (left, right) => left == right,
        }
    }

    /// The same data as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) => Json::from(*value),
            Self::Float(value) => Json::from(*value),
            Self::String(text) => Json::from(&**text),
            Self::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Self::Map(map) => Json::Object(
                map.iter()
                    .map(|(key, node)| (key.to_string(), node.to_json()))
                    .collect(),
            ),
        }
    }
}

/// Prints a float as YAML and JSON do: the shortest text that reads back the same.
pub(crate) fn write_float(out: &mut String, value: f64) {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        let _ = match text.split_once('e') {
            Some((mantissa, exponent)) if !exponent.starts_with('-') => {
                write!(out, "{mantissa}e+{exponent}")
            }
            _ => write!(out, "{text}"),
        };
    } else {
        let _ = write!(out, "{value}");
    }
}

impl From<serde_json::Value> for Node {
    fn from(json: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(value),
            Json::Number(number) => match number.as_i64() {
                Some(int) => Value::Int(int),
                None => Value::Float(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Value::String(text.into()),
            Json::Array(items) => Value::List(items.into_iter().map(Self::from).collect()),
            Json::Object(fields) => {
                let mut map = Map::new();
                for (key, json) in fields {
                    map.insert(key, Self::from(json));
                }
                Value::Map(map)
            }
        };
        Self::generated(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value.into())
    }
}

impl From<Map> for Value {
    fn from(value: Map) -> Self {
        Self::Map(value)
    }
}

impl From<Vec<Node>> for Value {
    fn from(value: Vec<Node>) -> Self {
        Self::List(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_remember_what_they_override() {
        let mut origins = Origins::new();
        let old = origins.add(Origin {
            tag: Some("old".into()),
            ..Origin::default()
        });
        let new = origins.add(Origin {
            tag: Some("new".into()),
            ..Origin::default()
        });
        let winner = origins.overriding(new, old);
        let tags: Vec<_> = origins
            .history(winner)
            .map(|origin| origin.tag.clone().unwrap())
            .collect();
        assert_eq!(tags, ["new".into(), "old".into()] as [Arc<str>; 2]);
    }

    #[test]
    fn pointers_reach_into_lists_and_odd_keys() {
        let node = Node::from(serde_json::json!({"a/b": [{"c~d": 1}]}));
        assert_eq!(
            node.pointer("/a~1b/0/c~0d").unwrap().value.as_int(),
            Some(1)
        );
        assert!(node.pointer("/a~1b/1").is_none());
    }

    #[test]
    fn floats_print_shortest() {
        let text = |value| {
            let mut out = String::new();
            write_float(&mut out, value);
            out
        };
        assert_eq!(
            [text(1.0), text(0.1), text(1e21), text(1.5e-7), text(-0.5)],
            ["1", "0.1", "1e+21", "1.5e-7", "-0.5"]
        );
    }
}
