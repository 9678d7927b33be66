//! What the writers of `go_yaml`, `go_json` and `go_toml` need to know of a value, so that they
//! work on any value tree, and can say which bytes of the output each scalar wrote.

use std::ops::Range;

use cairn_spec::Node;

use crate::value::{Data, Encoded, Encoder, IntKind, Value};

/// A value that can be written.
pub trait Tree: Sized {
    /// Shows the value to `read`; a closure, so that a value may be borrowed from a cell.
    fn with_shape<R>(&self, read: impl FnOnce(Shape<'_, Self>) -> R) -> R;

    /// As [`Self::with_shape`], for an encoder that sees structs in its own way.
    fn with_shape_for<R>(&self, _by: Encoder, read: impl FnOnce(Shape<'_, Self>) -> R) -> R {
        self.with_shape(read)
    }

    /// It is a struct, whose fields keep their order.
    fn is_struct(&self) -> bool {
        false
    }
}

/// What a value is, one level deep.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape<'a, T> {
    /// Go's `nil`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A signed integer of any width.
    Int(i64),
    /// An unsigned integer of any width.
    Uint(u64),
    /// A float, whole or not.
    Float(f64),
    /// A Go string: bytes that need not be UTF-8.
    Text(&'a [u8]),
    /// What is no string but is written as one, without quotes where the format has them: a moment.
    Plain(&'a str),
    /// A `[]byte`: base64 to JSON, and so to `toYaml`, a list of numbers to the others.
    Bytes(&'a [u8]),
    /// A list.
    List(&'a [T]),
    /// A list that is nil: `null` to JSON, and so to `toYaml`, nothing to TOML.
    NilList,
    /// A map's entries, in any order; no key comes twice.
    Map(Vec<(&'a [u8], &'a T)>),
}

/// Learns which bytes of the output a key or a scalar wrote.
///
/// Several ranges belong to one scalar when it takes several lines; indentation, line breaks
/// and the `:`, `-` and `,` around it are in none. An empty list or map counts as a scalar.
pub trait Report<T> {
    /// A list or map that is not empty begins.
    fn enter(&mut self, _collection: &T) {}
    /// The last list or map that began ends.
    fn leave(&mut self) {}
    /// `range` of the output was written for `value`.
    fn value(&mut self, value: &T, range: Range<usize>);
    /// `range` of the output was written for the `key` of `map`.
    fn key(&mut self, map: &T, key: &[u8], range: Range<usize>);
}

/// Learns nothing.
impl<T> Report<T> for () {
    fn value(&mut self, _: &T, _: Range<usize>) {}
    fn key(&mut self, _: &T, _: &[u8], _: Range<usize>) {}
}

impl Tree for Node {
    fn with_shape<R>(&self, read: impl FnOnce(Shape<'_, Self>) -> R) -> R {
        use cairn_spec::Value;
        read(match &self.value {
            Value::Null => Shape::Null,
            Value::Bool(value) => Shape::Bool(*value),
            Value::Int(value) => Shape::Int(*value),
            Value::Float(value) => Shape::Float(*value),
            Value::String(text) => Shape::Text(text.as_bytes()),
            Value::List(items) => Shape::List(items),
            Value::Map(map) => Shape::Map(
                map.iter()
                    .map(|(key, node)| (key.as_bytes(), node))
                    .collect(),
            ),
        })
    }
}

impl Tree for Value {
    fn is_struct(&self) -> bool {
        match &self.data {
            Data::Object(object) => object.json_fields().is_some(),
            _ => false,
        }
    }

    fn with_shape_for<R>(&self, by: Encoder, read: impl FnOnce(Shape<'_, Self>) -> R) -> R {
        let encoded = match &self.data {
            Data::Object(object) => object.encoded(by),
            _ => None,
        };
        match &encoded {
            Some(Encoded::Plain(text)) => read(Shape::Plain(text)),
            Some(Encoded::Fields(fields)) => {
                let fields = fields.iter();
                read(Shape::Map(
                    fields
                        .map(|(name, value)| (name.as_bytes(), value))
                        .collect(),
                ))
            }
            None => self.with_shape(read),
        }
    }

    fn with_shape<R>(&self, read: impl FnOnce(Shape<'_, Self>) -> R) -> R {
        match &self.data {
            Data::Missing | Data::Nil => read(Shape::Null),
            Data::Bool(value) => read(Shape::Bool(*value)),
            Data::Int(value, IntKind::Uint64) => read(Shape::Uint(value.cast_unsigned())),
            Data::Int(value, _) => read(Shape::Int(*value)),
            Data::Float(value) => read(Shape::Float(*value)),
            Data::Str(text) => read(Shape::Text(text)),
            Data::Text(text) => read(Shape::Text(text.as_bytes())),
            Data::Bytes(bytes) => read(Shape::Bytes(bytes)),
            Data::List(list) if list.is_nil() => read(Shape::NilList),
            Data::List(list) => read(Shape::List(list.items())),
            Data::Map(map) => {
                let entries = map.entries();
                let entries = entries.iter();
                read(Shape::Map(
                    entries
                        .map(|(key, entry)| (key.as_bytes(), &entry.value))
                        .collect(),
                ))
            }
            Data::Object(object) => match object.json_fields() {
                Some(fields) => {
                    let fields = fields.iter();
                    read(Shape::Map(
                        fields.map(|(key, value)| (key.as_bytes(), value)).collect(),
                    ))
                }
                None => object.to_value().with_shape(read),
            },
        }
    }
}
