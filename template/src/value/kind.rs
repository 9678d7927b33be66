//! Go's types and kinds, as far as templates can see them: `kindOf`, `typeOf`, `%T`, and the
//! words of error messages.

use std::borrow::Cow;

use super::{Data, Value};

/// The integer types that templates come across.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntKind {
    /// Literals, `len`, indices.
    Int,
    /// What Sprig's arithmetic gives.
    Int64,
    /// Bytes of a `[]byte` or of a text.
    Uint8,
    /// Parts of a version.
    Uint64,
    /// `time.Duration`, in nanoseconds.
    Duration,
    /// `time.Month`, from 1 on.
    Month,
    /// `time.Weekday`, Sunday being 0.
    Weekday,
}

impl IntKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint8 => "uint8",
            Self::Uint64 => "uint64",
            Self::Duration => "time.Duration",
            Self::Month => "time.Month",
            Self::Weekday => "time.Weekday",
        }
    }

    fn kind_name(self) -> &'static str {
        match self {
            Self::Duration => "int64",
            Self::Month | Self::Weekday => "int",
            unnamed => unnamed.name(),
        }
    }

    pub(crate) fn is_unsigned(self) -> bool {
        matches!(self, Self::Uint8 | Self::Uint64)
    }
}

/// What the items of a list are declared to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ElementType {
    /// `[]interface {}`
    #[default]
    Any,
    /// `[]string`
    String,
    /// `[]int`
    Int,
    /// `[]map[string]interface {}`
    Map,
    /// `[][]interface {}`
    List,
    /// A named list type, such as `common.VersionSet`, whose items are texts.
    Named(&'static str),
}

impl ElementType {
    /// The type of the list.
    pub(crate) fn list_type(self) -> &'static str {
        match self {
            Self::Any => "[]interface {}",
            Self::String => "[]string",
            Self::Int => "[]int",
            Self::Map => "[]map[string]interface {}",
            Self::List => "[][]interface {}",
            Self::Named(name) => name,
        }
    }

    /// An item that is nil is an interface that holds nothing.
    pub(crate) fn holds_anything(self) -> bool {
        self == Self::Any
    }
}

/// What a map is declared to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MapType {
    /// `map[string]interface {}`
    #[default]
    Any,
    /// `map[string]string`
    String,
    /// A named type over `map[string]interface {}`, such as `common.Values`.
    Named(&'static str),
}

impl MapType {
    /// A value that is nil is an interface that holds nothing.
    pub(crate) fn holds_anything(self) -> bool {
        self != Self::String
    }

    /// The name of the type, as Go prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "map[string]interface {}",
            Self::String => "map[string]string",
            Self::Named(name) => name,
        }
    }
}

impl Value {
    /// The name of the value's Go type, as `%T` prints it.
    pub fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match &self.data {
            Data::Missing | Data::Nil => "<nil>",
            Data::Bool(_) => "bool",
            Data::Int(_, kind) => kind.name(),
            Data::Float(_) => "float64",
            Data::Str(_) | Data::Text(_) => "string",
            Data::Bytes(_) => "[]uint8",
            Data::List(list) => list.of.list_type(),
            Data::Map(map) => map.of.name(),
            Data::Object(object) => return Cow::Owned(object.type_name().to_owned()),
        })
    }

    /// The name of the value's Go kind, as `kindOf` prints it.
    pub fn kind_name(&self) -> &'static str {
        match &self.data {
            Data::Missing | Data::Nil => "invalid",
            Data::Bool(_) => "bool",
            Data::Int(_, kind) => kind.kind_name(),
            Data::Float(_) => "float64",
            Data::Str(_) | Data::Text(_) => "string",
            Data::Bytes(_) | Data::List(_) => "slice",
            Data::Map(_) => "map",
            Data::Object(object) => object.kind_name(),
        }
    }
}
