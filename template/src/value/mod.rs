//! The values that templates of every language work on: Go's kinds, of which Handlebars needs
//! fewer, and for each value where it came from.
//!
//! A context is a tree of [`cairn_spec::Node`]s that [`State::thaw`] turns into values once a
//! render. Lists and texts never change; maps are references, as Go's are: a map that one
//! template changes is changed for all that hold it. Copies share what they were made from.

mod compare;
mod deep_equal;
mod kind;
mod list;
mod map;
mod object;
mod origins;
mod thaw;
mod unfolded;
mod view;

use std::{rc::Rc, sync::Arc};

pub(crate) use compare::compare_numbers;
pub use kind::{ElementType, IntKind, MapType};
pub(crate) use list::List;
pub(crate) use map::{Entries, Entry, Map};
pub use object::{Encoded, Encoder, Method, Object, Parameter};
pub(crate) use view::View;

use crate::{
    spans::{Class, OriginSet},
    state::State,
    writer::Text,
};

/// A value, where it came from, and what decided that it is this one.
#[derive(Debug, Clone)]
pub struct Value {
    pub(crate) data: Data,
    /// Where the value itself came from; a [`Data::Text`] knows it for each byte instead.
    pub(crate) source: Source,
    /// Origins of what a function such as `default` looked at to choose this value.
    pub(crate) because: OriginSet,
    pub(crate) standing: Standing,
}

// With a tag of one byte, what lies beside it is moved in unaligned pieces, each of which waits for
// the ones before.
#[derive(Debug, Clone)]
#[repr(u64)]
pub(crate) enum Data {
    /// No value at all: what a missing key gives.
    Missing,
    /// A value that is there and is nil.
    Nil,
    Bool(bool),
    Int(i64, IntKind),
    Float(f64),
    /// A text that came from one place. Texts are bytes, mostly UTF-8.
    Str(Arc<[u8]>),
    /// A text in which each byte knows where it came from.
    Text(Rc<Text>),
    /// Go's `[]byte`, which is no text.
    Bytes(Arc<[u8]>),
    List(Rc<List>),
    Map(Rc<Map>),
    Object(Rc<dyn Object>),
}

/// Which node of the context a value is, and whether it is boxed: an item of what holds anything
/// (`interface {}`), which is how Go's messages then call its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Standing(u32);

impl Standing {
    /// The highest number of a node.
    pub(crate) const MAX_NODE: u32 = u32::MAX >> 1;
    const BOXED: u32 = 1;

    /// That of a node of the context, which are counted from 1 as they are thawed.
    pub(crate) const fn of_node(number: u32) -> Self {
        Self(number << 1)
    }

    /// The number of the node; 0 is no node.
    pub(crate) const fn node(self) -> u32 {
        self.0 >> 1
    }

    pub(crate) const fn is_boxed(self) -> bool {
        self.0 & Self::BOXED != 0
    }

    pub(crate) fn set_boxed(&mut self, is_boxed: bool) {
        self.0 = self.0 & !Self::BOXED | u32::from(is_boxed);
    }
}

/// Where a value or a key came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) class: Class,
    pub(crate) origins: OriginSet,
}

impl Source {
    /// What stands in the template.
    pub(crate) const TEMPLATE: Self = Self {
        class: Class::Template,
        origins: OriginSet::EMPTY,
    };

    /// What was computed from `origins`; without any it is a constant of the template.
    pub(crate) fn derived(origins: OriginSet) -> Self {
        if origins == OriginSet::EMPTY {
            return Self::TEMPLATE;
        }
        Self {
            class: Class::Derived,
            origins,
        }
    }

    pub(crate) fn exact(origin: cairn_spec::OriginId, state: &mut State<'_>) -> Self {
        Self {
            class: Class::Exact,
            origins: state.tracker.single(origin),
        }
    }
}

impl From<Data> for Value {
    fn from(data: Data) -> Self {
        Self::new(data, Source::TEMPLATE)
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Data::Text(Rc::new(text)).into()
    }
}

macro_rules! constants {
    ($($from:ty: $value:ident => $data:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $data.into()
            }
        })*
    };
}

// Values without an origin: constants of a template or of what renders it.
constants! {
    bool: value => Data::Bool(value);
    i64: value => Data::Int(value, IntKind::Int);
    f64: value => Data::Float(value);
    &str: value => Data::Str(value.as_bytes().into());
    String: value => Data::Str(value.into_bytes().into());
    Arc<str>: value => Data::Str(value.into());
    Vec<u8>: value => Data::Str(value.into());
    &[u8]: value => Data::Str(value.into());
}

