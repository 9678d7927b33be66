//! What a value is, wherever it is kept, and how Handlebars sees it.

use std::{borrow::Cow, fmt, rc::Rc, sync::Arc};

use super::{Data, Entries, Value};
use crate::{go::format::print, writer::utf8};

/// What a value is, wherever it is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum View<'v> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(&'v str),
    List(usize),
    Map(usize),
    Object,
}

impl Value {
    pub(crate) fn view(&self) -> View<'_> {
        match &self.data {
            Data::Missing | Data::Nil => View::Null,
            Data::Bool(value) => View::Bool(*value),
            Data::Int(value, _) => View::Int(*value),
            Data::Float(value) => View::Float(*value),
            Data::Str(text) | Data::Bytes(text) => View::Str(utf8(text)),
            Data::Text(text) => View::Str(text.as_str()),
            Data::List(list) => View::List(list.items().len()),
            Data::Map(map) => View::Map(map.len()),
            Data::Object(_) => View::Object,
        }
    }

    /// What kind of value this is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.view() {
            View::Null => "null",
            View::Bool(_) => "a boolean",
            View::Int(_) | View::Float(_) => "a number",
            View::Str(_) => "a string",
            View::List(_) => "a list",
            View::Map(_) => "a map",
            View::Object => "an object",
        }
    }

    /// Truth, which both languages judge alike (`spec/pack.md` §4; Go's `IsTrue`).
    pub fn is_true(&self) -> bool {
        match &self.data {
            Data::Missing | Data::Nil => false,
            Data::Bool(value) => *value,
            Data::Int(value, _) => *value != 0,
            Data::Float(value) => *value != 0.0,
            Data::Str(text) | Data::Bytes(text) => !text.is_empty(),
            Data::Text(text) => !text.is_empty(),
            Data::List(list) => !list.items().is_empty(),
            Data::Map(map) => !map.is_empty(),
            Data::Object(object) => object.is_true(),
        }
    }

    /// The bytes of a text.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.data {
            Data::Str(text) => Some(text),
            Data::Text(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// The text, where it is one; bytes that are not UTF-8 are replaced.
    pub fn as_str(&self) -> Option<Cow<'_, str>> {
        self.as_bytes().map(String::from_utf8_lossy)
    }

    /// Whether both are the same boolean, number, text or nil of the same type, wherever it came
    /// from.
    pub(crate) fn is_same_scalar(&self, other: &Self) -> bool {
        match (&self.data, &other.data) {
            (Data::Nil, Data::Nil) => true,
            (Data::Bool(left), Data::Bool(right)) => left == right,
            (Data::Int(left, kind), Data::Int(right, other)) => (left, kind) == (right, other),
            (Data::Float(left), Data::Float(right)) => left.to_bits() == right.to_bits(),
            _ => match (self.as_bytes(), other.as_bytes()) {
                (Some(left), Some(right)) => left == right,
                _ => false,
            },
        }
    }

    /// The value under a key of a map or at an index of a list.
    pub(crate) fn child(&self, key: &str) -> Option<Self> {
        match &self.data {
            Data::List(list) => list.items().get(index(key)?).cloned(),
            Data::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Option<&[Self]> {
        match &self.data {
            Data::List(list) => Some(list.items()),
            _ => None,
        }
    }

    /// The keys and values of a map.
    pub(crate) fn entries(&self) -> Option<Rc<Entries>> {
        match &self.data {
            Data::Map(map) => Some(map.entries()),
            _ => None,
        }
    }

    /// The value under a key of a map, or nothing where there is none.
    pub fn get(&self, key: &str) -> Option<Self> {
        match &self.data {
            Data::Map(map) => map.get(key),
            _ => None,
        }
    }

    /// Where the deletion of a key of a map was written.
    pub(crate) fn deletion(&self, key: &str) -> Option<cairn_spec::OriginId> {
        match &self.data {
            Data::Map(map) => map.deletion(key),
            _ => None,
        }
    }

    /// The keys of a map, sorted.
    pub(crate) fn keys(&self) -> Vec<Arc<str>> {
        self.entries()
            .map(|entries| entries.keys().cloned().collect())
            .unwrap_or_default()
    }
}

/// As Go's `%v` prints it; bytes that are not UTF-8 are replaced.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&print(self)))
    }
}

/// A list index: digits without a sign.
fn index(key: &str) -> Option<usize> {
    key.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| key.parse().ok())?
}