impl Value {
    pub(crate) fn new(data: Data, source: Source) -> Self {
        Self {
            data,
            source,
            because: OriginSet::EMPTY,
            standing: Standing::default(),
        }
    }

    /// The same, as an item of what holds anything, or not.
    pub(crate) fn boxed(mut self, is_boxed: bool) -> Self {
        self.standing.set_boxed(is_boxed);
        self
    }

    /// A value that is there and is nil.
    pub fn nil() -> Self {
        Data::Nil.into()
    }

    /// No value at all.
    pub fn missing() -> Self {
        Data::Missing.into()
    }

    /// A `[]byte`, which prints as a list of numbers, unlike a text.
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        Data::Bytes(bytes.into()).into()
    }

    /// A list of anything (`[]interface {}`).
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::typed_list(items, ElementType::Any)
    }

    /// A list whose items are all of one Go type.
    pub fn typed_list(items: impl IntoIterator<Item = Self>, of: ElementType) -> Self {
        Data::List(Rc::new(List::new(items.into_iter().collect(), of))).into()
    }

    /// A map of anything (`map[string]interface {}`).
    pub fn map<K: Into<Arc<str>>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::typed_map(entries, MapType::Any)
    }

    /// A map of a named Go type, or with values of one type.
    pub fn typed_map<K: Into<Arc<str>>>(
        entries: impl IntoIterator<Item = (K, Self)>,
        of: MapType,
    ) -> Self {
        let entries = entries.into_iter().map(|(key, value)| {
            let key_source = Source::TEMPLATE;
            (
                key.into(),
                Entry {
                    key: key_source,
                    value,
                },
            )
        });
        Data::Map(Rc::new(Map::new(entries.collect(), of))).into()
    }

    /// Puts a value under a key of a map, for all that hold the map; what is no map stays as it is.
    pub fn insert(&self, key: impl Into<Arc<str>>, value: Self) {
        if let Data::Map(map) = &self.data {
            let key_source = Source::TEMPLATE;
            map.insert(
                key,
                Entry {
                    key: key_source,
                    value,
                },
            );
        }
    }

    /// Removes a key from a map, for all that hold the map.
    pub fn remove(&self, key: &str) {
        if let Data::Map(map) = &self.data {
            map.remove(key);
        }
    }

    /// Takes over the maps that another map has where this one has maps, too, `depth` maps below:
    /// what is changed in one is then changed in both.
    pub fn share_maps(&self, with: &Self, depth: usize) {
        let (Data::Map(map), Data::Map(with)) = (&self.data, &with.data) else {
            return;
        };
        for (key, entry) in map.entries().iter() {
            let other = with.get(key);
            let Some(other) = other.filter(|other| matches!(other.data, Data::Map(_))) else {
                continue;
            };
            if !matches!(entry.value.data, Data::Map(_)) {
                continue;
            }
            if depth > 0 {
                entry.value.share_maps(&other, depth - 1);
                continue;
            }
            let shared = Entry {
                key: entry.key,
                value: other,
            };
            map.insert(Arc::clone(key), shared);
        }
    }

    /// The same map under another type, as a conversion in Go gives it; nothing where it is no
    /// map. What is changed in one is changed in both.
    pub fn converted(&self, to: MapType) -> Option<Self> {
        let Data::Map(map) = &self.data else {
            return None;
        };
        Some(Self {
            data: Data::Map(Rc::new(map.retyped(to))),
            ..self.clone()
        })
    }

    /// A list of some type that is nil.
    pub fn nil_list(of: ElementType) -> Self {
        Data::List(Rc::new(List::nil(of))).into()
    }

    /// A value with methods.
    pub fn object(object: impl Object + 'static) -> Self {
        Data::Object(Rc::new(object)).into()
    }

    /// A computed value.
    pub(crate) fn scalar(value: impl Into<Self>, source: Source) -> Self {
        Self {
            source,
            ..value.into()
        }
    }

    pub(crate) fn list_of(items: Vec<Self>, source: Source) -> Self {
        Self::new(
            Data::List(Rc::new(List::new(items, ElementType::Any))),
            source,
        )
    }

    pub(crate) fn map_of(entries: Entries, source: Source) -> Self {
        Self::new(Data::Map(Rc::new(Map::new(entries, MapType::Any))), source)
    }
}
